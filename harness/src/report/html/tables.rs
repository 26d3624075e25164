//! What the page shows at once: the matrix, the tallies, what is wrong.

use std::{collections::BTreeMap, fmt::Write};

use serde::Serialize;
use tls_gauntlet_scenarios::VerdictKind;

use super::{class_of, of_gateway};
use crate::{
    record::{CellRecord, Change, RunRecord},
    report::{
        changes,
        matrix::{Mark, Matrix, gravity},
        text::{percent_encoded, printable},
    },
};

/// How many wrong things are listed above the matrix.
const LISTED: usize = 50;

/// A gateway and how it fared.
#[derive(Debug, Serialize)]
pub(super) struct Gateway {
    name: String,
    version: String,
    cells: usize,
    tallies: Vec<Tally>,
}

/// How often a verdict was given.
#[derive(Debug, Serialize)]
pub(super) struct Tally {
    verdict: &'static str,
    symbol: &'static str,
    class: &'static str,
    times: usize,
    about: String,
}

/// One line of the legend.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    symbol: &'static str,
    class: &'static str,
    meaning: &'static str,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    verdict: &'static str,
    symbol: &'static str,
    class: &'static str,
    id: String,
    anchor: String,
    because: String,
}

/// What is wrong, and how much of it is not listed.
#[derive(Debug, Serialize)]
pub(super) struct Findings {
    listed: Vec<Finding>,
    more: usize,
}

/// A cell that changed since the baseline.
#[derive(Debug, Serialize)]
pub(super) struct Changed {
    kind: &'static str,
    id: String,
    anchor: String,
    says: String,
}

/// One suite as a table.
#[derive(Debug, Serialize)]
pub(super) struct Suite {
    name: String,
    /// What a row is, and what a column is.
    row: &'static str,
    column: &'static str,
    gateways: Vec<Block>,
    columns: Vec<String>,
    families: Vec<Family>,
    /// How many columns the table has beside the names.
    width: usize,
}

/// The columns of one gateway.
#[derive(Debug, Serialize)]
pub(super) struct Block {
    name: String,
    place: usize,
}

/// Rows of one family.
#[derive(Debug, Serialize)]
pub(super) struct Family {
    name: String,
    rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    name: String,
    places: Vec<Place>,
}

/// What stands where a row and a column meet: a cell, several, or none.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    gateway: usize,
    /// Whether the block of a gateway begins here.
    first: bool,
    cells: Vec<Cell>,
}

/// A cell in the matrix.
#[derive(Debug, Serialize)]
pub(super) struct Cell {
    id: String,
    anchor: String,
    /// Its line in the data.
    line: usize,
    verdict: &'static str,
    symbol: &'static str,
    class: &'static str,
}

/// The rules that hide a gateway's columns: the policy of the page allows no style that is made later.
pub(super) fn hidden_gateways(record: &RunRecord) -> String {
    let mut rules = String::new();
    for place in 0..record.gateways.len() {
        let _ = writeln!(rules, "[data-hidden~=\"{place}\"] .g{place} {{ display: none }}");
    }
    rules
}

pub(super) fn gateways(record: &RunRecord) -> Vec<Gateway> {
    let of = |facts: &crate::record::GatewayFacts| {
        let cells: Vec<_> = record.cells.iter().filter(|cell| cell.gateway == facts.name).collect();
        let about = |times| of_gateway(times, &facts.name);
        Gateway {
            name: printable(&facts.name),
            version: printable(&facts.version),
            cells: cells.len(),
            tallies: tallies(cells.into_iter(), about),
        }
    };
    record.gateways.iter().map(of).collect()
}

/// Every verdict that was given.
pub(super) fn verdicts(record: &RunRecord) -> Vec<Tally> {
    tallies(record.cells.iter(), |times| times.to_string())
}

fn tallies<'a>(cells: impl Iterator<Item = &'a CellRecord>, about: impl Fn(usize) -> String) -> Vec<Tally> {
    let mut counts: BTreeMap<VerdictKind, (Mark, usize)> = BTreeMap::new();
    for cell in cells {
        counts.entry(cell.verdict).or_insert((Mark::of(cell), 0)).1 += 1;
    }
    let tally = |(verdict, (mark, times)): (VerdictKind, (Mark, usize))| Tally {
        verdict: verdict.as_str(),
        symbol: if verdict == VerdictKind::Pass { Mark::Reached.symbol() } else { mark.symbol() },
        class: class_of(mark),
        times,
        about: about(times),
    };
    counts.into_iter().map(tally).collect()
}

