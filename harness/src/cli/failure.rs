//! Why a command could not be carried out, and the exit code that says whose fault it is.

use std::{fmt, process::ExitCode};

use openssl::error::ErrorStack;

/// What ends a command early.
#[derive(Debug)]
pub(super) struct Failure {
    blame: Blame,
    error: anyhow::Error,
}

#[derive(Debug, Clone, Copy)]
enum Blame {
    /// The arguments, or a file they name.
    Input,
    /// Ours, or the machine's.
    Work,
}

impl Failure {
    /// What was asked for makes no sense; exit code 2.
    pub(super) fn input(error: impl Into<anyhow::Error>) -> Self {
        Self { blame: Blame::Input, error: error.into() }
    }

    /// It makes sense and could not be done; exit code 3.
    pub(super) fn work(error: impl Into<anyhow::Error>) -> Self {
        Self { blame: Blame::Work, error: error.into() }
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        match self.blame {
            Blame::Input => ExitCode::from(2),
            Blame::Work => ExitCode::from(3),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A cause that its error already quotes is not told twice, and OpenSSL's stack of errors, with the lines of
        // its sources, not at all.
        let mut told = self.error.to_string();
        for cause in self.error.chain().skip(1).filter(|cause| !cause.is::<ErrorStack>()) {
            let cause = cause.to_string();
            if !told.contains(&cause) {
                told = format!("{told}: {cause}");
            }
        }
        f.write_str(&told)
    }
}

/// A one-line input error.
macro_rules! input_error {
    ($($words:tt)*) => { $crate::cli::failure::Failure::input(anyhow::anyhow!($($words)*)) };
}

/// A one-line error of ours.
macro_rules! work_error {
    ($($words:tt)*) => { $crate::cli::failure::Failure::work(anyhow::anyhow!($($words)*)) };
}

pub(super) use {input_error, work_error};
