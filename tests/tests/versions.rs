//! A version that nobody has measured is judged by the nearest, and nobody is left to believe otherwise.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use rstest::rstest;
use tests::{Mutant, installed, now, run, with_verdict};
use tls_gauntlet::{
    gateway::Gateway,
    report::{self, Look, console},
    runner::{self, RunRequest},
};
use tls_gauntlet_scenarios::{Cause, VerdictKind, catalogue};

#[test]
fn an_unknown_version_says_by_which_it_is_judged() {
    if !installed("nginx") {
        return;
    }
    let known = run("nginx", &["upstream/plain-good/strict::*"]);
    assert_eq!(known.gateways[0].judged_by, None);
    let of_another =
        Mutant::of("nginx").with("gateway.toml", "known = [\"1.22\", \"1.26\"]", "known = [\"0.1\", \"99\"]");
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

/// OpenSSL 3.5 came with the newer release: post-quantum key exchange without being told, and signatures.
#[rstest]
#[case::nginx("nginx", false)]
#[case::nginx_newer("nginx@1.26", true)]
#[case::haproxy("haproxy", false)]
#[case::haproxy_newer("haproxy@3.0", true)]
#[tokio::test]
async fn what_came_with_openssl_is_claimed_by_version(#[case] gateway: &str, #[case] is_post_quantum: bool) {
    if !installed(gateway) {
        return;
    }
    let cells = [
        ("upstream/plain-good/strict", None),
        ("zoo/x25519-only/strict", None),
        ("zoo/x25519mlkem768-only/strict", Some(Cause::NoCommonGroup)),
        ("zoo/ml-dsa-65/strict", Some(Cause::NoCommonSignature)),
        ("zoo/ml-dsa-65/no-verify", Some(Cause::NoCommonSignature)),
    ];
    let request = RunRequest {
        gateways: vec![gateway.to_owned()],
        // The zoo is not run on real gateways unless it is named.
        suites: ["upstream", "zoo"].map(str::to_owned).to_vec(),
        filters: cells.map(|(cell, _)| format!("{cell}::default/default::*")).to_vec(),
        ..RunRequest::new(1, now())
    };
    let record = runner::run(&request, &|_| {}).await.unwrap();
    assert_eq!(record.gateways[0].judged_by, None);
    assert_eq!(record.cells.len(), cells.len());
    for cell in &record.cells {
        assert_eq!(cell.verdict, VerdictKind::Pass, "{}", report::cell_in_words(cell));
        let (_, refused) = cells.iter().find(|(name, _)| cell.id.starts_with(name)).unwrap();
        let expected = refused.filter(|_| !is_post_quantum);
        assert_eq!(cell.observed.as_ref().unwrap().cause, expected, "{}", cell.id);
        let saw = &cell.backend_saw[0];
        let hello = saw.client_hello.as_ref().unwrap();
        assert_eq!(hello.key_shares.contains(&"X25519MLKEM768".to_owned()), is_post_quantum, "{}", cell.id);
        if cell.id.starts_with("upstream/plain-good") {
            let agreed = if is_post_quantum { "X25519MLKEM768" } else { "x25519" };
            assert_eq!(saw.group.as_deref(), Some(agreed));
        }
    }
}

/// What a newer version can be told, it is told; the older one is not charged with it.
#[test]
fn a_setting_that_came_later_is_for_those_that_have_it() {
    for (gateway, verdict) in [("haproxy", VerdictKind::Skipped), ("haproxy@3.0", VerdictKind::Pass)] {
        if !installed(gateway) {
            continue;
        }
        let record = run(gateway, &["settings/*/p256-only::*"]);
        assert_eq!(with_verdict(&record, verdict).len(), 4, "{:?}", record.summary);
    }
}

#[test]
fn a_version_beside_others_is_in_the_same_suites() {
    for (suite, gateway, is_in) in [
        ("azure-client-side", "nginx@1.26", true),
        ("azure-client-side", "nginx", true),
        ("azure-client-side", "nginxes", false),
        ("azure-client-side", "caddy@2.10.2", false),
        ("revocation", "caddy@2.10.2", true),
    ] {
        assert_eq!(catalogue().suite(suite).unwrap().is_for(gateway), is_in, "{suite} {gateway}");
    }
}

#[test]
fn a_version_beside_others_is_no_other_version() {
    let gateway = Gateway::resolve("caddy@0.0.1").unwrap();
    assert_eq!((gateway.name(), gateway.version()), ("caddy@0.0.1", None));
    let absent = gateway.program().unwrap_err().to_string();
    assert!(absent.contains("ci/install-gateways.sh caddy@0.0.1"), "{absent}");
    let unknown = Gateway::resolve("cady@2.10.2").unwrap_err().to_string();
    assert!(unknown.contains("unknown gateway \"cady@2.10.2\""), "{unknown}");
}
