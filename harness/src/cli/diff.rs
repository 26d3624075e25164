//! `gauntlet diff`: what changed between two runs or two scans, or what would change between two settings of a gateway.

use std::{path::Path, process::ExitCode};

use clap::Args;
use tls_gauntlet_scenarios::what_if::{self as model, Effect};

use super::{
    failure::{Failure, input_error, work_error},
    records::{self, Record},
    setting, streams,
};
use crate::{
    record::{self, ChangeKind},
    report::{Detail, changes, scan_changes, what_if},
    scan::{self, Trend},
};

/// Says what changed between two run records or two scans, or what would change between two settings of a gateway; the
/// latter needs no run, the model answers.
///
/// What broke comes first, then what healed and what is different, each with its cause. Exits with 1 if something broke,
/// or if a server got worse.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The record of the run (run.json) or of the scan (`gauntlet scan --json`) before; or a gateway as `gauntlet run` takes it, with options where it has some
    /// and the upstream behind a colon: `azure-apim-classic@2025-08`, `nginx:max-tls12` [upstream: strict].
    #[arg(value_name = "RECORD|GATEWAY[+OPTION][:UPSTREAM]")]
    before: String,
    /// The record of the run or of the scan after; or the same gateway after the change: `azure-apim-classic@2025-08+backend-tls13`,
    /// `nginx:strict`.
    #[arg(value_name = "RECORD|GATEWAY[+OPTION][:UPSTREAM]")]
    after: String,
    /// As JSON: between settings also what stays as it is.
    #[arg(long)]
    json: bool,
}

pub(super) fn diff(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (before, after) = (&arguments.before, &arguments.after);
    match (is_record(before), is_record(after)) {
        (true, true) => of_records(Path::new(before), Path::new(after), arguments.json),
        (false, false) => of_settings(before, after, arguments.json),
        (true, false) | (false, true) => Err(input_error!(
            "cannot compare {before} with {after}: one is a record, the other a gateway; name two of a kind"
        )),
    }
}

/// Records are files; of gateways, profiles alone are, and those end in `.toml`.
fn is_record(name: &str) -> bool {
    let ends_in = |end: &str| Path::new(name).extension().is_some_and(|own| own.eq_ignore_ascii_case(end));
    ends_in("json") || (Path::new(name).is_file() && !ends_in("toml"))
}

fn of_records(before: &Path, after: &Path, json: bool) -> Result<ExitCode, Failure> {
    match (records::of_any_kind(before)?, records::of_any_kind(after)?) {
        (Record::Run(before), Record::Run(after)) => {
            let all = record::compare(&before, &after);
            print(json, &all, |look| changes::render(&all, look))?;
            Ok(ExitCode::from(u8::from(all.iter().any(|change| change.kind == ChangeKind::Broke))))
        }
        (Record::Scan(before), Record::Scan(after)) => {
            let all = scan::compare(&before, &after);
            print(json, &all, |look| scan_changes::render(&all, look))?;
            Ok(ExitCode::from(u8::from(all.iter().any(|change| change.trend == Trend::Worse))))
        }
        (Record::Run(_), Record::Scan(_)) | (Record::Scan(_), Record::Run(_)) => Err(input_error!(
            "cannot compare {} with {}: one is of a run, the other of a scan; name two of a kind",
            before.display(),
            after.display()
        )),
    }
}

fn of_settings(before: &str, after: &str, json: bool) -> Result<ExitCode, Failure> {
    let (before, after) = (setting::named(before)?, setting::named(after)?);
    let all = model::compare(&before, &after);
    print(json, &all, |look| what_if::render(&before.name, &after.name, &all, look))?;
    Ok(ExitCode::from(u8::from(all.iter().any(|change| change.effect == Effect::Breaks))))
}

fn print(
    json: bool,
    changes: &impl serde::Serialize,
    in_words: impl Fn(&crate::report::Look) -> String,
) -> Result<(), Failure> {
    if !json {
        return streams::print(&in_words(&streams::look(Detail::Normal)));
    }
    let text = serde_json::to_string_pretty(changes)
        .map_err(|error| work_error!("cannot write the changes as JSON: {error}"))?;
    streams::print(&(text + "\n"))
}
