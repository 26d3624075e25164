//! The run record: the versioned JSON of a whole run, from which every report is drawn.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tls_gauntlet_scenarios::{BackendSaw, Cause, ClientSaw, Diagnosis, Expectation, Verdict, VerdictKind};

/// The number of the schema; it changes when a field is renamed or removed.
pub const SCHEMA: &str = "gauntlet.run/1";

/// A whole run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunRecord {
    /// The number of the schema: `gauntlet.run/1`.
    pub schema: String,
    /// What made the record.
    pub tool: Tool,
    /// The seed of names and serials.
    pub seed: u64,
    /// When the run began (RFC 3339).
    pub started: String,
    /// How long it took.
    pub duration_ms: u64,
    /// Where the time went, in the order in which it was spent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timings: Vec<Timing>,
    /// The gateways under test.
    pub gateways: Vec<GatewayFacts>,
    /// Every cell, in the order of their names.
    pub cells: Vec<CellRecord>,
    /// How many cells got each verdict.
    pub summary: BTreeMap<VerdictKind, usize>,
}

/// What made a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Tool {
    /// `gauntlet`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// One stretch of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Timing {
    /// What was done: `certificates`, `backends`, `nginx: start`, `nginx: cells`, …
    pub stage: String,
    /// How long it took.
    pub duration_ms: u64,
}

/// A gateway under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GatewayFacts {
    /// Its name.
    pub name: String,
    /// Its version, as it says itself.
    pub version: String,
    /// What kind it is.
    pub kind: GatewayKind,
}

/// The kinds of gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayKind {
    /// No gateway: Gauntlet's own client calls the backend.
    Direct,
    /// The embedded one.
    Reference,
    /// A program that Gauntlet starts.
    Program,
    /// One that is already running.
    External,
}

/// One cell: what had to happen, what happened, and the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CellRecord {
    /// `suite/backend/upstream::client/listener::gateway`.
    pub id: String,
    /// Name of the gateway.
    pub gateway: String,
    /// Name of the client.
    pub client: String,
    /// Name of the listener.
    pub listener: String,
    /// Name of the upstream.
    pub upstream: String,
    /// Name of the backend.
    pub backend: String,
    /// The judge's word.
    pub verdict: VerdictKind,
    /// Its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// What had to happen; absent where the model made no statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expectation>,
    /// What happened; absent where the cell was not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Diagnosis>,
    /// What the client saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_saw: Option<ClientSaw>,
    /// What the backend saw.
    #[serde(default)]
    pub backend_saw: Vec<BackendSaw>,
    /// What the gateway's log says.
    #[serde(default)]
    pub gateway_said: Vec<String>,
    /// What that means.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateway_causes: Vec<Cause>,
    /// Why the scenario matters.
    pub why: String,
    /// Who says so.
    pub source: String,
    /// The command that runs this cell again.
    pub reproduce: String,
    /// How long the client's call took.
    pub duration_ms: u64,
}

impl CellRecord {
    /// Puts a verdict into the record.
    pub fn set_verdict(&mut self, verdict: &Verdict) {
        self.verdict = verdict.kind();
        self.because = verdict.because();
    }
}

impl RunRecord {
    /// Counts the verdicts, every kind present.
    #[must_use]
    pub fn summarise(cells: &[CellRecord]) -> BTreeMap<VerdictKind, usize> {
        let mut summary: BTreeMap<_, _> = VerdictKind::ALL.iter().map(|kind| (*kind, 0)).collect();
        for cell in cells {
            *summary.entry(cell.verdict).or_default() += 1;
        }
        summary
    }

    /// 0: all as expected; 1: the gateway fell short; 3: Gauntlet could not do its work.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let any = |wanted: fn(VerdictKind) -> bool| self.cells.iter().any(|cell| wanted(cell.verdict));
        if any(VerdictKind::is_failure) {
            1
        } else if any(|verdict| verdict == VerdictKind::Broken) {
            3
        } else {
            0
        }
    }
}
