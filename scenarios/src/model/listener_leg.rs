//! The first leg: client to listener.

use super::{Halt, Steps};
use crate::{
    claims::{AlertClaim, ClaimName, Claims, PlainHttp, Unclaimed, UnknownProtocols},
    expectation::{BackendSight, Connection, Expectation},
    profile::{ClientCertificatePolicy, ClientProfile, ListenerProfile, ServerNameSent},
    words::{Alert, Cause, CipherSuite, ClientCertificate, Party, Phase, TlsVersion},
};

/// A client's way into the gateway ends here: what it sees of that.
type Refused = Halt<Expectation>;

/// The application protocol that client and listener agreed on, if they did.
type Spoken = Option<String>;

/// Walks the client's handshake with the listener, up to the application protocol that is spoken.
pub(super) fn walk(
    client: &ClientProfile,
    listener: &ListenerProfile,
    claims: &Claims,
    steps: &mut Steps,
) -> Result<Spoken, Refused> {
    let mut entry = Entry { client, listener, claims, steps };
    entry.speaks_tls()?;
    let version = entry.version()?;
    entry.common_ground(version)?;
    let protocol = entry.protocol(version)?;
    entry.server_name(version)?;
    entry.certificate(&protocol, version)?;
    Ok(protocol)
}

/// A client at a listener.
struct Entry<'a> {
    client: &'a ClientProfile,
    listener: &'a ListenerProfile,
    claims: &'a Claims,
    steps: &'a mut Steps,
}

