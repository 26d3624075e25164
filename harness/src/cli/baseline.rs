//! `gauntlet baseline`: what is wrong and lived with, and why.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use tls_gauntlet_scenarios::VerdictKind;

use super::{
    failure::{Failure, input_error, work_error},
    project::{Project, ProjectArguments},
    records, streams,
};
use crate::record::Baseline;

/// Keeps what is wrong and lived with, so that a run fails only on what changed (`gauntlet run --baseline FILE`).
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Accept(Accept),
}

/// Takes over how the cells of a record stand, with a reason for those that stand otherwise than before. Cells that the
/// record does not have stay as they were.
#[derive(Debug, Args)]
struct Accept {
    /// The record (run.json) of a run.
    record: PathBuf,
    /// Why it is accepted, for whoever reads the baseline later.
    #[arg(long, value_name = "REASON")]
    because: String,
    /// The baseline, to be kept beside the gateway's configuration; made if it is not there [default: that of gauntlet.toml,
    /// or gauntlet-baseline.json].
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    project: ProjectArguments,
}

/// The file unless somebody says otherwise.
pub(super) const FILE: &str = "gauntlet-baseline.json";

pub(super) fn baseline(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.what {
        What::Accept(arguments) => accept(arguments),
    }
}

fn accept(arguments: &Accept) -> Result<ExitCode, Failure> {
    let record = records::read(&arguments.record)?;
    let because = arguments.because.trim();
    if because.is_empty() {
        return Err(input_error!("--because needs a reason: who reads the baseline later will look for one"));
    }
    let broken = record.cells.iter().filter(|cell| cell.verdict == VerdictKind::Broken);
    let broken: Vec<_> = broken.map(|cell| cell.id.as_str()).collect();
    if let Some(first) = broken.first() {
        return Err(input_error!(
            "{} of the record did not run to an end ({first}): there is nothing to accept; run them again",
            if broken.len() == 1 { "1 cell".to_owned() } else { format!("{} cells", broken.len()) }
        ));
    }
    let path = match &arguments.baseline {
        Some(path) => path.clone(),
        None => Project::found(&arguments.project)?
            .and_then(|project| project.baseline())
            .unwrap_or_else(|| FILE.into()),
    };
    let path = path.as_path();
    let mut baseline = if path.exists() { records::baseline(path)? } else { Baseline::default() };
    let changed = baseline.accept(&record, because);
    let mut text = serde_json::to_string_pretty(&baseline)
        .map_err(|error| work_error!("cannot write the baseline as JSON: {error}"))?;
    text.push('\n');
    fs::write(path, text).map_err(|error| work_error!("cannot write {}: {error}", path.display()))?;
    let mut told: Vec<String> = changed.iter().map(|id| format!("  {id}")).collect();
    told.insert(0, format!("{}: {} taken over", path.display(), changed.len()));
    streams::print(&(told.join("\n") + "\n"))?;
    Ok(ExitCode::SUCCESS)
}
