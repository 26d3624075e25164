//! The command line as its users meet it: help, results, errors and exit codes, by running the program.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod gauntlet;
mod looks;
mod profiles;
mod project;
mod serving;
mod shells;
mod terminal;

use std::{fmt::Write, fs};

use gauntlet::{Ran, gauntlet, in_dir};
use rstest::rstest;
use serde_json::Value;
use tempfile::tempdir;

/// What breaks, heals and stays; 1 because something breaks.
#[test]
fn what_if_tells_what_a_switch_breaks() {
    let Ran { code, out, err } =
        gauntlet("what-if azure-apim-classic@2025-08 azure-apim-classic@2025-08+backend-tls13");
    assert_eq!((code, err.as_str()), (1, ""));
    let broken: Vec<_> = out.lines().filter(|line| line.starts_with("  breaks")).collect();
    assert_eq!(broken, ["  breaks  renegotiation-required-dual"], "{out}");
    assert!(out.contains("works (TLSv1.2) → post-handshake-auth-refused by the gateway, 403"), "{out}");
    assert!(out.contains("  heals   tls13-only"), "{out}");
    let same = gauntlet("what-if azure-apim-v2@2025-08 azure-apim-v2@2025-08 --json");
    assert_eq!((same.code, same.err.as_str()), (0, ""));
    let json: Value = serde_json::from_str(&same.out).unwrap();
    assert!(json.as_array().unwrap().iter().all(|change| change["effect"] != "breaks"));
}

#[test]
fn a_pod_of_an_indexed_job_runs_the_shard_of_its_index() {
    let line = "run --gateway direct --shard index/4";
    // That of index 0 is the first; there is none after index 3.
    let beyond = gauntlet::with(line, &[("JOB_COMPLETION_INDEX", "4")]);
    assert_eq!(beyond.code, 2);
    assert!(beyond.err.contains("--shard \"5/4\" makes no sense"), "{}", beyond.err);
    let nowhere = gauntlet(line);
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.err.contains("needs the number of this pod in JOB_COMPLETION_INDEX"), "{}", nowhere.err);
}

/// A setting that some tiers do not let anybody change.
const FIXED_KEY: &str = "\"Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Ciphers.TripleDes168\"";
const FIXED: &str =
    r#"{"Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Ciphers.TripleDes168": "True"}"#;

/// Every error, in the order of the snapshot.
const BAD_INPUT: &[&str] = &[
    "run --gateway ngnix",
    "run --gateway http://127.0.0.1:8443",
    "run --gateway ./not-there",
    "run --suite upstraem",
    "run --config not-there.toml",
    "run --config mistyped.toml",
    "run --config misnamed.toml",
    "run --config nothing-fits.toml",
    "routes --gateway external --config misnamed.toml",
    "init there",
    "init not-there",
    "man rnu",
    "man --out a-file",
    "run --format htlm",
    "run --format json --format junit",
    "run --filter expired-leaf",
    "run --filter [",
    "run --shard 0/3",
    "run --shard 4/3",
    "run --shard one",
    "run --jobs 0",
    "run --repeat 0",
    "run --pki not-there",
    "run --out a-file",
    "run --out a-file/below",
    "run --out taken",
    "run --events taken",
    "run --shard 1/2 --costs a-file",
    "run --shard 1/2 --costs not-there",
    "report a-file",
    "report of-tomorrow",
    "report not-there",
    "report a-file a-file",
    "discover --gateway direct",
    "discover --gateway reference --repeat 0",
    "discover --gateway reference --out a-file",
    "run --baseline not-there",
    "run --baseline of-tomorrow",
    "diff a-file a-file",
    "report not-there --accept so",
    "serve expired-laef",
    "serve tls12-only+tls13-only",
    "serve plain-good+",
    "serve plain-good --name not..a..name",
    "serve --port-base 65530",
    "explain expired-laef",
    "explain expired-leaf/strcit",
    "explain expired-leaf/strict::defualt/default",
    "explain expired-leaf/strict::default/legcay",
    "explain nothing/upstream/expired-leaf/strict",
    "explain upstraem/expired-leaf/strict::default/default::nginx",
    "explain expired-leaf/strict --gateway ngnix",
    "run --gateway azure-apim-classic@2025-08+backend-tls14",
    "run --gateway azure-apim-classic@2025-08+backend-without-tls12",
    "run --gateway azure-apim-clasic@2025-08",
    "what-if nginx ngnix",
    "azure import not-there.json",
    "azure import a-file",
    "azure export nginx",
    "run --gateway not-there.toml",
    "what-if nginx:strcit nginx",
    "what-if https://localhost:8443 nginx",
    "what-if azure-apim-v2@2025-08:min-tls13 nginx",
    "certs a-file",
    "certs a-file/below",
    "certs new server-expierd",
    "certs new --format pme",
    "certs garbled",
    "routes --gateway nginx",
    "serve accepts-everything --name not..a..name",
    "rotate --gateway direct",
    "rotate --gateway ngnix",
    "rotate --rate 0",
    "rotate backend-certifcate",
    "rotate --out a-file/below",
    "azure upload nginx a-file",
    "azure upload azure-apim-classic@2025-08 not-there",
    "azure upload azure-apim-classic@2025-08 a-file",
    "azure upload azure-apim-classic@2025-08 a-file --store Roots",
    "azure upload azure-apim-classic@2025-08 a-file --store Root",
    "azure upload azure-apim-consumption a-file --store Root",
    "azure import fixed.json --tier azure-apim-v2@2025-08",
    "azure import fixed.json --tier nginx",
    "run --gateway fixed.toml",
    "scan",
    "scan backend.example",
    "scan 127.0.0.1:443 --jobs 0",
    "scan 127.0.0.1:443 --path secret",
    "scan 127.0.0.1:443 --format html",
    "scan 127.0.0.1:443 --format jsno",
    "scan 127.0.0.1:443 --sni host:443",
    "scan 127.0.0.1:443 --ca a-file",
    "scan 127.0.0.1:443 --ca not-there",
    "scan --targets a-file",
    "scan --targets not-there",
    "report --format late not-there",
    "report --format late not-there.json",
    "report --format late a-file",
    "report --format late of-nothing.json",
    "what-if ngnix --clients",
    "what-if nginx:legcay --clients",
    "scan --as all 127.0.0.1:70000",
    "diff of-run.json of-scan.json",
    "diff of-scan.json nginx",
    "diff of-scan.json a-file",
    "scan 127.0.0.1:1 --as jvaa-8",
    "report of-run.json --format late --out new",
    "what-if of-run.json of-scan.json",
    "late run.json",
    "profile import x",
    "diff nginx nginx:strict",
];

