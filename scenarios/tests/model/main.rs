//! What the model says, as a table.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod listener;
mod offers;

use rstest::rstest;
use tls_gauntlet_scenarios::{
    Alert, AlertClaim, Cause, CertificateClaim, ClaimName, Claims, ClientCertificate, Connection,
    Expectation, Handling, ListenerClaims, Outcome, Party, Phase, PlainHttp, Scenario, StatusClaim,
    TlsVersion, Unclaimed, UnknownProtocols, Verifies, Versions, catalogue, model,
};

/// What comes of a backend that breaks handshakes off: how often it is tried, and whether it is reached.
#[rstest]
#[case::not_told("strict", "fails-twice-then-heals", Some(0), Some(true), 1, Outcome::Refuse)]
#[case::untold_once("strict", "fails-twice-then-heals", Some(1), Some(true), 2, Outcome::Refuse)]
#[case::untold("strict", "fails-twice-then-heals", Some(3), None, 3, Outcome::Reach)]
#[case::told("retrying", "fails-twice-then-heals", None, Some(true), 3, Outcome::Reach)]
#[case::told_in_vain("retrying", "resets-in-handshake", Some(0), Some(true), 4, Outcome::Refuse)]
#[case::told_and_unable("retrying", "fails-twice-then-heals", Some(0), Some(false), 1, Outcome::Refuse)]
#[case::no_need("retrying", "every-third-resets", None, None, 1, Outcome::Reach)]
fn a_gateway_tries_again_as_often_as_it_is_told(
    #[case] upstream: &str,
    #[case] backend: &str,
    #[case] retries_untold: Option<u8>,
    #[case] retries_handshakes: Option<bool>,
    #[case] connections: u32,
    #[case] outcome: Outcome,
) {
    let claims = Claims { retries_untold, retries_handshakes, ..claims() };
    let expected = model::expect(&scenario("default", "default", upstream, backend), &claims).unwrap();
    assert_eq!((expected.backend.connections, expected.outcome), (Some(connections), outcome));
}

#[rstest]
#[case::handshakes("stalls-before-handshake", Some(false), Some(true), ClaimName::GivesUpHandshakes)]
#[case::responses("stalls-after-request", Some(true), Some(false), ClaimName::GivesUpResponses)]
fn a_gateway_that_gives_nobody_up_waits_for_its_client(
    #[case] backend: &str,
    #[case] gives_up_handshakes: Option<bool>,
    #[case] gives_up_responses: Option<bool>,
    #[case] unclaimed_name: ClaimName,
) {
    let scenario = scenario("default", "default", "strict", backend);
    let expected = |claims: &Claims| model::expect(&scenario, claims).unwrap();
    let patient = expected(&Claims { gives_up_handshakes, gives_up_responses, ..claims() });
    assert_eq!((patient.gives_up, patient.may_close, patient.statuses), (Some(false), true, Vec::new()));
    let usual = expected(&claims());
    assert_eq!((usual.gives_up, usual.may_close, usual.statuses), (Some(true), false, vec![504]));
    let unclaimed = Claims { gives_up_handshakes: None, gives_up_responses: None, ..claims() };
    assert_eq!(model::expect(&scenario, &unclaimed).unwrap_err(), Unclaimed(unclaimed_name));
}

#[rstest]
#[case("strict", ClaimName::RetriesUntold)]
#[case("retrying", ClaimName::RetriesHandshakes)]
fn how_often_it_tries_again_is_a_claim(#[case] upstream: &str, #[case] claim: ClaimName) {
    let claims = Claims { retries_untold: None, retries_handshakes: None, ..claims() };
    let scenario = scenario("default", "default", upstream, "resets-in-handshake");
    assert_eq!(model::expect(&scenario, &claims).unwrap_err().0, claim);
}

