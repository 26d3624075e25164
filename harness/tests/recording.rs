//! Key logs and captures, read by Wireshark's `tshark`: it must see what was said.

#![allow(clippy::unwrap_used, reason = "clippy takes helpers of tests for no tests")]

mod tool;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Stdio,
    sync::Arc,
};

use openssl::{
    pkey::PKeyRef,
    ssl::{SslConnector, SslMethod, SslVerifyMode},
};
use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;
use time::OffsetDateTime;
use tls_gauntlet::{
    Fleet, Probe, Recorder, Target,
    backend::FleetOptions,
    certs::{ClientCertificate, Pki},
    scenarios::catalogue,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    task::spawn_blocking,
};
use tool::{Said, is_installed, run};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// A backend whose connections are recorded.
struct Recorded {
    fleet: Fleet,
    pki: Arc<Pki>,
    folder: TempDir,
}

impl Recorded {
    async fn start(backend: &str, bind: IpAddr) -> Self {
        #[allow(clippy::disallowed_methods, reason = "the certificates have to be valid today")]
        let now = OffsetDateTime::now_utc();
        let (pki, folder) = (Arc::new(Pki::new(7, now).unwrap()), TempDir::new().unwrap());
        let create = |name| File::create(folder.path().join(name)).unwrap();
        let recorder = Recorder::to(Some(create("keys")), Some(create("pcapng")), now).unwrap();
        let options = FleetOptions { bind, recorder, ..FleetOptions::default() };
        let fleet = Fleet::start(&[catalogue().backend(backend).unwrap()], &pki, &options).await.unwrap();
        Self { fleet, pki, folder }
    }

    fn address(&self) -> SocketAddr {
        self.fleet.backends()[0].address()
    }

    /// The capture, once all connections have ended.
    async fn end(self) -> Capture {
        self.fleet.finish().await;
        Capture(self.folder)
    }
}

/// A capture that is complete.
struct Capture(TempDir);

impl Capture {
    fn file(&self) -> String {
        self.0.path().join("pcapng").display().to_string()
    }

    /// What went to the backend on the first connection, and what came back, decrypted.
    async fn said(&self, backend: SocketAddr) -> [Vec<u8>; 2] {
        let said = tshark(&self.file(), &["-q", "-z", "follow,tls,raw,0"]).await.out;
        let mut ways = [Vec::new(), Vec::new()];
        for line in said.lines().filter(|line| line.trim().bytes().all(|byte| byte.is_ascii_hexdigit())) {
            let digits = line.trim().as_bytes();
            let bytes =
                digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
            ways[usize::from(line.starts_with('\t'))].extend(bytes);
        }
        // Who is named first is a matter of what it could read first.
        let first = said.lines().find_map(|line| line.strip_prefix("Node 0: ")).unwrap();
        if first.ends_with(&format!(":{}", backend.port())) {
            ways.reverse();
        }
        ways
    }

    /// Every packet is whole, in order and with the right sums.
    async fn assert_sound(&self) {
        const SOUND: &[&str] =
            &["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-T", "fields"];
        const FIELDS: &[&str] = &[
            "-e",
            "tcp.checksum.status",
            "-e",
            "ip.checksum.status",
            "-e",
            "tcp.analysis.flags",
            "-e",
            "_ws.malformed",
        ];
        let said = tshark(&self.file(), &[SOUND, FIELDS].concat()).await.out;
        assert!(said.lines().count() > 6, "{said}");
        for line in said.lines() {
            // 1 is "good"; IPv6 has no sum of its own.
            assert!(line == "1\t1\t\t" || line == "1\t\t\t", "{line:?} in\n{said}");
        }
    }
}

async fn tshark(file: &str, arguments: &[&str]) -> Said {
    let mut command = Command::new("tshark");
    command.args(["-r", file]).args(arguments);
    let said = run(command, "").await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    said
}

