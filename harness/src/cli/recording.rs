//! What is kept of the wire, and where: `--key-log`, `--pcap`.

use std::{
    env,
    fs::{File, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    clock,
    failure::{Failure, input_error, work_error},
    streams,
};
use crate::wire::recorder::Recorder;

/// The variable by which browsers and curl are told of a key log.
const KEY_LOG: &str = "SSLKEYLOGFILE";

/// Flags that several commands have.
#[derive(Debug, Args)]
pub(super) struct RecordingArguments {
    /// A file to which the keys of every connection are added, as other programs do it too; `SSLKEYLOGFILE` names one
    /// as well.
    #[arg(long, value_name = "FILE")]
    key_log: Option<PathBuf>,
    /// A file for what passes, with the keys to it: Wireshark opens it, and shows what was said.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

impl RecordingArguments {
    /// Opens the files, readable by their owner alone, and says what is in them.
    pub(super) fn recorder(&self) -> Result<Recorder, Failure> {
        let of_environment = || env::var_os(KEY_LOG).filter(|path| !path.is_empty()).map(PathBuf::from);
        let key_log = self.key_log.clone().or_else(of_environment);
        let opened = |path: &PathBuf, flag, adds| -> Result<File, Failure> {
            let file = private(path, adds).map_err(|error| {
                input_error!("cannot write {}: {error}; name a file of yours with {flag}", path.display())
            })?;
            streams::note(&format!(
                "warning: {} will hold the keys of every connection; whoever can read it can read what was said",
                path.display()
            ));
            Ok(file)
        };
        let by = if self.key_log.is_some() { "--key-log" } else { KEY_LOG };
        let key_log = key_log.as_ref().map(|path| opened(path, by, true)).transpose()?;
        let capture = self.pcap.as_ref().map(|path| opened(path, "--pcap", false)).transpose()?;
        Recorder::to(key_log, capture, clock::now()).map_err(|error| {
            work_error!("cannot write the capture: {error}; make room, or write it elsewhere")
        })
    }
}

/// Says if not everything was kept.
pub(super) fn conclude(recorder: &Recorder) {
    if let Some(error) = recorder.failure() {
        streams::note(&format!(
            "warning: not everything was recorded: {error}; make room, or write it elsewhere"
        ));
    }
}

fn private(path: &Path, adds: bool) -> io::Result<File> {
    let file =
        OpenOptions::new().create(true).write(true).append(adds).truncate(!adds).mode(0o600).open(path)?;
    // A file that was there before must not stay open to others; a pipe has no owner to speak of.
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}
