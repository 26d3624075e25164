//! The run record: the versioned JSON of a whole run, from which every report is drawn.

mod baseline;
mod compare;
mod legs;
mod merge;
mod shard;

use std::collections::{BTreeMap, BTreeSet};

pub use baseline::{BASELINE_SCHEMA, Baseline, Since};
pub use compare::{Change, ChangeKind, Stand, compare};
pub use legs::{LegChange, compare_legs};
pub use merge::{MergeError, Named, merge};
use serde::{Deserialize, Serialize};
pub use shard::{ShardFacts, split_digest};
use tls_gauntlet_scenarios::{
    BackendSaw, Cause, ClientSaw, Diagnosis, Expectation, StatusSource, Verdict, VerdictKind,
    policy::{self, Finding},
    posture::{Line, Posture},
};

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
    /// Which part of a whole this is; absent where it is the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardFacts>,
    /// Where the time went, in the order in which it was spent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timings: Vec<Timing>,
    /// The gateways under test.
    pub gateways: Vec<GatewayFacts>,
    /// Every cell, in the order of their names.
    pub cells: Vec<CellRecord>,
    /// How many cells got each verdict.
    pub summary: BTreeMap<VerdictKind, usize>,
    /// Why this is not all that was asked for; absent where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
    /// What went wrong that no cell shows by itself, once each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trouble: Vec<String>,
    /// Whether cells that depend on a claim nobody makes may outnumber the others, as they do while a gateway is measured.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allows_unclaimed: bool,
    /// How the run compares to what was accepted; absent where it was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Since>,
    /// What an audit says of each leg; absent where the run was none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<LegRecord>,
}

/// What an audit says of one leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LegRecord {
    /// Its name: the host and port that the gateway dials.
    pub leg: String,
    /// The URL that was called.
    pub url: String,
    /// The host and port that the gateway dials.
    pub backend: String,
    /// How many behaviours were met.
    pub behaviours: usize,
    /// How many sound calls came through between them.
    pub controls: usize,
    /// What the gateway's own answers say of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The lines of the policy that it does not keep.
    pub findings: Vec<Finding>,
    /// How it behaves.
    pub posture: Posture,
    /// What its clients meet, one line a topic.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listener: Vec<Line>,
    /// Why it was not audited; absent where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_audited: Option<String>,
}

impl LegRecord {
    /// A leg that could not be audited.
    #[must_use]
    pub fn not_audited(leg: String, url: String, because: String) -> Self {
        Self {
            backend: leg.clone(),
            leg,
            url,
            behaviours: 0,
            controls: 0,
            server: None,
            findings: Vec::new(),
            posture: Posture::default(),
            listener: Vec::new(),
            not_audited: Some(because),
        }
    }
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
    /// The version whose claims it was judged by, where its own is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged_by: Option<String>,
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
    /// A gateway that is already running.
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
    /// What was asked for where the backend's certificate points to, in the order of the requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status_asked: Vec<StatusSource>,
    /// What the gateway's log says.
    #[serde(default)]
    pub gateway_said: Vec<String>,
    /// What these lines mean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateway_causes: Vec<Cause>,
    /// How many connections to the backend were none of the gateway's, or not for this cell's call: they are no evidence.
    #[serde(default, skip_serializing_if = "is_none")]
    pub strangers: usize,
    /// Why the scenario matters.
    pub why: String,
    /// The source that says so.
    pub source: String,
    /// The command that runs this cell again.
    pub reproduce: String,
    /// How long the client's call took.
    pub duration_ms: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it asks about by reference")]
const fn is_none(number: &usize) -> bool {
    *number == 0
}

impl CellRecord {
    /// Puts a verdict into the record.
    pub fn set_verdict(&mut self, verdict: &Verdict) {
        self.verdict = verdict.kind();
        self.because = verdict.because();
    }
}

/// A text that is not a run record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The text is of another schema, or of none.
    #[error("its schema is {found}, and this version of gauntlet reads {wanted}")]
    Schema {
        /// The schema of the text.
        found: String,
        /// The schema it should have.
        wanted: &'static str,
    },
    /// The text is not what the schema says.
    #[error("not a record: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// The schema that a text says it is of, if it says so.
pub(crate) fn schema_of(text: &str) -> Result<Option<String>, RecordError> {
    #[derive(Deserialize)]
    struct Schema {
        schema: Option<String>,
    }
    let Schema { schema } = serde_json::from_str(text)?;
    Ok(schema)
}

/// A text that has to be of this schema.
pub(crate) fn of_schema<T: serde::de::DeserializeOwned>(
    wanted: &'static str,
    text: &str,
) -> Result<T, RecordError> {
    let found = match schema_of(text)? {
        Some(schema) if schema == wanted => return Ok(serde_json::from_str(text)?),
        Some(schema) => format!("\"{schema}\""),
        None => "missing".to_owned(),
    };
    Err(RecordError::Schema { found, wanted })
}

impl RunRecord {
    /// Reads a record back.
    ///
    /// # Errors
    /// [`RecordError`] when the text is none.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        of_schema(SCHEMA, text)
    }

