//! A gateway in a container is the gateway that it is anywhere else: on a real engine, from an image made of the nginx of
//! this machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{path::Path, process::Command};

use tests::{Mutant, installed, run, run_reloaded, run_suites, with_verdict};
use tls_gauntlet::{gateway::Gateway, trials};
use tls_gauntlet_scenarios::{CellId, Diagnosis, VerdictKind};

/// The shipped nginx, its program in a container; none where no engine runs.
fn contained() -> Option<Mutant> {
    let engine = Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]).output();
    if !installed("nginx") || !engine.is_ok_and(|output| output.status.success()) {
        assert!(!trials::is_required("docker"), "docker is required, and no engine answers");
        return None;
    }
    let mutant = Mutant::of("nginx")
        .with("gateway.toml", "name = \"nginx\"\n", "name = \"contained\"\n")
        .with("gateway.toml", "[program]", "[container]\nbuild = \"image\"\n\n[program]");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/image/of-program.sh");
    assert!(Command::new(script).arg("nginx").arg(mutant.beside("image")).status().unwrap().success());
    Some(mutant)
}

#[test]
fn its_verdicts_are_those_of_the_same_program_outside() {
    let Some(contained) = contained() else { return };
    assert_eq!(Gateway::resolve(&contained.path()).unwrap().engine(), Some("docker"));
    let record = run_suites(&["nginx".to_owned(), contained.path()], &["upstream/*", "listener/*"]);
    let told = |gateway: &str| {
        let cells = record.cells.iter().filter(|cell| cell.gateway == gateway);
        let all = cells.map(|cell| {
            let id = CellId { gateway: String::new(), ..cell.id.parse().unwrap() };
            (id.to_string(), cell.verdict, cell.observed.as_ref().map(seen))
        });
        all.collect::<Vec<_>>()
    };
    let (here, contained) = (told("nginx"), told("contained"));
    assert!(here.len() > 300, "only {} cells", here.len());
    for (here, contained) in here.iter().zip(&contained) {
        assert_eq!(here, contained);
    }
    assert_eq!(here.len(), contained.len());
}

/// What happened, who ended it, when and why.
fn seen(observed: &Diagnosis) -> String {
    format!("{:?}", (&observed.outcome, &observed.by, &observed.phase, &observed.cause))
}

#[test]
fn one_that_is_set_up_wrongly_is_caught() {
    let Some(contained) = contained() else { return };
    let lax = contained.with("nginx.conf.j2", "proxy_ssl_verify on;", "proxy_ssl_verify off;");
    let record = run(&lax.path(), &["upstream/plain-good/strict::*", "upstream/expired-leaf/strict::*"]);
    assert_eq!(with_verdict(&record, VerdictKind::Pass), ["plain-good/strict::default/default"]);
    assert_eq!(with_verdict(&record, VerdictKind::FailOpen), ["expired-leaf/strict::default/default"]);
}

#[test]
fn what_was_reloaded_counts() {
    let Some(contained) = contained() else { return };
    let cells = ["upstream/plain-good/strict::*", "upstream/expired-leaf/strict::*"];
    let record = run_reloaded(&contained.path(), &cells);
    assert_eq!(with_verdict(&record, VerdictKind::Pass).len(), cells.len(), "{:?}", record.cells);
    let stale =
        contained.with("gateway.toml", "reload = { signal = \"HUP\" }", "reload = { signal = \"WINCH\" }");
    let stale = stale.with("gateway.toml", "ready = 200\n", "");
    let record = run_reloaded(&stale.path(), &cells);
    assert_eq!(with_verdict(&record, VerdictKind::FailOpen), ["expired-leaf/strict::default/default"]);
}
