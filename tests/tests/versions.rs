//! A version that nobody has measured is judged by the nearest, and nobody is left to believe otherwise.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use tests::{Mutant, installed, run};
use tls_gauntlet::{
    gateway::Gateway,
    report::{Look, console},
};

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

#[test]
fn a_version_beside_others_is_no_other_version() {
    let gateway = Gateway::resolve("caddy@0.0.1").unwrap();
    assert_eq!((gateway.name(), gateway.version()), ("caddy@0.0.1", None));
    assert!(Gateway::resolve("cady@2.10.2").is_err());
}
