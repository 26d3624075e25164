//! The upstream leg of the reference gateway, in front of real backends: what comes through, what does not, and
//! what all three witnesses say of it.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

mod world;

use std::{sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::Request;
use rstest::rstest;
use tls_gauntlet::{
    backend::{Fleet, FleetOptions},
    client::{ClientTrust, Dialer, DialerSettings, Probe, Target},
    gateway::{
        GATEWAY_NAME, GatewayPlan,
        reference::{Reference, ReferenceKnobs, cause_in, claims},
    },
    limits::Limits,
};
use tls_gauntlet_scenarios::{
    Cause, Claims, Diagnosis, Evidence, FaultAction, FaultPhase, Responder, Verdict, catalogue, judge, model,
};
use tokio::time::Instant;

use world::pki;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_secs(5);

/// A gateway that refuses the version a backend has answered with sends its alert in a record of its own version,
/// and the backend's OpenSSL reads no such record: its ledger cannot say who refused. The gateway's log can.
const ALERT_UNREAD: &[(&str, &str)] = &[("max-tls12", "tls10-only"), ("max-tls12", "tls11-only")];

/// Runs each (upstream, backend) once through one gateway.
async fn run(knobs: ReferenceKnobs, cells: &[(&str, &str)]) -> Vec<Evidence> {
    let pki = pki();
    let limits = Limits::default();
    let backends: Vec<_> = cells.iter().map(|(_, name)| catalogue().backend(name).unwrap()).collect();
    let fleet = Fleet::start(&backends, &pki, &FleetOptions::default()).await.unwrap();

    let listeners = vec![("default".to_owned(), catalogue().listener("default").unwrap().clone())];
    let upstreams = catalogue().upstreams().map(|(name, profile)| (name.to_owned(), profile.clone()));
    let mut plan = GatewayPlan::new(listeners, upstreams.collect(), Arc::clone(&pki), limits);
    for ((upstream, _), backend) in cells.iter().zip(fleet.backends()) {
        let (connect, response) = match backend.profile().fault {
            Some(fault) if fault.does == FaultAction::Stall && fault.at < FaultPhase::Request => {
                (SHORT, LONG)
            }
            Some(fault) if fault.does == FaultAction::Stall => (LONG, SHORT),
            Some(_) | None => (LONG, LONG),
        };
        plan.add_route(upstream, backend.address(), connect, response);
    }
    let gateway = Reference::start(&plan, knobs).await.unwrap();
    let address = gateway.listener("default").unwrap();

    let client = catalogue().client("default").unwrap();
    let probe = Probe::for_client(client, &ClientTrust::ours(&pki, GATEWAY_NAME), &pki, limits).unwrap();
    let mut calls = Vec::new();
    for (number, route) in plan.routes.iter().enumerate() {
        let (probe, nonce) = (probe.clone(), nonce(number));
        let path = format!("{}{nonce}", route.path);
        let target = Target { address, host: GATEWAY_NAME.to_owned(), path, nonce };
        calls.push(tokio::spawn(async move { probe.get(&target).await }));
    }
    let mut evidence = Vec::new();
    for call in calls {
        evidence.push(Evidence { client_saw: call.await.unwrap(), ..Evidence::default() });
    }
    let log = gateway.stop().await;
    for (number, (evidence, backend_saw)) in evidence.iter_mut().zip(fleet.finish().await).enumerate() {
        evidence.backend_saw = backend_saw;
        evidence.gateway_said = log.iter().filter(|line| line.contains(&nonce(number))).cloned().collect();
        evidence.gateway_causes = evidence.gateway_said.iter().filter_map(|line| cause_in(line)).collect();
    }
    evidence
}

fn nonce(number: usize) -> String {
    format!("n-{number:016x}")
}

async fn run_one(knobs: ReferenceKnobs, upstream: &str, backend: &str) -> Evidence {
    run(knobs, &[(upstream, backend)]).await.remove(0)
}

fn verdict(upstream: &str, backend: &str, claims: &Claims, evidence: &Evidence) -> Verdict {
    let backend = catalogue().backend(backend).unwrap();
    let scenario = catalogue().scenario("default", "default", upstream, backend).unwrap();
    let expected = model::expect(&scenario, claims).unwrap();
    judge::judge(&expected, &Diagnosis::of(evidence, false), evidence)
}

#[rstest]
#[case::as_it_comes(ReferenceKnobs::default())]
#[case::with_post_handshake_auth(ReferenceKnobs { post_handshake_auth: true, ..ReferenceKnobs::default() })]
#[case::without_renegotiation(ReferenceKnobs { renegotiation: false, ..ReferenceKnobs::default() })]
#[case::with_other_statuses(
    ReferenceKnobs { failure_status: 500, timeout_status: 500, ..ReferenceKnobs::default() }
)]
#[tokio::test(flavor = "multi_thread")]
async fn does_what_it_claims_with_every_backend(#[case] knobs: ReferenceKnobs) {
    let scenarios = catalogue().scenarios("upstream").unwrap();
    let cells: Vec<_> = scenarios.iter().map(|one| (&*one.upstream.name, &*one.backend.name)).collect();
    let mut wrong = Vec::new();
    for (cell, evidence) in cells.iter().zip(run(knobs, &cells).await) {
        let (upstream, backend) = cell;
        assert_eq!(evidence.gateway_said.len(), 1, "{backend}/{upstream}: one line for each request");
        if ALERT_UNREAD.contains(cell) {
            let said = &evidence.gateway_said[0];
            assert!(said.contains(" cause=no-common-version party=gateway phase=handshake "), "{said}");
            continue;
        }
        let verdict = verdict(upstream, backend, &claims(knobs), &evidence);
        if verdict != Verdict::Pass {
            wrong.push(format!(
                "{backend}/{upstream}: {verdict:?}\n  {:?}\n  {:?}\n  {:?}",
                evidence.client_saw, evidence.backend_saw, evidence.gateway_said
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cells:\n{}", wrong.len(), cells.len(), wrong.join("\n"));
}

#[rstest]
#[case("strict", "plain-good")]
#[case("strict", "client-cert-required")]
#[case("no-client-cert", "client-cert-optional")]
#[case("max-tls12", "renegotiation-required-dual")]
#[tokio::test]
async fn reaches(#[case] upstream: &str, #[case] backend: &str) {
    let seen = run_one(ReferenceKnobs::default(), upstream, backend).await;

    assert_eq!(seen.client_saw.status, Some(200), "{seen:?}");
    assert_eq!((seen.client_saw.answered_by, seen.client_saw.complete), (Some(Responder::Backend), true));
    assert_eq!(seen.backend_saw.len(), 1, "{seen:?}");
}

#[rstest]
#[case("strict", "expired-leaf", Cause::ServerCertExpired, "gateway")]
#[case("strict", "wrong-name", Cause::ServerCertNameMismatch, "gateway")]
#[case("strict", "plaintext-http", Cause::NotTls, "gateway")]
#[case("strict", "tls10-only", Cause::NoCommonVersion, "backend")]
#[case("no-sni", "sni-required", Cause::SniMissing, "backend")]
#[case("no-client-cert", "client-cert-required", Cause::ClientCertMissing, "backend")]
#[case("expired-client-cert", "client-cert-required", Cause::ClientCertExpired, "backend")]
#[case("wrong-client-cert", "renegotiation-required", Cause::ClientCertUntrusted, "backend")]
#[case("strict", "refuses-connection", Cause::ConnectionRefused, "network")]
#[case("strict", "resets-in-response", Cause::Reset, "backend")]
#[tokio::test]
async fn says_who_refused_and_why(
    #[case] upstream: &str,
    #[case] backend: &str,
    #[case] cause: Cause,
    #[case] party: &str,
) {
    let seen = run_one(ReferenceKnobs::default(), upstream, backend).await;

    assert_eq!(seen.gateway_causes, [cause], "{seen:?}");
    assert!(seen.gateway_said[0].contains(&format!(" party={party} ")), "{seen:?}");
    assert_eq!(seen.client_saw.status, Some(502), "{seen:?}");
    assert_eq!(seen.client_saw.answered_by, Some(Responder::Gateway));
}

#[rstest]
#[case("stalls-before-handshake")]
#[case("stalls-after-request")]
#[tokio::test]
async fn gives_up_on_a_silent_backend(#[case] backend: &str) {
    let seen = run_one(ReferenceKnobs::default(), "strict", backend).await;

    assert_eq!(seen.client_saw.status, Some(504), "{seen:?}");
    assert_eq!(seen.gateway_causes, [Cause::Timeout]);
}

#[tokio::test]
async fn a_renegotiation_is_followed_on_the_same_connection() {
    let seen = run_one(ReferenceKnobs::default(), "strict", "renegotiation-required").await;

    assert_eq!(seen.client_saw.status, Some(200), "{seen:?}");
    let [backend] = &seen.backend_saw[..] else { panic!("not one connection: {seen:?}") };
    assert_eq!((backend.renegotiations, backend.requests), (1, 1));
}

#[tokio::test]
async fn a_renegotiation_that_is_not_followed_has_its_cause() {
    let knobs = ReferenceKnobs { renegotiation: false, ..ReferenceKnobs::default() };
    let seen = run_one(knobs, "strict", "renegotiation-required").await;

    assert_eq!(seen.client_saw.status, Some(502), "{seen:?}");
    assert_eq!(seen.gateway_causes, [Cause::RenegotiationRefused]);
    assert!(seen.gateway_said[0].contains(" party=gateway "), "{seen:?}");
}

#[rstest]
#[case(false, 403)]
#[case(true, 200)]
#[tokio::test]
async fn what_the_backend_answers_passes_through(#[case] post_handshake_auth: bool, #[case] status: u16) {
    let knobs = ReferenceKnobs { post_handshake_auth, ..ReferenceKnobs::default() };
    let seen = run_one(knobs, "strict", "renegotiation-required-dual").await;

    assert_eq!(seen.client_saw.status, Some(status), "{seen:?}");
    assert_eq!(seen.client_saw.answered_by, Some(Responder::Backend), "{seen:?}");
    assert_eq!(seen.gateway_causes, []);
}

#[tokio::test]
async fn method_query_and_headers_pass_both_ways() {
    let pki = pki();
    let backends = [catalogue().backend("plain-good").unwrap()];
    let fleet = Fleet::start(&backends, &pki, &FleetOptions::default()).await.unwrap();
    let named = |name: &str| name.to_owned();
    let mut plan = GatewayPlan::new(
        vec![(named("default"), catalogue().listener("default").unwrap().clone())],
        vec![(named("strict"), catalogue().upstream("strict").unwrap().clone())],
        Arc::clone(&pki),
        Limits::default(),
    );
    let path = plan.add_route("strict", fleet.backends()[0].address(), LONG, LONG).path.clone();
    let gateway = Reference::start(&plan, ReferenceKnobs::default()).await.unwrap();

    let deadline = Instant::now() + LONG;
    let dialer = Dialer::new(&DialerSettings::sound(GATEWAY_NAME, &pki)).unwrap();
    let dialed = dialer.dial(gateway.listener("default").unwrap(), deadline).await.unwrap();
    let request = Request::post(format!("{path}deep/er?a=b"))
        .header("host", GATEWAY_NAME)
        .header("x-gauntlet-nonce", nonce(1))
        .body(Full::from(vec![b'x'; 200_000]))
        .unwrap();
    let answer = dialed.call(request, deadline).await.unwrap();

    assert_eq!(answer.head.status, 200);
    assert_eq!(answer.head.headers["x-gauntlet-backend"], "plain-good");
    let echo: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&echo["method"], &echo["nonce"]), (&"POST".into(), &nonce(1).into()), "{echo}");
    assert_eq!(echo["path"], format!("{path}deep/er"));
    assert_eq!(gateway.stop().await.len(), 1);
}
