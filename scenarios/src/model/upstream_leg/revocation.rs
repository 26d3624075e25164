//! Whether the backend's certificate was revoked, as far as the gateway is told to find out.

use super::{
    super::{Halt, Stop},
    Attempt,
};
use crate::{
    evidence::Handling,
    profile::{RevocationCheck, Staple, StatusFault},
    words::{Cause, Party, ServerCertificate, StatusSource},
};

/// A gateway that cannot find out does not go on.
const UNKNOWN: Option<Cause> = Some(Cause::ServerCertStatusUnknown);

impl Attempt<'_> {
    /// What revocation lists in a file say of a certificate, where the gateway was given any.
    pub(super) fn listed_refusal(&self, certificate: ServerCertificate) -> Option<Cause> {
        if self.upstream.revocation != Some(RevocationCheck::CrlFile) || !self.upstream.verify_chain {
            return None;
        }
        match certificate.revoked_by() {
            Some(StatusSource::Crl) => Some(Cause::ServerCertRevoked),
            Some(StatusSource::Ocsp) | None => {
                (!certificate.is_below_listed_authorities()).then_some(Cause::ServerCertStatusUnknown)
            }
        }
    }

    /// What others say of the certificate, once the handshake is over: a staple, a list, a responder.
    pub(super) fn status(&mut self) -> Result<(), Halt> {
        let Some(check) = self.upstream.revocation else { return Ok(()) };
        let certificate = self.backend.certificate();
        let (words, cause) = match (check.asks(), check.wants_staple()) {
            (Some(source), _) => {
                if certificate.points_to() != Some(source) {
                    self.steps.say("the backend's certificate points to nobody whom the gateway asks");
                    return Ok(());
                }
                match self.backend.status_fault {
                    Some(StatusFault::Stale) => ("gets an answer that is out of date", UNKNOWN),
                    Some(StatusFault::Slow) => ("gets no answer in time", UNKNOWN),
                    Some(StatusFault::Unreachable) => ("finds nobody there", UNKNOWN),
                    None if certificate.revoked_by() == Some(source) => {
                        ("hears that it was revoked", Some(Cause::ServerCertRevoked))
                    }
                    None => ("hears that it is good", None),
                }
            }
            (None, true) => match self.backend.staple {
                Some(Staple::Good) => ("finds stapled that it is good", None),
                Some(Staple::Revoked) => {
                    ("finds stapled that it was revoked", Some(Cause::ServerCertRevoked))
                }
                Some(Staple::Expired) => ("finds a stapled response that is out of date", UNKNOWN),
                Some(Staple::Garbage) => ("finds stapled what is no OCSP response", UNKNOWN),
                None if check == RevocationCheck::StapleRequired => {
                    ("insists on a staple and finds none", UNKNOWN)
                }
                None if certificate.must_be_stapled() => ("finds no staple where there must be one", UNKNOWN),
                None => ("finds no staple, and there need not be one", None),
            },
            (None, false) => return Ok(()),
        };
        self.steps.say(format!("the gateway wants to know whether the certificate was revoked, and {words}"));
        let Some(cause) = cause else { return Ok(()) };
        // The handshake is over by then.
        let stop = self.refused_by(Party::Gateway, cause);
        Err(Halt::at(Stop { handshake: Some(Handling::Accepted), ..stop }))
    }
}
