//! The legs of an audit on the page: what is wrong with each and what mends it, then what it does.

use minijinja::{Value, context};
use tls_gauntlet_scenarios::{policy::Finding, posture::Line};

use crate::{
    record::{LegRecord, RunRecord},
    report::text::{count, printable},
};

/// The legs, in their order.
pub(super) fn shown(record: &RunRecord) -> Vec<Value> {
    record.legs.iter().map(|one| leg(record, one)).collect()
}

fn leg(record: &RunRecord, leg: &LegRecord) -> Value {
    let LegRecord { url, backend, behaviours, controls, posture, .. } = leg;
    context! {
        title => printable(&format!("{url} → {backend}")),
        met => format!("{} between {}", count(*behaviours, "behaviour"), count(*controls, "sound call")),
        left_open => record.left_open(leg).map(|open| printable(&open)),
        findings => leg.findings.iter().map(finding).collect::<Vec<_>>(),
        posture => lines(&posture.lines),
        listener => lines(&leg.listener),
        unexplained => printable(&posture.unexplained.join(", ")),
        open => posture.open.iter().map(|open| printable(open)).collect::<Vec<_>>(),
    }
}

fn finding(finding: &Finding) -> Value {
    let (symbol, class) = match (finding.fails(), finding.excepted.is_some()) {
        (true, _) => ("✗", "bad"),
        (false, true) => ("~", "odd"),
        (false, false) => ("!", "odd"),
    };
    let set = finding.set.iter().map(|(gateway, set)| printable(&format!("{gateway}: {set}")));
    context! {
        symbol,
        class,
        rule => finding.rule,
        level => finding.level.as_str(),
        clause => printable(&finding.clause),
        says => printable(&finding.says),
        seen => printable(&finding.seen),
        stands => finding.stands.as_deref().map(printable),
        excepted => finding.excepted.as_deref().map(printable),
        set => set.collect::<Vec<_>>(),
    }
}

fn lines(lines: &[Line]) -> Vec<(String, String)> {
    lines.iter().map(|line| (printable(&line.topic), printable(&line.says))).collect()
}
