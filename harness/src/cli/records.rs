//! Run records as files.

use std::{fs, path::Path};

use super::failure::{Failure, input_error};
use crate::record::{Baseline, RunRecord};

/// The record in this file.
pub(super) fn read(path: &Path) -> Result<RunRecord, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        input_error!("cannot read the record {shown}: {error}; `gauntlet run --out DIR` writes DIR/run.json")
    })?;
    RunRecord::parse(&text)
        .map_err(|error| input_error!("cannot read the record {shown}: {error}; it is the run.json of a run"))
}

/// The baseline in this file, or the one that a record makes.
pub(super) fn baseline(path: &Path) -> Result<Baseline, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        input_error!(
            "cannot read the baseline {shown}: {error}; `gauntlet baseline accept RECORD --because REASON` writes one"
        )
    })?;
    Baseline::parse(&text).map_err(|error| {
        input_error!("cannot read the baseline {shown}: {error}; it is a baseline or the run.json of a run")
    })
}
