//! `customProperties` in and out: defaults by age, reset on omission, nothing dropped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use rstest::rstest;
use tls_gauntlet_scenarios::{
    CipherSuite, GatewayProfile, Setting, TlsVersion, Versions, catalogue,
    custom_properties::{CustomProperties, PREFIX},
};

fn map(keys: &[(&str, &str)]) -> BTreeMap<String, String> {
    keys.iter().map(|(key, value)| (format!("{PREFIX}{key}"), (*value).to_owned())).collect()
}

#[rstest]
#[case::nothing_said(&[], false, &[TlsVersion::Tls12, TlsVersion::Tls13], &[TlsVersion::Tls12])]
#[case::an_old_service(
    &[],
    true,
    &[TlsVersion::Ssl3, TlsVersion::Tls10, TlsVersion::Tls11, TlsVersion::Tls12, TlsVersion::Tls13],
    &[TlsVersion::Ssl3, TlsVersion::Tls10, TlsVersion::Tls11, TlsVersion::Tls12]
)]
#[case::tls13_for_backends(
    &[("Security.Backend.Protocols.Tls13", "true")],
    false,
    &[TlsVersion::Tls12, TlsVersion::Tls13],
    &[TlsVersion::Tls12, TlsVersion::Tls13]
)]
#[case::tls13_alone_for_backends(
    &[("Security.Backend.Protocols.Tls13", "True"), ("Security.Backend.Protocols.Tls12", "False")],
    false,
    &[TlsVersion::Tls12, TlsVersion::Tls13],
    &[TlsVersion::Tls13]
)]
#[case::no_tls13_for_clients(
    &[("Security.Protocols.Tls13", "False"), ("Security.Protocols.Tls11", "TRUE")],
    false,
    &[TlsVersion::Tls11, TlsVersion::Tls12],
    &[TlsVersion::Tls12]
)]
fn what_is_left_out_is_at_its_default(
    #[case] keys: &[(&str, &str)],
    #[case] old: bool,
    #[case] clients: &[TlsVersion],
    #[case] backends: &[TlsVersion],
) {
    let profile = CustomProperties::read(&map(keys), old).unwrap().profile().unwrap();
    assert_eq!(profile.client_side.versions, Versions::of(clients));
    assert_eq!(profile.backend_side.versions, Versions::of(backends));
}

#[test]
fn what_goes_in_comes_out() {
    let keys = [
        ("Security.Backend.Protocols.Tls13", "True"),
        ("Security.Ciphers.TripleDes168", "False"),
        ("Protocols.Server.Http2", "True"),
        ("Security.Something.New", "Maybe"),
    ];
    let read = CustomProperties::read(&map(&keys), false).unwrap();
    assert_eq!(read.unknown(), [format!("{PREFIX}Security.Something.New")]);
    let profile = read.profile().unwrap();
    assert_eq!(profile.client_side.protocols, ["h2", "http/1.1"]);
    let kept: Vec<_> = profile.custom_properties.keys().collect();
    assert_eq!(kept, [&format!("{PREFIX}Security.Something.New")], "beside what the profile says itself");
    assert!(profile.options.is_empty(), "a service is set one way");
    let written = CustomProperties::of(&profile);
    assert_eq!(written.map(), read.map());
    assert_eq!(written.map()[&format!("{PREFIX}Security.Something.New")], "Maybe");
}

#[test]
fn http2_is_off_until_it_is_switched_on() {
    let read = CustomProperties::read(&map(&[]), true).unwrap();
    assert_eq!(read.profile().unwrap().client_side.protocols, Vec::<String>::new());
    let http2 = catalogue().profile("azure-apim-classic@2025-08+http2").unwrap();
    assert_eq!(CustomProperties::of(&http2).map()[&format!("{PREFIX}Protocols.Server.Http2")], "True");
}

/// What the documents list, and what a service gets that has said nothing.
#[test]
fn the_suites_of_the_tier_are_those_of_a_service_that_says_nothing() {
    let profile = CustomProperties::read(&map(&[]), false).unwrap().profile().unwrap();
    let tier = catalogue().profile("azure-apim-classic@2025-08").unwrap();
    assert_eq!(sorted(profile.client_side.ciphers), sorted(tier.client_side.ciphers));
    assert_eq!(sorted(profile.backend_side.ciphers), sorted(tier.backend_side.ciphers));
}

fn sorted(suites: Option<Vec<CipherSuite>>) -> Vec<CipherSuite> {
    let mut suites = suites.unwrap();
    suites.sort();
    suites
}

