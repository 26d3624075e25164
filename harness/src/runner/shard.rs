//! Part I of N: which cells it has. The same cells on every machine, so that the parts make a whole.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    fmt,
    str::FromStr,
};

use sha2::{Digest, Sha256};

use crate::record::{RunRecord, ShardFacts, split_digest};

/// Part I of N.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    part: u32,
    of: u32,
}

/// A shard that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--shard \"{0}\" makes no sense; it reads I/N with I from 1 to N, as in --shard 1/3")]
pub struct ShardError(String);

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let wrong = || ShardError(text.to_owned());
        let (part, of) = text.split_once('/').ok_or_else(wrong)?;
        let (part, of) = (part.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
        if part == 0 || part > of { Err(wrong()) } else { Ok(Self { part, of }) }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

/// What each cell took in an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Costs {
    known: BTreeMap<String, u64>,
    /// What a new cell is taken to cost: the median.
    usual: u64,
}

impl Costs {
    /// As a record has measured them.
    #[must_use]
    pub fn of(record: &RunRecord) -> Self {
        Self::new(record.cells.iter().map(|cell| (cell.id.clone(), cell.duration_ms)))
    }

    fn new(measured: impl Iterator<Item = (String, u64)>) -> Self {
        // No cell is free, or all of those that took less than a millisecond would go to one part.
        let known: BTreeMap<_, _> = measured.map(|(cell, cost)| (cell, cost.max(1))).collect();
        let mut costs: Vec<u64> = known.values().copied().collect();
        costs.sort_unstable();
        let usual = costs.get(costs.len() / 2).copied().unwrap_or(1);
        Self { known, usual }
    }

    fn cost(&self, cell: &str) -> u64 {
        self.known.get(cell).copied().unwrap_or(self.usual)
    }
}

/// All cells of a run, cut into parts.
#[derive(Debug)]
pub(super) struct Split {
    shard: Shard,
    parts: BTreeMap<String, u32>,
}

impl Split {
    pub(super) fn new(cells: impl Iterator<Item = String>, shard: Shard, costs: Option<&Costs>) -> Self {
        let parts = match costs {
            Some(costs) => by_cost(cells, shard.of, costs),
            None => cells.map(|cell| (cell.clone(), by_hash(&cell, shard.of))).collect(),
        };
        Self { shard, parts }
    }

    /// Whether a cell is in this part.
    pub(super) fn holds(&self, cell: &str) -> bool {
        self.parts.get(cell) == Some(&self.shard.part)
    }

    pub(super) fn facts(&self) -> ShardFacts {
        let Shard { part, of } = self.shard;
        ShardFacts { part, of, split: split_digest(&self.parts) }
    }
}

fn by_hash(cell: &str, of: u32) -> u32 {
    let digest = Sha256::digest(cell);
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) % of + 1
}

/// The dearest first, each to the part that has least so far: at most a third longer than the best there is (Graham,
/// "Bounds on Multiprocessing Timing Anomalies", 1969).
fn by_cost(cells: impl Iterator<Item = String>, of: u32, costs: &Costs) -> BTreeMap<String, u32> {
    let mut dearest: Vec<(Reverse<u64>, String)> =
        cells.map(|cell| (Reverse(costs.cost(&cell)), cell)).collect();
    dearest.sort();
    dearest.dedup();
    let mut loads: BinaryHeap<Reverse<(u64, u32)>> = (1..=of).map(|part| Reverse((0, part))).collect();
    let mut parts = BTreeMap::new();
    for (Reverse(cost), cell) in dearest {
        let Some(Reverse((load, part))) = loads.pop() else { break };
        parts.insert(cell, part);
        loads.push(Reverse((load + cost, part)));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(costs: Option<&Costs>, part: u32) -> Split {
        let cells = (0..100).map(|number| format!("cell-{number}"));
        Split::new(cells, Shard { part, of: 7 }, costs)
    }

    /// Most take nothing, one takes as long as many others, and half of them are new.
    fn costs() -> Costs {
        Costs::new((0..50).map(|number| (format!("cell-{number}"), if number == 3 { 60 } else { 4 })))
    }

    #[test]
    fn every_cell_is_in_one_part_and_all_parts_know_the_same_split() {
        for costs in [None, Some(&costs())] {
            let parts: Vec<Split> = (1..=7).map(|part| split(costs, part)).collect();
            for cell in parts[0].parts.keys() {
                assert_eq!(parts.iter().filter(|part| part.holds(cell)).count(), 1, "{cell}");
            }
            assert!(parts.iter().all(|part| part.facts().split == parts[0].facts().split));
        }
        assert_ne!(split(None, 1).facts().split, split(Some(&costs()), 1).facts().split);
    }

    #[test]
    fn parts_by_cost_take_equally_long() {
        let costs = costs();
        let load = |part| -> u64 {
            let split = split(Some(&costs), part);
            split.parts.keys().filter(|cell| split.holds(cell)).map(|cell| costs.cost(cell)).sum()
        };
        let loads: Vec<u64> = (1..=7).map(load).collect();
        // 456 in all: 65 for each, in steps of four.
        assert!(loads.iter().all(|load| (60..=68).contains(load)), "{loads:?}");
    }
}
