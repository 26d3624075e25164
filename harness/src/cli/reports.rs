//! What is made of a record: which formats, and where they go.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use tls_gauntlet_scenarios::nearest;

use super::{
    diff,
    failure::{Failure, input_error, work_error},
    options::ReportOptions,
    records, streams,
};
use crate::{
    record::{Baseline, RunRecord},
    report::{Detail, FORMATS, Format, Look},
    written,
};

/// What was chosen.
#[derive(Debug)]
pub(super) struct Reports<'a> {
    formats: Vec<&'static Format>,
    folder: Option<&'a Path>,
    detail: Detail,
    baseline: Option<Baseline>,
}

impl<'a> Reports<'a> {
    /// Checks the names of the formats, and reads the baseline.
    pub(super) fn chosen(arguments: &'a ReportOptions) -> Result<Self, Failure> {
        let folder = arguments.out.as_deref();
        let detail = match arguments {
            ReportOptions { verbose: true, .. } => Detail::Full,
            ReportOptions { matrix: true, .. } => Detail::Matrix,
            ReportOptions { quiet: true, .. } => Detail::Brief,
            _ => Detail::Normal,
        };
        let formats = formats(&arguments.format, folder.is_some())?;
        let baseline = arguments.baseline.as_deref().map(records::baseline).transpose()?;
        Ok(Self { formats, folder, detail, baseline })
    }

    /// Sees to it that everything can be written, before anything is worth writing.
    pub(super) fn prepare(&self) -> Result<(), Failure> {
        let Some(folder) = self.folder else { return Ok(()) };
        streams::make_folder(folder)?;
        for (path, _) in self.files(folder) {
            if path.is_dir() {
                return Err(input_error!(
                    "{} is a folder; move it away, or name another --out",
                    path.display()
                ));
            }
        }
        tempfile::tempfile_in(folder).map(drop).map_err(|error| {
            input_error!("cannot write into the folder {}: {error}; name another", folder.display())
        })
    }

    /// The record, compared to the baseline if there is one.
    pub(super) fn compared(&self, mut record: RunRecord) -> RunRecord {
        if let Some(baseline) = &self.baseline {
            record.compare_to(baseline);
        }
        record
    }

    /// Writes the files, and the first format to standard output. Exits as the record says.
    pub(super) fn deliver(&self, record: &RunRecord) -> Result<ExitCode, Failure> {
        self.write(record)?;
        let on_screen = self.formats.first().copied().unwrap_or(&FORMATS[0]);
        streams::print(&(on_screen.render)(record, &streams::look(self.detail)))?;
        Ok(ExitCode::from(record.exit_code()))
    }

    /// Writes the files of the later audit, and what changed to standard output. Exits with 1 if something got worse.
    pub(super) fn changes(&self, before: &RunRecord, after: &RunRecord) -> Result<ExitCode, Failure> {
        let form = match self.formats.first().map_or("console", |format| format.name) {
            "console" => diff::Form::Words,
            "json" => diff::Form::Json,
            "markdown" => diff::Form::Markdown,
            other => {
                return Err(input_error!(
                    "what changed has no {other}; name --format console, json or markdown"
                ));
            }
        };
        self.write(after)?;
        diff::of_audits(before, after, form)
    }

    fn write(&self, record: &RunRecord) -> Result<(), Failure> {
        for (path, format) in self.folder.map(|folder| self.files(folder)).unwrap_or_default() {
            let text = (format.render)(record, &Look::default());
            written::whole(&path, text)
                .map_err(|error| work_error!("cannot write {}: {error}", path.display()))?;
        }
        Ok(())
    }

    /// The record always, and the formats that were asked for, or all that have a file.
    fn files(&self, folder: &Path) -> Vec<(PathBuf, &'static Format)> {
        let wanted = |format: &&Format| {
            format.name == "json"
                || self.formats.iter().all(|asked| asked.file.is_none())
                || self.formats.iter().any(|asked| asked.name == format.name)
        };
        let with_file = |format: &'static Format| format.file.map(|file| (folder.join(file), format));
        FORMATS.iter().filter(wanted).filter_map(with_file).collect()
    }
}

/// The format with this name.
pub(super) fn format(name: &str) -> Result<&'static Format, Failure> {
    Format::named(name).ok_or_else(|| {
        let known: Vec<_> = FORMATS.iter().map(|format| format.name).collect();
        let hint = nearest::hint(name, known.iter().copied());
        input_error!("unknown format \"{name}\"{hint} (known are {})", known.join(", "))
    })
}

/// The formats that were named, in their order.
fn formats(names: &[String], to_files: bool) -> Result<Vec<&'static Format>, Failure> {
    let mut formats: Vec<&Format> = Vec::new();
    for name in names {
        let format = format(name)?;
        if !formats.iter().any(|other| other.name == format.name) {
            formats.push(format);
        }
    }
    if formats.len() > 1 && !to_files {
        let names: Vec<_> = formats.iter().map(|format| format.name).collect();
        return Err(input_error!(
            "standard output carries one format, not {}; pass --out DIR to have them as files",
            names.join(" and ")
        ));
    }
    Ok(formats)
}
