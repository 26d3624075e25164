//! What the witnesses' evidence shows, and the verdicts on it: the guards against hollow verdicts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod offers;

use rstest::rstest;
use tls_gauntlet_scenarios::{
    Alert, BackendSaw, BackendSight, Cause, ClientCertificate, ClientSaw, Connection, Deviation, Diagnosis,
    Ended, Evidence, Expectation, Handling, Party, Phase, Responder, StatusSource, TlsVersion, Verdict,
    VerdictKind, judge,
};

fn answered(status: u16, by: Responder) -> ClientSaw {
    ClientSaw {
        status: Some(status),
        answered_by: Some(by),
        complete: true,
        phase: Phase::Close,
        ..ClientSaw::default()
    }
}

fn alerted(alert: Alert) -> ClientSaw {
    ClientSaw { alert: Some(alert), phase: Phase::Handshake, ..ClientSaw::default() }
}

/// A connection that was accepted and then left without a request.
fn left() -> BackendSaw {
    BackendSaw {
        outcome: Handling::Accepted,
        tls_version: Some(TlsVersion::Tls13),
        sni: Some("backend.gauntlet.test".to_owned()),
        phase: Phase::Request,
        ..BackendSaw::default()
    }
}

fn served() -> BackendSaw {
    BackendSaw { requests: 1, phase: Phase::Close, ended: Ended::Cleanly, ..left() }
}

fn refused_by_alert(alert: Alert) -> BackendSaw {
    BackendSaw {
        outcome: Handling::Refused,
        alert_received: Some(alert),
        phase: Phase::Handshake,
        ended: Ended::AlertReceived,
        ..left()
    }
}

fn own_refusal(cause: Cause, alert: Option<Alert>, phase: Phase) -> BackendSaw {
    BackendSaw {
        outcome: Handling::Refused,
        cause: Some(cause),
        alert_sent: alert,
        phase,
        ended: Ended::AlertSent,
        ..left()
    }
}

fn evidence(client_saw: ClientSaw, backend_saw: Vec<BackendSaw>, gateway_causes: &[Cause]) -> Evidence {
    Evidence { client_saw, backend_saw, gateway_causes: gateway_causes.to_vec(), ..Evidence::default() }
}

/// The same with that many connections to the backend.
fn tried(connections: u32, expected: Expectation) -> Expectation {
    let backend = BackendSight { connections: Some(connections), ..expected.backend };
    Expectation { backend, ..expected }
}

fn gateway_answers(status: u16) -> ClientSaw {
    answered(status, Responder::Gateway)
}

/// `(who, when, why)`.
fn diagnosed(evidence: &Evidence) -> (Party, Phase, Cause) {
    let seen = Diagnosis::of(evidence, false);
    (seen.by.unwrap(), seen.phase.unwrap(), seen.cause.unwrap())
}

