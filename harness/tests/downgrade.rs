//! Somebody between two that both speak TLS 1.3 takes it out of the ClientHello: the server's answer says so (RFC 8446
//! 4.1.3), and whoever gets it has to refuse it with `illegal_parameter`.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

mod tool;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rstest::rstest;
use tls_gauntlet::{
    Backend,
    backend::SERVER_NAME,
    client::{ClientTrust, Probe, Target},
    gateway::{
        GATEWAY_NAME, GatewayPlan,
        reference::{Reference, ReferenceKnobs},
    },
    limits::Limits,
};
use tls_gauntlet_scenarios::{Alert, TlsVersion, catalogue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    process::Command,
};

use tool::{is_installed, run};

const SUPPORTED_VERSIONS: u16 = 43;
const LONG: Duration = Duration::from_secs(30);

/// Listens, and passes everything on to this address; of each ClientHello it leaves an extension out, if it is told to.
async fn between(server: SocketAddr, takes_out: Option<u16>) -> SocketAddr {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = port.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = port.accept().await {
            tokio::spawn(async move {
                let mut header = [0; 5];
                client.read_exact(&mut header).await.unwrap();
                let mut hello = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
                client.read_exact(&mut hello).await.unwrap();
                let hello = takes_out.map_or(hello.clone(), |kind| without(&hello, kind));
                let mut server = TcpStream::connect(server).await.unwrap();
                let length = u16::try_from(hello.len()).unwrap().to_be_bytes();
                server.write_all(&[&header[..3], &length, &hello].concat()).await.unwrap();
                // How the two part is what the test looks at.
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

/// A ClientHello without one of its extensions (RFC 8446 4.1.2).
fn without(hello: &[u8], kind: u16) -> Vec<u8> {
    let number = |place: usize| usize::from(u16::from_be_bytes([hello[place], hello[place + 1]]));
    // Behind the header of the message, version and random: session identifier, suites, compression methods.
    let mut place = 4 + 2 + 32;
    place += 1 + usize::from(hello[place]);
    place += 2 + number(place);
    place += 1 + usize::from(hello[place]);
    let (fixed, mut kept) = (place, Vec::new());
    place += 2;
    while place < hello.len() {
        let next = place + 4 + number(place + 2);
        if number(place) != usize::from(kind) {
            kept.extend_from_slice(&hello[place..next]);
        }
        place = next;
    }
    let extensions = [&u16::try_from(kept.len()).unwrap().to_be_bytes()[..], &kept].concat();
    let body = [&hello[4..fixed], &extensions].concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&hello[..1], &length[1..], &body].concat()
}

/// Untouched, the connection is one of TLS 1.3; touched, it does not come to be.
#[rstest]
#[case(None)]
#[case(Some(SUPPORTED_VERSIONS))]
#[tokio::test]
async fn a_client_notices(#[case] takes_out: Option<u16>) {
    let backend = Backend::start("tls12-and-13").await.unwrap();
    let address = between(backend.address(), takes_out).await;
    let saw = Probe::sound("localhost", backend.pki()).unwrap().get(&Target::at(address)).await;
    let entry = backend.recorded(1).await.remove(0);
    if takes_out.is_none() {
        assert_eq!((saw.status, saw.tls_version), (Some(200), Some(TlsVersion::Tls13)));
        return;
    }
    assert_eq!((saw.status, saw.alert_sent), (None, Some(Alert::IllegalParameter)), "{saw:?}");
    assert_eq!(entry.alert_received, Some(Alert::IllegalParameter), "{entry:?}");
    assert_eq!(entry.client_hello.unwrap().versions.unwrap().max(), TlsVersion::Tls12);
}

#[rstest]
#[case("curl", "--silent --insecure --noproxy * https://{address}/")]
#[case("openssl", "s_client -connect {address}")]
#[tokio::test]
async fn so_do_others(#[case] program: &str, #[case] line: &str) {
    if !is_installed(program) {
        return;
    }
    let backend = Backend::start("tls12-and-13").await.unwrap();
    let address = between(backend.address(), Some(SUPPORTED_VERSIONS)).await;
    let mut command = Command::new(program);
    command.args(line.replace("{address}", &address.to_string()).split_whitespace());
    let said = run(command, "").await;
    assert_ne!(said.code, Some(0), "{said:?}");
    assert_eq!(backend.recorded(1).await[0].alert_received, Some(Alert::IllegalParameter), "{said:?}");
}

/// Between the gateway and the backend: the gateway answers for what it could not reach.
#[tokio::test]
async fn so_does_the_embedded_gateway_towards_its_backend() {
    let backend = Backend::start("tls12-and-13").await.unwrap();
    let address = between(backend.address(), Some(SUPPORTED_VERSIONS)).await;
    let mut plan = GatewayPlan::new(
        vec![("default".to_owned(), catalogue().listener("default").unwrap().clone())],
        vec![("strict".to_owned(), catalogue().upstream("strict").unwrap().clone())],
        Arc::clone(backend.pki()),
        Limits::default(),
    );
    let path = plan.add_route("strict", address, LONG, LONG).path.clone();
    let gateway = Reference::start(&plan, ReferenceKnobs::default()).await.unwrap();
    let client = catalogue().client("default").unwrap();
    let trust = ClientTrust::ours(backend.pki(), GATEWAY_NAME);
    let probe = Probe::for_client(client, &trust, backend.pki(), Limits::default()).unwrap();
    let target = Target {
        address: gateway.listener("default").unwrap(),
        host: SERVER_NAME.to_owned(),
        path: format!("{path}n-1"),
        nonce: "n-1".to_owned(),
    };
    assert_eq!(probe.get(&target).await.status, Some(502));
    assert_eq!(backend.recorded(1).await[0].alert_received, Some(Alert::IllegalParameter));

    // Between the client and the gateway.
    let address = between(target.address, Some(SUPPORTED_VERSIONS)).await;
    let saw = probe.get(&Target { address, ..target }).await;
    assert_eq!((saw.status, saw.alert_sent), (None, Some(Alert::IllegalParameter)), "{saw:?}");
    let log = gateway.stop().await;
    assert!(log.last().unwrap().contains("listener=default"), "{log:?}");
}
