//! One call over TLS 1.3 to one backend in the same process: both ends of a handshake, a request and its echo.

use divan::Bencher;
use tls_gauntlet::{
    backend::Backend,
    client::{DialerSettings, Probe, Target},
    gateway::BACKEND_NAME,
    limits::Limits,
};
use tls_gauntlet_certs::ClientCertificate;
use tls_gauntlet_scenarios::TlsVersion;
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

/// Without a client certificate, and with one that is asked for in the handshake.
#[divan::bench(args = ["plain-good", "client-cert-required"], sample_count = 500, sample_size = 1)]
fn call(bencher: Bencher<'_, '_>, backend: &str) {
    let runtime = Runtime::new().expect("a runtime can be started");
    let backend = runtime.block_on(Backend::start(backend)).expect("the backend can be started");
    let settings = DialerSettings {
        identity: Some(
            backend.pki().client(ClientCertificate::Good).expect("a sound certificate can be made"),
        ),
        ..DialerSettings::sound(BACKEND_NAME, backend.pki())
    };
    let probe = Probe::new(&settings, Limits::default()).expect("the client can be set up");
    let target = Target {
        address: backend.address(),
        host: BACKEND_NAME.to_owned(),
        path: "/n-0123456789abcdef".to_owned(),
        nonce: "n-0123456789abcdef".to_owned(),
    };
    bencher.bench_local(|| {
        let saw = runtime.block_on(probe.get(&target));
        assert_eq!((saw.status, saw.tls_version), (Some(200), Some(TlsVersion::Tls13)));
    });
}