/// Sends these bytes over TLS, and returns all that comes back.
fn converse(address: SocketAddr, pki: &Pki, request: &[u8]) -> Vec<u8> {
    let identity = pki.client(ClientCertificate::Good).unwrap();
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    connector.set_min_proto_version(None).unwrap();
    connector.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
    connector.set_certificate(identity.leaf()).unwrap();
    connector.set_private_key::<_>(AsRef::<PKeyRef<_>>::as_ref(identity.key())).unwrap();
    for issuer in &identity.chain()[1..] {
        connector.add_extra_chain_cert(issuer.clone()).unwrap();
    }
    let tcp = TcpStream::connect(address).unwrap();
    let mut stream = connector.build().connect("localhost", tcp).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[rstest]
#[case("tls12-only", V4)]
#[case("tls13-only", V4)]
#[case("tls13-only", V6)]
#[case("tls10-only", V4)]
#[case("renegotiation-required", V4)]
#[case("renegotiation-repeated", V4)]
#[case("tls13-only+key-update", V4)]
#[case("tiny-records", V4)]
#[case("tickets", V4)]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_can_be_read(#[case] backend: &str, #[case] bind: IpAddr) {
    // Not every container has IPv6.
    if !is_installed("tshark") || TcpListener::bind((bind, 0)).is_err() {
        return;
    }
    let recorded = Recorded::start(backend, bind).await;
    let request =
        b"GET /n-00000000000000aa HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".to_vec();
    let (address, pki, sent) = (recorded.address(), Arc::clone(&recorded.pki), request.clone());
    let answer = spawn_blocking(move || converse(address, &pki, &sent)).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer));
    let capture = recorded.end().await;
    let [to_backend, back] = capture.said(address).await;
    assert_eq!(String::from_utf8_lossy(&to_backend), String::from_utf8_lossy(&request));
    assert_eq!(String::from_utf8_lossy(&back), String::from_utf8_lossy(&answer));
    capture.assert_sound().await;
    let comments = tshark(&capture.file(), &["-T", "fields", "-e", "frame.comment"]).await.out;
    assert_eq!(comments.lines().next(), Some(backend));
}

#[tokio::test]
async fn what_comes_after_the_handshake_can_be_read() {
    if !is_installed("tshark") {
        return;
    }
    let recorded = Recorded::start("post-handshake-auth-required", V4).await;
    let strict = catalogue().upstream("strict").unwrap();
    let probe =
        Probe::for_upstream(strict, "localhost", &recorded.pki, tls_gauntlet::limits::Limits::default());
    let target = Target { path: "/late".to_owned(), ..Target::at(recorded.address()) };
    assert_eq!(probe.unwrap().get(&target).await.status, Some(200));
    let capture = recorded.end().await;
    let fields =
        ["-T", "fields", "-e", "tls.handshake.type", "-e", "http.request.uri", "-e", "http.response.code"];
    let said = tshark(&capture.file(), &fields).await.out;
    // CertificateRequest between request and response.
    let place = |what: &str| {
        said.lines().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{what} in {said}"))
    };
    assert!(place("\t/late\t") < place("13\t\t") && place("13\t\t") < place("\t\t200"), "{said}");
    capture.assert_sound().await;
}

#[tokio::test]
async fn a_reset_is_one() {
    if !is_installed("tshark") {
        return;
    }
    let recorded = Recorded::start("resets-in-handshake", V4).await;
    let probe = Probe::sound("localhost", &recorded.pki).unwrap();
    assert_eq!(probe.get(&Target::at(recorded.address())).await.status, None);
    let port = recorded.address().port().to_string();
    let capture = recorded.end().await;
    let said =
        tshark(&capture.file(), &["-T", "fields", "-e", "tcp.flags.reset", "-e", "tcp.srcport"]).await.out;
    let last = said.lines().last().unwrap();
    assert!(last == format!("1\t{port}") || last == format!("True\t{port}"), "{said}");
}

