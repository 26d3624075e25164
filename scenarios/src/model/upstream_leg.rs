//! The second leg: the gateway is the client, the backend the server.

mod certificates;
mod offers;
mod revocation;

pub(super) use offers::offers;

use super::{Asks, FORBIDDEN, Halt, MISDIRECTED, Says, Steps, Stop};
use crate::{
    claims::{ClaimName, Claims, Unclaimed},
    expectation::{BackendSight, Connection},
    profile::{
        ApplicationProtocols, AuthorityHints, BackendProfile, ClientRenegotiation, Demand, DemandTime,
        FaultAction, FaultPhase, LateFor, Need, Renegotiation, ServerNamePolicy, UpstreamProfile,
    },
    words::{Alert, Cause, CipherSuite, ClientCertificate, Party, Phase, TlsVersion, Versions},
};

/// Walks from the TCP connection to the end of the response.
pub(super) fn walk(
    asks: Asks,
    upstream: &UpstreamProfile,
    backend: &BackendProfile,
    claims: &Claims,
    steps: &mut Steps,
) -> Result<BackendSight, Halt> {
    let mut connection = 1;
    loop {
        let mut attempt = Attempt {
            asks,
            upstream,
            backend,
            claims,
            steps: &mut *steps,
            connection,
            version: None,
            shown: None,
            renegotiations: 0,
        };
        match attempt.walk() {
            Err(Halt::Stop(stop)) if stop.is_broken_handshake() => {
                if connection > attempt.retries()? {
                    return Err(Halt::at(Stop { connections: Some(connection), ..*stop }));
                }
                attempt.steps.say("the gateway tries another connection");
                connection += 1;
            }
            Err(halt) => return Err(halt),
            Ok(()) => {
                attempt.steps.say("the backend answers");
                return Ok(attempt.sight());
            }
        }
    }
}

struct Attempt<'a> {
    asks: Asks,
    upstream: &'a UpstreamProfile,
    backend: &'a BackendProfile,
    claims: &'a Claims,
    steps: &'a mut Steps,
    /// Which of its tries this is, from 1.
    connection: u32,
    version: Option<TlsVersion>,
    /// The client certificate that the backend gets to see.
    shown: Option<ClientCertificate>,
    renegotiations: u32,
}

/// What can stop a handshake once the server has chosen.
#[derive(Debug, Clone, Copy)]
enum Check {
    /// The gateway looks at the backend's certificate.
    Server,
    /// The backend looks at the gateway's.
    Client,
    /// A fault of the backend.
    Fault(FaultPhase),
}