/// Bad input: nothing on standard output, one line with the remedy on standard error, exit code 2.
#[test]
fn bad_input() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("a-file"), "no folder").unwrap();
    fs::write(dir.path().join("fixed.json"), FIXED).unwrap();
    let v2 = include_str!("../../../scenarios/catalog/profiles/azure-apim-v2@2025-08.toml");
    fs::write(dir.path().join("fixed.toml"), format!("{v2}\n[custom-properties]\n{FIXED_KEY} = \"True\"\n"))
        .unwrap();
    fs::write(dir.path().join("of-tomorrow"), r#"{"schema": "gauntlet.run/2"}"#).unwrap();
    fs::create_dir_all(dir.path().join("taken/run.json")).unwrap();
    let record = run_record(&[]);
    fs::write(dir.path().join("of-nothing.json"), record.replace(r#""client_saw":{},"#, "")).unwrap();
    fs::write(dir.path().join("of-run.json"), record).unwrap();
    fs::write(dir.path().join("of-scan.json"), SCAN).unwrap();
    fs::create_dir(dir.path().join("there")).unwrap();
    fs::write(dir.path().join("there/gauntlet.toml"), "").unwrap();
    fs::write(dir.path().join("mistyped.toml"), "suites = []\n\n  gatways = []\n").unwrap();
    fs::write(dir.path().join("misnamed.toml"), "gateways = [\n    \"direct\",\n]\nclaims = \"ngnix\"\n")
        .unwrap();
    let filters = "gateways = [\"direct\"]\nfilters = [\"*\", \"expired\"]\n";
    fs::write(dir.path().join("nothing-fits.toml"), filters).unwrap();
    fs::create_dir(dir.path().join("garbled")).unwrap();
    fs::write(dir.path().join("garbled/server-root.pem"), "no certificate").unwrap();
    let mut told = String::new();
    for arguments in BAD_INPUT {
        let Ran { code, out, err } = in_dir(dir.path(), arguments);
        assert_eq!((code, out.as_str()), (2, ""), "an error is no result: {arguments}: {err}");
        assert!(err.starts_with("error: "), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(!dir.path().join("new").exists(), "nothing is written before all is checked: {arguments}");
        writeln!(told, "$ gauntlet {arguments}\n{err}").unwrap();
    }
    insta::assert_snapshot!("bad-input", told);
}

/// A scan of three servers.
const SCAN: &str = include_str!("../../src/report/scan/sample.json");

/// The smallest run record, with these lines in the log of its gateway.
fn run_record(log: &[&str]) -> String {
    let cell = serde_json::json!({
        "id": "s/b/u::c/l::reference", "gateway": "reference", "client": "c", "listener": "l", "upstream": "u",
        "backend": "b", "verdict": "pass", "client_saw": {}, "gateway_said": log, "why": "", "source": "",
        "reproduce": "", "duration_ms": 1,
    });
    serde_json::json!({
        "schema": "gauntlet.run/1", "tool": {"name": "gauntlet", "version": "0"}, "seed": 1, "started": "",
        "duration_ms": 1, "gateways": [], "cells": [cell], "summary": {},
    })
    .to_string()
}

/// The list, the answer, and 1 where the answer is no.
#[rstest]
#[case(&["nonce=a path=/r/1/a/orders status=200 method=PUT tls=TLSv1.2 http=HTTP/1.1 late=given"], 1)]
#[case(&["nonce=a path=/r/1/a/orders status=200 method=PUT tls=TLSv1.3 http=HTTP/1.1 late=given"], 1)]
#[case(&["nonce=a path=/r/1/a/orders status=403 method=PUT tls=TLSv1.3 http=HTTP/1.1 late=not-asked"], 1)]
#[case(&["nonce=a path=/r/1/a/orders status=200"], 0)]
fn late_demands_are_listed(#[case] log: &[&str], #[case] code: i32) {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("gateway.log"), log.join("\n")).unwrap();
    fs::write(dir.path().join("run.json"), run_record(log)).unwrap();
    for file in ["gateway.log", "run.json"] {
        let ran = in_dir(dir.path(), &format!("report --format late {file}"));
        assert_eq!((ran.code, ran.err.as_str()), (code, ""), "{file}");
        assert_eq!(ran.out.contains("PUT /orders"), code == 1, "{}", ran.out);
        let json = in_dir(dir.path(), &format!("report --format late {file} --json")).out;
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["schema"], &json["safe"]), (&"gauntlet.late/1".into(), &Value::Bool(code == 0)));
    }
}

/// Who dies, and 1 because somebody does.
#[test]
fn presets_tell_who_dies_when_old_versions_go() {
    let (before, after) = ("azure-resource-manager@2025-02:legacy", "azure-resource-manager@2025-03:legacy");
    let Ran { code, out, err } = gauntlet(&format!("what-if {before} {after} --clients"));
    assert_eq!((code, err.as_str()), (1, ""));
    assert!(out.contains("lost from the first to the last: android-4.0, dotnet-4.5,"), "{out}");
    let same = gauntlet(&format!("what-if {after} {after} --clients --json"));
    assert_eq!((same.code, same.err.as_str()), (0, ""));
    let json: Value = serde_json::from_str(&same.out).unwrap();
    let java =
        json[0]["clients"].as_array().unwrap().iter().find(|client| client["preset"] == "java-7").unwrap();
    assert_eq!((&java["outcome"], &java["cause"]), (&"refuse".into(), &"no-common-version".into()));
    let listed = gauntlet("list presets --json");
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    assert!(listed.as_array().unwrap().iter().all(|entry| entry["hello"]["ja4"].is_string()));
}

/// Nobody gets through to a server that is not there, and that says nothing of the clients.
#[test]
fn presets_have_nothing_to_say_of_a_server_that_is_not_there() {
    let Ran { code, out, err } = gauntlet("scan 127.0.0.1:1 --as all");
    let because = "Connection refused (os error 111); name a server that listens";
    assert_eq!((code, out.as_str(), err), (3, "", format!("error: cannot reach 127.0.0.1:1: {because}\n")));
}

#[test]
fn diff_of_two_scans_tells_what_got_worse() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("before.json"), SCAN).unwrap();
    let mut later: Value = serde_json::from_str(SCAN).unwrap();
    later["targets"][2]["word"] = "unreachable".into();
    fs::write(dir.path().join("after.json"), later.to_string()).unwrap();
    let worse = in_dir(dir.path(), "diff before.json after.json");
    assert_eq!((worse.code, worse.err.as_str()), (1, ""));
    assert!(worse.out.starts_with("got worse (1 server)\n"), "{}", worse.out);
    let better = in_dir(dir.path(), "diff after.json before.json --json");
    assert_eq!((better.code, better.err.as_str()), (0, ""));
    let json: Value = serde_json::from_str(&better.out).unwrap();
    assert_eq!(json[2]["trend"], "better");
    assert_eq!(json[2]["facts"][0]["after"], "works");
}