#[rstest]
#[case::log_alone_names_what_nginx_refuses_after_the_handshake(
    evidence(gateway_answers(502), vec![left()], &[Cause::ServerCertExpired]),
    (Party::Gateway, Phase::Handshake, Cause::ServerCertExpired)
)]
#[case::an_exact_alert_is_enough(
    evidence(gateway_answers(503), vec![refused_by_alert(Alert::UnknownCa)], &[]),
    (Party::Gateway, Phase::Handshake, Cause::ServerCertUntrusted)
)]
#[case::a_vague_alert_and_the_log_agree(
    evidence(gateway_answers(502), vec![refused_by_alert(Alert::BadCertificate)], &[Cause::ServerCertNameMismatch]),
    (Party::Gateway, Phase::Handshake, Cause::ServerCertNameMismatch)
)]
#[case::an_empty_alert_leaves_the_word_to_the_log(
    evidence(gateway_answers(503), vec![refused_by_alert(Alert::InternalError)], &[Cause::ServerCertNameMismatch]),
    (Party::Gateway, Phase::Handshake, Cause::ServerCertNameMismatch)
)]
#[case::the_backend_knows_why_it_refused(
    evidence(
        gateway_answers(502),
        vec![own_refusal(Cause::ClientCertMissing, Some(Alert::CertificateRequired), Phase::Handshake)],
        &[]
    ),
    (Party::Backend, Phase::Handshake, Cause::ClientCertMissing)
)]
#[case::the_attempt_that_tells_most_counts(
    evidence(
        gateway_answers(503),
        vec![left(), own_refusal(Cause::NoCommonVersion, Some(Alert::ProtocolVersion), Phase::Handshake)],
        &[]
    ),
    (Party::Backend, Phase::Handshake, Cause::NoCommonVersion)
)]
#[case::a_server_that_says_nothing_was_left_by_its_peer(
    evidence(gateway_answers(502), vec![own_refusal(Cause::NoCommonVersion, None, Phase::Handshake)], &[]),
    (Party::Gateway, Phase::Handshake, Cause::NoCommonVersion)
)]
#[case::who_gives_up_waits_for_the_answer_to_its_request(
    evidence(gateway_answers(504), vec![left()], &[Cause::Timeout]),
    (Party::Gateway, Phase::Response, Cause::Timeout)
)]
#[case::or_to_its_client_hello(
    evidence(gateway_answers(504), vec![BackendSaw { outcome: Handling::Refused, phase: Phase::Connect, ..left() }], &[Cause::Timeout]),
    (Party::Gateway, Phase::Handshake, Cause::Timeout)
)]
#[case::a_log_alone_says_nothing_of_a_backend_that_nobody_called(
    evidence(gateway_answers(502), vec![], &[Cause::ServerCertExpired]),
    (Party::Gateway, Phase::Close, Cause::Unexplained)
)]
#[case::no_list_is_told_as_an_unknown_authority(
    evidence(gateway_answers(502), vec![refused_by_alert(Alert::UnknownCa)], &[Cause::ServerCertStatusUnknown]),
    (Party::Gateway, Phase::Handshake, Cause::ServerCertStatusUnknown)
)]
#[case::an_old_list_is_told_as_an_expired_certificate(
    evidence(gateway_answers(502), vec![refused_by_alert(Alert::CertificateExpired)], &[Cause::ServerCertStatusUnknown]),
    (Party::Gateway, Phase::Handshake, Cause::ServerCertStatusUnknown)
)]
#[case::no_list_is_not_told_as_a_revoked_certificate(
    evidence(gateway_answers(502), vec![refused_by_alert(Alert::CertificateRevoked)], &[Cause::ServerCertStatusUnknown]),
    (Party::Gateway, Phase::Handshake, Cause::Unexplained)
)]
#[case::witnesses_that_contradict_each_other_explain_nothing(
    evidence(gateway_answers(502), vec![refused_by_alert(Alert::BadCertificate)], &[Cause::Timeout]),
    (Party::Gateway, Phase::Handshake, Cause::Unexplained)
)]
#[case::a_404_explains_nothing(
    evidence(gateway_answers(404), vec![], &[]),
    (Party::Gateway, Phase::Close, Cause::Unexplained)
)]
#[case::a_502_that_no_witness_explains(
    evidence(gateway_answers(502), vec![left()], &[]),
    (Party::Gateway, Phase::Request, Cause::Unexplained)
)]
#[case::a_dead_gateway_is_a_refused_connection_not_a_refusal_of_tls(
    evidence(ClientSaw { phase: Phase::Connect, ended: Some(Ended::ResetByPeer), ..ClientSaw::default() }, vec![], &[]),
    (Party::Network, Phase::Connect, Cause::ConnectionRefused)
)]
#[case::a_closed_connection_without_a_word(
    evidence(
        ClientSaw { phase: Phase::Handshake, ended: Some(Ended::ClosedByPeer), ..ClientSaw::default() },
        vec![],
        &[]
    ),
    (Party::Network, Phase::Handshake, Cause::Unexplained)
)]
#[case::the_listener_says_it_in_tls(
    evidence(alerted(Alert::ProtocolVersion), vec![], &[]),
    (Party::Gateway, Phase::Handshake, Cause::NoCommonVersion)
)]
#[case::up_to_tls12_a_missing_certificate_is_a_handshake_failure(
    evidence(ClientSaw { certificate_requested: true, ..alerted(Alert::HandshakeFailure) }, vec![], &[]),
    (Party::Gateway, Phase::Handshake, Cause::ClientCertMissing)
)]
#[case::without_a_request_for_one_it_is_the_ciphers(
    evidence(alerted(Alert::HandshakeFailure), vec![], &[]),
    (Party::Gateway, Phase::Handshake, Cause::NoCommonCipher)
)]
#[case::the_listener_says_it_in_http_and_its_log_why(
    evidence(gateway_answers(400), vec![], &[Cause::ClientCertMissing]),
    (Party::Gateway, Phase::Request, Cause::ClientCertMissing)
)]
#[case::who_answers_in_http_over_tls_has_finished_the_handshake(
    evidence(
        ClientSaw { tls_version: Some(TlsVersion::Tls13), ..gateway_answers(421) },
        vec![],
        &[Cause::SniUnknown]
    ),
    (Party::Gateway, Phase::Request, Cause::SniUnknown)
)]
#[case::http_is_answered_in_http_without_a_log(
    evidence(ClientSaw { plaintext: true, ..gateway_answers(400) }, vec![], &[]),
    (Party::Gateway, Phase::Handshake, Cause::NotTls)
)]
#[case::another_status_explains_nothing_of_it(
    evidence(ClientSaw { plaintext: true, ..gateway_answers(404) }, vec![], &[]),
    (Party::Gateway, Phase::Close, Cause::Unexplained)
)]
#[case::boringssl_calls_expired_what_is_not_valid_yet(
    evidence(
        gateway_answers(503),
        vec![refused_by_alert(Alert::CertificateExpired)],
        &[Cause::ServerCertNotYetValid]
    ),
    (Party::Gateway, Phase::Handshake, Cause::ServerCertNotYetValid)
)]
#[case::the_backend_answers_for_itself(
    evidence(
        answered(403, Responder::Backend),
        vec![BackendSaw { cause: Some(Cause::PostHandshakeAuthRefused), ..served() }],
        &[]
    ),
    (Party::Gateway, Phase::Close, Cause::PostHandshakeAuthRefused)
)]
fn what_the_evidence_shows(#[case] evidence: Evidence, #[case] shown: (Party, Phase, Cause)) {
    assert_eq!(diagnosed(&evidence), shown);
}

