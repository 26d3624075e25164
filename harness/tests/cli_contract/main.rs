//! The command line as its users meet it: help, results, errors and exit codes, by running the program.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod gauntlet;
mod serving;

use std::fs;

use gauntlet::{Ran, gauntlet, in_dir};
use rstest::rstest;
use serde_json::Value;
use tempfile::tempdir;

#[rstest]
#[case::gauntlet("help", "--help")]
#[case::run("help-run", "run --help")]
#[case::serve("help-serve", "serve --help")]
#[case::list("help-list", "list --help")]
#[case::explain("help-explain", "explain --help")]
#[case::certs("help-certs", "certs --help")]
#[case::routes("help-routes", "routes --help")]
fn help(#[case] name: &str, #[case] arguments: &str) {
    let Ran { code, out, err } = gauntlet(arguments);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!(name, out);
}

/// Bad input: nothing on standard output, one line with the remedy on standard error, exit code 2.
#[rstest]
#[case("run --gateway ngnix")]
#[case("run --gateway http://127.0.0.1:8443")]
#[case("run --gateway ./not-there")]
#[case("run --suite upstraem")]
#[case("run --format htlm")]
#[case("run --format json --format junit")]
#[case("run --filter expired-leaf")]
#[case("run --filter [")]
#[case("run --shard 0/3")]
#[case("run --shard 4/3")]
#[case("run --shard one")]
#[case("run --jobs 0")]
#[case("run --repeat 0")]
#[case("run --pki not-there")]
#[case("run --out a-file")]
#[case("serve expired-laef")]
#[case("serve tls12-only+tls13-only")]
#[case("serve plain-good+")]
#[case("serve plain-good --name not..a..name")]
#[case("serve --port-base 65530")]
#[case("explain expired-laef")]
#[case("explain expired-leaf/strcit")]
#[case("explain expired-leaf/strict::defualt/default")]
#[case("explain expired-leaf/strict::default/legcay")]
#[case("explain nothing/upstream/expired-leaf/strict")]
#[case("explain upstraem/expired-leaf/strict::default/default::nginx")]
#[case("explain expired-leaf/strict --gateway ngnix")]
#[case("certs a-file")]
#[case("certs a-file/below")]
#[case("certs new server-expierd")]
#[case("certs new --format pme")]
#[case("certs garbled")]
#[case("routes --gateway nginx")]
fn bad_input(#[case] arguments: &str) {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("a-file"), "no folder").unwrap();
    fs::create_dir(dir.path().join("garbled")).unwrap();
    fs::write(dir.path().join("garbled/server-root.pem"), "no certificate").unwrap();
    let Ran { code, out, err } = in_dir(dir.path(), arguments);
    assert_eq!(out, "", "an error is no result");
    assert!(err.starts_with("error: "), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    let name = format!("bad-{}", arguments.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-"));
    insta::assert_snapshot!(name, format!("$ gauntlet {arguments}\n{err}exit {code}\n"));
    assert_eq!(code, 2);
    assert!(!dir.path().join("new").exists(), "nothing is written before all is checked");
}

/// What the grammar itself refuses: clap's words, exit code 2.
#[rstest]
#[case("")]
#[case("rnu")]
#[case("list bakcends")]
#[case("run --jobs many")]
#[case("run --verbose --quiet")]
#[case("run --port-base 70000")]
#[case("serve --bind everywhere")]
#[case("explain")]
fn bad_grammar(#[case] arguments: &str) {
    let Ran { code, out, err } = gauntlet(arguments);
    assert_eq!((code, out.as_str()), (2, ""));
    let name = format!("grammar-{}", arguments.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-"));
    insta::assert_snapshot!(name, err);
}

#[rstest]
fn lists_are_tables(
    #[values("backends", "clients", "listeners", "upstreams", "suites")] kind: &str,
    #[values(80, 140)] width: usize,
) {
    let ran = gauntlet::with(&format!("list {kind}"), &[("COLUMNS", &width.to_string())]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.lines().all(|line| line.chars().count() <= width), "{}", ran.out);
    insta::assert_snapshot!(format!("list-{kind}-{width}"), ran.out);
}

#[rstest]
fn lists_are_json(
    #[values("backends", "clients", "listeners", "upstreams", "gateways", "suites", "scenarios")] kind: &str,
) {
    let Ran { code, out, err } = gauntlet(&format!("list {kind} --json"));
    assert_eq!((code, err.as_str()), (0, ""));
    let Value::Array(entries) = serde_json::from_str(&out).unwrap() else { panic!("no array: {out}") };
    assert!(!entries.is_empty());
    for entry in entries {
        for field in ["name", "family", "summary"] {
            let text = entry[field].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{kind}: {entry} has no {field}");
        }
    }
}

#[test]
fn certificates_are_written_and_authorities_kept() {
    let dir = tempdir().unwrap();
    let Ran { code, out, err } =
        in_dir(dir.path(), "certs pki server-good client-good --format pem,pfx --seed 7");
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!("certs", out);
    let root = || fs::read(dir.path().join("pki/server-root.pem")).unwrap();
    let leaf = || fs::read(dir.path().join("pki/server-good.pem")).unwrap();
    let (root_before, leaf_before) = (root(), leaf());
    for path in out.lines() {
        assert!(dir.path().join(path).is_file(), "{path}");
    }

    let again = in_dir(dir.path(), "certs pki expired --json");
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(root(), root_before);
    assert_eq!(leaf(), leaf_before);
    let told: Value = serde_json::from_str(&again.out).unwrap();
    let names: Vec<_> =
        told.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"server-expired") && names.contains(&"client-expired"), "{names:?}");
}

#[test]
fn nobody_reading_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ran = gauntlet::into("list scenarios", writer);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = gauntlet::into("list scenarios", full);
    assert_eq!(ran.code, 3);
    insta::assert_snapshot!("full-disk", ran.err);
}

