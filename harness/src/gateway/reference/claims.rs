//! The claims of the reference gateway about itself.

use tls_gauntlet_scenarios::{
    Alert, AlertClaim, Cause, Claims, ListenerClaims, PlainHttp, StatusClaim, TlsVersion, UnknownProtocols,
    UpstreamProfile, Versions, catalogue,
};

use super::ReferenceKnobs;
use crate::gateway::manifest::Unset;

/// The claims of a reference gateway with these knobs. Nothing is left unclaimed.
#[must_use]
pub fn claims(knobs: ReferenceKnobs) -> Claims {
    Claims {
        follows_renegotiation: Some(knobs.renegotiation),
        answers_post_handshake_auth: Some(knobs.post_handshake_auth),
        retries_handshakes: Some(true),
        status: vec![
            status(&[Cause::Timeout], knobs.timeout_status),
            // The response is read whole before any of it is passed on, so a cut one is a failure like the others.
            status(&[], knobs.failure_status),
        ],
        listener: ListenerClaims {
            // No SSL 3.0: its certificate is on an elliptic curve, which SSL 3.0 does not have.
            versions: Some(Versions::of(&[
                TlsVersion::Tls10,
                TlsVersion::Tls11,
                TlsVersion::Tls12,
                TlsVersion::Tls13,
            ])),
            protocols: Some(Vec::new()),
            unknown_protocols: Some(UnknownProtocols::Refused),
            client_certificate_status: knobs.client_certificate_status,
            alert: vec![
                alert(&[Cause::NoCommonVersion], None, Alert::ProtocolVersion),
                alert(&[Cause::NoCommonCipher, Cause::NoCommonGroup], None, Alert::HandshakeFailure),
                alert(&[Cause::AlpnMismatch], None, Alert::NoApplicationProtocol),
                alert(&[Cause::ClientCertMissing], Some(TlsVersion::Tls13), Alert::CertificateRequired),
                alert(&[Cause::ClientCertMissing], None, Alert::HandshakeFailure),
                alert(&[Cause::ClientCertUntrusted], None, Alert::UnknownCa),
                alert(&[Cause::ClientCertExpired], None, Alert::CertificateExpired),
                alert(&[Cause::ClientCertNotYetValid], None, Alert::BadCertificate),
                alert(&[Cause::ClientCertWrongUsage], None, Alert::UnsupportedCertificate),
                alert(&[Cause::ClientCertRevoked], None, Alert::CertificateRevoked),
            ],
            // Like its dialer, its listeners run at security level 0.
            accepts_weak_certificates: Some(true),
            serves_unknown_names: Some(true),
            serves_missing_names: Some(true),
            plain_http: Some(PlainHttp::Close),
            renegotiates: Some(knobs.renegotiates_late),
            asks_post_handshake: Some(false),
            late_certificate_status: Some(knobs.late_certificate_status),
            resets_late_http2: Some(false),
            ..ListenerClaims::default()
        },
        // Its dialer is that of our own client.
        ..Claims::openssl_client()
    }
}

/// The profiles that the reference gateway cannot follow: it has no setting for them.
pub(in crate::gateway) fn unset() -> Vec<Unset> {
    let because = |(name, profile): (&str, &UpstreamProfile)| {
        let because = "the reference gateway opens a connection for every request";
        profile.reuse.then(|| Unset::upstream(name, because.to_owned()))
    };
    catalogue().upstreams().filter_map(because).collect()
}

fn status(causes: &[Cause], status: u16) -> StatusClaim {
    StatusClaim {
        causes: causes.to_vec(),
        phase: None,
        tls_version: None,
        statuses: vec![status],
        may_close: false,
    }
}

fn alert(causes: &[Cause], tls_version: Option<TlsVersion>, alert: Alert) -> AlertClaim {
    AlertClaim { causes: causes.to_vec(), tls_version, alerts: vec![alert], may_close: false }
}