impl Attempt<'_> {
    /// One connection.
    fn walk(&mut self) -> Result<(), Halt> {
        self.arrive()?;
        self.handshake()?;
        self.understand()?;
        self.after_request()?;
        self.answer()
    }

    /// How many more connections it tries when one breaks in the handshake.
    fn retries(&self) -> Result<u32, Unclaimed> {
        if self.upstream.retries == 0 {
            let untold = *self.claims.retries_untold()?;
            return Ok(untold.into());
        }
        let able = *self.claims.retries_handshakes()?;
        Ok(if able { self.upstream.retries } else { 0 })
    }

    /// Faults that strike before the backend has answered the ClientHello.
    fn arrive(&mut self) -> Result<(), Halt> {
        self.fault(FaultPhase::Accept)?;
        self.fault(FaultPhase::ClientHello)
    }

    /// The backend's fault in this phase of this connection, if it has one there.
    fn fault(&mut self, phase: FaultPhase) -> Result<(), Halt> {
        let fault = self.backend.fault_of(self.connection.into());
        let Some(fault) = fault.filter(|fault| fault.at == phase) else { return Ok(()) };
        let is_late = phase >= FaultPhase::Request;
        let (by, cause, words) = match fault.does {
            FaultAction::RefuseConnection => {
                self.steps.say("nobody listens on the backend's port");
                let (by, at) = (Party::Network, Phase::Connect);
                return Err(Halt::at(self.stop(by, at, Cause::ConnectionRefused, Connection::None)));
            }
            FaultAction::PlainHttp => {
                (Party::Gateway, Cause::NotTls, "the backend answers the ClientHello in HTTP")
            }
            FaultAction::Garbage => {
                (Party::Gateway, Cause::NotTls, "the backend sends what is no TLS record")
            }
            FaultAction::WrongRecordLength => {
                (Party::Gateway, Cause::NotTls, "the backend announces a record of an impossible length")
            }
            FaultAction::Stall => {
                (Party::Gateway, Cause::Timeout, "the backend says nothing more; the gateway gives up")
            }
            FaultAction::Reset => (Party::Backend, Cause::Reset, "the backend resets the connection"),
            FaultAction::Close if phase == FaultPhase::Close => return Ok(()),
            FaultAction::Close => (Party::Backend, Cause::Truncated, "the backend ends the connection"),
            FaultAction::Alert => (Party::Backend, Cause::Aborted, "the backend gives up with an alert"),
            FaultAction::Drip
            | FaultAction::OmitCloseNotify
            | FaultAction::RefuseSplit
            | FaultAction::GoAway => return Ok(()),
        };
        self.steps.say(format!("{words} ({phase})"));
        let (at, connection) = if is_late {
            (Phase::Response, Connection::Request)
        } else {
            (Phase::Handshake, Connection::NoRequest)
        };
        let says = match (fault.does, phase) {
            (_, FaultPhase::Headers | FaultPhase::Body) => Says::Head,
            (FaultAction::Alert, _) => Says::Alert(Alert::InternalError),
            _ => Says::Usual,
        };
        Err(Halt::at(Stop { says, ..self.stop(by, at, cause, connection) }))
    }

    fn handshake(&mut self) -> Result<(), Halt> {
        let version = self.agree_on_version()?;
        let is_tls13 = version == TlsVersion::Tls13;
        // In TLS 1.3 OpenSSL picks the suite before it looks at the extensions, up to TLS 1.2 after that.
        if is_tls13 {
            self.suites(version)?;
            self.server_name()?;
        } else {
            self.server_name()?;
            self.suites(version)?;
        }
        self.keys(version)?;
        self.secure_renegotiation(version)?;
        self.application_protocol()?;
        self.fault(FaultPhase::ServerHello)?;
        self.huge_certificate()?;
        // A gateway that verifies after the handshake hands its certificate over first, so up to TLS 1.2 the
        // backend's refusal comes before its own. In TLS 1.3 its handshake ends before the backend has looked.
        let in_handshake = self.verifies_in_handshake()?;
        // The server's Finished comes before the client's certificate in TLS 1.3, and after it before.
        let certificate = Check::Fault(FaultPhase::Certificate);
        let finished = Check::Fault(FaultPhase::Finished);
        let order = match (in_handshake, is_tls13) {
            (true, true) => [Check::Server, certificate, finished, Check::Client],
            (true, false) => [Check::Server, certificate, Check::Client, finished],
            (false, true) => [certificate, finished, Check::Server, Check::Client],
            (false, false) => [certificate, Check::Client, finished, Check::Server],
        };
        for check in order {
            match check {
                Check::Server => self.server_certificate()?,
                Check::Client => self.handshake_demand()?,
                Check::Fault(phase) => self.fault(phase)?,
            }
        }
        self.status()
    }

    fn agree_on_version(&mut self) -> Result<TlsVersion, Halt> {
        let able = self.claims.upstream_versions()?;
        let offered = self.upstream.versions.intersection(able);
        let offered = offered.ok_or(Unclaimed(ClaimName::UpstreamVersions))?;
        let accepted = self.backend.versions();
        let Some(version) = offered.negotiate(&accepted) else {
            self.steps.say(format!("the gateway offers {offered}, the backend accepts {accepted}"));
            let (by, cause) = self.refusal_of_versions(&offered, &accepted)?;
            return Err(Halt::at(self.refused_by(by, cause)));
        };
        self.version = Some(version);
        self.steps.say(format!("gateway and backend agree on {version}"));
        Ok(version)
    }

    fn secure_renegotiation(&mut self, version: TlsVersion) -> Result<(), Halt> {
        let is_indicated = self.backend.client_renegotiation != Some(ClientRenegotiation::NotIndicated);
        if is_indicated || version == TlsVersion::Tls13 || *self.claims.accepts_insecure_renegotiation()? {
            return Ok(());
        }
        self.steps.say("the backend does not indicate secure renegotiation; the gateway insists on it");
        Err(Halt::at(self.refused_by(Party::Gateway, Cause::RenegotiationInsecure)))
    }

    /// What the backend makes of a server name that is missing, or not one of its own.
    fn server_name(&mut self) -> Result<(), Halt> {
        let says = match self.backend.server_name {
            Some(ServerNamePolicy::Required) => Says::Usual,
            Some(ServerNamePolicy::RequiredCloses) => Says::Nothing,
            None
            | Some(
                ServerNamePolicy::CertificatePerName
                | ServerNamePolicy::WrongCertificateWithout
                | ServerNamePolicy::HostMustMatch,
            ) => return Ok(()),
        };
        let (words, cause) = match (self.upstream.send_server_name, &self.upstream.server_name) {
            (true, None) => return Ok(()),
            (true, Some(_)) => ("knows nobody of the name that the gateway asks for", Cause::SniUnknown),
            (false, _) => ("requires a server name and the gateway sends none", Cause::SniMissing),
        };
        self.steps.say(format!("the backend {words}"));
        Err(Halt::at(Stop { says, ..self.refused_by(Party::Backend, cause) }))
    }

    /// What it offers as application protocols: what it is told to, or what it does untold.
    fn offered_protocols(&self) -> Result<&[String], Unclaimed> {
        if !self.upstream.protocols.is_empty() {
            return Ok(&self.upstream.protocols);
        }
        self.claims.upstream_protocols().map(Vec::as_slice)
    }

    /// The one that the backend picks out of those that it is offered.
    fn picked_protocol(&self, offered: &[String]) -> Option<String> {
        let picks = |name: &str| offered.iter().any(|offered| offered == name);
        let wanted: &[&str] = match self.backend.application_protocols {
            Some(ApplicationProtocols::Ignored) => &[],
            Some(ApplicationProtocols::H2Only) => &["h2"],
            Some(ApplicationProtocols::H1Only) => &["http/1.1"],
            _ if self.backend.asks_late() => &["http/1.1"],
            _ => &["h2", "http/1.1"],
        };
        wanted.iter().find(|name| picks(name)).map(|name| (*name).to_owned())
    }

    /// What comes of the application protocols that the gateway offers.
    fn application_protocol(&mut self) -> Result<(), Halt> {
        let Some(policy) = self.backend.application_protocols else { return Ok(()) };
        let offered = self.offered_protocols()?;
        let offers = |name: &str| offered.iter().any(|offered| offered == name);
        let is_mismatch = match policy {
            ApplicationProtocols::H1Only => !offered.is_empty() && !offers("http/1.1"),
            ApplicationProtocols::H2Only => !offered.is_empty() && !offers("h2"),
            ApplicationProtocols::Refused => !offered.is_empty(),
            ApplicationProtocols::Ignored => false,
            ApplicationProtocols::Unoffered if !offered.is_empty() => {
                self.steps.say("the backend picks an application protocol that was not offered");
                return Err(Halt::at(self.refused_by(Party::Gateway, Cause::AlpnMismatch)));
            }
            ApplicationProtocols::H2SpokenAsH1 if offers("h2") => {
                self.steps.say("the backend says HTTP/2 and speaks HTTP/1.1");
                let stop = self.refused_by(Party::Gateway, Cause::AlpnMismatch);
                return Err(Halt::at(Stop { phase: Phase::Request, ..stop }));
            }
            ApplicationProtocols::Unoffered => false,
            // It knows HTTP/2 alone.
            ApplicationProtocols::H2SpokenAsH1 => !offered.is_empty(),
        };
        if !is_mismatch {
            return Ok(());
        }
        self.steps.say("the backend wants none of the application protocols that the gateway offers");
        Err(Halt::at(self.refused_by(Party::Backend, Cause::AlpnMismatch)))
    }

    /// A backend that speaks HTTP/2 only, whatever was negotiated, finds no HTTP/2 in an HTTP/1.1 request; one that
    /// compares host and server name may find that they differ.
    fn understand(&mut self) -> Result<(), Halt> {
        if self.backend.application_protocols == Some(ApplicationProtocols::H2Only)
            && !self.offered_protocols()?.iter().any(|name| name == "h2")
        {
            self.steps.say("the backend speaks HTTP/2 only and the gateway does not");
            let stop = self.refused_by(Party::Backend, Cause::AlpnMismatch);
            return Err(Halt::at(Stop { phase: Phase::Request, says: Says::Nothing, ..stop }));
        }
        if let (Some(_), Some(demand)) = (self.backend.refuses_in_tls, self.backend.client_certificate) {
            self.demand(demand, Phase::Request).map_err(|halt| {
                halt.changed(|stop| {
                    self.steps.say(
                        "it lets the handshake pass, and says so in an alert once it has read the request",
                    );
                    stop
                })
            })?;
        }
        if let (Some(refusal), Some(demand)) = (self.backend.refuses_in_http, self.backend.client_certificate)
        {
            self.demand(demand, Phase::Request).map_err(|halt| {
                halt.changed(|stop| {
                    self.steps.say(format!("it says so in HTTP: {}", refusal.status()));
                    Stop { says: Says::Status(refusal.status()), ..stop }
                })
            })?;
        }
        let compares = self.backend.server_name == Some(ServerNamePolicy::HostMustMatch);
        if !compares || !self.upstream.send_server_name || *self.claims.host_is_server_name()? {
            return Ok(());
        }
        self.steps.say("the request's host is not the server name: the backend answers 421");
        let stop = self.stop(Party::Backend, Phase::Request, Cause::Misdirected, Connection::Request);
        Err(Halt::at(Stop { says: Says::Status(MISDIRECTED), ..stop }))
    }

    /// The cipher suite, where the backend is particular about it.
    fn suites(&mut self, version: TlsVersion) -> Result<(), Halt> {
        let told = offers::told_ciphers(self.upstream, self.claims).filter(|_| version < TlsVersion::Tls13);
        let Some(accepted) = &self.backend.ciphers else {
            if told.is_none_or(|told| told.iter().any(|suite| suite.fits(version))) {
                return Ok(());
            }
            self.steps.say(format!("the gateway offers no cipher suite that {version} has"));
            return Err(Halt::at(self.refused_by(Party::Backend, Cause::NoCommonCipher)));
        };
        let offered = match told {
            Some(told) => told,
            None => self.untold_ciphers()?,
        };
        if accepted.iter().any(|suite| suite.fits(version) && offered.contains(suite)) {
            return Ok(());
        }
        self.steps.say("the gateway offers none of the backend's cipher suites");
        Err(Halt::at(self.refused_by(Party::Backend, Cause::NoCommonCipher)))
    }

    /// The cipher suites that it offers untold. TLS 1.0 and 1.1 have none of the newer ones, so that older ones have to be added
    /// to a list without any.
    fn untold_ciphers(&self) -> Result<Vec<CipherSuite>, Unclaimed> {
        let mut offered = self.claims.upstream_ciphers()?.clone();
        if self.upstream.versions.is_legacy() && !offered.iter().any(|suite| suite.fits(TlsVersion::Tls10)) {
            offered.extend([CipherSuite::EcdheEcdsaAes128CbcSha, CipherSuite::EcdheRsaAes128CbcSha]);
        }
        Ok(offered)
    }

    /// Whether it is told to go so far down that it minds nothing weak.
    fn is_lenient(&self) -> bool {
        self.claims.legacy_is_lenient && self.upstream.versions.is_legacy()
    }

    /// Groups, parameters and signatures, where the backend is particular about them. No group is needed for a suite with static RSA.
    fn keys(&mut self, version: TlsVersion) -> Result<(), Halt> {
        let is_tls13 = version == TlsVersion::Tls13;
        let suites = self.backend.ciphers.as_ref();
        let needs_group =
            is_tls13 || suites.is_none_or(|accepted| accepted.iter().any(|suite| suite.is_ecdhe()));
        if let Some(accepted) = self.backend.groups.as_ref().filter(|_| needs_group) {
            let offered = match &self.upstream.groups {
                Some(told) => told,
                None => self.claims.upstream_groups()?,
            };
            if !accepted.iter().any(|group| group.fits(version) && offered.contains(group)) {
                self.steps.say("the gateway offers none of the backend's key-exchange groups");
                // Up to TLS 1.2 the group is a part of the choice of a suite (RFC 8422 5.1).
                let cause = if is_tls13 { Cause::NoCommonGroup } else { Cause::NoCommonCipher };
                return Err(Halt::at(self.refused_by(Party::Backend, cause)));
            }
        }
        let is_weak = self.backend.dh_parameters.is_some() && !is_tls13;
        if is_weak && !self.is_lenient() && !*self.claims.accepts_weak_dh()? {
            self.steps.say("the gateway refuses the backend's Diffie-Hellman parameters");
            return Err(Halt::at(self.refused_by(Party::Gateway, Cause::NoCommonGroup)));
        }
        let claim = self.claims.of_certificate(self.shown_certificate(), false, false);
        if claim.and_then(|claim| claim.refused) != Some(Cause::NoCommonSignature) {
            return Ok(());
        }
        self.steps.say("the gateway takes no signature that the backend's key could make");
        // Up to TLS 1.2 the kind of key is a part of the choice of a suite (RFC 5246 7.4.2).
        let cause = if is_tls13 { Cause::NoCommonSignature } else { Cause::NoCommonCipher };
        Err(Halt::at(self.refused_by(Party::Backend, cause)))
    }

    /// Without the extension `supported_versions` a server answers with the highest version it has below the
    /// client's (RFC 5246 E.1), and it is the client that refuses that; unless the client's cipher suites are all
    /// younger than that version (RFC 5289 4), so that the server finds none to answer with.
    fn refusal_of_versions(
        &self,
        offered: &Versions,
        accepted: &Versions,
    ) -> Result<(Party, Cause), Unclaimed> {
        let answered_lower = accepted.min() < offered.max();
        if offered.contains(TlsVersion::Tls13) || !answered_lower {
            return Ok((Party::Backend, Cause::NoCommonVersion));
        }
        if *self.claims.always_lists_versions()? {
            return Ok((Party::Backend, Cause::NoCommonVersion));
        }
        // A list that was set by hand says itself what it has for older versions.
        if let Some(ciphers) = offers::told_ciphers(self.upstream, self.claims)
            && !accepted
                .iter()
                .filter(|version| *version < offered.max())
                .any(|version| ciphers.iter().any(|cipher| cipher.fits(version)))
        {
            return Ok((Party::Backend, Cause::NoCommonCipher));
        }
        let old_ciphers = offered.max() < TlsVersion::Tls12 || *self.claims.lists_old_ciphers()?;
        Ok(if old_ciphers {
            (Party::Gateway, Cause::NoCommonVersion)
        } else {
            (Party::Backend, Cause::NoCommonCipher)
        })
    }

    /// What the backend wants to know of its client before the handshake ends, unless it refuses in HTTP.
    fn handshake_demand(&mut self) -> Result<(), Halt> {
        if self.backend.refuses_in_http.is_some() || self.backend.refuses_in_tls.is_some() {
            return Ok(());
        }
        let demand = self.backend.client_certificate.filter(|demand| demand.asked == DemandTime::Handshake);
        let Some(demand) = demand else { return Ok(()) };
        self.steps.say("the backend asks for a client certificate in the handshake");
        self.demand(demand, Phase::Handshake)
    }

    /// The backend looks at the client certificate that it asked for.
    fn demand(&mut self, demand: Demand, phase: Phase) -> Result<(), Halt> {
        self.shown = self.upstream.client_certificate;
        if let Some(certificate) = self.shown
            && !self.names_issuer_of(certificate)
            && *self.claims.withholds_unlisted_certificates()?
        {
            self.steps.say("the gateway withholds its certificate: the backend does not name its issuer");
            self.shown = None;
        }
        let cause = match (self.shown, demand.need) {
            (Some(shown), _) => shown.flaw(),
            (None, Need::Required) if self.upstream.client_certificate.is_some() => {
                Some(Cause::ClientCertWithheld)
            }
            (None, Need::Required) => Some(Cause::ClientCertMissing),
            (None, Need::Optional) => None,
        };
        let Some(cause) = cause else { return Ok(()) };
        self.steps.say(format!("the backend refuses the gateway: {cause}"));
        let connection = if phase == Phase::Handshake { Connection::NoRequest } else { Connection::Request };
        let or_cause = Some(cause.as_seen()).filter(|seen| *seen != cause);
        Err(Halt::at(Stop { or_cause, ..self.stop(Party::Backend, phase, cause, connection) }))
    }

    /// Whether the authority above a client certificate is among those that the backend names.
    fn names_issuer_of(&self, certificate: ClientCertificate) -> bool {
        match self.backend.authority_hints {
            None | Some(AuthorityHints::Huge) => certificate.is_listed(),
            // No name at all is every name (RFC 5246 7.4.4).
            Some(AuthorityHints::Empty) => true,
            Some(AuthorityHints::Wrong) => false,
        }
    }

    /// What the backend wants once it has read the request: a certificate, or a renegotiation for its own sake.
    fn after_request(&mut self) -> Result<(), Halt> {
        if self.is_spared() {
            return Ok(());
        }
        let late = self.backend.client_certificate.filter(|demand| demand.asked == DemandTime::AfterRequest);
        if let Some(demand) = late {
            return self.late_demand(demand);
        }
        if self.version >= Some(TlsVersion::Tls13) {
            return Ok(());
        }
        match self.backend.renegotiation {
            None | Some(Renegotiation::InResponse) => Ok(()),
            // A client that is renegotiating takes no notice of further requests for it (RFC 5246 7.4.1.1).
            Some(Renegotiation::AfterRequest | Renegotiation::Storm) => {
                self.renegotiate()?;
                self.second_certificate()
            }
            Some(Renegotiation::Repeatedly) => {
                (0..Renegotiation::REPETITIONS).try_for_each(|_| self.renegotiate())
            }
        }
    }

    /// Whether this request is none of those for which the backend makes late demands.
    fn is_spared(&self) -> bool {
        self.backend.late_for == Some(LateFor::SecurePaths) && self.asks != Asks::ForSecurePath
    }

    fn late_demand(&mut self, demand: Demand) -> Result<(), Halt> {
        if self.version < Some(TlsVersion::Tls13) {
            self.steps.say("the backend reads the request and renegotiates to ask for a client certificate");
            self.renegotiate()?;
            return self.demand(demand, Phase::Request);
        }
        self.steps.say("the backend reads the request and asks by post-handshake authentication");
        if *self.claims.answers_post_handshake_auth()? {
            return self.demand(demand, Phase::Request);
        }
        if demand.need == Need::Optional {
            return Ok(());
        }
        self.steps.say("the gateway does not offer post-handshake authentication; the backend answers 403");
        let cause = Cause::PostHandshakeAuthRefused;
        let stop = self.stop(Party::Gateway, Phase::Request, cause, Connection::Request);
        Err(Halt::at(Stop { says: Says::Status(FORBIDDEN), ..stop }))
    }

    fn renegotiate(&mut self) -> Result<(), Halt> {
        if !(*self.claims.follows_renegotiation()? && self.upstream.renegotiation) {
            self.steps.say("the gateway refuses to renegotiate");
            let cause = Cause::RenegotiationRefused;
            return Err(Halt::at(self.stop(Party::Gateway, Phase::Request, cause, Connection::Request)));
        }
        self.steps.say("the gateway follows the renegotiation on the same connection");
        self.renegotiations += 1;
        Ok(())
    }

    /// The response, and what strikes in it: faults, and a renegotiation before it is complete.
    fn answer(&mut self) -> Result<(), Halt> {
        self.fault(FaultPhase::Request)?;
        self.fault(FaultPhase::Headers)?;
        self.fault(FaultPhase::Body)?;
        let renegotiates = self.backend.renegotiation == Some(Renegotiation::InResponse)
            && self.version < Some(TlsVersion::Tls13)
            && !self.is_spared();
        if !renegotiates {
            return Ok(());
        }
        self.steps.say("the backend sends half of its response and renegotiates");
        self.renegotiate()
            .map_err(|halt| halt.changed(|stop| Stop { phase: Phase::Response, says: Says::Head, ..stop }))
    }

    /// A refusal in the handshake.
    fn refused_by(&self, by: Party, cause: Cause) -> Stop {
        self.stop(by, Phase::Handshake, cause, Connection::NoRequest)
    }

    fn stop(&self, by: Party, phase: Phase, cause: Cause, connection: Connection) -> Stop {
        let (or_cause, handshake, exact, says) = (None, None, false, Says::Usual);
        let (version, connections) = (self.version, None);
        Stop { by, phase, cause, or_cause, version, connections, connection, handshake, exact, says }
    }

    fn sight(&self) -> BackendSight {
        BackendSight {
            connections: self.backend.fault_on.map(|_| self.connection),
            connection: Some(Connection::Request),
            handshake: None,
            tls_version: self.version,
            server_name: Some(self.upstream.send_server_name && !self.backend.certificate().is_for_address()),
            name_decides: self.backend.server_name == Some(ServerNamePolicy::WrongCertificateWithout)
                && self.upstream.verify_name,
            sni: Vec::new(),
            client_certificate: Some(self.shown),
            renegotiations: Some(self.renegotiations),
            alpn: self.offered_protocols().ok().map(|offered| self.picked_protocol(offered)),
            ..BackendSight::default()
        }
    }
}
