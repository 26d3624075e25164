//! What happens while a run goes on, as JSON Lines for programs that watch it.

use std::{
    fs::File,
    io::{LineWriter, Write},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use serde::Serialize;
use tls_gauntlet_scenarios::VerdictKind;

use super::failure::{Failure, input_error};
use crate::{limits::millis, record::RunRecord, runner::Event};

/// One line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Line<'a> {
    /// The cells are counted, those that are called only as controls among them.
    Planned { cells: usize },
    /// A stage begins.
    Stage { name: &'a str },
    /// A cell's client has its answer, or none. What it is worth is known at the end, when the witnesses are heard.
    Called { id: &'a str },
    /// A cell has its verdict.
    Judged {
        id: &'a str,
        verdict: VerdictKind,
        #[serde(skip_serializing_if = "Option::is_none")]
        because: Option<&'a str>,
        duration_ms: u64,
    },
    /// The run is over.
    Finished { exit_code: u8, duration_ms: u64 },
}

/// A line and when it was written.
#[derive(Debug, Serialize)]
struct Timed<'a> {
    elapsed_ms: u64,
    #[serde(flatten)]
    line: Line<'a>,
}

/// Where the lines go; nowhere if nobody asked.
#[derive(Debug)]
pub(super) struct Events {
    begun: Instant,
    file: Option<Mutex<LineWriter<File>>>,
}

impl Events {
    /// Begins the file. A pipe or a socket of the shell's will do as well.
    pub(super) fn to(path: Option<&Path>) -> Result<Self, Failure> {
        let create = |path: &Path| {
            File::create(path).map(|file| Mutex::new(LineWriter::new(file))).map_err(|error| {
                input_error!("cannot write the events to {}: {error}; name another file", path.display())
            })
        };
        Ok(Self { begun: Instant::now(), file: path.map(create).transpose()? })
    }

    /// Something happened.
    pub(super) fn tell(&self, event: &Event) {
        self.write(match event {
            Event::Planned { cells } => Line::Planned { cells: *cells },
            Event::Stage { name } => Line::Stage { name },
            Event::CellDone { id } => Line::Called { id },
        });
    }

    /// The verdicts are in.
    pub(super) fn conclude(&self, record: &RunRecord) {
        for cell in &record.cells {
            self.write(Line::Judged {
                id: &cell.id,
                verdict: cell.verdict,
                because: cell.because.as_deref(),
                duration_ms: cell.duration_ms,
            });
        }
        self.write(Line::Finished { exit_code: record.exit_code(), duration_ms: record.duration_ms });
    }

    fn write(&self, line: Line<'_>) {
        let Some(file) = &self.file else { return };
        // Time is read by who holds the file, so that no line is older than the one before.
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed_ms = millis(self.begun.elapsed());
        if let Ok(text) = serde_json::to_string(&Timed { elapsed_ms, line }) {
            // A reader of the events may go away; the run goes on.
            let _ = writeln!(file, "{text}");
        }
    }
}
