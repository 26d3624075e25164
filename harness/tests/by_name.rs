//! All backends on one port, chosen by the server name, as curl, `openssl s_client` and our own client meet them.

#![allow(clippy::unwrap_used, reason = "clippy takes helpers of tests for no tests")]

mod tool;

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use openssl::ssl::{HandshakeError, Ssl, SslContext, SslMethod};
use rstest::rstest;
use tempfile::TempDir;
use time::OffsetDateTime;
use tls_gauntlet::{
    backend::{DEFAULT_BACKEND, FleetOptions, Front},
    client::{Probe, Target},
    limits::Limits,
    wait,
};
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::{
    Alert, BackendSaw, Cause, Claims, Composed, Diagnosis, Ended, Evidence, FaultAction, Handling, Verdict,
    catalogue, judge, model,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::timeout,
};
use tool::{DEADLINE, Said, is_installed, run};

struct Served {
    front: Front,
    pki: Arc<Pki>,
    folder: TempDir,
}

impl Served {
    async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    async fn start_with(limits: Limits) -> Self {
        #[allow(
            clippy::disallowed_methods,
            reason = "certificates have to be valid for programs with clocks"
        )]
        let pki = Arc::new(Pki::new(7, OffsetDateTime::now_utc()).unwrap());
        let options = FleetOptions { limits, ..FleetOptions::default() };
        let front = Front::start(&pki, &options).await.unwrap();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("root.pem"), pki.server_root().to_pem().unwrap()).unwrap();
        Self { front, pki, folder }
    }

    async fn curl(&self, host: &str, arguments: &str) -> Said {
        let port = self.front.address().port();
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--show-error", "--noproxy", "*", "--cacert"])
            .arg(self.folder.path().join("root.pem"))
            .args(["--resolve", &format!("{host}:{port}:127.0.0.1"), "--write-out", "\n%{http_code}"])
            .args(arguments.split_whitespace())
            .arg(format!("https://{host}:{port}/"));
        run(command, "").await
    }

    async fn s_client(&self, arguments: &str) -> Said {
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-connect", &self.front.address().to_string(), "-CAfile"])
            .arg(self.folder.path().join("root.pem"))
            .args(arguments.split_whitespace());
        run(command, "").await
    }

    async fn entry(&self) -> BackendSaw {
        timeout(DEADLINE, self.front.recorded(1)).await.expect("the connection ends");
        self.front.ledger()[0].clone()
    }
}

#[rstest]
#[case("plain-good.gauntlet.test", "", "plain-good", 0)]
#[case("PLAIN-good.gauntlet.test", "", "plain-good", 0)]
#[case("tls12-only.gauntlet.test", "", "tls12-only", 0)]
#[case("tls12-only--h1-only.gauntlet.test", "", "tls12-only+h1-only", 0)]
#[case("any.wildcard.gauntlet.test", "", "wildcard", 0)]
#[case("p384.backend.gauntlet.test", "", "p384", 0)]
#[case("rsa-3072.localhost", "", "rsa-3072", 0)]
#[case("localhost", "", DEFAULT_BACKEND, 0)]
// CURLE_PEER_FAILED_VERIFICATION
#[case("expired-leaf--tls12-only.gauntlet.test", "", "", 60)]
#[case("expired-leaf--tls12-only.gauntlet.test", "--insecure", "expired-leaf+tls12-only", 0)]
#[case("wrong-name.gauntlet.test", "", "", 60)]
#[case("wrong-name.gauntlet.test", "--insecure", "wrong-name", 0)]
// CURLE_SSL_CONNECT_ERROR
#[case("resets-in-handshake.gauntlet.test", "", "", 35)]
#[case("tls13-only.gauntlet.test", "--tls-max 1.2", "", 35)]
// CURLE_PARTIAL_FILE
#[case("closes-in-response.gauntlet.test", "--http1.1", "", 18)]
#[tokio::test]
async fn curl_finds_the_backend_that_the_name_says(
    #[case] host: &str,
    #[case] arguments: &str,
    #[case] backend: &str,
    #[case] code: i32,
) {
    if !is_installed("curl") {
        return;
    }
    let served = Served::start().await;
    let said = served.curl(host, arguments).await;

    assert_eq!(said.code, Some(code), "{said:?}");
    if code == 0 {
        assert_eq!(said.echo()["backend"], backend);
        assert_eq!(said.last_line(), "200");
    }
    assert_eq!(served.entry().await.sni.unwrap(), host.to_ascii_lowercase());
}

