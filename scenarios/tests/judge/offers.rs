//! What a gateway offers to a backend, against what it was told to offer.

use rstest::rstest;
use tls_gauntlet_scenarios::{
    BackendSaw, BackendSight, Cause, CipherSuite, ClientHelloFacts, ClientSaw, Diagnosis, Evidence,
    Expectation, Group, Responder, TlsVersion, Verdict, VerdictKind, Versions, judge,
};

use super::{answered, evidence, gateway_answers, left, must_reach, must_refuse, served};

/// An expectation where the gateway is told AES-256-GCM, secp256r1, and nothing below TLS 1.2.
fn told(expected: Expectation) -> Expectation {
    let backend = BackendSight {
        offered_versions: Some(Versions::current()),
        offered_ciphers: vec![CipherSuite::EcdheEcdsaAes256Gcm, CipherSuite::EcdheRsaAes256Gcm],
        offered_groups: vec![Group::Secp256r1],
        ..expected.backend
    };
    Expectation { backend, ..expected }
}

/// A ClientHello as the gateway was told, without one of the suites, and with the signals that are no offers.
fn told_hello() -> ClientHelloFacts {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    ClientHelloFacts {
        versions: Some(Versions::current()),
        ciphers: words(&[
            "GREASE",
            "TLS_AES_128_GCM_SHA256",
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "TLS_EMPTY_RENEGOTIATION_INFO_SCSV",
            "TLS_FALLBACK_SCSV",
        ]),
        groups: words(&["GREASE", "secp256r1"]),
        ..ClientHelloFacts::default()
    }
}

/// The ClientHello as told, with one more offer.
fn offering(cipher: Option<&str>, group: Option<&str>, version: Option<TlsVersion>) -> ClientHelloFacts {
    let mut hello = told_hello();
    hello.ciphers.extend(cipher.map(str::to_owned));
    hello.groups.extend(group.map(str::to_owned));
    let versions = [TlsVersion::Tls12, TlsVersion::Tls13];
    hello.versions = Some(Versions::of(&[&versions[..], version.as_slice()].concat()));
    hello
}

fn greeted(saw: BackendSaw, hello: ClientHelloFacts) -> BackendSaw {
    BackendSaw { client_hello: Some(hello), ..saw }
}

fn judged(expected: &Expectation, evidence: &Evidence) -> Verdict {
    judge::judge(expected, &Diagnosis::of(evidence, false), evidence)
}

#[rstest]
#[case::no_more_than_told(told_hello(), None)]
#[case::a_weak_suite(
    offering(Some("TLS_RSA_WITH_AES_128_CBC_SHA"), None, None),
    Some("TLS_RSA_WITH_AES_128_CBC_SHA")
)]
#[case::a_suite_that_nobody_knows(offering(Some("0xfefe"), None, None), Some("0xfefe"))]
#[case::those_of_tls13_are_another_setting(offering(Some("TLS_AES_128_CCM_8_SHA256"), None, None), None)]
#[case::a_group(offering(None, Some("secp521r1"), None), Some("secp521r1"))]
#[case::an_old_version(offering(None, None, Some(TlsVersion::Tls11)), Some("TLSv1.1"))]
#[case::all_of_them(
    offering(Some("TLS_RSA_WITH_NULL_SHA"), Some("x25519"), Some(TlsVersion::Tls10)),
    Some("TLSv1, TLS_RSA_WITH_NULL_SHA, x25519")
)]
#[case::more_than_a_reader_takes_in(
    ClientHelloFacts { groups: ["x25519", "x448", "secp384r1", "ffdhe2048", "ffdhe3072"].map(str::to_owned).to_vec(), ..told_hello() },
    Some("x25519, x448, secp384r1 and 2 more")
)]
fn more_is_offered_than_was_told(#[case] hello: ClientHelloFacts, #[case] surplus: Option<&str>) {
    let seen = evidence(answered(200, Responder::Backend), vec![greeted(served(), hello)], &[]);
    let mismatch = surplus.map(|surplus| format!("the gateway offered {surplus}, which it was told not to"));
    let verdict = mismatch.map_or(Verdict::Pass, |mismatch| Verdict::FailOpen { mismatch });
    assert_eq!(judged(&told(must_reach()), &seen), verdict);
}

