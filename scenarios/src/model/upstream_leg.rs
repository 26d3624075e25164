//! The second leg: the gateway is the client, the backend the server.

mod certificates;
mod offers;
mod revocation;

pub(super) use offers::offers;

use super::{Asks, FORBIDDEN, MISDIRECTED, Says, Steps, Stop};
use crate::{
    claims::{ClaimName, Claims, Unclaimed},
    expectation::{BackendSight, Connection},
    profile::{
        ApplicationProtocols, BackendProfile, ClientRenegotiation, Demand, DemandTime, FaultAction,
        FaultPhase, LateFor, Need, Renegotiation, ServerNamePolicy, UpstreamProfile,
    },
    words::{Alert, Cause, ClientCertificate, Party, Phase, TlsVersion, Versions},
};

/// Walks from the TCP connection to the end of the response; `Err` holds where it stops.
pub(super) fn walk(
    asks: Asks,
    upstream: &UpstreamProfile,
    backend: &BackendProfile,
    claims: &Claims,
    steps: &mut Steps,
) -> Result<Result<BackendSight, Stop>, Unclaimed> {
    let mut connection = 1;
    loop {
        let mut leg = Leg {
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
        match leg.walk()? {
            Some(stop) if stop.is_broken_handshake() => {
                if connection > leg.retries()? {
                    return Ok(Err(Stop { connections: Some(connection), ..stop }));
                }
                leg.steps.say("the gateway tries another connection");
                connection += 1;
            }
            Some(stop) => return Ok(Err(stop)),
            None => {
                leg.steps.say("the backend answers");
                return Ok(Ok(leg.sight()));
            }
        }
    }
}

struct Leg<'a> {
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

impl Leg<'_> {
    /// One connection, up to where it stops, if it does.
    fn walk(&mut self) -> Result<Option<Stop>, Unclaimed> {
        if let Some(stop) = self.arrive() {
            return Ok(Some(stop));
        }
        if let Some(stop) = self.handshake()? {
            return Ok(Some(stop));
        }
        if let Some(stop) = self.understand()? {
            return Ok(Some(stop));
        }
        if let Some(stop) = self.after_request()? {
            return Ok(Some(stop));
        }
        self.respond()
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
    fn arrive(&mut self) -> Option<Stop> {
        self.fault(FaultPhase::Accept).or_else(|| self.fault(FaultPhase::ClientHello))
    }

    /// The stop that the backend's fault makes in this phase of this connection, if it has one there that stops anything.
    fn fault(&mut self, phase: FaultPhase) -> Option<Stop> {
        let fault = self.backend.fault_of(self.connection.into()).filter(|fault| fault.at == phase)?;
        let is_late = phase >= FaultPhase::Request;
        let (by, cause, words) = match fault.does {
            FaultAction::RefuseConnection => {
                self.steps.say("nobody listens on the backend's port");
                let (by, at) = (Party::Network, Phase::Connect);
                return Some(self.stop(by, at, Cause::ConnectionRefused, Connection::None));
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
            FaultAction::Close if phase == FaultPhase::Close => return None,
            FaultAction::Close => (Party::Backend, Cause::Truncated, "the backend ends the connection"),
            FaultAction::Alert => (Party::Backend, Cause::Aborted, "the backend gives up with an alert"),
            FaultAction::Drip
            | FaultAction::OmitCloseNotify
            | FaultAction::RefuseSplit
            | FaultAction::GoAway => return None,
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
        Some(Stop { says, ..self.stop(by, at, cause, connection) })
    }

    fn handshake(&mut self) -> Result<Option<Stop>, Unclaimed> {
        let able = self.claims.upstream_versions()?;
        let offered =
            self.upstream.versions.intersection(able).ok_or(Unclaimed(ClaimName::UpstreamVersions))?;
        let accepted = self.backend.versions();
        let Some(version) = offered.negotiate(&accepted) else {
            self.steps.say(format!("the gateway offers {offered}, the backend accepts {accepted}"));
            let (by, cause) = self.refusal_of_versions(&offered, &accepted)?;
            return Ok(Some(self.stop(by, Phase::Handshake, cause, Connection::NoRequest)));
        };
        self.version = Some(version);
        self.steps.say(format!("gateway and backend agree on {version}"));
        // In TLS 1.3 OpenSSL picks the suite before it looks at the extensions, up to TLS 1.2 after that.
        if version == TlsVersion::Tls13
            && let Some(stop) = self.suites(version)?
        {
            return Ok(Some(stop));
        }
        if let Some(stop) = self.name_refusal() {
            return Ok(Some(stop));
        }
        if version < TlsVersion::Tls13
            && let Some(stop) = self.suites(version)?
        {
            return Ok(Some(stop));
        }
        if let Some(stop) = self.keys(version)? {
            return Ok(Some(stop));
        }
        if self.backend.client_renegotiation == Some(ClientRenegotiation::NotIndicated)
            && version < TlsVersion::Tls13
        {
            let accepts = *self.claims.accepts_insecure_renegotiation()?;
            if !accepts {
                self.steps
                    .say("the backend does not indicate secure renegotiation; the gateway insists on it");
                let (by, cause) = (Party::Gateway, Cause::RenegotiationInsecure);
                return Ok(Some(self.stop(by, Phase::Handshake, cause, Connection::NoRequest)));
            }
        }
        if let Some(stop) = self.application_protocol()? {
            return Ok(Some(stop));
        }
        if let Some(stop) = self.fault(FaultPhase::ServerHello) {
            return Ok(Some(stop));
        }
        if let Some(stop) = self.huge_certificate()? {
            return Ok(Some(stop));
        }
        // A gateway that verifies after the handshake hands its certificate over first, so up to TLS 1.2 the
        // backend's refusal comes before its own. In TLS 1.3 its handshake ends before the backend has looked.
        let in_handshake = self.verifies_in_handshake()?;
        let is_tls13 = version == TlsVersion::Tls13;
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
            let stop = match check {
                Check::Server => self.server_certificate_refusal()?,
                Check::Client => self.handshake_demand()?,
                Check::Fault(phase) => self.fault(phase),
            };
            if stop.is_some() {
                return Ok(stop);
            }
        }
        Ok(self.status_refusal())
    }

    /// What the backend makes of a server name that is missing, or not one of its own.
    fn name_refusal(&mut self) -> Option<Stop> {
        let says = match self.backend.server_name? {
            ServerNamePolicy::Required => Says::Usual,
            ServerNamePolicy::RequiredCloses => Says::Nothing,
            ServerNamePolicy::CertificatePerName
            | ServerNamePolicy::WrongCertificateWithout
            | ServerNamePolicy::HostMustMatch => return None,
        };
        let (words, cause) = match (self.upstream.send_server_name, &self.upstream.server_name) {
            (true, None) => return None,
            (true, Some(_)) => ("knows nobody of the name that the gateway asks for", Cause::SniUnknown),
            (false, _) => ("requires a server name and the gateway sends none", Cause::SniMissing),
        };
        self.steps.say(format!("the backend {words}"));
        Some(Stop { says, ..self.refused_by_backend(cause) })
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
    fn application_protocol(&mut self) -> Result<Option<Stop>, Unclaimed> {
        let Some(policy) = self.backend.application_protocols else { return Ok(None) };
        let offered = self.offered_protocols()?;
        let offers = |name: &str| offered.iter().any(|offered| offered == name);
        let mismatch = match policy {
            ApplicationProtocols::H1Only => !offered.is_empty() && !offers("http/1.1"),
            ApplicationProtocols::H2Only => !offered.is_empty() && !offers("h2"),
            ApplicationProtocols::Refused => !offered.is_empty(),
            ApplicationProtocols::Ignored => false,
            ApplicationProtocols::Unoffered if !offered.is_empty() => {
                self.steps.say("the backend picks an application protocol that was not offered");
                let (by, cause) = (Party::Gateway, Cause::AlpnMismatch);
                return Ok(Some(self.stop(by, Phase::Handshake, cause, Connection::NoRequest)));
            }
            ApplicationProtocols::H2SpokenAsH1 if offers("h2") => {
                self.steps.say("the backend says HTTP/2 and speaks HTTP/1.1");
                let (by, cause) = (Party::Gateway, Cause::AlpnMismatch);
                return Ok(Some(self.stop(by, Phase::Request, cause, Connection::NoRequest)));
            }
            ApplicationProtocols::Unoffered | ApplicationProtocols::H2SpokenAsH1 => false,
        };
        if mismatch {
            self.steps.say("the backend wants none of the application protocols that the gateway offers");
            return Ok(Some(self.refused_by_backend(Cause::AlpnMismatch)));
        }
        Ok(None)
    }

    /// A backend that speaks HTTP/2 only, whatever was negotiated, finds no HTTP/2 in an HTTP/1.1 request; one that
    /// compares host and server name may find that they differ.
    fn understand(&mut self) -> Result<Option<Stop>, Unclaimed> {
        if self.backend.application_protocols == Some(ApplicationProtocols::H2Only) {
            let offered = self.offered_protocols()?;
            if !offered.iter().any(|name| name == "h2") {
                self.steps.say("the backend speaks HTTP/2 only and the gateway does not");
                let (by, cause) = (Party::Backend, Cause::AlpnMismatch);
                let stop = self.stop(by, Phase::Request, cause, Connection::NoRequest);
                return Ok(Some(Stop { says: Says::Nothing, ..stop }));
            }
        }
        if let (Some(_), Some(demand)) = (self.backend.refuses_in_tls, self.backend.client_certificate)
            && let Some(stop) = self.demand_refusal(demand, Phase::Request, Connection::Request)?
        {
            self.steps
                .say("it lets the handshake pass, and says so in an alert once it has read the request");
            return Ok(Some(stop));
        }
        if let (Some(refusal), Some(demand)) = (self.backend.refuses_in_http, self.backend.client_certificate)
            && let Some(stop) = self.demand_refusal(demand, Phase::Request, Connection::Request)?
        {
            self.steps.say(format!("it says so in HTTP: {}", refusal.status()));
            return Ok(Some(Stop { says: Says::Status(refusal.status()), ..stop }));
        }
        if self.backend.server_name == Some(ServerNamePolicy::HostMustMatch) && self.upstream.send_server_name
        {
            let same = *self.claims.host_is_server_name()?;
            if !same {
                self.steps.say("the request's host is not the server name: the backend answers 421");
                let (by, cause) = (Party::Backend, Cause::Misdirected);
                let stop = self.stop(by, Phase::Request, cause, Connection::Request);
                return Ok(Some(Stop { says: Says::Status(MISDIRECTED), ..stop }));
            }
        }
        Ok(None)
    }

    /// The cipher suite, where the backend is particular about it.
    fn suites(&mut self, version: TlsVersion) -> Result<Option<Stop>, Unclaimed> {
        let told = offers::told_ciphers(self.upstream, self.claims);
        if let Some(told) =
            told.as_ref().filter(|_| version < TlsVersion::Tls13 && self.backend.ciphers.is_none())
            && !told.iter().any(|suite| suite.fits(version))
        {
            self.steps.say(format!("the gateway offers no cipher suite that {version} has"));
            return Ok(Some(self.refused_by_backend(Cause::NoCommonCipher)));
        }
        if let Some(accepted) = &self.backend.ciphers {
            let own = told.as_ref().filter(|_| version < TlsVersion::Tls13);
            let claimed = || self.claims.upstream_ciphers();
            let offered = own.map_or_else(claimed, Ok)?;
            if !accepted.iter().any(|suite| suite.fits(version) && offered.contains(suite)) {
                self.steps.say("the gateway offers none of the backend's cipher suites");
                return Ok(Some(self.refused_by_backend(Cause::NoCommonCipher)));
            }
        }
        Ok(None)
    }

    /// Groups, parameters and signatures, where the backend is particular about them. No group is needed for a suite with static RSA.
    fn keys(&mut self, version: TlsVersion) -> Result<Option<Stop>, Unclaimed> {
        let needs_group = version == TlsVersion::Tls13
            || self
                .backend
                .ciphers
                .as_ref()
                .is_none_or(|accepted| accepted.iter().any(|suite| suite.is_ecdhe()));
        if let Some(accepted) = self.backend.groups.as_ref().filter(|_| needs_group) {
            let claimed = || self.claims.upstream_groups();
            let offered = self.upstream.groups.as_ref().map_or_else(claimed, Ok)?;
            if !accepted.iter().any(|group| group.fits(version) && offered.contains(group)) {
                self.steps.say("the gateway offers none of the backend's key-exchange groups");
                // Up to TLS 1.2 the group is a part of the choice of a suite (RFC 8422 5.1).
                let is_tls13 = version == TlsVersion::Tls13;
                let cause = if is_tls13 { Cause::NoCommonGroup } else { Cause::NoCommonCipher };
                return Ok(Some(self.refused_by_backend(cause)));
            }
        }
        if self.backend.dh_parameters.is_some() && version < TlsVersion::Tls13 {
            let accepts = *self.claims.accepts_weak_dh()?;
            if !accepts {
                self.steps.say("the gateway refuses the backend's Diffie-Hellman parameters");
                let cause = Cause::NoCommonGroup;
                return Ok(Some(self.stop(Party::Gateway, Phase::Handshake, cause, Connection::NoRequest)));
            }
        }
        let claim = self.claims.of_certificate(self.shown_certificate(), false, false);
        if claim.and_then(|claim| claim.refused) == Some(Cause::NoCommonSignature) {
            self.steps.say("the gateway takes no signature that the backend's key could make");
            // Up to TLS 1.2 the kind of key is a part of the choice of a suite (RFC 5246 7.4.2).
            let is_tls13 = version == TlsVersion::Tls13;
            let cause = if is_tls13 { Cause::NoCommonSignature } else { Cause::NoCommonCipher };
            return Ok(Some(self.refused_by_backend(cause)));
        }
        Ok(None)
    }

    fn refused_by_backend(&self, cause: Cause) -> Stop {
        self.stop(Party::Backend, Phase::Handshake, cause, Connection::NoRequest)
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
    fn handshake_demand(&mut self) -> Result<Option<Stop>, Unclaimed> {
        if self.backend.refuses_in_http.is_some() || self.backend.refuses_in_tls.is_some() {
            return Ok(None);
        }
        let demand = self.backend.client_certificate.filter(|demand| demand.asked == DemandTime::Handshake);
        let Some(demand) = demand else { return Ok(None) };
        self.steps.say("the backend asks for a client certificate in the handshake");
        self.demand_refusal(demand, Phase::Handshake, Connection::NoRequest)
    }

    fn demand_refusal(
        &mut self,
        demand: Demand,
        phase: Phase,
        connection: Connection,
    ) -> Result<Option<Stop>, Unclaimed> {
        self.shown = self.answer()?;
        let cause = match (self.shown, demand.need) {
            (Some(shown), _) => shown.flaw(),
            (None, Need::Required) => Some(Cause::ClientCertMissing),
            (None, Need::Optional) => None,
        };
        let Some(cause) = cause else { return Ok(None) };
        self.steps.say(format!("the backend refuses the gateway: {cause}"));
        Ok(Some(self.stop(Party::Backend, phase, cause, connection)))
    }

    /// The client certificate with which the gateway answers a backend that names the authority it trusts.
    fn answer(&mut self) -> Result<Option<ClientCertificate>, Unclaimed> {
        let Some(certificate) = self.upstream.client_certificate else { return Ok(None) };
        if certificate.is_listed() {
            return Ok(Some(certificate));
        }
        let withholds = *self.claims.withholds_unlisted_certificates()?;
        if withholds {
            self.steps.say(
                "the gateway withholds its certificate: the backend does not list the certificate's issuer",
            );
        }
        Ok((!withholds).then_some(certificate))
    }

    /// What the backend wants once it has read the request: a certificate, or a renegotiation for its own sake.
    fn after_request(&mut self) -> Result<Option<Stop>, Unclaimed> {
        if self.is_spared() {
            return Ok(None);
        }
        let late = self.backend.client_certificate.filter(|demand| demand.asked == DemandTime::AfterRequest);
        if let Some(demand) = late {
            return self.late_demand(demand);
        }
        if self.version >= Some(TlsVersion::Tls13) {
            return Ok(None);
        }
        match self.backend.renegotiation {
            None | Some(Renegotiation::InResponse) => Ok(None),
            // Whoever is renegotiating already takes no notice of the others (RFC 5246 7.4.1.1).
            Some(Renegotiation::AfterRequest | Renegotiation::Storm) => self.renegotiate(),
            Some(Renegotiation::Repeatedly) => {
                for _ in 0..Renegotiation::REPETITIONS {
                    if let Some(stop) = self.renegotiate()? {
                        return Ok(Some(stop));
                    }
                }
                Ok(None)
            }
        }
    }

    /// Whether this request is none of those for which the backend makes late demands.
    fn is_spared(&self) -> bool {
        self.backend.late_for == Some(LateFor::SecurePaths) && self.asks != Asks::ForSecurePath
    }

    fn late_demand(&mut self, demand: Demand) -> Result<Option<Stop>, Unclaimed> {
        if self.version < Some(TlsVersion::Tls13) {
            self.steps.say("the backend reads the request and renegotiates to ask for a client certificate");
            if let Some(stop) = self.renegotiate()? {
                return Ok(Some(stop));
            }
            let stop = self.demand_refusal(demand, Phase::Request, Connection::Request)?;
            if stop.is_some() {
                self.renegotiations = 0;
            }
            return Ok(stop);
        }
        self.steps.say("the backend reads the request and asks by post-handshake authentication");
        let answers = *self.claims.answers_post_handshake_auth()?;
        if !answers && demand.need == Need::Required {
            self.steps
                .say("the gateway does not offer post-handshake authentication; the backend answers 403");
            let (by, cause) = (Party::Gateway, Cause::PostHandshakeAuthRefused);
            let stop = self.stop(by, Phase::Request, cause, Connection::Request);
            return Ok(Some(Stop { says: Says::Status(FORBIDDEN), ..stop }));
        }
        if answers { self.demand_refusal(demand, Phase::Request, Connection::Request) } else { Ok(None) }
    }

    fn renegotiate(&mut self) -> Result<Option<Stop>, Unclaimed> {
        let able = *self.claims.follows_renegotiation()?;
        if !(able && self.upstream.renegotiation) {
            self.steps.say("the gateway refuses to renegotiate");
            let stop =
                self.stop(Party::Gateway, Phase::Request, Cause::RenegotiationRefused, Connection::Request);
            return Ok(Some(stop));
        }
        self.steps.say("the gateway follows the renegotiation on the same connection");
        self.renegotiations += 1;
        Ok(None)
    }

    /// What strikes after the request: faults, and a renegotiation before the response is complete.
    fn respond(&mut self) -> Result<Option<Stop>, Unclaimed> {
        let stop = [FaultPhase::Request, FaultPhase::Headers, FaultPhase::Body]
            .into_iter()
            .find_map(|phase| self.fault(phase));
        let renegotiates = self.backend.renegotiation == Some(Renegotiation::InResponse)
            && self.version < Some(TlsVersion::Tls13)
            && !self.is_spared();
        if stop.is_some() || !renegotiates {
            return Ok(stop);
        }
        self.steps.say("the backend sends half of its response and renegotiates");
        let stop = self.renegotiate()?;
        Ok(stop.map(|stop| Stop { phase: Phase::Response, says: Says::Head, ..stop }))
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
            sni: Vec::new(),
            client_certificate: Some(self.shown),
            renegotiations: Some(self.renegotiations),
            alpn: self.offered_protocols().ok().map(|offered| self.picked_protocol(offered)),
            ..BackendSight::default()
        }
    }
}
