//! SARIF 2.1.0, for code scanning: a rule for each kind of verdict that somebody has to look at, a result for each such
//! cell. What Gauntlet itself could not do is a notification of the tool, not a result. A finding of an audit is a result where its
//! setting stands in the gateway's configuration; its rule is the line of the policy.

mod findings;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tls_gauntlet_certs::hex;
use tls_gauntlet_scenarios::VerdictKind;

use super::{
    text::{percent_encoded, printable},
    witness,
};
use crate::record::{CellRecord, ChangeKind, RunRecord};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// A kind of verdict as a rule.
struct Rule {
    verdict: VerdictKind,
    name: &'static str,
    level: &'static str,
    short: &'static str,
    full: &'static str,
    help: &'static str,
    /// How grave it is for the security of who runs the gateway, as CVSS counts (0 to 10); none where it is not.
    severity: Option<&'static str>,
}

const RULES: &[Rule] = &[
    Rule {
        verdict: VerdictKind::FailOpen,
        name: "FailOpen",
        level: "error",
        short: "The gateway accepted or offered what it must not.",
        full: "A connection or a request came through that had to be refused: a certificate that is not to be trusted, a \
               client without the certificate it needs, a version or cipher suite that is switched off. Or a backend was \
               offered a version, cipher suite or group that is not among those that the gateway was told.",
        help: "See which check did not take place: the steps in the message say where the model expects the refusal. \
               Turn that check on in the gateway's configuration for this upstream or listener, or take out of it what \
               the message says was offered, and run the cell again.",
        severity: Some("8.1"),
    },
    Rule {
        verdict: VerdictKind::FailClosed,
        name: "FailClosed",
        level: "warning",
        short: "The gateway refused what must work.",
        full: "A well-behaved client or backend did not get through: whoever depends on it has an outage.",
        help: "The message says who refused, when and why. Allow what the two sides have in common (a version, a cipher \
               suite, a trusted root), or claim in gateway.toml that the gateway cannot do it.",
        severity: None,
    },
    Rule {
        verdict: VerdictKind::WrongCause,
        name: "WrongCause",
        level: "warning",
        short: "The right outcome for the wrong reason.",
        full: "What had to be refused was refused, but for another reason than it has to be, or with other words: another \
               change may let it through.",
        help: "Compare the expected cause with the one that the witnesses name. A check that stands in front of the right \
               one hides whether the right one works.",
        severity: Some("4.3"),
    },
    Rule {
        verdict: VerdictKind::StaleDeviation,
        name: "StaleDeviation",
        level: "note",
        short: "A listed deviation is no longer true.",
        full: "The gateway is listed as doing this wrongly, and does it right: the list is older than the gateway.",
        help: "Remove the deviation from gateway.toml.",
        severity: None,
    },
    Rule {
        verdict: VerdictKind::KnownDeviation,
        name: "KnownDeviation",
        level: "note",
        short: "Not as expected, and listed for this gateway and version.",
        full: "The gateway deviates from what is expected, and its gateway.toml says why.",
        help: "Nothing is to be done until the gateway changes.",
        severity: None,
    },
];

/// The record as SARIF.
#[must_use]
pub fn render(record: &RunRecord) -> String {
    let cells = record.cells.iter().filter(|cell| !findings::tells_of(record, cell));
    let mut results: Vec<Value> = cells.filter_map(|cell| result(cell, record)).collect();
    results.extend(findings::results(record, RULES.len()));
    let rules: Vec<Value> = RULES.iter().map(rule).chain(findings::rules(record)).collect();
    let sarif = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "Gauntlet",
                "semanticVersion": record.tool.version,
                "rules": rules,
            }},
            "automationDetails": {"id": "gauntlet/"},
            "columnKind": "unicodeCodePoints",
            "invocations": [invocation(record)],
            "results": results,
            "properties": {
                "seed": record.seed,
                "gateways": record.gateways,
                "summary": record.summary,
            },
        }],
    });
    super::json::pretty(&sarif)
}

