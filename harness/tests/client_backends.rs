//! The probe against every backend, set up as every upstream: what it sees is what the model says.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

mod world;

use std::time::Duration;

use rstest::rstest;
use tls_gauntlet::{
    backend::{Fleet, FleetOptions, SERVER_NAME},
    client::{Probe, Target},
    limits::Limits,
};
use tls_gauntlet_scenarios::{
    BackendSaw, Cause, Claims, ClientSaw, Diagnosis, Evidence, FaultAction, Phase, Responder, TlsVersion,
    Verdict, catalogue, judge, model,
};

use world::pki;

/// One call of each backend by a client that is set up as the upstream of the same place.
async fn call(cells: &[(&str, &str)]) -> Vec<(ClientSaw, Vec<BackendSaw>)> {
    let pki = pki();
    let backends: Vec<_> = cells.iter().map(|(_, name)| catalogue().backend(name).unwrap()).collect();
    let fleet = Fleet::start(&backends, &pki, &FleetOptions::default()).await.unwrap();
    let mut saw = Vec::new();
    for (number, ((upstream, _), backend)) in cells.iter().zip(fleet.backends()).enumerate() {
        let stalls = backend.profile().fault.is_some_and(|fault| fault.does == FaultAction::Stall);
        // Long enough for all the others to be served beside it.
        let call = if stalls { Duration::from_secs(5) } else { Limits::default().call };
        let limits = Limits { call, ..Limits::default() };
        let profile = catalogue().upstream(upstream).unwrap();
        let probe = Probe::for_upstream(profile, SERVER_NAME, &pki, limits).unwrap();
        let nonce = format!("n-{number:016x}");
        let target = Target {
            address: backend.address(),
            host: SERVER_NAME.to_owned(),
            path: format!("/{nonce}"),
            nonce,
        };
        saw.push(tokio::spawn(async move { probe.get(&target).await }));
    }
    let mut clients = Vec::new();
    for task in saw {
        clients.push(task.await.unwrap());
    }
    clients.into_iter().zip(fleet.finish().await).collect()
}

async fn call_one(upstream: &str, backend: &str) -> (ClientSaw, Vec<BackendSaw>) {
    call(&[(upstream, backend)]).await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn sees_of_every_backend_what_the_model_says() {
    let scenarios = catalogue().scenarios("upstream").unwrap();
    let cells: Vec<_> = scenarios.iter().map(|one| (&*one.upstream.name, &*one.backend.name)).collect();
    let mut wrong = Vec::new();
    for ((upstream, backend), (client_saw, backend_saw)) in cells.iter().zip(call(&cells).await) {
        let profile = catalogue().upstream(upstream).unwrap();
        let composed = catalogue().backend(backend).unwrap();
        let expected = model::expect_direct(profile, &composed, &Claims::openssl_client()).unwrap();
        let evidence = Evidence { client_saw, backend_saw, ..Evidence::default() };
        let verdict = judge::judge(&expected, &Diagnosis::of(&evidence, true), &evidence);
        if verdict != Verdict::Pass {
            wrong.push(format!(
                "{backend}/{upstream}: {verdict:?}\n  {:?}\n  {:?}",
                evidence.client_saw, evidence.backend_saw
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cells:\n{}", wrong.len(), cells.len(), wrong.join("\n"));
}

#[rstest]
#[case("strict", "renegotiation-required", TlsVersion::Tls12, 1)]
#[case("strict", "renegotiation-without-cert", TlsVersion::Tls12, 1)]
#[case("max-tls12", "renegotiation-required-dual", TlsVersion::Tls12, 1)]
#[case("strict", "renegotiation-required-dual", TlsVersion::Tls13, 0)]
#[case("strict", "post-handshake-auth-required", TlsVersion::Tls13, 0)]
#[tokio::test]
async fn follows_what_a_backend_asks_after_the_request(
    #[case] upstream: &str,
    #[case] backend: &str,
    #[case] version: TlsVersion,
    #[case] renegotiations: u32,
) {
    let (client, backend) = call_one(upstream, backend).await;

    assert_eq!((client.status, client.answered_by), (Some(200), Some(Responder::Backend)), "{client:?}");
    assert_eq!(client.tls_version, Some(version));
    let [seen] = &backend[..] else { panic!("not one connection: {backend:?}") };
    assert_eq!((seen.renegotiations, seen.requests), (renegotiations, 1), "{seen:?}");
}

#[rstest]
#[case("no-client-cert", "renegotiation-required", Phase::Request)]
#[case("wrong-client-cert", "renegotiation-required", Phase::Request)]
#[case("no-client-cert", "post-handshake-auth-required", Phase::Request)]
#[case("wrong-client-cert", "post-handshake-auth-required", Phase::Request)]
#[case("no-client-cert", "client-cert-required", Phase::Handshake)]
#[case("wrong-client-cert", "client-cert-required+tls12-only", Phase::Handshake)]
#[tokio::test]
async fn knows_in_which_phase_its_certificate_is_refused(
    #[case] upstream: &str,
    #[case] backend: &str,
    #[case] phase: Phase,
) {
    let (client, _) = call_one(upstream, backend).await;

    assert_eq!(client.phase, phase, "{client:?}");
    assert!(client.alert.is_some() && client.certificate_requested, "{client:?}");
}

#[tokio::test]
async fn a_response_that_is_cut_is_the_backends_but_not_complete() {
    let (client, _) = call_one("strict", "resets-in-response").await;

    assert_eq!((client.status, client.answered_by), (Some(200), Some(Responder::Backend)), "{client:?}");
    assert_eq!((client.complete, client.phase), (false, Phase::Response), "{client:?}");
}

#[tokio::test]
async fn an_expired_leaf_is_refused_with_its_cause() {
    let (client, backend) = call_one("strict", "expired-leaf").await;

    assert_eq!(client.refused_because, Some(Cause::ServerCertExpired), "{client:?}");
    assert_eq!(backend[0].alert_received, client.alert_sent);
}
