//! The probe against servers that are nothing but OpenSSL and a canned response: what it says it saw.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

mod world;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use openssl::{
    ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslStream, SslVerifyMode, SslVersion},
    x509::store::X509StoreBuilder,
};
use rstest::rstest;
use tls_gauntlet::{
    client::{Dialer, DialerSettings, Probe, Target},
    limits::Limits,
};
use tls_gauntlet_certs::{ClientCertificate, Name, Pki, ServerCertificate};
use tls_gauntlet_scenarios::{Alert, Cause, ClientSaw, Ended, Phase, Responder, TlsVersion, Versions};
use tokio::time::Instant;

use world::pki;

const NAME: &str = "backend.gauntlet.test";

/// What a server answers once it has read a request.
#[derive(Clone, Copy)]
enum Says {
    /// What a backend says.
    Echo,
    /// A response without the backend's header.
    BadGateway,
    /// A whole head and half of its body.
    Half,
    /// Nothing; it closes.
    Nothing,
    /// Nothing; it waits for the client to go away.
    Silence,
}

impl Says {
    fn text(self) -> &'static str {
        match self {
            Self::Echo => {
                "HTTP/1.1 200 OK\r\nx-gauntlet-backend: test\r\ncontent-length: 15\r\n\r\n{\"nonce\":\"n-1\"}"
            }
            Self::BadGateway => "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nno\n",
            Self::Half => "HTTP/1.1 200 OK\r\nx-gauntlet-backend: test\r\ncontent-length: 15\r\n\r\n{\"nonce",
            Self::Nothing | Self::Silence => "",
        }
    }
}

fn context(pki: &Pki, recipe: ServerCertificate, version: SslVersion) -> SslContextBuilder {
    let identity = pki.server(recipe, &[NAME.parse::<Name>().unwrap()]).unwrap();
    let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
    context.set_security_level(0);
    context.set_cipher_list("DEFAULT:@SECLEVEL=0").unwrap();
    context.set_min_proto_version(Some(version)).unwrap();
    context.set_max_proto_version(Some(version)).unwrap();
    context.set_certificate(identity.leaf()).unwrap();
    context.set_private_key(identity.key()).unwrap();
    for issuer in &identity.chain()[1..] {
        context.add_extra_chain_cert(issuer.clone()).unwrap();
    }
    context
}

fn require_client(context: &mut SslContextBuilder, pki: &Pki) {
    let mut store = X509StoreBuilder::new().unwrap();
    store.add_cert(pki.client_root().clone()).unwrap();
    context.set_cert_store(store.build());
    context.set_session_id_context(b"test").unwrap();
    context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
}

/// Serves one connection.
fn serve(context: SslContextBuilder, says: Says) -> SocketAddr {
    let context = context.build();
    once(move |tcp| {
        if let Ok(stream) = Ssl::new(&context).unwrap().accept(tcp) {
            answer(stream, says);
        }
    })
}

fn answer(mut stream: SslStream<TcpStream>, says: Says) {
    let mut request = [0; 4096];
    if !matches!(stream.read(&mut request), Ok(1..)) {
        return;
    }
    let _ = stream.write_all(says.text().as_bytes());
    match says {
        // Until the client closes, that is.
        Says::Silence => drop(stream.read(&mut request)),
        Says::Echo | Says::BadGateway | Says::Half | Says::Nothing => drop(stream.shutdown()),
    }
}

fn once(handle: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || handle(listener.accept().unwrap().0));
    address
}

async fn get(settings: &DialerSettings, address: SocketAddr) -> ClientSaw {
    Probe::new(settings, Limits::default()).unwrap().get(&target(address)).await
}

fn target(address: SocketAddr) -> Target {
    Target { address, host: NAME.to_owned(), path: "/strict/1/n-1".to_owned(), nonce: "n-1".to_owned() }
}

