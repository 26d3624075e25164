//! What the page of a fleet says that a sound client must do is what curl does.

#![allow(clippy::unwrap_used, reason = "clippy takes helpers of tests for no tests")]

mod tool;

use std::{fs, path::Path, sync::Arc};

use serde_json::Value;
use tempfile::TempDir;
use time::OffsetDateTime;
use tls_gauntlet::{
    Fleet,
    backend::{FleetOptions, Front},
    certs::{ClientCertificate, Pki},
    control::{Control, ControlOptions},
    scenarios::{Composed, catalogue},
};
use tokio::{process::Command, sync::Semaphore, task::JoinSet};
use tool::{is_installed, run};

/// What depends on the OpenSSL that curl has; `wildcard` on `*.localhost`, which OpenSSL finds too wide; and
/// `renegotiates-as-other-name` on curl, which compares the name after the first handshake alone.
const DEPEND_ON_CURL: [&str; 6] = [
    "x25519mlkem768-only",
    "secp256r1mlkem768-only",
    "ml-dsa-65",
    "wildcard",
    "ccm-only",
    "renegotiates-as-other-name",
];

/// Calls in flight.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_page_says_is_what_curl_meets() {
    if !is_installed("curl") {
        return;
    }
    #[allow(clippy::disallowed_methods, reason = "the certificates have to be valid today")]
    let now = OffsetDateTime::now_utc();
    let (pki, folder) = (Arc::new(Pki::new(11, now).unwrap()), TempDir::new().unwrap());
    let client = pki.client(ClientCertificate::Good).unwrap();
    fs::write(folder.path().join("ca.pem"), pki.server_root().to_pem().unwrap()).unwrap();
    fs::write(folder.path().join("client.pem"), client.chain_pem() + &client.key_pem()).unwrap();
    let plan: Vec<_> =
        catalogue().backends().map(|(name, _, profile)| Composed::single(name, profile)).collect();
    let names = vec!["localhost".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    let options = FleetOptions { names, ..FleetOptions::default() };
    let fleet = Fleet::start(&plan, &pki, &options).await.unwrap();
    let front = Arc::new(Front::start(&pki, &options).await.unwrap());
    let options = ControlOptions::new("127.0.0.1:0".parse().unwrap(), now);
    let control = Control::start(fleet, front, options).await.unwrap();

    let mut ask = Command::new("curl");
    ask.args(["--silent", "--noproxy", "*", &format!("{}/backends", control.url())]);
    let told: Vec<Value> = serde_json::from_str(&run(ask, "").await.out).unwrap();
    assert_eq!(told.len(), plan.len());
    let (turns, mut calls) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for backend in told.into_iter().filter(|backend| !DEPEND_ON_CURL.contains(&name(backend))) {
        let (turns, curl) = (Arc::clone(&turns), curl(&backend, folder.path()));
        calls.spawn(async move {
            let _turn = turns.acquire_owned().await;
            (backend, run(curl, "").await)
        });
    }
    let mut wrong = Vec::new();
    for (backend, said) in calls.join_all().await {
        let answered = said.code == Some(0) && said.out == "200";
        match backend["expect"]["outcome"].as_str().unwrap() {
            "answer" if answered => {}
            "refuse" | "fail" if !answered => {}
            "depends" => {}
            _ => wrong.push(format!("{}: {} and {said:?}", name(&backend), backend["expect"]["says"])),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn name(backend: &Value) -> &str {
    backend["name"].as_str().unwrap()
}

/// A call as any client makes it: what the line on the page has for old versions and weak suites is not there.
fn curl(backend: &Value, folder: &Path) -> Command {
    let line = backend["curl"].as_str().unwrap();
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--noproxy",
        "*",
        "--max-time",
        "5",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
    ]);
    curl.args(["--cacert", "ca.pem", "--cert", "client.pem"]).current_dir(folder);
    // Without these it follows neither a renegotiation nor post-handshake authentication.
    for (flag, value) in [("--http1.1", None), ("--tls-max", Some("1.2"))] {
        if line.contains(&[Some(flag), value].into_iter().flatten().collect::<Vec<_>>().join(" ")) {
            curl.args([Some(flag), value].into_iter().flatten());
        }
    }
    curl.arg(line.rsplit(' ').next().unwrap());
    curl
}