fn must_refuse(cause: Cause) -> Expectation {
    Expectation {
        statuses: vec![502],
        backend: BackendSight { connection: Some(Connection::NoRequest), ..BackendSight::default() },
        ..Expectation::refuse(Party::Gateway, Phase::Handshake, cause)
    }
}

fn must_reach() -> Expectation {
    Expectation::reach(BackendSight {
        connection: Some(Connection::Request),
        handshake: None,
        tls_version: Some(TlsVersion::Tls13),
        server_name: Some(true),
        sni: vec!["backend.gauntlet.test".to_owned()],
        client_certificate: Some(None),
        renegotiations: Some(0),
        ..BackendSight::default()
    })
}

/// As [`must_reach`], with this client certificate.
fn shows(certificate: ClientCertificate) -> Expectation {
    let mut expected = must_reach();
    expected.backend.client_certificate = Some(Some(certificate));
    expected
}

/// As [`must_reach`], after a call of another tenant's.
fn must_share_nothing() -> Expectation {
    let mut expected = must_reach();
    expected.backend.reused = Some(false);
    expected.backend.resumed = Some(false);
    expected
}

#[rstest]
#[case(must_reach(), evidence(answered(200, Responder::Backend), vec![served()], &[]), VerdictKind::Pass)]
// A 200 that the gateway made itself is not the backend's answer.
#[case(must_reach(), evidence(gateway_answers(200), vec![], &[]), VerdictKind::FailClosed)]
// Half an answer is none.
#[case(must_reach(), evidence(ClientSaw { complete: false, ..answered(200, Responder::Backend) }, vec![served()], &[]), VerdictKind::FailClosed)]
// An echo that the backend's ledger knows nothing of is forged.
#[case(must_reach(), evidence(answered(200, Responder::Backend), vec![], &[]), VerdictKind::FailClosed)]
#[case(must_refuse(Cause::ServerCertExpired), evidence(answered(200, Responder::Backend), vec![left()], &[Cause::ServerCertExpired]), VerdictKind::FailOpen)]
// A refusal that is dressed up as a success.
#[case(Expectation { statuses: vec![504, 200], ..must_refuse(Cause::ServerCertExpired) }, evidence(gateway_answers(200), vec![left()], &[Cause::ServerCertExpired]), VerdictKind::FailOpen)]
// The log alone, and nobody called the backend.
#[case(must_refuse(Cause::ServerCertExpired), evidence(gateway_answers(502), vec![], &[Cause::ServerCertExpired]), VerdictKind::WrongCause)]
#[case(must_reach(), evidence(answered(200, Responder::Backend), vec![BackendSaw { sni: Some("other.test".to_owned()), ..served() }], &[]), VerdictKind::WrongCause)]
#[case(must_reach(), evidence(answered(200, Responder::Backend), vec![BackendSaw { tls_version: Some(TlsVersion::Tls12), ..served() }], &[]), VerdictKind::WrongCause)]
#[case(must_reach(), evidence(answered(200, Responder::Backend), vec![BackendSaw { client_certificate: Some(ClientCertificate::Good), ..served() }], &[]), VerdictKind::FailOpen)]
#[case(must_reach(), evidence(answered(200, Responder::Backend), vec![BackendSaw { sni: None, ..served() }], &[]), VerdictKind::WrongCause)]
// Without the name it was shown a certificate for another one, and took it.
#[case(Expectation { backend: BackendSight { name_decides: true, ..must_reach().backend }, ..must_reach() }, evidence(answered(200, Responder::Backend), vec![BackendSaw { sni: None, ..served() }], &[]), VerdictKind::FailOpen)]
// Somebody else's certificate, and none at all.
#[case(shows(ClientCertificate::AnotherTenant), evidence(answered(200, Responder::Backend), vec![BackendSaw { client_certificate: Some(ClientCertificate::Good), ..served() }], &[]), VerdictKind::FailOpen)]
#[case(shows(ClientCertificate::AnotherTenant), evidence(answered(200, Responder::Backend), vec![served()], &[]), VerdictKind::WrongCause)]
#[case(must_reach(), evidence(answered(200, Responder::Backend), vec![BackendSaw { renegotiations: 1, ..served() }], &[]), VerdictKind::WrongCause)]
#[case(Expectation { backend: BackendSight { alpn: Some(Some("h2".to_owned())), ..must_reach().backend }, ..must_reach() }, evidence(answered(200, Responder::Backend), vec![served()], &[]), VerdictKind::WrongCause)]
// One try too many, and one too few.
#[case(tried(2, must_reach()), evidence(answered(200, Responder::Backend), vec![left(), served()], &[]), VerdictKind::Pass)]
#[case(tried(2, must_reach()), evidence(answered(200, Responder::Backend), vec![left(), left(), served()], &[]), VerdictKind::WrongCause)]
#[case(tried(1, must_refuse(Cause::ServerCertExpired)), evidence(gateway_answers(502), vec![left(), left()], &[Cause::ServerCertExpired]), VerdictKind::WrongCause)]
#[case(tried(2, must_refuse(Cause::ServerCertExpired)), evidence(gateway_answers(502), vec![left(), left()], &[Cause::ServerCertExpired]), VerdictKind::Pass)]
#[case(must_share_nothing(), evidence(answered(200, Responder::Backend), vec![served()], &[]), VerdictKind::Pass)]
#[case(must_share_nothing(), evidence(answered(200, Responder::Backend), vec![BackendSaw { requests: 2, ..served() }], &[]), VerdictKind::FailOpen)]
#[case(must_share_nothing(), evidence(answered(200, Responder::Backend), vec![BackendSaw { resumed: true, ..served() }], &[]), VerdictKind::FailOpen)]
#[case(Expectation { client_resumed: Some(true), ..must_reach() }, evidence(ClientSaw { resumed: true, ..answered(200, Responder::Backend) }, vec![served()], &[]), VerdictKind::Pass)]
#[case(Expectation { client_resumed: Some(true), ..must_reach() }, evidence(answered(200, Responder::Backend), vec![served()], &[]), VerdictKind::WrongCause)]
#[case(Expectation { client_resumed: Some(false), ..must_reach() }, evidence(ClientSaw { resumed: true, ..answered(200, Responder::Backend) }, vec![served()], &[]), VerdictKind::WrongCause)]
#[case(must_reach(), evidence(gateway_answers(502), vec![left()], &[Cause::ServerCertExpired]), VerdictKind::FailClosed)]
#[case(must_refuse(Cause::ServerCertExpired), evidence(gateway_answers(502), vec![left()], &[Cause::ServerCertExpired]), VerdictKind::Pass)]
#[case(must_refuse(Cause::ServerCertExpired), evidence(answered(200, Responder::Backend), vec![served()], &[]), VerdictKind::FailOpen)]
#[case(must_refuse(Cause::ServerCertExpired), evidence(gateway_answers(502), vec![left()], &[Cause::ServerCertNameMismatch]), VerdictKind::WrongCause)]
#[case(must_refuse(Cause::ServerCertExpired), evidence(gateway_answers(502), vec![left()], &[]), VerdictKind::WrongCause)]
#[case(must_refuse(Cause::ServerCertExpired), evidence(gateway_answers(404), vec![], &[]), VerdictKind::WrongCause)]
#[case(must_refuse(Cause::ServerCertExpired), evidence(gateway_answers(503), vec![left()], &[Cause::ServerCertExpired]), VerdictKind::WrongCause)]
// The client saw a refusal, but the backend had the request: the secret was handed over all the same.
#[case(must_refuse(Cause::ServerCertExpired), evidence(gateway_answers(502), vec![served()], &[Cause::ServerCertExpired]), VerdictKind::FailOpen)]
#[case(
    Expectation { backend: BackendSight { connection: Some(Connection::None), ..BackendSight::default() }, ..must_refuse(Cause::ClientCertMissing) },
    evidence(gateway_answers(502), vec![left()], &[Cause::ClientCertMissing]),
    VerdictKind::FailOpen
)]
fn verdicts(#[case] expected: Expectation, #[case] evidence: Evidence, #[case] verdict: VerdictKind) {
    let seen = Diagnosis::of(&evidence, false);
    assert_eq!(judge::judge(&expected, &seen, &evidence).kind(), verdict, "{seen:?}");
}

