//! What the model says, as a table.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use rstest::rstest;
use tls_gauntlet_scenarios::{
    Alert, AlertClaim, Cause, ClaimName, Claims, ClientCertificate, Connection, Expectation, ListenerClaims,
    Outcome, Party, Phase, PlainHttp, Scenario, StatusClaim, TlsVersion, Verifies, Versions, catalogue,
    model,
};

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
            versions: Some(all),
            alert: vec![
                alert(&[Cause::NoCommonVersion], &[Alert::ProtocolVersion]),
                alert(&[Cause::ClientCertMissing], &[Alert::CertificateRequired]),
                alert(&[], &[Alert::UnknownCa]),
            ],
            serves_unknown_names: Some(true),
            serves_missing_names: Some(false),
            plain_http: Some(PlainHttp::Close),
            client_certificate_status: None,
            server_name_status: None,
            misdirected_status: None,
        },
        ..Claims::openssl_client()
    }
}

fn scenario(client: &str, listener: &str, upstream: &str, backend: &str) -> Scenario {
    let catalogue = catalogue();
    Scenario {
        suite: "test".to_owned(),
        client: (client.to_owned(), catalogue.client(client).unwrap().clone()),
        listener: (listener.to_owned(), catalogue.listener(listener).unwrap().clone()),
        upstream: (upstream.to_owned(), catalogue.upstream(upstream).unwrap().clone()),
        backend: catalogue.backend(backend).unwrap(),
        why: String::new(),
        source: String::new(),
    }
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
#[case("no-verify", "expired-leaf", TlsVersion::Tls13, None, 0)]
#[case("strict", "renegotiation-required", TlsVersion::Tls12, Some(ClientCertificate::Good), 1)]
#[case("max-tls12", "renegotiation-required-dual", TlsVersion::Tls12, Some(ClientCertificate::Good), 1)]
#[case("strict", "renegotiation-without-cert", TlsVersion::Tls12, None, 1)]
#[case("strict", "ends-without-close-notify", TlsVersion::Tls13, None, 0)]
#[case("strict", "sni-required", TlsVersion::Tls13, None, 0)]
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
#[case("tls10-only", "default", Some(Cause::NoCommonVersion))]
#[case("tls10-only", "legacy", None)]
#[case("tls13-only", "tls12-only", Some(Cause::NoCommonVersion))]
#[case("default", "client-cert-required", Some(Cause::ClientCertMissing))]
#[case("good-client-cert", "client-cert-required", None)]
#[case("untrusted-client-cert", "client-cert-optional", Some(Cause::ClientCertUntrusted))]
#[case("expired-client-cert", "client-cert-required", Some(Cause::ClientCertExpired))]
#[case("expired-client-cert", "default", None)]
#[case("wrong-sni", "default", None)]
#[case("no-sni", "default", Some(Cause::SniMissing))]
#[case("plaintext", "default", Some(Cause::NotTls))]
fn what_the_listener_does(#[case] client: &str, #[case] listener: &str, #[case] cause: Option<Cause>) {
    let expected = expect(client, listener, "strict", "plain-good");
    assert_eq!(expected.cause, cause);
    if cause.is_some() {
        assert_eq!(expected.by, Some(Party::Gateway));
        assert_eq!(expected.backend.connection, Some(Connection::None), "the backend hears nothing of it");
    }
}

#[test]
fn a_server_name_may_be_refused_in_http() {
    let mut strict = claims();
    strict.listener.server_name_status = Some(421);
    let cell = scenario("no-sni", "client-cert-required", "strict", "plain-good");
    let expected = model::expect(&cell, &strict).unwrap();
    assert_eq!((expected.phase, expected.cause), (Some(Phase::Request), Some(Cause::SniMissing)));
    assert_eq!((&expected.statuses[..], &expected.alerts[..]), (&[421][..], &[][..]));
}

#[rstest]
#[case("wrong-sni", "client-cert-optional", Some(Cause::SniUnknown))]
#[case("no-sni", "client-cert-optional", Some(Cause::SniMissing))]
#[case("no-sni", "client-cert-required", Some(Cause::ClientCertMissing))]
#[case("wrong-sni", "default", None)]
#[case("default", "client-cert-optional", None)]
fn a_gateway_may_compare_host_and_server_name_where_it_asks_for_certificates(
    #[case] client: &str,
    #[case] listener: &str,
    #[case] cause: Option<Cause>,
) {
    let mut comparing = claims();
    comparing.listener.serves_missing_names = Some(true);
    comparing.listener.misdirected_status = Some(421);
    let expected = model::expect(&scenario(client, listener, "strict", "plain-good"), &comparing).unwrap();
    assert_eq!(expected.cause, cause);
    if matches!(cause, Some(Cause::SniUnknown | Cause::SniMissing)) {
        assert_eq!((expected.phase, &expected.statuses[..]), (Some(Phase::Request), &[421][..]));
    }
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

#[rstest]
#[case("wrong-client-cert", "client-cert-required", Some(Cause::ClientCertMissing), None)]
#[case("wrong-client-cert", "client-cert-optional", None, None)]
#[case("wrong-client-cert", "renegotiation-required", Some(Cause::ClientCertMissing), None)]
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
    if cause.is_none() {
        assert_eq!(expected.backend.client_certificate, Some(shown));
    }
}

#[rstest]
#[case("strict", "renegotiation-required", Claims { follows_renegotiation: None, ..claims() }, ClaimName::FollowsRenegotiation)]
#[case("strict", "expired-leaf", Claims { status: Vec::new(), ..claims() }, ClaimName::Status)]
#[case("strict", "plain-good", Claims { upstream_versions: None, ..claims() }, ClaimName::UpstreamVersions)]
#[case("max-tls12", "tls10-only", Claims { lists_old_ciphers: None, ..claims() }, ClaimName::ListsOldCiphers)]
#[case("wrong-client-cert", "client-cert-required", Claims { withholds_unlisted_certificates: None, ..claims() }, ClaimName::WithholdsUnlistedCertificates)]
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

#[test]
fn the_model_is_total_over_every_pair_of_parts() {
    let names: Vec<&str> = catalogue().backends().map(|(name, _, _)| name).collect();
    for left in &names {
        for right in &names {
            let Ok(backend) = catalogue().backend(&format!("{left}+{right}")) else { continue };
            for (_, upstream) in catalogue().upstreams() {
                let expected = model::expect_direct(upstream, &backend, &Claims::openssl_client()).unwrap();
                assert_eq!(expected.outcome == Outcome::Refuse, expected.cause.is_some());
                assert!(!expected.steps.is_empty());
            }
        }
    }
}

#[rstest]
#[case("expired-intermediate", Some(Cause::ServerCertExpired), None)]
#[case("path-length-exceeded", Some(Cause::ServerCertUntrusted), None)]
#[case("intermediate-no-ca", Some(Cause::ServerCertUntrusted), Some(Cause::ServerCertWrongUsage))]
#[case("wildcard-too-deep", Some(Cause::ServerCertNameMismatch), None)]
#[case("tampered-signature", Some(Cause::ServerCertMalformed), None)]
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
