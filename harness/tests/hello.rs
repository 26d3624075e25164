//! The backend `accepts-everything`, by tools of other authors: each is told what it offered, also those that cannot read the
//! answer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod tool;

use std::{fs, net::SocketAddr, process::Stdio, sync::Arc};

use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;
use time::OffsetDateTime;
use tls_gauntlet::{
    backend::{Fleet, FleetOptions, Front},
    control::{Control, ControlOptions, Entry, Follower},
    hello::Heard,
    presets,
};
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::{TlsVersion, Versions, catalogue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::timeout,
};
use tool::{DEADLINE, is_installed};

/// The backend with its control API, its root in a file, and its ledger.
struct Answering {
    control: Control,
    address: SocketAddr,
    folder: TempDir,
    ledger: Follower,
}

impl Answering {
    async fn start() -> Self {
        #[allow(clippy::disallowed_methods, reason = "tests start where the command line would")]
        let now = OffsetDateTime::now_utc();
        let pki = Arc::new(Pki::new(7, now).unwrap());
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), pki.server_root().to_pem().unwrap()).unwrap();
        let options = FleetOptions::default();
        let plan = [catalogue().backend("accepts-everything").unwrap()];
        let fleet = Fleet::start(&plan, &pki, &options).await.unwrap();
        let address = fleet.backends()[0].address();
        let front = Arc::new(Front::start(&pki, &options).await.unwrap());
        let control = ControlOptions::new("127.0.0.1:0".parse().unwrap(), now);
        let control = Control::start(fleet, front, control).await.unwrap();
        let ledger = control.follow();
        Self { control, address, folder, ledger }
    }

    /// What a shell line says. `{port}`, `{control}` and `{ca}` are where to call, where to ask, and the root to trust.
    async fn run(&self, line: &str) -> String {
        let (port, control) = (self.address.port().to_string(), self.control.url());
        let ca = self.folder.path().join("ca.pem").display().to_string();
        let line = line.replace("{port}", &port).replace("{control}", &control).replace("{ca}", &ca);
        let mut command = Command::new("sh");
        command.args(["-c", &line]).stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(DEADLINE, command.output()).await.expect("the program comes to an end").unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    async fn next(&mut self) -> Arc<Entry> {
        timeout(DEADLINE, self.ledger.next()).await.expect("a connection that has ended").unwrap().remove(0)
    }
}

/// The JSON in what a program printed.
fn answer(printed: &str) -> Heard {
    let text = &printed[printed.find("{\n").unwrap_or_else(|| panic!("no answer: {printed}"))..];
    let end = text.find("\n}").unwrap() + 2;
    serde_json::from_str(&text[..end]).unwrap_or_else(|error| panic!("{error}: {text}"))
}

const PYTHON: &str = r#"python3 -c '
import ssl, urllib.request
context = ssl.create_default_context(cafile="{ca}")
context.set_alpn_protocols(["http/1.1"])
print(urllib.request.urlopen("https://localhost:{port}/hello", context=context).read().decode())'"#;

#[rstest]
#[case("curl", "curl -s --noproxy '*' --cacert {ca} https://localhost:{port}/hello", Some("h2"))]
#[case(
    "curl",
    "curl -s --http1.1 --noproxy '*' --cacert {ca} https://localhost:{port}/hello",
    Some("http/1.1")
)]
#[case("python3", PYTHON, Some("http/1.1"))]
#[case(
    "openssl",
    "printf 'GET /hello HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -connect localhost:{port} -servername localhost -CAfile {ca} 2>/dev/null",
    None
)]
#[case(
    "openssl",
    "printf 'GET /hello HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -alpn spdy/3 -connect localhost:{port} -servername localhost -CAfile {ca} 2>/dev/null",
    None
)]
#[tokio::test]
async fn callers_read_what_they_offered(#[case] tool: &str, #[case] line: &str, #[case] alpn: Option<&str>) {
    if !is_installed(tool) {
        return;
    }
    let mut answering = Answering::start().await;
    let told = answer(&answering.run(line).await);
    let kept = answering.next().await;
    let offered = &told.offered;
    assert_eq!(Some(offered), kept.saw.client_hello.as_ref(), "what is answered is what is kept");
    let common = offered.versions.as_ref().and_then(|versions| versions.intersection(&Versions::current()));
    assert_eq!(common, Some(Versions::current()), "{tool}");
    assert_eq!(offered.server_name.as_deref(), Some("localhost"));
    let agreed = told.agreed.as_ref().unwrap();
    assert_eq!(
        (agreed.version, agreed.cipher.as_deref()),
        (TlsVersion::Tls13, Some("TLS_AES_128_GCM_SHA256"))
    );
    assert_eq!((agreed.alpn.as_deref(), agreed.group.as_deref()), (alpn, Some("x25519")), "{tool}");
    assert!(offered.ciphers.contains(&"TLS_AES_128_GCM_SHA256".to_owned()));
    assert_eq!((offered.ja3.len(), offered.ja4.len()), (32, 36));
    assert!(!told.lacks.iter().any(|lack| lack.servers.starts_with("TLS 1.")), "{:?}", told.lacks);
}

