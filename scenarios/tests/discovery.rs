//! A gateway that does as its claims say is found to make them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use rstest::rstest;
use tls_gauntlet_scenarios::{
    AlertClaim, BackendSaw, Cause, CertificateClaim, Claims, ClientSaw, Connection, Diagnosis, Discovery,
    Ended, Evidence, Expectation, Handling, ListenerClaims, Measured, Outcome, Phase, PlainHttp, Responder,
    Scenario, StatusClaim, TlsVersion, UnknownProtocols, VerdictKind, Verifies, Versions, catalogue, judge,
    model,
};

/// One that does as OpenSSL does.
fn like_openssl() -> Claims {
    let listener = ListenerClaims {
        versions: Some(Versions::of(&[
            TlsVersion::Tls10,
            TlsVersion::Tls11,
            TlsVersion::Tls12,
            TlsVersion::Tls13,
        ])),
        protocols: Some(Vec::new()),
        unknown_protocols: Some(UnknownProtocols::Ignored),
        client_certificate_status: Some(400),
        alert: vec![alert(&[Cause::NoCommonVersion], "protocol_version")],
        serves_unknown_names: Some(true),
        serves_missing_names: Some(true),
        plain_http: Some(PlainHttp::Status(400)),
        ..ListenerClaims::default()
    };
    Claims {
        gives_up_handshakes: Some(false),
        gives_up_responses: Some(true),
        status: vec![status(&[], None, 502)],
        listener,
        ..Claims::openssl_client()
    }
}

/// One that does everything else that a claim can say.
fn unlike_openssl() -> Claims {
    let listener = ListenerClaims {
        versions: Some(Versions::current()),
        protocols: Some(vec!["h2".to_owned(), "http/1.1".to_owned()]),
        unknown_protocols: Some(UnknownProtocols::RefusedWithoutHttp11),
        alert: vec![
            alert(&[Cause::NoCommonVersion], "protocol_version"),
            alert(&[Cause::AlpnMismatch], "no_application_protocol"),
            alert(&[Cause::ClientCertMissing], "certificate_required"),
            alert(&[Cause::ClientCertExpired, Cause::ClientCertUntrusted], "bad_certificate"),
        ],
        serves_unknown_names: Some(false),
        serves_missing_names: Some(false),
        server_name_status: Some(421),
        plain_http: Some(PlainHttp::Close),
        ..ListenerClaims::default()
    };
    Claims {
        upstream_versions: Some(Versions::current()),
        follows_renegotiation: Some(false),
        answers_post_handshake_auth: Some(false),
        verifies: Some(Verifies::NameAfterHandshake),
        always_lists_versions: Some(true),
        withholds_unlisted_certificates: Some(true),
        accepts_weak_certificates: Some(false),
        retries_untold: Some(2),
        retries_handshakes: Some(true),
        gives_up_handshakes: Some(true),
        gives_up_responses: Some(false),
        certificate: vec![
            certificates(&["rsa-1024"], None, false),
            certificates(&["ed25519", "rsa-pss"], Some(Cause::NoCommonSignature), true),
            certificates(&["cn-only"], Some(Cause::ServerCertNameMismatch), false),
        ],
        status: vec![
            status(&[Cause::Timeout], None, 504),
            status(&[], Some(Phase::Handshake), 500),
            status(&[], None, 502),
        ],
        listener,
        ..Claims::openssl_client()
    }
}

fn certificates(names: &[&str], refused: Option<Cause>, unverified: bool) -> CertificateClaim {
    let certificates = names.iter().map(|name| name.parse().unwrap()).collect();
    CertificateClaim { certificates, refused, unverified }
}

fn status(causes: &[Cause], phase: Option<Phase>, status: u16) -> StatusClaim {
    StatusClaim {
        causes: causes.to_vec(),
        phase,
        tls_version: None,
        statuses: vec![status],
        may_close: false,
    }
}

fn alert(causes: &[Cause], alert: &str) -> AlertClaim {
    let alerts = vec![alert.parse().unwrap()];
    AlertClaim { causes: causes.to_vec(), tls_version: None, alerts, may_close: false }
}

#[rstest]
#[case(like_openssl())]
#[case(unlike_openssl())]
fn what_it_does_tells_what_it_claims(#[case] claims: Claims) {
    let scenarios = ["upstream", "listener", "certificates", "settings"]
        .into_iter()
        .flat_map(|suite| catalogue().scenarios(suite).unwrap());
    let cells: Vec<_> = scenarios.filter_map(|scenario| measured(scenario, &claims)).collect();
    let found = Discovery::of(&cells);
    assert!(found.unexplained.is_empty(), "{:?}", found.unexplained);
    assert_eq!(found.differences(&claims), Vec::<String>::new());
    for cell in &cells {
        let (expected, found) =
            (model::expect(&cell.scenario, &claims), model::expect(&cell.scenario, &found.claims));
        assert_eq!(expected, found, "{}", cell.scenario.id("it"));
    }
}

