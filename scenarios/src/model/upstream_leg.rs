//! The second leg: the gateway is the client, the backend the server.

use super::{Steps, Stop};
use crate::{
    claims::{ClaimName, Claims, Unclaimed, Verifies},
    expectation::{BackendSight, Connection},
    profile::{
        BackendProfile, Demand, DemandTime, FaultAction, FaultPhase, Need, Renegotiation, ServerNamePolicy,
        UpstreamProfile,
    },
    words::{Cause, ClientCertificate, Party, Phase, TlsVersion, Versions},
};

/// Walks from the TCP connection to the end of the response; `Err` holds where it stops.
pub(super) fn walk(
    upstream: &UpstreamProfile,
    backend: &BackendProfile,
    claims: &Claims,
    steps: &mut Steps,
) -> Result<Result<BackendSight, Stop>, Unclaimed> {
    let mut leg = Leg { upstream, backend, claims, steps, version: None, shown: None, renegotiations: 0 };
    if let Some(stop) = leg.arrive() {
        return Ok(Err(stop));
    }
    if let Some(stop) = leg.handshake()? {
        return Ok(Err(stop));
    }
    if let Some(stop) = leg.after_request()? {
        return Ok(Err(stop));
    }
    if let Some(stop) = leg.respond() {
        return Ok(Err(stop));
    }
    leg.steps.say("the backend answers");
    Ok(Ok(leg.sight()))
}

struct Leg<'a> {
    upstream: &'a UpstreamProfile,
    backend: &'a BackendProfile,
    claims: &'a Claims,
    steps: &'a mut Steps,
    version: Option<TlsVersion>,
    /// The client certificate that the backend gets to see.
    shown: Option<ClientCertificate>,
    renegotiations: u32,
}

