//! A gateway that somebody else started, set up from the table that `gauntlet routes` prints.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    sync::Arc,
    thread,
};

use tempfile::TempDir;
use tests::{installed, now};
use tls_gauntlet::{
    gateway::{Gateway, Keyring, RunFolder, Running},
    record::RunRecord,
    runner::{self, RunRequest},
};
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::VerdictKind;

/// A loopback address of this process and test alone, so that every port of it is free.
fn own_address(test: u8) -> IpAddr {
    let [.., high, low] = std::process::id().to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, 100 + test, high, low.max(1)))
}

/// An nginx that was started by the route table, and the request that knows it as a URL.
struct Elsewhere {
    request: RunRequest,
    nginx: Running,
    // Dropped after what runs in it, as is the PKI that the request names.
    _folders: (RunFolder, TempDir),
}

impl Elsewhere {
    async fn start(filters: &[&str], claims: Option<&str>, with_log: bool, test: u8) -> Self {
        let folder = TempDir::new().unwrap();
        Pki::new(7, now()).unwrap().save(folder.path()).unwrap();
        let mut request = RunRequest {
            gateways: vec!["https://127.0.0.1".to_owned()],
            filters: filters.iter().map(|filter| (*filter).to_owned()).collect(),
            pki: Some(folder.path().to_owned()),
            port_base: Some(20_000),
            bind: Some(own_address(test)),
            claims: claims.map(str::to_owned),
            ..RunRequest::new(7, now())
        };
        let mut plan = runner::routes(&request).unwrap();
        plan.pki = Arc::new(Pki::open(folder.path(), 8, now()).unwrap());
        plan.keyring = Keyring::of(&plan.pki);
        let run_folder = RunFolder::new().unwrap();
        let nginx = Gateway::resolve("nginx").unwrap().start(&plan, &run_folder).await.unwrap();

        request.gateways = vec![format!("https://{}", nginx.listener("default").unwrap())];
        // A file of its run folder.
        request.log = with_log.then(|| run_folder.path().join("error.log"));
        Self { request, nginx, _folders: (run_folder, folder) }
    }
}

/// Runs a few cells against it.
async fn run_external(claims: Option<&str>, with_log: bool, test: u8) -> RunRecord {
    let filters = [
        "upstream/plain-good/*::default/default::*",
        "upstream/renegotiation-required/*::default/default::*",
        "upstream/expired-leaf/no-verify::default/default::*",
        "upstream/expired-leaf/strict::default/default::*",
    ];
    let elsewhere = Elsewhere::start(&filters, claims, with_log, test).await;
    let record = runner::run(&elsewhere.request, &|_| {}).await.unwrap();
    elsewhere.nginx.stop().await;
    record
}

#[tokio::test]
async fn what_is_measured_of_it_is_what_it_claims() {
    if !installed("nginx") {
        return;
    }
    let filters = ["upstream/*/strict::default/default::*", "settings/*/strict::default/default::*"];
    let elsewhere = Elsewhere::start(&filters, Some("nginx"), true, 4).await;
    let finding = runner::discover(&elsewhere.request, 1, &|_| {}).await.unwrap();
    assert!(finding.unexplained.is_empty(), "{:?}", finding.unexplained);
    let (claims, shipped) = (&finding.discovery.claims, Gateway::resolve("nginx").unwrap());
    let differences = finding.discovery.differences(shipped.claims());
    let other: Vec<_> = differences.iter().filter(|line| !line.contains("claimed is nothing")).collect();
    assert!(other.is_empty(), "{other:?}");
    assert_eq!((claims.retries_untold, claims.verifies), (Some(0), shipped.claims().verifies));
    assert_eq!((claims.gives_up_handshakes, claims.gives_up_responses), (Some(true), Some(true)));

    let measured = TempDir::new().unwrap();
    shipped.write_with(claims, &[], measured.path()).unwrap();
    let claims = Some(measured.path().display().to_string());
    let again = RunRequest { claims, ..elsewhere.request.clone() };
    let record = runner::run(&again, &|_| {}).await.unwrap();
    let other = record.cells.iter().filter(|cell| cell.verdict != VerdictKind::Pass);
    let other: Vec<_> = other.map(|cell| (&cell.id, cell.verdict, &cell.because)).collect();
    assert!(other.is_empty(), "{other:?}");
    assert!(record.cells.len() > 20, "{}", record.cells.len());
    elsewhere.nginx.stop().await;
}

