//! A matrix that is cut into shards, run and joined again is the whole matrix.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use rstest::rstest;
use tests::now;
use tls_gauntlet::{
    record::{CellRecord, MergeError, Named, RunRecord, merge},
    runner::{self, Costs, RunRequest},
};

const PARTS: u32 = 7;

fn request() -> RunRequest {
    RunRequest {
        gateways: vec!["direct".to_owned(), "reference".to_owned()],
        filters: ["listener/*", "upstream/tls1*", "upstream/expired*", "upstream/renegotiation*"]
            .map(str::to_owned)
            .to_vec(),
        ..RunRequest::new(5, now())
    }
}

fn run(request: &RunRequest) -> RunRecord {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(runner::run(request, &|_| {})).unwrap()
}

fn parts(costs: Option<&Costs>) -> Vec<Named> {
    let part = |part| {
        let shard = format!("{part}/{PARTS}");
        let request = RunRequest { shard: Some(shard.parse().unwrap()), costs: costs.cloned(), ..request() };
        Named { name: shard, record: run(&request) }
    };
    (1..=PARTS).map(part).collect()
}

#[rstest]
fn seven_shards_make_the_whole(#[values(false, true)] by_cost: bool) {
    let whole = run(&request());
    let costs = by_cost.then(|| Costs::of(&whole));
    let mut parts = parts(costs.as_ref());
    let joined = merge(parts.clone()).unwrap();
    assert!(joined.cells.len() > 100 && joined.cells.len() == whole.cells.len());
    assert_eq!(without_times(joined.clone()), without_times(whole));

    let bytes = |record: &RunRecord| serde_json::to_string(record).unwrap();
    for turn in 0..parts.len() {
        parts.rotate_left(1);
        parts.swap(0, turn);
        assert_eq!(bytes(&merge(parts.clone()).unwrap()), bytes(&joined));
    }

    let lost = parts.pop().unwrap();
    assert!(matches!(merge(parts.clone()), Err(MergeError::Hole { .. })));
    parts.push(parts[0].clone());
    assert!(matches!(merge(parts.clone()), Err(MergeError::Twice { .. })));
    parts.pop();
    let mut shorter = lost;
    shorter.record.cells.pop();
    parts.push(shorter);
    assert!(matches!(merge(parts), Err(MergeError::Changed(_))));
}

#[test]
fn runs_of_different_gateways_are_joined_in_any_order() {
    let whole = run(&request());
    let of_gateway = |name: &str| {
        let mut record = whole.clone();
        record.gateways.retain(|gateway| gateway.name == name);
        record.cells.retain(|cell| cell.gateway == name);
        Named { name: format!("{name}.json"), record }
    };
    let (direct, reference) = (of_gateway("direct"), of_gateway("reference"));
    let joined = merge(vec![direct.clone(), reference.clone()]).unwrap();
    assert_eq!(joined, merge(vec![reference, direct]).unwrap());
    assert_eq!(joined.cells, whole.cells);
    assert_eq!(joined.gateways.len(), 2);
}

/// The record without what no two runs have in common: times, and in the log the ports and times of day.
fn without_times(mut record: RunRecord) -> RunRecord {
    record.started = String::new();
    record.duration_ms = 0;
    record.timings.iter_mut().for_each(|timing| timing.duration_ms = 0);
    record.cells.iter_mut().for_each(|cell| {
        let CellRecord { duration_ms, backend_saw, gateway_said, .. } = cell;
        *duration_ms = 0;
        backend_saw.iter_mut().for_each(|saw| saw.duration_ms = 0);
        gateway_said.iter_mut().for_each(|line| line.retain(|letter| !letter.is_ascii_digit()));
    });
    record
}
