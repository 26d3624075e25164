//! What the listener makes of a client.

use rstest::rstest;
use tls_gauntlet_scenarios::{
    Alert, AlertClaim, Cause, CipherSuite, ClaimName, Claims, Connection, Outcome, Party, Phase, Unclaimed,
    UnknownProtocols, catalogue, model,
};

use super::{claims, expect, scenario};

/// HTTP/2 and HTTP/1.1 for those who speak it. Whoever insists on HTTP/2 does not go on without an agreement, whatever the
/// listener makes of that.
#[rstest]
#[case("h2-and-h1", "h2-and-h1", UnknownProtocols::Refused, Ok(Some("h2")))]
#[case("h2-only", "h2-and-h1", UnknownProtocols::Refused, Ok(Some("h2")))]
#[case("h1-only", "h2-and-h1", UnknownProtocols::Refused, Ok(Some("http/1.1")))]
#[case("h2-and-h1", "h1-only", UnknownProtocols::Refused, Ok(Some("http/1.1")))]
#[case("h1-only", "h2-only", UnknownProtocols::Refused, Err(Party::Gateway))]
#[case("h1-only", "h2-only", UnknownProtocols::RefusedWithoutHttp11, Ok(None))]
#[case("h1-only", "h2-only", UnknownProtocols::Ignored, Ok(None))]
#[case("h1-only", "h2-only", UnknownProtocols::AnsweredHttp11, Ok(Some("http/1.1")))]
#[case("h2-only", "h1-only", UnknownProtocols::Refused, Err(Party::Gateway))]
#[case("h2-only", "h1-only", UnknownProtocols::RefusedWithoutHttp11, Err(Party::Gateway))]
#[case("h2-only", "h1-only", UnknownProtocols::Ignored, Err(Party::Client))]
#[case("h2-only", "h1-only", UnknownProtocols::AnsweredHttp11, Err(Party::Client))]
#[case("unknown-protocol", "h2-and-h1", UnknownProtocols::Ignored, Err(Party::Client))]
fn application_protocols(
    #[case] client: &str,
    #[case] listener: &str,
    #[case] unknown: UnknownProtocols,
    #[case] agreed: Result<Option<&str>, Party>,
) {
    let mut claims = claims();
    claims.listener.unknown_protocols = Some(unknown);
    claims.listener.alert.insert(0, alert(Cause::AlpnMismatch, Alert::NoApplicationProtocol));
    let expected = model::expect(&scenario(client, listener, "strict", "plain-good"), &claims).unwrap();
    match agreed {
        Ok(protocol) => {
            assert_eq!(expected.outcome, Outcome::Reach);
            assert_eq!(expected.client_alpn, Some(protocol.map(str::to_owned)));
        }
        Err(by) => {
            assert_eq!(
                (expected.by, expected.phase, expected.cause),
                (Some(by), Some(Phase::Handshake), Some(Cause::AlpnMismatch))
            );
            let alerts: &[Alert] = if by == Party::Gateway { &[Alert::NoApplicationProtocol] } else { &[] };
            assert_eq!((&expected.alerts[..], expected.may_close), (alerts, by == Party::Client));
            assert_eq!(expected.backend.connection, Some(Connection::None));
        }
    }
}

/// Up to TLS 1.2 a certificate is refused before the handshake ends, and with it before the client sees what was agreed on.
#[rstest]
#[case("tls13-only", None, Cause::AlpnMismatch)]
#[case("tls12-only", None, Cause::ClientCertMissing)]
#[case("tls12-only", Some(400), Cause::AlpnMismatch)]
fn who_comes_first(#[case] versions: &str, #[case] status: Option<u16>, #[case] cause: Cause) {
    let mut claims = claims();
    claims.listener.unknown_protocols = Some(UnknownProtocols::Ignored);
    claims.listener.client_certificate_status = status;
    let mut cell = scenario("h2-only", "client-cert-required", "strict", "plain-good");
    cell.listener.profile.protocols = vec!["http/1.1".to_owned()];
    cell.listener.profile.versions = catalogue().listener(versions).unwrap().versions.clone();
    assert_eq!(model::expect(&cell, &claims).unwrap().cause, Some(cause));
}

/// What a listener has that is told nothing, is a claim; nobody needs it for a client that offers nothing.
#[rstest]
#[case("h2-and-h1", &["h2", "http/1.1"], Some(Some("h2")))]
#[case("h2-and-h1", &["http/1.1", "h2"], Some(Some("http/1.1")))]
#[case("h2-and-h1", &["http/1.1"], Some(Some("http/1.1")))]
#[case("h2-and-h1", &[], Some(None))]
#[case("default", &["h2", "http/1.1"], None)]
fn application_protocols_of_a_listener_that_is_told_none(
    #[case] client: &str,
    #[case] own: &[&str],
    #[case] agreed: Option<Option<&str>>,
) {
    let mut claims = claims();
    claims.listener.protocols = Some(own.iter().map(|name| (*name).to_owned()).collect());
    let cell = scenario(client, "default", "strict", "plain-good");
    let expected = model::expect(&cell, &claims).unwrap();
    assert_eq!(expected.client_alpn, agreed.map(|protocol| protocol.map(str::to_owned)));
    claims.listener.protocols = None;
    let unclaimed = model::expect(&cell, &claims).err();
    assert_eq!(unclaimed, agreed.is_some().then_some(Unclaimed(ClaimName::ListenerProtocols)));
}