/// What the backend agrees on is looked at, too, where the gateway offers what it does untold.
#[rstest]
#[case("strict", Some(vec![]), Some(None))]
#[case("strict", Some(vec!["http/1.1"]), Some(Some("http/1.1")))]
#[case("h2", Some(vec!["http/1.1"]), Some(Some("h2")))]
#[case("strict", None, None)]
fn application_protocols_towards_backends(
    #[case] upstream: &str,
    #[case] own: Option<Vec<&str>>,
    #[case] agreed: Option<Option<&str>>,
) {
    let own = own.map(|own| own.into_iter().map(str::to_owned).collect());
    let claims = Claims { upstream_protocols: own, ..claims() };
    let expected = model::expect(&scenario("default", "default", upstream, "plain-good"), &claims).unwrap();
    assert_eq!(expected.backend.alpn, agreed.map(|protocol| protocol.map(str::to_owned)));
}

/// A gateway that refuses in TLS, follows renegotiation, knows no post-handshake authentication: HAProxy's kind.
fn claims() -> Claims {
    let all = Versions::of(&[TlsVersion::Tls10, TlsVersion::Tls11, TlsVersion::Tls12, TlsVersion::Tls13]);
    let status = |causes: &[Cause], statuses: &[u16]| StatusClaim {
        causes: causes.to_vec(),
        phase: None,
        tls_version: None,
        statuses: statuses.to_vec(),
        may_close: false,
    };
    let alert = |causes: &[Cause], alerts: &[Alert]| AlertClaim {
        causes: causes.to_vec(),
        tls_version: None,
        alerts: alerts.to_vec(),
        may_close: false,
    };
    Claims {
        upstream_versions: Some(all.clone()),
        answers_post_handshake_auth: Some(false),
        status: vec![status(&[Cause::Timeout], &[504]), status(&[], &[503])],
        listener: ListenerClaims {
            ciphers: None,
            versions: Some(all),
            protocols: Some(Vec::new()),
            unknown_protocols: Some(UnknownProtocols::Refused),
            alert: vec![
                alert(&[Cause::NoCommonVersion], &[Alert::ProtocolVersion]),
                alert(&[Cause::ClientCertMissing], &[Alert::CertificateRequired]),
                alert(&[], &[Alert::UnknownCa]),
            ],
            accepts_weak_certificates: Some(false),
            serves_unknown_names: Some(true),
            serves_missing_names: Some(false),
            plain_http: Some(PlainHttp::Close),
            renegotiates: Some(true),
            asks_post_handshake: Some(false),
            late_certificate_status: Some(403),
            resets_late_http2: Some(true),
            refuses_late_in_tls: false,
            client_certificate_status: None,
            server_name_status: None,
            misdirected_status: None,
        },
        ..Claims::openssl_client()
    }
}

fn scenario(client: &str, listener: &str, upstream: &str, backend: &str) -> Scenario {
    let catalogue = catalogue();
    catalogue.scenario(client, listener, upstream, catalogue.backend(backend).unwrap()).unwrap()
}

fn expect(client: &str, listener: &str, upstream: &str, backend: &str) -> Expectation {
    model::expect(&scenario(client, listener, upstream, backend), &claims()).unwrap()
}