/// What the grammar itself refuses: clap's words, exit code 2.
#[rstest]
#[case("")]
#[case("rnu")]
#[case("list bakcends")]
#[case("completions bsh")]
#[case("list backends --color sometimes")]
#[case("run --config gauntlet.toml --no-config")]
#[case("run --jobs many")]
#[case("run --verbose --quiet")]
#[case("run --port-base 70000")]
#[case("run --costs run.json")]
#[case("report")]
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

/// `/proc` is there and takes no file, whoever asks.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_file_is_refused_before_the_run() {
    let Ran { code, out, err } = gauntlet("run --out /proc/self");
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.starts_with("error: cannot write into the folder /proc/self: "), "{err}");
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
fn a_gateway_is_measured() {
    let cells =
        "--gateway reference --suite upstream --filter */renegotiation-*/max-tls12::* --seed 1 --repeat 1";
    let Ran { code, out, err } = gauntlet(&format!("discover {cells}"));
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!("discover", out.replace(env!("CARGO_PKG_VERSION"), "VERSION"));

    let folder = tempdir().unwrap();
    let Ran { code, out, .. } = in_dir(folder.path(), &format!("discover {cells} --out found --json"));
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &found["claims"]["follows-renegotiation"]), (0, &Value::Bool(true)));
    assert_eq!(found["unexplained"].as_array().unwrap().len(), 0);
    assert!(folder.path().join("found/gateway.toml").is_file());
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
fn a_run_without_a_format_writes_every_file_and_shows_each_gateway() {
    let dir = tempdir().unwrap();
    let arguments = "run --gateway direct --filter upstream/plain-good/strict::* --out out";
    let Ran { code, out, err } = in_dir(dir.path(), arguments);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("✓ through") && out.contains("1 of 1"), "{out}");
    assert!(dir.path().join("out/run.json").is_file());
    let junit = fs::read_to_string(dir.path().join("out/junit.xml")).unwrap();
    assert!(junit.contains("name=\"upstream/plain-good/strict::default/default::direct\""), "{junit}");
}

