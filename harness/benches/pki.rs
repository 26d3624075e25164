//! The PKI: its authorities, and the leaves of 500 servers.

use divan::Bencher;
use time::{OffsetDateTime, macros::datetime};
use tls_gauntlet_certs::{Name, Pki, ServerCertificate};

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

fn main() {
    divan::main();
}

#[divan::bench]
fn authorities() -> Pki {
    pki()
}

#[divan::bench(sample_count = 20)]
fn leaves_of_500_servers(bencher: Bencher<'_, '_>) {
    let names: Vec<Name> = (0..500)
        .map(|number| format!("server-{number}.gauntlet.test").parse().expect("this is a host name"))
        .collect();
    bencher.with_inputs(pki).bench_refs(|pki| {
        for name in names.chunks(1) {
            pki.server(ServerCertificate::Good, name).expect("a sound certificate can be made");
        }
    });
}

fn pki() -> Pki {
    Pki::new(1, NOW).expect("authorities can be made")
}
