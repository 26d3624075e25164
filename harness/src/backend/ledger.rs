//! The ledger of a backend: one entry for each connection that has ended.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use openssl::x509::X509;
use tls_gauntlet_scenarios::BackendSaw;
use tokio::sync::watch;

/// The entries, and how many are still to come.
#[derive(Debug)]
pub(super) struct Ledger {
    entries: Mutex<Vec<Written>>,
    count: watch::Sender<usize>,
    open: watch::Sender<usize>,
    /// The count of entries over the whole fleet.
    of_fleet: watch::Sender<usize>,
}

/// An entry, and when it was written.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) at: Instant,
    pub(crate) saw: BackendSaw,
    #[cfg_attr(not(feature = "matrix"), allow(dead_code, reason = "audits read it"))]
    /// The certificates that the client showed, leaf first.
    pub(crate) client_chain: Vec<X509>,
}

impl Default for Ledger {
    /// An empty ledger that belongs to no fleet. It counts the listening socket as open, because of the connections that wait in it.
    fn default() -> Self {
        Self::of_fleet(&watch::Sender::new(0))
    }
}

impl Ledger {
    /// An empty one that is counted with those of its fleet.
    pub(super) fn of_fleet(of_fleet: &watch::Sender<usize>) -> Self {
        Self {
            entries: Mutex::default(),
            count: watch::Sender::new(0),
            open: watch::Sender::new(1),
            of_fleet: of_fleet.clone(),
        }
    }

    /// A connection has come in.
    pub(super) fn open(&self) {
        self.open.send_modify(|open| *open += 1);
    }

    /// A connection has ended.
    pub(super) fn write(&self, entry: BackendSaw, client_chain: Vec<X509>) {
        let written = Written { at: Instant::now(), saw: entry, client_chain };
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(written);
        self.count.send_modify(|count| *count += 1);
        self.of_fleet.send_modify(|count| *count += 1);
        self.close();
    }

    /// Nothing more comes of something that was open.
    pub(super) fn close(&self) {
        self.open.send_modify(|open| *open = open.saturating_sub(1));
    }

    pub(super) fn entries(&self) -> Vec<BackendSaw> {
        self.entries_since(0)
    }

    /// The entries from this one on.
    pub(super) fn entries_since(&self, first: usize) -> Vec<BackendSaw> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().skip(first).map(|written| written.saw.clone()).collect()
    }

    /// The entries from this one on, with their times.
    pub(super) fn written_since(&self, first: usize) -> Vec<Written> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(first..).unwrap_or_default().to_vec()
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
