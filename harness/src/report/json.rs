//! The run record itself, and its published schema.

use crate::record::RunRecord;

/// The record as JSON, laid out for reading.
#[must_use]
pub fn render(record: &RunRecord) -> String {
    pretty(record)
}

/// The JSON Schema of the record, as it is checked in under `harness/schemas`.
#[must_use]
pub fn schema() -> String {
    pretty(&schemars::schema_for!(RunRecord))
}

fn pretty(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a record has no map without text keys");
    text.push('\n');
    text
}