#[rstest]
#[case("strict", "plain-good", TlsVersion::Tls13, None, 0)]
#[case("max-tls12", "plain-good", TlsVersion::Tls12, None, 0)]
#[case("legacy", "tls10-only", TlsVersion::Tls10, None, 0)]
#[case("strict", "client-cert-required", TlsVersion::Tls13, Some(ClientCertificate::Good), 0)]
#[case("no-client-cert", "client-cert-optional", TlsVersion::Tls13, None, 0)]
#[case(
    "another-tenant",
    "client-cert-required",
    TlsVersion::Tls13,
    Some(ClientCertificate::AnotherTenant),
    0
)]
#[case("no-verify", "expired-leaf", TlsVersion::Tls13, None, 0)]
#[case("strict", "renegotiation-required", TlsVersion::Tls12, Some(ClientCertificate::Good), 1)]
#[case("max-tls12", "renegotiation-required-dual", TlsVersion::Tls12, Some(ClientCertificate::Good), 1)]
#[case("strict", "renegotiation-without-cert", TlsVersion::Tls12, None, 1)]
#[case("strict", "ends-without-close-notify", TlsVersion::Tls13, None, 0)]
#[case("strict", "sni-required", TlsVersion::Tls13, None, 0)]
#[case("chain-alone", "wrong-name", TlsVersion::Tls13, None, 0)]
#[case("name-alone", "untrusted-root", TlsVersion::Tls13, None, 0)]
#[case("other-name", "wrong-name", TlsVersion::Tls13, None, 0)]
#[case("other-name", "certificate-per-name", TlsVersion::Tls13, None, 0)]
#[case("no-renegotiation", "plain-good", TlsVersion::Tls13, None, 0)]
#[case("aes256-gcm-only", "aes256-gcm-only", TlsVersion::Tls12, None, 0)]
#[case("p256-only", "p256-only", TlsVersion::Tls13, None, 0)]
#[case("p256-only", "p384-only+static-rsa-cbc", TlsVersion::Tls12, None, 0)]
fn what_must_work(
    #[case] upstream: &str,
    #[case] backend: &str,
    #[case] version: TlsVersion,
    #[case] certificate: Option<ClientCertificate>,
    #[case] renegotiations: u32,
) {
    let expected = expect("default", "default", upstream, backend);
    assert_eq!(expected.outcome, Outcome::Reach);
    assert_eq!(expected.statuses, [200]);
    assert_eq!(expected.backend.tls_version, Some(version));
    assert_eq!(expected.backend.client_certificate, Some(certificate));
    assert_eq!(expected.backend.renegotiations, Some(renegotiations));
}

