//! Backends towards peers of other kinds: `openssl s_client`, Python, and sockets that speak no TLS at all.

#![allow(clippy::unwrap_used, reason = "clippy takes helpers of tests for no tests")]

mod tool;

use std::{sync::Arc, time::Duration};

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use rstest::rstest;
use time::OffsetDateTime;
use tls_gauntlet::{
    backend::{Backend, Fleet, FleetOptions},
    limits::Limits,
};
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::{Alert, Cause, Ended, Handling, Phase, catalogue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_openssl::SslStream;
use tool::{DEADLINE, NONCE, Target, is_installed};

/// Opens a connection, sends a request, prints the answer.
const PYTHON: &str = r#"
import socket, ssl, sys
port, name, folder = sys.argv[1:4]
context = ssl.create_default_context(cafile=folder + "/root.pem")
SETTINGS
with socket.create_connection(("127.0.0.1", int(port))) as bare:
    with context.wrap_socket(bare, server_hostname=name) as tls:
        for _ in range(REQUESTS):
            tls.sendall(b"GET /n-0123456789abcdef HTTP/1.1\r\nhost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}\n"):
                more = tls.recv(65536)
                if not more: break
                answer += more
            print(answer.decode())
"#;

fn python(settings: &str, requests: usize) -> String {
    PYTHON.replace("SETTINGS", settings).replace("REQUESTS", &requests.to_string())
}

#[rstest]
#[case("post-handshake-auth-required")]
#[case("renegotiation-required-dual")]
#[tokio::test]
async fn without_post_handshake_auth_the_connection_stays_usable_and_answers_403(#[case] backend: &str) {
    if !is_installed("python3") {
        return;
    }
    let target = Target::start(backend).await;
    let said = target.python(&python("", 2)).await;

    assert_eq!(said.out.matches("HTTP/1.1 403").count(), 1, "{said:?}");
    let entry = target.entry().await;
    assert_eq!(said.echo()["nonce"], NONCE);
    assert_eq!(
        (entry.outcome, entry.phase, entry.ended, entry.cause),
        (Handling::Accepted, Phase::Request, Ended::Cleanly, Some(Cause::PostHandshakeAuthRefused)),
        "{entry:#?}"
    );
    assert!(!entry.client_hello.unwrap().post_handshake_auth);
    assert_eq!((entry.alert_sent, entry.requests), (None, 2));
}

#[rstest]
#[case("renegotiation-required", "", 1)]
#[case("post-handshake-auth-required", "context.post_handshake_auth = True", 0)]
#[tokio::test]
async fn a_certificate_is_asked_for_once_in_a_connection(
    #[case] backend: &str,
    #[case] settings: &str,
    #[case] renegotiations: u32,
) {
    if !is_installed("python3") {
        return;
    }
    let target = Target::start(backend).await;
    let settings = format!("{settings}\ncontext.load_cert_chain(folder + '/good.pem')");
    let said = target.python(&python(&settings, 3)).await;

    assert_eq!(said.out.matches("HTTP/1.1 200").count(), 3, "{said:?}");
    let entry = target.entry().await;
    assert_eq!((entry.requests, entry.renegotiations), (3, renegotiations));
    assert_eq!((entry.phase, entry.ended, entry.cause), (Phase::Close, Ended::Cleanly, None));
}

#[rstest]
#[case("plain-good", "-tls1_3", "200 OK")]
#[case("tls10-only", "-tls1 -cipher DEFAULT@SECLEVEL=0", "200 OK")]
#[case("renegotiation-required", "{good}", "200 OK")]
#[case("post-handshake-auth-required", "", "403 Forbidden")]
#[case("post-handshake-auth-required", "-enable_pha {good}", "200 OK")]
#[case("renegotiation-required-dual", "-tls1_3", "403 Forbidden")]
#[tokio::test]
async fn s_client_sees(#[case] backend: &str, #[case] arguments: &str, #[case] status: &str) {
    if !is_installed("openssl") {
        return;
    }
    let target = Target::start(backend).await;
    let good = "-cert {folder}/good.pem -key {folder}/good.pem -cert_chain {folder}/good.pem";
    let said = target.s_client(&arguments.replace("{good}", good)).await;

    assert!(said.out.contains(&format!("HTTP/1.1 {status}")), "{said:?}");
    let entry = target.entry().await;
    let refused = status.starts_with("403").then_some(Cause::PostHandshakeAuthRefused);
    assert_eq!((entry.cause, entry.alpn), (refused, None));
}

#[rstest]
#[case("-noservername", Cause::SniMissing)]
#[case("-servername other.test", Cause::SniUnknown)]
#[tokio::test]
async fn sni_required_answers_unrecognized_name(
    #[case] arguments: &str,
    #[case] cause: Cause,
    #[values("-tls1_2", "-tls1_3")] version: &str,
) {
    if !is_installed("openssl") {
        return;
    }
    let target = Target::start("sni-required").await;
    let said = target.s_client(&format!("{arguments} {version}")).await;

    assert!(said.err.contains("unrecognized name"), "{said:?}");
    let entry = target.entry().await;
    assert_eq!((entry.ended, entry.cause), (Ended::AlertSent, Some(cause)));
    assert_eq!(entry.alert_sent, Some(Alert::UnrecognizedName));
}

#[tokio::test]
async fn an_unknown_application_protocol_is_refused() {
    if !is_installed("openssl") {
        return;
    }
    let target = Target::start("plain-good").await;
    target.s_client("-alpn imap").await;

    let entry = target.entry().await;
    assert_eq!(
        (entry.cause, entry.alert_sent),
        (Some(Cause::AlpnMismatch), Some(Alert::NoApplicationProtocol))
    );
    assert_eq!(entry.client_hello.unwrap().alpn, ["imap"]);
}

#[tokio::test]
async fn a_peer_that_will_not_renegotiate_is_known_as_such() {
    if !is_installed("python3") {
        return;
    }
    let target = Target::start("renegotiation-required").await;
    // ssl.OP_NO_RENEGOTIATION: OpenSSL then answers a HelloRequest with the alert no_renegotiation.
    target.python(&python("context.options |= ssl.OP_NO_RENEGOTIATION", 1)).await;

    let entry = target.entry().await;
    assert_eq!((entry.phase, entry.cause), (Phase::Request, Some(Cause::RenegotiationRefused)), "{entry:#?}");
    assert_eq!((entry.alert_received, entry.renegotiations), (Some(Alert::NoRenegotiation), 0));
    assert_eq!(entry.nonce.as_deref(), Some(NONCE));
}

/// curl would say so, too, but Python says it about the TLS layer: `SSLEOFError` is an end without `close_notify`.
#[rstest]
#[case("ends-without-close-notify", true)]
#[case("plain-good", false)]
#[tokio::test]
async fn close_notify_is_omitted_by_one_backend_only(#[case] backend: &str, #[case] omitted: bool) {
    if !is_installed("python3") {
        return;
    }
    let program = python("context.options &= ~getattr(ssl, 'OP_IGNORE_UNEXPECTED_EOF', 0)", 1)
        .replace("host: x", "host: x\\r\\nconnection: close")
        .replace("print(answer.decode())", "print(answer.decode()); print('rest', tls.recv(1))")
        .replace("server_hostname=name)", "server_hostname=name, suppress_ragged_eofs=False)");
    let target = Target::start(backend).await;
    let said = target.python(&program).await;

    assert!(said.out.contains("HTTP/1.1 200"), "{said:?}");
    assert_eq!(said.err.contains("EOF occurred in violation of protocol"), omitted, "{said:?}");
    let entry = target.entry().await;
    assert_eq!(entry.ended == Ended::ByFault, omitted);
    assert_eq!((entry.phase, entry.cause), (Phase::Close, None));
}

/// What a peer does that speaks no TLS, or none to the end.
enum Bare {
    Nothing,
    Http,
    Garbage,
    HalfAHello,
    Reset,
}

#[rstest]
#[case(Bare::Nothing, Ended::ClosedByPeer, None)]
#[case(Bare::Http, Ended::NotUnderstood, Some(Cause::NotTls))]
#[case(Bare::Garbage, Ended::NotUnderstood, Some(Cause::NotTls))]
#[case(Bare::HalfAHello, Ended::ClosedByPeer, None)]
#[case(Bare::Reset, Ended::ResetByPeer, None)]
#[tokio::test]
async fn every_connection_leaves_one_entry(
    #[case] bare: Bare,
    #[case] ended: Ended,
    #[case] cause: Option<Cause>,
) {
    let target = Target::start("plain-good").await;
    let mut stream = TcpStream::connect(target.backend.address()).await.unwrap();
    match bare {
        Bare::Nothing => {}
        Bare::Http => stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap(),
        Bare::Garbage => stream.write_all(&[0xff; 300]).await.unwrap(),
        Bare::HalfAHello => stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00").await.unwrap(),
        Bare::Reset => stream.set_zero_linger().unwrap(),
    }
    drop(stream);

    let entry = target.entry().await;
    assert_eq!((entry.outcome, entry.phase), (Handling::Refused, Phase::Handshake));
    assert_eq!((entry.ended, entry.cause), (ended, cause), "{entry:#?}");
    assert_eq!((entry.requests, entry.client_hello), (0, None));
}

#[tokio::test]
async fn plaintext_http_answers_in_plain_http() {
    let target = Target::start("plaintext-http").await;
    let mut stream = TcpStream::connect(target.backend.address()).await.unwrap();
    stream.write_all(b"anything").await.unwrap();
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();

    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
}

async fn fleet(names: &[&str], settle: Duration) -> Fleet {
    fleet_with(names, Limits { settle, ..Limits::default() }).await
}

async fn fleet_with(names: &[&str], limits: Limits) -> Fleet {
    #[allow(clippy::disallowed_methods, reason = "certificates have to be valid for programs with clocks")]
    let pki = Arc::new(Pki::new(7, OffsetDateTime::now_utc()).unwrap());
    let plan: Vec<_> = names.iter().map(|name| catalogue().backend(name).unwrap()).collect();
    Fleet::start(&plan, &pki, &FleetOptions { limits, ..FleetOptions::default() }).await.unwrap()
}

#[rstest]
#[case(b"")]
#[case(b"\x16\x03\x01\x02\x00\x01\x00")]
#[tokio::test]
async fn a_silent_peer_is_given_up(#[case] first: &[u8]) {
    let limits = Limits { peer: Duration::from_millis(20), ..Limits::default() };
    let fleet = fleet_with(&["plain-good"], limits).await;
    let mut stream = TcpStream::connect(fleet.backends()[0].address()).await.unwrap();
    stream.write_all(first).await.unwrap();

    let mut rest = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    let entry = fleet.finish().await[0][0].clone();
    assert_eq!((entry.ended, entry.cause), (Ended::TimedOut, Some(Cause::Timeout)));
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn what_is_dropped_is_gone() {
    let backend = Backend::start("plain-good").await.unwrap();
    let mut stream = TcpStream::connect(backend.address()).await.unwrap();
    drop(backend);

    let end = timeout(DEADLINE, stream.read(&mut [0])).await.expect("the connection ends with its backend");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

#[tokio::test]
async fn ports_that_do_not_exist_are_refused_with_the_reason() {
    let plan = vec![catalogue().backend("plain-good").unwrap(); 3];
    let options = FleetOptions { port_base: Some(65534), ..FleetOptions::default() };
    let backend = Backend::start("refuses-connection").await.unwrap();
    let error = Fleet::start(&plan, backend.pki(), &options).await.unwrap_err();

    assert!(error.to_string().starts_with("3 backends from port 65534 on do not fit"), "{error}");
}

#[tokio::test]
async fn tls_without_http_in_it_is_not_understood() {
    if !is_installed("python3") {
        return;
    }
    let target = Target::start("tls12-only").await;
    target.python(&python("", 1).replace("GET /n-0123456789abcdef HTTP/1.1", "\\x00\\x01\\x02")).await;

    let entry = target.entry().await;
    assert_eq!((entry.outcome, entry.phase), (Handling::Accepted, Phase::Request));
    assert_eq!((entry.ended, entry.requests), (Ended::NotUnderstood, 0), "{entry:#?}");
}

#[tokio::test]
async fn finish_tells_who_was_still_there_and_misses_nobody() {
    let fleet = fleet(&["plain-good", "plain-good"], Duration::ZERO).await;
    let [first, second] = [0, 1].map(|index| fleet.backends()[index].address());
    let _open = TcpStream::connect(first).await.unwrap();
    let ledgers = fleet.finish().await;

    assert_eq!(ledgers[0].len(), 1);
    assert_eq!((ledgers[0][0].ended, ledgers[0][0].cause), (Ended::Stopped, None));
    assert!(ledgers[1].is_empty());
    for address in [first, second] {
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}

#[tokio::test]
async fn finish_says_goodbye_to_those_who_are_still_there() {
    let fleet = fleet(&["plain-good"], Duration::ZERO).await;
    let mut client = SslConnector::builder(SslMethod::tls_client()).unwrap();
    client.set_verify(SslVerifyMode::NONE);
    let ssl = client.build().configure().unwrap().into_ssl("backend.gauntlet.test").unwrap();
    let bare = TcpStream::connect(fleet.backends()[0].address()).await.unwrap();
    let mut stream = Box::pin(SslStream::new(ssl, bare).unwrap());
    stream.as_mut().connect().await.unwrap();
    // An answer proves that the server, too, has completed the handshake.
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
    let ledgers = fleet.finish().await;

    let entry = &ledgers[0][0];
    assert_eq!((entry.outcome, entry.phase, entry.ended), (Handling::Accepted, Phase::Close, Ended::Stopped));
    let mut rest = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut rest)).await.unwrap().expect("close_notify comes before FIN");
}

/// These wait in the kernel's queue, and nobody has let them in when `finish` is called.
#[tokio::test]
async fn finish_misses_nobody_who_is_at_the_door() {
    let fleet = fleet(&["plain-good"; 20], DEADLINE).await;
    for backend in fleet.backends() {
        drop(std::net::TcpStream::connect(backend.address()).unwrap());
    }
    let ledgers = fleet.finish().await;

    assert!(ledgers.iter().all(|ledger| ledger.len() == 1), "{ledgers:#?}");
}

#[tokio::test]
async fn finish_waits_for_those_who_are_about_to_leave() {
    let fleet = fleet(&["plain-good"], DEADLINE).await;
    let address = fleet.backends()[0].address();
    let streams: Vec<_> = connections(50, address).await;
    let finished = tokio::spawn(fleet.finish());
    drop(streams);
    let ledgers = timeout(DEADLINE, finished).await.unwrap().unwrap();

    assert_eq!(ledgers[0].len(), 50);
    assert!(ledgers[0].iter().all(|entry| entry.ended == Ended::ClosedByPeer));
}

async fn connections(count: usize, address: std::net::SocketAddr) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(TcpStream::connect(address).await.unwrap());
    }
    streams
}

