//! Who is asked for a client certificate late, as the embedded gateway lists it and as curl sees it: bodies of any size,
//! connections that are kept, HTTP/2.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

mod tool;
mod world;

use std::{fs, net::SocketAddr};

use rstest::rstest;
use tempfile::TempDir;
use tls_gauntlet::{gateway::GATEWAY_NAME, late::LateReport};
use tls_gauntlet_certs::ClientCertificate;
use tls_gauntlet_scenarios::{ListenerProfile, catalogue};
use tokio::process::Command;

use tool::{is_installed, run};
use world::{World, listener};

const NONCE: &str = "n-0000000000000001";

/// API Management with a listener that asks late, one that asks in the handshake, and one that asks late and speaks HTTP/2.
struct Asked {
    world: World,
    folder: TempDir,
}

impl Asked {
    async fn new(profile: &str) -> Self {
        let (_, late) = listener("client-cert-on-demand");
        let (_, required) = listener("client-cert-required");
        let h2 = ListenerProfile { protocols: vec!["h2".to_owned(), "http/1.1".to_owned()], ..late.clone() };
        let listeners = [("late", late), ("required", required), ("h2", h2)];
        let listeners = listeners.map(|(name, profile)| (name.to_owned(), profile)).into();
        let profile = catalogue().profile(profile).unwrap();
        let world = World::imitating(&profile, listeners, "plain-good").await;

        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("root.pem"), world.pki.server_root().to_pem().unwrap()).unwrap();
        let identity = world.pki.client(ClientCertificate::Good).unwrap();
        let pem = identity.chain_pem() + &identity.key_pem();
        fs::write(folder.path().join("good.pem"), pem).unwrap();
        fs::write(folder.path().join("body"), vec![b'x'; 200_000]).unwrap();
        Self { world, folder }
    }

    /// One run of curl with the good certificate; it asks for each of these paths. Its last lines say for each what came
    /// of it: status, version of HTTP, new connections.
    async fn curl(&self, listener: &str, options: &str, paths: &[&str]) -> Vec<String> {
        let address: SocketAddr = self.world.gateway.listener(listener).unwrap();
        let folder = self.folder.path().display().to_string();
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--show-error", "--noproxy", "*", "--output", "/dev/null"])
            .args(["--cacert", &format!("{folder}/root.pem"), "--cert", &format!("{folder}/good.pem")])
            .args(["--resolve", &format!("{GATEWAY_NAME}:{}:127.0.0.1", address.port())])
            .args(["--write-out", "%{http_code} %{http_version} %{num_connects}\n"])
            .args(options.replace("{folder}", &folder).split_whitespace());
        for path in paths {
            command.arg(format!("https://{GATEWAY_NAME}:{}{}{NONCE}{path}", address.port(), self.world.path));
        }
        // Each URL wants a file of its own for what it brings.
        command.args(paths.iter().skip(1).flat_map(|_| ["--output", "/dev/null"]));
        let said = run(command, "").await;
        said.out.lines().map(str::to_owned).collect()
    }

    fn late(&self) -> LateReport {
        LateReport::of_log(self.world.gateway.log().iter().map(String::as_str)).unwrap()
    }

    /// `POST /orders: TLSv1.2 HTTP/1.1 given 2` for each line of the list.
    fn listed(&self) -> Vec<String> {
        let LateReport { operations, .. } = self.late();
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
    let asked = Asked::new("azure-apim-classic@2025-08").await;
    assert_eq!(asked.curl("required", "--tls-max 1.2", &["/users"]).await, ["200 1.1 1"]);
    assert!(asked.late().safe);
    assert_eq!(asked.curl("late", "--tls-max 1.2", &["/orders"]).await, ["200 1.1 1"]);
    let body = "--tls-max 1.2 --data-binary @{folder}/body";
    assert_eq!(asked.curl("late", body, &["/orders?page=2"]).await, ["200 1.1 1"]);
    assert_eq!(asked.curl("late", "--tlsv1.3", &["/orders"]).await, ["403 1.1 1"]);

    let late = asked.late();
    assert_eq!((late.requests, late.safe, late.operations.len()), (4, false, 2));
    assert_eq!(
        asked.listed(),
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
    let asked = Asked::new("azure-apim-classic@2025-08").await;
    let answers = asked.curl("late", &format!("--tls-max 1.2 {body}"), &["/first", "/second"]).await;
    assert_eq!(answers, ["200 1.1 1", "200 1.1 0"]);
    let method = if body.is_empty() { "GET" } else { "POST" };
    assert_eq!(asked.listed(), [format!("{method} /first: TLSv1.2 HTTP/1.1 given 1")]);
}

/// Once HTTP/2 is spoken nobody may renegotiate (RFC 9113 9.2.1).
#[tokio::test]
async fn over_http2_nobody_is_asked() {
    if !is_installed("curl") {
        return;
    }
    let asked = Asked::new("azure-apim-classic@2025-08").await;
    let options = "--http2 --tls-max 1.2 --data-binary @{folder}/body";
    assert_eq!(asked.curl("h2", options, &["/orders"]).await, ["403 2 1"]);
    assert_eq!(asked.curl("h2", "--http1.1 --tls-max 1.2", &["/orders"]).await, ["200 1.1 1"]);
    assert_eq!(
        asked.listed(),
        ["GET /orders: TLSv1.2 HTTP/1.1 given 1", "POST /orders: TLSv1.2 HTTP/2.0 not-asked 1"]
    );
}