    /// Counts the verdicts, every kind present.
    #[must_use]
    pub fn summarise(cells: &[CellRecord]) -> BTreeMap<VerdictKind, usize> {
        let mut summary: BTreeMap<_, _> = VerdictKind::ALL.iter().map(|kind| (*kind, 0)).collect();
        for cell in cells {
            *summary.entry(cell.verdict).or_default() += 1;
        }
        summary
    }

    /// Takes the verdicts back, because of something that makes them worth nothing.
    pub fn discard(&mut self, because: &str) {
        for cell in self.cells.iter_mut().filter(|cell| cell.verdict != VerdictKind::Skipped) {
            cell.set_verdict(&Verdict::Broken { error: because.to_owned() });
        }
        self.summary = Self::summarise(&self.cells);
        self.trouble.push(because.to_owned());
    }

    /// The whole run, out of this part of it and the run that did the rest.
    #[must_use]
    pub fn resumed_by(mut self, rest: Self) -> Self {
        for gateway in rest.gateways {
            if !self.gateways.contains(&gateway) {
                self.gateways.push(gateway);
            }
        }
        self.cells.retain(|cell| rest.cells.iter().all(|other| other.id != cell.id));
        self.cells.extend(rest.cells);
        self.cells.sort_by(|left, right| left.id.cmp(&right.id));
        self.timings.extend(rest.timings);
        self.trouble.extend(rest.trouble);
        Self {
            duration_ms: self.duration_ms.saturating_add(rest.duration_ms),
            summary: Self::summarise(&self.cells),
            partial: rest.partial,
            baseline: None,
            ..self
        }
    }

    /// Compares the run to what was accepted: from now on only what changed counts.
    pub fn compare_to(&mut self, baseline: &Baseline) {
        self.baseline = Some(Since { changes: baseline.changes(self) });
    }

    /// The gateways of which this record proves nothing: not one cell passed or deviates as is known, or fewer were judged
    /// than depend on a claim that nobody makes. A part of a run may have little for one,
    /// and an audit has claims for none.
    #[must_use]
    pub fn hollow(&self) -> Vec<&str> {
        if self.allows_unclaimed || !self.legs.is_empty() || self.shard.is_some() || self.partial.is_some() {
            return Vec::new();
        }
        let is_hollow = |gateway: &&GatewayFacts| {
            let cells = || self.cells.iter().filter(|cell| cell.gateway == gateway.name);
            let count = |wanted: fn(VerdictKind) -> bool| cells().filter(|cell| wanted(cell.verdict)).count();
            let proven = count(|verdict| matches!(verdict, VerdictKind::Pass | VerdictKind::KnownDeviation));
            let is_told = count(|verdict| verdict.is_failure() || verdict == VerdictKind::Broken) > 0;
            let unclaimed = count(|verdict| verdict == VerdictKind::Unclaimed);
            !is_told && (proven == 0 || unclaimed > proven)
        };
        self.gateways.iter().filter(is_hollow).map(|gateway| gateway.name.as_str()).collect()
    }

    /// The rules of the policy that a leg must keep and that nothing shows: whose behaviours are all inconclusive.
    pub fn unasked(&self, leg: &LegRecord) -> impl Iterator<Item = &'static policy::Rule> {
        let shown: BTreeSet<&str> = self
            .cells
            .iter()
            .filter(|cell| cell.gateway == leg.leg && cell.verdict != VerdictKind::Skipped)
            .map(|cell| cell.backend.as_str())
            .collect();
        let musts = policy::SOUND.iter().filter(|rule| rule.level == policy::Level::Must);
        musts.filter(move |rule| !rule.backends.iter().any(|backend| shown.contains(backend)))
    }

    /// One sentence on the rules that a leg must keep and that nothing shows, or on a leg that was not audited at all.
    #[must_use]
    pub fn left_open(&self, leg: &LegRecord) -> Option<String> {
        if let Some(because) = &leg.not_audited {
            return Some(format!("not audited: {because}"));
        }
        let rules: Vec<&str> = self.unasked(leg).map(|rule| rule.name).collect();
        (!rules.is_empty()).then(|| {
            format!("nothing could be said of {}: see what could not be found out", rules.join(", "))
        })
    }

    /// 0: all as expected; 1: the gateway fell short, or shorter than its baseline; 3: Gauntlet could not do its work, or not
    /// all of it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let any = |wanted: fn(VerdictKind) -> bool| self.cells.iter().any(|cell| wanted(cell.verdict));
        let finds = || self.legs.iter().flat_map(|leg| &leg.findings).any(Finding::fails);
        let is_short = || any(VerdictKind::is_failure) || finds() || !self.hollow().is_empty();
        let fell_short = self.baseline.as_ref().map_or_else(is_short, Since::broke);
        if self.partial.is_some() {
            3
        } else if fell_short {
            1
        } else if any(|verdict| verdict == VerdictKind::Broken)
            || self.legs.iter().any(|leg| self.unasked(leg).next().is_some())
        {
            3
        } else {
            0
        }
    }
}