#[test]
fn shards_are_joined_and_what_does_not_fit_is_refused() {
    let dir = tempdir().unwrap();
    let run = |shard: &str, out: &str| {
        let filter = "upstream/plain-good/*::direct";
        let ran = in_dir(dir.path(), &format!("run --gateway direct --filter {filter} {shard} --out {out}"));
        assert_eq!(ran.code, 0, "{}", ran.err);
    };
    run("--seed 0", "whole");
    run("--shard 1/2", "one");
    run("--shard 2/2", "two");
    run("--shard 2/2 --seed 1", "of-another-seed");
    run("--shard 2/2 --costs whole/run.json", "split-otherwise");
    let merged = |records: &str| {
        let Ran { code, out, err } = in_dir(dir.path(), &format!("report --merge {records} --format json"));
        assert_eq!((code, err.as_str()), (0, ""));
        out
    };
    let joined = merged("one/run.json two/run.json");
    assert_eq!(joined, merged("two/run.json one/run.json"));
    let ids = |text: &str| -> Vec<String> {
        let record: Value = serde_json::from_str(text).unwrap();
        let cells = record["cells"].as_array().unwrap();
        cells.iter().map(|cell| cell["id"].as_str().unwrap().to_owned()).collect()
    };
    let whole = fs::read_to_string(dir.path().join("whole/run.json")).unwrap();
    assert_eq!(ids(&joined), ids(&whole));
    assert_eq!(merged("whole/run.json"), whole);

    let garbled =
        fs::read_to_string(dir.path().join("two/run.json")).unwrap().replace("/strict::", "/strcit::");
    fs::write(dir.path().join("changed.json"), garbled).unwrap();
    let mut refused = String::new();
    for records in [
        "one/run.json",
        "one/run.json two/run.json one/run.json",
        "one/run.json whole/run.json",
        "one/run.json of-another-seed/run.json",
        "one/run.json split-otherwise/run.json",
        "one/run.json changed.json",
        "whole/run.json whole/run.json",
    ] {
        let Ran { code, out, err } = in_dir(dir.path(), &format!("report --merge {records}"));
        assert_eq!((code, out.as_str()), (2, ""));
        writeln!(refused, "$ gauntlet report --merge {records}\n{}", err.trim_end()).unwrap();
    }
    insta::assert_snapshot!("merge-refused", refused);
}

