//! `gauntlet late`: which operations ask for a client certificate late, and whether TLS 1.3 can be enabled all the same.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::{
    failure::{Failure, input_error, work_error},
    records, streams,
};
use crate::{
    late::LateReport,
    report::{Detail, late as report},
};

/// Lists the operations that ask for a client certificate once the request is there, by method and path, and says whether
/// it is safe to enable TLS 1.3 towards clients: it has no renegotiation to ask by.
///
/// Exits with 1 if it is not safe.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The record (run.json) of a run, of any gateway, or a log of the embedded one: a line for each request.
    #[arg(value_name = "RECORD|LOG")]
    file: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn late(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let late = read(&arguments.file)?;
    let text = if arguments.json {
        let text = serde_json::to_string_pretty(&late);
        text.map_err(|error| work_error!("cannot write the list as JSON: {error}"))? + "\n"
    } else {
        report::render(&late, &streams::look(Detail::Normal))
    };
    streams::print(&text)?;
    Ok(ExitCode::from(u8::from(!late.safe)))
}

fn read(file: &Path) -> Result<LateReport, Failure> {
    let shown = file.display();
    if file.extension().is_some_and(|end| end.eq_ignore_ascii_case("json")) {
        let report = LateReport::of_record(&records::read(file)?);
        return if report.requests > 0 {
            Ok(report)
        } else {
            Err(input_error!(
                "{shown} has no request to learn from; name the record of a run that was not empty"
            ))
        };
    }
    let text = fs::read_to_string(file).map_err(|error| {
        input_error!(
            "cannot read {shown}: {error}; name the run.json of a run, or a log of the embedded gateway"
        )
    })?;
    LateReport::of_log(text.lines()).ok_or_else(|| {
        input_error!(
            "{shown} has no line about a request of the embedded gateway; name such a log, or the run.json of a run"
        )
    })
}
