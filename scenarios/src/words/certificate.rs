//! The certificates that profiles name, and what is wrong with each.

use super::{Cause, closed_list};

closed_list! {
    /// The certificate a backend shows. The spelling is the name of the recipe that makes it.
    ServerCertificate as "server certificate" {
        /// Sound: P-256, right name, right usage, intermediate sent along.
        Good = "good",
        /// Sound, with an RSA-2048 key.
        GoodRsa = "good-rsa",
        /// Expired yesterday.
        Expired = "expired",
        /// Begins tomorrow.
        NotYetValid = "not-yet-valid",
        /// For another name.
        WrongName = "wrong-name",
        /// Signed by itself.
        SelfSigned = "self-signed",
        /// A sound chain below a root that nobody trusts.
        UntrustedRoot = "untrusted-root",
        /// Sent without its intermediate.
        MissingIntermediate = "missing-intermediate",
        /// For clients only.
        WrongExtendedKeyUsage = "wrong-extended-key-usage",
    }
}

impl ServerCertificate {
    /// Why a peer that checks the chain refuses it.
    #[must_use]
    pub const fn chain_flaw(self) -> Option<Cause> {
        match self {
            Self::Good | Self::GoodRsa | Self::WrongName => None,
            Self::Expired => Some(Cause::ServerCertExpired),
            Self::NotYetValid => Some(Cause::ServerCertNotYetValid),
            Self::SelfSigned | Self::UntrustedRoot | Self::MissingIntermediate => {
                Some(Cause::ServerCertUntrusted)
            }
            Self::WrongExtendedKeyUsage => Some(Cause::ServerCertWrongUsage),
        }
    }

    /// Why a peer that checks the name refuses it.
    #[must_use]
    pub const fn name_flaw(self) -> Option<Cause> {
        match self {
            Self::WrongName => Some(Cause::ServerCertNameMismatch),
            Self::Good
            | Self::GoodRsa
            | Self::Expired
            | Self::NotYetValid
            | Self::SelfSigned
            | Self::UntrustedRoot
            | Self::MissingIntermediate
            | Self::WrongExtendedKeyUsage => None,
        }
    }
}

closed_list! {
    /// The certificate a client (or a gateway towards its backend) shows. The spelling is the name of the recipe.
    ClientCertificate as "client certificate" {
        /// Sound, from the authority that backends and listeners trust.
        Good = "good",
        /// From an authority nobody trusts.
        Untrusted = "untrusted",
        /// Expired yesterday.
        Expired = "expired",
        /// Signed by itself.
        SelfSigned = "self-signed",
    }
}

impl ClientCertificate {
    /// Why a peer that checks client certificates refuses it.
    #[must_use]
    pub const fn flaw(self) -> Option<Cause> {
        match self {
            Self::Good => None,
            Self::Untrusted | Self::SelfSigned => Some(Cause::ClientCertUntrusted),
            Self::Expired => Some(Cause::ClientCertExpired),
        }
    }

    /// Whether its issuer is the authority that backends and listeners name when they ask for a certificate.
    #[must_use]
    pub const fn is_listed(self) -> bool {
        match self {
            Self::Good | Self::Expired => true,
            Self::Untrusted | Self::SelfSigned => false,
        }
    }
}
