//! The start of a fleet, from certificates that are still to be made to sockets that listen.

use std::sync::Arc;

use divan::Bencher;
use time::{OffsetDateTime, macros::datetime};
use tls_gauntlet::backend::{Fleet, FleetOptions};
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::{Composed, catalogue};
use tokio::runtime::Runtime;

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

fn main() {
    divan::main();
}

/// Backends of every kind in the catalogue, in turn.
#[divan::bench(args = [50, 500], sample_count = 20)]
fn start(bencher: Bencher<'_, '_>, backends: usize) {
    let runtime = Runtime::new().expect("a runtime can be started");
    let kinds = catalogue().backends().map(|(name, _, profile)| Composed::single(name, profile));
    let plan: Vec<Composed> = kinds.collect::<Vec<_>>().into_iter().cycle().take(backends).collect();
    bencher.with_inputs(|| Arc::new(Pki::new(1, NOW).expect("authorities can be made"))).bench_values(
        |pki| {
            runtime
                .block_on(Fleet::start(&plan, &pki, &FleetOptions::default()))
                .expect("backends can be started")
        },
    );
}
