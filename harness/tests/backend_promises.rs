//! Every backend of the catalogue does what its entry says, as curl sees it and as its own ledger tells it.

mod tool;

use rstest::rstest;
use tls_gauntlet_scenarios::{
    Alert, BackendSaw, Cause, ClientCertificate, Ended, Handling, Phase, TlsVersion, catalogue,
};
use tool::{NONCE, Said, Target, is_installed};

async fn call(backend: &str, arguments: &str) -> Option<(Said, BackendSaw)> {
    if !is_installed("curl") {
        return None;
    }
    let target = Target::start(backend).await;
    let said = target.curl(arguments).await;
    let entry = target.entry().await;
    Some((said, entry))
}

const OLD: &str = "--ciphers DEFAULT@SECLEVEL=0 --tlsv1.0";

#[rstest]
#[case("plain-good", "", TlsVersion::Tls13)]
#[case("plain-good", "--http1.1", TlsVersion::Tls13)]
#[case("plain-good", "--tls-max 1.2", TlsVersion::Tls12)]
#[case("tls10-only", OLD, TlsVersion::Tls10)]
#[case("tls11-only", OLD, TlsVersion::Tls11)]
#[case("tls12-only", "", TlsVersion::Tls12)]
#[case("tls13-only", "", TlsVersion::Tls13)]
#[case("tls12-and-13", "--tls-max 1.2", TlsVersion::Tls12)]
#[case("tls12-and-13", "", TlsVersion::Tls13)]
#[case("sni-required", "", TlsVersion::Tls13)]
#[case("client-cert-optional", "", TlsVersion::Tls13)]
#[tokio::test]
async fn answers(#[case] backend: &str, #[case] arguments: &str, #[case] version: TlsVersion) {
    let Some((said, entry)) = call(backend, arguments).await else { return };

    let protocol = if arguments.contains("--http1.1") { "1.1" } else { "2" };
    assert_eq!(said.last_line(), format!("200 {protocol} 1"), "{said:?}");
    let echo = said.echo();
    assert_eq!(echo["backend"], backend);
    assert_eq!(echo["nonce"], NONCE);
    assert_eq!(echo["path"], format!("/some/path/{NONCE}"));
    assert_eq!(echo["tls"]["version"], version.as_str());
    assert_eq!(echo["tls"]["cipher"].as_str(), entry.cipher.as_deref());
    assert_eq!(echo["ja4"].as_str(), entry.client_hello.as_ref().map(|hello| hello.ja4.as_str()));
    assert_eq!(
        (entry.outcome, entry.phase, entry.ended, entry.cause, entry.error),
        (Handling::Accepted, Phase::Close, Ended::Cleanly, None, None)
    );
    assert_eq!((entry.tls_version, entry.nonce.as_deref()), (Some(version), Some(NONCE)));
    assert_eq!((entry.requests, entry.renegotiations, entry.resumed), (1, 0, false));
    assert_eq!(entry.sni.as_deref(), Some("backend.gauntlet.test"));
    assert!(entry.group.is_some() && entry.cipher.is_some_and(|cipher| cipher.starts_with("TLS_")));
}

/// curl exits with 60 where it refuses a certificate.
#[rstest]
#[case("expired-leaf", "expired", Alert::CertificateExpired)]
#[case("not-yet-valid-leaf", "not yet valid", Alert::BadCertificate)]
#[case("self-signed", "self-signed", Alert::UnknownCa)]
#[case("untrusted-root", "issuer certificate", Alert::UnknownCa)]
#[case("issued-by-client-ca", "issuer certificate", Alert::UnknownCa)]
#[case("missing-intermediate", "issuer certificate", Alert::UnknownCa)]
#[case("wrong-extended-key-usage", "unsuitable certificate purpose", Alert::UnsupportedCertificate)]
#[tokio::test]
async fn shows_a_certificate_that_is_refused(
    #[case] backend: &str,
    #[case] why: &str,
    #[case] alert: Alert,
    #[values("--tls-max 1.2", "")] version: &str,
) {
    let Some((said, entry)) = call(backend, version).await else { return };

    assert_eq!(said.code, Some(60), "{said:?}");
    assert!(said.err.contains(why), "{said:?}");
    assert_eq!(
        (entry.outcome, entry.phase, entry.ended, entry.cause),
        (Handling::Refused, Phase::Handshake, Ended::AlertReceived, None)
    );
    assert_eq!((entry.alert_received, entry.alert_sent), (Some(alert), None));
}

