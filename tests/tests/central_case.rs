//! The case the project starts from: what breaks when TLS 1.3 is enabled towards a backend that asks for the client
//! certificate only after it has read the request.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use rstest::rstest;
use tests::{installed, run};
use tls_gauntlet::record::CellRecord;
use tls_gauntlet_scenarios::{Cause, ClientCertificate, Outcome, Party, Phase, TlsVersion, VerdictKind};

fn cell(gateway: &str, backend: &str, upstream: &str) -> CellRecord {
    let mut record = run(gateway, &[&format!("upstream/{backend}/{upstream}::default/default::*")]);
    assert_eq!(record.cells.len(), 1);
    let cell = record.cells.remove(0);
    assert_eq!(cell.verdict, VerdictKind::Pass, "{:?}", cell.because);
    cell
}

#[rstest]
fn up_to_tls12_one_connection_carries_two_handshakes(
    #[values("nginx", "haproxy", "reference")] gateway: &str,
    #[values(
        ("renegotiation-required-dual", "max-tls12"),
        ("renegotiation-required", "max-tls12"),
        ("renegotiation-required", "strict")
    )]
    (backend, upstream): (&str, &str),
) {
    if gateway != "reference" && !installed(gateway) {
        return;
    }
    let cell = cell(gateway, backend, upstream);
    assert_eq!(cell.observed.unwrap().outcome, Outcome::Reach);
    let [seen] = &cell.backend_saw[..] else { panic!("one connection, not {}", cell.backend_saw.len()) };
    assert_eq!(seen.renegotiations, 1);
    assert_eq!(seen.tls_version, Some(TlsVersion::Tls12));
    assert_eq!(seen.client_certificate, Some(ClientCertificate::Good));
}

#[rstest]
fn with_tls13_the_backend_cannot_ask(#[values("nginx", "haproxy", "reference")] gateway: &str) {
    if gateway != "reference" && !installed(gateway) {
        return;
    }
    let cell = cell(gateway, "renegotiation-required-dual", "strict");
    let observed = cell.observed.unwrap();
    assert_eq!(
        (observed.by, observed.phase, observed.cause),
        (Some(Party::Gateway), Some(Phase::Request), Some(Cause::PostHandshakeAuthRefused))
    );
    assert_eq!(cell.client_saw.unwrap().status, Some(403));
    assert_eq!(cell.backend_saw[0].tls_version, Some(TlsVersion::Tls13));
    assert!(!cell.backend_saw[0].client_hello.as_ref().unwrap().post_handshake_auth);
}
