//! `customProperties` in and out: defaults by age, reset on omission, nothing dropped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use rstest::rstest;
use tls_gauntlet_scenarios::{
    TlsVersion, Versions,
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
    let written = CustomProperties::of(&read.profile().unwrap());
    assert_eq!(written.map(), read.map());
    assert_eq!(written.map()[&format!("{PREFIX}Security.Something.New")], "Maybe");
}

#[test]
fn a_switch_that_is_neither_on_nor_off_is_named() {
    let error = CustomProperties::read(&map(&[("Security.Protocols.Tls10", "yes")]), false).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{PREFIX}Security.Protocols.Tls10 is \"yes\"; it takes \"True\" or \"False\"")
    );
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
