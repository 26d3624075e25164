//! An upstream: how the gateway connects to a backend.

use serde::{Deserialize, Serialize};

use crate::words::{CipherSuite, ClientCertificate, Group, StatusSource, Versions, closed_list};

/// How one route of the gateway is set up towards its backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct UpstreamProfile {
    /// One sentence: what it insists on.
    pub summary: String,
    /// Protocol versions it offers.
    #[serde(default = "Versions::current")]
    pub versions: Versions,
    /// Cipher suites it offers up to TLS 1.2 (those of TLS 1.3 are another setting, where they are one); the gateway's own if
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ciphers: Option<Vec<CipherSuite>>,
    /// Key-exchange groups it offers; the gateway's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Group>>,
    /// Application protocols it offers, in its order; the gateway's own if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protocols: Vec<String>,
    /// Whether it checks the chain against the trusted root.
    #[serde(default = "yes")]
    pub verify_chain: bool,
    /// Whether it checks the certificate's name.
    #[serde(default = "yes")]
    pub verify_name: bool,
    /// How it finds out whether the certificate was revoked; not at all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationCheck>,
    /// Whether it sends the server name.
    #[serde(default = "yes")]
    pub send_server_name: bool,
    /// The name that it asks for and, where it checks names, insists on; that of the backend if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Whether it follows a backend that renegotiates, if the gateway can.
    #[serde(default = "yes")]
    pub renegotiation: bool,
    /// Whether it keeps connections for the next request; each request has one of its own if not.
    #[serde(default)]
    pub reuse: bool,
    /// How many more connections it tries when one breaks before the backend has had the request; none if 0.
    #[serde(default, skip_serializing_if = "is_none")]
    pub retries: u32,
    /// The upstream through which the same client has called the same backend just before, on the same connection to the
    /// gateway; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The client certificate it shows when asked; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,
}

closed_list! {
    /// How an upstream finds out whether a backend's certificate was revoked. None of them takes no answer for a good one,
    /// where the certificate says that there is an answer to be had.
    RevocationCheck as "check of revocation" {
        /// Against current revocation lists that it was given as a file.
        CrlFile = "crl-file",
        /// Looks at the stapled OCSP response, if there is one or must be.
        StapleIfPresent = "staple-if-present",
        /// Insists on a stapled OCSP response.
        StapleRequired = "staple-required",
        /// Fetches the revocation list that the certificate points to.
        CrlFetched = "crl-fetched",
        /// Asks the OCSP responder that the certificate points to.
        OcspAsked = "ocsp-asked",
    }
}

impl RevocationCheck {
    /// What it asks somebody else for, if anything.
    #[must_use]
    pub const fn asks(self) -> Option<StatusSource> {
        match self {
            Self::CrlFile | Self::StapleIfPresent | Self::StapleRequired => None,
            Self::CrlFetched => Some(StatusSource::Crl),
            Self::OcspAsked => Some(StatusSource::Ocsp),
        }
    }

    /// Whether it wants an OCSP response stapled.
    #[must_use]
    pub const fn wants_staple(self) -> bool {
        matches!(self, Self::StapleIfPresent | Self::StapleRequired)
    }
}

const fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it asks about by reference")]
const fn is_none(retries: &u32) -> bool {
    *retries == 0
}
