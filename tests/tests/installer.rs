//! What `ci/install-gateways.sh NAME@VERSION` says when it cannot. Its tools are made for the test, so nothing is fetched.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use rstest::rstest;
use tempfile::TempDir;

/// What it may use of this machine: nothing that asks anybody.
const PLAIN: [&str; 12] =
    ["awk", "bash", "cat", "dirname", "grep", "head", "mkdir", "mktemp", "rm", "sed", "tail", "touch"];

const KEYS: (&str, &str) = ("find", "echo /debian-archive-keyring.gpg");
const UNPACKS: (&str, &str) = ("dpkg-deb", "exit 1");
const FETCHES: (&str, &str) = ("apt-get", "exit 0");
const KNOWS_TWO: (&str, &str) =
    ("apt-cache", "echo 'nginx | 1:1.26.3-3+deb13u11 | here'; echo 'nginx | 1.2.61-1 | here'");

#[rstest]
#[case::one_version_only("httpd@2.4", &[], 2, "cannot install httpd@2.4: httpd comes in one version only")]
#[case::no_apt("nginx@1.26", &[], 1, "cannot install nginx@1.26: there is no apt-get here")]
#[case::no_keys(
    "nginx@1.26",
    &[("find", "exit 0"), UNPACKS, FETCHES, KNOWS_TWO],
    1,
    "cannot check what Debian signed: install the package debian-archive-keyring"
)]
#[case::no_mirror(
    "nginx@1.26",
    &[KEYS, UNPACKS, KNOWS_TWO, ("apt-get", "[ \"$1\" != indextargets ] || echo https://mirror.test/debian/; exit 100")],
    1,
    "cannot read Debian's trixie from https://mirror.test/debian/: apt-get says why above"
)]
#[case::no_such_version(
    "nginx@1.2",
    &[KEYS, UNPACKS, FETCHES, ("apt-cache", "echo 'nginx | 1:1.26.3-3+deb13u11 | here'")],
    2,
    "there is no nginx@1.2 in Debian; there are: 1:1.26.3-3+deb13u11 (trixie), 1:1.26.3-3+deb13u11 (bookworm), \
     1:1.26.3-3+deb13u11 (forky)"
)]
#[case::no_download(
    "nginx@1.2.61",
    &[
        KEYS,
        UNPACKS,
        KNOWS_TWO,
        ("apt-get", "case \"$*\" in *' download '*) exit 100 ;; *) exit 0 ;; esac")
    ],
    1,
    "cannot download nginx 1.2.61-1: apt-get says why above"
)]
fn what_is_missing_is_named(
    #[case] wanted: &str,
    #[case] tools: &[(&str, &str)],
    #[case] status: i32,
    #[case] said: &str,
) {
    let output = install(wanted, tools);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error.lines().last(), Some(format!("install-gateways: {said}").as_str()), "{error}");
    assert_eq!(output.status.code(), Some(status));
}

/// Runs the script of a project that has nothing else, with these tools and no others.
fn install(wanted: &str, tools: &[(&str, &str)]) -> Output {
    let project = TempDir::new().unwrap();
    let bin = project.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir_all(project.path().join("ci")).unwrap();
    let script = project.path().join("ci/install-gateways.sh");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/install-gateways.sh"), &script).unwrap();
    for name in PLAIN {
        let path = std::env::var_os("PATH").unwrap();
        let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.exists());
        std::os::unix::fs::symlink(found.unwrap(), bin.join(name)).unwrap();
    }
    for (name, does) in tools {
        let tool = bin.join(name);
        fs::write(&tool, format!("#!/bin/sh\n{does}\n")).unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    }
    Command::new(bin.join("bash")).arg(script).arg(wanted).env("PATH", &bin).output().unwrap()
}
