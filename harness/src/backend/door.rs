//! A door: a port's number, held for as long as connections are let in through it.

use std::{convert::Infallible, future, io, net::SocketAddr};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

use super::ledger::Ledger;
use crate::limits::BREATHER;

/// Connections that may wait to be let in; the kernel's own maximum bounds it.
const BACKLOG: u32 = 4096;

/// The stages of a backend's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Everybody is let in and served.
    Serving,
    /// Nobody is let in, those who are in are served.
    Closing,
    /// Connections that are still open are closed.
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
    /// Binds the port; `listens` says whether connections are let in at all.
    pub(super) fn open(address: SocketAddr, listens: bool) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if !listens {
            socket.bind(address)?;
            return Ok(Self::Shut(socket));
        }
        // A chosen port can be had again although connections of an earlier run linger in `TIME_WAIT` (socket(7)).
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG).map(Self::Open)
    }

    /// Binds a port that was held just now, whether its socket listened or not: its connections linger in `TIME_WAIT`.
    pub(super) fn open_again(address: SocketAddr, listens: bool) -> io::Result<Self> {
        if listens {
            return Self::open(address, true);
        }
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self::Shut(socket))
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Open(listener) => listener.local_addr(),
            Self::Shut(socket) => socket.local_addr(),
        }
    }

    /// Lets connections in until told to close, then waits for those that are in. What is let in is served by `serve`,
    /// which owes the ledger one entry.
    pub(super) async fn let_in<S, F>(self, ledger: &Ledger, mut stages: watch::Receiver<Stage>, serve: S)
    where
        S: Fn(TcpStream) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let mut connections = JoinSet::new();
        let mut spawn = |stream, connections: &mut JoinSet<()>| {
            ledger.open();
            connections.spawn(serve(stream));
        };
        let told = async move { stages.wait_for(|stage| *stage > Stage::Serving).await.is_ok() };
        match self {
            Self::Open(listener) => {
                tokio::select! {
                    never = for_ever(&listener, ledger, &mut connections, &mut spawn) => match never {},
                    _ = told => {}
                }
                those_who_wait(listener, |stream| spawn(stream, &mut connections));
            }
            Self::Shut(_socket) => {
                told.await;
            }
        }
        ledger.close();
        while connections.join_next().await.is_some() {}
    }
}

async fn for_ever(
    listener: &TcpListener,
    ledger: &Ledger,
    connections: &mut JoinSet<()>,
    mut spawn: impl FnMut(TcpStream, &mut JoinSet<()>),
) -> Infallible {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => spawn(stream, connections),
                Err(error) => {
                    if is_lack(&error) {
                        ledger.starve(&error);
                    }
                    let _ = timeout(BREATHER, an_end(connections)).await;
                }
            },
            () = an_end(connections) => {}
        }
    }
}

/// Whether this machine lacks something: files, memory. Otherwise it is the connection that has gone (accept(2)).
fn is_lack(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS))
}

/// Connections that wait in the kernel's queue came in time, so that they are owed an entry.
fn those_who_wait(listener: TcpListener, mut spawn: impl FnMut(TcpStream)) {
    // The runtime may not know yet of a connection that the kernel has; asked directly, the kernel tells.
    let Ok(listener) = listener.into_std() else { return };
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                if stream.set_nonblocking(true).is_ok()
                    && let Ok(stream) = TcpStream::from_std(stream)
                {
                    spawn(stream);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => return,
        }
    }
}

/// Waits until a connection ends; for ever if there is none.
async fn an_end(connections: &mut JoinSet<()>) {
    if connections.join_next().await.is_none() {
        future::pending::<()>().await;
    }
}