/// RFC 9113 9.2.1 and 9.2.3: what comes over HTTP/1.1 with the same certificate, does not come over HTTP/2.
#[rstest]
#[case("h2-good-client-cert", "client-cert-on-demand", true, None)]
#[case("h2-good-client-cert", "client-cert-on-demand-h2", true, Some(Cause::Http11Required))]
#[case("h2-good-client-cert", "client-cert-on-demand-h2", false, Some(Cause::ClientCertMissing))]
#[case("good-client-cert", "client-cert-on-demand-h2", true, None)]
fn http2_forbids_late_demands(
    #[case] client: &str,
    #[case] listener: &str,
    #[case] resets: bool,
    #[case] refused: Option<Cause>,
) {
    let mut claims = claims();
    claims.listener.asks_post_handshake = Some(true);
    claims.listener.resets_late_http2 = Some(resets);
    let expected = model::expect(&scenario(client, listener, "strict", "plain-good"), &claims).unwrap();
    assert_eq!(expected.cause, refused);
    if refused == Some(Cause::Http11Required) {
        assert_eq!((expected.by, expected.phase), (Some(Party::Gateway), Some(Phase::Request)));
        assert_eq!(
            (expected.may_close, &expected.statuses[..], &expected.alerts[..]),
            (true, &[][..], &[][..])
        );
    }
}

fn alert(cause: Cause, alert: Alert) -> AlertClaim {
    AlertClaim { causes: vec![cause], tls_version: None, alerts: vec![alert], may_close: false }
}

#[rstest]
#[case("tls10-only", "default", Some(Cause::NoCommonVersion))]
#[case("tls10-only", "legacy", None)]
#[case("tls13-only", "tls12-only", Some(Cause::NoCommonVersion))]
#[case("default", "client-cert-required", Some(Cause::ClientCertMissing))]
#[case("good-client-cert", "client-cert-required", None)]
#[case("untrusted-client-cert", "client-cert-optional", Some(Cause::ClientCertUntrusted))]
#[case("expired-client-cert", "client-cert-required", Some(Cause::ClientCertExpired))]
#[case("expired-client-cert", "default", None)]
#[case("not-yet-valid-client-cert", "client-cert-required", Some(Cause::ClientCertNotYetValid))]
#[case("wrong-usage-client-cert", "client-cert-optional", Some(Cause::ClientCertWrongUsage))]
#[case("weak-client-cert", "client-cert-required", Some(Cause::ClientCertWeak))]
#[case("revoked-client-cert", "client-cert-unrevoked", Some(Cause::ClientCertRevoked))]
#[case("revoked-client-cert", "client-cert-required", None)]
#[case("wrong-sni", "default", None)]
#[case("no-sni", "default", Some(Cause::SniMissing))]
#[case("plaintext", "default", Some(Cause::NotTls))]
#[case("aes128-gcm-only", "aes256-gcm-only", Some(Cause::NoCommonCipher))]
#[case("aes128-gcm-only", "tls12-only", None)]
#[case("p256-only", "x25519-only", Some(Cause::NoCommonGroup))]
#[case("p256-only", "tls13-only", None)]
fn what_the_listener_does(#[case] client: &str, #[case] listener: &str, #[case] cause: Option<Cause>) {
    let expected = expect(client, listener, "strict", "plain-good");
    assert_eq!(expected.cause, cause);
    if cause.is_some() {
        assert_eq!(expected.by, Some(Party::Gateway));
        assert_eq!(expected.backend.connection, Some(Connection::None), "the backend hears nothing of it");
    }
}

#[rstest]
#[case("resumes", "session-tickets", Some(true))]
#[case("resumes", "no-session-tickets", Some(false))]
#[case("resumes-from-elsewhere", "session-tickets", Some(true))]
#[case("resumes-from-elsewhere", "no-session-tickets", None)]
#[case("resumes", "default", None)]
#[case("default", "session-tickets", None)]
fn sessions_of_clients(#[case] client: &str, #[case] listener: &str, #[case] resumed: Option<bool>) {
    assert_eq!(expect(client, listener, "strict", "plain-good").client_resumed, resumed);
}

#[test]
fn a_server_name_may_be_refused_in_http() {
    let mut strict = claims();
    strict.listener.server_name_status = Some(421);
    let cell = scenario("no-sni", "client-cert-required", "strict", "plain-good");
    let expected = model::expect(&cell, &strict).unwrap();
    assert_eq!((expected.phase, expected.cause), (Some(Phase::Request), Some(Cause::SniMissing)));
    assert_eq!((&expected.statuses[..], &expected.alerts[..]), (&[421][..], &[][..]));
}

