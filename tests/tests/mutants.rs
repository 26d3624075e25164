//! Gateways that are set up wrongly, each in one way (`mutants/*.toml`), and caught for that very reason.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests are tests too")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
    path::Path,
};

use serde::Deserialize;
use tests::{Mutant, installed, now};
use tls_gauntlet::{
    gateway::Gateway,
    record::{CellRecord, RunRecord},
    runner::{self, RunRequest},
};
use tls_gauntlet_scenarios::VerdictKind;

/// The gateways that have mutants, one file for each.
const GATEWAYS: [&str; 6] = ["caddy", "envoy", "haproxy", "httpd", "nginx", "traefik"];

/// Those that are there in a second version: what catches a mutant is not the version.
const SECOND: [&str; 2] = ["haproxy@3.0", "nginx@1.26"];

/// Where the score is kept, with the list.
const KEPT: &str = "../docs/mutants.md";

/// One file of `mutants/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrongs {
    mutant: Vec<Wrong>,
}

/// One way to set a gateway up wrongly.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Wrong {
    name: String,
    /// One sentence: what is wrong.
    wrong: String,
    /// Files that its folder has on top of the shipped ones.
    #[serde(default)]
    files: BTreeMap<String, String>,
    edits: Vec<Edit>,
    /// Whether it is called only after a reload.
    #[serde(default)]
    after_reload: bool,
    /// Cells that still pass: it is wrong, but it works.
    #[serde(default = "plain_good")]
    sound: Vec<String>,
    /// Cells that show what is wrong.
    caught: Vec<Caught>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: String,
    text: String,
    with: String,
}

/// What the harness has to say of one cell.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Caught {
    /// Its name without the gateway's.
    cell: String,
    verdict: VerdictKind,
    /// What its reason names.
    names: String,
}

fn plain_good() -> Vec<String> {
    vec!["upstream/plain-good/strict::default/default".to_owned()]
}

#[test]
fn every_mutant_is_caught_for_its_cause() {
    let all = GATEWAYS.map(|gateway| (gateway, wrongs(gateway)));
    catch(&all);
    let count = all.iter().map(|(_, wrongs)| wrongs.len()).sum::<usize>();
    assert!(count >= 40, "only {count} mutants");
    keep(&page(&all));
}

#[test]
fn every_mutant_is_caught_in_the_second_version_too() {
    catch(&SECOND.map(|gateway| (gateway, wrongs(gateway))));
}

/// Runs the mutants of those that are installed, and fails with all that escaped.
fn catch(all: &[(&str, Vec<Wrong>)]) {
    let mut run = 0;
    let mut escaped = Vec::new();
    for (gateway, wrongs) in all.iter().filter(|(gateway, _)| installed(gateway)) {
        let version = |name: &str| Gateway::resolve(name).unwrap().version().map(str::to_owned);
        assert_eq!(version(&Mutant::of(gateway).path()), version(gateway));
        let cells = records(gateway, wrongs);
        run += wrongs.len();
        escaped.extend(wrongs.iter().filter_map(|wrong| wrong.escapes(gateway, &cells)));
    }
    println!("caught {} of {run}", run - escaped.len());
    assert!(escaped.is_empty(), "{} of {run} escaped:\n{}", escaped.len(), escaped.join("\n"));
}

/// The program, without the version.
fn program(gateway: &str) -> &str {
    gateway.split('@').next().unwrap()
}

/// The mutants of one gateway.
fn wrongs(gateway: &str) -> Vec<Wrong> {
    let gateway = program(gateway);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("mutants/{gateway}.toml"));
    let text = fs::read_to_string(&file).unwrap();
    toml::from_str::<Wrongs>(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())).mutant
}

/// All mutants of a gateway, those that are to be reloaded in a run of their own.
fn records(gateway: &str, wrongs: &[Wrong]) -> Vec<CellRecord> {
    let (reloaded, others): (Vec<&Wrong>, Vec<&Wrong>) = wrongs.iter().partition(|wrong| wrong.after_reload);
    let mut cells = record(gateway, &others, false).cells;
    if !reloaded.is_empty() {
        cells.extend(record(gateway, &reloaded, true).cells);
    }
    cells
}

