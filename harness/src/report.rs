//! Draws the run record for people and for pipelines. A report is a function of the record and of nothing else: it
//! opens no socket and no file and reads no clock. So is the line of one connection, of an entry of a ledger.

pub mod audit;
pub mod changes;
pub mod compatibility;
pub mod connection;
pub mod console;
pub mod html;
pub mod json;
pub mod junit;
pub mod late;
pub mod markdown;
mod matrix;
mod paint;
pub mod presets;
pub mod rotation;
pub mod sarif;
pub mod scan;
pub mod scan_changes;
pub(crate) mod text;
pub mod what_if;
pub(crate) mod witness;

use crate::{
    printable,
    record::{CellRecord, RunRecord},
};

/// Every format, in the order in which help texts name them.
pub const FORMATS: &[Format] = &[
    Format { name: "console", file: None, render: |record, look| shown(&console::render(record, look)) },
    Format { name: "json", file: Some("run.json"), render: |record, _| shown(&json::render(record)) },
    Format { name: "junit", file: Some("junit.xml"), render: |record, _| shown(&junit::render(record)) },
    Format { name: "html", file: Some("report.html"), render: |record, _| shown(&html::render(record)) },
    Format {
        name: "markdown",
        file: Some("summary.md"),
        render: |record, _| shown(&markdown::render(record)),
    },
    Format { name: "sarif", file: Some("gauntlet.sarif"), render: |record, _| shown(&sarif::render(record)) },
    // Pages about gateways rather than about a run: made when asked for by name.
    Format {
        name: "compatibility",
        file: None,
        render: |record, look| shown(&compatibility::markdown(record, look)),
    },
    Format {
        name: "compatibility-html",
        file: None,
        render: |record, look| shown(&compatibility::html(record, look)),
    },
];

/// What is drawn, without what a terminal, a page or a pipeline would obey. Our own colours stay.
fn shown(drawn: &str) -> String {
    printable::painted(drawn).into_owned()
}

/// One cell in words: its verdict, what each witness says, and the command that runs it again.
#[must_use]
pub fn cell_in_words(cell: &CellRecord) -> String {
    let because = cell.because.as_deref().unwrap_or_default();
    let mut lines = vec![format!("{}: {because}", cell.verdict)];
    for testimony in witness::testimonies(cell) {
        lines.extend(testimony.says.iter().map(|says| format!("  {:<9}{says}", testimony.witness)));
    }
    lines.push(format!("  again    {}", cell.reproduce));
    lines.join("\n")
}

/// One way to draw a record.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// What people call it.
    pub name: &'static str,
    /// The file it is written to; none for what is only meant to be looked at.
    pub file: Option<&'static str>,
    /// Draws it.
    pub render: fn(&RunRecord, &Look) -> String,
}

impl Format {
    /// The format with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }
}

/// What a reader's screen allows and the reader asked for. Formats for machines take no notice of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns of the screen.
    pub width: usize,
    /// Whether escape sequences for colours are welcome.
    pub colour: bool,
    /// How much is told.
    pub detail: Detail,
}

impl Default for Look {
    fn default() -> Self {
        Self { width: 80, colour: false, detail: Detail::Normal }
    }
}

/// How much a report tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What is wrong, one line each, and the summary.
    Brief,
    /// A line for each gateway, where they differ most, and the evidence of the first few things that are wrong.
    Normal,
    /// The matrix in their place, and why cells are skipped.
    Matrix,
    /// The matrix, and the evidence of everything that is wrong.
    Full,
}
