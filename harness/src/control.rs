//! The control API: what a fleet is asked and told while it runs, over plain HTTP.
//!
//! `control/openapi.json` describes it, and is served by it. It hands out the private keys of its clients' certificates
//! and opens ports for whoever asks, so it belongs on loopback or into the network of a container.

mod answer;
mod certificates;
mod chronicle;
mod landing;
mod operations;
mod query;
mod routes;
mod script;
mod stream;

use std::{io, net::SocketAddr, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{RwLock, watch},
    task::JoinSet,
};

use crate::backend::{Fleet, Front};
use chronicle::{Chronicle, Entry};
use query::Wanted;

/// The description of the API.
pub const OPENAPI: &str = include_str!("control/openapi.json");

/// The password of every PFX file that the API hands out.
pub const PFX_PASSWORD: &str = "gauntlet";

/// A fleet with its control API. Both are gone when this is dropped.
#[derive(Debug)]
#[must_use = "the backends and their control API stop as soon as this is dropped"]
pub struct Control {
    address: SocketAddr,
    // Dropped with all its connections; the last of them takes the fleet along.
    _server: JoinSet<()>,
}

/// What all requests share.
#[derive(Debug)]
struct State {
    fleet: RwLock<Fleet>,
    front: Arc<Front>,
    chronicle: Chronicle,
}

impl Control {
    /// Takes a fleet over, and the port for all names beside it, and listens on this address for what they are to be
    /// asked. When this returns, it answers.
    ///
    /// # Errors
    /// What the system says of the address.
    pub async fn start(fleet: Fleet, front: Arc<Front>, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { fleet: RwLock::new(fleet), front, chronicle: Chronicle::default() });
        let mut server = JoinSet::new();
        server.spawn(serve(listener, state));
        Ok(Self { address, _server: server })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl State {
    /// What is wanted of the ledger as it stands, and the number of its last entry.
    async fn read(&self, wanted: &Wanted) -> (Vec<Arc<Entry>>, u64) {
        self.chronicle.read(&*self.fleet.read().await, &self.front, wanted)
    }

    async fn news(&self) -> News {
        News { fleet: self.fleet.read().await.written(), front: self.front.entries() }
    }
}

/// Wakes whoever waits for new entries.
#[derive(Debug)]
struct News {
    fleet: watch::Receiver<usize>,
    front: watch::Receiver<usize>,
}

impl News {
    /// What has been written so far is none. Said before reading, so that what is written meanwhile is.
    fn forget(&mut self) {
        self.fleet.borrow_and_update();
        self.front.borrow_and_update();
    }

    /// Waits for an entry; none if there will never be one any more.
    async fn come(&mut self) -> Option<()> {
        tokio::select! {
            changed = self.fleet.changed() => changed.ok(),
            changed = self.front.changed() => changed.ok(),
        }
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that broke before it was there, or a system that has none left: the next one may do.
                let Ok((stream, _)) = accepted else { tokio::task::yield_now().await; continue };
                let state = Arc::clone(&state);
                connections.spawn(async move {
                    let service = service_fn(|request| operations::answer(Arc::clone(&state), request));
                    // Who hangs up wants no answer.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