/// The right cause is not enough: the wrong party, the wrong phase, the wrong words to the client.
#[rstest]
#[case::as_it_must(|_: &mut Expectation| (), VerdictKind::Pass)]
#[case::by_somebody_else(|expected: &mut Expectation| expected.by = Some(Party::Backend), VerdictKind::WrongCause)]
#[case::at_another_time(|expected: &mut Expectation| expected.phase = Some(Phase::Request), VerdictKind::WrongCause)]
#[case::with_another_status(|expected: &mut Expectation| expected.statuses = vec![503], VerdictKind::WrongCause)]
#[case::in_time(|expected: &mut Expectation| expected.gives_up = Some(true), VerdictKind::Pass)]
#[case::never(|expected: &mut Expectation| expected.gives_up = Some(false), VerdictKind::WrongCause)]
#[case::after_the_handshake(|expected: &mut Expectation| expected.backend.handshake = Some(Handling::Accepted), VerdictKind::Pass)]
#[case::in_the_handshake(|expected: &mut Expectation| expected.backend.handshake = Some(Handling::Refused), VerdictKind::WrongCause)]
fn a_refusal_is_right_in_every_respect(#[case] change: fn(&mut Expectation), #[case] verdict: VerdictKind) {
    let evidence = evidence(gateway_answers(502), vec![left()], &[Cause::ServerCertExpired]);
    let mut expected = must_refuse(Cause::ServerCertExpired);
    change(&mut expected);
    let seen = Diagnosis::of(&evidence, false);
    assert_eq!(judge::judge(&expected, &seen, &evidence).kind(), verdict);
}