#[test]
fn what_is_wrong_is_accepted_once_and_then_only_changes_count() {
    let dir = tempdir().unwrap();
    let run = |arguments: &str| in_dir(dir.path(), arguments);
    let sound = "run --gateway direct --filter upstream/plain-good/*::direct";
    assert_eq!(run(&format!("{sound} --out before")).code, 0);
    let path = dir.path().join("before/run.json");
    let wrong =
        fs::read_to_string(&path).unwrap().replacen(r#""verdict": "pass""#, r#""verdict": "fail-open""#, 1);
    fs::write(dir.path().join("wrong.json"), &wrong).unwrap();

    assert_eq!(run("report wrong.json").code, 1);
    let accepted = run("report wrong.json --accept for-now");
    assert_eq!((accepted.code, accepted.err.as_str()), (0, ""));
    assert!(accepted.out.starts_with("gauntlet-baseline.json: 1 taken over\n"), "{}", accepted.out);
    assert_eq!(run("report wrong.json --baseline gauntlet-baseline.json").code, 0);
    let healed = run(&format!("{sound} --baseline gauntlet-baseline.json"));
    assert!(healed.out.contains("healed (1 cell)"), "{}", healed.out);
    assert_eq!(healed.code, 0);

    assert_eq!(run("diff before/run.json wrong.json").code, 1);
    assert_eq!(run("diff wrong.json before/run.json").code, 0);
    assert_eq!(run("diff wrong.json wrong.json --json").code, 0);
    let told: Value = serde_json::from_str(&run("diff before/run.json wrong.json --json").out).unwrap();
    assert_eq!(told[0]["kind"], "broke");
    assert_eq!(told[0]["after"]["verdict"], "fail-open");

    let broken = wrong.replace("fail-open", "broken");
    fs::write(dir.path().join("broken.json"), broken).unwrap();
    let refused = run("report broken.json --accept so");
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("did not run to an end"), "{}", refused.err);
}

#[test]
fn a_run_tells_what_happens_line_by_line() {
    let dir = tempdir().unwrap();
    let arguments =
        "run --gateway direct --filter upstream/plain-good/*::direct --events events.jsonl --quiet";
    assert_eq!(in_dir(dir.path(), arguments).code, 0);
    let text = fs::read_to_string(dir.path().join("events.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["event"] == kind).count();
    let planned = lines[0]["cells"].as_u64().unwrap();
    assert_eq!((lines[0]["event"].as_str(), of("planned")), (Some("planned"), 1));
    assert_eq!((of("called") as u64, of("judged") as u64), (planned, planned));
    assert!(lines.iter().any(|line| line["event"] == "stage" && line["name"] == "backends"), "{text}");
    assert!(lines.iter().filter(|line| line["event"] == "judged").all(|line| line["verdict"] == "pass"));
    let last = lines.last().unwrap();
    assert_eq!((last["event"].as_str(), last["exit_code"].as_u64()), (Some("finished"), Some(0)));
    assert!(lines.is_sorted_by_key(|line| line["elapsed_ms"].as_u64()));
}

/// What a service is set to, as a profile that runs, and back.
#[test]
fn the_settings_of_a_service_go_in_and_come_out() {
    let folder = tempdir().unwrap();
    let template = serde_json::json!({
        "resources": [{
            "type": "Microsoft.ApiManagement/service",
            "name": "contoso",
            "properties": { "customProperties": {
                "Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Backend.Protocols.Tls13": "True",
                "Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Something.New": "Maybe",
            }},
        }],
    });
    fs::write(folder.path().join("azure.json"), template.to_string()).unwrap();
    let Ran { code, out, err } = in_dir(folder.path(), "azure import azure.json");
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("Security.Something.New is unknown here; it is kept as it is"), "{err}");
    fs::write(folder.path().join("contoso.toml"), out).unwrap();

    let back = in_dir(folder.path(), "azure export contoso.toml");
    let json: Value = serde_json::from_str(&back.out).unwrap();
    let map = &json["properties"]["customProperties"];
    let key =
        |name: &str| map[format!("Microsoft.WindowsAzure.ApiManagement.Gateway.Security.{name}")].as_str();
    assert_eq!(key("Backend.Protocols.Tls13"), Some("True"));
    assert_eq!(key("Backend.Protocols.Tls12"), Some("True"));
    assert_eq!(key("Something.New"), Some("Maybe"));

    let would = in_dir(folder.path(), "what-if azure-apim-classic@2025-08 contoso.toml");
    assert_eq!(would.code, 1, "{}", would.err);
    assert!(would.out.contains("breaks  renegotiation-required-dual"), "{}", would.out);
}
