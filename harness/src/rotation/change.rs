//! What changes.

use std::{fmt, str::FromStr};

use tls_gauntlet_scenarios::nearest;

/// A change under traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The backend's certificate, below the same authority.
    BackendCertificate,
    /// The authority of the backend's certificate.
    BackendAuthority,
    /// What the gateway shows to the backend.
    ClientCertificate,
    /// Whom the gateway trusts.
    TrustStore,
    /// What the gateway shows, while it may not have it for a time.
    AccessDenied,
    /// What the gateway shows, while its new version is disabled for a time.
    VersionDisabled,
}

impl Change {
    /// Every change.
    pub const ALL: &[Self] = &[
        Self::BackendCertificate,
        Self::BackendAuthority,
        Self::ClientCertificate,
        Self::TrustStore,
        Self::AccessDenied,
        Self::VersionDisabled,
    ];

    /// The name that users write.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BackendCertificate => "backend-certificate",
            Self::BackendAuthority => "backend-authority",
            Self::ClientCertificate => "client-certificate",
            Self::TrustStore => "trust-store",
            Self::AccessDenied => "access-denied",
            Self::VersionDisabled => "version-disabled",
        }
    }

    /// What happens, in one sentence.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        match self {
            Self::BackendCertificate => {
                "The backend renews its certificate; the gateway then learns that the old one was revoked."
            }
            Self::BackendAuthority => {
                "The gateway trusts a second authority, the backend moves to it, the gateway drops the first."
            }
            Self::ClientCertificate => {
                "The agent finds a new client certificate at its next poll; the backend then drops the old authority."
            }
            Self::TrustStore => {
                "One of two authorities leaves the trust store; the backend below the other is served throughout."
            }
            Self::AccessDenied => {
                "The store denies access to a new client certificate: the gateway keeps the old until it may have it."
            }
            Self::VersionDisabled => {
                "The new client certificate is disabled in the store: the gateway keeps the old until it is enabled."
            }
        }
    }

    /// Whether it is the gateway's own certificate that changes.
    pub(super) const fn is_the_clients(self) -> bool {
        match self {
            Self::ClientCertificate | Self::AccessDenied | Self::VersionDisabled => true,
            Self::BackendCertificate | Self::BackendAuthority | Self::TrustStore => false,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// No change is called that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown change \"{0}\"{hint} (known are {known})", hint = hint(.0), known = known())]
pub struct UnknownChange(String);

fn hint(word: &str) -> String {
    nearest::hint(word, Change::ALL.iter().map(|change| change.as_str()))
}

fn known() -> String {
    Change::ALL.iter().map(|change| change.as_str()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Change {
    type Err = UnknownChange;

    fn from_str(word: &str) -> Result<Self, UnknownChange> {
        let found = Self::ALL.iter().copied().find(|change| change.as_str() == word);
        found.ok_or_else(|| UnknownChange(word.to_owned()))
    }
}
