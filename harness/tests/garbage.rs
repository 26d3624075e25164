//! Garbage in any phase: no bytes kill a backend, none leave a connection without its entry, none stop the others.
//!
//! The corpus is what curl, gnutls-cli, Node and `openssl s_client` send first; it is changed at random, the same each
//! time.

#![allow(clippy::unwrap_used, reason = "clippy takes helpers of tests for no tests")]

mod tool;

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use time::OffsetDateTime;
use tls_gauntlet::{
    backend::{Backend, Fleet, FleetOptions, Front, SERVER_NAME},
    client::{Probe, Target},
    limits::Limits,
    wire::client_hello::{self, FirstMessage},
};
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::{Ended, catalogue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_openssl::SslStream;
use tool::DEADLINE;

/// What programs send first, by the name of the program.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut corpus: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    // The first is curl's, for a backend that there is.
    let (known, unknown) = (b"plain-good", b"plane-good");
    let place = corpus[0].windows(known.len()).position(|bytes| bytes == known).unwrap();
    let mut for_nobody = corpus[0].clone();
    for_nobody[place..place + unknown.len()].copy_from_slice(unknown);
    corpus.insert(1, for_nobody);
    corpus.push(b"GET / HTTP/1.1\r\nhost: backend.gauntlet.test\r\n\r\n".to_vec());
    corpus.push(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec());
    corpus
}

/// Knuth's MMIX generator: the same numbers each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }

    fn byte(&mut self) -> u8 {
        const TELLING: &[u8] = &[0, 1, 2, 3, 4, 20, 21, 22, 23, 0x40, 0x7f, 0x80, 0xfe, 0xff];
        TELLING[self.below(TELLING.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.byte()).collect()
    }

    /// Some bytes of the corpus, changed in a few places.
    fn mutant(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(4) {
            let place = self.below(bytes.len());
            match self.below(7) {
                0 => bytes.truncate(place),
                1 => bytes.splice(place..place, self.bytes(40)).for_each(drop),
                2 => drop(bytes.drain(place..(place + self.below(40)).min(bytes.len()))),
                3 => bytes.extend_from_within(place..),
                4 => bytes.extend(self.bytes(2000)),
                _ => {
                    let byte = self.byte();
                    bytes.get_mut(place).into_iter().for_each(|there| *there = byte);
                }
            }
        }
        bytes
    }
}

#[test]
fn the_parser_reads_everything() {
    let corpus = corpus();
    let mut chance = Chance(1);
    let mut whole = 0;
    for _ in 0..20_000 {
        let mutant = chance.mutant(&corpus);
        let facts = client_hello::facts(&mutant);
        assert_eq!(facts.length, mutant.len());
        if let FirstMessage::Whole(message) = FirstMessage::of(&mutant) {
            whole += 1;
            assert!(message.len() <= mutant.len());
            // What comes later changes nothing.
            let more = [mutant, chance.bytes(50)].concat();
            assert_eq!(FirstMessage::of(&more), FirstMessage::Whole(message));
        }
    }
    assert!((4_000..19_000).contains(&whole), "{whole} mutants can still be read: too few, or too many");
}

/// Those that answer a sound call, and those that do something of their own at each place in a connection.
const BACKENDS: &[&str] = &[
    "plain-good",
    "tls10-to-13",
    "h2-only",
    "client-cert-required",
    "renegotiation-required",
    "post-handshake-auth-required",
    "sni-required",
    "tiny-records",
    "drips",
    "intolerant-of-split-hello",
    "stalls-on-accept",
    "stalls-before-handshake",
    "resets-after-server-hello",
    "closes-before-finished",
    "stalls-after-request",
    "closes-in-response",
    "plaintext-http",
    "garbage-on-accept",
];

