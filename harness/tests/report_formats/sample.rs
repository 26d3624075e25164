//! A record made by hand: every verdict there is, two gateways, two suites, several witnesses.

use tls_gauntlet::record::{CellRecord, GatewayFacts, GatewayKind, RunRecord, SCHEMA, Timing, Tool};
use tls_gauntlet_scenarios::{
    Alert, BackendSaw, BackendSight, Cause, ClientCertificate, ClientHelloFacts, ClientSaw, Connection,
    Diagnosis, Ended, Expectation, Handling, Outcome, Party, Phase, Responder, TlsVersion, VerdictKind,
    Versions,
};

/// The whole sample.
pub(crate) fn record() -> RunRecord {
    let mut cells = Vec::new();
    for gateway in ["haproxy", "nginx"] {
        for client in ["default", "no-client-cert", "tls12-only"] {
            cells.push(reached("listener", "plain-good", "strict", client, "default", gateway));
        }
        let mut plaintext = refused("listener", "plain-good", "strict", "plaintext", "default", gateway);
        plaintext.expected.as_mut().unwrap().statuses = vec![400];
        cells.push(plaintext);
        for backend in ["plain-good", "tls12-only", "tls13-only", "renegotiation-required-dual"] {
            for upstream in ["strict", "no-verify", "max-tls12"] {
                cells.push(reached("upstream", backend, upstream, "default", "default", gateway));
            }
        }
        cells.push(reached(
            "upstream",
            "tls12-only+expired-leaf",
            "no-verify",
            "default",
            "default",
            gateway,
        ));
        for upstream in ["strict", "max-tls12"] {
            cells.push(refused("upstream", "expired-leaf", upstream, "default", "default", gateway));
        }
    }
    let mut change = |id: &str, verdict, because: &str| {
        let cell = cells.iter_mut().find(|cell| cell.id == id).unwrap();
        cell.verdict = verdict;
        cell.because = Some(because.to_owned());
    };
    change(
        "upstream/expired-leaf/strict::default/default::nginx",
        VerdictKind::FailOpen,
        "reached the backend; must be refused: server-cert-expired",
    );
    change(
        "upstream/tls12-only/no-verify::default/default::nginx",
        VerdictKind::FailClosed,
        "refused by the gateway in the handshake: no-common-version; must come through",
    );
    change(
        "upstream/expired-leaf/max-tls12::default/default::nginx",
        VerdictKind::WrongCause,
        "refused for server-cert-name-mismatch; must be for server-cert-expired",
    );
    change(
        "upstream/tls13-only/strict::default/default::nginx",
        VerdictKind::StaleDeviation,
        "nginx before 1.23.4 speaks no TLS 1.3 to backends",
    );
    change(
        "upstream/tls13-only/max-tls12::default/default::nginx",
        VerdictKind::KnownDeviation,
        "answers 502 and closes the connection in the middle of the response, see ticket 2345",
    );
    change(
        "upstream/tls13-only/no-verify::default/default::nginx",
        VerdictKind::Unclaimed,
        "the gateway makes no claim \"answers-post-handshake-auth\"",
    );
    for backend in ["tls12-only", "tls13-only"] {
        change(
            &format!("upstream/{backend}/max-tls12::default/default::haproxy"),
            VerdictKind::Skipped,
            "HAProxy 2.6 cannot set this per route",
        );
        change(
            &format!("upstream/{backend}/strict::default/default::haproxy"),
            VerdictKind::Broken,
            "haproxy died while the cell ran: signal 9",
        );
    }
    for cell in &mut cells {
        match cell.verdict {
            VerdictKind::FailOpen => fail_open(cell),
            VerdictKind::FailClosed | VerdictKind::WrongCause => fail_closed(cell),
            VerdictKind::Skipped => {
                cell.expected = None;
                not_run(cell);
            }
            VerdictKind::Broken => not_run(cell),
            VerdictKind::Pass
            | VerdictKind::KnownDeviation
            | VerdictKind::StaleDeviation
            | VerdictKind::Unclaimed => {}
        }
    }
    cells.sort_by(|left, right| left.id.cmp(&right.id));
    let timing = |stage: &str, duration_ms| Timing { stage: stage.to_owned(), duration_ms };
    RunRecord {
        schema: SCHEMA.to_owned(),
        tool: Tool { name: "gauntlet".to_owned(), version: "0.1.0".to_owned() },
        seed: 42,
        started: "2026-03-01T12:00:00Z".to_owned(),
        duration_ms: 1240,
        shard: None,
        timings: vec![
            timing("certificates", 24),
            timing("backends", 131),
            timing("nginx: start", 57),
            timing("nginx: cells", 480),
            timing("haproxy: start", 48),
            timing("haproxy: cells", 490),
        ],
        gateways: vec![
            GatewayFacts {
                name: "nginx".to_owned(),
                version: "1.22.1".to_owned(),
                kind: GatewayKind::Program,
                judged_by: None,
            },
            GatewayFacts {
                name: "haproxy".to_owned(),
                version: "2.6.12".to_owned(),
                kind: GatewayKind::Program,
                judged_by: None,
            },
        ],
        summary: RunRecord::summarise(&cells),
        cells,
        partial: None,
        trouble: Vec::new(),
        allows_unclaimed: false,
        baseline: None,
        legs: Vec::new(),
    }
}