impl Leg<'_> {
    /// Faults that strike before the backend has answered the ClientHello.
    fn arrive(&mut self) -> Option<Stop> {
        let fault = self
            .backend
            .fault_at(FaultPhase::Accept)
            .or_else(|| self.backend.fault_at(FaultPhase::ClientHello))?;
        let (by, phase, cause, connection, words) = match fault {
            FaultAction::RefuseConnection => (
                Party::Network,
                Phase::Connect,
                Cause::ConnectionRefused,
                Connection::None,
                "nobody listens on the backend's port",
            ),
            FaultAction::PlainHttp => (
                Party::Gateway,
                Phase::Handshake,
                Cause::NotTls,
                Connection::NoRequest,
                "the backend answers the ClientHello in HTTP",
            ),
            FaultAction::Stall => (
                Party::Gateway,
                Phase::Handshake,
                Cause::Timeout,
                Connection::NoRequest,
                "the backend never answers the ClientHello; the gateway gives up",
            ),
            FaultAction::Reset => (
                Party::Backend,
                Phase::Handshake,
                Cause::Reset,
                Connection::NoRequest,
                "the backend resets the connection instead of answering the ClientHello",
            ),
            FaultAction::OmitCloseNotify => return None,
        };
        self.steps.say(words);
        Some(Stop { by, phase, cause, or_cause: None, version: None, connection })
    }

    fn handshake(&mut self) -> Result<Option<Stop>, Unclaimed> {
        let able = self.claims.upstream_versions.as_ref().ok_or(Unclaimed(ClaimName::UpstreamVersions))?;
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
            && let Some(stop) = self.algorithms(version)?
        {
            return Ok(Some(stop));
        }
        if self.backend.server_name == Some(ServerNamePolicy::Required) && !self.upstream.send_server_name {
            self.steps.say("the backend requires a server name and the gateway sends none");
            return Ok(Some(self.stop(
                Party::Backend,
                Phase::Handshake,
                Cause::SniMissing,
                Connection::NoRequest,
            )));
        }
        if version < TlsVersion::Tls13
            && let Some(stop) = self.algorithms(version)?
        {
            return Ok(Some(stop));
        }
        let server = self.server_certificate_refusal()?;
        let client = self.handshake_demand()?;
        // A gateway that verifies after the handshake hands its certificate over first, so up to TLS 1.2 the
        // backend's refusal comes before its own. In TLS 1.3 its handshake ends before the backend has looked.
        let backend_first = self.claims.verifies.ok_or(Unclaimed(ClaimName::Verifies))?
            == Verifies::AfterHandshake
            && version < TlsVersion::Tls13;
        Ok(if backend_first { client.or(server) } else { server.or(client) })
    }

    /// Cipher suite, group and parameters, where the backend is particular about them.
    fn algorithms(&mut self, version: TlsVersion) -> Result<Option<Stop>, Unclaimed> {
        if let Some(accepted) = &self.backend.ciphers {
            let offered =
                self.claims.upstream_ciphers.as_ref().ok_or(Unclaimed(ClaimName::UpstreamCiphers))?;
            if !accepted.iter().any(|suite| suite.fits(version) && offered.contains(suite)) {
                self.steps.say("the gateway offers none of the backend's cipher suites");
                return Ok(Some(self.refused_by_backend(Cause::NoCommonCipher)));
            }
        }
        if let Some(accepted) = &self.backend.groups {
            let offered = self.claims.upstream_groups.as_ref().ok_or(Unclaimed(ClaimName::UpstreamGroups))?;
            if !accepted.iter().any(|group| group.fits(version) && offered.contains(group)) {
                self.steps.say("the gateway offers none of the backend's key-exchange groups");
                // Up to TLS 1.2 the group is a part of the choice of a suite (RFC 8422 5.1).
                let is_tls13 = version == TlsVersion::Tls13;
                let cause = if is_tls13 { Cause::NoCommonGroup } else { Cause::NoCommonCipher };
                return Ok(Some(self.refused_by_backend(cause)));
            }
        }
        if self.backend.dh_parameters.is_some() && version < TlsVersion::Tls13 {
            let accepts = self.claims.accepts_weak_dh.ok_or(Unclaimed(ClaimName::AcceptsWeakDh))?;
            if !accepts {
                self.steps.say("the gateway refuses the backend's Diffie-Hellman parameters");
                let cause = Cause::NoCommonGroup;
                return Ok(Some(self.stop(Party::Gateway, Phase::Handshake, cause, Connection::NoRequest)));
            }
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
        if self.claims.always_lists_versions.ok_or(Unclaimed(ClaimName::AlwaysListsVersions))? {
            return Ok((Party::Backend, Cause::NoCommonVersion));
        }
        let old_ciphers = offered.max() < TlsVersion::Tls12
            || self.claims.lists_old_ciphers.ok_or(Unclaimed(ClaimName::ListsOldCiphers))?;
        Ok(if old_ciphers {
            (Party::Gateway, Cause::NoCommonVersion)
        } else {
            (Party::Backend, Cause::NoCommonCipher)
        })
    }

    fn server_certificate_refusal(&mut self) -> Result<Option<Stop>, Unclaimed> {
        let certificate = self.backend.certificate();
        let chain = certificate.chain_flaw().filter(|_| self.upstream.verify_chain);
        let name = certificate.name_flaw().filter(|_| self.upstream.verify_name);
        let broken = certificate.breaks_handshake().then_some(Cause::ServerCertMalformed);
        let weak = if certificate.is_weak() && self.upstream.verify_chain {
            let accepts = self.claims.accepts_weak_certificates;
            let accepts = accepts.ok_or(Unclaimed(ClaimName::AcceptsWeakCertificates))?;
            (!accepts).then_some(Cause::ServerCertWeak)
        } else {
            None
        };
        let Some(cause) = chain.or(name).or(weak).or(broken) else { return Ok(None) };
        self.steps.say(format!("the gateway refuses the backend's certificate: {cause}"));
        let stop = self.stop(Party::Gateway, Phase::Handshake, cause, Connection::NoRequest);
        Ok(Some(Stop { or_cause: certificate.other_flaw(), ..stop }))
    }

    fn handshake_demand(&mut self) -> Result<Option<Stop>, Unclaimed> {
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
        let withholds = self
            .claims
            .withholds_unlisted_certificates
            .ok_or(Unclaimed(ClaimName::WithholdsUnlistedCertificates))?;
        if withholds {
            self.steps.say(
                "the gateway withholds its certificate: the backend does not list the certificate's issuer",
            );
        }
        Ok((!withholds).then_some(certificate))
    }

    /// What the backend wants once it has read the request: a certificate, or a renegotiation for its own sake.
    fn after_request(&mut self) -> Result<Option<Stop>, Unclaimed> {
        let late = self.backend.client_certificate.filter(|demand| demand.asked == DemandTime::AfterRequest);
        if let Some(demand) = late {
            return self.late_demand(demand);
        }
        let wanted = self.backend.renegotiation == Some(Renegotiation::AfterRequest);
        if wanted && self.version < Some(TlsVersion::Tls13) {
            return self.renegotiate();
        }
        Ok(None)
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
        let answers =
            self.claims.answers_post_handshake_auth.ok_or(Unclaimed(ClaimName::AnswersPostHandshakeAuth))?;
        if !answers && demand.need == Need::Required {
            self.steps
                .say("the gateway does not offer post-handshake authentication; the backend answers 403");
            return Ok(Some(self.stop(
                Party::Gateway,
                Phase::Request,
                Cause::PostHandshakeAuthRefused,
                Connection::Request,
            )));
        }
        if answers { self.demand_refusal(demand, Phase::Request, Connection::Request) } else { Ok(None) }
    }

    fn renegotiate(&mut self) -> Result<Option<Stop>, Unclaimed> {
        let follows = self.claims.follows_renegotiation.ok_or(Unclaimed(ClaimName::FollowsRenegotiation))?;
        if !follows {
            self.steps.say("the gateway refuses to renegotiate");
            let stop =
                self.stop(Party::Gateway, Phase::Request, Cause::RenegotiationRefused, Connection::Request);
            return Ok(Some(stop));
        }
        self.steps.say("the gateway follows the renegotiation on the same connection");
        self.renegotiations += 1;
        Ok(None)
    }

    /// Faults that strike after the request.
    fn respond(&mut self) -> Option<Stop> {
        let fault =
            self.backend.fault_at(FaultPhase::Request).or_else(|| self.backend.fault_at(FaultPhase::Body))?;
        let (by, cause, words) = match fault {
            FaultAction::Stall => (
                Party::Gateway,
                Cause::Timeout,
                "the backend never finishes its response; the gateway gives up",
            ),
            FaultAction::Reset => {
                (Party::Backend, Cause::Reset, "the backend resets the connection in its response")
            }
            FaultAction::PlainHttp | FaultAction::RefuseConnection | FaultAction::OmitCloseNotify => {
                return None;
            }
        };
        self.steps.say(words);
        Some(self.stop(by, Phase::Response, cause, Connection::Request))
    }

    fn stop(&self, by: Party, phase: Phase, cause: Cause, connection: Connection) -> Stop {
        Stop { by, phase, cause, or_cause: None, version: self.version, connection }
    }

    fn sight(&self) -> BackendSight {
        BackendSight {
            connection: Some(Connection::Request),
            tls_version: self.version,
            server_name: Some(self.upstream.send_server_name && !self.backend.certificate().is_for_address()),
            client_certificate: Some(self.shown),
            renegotiations: Some(self.renegotiations),
        }
    }
}
