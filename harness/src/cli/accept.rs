//! `gauntlet report --accept`: keeps findings that are known, and the reason why they are accepted.

use std::{path::Path, process::ExitCode};

use tls_gauntlet_scenarios::VerdictKind;

use super::{
    failure::{Failure, input_error, work_error},
    project::{Project, ProjectArguments},
    records, streams,
};
use crate::{record::Baseline, written};

/// The file unless another one is named.
pub(super) const FILE: &str = "gauntlet-baseline.json";

/// Writes down how the cells of a record stand, with a reason for those that stand otherwise than before. Cells that the
/// record does not have stay as they were.
pub(super) fn accept(
    record: &Path,
    because: &str,
    baseline: Option<&Path>,
    project: &ProjectArguments,
) -> Result<ExitCode, Failure> {
    let record = records::read(record)?;
    let because = because.trim();
    if because.is_empty() {
        return Err(input_error!("--accept needs a reason, for the reader of the baseline"));
    }
    let broken = record.cells.iter().filter(|cell| cell.verdict == VerdictKind::Broken);
    let broken: Vec<_> = broken.map(|cell| cell.id.as_str()).collect();
    if let Some(first) = broken.first() {
        return Err(input_error!(
            "{} of the record did not run to an end ({first}): there is nothing to accept; run them again",
            if broken.len() == 1 { "1 cell".to_owned() } else { format!("{} cells", broken.len()) }
        ));
    }
    let path = match baseline {
        Some(path) => path.to_owned(),
        None => Project::found(project)?.baseline().unwrap_or_else(|| FILE.into()),
    };
    let path = path.as_path();
    let mut baseline = if path.exists() { records::baseline(path)? } else { Baseline::default() };
    let changed = baseline.accept(&record, because);
    let mut text = serde_json::to_string_pretty(&baseline)
        .map_err(|error| work_error!("cannot write the baseline as JSON: {error}"))?;
    text.push('\n');
    written::whole(path, text).map_err(|error| work_error!("cannot write {}: {error}", path.display()))?;
    let mut told: Vec<String> = changed.iter().map(|id| format!("  {id}")).collect();
    told.insert(0, format!("{}: {} taken over", path.display(), changed.len()));
    streams::print(&(told.join("\n") + "\n"))?;
    Ok(ExitCode::SUCCESS)
}