#[rstest]
#[case("wrong-sni", "client-cert-optional", Some(Cause::SniUnknown))]
#[case("no-sni", "client-cert-optional", Some(Cause::SniMissing))]
#[case("no-sni", "client-cert-required", Some(Cause::ClientCertMissing))]
#[case("wrong-sni", "default", None)]
#[case("default", "client-cert-optional", None)]
fn a_gateway_may_compare_host_and_server_name_where_it_asks_for_certificates(
    #[case] client: &str,
    #[case] listener: &str,
    #[case] cause: Option<Cause>,
) {
    let mut comparing = claims();
    comparing.listener.serves_missing_names = Some(true);
    comparing.listener.misdirected_status = Some(421);
    let expected = model::expect(&scenario(client, listener, "strict", "plain-good"), &comparing).unwrap();
    assert_eq!(expected.cause, cause);
    if matches!(cause, Some(Cause::SniUnknown | Cause::SniMissing)) {
        assert_eq!((expected.phase, &expected.statuses[..]), (Some(Phase::Request), &[421][..]));
    }
}

#[rstest]
#[case("client-cert-per-path", "max-tls12", "default", 0)]
#[case("client-cert-per-path", "max-tls12", "secure-path", 1)]
#[case("renegotiation-per-path", "strict", "default", 0)]
#[case("renegotiation-per-path", "strict", "secure-path", 1)]
#[case("renegotiation-in-response", "strict", "default", 1)]
#[case("hello-request-storm", "strict", "default", 1)]
fn what_is_wanted_late(
    #[case] backend: &str,
    #[case] upstream: &str,
    #[case] client: &str,
    #[case] renegotiations: u32,
) {
    let cell = scenario(client, "default", upstream, backend);
    let expected = model::expect(&cell, &claims()).unwrap();
    assert_eq!((expected.outcome, expected.backend.renegotiations), (Outcome::Reach, Some(renegotiations)));
    let direct = model::expect_called_directly(&cell, &Claims::openssl_client()).unwrap();
    assert_eq!(direct.backend.renegotiations, Some(renegotiations));

    let refusing = Claims { follows_renegotiation: Some(false), ..claims() };
    let refused = model::expect(&cell, &refusing).unwrap();
    let phase = if backend == "renegotiation-in-response" { Phase::Response } else { Phase::Request };
    let wanted = (renegotiations > 0).then_some((phase, Cause::RenegotiationRefused));
    assert_eq!(refused.phase.zip(refused.cause), wanted);
}

#[test]
fn a_missing_certificate_may_be_refused_late() {
    let expected = expect("default", "default", "no-client-cert", "client-cert-refused-late");
    assert_eq!((expected.by, expected.phase), (Some(Party::Backend), Some(Phase::Request)));
    assert_eq!(expected.cause, Some(Cause::ClientCertMissing));
    assert_eq!(expected.backend.connection, Some(Connection::Request));
}

/// A gateway that goes beyond a list of suites on neither side, whatever a listener or an upstream is told.
#[rstest]
#[case::nothing_in_common("aes128-gcm-only", "default", Some(Cause::NoCommonCipher))]
#[case::one_in_common("default", "aes256-gcm-only", None)]
#[case::the_other_kind_is_not_spoken_of("tls13-only", "default", None)]
fn clients_get_no_suite_beyond_the_limit(
    #[case] client: &str,
    #[case] listener: &str,
    #[case] cause: Option<Cause>,
) {
    let mut limited = claims();
    limited.listener.ciphers = Some(vec![CipherSuite::EcdheEcdsaAes256Gcm]);
    limited.listener.alert = claims().listener.alert;
    let expected = model::expect(&scenario(client, listener, "strict", "plain-good"), &limited).unwrap();
    assert_eq!(expected.cause, cause);
}

/// httpd asks late in both versions, and refuses in TLS what comes of it.
#[rstest]
#[case("renegotiating", None, None)]
#[case("good-client-cert", None, None)]
#[case("tls13-only", Some(Cause::ClientCertMissing), Some(Alert::CertificateRequired))]
#[case("untrusted-client-cert", Some(Cause::ClientCertUntrusted), Some(Alert::UnknownCa))]
fn a_late_demand_may_be_refused_in_tls(
    #[case] client: &str,
    #[case] cause: Option<Cause>,
    #[case] alert: Option<Alert>,
) {
    let mut httpd = claims();
    httpd.listener.asks_post_handshake = Some(true);
    httpd.listener.refuses_late_in_tls = true;
    httpd.listener.late_certificate_status = None;
    let late = scenario(client, "client-cert-on-demand", "strict", "plain-good");
    let expected = model::expect(&late, &httpd).unwrap();
    assert_eq!((expected.cause, expected.alerts.first().copied()), (cause, alert));
    assert_eq!(expected.statuses.is_empty(), cause.is_some());
}