#[rstest]
#[case("strict", "tls10-only", Party::Backend, Phase::Handshake, Cause::NoCommonVersion, &[503])]
#[case("max-tls12", "tls10-only", Party::Gateway, Phase::Handshake, Cause::NoCommonVersion, &[503])]
#[case("max-tls12", "tls13-only", Party::Backend, Phase::Handshake, Cause::NoCommonVersion, &[503])]
#[case("strict", "expired-leaf", Party::Gateway, Phase::Handshake, Cause::ServerCertExpired, &[503])]
#[case("strict", "not-yet-valid-leaf", Party::Gateway, Phase::Handshake, Cause::ServerCertNotYetValid, &[503])]
#[case("strict", "wrong-name", Party::Gateway, Phase::Handshake, Cause::ServerCertNameMismatch, &[503])]
#[case("strict", "self-signed", Party::Gateway, Phase::Handshake, Cause::ServerCertUntrusted, &[503])]
#[case("strict", "missing-intermediate", Party::Gateway, Phase::Handshake, Cause::ServerCertUntrusted, &[503])]
#[case("strict", "wrong-extended-key-usage", Party::Gateway, Phase::Handshake, Cause::ServerCertWrongUsage, &[503])]
#[case("no-client-cert", "client-cert-required", Party::Backend, Phase::Handshake, Cause::ClientCertMissing, &[503])]
#[case("wrong-client-cert", "client-cert-optional", Party::Backend, Phase::Handshake, Cause::ClientCertUntrusted, &[503])]
#[case("expired-client-cert", "client-cert-required", Party::Backend, Phase::Handshake, Cause::ClientCertExpired, &[503])]
#[case("not-yet-valid-client-cert", "client-cert-required", Party::Backend, Phase::Handshake, Cause::ClientCertNotYetValid, &[503])]
#[case("wrong-usage-client-cert", "client-cert-required", Party::Backend, Phase::Handshake, Cause::ClientCertWrongUsage, &[503])]
#[case("revoked-client-cert", "renegotiation-required", Party::Backend, Phase::Request, Cause::ClientCertRevoked, &[503])]
#[case("weak-client-cert", "client-cert-optional", Party::Backend, Phase::Handshake, Cause::ClientCertWeak, &[503])]
#[case("no-client-cert", "renegotiation-required", Party::Backend, Phase::Request, Cause::ClientCertMissing, &[503])]
#[case("wrong-client-cert", "renegotiation-required", Party::Backend, Phase::Request, Cause::ClientCertUntrusted, &[503])]
#[case("strict", "renegotiation-required-dual", Party::Gateway, Phase::Request, Cause::PostHandshakeAuthRefused, &[403])]
#[case("strict", "post-handshake-auth-required", Party::Gateway, Phase::Request, Cause::PostHandshakeAuthRefused, &[403])]
#[case("no-sni", "sni-required", Party::Backend, Phase::Handshake, Cause::SniMissing, &[503])]
#[case("strict", "plaintext-http", Party::Gateway, Phase::Handshake, Cause::NotTls, &[503])]
#[case("strict", "refuses-connection", Party::Network, Phase::Connect, Cause::ConnectionRefused, &[503])]
#[case("strict", "stalls-before-handshake", Party::Gateway, Phase::Handshake, Cause::Timeout, &[504])]
#[case("strict", "stalls-after-request", Party::Gateway, Phase::Response, Cause::Timeout, &[504])]
#[case("strict", "resets-in-handshake", Party::Backend, Phase::Handshake, Cause::Reset, &[503])]
#[case("chain-alone", "untrusted-root", Party::Gateway, Phase::Handshake, Cause::ServerCertUntrusted, &[503])]
#[case("name-alone", "wrong-name", Party::Gateway, Phase::Handshake, Cause::ServerCertNameMismatch, &[503])]
#[case("other-name", "plain-good", Party::Gateway, Phase::Handshake, Cause::ServerCertNameMismatch, &[503])]
#[case("no-renegotiation", "renegotiation-required", Party::Gateway, Phase::Request, Cause::RenegotiationRefused, &[503])]
#[case("aes256-gcm-only", "aes128-gcm-only", Party::Backend, Phase::Handshake, Cause::NoCommonCipher, &[503])]
#[case("p256-only", "x25519-only", Party::Backend, Phase::Handshake, Cause::NoCommonGroup, &[503])]
#[case("other-name", "secp256r1mlkem768-only+sni-required", Party::Backend, Phase::Handshake, Cause::SniUnknown, &[503])]
#[case("strict", "resets-in-response", Party::Backend, Phase::Response, Cause::Reset, &[503])]
fn what_must_be_refused_behind_the_gateway(
    #[case] upstream: &str,
    #[case] backend: &str,
    #[case] by: Party,
    #[case] phase: Phase,
    #[case] cause: Cause,
    #[case] statuses: &[u16],
) {
    let expected = expect("default", "default", upstream, backend);
    assert_eq!(
        (expected.outcome, expected.by, expected.phase, expected.cause),
        (Outcome::Refuse, Some(by), Some(phase), Some(cause))
    );
    assert_eq!(expected.statuses, statuses);
}

#[rstest]
#[case("pooled", None)]
#[case("strict", None)]
#[case("no-client-cert-after-pooled", Some(false))]
#[case("no-client-cert-after-strict", Some(false))]
fn nothing_is_shared_between_upstreams(#[case] upstream: &str, #[case] shared: Option<bool>) {
    let sight = expect("default", "default", upstream, "plain-good").backend;
    assert_eq!((sight.reused, sight.resumed), (shared, shared));
}

#[test]
fn a_gateway_that_verifies_late_lets_the_backend_refuse_first_up_to_tls12() {
    let late = Claims { verifies: Some(Verifies::AfterHandshake), ..claims() };
    let cause = |upstream: &str| {
        let cell = scenario("default", "default", upstream, "tls12-only+expired-leaf+client-cert-required");
        (model::expect(&cell, &late).unwrap().cause, model::expect(&cell, &claims()).unwrap().cause)
    };
    assert_eq!(cause("no-client-cert"), (Some(Cause::ClientCertMissing), Some(Cause::ServerCertExpired)));
    assert_eq!(cause("strict"), (Some(Cause::ServerCertExpired), Some(Cause::ServerCertExpired)));
}