pub(super) fn legend(record: &RunRecord) -> Vec<Entry> {
    let mut marks: Vec<Mark> = record.cells.iter().map(Mark::of).collect();
    marks.sort_unstable();
    marks.dedup();
    let entry = |mark: Mark| Entry { symbol: mark.symbol(), class: class_of(mark), meaning: mark.meaning() };
    marks.into_iter().map(entry).collect()
}

/// What is wrong, the gravest first.
pub(super) fn findings(record: &RunRecord) -> Findings {
    let stays = |cell: &CellRecord| record.baseline.as_ref().is_some_and(|it| it.stays(&cell.id).is_some());
    let is_wrong = |cell: &&CellRecord| {
        (cell.verdict.is_failure() && !stays(cell)) || cell.verdict == VerdictKind::Broken
    };
    let mut wrong: Vec<&CellRecord> = record.cells.iter().filter(is_wrong).collect();
    wrong.sort_by_key(|cell| std::cmp::Reverse(gravity(cell.verdict)));
    let finding = |cell: &&CellRecord| {
        let mark = Mark::of(cell);
        Finding {
            verdict: cell.verdict.as_str(),
            symbol: mark.symbol(),
            class: class_of(mark),
            id: printable(&cell.id),
            anchor: percent_encoded(&cell.id),
            because: cell.because.as_deref().map(printable).unwrap_or_default(),
        }
    };
    Findings {
        listed: wrong.iter().take(LISTED).map(finding).collect(),
        more: wrong.len().saturating_sub(LISTED),
    }
}

/// What changed since the baseline, the gravest first.
pub(super) fn since(record: &RunRecord) -> Vec<Changed> {
    let changes = record.baseline.iter().flat_map(|since| &since.changes);
    let changed = |change: &Change| Changed {
        kind: change.kind.heading(),
        id: printable(&change.id),
        anchor: percent_encoded(&change.id),
        says: changes::from_to(change),
    };
    let mut changes: Vec<_> = changes.collect();
    changes.sort_by_key(|change| change.kind);
    changes.into_iter().map(changed).collect()
}

pub(super) fn suites(record: &RunRecord) -> Vec<Suite> {
    let lines: BTreeMap<&str, usize> =
        record.cells.iter().enumerate().map(|(line, cell)| (cell.id.as_str(), line)).collect();
    let place_of = |name: &str| record.gateways.iter().position(|gateway| gateway.name == name);
    Matrix::all(record)
        .iter()
        .map(|matrix| {
            let gateways: Vec<(&str, usize)> =
                matrix.gateways.iter().map(|name| (*name, place_of(name).unwrap_or_default())).collect();
            suite(matrix, &gateways, &lines)
        })
        .collect()
}

fn suite(matrix: &Matrix<'_>, gateways: &[(&str, usize)], lines: &BTreeMap<&str, usize>) -> Suite {
    let (row, column) = matrix.axes.names();
    let families = matrix.families.iter().map(|(family, rows)| Family {
        name: (*family).to_owned(),
        rows: rows
            .iter()
            .map(|name| Row { name: printable(name), places: places(matrix, gateways, lines, name) })
            .collect(),
    });
    Suite {
        name: printable(matrix.suite),
        row,
        column,
        gateways: gateways
            .iter()
            .map(|(name, place)| Block { name: printable(name), place: *place })
            .collect(),
        columns: matrix.columns.iter().map(|name| printable(name)).collect(),
        families: families.collect(),
        width: gateways.len() * matrix.columns.len(),
    }
}

fn places(
    matrix: &Matrix<'_>,
    gateways: &[(&str, usize)],
    lines: &BTreeMap<&str, usize>,
    row: &str,
) -> Vec<Place> {
    let mut places = Vec::new();
    for (name, gateway) in gateways {
        for (index, column) in matrix.columns.iter().enumerate() {
            let cells = matrix.cells(name, row, column).iter().map(|cell| cell_in_place(cell, lines));
            places.push(Place { gateway: *gateway, first: index == 0, cells: cells.collect() });
        }
    }
    places
}

fn cell_in_place(cell: &CellRecord, lines: &BTreeMap<&str, usize>) -> Cell {
    let mark = Mark::of(cell);
    Cell {
        id: cell.id.clone(),
        anchor: percent_encoded(&cell.id),
        line: lines[cell.id.as_str()],
        verdict: cell.verdict.as_str(),
        symbol: mark.symbol(),
        class: class_of(mark),
    }
}
