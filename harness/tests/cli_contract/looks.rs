//! What is printed, to the letter: for screens of 80 and of 140 columns, with and without colour.

use std::{fs, path::Path};

use regex::Regex;
use rstest::rstest;
use tempfile::tempdir;

use crate::{
    gauntlet::{Ran, in_dir, in_dir_with},
    serving::Serving,
};

#[rstest]
fn help(
    #[values(
        "",
        "init",
        "run",
        "report",
        "diff",
        "profile",
        "profile import",
        "profile export",
        "profile upload",
        "baseline",
        "baseline accept",
        "serve",
        "list",
        "explain",
        "certs",
        "routes",
        "discover",
        "scan",
        "hello",
        "late",
        "presets",
        "rotate",
        "completions",
        "man"
    )]
    command: &str,
    #[values(80, 140)] width: usize,
    #[values("never", "always")] colour: &str,
) {
    let ran = wide(Path::new("."), &format!("{command} --help --color {colour}"), width);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    insta::assert_snapshot!(name(&format!("help {command}"), width, colour), visible(&ran.out));
}

/// What commands print that need nothing but the catalogue and the model.
#[rstest]
fn results(
    #[values(
        "explain upstream/expired-leaf/strict::default/default::reference",
        "explain tls12-only+expired-leaf/min-tls13",
        "explain renegotiation-required-dual --gateway direct",
        "diff azure-apim-classic@2025-08 azure-apim-classic@2025-08+backend-tls13",
        "routes --gateway external --filter upstream/plain-good/strict::* --port-base 20000",
        "certs pki server-good client-good --format pem,pfx --seed 7",
        "init",
        "list suites",
        "list clients",
        "list listeners",
        "presets azure-resource-manager@2025-02:legacy azure-resource-manager@2025-03:legacy"
    )]
    command: &str,
    #[values(80, 140)] width: usize,
    #[values("never", "always")] colour: &str,
) {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("haproxy.cfg"), HAPROXY).unwrap();
    let ran = wide(dir.path(), &format!("{command} --color {colour}"), width);
    assert_eq!(ran.err, "");
    insta::assert_snapshot!(name(command, width, colour), visible(&ran.out));
}

const HAPROXY: &str = "backend one\n    # server two 10.0.0.2:443 ssl verify none\n    server one 10.0.0.1:443 ssl verify none\n";

/// What takes its time prints how long it took, which no two runs have in common.
#[rstest]
#[case("run --gateway direct --seed 7 --filter upstream/*-only/strict::*")]
#[case("run --gateway direct --seed 7 --filter upstream/*-only/strict::* --quiet")]
#[case("run --gateway direct --seed 7 --filter upstream/*-only/strict::* --format markdown")]
#[case("discover --gateway reference --seed 1 --suite upstream --filter */renegotiation-*/max-tls12::*")]
fn measured_results(
    #[case] command: &str,
    #[values(80, 140)] width: usize,
    #[values("never", "always")] colour: &str,
) {
    let dir = tempdir().unwrap();
    let ran = wide(dir.path(), &format!("{command} --color {colour}"), width);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let version = Regex::new(r"OpenSSL \d\S* \d+ \S+ \d+").unwrap();
    let out = version.replace_all(&ran.out, "OPENSSL");
    // Where a line ends depends on the digits of the times in it.
    let times = Regex::new(r"(?m)^(\S*time\S*) .*\n( .*\n)*").unwrap();
    let out = times.replace_all(&out, "$1 TIMES\n");
    let took = Regex::new(r"cells in \d+\.\d+ s").unwrap();
    let out = took.replace_all(&out, "cells in TIME").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!(name(command, width, colour), visible(&out));
}

#[rstest]
fn a_scan(#[values(80, 140)] width: usize, #[values("never", "always")] colour: &str) {
    let serving = Serving::start(&["renegotiation-required-dual", "--seed", "7"], 1);
    let (port, ca) = (serving.port(0).to_string(), serving.backends[0]["ca"].as_str().unwrap());
    let ran = wide(Path::new("."), &format!("scan localhost:{port} --ca {ca} --color {colour}"), width);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let out = Regex::new(r"\b\d+\.?\d* (ms|s)\b").unwrap();
    let out = out.replace_all(&ran.out, "TIME").replace(&port, "40001");
    let days = Regex::new(r"\d{4}-\d\d-\d\d").unwrap();
    insta::assert_snapshot!(name("scan", width, colour), visible(&days.replace_all(&out, "DAY")));
}

/// Errors are one line on any screen.
#[rstest]
#[case("explain expired-laef")]
#[case("run --gateway ngnix")]
#[case("certs pki client-goood")]
#[case("certs pki --format pme")]
#[case("run --format htlm")]
#[case("list bakcends")]
fn errors(#[case] command: &str, #[values(80, 140)] width: usize, #[values("never", "always")] colour: &str) {
    let dir = tempdir().unwrap();
    let ran = wide(dir.path(), &format!("{command} --color {colour}"), width);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    insta::assert_snapshot!(name(&format!("error {command}"), width, colour), visible(&ran.err));
}

#[rstest]
#[case::neither_terminal_nor_asked_for("list backends", &[], false)]
#[case::asked_for("run --gateway ngnix --color always", &[], true)]
#[case::asked_for_in_one_word("run --gateway ngnix --color=always", &[("NO_COLOR", "1")], true)]
#[case::asked_for_first("--color always run --gateway ngnix", &[("TERM", "dumb")], true)]
#[case::refused("--help --color never", &[("CLICOLOR_FORCE", "1")], false)]
#[case::grammar("rnu --color always", &[], true)]
fn colour_is_there_if_asked_for(
    #[case] line: &str,
    #[case] environment: &[(&str, &str)],
    #[case] there: bool,
) {
    let Ran { out, err, .. } = crate::gauntlet::with(line, environment);
    assert_eq!(out.contains('\u{1b}') || err.contains('\u{1b}'), there, "{out}{err}");
}

fn wide(dir: &Path, arguments: &str, width: usize) -> Ran {
    let width = width.to_string();
    let mut environment = vec![("COLUMNS", width.as_str())];
    environment.extend(GATEWAYS.map(|variable| (variable, "/nowhere")));
    in_dir_with(dir, arguments, &environment)
}

/// What is installed, and in which version, is not to show.
const GATEWAYS: [&str; 6] = [
    "GAUNTLET_NGINX",
    "GAUNTLET_HAPROXY",
    "GAUNTLET_ENVOY",
    "GAUNTLET_CADDY",
    "GAUNTLET_TRAEFIK",
    "GAUNTLET_HTTPD",
];

fn name(command: &str, width: usize, colour: &str) -> String {
    let words: String = command
        .trim()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .collect();
    format!("{words}-{width}{}", if colour == "always" { "-colour" } else { "" })
}

/// Escape sequences, spelt out so that a snapshot can be read.
fn visible(text: &str) -> String {
    text.replace('\u{1b}', "␛")
}

#[test]
fn help_names_every_command() {
    let help = in_dir(Path::new("."), "--help").out;
    let named =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let named = named.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for command in named.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        let file = format!("tests/cli_contract/snapshots/cli_contract__looks__help-{command}-80.snap");
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file).is_file(), "no {file}");
    }
}
