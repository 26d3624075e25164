//! The same with a gateway between the two.

use tls_gauntlet::{Backend, Gateway, scenarios::TlsVersion};

#[tokio::test]
async fn a_gateway_follows_a_renegotiation_unless_it_speaks_tls_1_3() {
    let backend = Backend::start("renegotiation-required").await.unwrap();
    let gateway = Gateway::resolve("reference").unwrap();
    assert_eq!(gateway.in_front_of(&backend, "max-tls12").await.unwrap().get().await.status, Some(200));
    assert_eq!(backend.recorded(1).await[0].tls_version, Some(TlsVersion::Tls12));
}

#[test]
fn every_future_can_be_sent_to_another_thread() {
    fn is_send<T: Send>(_: T) {}
    let gateway = Gateway::resolve("reference").unwrap();
    is_send(async move {
        let backend = Backend::start("plain-good").await.unwrap();
        let front = gateway.in_front_of(&backend, "strict").await.unwrap();
        front.get().await;
        front.stop().await;
    });
}