impl Entry<'_> {
    fn speaks_tls(&mut self) -> Result<(), Refused> {
        if !self.client.plaintext {
            return Ok(());
        }
        self.steps.say("the client speaks HTTP where the listener expects TLS");
        let mut stop = stopped(Phase::Handshake, Cause::NotTls);
        match *self.claims.listener.plain_http()? {
            PlainHttp::Status(status) => stop.statuses = vec![status],
            PlainHttp::Close => stop.may_close = true,
        }
        Err(Halt::at(stop))
    }

    fn version(&mut self) -> Result<TlsVersion, Refused> {
        let able = self.claims.listener.versions()?;
        let accepted =
            self.listener.versions.intersection(able).ok_or(Unclaimed(ClaimName::ListenerVersions))?;
        let offered = &self.client.versions;
        let Some(version) = offered.negotiate(&accepted) else {
            self.steps.say(format!("the client offers {offered}, the listener accepts {accepted}"));
            return Err(self.refused_in_tls(Cause::NoCommonVersion, None));
        };
        self.steps.say(format!("client and listener agree on {version}"));
        Ok(version)
    }

    fn common_ground(&mut self, version: TlsVersion) -> Result<(), Refused> {
        let Some(cause) = self.nothing_in_common(version) else { return Ok(()) };
        self.steps.say(format!("client and listener have nothing in common to go on with: {cause}"));
        Err(self.refused_in_tls(cause, Some(version)))
    }

    /// Cipher suites and groups, where both sides are particular about them.
    fn nothing_in_common(&self, version: TlsVersion) -> Option<Cause> {
        let (client, listener) = (self.client, self.listener);
        let limit = self.claims.listener.ciphers.as_deref();
        let Ok(accepted) = CipherSuite::limited(listener.ciphers.as_deref(), limit) else {
            return Some(Cause::NoCommonCipher);
        };
        if let Some(accepted) = of_kind(accepted.as_deref(), version) {
            let offered = of_kind(client.ciphers.as_deref(), version);
            let is_offered =
                |suite: &CipherSuite| offered.as_ref().is_none_or(|offered| offered.contains(suite));
            if !accepted.iter().any(|suite| suite.fits(version) && is_offered(suite)) {
                return Some(Cause::NoCommonCipher);
            }
        }
        let (Some(offered), Some(accepted)) = (&client.groups, &listener.groups) else { return None };
        let none = !offered.iter().any(|group| group.fits(version) && accepted.contains(group));
        // Up to TLS 1.2 the group is a part of the choice of a suite (RFC 8422 5.1).
        none.then_some(if version < TlsVersion::Tls13 { Cause::NoCommonCipher } else { Cause::NoCommonGroup })
    }

    /// The listener's choice (RFC 7301 3.2).
    fn protocol(&mut self, version: TlsVersion) -> Result<Spoken, Refused> {
        let client = self.client;
        if client.protocols.is_empty() {
            return Ok(None);
        }
        let own = match &self.listener.protocols[..] {
            [] => self.claims.listener.protocols()?.as_slice(),
            told => told,
        };
        if let Some(protocol) = own.iter().find(|name| client.protocols.contains(name)) {
            return Ok(self.agreed(protocol));
        }
        if own.is_empty() {
            return Ok(None);
        }
        let insists = client.insists_on_protocol();
        match *self.claims.listener.unknown_protocols()? {
            UnknownProtocols::Ignored => Ok(None),
            UnknownProtocols::RefusedWithoutHttp11 if !insists => Ok(None),
            UnknownProtocols::AnsweredHttp11 if !insists => Ok(self.agreed(ClientProfile::HTTP11)),
            UnknownProtocols::AnsweredHttp11 => {
                let protocol = ClientProfile::HTTP11;
                self.steps
                    .say(format!("the listener answers with {protocol}, which the client has not offered"));
                Err(left_by_client())
            }
            UnknownProtocols::Refused | UnknownProtocols::RefusedWithoutHttp11 => {
                let offered = client.protocols.join(" and ");
                self.steps.say(format!("the client offers {offered}, of which the listener has none"));
                Err(self.refused_in_tls(Cause::AlpnMismatch, Some(version)))
            }
        }
    }

    fn agreed(&mut self, protocol: &str) -> Spoken {
        self.steps.say(format!("client and listener agree on {protocol}"));
        Some(protocol.to_owned())
    }

    fn server_name(&mut self, version: TlsVersion) -> Result<(), Refused> {
        let listener = &self.claims.listener;
        let (is_served, cause) = match self.client.server_name {
            ServerNameSent::Right => return Ok(()),
            ServerNameSent::Wrong => (*listener.serves_unknown_names()?, Cause::SniUnknown),
            ServerNameSent::None => (*listener.serves_missing_names()?, Cause::SniMissing),
        };
        if is_served {
            return Ok(());
        }
        self.steps.say("the gateway refuses the server name");
        Err(self.refused(cause, version, listener.server_name_status))
    }

    /// The client's certificate, in the handshake or later, and the client's own insistence on an application protocol,
    /// which comes between the two.
    fn certificate(&mut self, protocol: &Spoken, version: TlsVersion) -> Result<(), Refused> {
        let refusal = match self.flaw() {
            Some(flaw) if self.minds(flaw)? => Some(flaw),
            _ => None,
        };
        let status = self.claims.listener.client_certificate_status;
        // In TLS 1.3 the client is done with the handshake before its certificate is looked at (RFC 8446 4.4.2.4).
        let in_handshake = status.is_none() || refusal == Some(Cause::ClientCertUnproven);
        let refused_before_the_end = refusal.is_some() && version < TlsVersion::Tls13 && in_handshake;
        if protocol.is_none() && self.client.insists_on_protocol() && !refused_before_the_end {
            let offered = self.client.protocols.join(" and ");
            self.steps.say(format!("the listener goes on without {offered}, and the client does not"));
            return Err(left_by_client());
        }
        if self.listener.client_certificate == ClientCertificatePolicy::OnDemand {
            return self.on_demand(protocol, version);
        }
        if let Some(cause) = refusal {
            self.steps.say(format!("the listener refuses the client: {cause}"));
            return Err(self.refused(cause, version, status));
        }
        self.host()
    }

    /// What is wrong with the certificate that the client shows in the handshake, if it is asked for one.
    fn flaw(&self) -> Option<Cause> {
        match (self.listener.client_certificate, self.client.client_certificate) {
            (ClientCertificatePolicy::Ignored | ClientCertificatePolicy::OnDemand, _)
            | (ClientCertificatePolicy::Optional, None) => None,
            (ClientCertificatePolicy::Required, None) => Some(Cause::ClientCertMissing),
            (ClientCertificatePolicy::Optional | ClientCertificatePolicy::Required, Some(shown)) => {
                shown.flaw()
            }
        }
    }

    /// Whether this listener of this gateway looks at such a flaw.
    fn minds(&self, flaw: Cause) -> Result<bool, Unclaimed> {
        Ok(match flaw {
            Cause::ClientCertRevoked => self.listener.check_revocation,
            Cause::ClientCertWeak => !*self.claims.listener.accepts_weak_certificates()?,
            _ => true,
        })
    }

    /// The host of every request is the gateway's name, and some gateways hold the server name against it.
    fn host(&mut self) -> Result<(), Refused> {
        let Some(status) = self.claims.listener.misdirected_status else { return Ok(()) };
        let cause = match (self.listener.client_certificate, self.client.server_name) {
            (ClientCertificatePolicy::Ignored, _) | (_, ServerNameSent::Right) => return Ok(()),
            (_, ServerNameSent::Wrong) => Cause::SniUnknown,
            (_, ServerNameSent::None) => Cause::SniMissing,
        };
        self.steps
            .say("the listener asks for certificates and the host of the request is not the server name");
        Err(refused_in_http(cause, status))
    }

    /// A request that needs a client certificate has come.
    fn on_demand(&mut self, protocol: &Spoken, version: TlsVersion) -> Result<(), Refused> {
        let listener = &self.claims.listener;
        if protocol.as_deref() == Some("h2") {
            self.steps.say("the request needs a client certificate, and HTTP/2 forbids to ask for it");
            if *listener.resets_late_http2()? {
                let stop = stopped(Phase::Request, Cause::Http11Required);
                return Err(Halt::at(Expectation { may_close: true, ..stop }));
            }
            return Err(self.refused_late(Cause::ClientCertMissing, version));
        }
        if version >= TlsVersion::Tls13 {
            if !*listener.asks_post_handshake()? {
                self.steps.say(
                    "the request needs a client certificate, and TLS 1.3 has no renegotiation to ask for it",
                );
                return Err(self.refused_late(Cause::ClientCertMissing, version));
            }
            self.steps.say("the listener asks for the client's certificate by post-handshake authentication");
        } else {
            if !*listener.renegotiates()? {
                self.steps.say(
                    "the request needs a client certificate, and the gateway never renegotiates to ask for it",
                );
                return Err(self.refused_late(Cause::ClientCertMissing, version));
            }
            self.renegotiate()?;
        }
        let shown = self.client.client_certificate;
        match shown.map_or(Some(Cause::ClientCertMissing), ClientCertificate::flaw) {
            Some(cause) if self.minds(cause)? => {
                self.steps.say(format!("the gateway refuses the request: {cause}"));
                Err(self.refused_late(cause, version))
            }
            _ => Ok(()),
        }
    }

    fn renegotiate(&mut self) -> Result<(), Refused> {
        let words = "the listener renegotiates to ask for the client's certificate";
        if self.client.follows_renegotiation {
            self.steps.say(words);
            return Ok(());
        }
        self.steps.say(format!("{words}, and the client refuses"));
        Err(Halt::at(Expectation {
            alerts: vec![Alert::HandshakeFailure],
            may_close: true,
            by: Some(Party::Client),
            ..stopped(Phase::Request, Cause::RenegotiationRefused)
        }))
    }

    /// A refusal in the handshake, or, by a gateway that lets it finish first, with this HTTP status.
    fn refused(&self, cause: Cause, version: TlsVersion, status: Option<u16>) -> Refused {
        match status {
            _ if cause == Cause::ClientCertUnproven => unproven(),
            Some(status) => refused_in_http(cause, status),
            None => self.refused_in_tls(cause, Some(version)),
        }
    }

    /// The refusal of a request that needs a client certificate.
    fn refused_late(&self, cause: Cause, version: TlsVersion) -> Refused {
        let listener = &self.claims.listener;
        if cause == Cause::ClientCertUnproven {
            return unproven();
        }
        if listener.refuses_late_in_tls {
            // The handshake that comes after the request is one like the first.
            return self.refused_in_tls(cause, Some(version));
        }
        match listener.late_certificate_status() {
            Ok(status) => refused_in_http(cause, *status),
            Err(unclaimed) => unclaimed.into(),
        }
    }

    fn refused_in_tls(&self, cause: Cause, version: Option<TlsVersion>) -> Refused {
        match self.claims.alert_for(cause, version) {
            Ok(AlertClaim { alerts, may_close, .. }) => Halt::at(Expectation {
                alerts: alerts.clone(),
                may_close: *may_close,
                ..stopped(Phase::Handshake, cause)
            }),
            Err(unclaimed) => unclaimed.into(),
        }
    }
}

