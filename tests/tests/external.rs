//! A gateway that somebody else started, set up from the table that `gauntlet routes` prints.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use rstest::rstest;
use tempfile::TempDir;
use tests::{installed, now};
use tls_gauntlet::{
    gateway::{Gateway, RunFolder},
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

/// Runs a few cells against an nginx that this function starts by the route table and that the run knows as a URL.
async fn run_external(claims: Option<&str>, test: u8) -> RunRecord {
    let folder = TempDir::new().unwrap();
    Pki::new(7, now()).unwrap().save(folder.path()).unwrap();
    let mut request = RunRequest {
        gateways: vec!["https://127.0.0.1".to_owned()],
        filters: vec![
            "upstream/plain-good/*::default/default::*".to_owned(),
            "upstream/renegotiation-required/*::default/default::*".to_owned(),
            "upstream/expired-leaf/no-verify::default/default::*".to_owned(),
        ],
        pki: Some(folder.path().to_owned()),
        port_base: Some(20_000),
        bind: own_address(test),
        claims: claims.map(str::to_owned),
        ..RunRequest::new(7, now())
    };
    let mut plan = runner::routes(&request).unwrap();
    plan.pki = Arc::new(Pki::open(folder.path(), 8, now()).unwrap());
    let run_folder = RunFolder::new().unwrap();
    let nginx = Gateway::resolve("nginx").unwrap().start(&plan, &run_folder).await.unwrap();

    request.gateways = vec![format!("https://{}", nginx.listener("default").unwrap())];
    let record = runner::run(&request, &|_| {}).await.unwrap();
    nginx.stop().await;
    record
}

#[rstest]
#[tokio::test]
async fn with_claims_it_is_judged() {
    if !installed("nginx") {
        return;
    }
    let record = run_external(Some("nginx"), 1).await;
    let other: Vec<_> = record
        .cells
        .iter()
        .filter(|cell| cell.verdict != VerdictKind::Pass)
        .map(|cell| (&cell.id, cell.verdict, &cell.because))
        .collect();
    assert!(other.is_empty(), "{other:?}");
    assert!(record.cells.len() > 15);
}

#[rstest]
#[tokio::test]
async fn without_claims_it_is_measured_and_never_passes() {
    if !installed("nginx") {
        return;
    }
    let record = run_external(None, 2).await;
    assert!(record.cells.iter().all(|cell| cell.verdict == VerdictKind::Unclaimed));
    assert!(record.cells.iter().all(|cell| cell.observed.is_some()));
    assert_eq!(record.exit_code(), 0);
}
