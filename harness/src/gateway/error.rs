//! Why a gateway could not be found, read or started.

use std::path::PathBuf;

use crate::wait::Late;

/// What stands between a name and a running gateway.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// No gateway goes by this name.
    #[error(
        "unknown gateway \"{name}\"{hint} (known are {known}); pass a name, a folder with a gateway.toml, or the URL of a \
         gateway that is already running"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// `; did you mean …?` where a known name is near.
        hint: String,
        /// What there is.
        known: String,
    },
    /// A gateway profile cannot be had like this.
    #[error("cannot use gateway {name}: {because}")]
    Profile {
        /// As given.
        name: String,
        /// What is wrong with it.
        because: String,
    },
    /// The address of an external gateway makes no sense.
    #[error("cannot use gateway {url}: {problem}; write it as https://HOST:PORT")]
    Address {
        /// As given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of the gateway's folder cannot be read.
    #[error("cannot read {}: {source}; a gateway is a folder with a gateway.toml and its templates", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}; name a folder in which files can be made", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// `gateway.toml` is not as it has to be.
    #[error("{file}:{line}:{column}: {message}")]
    Manifest {
        /// The file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong, and what was expected.
        message: String,
    },
    /// A template cannot be rendered.
    #[error("cannot render {file} of gateway {gateway}: {problem}")]
    Template {
        /// Name of the gateway.
        gateway: String,
        /// The template, or the key in `gateway.toml`.
        file: String,
        /// What is wrong, with its line.
        problem: String,
    },
    /// The image of a gateway that runs as a container cannot be had.
    #[error("cannot use gateway {gateway}: no image {image}: {because}; {remedy}")]
    Image {
        /// Name of the gateway.
        gateway: String,
        /// The image, or the folder it was to be built from.
        image: String,
        /// The engine's words.
        because: String,
        /// What to do.
        remedy: String,
    },
    /// The program is not installed, or no container engine runs.
    #[error("cannot start gateway {gateway}: {missing}; {remedy}")]
    Missing {
        /// Name of the gateway.
        gateway: String,
        /// What is not there: `no "nginx" on PATH, nor beside this program`.
        missing: String,
        /// What to do.
        remedy: String,
    },
    /// The program does not say its version.
    #[error(
        "cannot tell the version of gateway {gateway}: \"{command}\" {problem}; correct [program.version] in its \
         gateway.toml, or reinstall it"
    )]
    Version {
        /// Name of the gateway.
        gateway: String,
        /// What was run.
        command: String,
        /// What came of it.
        problem: String,
    },
    /// Something that the start needs failed.
    #[error("cannot start gateway {gateway}: cannot {task}: {problem}")]
    Prepare {
        /// Name of the gateway.
        gateway: String,
        /// What was to be done.
        task: String,
        /// Why it was not.
        problem: String,
    },
    /// It ended before it was ready.
    #[error("cannot start gateway {gateway}: it ended ({status}) before it answered; {last_words}; {remedy}")]
    Ended {
        /// Name of the gateway.
        gateway: String,
        /// How it ended.
        status: String,
        /// The last lines of its log.
        last_words: String,
        /// What to do.
        remedy: &'static str,
    },
    /// It went into the background, where nobody would see it end.
    #[error(
        "cannot start gateway {gateway}: it went into the background (process {process}), and was ended; have its \
         configuration or run.start keep it in the foreground"
    )]
    Background {
        /// Name of the gateway.
        gateway: String,
        /// What it left running.
        process: u32,
    },
    /// It is there and does not answer.
    #[error("cannot start gateway {gateway}: {late} (last try: {last_try}); {last_words}")]
    NotReady {
        /// Name of the gateway.
        gateway: String,
        /// What did not happen.
        late: Late,
        /// What the last try met.
        last_try: String,
        /// The last lines of its log.
        last_words: String,
    },
    /// The vendor's own checker refuses the configuration.
    #[error("the configuration of gateway {gateway} does not pass \"{command}\": {output}")]
    Check {
        /// Name of the gateway.
        gateway: String,
        /// What was run.
        command: String,
        /// What it said.
        output: String,
    },
    /// This kind of gateway cannot do that.
    #[error("gateway {gateway} cannot {task}: {because}")]
    Unable {
        /// Name of the gateway.
        gateway: String,
        /// What was asked of it.
        task: String,
        /// Why it cannot.
        because: String,
    },
}

impl GatewayError {
    /// Whether it is about what the user gave, and not about what could not be done with it.
    #[must_use]
    pub const fn is_input(&self) -> bool {
        matches!(
            self,
            Self::Unknown { .. }
                | Self::Profile { .. }
                | Self::Address { .. }
                | Self::Read { .. }
                | Self::Write { .. }
                | Self::Manifest { .. }
                | Self::Template { .. }
                | Self::Version { .. }
                | Self::Image { .. }
        )
    }
}