#[test]
fn the_version_is_told() {
    assert_eq!(gauntlet("--version").out, format!("gauntlet {}\n", env!("CARGO_PKG_VERSION")));
}

/// Every backend behind every upstream, explained without a hole.
#[rstest]
fn every_backend_is_explained(#[values("reference", "direct")] gateway: &str) {
    let Value::Array(backends) = serde_json::from_str(&gauntlet("list backends --json").out).unwrap() else {
        panic!("no array")
    };
    for backend in backends {
        let name = backend["name"].as_str().unwrap();
        let Ran { code, out, err } = gauntlet(&format!("explain {name} --gateway {gateway}"));
        assert_eq!((code, err.as_str()), (0, ""), "{name}");
        assert!(out.contains(&format!("gauntlet serve {name}")), "{out}");
    }
}

#[rstest]
#[case("explain-cell", "explain upstream/expired-leaf/strict::default/default::reference")]
#[case("explain-combination", "explain tls12-only+expired-leaf/min-tls13")]
#[case("explain-backend", "explain renegotiation-required-dual --gateway direct")]
fn explanations(#[case] name: &str, #[case] arguments: &str) {
    let Ran { code, out, err } = gauntlet(arguments);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!(name, out);
}

#[test]
fn an_external_gateway_is_told_its_routes() {
    let arguments = "routes --gateway external --filter upstream/plain-good/strict::* --port-base 20000";
    let Ran { code, out, err } = gauntlet(arguments);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!("routes", out);
    let table: Value = serde_json::from_str(&gauntlet(&format!("{arguments} --json")).out).unwrap();
    assert_eq!(table["routes"][0]["backend"], "127.0.0.1:20000");
}

#[test]
fn a_run_is_reported_on_every_face() {
    let dir = tempdir().unwrap();
    let filter = "upstream/*/strict::default/default::direct";
    let arguments = format!("run --gateway direct --filter {filter} --seed 7 --out out --format json");
    let Ran { code, out, err } = in_dir(dir.path(), &arguments);
    let record: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("no record: {out}{err}"));
    assert_eq!(record["schema"], "gauntlet.run/1");
    assert_eq!(record["seed"], 7);
    assert!(record["cells"].as_array().is_some_and(|cells| !cells.is_empty()));
    let written = fs::read_to_string(dir.path().join("out/run.json")).unwrap();
    assert_eq!(written, out);
    assert_eq!(code, 0, "{err}");
    assert_eq!(err, "", "progress is for terminals");
}

#[test]
fn a_run_without_a_format_writes_every_file_and_shows_the_matrix() {
    let dir = tempdir().unwrap();
    let arguments = "run --gateway direct --filter upstream/plain-good/strict::* --out out";
    let Ran { code, out, err } = in_dir(dir.path(), arguments);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("plain-good"), "{out}");
    assert!(dir.path().join("out/run.json").is_file());
    let junit = fs::read_to_string(dir.path().join("out/junit.xml")).unwrap();
    assert!(junit.contains("name=\"upstream/plain-good/strict::default/default::direct\""), "{junit}");
}