#[tokio::test]
async fn with_claims_and_a_log_it_is_judged() {
    if !installed("nginx") {
        return;
    }
    let record = run_external(Some("nginx"), true, 1).await;
    let other: Vec<_> = record
        .cells
        .iter()
        .filter(|cell| cell.verdict != VerdictKind::Pass)
        .map(|cell| (&cell.id, cell.verdict, &cell.because))
        .collect();
    assert!(other.is_empty(), "{other:?}");
    assert!(record.cells.len() > 15);
}

#[tokio::test]
async fn without_claims_it_is_measured_and_never_passes() {
    if !installed("nginx") {
        return;
    }
    let record = run_external(None, false, 2).await;
    assert!(record.cells.iter().all(|cell| cell.verdict == VerdictKind::Unclaimed));
    assert!(record.cells.iter().all(|cell| cell.observed.is_some()));
    // A run that judged nothing is not green, unless its caller says so.
    assert_eq!(record.exit_code(), 1);
    assert_eq!(RunRecord { allows_unclaimed: true, ..record }.exit_code(), 0);
}

#[tokio::test]
async fn without_its_log_a_refusal_that_only_it_can_explain_does_not_count() {
    if !installed("nginx") {
        return;
    }
    let record = run_external(Some("nginx"), false, 3).await;
    let skipped: Vec<_> = record.cells.iter().filter(|cell| cell.verdict == VerdictKind::Skipped).collect();
    assert_eq!(skipped.len(), 1);
    assert_eq!((&*skipped[0].backend, &*skipped[0].upstream), ("expired-leaf", "strict"));
    assert!(skipped[0].because.as_ref().unwrap().contains("--log"));
    assert_eq!(record.summary[&VerdictKind::Pass], record.cells.len() - 1);
}

#[tokio::test]
async fn one_that_is_not_there_is_broken() {
    let request = RunRequest {
        // Nobody listens on port 1.
        gateways: vec!["https://127.0.0.1:1".to_owned()],
        filters: vec!["upstream/plain-good/strict::*".to_owned()],
        ..RunRequest::new(7, now())
    };
    for claims in [None, Some("nginx".to_owned())] {
        let record = runner::run(&RunRequest { claims, ..request.clone() }, &|_| {}).await.unwrap();
        assert!(record.cells.iter().all(|cell| cell.verdict == VerdictKind::Broken));
        assert_eq!(record.exit_code(), 3);
    }
}

#[tokio::test]
async fn one_that_ends_in_mid_run_is_broken_and_has_refused_nothing() {
    let gateway = TcpListener::bind("127.0.0.1:0").unwrap();
    let request = RunRequest {
        gateways: vec![format!("https://{}", gateway.local_addr().unwrap())],
        filters: vec![
            "upstream/plain-good/strict::default/default::*".to_owned(),
            "upstream/expired-leaf/strict::default/default::*".to_owned(),
        ],
        claims: Some("nginx".to_owned()),
        jobs: 1,
        ..RunRequest::new(7, now())
    };
    // Its first client is let in and then left alone, as by a process that is killed.
    let killed = thread::spawn(move || {
        let client = gateway.accept().unwrap();
        drop(gateway);
        drop(client);
    });
    let record = runner::run(&request, &|_| {}).await.unwrap();
    killed.join().unwrap();
    let verdicts: Vec<_> = record.cells.iter().map(|cell| (cell.verdict, &cell.because)).collect();
    assert!(verdicts.iter().all(|(verdict, _)| *verdict == VerdictKind::Broken), "{verdicts:?}");
}