#[rstest]
#[case("TLS_RSA_WITH_AES_128_CBC_SHA", "False", CipherSuite::RsaAes128CbcSha, false)]
#[case("TLS_RSA_WITH_AES_128_CBC_SHA", "True", CipherSuite::RsaAes128CbcSha, true)]
#[case("TripleDes168", "True", CipherSuite::Rsa3desCbcSha, true)]
#[case("TripleDes168", "False", CipherSuite::Rsa3desCbcSha, false)]
#[case::cannot_be_off("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "False", CipherSuite::EcdheRsaAes256Gcm, true)]
fn a_suite_is_switched_on_both_sides(
    #[case] key: &str,
    #[case] value: &str,
    #[case] suite: CipherSuite,
    #[case] on: bool,
) {
    let key = format!("Security.Ciphers.{key}");
    let read = CustomProperties::read(&map(&[(&key, value)]), false).unwrap();
    let profile = read.profile().unwrap();
    assert_eq!(profile.client_side.ciphers.as_ref().unwrap().contains(&suite), on);
    assert_eq!(profile.backend_side.ciphers.as_ref().unwrap().contains(&suite), on);
    assert_eq!(CustomProperties::of(&profile).map(), read.map(), "what goes in comes out");
    let changes_nothing = format!("{PREFIX}{key} changes nothing: this suite cannot be switched off");
    assert_eq!(read.warnings().contains(&changes_nothing), on && value == "False");
}

#[test]
fn the_key_of_a_suite_that_nobody_knows_is_named() {
    let key = "Security.Ciphers.TLS_MADE_UP";
    let read = CustomProperties::read(&map(&[(key, "False")]), false).unwrap();
    assert_eq!(read.unknown(), [format!("{PREFIX}{key}")]);
}

#[rstest]
#[case("Security.Protocols.Tls10")]
#[case("Security.Ciphers.TripleDes168")]
#[case("Security.Ciphers.TLS_RSA_WITH_AES_128_CBC_SHA")]
#[case::cannot_be_off("Security.Ciphers.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384")]
#[case("Protocols.Server.Http2")]
fn a_switch_that_is_neither_on_nor_off_is_named(#[case] key: &str) {
    let error = CustomProperties::read(&map(&[(key, "yes")]), false).unwrap_err();
    assert_eq!(error.to_string(), format!("{PREFIX}{key} is \"yes\"; it takes \"True\" or \"False\""));
}

/// Each key by itself, where all of its side are off that can be.
#[rstest]
#[case("Ssl30", TlsVersion::Ssl3)]
#[case("Tls10", TlsVersion::Tls10)]
#[case("Tls11", TlsVersion::Tls11)]
#[case("Tls13", TlsVersion::Tls13)]
fn a_key_switches_one_version_on_one_side(#[case] key: &str, #[case] version: TlsVersion) {
    let (clients, backends) =
        (format!("Security.Protocols.{key}"), format!("Security.Backend.Protocols.{key}"));
    for (on, off) in [(&clients, &backends), (&backends, &clients)] {
        let keys = [("Security.Protocols.Tls13", "False"), (on.as_str(), "True"), (off.as_str(), "False")];
        let profile = CustomProperties::read(&map(&keys), false).unwrap().profile().unwrap();
        let both = Versions::of(&[TlsVersion::Tls12, version]);
        let one = Versions::of(&[TlsVersion::Tls12]);
        let expected = if *on == clients { [both, one] } else { [one, both] };
        assert_eq!([profile.client_side.versions, profile.backend_side.versions], expected, "{on}");
    }
}

#[test]
fn an_old_service_has_3des() {
    let profile = CustomProperties::read(&map(&[]), true).unwrap().profile().unwrap();
    for ciphers in [profile.client_side.ciphers, profile.backend_side.ciphers] {
        assert!(ciphers.unwrap().contains(&CipherSuite::Rsa3desCbcSha));
    }
}

/// One list goes for both sides.
#[test]
fn of_two_lists_of_suites_that_of_the_clients_counts() {
    let mut profile = catalogue().profile("azure-apim-classic@2025-08").unwrap();
    profile.client_side.ciphers = Some(vec![CipherSuite::RsaAes128Gcm]);
    profile.backend_side.ciphers = Some(vec![CipherSuite::RsaAes256Gcm]);
    let is_on = |profile: &GatewayProfile, suite: CipherSuite| {
        CustomProperties::of(profile).map()[&format!("{PREFIX}Security.Ciphers.{suite}")] == "True"
    };
    assert!(is_on(&profile, CipherSuite::RsaAes128Gcm) && !is_on(&profile, CipherSuite::RsaAes256Gcm));
    profile.client_side.ciphers = None;
    assert!(!is_on(&profile, CipherSuite::RsaAes128Gcm) && is_on(&profile, CipherSuite::RsaAes256Gcm));
}

