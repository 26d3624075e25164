//! Runs the program and keeps what it says.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// `gauntlet ARGUMENTS`, split at spaces.
pub(crate) fn gauntlet(arguments: &str) -> Ran {
    with(arguments, &[])
}

/// The same with more in its environment.
pub(crate) fn with(arguments: &str, environment: &[(&str, &str)]) -> Ran {
    let mut command = command(arguments);
    command.envs(environment.iter().copied());
    ran(command.output().unwrap())
}

/// The same in a folder.
pub(crate) fn in_dir(dir: &Path, arguments: &str) -> Ran {
    ran(command(arguments).current_dir(dir).output().unwrap())
}

/// The same with more in its environment.
pub(crate) fn in_dir_with(dir: &Path, arguments: &str, environment: &[(&str, &str)]) -> Ran {
    ran(command(arguments).current_dir(dir).envs(environment.iter().copied()).output().unwrap())
}

/// The same with standard output going elsewhere.
pub(crate) fn into(arguments: &str, out: impl Into<Stdio>) -> Ran {
    let child = command(arguments).stdout(out).stderr(Stdio::piped()).spawn().unwrap();
    ran(child.wait_with_output().unwrap())
}

fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gauntlet"));
    command.args(arguments.split(' ').filter(|word| !word.is_empty()));
    command.env("COLUMNS", "80").env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().expect("it ended by itself"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