#[rstest]
#[case(SslVersion::SSL3, TlsVersion::Ssl3)]
#[case(SslVersion::TLS1, TlsVersion::Tls10)]
#[case(SslVersion::TLS1_1, TlsVersion::Tls11)]
#[case(SslVersion::TLS1_2, TlsVersion::Tls12)]
#[case(SslVersion::TLS1_3, TlsVersion::Tls13)]
#[tokio::test]
async fn reaches_a_sound_server(#[case] number: SslVersion, #[case] version: TlsVersion) {
    let pki = pki();
    // SSL 3.0 has no elliptic curves.
    let address = serve(context(&pki, ServerCertificate::GoodRsa, number), Says::Echo);
    let settings =
        DialerSettings { versions: Versions::of(TlsVersion::ALL), ..DialerSettings::sound(NAME, &pki) };

    let expected = ClientSaw {
        status: Some(200),
        answered_by: Some(Responder::Backend),
        complete: true,
        tls_version: Some(version),
        phase: Phase::Close,
        ..ClientSaw::default()
    };
    assert_eq!(get(&settings, address).await, expected);
}

#[rstest]
#[case(ServerCertificate::Expired, Cause::ServerCertExpired, Alert::CertificateExpired)]
#[case(ServerCertificate::NotYetValid, Cause::ServerCertNotYetValid, Alert::BadCertificate)]
#[case(ServerCertificate::WrongName, Cause::ServerCertNameMismatch, Alert::BadCertificate)]
#[case(ServerCertificate::SelfSigned, Cause::ServerCertUntrusted, Alert::UnknownCa)]
#[case(ServerCertificate::UntrustedRoot, Cause::ServerCertUntrusted, Alert::UnknownCa)]
#[case(ServerCertificate::MissingIntermediate, Cause::ServerCertUntrusted, Alert::UnknownCa)]
#[case(ServerCertificate::WrongExtendedKeyUsage, Cause::ServerCertWrongUsage, Alert::UnsupportedCertificate)]
#[tokio::test]
async fn names_what_is_wrong_with_a_certificate(
    #[case] recipe: ServerCertificate,
    #[case] cause: Cause,
    #[case] alert: Alert,
    #[values(SslVersion::TLS1_2, SslVersion::TLS1_3)] version: SslVersion,
) {
    let pki = pki();
    let address = serve(context(&pki, recipe, version), Says::Echo);
    let saw = get(&DialerSettings::sound(NAME, &pki), address).await;

    assert_eq!(saw.refused_because, Some(cause), "{saw:?}");
    assert_eq!((saw.alert_sent, saw.alert), (Some(alert), None));
    assert_eq!((saw.phase, saw.ended), (Phase::Handshake, Some(Ended::AlertSent)));
    assert_eq!(saw.status, None);
}

#[rstest]
#[case::name_alone(false, true, ServerCertificate::WrongName, Some(Cause::ServerCertNameMismatch))]
#[case::name_alone_untrusted(false, true, ServerCertificate::UntrustedRoot, None)]
#[case::name_alone_expired(false, true, ServerCertificate::Expired, None)]
#[case::name_alone_self_signed(false, true, ServerCertificate::SelfSigned, None)]
#[case::chain_alone(true, false, ServerCertificate::Expired, Some(Cause::ServerCertExpired))]
#[case::chain_alone_wrong_name(true, false, ServerCertificate::WrongName, None)]
#[case::nothing(false, false, ServerCertificate::SelfSigned, None)]
#[tokio::test]
async fn chain_and_name_are_two_switches(
    #[case] verify_chain: bool,
    #[case] verify_name: bool,
    #[case] recipe: ServerCertificate,
    #[case] refused: Option<Cause>,
) {
    let pki = pki();
    let settings = DialerSettings { verify_chain, verify_name, ..DialerSettings::sound(NAME, &pki) };
    let saw = get(&settings, serve(context(&pki, recipe, SslVersion::TLS1_3), Says::Echo)).await;

    assert_eq!(saw.refused_because, refused, "{saw:?}");
    assert_eq!(saw.status, refused.is_none().then_some(200));
}

