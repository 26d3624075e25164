//! A gateway that was reloaded does what one does that was started so.

use rstest::rstest;
use tests::{installed, run_reloaded, with_verdict};
use tls_gauntlet_scenarios::VerdictKind;

#[rstest]
fn what_was_reloaded_counts(
    #[values(
        "nginx",
        "nginx@1.26",
        "haproxy",
        "haproxy@3.0",
        "envoy",
        "caddy",
        "traefik",
        "httpd",
        "reference"
    )]
    gateway: &str,
) {
    if !installed(gateway) {
        return;
    }
    let cells = [
        "upstream/plain-good/strict::*",
        "upstream/expired-leaf/strict::*",
        "upstream/client-cert-required/strict::*",
        "listener/plain-good/strict::no-client-cert/client-cert-required::*",
    ];
    let record = run_reloaded(gateway, &cells);
    assert_eq!(with_verdict(&record, VerdictKind::Pass).len(), cells.len(), "{:?}", record.cells);
}
