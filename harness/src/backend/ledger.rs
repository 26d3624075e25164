//! The ledger of a backend: one entry for each connection that has ended.
//!
//! What was seen of a peer is kept as it came, and spelled out when it is read: in words, a ClientHello is some thirty times as
//! long. There is room for so much in a fleet; beyond it, the oldest entries of a ledger go.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use openssl::x509::X509;
use tls_gauntlet_scenarios::BackendSaw;
use tokio::sync::watch;

use crate::{
    limits::{LEDGER_BYTES, LEDGER_ENTRIES, LEDGER_SHARE},
    wire::{caller::Caller, client_hello},
};

/// The entries, and how many are still to come.
#[derive(Debug)]
pub(super) struct Ledger {
    entries: Mutex<Entries>,
    count: watch::Sender<usize>,
    open: watch::Sender<usize>,
    of_fleet: Shared,
}

/// What the ledgers of a fleet have in common.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    /// How many entries have been written.
    pub(super) count: watch::Sender<usize>,
    /// What those weigh that are kept.
    weight: Arc<AtomicUsize>,
    /// What the system lacked when a connection was to be let in.
    lack: Arc<OnceLock<String>>,
}

#[derive(Debug, Default)]
struct Entries {
    kept: VecDeque<Written>,
    /// How many older ones have gone.
    gone: usize,
    weight: usize,
}

/// An entry, when its connection came and when it was written.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) arrival: Arrival,
    pub(crate) at: Instant,
    /// Everything but the ClientHello.
    saw: Arc<BackendSaw>,
    hello: Option<Arc<[u8]>>,
    #[cfg_attr(not(feature = "matrix"), allow(dead_code, reason = "audits read it"))]
    /// The certificates that the client showed, leaf first.
    pub(crate) client_chain: Vec<X509>,
}

/// When a connection came, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) begun: Instant,
    pub(crate) caller: Caller,
}

impl Arrival {
    /// A connection of which nobody asks whose it is.
    pub(super) const fn at(begun: Instant) -> Self {
        Self { begun, caller: Caller::Unknown }
    }
}

impl Written {
    fn now(arrival: Arrival, saw: BackendSaw, hello: Option<&[u8]>, client_chain: Vec<X509>) -> Self {
        let saw = Arc::new(BackendSaw { client_hello: None, ..saw });
        Self { arrival, at: Instant::now(), saw, hello: hello.map(Arc::from), client_chain }
    }

    /// The entry in words.
    pub(crate) fn saw(&self) -> BackendSaw {
        BackendSaw { client_hello: self.hello.as_deref().map(client_hello::facts), ..(*self.saw).clone() }
    }

    /// Everything but what the ClientHello offered.
    pub(crate) fn without_hello(&self) -> &BackendSaw {
        &self.saw
    }

    /// About how many bytes are kept of it.
    pub(crate) fn weight(&self) -> usize {
        const ITSELF: usize = size_of::<Written>() + size_of::<BackendSaw>();
        let BackendSaw { sni, client_chain, error, alpn, .. } = &*self.saw;
        let texts =
            [sni, error, alpn].into_iter().flatten().chain(client_chain).map(String::len).sum::<usize>();
        let certificates = self.client_chain.len() * CERTIFICATE;
        ITSELF + texts + certificates + self.hello.as_ref().map_or(0, |hello| hello.len())
    }
}

/// What OpenSSL keeps of a certificate, about; the longest chain that it takes has 100 kB.
const CERTIFICATE: usize = 8 << 10;

impl Shared {
    /// What the system lacked when a connection was to be let in, if it ever did.
    pub(super) fn lack(&self) -> Option<&str> {
        self.lack.get().map(String::as_str)
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self { count: watch::Sender::new(0), weight: Arc::default(), lack: Arc::default() }
    }
}

impl Default for Ledger {
    /// An empty ledger that belongs to no fleet. It counts the listening socket as open, because of the connections that wait in it.
    fn default() -> Self {
        Self::of_fleet(&Shared::default())
    }
}

