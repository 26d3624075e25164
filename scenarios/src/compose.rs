//! Composition: `tls12-only+expired-leaf` is a backend too, unless its parts contradict each other.

use crate::{
    profile::{ApplicationProtocols, BackendProfile, Fault, FaultPhase, ServerNamePolicy, Sessions},
    words::{Group, TlsVersion},
};

/// A backend made of one or more catalogue entries, with the name it goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The entries' names, joined by `+`.
    pub name: String,
    /// Its behaviour.
    pub profile: BackendProfile,
}

/// Two entries that set the same part of a connection differently.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{left}\" and \"{right}\" contradict each other: both set {part}; drop one of them")]
pub struct Contradiction {
    /// The first entry.
    pub left: String,
    /// The second entry.
    pub right: String,
    /// The part both set.
    pub part: &'static str,
}

impl Composed {
    /// A backend that is one catalogue entry.
    #[must_use]
    pub fn single(name: &str, profile: &BackendProfile) -> Self {
        Self { name: name.to_owned(), profile: profile.clone() }
    }

    /// This backend with the parts of another entry added.
    ///
    /// # Errors
    /// [`Contradiction`] when both set one part differently, or a part that the other makes unreachable.
    pub fn with(mut self, name: &str, other: &BackendProfile) -> Result<Self, Contradiction> {
        let left = self.name.clone();
        let contradiction =
            |part: &'static str| Contradiction { left: left.clone(), right: name.to_owned(), part };
        let BackendProfile {
            summary: _,
            clause: _,
            versions,
            ciphers,
            accepts,
            groups,
            dh_parameters,
            certificate,
            renewal,
            staple,
            status_fault,
            client_certificate,
            authority_hints,
            refuses_in_http,
            refuses_in_tls,
            late_for,
            renegotiation,
            renegotiates_as,
            client_renegotiation,
            key_update,
            records,
            sessions,
            early_data,
            server_name,
            application_protocols,
            fault,
            fault_on,
        } = other;
        let own = &mut self.profile;
        merge(&mut own.versions, versions).ok_or_else(|| contradiction("the protocol versions"))?;
        merge(&mut own.ciphers, ciphers).ok_or_else(|| contradiction("the cipher suites"))?;
        merge(&mut own.accepts, accepts).ok_or_else(|| contradiction("how much it accepts"))?;
        merge(&mut own.groups, groups).ok_or_else(|| contradiction("the key-exchange groups"))?;
        merge(&mut own.dh_parameters, dh_parameters)
            .ok_or_else(|| contradiction("the Diffie-Hellman parameters"))?;
        merge(&mut own.certificate, certificate).ok_or_else(|| contradiction("the server certificate"))?;
        merge(&mut own.renewal, renewal).ok_or_else(|| contradiction("the next server certificate"))?;
        merge(&mut own.staple, staple).ok_or_else(|| contradiction("the stapled OCSP response"))?;
        merge(&mut own.status_fault, status_fault)
            .ok_or_else(|| contradiction("what is wrong with the certificate's status"))?;
        merge(&mut own.client_certificate, client_certificate)
            .ok_or_else(|| contradiction("the demand for a client certificate"))?;
        merge(&mut own.renegotiation, renegotiation).ok_or_else(|| contradiction("renegotiation"))?;
        merge(&mut own.renegotiates_as, renegotiates_as)
            .ok_or_else(|| contradiction("the certificate of a renegotiation"))?;
        merge(&mut own.authority_hints, authority_hints)
            .ok_or_else(|| contradiction("the authorities it names"))?;
        merge(&mut own.refuses_in_http, refuses_in_http)
            .ok_or_else(|| contradiction("how it refuses client certificates"))?;
        merge(&mut own.refuses_in_tls, refuses_in_tls)
            .ok_or_else(|| contradiction("how it refuses client certificates"))?;
        merge(&mut own.late_for, late_for).ok_or_else(|| contradiction("the paths it protects"))?;
        merge(&mut own.client_renegotiation, client_renegotiation)
            .ok_or_else(|| contradiction("renegotiation by clients"))?;
        merge(&mut own.key_update, key_update).ok_or_else(|| contradiction("key updates"))?;
        merge(&mut own.records, records).ok_or_else(|| contradiction("the records"))?;
        merge(&mut own.sessions, sessions).ok_or_else(|| contradiction("resumption"))?;
        merge(&mut own.early_data, early_data).ok_or_else(|| contradiction("early data"))?;
        merge(&mut own.server_name, server_name).ok_or_else(|| contradiction("the server name policy"))?;
        merge(&mut own.application_protocols, application_protocols)
            .ok_or_else(|| contradiction("the application protocols"))?;
        merge(&mut own.fault_on, fault_on).ok_or_else(|| contradiction("the connections with a fault"))?;
        merge(&mut own.fault, fault).ok_or_else(|| contradiction("the fault"))?;
        if let Some(part) = clash(own) {
            return Err(contradiction(part));
        }
        own.summary = format!("{} {}", own.summary, other.summary);
        own.clause = format!("{}; {}", own.clause, other.clause);
        self.name = format!("{left}+{name}");
        Ok(self)
    }
}

