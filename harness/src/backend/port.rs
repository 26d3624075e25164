//! A port: lets connections in and keeps the tasks that serve them.

use std::{
    future, io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use openssl::ssl::SslContext;
use tls_gauntlet_scenarios::{BackendProfile, Composed, Fault, FaultAction, FaultPhase};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

use super::{connection, ledger::Ledger, shown::Known};
use crate::limits::Limits;

/// How long the kernel is left alone after it has refused to hand a connection over (too many open files), unless
/// a connection ends before that.
const BREATHER: Duration = Duration::from_millis(50);

/// Connections that may wait to be let in; the kernel's own maximum bounds it.
const BACKLOG: u32 = 4096;

/// The stages of a backend's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Everybody is let in and served.
    Serving,
    /// Nobody is let in, those who are in are served.
    Closing,
    /// Whoever is still there is sent away.
    Stopped,
}

/// What holds the port's number.
#[derive(Debug)]
pub(super) enum Door {
    /// A socket that listens.
    Open(TcpListener),
    /// A socket that does not, so that the kernel refuses connections and gives the number to nobody else.
    Shut(TcpSocket),
}

impl Door {
    pub(super) fn open(profile: &BackendProfile, address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if profile.fault_at(FaultPhase::Accept) == Some(FaultAction::RefuseConnection) {
            socket.bind(address)?;
            return Ok(Self::Shut(socket));
        }
        // A chosen port can be had again although connections of an earlier run linger in TIME_WAIT (socket(7)).
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG).map(Self::Open)
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Open(listener) => listener.local_addr(),
            Self::Shut(socket) => socket.local_addr(),
        }
    }
}

/// What all connections of one backend share.
#[derive(Debug)]
pub(super) struct Port {
    composed: Composed,
    contexts: Contexts,
    known: Arc<Known>,
    limits: Limits,
    ledger: Ledger,
    connections: AtomicU64,
}

/// The TLS contexts of one backend.
#[derive(Debug)]
pub(super) struct Contexts {
    /// For connections on which the profile's fault shows, or may.
    pub(super) faulty: SslContext,
    /// For those on which it does not.
    pub(super) sound: SslContext,
}

impl Port {
    pub(super) fn new(composed: Composed, contexts: Contexts, known: Arc<Known>, limits: Limits) -> Self {
        let connections = AtomicU64::new(0);
        Self { composed, contexts, known, limits, ledger: Ledger::new(), connections }
    }

    pub(super) fn name(&self) -> &str {
        &self.composed.name
    }

    pub(super) fn profile(&self) -> &BackendProfile {
        &self.composed.profile
    }

    /// The fault of the connection that comes now, if any.
    pub(super) fn next_fault(&self) -> Option<Fault> {
        let before = self.connections.fetch_add(1, Ordering::Relaxed);
        self.profile().fault_of(before + 1)
    }

    pub(super) fn context(&self, fault: Option<Fault>) -> &SslContext {
        if fault.is_some() { &self.contexts.faulty } else { &self.contexts.sound }
    }

    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Lets connections in until told to close, then waits for those that are in.
    pub(super) async fn serve(self: Arc<Self>, door: Door, stages: watch::Receiver<Stage>) {
        let mut connections = JoinSet::new();
        let mut told = stages.clone();
        let told = async move { told.wait_for(|stage| *stage > Stage::Serving).await.is_ok() };
        match door {
            Door::Open(listener) => {
                tokio::select! {
                    never = self.let_in(&listener, &mut connections, &stages) => match never {},
                    _ = told => {}
                }
                self.let_waiting_in(listener, &mut connections, &stages);
            }
            Door::Shut(_socket) => {
                told.await;
            }
        }
        self.ledger.close();
        while connections.join_next().await.is_some() {}
    }

    async fn let_in(
        self: &Arc<Self>,
        listener: &TcpListener,
        connections: &mut JoinSet<()>,
        stages: &watch::Receiver<Stage>,
    ) -> std::convert::Infallible {
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.spawn(stream, connections, stages),
                    Err(_) => {
                        let _ = timeout(BREATHER, an_end(connections)).await;
                    }
                },
                () = an_end(connections) => {}
            }
        }
    }

    /// Those who wait in the kernel's queue came in time, so that they are owed an entry.
    fn let_waiting_in(
        self: &Arc<Self>,
        listener: TcpListener,
        connections: &mut JoinSet<()>,
        stages: &watch::Receiver<Stage>,
    ) {
        // The runtime may not know yet of a connection that the kernel has; asked directly, the kernel tells.
        let Ok(listener) = listener.into_std() else { return };
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    if stream.set_nonblocking(true).is_ok()
                        && let Ok(stream) = TcpStream::from_std(stream)
                    {
                        self.spawn(stream, connections, stages);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => return,
            }
        }
    }

    fn spawn(
        self: &Arc<Self>,
        stream: TcpStream,
        connections: &mut JoinSet<()>,
        stages: &watch::Receiver<Stage>,
    ) {
        self.ledger.open();
        connections.spawn(connection::serve(stream, Arc::clone(self), stages.clone()));
    }
}

/// Waits until a connection ends; for ever if there is none.
async fn an_end(connections: &mut JoinSet<()>) {
    if connections.join_next().await.is_none() {
        future::pending::<()>().await;
    }
}
