//! A gateway in a container, on a real engine: what `gauntlet run` leaves of it, and what it says when there is no image
//! and no engine.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests are tests too")]

use std::{
    env, fs,
    future::ready,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use libtest_mimic::Arguments;
use rstest::rstest;
use tempfile::TempDir;
use tls_gauntlet::{trials, wait};

const LIMIT: Duration = Duration::from_secs(60);

/// Says to a copy of this test which gateway to list the tests of; see `whoever_lists_the_tests`.
const LISTED: &str = "GAUNTLET_TEST_LISTED";

#[rstest]
#[case("INT", Some(3))]
#[case("TERM", Some(3))]
#[case("KILL", None)]
#[tokio::test]
async fn a_run_that_is_ended_leaves_no_container(#[case] signal: &str, #[case] code: Option<i32>) {
    if !is_possible() {
        return;
    }
    let (gateway, temporary) = (built(), TempDir::new().unwrap());
    let mut run = start(gateway.path(), temporary.path());
    let up = || containers(temporary.path()).iter().any(|container| container.contains(" running "));
    wait::until(LIMIT, "the container to run", async || up().then_some(())).await.unwrap();

    let sent = Command::new("kill").args([&format!("-{signal}"), &run.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let status = wait::until(LIMIT, "gauntlet to end", || ready(run.try_wait().unwrap())).await.unwrap();
    assert_eq!(status.code(), code);
    let none = async || containers(temporary.path()).is_empty().then_some(());
    wait::until(LIMIT, "every container of the run to be gone", none).await.unwrap();
}

#[test]
fn a_run_that_ends_leaves_no_container_either() {
    if !is_possible() {
        return;
    }
    let (gateway, temporary) = (built(), TempDir::new().unwrap());
    let ran = run(gateway.path(), temporary.path()).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", err(&ran));
    assert_eq!(containers(temporary.path()), Vec::<String>::new());
}

#[rstest]
#[case::nowhere(
    "image = \"gauntlet.test/no-such-image:1\"",
    "cannot use gateway mine: no image gauntlet.test/no-such-image:1: ",
    "; get it (docker pull gauntlet.test/no-such-image:1), or correct container.image"
)]
#[case::unbuildable(
    "build = \"no-such-folder\"",
    "cannot use gateway mine: no image no-such-folder: ",
    "; correct its Dockerfile, or container.build"
)]
#[case::outside(
    "build = \"../elsewhere\"",
    "cannot render \"../elsewhere\" of gateway mine: it leaves the folder",
    "; name files and folders below it"
)]
fn an_image_that_cannot_be_had_is_one_error(#[case] source: &str, #[case] begins: &str, #[case] ends: &str) {
    if !is_possible() {
        return;
    }
    let (gateway, temporary) = (contained(source), TempDir::new().unwrap());
    let ran = run(gateway.path(), temporary.path()).output().unwrap();
    let said = err(&ran);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(begins) && said.trim_end().ends_with(ends), "{said}");
}

#[test]
fn without_an_engine_it_cannot_be_started() {
    let (gateway, temporary) = (contained("image = \"mine\""), TempDir::new().unwrap());
    let ran = run(gateway.path(), temporary.path()).env("PATH", "").output().unwrap();
    let said = err(&ran);
    assert_eq!(ran.status.code(), Some(3), "{said}");
    assert!(
        said.contains("cannot start gateway mine: no container engine answers (docker cannot be run: "),
        "{said}"
    );
    assert!(said.trim_end().ends_with("; start one or pass --gateway reference"), "{said}");
}

/// Not a test of its own: the other half of the next one, which runs it where there is no engine.
#[test]
fn whoever_lists_the_tests() {
    let Ok(gateway) = env::var(LISTED) else { return };
    let tests = trials::trials(&[&gateway], &Arguments::default()).unwrap();
    let ignored = tests.iter().filter(|test| test.has_ignored_flag()).count();
    println!("\n{} of {} ignored", ignored, tests.len());
}

#[rstest]
#[case::ignored("", true)]
#[case::required("docker", false)]
fn without_an_engine_its_tests_are_ignored(#[case] required: &str, #[case] ignored: bool) {
    let gateway = contained("image = \"mine\"");
    let listed = Command::new(env::current_exe().unwrap())
        .args(["--exact", "whoever_lists_the_tests", "--nocapture"])
        .env(LISTED, gateway.path())
        .env("PATH", "")
        .env(trials::REQUIRE, required)
        .output()
        .unwrap();
    let said = String::from_utf8(listed.stdout).unwrap();
    let counts = said.lines().find_map(|line| line.strip_suffix(" ignored")?.split_once(" of ")).unwrap();
    assert_ne!(counts.1, "0");
    assert_eq!(counts.0, if ignored { counts.1 } else { "0" });
}

/// Whether an engine answers, and there is an nginx to make an image of; if they must be there and are not, the test fails
/// here.
fn is_possible() -> bool {
    let engine = Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]).output();
    if engine.is_ok_and(|output| output.status.success()) && Path::new("/usr/sbin/nginx").exists() {
        return true;
    }
    assert!(!trials::is_required("docker"), "docker is required by GAUNTLET_REQUIRE, and no engine answers");
    println!("skipped: no container engine answers, or nginx is not installed");
    false
}

/// The shipped nginx, in a container: from this image.
fn contained(source: &str) -> TempDir {
    let (folder, shipped) =
        (TempDir::new().unwrap(), Path::new(env!("CARGO_MANIFEST_DIR")).join("gateways/nginx"));
    fs::copy(shipped.join("nginx.conf.j2"), folder.path().join("nginx.conf.j2")).unwrap();
    let manifest = fs::read_to_string(shipped.join("gateway.toml")).unwrap();
    let manifest = manifest.replacen("name = \"nginx\"", "name = \"mine\"", 1);
    fs::write(folder.path().join("gateway.toml"), manifest + "\n[container]\n" + source).unwrap();
    folder
}

/// The same, from an image with the nginx of this machine.
fn built() -> TempDir {
    let folder = contained("build = \"image\"");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/image/of-program.sh");
    let made = Command::new(script).arg("nginx").arg(folder.path().join("image")).status().unwrap();
    assert!(made.success());
    folder
}

/// One cell.
fn run(gateway: &Path, temporary: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gauntlet"));
    command
        .args(["run", "--filter", "upstream/plain-good/strict::default/default::*", "--gateway"])
        .arg(gateway)
        .env("TMPDIR", temporary)
        .stdin(Stdio::null());
    command
}

/// Enough turns that the signal comes in the middle.
fn start(gateway: &Path, temporary: &Path) -> Child {
    let mut command = run(gateway, temporary);
    command.args(["--repeat", "1000"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The containers that see a folder in this one: number, state, folders.
fn containers(folder: &Path) -> Vec<String> {
    let format = "{{.ID}} {{.State}} {{.Mounts}}";
    let mut list = Command::new("docker");
    list.args(["ps", "--all", "--no-trunc", "--filter", "label=tls-gauntlet", "--format", format]);
    let listed = list.output().unwrap();
    assert!(listed.status.success(), "{}", err(&listed));
    let all = String::from_utf8(listed.stdout).unwrap();
    all.lines().filter(|line| line.contains(folder.to_str().unwrap())).map(str::to_owned).collect()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
