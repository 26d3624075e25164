//! What is printed, to the letter, on a screen of 80 columns, with and without colour.

use std::{fs, path::Path};

use regex::Regex;
use rstest::rstest;
use tempfile::tempdir;

use crate::{
    gauntlet::{Ran, in_dir_with},
    serving::Serving,
};

#[rstest]
fn help(
    #[values(
        "",
        "run",
        "rotate",
        "explain",
        "report",
        "diff",
        "list",
        "serve",
        "scan",
        "certs",
        "what-if",
        "azure",
        "azure import",
        "azure export",
        "azure upload",
        "init",
        "routes",
        "discover",
        "completions",
        "man"
    )]
    command: &str,
) {
    let ran = wide(Path::new("."), &format!("{command} --help"), 80);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    insta::assert_snapshot!(name(&format!("help {command}")), ran.out);
}

/// Text is wrapped at the width of the screen, and nothing but the wrapping depends on it.
#[rstest]
#[case("scan --help")]
#[case("list suites")]
fn the_width_wraps_and_changes_nothing_else(#[case] command: &str) {
    let words = |width: usize| {
        let out = wide(Path::new("."), command, width).out;
        assert!(
            out.lines().all(|line| line.chars().count() <= width || !line.trim_start().contains(' ')),
            "{out}"
        );
        out.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(words(80), words(100));
    let lines = |width: usize| wide(Path::new("."), command, width).out.lines().count();
    assert!(lines(100) < lines(60), "a wider screen has fewer lines");
}

/// What commands print that need nothing but the catalogue and the model.
#[rstest]
fn results(
    #[values(
        "explain upstream/expired-leaf/strict::default/default::reference",
        "explain tls12-only+expired-leaf/min-tls13",
        "explain renegotiation-required-dual --gateway direct",
        "what-if azure-apim-classic@2025-08 azure-apim-classic@2025-08+backend-tls13",
        "routes --gateway external --filter upstream/plain-good/strict::* --port-base 20000",
        "certs pki server-good client-good --format pem,pfx --seed 7",
        "init",
        "list suites",
        "list clients",
        "list listeners",
        "what-if azure-resource-manager@2025-02:legacy azure-resource-manager@2025-03:legacy --clients"
    )]
    command: &str,
    #[values("never", "always")] colour: &str,
) {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("haproxy.cfg"), HAPROXY).unwrap();
    let ran = wide(dir.path(), &format!("{command} --color {colour}"), 80);
    assert_eq!(ran.err, "");
    insta::assert_snapshot!(name_in(command, colour), visible(&ran.out));
}

const HAPROXY: &str = "backend one\n    # server two 10.0.0.2:443 ssl verify none\n    server one 10.0.0.1:443 ssl verify none\n";

/// What takes its time prints how long it took, which no two runs have in common.
#[rstest]
#[case("run --gateway direct --seed 7 --filter upstream/*-only/strict::*")]
#[case("run --gateway direct --seed 7 --filter upstream/*-only/strict::* --quiet")]
#[case("run --gateway direct --seed 7 --filter upstream/*-only/strict::* --format markdown")]
#[case("discover --gateway reference --seed 1 --suite upstream --filter */renegotiation-*/max-tls12::*")]
fn measured_results(#[case] command: &str, #[values("never", "always")] colour: &str) {
    let dir = tempdir().unwrap();
    let ran = wide(dir.path(), &format!("{command} --color {colour}"), 80);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let version = Regex::new(r"OpenSSL \d\S* \d+ \S+ \d+").unwrap();
    let out = version.replace_all(&ran.out, "OPENSSL");
    // Where a line ends depends on the digits of the times in it.
    let times = Regex::new(r"(?m)^(\S*time\S*) .*\n( .*\n)*").unwrap();
    let out = times.replace_all(&out, "$1 TIMES\n");
    let took = Regex::new(r"cells in \d+\.\d+ s").unwrap();
    let out = took.replace_all(&out, "cells in TIME").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!(name_in(command, colour), visible(&out));
}

#[rstest]
fn a_scan(#[values("never", "always")] colour: &str) {
    let serving = Serving::start(&["renegotiation-required-dual", "--seed", "7"], 1);
    let (port, ca) = (serving.port(0).to_string(), serving.backends[0]["ca"].as_str().unwrap());
    let ran = wide(Path::new("."), &format!("scan localhost:{port} --ca {ca} --color {colour}"), 80);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let out = Regex::new(r"\b\d+\.?\d* (ms|s)\b").unwrap();
    let out = out.replace_all(&ran.out, "TIME").replace(&port, "40001");
    let days = Regex::new(r"\d{4}-\d\d-\d\d").unwrap();
    insta::assert_snapshot!(name_in("scan", colour), visible(&days.replace_all(&out, "DAY")));
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

fn name_in(command: &str, colour: &str) -> String {
    format!("{}{}", name(command), if colour == "always" { "-colour" } else { "" })
}

fn name(command: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    command.trim().chars().map(letter).collect()
}

/// Escape sequences, spelt out so that a snapshot can be read.
fn visible(text: &str) -> String {
    text.replace('\u{1b}', "␛")
}
