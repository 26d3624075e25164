//! The claims of one version laid over those of another.

use tls_gauntlet_scenarios::{
    Alert, AlertClaim, Cause, CertificateClaim, CipherSuite, Claims, Group, ListenerClaims, PlainHttp,
    ServerCertificate, StatusClaim, TlsVersion, UnknownProtocols, Verifies, Versions,
};

/// Everything claimed. There is no `..` in it, so that a new claim has to be added here, and is laid over from then on.
fn everything(yes: bool) -> Claims {
    let number = u16::from(yes);
    let status = Some(400 + number);
    let versions = Some(Versions::of(&[if yes { TlsVersion::Tls13 } else { TlsVersion::Tls12 }]));
    let ciphers = Some(vec![if yes { CipherSuite::RsaAes128Gcm } else { CipherSuite::RsaAes256Gcm }]);
    let protocols = Some(vec![if yes { "h2" } else { "http/1.1" }.to_owned()]);
    let certificates = vec![if yes { ServerCertificate::Sha1SignedLeaf } else { ServerCertificate::Rsa1024 }];
    let tls_version = Some(if yes { TlsVersion::Tls13 } else { TlsVersion::Tls12 });
    Claims {
        upstream_versions: versions.clone(),
        upstream_ciphers: ciphers.clone(),
        limits_upstream_ciphers: yes,
        upstream_groups: Some(vec![if yes { Group::X25519 } else { Group::Secp256r1 }]),
        accepts_weak_dh: Some(yes),
        accepts_weak_certificates: Some(yes),
        reads_huge_certificates: Some(yes),
        upstream_protocols: protocols.clone(),
        host_is_server_name: Some(yes),
        accepts_insecure_renegotiation: Some(yes),
        follows_renegotiation: Some(yes),
        answers_post_handshake_auth: Some(yes),
        verifies: Some(if yes { Verifies::AfterHandshake } else { Verifies::InHandshake }),
        always_lists_versions: Some(yes),
        lists_old_ciphers: Some(yes),
        withholds_unlisted_certificates: Some(yes),
        log_names_flaws: Some(yes),
        retries_untold: Some(u8::from(yes)),
        retries_handshakes: Some(yes),
        gives_up_handshakes: Some(yes),
        gives_up_responses: Some(yes),
        certificate: vec![CertificateClaim { certificates, refused: None, unverified: yes }],
        status: vec![StatusClaim {
            causes: vec![Cause::Reset],
            phase: None,
            tls_version,
            statuses: vec![500 + number],
            may_close: yes,
        }],
        listener: ListenerClaims {
            versions,
            ciphers,
            protocols,
            unknown_protocols: Some(if yes { UnknownProtocols::Refused } else { UnknownProtocols::Ignored }),
            client_certificate_status: status,
            alert: vec![AlertClaim {
                causes: vec![Cause::NoCommonVersion],
                tls_version,
                alerts: vec![if yes { Alert::ProtocolVersion } else { Alert::HandshakeFailure }],
                may_close: yes,
            }],
            accepts_weak_certificates: Some(yes),
            serves_unknown_names: Some(yes),
            serves_missing_names: Some(yes),
            server_name_status: status,
            misdirected_status: status,
            plain_http: Some(if yes { PlainHttp::Close } else { PlainHttp::Status(400) }),
            renegotiates: Some(yes),
            asks_post_handshake: Some(yes),
            late_certificate_status: status,
            resets_late_http2: Some(yes),
            refuses_late_in_tls: yes,
        },
    }
}

#[test]
fn whatever_is_laid_over_counts() {
    assert_eq!(Claims::default().overlaid(everything(true)), everything(true), "over nothing");
    assert_eq!(everything(true).overlaid(Claims::default()), everything(true), "nothing over it");
    // Of lines, the first that fits counts: those of the overlay come first, and the others stay.
    let (below, over) = (everything(false), everything(true));
    let mut expected = over.clone();
    expected.certificate.extend(below.certificate.clone());
    expected.status.extend(below.status.clone());
    expected.listener.alert.extend(below.listener.alert.clone());
    assert_eq!(below.overlaid(over), expected);
}
