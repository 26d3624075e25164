//! The first leg: client to listener.

use super::Steps;
use crate::{
    claims::{ClaimName, Claims, PlainHttp, Unclaimed, UnknownProtocols},
    expectation::{BackendSight, Connection, Expectation},
    profile::{ClientCertificatePolicy, ClientProfile, ListenerProfile, ServerNameSent},
    words::{Alert, Cause, CipherSuite, ClientCertificate, Party, Phase, TlsVersion},
};

/// Walks the client's handshake with the listener to the application protocol that is spoken; `Err` holds where it stops.
pub(super) fn walk(
    client: &ClientProfile,
    listener: &ListenerProfile,
    claims: &Claims,
    steps: &mut Steps,
) -> Result<Result<Protocol, Expectation>, Unclaimed> {
    if client.plaintext {
        steps.say("the client speaks HTTP where the listener expects TLS");
        return plain_http(claims).map(Err);
    }
    let able = claims.listener.versions()?;
    let accepted = listener.versions.intersection(able).ok_or(Unclaimed(ClaimName::ListenerVersions))?;
    let Some(version) = client.versions.negotiate(&accepted) else {
        steps.say(format!("the client offers {}, the listener accepts {accepted}", client.versions));
        return refused_in_tls(Cause::NoCommonVersion, None, claims).map(Err);
    };
    steps.say(format!("client and listener agree on {version}"));
    if let Some(cause) = nothing_in_common(client, listener, claims, version) {
        steps.say(format!("client and listener have nothing in common to go on with: {cause}"));
        return refused_in_tls(cause, Some(version), claims).map(Err);
    }
    let protocol = application_protocol(client, listener, claims)?;
    match &protocol {
        Protocol::Agreed(protocol) => steps.say(format!("client and listener agree on {protocol}")),
        Protocol::Refused => {
            steps.say(format!(
                "the client offers {}, of which the listener has none",
                client.protocols.join(" and ")
            ));
            return refused_in_tls(Cause::AlpnMismatch, Some(version), claims).map(Err);
        }
        Protocol::Unoffered(protocol) => {
            steps.say(format!("the listener answers with {protocol}, which the client has not offered"));
            return Ok(Err(left_by_client()));
        }
        Protocol::None => {}
    }
    if let Some(cause) = server_name_refusal(client, claims)? {
        steps.say("the gateway refuses the server name");
        return match claims.listener.server_name_status {
            Some(status) => Ok(Err(refused_in_http(cause, status))),
            None => refused_in_tls(cause, Some(version), claims).map(Err),
        };
    }
    let refusal = certificate_refusal(client, listener, claims)?;
    // In TLS 1.3 the client is done with the handshake before its certificate is looked at (RFC 8446 4.4.2.4).
    let refused_before_the_end = refusal.is_some()
        && version < TlsVersion::Tls13
        && claims.listener.client_certificate_status.is_none();
    if matches!(protocol, Protocol::None) && client.insists_on_protocol() && !refused_before_the_end {
        let offered = client.protocols.join(" and ");
        steps.say(format!("the listener goes on without {offered}, and the client does not"));
        return Ok(Err(left_by_client()));
    }
    if listener.client_certificate == ClientCertificatePolicy::OnDemand {
        return Ok(on_demand(client, &protocol, listener, version, claims, steps)?.map(|()| protocol));
    }
    if let Some(cause) = refusal {
        steps.say(format!("the listener refuses the client: {cause}"));
        return refused_certificate(cause, version, claims).map(Err);
    }
    Ok(match misdirected(client, listener, claims) {
        Some(refused) => {
            steps
                .say("the listener asks for certificates and the host of the request is not the server name");
            Err(refused)
        }
        None => Ok(protocol),
    })
}

/// Cipher suites and groups, where both sides are particular about them.
fn nothing_in_common(
    client: &ClientProfile,
    listener: &ListenerProfile,
    claims: &Claims,
    version: TlsVersion,
) -> Option<Cause> {
    let limit = claims.listener.ciphers.as_deref();
    let Ok(accepted) = CipherSuite::limited(listener.ciphers.as_deref(), limit) else {
        return Some(Cause::NoCommonCipher);
    };
    if let Some(accepted) = of_kind(accepted.as_deref(), version) {
        let offered = of_kind(client.ciphers.as_deref(), version);
        let is_offered = |suite: &CipherSuite| offered.as_ref().is_none_or(|offered| offered.contains(suite));
        if !accepted.iter().any(|suite| suite.fits(version) && is_offered(suite)) {
            return Some(Cause::NoCommonCipher);
        }
    }
    let (Some(offered), Some(accepted)) = (&client.groups, &listener.groups) else { return None };
    let none = !offered.iter().any(|group| group.fits(version) && accepted.contains(group));
    // Up to TLS 1.2 the group is a part of the choice of a suite (RFC 8422 5.1).
    none.then_some(if version < TlsVersion::Tls13 { Cause::NoCommonCipher } else { Cause::NoCommonGroup })
}