/// A client that has waited for as long as it could has seen nobody give up.
#[rstest]
#[case(Some(false), VerdictKind::Pass)]
#[case(Some(true), VerdictKind::WrongCause)]
#[case(None, VerdictKind::Pass)]
fn who_waits_for_longer_than_its_client_gives_nobody_up(
    #[case] gives_up: Option<bool>,
    #[case] verdict: VerdictKind,
) {
    let waited = ClientSaw { ended: Some(Ended::TimedOut), phase: Phase::Response, ..ClientSaw::default() };
    let evidence = evidence(waited, vec![served()], &[]);
    let seen = Diagnosis::of(&evidence, false);
    let expected = Expectation {
        gives_up,
        may_close: true,
        ..Expectation::refuse(Party::Gateway, Phase::Response, Cause::Timeout)
    };
    assert_eq!(judge::judge(&expected, &seen, &evidence).kind(), verdict, "{seen:?}");
}

/// `bad_certificate` is said to almost every flaw: whether that will do is for the gateway's log to say.
#[rstest]
#[case::and_the_log_tells(true, &[Cause::ServerCertNotYetValid], VerdictKind::Pass)]
#[case::and_the_log_tells_nothing(true, &[], VerdictKind::WrongCause)]
#[case::where_the_log_never_tells(false, &[], VerdictKind::Pass)]
fn an_alert_that_many_flaws_share(#[case] exact: bool, #[case] said: &[Cause], #[case] verdict: VerdictKind) {
    let saw = BackendSaw { alert_received: Some(Alert::BadCertificate), phase: Phase::Handshake, ..left() };
    let evidence = evidence(gateway_answers(502), vec![saw], said);
    let expected = Expectation { exact, ..must_refuse(Cause::ServerCertNotYetValid) };
    let seen = Diagnosis::of(&evidence, false);
    assert_eq!(judge::judge(&expected, &seen, &evidence).kind(), verdict);
}

