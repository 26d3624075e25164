//! The proof: what each certificate is said to be, two verifiers that share no code with us find it to be.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and one that is skipped says so; clippy sees helpers as no tests"
)]

mod below;
mod chains;
mod chance;
mod contents;
mod exports;
mod handshakes;
mod judges;
mod opened;
mod pfx;
mod recipes;
mod revocation;
mod servers;
mod sharing;
mod store;
mod words;

use time::OffsetDateTime;
use time::macros::datetime;
use tls_gauntlet_certs::{Name, Pki};

/// The only clock in these tests. Years from today, so a verdict that came from the wall clock would show.
const NOW: OffsetDateTime = datetime!(2041-03-01 12:00 UTC);

/// What servers are called in these tests.
const HOST: &str = "orders.test";

fn pki() -> Pki {
    Pki::new(42, NOW).unwrap()
}

/// The mode of a file that everybody may read, as far as the umask of whoever runs the tests lets them.
#[cfg(unix)]
fn public_mode() -> u32 {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let probe = dir.path().join("probe");
    std::fs::write(&probe, "").unwrap();
    std::fs::metadata(&probe).unwrap().permissions().mode() & 0o644
}

fn names(names: &[&str]) -> Vec<Name> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}