/// The blocks of a capture, each whole; how many.
fn whole_blocks(capture: &[u8]) -> usize {
    let (mut rest, mut count) = (capture, 0);
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
        assert_eq!(rest[4..8], rest[length - 4..length], "a block that is cut, after {count}");
        (rest, count) = (&rest[length..], count + 1);
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_are_added_to_the_log_one_line_each() {
    let recorded = Recorded::start("tls13-only", V4).await;
    let probe = Probe::sound("localhost", &recorded.pki).unwrap();
    assert_eq!(probe.get(&Target::at(recorded.address())).await.status, Some(200));
    let keys = recorded.folder.path().join("keys");
    let capture = recorded.end().await;
    let keys = fs::read_to_string(keys).unwrap();
    let labels: BTreeSet<&str> = keys.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let handshake = ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"];
    let traffic = ["CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"];
    assert!(handshake.iter().chain(&traffic).all(|label| labels.contains(label)), "{keys}");
    assert!(keys.lines().all(|line| line.split(' ').count() == 3), "{keys}");
    whole_blocks(&fs::read(capture.file()).unwrap());
}

fn gauntlet(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gauntlet"));
    command.args(arguments.split(' ')).current_dir(folder).env_remove("SSLKEYLOGFILE");
    command
}

#[tokio::test]
async fn a_run_records_both_legs_and_nothing_twice() {
    if !is_installed("tshark") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let line = "run --gateway reference --gateway direct --filter upstream/plain-good/strict::* --filter \
                upstream/renegotiation-required/max-tls12::* --pcap run.pcapng --format json";
    let ran = run(gauntlet(folder.path(), line), "").await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("warning: run.pcapng will hold the keys of every connection"), "{}", ran.err);
    let file = folder.path().join("run.pcapng").display().to_string();
    let fields =
        ["-Y", "http.request", "-T", "fields", "-e", "frame.interface_name", "-e", "http.request.uri"];
    let said = tshark(&file, &fields).await.out;
    let mut legs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in said.lines() {
        let (leg, uri) = line.split_once('\t').unwrap();
        let nonce = uri.split('/').find(|part| part.starts_with("n-")).unwrap();
        legs.entry(leg).or_default().push(nonce);
    }
    let (gateway, backend) = (&legs["to the gateway"], &legs["to the backend"]);
    let once: BTreeSet<_> = backend.iter().collect();
    assert_eq!(once.len(), backend.len(), "each request once: {said}");
    assert!(gateway.iter().all(|nonce| once.contains(nonce)), "what went in came out: {said}");
    // The calls of the column `direct` are seen where they arrive alone.
    assert_eq!(backend.len(), gateway.len() * 2, "{said}");
}

#[tokio::test]
async fn a_kill_leaves_what_was_written() {
    if !is_installed("tshark") || !is_installed("curl") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let mut command = gauntlet(folder.path(), "serve plain-good --json --watch --pcap killed.pcapng");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told =
        async || serde_json::from_str::<Value>(&lines.next_line().await.unwrap().unwrap()).unwrap();
    let mut curl = Command::new("sh");
    curl.args(["-c", &format!("{} --silent --http1.1", told().await["curl"].as_str().unwrap())]);
    assert_eq!(run(curl, "").await.code, Some(0));
    // It is over for the backend, too.
    assert_eq!(told().await["backend"], "plain-good");
    // SIGKILL
    child.kill().await.unwrap();
    let file = folder.path().join("killed.pcapng");
    whole_blocks(&fs::read(&file).unwrap());
    let fields = ["-Y", "http.response", "-T", "fields", "-e", "http.response.code"];
    let codes = tshark(&file.display().to_string(), &fields).await.out;
    assert_eq!(codes.trim(), "200");
}

#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    let folder = TempDir::new().unwrap();
    let [keys, pcap] = ["keys", "pcapng"].map(|name| folder.path().join(name));
    for file in [&keys, &pcap] {
        fs::write(file, "# before\n").unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let line =
        "run --gateway reference --filter upstream/plain-good/strict::default/default::* --pcap pcapng";
    let mut command = gauntlet(folder.path(), line);
    command.env("SSLKEYLOGFILE", "keys");
    let ran = run(command, "").await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for file in [&keys, &pcap] {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    let keys = fs::read_to_string(keys).unwrap();
    assert!(
        keys.starts_with("# before\n") && keys.contains("\nCLIENT_TRAFFIC_SECRET_0 "),
        "it is added to: {keys}"
    );
    assert!(whole_blocks(&fs::read(pcap).unwrap()) > 10, "the other begins anew");
}

#[rstest]
#[case("--key-log /nowhere/keys", 2, "cannot write /nowhere/keys: ")]
#[case("--pcap .", 2, "name a file of yours with --pcap")]
#[case("--pcap /dev/full", 3, "cannot write the capture: ")]
#[case("--key-log /dev/full", 0, "warning: not everything was recorded: ")]
#[tokio::test]
async fn what_cannot_be_written_is_told(#[case] flags: &str, #[case] code: i32, #[case] told: &str) {
    let folder = TempDir::new().unwrap();
    let line =
        format!("run --gateway reference --filter upstream/plain-good/strict::default/default::* {flags}");
    let ran = run(gauntlet(folder.path(), &line), "").await;
    assert_eq!(ran.code, Some(code), "{}", ran.err);
    assert!(ran.err.contains(told), "{}", ran.err);
}
