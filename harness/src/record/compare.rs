//! What changed between two runs: what broke, what healed, what stays wrong, each with its cause.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tls_gauntlet_scenarios::VerdictKind;

use super::{CellRecord, RunRecord};

/// How a cell stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Stand {
    /// The judge's word.
    pub verdict: VerdictKind,
    /// Its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Why it is accepted, if a reason was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

impl Stand {
    /// As it is in a record.
    #[must_use]
    pub fn of(cell: &CellRecord) -> Self {
        Self { verdict: cell.verdict, because: cell.because.clone(), accepted: None }
    }
}

/// One cell that changed, or that stays wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Change {
    /// The cell's name.
    pub id: String,
    /// What became of it.
    pub kind: ChangeKind,
    /// How it stood; absent where it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Stand>,
    /// How it stands; absent where it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Stand>,
}

/// What became of a cell.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It is wrong, and was not, or was wrong in another way.
    Broke,
    /// It was wrong, and no longer is.
    Healed,
    /// It was judged, and no longer is: skipped, unclaimed or broken.
    Lost,
    /// It has another verdict, neither of them wrong.
    Changed,
    /// It was not there.
    Appeared,
    /// It is gone.
    Vanished,
    /// It is wrong as it was.
    Stays,
}

impl ChangeKind {
    /// Every kind, the gravest first.
    pub const ALL: &'static [Self] =
        &[Self::Broke, Self::Healed, Self::Lost, Self::Changed, Self::Appeared, Self::Vanished, Self::Stays];

    /// A heading for the cells of this kind.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Broke => "broke",
            Self::Healed => "healed",
            Self::Lost => "no longer judged",
            Self::Changed => "changed",
            Self::Appeared => "new",
            Self::Vanished => "gone",
            Self::Stays => "still wrong",
        }
    }
}

/// What changed from one record to another, in the order of the cells' names.
#[must_use]
pub fn compare(before: &RunRecord, after: &RunRecord) -> Vec<Change> {
    let stood: BTreeMap<&str, Stand> =
        before.cells.iter().map(|cell| (cell.id.as_str(), Stand::of(cell))).collect();
    let mut changes: Vec<Change> =
        after.cells.iter().filter_map(|cell| change(cell, stood.get(cell.id.as_str()).cloned())).collect();
    let is_there: BTreeMap<&str, ()> = after.cells.iter().map(|cell| (cell.id.as_str(), ())).collect();
    let gone = stood.into_iter().filter(|(id, _)| !is_there.contains_key(id));
    changes.extend(gone.map(|(id, before)| Change {
        id: id.to_owned(),
        kind: ChangeKind::Vanished,
        before: Some(before),
        after: None,
    }));
    changes.sort_by(|left, right| left.id.cmp(&right.id));
    changes
}

/// What became of a cell that stood so, or was not there.
pub(super) fn change(cell: &CellRecord, before: Option<Stand>) -> Option<Change> {
    let after = Stand::of(cell);
    let kind = match before.as_ref().map(|before| before.verdict) {
        Some(before) if before == after.verdict && before.is_failure() => ChangeKind::Stays,
        Some(before) if before == after.verdict => return None,
        _ if after.verdict.is_failure() => ChangeKind::Broke,
        None => ChangeKind::Appeared,
        Some(_) if !is_judged(after.verdict) => ChangeKind::Lost,
        Some(before) if before.is_failure() => ChangeKind::Healed,
        Some(_) => ChangeKind::Changed,
    };
    Some(Change { id: cell.id.clone(), kind, before, after: Some(after) })
}

const fn is_judged(verdict: VerdictKind) -> bool {
    match verdict {
        VerdictKind::Pass
        | VerdictKind::FailOpen
        | VerdictKind::FailClosed
        | VerdictKind::WrongCause
        | VerdictKind::KnownDeviation
        | VerdictKind::StaleDeviation => true,
        VerdictKind::Unclaimed | VerdictKind::Skipped | VerdictKind::Broken => false,
    }
}