#[rstest]
#[case("-tls1_2", TlsVersion::Tls12, "TLS 1.3-only servers")]
#[case("-tls1_1 -cipher ALL:@SECLEVEL=0", TlsVersion::Tls11, "TLS 1.2-only servers")]
#[case("-tls1 -cipher ALL:@SECLEVEL=0", TlsVersion::Tls10, "TLS 1.2-only servers")]
#[tokio::test]
async fn old_clients_can_read_it(#[case] arguments: &str, #[case] version: TlsVersion, #[case] lack: &str) {
    if !is_installed("openssl") {
        return;
    }
    let answering = Answering::start().await;
    let line = format!(
        "printf 'GET /hello HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet {arguments} -connect localhost:{{port}} 2>/dev/null"
    );
    let told = answer(&answering.run(&line).await);
    assert_eq!(told.agreed.unwrap().version, version);
    assert!(told.lacks.iter().any(|told| told.servers == lack), "{:?}", told.lacks);
}

/// What cannot be answered is kept: here a client with a cipher suite that there is not.
#[tokio::test]
async fn a_caller_without_an_answer_is_kept() {
    let mut answering = Answering::start().await;
    let mut tcp = TcpStream::connect(answering.address).await.unwrap();
    // TLS 1.2, one suite (TLS_KRB5_WITH_RC4_128_MD5), no extensions.
    let mut hello = vec![22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0, 0x24, 1, 0]);
    tcp.write_all(&hello).await.unwrap();
    let mut said = Vec::new();
    timeout(DEADLINE, tcp.read_to_end(&mut said)).await.unwrap().unwrap();
    assert_eq!((said[0], said[6]), (21, 40), "handshake_failure");

    drop(tcp);

    let kept = answering.next().await;
    assert_eq!(kept.saw.client_hello.as_ref().unwrap().ciphers, ["TLS_KRB5_WITH_RC4_128_MD5"]);
    assert!(kept.saw.tls_version.is_none());
    assert!(kept.saw.error.as_ref().unwrap().contains("no shared cipher"), "{kept:?}");

    if !is_installed("curl") {
        return;
    }
    let curl = "curl -s --noproxy '*' {control}";
    let heard = answering.run(&format!("{curl}/hello/1")).await;
    let heard: Heard = serde_json::from_str(&heard).unwrap();
    assert_eq!((heard.id, heard.agreed, &heard.failure), (Some(1), None, &kept.saw.error));
    assert_eq!(Some(&heard.offered), kept.saw.client_hello.as_ref());
    let all: Value = serde_json::from_str(&answering.run(&format!("{curl}/hello")).await).unwrap();
    assert_eq!(all["hellos"].as_array().unwrap().len(), 1);
    for path in ["/hello/1", "/hello"] {
        let page = answering.run(&format!("{curl}{path} -H 'accept: text/html,*/*'")).await;
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("no shared cipher"), "{page}");
    }
    let missing = answering.run(&format!("{curl}/hello/77 -w %{{http_code}}")).await;
    assert!(missing.ends_with("404"), "{missing}");
    let posted = answering.run(&format!("{curl}/hello/1 -X POST -w %{{http_code}}")).await;
    assert!(posted.ends_with("405"), "{posted}");
}

/// A browser gets the answer as a page.
#[tokio::test]
async fn a_browser_reads_a_page() {
    if !is_installed("curl") {
        return;
    }
    let answering = Answering::start().await;
    let page = "curl -s --noproxy '*' --cacert {ca} https://localhost:{port}/hello -H 'accept: text/html,*/*;q=0.8' -i";
    let page = answering.run(page).await;
    assert!(page.contains("content-type: text/html; charset=utf-8"), "{page}");
    assert!(
        page.contains("agreed on TLSv1.3, TLS_AES_128_GCM_SHA256") && page.contains("Cannot reach"),
        "{page}"
    );
}