#[rstest]
#[case("-servername tls12-only.gauntlet.test -verify_hostname tls12-only.gauntlet.test", &["Protocol  : TLSv1.2", "Verify return code: 0 (ok)"])]
#[case("-servername cn-only.gauntlet.test", &["subject=CN = cn-only.gauntlet.test"])]
#[case("-servername expired-leaf.gauntlet.test -verify_hostname expired-leaf.gauntlet.test", &["Verify return code: 10 (certificate has expired)"])]
#[case("-servername wrong-name.gauntlet.test -verify_hostname wrong-name.gauntlet.test", &["Verify return code: 62 (hostname mismatch)"])]
#[case("-noservername -verify_hostname localhost", &["Verify return code: 0 (ok)"])]
#[case("-noservername -verify_ip 127.0.0.1", &["Verify return code: 0 (ok)"])]
#[tokio::test]
async fn s_client_sees_the_certificate_of_that_name(#[case] arguments: &str, #[case] wanted: &[&str]) {
    if !is_installed("openssl") {
        return;
    }
    let said = Served::start().await.s_client(arguments).await;
    for words in wanted {
        assert!(said.out.contains(words), "no {words:?} in {said:?}");
    }
}

#[rstest]
#[case("expired-laef.gauntlet.test", "did you mean \"expired-leaf\"?")]
#[case("tls12-only--tls13-only.gauntlet.test", "contradict each other: both set the protocol versions")]
#[case("resets-on-accept.gauntlet.test", "acts before the ClientHello")]
#[case("sni-required.gauntlet.test", "looks at the server name")]
#[case("example.com", "is no name of a backend")]
#[tokio::test]
async fn another_name_gets_unrecognized_name_and_an_entry_with_the_reason(
    #[case] host: &str,
    #[case] because: &str,
    #[values("-tls1_2", "-tls1_3", "-tls1 -cipher DEFAULT@SECLEVEL=0")] version: &str,
) {
    if !is_installed("openssl") {
        return;
    }
    let served = Served::start().await;
    let said = served.s_client(&format!("-servername {host} {version}")).await;

    assert!(said.err.contains("unrecognized name"), "{said:?}");
    let entry = served.entry().await;
    assert_eq!((entry.outcome, entry.ended), (Handling::Refused, Ended::AlertSent));
    assert_eq!((entry.cause, entry.alert_sent), (Some(Cause::SniUnknown), Some(Alert::UnrecognizedName)));
    assert_eq!(entry.sni.as_deref(), Some(host));
    assert!(entry.client_hello.is_some());
    assert!(entry.error.as_ref().unwrap().contains(because), "{entry:?}");
    assert_eq!(served.front.refused_since(0), [entry]);
    assert_eq!(served.front.refused_since(1), []);
}

#[tokio::test]
async fn each_name_has_one_backend_that_remembers() {
    if !is_installed("curl") {
        return;
    }
    let served = Served::start().await;
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(served.curl("fails-twice-then-heals.gauntlet.test", "").await.code);
    }
    assert_eq!(codes, [Some(35), Some(35), Some(0), Some(0)]);
}

