//! What the gateway makes of the certificate that the backend shows to it.

use super::{
    super::{Halt, Stop},
    Attempt,
};
use crate::{
    claims::{Unclaimed, Verifies},
    evidence::Handling,
    expectation::Connection,
    profile::ServerNamePolicy,
    words::{Cause, Party, Phase, ServerCertificate},
};

impl Attempt<'_> {
    /// The gateway looks at the backend's certificate.
    pub(super) fn server_certificate(&mut self) -> Result<(), Halt> {
        let cause = match self.verify(self.shown_certificate()) {
            Ok(()) => return Ok(()),
            Err(flaw) => flaw.stop()?,
        };
        self.steps.say(format!("the gateway refuses the backend's certificate: {cause}"));
        let certificate = self.shown_certificate();
        // A signature that is not the key's breaks the handshake before anything is verified.
        let in_handshake = certificate.breaks_handshake() || self.verifies_in_handshake()?;
        let handshake = Some(if in_handshake { Handling::Refused } else { Handling::Accepted });
        let exact = *self.claims.log_names_flaws()?;
        // Which comes first, the list that is not there, the flaw that is or the name, is the library's own affair.
        let listed = self.listed_refusal(certificate).filter(|listed| *listed != cause);
        // A list that is not there is told to the backend as an authority that is not known.
        let told = (cause == Cause::ServerCertStatusUnknown).then_some(Cause::ServerCertUntrusted);
        let name = self.name_flaw(certificate).filter(|name| self.upstream.verify_name && *name != cause);
        let or_cause = certificate.other_flaw().or(listed).or(told).or(name);
        Err(Halt::at(Stop { or_cause, handshake, exact, ..self.refused_by(Party::Gateway, cause) }))
    }

    /// The gateway looks at the certificate that the backend shows when it renegotiates: a handshake is a handshake, and what
    /// the first one proved says nothing of the second (RFC 5246 7.4.2).
    pub(super) fn second_certificate(&mut self) -> Result<(), Halt> {
        let Some(certificate) = self.backend.renegotiates_as else { return Ok(()) };
        self.steps.say(format!("the backend renegotiates with another certificate: {certificate}"));
        let is_another = self.claims.keeps_server_identity && certificate != self.shown_certificate();
        let cause = match self.verify(certificate) {
            _ if is_another => Cause::ServerCertChanged,
            Ok(()) => return Ok(()),
            Err(flaw) => flaw.stop()?,
        };
        self.steps.say(format!("the gateway refuses that certificate: {cause}"));
        Err(Halt::at(self.stop(Party::Gateway, Phase::Request, cause, Connection::Request)))
    }

    /// Stops at what this gateway holds against a certificate.
    fn verify(&self, certificate: ServerCertificate) -> Result<(), Halt<Cause>> {
        let (chain, name) = (self.upstream.verify_chain, self.upstream.verify_name);
        let flaw = if let Some(claim) = self.claims.of_certificate(certificate, chain, name) {
            claim.refused
        } else {
            let flaw =
                certificate.chain_flaw().filter(|_| chain).or(self.name_flaw(certificate).filter(|_| name));
            let is_weak = flaw.is_none() && certificate.is_weak() && chain;
            if is_weak && !self.is_lenient() && !*self.claims.accepts_weak_certificates()? {
                return Err(Halt::at(Cause::ServerCertWeak));
            }
            flaw
        };
        let broken = certificate.breaks_handshake().then_some(Cause::ServerCertMalformed);
        match flaw.or(self.listed_refusal(certificate)).or(broken) {
            Some(cause) => Err(Halt::at(cause)),
            None => Ok(()),
        }
    }

    /// Whether what the gateway holds against this backend's certificate ends the handshake, or comes after it.
    pub(super) fn verifies_in_handshake(&self) -> Result<bool, Unclaimed> {
        Ok(match (*self.claims.verifies()?, self.verify(self.shown_certificate())) {
            (Verifies::InHandshake, _) | (Verifies::NameAfterHandshake, Ok(())) => true,
            (Verifies::AfterHandshake, _) => false,
            (Verifies::NameAfterHandshake, Err(flaw)) => flaw.stop()? != Cause::ServerCertNameMismatch,
        })
    }

    /// The certificate that the backend shows to this gateway.
    pub(super) fn shown_certificate(&self) -> ServerCertificate {
        let asks = (self.upstream.send_server_name, self.upstream.server_name.is_some());
        match (self.backend.server_name, asks) {
            (Some(ServerNamePolicy::WrongCertificateWithout), (false, _))
            | (Some(ServerNamePolicy::CertificatePerName), (true, true)) => ServerCertificate::WrongName,
            _ => self.backend.certificate(),
        }
    }

    /// What a gateway that checks names holds against a certificate. There are backends for one other name only.
    fn name_flaw(&self, certificate: ServerCertificate) -> Option<Cause> {
        match (self.upstream.server_name.is_some(), certificate) {
            (false, certificate) => certificate.name_flaw(),
            (true, ServerCertificate::WrongName) => None,
            (true, _) => Some(Cause::ServerCertNameMismatch),
        }
    }

    /// More certificates than the gateway reads.
    pub(super) fn huge_certificate(&mut self) -> Result<(), Halt> {
        if !self.backend.certificate().is_huge() || *self.claims.reads_huge_certificates()? {
            return Ok(());
        }
        self.steps.say("the backend's certificates are longer than what the gateway reads");
        let stop = self.refused_by(Party::Gateway, Cause::ServerCertTooLarge);
        Err(Halt::at(Stop { handshake: Some(Handling::Refused), ..stop }))
    }
}