#[rstest]
#[case::taken(None, false, "rsa-1024", "strict", None)]
#[case::taken_by_who_does_not_verify(None, false, "rsa-1024", "no-verify", None)]
#[case::refused(Some(Cause::ServerCertNameMismatch), false, "cn-only", "strict", Some((Party::Gateway, Cause::ServerCertNameMismatch)))]
#[case::looked_at_only_by_who_verifies(
    Some(Cause::ServerCertNameMismatch),
    false,
    "cn-only",
    "no-verify",
    None
)]
#[case::never_parsed(Some(Cause::ServerCertMalformed), true, "malformed-der", "no-verify", Some((Party::Gateway, Cause::ServerCertMalformed)))]
#[case::never_offered(Some(Cause::NoCommonSignature), true, "ed448", "no-verify", Some((Party::Backend, Cause::NoCommonSignature)))]
#[case::never_offered_up_to_tls12(Some(Cause::NoCommonSignature), true, "ed448+tls12-only", "strict", Some((Party::Backend, Cause::NoCommonCipher)))]
fn certificates_that_libraries_treat_differently(
    #[case] refused: Option<Cause>,
    #[case] unverified: bool,
    #[case] backend: &str,
    #[case] upstream: &str,
    #[case] refusal: Option<(Party, Cause)>,
) {
    let scenario = scenario("default", "default", upstream, backend);
    let certificates = vec![scenario.backend.profile.certificate()];
    let claims = Claims {
        accepts_weak_certificates: Some(false),
        certificate: vec![CertificateClaim { certificates, refused, unverified }],
        ..claims()
    };
    let expected = model::expect(&scenario, &claims).unwrap();
    assert_eq!(expected.by.zip(expected.cause), refusal);
}

#[rstest]
#[case(Verifies::InHandshake, Handling::Refused, Handling::Refused)]
#[case(Verifies::AfterHandshake, Handling::Accepted, Handling::Accepted)]
#[case(Verifies::NameAfterHandshake, Handling::Refused, Handling::Accepted)]
fn when_a_gateway_verifies_shows_in_the_handshake(
    #[case] verifies: Verifies,
    #[case] for_the_chain: Handling,
    #[case] for_the_name: Handling,
) {
    let claims = Claims { verifies: Some(verifies), ..claims() };
    let handshake = |backend: &str| {
        model::expect(&scenario("default", "default", "strict", backend), &claims).unwrap().backend.handshake
    };
    assert_eq!(handshake("expired-leaf"), Some(for_the_chain));
    assert_eq!(handshake("wrong-name"), Some(for_the_name));
    // A signature that is not the key's, whatever is verified when.
    assert_eq!(handshake("mismatched-key"), Some(Handling::Refused));
}

#[rstest]
#[case::old_ciphers_let_the_server_answer(true, Party::Gateway, Cause::NoCommonVersion)]
#[case::young_ciphers_leave_it_nothing_to_answer_with(false, Party::Backend, Cause::NoCommonCipher)]
fn who_refuses_a_version_depends_on_the_ciphers(
    #[case] old_ciphers: bool,
    #[case] by: Party,
    #[case] cause: Cause,
) {
    let claims = Claims { lists_old_ciphers: Some(old_ciphers), ..claims() };
    let refusal = |upstream: &str| {
        let cell = scenario("default", "default", upstream, "tls10-only");
        let expected = model::expect(&cell, &claims).unwrap();
        (expected.by.unwrap(), expected.cause.unwrap())
    };
    assert_eq!(refusal("max-tls12"), (by, cause));
    assert_eq!(
        refusal("strict"),
        (Party::Backend, Cause::NoCommonVersion),
        "supported_versions says it first"
    );
}

