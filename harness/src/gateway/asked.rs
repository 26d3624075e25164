//! A short command of a gateway's program: asked for its version, checking its files, telling it to reload. It gets so much time
//! and may say so much, and nothing that it starts outlives it.

use std::{
    io,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};

use super::guard::ProcessGroup;
use crate::limits::{COMMAND_OUTPUT, Limits};

/// What came of a command.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: ExitStatus,
    /// Its standard output, then its standard error, each up to the bound.
    pub(super) said: String,
}

/// Runs a command to its end.
///
/// # Errors
/// One sentence that says what it did: `cannot be run: …`, `did not end within 10 s`.
pub(super) async fn ask(mut command: Command, limit: Duration) -> Result<Answer, String> {
    let cannot = |error: io::Error| format!("cannot be run: {error}");
    let group = ProcessGroup::new().map_err(cannot)?;
    group.adopt(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(cannot)?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let reading = tokio::spawn(async move { tokio::join!(read(out), read(err)) });
    let ended = timeout(limit, child.wait()).await;
    // What it has started ends with it, and with that the pipes that are read.
    drop(group);
    let said = timeout(limit, reading).await;
    let status = ended.map_err(|_| late(limit))?.map_err(cannot)?;
    let (out, err) = match said {
        Ok(Ok(said)) => said,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err("left a process behind that holds its output open".to_owned()),
    };
    Ok(Answer { status, said: String::from_utf8_lossy(&[out, err].concat()).into_owned() })
}

/// The same where nothing else can be done meanwhile.
pub(super) fn ask_now(command: Command) -> Result<Answer, String> {
    let ask = || -> Result<Answer, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| error.to_string())?.block_on(ask(command, Limits::default().command))
    };
    // A runtime cannot be entered from within another.
    thread::scope(|scope| scope.spawn(ask).join()).unwrap_or_else(|_| Err("cannot be run".to_owned()))
}

fn late(limit: Duration) -> String {
    format!("did not end within {} s", limit.as_secs_f64())
}

/// As much as fits; the writer is then told that nobody reads on.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut said = Vec::new();
    if let Some(pipe) = pipe {
        // What was read before an error stands.
        let _ = pipe.take(COMMAND_OUTPUT as u64).read_to_end(&mut said).await;
    }
    said
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_short_answer_is_whole() {
        let answer = ask(shell("echo 1.2; echo three >&2; exit 4"), Duration::from_secs(60)).await.unwrap();
        assert_eq!((answer.status.code(), answer.said.as_str()), (Some(4), "1.2\nthree\n"));
    }

    #[rstest]
    #[case::endless("yes")]
    #[case::endless_and_deaf("trap '' PIPE; while echo y; do :; done; exit 0")]
    #[tokio::test]
    async fn an_endless_answer_is_cut(#[case] script: &str) {
        let answer = ask(shell(script), Duration::from_secs(60)).await.unwrap();
        assert_eq!(answer.said.matches("y\n").count(), COMMAND_OUTPUT / 2);
    }

    #[rstest]
    #[case::silent("sleep 1000")]
    #[case::in_the_background("sleep 1000 & wait")]
    #[tokio::test]
    async fn silence_is_given_up(#[case] script: &str) {
        let problem = ask(shell(script), Duration::from_millis(100)).await.unwrap_err();
        assert_eq!(problem, "did not end within 0.1 s");
    }

    #[tokio::test]
    async fn what_is_left_behind_ends_with_it() {
        let answer = ask(shell("sleep 1000 & echo 1.2"), Duration::from_secs(60)).await.unwrap();
        assert_eq!(answer.said, "1.2\n");
    }

    #[test]
    fn without_a_runtime() {
        assert_eq!(ask_now(shell("echo 1.2")).unwrap().said, "1.2\n");
    }
}
