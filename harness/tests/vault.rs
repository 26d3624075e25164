//! The store of certificates: put in and fetched by curl, read by the `openssl` command, and by the agent.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

use rstest::rstest;
use time::macros::datetime;
use tls_gauntlet::{
    certs::{ClientCertificate, Identity, PfxEncryption, Pki},
    limits::Limits,
    vault::{Agent, Material, Refresh, Vault},
};

fn identity(seed: u64) -> Arc<Identity> {
    let pki = Pki::new(seed, datetime!(2026-11-21 12:00 UTC)).unwrap();
    pki.client(ClientCertificate::Good).unwrap()
}

/// Whether curl and the `openssl` command are here.
fn has_tools() -> bool {
    ["curl", "openssl"].iter().all(|tool| Command::new(tool).arg("version").output().is_ok())
}

async fn run(program: &'static str, arguments: Vec<String>) -> Output {
    let ran = tokio::task::spawn_blocking(move || Command::new(program).args(arguments).output());
    ran.await.unwrap().unwrap()
}

/// What curl gets for these arguments: the status, and the body.
async fn curl(arguments: &[&str]) -> (String, String) {
    let own = ["-s", "-w", "\n%{http_code}"];
    let output = run("curl", own.iter().chain(arguments).map(|one| (*one).to_owned()).collect()).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = said.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

async fn upload(vault: &Vault, file: &Path, password: &str) -> (String, String) {
    let (url, password) =
        (format!("http://{}/certificates/client", vault.address()), format!("x-password: {password}"));
    curl(&["-T", &file.display().to_string(), "-H", &password, &url]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_puts_a_version_in_and_openssl_reads_what_comes_back() {
    if !has_tools() {
        return;
    }
    let (vault, dir) = (Vault::start().await.unwrap(), tempfile::tempdir().unwrap());
    let file = dir.path().join("client.pfx");
    fs::write(&file, identity(1).pfx("secret", PfxEncryption::Modern).unwrap()).unwrap();
    let (status, body) = upload(&vault, &file, "secret").await;
    assert_eq!((status.as_str(), body.trim()), ("201", r#"{"name":"client","version":1}"#));

    let back = dir.path().join("back.pfx").display().to_string();
    let url = format!("http://{}/certificates/client/current", vault.address());
    assert_eq!(curl(&["-o", &back, &url]).await.0, "200");
    let read = ["pkcs12", "-in", &back, "-nodes", "-passin", "pass:"].map(str::to_owned).to_vec();
    let output = run("openssl", read).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(Identity::from_pem(&output.stdout).unwrap().serial(), identity(1).serial());

    let (_, versions) = curl(&[&format!("http://{}/certificates/client", vault.address())]).await;
    let versions: serde_json::Value = serde_json::from_str(&versions).unwrap();
    assert_eq!(versions["versions"][0]["serial"], identity(1).serial());
    let (_, requests) = curl(&[&format!("http://{}/requests", vault.address())]).await;
    assert_eq!(requests.trim(), r#"[{"caller":"anonymous","certificate":"client","version":1}]"#);
}

#[rstest]
#[case::wrong_password("secret", PfxEncryption::Modern, "guess", "the password does not open it")]
#[case::legacy("secret", PfxEncryption::Legacy, "secret", "it is encrypted with RC2 or RC4")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_good_is_refused_when_it_is_put_in(
    #[case] password: &str,
    #[case] encryption: PfxEncryption,
    #[case] given: &str,
    #[case] words: &str,
) {
    if !has_tools() {
        return;
    }
    let (vault, dir) = (Vault::start().await.unwrap(), tempfile::tempdir().unwrap());
    let file = dir.path().join("client.pfx");
    fs::write(&file, identity(1).pfx(password, encryption).unwrap()).unwrap();
    let (status, body) = upload(&vault, &file, given).await;
    assert_eq!(status, "400");
    assert!(body.contains(words), "{body}");
    let url = format!("http://{}/certificates/client/current", vault.address());
    assert_eq!(curl(&[&url]).await.0, "404", "nothing is left for whoever asks");
}

#[tokio::test]
async fn of_two_callers_the_one_that_is_denied_keeps_what_it_has() {
    let vault = Vault::start().await.unwrap();
    let agent = |caller| Agent::new(vault.address(), caller, Limits::default());
    let (mut one, mut other) = (agent("one"), agent("other"));
    vault.store().put("client", Material::Identity(identity(1)));
    for agent in [&mut one, &mut other] {
        assert!(matches!(agent.refresh("client").await.unwrap(), Refresh::Taken { version: 1, .. }));
        assert!(matches!(agent.refresh("client").await.unwrap(), Refresh::Same));
    }
    vault.store().put("client", Material::Identity(identity(2)));
    vault.store().allow("other", false);
    assert!(matches!(one.refresh("client").await.unwrap(), Refresh::Taken { version: 2, .. }));
    let Refresh::Kept { because } = other.refresh("client").await.unwrap() else {
        panic!("it was handed out")
    };
    assert_eq!(because, "access is denied to other");
    assert_eq!(one.held("client").unwrap().serial(), identity(2).serial());
    assert_eq!(other.held("client").unwrap().serial(), identity(1).serial());
    let refused: Vec<_> = vault.store().asked().into_iter().filter_map(|asked| asked.refused).collect();
    assert_eq!(refused, ["access is denied to other"]);
}

#[tokio::test]
async fn a_disabled_version_is_handed_out_to_nobody_until_it_is_enabled() {
    let vault = Vault::start().await.unwrap();
    let mut agent = Agent::new(vault.address(), "gateway", Limits::default());
    let version = vault.store().put("client", Material::Identity(identity(1)));
    vault.store().enable("client", version, false).unwrap();
    let Refresh::Kept { because } = agent.refresh("client").await.unwrap() else {
        panic!("it was handed out")
    };
    assert_eq!(because, "version 1 of client is disabled");
    assert!(agent.held("client").is_none());
    vault.store().enable("client", version, true).unwrap();
    assert!(matches!(agent.refresh("client").await.unwrap(), Refresh::Taken { version: 1, .. }));
    let unknown = vault.store().enable("client", 2, true).unwrap_err().to_string();
    assert!(unknown.contains("version 2 of client"), "{unknown}");
    assert!(agent.refresh("server").await.unwrap_err().to_string().contains("there is no server"));
}
