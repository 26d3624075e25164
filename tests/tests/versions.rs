//! A version that nobody has measured is judged by the nearest, and nobody is left to believe otherwise.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use tests::{Mutant, installed, run, with_verdict};
use tls_gauntlet::{
    gateway::Gateway,
    report::{Look, console},
};
use tls_gauntlet_scenarios::VerdictKind;

#[test]
fn an_unknown_version_says_by_which_it_is_judged() {
    if !installed("nginx") {
        return;
    }
    let known = run("nginx", &["upstream/plain-good/strict::*"]);
    assert_eq!(known.gateways[0].judged_by, None);
    let of_another =
        Mutant::of("nginx").with("gateway.toml", "known = [\"1.22\"]", "known = [\"0.1\", \"99\"]");
    let unknown = run(&of_another.path(), &["upstream/plain-good/strict::*"]);
    assert_eq!(unknown.gateways[0].judged_by.as_deref(), Some("0.1"));
    let screen = console::render(&unknown, &Look { width: 200, ..Look::default() });
    assert!(screen.contains("this version is not known, it was judged by the claims of 0.1"), "{screen}");
}

/// What came with Traefik 3.7 is not in the files of the version before: it takes none that say what it does not know.
#[test]
fn an_older_version_is_set_up_with_what_it_knows() {
    if !installed("traefik@3.6.15") {
        return;
    }
    let cells = [
        "upstream/plain-good/*",
        "upstream/expired-leaf/strict::*",
        "listener/plain-good/strict::wrong-sni/default::*",
    ];
    let record = run("traefik@3.6.15", &cells);
    assert_eq!(record.gateways[0].judged_by, None);
    assert!(record.summary[&VerdictKind::Pass] > 5, "{:?}", record.summary);
    assert_eq!(with_verdict(&record, VerdictKind::KnownDeviation), ["plain-good/strict::wrong-sni/default"]);
    let skipped = with_verdict(&record, VerdictKind::Skipped);
    assert!(skipped.contains(&"plain-good/min-tls13::default/default".to_owned()), "{skipped:?}");
    assert_eq!(record.exit_code(), 0);
}

#[test]
fn a_version_beside_others_is_no_other_version() {
    let gateway = Gateway::resolve("caddy@0.0.1").unwrap();
    assert_eq!((gateway.name(), gateway.version()), ("caddy@0.0.1", None));
    assert!(Gateway::resolve("cady@2.10.2").is_err());
}
