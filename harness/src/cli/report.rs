//! `gauntlet report`: a record in any format, or the records of shards as one.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{
    failure::{Failure, input_error},
    records,
    reports::{ReportArguments, Reports},
};
use crate::record::{self, Named};

/// Draws a record in any format, or joins the records of shards into that of the whole run.
///
/// Exits as the run did: 1 if the gateway under test fell short, 3 if Gauntlet could not do its work.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A record (the run.json of a run); several with --merge.
    #[arg(required = true, value_name = "RECORD")]
    records: Vec<PathBuf>,
    /// Join the records of all shards of a run, or of runs that have no cell in common. Holes and overlaps are errors.
    #[arg(long)]
    merge: bool,
    #[command(flatten)]
    reports: ReportArguments,
}

pub(super) fn report(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let reports = Reports::chosen(&arguments.reports)?;
    let record = match (&arguments.records[..], arguments.merge) {
        ([path], false) => records::read(path)?,
        (paths, true) => {
            let named =
                |path: &PathBuf| Ok(Named { name: path.display().to_string(), record: records::read(path)? });
            let records = paths.iter().map(named).collect::<Result<_, Failure>>()?;
            record::merge(records).map_err(Failure::input)?
        }
        (paths, false) => {
            return Err(input_error!(
                "a report is drawn from one record, not {}; pass --merge to join them",
                paths.len()
            ));
        }
    };
    reports.prepare()?;
    reports.deliver(&reports.compared(record))
}