/// curl checks the name after the handshake, and then leaves.
#[tokio::test]
async fn wrong_name_shows_a_certificate_for_another_name() {
    let Some((said, entry)) = call("wrong-name", "").await else { return };

    assert_eq!(said.code, Some(60), "{said:?}");
    assert!(said.err.contains("no alternative certificate subject name matches"), "{said:?}");
    assert_eq!(
        (entry.outcome, entry.phase, entry.requests, entry.cause),
        (Handling::Accepted, Phase::Request, 0, None)
    );
}

#[rstest]
#[case("tls12-only", "--tlsv1.3", Cause::NoCommonVersion, Alert::ProtocolVersion)]
#[case("tls13-only", "--tls-max 1.2", Cause::NoCommonVersion, Alert::ProtocolVersion)]
#[case(
    "plain-good",
    "--tls-max 1.2 --ciphers ECDHE-RSA-AES128-GCM-SHA256",
    Cause::NoCommonCipher,
    Alert::HandshakeFailure
)]
#[case("tls13-only", "--curves ffdhe8192", Cause::NoCommonGroup, Alert::HandshakeFailure)]
#[tokio::test]
async fn refuses_in_the_handshake(
    #[case] backend: &str,
    #[case] arguments: &str,
    #[case] cause: Cause,
    #[case] alert: Alert,
) {
    let Some((said, entry)) = call(backend, arguments).await else { return };

    assert_eq!(said.code, Some(35), "{said:?}");
    assert_eq!(
        (entry.outcome, entry.phase, entry.ended, entry.cause, entry.alert_sent),
        (Handling::Refused, Phase::Handshake, Ended::AlertSent, Some(cause), Some(alert)),
        "{entry:#?}"
    );
    assert!(entry.error.is_some() && entry.client_hello.is_some());
}

/// A server below TLS 1.3 does not look at `supported_versions`: it answers with its own version, and it is the
/// client that refuses (RFC 5246 E.1).
#[rstest]
#[case("tls10-only")]
#[case("tls11-only")]
#[tokio::test]
async fn is_refused_for_its_old_version(#[case] backend: &str) {
    let Some((said, entry)) = call(backend, "").await else { return };

    assert_eq!(said.code, Some(35), "{said:?}");
    // Which alert it sends is its own affair: with Debian's policy for OpenSSL 3.0 it is internal_error.
    assert_eq!((entry.ended, entry.cause), (Ended::AlertReceived, None));
}

const CERTIFICATE: &str = "--cert {folder}/good.pem";

#[rstest]
#[case("client-cert-required", "", 0)]
#[case("client-cert-required", "--tls-max 1.2", 0)]
#[case("client-cert-optional", "", 0)]
#[case("renegotiation-required", "", 1)]
#[case("renegotiation-required-dual", "--tls-max 1.2", 1)]
#[case("renegotiation-required-dual", "", 0)]
#[case("post-handshake-auth-required", "", 0)]
#[tokio::test]
async fn accepts_a_good_client_certificate(
    #[case] backend: &str,
    #[case] arguments: &str,
    #[case] renegotiations: u32,
    #[values("", "--data-binary @{folder}/root.pem")] body: &str,
) {
    let Some((said, entry)) = call(backend, &format!("{CERTIFICATE} {arguments} {body}")).await else {
        return;
    };

    assert!(said.last_line().starts_with("200 ") && said.last_line().ends_with(" 1"), "{said:?}");
    let echo = said.echo();
    assert_eq!(echo["client_certificate"]["known"], "good");
    assert_eq!(echo["client_certificate"]["subject"], "CN=good.client.gauntlet.test");
    assert_eq!(echo["tls"]["renegotiations"], renegotiations);
    assert_eq!(
        (entry.phase, entry.ended, entry.cause, entry.requests),
        (Phase::Close, Ended::Cleanly, None, 1)
    );
    assert_eq!(entry.renegotiations, renegotiations);
    assert_eq!(entry.client_certificate, Some(ClientCertificate::Good));
    assert_eq!(entry.client_chain[0], "CN=good.client.gauntlet.test");
    assert_eq!(entry.client_chain.len(), 2, "{:?}", entry.client_chain);
}

