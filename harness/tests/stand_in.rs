//! A stand-in is one port after another backend, for clients that are not ours to change.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use tls_gauntlet::{
    Probe, StandIn, Target,
    scenarios::{Alert, Cause, Ended, catalogue},
};

async fn held() -> (StandIn, Probe, Target) {
    let stand_in = StandIn::hold("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let client = Probe::sound("localhost", stand_in.pki()).unwrap();
    let target = Target::at(stand_in.address());
    (stand_in, client, target)
}

async fn play(stand_in: &mut StandIn, backend: &str) {
    stand_in.play(&catalogue().backend(backend).unwrap()).await.unwrap();
}

#[tokio::test]
async fn one_port_plays_one_backend_after_another() {
    let (mut stand_in, client, target) = held().await;
    assert_eq!(client.get(&target).await.status, Some(200));
    play(&mut stand_in, "expired-leaf").await;
    assert_eq!(client.get(&target).await.refused_because, Some(Cause::ServerCertExpired));
    stand_in.settled().await;
    play(&mut stand_in, "plain-good").await;
    assert_eq!(client.get(&target).await.status, Some(200));
    stand_in.settled().await;
    let ledger = stand_in.ledger();
    assert_eq!(ledger.len(), 3);
    assert_eq!(ledger[1].alert_received, Some(Alert::CertificateExpired));
}

#[tokio::test]
async fn a_backend_that_does_not_listen_gives_the_port_back() {
    let (mut stand_in, client, target) = held().await;
    assert_eq!(client.get(&target).await.status, Some(200));
    for _ in 0..3 {
        play(&mut stand_in, "refuses-connection").await;
        let error = client.get(&target).await.error.unwrap();
        assert!(error.contains("refused"), "{error}");
        play(&mut stand_in, "plain-good").await;
        assert_eq!(client.get(&target).await.status, Some(200));
    }
}

#[tokio::test]
async fn no_connection_outlasts_the_backend_that_it_was_opened_to() {
    let (mut stand_in, _, target) = held().await;
    let idle = tokio::net::TcpStream::connect(target.address).await.unwrap();
    let mut live = stand_in.entries();
    while stand_in.live() == 0 {
        tokio::task::yield_now().await;
    }
    play(&mut stand_in, "tls13-only").await;
    assert_eq!(*live.borrow_and_update(), 1);
    assert_eq!(stand_in.ledger()[0].ended, Ended::Stopped);
    assert_eq!(idle.try_read(&mut [0; 1]).map_err(|error| error.kind()).unwrap_or(0), 0);
}
