//! What the gateway makes of the certificate that the backend shows to it.

use super::{super::Stop, Leg};
use crate::{
    claims::{Unclaimed, Verifies},
    evidence::Handling,
    expectation::Connection,
    profile::ServerNamePolicy,
    words::{Cause, Party, Phase, ServerCertificate},
};

impl Leg<'_> {
    pub(super) fn server_certificate_refusal(&mut self) -> Result<Option<Stop>, Unclaimed> {
        let Some(cause) = self.certificate_flaw()? else { return Ok(None) };
        self.steps.say(format!("the gateway refuses the backend's certificate: {cause}"));
        let certificate = self.shown_certificate();
        // A signature that is not the key's breaks the handshake before anything is verified.
        let in_handshake = certificate.breaks_handshake() || self.verifies_in_handshake()?;
        let handshake = Some(if in_handshake { Handling::Refused } else { Handling::Accepted });
        let exact = *self.claims.log_names_flaws()?;
        let stop = self.stop(Party::Gateway, Phase::Handshake, cause, Connection::NoRequest);
        // Which comes first, the list that is not there, the flaw that is or the name, is the library's own affair.
        let listed = self.listed_refusal(certificate).filter(|listed| *listed != cause);
        // A list that is not there is told to the backend as an authority that is not known.
        let told = (cause == Cause::ServerCertStatusUnknown).then_some(Cause::ServerCertUntrusted);
        let name = self.name_flaw(certificate).filter(|name| self.upstream.verify_name && *name != cause);
        Ok(Some(Stop {
            or_cause: certificate.other_flaw().or(listed).or(told).or(name),
            handshake,
            exact,
            ..stop
        }))
    }

    /// What this gateway holds against the backend's certificate.
    pub(super) fn certificate_flaw(&self) -> Result<Option<Cause>, Unclaimed> {
        let certificate = self.shown_certificate();
        let (chain, name) = (self.upstream.verify_chain, self.upstream.verify_name);
        let broken = certificate.breaks_handshake().then_some(Cause::ServerCertMalformed);
        if let Some(claim) = self.claims.of_certificate(certificate, chain, name) {
            return Ok(claim.refused.or(self.listed_refusal(certificate)).or(broken));
        }
        let flaw =
            certificate.chain_flaw().filter(|_| chain).or(self.name_flaw(certificate).filter(|_| name));
        if flaw.is_none() && certificate.is_weak() && chain {
            let accepts = *self.claims.accepts_weak_certificates()?;
            if !accepts {
                return Ok(Some(Cause::ServerCertWeak));
            }
        }
        Ok(flaw.or(self.listed_refusal(certificate)).or(broken))
    }

    /// Whether what the gateway holds against this backend's certificate ends the handshake, or comes after it.
    pub(super) fn verifies_in_handshake(&self) -> Result<bool, Unclaimed> {
        Ok(match *self.claims.verifies()? {
            Verifies::InHandshake => true,
            Verifies::AfterHandshake => false,
            Verifies::NameAfterHandshake => self.certificate_flaw()? != Some(Cause::ServerCertNameMismatch),
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
    pub(super) fn huge_certificate(&mut self) -> Result<Option<Stop>, Unclaimed> {
        if !self.backend.certificate().is_huge() {
            return Ok(None);
        }
        let reads = *self.claims.reads_huge_certificates()?;
        if reads {
            return Ok(None);
        }
        self.steps.say("the backend's certificates are longer than what the gateway reads");
        let (by, cause) = (Party::Gateway, Cause::ServerCertTooLarge);
        let stop = self.stop(by, Phase::Handshake, cause, Connection::NoRequest);
        Ok(Some(Stop { handshake: Some(Handling::Refused), ..stop }))
    }
}