/// The suites of a list for TLS 1.3, or for the versions below it, if it names any.
fn of_kind(list: Option<&[CipherSuite]>, version: TlsVersion) -> Option<Vec<CipherSuite>> {
    let is_tls13 = |suite: &CipherSuite| suite.fits(TlsVersion::Tls13);
    let wanted = version == TlsVersion::Tls13;
    let suites: Vec<_> = list?.iter().copied().filter(|suite| is_tls13(suite) == wanted).collect();
    (!suites.is_empty()).then_some(suites)
}

/// The client breaks off over the application protocol.
fn left_by_client() -> Expectation {
    Expectation { by: Some(Party::Client), may_close: true, ..stopped(Phase::Handshake, Cause::AlpnMismatch) }
}

/// What comes of the application protocols that the client offers.
pub(super) enum Protocol {
    /// This one is spoken.
    Agreed(String),
    /// None was offered, or the listener has not answered.
    None,
    /// The listener answers with this one, which was not offered.
    Unoffered(&'static str),
    /// The listener breaks the handshake off.
    Refused,
}

impl Protocol {
    /// The one that was agreed on.
    pub(super) fn agreed(self) -> Option<String> {
        match self {
            Self::Agreed(protocol) => Some(protocol),
            Self::None | Self::Unoffered(_) | Self::Refused => None,
        }
    }
}

/// The listener's choice (RFC 7301 3.2).
fn application_protocol(
    client: &ClientProfile,
    listener: &ListenerProfile,
    claims: &Claims,
) -> Result<Protocol, Unclaimed> {
    if client.protocols.is_empty() {
        return Ok(Protocol::None);
    }
    let own = match &listener.protocols[..] {
        [] => claims.listener.protocols()?,
        told => told,
    };
    if let Some(protocol) = own.iter().find(|name| client.protocols.contains(name)) {
        return Ok(Protocol::Agreed(protocol.clone()));
    }
    if own.is_empty() {
        return Ok(Protocol::None);
    }
    let unknown = *claims.listener.unknown_protocols()?;
    Ok(match unknown {
        UnknownProtocols::AnsweredHttp11 if client.insists_on_protocol() => {
            Protocol::Unoffered(ClientProfile::HTTP11)
        }
        UnknownProtocols::AnsweredHttp11 => Protocol::Agreed(ClientProfile::HTTP11.to_owned()),
        UnknownProtocols::Ignored => Protocol::None,
        UnknownProtocols::RefusedWithoutHttp11 if !client.insists_on_protocol() => Protocol::None,
        UnknownProtocols::Refused | UnknownProtocols::RefusedWithoutHttp11 => Protocol::Refused,
    })
}

fn plain_http(claims: &Claims) -> Result<Expectation, Unclaimed> {
    let mut stop = stopped(Phase::Handshake, Cause::NotTls);
    match *claims.listener.plain_http()? {
        PlainHttp::Status(status) => stop.statuses = vec![status],
        PlainHttp::Close => stop.may_close = true,
    }
    Ok(stop)
}

fn server_name_refusal(client: &ClientProfile, claims: &Claims) -> Result<Option<Cause>, Unclaimed> {
    let listener = &claims.listener;
    Ok(match client.server_name {
        ServerNameSent::Right => None,
        ServerNameSent::Wrong => {
            let served = *listener.serves_unknown_names()?;
            (!served).then_some(Cause::SniUnknown)
        }
        ServerNameSent::None => {
            let served = *listener.serves_missing_names()?;
            (!served).then_some(Cause::SniMissing)
        }
    })
}

/// A request that needs a client certificate has come.
fn on_demand(
    client: &ClientProfile,
    protocol: &Protocol,
    profile: &ListenerProfile,
    version: TlsVersion,
    claims: &Claims,
    steps: &mut Steps,
) -> Result<Result<(), Expectation>, Unclaimed> {
    let listener = &claims.listener;
    let refused = |cause| {
        if listener.refuses_late_in_tls {
            // The handshake that comes after the request is one like the first.
            return refused_in_tls(cause, Some(version), claims).map(Err);
        }
        let status = *listener.late_certificate_status()?;
        Ok(Err(refused_in_http(cause, status)))
    };
    if matches!(protocol, Protocol::Agreed(protocol) if protocol == "h2") {
        steps.say("the request needs a client certificate, and HTTP/2 forbids to ask for it");
        if *listener.resets_late_http2()? {
            return Ok(Err(Expectation {
                may_close: true,
                ..stopped(Phase::Request, Cause::Http11Required)
            }));
        }
        return refused(Cause::ClientCertMissing);
    }
    if version >= TlsVersion::Tls13 {
        if !*listener.asks_post_handshake()? {
            steps.say(
                "the request needs a client certificate, and TLS 1.3 has no renegotiation to ask for it",
            );
            return refused(Cause::ClientCertMissing);
        }
        steps.say("the listener asks for the client's certificate by post-handshake authentication");
    } else {
        if !*listener.renegotiates()? {
            steps.say(
                "the request needs a client certificate, and the gateway never renegotiates to ask for it",
            );
            return refused(Cause::ClientCertMissing);
        }
        if !client.follows_renegotiation {
            steps
                .say("the listener renegotiates to ask for the client's certificate, and the client refuses");
            return Ok(Err(Expectation {
                alerts: vec![Alert::HandshakeFailure],
                may_close: true,
                by: Some(Party::Client),
                ..stopped(Phase::Request, Cause::RenegotiationRefused)
            }));
        }
        steps.say("the listener renegotiates to ask for the client's certificate");
    }
    let flaw = client.client_certificate.map_or(Some(Cause::ClientCertMissing), ClientCertificate::flaw);
    match held_against(flaw, profile, claims)? {
        Some(cause) => {
            steps.say(format!("the gateway refuses the request: {cause}"));
            refused(cause)
        }
        None => Ok(Ok(())),
    }
}

fn certificate_refusal(
    client: &ClientProfile,
    listener: &ListenerProfile,
    claims: &Claims,
) -> Result<Option<Cause>, Unclaimed> {
    let flaw = match (listener.client_certificate, client.client_certificate) {
        (ClientCertificatePolicy::Ignored | ClientCertificatePolicy::OnDemand, _)
        | (ClientCertificatePolicy::Optional, None) => None,
        (ClientCertificatePolicy::Required, None) => Some(Cause::ClientCertMissing),
        (ClientCertificatePolicy::Optional | ClientCertificatePolicy::Required, Some(shown)) => shown.flaw(),
    };
    held_against(flaw, listener, claims)
}

/// Of the flaws of a certificate, those that this listener of this gateway looks at.
fn held_against(
    flaw: Option<Cause>,
    listener: &ListenerProfile,
    claims: &Claims,
) -> Result<Option<Cause>, Unclaimed> {
    Ok(match flaw {
        Some(Cause::ClientCertRevoked) if !listener.check_revocation => None,
        Some(Cause::ClientCertWeak) => {
            let accepts = *claims.listener.accepts_weak_certificates()?;
            (!accepts).then_some(Cause::ClientCertWeak)
        }
        flaw => flaw,
    })
}

/// The host of every request is the gateway's name.
fn misdirected(client: &ClientProfile, listener: &ListenerProfile, claims: &Claims) -> Option<Expectation> {
    let status = claims.listener.misdirected_status?;
    let cause = match (listener.client_certificate, client.server_name) {
        (ClientCertificatePolicy::Ignored, _) | (_, ServerNameSent::Right) => return None,
        (_, ServerNameSent::Wrong) => Cause::SniUnknown,
        (_, ServerNameSent::None) => Cause::SniMissing,
    };
    Some(refused_in_http(cause, status))
}

fn refused_certificate(cause: Cause, version: TlsVersion, claims: &Claims) -> Result<Expectation, Unclaimed> {
    match claims.listener.client_certificate_status {
        Some(status) => Ok(refused_in_http(cause, status)),
        None => refused_in_tls(cause, Some(version), claims),
    }
}

fn refused_in_tls(
    cause: Cause,
    version: Option<TlsVersion>,
    claims: &Claims,
) -> Result<Expectation, Unclaimed> {
    let claim = claims.alert_for(cause, version)?;
    Ok(Expectation {
        alerts: claim.alerts.clone(),
        may_close: claim.may_close,
        ..stopped(Phase::Handshake, cause)
    })
}

fn refused_in_http(cause: Cause, status: u16) -> Expectation {
    Expectation { statuses: vec![status], ..stopped(Phase::Request, cause) }
}

/// The gateway stops the client, and the backend hears nothing of it.
fn stopped(phase: Phase, cause: Cause) -> Expectation {
    Expectation {
        backend: BackendSight { connection: Some(Connection::None), ..BackendSight::default() },
        ..Expectation::refuse(Party::Gateway, phase, cause)
    }
}