#[rstest]
#[case("good", None)]
#[case("untrusted", Some((Cause::ClientCertUntrusted, Alert::UnknownCa)))]
#[case("self-signed", Some((Cause::ClientCertUntrusted, Alert::UnknownCa)))]
#[case("expired", Some((Cause::ClientCertExpired, Alert::CertificateExpired)))]
#[case("not-yet-valid", Some((Cause::ClientCertNotYetValid, Alert::BadCertificate)))]
#[case("wrong-extended-key-usage", Some((Cause::ClientCertWrongUsage, Alert::UnsupportedCertificate)))]
#[case("revoked", Some((Cause::ClientCertRevoked, Alert::CertificateRevoked)))]
#[case("revoked-intermediate", Some((Cause::ClientCertRevoked, Alert::CertificateRevoked)))]
#[case("issued-by-server-ca", Some((Cause::ClientCertUntrusted, Alert::UnknownCa)))]
#[tokio::test]
async fn refuses_a_bad_client_certificate(
    #[case] shown: &str,
    #[case] refusal: Option<(Cause, Alert)>,
    #[values(
        ("client-cert-required", "", Phase::Handshake),
        ("client-cert-required", "--tls-max 1.2", Phase::Handshake),
        ("client-cert-optional", "", Phase::Handshake),
        ("renegotiation-required", "", Phase::Request),
        ("post-handshake-auth-required", "", Phase::Request),
    )]
    place: (&str, &str, Phase),
) {
    let (backend, arguments, phase) = place;
    let arguments = format!("--cert {{folder}}/{shown}.pem {arguments}");
    let Some((said, entry)) = call(backend, &arguments).await else { return };

    assert_eq!(said.code == Some(0), refusal.is_none(), "{said:?}");
    assert_eq!(entry.cause, refusal.map(|(cause, _)| cause), "{entry:#?}");
    assert_eq!(entry.alert_sent, refusal.map(|(_, alert)| alert));
    assert_eq!(entry.client_certificate.map(ClientCertificate::as_str), Some(shown));
    if refusal.is_some() {
        assert_eq!((entry.phase, entry.ended), (phase, Ended::AlertSent));
    }
}

#[rstest]
#[case("client-cert-required", "", Phase::Handshake, Alert::CertificateRequired)]
#[case("client-cert-required", "--tls-max 1.2", Phase::Handshake, Alert::HandshakeFailure)]
#[case("renegotiation-required", "", Phase::Request, Alert::HandshakeFailure)]
#[case("post-handshake-auth-required", "", Phase::Request, Alert::CertificateRequired)]
#[tokio::test]
async fn refuses_a_missing_client_certificate(
    #[case] backend: &str,
    #[case] arguments: &str,
    #[case] phase: Phase,
    #[case] alert: Alert,
) {
    let Some((said, entry)) = call(backend, arguments).await else { return };

    assert_ne!(said.code, Some(0), "{said:?}");
    assert_eq!(
        (entry.phase, entry.ended, entry.cause, entry.alert_sent),
        (phase, Ended::AlertSent, Some(Cause::ClientCertMissing), Some(alert))
    );
    assert_eq!(entry.nonce.is_some(), phase == Phase::Request);
}

