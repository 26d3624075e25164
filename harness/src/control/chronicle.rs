//! The ledgers of all backends as one, its entries numbered in the order in which they were collected.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tls_gauntlet_scenarios::BackendSaw;

use super::query::Wanted;
use crate::backend::{Fleet, Front};

/// One entry.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    /// Its number, from 1.
    pub(super) sequence: u64,
    /// Which backend saw it; none if there was none for its server name.
    backend: Option<String>,
    #[serde(flatten)]
    saw: BackendSaw,
}

/// All entries so far.
#[derive(Debug, Default)]
pub(super) struct Chronicle(Mutex<Collected>);

#[derive(Debug, Default)]
struct Collected {
    entries: Vec<Arc<Entry>>,
    /// How many came from each backend, in the order of the fleet.
    of_backends: Vec<usize>,
    of_front: usize,
}

impl Chronicle {
    /// Takes up what was written since the last time; the entries that are wanted, and the number of the last one
    /// there is.
    pub(super) fn read(&self, fleet: &Fleet, front: &Front, wanted: &Wanted) -> (Vec<Arc<Entry>>, u64) {
        let mut collected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Collected { entries, of_backends, of_front } = &mut *collected;
        of_backends.resize(fleet.backends().len(), 0);
        let mut put = |backend: Option<String>, saw| {
            entries.push(Arc::new(Entry { sequence: entries.len() as u64 + 1, backend, saw }));
        };
        for (backend, read) in fleet.backends().iter().zip(of_backends) {
            for saw in backend.ledger_since(*read) {
                *read += 1;
                put(Some(backend.name().to_owned()), saw);
            }
        }
        for saw in front.ledger_since(*of_front) {
            *of_front += 1;
            put(front.backend_of(&saw), saw);
        }
        let last = entries.len();
        let from = usize::try_from(wanted.since).unwrap_or(last).min(last);
        let entries = entries[from..].iter().filter(|entry| entry.is(wanted)).cloned().collect();
        (entries, last as u64)
    }
}

impl Entry {
    fn is(&self, wanted: &Wanted) -> bool {
        (wanted.nonce.is_none() || wanted.nonce == self.saw.nonce)
            && wanted.backend.as_ref().is_none_or(|backend| self.backend.as_ref() == Some(backend))
    }
}