/// Our own client against every backend that can be chosen by its name: what it sees is what the model says.
#[tokio::test(flavor = "multi_thread")]
async fn every_backend_does_by_name_what_the_model_says() {
    let served = Served::start().await;
    let upstream = catalogue().upstream("strict").unwrap();
    let mut calls = Vec::new();
    for (name, _, profile) in catalogue().backends() {
        let composed = Composed::single(name, profile);
        let Ok(host) = Front::host(&composed) else { continue };
        let stalls = profile.fault.is_some_and(|fault| fault.does == FaultAction::Stall);
        let call = if stalls { Duration::from_secs(5) } else { Limits::default().call };
        let limits = Limits { call, ..Limits::default() };
        let probe = Probe::for_upstream(upstream, &host, &served.pki, limits).unwrap();
        let nonce = format!("n-{:016x}", calls.len());
        let target =
            Target { address: served.front.address(), host: host.clone(), path: format!("/{nonce}"), nonce };
        calls.push((composed, host, tokio::spawn(async move { probe.get(&target).await })));
    }
    let mut saw = Vec::new();
    for (composed, host, call) in calls {
        saw.push((composed, host, call.await.unwrap()));
    }
    let ledger = served.front.finish().await;
    assert!(saw.len() > 150, "{} backends", saw.len());
    let mut wrong = Vec::new();
    for (composed, host, client_saw) in saw {
        let expected = model::expect_direct(upstream, &composed, &Claims::openssl_client()).unwrap();
        let of_host = |entry: &&BackendSaw| entry.sni.as_ref() == Some(&host);
        let backend_saw: Vec<_> = ledger.iter().filter(of_host).cloned().collect();
        let evidence = Evidence { client_saw, backend_saw, ..Evidence::default() };
        let verdict = judge::judge(&expected, &Diagnosis::of(&evidence, true), &evidence);
        if verdict != Verdict::Pass {
            wrong.push(format!("{host}: {verdict:?}\n  {evidence:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The bytes of a ClientHello as they come over the wire.
fn client_hello(server_name: &str) -> Vec<u8> {
    /// Takes what is written, and has nothing to read.
    #[derive(Debug, Default)]
    struct Mute(Vec<u8>);

    impl Read for Mute {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    impl Write for Mute {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let context = SslContext::builder(SslMethod::tls_client()).unwrap().build();
    let mut ssl = Ssl::new(&context).unwrap();
    ssl.set_hostname(server_name).unwrap();
    match ssl.connect(Mute::default()) {
        Err(HandshakeError::WouldBlock(begun)) => begun.get_ref().0.clone(),
        other => panic!("nobody answers, and yet: {other:?}"),
    }
}

/// What the backend sees of the segments is what came, although the port has read them before it.
#[rstest]
#[case(None, b"\x16")]
#[case(Some(100), b"")]
#[tokio::test]
async fn a_split_hello_is_still_split(#[case] split: Option<usize>, #[case] answer: &[u8]) {
    let served = Served::start().await;
    let hello = client_hello("intolerant-of-split-hello.gauntlet.test");
    let mut stream = TcpStream::connect(served.front.address()).await.unwrap();
    let (first, rest) = hello.split_at(split.unwrap_or(hello.len()));
    stream.set_nodelay(true).unwrap();
    stream.write_all(first).await.unwrap();
    if split.is_some() {
        acknowledged(&stream).await;
    }
    stream.write_all(rest).await.unwrap();
    let mut byte = [0];
    let read = timeout(DEADLINE, stream.read(&mut byte)).await.expect("something comes of it");
    assert_eq!(&byte[..read.unwrap_or(0)], answer);
    drop(stream);
    assert_eq!(served.entry().await.ended == Ended::ByFault, split.is_some());
}

/// Waits until the other side has read what was sent: only then are two writes two segments for it.
async fn acknowledged(stream: &TcpStream) {
    // Local and remote address of the far end, and that it is established.
    let hexadecimal = |address: SocketAddr| format!("0100007F:{:04X}", address.port());
    let far = [
        hexadecimal(stream.peer_addr().unwrap()),
        hexadecimal(stream.local_addr().unwrap()),
        "01".to_owned(),
    ];
    wait::until(DEADLINE, "the first part to be read", async || {
        // The far end's socket, with an empty receive queue (proc_net_tcp(5)).
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let is_read = |line: &str| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields[1..4] == far && fields[4].ends_with(":00000000")
        };
        table.lines().skip(1).any(is_read).then_some(())
    })
    .await
    .unwrap();
}

#[rstest]
#[case(b"", Ended::ClosedByPeer, None)]
#[case(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", Ended::NotUnderstood, Some(Cause::NotTls))]
#[case(b"\x16\x03\x01\x02\x00\x01\x00", Ended::ClosedByPeer, None)]
#[tokio::test]
async fn who_sends_no_client_hello_leaves_an_entry(
    #[case] bytes: &[u8],
    #[case] ended: Ended,
    #[case] cause: Option<Cause>,
) {
    let served = Served::start().await;
    let mut stream = TcpStream::connect(served.front.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    drop(stream);

    let entry = served.entry().await;
    assert_eq!((entry.outcome, entry.ended, entry.cause), (Handling::Refused, ended, cause), "{entry:#?}");
}

#[rstest]
#[case(b"")]
#[case(b"\x16\x03\x01\x02\x00\x01\x00")]
#[tokio::test]
async fn who_stays_silent_is_given_up(#[case] bytes: &[u8]) {
    let limits = Limits { peer: Duration::from_millis(20), ..Limits::default() };
    let served = Served::start_with(limits).await;
    let mut stream = TcpStream::connect(served.front.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();

    let end = timeout(DEADLINE, stream.read(&mut [0])).await.expect("the connection is closed");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    let entry = served.entry().await;
    assert_eq!((entry.ended, entry.cause), (Ended::TimedOut, Some(Cause::Timeout)));
}

#[tokio::test]
async fn finish_tells_who_was_still_there_and_what_is_dropped_is_gone() {
    let limits = Limits { settle: Duration::ZERO, ..Limits::default() };
    let served = Served::start_with(limits).await;
    let address = served.front.address();
    let _open = TcpStream::connect(address).await.unwrap();
    let ledger = served.front.finish().await;
    assert_eq!((ledger.len(), ledger[0].ended), (1, Ended::Stopped));
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");

    let served = Served::start().await;
    let mut open = TcpStream::connect(served.front.address()).await.unwrap();
    drop(served);
    let end = timeout(DEADLINE, open.read(&mut [0])).await.expect("the connection ends with the port");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}
