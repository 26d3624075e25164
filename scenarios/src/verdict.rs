//! The judge's word on one cell.

use serde::{Deserialize, Serialize};

use crate::{claims::ClaimName, words::closed_list};

/// A verdict with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// What had to happen, happened, for the reason it had to.
    Pass,
    /// The gateway accepted, or offered a backend, what it must not: the dangerous kind.
    FailOpen {
        /// What was seen against what had to be.
        mismatch: String,
    },
    /// The gateway refused what must work.
    FailClosed {
        /// What was seen against what had to be.
        mismatch: String,
    },
    /// The right outcome for the wrong reason, or with the wrong evidence.
    WrongCause {
        /// What was seen against what had to be.
        mismatch: String,
    },
    /// Not as expected, and listed for this gateway and version.
    KnownDeviation {
        /// The listed reason.
        because: String,
    },
    /// Listed as a deviation, but no longer true.
    StaleDeviation {
        /// The listed reason.
        because: String,
    },
    /// Depends on a claim that the gateway does not make; what happened is shown.
    Unclaimed {
        /// The missing claim.
        claim: ClaimName,
        /// What happened.
        saw: String,
    },
    /// Not run, or not counted.
    Skipped {
        /// Why.
        because: String,
    },
    /// Gauntlet itself failed, or the gateway was not there; never charged to the gateway.
    Broken {
        /// What failed.
        error: String,
    },
}

closed_list! {
    /// A verdict without its reason.
    VerdictKind as "verdict" {
        /// [`Verdict::Pass`]
        Pass = "pass",
        /// [`Verdict::FailOpen`]
        FailOpen = "fail-open",
        /// [`Verdict::FailClosed`]
        FailClosed = "fail-closed",
        /// [`Verdict::WrongCause`]
        WrongCause = "wrong-cause",
        /// [`Verdict::KnownDeviation`]
        KnownDeviation = "known-deviation",
        /// [`Verdict::StaleDeviation`]
        StaleDeviation = "stale-deviation",
        /// [`Verdict::Unclaimed`]
        Unclaimed = "unclaimed",
        /// [`Verdict::Skipped`]
        Skipped = "skipped",
        /// [`Verdict::Broken`]
        Broken = "broken",
    }
}

impl Verdict {
    /// The verdict without its reason.
    #[must_use]
    pub const fn kind(&self) -> VerdictKind {
        match self {
            Self::Pass => VerdictKind::Pass,
            Self::FailOpen { .. } => VerdictKind::FailOpen,
            Self::FailClosed { .. } => VerdictKind::FailClosed,
            Self::WrongCause { .. } => VerdictKind::WrongCause,
            Self::KnownDeviation { .. } => VerdictKind::KnownDeviation,
            Self::StaleDeviation { .. } => VerdictKind::StaleDeviation,
            Self::Unclaimed { .. } => VerdictKind::Unclaimed,
            Self::Skipped { .. } => VerdictKind::Skipped,
            Self::Broken { .. } => VerdictKind::Broken,
        }
    }

    /// The reason, unless it is a plain pass.
    #[must_use]
    pub fn because(&self) -> Option<String> {
        match self {
            Self::Pass => None,
            Self::FailOpen { mismatch } | Self::FailClosed { mismatch } | Self::WrongCause { mismatch } => {
                Some(mismatch.clone())
            }
            Self::KnownDeviation { because }
            | Self::StaleDeviation { because }
            | Self::Skipped { because } => Some(because.clone()),
            Self::Unclaimed { claim, saw } => Some(format!("the gateway makes no claim \"{claim}\"; {saw}")),
            Self::Broken { error } => Some(error.clone()),
        }
    }
}

impl VerdictKind {
    /// Whether the gateway under test fell short (exit code 1).
    #[must_use]
    pub const fn is_failure(self) -> bool {
        match self {
            Self::FailOpen | Self::FailClosed | Self::WrongCause | Self::StaleDeviation => true,
            Self::Pass | Self::KnownDeviation | Self::Unclaimed | Self::Skipped | Self::Broken => false,
        }
    }
}

/// A deviation that is known for a gateway and version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Deviation {
    /// Which cells (a glob over `backend/upstream::client/listener`).
    pub cells: String,
    /// The verdict the cell would get.
    pub verdict: VerdictKind,
    /// Why it deviates.
    pub because: String,
}
