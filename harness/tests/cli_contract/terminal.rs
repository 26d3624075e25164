//! What a terminal shows while a command works, and what a system's limits make of it.

use std::process::{Command, Stdio};

use rstest::rstest;

/// Runs a line of bash; standard output, standard error and how it ended.
fn bash(line: &str) -> (String, String, Option<i32>) {
    let output = Command::new("bash")
        .args(["--norc", "-c", line])
        .env("GAUNTLET", env!("CARGO_BIN_EXE_gauntlet"))
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok()
}

/// `script` (util-linux) gives the command a terminal.
#[rstest]
#[case("", true)]
#[case("--quiet", false)]
fn progress_is_counted_and_estimated(#[case] option: &str, #[case] shown: bool) {
    if !is_there("script") {
        return;
    }
    let cells =
        "--gateway direct --filter 'upstream/plain-good/*' --filter 'upstream/stalls-after-request/*'";
    let run = format!("$GAUNTLET run {cells} {option}");
    let (out, _, code) = bash(&format!("script --quiet --return --command \"{run}\" /dev/null"));
    assert_eq!(code, Some(0), "{out}");
    assert_eq!(out.contains("/18 calls, about "), shown, "{out:?}");
    assert!(out.contains("\u{1b}[32mpassed"), "coloured, because it is a terminal: {out:?}");
}

/// Most systems allow 1024 open files until somebody asks for more.
#[test]
fn the_limit_of_open_files_is_raised() {
    let run = "$GAUNTLET run --gateway direct --filter 'upstream/*' --quiet";
    let (out, err, code) = bash(&format!("ulimit -Sn 128; {run}"));
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
}

#[rstest]
#[case::run("run --gateway direct --filter 'upstream/*' --quiet")]
#[case::serve("serve")]
fn a_limit_that_cannot_be_raised_is_told(#[case] command: &str) {
    let (out, err, code) = bash(&format!("ulimit -n 128; $GAUNTLET {command}"));
    assert_eq!((code, out.as_str()), (Some(3), ""), "{err}");
    let mut lines = err.lines();
    let warning = lines.next().unwrap();
    assert!(warning.starts_with("warning: this process may have 128 files open, and may need "), "{warning}");
    let error = lines.next().unwrap();
    assert!(error.contains("Too many open files"), "{error}");
    assert!(error.contains("(ulimit -n)") || warning.contains("(ulimit -n)"), "{err}");
}
