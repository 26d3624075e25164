//! The record of a run that did not come to its end: kept while it goes on, and gone on with.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use tls_gauntlet_scenarios::VerdictKind;

use super::{
    failure::{Failure, input_error},
    records, streams,
};
use crate::{record::RunRecord, report::json, runner::RunRequest, written};

/// What is certain while a run goes on, in the folder of its reports. It goes when the record is there.
const KEPT: &str = "run.partial.json";

/// The record, whole or partial.
const RECORD: &str = "run.json";

/// Keeps what is certain by now.
pub(super) fn keep(record: &RunRecord, folder: &Path) {
    let path = kept(folder);
    if let Err(error) = written::whole(&path, json::render(record)) {
        streams::note_once(&format!("warning: cannot write {}: {error}; make room", path.display()));
    }
}

/// The record itself is there.
pub(super) fn forget(folder: Option<&Path>) {
    // That there is none is as it should be.
    let _absent = folder.map(|folder| fs::remove_file(kept(folder)));
}

/// The part that is there of a run that did not come to its end.
pub(super) fn read(folder: Option<&Path>) -> Result<RunRecord, Failure> {
    let folder = folder.ok_or_else(|| {
        input_error!(
            "--resume goes on with the record in --out DIR; name the folder of the run that was ended"
        )
    })?;
    let path = Some(kept(folder)).filter(|path| path.is_file()).unwrap_or_else(|| folder.join(RECORD));
    let record = records::read(&path)?;
    if record.partial.is_none() {
        return Err(input_error!(
            "{} is the record of a whole run; there is nothing to resume",
            path.display()
        ));
    }
    if record.tool.version != env!("CARGO_PKG_VERSION") {
        return Err(input_error!(
            "{} was written by gauntlet {}, and this is {}; run everything again",
            path.display(),
            record.tool.version,
            env!("CARGO_PKG_VERSION")
        ));
    }
    Ok(record)
}

/// The request for what the earlier run did not do, with the seed of that.
pub(super) fn without(earlier: Option<&RunRecord>, request: RunRequest) -> RunRequest {
    let Some(earlier) = earlier else { return request };
    let cells = earlier.cells.iter().filter(|cell| cell.verdict != VerdictKind::Broken);
    let done: BTreeSet<String> = cells.map(|cell| cell.id.clone()).collect();
    RunRequest { done, seed: earlier.seed, ..request }
}

fn kept(folder: &Path) -> PathBuf {
    folder.join(KEPT)
}
