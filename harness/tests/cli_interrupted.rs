//! Whatever ends `gauntlet run`, nothing is left running and nothing on disk.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    future::ready,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rstest::rstest;
use tempfile::TempDir;
use tls_gauntlet::{gateway::Gateway, trials, wait};

const LIMIT: Duration = Duration::from_secs(30);

#[rstest]
#[case("INT", Some(3))]
#[case("TERM", Some(3))]
#[case("KILL", None)]
#[tokio::test]
async fn a_run_that_is_ended_leaves_nothing(#[case] signal: &str, #[case] code: Option<i32>) {
    if Gateway::resolve("nginx").unwrap().version().is_none() {
        assert!(!trials::is_required("nginx"), "nginx is required by GAUNTLET_REQUIRE and not installed");
        return;
    }
    let folder = TempDir::new().unwrap();
    let mut run = start(folder.path());
    wait::until(LIMIT, "nginx to be up", async || nginx_is_up(folder.path()).then_some(())).await.unwrap();

    let sent = Command::new("kill").args([&format!("-{signal}"), &run.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let status = wait::until(LIMIT, "gauntlet to end", || ready(run.try_wait().unwrap())).await.unwrap();
    assert_eq!(status.code(), code);

    wait::until(LIMIT, "every process of the run to be gone", async || {
        speaking_of(folder.path()).is_empty().then_some(())
    })
    .await
    .unwrap();
    wait::until(LIMIT, "the run's folder to be gone", async || {
        fs::read_dir(folder.path()).unwrap().next().is_none().then_some(())
    })
    .await
    .unwrap();
}

/// Enough turns that the signal comes in the middle.
fn start(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_gauntlet"))
        .args(["run", "--gateway", "nginx", "--repeat", "200", "--filter", "upstream/plain-good/*"])
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// nginx writes its pid file when it is ready to serve.
fn nginx_is_up(folder: &Path) -> bool {
    let runs = fs::read_dir(folder).into_iter().flatten().flatten();
    runs.into_iter().any(|run| run.path().join("nginx.pid").exists())
}

/// Processes whose command line or working directory names the folder.
fn speaking_of(folder: &Path) -> Vec<u32> {
    let folder = folder.display().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|process: &u32| *process != std::process::id())
        .filter(|process| {
            let command = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(&folder)
        })
        .collect()
}
