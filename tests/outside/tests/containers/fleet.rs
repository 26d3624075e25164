//! The fleet in a container.

use std::panic::{AssertUnwindSafe, catch_unwind};

use outside::{fetch, fetch_as};
use tls_gauntlet::{
    container::{ContainerError, GauntletImage},
    scenarios::{Alert, ClientCertificate},
};

use crate::engine::{Place, docker, runtime};

pub fn typed_access_to_what_runs_in_it(place: &Place) {
    runtime().block_on(async {
        let image = GauntletImage::default();
        let image = image.with_backend("plain-good").with_backend("client-cert-required+h1-only");
        let gauntlet = place.fleet(image.with_backend("expired-leaf")).await;
        let trust = gauntlet.trust().await.unwrap();

        let sound = fetch(&gauntlet.url("plain-good").await.unwrap(), &trust).unwrap();
        assert!(sound.starts_with("HTTP/1.1 200"), "{sound}");

        fetch(&gauntlet.url("expired-leaf").await.unwrap(), &trust).unwrap_err();
        let seen = gauntlet.ledger_of("expired-leaf").await.unwrap();
        assert_eq!(seen[0].saw.alert_received, Some(Alert::CertificateExpired));

        let asking = "client-cert-required+h1-only";
        let shown = gauntlet.client_certificate(ClientCertificate::Expired).await.unwrap();
        let nonce = "n-00000000000000aa";
        let url = gauntlet.url(asking).await.unwrap() + nonce;
        let _ = fetch_as(Some((&shown.certificate_pem, &shown.key_pem)), &url, &trust);
        let seen = gauntlet.ledger_of(asking).await.unwrap();
        assert_eq!(seen[0].saw.client_certificate, Some(ClientCertificate::Expired));

        let shown = gauntlet.client_certificate(ClientCertificate::Good).await.unwrap();
        fetch_as(Some((&shown.certificate_pem, &shown.key_pem)), &url, &trust).unwrap();
        let seen = gauntlet.ledger(nonce).await.unwrap();
        assert_eq!(seen.len(), 1, "the refused call never came as far as its nonce");
        assert_eq!(seen[0].saw.client_certificate, Some(ClientCertificate::Good));

        let error = gauntlet.url("tls12-only").await.unwrap_err();
        assert!(matches!(error, ContainerError::NotServed { .. }), "{error}");
        let error = gauntlet.ledger("7").await.unwrap_err();
        assert!(error.to_string().contains("is no nonce"), "{error}");
        assert_ne!(gauntlet.port_by_name().await.unwrap(), 0);
    });
}

pub fn one_that_was_killed_is_gone_and_not_silent(place: &Place) {
    runtime().block_on(async {
        let gauntlet = place.fleet(GauntletImage::default().with_backend("plain-good")).await;
        docker(&["kill", gauntlet.container().id()]).unwrap();
        // An empty ledger would say that nobody called.
        let error = gauntlet.ledger_of("plain-good").await.unwrap_err();
        assert!(matches!(error, ContainerError::Gone { exit_code: Some(137) }), "{error}");
        let error = gauntlet.url("plain-good").await.unwrap_err();
        assert!(matches!(error, ContainerError::Gone { exit_code: Some(137) }), "{error}");
    });
}

pub fn a_test_that_fails_leaves_nothing(place: &Place) {
    let failed = catch_unwind(AssertUnwindSafe(|| {
        runtime().block_on(async {
            let _gauntlet = place.fleet(GauntletImage::default().with_backend("plain-good")).await;
            assert_eq!(place.what_is_here().len(), 2, "a container and its network");
            panic!("as a test does");
        });
    }));
    assert_eq!(failed.unwrap_err().downcast_ref(), Some(&"as a test does"));
    assert_eq!(place.what_is_here(), [""; 0]);
}
