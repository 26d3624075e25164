//! Run records as files.

use std::{fs, path::Path};

use super::failure::{Failure, input_error};
use crate::{
    record::{self, Baseline, RunRecord},
    scan::record::{SCHEMA as SCAN, ScanRecord},
};

/// The record in this file.
pub(super) fn read(path: &Path) -> Result<RunRecord, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        input_error!("cannot read the record {shown}: {error}; `gauntlet run --out DIR` writes DIR/run.json")
    })?;
    RunRecord::parse(&text)
        .map_err(|error| input_error!("cannot read the record {shown}: {error}; it is the run.json of a run"))
}

/// A record of one of the two kinds.
pub(super) enum Record {
    Run(Box<RunRecord>),
    Scan(ScanRecord),
}

/// The record in this file, of whichever kind it is.
pub(super) fn of_any_kind(path: &Path) -> Result<Record, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        input_error!(
            "cannot read the record {shown}: {error}; `gauntlet run --out DIR` writes DIR/run.json, `gauntlet scan --json` the \
             other kind"
        )
    })?;
    let read = match record::schema_of(&text) {
        Ok(Some(schema)) if schema == SCAN => ScanRecord::parse(&text).map(Record::Scan),
        Ok(_) => RunRecord::parse(&text).map(|record| Record::Run(Box::new(record))),
        Err(error) => Err(error),
    };
    read.map_err(|error| {
        input_error!("cannot read the record {shown}: {error}; it is the run.json of a run, or what `gauntlet scan --json` prints")
    })
}

/// The baseline in this file, or the one that a record makes.
pub(super) fn baseline(path: &Path) -> Result<Baseline, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        input_error!(
            "cannot read the baseline {shown}: {error}; `gauntlet report RECORD --accept REASON` writes one"
        )
    })?;
    Baseline::parse(&text).map_err(|error| {
        input_error!("cannot read the baseline {shown}: {error}; it is a baseline or the run.json of a run")
    })
}