/// The sample with nothing wrong in it.
pub(crate) fn sound() -> RunRecord {
    let mut record = record();
    record.cells.retain(|cell| cell.verdict == VerdictKind::Pass);
    record.summary = RunRecord::summarise(&record.cells);
    record
}

/// As many cells of every failing kind as a gateway that is thoroughly wrong gives.
pub(crate) fn wrong_all_over() -> RunRecord {
    let mut record = record();
    for cell in &mut record.cells {
        cell.verdict = VerdictKind::FailClosed;
        cell.because = Some("refused by the gateway in the handshake: no-common-cipher".to_owned());
    }
    record.summary = RunRecord::summarise(&record.cells);
    record
}

fn reached(
    suite: &str,
    backend: &str,
    upstream: &str,
    client: &str,
    listener: &str,
    gateway: &str,
) -> CellRecord {
    let id = format!("{suite}/{backend}/{upstream}::{client}/{listener}::{gateway}");
    CellRecord {
        gateway: gateway.to_owned(),
        client: client.to_owned(),
        listener: listener.to_owned(),
        upstream: upstream.to_owned(),
        backend: backend.to_owned(),
        verdict: VerdictKind::Pass,
        because: None,
        expected: Some(Expectation {
            steps: vec!["the client and the listener agree on TLSv1.3".to_owned()],
            ..Expectation::reach(BackendSight {
                connection: Some(Connection::Request),
                handshake: None,
                tls_version: Some(TlsVersion::Tls13),
                server_name: Some(true),
                sni: vec!["backend.gauntlet.test".to_owned()],
                client_certificate: Some(Some(ClientCertificate::Good)),
                renegotiations: Some(0),
                ..BackendSight::default()
            })
        }),
        observed: Some(Diagnosis {
            outcome: Outcome::Reach,
            by: None,
            phase: None,
            cause: None,
            candidates: Vec::new(),
        }),
        client_saw: Some(ClientSaw {
            status: Some(200),
            answered_by: Some(Responder::Backend),
            complete: true,
            tls_version: Some(TlsVersion::Tls13),
            phase: Phase::Close,
            ..ClientSaw::default()
        }),
        backend_saw: vec![backend_saw()],
        status_asked: Vec::new(),
        gateway_said: Vec::new(),
        gateway_causes: Vec::new(),
        strangers: 0,
        why: "Between the gateway and this backend, this setting must let through what is sound.".to_owned(),
        source: "Gauntlet: the upstream leg of a gateway".to_owned(),
        reproduce: format!("gauntlet run --gateway {gateway} --filter '{id}' --seed 42"),
        duration_ms: 3,
        id,
    }
}