#[rstest]
#[case::nothing_is_known_of_what_it_may_offer(
    offering(Some("TLS_RSA_WITH_AES_128_CBC_SHA"), Some("x448"), Some(TlsVersion::Tls10)),
    None
)]
#[case::without_encryption(
    offering(Some("TLS_RSA_WITH_NULL_SHA256"), None, None),
    Some("TLS_RSA_WITH_NULL_SHA256")
)]
#[case::without_authentication(
    offering(Some("TLS_ECDH_anon_WITH_AES_128_CBC_SHA"), None, None),
    Some("TLS_ECDH_anon_WITH_AES_128_CBC_SHA")
)]
#[case::weakened(
    offering(Some("TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5"), None, None),
    Some("TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5")
)]
#[case::broken(offering(Some("TLS_RSA_WITH_RC4_128_SHA"), None, None), Some("TLS_RSA_WITH_RC4_128_SHA"))]
#[case::too_short(offering(Some("TLS_RSA_WITH_DES_CBC_SHA"), None, None), Some("TLS_RSA_WITH_DES_CBC_SHA"))]
#[case::long_enough(offering(Some("TLS_RSA_WITH_3DES_EDE_CBC_SHA"), None, None), None)]
fn what_nobody_is_to_offer(#[case] hello: ClientHelloFacts, #[case] forbidden: Option<&str>) {
    let seen = evidence(answered(200, Responder::Backend), vec![greeted(served(), hello)], &[]);
    let mismatch = forbidden
        .map(|suite| format!("the gateway offered {suite}, which nobody is to offer (RFC 9325 4.1)"));
    let verdict = mismatch.map_or(Verdict::Pass, |mismatch| Verdict::FailOpen { mismatch });
    assert_eq!(judged(&must_reach(), &seen), verdict);
}

#[test]
fn whoever_was_told_a_broken_suite_may_offer_it() {
    let mut expected = must_reach();
    expected.backend.offered_ciphers = vec![CipherSuite::RsaNullSha256];
    let hello = ClientHelloFacts {
        ciphers: vec!["TLS_RSA_WITH_NULL_SHA256".to_owned()],
        ..ClientHelloFacts::default()
    };
    let seen = evidence(answered(200, Responder::Backend), vec![greeted(served(), hello)], &[]);
    assert_eq!(judged(&expected, &seen), Verdict::Pass);
}

/// Whatever comes of the request otherwise; in the direction in which nothing gets in, that counts first.
#[rstest]
#[case::refused_as_it_must_be(must_refuse(Cause::ServerCertExpired), gateway_answers(502), &[Cause::ServerCertExpired], VerdictKind::FailOpen)]
#[case::for_the_wrong_reason(must_refuse(Cause::ServerCertExpired), gateway_answers(502), &[Cause::ServerCertNameMismatch], VerdictKind::FailOpen)]
#[case::although_it_must_work(must_reach(), gateway_answers(502), &[Cause::ServerCertExpired], VerdictKind::FailClosed)]
fn what_is_offered_counts_in_every_connection(
    #[case] expected: Expectation,
    #[case] client: ClientSaw,
    #[case] said: &[Cause],
    #[case] verdict: VerdictKind,
) {
    let wide = offering(Some("TLS_RSA_WITH_AES_128_CBC_SHA"), None, None);
    let tries = vec![greeted(left(), told_hello()), greeted(left(), wide)];
    let evidence = evidence(client, tries, said);
    assert_eq!(judged(&told(expected), &evidence).kind(), verdict);
}

#[test]
fn without_a_client_hello_nothing_is_said_of_offers() {
    let seen = evidence(answered(200, Responder::Backend), vec![served()], &[]);
    assert_eq!(judged(&told(must_reach()), &seen), Verdict::Pass);
}

#[test]
fn suites_of_tls13_count_where_any_are_told() {
    let mut expected = told(must_reach());
    expected.backend.offered_ciphers = vec![CipherSuite::Aes128GcmSha256];
    let seen = |hello| evidence(answered(200, Responder::Backend), vec![greeted(served(), hello)], &[]);
    assert_eq!(judged(&expected, &seen(told_hello())), Verdict::Pass);
    let wide = offering(Some("TLS_AES_128_CCM_8_SHA256"), None, None);
    assert_eq!(judged(&expected, &seen(wide)).kind(), VerdictKind::FailOpen);
}
