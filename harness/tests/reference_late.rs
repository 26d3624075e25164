//! Who is asked for a client certificate late, as the embedded gateway lists it and as curl sees it: bodies of any size,
//! connections that are kept, HTTP/2.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

mod tool;

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use rstest::rstest;
use tempfile::TempDir;
use time::OffsetDateTime;
use tls_gauntlet::{
    backend::{Fleet, FleetOptions},
    gateway::{GATEWAY_NAME, GatewayPlan, reference::Reference},
    late::LateReport,
    limits::Limits,
};
use tls_gauntlet_certs::{ClientRecipe, Pki};
use tls_gauntlet_scenarios::{ListenerProfile, catalogue};
use tokio::process::Command;

use tool::{is_installed, run};

const LONG: Duration = Duration::from_secs(30);

/// API Management with a listener that asks late, one that asks in the handshake, and one that asks late and speaks HTTP/2.
struct World {
    gateway: Reference,
    _fleet: Fleet,
    path: String,
    folder: TempDir,
}

impl World {
    async fn new(profile: &str) -> Self {
        #[allow(
            clippy::disallowed_methods,
            reason = "certificates must be valid by the clock that OpenSSL reads"
        )]
        let now = OffsetDateTime::now_utc();
        let pki = Arc::new(Pki::new(7, now).unwrap());
        let backends = [catalogue().backend("plain-good").unwrap()];
        let fleet = Fleet::start(&backends, &pki, &FleetOptions::default()).await.unwrap();
        let known = |name: &str| catalogue().listener(name).unwrap().clone();
        let late = known("client-cert-on-demand");
        let h2 = ListenerProfile { protocols: vec!["h2".to_owned(), "http/1.1".to_owned()], ..late.clone() };
        let required = known("client-cert-required");
        let listeners = [("late", late), ("required", required), ("h2", h2)];
        let mut plan = GatewayPlan::new(
            listeners.map(|(name, profile)| (name.to_owned(), profile)).into(),
            vec![("strict".to_owned(), catalogue().upstream("strict").unwrap().clone())],
            Arc::clone(&pki),
            Limits::default(),
        );
        let path = plan.add_route("strict", fleet.backends()[0].address(), LONG, LONG).path.clone();
        let gateway = Reference::imitate(&plan, &catalogue().profile(profile).unwrap()).await.unwrap();

        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("root.pem"), pki.server_root().to_pem().unwrap()).unwrap();
        let identity = pki.client(ClientRecipe::Good).unwrap();
        let pem = identity.chain_pem() + &identity.key_pem();
        fs::write(folder.path().join("good.pem"), pem).unwrap();
        fs::write(folder.path().join("body"), vec![b'x'; 200_000]).unwrap();
        Self { gateway, _fleet: fleet, path: format!("{path}n-0000000000000001"), folder }
    }

    /// One run of curl with the good certificate; it asks for each of these paths. Its last lines say for each what came
    /// of it: status, version of HTTP, new connections.
    async fn curl(&self, listener: &str, options: &str, paths: &[&str]) -> Vec<String> {
        let address: SocketAddr = self.gateway.listener(listener).unwrap();
        let folder = self.folder.path().display().to_string();
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--show-error", "--noproxy", "*", "--output", "/dev/null"])
            .args(["--cacert", &format!("{folder}/root.pem"), "--cert", &format!("{folder}/good.pem")])
            .args(["--resolve", &format!("{GATEWAY_NAME}:{}:127.0.0.1", address.port())])
            .args(["--write-out", "%{http_code} %{http_version} %{num_connects}\n"])
            .args(options.replace("{folder}", &folder).split_whitespace());
        for path in paths {
            command.arg(format!("https://{GATEWAY_NAME}:{}{}{path}", address.port(), self.path));
        }
        // Each URL wants a file of its own for what it brings.
        command.args(paths.iter().skip(1).flat_map(|_| ["--output", "/dev/null"]));
        let said = run(command, "").await;
        said.out.lines().map(str::to_owned).collect()
    }

    /// `POST /orders: TLSv1.2 HTTP/1.1 given 2` for each line of the list.
    fn listed(&self) -> Vec<String> {
        let LateReport { operations, .. } = self.gateway.late().unwrap();
        let lines = operations.iter().flat_map(|operation| {
            operation.demands.iter().map(move |tally| {
                format!(
                    "{} {}: {} {} {} {}",
                    operation.method,
                    operation.path,
                    tally.tls_version,
                    tally.http_version,
                    tally.outcome,
                    tally.times
                )
            })
        });
        lines.collect()
    }
}

/// A certificate that came in the handshake is none that was asked for late.
#[tokio::test]
async fn the_list_has_the_operations_that_renegotiated_and_no_other() {
    if !is_installed("curl") {
        return;
    }
    let world = World::new("azure-apim-classic@2025-08").await;
    assert_eq!(world.curl("required", "--tls-max 1.2", &["/users"]).await, ["200 1.1 1"]);
    assert!(world.gateway.late().unwrap().safe);
    assert_eq!(world.curl("late", "--tls-max 1.2", &["/orders"]).await, ["200 1.1 1"]);
    let body = "--tls-max 1.2 --data-binary @{folder}/body";
    assert_eq!(world.curl("late", body, &["/orders?page=2"]).await, ["200 1.1 1"]);
    assert_eq!(world.curl("late", "--tlsv1.3", &["/orders"]).await, ["403 1.1 1"]);

    let late = world.gateway.late().unwrap();
    assert_eq!((late.requests, late.safe, late.operations.len()), (4, false, 2));
    assert_eq!(
        world.listed(),
        [
            "GET /orders: TLSv1.2 HTTP/1.1 given 1",
            "GET /orders: TLSv1.3 HTTP/1.1 not-asked 1",
            "POST /orders: TLSv1.2 HTTP/1.1 given 1",
        ]
    );
}

/// Whoever has shown a certificate is not asked again on the same connection.
#[rstest]
#[case("")]
#[case("--data-binary @{folder}/body")]
#[tokio::test]
async fn a_connection_that_is_kept_is_asked_once(#[case] body: &str) {
    if !is_installed("curl") {
        return;
    }
    let world = World::new("azure-apim-classic@2025-08").await;
    let answers = world.curl("late", &format!("--tls-max 1.2 {body}"), &["/first", "/second"]).await;
    assert_eq!(answers, ["200 1.1 1", "200 1.1 0"]);
    let method = if body.is_empty() { "GET" } else { "POST" };
    assert_eq!(world.listed(), [format!("{method} /first: TLSv1.2 HTTP/1.1 given 1")]);
}

/// Once HTTP/2 is spoken nobody may renegotiate (RFC 9113 9.2.1).
#[tokio::test]
async fn over_http2_nobody_is_asked() {
    if !is_installed("curl") {
        return;
    }
    let world = World::new("azure-apim-classic@2025-08").await;
    let options = "--http2 --tls-max 1.2 --data-binary @{folder}/body";
    assert_eq!(world.curl("h2", options, &["/orders"]).await, ["403 2 1"]);
    assert_eq!(world.curl("h2", "--http1.1 --tls-max 1.2", &["/orders"]).await, ["200 1.1 1"]);
    assert_eq!(
        world.listed(),
        ["GET /orders: TLSv1.2 HTTP/1.1 given 1", "POST /orders: TLSv1.2 HTTP/2.0 not-asked 1"]
    );
}