/// The first thing on which two parts of a profile contradict each other.
fn clash(profile: &BackendProfile) -> Option<&'static str> {
    if !profile.has_usable_version() {
        return Some("which versions its cipher suites, its groups and its certificate are for");
    }
    if profile.accepts.is_some() {
        if profile.ciphers.is_some() {
            return Some("the cipher suites");
        }
        if profile.application_protocols.is_some() {
            return Some("the application protocols");
        }
        // It shows two, and a response is stapled to one of them.
        if profile.certificate.is_some() || profile.renewal.is_some() || profile.staple.is_some() {
            return Some("the server certificate");
        }
    }
    if profile.application_protocols == Some(ApplicationProtocols::H2Only) && profile.asks_late() {
        return Some("what HTTP/2 forbids after a request");
    }
    if profile.refuses_in_http.is_some() && profile.refuses_in_tls.is_some() {
        return Some("how it refuses client certificates");
    }
    if (profile.refuses_in_http.is_some() || profile.refuses_in_tls.is_some()) && profile.asks_late() {
        return Some("what is refused after a request");
    }
    // A session that is resumed shows no certificate.
    if profile.renegotiates_as.is_some() && (profile.sessions.is_some() || profile.renewal.is_some()) {
        return Some("which certificate comes next");
    }
    if profile.early_data.is_some() && profile.sessions != Some(Sessions::Tickets) {
        return Some("which tickets early data comes with");
    }
    // A resumed handshake asks for no certificate.
    if profile.sessions.is_some() && profile.client_certificate.is_some() {
        return Some("what a resumed session proves of its client");
    }
    // An address is no server name (RFC 6066 3).
    if profile.certificate().is_for_address()
        && matches!(
            profile.server_name,
            Some(
                ServerNamePolicy::Required
                    | ServerNamePolicy::RequiredCloses
                    | ServerNamePolicy::WrongCertificateWithout
            )
        )
    {
        return Some("whether there is a server name");
    }
    // SSL 3.0 has no extensions, so a client cannot ask for a staple.
    if profile.staple.is_some() && profile.versions().max() == TlsVersion::Ssl3 {
        return Some("whether anything can be stapled");
    }
    let is_in_certificate_flight =
        |fault: Fault| matches!(fault.at, FaultPhase::Certificate | FaultPhase::Finished);
    let certificate = profile.certificate();
    if (certificate.breaks_handshake() || certificate.is_huge())
        && profile.fault.is_some_and(is_in_certificate_flight)
    {
        return Some("what breaks the handshake once the certificate has been sent");
    }
    // Up to TLS 1.2 its groups are those of its client's certificate, too (RFC 8422 5.1.1), and that is of P-256.
    let accepts_p256 = profile.groups.as_ref().is_none_or(|groups| groups.contains(&Group::Secp256r1));
    let is_old = profile.versions().min() < TlsVersion::Tls13;
    if profile.client_certificate.is_some() && is_old && !accepts_p256 {
        return Some("which keys its clients may have");
    }
    None
}

/// Lets `add` fill an empty part; two equal settings agree, two different ones are `None`.
fn merge<T: Clone + PartialEq>(own: &mut Option<T>, add: &Option<T>) -> Option<()> {
    match (own.as_ref(), add) {
        (Some(mine), Some(theirs)) if mine != theirs => None,
        (Some(_), _) | (None, None) => Some(()),
        (None, Some(theirs)) => {
            *own = Some(theirs.clone());
            Some(())
        }
    }
}