#[test]
fn no_version_at_all_is_refused() {
    let off = map(&[("Security.Backend.Protocols.Tls12", "False")]);
    let error = CustomProperties::read(&off, false).unwrap().profile().unwrap_err();
    assert!(error.to_string().starts_with("with these properties no TLS version is left towards backends"));
}

#[test]
fn old_versions_are_warned_of() {
    let on = map(&[("Security.Protocols.Ssl30", "true"), ("Security.Ciphers.TripleDes168", "true")]);
    assert_eq!(
        CustomProperties::read(&on, false).unwrap().warnings(),
        [
            format!("{PREFIX}Security.Protocols.Ssl30 switches SSLv3 on"),
            format!("{PREFIX}Security.Ciphers.TripleDes168 switches 3DES on (RFC 9325 4.1)"),
        ]
    );
}

#[rstest]
#[case("azure-apim-v2@2025-08", "Security.Ciphers.TLS_RSA_WITH_AES_128_CBC_SHA", Some("cipher suites"))]
#[case("azure-apim-v2@2025-08", "Security.Ciphers.TripleDes168", Some("cipher suites"))]
#[case("azure-apim-v2@2025-08", "Security.Backend.Protocols.Tls10", None)]
#[case("azure-apim-consumption", "Security.Ciphers.Whatever", Some("cipher suites"))]
#[case("azure-apim-workspace@2025-08", "Security.Protocols.Tls13", Some("protocols"))]
#[case("azure-apim-workspace@2025-08", "Protocols.Server.Http2", Some("protocols"))]
#[case("azure-apim-workspace@2025-08", "Security.Ciphers.TripleDes168", Some("cipher suites"))]
#[case("azure-apim-classic@2025-08", "Security.Ciphers.TripleDes168", None)]
fn what_is_fixed_cannot_be_set(#[case] tier: &str, #[case] key: &str, #[case] refused: Option<&str>) {
    let profile = catalogue().profile(tier).unwrap();
    let key = format!("{PREFIX}{key}");
    let read =
        CustomProperties::read_for(tier, &profile, &BTreeMap::from([(key.clone(), "True".to_owned())]));
    match refused {
        None => drop(read.unwrap()),
        Some(what) => assert_eq!(
            read.unwrap_err().to_string(),
            format!("{key} sets the {what} of {tier}, which cannot be changed there; leave it out")
        ),
    }
}

#[test]
fn what_a_map_leaves_out_is_as_the_tier_has_it() {
    let tier = "azure-apim-v2@2025-08";
    let profile = catalogue().profile(tier).unwrap();
    let map = BTreeMap::from([(format!("{PREFIX}Security.Backend.Protocols.Tls13"), "True".to_owned())]);
    let read = CustomProperties::read_for(tier, &profile, &map).unwrap().profile_of(profile.clone()).unwrap();
    assert_eq!(read.client_side, profile.client_side);
    assert_eq!(read.backend_side.versions.to_string(), "TLSv1.2, TLSv1.3");
    assert_eq!(read.fixed, profile.fixed);
}

#[test]
fn an_option_cannot_change_what_is_fixed() {
    let mut profile = catalogue().profile("azure-apim-classic@2025-08").unwrap();
    let on = |profile: &GatewayProfile, option| profile.with_options("mine", [option]).map(drop);
    assert!(on(&profile, "backend-tls13").is_ok() && on(&profile, "without-cbc").is_ok());
    profile.fixed = vec![Setting::Protocols];
    let refused = on(&profile, "backend-tls13").unwrap_err().to_string();
    assert_eq!(
        refused,
        "the option \"backend-tls13\" would change the protocols of mine, which are fixed there"
    );
    assert!(on(&profile, "without-cbc").is_ok());
    profile.fixed = vec![Setting::Ciphers];
    on(&profile, "backend-tls13").unwrap();
    let refused = on(&profile, "without-cbc").unwrap_err().to_string();
    assert!(refused.starts_with("the option \"without-cbc\" would change the cipher"), "{refused}");
}
