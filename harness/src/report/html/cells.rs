//! What a cell opens to: one line of JSON for each, in the order of the record.

use std::collections::BTreeMap;

use serde::Serialize;

use super::sequence::{self, Step};
use crate::{
    record::{CellRecord, GatewayKind, RunRecord},
    report::{matrix::Mark, text::printable, witness},
};

/// One cell in words.
#[derive(Debug, Serialize)]
struct Cell<'a> {
    id: &'a str,
    verdict: &'a str,
    symbol: &'a str,
    class: &'a str,
    because: Option<String>,
    why: &'a str,
    source: &'a str,
    /// The model's way to what it expects.
    steps: &'a [String],
    /// What each witness says, a sentence a line.
    says: Vec<(&'static str, Vec<String>)>,
    sequence: Vec<Step>,
    /// Every different ClientHello that reached the backend, as places in the list of all.
    hellos: Vec<usize>,
    /// What the lines of the gateway's log mean.
    causes: Vec<&'a str>,
    reproduce: &'a str,
    took: u64,
}

/// Every cell on a line of its own, so that the page reads only those that are looked at.
pub(super) fn lines(record: &RunRecord) -> String {
    let hellos = distinct(record);
    let direct = |cell: &CellRecord| {
        record
            .gateways
            .iter()
            .any(|gateway| gateway.name == cell.gateway && gateway.kind == GatewayKind::Direct)
    };
    let line = |cell| in_script(&of(cell, direct(cell), &hellos));
    record.cells.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Every different ClientHello, in the order in which the cells name them: gateways send few different ones.
pub(super) fn hellos(record: &RunRecord) -> String {
    let places = distinct(record);
    let mut ordered: Vec<(usize, &str)> = places.iter().map(|(hello, place)| (*place, &**hello)).collect();
    ordered.sort_unstable();
    let all: Vec<&str> = ordered.into_iter().map(|(_, hello)| hello).collect();
    format!("[{}]", all.join(",\n"))
}

fn of<'a>(cell: &'a CellRecord, direct: bool, hellos: &BTreeMap<String, usize>) -> Cell<'a> {
    let mark = Mark::of(cell);
    let mut shown: Vec<usize> = Vec::new();
    for hello in cell.backend_saw.iter().filter_map(|saw| saw.client_hello.as_ref()) {
        let place = hellos[&in_script(hello)];
        if !shown.contains(&place) {
            shown.push(place);
        }
    }
    Cell {
        id: &cell.id,
        verdict: cell.verdict.as_str(),
        symbol: mark.symbol(),
        class: super::class_of(mark),
        because: cell.because.as_deref().map(printable),
        why: &cell.why,
        source: &cell.source,
        steps: cell.expected.as_ref().map_or(&[], |expected| &expected.steps),
        says: witness::testimonies(cell).into_iter().map(|it| (it.witness, it.says)).collect(),
        sequence: sequence::of(cell, direct),
        hellos: shown,
        causes: cell.gateway_causes.iter().map(|cause| cause.as_str()).collect(),
        reproduce: &cell.reproduce,
        took: cell.duration_ms,
    }
}

fn distinct(record: &RunRecord) -> BTreeMap<String, usize> {
    let mut places = BTreeMap::new();
    let seen = record.cells.iter().flat_map(|cell| &cell.backend_saw);
    for hello in seen.filter_map(|saw| saw.client_hello.as_ref()) {
        let next = places.len();
        places.entry(in_script(hello)).or_insert(next);
    }
    places
}

/// JSON that cannot end the element it stands in: a script element ends at `</script` and turns into something else at
/// `<!--` (HTML Living Standard 13.2.5.4 and 4.12.1.3).
fn in_script(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).expect("it has text keys only");
    json.replace('<', "\\u003c")
}
