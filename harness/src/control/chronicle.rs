//! The ledgers of all backends as one, its entries numbered in the order in which they were collected.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tls_gauntlet_scenarios::BackendSaw;

use super::query::Wanted;
use crate::backend::{Fleet, Front, Written};

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

/// All entries so far.
#[derive(Debug)]
pub(super) struct Chronicle {
    /// The time of day when this was made.
    begun: (OffsetDateTime, Instant),
    collected: Mutex<Collected>,
}

#[derive(Debug, Default)]
struct Collected {
    entries: Vec<Arc<Entry>>,
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
    pub(super) fn read(&self, fleet: &Fleet, front: &Front, wanted: &Wanted) -> (Vec<Arc<Entry>>, u64) {
        let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        let Collected { entries, of_backends, of_front } = &mut *collected;
        of_backends.resize(fleet.backends().len(), 0);
        let mut put = |backend: Option<String>, Written { at, saw, client_chain: _ }| {
            let (sequence, time) = (entries.len() as u64 + 1, self.time(at));
            entries.push(Arc::new(Entry { sequence, time, backend, saw }));
        };
        for (backend, read) in fleet.backends().iter().zip(of_backends) {
            for written in backend.written_since(*read) {
                *read += 1;
                put(Some(backend.name().to_owned()), written);
            }
        }
        for written in front.written_since(*of_front) {
            *of_front += 1;
            put(front.backend_of(&written.saw), written);
        }
        let last = entries.len();
        let from = usize::try_from(wanted.since).unwrap_or(last).min(last);
        let entries = entries[from..].iter().filter(|entry| entry.is(wanted)).cloned().collect();
        (entries, last as u64)
    }

    /// `2026-03-01T12:00:00.123Z`
    fn time(&self, at: Instant) -> String {
        let (now, begun) = self.begun;
        let time = now + at.saturating_duration_since(begun);
        let time = time.replace_millisecond(time.millisecond()).unwrap_or(time);
        // Every year that a clock shows can be written.
        time.format(&Rfc3339).unwrap_or_default()
    }
}

impl Entry {
    fn is(&self, wanted: &Wanted) -> bool {
        (wanted.nonce.is_none() || wanted.nonce == self.saw.nonce)
            && wanted.backend.as_ref().is_none_or(|backend| self.backend.as_ref() == Some(backend))
    }
}
