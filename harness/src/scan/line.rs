//! The line to one server: says a ClientHello, hears what comes of it, hangs up.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use tls_gauntlet_scenarios::{Cause, Phase};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};

use crate::{
    client::Failure,
    limits::Limits,
    wire::{offer::Offer, server_flight::ServerFlight},
};

/// How often a connection that ends without an answer is made again: some servers, and what stands before them, fail
/// now and then.
const AGAIN: u32 = 2;

/// A server that can be called.
#[derive(Debug)]
pub(crate) struct Line {
    pub(super) address: SocketAddr,
    pub(super) limits: Limits,
    random: [u8; 32],
    connections: AtomicU32,
    /// Whether it has gone silent after its ServerHello; later calls then wait for no more than that.
    stalls: AtomicBool,
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoAnswer {
    pub(crate) phase: Phase,
    pub(crate) cause: Cause,
}

impl NoAnswer {
    const fn in_handshake(cause: Cause) -> Self {
        Self { phase: Phase::Handshake, cause }
    }

    /// Whether the peer ended the connection, which may be its way of saying no.
    pub(super) const fn is_end(self) -> bool {
        matches!(self.phase, Phase::Handshake) && matches!(self.cause, Cause::Reset | Cause::Truncated)
    }
}

impl Line {
    pub(crate) fn new(address: SocketAddr, limits: Limits, random: [u8; 32]) -> Self {
        Self { address, limits, random, connections: AtomicU32::new(0), stalls: AtomicBool::new(false) }
    }

    /// How many connections have been made so far.
    pub(super) fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// A TCP connection.
    pub(super) async fn connect(&self) -> Result<TcpStream, NoAnswer> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let deadline = Instant::now() + self.limits.scan_connect;
        let failed = |cause| NoAnswer { phase: Phase::Connect, cause };
        match timeout_at(deadline, TcpStream::connect(self.address)).await {
            Ok(Ok(tcp)) => {
                // Fails only on a socket that is dead already; the first read will tell.
                let _ = tcp.set_nodelay(true);
                Ok(tcp)
            }
            // The port has a listener: a reset may overtake the end of connect(2).
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                Err(NoAnswer::in_handshake(Cause::Reset))
            }
            Ok(Err(error)) => Err(failed(Failure::not_connected(&error).cause)),
            Err(_) => Err(failed(Cause::Timeout)),
        }
    }

    /// Sends this ClientHello and reads as much of the server's first flight as is in the clear.
    pub(crate) async fn ask(&self, offer: &Offer) -> Result<ServerFlight, NoAnswer> {
        let mut again = AGAIN;
        loop {
            match self.ask_once(offer).await {
                Err(end) if end.is_end() && again > 0 => again -= 1,
                answered => return answered,
            }
        }
    }

    async fn ask_once(&self, offer: &Offer) -> Result<ServerFlight, NoAnswer> {
        let mut tcp = self.connect().await?;
        let deadline = Instant::now() + self.limits.scan_step;
        let mut flight = ServerFlight::default();
        let exchange = async {
            tcp.write_all(&offer.record(self.random)).await?;
            let mut buffer = [0; 4096];
            while !self.is_enough(&flight) {
                match tcp.read(&mut buffer).await? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => flight.feed(&buffer[..count]),
                }
            }
            Ok::<(), io::Error>(())
        };
        let ended = timeout_at(deadline, exchange).await;
        if flight.is_not_tls {
            return Err(NoAnswer::in_handshake(Cause::NotTls));
        }
        match ended {
            Ok(Ok(())) => Ok(flight),
            // A ServerHello before the error stands.
            Ok(Err(_)) if flight.hello.is_some() => Ok(flight),
            Err(_) if flight.hello.is_some() => {
                self.stalls.store(true, Ordering::Relaxed);
                Ok(flight)
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(NoAnswer::in_handshake(Cause::Truncated))
            }
            Ok(Err(_)) => Err(NoAnswer::in_handshake(Cause::Reset)),
            Err(_) => Err(NoAnswer::in_handshake(Cause::Timeout)),
        }
    }

    fn is_enough(&self, flight: &ServerFlight) -> bool {
        flight.is_over() || (flight.hello.is_some() && self.stalls.load(Ordering::Relaxed))
    }
}
