//! `gauntlet report`: a record in any format, the records of shards as one, or what of a record is accepted.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{
    accept,
    failure::{Failure, input_error},
    late,
    options::ReportOptions,
    project::ProjectArguments,
    records,
    reports::Reports,
};
use crate::record::{self, Named};

/// The format that has a reading, and an exit code, of its own.
const LATE: &str = "late";

/// Draws a record in any format, joins the records of shards into that of the whole run, or accepts what is wrong in one.
///
/// `--format late` lists the operations that ask for a client certificate once the request is there, by method and path, and
/// says whether it is safe to enable TLS 1.3 towards clients, which has no renegotiation to ask by. It reads a record, or a log of
/// the embedded gateway, and exits with 1 if it is not safe.
///
/// Exits as the run did: 1 if the gateway under test fell short, 3 if Gauntlet could not do its work.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A record (the run.json of a run); several with --merge; with --format late also a log.
    #[arg(required = true, value_name = "RECORD")]
    records: Vec<PathBuf>,
    /// Join the records of all shards of a run, or of runs that have no cell in common. Holes and overlaps are errors.
    #[arg(long)]
    merge: bool,
    /// Accept how the cells stand, for this reason, and keep that in the file of --baseline [default: that of gauntlet.toml, or
    /// gauntlet-baseline.json]. `gauntlet run --baseline FILE` then fails only on what changed.
    #[arg(long, value_name = "REASON", conflicts_with_all = ["merge", "format", "out"])]
    accept: Option<String>,
    /// Short for --format json; with --format late, that list as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reports: ReportOptions,
    #[command(flatten)]
    project: ProjectArguments,
}

pub(super) fn report(mut arguments: Arguments) -> Result<ExitCode, Failure> {
    let is_late = arguments.reports.format.iter().any(|format| format == LATE);
    if let (Some(because), [record]) = (&arguments.accept, &arguments.records[..]) {
        return accept::accept(record, because, arguments.reports.baseline.as_deref(), &arguments.project);
    }
    if is_late {
        return match (&arguments.records[..], &arguments.reports.format[..], &arguments.reports.out) {
            ([file], [_], None) => late::late(file, arguments.json),
            _ => Err(input_error!("--format late takes one record or log, no other format, and no --out")),
        };
    }
    if arguments.json {
        arguments.reports.format.insert(0, "json".to_owned());
    }
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
