//! The application protocols of our clients: what OpenSSL's server sees of them, what they make of servers that agree on none
//! or on another, and of HTTP/2 that is given up.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

mod tool;
mod world;

use std::{future::ready, net::Ipv4Addr, pin::Pin, process::Stdio};

use h2::Reason;
use hyper::Response;
use openssl::ssl::{AlpnError, Ssl, SslContext, SslMethod};
use rstest::rstest;
use tempfile::TempDir;
use tls_gauntlet::{
    client::{ClientTrust, Probe, Target},
    gateway::GATEWAY_NAME,
    limits::Limits,
};
use tls_gauntlet_certs::{Name, Pki, ServerCertificate};
use tls_gauntlet_scenarios::{Cause, ClientSaw, Ended, Phase, catalogue};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::Command,
    time::timeout,
};
use tokio_openssl::SslStream;

use tool::{DEADLINE, is_installed};
use world::pki;

fn probe(client: &str, pki: &Pki) -> Probe {
    let profile = catalogue().client(client).unwrap();
    Probe::for_client(profile, &ClientTrust::ours(pki, GATEWAY_NAME), pki, Limits::default()).unwrap()
}

#[rstest]
#[case("h2-and-h1", "h2,http/1.1", "h2, http/1.1", "h2")]
#[case("h2-and-h1", "http/1.1", "h2, http/1.1", "http/1.1")]
#[case("h2-only", "h2,http/1.1", "h2", "h2")]
#[case("h1-only", "h2,http/1.1", "http/1.1", "http/1.1")]
#[tokio::test]
async fn openssl_sees_what_they_offer(
    #[case] client: &str,
    #[case] accepted: &str,
    #[case] offered: &str,
    #[case] agreed: &str,
) {
    if !is_installed("openssl") {
        return;
    }
    let (pki, folder) = (pki(), TempDir::new().unwrap());
    let identity = pki.server(ServerCertificate::Good, &[Name::Dns(GATEWAY_NAME.to_owned())]).unwrap();
    let file = folder.path().join("server.pem");
    std::fs::write(&file, identity.chain_pem() + &identity.key_pem()).unwrap();
    let mut command = Command::new("openssl");
    command.args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-alpn", accepted, "-cert"]);
    command.arg(&file).args(["-cert_chain".as_ref(), file.as_os_str(), "-key".as_ref(), file.as_os_str()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut server = command.spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut after = async |start: &str| {
        let line = async {
            loop {
                let line = lines.next_line().await.unwrap().unwrap();
                if let Some(rest) = line.strip_prefix(start) {
                    return rest.to_owned();
                }
            }
        };
        timeout(DEADLINE, line).await.unwrap()
    };

    let address = after("ACCEPT ").await.parse().unwrap();
    let probe = probe(client, &pki);
    let call = tokio::spawn(async move { probe.get(&Target::at(address)).await });
    assert_eq!(after("ALPN protocols advertised by the client: ").await, offered);
    assert_eq!(after("ALPN protocols selected: ").await, agreed);
    server.kill().await.unwrap();
    assert_eq!(call.await.unwrap().alpn.as_deref(), Some(agreed));
}

/// When a server gives a request over HTTP/2 up, and with which code.
#[derive(Clone, Copy)]
enum GivesUp {
    AtOnce(Reason),
    AfterTheHead(Reason),
}

/// What becomes of a client at a server that picks this protocol, if any, and gives up every request over HTTP/2 like this.
async fn call(client: &str, picks: Option<&'static [u8]>, gives_up: Option<GivesUp>) -> ClientSaw {
    let pki = pki();
    let identity = pki.server(ServerCertificate::Good, &[Name::Dns(GATEWAY_NAME.to_owned())]).unwrap();
    let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
    context.set_certificate(identity.leaf()).unwrap();
    context.set_private_key(identity.key()).unwrap();
    for issuer in &identity.chain()[1..] {
        context.add_extra_chain_cert(issuer.clone()).unwrap();
    }
    context.set_alpn_select_callback(move |_, _| picks.ok_or(AlpnError::NOACK));
    let context = context.build();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = async {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut stream = SslStream::new(Ssl::new(&context).unwrap(), tcp).unwrap();
        let (Ok(()), Some(gives_up)) = (Pin::new(&mut stream).accept().await, gives_up) else { return };
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            match gives_up {
                GivesUp::AtOnce(code) => respond.send_reset(code),
                GivesUp::AfterTheHead(code) => {
                    let mut response = respond.send_response(Response::default(), false).unwrap();
                    // The head goes out before that.
                    tokio::select! { biased; _ = connection.accept() => {} () = ready(()) => {} }
                    response.send_reset(code);
                }
            }
        }
    };
    let probe = probe(client, &pki);
    let (saw, ()) = tokio::join!(async { probe.get(&Target::at(address)).await }, server);
    saw
}

#[rstest]
#[case::none_agreed("h2-only", None)]
#[case::none_known("unknown-protocol", None)]
#[case::unoffered("h2-only", Some(&b"http/1.1"[..]))]
#[case::unoffered("h2-and-h1", Some(&b"gauntlet/1"[..]))]
#[tokio::test]
async fn they_leave_a_server_that_does_not_speak_theirs(
    #[case] client: &str,
    #[case] picks: Option<&'static [u8]>,
) {
    let saw = call(client, picks, None).await;
    assert_eq!(saw.refused_because, Some(Cause::AlpnMismatch), "{saw:?}");
    assert_eq!((saw.phase, saw.alpn, saw.status), (Phase::Handshake, None, None));
}

#[rstest]
#[case(Reason::HTTP_1_1_REQUIRED, "HTTP_1_1_REQUIRED")]
#[case(Reason::INTERNAL_ERROR, "INTERNAL_ERROR")]
#[tokio::test]
async fn the_code_of_http2_is_kept(#[case] code: Reason, #[case] name: &str) {
    let saw = call("h2-and-h1", Some(b"h2"), Some(GivesUp::AtOnce(code))).await;
    assert_eq!(saw.http2_error.as_deref(), Some(name), "{saw:?}");
    assert_eq!((saw.phase, saw.ended), (Phase::Response, Some(Ended::ResetByPeer)));
    assert_eq!((saw.alpn.as_deref(), saw.status), (Some("h2"), None));
}

#[tokio::test]
async fn the_code_of_a_response_that_is_cut_is_kept() {
    let gives_up = GivesUp::AfterTheHead(Reason::ENHANCE_YOUR_CALM);
    let saw = call("h2-and-h1", Some(b"h2"), Some(gives_up)).await;
    assert_eq!(saw.http2_error.as_deref(), Some("ENHANCE_YOUR_CALM"), "{saw:?}");
    assert_eq!((saw.status, saw.complete, saw.phase), (Some(200), false, Phase::Response));
}
