//! `gauntlet report --format late`: which operations ask for a client certificate late, and whether TLS 1.3 can be enabled all the same.

use std::{fs, path::Path, process::ExitCode};

use super::{
    failure::{Failure, input_error, work_error},
    records, streams,
};
use crate::{
    late::LateReport,
    report::{Detail, late as report},
};

/// Draws the list of a record or a log. Exits with 1 where enabling TLS 1.3 is not safe.
pub(super) fn late(file: &Path, json: bool) -> Result<ExitCode, Failure> {
    let late = read(file)?;
    let text = if json {
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
