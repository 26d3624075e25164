//! The control API: what a fleet is asked and told while it runs, over plain HTTP.
//!
//! `control/openapi.json` describes it, and is served by it; `/` is a page for people. It hands out the private keys of
//! its clients' certificates and opens ports for whoever asks, so it belongs on loopback or into the network of a
//! container. No web page but its own gets anything out of it, or done by it: `control/guard.rs`. Where other users of
//! the machine are not to get at it either, each path begins with a secret.

mod certificates;
mod chronicle;
mod guard;
mod landing;
mod operations;
mod prospect;
mod query;
mod script;
mod stand_ins;
mod stream;
mod told;

use std::{collections::VecDeque, io, net::SocketAddr, sync::Arc};

use time::OffsetDateTime;
use tls_gauntlet_certs::Name;
use tokio::{
    net::TcpListener,
    sync::{RwLock, watch},
    task::JoinSet,
};

use crate::{
    backend::{Fleet, Front, by_hand::Files},
    http,
    limits::Limits,
};
use chronicle::{Chronicle, Noted};
use query::Wanted;
use stand_ins::StandIns;

pub use chronicle::Entry;

/// The description of the API.
pub const OPENAPI: &str = include_str!("control/openapi.json");

/// The password of every PFX file that the API hands out.
pub const PFX_PASSWORD: &str = "gauntlet";

/// A fleet with its control API. Both are gone when this is dropped.
#[derive(Debug)]
#[must_use = "the backends and their control API stop as soon as this is dropped"]
pub struct Control {
    address: SocketAddr,
    state: Arc<State>,
    // Dropped with all its connections; the last of them takes the fleet along.
    _server: JoinSet<()>,
}

/// How a control API is reached, and what it tells.
#[derive(Debug, Clone)]
pub struct ControlOptions {
    address: SocketAddr,
    now: OffsetDateTime,
    secret: Option<String>,
    token: Option<String>,
    files: Files,
}

impl ControlOptions {
    /// On this address; it is this time now.
    #[must_use]
    pub fn new(address: SocketAddr, now: OffsetDateTime) -> Self {
        Self { address, now, secret: None, token: None, files: Files::as_fetched() }
    }

    /// The control API for callers that know this word: every path begins with it. It is to consist of what a path may
    /// hold as it is (RFC 3986 3.3).
    #[must_use]
    pub fn secret(self, secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), ..self }
    }

    /// The control API with private keys for callers alone that send this word as their bearer token (RFC 6750 2.1).
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// The control API for callers that have these files.
    #[cfg(feature = "cli")]
    pub(crate) fn files(self, files: Files) -> Self {
        Self { files, ..self }
    }
}

/// What all requests share.
#[derive(Debug)]
struct State {
    fleet: RwLock<Fleet>,
    front: Arc<Front>,
    chronicle: Chronicle,
    names: Vec<Name>,
    secret: Option<String>,
    token: Option<String>,
    files: Files,
    stand_ins: StandIns,
}

impl Control {
    /// Takes a fleet over, and the port for all names beside it, and listens for what they are to be asked. When this
    /// returns, it answers.
    ///
    /// # Errors
    /// What the system says of the address.
    pub async fn start(fleet: Fleet, front: Arc<Front>, options: ControlOptions) -> io::Result<Self> {
        let ControlOptions { address, now, secret, token, files } = options;
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (names, chronicle) = (fleet.names().to_vec(), Chronicle::begin(now));
        let state = Arc::new(State {
            fleet: RwLock::new(fleet),
            front,
            chronicle,
            names,
            secret,
            token,
            files,
            stand_ins: StandIns::default(),
        });
        let mut server = JoinSet::new();
        server.spawn(http::serve(listener, operations::router(Arc::clone(&state)), Limits::default().peer));
        Ok(Self { address, state, _server: server })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as `http://127.0.0.1:PORT`, with the secret if there is one; paths follow.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.state.secret {
            None => format!("http://{}", self.address),
            Some(secret) => format!("http://{}/{secret}", self.address),
        }
    }

    /// Follows the ledger from its beginning.
    #[must_use]
    pub fn follow(&self) -> Follower {
        Follower::of(Arc::clone(&self.state), Wanted::default())
    }
}

/// Reads a ledger as it is written.
#[derive(Debug)]
pub struct Follower {
    state: Arc<State>,
    wanted: Wanted,
    news: Option<News>,
    /// Entries that were read and are still to be told.
    waiting: VecDeque<Noted>,
}

/// The most entries that are told at once: in words they are long.
const AT_ONCE: usize = 64;

impl Follower {
    fn of(state: Arc<State>, wanted: Wanted) -> Self {
        Self { state, wanted, news: None, waiting: VecDeque::new() }
    }

    /// Entries that are there and were not returned before, as soon as there are any; none if there will never be one
    /// any more.
    pub async fn next(&mut self) -> Option<Vec<Arc<Entry>>> {
        let news = match &mut self.news {
            Some(news) => news,
            none => none.insert(self.state.news().await),
        };
        loop {
            if self.waiting.is_empty() {
                news.forget();
                let (entries, last) = self.state.read(&self.wanted).await;
                self.wanted.since = self.wanted.since.max(last);
                self.waiting = entries.into();
            }
            let told = self.waiting.len().min(AT_ONCE);
            if told > 0 {
                return Some(self.waiting.drain(..told).map(|noted| Arc::new(noted.entry())).collect());
            }
            news.come().await?;
        }
    }
}

impl State {
    /// What is wanted of the ledger as it stands, and the number of its last entry.
    async fn read(&self, wanted: &Wanted) -> (Vec<Noted>, u64) {
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
