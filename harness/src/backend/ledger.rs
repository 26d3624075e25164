//! The ledger of a backend: one entry for each connection that has ended.

use std::sync::{Mutex, PoisonError};

use tls_gauntlet_scenarios::BackendSaw;
use tokio::sync::watch;

/// The entries, and how many are still to come.
#[derive(Debug)]
pub(super) struct Ledger {
    entries: Mutex<Vec<BackendSaw>>,
    count: watch::Sender<usize>,
    open: watch::Sender<usize>,
}

impl Ledger {
    /// An empty one. It counts the listening socket as open, because of the connections that wait in it.
    pub(super) fn new() -> Self {
        Self { entries: Mutex::default(), count: watch::Sender::new(0), open: watch::Sender::new(1) }
    }

    /// A connection has come in.
    pub(super) fn open(&self) {
        self.open.send_modify(|open| *open += 1);
    }

    /// A connection has ended.
    pub(super) fn write(&self, entry: BackendSaw) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        self.count.send_modify(|count| *count += 1);
        self.close();
    }

    /// Nothing more comes of something that was open.
    pub(super) fn close(&self) {
        self.open.send_modify(|open| *open = open.saturating_sub(1));
    }

    pub(super) fn entries(&self) -> Vec<BackendSaw> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// Waits until nothing is open any more.
    pub(super) async fn settled(&self) {
        // The sender lives as long as this does.
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }
}