fn refused(
    suite: &str,
    backend: &str,
    upstream: &str,
    client: &str,
    listener: &str,
    gateway: &str,
) -> CellRecord {
    let mut cell = reached(suite, backend, upstream, client, listener, gateway);
    let mut expected = Expectation::refuse(Party::Gateway, Phase::Handshake, Cause::ServerCertExpired);
    expected.statuses = vec![502];
    expected.backend = BackendSight { connection: Some(Connection::NoRequest), ..BackendSight::default() };
    cell.expected = Some(expected);
    cell.observed = Some(Diagnosis {
        outcome: Outcome::Refuse,
        by: Some(Party::Gateway),
        phase: Some(Phase::Handshake),
        cause: Some(Cause::ServerCertExpired),
        candidates: vec![Cause::ServerCertExpired],
    });
    cell.client_saw = Some(ClientSaw {
        status: Some(502),
        answered_by: Some(Responder::Gateway),
        complete: true,
        tls_version: Some(TlsVersion::Tls13),
        phase: Phase::Close,
        ..ClientSaw::default()
    });
    cell.backend_saw = vec![BackendSaw {
        outcome: Handling::Refused,
        nonce: None,
        requests: 0,
        alert_received: Some(Alert::CertificateExpired),
        phase: Phase::Handshake,
        ended: Ended::AlertReceived,
        ..backend_saw()
    }];
    cell.gateway_said = vec![
        "2026/03/01 12:00:01 [error] 123#123: *7 upstream SSL certificate verify error: (10:certificate has \
         expired) while SSL handshaking to upstream, request: \"GET /strict/40123/4f2a HTTP/1.1\""
            .to_owned(),
    ];
    cell.gateway_causes = vec![Cause::ServerCertExpired];
    cell
}

fn backend_saw() -> BackendSaw {
    BackendSaw {
        outcome: Handling::Accepted,
        nonce: Some("4f2a".to_owned()),
        tls_version: Some(TlsVersion::Tls13),
        cipher: Some("TLS_AES_256_GCM_SHA384".to_owned()),
        group: Some("x25519".to_owned()),
        sni: Some("backend.gauntlet.test".to_owned()),
        client_certificate: Some(ClientCertificate::Good),
        client_chain: vec!["CN = good.client.gauntlet.test".to_owned()],
        client_hello: Some(ClientHelloFacts {
            versions: Some(Versions::current()),
            ciphers: vec!["TLS_AES_256_GCM_SHA384".to_owned()],
            server_name: Some("backend.gauntlet.test".to_owned()),
            ja3: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
            ja4: "t13d0101_000000000000_000000000000".to_owned(),
            length: 214,
            ..ClientHelloFacts::default()
        }),
        requests: 1,
        phase: Phase::Close,
        ended: Ended::Cleanly,
        duration_ms: 2,
        ..BackendSaw::default()
    }
}

/// A gateway that let an expired certificate through, and whose log tries to take over the terminal.
fn fail_open(cell: &mut CellRecord) {
    let reached = reached("upstream", "expired-leaf", "strict", "default", "default", "nginx");
    cell.observed = reached.observed;
    cell.client_saw = reached.client_saw;
    cell.backend_saw = reached.backend_saw;
    cell.gateway_said = vec!["\u{1b}[2Jrequest 4f2a served".to_owned(), "upstream closed".to_owned()];
    cell.gateway_causes = Vec::new();
}

/// A gateway that tried twice and gave up.
fn fail_closed(cell: &mut CellRecord) {
    cell.observed = Some(Diagnosis {
        outcome: Outcome::Refuse,
        by: Some(Party::Gateway),
        phase: Some(Phase::Handshake),
        cause: Some(Cause::NoCommonVersion),
        candidates: vec![Cause::NoCommonVersion, Cause::NoCommonCipher],
    });
    cell.client_saw = Some(ClientSaw {
        phase: Phase::Response,
        tls_version: Some(TlsVersion::Tls13),
        ended: Some(Ended::ResetByPeer),
        error: Some("connection reset by peer (os error 104)".to_owned()),
        ..ClientSaw::default()
    });
    let attempt = BackendSaw {
        outcome: Handling::Refused,
        nonce: None,
        tls_version: None,
        cipher: None,
        client_certificate: None,
        requests: 0,
        alert_sent: Some(Alert::ProtocolVersion),
        phase: Phase::Handshake,
        ended: Ended::AlertSent,
        cause: Some(Cause::NoCommonVersion),
        error: Some("unsupported protocol".to_owned()),
        ..backend_saw()
    };
    cell.backend_saw = vec![attempt.clone(), attempt];
    cell.gateway_said = Vec::new();
}

fn not_run(cell: &mut CellRecord) {
    cell.observed = None;
    cell.client_saw = None;
    cell.backend_saw = Vec::new();
    cell.gateway_said = Vec::new();
    cell.gateway_causes = Vec::new();
    cell.duration_ms = 0;
}
