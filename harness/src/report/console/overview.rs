//! What came of each gateway in one line, and where gateways differ most: the screen of a run in which all is well.

use std::collections::{BTreeMap, BTreeSet};

use tls_gauntlet_scenarios::{Outcome, VerdictKind, catalogue};

use super::{
    super::{
        matrix::{Mark, family_of_backend},
        paint::{BAD, FAINT, GOOD, ODD, PLAIN, STRONG},
        text::{printable, width_of, wrap},
    },
    Screen,
};
use crate::record::{CellRecord, RunRecord};

/// How many differences are named.
const NAMED: usize = 3;

/// A column of numbers: its heading, its colour, whether it is there when it has nothing but zeros, and what is counted.
type Column = (&'static str, anstyle::Style, bool, fn(Mark) -> bool);

const COLUMNS: &[Column] = &[
    ("✓ through", GOOD, true, |mark| matches!(mark, Mark::Reached)),
    ("⊘ stopped", GOOD, true, |mark| matches!(mark, Mark::Refused)),
    ("✗ wrong", BAD, false, Mark::is_wrong),
    ("~ known", ODD, false, |mark| matches!(mark, Mark::KnownDeviation)),
    ("o unclaimed", ODD, false, |mark| matches!(mark, Mark::Unclaimed)),
    ("B broken", BAD, false, |mark| matches!(mark, Mark::Broken)),
    ("- skipped", PLAIN, false, |mark| matches!(mark, Mark::Skipped)),
];

/// Backends that a gateway met: it was judged with them.
fn met<'a>(cells: impl Iterator<Item = &'a CellRecord>) -> BTreeSet<&'a str> {
    let judged = cells.filter(|cell| {
        !matches!(cell.verdict, VerdictKind::Skipped | VerdictKind::Unclaimed | VerdictKind::Broken)
    });
    judged.map(|cell| cell.backend.as_str()).collect()
}

impl Screen {
    /// A line for each gateway.
    pub(super) fn overview(&mut self, record: &RunRecord) {
        let titles = titles(record);
        let names = titles.iter().map(|title| width_of(title)).max().unwrap_or(0);
        let counts: Vec<BTreeMap<Mark, usize>> = record
            .gateways
            .iter()
            .map(|gateway| {
                let mut counts = BTreeMap::new();
                for cell in record.cells.iter().filter(|cell| cell.gateway == gateway.name) {
                    *counts.entry(Mark::of(cell)).or_default() += 1;
                }
                counts
            })
            .collect();
        let number = |counts: &BTreeMap<Mark, usize>, counted: fn(Mark) -> bool| -> usize {
            counts.iter().filter(|(mark, _)| counted(**mark)).map(|(_, times)| times).sum()
        };
        let columns = COLUMNS.iter().filter(|(_, _, always, counted)| {
            *always || counts.iter().any(|counts| number(counts, *counted) > 0)
        });
        let columns: Vec<_> = columns.collect();
        let all = record.cells.iter().map(|cell| cell.backend.as_str()).collect::<BTreeSet<_>>().len();

        let headings = columns.iter().map(|(heading, ..)| format!("  {heading}")).collect::<String>();
        self.line(self.paint.put(FAINT, &format!("{:names$}  cells{headings}  backends met", "")));
        for ((title, gateway), counts) in titles.iter().zip(&record.gateways).zip(&counts) {
            let cells: usize = counts.values().sum();
            let mut line = format!("{}  {cells:>5}", self.paint.put(STRONG, &format!("{title:names$}")));
            for (heading, style, _, counted) in &columns {
                let times = number(counts, *counted);
                let style = if times == 0 { FAINT } else { *style };
                let width = width_of(heading);
                line.extend(["  ", &self.paint.put(style, &format!("{times:>width$}"))]);
            }
            let met = met(record.cells.iter().filter(|cell| cell.gateway == gateway.name)).len();
            self.line(format!("{line}  {:>12}", format!("{met} of {all}")));
        }
        self.line("");
    }

    /// The scenarios about which the gateways are most divided, each of another family of backends.
    pub(super) fn differences(&mut self, record: &RunRecord) {
        let differences = Difference::all(record);
        let Some(first) = differences.first() else { return };
        let mut named = vec![first];
        for difference in &differences {
            if named.len() < NAMED && named.iter().all(|other| other.family() != difference.family()) {
                named.push(difference);
            }
        }
        let title = format!("They differ in {} scenarios, among them", differences.len());
        self.line(self.paint.put(STRONG, &title));
        for Difference { cell, through, stopped, .. } in named {
            let summary = catalogue().backend(&cell.backend).map(|backend| backend.profile.summary);
            let scenario = format!("{}: {}", short(cell), summary.unwrap_or_default());
            for (nth, line) in wrap(&scenario, self.look.width, 2, 4).into_iter().enumerate() {
                self.line(if nth == 0 { format!("  {line}") } else { line });
            }
            self.line(format!("    ✓ {}   ⊘ {}", through.join(", "), stopped.join(", ")));
        }
        self.line("");
    }
}

/// `nginx 1.22.1`, for each gateway.
pub(super) fn titles(record: &RunRecord) -> Vec<String> {
    let titles =
        record.gateways.iter().map(|gateway| format!("{} {}", gateway.name, printable(&gateway.version)));
    titles.collect()
}

/// A scenario that comes through some gateways, and that others stop.
struct Difference<'a> {
    /// One of its cells.
    cell: &'a CellRecord,
    through: Vec<&'a str>,
    stopped: Vec<&'a str>,
}

impl<'a> Difference<'a> {
    /// All of them, the most divided first.
    fn all(record: &'a RunRecord) -> Vec<Self> {
        let mut scenarios: BTreeMap<&str, Vec<&CellRecord>> = BTreeMap::new();
        for cell in record.cells.iter().filter(|cell| !cell.verdict.is_failure()) {
            let scenario = cell.id.rsplit_once("::").map_or(cell.id.as_str(), |(scenario, _)| scenario);
            scenarios.entry(scenario).or_default().push(cell);
        }
        let gateways = || record.gateways.iter().map(|gateway| gateway.name.as_str());
        let of = |cells: &[&'a CellRecord], wanted: Outcome| {
            let came =
                |cell: &&&CellRecord| cell.observed.as_ref().is_some_and(|seen| seen.outcome == wanted);
            let such: BTreeSet<&str> = cells.iter().filter(came).map(|cell| cell.gateway.as_str()).collect();
            gateways().filter(|name| such.contains(name)).collect::<Vec<_>>()
        };
        let all = scenarios.into_values().filter_map(|cells| {
            let (through, stopped) = (of(&cells, Outcome::Reach), of(&cells, Outcome::Refuse));
            (!through.is_empty() && !stopped.is_empty()).then(|| Self { cell: cells[0], through, stopped })
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.through.len().min(one.stopped.len())));
        all
    }

    fn family(&self) -> &'static str {
        family_of_backend(&self.cell.backend)
    }
}

/// The parts of a cell that are not as they mostly are: `expired-leaf/no-verify`.
fn short(cell: &CellRecord) -> String {
    let upstream_leg = format!("{}/{}", cell.backend, cell.upstream);
    match (cell.client.as_str(), cell.listener.as_str()) {
        ("default", "default") => upstream_leg,
        (client, listener) => format!("{upstream_leg}::{client}/{listener}"),
    }
}