#[tokio::test]
async fn five_hundred_backends_are_one_fleet() {
    let all: Vec<_> = catalogue().backends().map(|(name, _, _)| name).collect();
    let names: Vec<_> = all.into_iter().cycle().take(500).collect();
    let fleet = fleet(&names, DEADLINE).await;

    assert!(fleet.backends().iter().map(Backend::name).eq(names));
    assert_eq!(fleet.finish().await.len(), 500);
}

/// Whatever composes can be set up.
#[tokio::test]
async fn every_pair_starts_or_says_why_not() {
    let names: Vec<_> = catalogue().backends().map(|(name, ..)| name).collect();
    let pairs = names.iter().enumerate().flat_map(|(place, left)| {
        names[place + 1..].iter().map(move |right| catalogue().backend(&format!("{left}+{right}")))
    });
    let plan: Vec<_> = pairs.flatten().collect();
    let backend = Backend::start("refuses-connection").await.unwrap();
    for some in plan.chunks(400) {
        let fleet = Fleet::start(some, backend.pki(), &FleetOptions::default()).await;
        assert_eq!(
            fleet.map(|fleet| fleet.backends().len()).map_err(|error| error.to_string()),
            Ok(some.len())
        );
    }
}

#[tokio::test]
async fn an_unknown_backend_is_an_error_with_a_hint() {
    let error = Backend::start("expired-leef").await.unwrap_err().to_string();
    assert!(error.contains("did you mean \"expired-leaf\"?"), "{error}");
}