impl Ledger {
    /// An empty one that is counted with those of its fleet.
    pub(super) fn of_fleet(of_fleet: &Shared) -> Self {
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

    /// A connection has ended. `hello` is the ClientHello as it came.
    pub(super) fn write(
        &self,
        arrival: Arrival,
        saw: BackendSaw,
        hello: Option<&[u8]>,
        client_chain: Vec<X509>,
    ) {
        let written = Written::now(arrival, saw, hello, client_chain);
        self.lock().put(written, &self.of_fleet.weight);
        self.count.send_modify(|count| *count += 1);
        self.of_fleet.count.send_modify(|count| *count += 1);
        self.close();
    }

    /// A connection was not let in, for a reason of this machine's.
    pub(super) fn starve(&self, error: &io::Error) {
        let _ = self.of_fleet.lack.set(error.to_string());
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
        self.written_since(first).iter().map(Written::saw).collect()
    }

    /// The same with their times, and not yet in words. Those that have gone are not among them.
    pub(super) fn written_since(&self, first: usize) -> Vec<Written> {
        let entries = self.lock();
        entries.kept.iter().skip(first.saturating_sub(entries.gone)).cloned().collect()
    }

    pub(super) fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// Waits until nothing is open any more.
    pub(super) async fn settled(&self) {
        // The sender lives as long as this does.
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn put(&mut self, written: Written, of_fleet: &AtomicUsize) {
        let weight = written.weight();
        self.weight += weight;
        let mut all = of_fleet.fetch_add(weight, Ordering::Relaxed) + weight;
        self.kept.push_back(written);
        let is_full = |entries: &Self, all: usize| {
            entries.kept.len() > LEDGER_ENTRIES || (all > LEDGER_BYTES && entries.weight > LEDGER_SHARE)
        };
        while self.kept.len() > 1 && is_full(self, all) {
            let Some(oldest) = self.kept.pop_front() else { break };
            let weight = oldest.weight();
            self.gone += 1;
            self.weight -= weight;
            all = of_fleet.fetch_sub(weight, Ordering::Relaxed) - weight;
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let weight = self.lock().weight;
        self.of_fleet.weight.fetch_sub(weight, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(shared: &Shared) -> usize {
        shared.weight.load(Ordering::Relaxed)
    }

    #[test]
    fn a_full_fleet_forgets_the_oldest_entries_of_the_ledger_that_is_written() {
        let shared = Shared::default();
        let (quiet, loud) = (Ledger::of_fleet(&shared), Ledger::of_fleet(&shared));
        quiet.write(Arrival::at(Instant::now()), BackendSaw::default(), None, Vec::new());
        let hello = vec![1; 100_000];
        for number in 0..2000 {
            let saw = BackendSaw { requests: number, ..BackendSaw::default() };
            loud.write(Arrival::at(Instant::now()), saw, Some(&hello), Vec::new());
        }
        assert!(weight(&shared) <= LEDGER_BYTES, "{}", weight(&shared));
        assert_eq!((quiet.written_since(0).len(), *loud.count().borrow()), (1, 2000));
        let kept = loud.written_since(0);
        assert!(kept.len() > 600, "{}", kept.len());
        assert_eq!(kept.last().map(|last| last.without_hello().requests), Some(1999));
        assert_eq!(loud.written_since(1998).len(), 2, "numbers stay what they were");
        assert_eq!(
            loud.entries_since(1999)[0].client_hello.as_ref().map(|hello| hello.length),
            Some(100_000)
        );
        drop(loud);
        assert!(weight(&shared) < 10_000);
    }

    #[test]
    fn what_is_over_its_share_goes_first_whoever_filled_the_fleet() {
        let shared = Shared::default();
        let (loud, late) = (Ledger::of_fleet(&shared), Ledger::of_fleet(&shared));
        for ledger in [&loud, &late] {
            for _ in 0..1000 {
                ledger.write(
                    Arrival::at(Instant::now()),
                    BackendSaw::default(),
                    Some(&[1; 100_000]),
                    Vec::new(),
                );
            }
        }
        assert_eq!(late.written_since(0).len(), 2, "its share");
    }

    #[test]
    fn the_number_of_entries_has_a_limit_of_its_own() {
        let ledger = Ledger::default();
        for _ in 0..LEDGER_ENTRIES + 3 {
            ledger.write(Arrival::at(Instant::now()), BackendSaw::default(), None, Vec::new());
        }
        assert_eq!(ledger.written_since(0).len(), LEDGER_ENTRIES);
    }
}
