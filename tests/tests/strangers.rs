//! Connections of others, which are no evidence: of each backend of a run a program that is not the gateway makes some.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rstest::rstest;
use tests::{installed, now};
use tls_gauntlet::runner::{self, Event, RunRequest};
use tls_gauntlet_scenarios::VerdictKind;

/// How many connections a stranger makes at most.
const MOST: usize = 2000;

/// A ClientHello of TLS 1.0, 1.1 or 1.2 with two cipher suites and no extension.
fn hello() -> Vec<u8> {
    let mut hello = vec![22, 3, 1, 0, 49, 1, 0, 0, 45, 3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 4, 0, 47, 0, 53, 1, 0, 0, 0]);
    hello.truncate(54);
    hello
}

/// The ports on which this process listens, but for 127.0.0.1, where gateways and other tests are.
fn own_ports() -> BTreeSet<SocketAddr> {
    let files = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let own: BTreeSet<String> = files
        .filter_map(|file| fs::read_link(file.path()).ok()?.to_str().map(str::to_owned))
        .filter_map(|file| Some(file.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    let listening = rows.filter(|row| row[3] == "0A" && own.contains(row[9]));
    let addresses = listening.map(|row| {
        let (ip, port) = row[1].split_once(':').unwrap();
        let ip = Ipv4Addr::from(u32::from_str_radix(ip, 16).unwrap().swap_bytes());
        SocketAddr::from((ip, u16::from_str_radix(port, 16).unwrap()))
    });
    addresses.filter(|address| address.ip() != Ipv4Addr::LOCALHOST).collect()
}

#[rstest]
fn what_strangers_offer_is_not_held_against_a_gateway(#[values("nginx", "haproxy")] gateway: &str) {
    if !installed(gateway) {
        return;
    }
    let mut request = RunRequest::new(1, now());
    request.gateways = vec![gateway.to_owned()];
    request.suites = vec!["certificates".to_owned()];
    request.filters = vec!["*/leaf*".to_owned(), "*/*-*/strict::*".to_owned()];
    let (over, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (until, count) = (Arc::clone(&over), Arc::clone(&made));
    let stranger = move || {
        let ports = own_ports();
        assert!(!ports.is_empty(), "the fleet has no address of its own");
        let mut streams = Vec::new();
        while streams.len() < MOST && !until.load(Ordering::Relaxed) {
            for port in &ports {
                let Ok(mut stream) = TcpStream::connect_timeout(port, Duration::from_secs(5)) else {
                    continue;
                };
                count.fetch_add(1, Ordering::Relaxed);
                // The answer waits in the socket.
                let _ = stream.write_all(&hello());
                streams.push(stream);
            }
        }
    };
    let stranger = std::sync::Mutex::new(Some(stranger));
    let thread = std::sync::Mutex::new(None);
    let on_event = |event: Event| {
        if matches!(event, Event::Stage { name } if name.ends_with(": start")) {
            *thread.lock().unwrap() = stranger.lock().unwrap().take().map(thread::spawn);
        }
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let record = runtime.block_on(runner::run(&request, &on_event)).unwrap();
    over.store(true, Ordering::Relaxed);
    thread.into_inner().unwrap().unwrap().join().unwrap();

    let wrong: Vec<_> = record
        .cells
        .iter()
        .filter(|cell| cell.verdict == VerdictKind::FailOpen)
        .map(|cell| &cell.id)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(made.load(Ordering::Relaxed) > 0);
    let told: usize = record.cells.iter().map(|cell| cell.strangers).sum();
    assert!(told > 0, "nobody says that strangers called");
}
