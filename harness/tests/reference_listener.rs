//! The client leg of the reference gateway: who gets in, who does not, and what each side says about it.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

mod world;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rstest::rstest;
use tls_gauntlet::{
    client::{ClientTrust, Probe, Target},
    gateway::{
        GATEWAY_NAME, GatewayPlan,
        reference::{Reference, ReferenceKnobs, cause_in, claims},
    },
    limits::Limits,
};
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::{
    Alert, Cause, ClaimName, ClientSaw, Ended, Phase, Responder, TlsVersion, catalogue,
};

use world::pki;

const NONCE: &str = "n-1";

struct World {
    pki: Arc<Pki>,
    gateway: Reference,
    path: String,
}

impl World {
    /// Every listener of the catalogue, and one route to a port where nobody listens: a client that gets in is
    /// answered with 502.
    async fn new(knobs: ReferenceKnobs) -> Self {
        let pki = pki();
        let listeners = catalogue().listeners().map(|(name, profile)| (name.to_owned(), profile.clone()));
        let upstreams = catalogue().upstreams().map(|(name, profile)| (name.to_owned(), profile.clone()));
        let mut plan =
            GatewayPlan::new(listeners.collect(), upstreams.collect(), Arc::clone(&pki), Limits::default());
        let nobody = (Ipv4Addr::LOCALHOST, 1).into();
        let wait = Duration::from_secs(20);
        let path = plan.add_route("strict", nobody, wait, wait).path.clone();
        Self { gateway: Reference::start(&plan, knobs).await.unwrap(), pki, path }
    }

    async fn get(&self, client: &str, listener: &str) -> ClientSaw {
        let trust = ClientTrust::ours(&self.pki, GATEWAY_NAME);
        let profile = catalogue().client(client).unwrap();
        let probe = Probe::for_client(profile, &trust, &self.pki, Limits::default()).unwrap();
        let path = format!("{}{NONCE}", self.path);
        probe.get(&target(self.gateway.listener(listener).unwrap(), path)).await
    }
}

fn target(address: SocketAddr, path: String) -> Target {
    Target { address, host: GATEWAY_NAME.to_owned(), path, nonce: NONCE.to_owned() }
}

#[rstest]
#[case("default", "default", TlsVersion::Tls13)]
#[case("tls12-only", "default", TlsVersion::Tls12)]
#[case("tls10-only", "legacy", TlsVersion::Tls10)]
#[case("tls11-only", "legacy", TlsVersion::Tls11)]
#[case("default", "tls12-only", TlsVersion::Tls12)]
#[case("default", "tls13-only", TlsVersion::Tls13)]
#[case("no-sni", "default", TlsVersion::Tls13)]
#[case("wrong-sni", "default", TlsVersion::Tls13)]
#[case("no-client-cert", "client-cert-optional", TlsVersion::Tls13)]
#[case("good-client-cert", "client-cert-optional", TlsVersion::Tls13)]
#[case("good-client-cert", "client-cert-required", TlsVersion::Tls13)]
#[case("good-client-cert", "client-cert-unrevoked", TlsVersion::Tls13)]
#[case("revoked-client-cert", "client-cert-required", TlsVersion::Tls13)]
#[case("weak-client-cert", "client-cert-required", TlsVersion::Tls13)]
#[case("untrusted-client-cert", "default", TlsVersion::Tls13)]
#[case("h2-and-h1", "h2-and-h1", TlsVersion::Tls13)]
#[case("h2-only", "h2-only", TlsVersion::Tls13)]
#[case("h1-only", "h2-and-h1", TlsVersion::Tls13)]
#[case("h2-and-h1", "default", TlsVersion::Tls13)]
#[tokio::test]
async fn lets_sound_clients_in(
    #[case] client: &str,
    #[case] listener: &str,
    #[case] version: TlsVersion,
    #[values(None, Some(403))] client_certificate_status: Option<u16>,
) {
    let world = World::new(ReferenceKnobs { client_certificate_status, ..ReferenceKnobs::default() }).await;
    let saw = world.get(client, listener).await;

    assert_eq!((saw.status, saw.answered_by), (Some(502), Some(Responder::Gateway)), "{saw:?}");
    assert_eq!((saw.tls_version, saw.complete, saw.phase), (Some(version), true, Phase::Close));
    assert_eq!(saw.certificate_requested, listener.starts_with("client-cert"));
    let agreed = (listener != "default").then(|| &*catalogue().client(client).unwrap().protocols);
    assert_eq!(saw.alpn.as_ref(), agreed.and_then(|protocols| protocols.first()));

    let log = world.gateway.stop().await;
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains(NONCE), "{log:?}");
    assert_eq!(cause_in(&log[0]), Some(Cause::ConnectionRefused));
}

