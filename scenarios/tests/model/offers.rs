//! What a gateway offers to a backend, and may offer at most.

use rstest::rstest;
use tls_gauntlet_scenarios::{
    BackendSight, Cause, CipherSuite, Claims, Connection, Group, NoSuiteLeft, TlsVersion, Versions,
    catalogue, model,
};

use super::{claims, expect, scenario};

#[rstest]
#[case("aes256-gcm-only", "strict", None)]
#[case("aes128-gcm-only", "max-tls12", Some(Cause::NoCommonCipher))]
#[case("aes256-gcm-only", "aes256-gcm-only", None)]
#[case::tls13_is_not_spoken_of("tls13-chacha20", "strict", None)]
#[case::no_suite_for_that_version("tls10-only", "legacy", Some(Cause::NoCommonCipher))]
fn backends_are_offered_no_suite_beyond_the_limit(
    #[case] backend: &str,
    #[case] upstream: &str,
    #[case] cause: Option<Cause>,
) {
    let mut profile = catalogue().profile("azure-apim-self-hosted+client-tls10").unwrap();
    profile.backend_side.versions = Versions::of(TlsVersion::ALL);
    profile.backend_side.ciphers =
        Some(vec![CipherSuite::EcdheEcdsaAes256Gcm, CipherSuite::EcdheRsaAes256Gcm]);
    let limited = profile.claims(claims());
    let expected = model::expect(&scenario("default", "default", upstream, backend), &limited).unwrap();
    assert_eq!(expected.cause, cause);
}

/// The most that a backend may be offered: versions, suites, groups.
fn offers(sight: BackendSight) -> (Option<Versions>, Vec<CipherSuite>, Vec<Group>) {
    (sight.offered_versions, sight.offered_ciphers, sight.offered_groups)
}

const AES256_GCM: [CipherSuite; 2] = [CipherSuite::EcdheEcdsaAes256Gcm, CipherSuite::EcdheRsaAes256Gcm];

#[rstest]
#[case("strict", "plain-good", &[TlsVersion::Tls12, TlsVersion::Tls13], &[], &[])]
#[case::only_what_it_can("legacy", "plain-good", &[TlsVersion::Tls11, TlsVersion::Tls12, TlsVersion::Tls13], &[], &[])]
#[case("aes256-gcm-only", "plain-good", &[TlsVersion::Tls12], &AES256_GCM, &[])]
#[case("p256-only", "plain-good", &[TlsVersion::Tls12, TlsVersion::Tls13], &[], &[Group::Secp256r1])]
#[case::although_it_is_refused("aes256-gcm-only", "aes128-gcm-only", &[TlsVersion::Tls12], &AES256_GCM, &[])]
#[case::before_anything_is_agreed("p256-only", "resets-in-handshake", &[TlsVersion::Tls12, TlsVersion::Tls13], &[], &[Group::Secp256r1])]
fn a_gateway_may_offer_what_it_is_told_to(
    #[case] upstream: &str,
    #[case] backend: &str,
    #[case] versions: &[TlsVersion],
    #[case] ciphers: &[CipherSuite],
    #[case] groups: &[Group],
) {
    let able = Versions::of(&[TlsVersion::Tls11, TlsVersion::Tls12, TlsVersion::Tls13]);
    let claims = Claims { upstream_versions: Some(able), ..claims() };
    let scenario = scenario("default", "default", upstream, backend);
    let most = (Some(Versions::of(versions)), ciphers.to_vec(), groups.to_vec());
    assert_eq!(offers(model::expect(&scenario, &claims).unwrap().backend), most);
    let directly = model::expect_called_directly(&scenario, &claims).unwrap();
    assert_eq!(offers(directly.backend), most);
}

/// To say which suites of TLS 1.3 it offers is up to the gateway: what it is told of them may be without effect.
#[rstest]
#[case::not_told(None, false, &[])]
#[case::told(Some(vec![CipherSuite::Aes256GcmSha384, CipherSuite::EcdheRsaAes256Gcm]), false, &[CipherSuite::EcdheRsaAes256Gcm])]
#[case::limited(None, true, &[CipherSuite::Aes128GcmSha256, CipherSuite::EcdheRsaAes128Gcm])]
#[case::told_and_limited(
    Some(vec![CipherSuite::EcdheRsaAes256Gcm, CipherSuite::EcdheRsaAes128Gcm]),
    true,
    &[CipherSuite::Aes128GcmSha256, CipherSuite::EcdheRsaAes128Gcm]
)]
fn which_suites_it_may_offer_is_told_or_a_limit(
    #[case] ciphers: Option<Vec<CipherSuite>>,
    #[case] limits_upstream_ciphers: bool,
    #[case] most: &[CipherSuite],
) {
    let own = Some(vec![CipherSuite::Aes128GcmSha256, CipherSuite::EcdheRsaAes128Gcm]);
    let claims = Claims { upstream_ciphers: own, limits_upstream_ciphers, ..claims() };
    let mut scenario = scenario("default", "default", "strict", "plain-good");
    scenario.upstream.profile.ciphers = ciphers;
    assert_eq!(model::expect(&scenario, &claims).unwrap().backend.offered_ciphers, most);
}

#[test]
fn a_client_that_is_refused_at_the_listener_leaves_nothing_to_offer() {
    let expected = expect("tls10-only", "default", "aes256-gcm-only", "plain-good");
    assert_eq!(expected.backend.connection, Some(Connection::None));
    assert_eq!(offers(expected.backend), (None, Vec::new(), Vec::new()));
}

#[rstest]
#[case(None, None, Ok(None))]
#[case(Some(&[CipherSuite::RsaAes128Gcm][..]), None, Ok(Some(vec![CipherSuite::RsaAes128Gcm])))]
#[case(None, Some(&[CipherSuite::RsaAes128Gcm][..]), Ok(Some(vec![CipherSuite::RsaAes128Gcm])))]
#[case(
    Some(&[CipherSuite::RsaAes128Gcm][..]),
    Some(&[CipherSuite::Aes128GcmSha256][..]),
    Ok(Some(vec![CipherSuite::Aes128GcmSha256, CipherSuite::RsaAes128Gcm]))
)]
#[case(Some(&[CipherSuite::RsaAes128Gcm][..]), Some(&[CipherSuite::RsaAes256Gcm][..]), Err(NoSuiteLeft))]
fn a_list_within_another(
    #[case] own: Option<&[CipherSuite]>,
    #[case] limit: Option<&[CipherSuite]>,
    #[case] left: Result<Option<Vec<CipherSuite>>, NoSuiteLeft>,
) {
    assert_eq!(CipherSuite::limited(own, limit), left);
}
