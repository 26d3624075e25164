//! JUnit XML: a suite for each gateway and suite, a test case for each cell. What the gateway got wrong is a
//! *failure*; what Gauntlet could not do is an *error*; what does not count is *skipped*, and says why. An audited leg has a
//! suite beside them with a test case for each finding.

use std::{collections::BTreeMap, time::Duration};

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use tls_gauntlet_scenarios::{VerdictKind, policy::Finding};

use super::{
    matrix::{Axes, suite_of},
    witness,
};
use crate::record::{CellRecord, GatewayFacts, LegRecord, RunRecord, Stand};

/// The record as JUnit XML.
#[must_use]
pub fn render(record: &RunRecord) -> String {
    let mut suites: BTreeMap<(&str, &str), Vec<&CellRecord>> = BTreeMap::new();
    for cell in &record.cells {
        suites.entry((&cell.gateway, suite_of(cell))).or_default().push(cell);
    }
    let timestamp = record.started.parse().ok();
    let mut report = Report::new(&record.tool.name);
    report.set_time(Duration::from_millis(record.duration_ms));
    for ((gateway, name), cells) in suites {
        let mut suite = TestSuite::new(format!("{gateway}.{name}"));
        suite.timestamp = timestamp;
        suite.set_time(Duration::from_millis(cells.iter().map(|cell| cell.duration_ms).sum()));
        suite.add_properties(properties(record, gateway));
        let axes = Axes::of(name, &cells);
        suite.add_test_cases(cells.into_iter().map(|cell| test_case(cell, axes, record)));
        report.add_test_suite(suite);
    }
    for leg in &record.legs {
        let mut suite = TestSuite::new(format!("{}.policy", leg.leg));
        suite.timestamp = timestamp;
        suite.set_time(Duration::ZERO);
        suite.add_test_cases(leg.findings.iter().map(|finding| found(leg, finding)));
        suite.add_test_case(asked(leg, record.left_open(leg)));
        report.add_test_suite(suite);
    }
    let text = report.to_string().expect("quick-junit replaces what XML cannot hold");
    without_skipped_of_all(&text)
}

/// Jenkins' schema (junit-10.xsd) has no sum of the skipped on the root element, and quick-junit always writes one.
fn without_skipped_of_all(text: &str) -> String {
    let Some((before, rest)) = text.split_once(" skipped=\"") else { return text.to_owned() };
    match rest.split_once('"') {
        Some((_, after)) => format!("{before}{after}"),
        None => text.to_owned(),
    }
}

fn properties(record: &RunRecord, gateway: &str) -> Vec<Property> {
    let mut properties = vec![Property::new("gateway", gateway)];
    if let Some(GatewayFacts { version, .. }) = record.gateways.iter().find(|facts| facts.name == gateway) {
        properties.push(Property::new("gateway.version", version.as_str()));
    }
    properties.push(Property::new("gauntlet.version", record.tool.version.as_str()));
    properties.push(Property::new("seed", record.seed.to_string()));
    properties
}

fn test_case(cell: &CellRecord, axes: Axes, record: &RunRecord) -> TestCase {
    let stays = record.baseline.as_ref().and_then(|since| since.stays(&cell.id));
    let mut case = TestCase::new(&cell.id, stays.map_or_else(|| status(cell), |stand| accepted(cell, stand)));
    // Jenkins and Azure Pipelines make a tree of what stands between the dots.
    case.set_classname(format!("{}.{}.{}", cell.gateway, suite_of(cell), axes.group(cell)));
    case.set_time(Duration::from_millis(cell.duration_ms));
    case.set_system_out(evidence(cell));
    case
}

/// A line of the policy that a leg does not keep: a must fails, a recommendation is shown.
fn found(leg: &LegRecord, finding: &Finding) -> TestCase {
    let message = format!("{} ({}, {})", finding.says, finding.level, finding.clause);
    let mut lines = vec![format!("seen: {}", finding.seen)];
    lines.extend(finding.stands.iter().map(|stands| format!("stands in: {stands}")));
    lines.extend(finding.set.iter().map(|(gateway, set)| format!("set ({gateway}): {set}")));
    lines.extend(finding.excepted.iter().map(|excepted| format!("excepted: {excepted}")));
    let mut status = if finding.fails() {
        TestCaseStatus::non_success(NonSuccessKind::Failure)
    } else {
        TestCaseStatus::skipped()
    };
    status.set_message(message);
    if finding.fails() {
        status.set_type(finding.rule.as_str());
        status.set_description(lines.join("\n"));
    }
    let mut case = TestCase::new(format!("{}: {}", leg.url, finding.rule), status);
    case.set_classname(format!("{}.policy", leg.leg));
    case.set_time(Duration::ZERO);
    case.set_system_out(lines.join("\n"));
    case
}

/// Whether every must of the policy could be asked of a leg.
fn asked(leg: &LegRecord, open: Option<String>) -> TestCase {
    let status = match open {
        None => TestCaseStatus::success(),
        Some(open) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("open");
            status.set_message(open);
            status
        }
    };
    let mut case = TestCase::new(format!("{}: every must was asked", leg.url), status);
    case.set_classname(format!("{}.policy", leg.leg));
    case.set_time(Duration::ZERO);
    case
}

fn status(cell: &CellRecord) -> TestCaseStatus {
    let kind = match cell.verdict {
        VerdictKind::Pass => return TestCaseStatus::success(),
        VerdictKind::FailOpen
        | VerdictKind::FailClosed
        | VerdictKind::WrongCause
        | VerdictKind::StaleDeviation => NonSuccessKind::Failure,
        VerdictKind::Broken => NonSuccessKind::Error,
        VerdictKind::KnownDeviation | VerdictKind::Unclaimed | VerdictKind::Skipped => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(message(cell));
            return skipped;
        }
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(cell.verdict.as_str());
    status.set_message(message(cell));
    status.set_description(evidence(cell));
    status
}

/// Wrong as it was: shown, and no failure.
fn accepted(cell: &CellRecord, stand: &Stand) -> TestCaseStatus {
    let reason = stand.accepted.as_deref().unwrap_or("as in the baseline");
    let mut skipped = TestCaseStatus::skipped();
    skipped.set_message(format!("accepted ({reason}): {}", message(cell)));
    skipped
}

fn message(cell: &CellRecord) -> String {
    cell.because
        .as_ref()
        .map_or_else(|| cell.verdict.to_string(), |because| format!("{}: {because}", cell.verdict))
}

fn evidence(cell: &CellRecord) -> String {
    let mut lines = Vec::new();
    for testimony in witness::testimonies(cell) {
        lines.extend(testimony.says.iter().map(|says| format!("{}: {says}", testimony.witness)));
    }
    lines.push(format!("why: {} ({})", cell.why, cell.source));
    lines.push(format!("again: {}", cell.reproduce));
    lines.join("\n")
}
