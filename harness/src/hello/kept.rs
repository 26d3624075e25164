//! What was heard, the latest of it: as much as fits.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tls_gauntlet_scenarios::{ClientHelloFacts, TlsVersion};

use super::reach::Lack;

/// How many are kept, and how many bytes of ClientHello. In words they take some twenty times as
/// much.
const MOST: usize = 1000;
const MOST_BYTES: usize = 1 << 21;

/// One caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "matrix", derive(schemars::JsonSchema))]
pub struct Heard {
    /// Its number, from 1 on: `GET /hello/ID`.
    pub id: u64,
    /// Where it called from.
    pub peer: String,
    /// What both sides agreed on, if they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Agreed>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Which servers it cannot reach, and why.
    pub lacks: Vec<Lack>,
    /// What it offered.
    pub offered: ClientHelloFacts,
}

/// What came of an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "matrix", derive(schemars::JsonSchema))]
pub struct Agreed {
    /// The version.
    pub version: Option<TlsVersion>,
    /// The cipher suite.
    pub cipher: String,
    /// The group, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The application protocol, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpn: Option<String>,
}

/// The latest callers.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    heard: VecDeque<Heard>,
    bytes: usize,
    last: u64,
}

impl Kept {
    /// Keeps one more, and forgets the oldest as far as needed.
    pub(super) fn put(&self, heard: impl FnOnce(u64) -> Heard) -> Heard {
        let mut ring = self.ring();
        ring.last += 1;
        let heard = heard(ring.last);
        ring.bytes += heard.offered.length;
        ring.heard.push_back(heard.clone());
        while ring.heard.len() > 1 && (ring.heard.len() > MOST || ring.bytes > MOST_BYTES) {
            if let Some(oldest) = ring.heard.pop_front() {
                ring.bytes -= oldest.offered.length;
            }
        }
        heard
    }

    pub(super) fn one(&self, id: u64) -> Option<Heard> {
        self.ring().heard.iter().find(|heard| heard.id == id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Heard> {
        self.ring().heard.iter().cloned().collect()
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // A panic elsewhere leaves at worst a sum that is too high.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::client_hello;

    #[test]
    fn the_oldest_are_forgotten() {
        let kept = Kept::default();
        let put = |length: usize| {
            let offered = client_hello::facts(&vec![0; length]);
            kept.put(|id| Heard {
                id,
                peer: String::new(),
                agreed: None,
                failure: None,
                lacks: Vec::new(),
                offered,
            });
        };
        for _ in 0..MOST + 5 {
            put(100);
        }
        assert_eq!((kept.all().len(), kept.all()[0].id), (MOST, 6));
        assert_eq!(kept.one(5), None);
        assert_eq!(kept.one(1005).map(|heard| heard.id), Some(1005));
        for _ in 0..20 {
            put(MOST_BYTES / 10);
        }
        assert_eq!(kept.all().len(), 10);
        put(MOST_BYTES * 2);
        assert_eq!(kept.all().len(), 1, "the latest stays, whatever its length");
    }
}
