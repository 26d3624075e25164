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
    record::{self, Change, ChangeKind, RunRecord},
    report::{Detail, audit, changes, markdown, scan_changes},
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
            if !(before.legs.is_empty() && after.legs.is_empty()) {
                return of_audits(&before, &after, if json { Form::Json } else { Form::Words });
            }
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

/// The form in which changes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For a terminal.
    Words,
    Json,
    /// For a comment on a change.
    Markdown,
}

/// What changed in the postures and findings first, then cell by cell.
pub(super) fn of_audits(before: &RunRecord, after: &RunRecord, form: Form) -> Result<ExitCode, Failure> {
    let (legs, cells) = (record::compare_legs(before, after), record::compare(before, after));
    let both = serde_json::json!({ "legs": legs, "cells": cells });
    print(form == Form::Json, &both, |look| match form {
        Form::Markdown => markdown::leg_changes(&legs),
        Form::Words | Form::Json => format!("{}{}", audit::changes(&legs, look), behaviours(&cells)),
    })?;
    let broke =
        legs.iter().any(|change| change.broke) || cells.iter().any(|change| change.kind == ChangeKind::Broke);
    Ok(ExitCode::from(u8::from(broke)))
}

/// How many behaviours changed; the legs say what that is.
fn behaviours(cells: &[Change]) -> String {
    let told = ChangeKind::ALL.iter().filter_map(|kind| {
        let of_kind = cells.iter().filter(|change| change.kind == *kind).count();
        (of_kind > 0).then(|| format!("{of_kind} {}", kind.heading()))
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() {
        "nothing changed\n".to_owned()
    } else {
        format!("behaviours: {} (--json has each)\n", told.join(", "))
    }
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