/// Without a status, the client must have been told by the right alert, or may see a bare end only where that is claimed.
#[rstest]
#[case::the_right_alert(alerted(Alert::UnknownCa), &[Alert::UnknownCa], false, VerdictKind::Pass)]
#[case::another_alert(alerted(Alert::UnknownCa), &[Alert::BadCertificate], true, VerdictKind::WrongCause)]
#[case::an_end_that_is_claimed(silent(), &[], true, VerdictKind::Pass)]
#[case::an_end_that_is_not(silent(), &[Alert::UnknownCa], false, VerdictKind::WrongCause)]
fn what_a_client_without_a_response_must_have_seen(
    #[case] client: ClientSaw,
    #[case] alerts: &[Alert],
    #[case] may_close: bool,
    #[case] verdict: VerdictKind,
) {
    let expected = Expectation {
        alerts: alerts.to_vec(),
        may_close,
        ..Expectation::refuse(Party::Gateway, Phase::Handshake, Cause::ClientCertUntrusted)
    };
    let evidence = evidence(client, vec![], &[Cause::ClientCertUntrusted]);
    let mut seen = Diagnosis::of(&evidence, false);
    seen.by = Some(Party::Gateway);
    assert_eq!(judge::judge(&expected, &seen, &evidence).kind(), verdict, "{seen:?}");
}

/// A connection that the gateway ended in the handshake without a word.
fn silent() -> ClientSaw {
    ClientSaw { phase: Phase::Handshake, ended: Some(Ended::ClosedByPeer), ..ClientSaw::default() }
}

#[rstest]
#[case(must_reach(), VerdictKind::Broken)]
#[case(must_refuse(Cause::ServerCertExpired), VerdictKind::Broken)]
fn a_dead_gateway_is_never_a_pass(#[case] expected: Expectation, #[case] verdict: VerdictKind) {
    let evidence = Evidence {
        gateway_died: Some("killed by signal 9".to_owned()),
        ..evidence(ClientSaw { phase: Phase::Connect, ..ClientSaw::default() }, vec![], &[])
    };
    let seen = Diagnosis::of(&evidence, false);
    assert_eq!(judge::judge(&expected, &seen, &evidence).kind(), verdict);
}

#[test]
fn a_refusal_without_a_positive_control_does_not_count() {
    let expected = must_refuse(Cause::ServerCertExpired);
    let settled = judge::settle(Verdict::Pass, &expected, None, Some("upstream/plain-good/strict"));
    assert_eq!(settled.kind(), VerdictKind::Skipped);
    assert!(settled.because().unwrap().contains("upstream/plain-good/strict"));
    assert_eq!(judge::settle(Verdict::Pass, &must_reach(), None, Some("x")).kind(), VerdictKind::Pass);
}