#[test]
fn a_fail_open_is_no_claim() {
    let scenarios = catalogue().scenarios("upstream").unwrap().into_iter();
    let mut cells: Vec<_> = scenarios.filter_map(|scenario| measured(scenario, &like_openssl())).collect();
    let wrong = |cell: &Measured| {
        cell.scenario.backend.name == "expired-leaf" && cell.scenario.upstream.name == "strict"
    };
    let expired = cells.iter().position(wrong).unwrap();
    let sound = |cell: &&Measured| {
        cell.scenario.backend.name == "plain-good" && cell.scenario.upstream.name == "strict"
    };
    cells[expired].seen = cells.iter().find(sound).unwrap().seen.clone();
    let found = Discovery::of(&cells);
    assert_eq!(found.unexplained.len(), 1);
    assert_eq!(found.unexplained[0].0, expired);
    assert_eq!(found.unexplained[0].1.kind(), VerdictKind::FailOpen);
}

#[test]
fn what_no_cell_tells_stays_unsaid() {
    let scenarios = catalogue().scenarios("upstream").unwrap().into_iter();
    let good = scenarios.filter(|scenario| scenario.backend.name == "plain-good");
    let cells: Vec<_> = good.filter_map(|scenario| measured(scenario, &like_openssl())).collect();
    let found = Discovery::of(&cells);
    assert_eq!(found.claims.follows_renegotiation, None);
    for claim in ["follows-renegotiation", "listener.plain-http"] {
        assert!(found.untold.iter().any(|untold| untold == claim), "{claim}");
    }
    assert_eq!(found.differences(&like_openssl()), Vec::<String>::new());
}

/// A cell of a gateway that does exactly what it has to by these claims.
fn measured(scenario: Scenario, claims: &Claims) -> Option<Measured> {
    let expected = model::expect(&scenario, claims).ok()?;
    let seen = Diagnosis {
        outcome: expected.outcome,
        by: expected.by,
        phase: expected.phase,
        cause: expected.cause,
        candidates: Vec::new(),
    };
    let evidence = Evidence {
        client_saw: ClientSaw {
            ended: (expected.gives_up == Some(false)).then_some(Ended::TimedOut),
            status: expected.statuses.first().copied(),
            alert: expected.alerts.first().copied().filter(|_| expected.statuses.is_empty()),
            answered_by: (expected.outcome == Outcome::Reach).then_some(Responder::Backend),
            complete: expected.outcome == Outcome::Reach,
            phase: Phase::Response,
            resumed: expected.client_resumed.unwrap_or_default(),
            alpn: expected.client_alpn.clone().flatten(),
            ..ClientSaw::default()
        },
        backend_saw: backend_saw(&expected).into_iter().flat_map(|last| tries(&expected, &last)).collect(),
        ..Evidence::default()
    };
    assert_eq!(judge::judge(&expected, &seen, &evidence).kind(), VerdictKind::Pass);
    Some(Measured { scenario, seen: vec![(seen, evidence)] })
}

/// Those that were in vain, and the last.
fn tries(expected: &Expectation, last: &BackendSaw) -> Vec<BackendSaw> {
    let in_vain = expected.backend.connections.unwrap_or(1) - 1;
    let broken = BackendSaw { outcome: Handling::Refused, requests: 0, ..last.clone() };
    (0..in_vain).map(|_| broken.clone()).chain([last.clone()]).collect()
}

fn backend_saw(expected: &Expectation) -> Option<BackendSaw> {
    let sight = &expected.backend;
    if matches!(sight.connection, None | Some(Connection::None)) {
        return None;
    }
    Some(BackendSaw {
        outcome: sight.handshake.unwrap_or(Handling::Accepted),
        tls_version: sight.tls_version,
        alpn: sight.alpn.clone().flatten(),
        sni: sight.server_name.and_then(|sent| sent.then(|| "backend.test".to_owned())),
        client_certificate: sight.client_certificate.flatten(),
        renegotiations: sight.renegotiations.unwrap_or_default(),
        requests: u32::from(sight.connection == Some(Connection::Request)),
        phase: Phase::Close,
        ended: Ended::Cleanly,
        ..BackendSaw::default()
    })
}