/// TLS 1.3, which it does not offer, has suites, but the server does not answer with that.
#[test]
fn suites_of_a_version_that_is_not_offered_do_not_help_an_older_one() {
    let profile = catalogue().profile("azure-apim-classic@2025-08+without-cbc+without-static-rsa").unwrap();
    let limited = profile.claims(claims());
    let expected =
        model::expect(&scenario("default", "default", "strict", "tls11-and-13"), &limited).unwrap();
    assert_eq!((expected.by, expected.cause), (Some(Party::Backend), Some(Cause::NoCommonCipher)));
}

#[rstest]
#[case("wrong-client-cert", "client-cert-required", Some(Cause::ClientCertWithheld), None)]
#[case("wrong-client-cert", "client-cert-optional", None, None)]
#[case("wrong-client-cert", "renegotiation-required", Some(Cause::ClientCertWithheld), None)]
#[case("no-client-cert", "authority-hints-wrong", Some(Cause::ClientCertMissing), None)]
#[case("strict", "authority-hints-wrong", Some(Cause::ClientCertWithheld), None)]
#[case("strict", "authority-hints-huge", None, Some(ClientCertificate::Good))]
#[case("strict", "authority-hints-empty", None, Some(ClientCertificate::Good))]
#[case("wrong-client-cert", "authority-hints-empty", Some(Cause::ClientCertUntrusted), None)]
#[case("expired-client-cert", "client-cert-optional", Some(Cause::ClientCertExpired), None)]
#[case("strict", "client-cert-required", None, Some(ClientCertificate::Good))]
fn a_certificate_whose_issuer_is_not_listed_may_be_withheld(
    #[case] upstream: &str,
    #[case] backend: &str,
    #[case] cause: Option<Cause>,
    #[case] shown: Option<ClientCertificate>,
) {
    let withholding = Claims { withholds_unlisted_certificates: Some(true), ..claims() };
    let expected = model::expect(&scenario("default", "default", upstream, backend), &withholding).unwrap();
    assert_eq!(expected.cause, cause);
    // A backend cannot know of a certificate that was kept back.
    let seen = (cause == Some(Cause::ClientCertWithheld)).then_some(Cause::ClientCertMissing);
    assert_eq!(expected.or_cause, seen);
    if cause.is_none() {
        assert_eq!(expected.backend.client_certificate, Some(shown));
    }
}

/// A handshake is a handshake, and what the first one proved says nothing of the second.
#[rstest]
#[case("renegotiates-as-itself", "strict", false, None)]
#[case("renegotiates-as-untrusted", "strict", false, Some(Cause::ServerCertUntrusted))]
#[case("renegotiates-as-expired", "strict", false, Some(Cause::ServerCertExpired))]
#[case("renegotiates-as-other-name", "strict", false, Some(Cause::ServerCertNameMismatch))]
#[case("renegotiates-as-other-name", "chain-alone", false, None)]
#[case("renegotiates-as-expired", "no-verify", false, None)]
#[case("renegotiates-as-itself", "strict", true, None)]
#[case("renegotiates-as-expired", "no-verify", true, Some(Cause::ServerCertChanged))]
fn a_certificate_that_comes_by_renegotiation_is_verified_too(
    #[case] backend: &str,
    #[case] upstream: &str,
    #[case] keeps_server_identity: bool,
    #[case] cause: Option<Cause>,
) {
    let claims = Claims { keeps_server_identity, ..claims() };
    let expected = model::expect(&scenario("default", "default", upstream, backend), &claims).unwrap();
    assert_eq!(expected.cause, cause);
    let refused = cause.map(|_| (Party::Gateway, Phase::Request));
    assert_eq!(expected.by.zip(expected.phase), refused);
    assert_eq!(expected.backend.connection, Some(Connection::Request));
}

