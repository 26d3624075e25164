//! The claims of one version laid over those of another.

use tls_gauntlet_scenarios::{AlertClaim, CertificateClaim, Claims, ListenerClaims, ServerCertificate};

/// A field of each kind, on both sides of the gateway.
fn claims(yes: bool) -> Claims {
    let certificate = if yes { ServerCertificate::Sha1SignedLeaf } else { ServerCertificate::Rsa1024 };
    let certificates = vec![certificate];
    let alert = AlertClaim { causes: Vec::new(), tls_version: None, alerts: Vec::new(), may_close: yes };
    Claims {
        follows_renegotiation: Some(yes),
        limits_upstream_ciphers: yes,
        certificate: vec![CertificateClaim { certificates, refused: None, unverified: yes }],
        listener: ListenerClaims {
            misdirected_status: Some(400 + u16::from(yes)),
            alert: vec![alert],
            refuses_late_in_tls: yes,
            ..ListenerClaims::default()
        },
        ..Claims::default()
    }
}

#[test]
fn claims_that_are_laid_over_others_count() {
    assert_eq!(Claims::default().overlaid(claims(true)), claims(true), "over nothing");
    assert_eq!(claims(true).overlaid(Claims::default()), claims(true), "nothing over it");
    // Of lines, the first that fits counts: those of the overlay come first, and the others stay.
    let (below, over) = (claims(false), claims(true));
    let mut expected = over.clone();
    expected.certificate.extend(below.certificate.clone());
    expected.listener.alert.extend(below.listener.alert.clone());
    assert_eq!(below.overlaid(over), expected);
}
