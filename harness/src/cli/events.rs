//! What happens while a run goes on, as JSON Lines for programs that watch it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use serde::Serialize;
use tls_gauntlet_scenarios::VerdictKind;

use super::{
    failure::{Failure, input_error},
    streams,
    teller::Teller,
};
use crate::{
    limits::{Limits, millis},
    record::RunRecord,
    runner::Event,
};

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
    /// Locked while a line is timed, so that no line is older than the one before.
    teller: Option<Mutex<Teller>>,
}

impl Events {
    /// Begins the file. A pipe or a socket of the shell's will do as well.
    pub(super) fn to(path: Option<&Path>) -> Result<Self, Failure> {
        let teller = path.map(|path| open(path).map(|file| Mutex::new(Teller::to(file)))).transpose()?;
        Ok(Self { begun: Instant::now(), teller })
    }

    /// Something happened.
    pub(super) fn tell(&self, event: &Event) {
        self.write(match event {
            Event::Checkpoint { .. } => return,
            Event::Planned { cells } => Line::Planned { cells: *cells },
            Event::Stage { name } => Line::Stage { name },
            Event::CellDone { id } => Line::Called { id },
        });
    }

    /// The verdicts are in. Waits for a reader who reads, and says what was lost.
    pub(super) fn conclude(self, record: &RunRecord) {
        for cell in &record.cells {
            self.write(Line::Judged {
                id: &cell.id,
                verdict: cell.verdict,
                because: cell.because.as_deref(),
                duration_ms: cell.duration_ms,
            });
        }
        self.write(Line::Finished { exit_code: record.exit_code(), duration_ms: record.duration_ms });
        let teller = self.teller.map(|teller| teller.into_inner().unwrap_or_else(PoisonError::into_inner));
        if let Some(Err(problem)) = teller.map(|teller| teller.finish(Limits::default().settle)) {
            streams::note(&format!("warning: not every event was written: {problem}"));
        }
    }

    fn write(&self, line: Line<'_>) {
        let Some(teller) = &self.teller else { return };
        let teller = teller.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed_ms = millis(self.begun.elapsed());
        if let Ok(text) = serde_json::to_string(&Timed { elapsed_ms, line }) {
            // Told at the end.
            let _failed = teller.tell(&text);
        }
    }
}

/// A file that no other run writes to.
fn open(path: &Path) -> Result<File, Failure> {
    let shown = path.display();
    let cannot =
        |error: io::Error| input_error!("cannot write the events to {shown}: {error}; name another file");
    // Not emptied before it is known to be ours.
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(cannot)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            return Err(input_error!("another run writes its events to {shown}; name another file"));
        }
        // Not everything can be locked.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    if file.metadata().is_ok_and(|facts| facts.is_file()) {
        file.set_len(0).map_err(cannot)?;
    }
    Ok(file)
}