#[rstest]
#[case(SslVersion::TLS1_2, None, Alert::HandshakeFailure)]
#[case(SslVersion::TLS1_3, None, Alert::CertificateRequired)]
#[case(SslVersion::TLS1_2, Some(ClientCertificate::Untrusted), Alert::UnknownCa)]
#[case(SslVersion::TLS1_3, Some(ClientCertificate::Untrusted), Alert::UnknownCa)]
#[case(SslVersion::TLS1_3, Some(ClientCertificate::Expired), Alert::CertificateExpired)]
#[case(SslVersion::TLS1_3, Some(ClientCertificate::SelfSigned), Alert::UnknownCa)]
#[tokio::test]
async fn sees_the_alert_that_refuses_its_certificate(
    #[case] version: SslVersion,
    #[case] shown: Option<ClientCertificate>,
    #[case] alert: Alert,
) {
    let pki = pki();
    let mut context = context(&pki, ServerCertificate::Good, version);
    require_client(&mut context, &pki);
    let identity = shown.map(|recipe| pki.client(recipe).unwrap());
    let settings = DialerSettings { identity, ..DialerSettings::sound(NAME, &pki) };
    let saw = get(&settings, serve(context, Says::Echo)).await;

    assert_eq!(saw.alert, Some(alert), "{saw:?}");
    assert_eq!((saw.phase, saw.ended), (Phase::Handshake, Some(Ended::AlertReceived)));
    assert!(saw.certificate_requested);
    assert_eq!((saw.status, saw.refused_because), (None, None));
}

/// In TLS 1.3 the alert and the reset that follows it are both there before the client writes its request.
#[rstest]
#[tokio::test]
async fn hears_the_alert_of_a_server_that_has_hung_up(#[values("http/1.1", "h2")] protocol: &'static str) {
    let pki = pki();
    let mut context = context(&pki, ServerCertificate::Good, SslVersion::TLS1_3);
    require_client(&mut context, &pki);
    context.set_alpn_select_callback(|_, _| Ok(protocol.as_bytes()));
    let context = context.build();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let still_open = tcp.try_clone().unwrap();
        assert!(Ssl::new(&context).unwrap().accept(tcp).is_err());
        still_open.set_nonblocking(true).unwrap();
        still_open
    });

    let deadline = Instant::now() + Duration::from_secs(20);
    let settings = DialerSettings { alpn: vec![protocol.to_owned()], ..DialerSettings::sound(NAME, &pki) };
    let dialed = Dialer::new(&settings).unwrap().dial(address, deadline).await.unwrap();
    let server = tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap();
    let server = tokio::net::TcpStream::from_std(server).unwrap();
    // Closing resets.
    server.set_zero_linger().unwrap();
    drop(server);

    let request = Request::get("/").header("host", NAME).body(Full::<Bytes>::default()).unwrap();
    let failure = dialed.call(request, deadline).await.unwrap_err();
    assert_eq!(failure.handshake.alert_received, Some(Alert::CertificateRequired), "{failure:?}");
    assert_eq!((failure.cause, failure.phase), (Cause::ClientCertMissing, Phase::Handshake));
}

#[tokio::test]
async fn shows_a_sound_certificate() {
    let pki = pki();
    let mut context = context(&pki, ServerCertificate::Good, SslVersion::TLS1_3);
    require_client(&mut context, &pki);
    let identity = Some(pki.client(ClientCertificate::Good).unwrap());
    let settings = DialerSettings { identity, ..DialerSettings::sound(NAME, &pki) };
    let saw = get(&settings, serve(context, Says::Echo)).await;

    assert_eq!((saw.status, saw.certificate_requested), (Some(200), true), "{saw:?}");
}

#[tokio::test]
async fn versions_with_a_gap_do_not_meet_what_is_in_it() {
    let pki = pki();
    let settings = DialerSettings {
        versions: Versions::of(&[TlsVersion::Tls10, TlsVersion::Tls12]),
        ..DialerSettings::sound(NAME, &pki)
    };
    let between = context(&pki, ServerCertificate::Good, SslVersion::TLS1_1);
    let saw = get(&settings, serve(between, Says::Echo)).await;

    assert_eq!(saw.phase, Phase::Handshake, "{saw:?}");
    assert_eq!(saw.alert.or(saw.alert_sent), Some(Alert::ProtocolVersion));
}

