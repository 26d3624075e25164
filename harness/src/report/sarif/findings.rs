//! The findings of an audit as results.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tls_gauntlet_certs::hex;
use tls_gauntlet_scenarios::policy::{Finding, Level};

use super::plain;
use crate::{
    record::{CellRecord, LegRecord, RunRecord},
    report::text::{percent_encoded, printable},
};

/// Whether a finding names what came of this behaviour already.
pub(super) fn tells_of(record: &RunRecord, cell: &CellRecord) -> bool {
    let of_leg = record.legs.iter().filter(|leg| leg.leg == cell.gateway);
    of_leg.flat_map(|leg| &leg.findings).any(|finding| finding.behaviours.contains(&cell.backend))
}

/// Each finding of each leg, first the first of its rule.
fn all(record: &RunRecord) -> impl Iterator<Item = (&LegRecord, &Finding)> {
    record.legs.iter().flat_map(|leg| leg.findings.iter().map(move |finding| (leg, finding)))
}

/// The first finding of each line of the policy, which speaks for the line.
fn first_of_each(record: &RunRecord) -> Vec<&Finding> {
    let mut firsts: Vec<&Finding> = Vec::new();
    for (_, finding) in all(record) {
        if !firsts.iter().any(|first| first.rule == finding.rule) {
            firsts.push(finding);
        }
    }
    firsts
}

const fn level(finding: &Finding) -> &'static str {
    match finding.level {
        Level::Must => "error",
        Level::Should => "warning",
    }
}

/// The lines of the policy that are not kept, as rules.
pub(super) fn rules(record: &RunRecord) -> Vec<Value> {
    let rule = |finding: &Finding| {
        let text = format!("{} ({})", finding.says, finding.clause);
        let help = match finding.set.first() {
            Some((gateway, set)) => format!("{gateway}: {set}"),
            None => "Nothing is known that mends it on this gateway.".to_owned(),
        };
        let severity = if finding.level == Level::Must { "8.1" } else { "4.3" };
        json!({
            "id": format!("policy/{}", finding.rule),
            "shortDescription": {"text": plain(&printable(&text))},
            "help": {"text": plain(&printable(&help))},
            "defaultConfiguration": {"level": level(finding)},
            "properties": {"precision": "very-high", "tags": ["security", "tls"], "security-severity": severity},
        })
    };
    first_of_each(record).into_iter().map(rule).collect()
}

/// The findings, each where its setting stands; `before` is how many rules there are beside those of the policy.
pub(super) fn results(record: &RunRecord, before: usize) -> Vec<Value> {
    let firsts = first_of_each(record);
    let result = |(leg, finding): (&LegRecord, &Finding)| {
        let index = firsts.iter().position(|first| first.rule == finding.rule).unwrap_or_default();
        let mut lines =
            vec![format!("{} \u{2192} {}: {} ({})", leg.url, leg.backend, finding.says, finding.clause)];
        lines.push(format!("seen: {}", finding.seen));
        lines.extend(finding.stands.iter().map(|stands| format!("stands in: {stands}")));
        lines.extend(finding.set.iter().map(|(gateway, set)| format!("set ({gateway}): {set}")));
        let text = lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n");
        // Without a configuration no file is at fault; a viewer that wants one gets the name of the leg as a path.
        let leg_as_path = format!("leg/{}", leg.leg);
        let (file, line) = place(finding).unwrap_or((&leg_as_path, 1));
        let mut result = json!({
            "ruleId": format!("policy/{}", finding.rule),
            "ruleIndex": before + index,
            "level": level(finding),
            "message": {"text": plain(&text)},
            "locations": [{
                "physicalLocation": {
                    "artifactLocation": {"uri": percent_encoded(file)},
                    "region": {"startLine": line},
                },
                "logicalLocations": [{"fullyQualifiedName": leg.url, "kind": "leg"}],
            }],
            "partialFingerprints": {"finding/v1": fingerprint(leg, finding)},
        });
        if let Some(excepted) = &finding.excepted {
            let because = plain(&printable(excepted));
            result["suppressions"] =
                json!([{"kind": "external", "status": "accepted", "justification": because}]);
        }
        result
    };
    all(record).map(result).collect()
}

/// The file and line of `nginx.conf:15: verification is off`.
fn place(finding: &Finding) -> Option<(&str, u64)> {
    let (place, _) = finding.stands.as_deref()?.split_once(": ")?;
    let (file, line) = place.rsplit_once(':')?;
    Some((file, line.parse().ok()?))
}

fn fingerprint(leg: &LegRecord, finding: &Finding) -> String {
    let digest = Sha256::digest(format!("{}\n{}\n{}", leg.url, leg.leg, finding.rule));
    hex(&digest[..16])
}
