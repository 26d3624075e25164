//! What a test looks like in somebody else's crate: start a backend, point the code at it, assert what it saw.

use outside::fetch;
use rstest::{fixture, rstest};
use tls_gauntlet::{Backend, scenarios::Alert};

#[tokio::test]
async fn an_expired_certificate_is_refused_for_that_reason() {
    let backend = Backend::start("expired-leaf").await.unwrap();
    assert!(call(&backend).await.is_err());
    assert_eq!(backend.recorded(1).await[0].alert_received, Some(Alert::CertificateExpired));
}

#[fixture]
async fn renegotiating() -> Backend {
    Backend::start("renegotiation-without-cert").await.unwrap()
}

#[rstest]
#[tokio::test]
async fn a_renegotiation_is_followed(#[future(awt)] renegotiating: Backend) {
    assert!(call(&renegotiating).await.unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(renegotiating.recorded(1).await[0].renegotiations, 1);
}

/// Calls a backend with the code under test, which blocks.
async fn call(backend: &Backend) -> std::io::Result<String> {
    let (url, trust) = (backend.url().to_owned(), backend.trust_pem());
    tokio::task::spawn_blocking(move || fetch(&url, &trust)).await.unwrap()
}
