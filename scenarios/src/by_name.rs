//! Backends by host name: `expired-leaf--tls12-only.gauntlet.test` is `expired-leaf+tls12-only`.

use crate::{
    catalogue::{UnknownName, catalogue},
    compose::Composed,
    profile::{FaultPhase, ServerNamePolicy},
};

/// The domain of the host names of backends.
pub const ZONE: &str = "gauntlet.test";

/// The joint between two parts in a host name, for `+`.
const JOINT: &str = "--";

/// The longest label of a host name (RFC 1035 2.3.4).
const LONGEST_LABEL: usize = 63;

/// The longest host name, in dots and letters (RFC 1035 2.3.4).
const LONGEST_NAME: usize = 253;

/// Why no backend answers to a host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotByName {
    /// The catalogue has no such backend, or its parts contradict each other.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// It is no host name, or one of another domain.
    #[error("\"{name}\" is no name of a backend; names look like expired-leaf--tls12-only.{}", .zones.join(", or end in ."))]
    Elsewhere {
        /// The name; its beginning, if it is longer than names can be.
        name: String,
        /// The domains of names.
        zones: Vec<String>,
    },
    /// The name comes with the ClientHello, and by then it is too late.
    #[error(
        "\"{0}\" acts before the ClientHello has come, which says who is meant; serve it on a port of its own"
    )]
    ActsBefore(String),
    /// The name would have two meanings.
    #[error("\"{0}\" looks at the server name, which says here who is meant; serve it on a port of its own")]
    LooksAtName(String),
    /// A caller of an address sends no name (RFC 6066 3).
    #[error("\"{0}\" has a certificate for an address and for no name; serve it on a port of its own")]
    ForAddress(String),
    /// It cannot be written as a label.
    #[error("\"{0}\" is longer than a label of a host name may be, 63 bytes; serve it on a port of its own")]
    TooLong(String),
}

impl Composed {
    /// The label that stands for this backend in a host name.
    ///
    /// # Errors
    /// [`NotByName`] if its behaviour cannot be chosen by a name.
    pub fn label(&self) -> Result<String, NotByName> {
        if self.profile.fault.is_some_and(|fault| fault.at == FaultPhase::Accept) {
            return Err(NotByName::ActsBefore(self.name.clone()));
        }
        match self.profile.server_name {
            None | Some(ServerNamePolicy::HostMustMatch) => {}
            Some(
                ServerNamePolicy::Required
                | ServerNamePolicy::RequiredCloses
                | ServerNamePolicy::CertificatePerName
                | ServerNamePolicy::WrongCertificateWithout,
            ) => return Err(NotByName::LooksAtName(self.name.clone())),
        }
        if self.profile.certificate().is_for_address() {
            return Err(NotByName::ForAddress(self.name.clone()));
        }
        let label = self.name.replace('+', JOINT);
        if label.len() > LONGEST_LABEL { Err(NotByName::TooLong(self.name.clone())) } else { Ok(label) }
    }
}

/// The backend that a server name means, and the host name it goes by: what the name ends in is one of the zones, the
/// longest that fits, and the label before that is the backend's. Certificates may be for names further below.
///
/// # Errors
/// [`NotByName`] with the reason, for people.
pub fn called(server_name: &str, zones: &[String]) -> Result<(Composed, String), NotByName> {
    let elsewhere = || NotByName::Elsewhere {
        name: server_name.chars().take(LONGEST_NAME).collect(),
        zones: zones.to_vec(),
    };
    if server_name.len() > LONGEST_NAME {
        return Err(elsewhere());
    }
    let name = server_name.to_ascii_lowercase();
    let in_zones = zones.iter().filter_map(|zone| Some((name.strip_suffix(zone)?.strip_suffix('.')?, zone)));
    let (below, zone) = in_zones.max_by_key(|(_, zone)| zone.len()).ok_or_else(elsewhere)?;
    let label = below.rsplit('.').next().unwrap_or_default();
    let backend = catalogue().backend(&label.replace(JOINT, "+"))?;
    // A name that no backend prints is none: `a+b` has one spelling.
    if backend.label()? != label {
        return Err(elsewhere());
    }
    Ok((backend, format!("{label}.{zone}")))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn zones() -> Vec<String> {
        ["gauntlet.test", "backend.gauntlet.test", "localhost"].map(str::to_owned).to_vec()
    }

    #[rstest]
    #[case("expired-leaf.gauntlet.test", "expired-leaf", "expired-leaf.gauntlet.test")]
    #[case(
        "Expired-Leaf--TLS12-only.localhost",
        "expired-leaf+tls12-only",
        "expired-leaf--tls12-only.localhost"
    )]
    #[case("a.b.wildcard-too-deep.gauntlet.test", "wildcard-too-deep", "wildcard-too-deep.gauntlet.test")]
    #[case("xn--bcher-kva.idn.gauntlet.test", "idn", "idn.gauntlet.test")]
    #[case("p384.backend.gauntlet.test", "p384", "p384.backend.gauntlet.test")]
    #[case("host-must-match-sni.localhost", "host-must-match-sni", "host-must-match-sni.localhost")]
    fn a_name_means_a_backend(#[case] name: &str, #[case] backend: &str, #[case] host: &str) {
        let (composed, its_host) = called(name, &zones()).unwrap();
        assert_eq!((composed.name.as_str(), its_host.as_str()), (backend, host));
    }

    #[rstest]
    #[case("expired-laef.gauntlet.test", "did you mean \"expired-leaf\"?")]
    #[case("tls12-only--tls13-only.gauntlet.test", "contradict each other: both set the protocol versions")]
    #[case("tls12-only+expired-leaf.gauntlet.test", "is no name of a backend")]
    #[case("expired-leaf.example.com", "is no name of a backend")]
    #[case("notgauntlet.test", "is no name of a backend")]
    #[case("gauntlet.test", "is no name of a backend")]
    #[case(".gauntlet.test", "unknown backend \"\"")]
    #[case("", "is no name of a backend")]
    #[case("resets-on-accept.gauntlet.test", "acts before the ClientHello")]
    #[case("tls12-only--plaintext-http.gauntlet.test", "acts before the ClientHello")]
    #[case("sni-required.gauntlet.test", "looks at the server name")]
    #[case("ip-san.gauntlet.test", "has a certificate for an address")]
    #[case(
        "wrong-extended-key-usage--forces-hello-retry-request--intolerant-of-split-hello.gauntlet.test",
        "longer than a label"
    )]
    fn any_other_name_is_refused_with_the_reason(#[case] name: &str, #[case] because: &str) {
        let error = called(name, &zones()).unwrap_err().to_string();
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn a_name_without_end_is_not_compared_with_every_other() {
        let error = called(&"x".repeat(1 << 16), &zones()).unwrap_err().to_string();
        assert!(error.len() < 500, "{error}");
    }

    #[test]
    fn every_backend_has_a_label_or_a_reason() {
        for (name, _, profile) in catalogue().backends() {
            assert!(!name.contains(JOINT), "{name} could not be told from a composition");
            if let Ok(label) = Composed::single(name, profile).label() {
                let (back, _) = called(&format!("{label}.{ZONE}"), &zones()).unwrap();
                assert_eq!(back.name, name);
            }
        }
    }
}
