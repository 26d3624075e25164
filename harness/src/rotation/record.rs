//! The rotation record: what each change came to on each gateway.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tls_gauntlet_scenarios::Cause;

use crate::record::{GatewayFacts, Tool};

/// The schema of [`RotationRecord`].
pub const SCHEMA: &str = "gauntlet.rotation/1";

/// One run of rotations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RotationRecord {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of Gauntlet.
    pub tool: Tool,
    /// The seed of names and serial numbers.
    pub seed: u64,
    /// When it began (RFC 3339).
    pub started: String,
    /// How long it took.
    pub duration_ms: u64,
    /// Requests a second that were to begin.
    pub rate: u32,
    /// Seconds of steady traffic for each change.
    pub seconds: u32,
    /// The gateways.
    pub gateways: Vec<GatewayFacts>,
    /// What came of each change, gateway by gateway.
    pub rotations: Vec<Outcome>,
}

impl RotationRecord {
    /// 0 if all went as it must, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        u8::from(self.rotations.iter().any(|outcome| !outcome.wrong.is_empty()))
    }
}

/// What came of one change on one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The gateway.
    pub gateway: String,
    /// The change.
    pub change: String,
    /// What is wrong, in words; nothing if all went as it must.
    pub wrong: Vec<String>,
    /// How many requests there were.
    pub requests: usize,
    /// How many requests a second there were in fact, in thousandths.
    pub milli_rate: u64,
    /// How many failed that must not.
    pub failed: usize,
    /// Why, and when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failures>,
    /// When the change was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moment: Option<Moment>,
    /// What became of the old one afterwards.
    pub old: Old,
    /// What the store of certificates said while it did not hand anything out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub store_said: Vec<String>,
    /// How long it took.
    pub duration_ms: u64,
}

/// Requests that failed for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failures {
    /// The reason.
    pub because: String,
    /// How many.
    pub times: usize,
    /// When the first of them began, counted from the beginning of the traffic.
    pub first_ms: u64,
}

/// When a change was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// Between the beginning of the change and the first request that saw the new one.
    pub after_ms: u64,
    /// How many requests saw the old one although they began after that.
    pub mixed: usize,
    /// For how long some did.
    pub mixed_ms: u64,
}

/// What became of the old certificate once the change was over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Old {
    /// It was refused, and a witness says why.
    Refused {
        /// The reason.
        cause: Cause,
    },
    /// It came through, or nobody can say why it did not.
    NotRefused {
        /// What happened.
        because: String,
    },
    /// It cannot be refused, or that was not reached.
    NotAsked {
        /// Why.
        because: String,
    },
}
