//! The floors: dependencies look down only, and what must not be there is not there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use rstest::rstest;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        if folder.is_file() {
            collect(&folder, &mut found);
            continue;
        }
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                collect(&entry.path(), &mut found);
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds no source");
    found
}

fn collect(file: &Path, found: &mut Vec<(String, String)>) {
    if file.extension().is_some_and(|extension| extension == "rs") {
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        found.push((name, fs::read_to_string(file).unwrap()));
    }
}

#[rstest]
#[case("scenarios/src", &["std::net", "std::fs", "std::time", "tokio::", "openssl::", "println!"])]
#[case("certs-gen/src", &["TcpStream", "TcpListener", "UdpSocket", "tokio", "scenarios::model", "scenarios::judge", "catalogue(", "println!"])]
#[case("harness/src/report", &["std::net", "std::fs", "now_utc", "Instant", "SystemTime", "tokio", "crate::runner", "crate::gateway", "crate::backend", "crate::client", "println!"])]
#[case("harness/src/record.rs", &["tokio", "crate::runner", "crate::report"])]
#[case("harness/src/record", &["std::net", "std::fs", "now_utc", "tokio", "crate::runner", "crate::report", "println!"])]
#[case("harness/src/runner", &["crate::report", "crate::cli::", "println!"])]
#[case("harness/src/gateway", &["scenarios::judge", "crate::runner", "crate::report", "crate::cli::", "println!"])]
#[case("harness/src/backend", &["crate::gateway", "crate::runner", "crate::client", "crate::report", "println!"])]
#[case("harness/src/hello", &["crate::runner", "crate::backend", "crate::gateway", "crate::report", "crate::cli::", "println!"])]
#[case("harness/src/rotation", &["crate::report", "crate::cli::", "println!"])]
#[case("harness/src/vault", &["crate::gateway", "crate::runner", "crate::backend", "crate::report", "crate::cli::", "println!"])]
#[case("harness/src/audit", &["crate::runner", "crate::report", "crate::cli::", "println!"])]
#[case("harness/src/scan", &["crate::runner", "crate::backend", "crate::report", "crate::cli::", "println!"])]
#[case("harness/src/client", &["crate::gateway", "crate::runner", "crate::backend", "crate::report", "println!"])]
#[case("harness/src/control", &["crate::gateway", "crate::runner", "crate::client", "crate::report", "println!"])]
#[case("harness/src/tls", &["crate::backend", "crate::client", "crate::gateway", "println!"])]
#[case("harness/src/wire", &["crate::tls", "crate::backend", "crate::client", "crate::gateway", "println!"])]
fn what_must_not_be_there(#[case] folder: &str, #[case] forbidden: &[&str]) {
    for (name, text) in sources(folder) {
        for word in forbidden {
            assert!(!text.contains(word), "{name} must not speak of {word}");
        }
    }
}

#[rstest]
#[case("certs-gen/src")]
#[case("scenarios/src")]
#[case("harness/src")]
fn unsafe_code_is_in_one_place(#[case] folder: &str) {
    for (name, text) in sources(folder) {
        let allowed = ["harness/src/ffi.rs", "certs-gen/src/ffi.rs"].contains(&name.as_str());
        assert!(allowed || !text.contains("unsafe "), "{name} holds unsafe code");
    }
}

/// The reasons of OpenSSL have their causes in one table, so that both ends of a connection read them alike.
#[test]
fn the_errors_of_openssl_are_read_in_one_place() {
    for (name, text) in sources("harness/src") {
        let is_raw = text.contains(".reason_code()") || text.contains(".library_code()");
        assert_eq!(
            is_raw || text.contains("Error::reason_code"),
            name == "harness/src/tls/reason.rs",
            "{name}"
        );
    }
}

#[rstest]
#[case("certs-gen/src")]
#[case("scenarios/src")]
#[case("harness/src")]
fn every_module_starts_with_its_front_page(#[case] folder: &str) {
    for (name, text) in sources(folder) {
        assert!(text.starts_with("//! "), "{name} has no front page");
    }
}
