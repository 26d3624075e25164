//! A gateway of which nothing is known is measured, and runs clean under the claims that come of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{path::Path, time::Duration};

use rstest::rstest;
use tempfile::TempDir;
use tests::{Mutant, installed, now};
use tls_gauntlet::{
    gateway::Gateway,
    limits::Limits,
    record::CellRecord,
    runner::{self, RunRequest},
};
use tls_gauntlet_scenarios::{CellId, Claims, VerdictKind, catalogue, model};

/// Without the backends that make a gateway wait; `ci/discover.sh` measures with all there are.
const FILTERS: [&str; 2] = ["listener/*", "upstream/[!s]*"];

fn request(folder: &Path) -> RunRequest {
    RunRequest {
        gateways: vec![folder.display().to_string()],
        suites: vec!["listener".to_owned(), "upstream".to_owned()],
        filters: FILTERS.map(str::to_owned).to_vec(),
        ..RunRequest::new(1, now())
    }
}

#[rstest]
#[case::nginx("nginx")]
#[case::haproxy("haproxy")]
#[case::envoy("envoy")]
#[case::caddy("caddy")]
#[case::traefik("traefik")]
#[case::httpd("httpd")]
#[case::nginx_newer("nginx@1.26")]
#[case::haproxy_newer("haproxy@3.0")]
#[tokio::test]
async fn from_nothing_to_claims_that_hold(#[case] name: &str) {
    if !installed(name) {
        return;
    }
    let shipped = Gateway::resolve(name).unwrap();
    let (unknown, measured) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    shipped.write_with(&Claims::default(), &[], unknown.path()).unwrap();
    let gateway = Gateway::resolve(&unknown.path().display().to_string()).unwrap();
    assert_eq!(gateway.claims(), &Claims::default());

    let finding = runner::discover(&request(unknown.path()), 1, &|_| {}).await.unwrap();
    assert!(finding.unexplained.is_empty(), "{:?}", finding.unexplained);
    // Measured claims may say more than the shipped ones, but nothing else.
    let differences = finding.discovery.differences(shipped.claims());
    let other: Vec<_> = differences.iter().filter(|line| !line.contains("claimed is nothing")).collect();
    assert!(other.is_empty(), "{other:?}");

    gateway.write_with(&finding.discovery.claims, &[], measured.path()).unwrap();
    let record = runner::run(&request(measured.path()), &|_| {}).await.unwrap();
    let allowed = [VerdictKind::Pass, VerdictKind::KnownDeviation, VerdictKind::Skipped];
    let other = record
        .cells
        .iter()
        .filter(|cell| !allowed.contains(&cell.verdict))
        .filter(|cell| !varies(cell, &shipped));
    let other: Vec<_> = other.map(|cell| (&cell.id, &cell.because)).collect();
    assert!(other.is_empty(), "{other:?}");
    assert!(record.summary[&VerdictKind::Pass] > 100);
}

/// How often a gateway tries again untold, and whom it gives up, is found out by making it wait and fail.
#[tokio::test]
async fn retries_and_patience_are_measured() {
    for (name, mutant, cells, expected) in [
        (
            "haproxy",
            Mutant::of("haproxy").with("haproxy.cfg.j2", "    retries 0", "    retries 1"),
            "resets-in-handshake",
            Claims { retries_untold: Some(1), ..Claims::default() },
        ),
        (
            "nginx",
            Mutant::of("nginx").with(
                "nginx.conf.j2",
                "proxy_read_timeout {{ group.response_timeout }}ms",
                "proxy_read_timeout 1h",
            ),
            "stalls-after-request",
            Claims { gives_up_responses: Some(false), ..Claims::default() },
        ),
    ] {
        if !installed(name) {
            continue;
        }
        let short = Limits { call: Duration::from_secs(5), ..Limits::default() };
        let filters =
            [cells, "plain-good"].map(|backend| format!("upstream/{backend}/strict::default/default::*"));
        let request =
            RunRequest { filters: filters.to_vec(), limits: short, ..request(Path::new(&mutant.path())) };
        let found = runner::discover(&request, 1, &|_| {}).await.unwrap();
        assert!(found.unexplained.is_empty(), "{:?}", found.unexplained);
        let claims = &found.discovery.claims;
        let told = (claims.retries_untold, claims.gives_up_responses);
        assert_eq!(told, (expected.retries_untold, expected.gives_up_responses), "{name}");
    }
}

/// Whether the client may see one of several things, as the shipped claims say: one turn cannot have shown them all.
fn varies(cell: &CellRecord, shipped: &Gateway) -> bool {
    let id = CellId { gateway: String::new(), ..cell.id.parse().unwrap() };
    let scenarios = catalogue().scenarios(&id.suite).unwrap();
    let scenario = scenarios.iter().find(|scenario| scenario.id("") == id).unwrap();
    let expected = model::expect(scenario, shipped.claims()).unwrap();
    let because = cell.because.as_deref().unwrap_or_default();
    expected.statuses.len() + usize::from(expected.may_close) > 1
        && because.starts_with("refused for the right reason, but the client saw")
}