const ROUNDS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn the_fleet_bears_everything() {
    #[allow(
        clippy::disallowed_methods,
        reason = "certificates have to be valid by the clock that OpenSSL reads"
    )]
    let pki = Arc::new(Pki::new(7, OffsetDateTime::now_utc()).unwrap());
    let plan: Vec<_> = BACKENDS.iter().map(|name| catalogue().backend(name).unwrap()).collect();
    let fleet = Fleet::start(&plan, &pki, &FleetOptions::default()).await.unwrap();
    let front = Front::start(&pki, &FleetOptions::default()).await.unwrap();
    let corpus = Arc::new(corpus());

    let addresses: Vec<_> = fleet.backends().iter().map(Backend::address).chain([front.address()]).collect();
    let peers = addresses.iter().enumerate().map(|(place, address)| {
        let (address, corpus) = (*address, Arc::clone(&corpus));
        let mut chance = Chance(u64::try_from(place).unwrap());
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                match round % 4 {
                    0 | 1 => before_the_handshake(address, &mut chance, &corpus).await,
                    2 => in_the_handshake(address, &mut chance, &corpus).await,
                    _ => after_the_handshake(address, &mut chance).await,
                }
            }
        })
    });
    for peer in peers.collect::<Vec<_>>() {
        timeout(DEADLINE * 4, peer).await.expect("no peer is kept waiting").unwrap();
    }

    // Whoever served before still serves.
    for address in [fleet.backends()[0].address(), fleet.backends()[1].address(), front.address()] {
        let upstream = catalogue().upstream("strict").unwrap();
        let probe = Probe::for_upstream(upstream, "localhost", &pki, Limits::default()).unwrap();
        let nonce = "n-0123456789abcdef".to_owned();
        let target = Target { address, host: "localhost".to_owned(), path: format!("/{nonce}"), nonce };
        assert_eq!(probe.get(&target).await.status, Some(200));
    }
    let mut ledgers = fleet.finish().await;
    ledgers.push(front.finish().await);
    for (place, ledger) in ledgers.iter().enumerate() {
        let name = BACKENDS.get(place).unwrap_or(&"all by name");
        let last = usize::from([0, 1, BACKENDS.len()].contains(&place));
        assert_eq!(ledger.len(), ROUNDS + last, "{name}: one connection, one entry");
        let open = ledger.iter().filter(|entry| matches!(entry.ended, Ended::Stopped | Ended::TimedOut));
        assert_eq!(
            open.collect::<Vec<_>>(),
            Vec::<&_>::new(),
            "{name}: every connection has come to its end"
        );
    }
}

/// Sends garbage first thing, in one piece or two, and leaves in good order or not.
async fn before_the_handshake(address: SocketAddr, chance: &mut Chance, corpus: &[Vec<u8>]) {
    let bytes = chance.mutant(corpus);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (first, rest) = bytes.split_at(chance.below(bytes.len()));
    // A backend that has gone already is none the worse.
    let _ = stream.write_all(first).await;
    tokio::task::yield_now().await;
    let _ = stream.write_all(rest).await;
    leave(stream, chance).await;
}

/// Sends a ClientHello, and garbage where the rest of the handshake should come.
async fn in_the_handshake(address: SocketAddr, chance: &mut Chance, corpus: &[Vec<u8>]) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(&corpus[chance.below(corpus.len() - 2)]).await;
    if chance.below(2) == 0 {
        let _ = stream.shutdown().await;
    } else {
        let _ = stream.write_all(&chance.mutant(corpus)).await;
    }
    leave(stream, chance).await;
}

/// Sends garbage inside TLS, or past it, once there is a connection.
async fn after_the_handshake(address: SocketAddr, chance: &mut Chance) {
    let mut client = SslConnector::builder(SslMethod::tls_client()).unwrap();
    client.set_verify(SslVerifyMode::NONE);
    let ssl = client.build().configure().unwrap().verify_hostname(false).into_ssl(SERVER_NAME).unwrap();
    let bare = TcpStream::connect(address).await.unwrap();
    let mut stream = Box::pin(SslStream::new(ssl, bare).unwrap());
    // Those that stall in the handshake are left alone; the others end it.
    let stalls = std::time::Duration::from_millis(200);
    if !matches!(timeout(stalls, stream.as_mut().connect()).await, Ok(Ok(()))) {
        return;
    }
    let garbage = chance.bytes(3000);
    let _ = if chance.below(2) == 0 {
        stream.write_all(&garbage).await
    } else {
        stream.get_mut().write_all(&garbage).await
    };
}

/// Leaves with FIN, with RST, or after the backend has had its say.
async fn leave(mut stream: TcpStream, chance: &mut Chance) {
    match chance.below(3) {
        0 => {}
        1 => drop(stream.set_zero_linger()),
        _ => {
            let _ = stream.shutdown().await;
            let mut some = [0; 4096];
            // One that drips or stalls has no last word.
            let _ = timeout(std::time::Duration::from_millis(200), stream.read(&mut some)).await;
        }
    }
}