#[rstest]
#[case(Verdict::FailOpen { mismatch: String::new() }, VerdictKind::KnownDeviation)]
#[case(Verdict::Pass, VerdictKind::StaleDeviation)]
#[case(Verdict::WrongCause { mismatch: String::new() }, VerdictKind::WrongCause)]
#[case(Verdict::Broken { error: String::new() }, VerdictKind::Broken)]
fn deviations(#[case] verdict: Verdict, #[case] settled: VerdictKind) {
    let deviation = Deviation {
        cells: "*".to_owned(),
        verdict: VerdictKind::FailOpen,
        because: "it never checks".to_owned(),
    };
    let expected = must_refuse(Cause::ServerCertExpired);
    assert_eq!(judge::settle(verdict, &expected, Some(&deviation), None).kind(), settled);
}

#[rstest]
#[case(Some("h2"), Some("h2"), None)]
#[case(None, None, None)]
#[case(Some("h2"), Some("http/1.1"), Some("the client saw the application protocol http/1.1; expected h2"))]
#[case(Some("h2"), None, Some("the client saw the application protocol none; expected h2"))]
#[case(None, Some("h2"), Some("the client saw the application protocol h2; expected none"))]
fn what_client_and_gateway_agree_on_is_seen(
    #[case] wanted: Option<&str>,
    #[case] seen: Option<&str>,
    #[case] mismatch: Option<&str>,
) {
    let wanted = Some(wanted.map(str::to_owned));
    let expected = Expectation { client_alpn: wanted, ..Expectation::reach(BackendSight::default()) };
    let client = ClientSaw { alpn: seen.map(str::to_owned), ..answered(200, Responder::Backend) };
    let evidence = evidence(client, vec![served()], &[]);
    let verdict = judge::judge(&expected, &Diagnosis::of(&evidence, false), &evidence);
    let mismatch = mismatch.map(|mismatch| Verdict::WrongCause { mismatch: mismatch.to_owned() });
    assert_eq!(verdict, mismatch.unwrap_or(Verdict::Pass));
}

#[rstest]
#[case("HTTP_1_1_REQUIRED", Cause::Http11Required)]
#[case("INTERNAL_ERROR", Cause::Unexplained)]
fn one_code_of_http2_names_a_cause(#[case] code: &str, #[case] cause: Cause) {
    let client = ClientSaw {
        phase: Phase::Response,
        http2_error: Some(code.to_owned()),
        ended: Some(Ended::ResetByPeer),
        tls_version: Some(TlsVersion::Tls13),
        ..ClientSaw::default()
    };
    assert_eq!(Diagnosis::of(&evidence(client, Vec::new(), &[]), false).cause, Some(cause));
}

#[test]
fn in_the_direct_column_our_own_client_is_the_one_who_refuses() {
    let saw = ClientSaw {
        refused_because: Some(Cause::ServerCertExpired),
        alert_sent: Some(Alert::CertificateExpired),
        phase: Phase::Handshake,
        ..ClientSaw::default()
    };
    let seen = Diagnosis::of(&evidence(saw, vec![refused_by_alert(Alert::CertificateExpired)], &[]), true);
    assert_eq!((seen.by, seen.cause), (Some(Party::Client), Some(Cause::ServerCertExpired)));
}

#[rstest]
#[case(Some(true), &[StatusSource::Ocsp], VerdictKind::Pass)]
#[case(Some(true), &[], VerdictKind::WrongCause)]
#[case(Some(false), &[], VerdictKind::Pass)]
#[case(Some(false), &[StatusSource::Crl], VerdictKind::WrongCause)]
#[case(None, &[StatusSource::Crl], VerdictKind::Pass)]
fn who_asks_for_a_status_is_seen(
    #[case] must: Option<bool>,
    #[case] asked: &[StatusSource],
    #[case] verdict: VerdictKind,
) {
    let sight = BackendSight { status_asked: must, ..BackendSight::default() };
    let evidence = Evidence {
        client_saw: answered(200, Responder::Backend),
        backend_saw: vec![served()],
        status_asked: asked.to_vec(),
        ..Evidence::default()
    };
    let seen = Diagnosis::of(&evidence, false);
    assert_eq!(judge::judge(&Expectation::reach(sight), &seen, &evidence).kind(), verdict);
}