/// A signature that is not the key's ends every handshake, whatever is made of certificates (RFC 8446 4.4.3).
fn unproven() -> Refused {
    let cause = Cause::ClientCertUnproven;
    Halt::at(Expectation { alerts: cause.alerts().to_vec(), ..stopped(Phase::Handshake, cause) })
}

fn refused_in_http(cause: Cause, status: u16) -> Refused {
    Halt::at(Expectation { statuses: vec![status], ..stopped(Phase::Request, cause) })
}

/// The client breaks off over the application protocol.
fn left_by_client() -> Refused {
    let stop = stopped(Phase::Handshake, Cause::AlpnMismatch);
    Halt::at(Expectation { by: Some(Party::Client), may_close: true, ..stop })
}

/// The gateway stops the client, and the backend hears nothing of it.
fn stopped(phase: Phase, cause: Cause) -> Expectation {
    Expectation {
        backend: BackendSight { connection: Some(Connection::None), ..BackendSight::default() },
        ..Expectation::refuse(Party::Gateway, phase, cause)
    }
}

/// The suites of a list for TLS 1.3, or for the versions below it, if it names any.
fn of_kind(list: Option<&[CipherSuite]>, version: TlsVersion) -> Option<Vec<CipherSuite>> {
    let is_tls13 = |suite: &CipherSuite| suite.fits(TlsVersion::Tls13);
    let wanted = version == TlsVersion::Tls13;
    let suites: Vec<_> = list?.iter().copied().filter(|suite| is_tls13(suite) == wanted).collect();
    (!suites.is_empty()).then_some(suites)
}