#[rstest]
#[case("tls10-only", "default", Cause::NoCommonVersion)]
#[case("tls12-only", "tls13-only", Cause::NoCommonVersion)]
#[case("tls13-only", "tls12-only", Cause::NoCommonVersion)]
#[case("no-client-cert", "client-cert-required", Cause::ClientCertMissing)]
#[case("untrusted-client-cert", "client-cert-required", Cause::ClientCertUntrusted)]
#[case("untrusted-client-cert", "client-cert-optional", Cause::ClientCertUntrusted)]
#[case("expired-client-cert", "client-cert-required", Cause::ClientCertExpired)]
#[case("expired-client-cert", "client-cert-optional", Cause::ClientCertExpired)]
#[case("not-yet-valid-client-cert", "client-cert-required", Cause::ClientCertNotYetValid)]
#[case("wrong-usage-client-cert", "client-cert-required", Cause::ClientCertWrongUsage)]
#[case("revoked-client-cert", "client-cert-unrevoked", Cause::ClientCertRevoked)]
#[case("revoked-intermediate-client-cert", "client-cert-unrevoked", Cause::ClientCertRevoked)]
#[case("client-cert-of-server-ca", "client-cert-required", Cause::ClientCertUntrusted)]
#[case("h1-only", "h2-only", Cause::AlpnMismatch)]
#[case("h2-only", "h1-only", Cause::AlpnMismatch)]
#[case("unknown-protocol", "h2-and-h1", Cause::AlpnMismatch)]
#[tokio::test]
async fn refuses_flawed_clients_with_the_alert_it_claims(
    #[case] client: &str,
    #[case] listener: &str,
    #[case] cause: Cause,
) {
    let world = World::new(ReferenceKnobs::default()).await;
    let saw = world.get(client, listener).await;

    let claims = claims(ReferenceKnobs::default()).listener.alert;
    let fits = |line: &&_| {
        let tls_gauntlet_scenarios::AlertClaim { causes, tls_version, .. } = line;
        causes.contains(&cause) && tls_version.is_none_or(|version| Some(version) == saw.tls_version)
    };
    assert_eq!(claims.iter().find(fits).unwrap().alerts, [saw.alert.unwrap()], "{saw:?}");
    assert_eq!((saw.phase, saw.ended), (Phase::Handshake, Some(Ended::AlertReceived)));

    let log = world.gateway.stop().await;
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(cause_in(&log[0]), Some(cause), "{log:?}");
    assert!(log[0].contains(&format!("listener={listener} ")), "{log:?}");
    assert!(log[0].contains(" party=gateway "), "{log:?}");
}

#[rstest]
#[case("no-client-cert", "client-cert-required", Cause::ClientCertMissing)]
#[case("untrusted-client-cert", "client-cert-required", Cause::ClientCertUntrusted)]
#[case("expired-client-cert", "client-cert-optional", Cause::ClientCertExpired)]
#[tokio::test]
async fn can_refuse_client_certificates_in_http(
    #[case] client: &str,
    #[case] listener: &str,
    #[case] cause: Cause,
) {
    let knobs = ReferenceKnobs { client_certificate_status: Some(403), ..ReferenceKnobs::default() };
    let world = World::new(knobs).await;
    let saw = world.get(client, listener).await;

    assert_eq!((saw.status, saw.answered_by), (Some(403), Some(Responder::Gateway)), "{saw:?}");
    assert_eq!(saw.alert, None);
    let log = world.gateway.stop().await;
    assert_eq!(log.iter().map(|line| cause_in(line)).collect::<Vec<_>>(), [Some(cause)], "{log:?}");
    assert!(log[0].contains(NONCE), "{log:?}");
}

