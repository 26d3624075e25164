//! The ledgers of all backends as one, its entries numbered in the order in which they were collected.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tls_gauntlet_scenarios::BackendSaw;

use super::query::Wanted;
use crate::{
    backend::{Fleet, Front, Written},
    limits::{LEDGER_BYTES, LEDGER_ENTRIES},
};

/// One connection that has ended, in the ledger of a whole fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1.
    pub sequence: u64,
    /// When it ended (RFC 3339), by the time that was told at the start and what has passed since.
    pub time: String,
    /// Which backend saw it; none if there was none for its server name.
    pub backend: Option<String>,
    /// What that saw.
    #[serde(flatten)]
    pub saw: BackendSaw,
}

/// An entry as it is kept: spelled out when it is told.
#[derive(Debug, Clone)]
pub(super) struct Noted {
    pub(super) sequence: u64,
    time: OffsetDateTime,
    backend: Option<Arc<str>>,
    written: Written,
}

/// All entries so far, as far as there is room.
#[derive(Debug)]
pub(super) struct Chronicle {
    /// The time of day when this was made.
    begun: (OffsetDateTime, Instant),
    collected: Mutex<Collected>,
}

#[derive(Debug, Default)]
struct Collected {
    entries: VecDeque<Noted>,
    /// The number of the last entry.
    last: u64,
    weight: usize,
    /// How many came from each backend, in the order of the fleet.
    of_backends: Vec<usize>,
    of_front: usize,
}

impl Chronicle {
    /// An empty one; it is this time now.
    pub(super) fn begin(now: OffsetDateTime) -> Self {
        Self { begun: (now, Instant::now()), collected: Mutex::default() }
    }

    /// Takes up what was written since the last time; the entries that are wanted, and the number of the last one
    /// there is.
    pub(super) fn read(&self, fleet: &Fleet, front: &Front, wanted: &Wanted) -> (Vec<Noted>, u64) {
        let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        collected.of_backends.resize(fleet.backends().len(), 0);
        for (place, backend) in fleet.backends().iter().enumerate() {
            let read = collected.of_backends[place];
            let written = *backend.entries().borrow();
            if written > read {
                let name: Arc<str> = backend.name().into();
                for written in backend.written_since(read) {
                    collected.put(Some(Arc::clone(&name)), self.time(written.at), written);
                }
                collected.of_backends[place] = written;
            }
        }
        let written = *front.entries().borrow();
        if written > collected.of_front {
            for written in front.written_since(collected.of_front) {
                let backend = front.backend_of(written.without_hello()).map(Arc::from);
                collected.put(backend, self.time(written.at), written);
            }
            collected.of_front = written;
        }
        let later = collected.entries.partition_point(|entry| entry.sequence <= wanted.since);
        let entries = collected.entries.range(later..).filter(|entry| entry.is(wanted)).cloned().collect();
        (entries, collected.last)
    }

    fn time(&self, at: Instant) -> OffsetDateTime {
        let (now, begun) = self.begun;
        now + at.saturating_duration_since(begun)
    }
}

impl Collected {
    /// Takes one more up, and forgets the oldest as far as needed.
    fn put(&mut self, backend: Option<Arc<str>>, time: OffsetDateTime, written: Written) {
        self.last += 1;
        self.weight += written.weight();
        self.entries.push_back(Noted { sequence: self.last, time, backend, written });
        while self.entries.len() > 1 && (self.weight > LEDGER_BYTES || self.entries.len() > LEDGER_ENTRIES) {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.weight -= oldest.written.weight();
        }
    }
}

impl Noted {
    /// The entry in words.
    pub(super) fn entry(&self) -> Entry {
        Entry {
            sequence: self.sequence,
            time: self.time(),
            backend: self.backend.as_deref().map(str::to_owned),
            saw: self.written.saw(),
        }
    }

    /// `2026-03-01T12:00:00.123Z`
    fn time(&self) -> String {
        let time = self.time.replace_millisecond(self.time.millisecond()).unwrap_or(self.time);
        // Every year that a clock shows can be written.
        time.format(&Rfc3339).unwrap_or_default()
    }

    fn is(&self, wanted: &Wanted) -> bool {
        (wanted.nonce.is_none() || wanted.nonce == self.written.without_hello().nonce)
            && wanted.backend.as_ref().is_none_or(|backend| self.backend.as_deref() == Some(backend))
    }
}
