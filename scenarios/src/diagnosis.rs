//! Reads the evidence of the three witnesses: what happened, and why.

use serde::{Deserialize, Serialize};

use crate::words::{Cause, Outcome, Party, Phase};

/// What happened, as far as the evidence shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Diagnosis {
    /// Whether the request came through.
    pub outcome: Outcome,
    /// Who refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Party>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Why: the likeliest cause that the evidence allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Every cause that the evidence allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Cause>,
}