/// One run over mutants of a gateway: each is a gateway of its own, with the cells that it is there for.
fn record(gateway: &str, wrongs: &[&Wrong], after_reload: bool) -> RunRecord {
    let mutants: Vec<Mutant> = wrongs.iter().map(|wrong| wrong.build(gateway)).collect();
    let mut request = RunRequest::new(1, now());
    request.after_reload = after_reload;
    request.gateways = mutants.iter().map(Mutant::path).collect();
    request.filters =
        wrongs.iter().flat_map(|wrong| wrong.cells().map(|cell| wrong.id(gateway, cell))).collect();
    let suites: BTreeSet<&str> = request.filters.iter().filter_map(|id| id.split('/').next()).collect();
    request.suites = suites.into_iter().map(str::to_owned).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(runner::run(&request, &|_| {})).unwrap()
}

impl Wrong {
    /// What it is called beside the other gateways of its run.
    fn gateway(&self, gateway: &str) -> String {
        format!("{gateway}-{}", self.name)
    }

    fn id(&self, gateway: &str, cell: &str) -> String {
        format!("{cell}::{}", self.gateway(gateway))
    }

    fn cells(&self) -> impl Iterator<Item = &str> {
        self.sound.iter().chain(self.caught.iter().map(|caught| &caught.cell)).map(String::as_str)
    }

    fn build(&self, gateway: &str) -> Mutant {
        let called = format!("name = \"{}\"\n", self.gateway(gateway));
        let name = format!("name = \"{}\"\n", program(gateway));
        let mutant = Mutant::of(gateway).with("gateway.toml", &name, &called);
        for (file, content) in &self.files {
            fs::write(mutant.beside(file), content).unwrap();
        }
        self.edits.iter().fold(mutant, |mutant, edit| mutant.with(&edit.file, &edit.text, &edit.with))
    }

    /// What the harness did not see of it, if anything.
    fn escapes(&self, gateway: &str, cells: &[CellRecord]) -> Option<String> {
        let cell = |name: &str| {
            let id = self.id(gateway, name);
            cells.iter().find(|cell| cell.id == id)
        };
        let told = |cell: Option<&CellRecord>| match cell {
            Some(cell) => format!("{}: {}", cell.verdict, cell.because.as_deref().unwrap_or("no reason")),
            None => "there is no such cell".to_owned(),
        };
        let mut missed = Vec::new();
        for name in &self.sound {
            let found = cell(name);
            if found.is_none_or(|cell| cell.verdict != VerdictKind::Pass) {
                missed.push(format!("    {name} must still pass, but is {}", told(found)));
            }
        }
        for Caught { cell: name, verdict, names } in &self.caught {
            let found = cell(name);
            let fits = found.is_some_and(|cell| {
                cell.verdict == *verdict
                    && !names.is_empty()
                    && cell.because.as_ref().is_some_and(|because| because.contains(names))
            });
            if !fits {
                missed
                    .push(format!("    {name} must be {verdict} and name {names:?}, but is {}", told(found)));
            }
        }
        (!missed.is_empty()).then(|| format!("  {}\n{}", self.gateway(gateway), missed.join("\n")))
    }
}

/// The list, for people.
fn page(all: &[(&str, Vec<Wrong>)]) -> String {
    let count: usize = all.iter().map(|(_, wrongs)| wrongs.len()).sum();
    let mut page = format!(
        "# Gateways that are set up wrongly\n\n\
         `tests/tests/mutants.rs` sets the real gateways up wrongly, each time in one way, and fails unless every one is caught for \
         its cause.\n\nCaught {count} of {count}.\n\n\
         | gateway | what is wrong | cell | verdict | what it names |\n|---|---|---|---|---|\n"
    );
    for (gateway, wrongs) in all {
        for wrong in wrongs {
            for (index, Caught { cell, verdict, names }) in wrong.caught.iter().enumerate() {
                let (gateway, what) = if index == 0 { (*gateway, wrong.wrong.as_str()) } else { ("", "") };
                writeln!(page, "| {gateway} | {what} | `{cell}` | `{verdict}` | {names} |").unwrap();
            }
        }
    }
    page
}

/// Compares the list with the one that is kept; `UPDATE=1` replaces that one.
fn keep(page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(KEPT);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, page).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, page, "{KEPT} is not what the mutants say; write it anew with UPDATE=1");
}