#[rstest]
#[case(Says::BadGateway, Some(502), Some(Responder::Gateway), true, Phase::Close, None)]
#[case(Says::Half, Some(200), Some(Responder::Backend), false, Phase::Response, Some(Ended::ClosedByPeer))]
#[case(Says::Nothing, None, None, false, Phase::Response, Some(Ended::ClosedByPeer))]
#[tokio::test]
async fn tells_how_the_exchange_went(
    #[case] says: Says,
    #[case] status: Option<u16>,
    #[case] responder: Option<Responder>,
    #[case] complete: bool,
    #[case] phase: Phase,
    #[case] ended: Option<Ended>,
) {
    let pki = pki();
    let address = serve(context(&pki, ServerCertificate::Good, SslVersion::TLS1_3), says);
    let saw = get(&DialerSettings::sound(NAME, &pki), address).await;

    assert_eq!((saw.status, saw.answered_by, saw.complete), (status, responder, complete), "{saw:?}");
    assert_eq!((saw.phase, saw.ended), (phase, ended), "{saw:?}");
}

#[tokio::test]
async fn a_response_with_another_nonce_is_not_the_backends() {
    let pki = pki();
    let address = serve(context(&pki, ServerCertificate::Good, SslVersion::TLS1_3), Says::Echo);
    let probe = Probe::new(&DialerSettings::sound(NAME, &pki), Limits::default()).unwrap();
    let saw = probe.get(&Target { nonce: "n-2".to_owned(), ..target(address) }).await;

    assert_eq!((saw.status, saw.answered_by), (Some(200), Some(Responder::Gateway)));
}

#[rstest]
#[case::in_the_handshake(false, Phase::Handshake)]
#[case::in_the_response(true, Phase::Response)]
#[tokio::test]
async fn a_silent_server_times_out(#[case] shakes_hands: bool, #[case] phase: Phase) {
    let pki = pki();
    let address = if shakes_hands {
        serve(context(&pki, ServerCertificate::Good, SslVersion::TLS1_3), Says::Silence)
    } else {
        once(|mut tcp| drop(tcp.read_to_end(&mut Vec::new())))
    };
    // Long enough for a handshake on a busy machine, short enough to wait for.
    let limits = Limits { call: Duration::from_secs(2), ..Limits::default() };
    let probe = Probe::new(&DialerSettings::sound(NAME, &pki), limits).unwrap();
    let saw = probe.get(&target(address)).await;

    assert_eq!((saw.phase, saw.ended), (phase, Some(Ended::TimedOut)), "{saw:?}");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_a_refused_connection() {
    let pki = pki();
    let nobody = (Ipv4Addr::LOCALHOST, 1).into();
    let saw = get(&DialerSettings::sound(NAME, &pki), nobody).await;

    assert_eq!((saw.phase, saw.ended), (Phase::Connect, None), "{saw:?}");
    assert!(saw.error.unwrap().contains("refused"));
}

#[tokio::test]
async fn http_where_tls_is_expected_is_not_understood() {
    let pki = pki();
    let address = once(|mut tcp| {
        let _ = tcp.read(&mut [0; 4096]);
        let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    });
    let saw = get(&DialerSettings::sound(NAME, &pki), address).await;

    assert_eq!((saw.phase, saw.ended), (Phase::Handshake, Some(Ended::NotUnderstood)), "{saw:?}");
    assert_eq!((saw.alert, saw.alert_sent), (None, None));
}

#[tokio::test]
async fn plaintext_speaks_http_without_tls() {
    let address = once(|mut tcp| {
        let _ = tcp.read(&mut [0; 4096]);
        let _ = tcp.write_all(Says::Echo.text().as_bytes());
    });
    let saw = Probe::plaintext(Limits::default()).get(&target(address)).await;

    assert_eq!((saw.status, saw.tls_version, saw.plaintext), (Some(200), None, true), "{saw:?}");
    assert_eq!(saw.answered_by, Some(Responder::Backend));
}

#[tokio::test]
async fn plaintext_to_a_tls_server_ends_without_a_response() {
    let pki = pki();
    let address = serve(context(&pki, ServerCertificate::Good, SslVersion::TLS1_3), Says::Echo);
    let saw = Probe::plaintext(Limits::default()).get(&target(address)).await;

    assert_eq!(saw.status, None, "{saw:?}");
    assert!(saw.ended.is_some());
}