/// A signature that is not the key's ends the handshake, whatever the listener makes of certificates.
#[rstest]
fn a_client_without_the_key_of_its_certificate_is_refused(
    #[values("client-cert-required", "client-cert-optional", "client-cert-unrevoked")] listener: &str,
    #[values("client-cert-without-key", "client-cert-without-key-tls12")] client: &str,
    #[values(None, Some(400))] client_certificate_status: Option<u16>,
) {
    let listener_claims = ListenerClaims { client_certificate_status, ..claims().listener };
    let claims = Claims { listener: listener_claims, ..claims() };
    let expected = model::expect(&scenario(client, listener, "strict", "plain-good"), &claims).unwrap();
    assert_eq!(expected.cause, Some(Cause::ClientCertUnproven));
    assert_eq!((expected.phase, expected.alerts), (Some(Phase::Handshake), vec![Alert::DecryptError]));
}

/// What weak means, depends on how far down a gateway is told to go.
#[rstest]
#[case("strict", true, Some(Cause::NoCommonGroup))]
#[case("legacy", true, None)]
#[case("legacy", false, Some(Cause::NoCommonGroup))]
fn a_gateway_that_goes_down_to_old_versions_may_mind_nothing_weak(
    #[case] upstream: &str,
    #[case] legacy_is_lenient: bool,
    #[case] cause: Option<Cause>,
) {
    let claims = Claims { accepts_weak_dh: Some(false), legacy_is_lenient, ..claims() };
    let expected =
        model::expect(&scenario("default", "default", upstream, "dhe-only-1024"), &claims).unwrap();
    assert_eq!(expected.cause, cause);
}

#[rstest]
#[case("strict", "renegotiation-required", Claims { follows_renegotiation: None, ..claims() }, ClaimName::FollowsRenegotiation)]
#[case("strict", "expired-leaf", Claims { status: Vec::new(), ..claims() }, ClaimName::Status)]
#[case("strict", "plain-good", Claims { upstream_versions: None, ..claims() }, ClaimName::UpstreamVersions)]
#[case("max-tls12", "tls10-only", Claims { lists_old_ciphers: None, ..claims() }, ClaimName::ListsOldCiphers)]
#[case("wrong-client-cert", "client-cert-required", Claims { withholds_unlisted_certificates: None, ..claims() }, ClaimName::WithholdsUnlistedCertificates)]
#[case("strict", "ten-thousand-names", Claims { reads_huge_certificates: None, ..claims() }, ClaimName::ReadsHugeCertificates)]
#[case("strict", "post-handshake-auth-required", Claims { answers_post_handshake_auth: None, ..claims() }, ClaimName::AnswersPostHandshakeAuth)]
fn a_missing_claim_is_named(
    #[case] upstream: &str,
    #[case] backend: &str,
    #[case] claims: Claims,
    #[case] missing: ClaimName,
) {
    let error = model::expect(&scenario("default", "default", upstream, backend), &claims).unwrap_err();
    assert_eq!(error.0, missing);
}

#[rstest]
#[case("expired-intermediate", Some(Cause::ServerCertExpired), None)]
#[case("path-length-exceeded", Some(Cause::ServerCertUntrusted), None)]
#[case("intermediate-no-ca", Some(Cause::ServerCertUntrusted), Some(Cause::ServerCertWrongUsage))]
#[case("wildcard-too-deep", Some(Cause::ServerCertNameMismatch), None)]
#[case("tampered-signature", Some(Cause::ServerCertMalformed), Some(Cause::ServerCertUntrusted))]
#[case("sha1-signed-leaf", Some(Cause::ServerCertWeak), None)]
#[case("reversed-chain", None, None)]
#[case("ml-dsa-65", None, None)]
fn what_a_chain_is_refused_for(
    #[case] backend: &str,
    #[case] cause: Option<Cause>,
    #[case] or_cause: Option<Cause>,
) {
    let careful = Claims { accepts_weak_certificates: Some(false), ..claims() };
    let expected = model::expect(&scenario("default", "default", "strict", backend), &careful).unwrap();
    assert_eq!((expected.cause, expected.or_cause), (cause, or_cause));
    let blind = model::expect(&scenario("default", "default", "no-verify", backend), &careful).unwrap();
    assert_eq!(blind.outcome, Outcome::Reach);
}

