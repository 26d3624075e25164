//! What a cell opens to: one line of JSON for each, in the order of the record. What many cells share (a sentence, a step) stands once
//! in a list beside them, and its place in the list stands in the cells.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::Value;

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
    /// With `{id}` for the name of the cell.
    reproduce: String,
    took: u64,
}

/// What stands in each cell as it is.
const OWN: &[&str] = &["id", "hellos", "took"];

/// What cells share, each once, as JSON.
#[derive(Debug, Default)]
struct Shared {
    places: HashMap<String, usize>,
    all: Vec<String>,
}

impl Shared {
    /// The value with places for what is in it; lists stay lists.
    fn packed(&mut self, value: &Value) -> Value {
        match value {
            Value::Null => Value::Null,
            Value::Array(items) => items.iter().map(|item| self.packed(item)).collect(),
            one => {
                let json = in_script(one);
                let next = self.all.len();
                let place = *self.places.entry(json).or_insert_with_key(|json| {
                    self.all.push(json.clone());
                    next
                });
                place.into()
            }
        }
    }
}

/// Every cell on a line of its own, so that the page reads only those that are looked at; and what they share.
pub(super) fn lines(record: &RunRecord) -> (String, String) {
    let hellos = distinct(record);
    let direct = |cell: &CellRecord| {
        record
            .gateways
            .iter()
            .any(|gateway| gateway.name == cell.gateway && gateway.kind == GatewayKind::Direct)
    };
    let mut shared = Shared::default();
    let lines = record.cells.iter().map(|cell| {
        let mut line = serde_json::to_value(of(cell, direct(cell), &hellos)).expect("it has text keys only");
        for (key, value) in line.as_object_mut().into_iter().flatten() {
            if !OWN.contains(&key.as_str()) {
                *value = shared.packed(value);
            }
        }
        in_script(&line)
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    (lines, format!("[{}]", shared.all.join(",\n")))
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
        reproduce: cell.reproduce.replace(&cell.id, "{id}"),
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
