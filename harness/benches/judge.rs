//! The judging of 500 cells, with the evidence of a real run: diagnosis and verdict, and the reports of them.

use divan::Bencher;
use time::OffsetDateTime;
use tls_gauntlet::{
    record::{CellRecord, RunRecord},
    report::{FORMATS, Look},
    runner::{self, RunRequest},
};
use tls_gauntlet_scenarios::{Diagnosis, Evidence, Expectation, judge};
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

#[divan::bench]
fn verdicts_of_500_cells(bencher: Bencher<'_, '_>) {
    let cells: Vec<(Expectation, Evidence)> = cells_500()
        .cells
        .into_iter()
        .map(|cell| (cell.expected.clone().expect("the embedded gateway claims everything"), evidence(cell)))
        .collect();
    bencher.bench(|| {
        let judged = cells.iter().map(|(expected, evidence)| {
            judge::judge(expected, &Diagnosis::of(divan::black_box(evidence), false), evidence)
        });
        judged.collect::<Vec<_>>()
    });
}

#[divan::bench(args = FORMATS.iter().map(|format| format.name))]
fn report_of_500_cells(bencher: Bencher<'_, '_>, name: &str) {
    let record = cells_500();
    let format = FORMATS.iter().find(|format| format.name == name).expect("the name comes from this list");
    bencher.bench(|| (format.render)(divan::black_box(&record), &Look::default()));
}

/// A run against the embedded gateway, its cells repeated until there are 500.
fn cells_500() -> RunRecord {
    #[allow(clippy::disallowed_methods, reason = "the certificates of a run have to be valid today")]
    let now = OffsetDateTime::now_utc();
    // Stalling backends would cost a second and show nothing here.
    let filters = ["listener/*", "upstream/{client-cert-required,expired-leaf,tls12-only,wrong-name}/*"];
    let request = RunRequest { filters: filters.map(str::to_owned).to_vec(), ..RunRequest::new(1, now) };
    let runtime = Runtime::new().expect("a runtime can be started");
    let mut record = runtime.block_on(runner::run(&request, &|_| {})).expect("the matrix can be run");
    record.cells = record.cells.into_iter().cycle().take(500).collect();
    record
}

fn evidence(cell: CellRecord) -> Evidence {
    Evidence {
        client_saw: cell.client_saw.unwrap_or_default(),
        backend_saw: cell.backend_saw,
        status_asked: cell.status_asked,
        gateway_said: cell.gateway_said,
        gateway_causes: cell.gateway_causes,
        gateway_died: None,
        instrument_failed: None,
    }
}