#[rstest]
#[case("strict", "revoked-by-crl", None, Some(false))]
#[case("strict", "revoked-intermediate", None, None)]
#[case("strict", "revoked-by-ocsp", None, Some(false))]
#[case("strict", "stapled-revoked", None, None)]
#[case("strict", "must-staple-violated", None, None)]
#[case("crl-file", "plain-good", None, None)]
#[case("crl-file", "crl-stale", None, Some(false))]
#[case("crl-file", "revoked-by-crl", Some(Cause::ServerCertRevoked), Some(false))]
#[case("crl-file", "revoked-intermediate", Some(Cause::ServerCertRevoked), None)]
#[case("crl-file", "issued-by-client-ca", Some(Cause::ServerCertUntrusted), None)]
#[case("crl-file", "revoked-by-ocsp", None, Some(false))]
#[case("crl-file", "chain-10-deep", Some(Cause::ServerCertStatusUnknown), None)]
#[case("crl-fetched", "plain-good", None, None)]
#[case("crl-fetched", "crl-current", None, Some(true))]
#[case("crl-fetched", "revoked-by-crl", Some(Cause::ServerCertRevoked), Some(true))]
#[case("crl-fetched", "revoked-intermediate", None, None)]
#[case("crl-fetched", "revoked-by-ocsp", None, Some(false))]
#[case("crl-fetched", "crl-stale", Some(Cause::ServerCertStatusUnknown), Some(true))]
#[case("crl-fetched", "crl-slow", Some(Cause::ServerCertStatusUnknown), Some(true))]
#[case("crl-fetched", "crl-unreachable", Some(Cause::ServerCertStatusUnknown), None)]
#[case("ocsp-asked", "ocsp-good", None, Some(true))]
#[case("ocsp-asked", "revoked-by-ocsp", Some(Cause::ServerCertRevoked), Some(true))]
#[case("ocsp-asked", "ocsp-slow", Some(Cause::ServerCertStatusUnknown), Some(true))]
#[case("staple-if-present", "plain-good", None, None)]
#[case("staple-if-present", "stapled-good", None, None)]
#[case("staple-if-present", "stapled-revoked", Some(Cause::ServerCertRevoked), None)]
#[case("staple-if-present", "stapled-expired", Some(Cause::ServerCertStatusUnknown), None)]
#[case("staple-if-present", "stapled-garbage", Some(Cause::ServerCertStatusUnknown), None)]
#[case("staple-if-present", "must-staple-kept", None, None)]
#[case("staple-if-present", "must-staple-violated", Some(Cause::ServerCertStatusUnknown), None)]
#[case("staple-required", "plain-good", Some(Cause::ServerCertStatusUnknown), None)]
#[case("staple-required", "stapled-good", None, None)]
fn who_looks_for_revocation_finds_it(
    #[case] upstream: &str,
    #[case] backend: &str,
    #[case] cause: Option<Cause>,
    #[case] asked: Option<bool>,
) {
    let expected = expect("default", "default", upstream, backend);
    assert_eq!((expected.cause, expected.backend.status_asked), (cause, asked));
    if cause.is_some() {
        assert_eq!((expected.by, expected.phase), (Some(Party::Gateway), Some(Phase::Handshake)));
        assert_eq!(expected.backend.connection, Some(Connection::NoRequest));
    }
}

#[rstest]
#[case(false, Some(Cause::ServerCertTooLarge))]
#[case(true, None)]
fn more_certificates_than_are_read_stop_every_gateway(
    #[case] reads: bool,
    #[case] cause: Option<Cause>,
    #[values("strict", "no-verify")] upstream: &str,
) {
    let claims = Claims { reads_huge_certificates: Some(reads), ..claims() };
    let cell = scenario("default", "default", upstream, "ten-thousand-names");
    assert_eq!(model::expect(&cell, &claims).unwrap().cause, cause);
}
