//! The run record itself, and the published schemas of everything that is written as JSON for others to read.

use crate::{
    late::LateReport, printable, record::RunRecord, rotation::record::RotationRecord,
    scan::record::ScanRecord,
};

/// The record as JSON, laid out for reading.
#[must_use]
pub fn render(record: &RunRecord) -> String {
    pretty(record)
}

/// The JSON Schemas by name, as they are checked in under `harness/schemas`.
#[must_use]
pub fn schemas() -> [(&'static str, String); 4] {
    [
        ("run-record", pretty(&schemars::schema_for!(RunRecord))),
        ("scan-record", pretty(&schemars::schema_for!(ScanRecord))),
        ("rotation-record", pretty(&schemars::schema_for!(RotationRecord))),
        ("late-report", pretty(&schemars::schema_for!(LateReport))),
    ]
}

/// Any value, laid out for reading.
pub(super) fn pretty(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a record has no map without text keys");
    text.push('\n');
    printable::printable(&text).into_owned()
}