#[tokio::test]
async fn renegotiation_without_cert_asks_for_nothing() {
    let Some((said, entry)) = call("renegotiation-without-cert", "").await else { return };

    assert_eq!(said.last_line(), "200 1.1 1", "{said:?}");
    assert_eq!((entry.renegotiations, entry.client_certificate, entry.cause), (1, None, None));
    assert_eq!(entry.phase, Phase::Close);
}

struct Faulty {
    backend: &'static str,
    arguments: &'static str,
    code: i32,
    phase: Phase,
    ended: Ended,
    cause: Option<Cause>,
}

#[rstest]
#[case(Faulty { backend: "plaintext-http", arguments: "", code: 35,
    phase: Phase::Handshake, ended: Ended::ByFault, cause: Some(Cause::NotTls) })]
#[case(Faulty { backend: "stalls-before-handshake", arguments: "--max-time 0.3", code: 28,
    phase: Phase::Handshake, ended: Ended::ClosedByPeer, cause: Some(Cause::Timeout) })]
#[case(Faulty { backend: "resets-in-handshake", arguments: "", code: 35,
    phase: Phase::Handshake, ended: Ended::ByFault, cause: Some(Cause::Reset) })]
#[case(Faulty { backend: "stalls-after-request", arguments: "--max-time 0.3", code: 28,
    phase: Phase::Response, ended: Ended::ClosedByPeer, cause: Some(Cause::Timeout) })]
#[case(Faulty { backend: "stalls-after-request", arguments: "--max-time 0.3 --http1.1", code: 28,
    phase: Phase::Response, ended: Ended::ClosedByPeer, cause: Some(Cause::Timeout) })]
#[case(Faulty { backend: "resets-in-response", arguments: "", code: 56,
    phase: Phase::Response, ended: Ended::ByFault, cause: Some(Cause::Reset) })]
#[case(Faulty { backend: "resets-in-response", arguments: "--http1.1", code: 56,
    phase: Phase::Response, ended: Ended::ByFault, cause: Some(Cause::Reset) })]
#[case(Faulty { backend: "ends-without-close-notify", arguments: "", code: 0,
    phase: Phase::Close, ended: Ended::ByFault, cause: None })]
#[case(Faulty { backend: "ends-without-close-notify", arguments: "--http1.1", code: 0,
    phase: Phase::Close, ended: Ended::ByFault, cause: None })]
#[tokio::test]
async fn misbehaves(#[case] fault: Faulty) {
    let Some((said, entry)) = call(fault.backend, fault.arguments).await else { return };

    assert_eq!(said.code, Some(fault.code), "{said:?}");
    assert_eq!(
        (entry.phase, entry.ended, entry.cause),
        (fault.phase, fault.ended, fault.cause),
        "{entry:#?}"
    );
    assert_eq!((entry.alert_sent, entry.alert_received), (None, None));
    if fault.backend == "resets-in-response" {
        assert!(said.last_line().starts_with("200 "), "the head has come: {said:?}");
        assert!(said.out.contains(r#""backend":"resets"#), "half of the body has come: {said:?}");
        assert!(!said.out.contains("renegotiations"), "and no more: {said:?}");
    }
    if fault.backend.contains("handshake") {
        assert_eq!(entry.client_hello.unwrap().server_name.as_deref(), Some("backend.gauntlet.test"));
    }
}

#[tokio::test]
async fn refuses_connection_holds_the_port_and_lets_nobody_in() {
    if !is_installed("curl") {
        return;
    }
    let target = Target::start("refuses-connection").await;
    let said = target.curl("").await;

    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(target.backend.ledger().is_empty());
    assert!(tokio::net::TcpListener::bind(target.backend.address()).await.is_err(), "the port is held");
}

#[test]
fn every_backend_of_the_catalogue_is_proven() {
    let proofs = [
        include_str!("backend_promises.rs"),
        include_str!("oracles.rs"),
        include_str!("backend_certificates.rs"),
    ]
    .concat();
    let unproven: Vec<_> = catalogue()
        .backends()
        .map(|(name, _, _)| name)
        .filter(|name| !proofs.contains(&format!("\"{name}\"")))
        .collect();
    assert_eq!(unproven, Vec::<&str>::new());
}
