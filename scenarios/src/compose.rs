//! Composition: `tls12-only+expired-leaf` is a backend too, unless its parts contradict each other.

use crate::profile::{ApplicationProtocols, BackendProfile};

/// A backend made of one or more catalogue entries, with the name it goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The entries' names, joined by `+`.
    pub name: String,
    /// What it does.
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
            groups,
            dh_parameters,
            certificate,
            client_certificate,
            authority_hints,
            refuses_in_http,
            renegotiation,
            client_renegotiation,
            key_update,
            records,
            sessions,
            server_name,
            application_protocols,
            fault,
            fault_on,
        } = other;
        let own = &mut self.profile;
        merge(&mut own.versions, versions).ok_or_else(|| contradiction("the protocol versions"))?;
        merge(&mut own.ciphers, ciphers).ok_or_else(|| contradiction("the cipher suites"))?;
        merge(&mut own.groups, groups).ok_or_else(|| contradiction("the key-exchange groups"))?;
        merge(&mut own.dh_parameters, dh_parameters)
            .ok_or_else(|| contradiction("the Diffie-Hellman parameters"))?;
        merge(&mut own.certificate, certificate).ok_or_else(|| contradiction("the server certificate"))?;
        merge(&mut own.client_certificate, client_certificate)
            .ok_or_else(|| contradiction("the demand for a client certificate"))?;
        merge(&mut own.renegotiation, renegotiation).ok_or_else(|| contradiction("renegotiation"))?;
        merge(&mut own.authority_hints, authority_hints)
            .ok_or_else(|| contradiction("the authorities it names"))?;
        merge(&mut own.refuses_in_http, refuses_in_http)
            .ok_or_else(|| contradiction("how it refuses client certificates"))?;
        merge(&mut own.client_renegotiation, client_renegotiation)
            .ok_or_else(|| contradiction("renegotiation by clients"))?;
        merge(&mut own.key_update, key_update).ok_or_else(|| contradiction("key updates"))?;
        merge(&mut own.records, records).ok_or_else(|| contradiction("the records"))?;
        merge(&mut own.sessions, sessions).ok_or_else(|| contradiction("resumption"))?;
        merge(&mut own.server_name, server_name).ok_or_else(|| contradiction("the server name policy"))?;
        merge(&mut own.application_protocols, application_protocols)
            .ok_or_else(|| contradiction("the application protocols"))?;
        merge(&mut own.fault_on, fault_on).ok_or_else(|| contradiction("the connections with a fault"))?;
        merge(&mut own.fault, fault).ok_or_else(|| contradiction("the fault"))?;
        if !own.has_usable_version() {
            return Err(contradiction("which versions its cipher suites and groups are for"));
        }
        if own.application_protocols == Some(ApplicationProtocols::H2Only) && own.asks_late() {
            return Err(contradiction("what HTTP/2 forbids after a request"));
        }
        if own.refuses_in_http.is_some() && own.asks_late() {
            return Err(contradiction("what is refused after a request"));
        }
        // A resumed handshake asks for no certificate.
        if own.sessions.is_some() && own.client_certificate.is_some() {
            return Err(contradiction("what a resumed session proves of its client"));
        }
        own.summary = format!("{} {}", own.summary, other.summary);
        own.clause = format!("{}; {}", own.clause, other.clause);
        self.name = format!("{left}+{name}");
        Ok(self)
    }
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
