//! Operations whose client certificate is asked for late, and what TLS 1.3 towards clients would do to them.
//!
//! A gateway that looks at the request before it asks for a certificate renegotiates (RFC 5246 7.4.1.1), and TLS 1.3 has no
//! renegotiation (RFC 8446 4.1.2). Who did so is in the log of the embedded gateway; of the others our own client knows.

mod witness;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tls_gauntlet_scenarios::{LateDemand, TlsVersion};

use crate::record::RunRecord;

/// The schema of [`LateReport`].
pub const SCHEMA: &str = "gauntlet.late/1";

/// Which operations ask late, and whether TLS 1.3 can be enabled for clients all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LateReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// How many requests were looked at.
    pub requests: u64,
    /// Whether it is safe to enable TLS 1.3 towards clients, as far as these requests show.
    pub safe: bool,
    /// Why; if it is not, one line for each reason.
    pub because: Vec<String>,
    /// Every operation that needed a certificate that the handshake had not brought.
    pub operations: Vec<Operation>,
}

/// One operation: a method and a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    /// The gateway, where it has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Its listener, where it has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// The method.
    pub method: String,
    /// The path, without what follows a `?`.
    pub path: String,
    /// What came of it, and how often.
    pub demands: Vec<Tally>,
}

/// How often one thing came of a late demand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// The version of TLS on the side of the client.
    pub tls_version: TlsVersion,
    /// The version of HTTP.
    pub http_version: String,
    /// What came of it.
    pub outcome: LateDemand,
    /// The witness that says so.
    pub witness: Witness,
    /// How often.
    pub times: u64,
}

/// A witness of a late demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// The gateway's own log.
    Gateway,
    /// The client that was asked.
    Client,
}

/// One late demand.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Demanded {
    gateway: Option<String>,
    listener: Option<String>,
    method: String,
    path: String,
    tls_version: TlsVersion,
    http_version: String,
    outcome: LateDemand,
    witness: Witness,
}

impl LateReport {
    /// What a run shows: the log of the embedded gateway, and for the others what their clients saw.
    #[must_use]
    pub fn of_record(record: &RunRecord) -> Self {
        let cells = record.cells.iter().filter(|cell| cell.client_saw.is_some());
        let requests = cells.clone().count();
        Self::of(u64::try_from(requests).unwrap_or(u64::MAX), cells.filter_map(witness::of_cell))
    }

    /// What the log of the embedded gateway shows; nothing if no line of it is about a request.
    #[must_use]
    pub fn of_log<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let told: Vec<_> = lines.into_iter().filter_map(witness::of_line).collect();
        let requests = u64::try_from(told.len()).unwrap_or(u64::MAX);
        (requests > 0).then(|| Self::of(requests, told.into_iter().flatten()))
    }

    fn of(requests: u64, demanded: impl Iterator<Item = Demanded>) -> Self {
        let mut counted: BTreeMap<_, BTreeMap<_, u64>> = BTreeMap::new();
        for one in demanded {
            let operation = (one.gateway, one.listener, one.path, one.method);
            let came_of_it = (one.tls_version, one.http_version, one.outcome, one.witness);
            *counted.entry(operation).or_default().entry(came_of_it).or_default() += 1;
        }
        let tally = |((tls_version, http_version, outcome, witness), times)| Tally {
            tls_version,
            http_version,
            outcome,
            witness,
            times,
        };
        let operations: Vec<_> = counted
            .into_iter()
            .map(|((gateway, listener, path, method), tallies)| Operation {
                gateway,
                listener,
                method,
                path,
                demands: tallies.into_iter().map(tally).collect(),
            })
            .collect();
        let reasons = reasons(&operations);
        let safe = reasons.is_empty();
        let because =
            if safe { vec![format!("requests looked at: {requests}; asked late: none")] } else { reasons };
        Self { schema: SCHEMA.to_owned(), requests, safe, because, operations }
    }
}

impl Operation {
    /// How often the client was asked for its certificate by renegotiation.
    #[must_use]
    pub fn renegotiations(&self) -> u64 {
        self.demands.iter().filter(|tally| tally.is_renegotiation()).map(|tally| tally.times).sum()
    }
}

impl Tally {
    fn is_renegotiation(&self) -> bool {
        self.tls_version < TlsVersion::Tls13 && self.outcome != LateDemand::NotAsked
    }

    fn is_post_handshake(&self) -> bool {
        self.tls_version == TlsVersion::Tls13 && self.outcome != LateDemand::NotAsked
    }

    fn is_lost_to_tls13(&self) -> bool {
        self.tls_version == TlsVersion::Tls13 && self.outcome == LateDemand::NotAsked
    }
}

/// Why TLS 1.3 is not safe, the gravest reason first.
fn reasons(operations: &[Operation]) -> Vec<String> {
    let with = |wanted: fn(&Tally) -> bool| {
        operations.iter().filter(|operation| operation.demands.iter().any(wanted)).count()
    };
    let told = [
        (
            with(Tally::is_renegotiation),
            ["asks", "ask"],
            "for a client certificate by renegotiation, which TLS 1.3 does not have (RFC 8446 4.1.2)",
        ),
        (
            with(Tally::is_lost_to_tls13),
            ["needs", "need"],
            "a client certificate and could not ask for it over TLS 1.3: those requests fail already",
        ),
        (
            with(Tally::is_post_handshake),
            ["asks", "ask"],
            "by post-handshake authentication over TLS 1.3, which only clients that offer it can answer (RFC 8446 4.6.2)",
        ),
    ];
    told.into_iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, [one, many], what)| match number {
            1 => format!("1 operation {one} {what}"),
            _ => format!("{number} operations {many} {what}"),
        })
        .collect()
}
