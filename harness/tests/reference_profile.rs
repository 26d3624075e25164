//! The embedded gateway as it imitates one somewhere else: what its failures look like, what its log says, and how it
//! asks for a client certificate late.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

mod world;

use std::{net::SocketAddr, sync::Arc};

use http_body_util::Full;
use hyper::Request;
use rstest::rstest;
use serde_json::Value;
use tls_gauntlet::{
    client::{Answer, Dialer, DialerSettings, Failure},
    gateway::{
        GATEWAY_NAME, GatewayPlan,
        reference::{Reference, cause_in},
    },
    limits::Limits,
};
use tls_gauntlet_certs::{ClientCertificate, Pki};
use tls_gauntlet_scenarios::{BackendSaw, Cause, TlsVersion, Versions, catalogue};
use tokio::time::Instant;

use world::{LONG, World, listener};

const NONCE: &str = "n-0000000000000001";

impl World {
    async fn new(profile: &str, name: &str, backend: &str) -> Self {
        Self::imitating(&catalogue().profile(profile).unwrap(), vec![listener(name)], backend).await
    }

    fn address(&self, listener: &str) -> SocketAddr {
        self.gateway.listener(listener).unwrap()
    }

    fn settings(&self) -> DialerSettings {
        DialerSettings::sound(GATEWAY_NAME, &self.pki)
    }

    /// POSTs this many bytes.
    async fn post(&self, settings: &DialerSettings, listener: &str, bytes: usize) -> Result<Answer, Failure> {
        let deadline = Instant::now() + LONG;
        let dialed = Dialer::new(settings).unwrap().dial(self.address(listener), deadline).await?;
        let request = Request::post(format!("{}{NONCE}/orders/7", self.path))
            .header("host", GATEWAY_NAME)
            .header("x-gauntlet-nonce", NONCE)
            .body(Full::from(vec![b'x'; bytes]))
            .unwrap();
        dialed.call(request, deadline).await
    }

    /// What the gateway said and the backend saw.
    async fn end(self) -> (Vec<String>, Vec<BackendSaw>) {
        let log = self.gateway.stop().await;
        (log, self.fleet.finish().await.remove(0))
    }
}

#[rstest]
#[case("tls13-only", Cause::NoCommonVersion, "Could not create SSL/TLS secure channel.")]
#[case("self-signed", Cause::ServerCertUntrusted, "Could not establish trust relationship")]
#[tokio::test]
async fn a_failure_tells_the_client_nothing_and_the_log_everything(
    #[case] backend: &str,
    #[case] cause: Cause,
    #[case] text: &str,
) {
    let world = World::new("azure-apim-classic@2025-08", "default", backend).await;
    let answer = world.post(&world.settings(), "default", 0).await.unwrap();

    assert_eq!(answer.head.status, 500);
    assert_eq!(answer.head.headers["content-type"], "application/json");
    assert_eq!(answer.head.headers["content-length"], "111");
    assert!(answer.head.headers["request-context"].to_str().unwrap().starts_with("appId=cid-v1:"));
    let body = String::from_utf8(answer.body.to_vec()).unwrap();
    let parsed: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&parsed["statusCode"], &parsed["message"]), (&500.into(), &"Internal server error".into()));
    for word in ["TLS", "SSL", "certificate", "alert"] {
        assert!(!body.contains(word), "{word} in {body}");
    }

    let (log, _) = world.end().await;
    let line: Value = serde_json::from_str(&log[0]).unwrap();
    assert_eq!(cause_in(&log[0]), Some(cause));
    assert_eq!(line["OperationId"], "POST /orders/7");
    assert_eq!(line["IsRequestSuccess"], false);
    assert_eq!(line["ClientTlsVersion"], "TLSv1.3");
    assert_eq!(line["LastErrorSource"], "forward-request");
    assert_eq!(line["LastErrorReason"], "BackendConnectionFailure");
    let message = line["LastErrorMessage"].as_str().unwrap();
    assert!(message.starts_with("Error occured while calling backend service.") && message.contains(text));
}

/// The body comes first, whatever its size: a gateway that renegotiates in the middle of one waits for ever.
#[rstest]
#[tokio::test]
async fn a_late_certificate_comes_over_tls12_with_bodies_of_any_size(
    #[values(0, 60_000, 100_000, 200_000)] bytes: usize,
) {
    let listener = "client-cert-on-demand";
    let world = World::new("azure-apim-classic@2025-08", listener, "plain-good").await;
    let identity = Some(world.pki.client(ClientCertificate::Good).unwrap());
    let settings =
        DialerSettings { versions: Versions::of(&[TlsVersion::Tls12]), identity, ..world.settings() };
    assert_eq!(world.post(&settings, listener, bytes).await.unwrap().head.status, 200);
    let (_, saw) = world.end().await;
    assert_eq!(saw[0].requests, 1);
}

#[rstest]
#[case::over_tls13("azure-apim-classic@2025-08", TlsVersion::Tls13)]
#[case::where_nobody_renegotiates("azure-apim-v2@2025-08", TlsVersion::Tls12)]
#[tokio::test]
async fn a_late_certificate_never_comes(#[case] profile: &str, #[case] version: TlsVersion) {
    let listener = "client-cert-on-demand";
    let world = World::new(profile, listener, "plain-good").await;
    let identity = Some(world.pki.client(ClientCertificate::Good).unwrap());
    let settings = DialerSettings { versions: Versions::of(&[version]), identity, ..world.settings() };
    assert_eq!(world.post(&settings, listener, 10).await.unwrap().head.status, 403);
    let (log, saw) = world.end().await;
    assert_eq!(cause_in(&log[0]), Some(Cause::ClientCertMissing));
    assert!(saw.is_empty(), "the backend hears nothing of it");
}

#[rstest]
#[case(ClientCertificate::Expired, Cause::ClientCertExpired)]
#[case(ClientCertificate::Untrusted, Cause::ClientCertUntrusted)]
#[tokio::test]
async fn a_late_certificate_is_looked_at(#[case] recipe: ClientCertificate, #[case] cause: Cause) {
    let listener = "client-cert-on-demand";
    let world = World::new("azure-apim-classic@2025-08", listener, "plain-good").await;
    let identity = Some(world.pki.client(recipe).unwrap());
    let versions = Versions::of(&[TlsVersion::Tls12]);
    let settings = DialerSettings { versions, identity, ..world.settings() };
    assert_eq!(world.post(&settings, listener, 10).await.unwrap().head.status, 403);
    let (log, saw) = world.end().await;
    assert_eq!(cause_in(&log[0]), Some(cause));
    assert!(saw.is_empty(), "the backend hears nothing of it");
}

#[test]
fn a_listener_beyond_the_profile_is_an_error_that_names_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let profile = catalogue().profile("azure-apim-v2@2025-08").unwrap();
    let pki = Arc::new(Pki::new(7, time::macros::datetime!(2026-03-01 12:00 UTC)).unwrap());
    let listeners = vec![("tls13-only".to_owned(), catalogue().listener("tls13-only").unwrap().clone())];
    let plan = GatewayPlan::new(listeners, Vec::new(), pki, Limits::default());
    let error = runtime.block_on(Reference::imitate(&plan, &profile)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the listener \"tls13-only\" asks for TLSv1.3, and clients get no more than TLSv1.2"
    );
}
