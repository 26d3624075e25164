//! The baseline: failures that are accepted. A run against a baseline fails only on what changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tls_gauntlet_scenarios::VerdictKind;

use super::{
    RecordError, RunRecord,
    compare::{Change, ChangeKind, Stand, change},
    schema_of,
};

/// The number of a baseline's schema; it changes when a field is renamed or removed.
pub const BASELINE_SCHEMA: &str = "gauntlet.baseline/1";

/// Every cell that does not simply pass, and why that is accepted. Small, and in the order of the names, so that it can
/// be kept beside the gateway's configuration and reviewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Baseline {
    /// The number of the schema: `gauntlet.baseline/1`.
    pub schema: String,
    /// The cells; any other passed, or was not there.
    pub cells: BTreeMap<String, Stand>,
}

impl Default for Baseline {
    fn default() -> Self {
        Self { schema: BASELINE_SCHEMA.to_owned(), cells: BTreeMap::new() }
    }
}

impl Baseline {
    /// What a record leaves to be accepted.
    #[must_use]
    pub fn of(record: &RunRecord) -> Self {
        let left = record.cells.iter().filter(|cell| cell.verdict != VerdictKind::Pass);
        Self { cells: left.map(|cell| (cell.id.clone(), Stand::of(cell))).collect(), ..Self::default() }
    }

    /// Reads a baseline, or makes one of a whole record.
    ///
    /// # Errors
    /// [`RecordError`] when the text is neither.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        if schema_of(text)?.as_deref() == Some(BASELINE_SCHEMA) {
            return Ok(serde_json::from_str(text)?);
        }
        RunRecord::parse(text).map(|record| Self::of(&record))
    }

    /// What changed since, cell by cell of the record.
    #[must_use]
    pub fn changes(&self, record: &RunRecord) -> Vec<Change> {
        let passed = Stand { verdict: VerdictKind::Pass, because: None, accepted: None };
        let cells = record.cells.iter();
        cells
            .filter_map(|cell| {
                let before = self.cells.get(&cell.id).cloned();
                let changed = change(cell, Some(before.unwrap_or_else(|| passed.clone())))?;
                // What is not in a baseline may also be new, and new cells that do not count are no change.
                let known = self.cells.contains_key(&cell.id) || changed.kind == ChangeKind::Broke;
                known.then_some(changed)
            })
            .collect()
    }

    /// Takes over how the cells of a record stand, with a reason for those that stand otherwise than before. Says which
    /// those are.
    pub fn accept(&mut self, record: &RunRecord, because: &str) -> Vec<String> {
        let mut changed = Vec::new();
        for cell in &record.cells {
            let now = Stand { accepted: Some(because.to_owned()), ..Stand::of(cell) };
            let stood = self.cells.get(&cell.id).map(|stood| stood.verdict);
            if stood.unwrap_or(VerdictKind::Pass) == now.verdict {
                continue;
            }
            changed.push(cell.id.clone());
            if now.verdict == VerdictKind::Pass {
                self.cells.remove(&cell.id);
            } else {
                self.cells.insert(cell.id.clone(), now);
            }
        }
        changed
    }
}

/// How a run compares to what was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Since {
    /// What changed, and what stays wrong.
    pub changes: Vec<Change>,
}

impl Since {
    /// Why this cell does not count: it is wrong as it was.
    #[must_use]
    pub fn stays(&self, id: &str) -> Option<&Stand> {
        let found = self.changes.iter().find(|change| change.id == id && change.kind == ChangeKind::Stays);
        found.and_then(|change| change.before.as_ref())
    }

    /// Whether something is wrong that was not.
    #[must_use]
    pub fn broke(&self) -> bool {
        self.changes.iter().any(|change| change.kind == ChangeKind::Broke)
    }
}