/// Versions and suites that are rarely spoken any more are answered with a ServerHello: SSL 3.0, no encryption, Diffie-Hellman, either key.
#[rstest]
#[case::ssl3([3, 0], 0x002f)]
#[case::no_encryption([3, 3], 0x003b)]
#[case::diffie_hellman([3, 3], 0x009e)]
#[case::ecdsa([3, 3], 0xc02b)]
#[case::rsa([3, 3], 0xc02f)]
#[tokio::test]
async fn every_suite_is_accepted(#[case] version: [u8; 2], #[case] suite: u16) {
    let answering = Answering::start().await;
    let mut tcp = TcpStream::connect(answering.address).await.unwrap();
    let mut hello = vec![22, 3, 0, 0, 65, 1, 0, 0, 61];
    hello.extend(version);
    hello.extend([7; 32]);
    hello.extend([0, 0, 2]);
    hello.extend(suite.to_be_bytes());
    // No compression; secp256r1; RSA and ECDSA with SHA-256.
    hello.extend([1, 0, 0, 18, 0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 6, 0, 4, 4, 1, 4, 3]);
    tcp.write_all(&hello).await.unwrap();
    // The header of the record and of the message, the version, the random bytes, no session, the suite.
    let mut said = [0; 46];
    timeout(DEADLINE, tcp.read_exact(&mut said)).await.unwrap().unwrap();
    assert_eq!((said[0], said[5], &said[9..11], said[43]), (22, 2, &version[..], 0), "{said:?}");
    assert_eq!(said[44..], suite.to_be_bytes());
}

/// A caller that connects and says nothing keeps no other from being answered.
#[tokio::test]
async fn the_silent_hold_up_nobody() {
    let mut answering = Answering::start().await;
    let silent = TcpStream::connect(answering.address).await.unwrap();
    if is_installed("curl") {
        answering.run("curl -s --noproxy '*' --cacert {ca} https://localhost:{port}/").await;
        assert_eq!(answering.next().await.sequence, 1);
    }
    drop(silent);
}

const JAVA: &str = r#"cd $(dirname {ca}) && echo "127.0.0.1 hello.gauntlet.test" >hosts && cat >Call.java <<'END'
class Call {
    public static void main(String[] line) throws Exception {
        new java.net.URL(line[0]).openConnection().getInputStream();
    }
}
END
java -Djdk.net.hosts.file=hosts Call.java https://hello.gauntlet.test:{port}/ 2>&1"#;

const NODE: &str = r#"node -e 'require("https").get("https://localhost:{port}/").on("error", () => {})'"#;

const RECORDED_PYTHON: &str = r#"python3 -c '
import urllib.request
urllib.request.urlopen("https://localhost:{port}/")'"#;

/// Where the program is of the version that was recorded, it sends what was recorded.
#[rstest]
#[case("curl-7.88", "curl --version", "curl 7.88", "curl -s --noproxy '*' https://localhost:{port}/")]
#[case(
    "openssl-3.0",
    "openssl version",
    "OpenSSL 3.0",
    "openssl s_client -connect localhost:{port} -servername localhost </dev/null"
)]
#[case("python-3.12", "python3 --version", "Python 3.12", RECORDED_PYTHON)]
#[case("node-20", "node --version", "v20", NODE)]
#[case("java-17", "java --version", "openjdk 17", JAVA)]
#[tokio::test]
async fn a_client_sends_what_was_recorded_of_it(
    #[case] preset: &str,
    #[case] asks_version: &str,
    #[case] version: &str,
    #[case] line: &str,
) {
    let mut answering = Answering::start().await;
    let says = answering.run(&format!("{asks_version} 2>&1")).await;
    if !says.starts_with(version) {
        eprintln!("skipped: this machine has no {version}");
        return;
    }
    answering.run(line).await;
    let sent = answering.next().await.saw.client_hello.clone().unwrap();
    let (_, recorded) = presets::all().iter().find(|(name, _)| name == preset).unwrap();
    let recorded = recorded.hello();
    assert_eq!((sent.ja3, sent.ja4), (recorded.ja3, recorded.ja4));
}