#[tokio::test]
async fn closes_on_http_without_tls() {
    let world = World::new(ReferenceKnobs::default()).await;
    let saw = world.get("plaintext", "default").await;

    assert_eq!((saw.status, saw.tls_version), (None, None), "{saw:?}");
    assert_eq!(saw.ended, Some(Ended::ClosedByPeer), "{saw:?}");
    let log = world.gateway.stop().await;
    assert_eq!(log.iter().map(|line| cause_in(line)).collect::<Vec<_>>(), [Some(Cause::NotTls)], "{log:?}");
}

#[tokio::test]
async fn tells_why_a_client_went_away() {
    let world = World::new(ReferenceKnobs::default()).await;
    let trust = ClientTrust { root: Some(world.pki.untrusted_root().clone()), name: GATEWAY_NAME.to_owned() };
    let profile = catalogue().client("default").unwrap();
    let probe = Probe::for_client(profile, &trust, &world.pki, Limits::default()).unwrap();
    let saw = probe.get(&target(world.gateway.listener("default").unwrap(), "/".to_owned())).await;

    assert_eq!(saw.refused_because, Some(Cause::ServerCertUntrusted), "{saw:?}");
    assert_eq!(saw.alert_sent, Some(Alert::UnknownCa));
    let log = world.gateway.stop().await;
    assert_eq!(cause_in(&log[0]), Some(Cause::ServerCertUntrusted), "{log:?}");
    assert!(log[0].contains(" party=client "), "{log:?}");
}

#[tokio::test]
async fn a_path_without_a_route_is_not_found() {
    let world = World::new(ReferenceKnobs::default()).await;
    let trust = ClientTrust::ours(&world.pki, GATEWAY_NAME);
    let profile = catalogue().client("default").unwrap();
    let probe = Probe::for_client(profile, &trust, &world.pki, Limits::default()).unwrap();
    let address = world.gateway.listener("default").unwrap();
    let saw = probe.get(&target(address, format!("/nowhere/{NONCE}"))).await;

    assert_eq!((saw.status, saw.answered_by), (Some(404), Some(Responder::Gateway)), "{saw:?}");
    let log = world.gateway.stop().await;
    assert_eq!(
        log,
        [format!("nonce={NONCE} path=/nowhere/{NONCE} status=404 party=gateway error=\"no route\"")]
    );
}

#[tokio::test]
async fn is_gone_when_dropped() {
    let world = World::new(ReferenceKnobs::default()).await;
    assert_eq!(world.get("default", "default").await.status, Some(502));
    let World { pki, gateway, path } = world;
    let address = gateway.listener("default").unwrap();
    drop(gateway);
    // The runtime closes the port when it next runs the aborted task.
    tokio::task::yield_now().await;

    let profile = catalogue().client("default").unwrap();
    let trust = ClientTrust::ours(&pki, GATEWAY_NAME);
    let saw = Probe::for_client(profile, &trust, &pki, Limits::default())
        .unwrap()
        .get(&target(address, path))
        .await;
    assert_eq!(saw.phase, Phase::Connect, "{saw:?}");
}

#[test]
fn nothing_is_left_unclaimed() {
    let claims = claims(ReferenceKnobs::default());
    let made = toml::Value::try_from(&claims).unwrap();
    for name in ClaimName::ALL {
        let claim = name.as_str().split('.').try_fold(&made, |table, key| table.get(key));
        assert!(claim.is_some(), "{name}");
    }
    assert!(claims.status.iter().any(|line| line.causes.is_empty()), "a status for every cause");
}

/// By the HelloRequest, whether or not the client then follows.
#[rstest]
#[case("renegotiating", "client-cert-on-demand", true)]
#[case("refuses-renegotiation", "client-cert-on-demand", true)]
#[case("tls13-only", "client-cert-on-demand", false)]
#[case("renegotiating", "client-cert-required", false)]
#[case("good-client-cert", "client-cert-required", false)]
#[tokio::test]
async fn a_client_knows_that_it_was_asked_late(
    #[case] client: &str,
    #[case] listener: &str,
    #[case] late: bool,
) {
    let saw = World::new(ReferenceKnobs::default()).await.get(client, listener).await;
    assert_eq!(saw.asked_late, late, "{saw:?}");
}
