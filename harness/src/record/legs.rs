//! What changed between two audits: postures, listeners and findings, leg by leg.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{LegRecord, RunRecord};

/// One topic of one leg that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LegChange {
    /// The leg.
    pub leg: String,
    /// What it is about: `versions`, `finding name`.
    pub topic: String,
    /// What was said before, if anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What is said now, if anything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether a line of the policy that must be kept is broken now, and was not before.
    pub broke: bool,
}

/// The finding on a leg that takes certificates of nobody's.
const CHAIN: &str = "finding chain";

/// What changed on each leg, findings first.
#[must_use]
pub fn compare_legs(before: &RunRecord, after: &RunRecord) -> Vec<LegChange> {
    let none = || (BTreeMap::new(), BTreeMap::new());
    let said = |record: &RunRecord, name: &str| {
        record.legs.iter().find(|leg| leg.leg == name).map_or_else(none, |leg| (findings(leg), topics(leg)))
    };
    let mut names: Vec<&str> = Vec::new();
    for leg in after.legs.iter().chain(&before.legs) {
        if !names.contains(&leg.leg.as_str()) {
            names.push(&leg.leg);
        }
    }
    let mut changes = Vec::new();
    for name in names {
        let (found, topics) = said(before, name);
        let (finds, says) = said(after, name);
        // A leg that takes every certificate now shows nothing of what else it would take.
        let hides = finds.contains_key(CHAIN) && !found.contains_key(CHAIN);
        let mut compare = |before: &BTreeMap<String, (String, bool)>,
                           after: &BTreeMap<String, (String, bool)>| {
            let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let (was, is) = (before.get(key), after.get(key));
                if was.map(|(says, _)| says) == is.map(|(says, _)| says) || (is.is_none() && hides) {
                    continue;
                }
                changes.push(LegChange {
                    leg: name.to_owned(),
                    topic: key.clone(),
                    before: was.map(|(says, _)| says.clone()),
                    after: is.map(|(says, _)| says.clone()),
                    broke: is.is_some_and(|(_, fails)| *fails) && !was.is_some_and(|(_, fails)| *fails),
                });
            }
        };
        compare(&found, &finds);
        compare(&topics, &says);
    }
    changes
}

/// Each finding by its rule, and whether it fails the audit.
fn findings(leg: &LegRecord) -> BTreeMap<String, (String, bool)> {
    let told = leg.findings.iter().map(|finding| {
        let says = format!("{} ({}, {})", finding.says, finding.level, finding.clause);
        (format!("finding {}", finding.rule), (says, finding.fails()))
    });
    told.collect()
}

fn topics(leg: &LegRecord) -> BTreeMap<String, (String, bool)> {
    // How often something was answered varies with what was met.
    const VARIES: &[&str] = &["answers when it fails", "after a failure", "connections"];
    let lines = leg.posture.lines.iter().chain(&leg.listener);
    let lasting = lines.filter(|line| !VARIES.contains(&line.topic.as_str()));
    lasting.map(|line| (line.topic.clone(), (line.says.clone(), false))).collect()
}