fn rule(rule: &Rule) -> Value {
    let mut properties = json!({"precision": "very-high", "tags": ["tls"]});
    if let Some(severity) = rule.severity {
        properties["security-severity"] = severity.into();
        properties["tags"] = json!(["security", "tls"]);
    }
    json!({
        "id": rule.verdict.as_str(),
        "name": rule.name,
        "shortDescription": {"text": rule.short},
        "fullDescription": {"text": rule.full},
        "help": {"text": rule.help, "markdown": rule.help},
        "defaultConfiguration": {"level": rule.level},
        "properties": properties,
    })
}

/// What we failed at, and when it all was.
fn invocation(record: &RunRecord) -> Value {
    let broken = record.cells.iter().filter(|cell| cell.verdict == VerdictKind::Broken);
    let notifications: Vec<Value> = broken
        .map(|cell| {
            let because = cell.because.as_deref().map(printable).unwrap_or_default();
            let text = plain(&format!("{}: {because}", printable(&cell.id)));
            json!({"level": "error", "message": {"text": text}})
        })
        .collect();
    json!({
        "executionSuccessful": notifications.is_empty(),
        "startTimeUtc": record.started,
        "exitCode": record.exit_code(),
        "toolExecutionNotifications": notifications,
    })
}

fn result(cell: &CellRecord, record: &RunRecord) -> Option<Value> {
    let index = RULES.iter().position(|rule| rule.verdict == cell.verdict)?;
    let mut result = json!({
        "ruleId": cell.verdict.as_str(),
        "ruleIndex": index,
        "level": RULES[index].level,
        "message": {"text": message(cell)},
        "locations": [{
            // No line of a file is at fault; a viewer that wants a file gets the name of the cell as a path.
            "physicalLocation": {
                "artifactLocation": {"uri": percent_encoded(&cell.id)},
                "region": {"startLine": 1},
            },
            "logicalLocations": [{"fullyQualifiedName": cell.id, "kind": "scenario"}],
        }],
        "partialFingerprints": {"cell/v1": fingerprint(cell)},
    });
    let mut suppressions = Vec::new();
    if cell.verdict == VerdictKind::KnownDeviation {
        let because = cell.because.as_deref().map(printable).unwrap_or_default();
        suppressions.push(json!({"kind": "external", "status": "accepted", "justification": because}));
    }
    if let Some(since) = &record.baseline {
        let change = since.changes.iter().find(|change| change.id == cell.id);
        let state = match change.map(|change| change.kind) {
            Some(ChangeKind::Stays) | None => "unchanged",
            Some(ChangeKind::Broke | ChangeKind::Appeared) => "new",
            Some(ChangeKind::Healed | ChangeKind::Lost | ChangeKind::Changed | ChangeKind::Vanished) => {
                "updated"
            }
        };
        result["baselineState"] = state.into();
        if let Some(stand) = since.stays(&cell.id) {
            let because =
                stand.accepted.as_deref().map_or_else(|| "as in the baseline".to_owned(), printable);
            suppressions.push(json!({"kind": "external", "status": "accepted", "justification": because}));
        }
    }
    if !suppressions.is_empty() {
        result["suppressions"] = suppressions.into();
    }
    Some(result)
}

/// One line of cause, the two sides, the three witnesses, and the command.
fn message(cell: &CellRecord) -> String {
    let because = cell.because.as_deref().map(printable).unwrap_or_default();
    let mut lines = vec![format!("{}: {because}", printable(&cell.id))];
    for testimony in witness::testimonies(cell) {
        lines.extend(testimony.says.iter().map(|says| format!("{}: {says}", testimony.witness)));
    }
    let steps = cell.expected.iter().flat_map(|expected| &expected.steps);
    lines.extend(steps.enumerate().map(|(nth, step)| format!("step {}: {step}", nth + 1)));
    lines.push(format!("again: {}", cell.reproduce));
    plain(&lines.join("\n"))
}

/// Text that is text: single braces are for placeholders (SARIF 2.1.0 3.11.5), and what would be a link (3.11.6) leads nowhere.
fn plain(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}").replace("](", "]\\(")
}

/// A fingerprint of cell and verdict that does not depend on the day.
fn fingerprint(cell: &CellRecord) -> String {
    let digest = Sha256::digest(format!("{}\n{}", cell.id, cell.verdict));
    hex(&digest[..16])
}
