//! `gauntlet diff`: what changed between two runs or two scans.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::{
    failure::{Failure, input_error, work_error},
    records::{self, Record},
    streams,
};
use crate::{
    record::{self, Change, ChangeKind, LegChange},
    report::{Detail, audit, changes, scan_changes},
    scan::{self, Trend},
};

/// Says what changed between two run records or two scans.
///
/// What broke comes first, then what healed and what is different, each with its cause. Exits with 1 if something broke,
/// or if a server got worse.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The record of the run (run.json) or of the scan (`gauntlet scan --json`) before.
    before: PathBuf,
    /// The record after.
    after: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn diff(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (before, after) = (&arguments.before, &arguments.after);
    let setting = [before, after].into_iter().find(|path| !path.exists() && path.extension().is_none());
    if let Some(setting) = setting {
        return Err(input_error!(
            "there is no record {}; settings of a gateway are compared by `gauntlet what-if A B`",
            setting.display()
        ));
    }
    of_records(before, after, arguments.json)
}

fn of_records(before: &Path, after: &Path, json: bool) -> Result<ExitCode, Failure> {
    match (records::of_any_kind(before)?, records::of_any_kind(after)?) {
        (Record::Run(before), Record::Run(after)) => {
            let all = record::compare(&before, &after);
            if !(before.legs.is_empty() && after.legs.is_empty()) {
                return of_audits(&record::compare_legs(&before, &after), &all, json);
            }
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

/// What changed in the postures and findings first, then cell by cell.
fn of_audits(legs: &[LegChange], cells: &[Change], json: bool) -> Result<ExitCode, Failure> {
    let both = serde_json::json!({ "legs": legs, "cells": cells });
    print(json, &both, |look| format!("{}{}", audit::changes(legs, look), changes::render(cells, look)))?;
    let broke =
        legs.iter().any(|change| change.broke) || cells.iter().any(|change| change.kind == ChangeKind::Broke);
    Ok(ExitCode::from(u8::from(broke)))
}

/// Prints changes, in words or as JSON.
pub(super) fn print(
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
