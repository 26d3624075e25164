//! The certificates that profiles name, and what is wrong with each.

use super::{Cause, TlsVersion, closed_list};

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
        /// A sound chain below the root that is trusted for clients, and for nobody else.
        IssuedByClientCa = "issued-by-client-ca",
        /// Sent without its intermediate.
        MissingIntermediate = "missing-intermediate",
        /// For clients only.
        WrongExtendedKeyUsage = "wrong-extended-key-usage",
        /// A sound certificate with an RSA-3072 key.
        Rsa3072 = "rsa-3072",
        /// A sound certificate with an RSA-4096 key.
        Rsa4096 = "rsa-4096",
        /// A sound certificate with an RSA-8192 key.
        Rsa8192 = "rsa-8192",
        /// A sound certificate whose RSA key may sign with PSS only.
        RsaPss = "rsa-pss",
        /// A sound certificate with a P-384 key.
        P384 = "p384",
        /// A sound certificate with a P-521 key.
        P521 = "p521",
        /// A sound certificate with an Ed25519 key.
        Ed25519 = "ed25519",
        /// A sound certificate with an Ed448 key.
        Ed448 = "ed448",
        /// A sound certificate with an ML-DSA-65 key, which no quantum computer can forge.
        MlDsa65 = "ml-dsa-65",
        /// The subject has no common name; the names are where they belong.
        NoCommonName = "no-common-name",
        /// The subject is empty, and the alternative names are critical, as they then must be.
        NoSubject = "no-subject",
        /// The leaf certificate is for IP addresses only.
        IpSan = "ip-san",
        /// The leaf certificate is for every name one label below the host.
        Wildcard = "wildcard",
        /// The leaf certificate is for an internationalised name, written as an A-label.
        Idn = "idn",
        /// The leaf certificate does not say what it is for, so it is for everything.
        MissingExtendedKeyUsage = "missing-extended-key-usage",
        /// The leaf certificate is for 1,000 names, the host's own the last of them.
        ThousandNames = "thousand-names",
        /// The leaf certificate is for 10,000 names, the host's own the last of them: 340 KB.
        TenThousandNames = "ten-thousand-names",
        /// Another path, that ends at an expired root, is sent along with the sound one.
        CrossSignedOneExpired = "cross-signed-one-expired",
        /// The intermediate may issue for some names only, and these are the names.
        NameConstraintsKept = "name-constraints-kept",
        /// The chain is ten certificates long.
        Chain10Deep = "chain-10-deep",
        /// The chain is fifty certificates long.
        Chain50Deep = "chain-50-deep",
        /// The leaf comes first, but its two intermediates come in the wrong order.
        ReversedChain = "reversed-chain",
        /// Every certificate of the chain is sent twice.
        DuplicatedChain = "duplicated-chain",
        /// The root is sent along with the chain.
        WithRoot = "with-root",
        /// Certificates that have nothing to do with the leaf are sent along.
        WithUnrelated = "with-unrelated",
        /// The leaf certificate demands that its server staples an OCSP response.
        MustStaple = "must-staple",
        /// The leaf certificate points to a revocation list that it is not on.
        PointsToCrl = "points-to-crl",
        /// The leaf certificate points to an OCSP responder, which says that it is good.
        PointsToOcsp = "points-to-ocsp",
        /// The leaf certificate is on the revocation list that it points to.
        RevokedByCrl = "revoked-by-crl",
        /// The intermediate that issued the leaf is on the revocation list of its own issuer.
        RevokedIntermediate = "revoked-intermediate",
        /// The OCSP responder that the leaf certificate points to says that it was revoked.
        RevokedByOcsp = "revoked-by-ocsp",
        /// The leaf certificate is sound now and expires soon.
        ExpiresDuringRun = "expires-during-run",
        /// A sound chain below a root that expired half a day ago, and that nobody is given.
        ExpiredRoot = "expired-root",
        /// The leaf certificate has its name in the common name only.
        CnOnly = "cn-only",
        /// The leaf certificate has a wildcard, and the host is two labels below it.
        WildcardTooDeep = "wildcard-too-deep",
        /// The leaf certificate is for a name with an underscore.
        Underscore = "underscore",
        /// The leaf certificate's name is the host's up to a NUL, and then somebody else's.
        NulInName = "nul-in-name",
        /// The leaf certificate is for a SPIFFE identity and for no host name.
        UriSan = "uri-san",
        /// The intermediate that issued the leaf expired half a day ago.
        ExpiredIntermediate = "expired-intermediate",
        /// The intermediate must not issue for these names, and did.
        NameConstraintsViolated = "name-constraints-violated",
        /// There is an authority below one that allows none below it.
        PathLengthExceeded = "path-length-exceeded",
        /// The leaf was issued by a certificate that is no authority.
        IntermediateNoCa = "intermediate-no-ca",
        /// The key of the leaf certificate may encipher data, but not sign.
        WrongKeyUsage = "wrong-key-usage",
        /// The leaf certificate is an authority's.
        CaAsLeaf = "ca-as-leaf",
        /// The leaf certificate has a critical extension that nobody knows.
        UnknownCriticalExtension = "unknown-critical-extension",
        /// The leaf certificate is of version 1, so it has no extensions and no alternative names.
        X509V1 = "x509-v1",
        /// The extended key usage of the leaf certificate is not DER.
        MalformedDer = "malformed-der",
        /// The signature of the leaf certificate was changed by one bit.
        TamperedSignature = "tampered-signature",
        /// The server does not have the key of the leaf certificate.
        MismatchedKey = "mismatched-key",
        /// The leaf certificate has an RSA-1024 key, which is too weak.
        Rsa1024 = "rsa-1024",
        /// The leaf certificate is signed with SHA-1.
        Sha1SignedLeaf = "sha1-signed-leaf",
        /// The leaf certificate is signed with MD5.
        Md5SignedLeaf = "md5-signed-leaf",
        /// The intermediate that issued the leaf is signed with SHA-1.
        Sha1SignedIntermediate = "sha1-signed-intermediate",
    }
}

impl ServerCertificate {
    /// Why a peer that checks the chain refuses it.
    #[must_use]
    pub const fn chain_flaw(self) -> Option<Cause> {
        match self {
            Self::Good
            | Self::GoodRsa
            | Self::WrongName
            | Self::Rsa3072
            | Self::Rsa4096
            | Self::Rsa8192
            | Self::RsaPss
            | Self::P384
            | Self::P521
            | Self::Ed25519
            | Self::Ed448
            | Self::MlDsa65
            | Self::NoCommonName
            | Self::NoSubject
            | Self::IpSan
            | Self::Wildcard
            | Self::Idn
            | Self::MissingExtendedKeyUsage
            | Self::ThousandNames
            | Self::TenThousandNames
            | Self::CrossSignedOneExpired
            | Self::NameConstraintsKept
            | Self::Chain10Deep
            | Self::Chain50Deep
            | Self::ReversedChain
            | Self::DuplicatedChain
            | Self::WithRoot
            | Self::WithUnrelated
            | Self::MustStaple
            | Self::PointsToCrl
            | Self::PointsToOcsp
            | Self::RevokedByCrl
            | Self::RevokedIntermediate
            | Self::RevokedByOcsp
            | Self::ExpiresDuringRun
            | Self::CnOnly
            | Self::Underscore
            | Self::CaAsLeaf
            | Self::X509V1
            | Self::Rsa1024
            | Self::Sha1SignedLeaf
            | Self::Md5SignedLeaf
            | Self::Sha1SignedIntermediate
            | Self::WildcardTooDeep
            | Self::NulInName
            | Self::UriSan
            | Self::MismatchedKey => None,
            Self::Expired | Self::ExpiredIntermediate => Some(Cause::ServerCertExpired),
            Self::NameConstraintsViolated | Self::UnknownCriticalExtension | Self::TamperedSignature => {
                Some(Cause::ServerCertMalformed)
            }
            Self::NotYetValid => Some(Cause::ServerCertNotYetValid),
            Self::SelfSigned
            | Self::UntrustedRoot
            | Self::IssuedByClientCa
            | Self::ExpiredRoot
            | Self::MissingIntermediate
            | Self::PathLengthExceeded
            | Self::IntermediateNoCa
            | Self::MalformedDer => Some(Cause::ServerCertUntrusted),
            Self::WrongExtendedKeyUsage | Self::WrongKeyUsage => Some(Cause::ServerCertWrongUsage),
        }
    }

    /// Why a peer that checks the name refuses it.
    #[must_use]
    pub const fn name_flaw(self) -> Option<Cause> {
        if matches!(self, Self::WrongName | Self::WildcardTooDeep | Self::NulInName | Self::UriSan) {
            Some(Cause::ServerCertNameMismatch)
        } else {
            None
        }
    }

    /// Whether it is sound but for a short key or an old signature.
    #[must_use]
    pub const fn is_weak(self) -> bool {
        matches!(
            self,
            Self::Rsa1024 | Self::Sha1SignedLeaf | Self::Md5SignedLeaf | Self::Sha1SignedIntermediate
        )
    }

    /// Whether every peer has to treat it alike, so that none can claim to do otherwise.
    #[must_use]
    pub const fn leaves_no_choice(self) -> bool {
        matches!(
            self,
            Self::Good
                | Self::GoodRsa
                | Self::Expired
                | Self::ExpiredIntermediate
                | Self::NotYetValid
                | Self::WrongName
                | Self::SelfSigned
                | Self::UntrustedRoot
                | Self::IssuedByClientCa
                | Self::MissingIntermediate
                | Self::WrongExtendedKeyUsage
        )
    }

    /// What else a peer may hold against the chain: one flaw can break two rules, and which of them a library
    /// looks at first is its own affair.
    #[must_use]
    pub const fn other_flaw(self) -> Option<Cause> {
        match self {
            // No authority: neither allowed to issue nor of the right purpose.
            Self::IntermediateNoCa => Some(Cause::ServerCertWrongUsage),
            // What the authority did not sign, has no path to it.
            Self::TamperedSignature => Some(Cause::ServerCertUntrusted),
            _ => None,
        }
    }

    /// Whether it is for an address, which is no server name (RFC 6066 section 3).
    #[must_use]
    pub const fn is_for_address(self) -> bool {
        matches!(self, Self::IpSan)
    }

    /// Whether its key can sign in this version: Ed25519, Ed448 and RSA-PSS keys from TLS 1.2 on (RFC 8422 5.1.1,
    /// RFC 8446 4.2.3), ML-DSA only in TLS 1.3 (draft-ietf-tls-mldsa).
    #[must_use]
    pub fn fits(self, version: TlsVersion) -> bool {
        match self {
            Self::MlDsa65 => version >= TlsVersion::Tls13,
            Self::Ed25519 | Self::Ed448 | Self::RsaPss => version >= TlsVersion::Tls12,
            _ => true,
        }
    }

    /// Whether it is longer than what some libraries read at most.
    #[must_use]
    pub const fn is_huge(self) -> bool {
        matches!(self, Self::TenThousandNames)
    }

    /// Where it says that its status is to be had.
    #[must_use]
    pub const fn points_to(self) -> Option<StatusSource> {
        match self {
            Self::PointsToCrl | Self::RevokedByCrl => Some(StatusSource::Crl),
            Self::PointsToOcsp | Self::RevokedByOcsp => Some(StatusSource::Ocsp),
            _ => None,
        }
    }

    /// Who says that it was revoked, or what issued it.
    #[must_use]
    pub const fn revoked_by(self) -> Option<StatusSource> {
        match self {
            Self::RevokedByCrl | Self::RevokedIntermediate => Some(StatusSource::Crl),
            Self::RevokedByOcsp => Some(StatusSource::Ocsp),
            _ => None,
        }
    }

    /// Whether it must not be accepted without a stapled OCSP response (RFC 7633 4.2.3).
    #[must_use]
    pub const fn must_be_stapled(self) -> bool {
        matches!(self, Self::MustStaple)
    }

    /// Whether there is a revocation list of every authority between it and the root: the shipped lists are those of the
    /// server root, of the intermediate below it, and of those above the revoked intermediate and itself.
    #[must_use]
    pub const fn is_below_listed_authorities(self) -> bool {
        !matches!(
            self,
            Self::SelfSigned
                | Self::UntrustedRoot
                | Self::IssuedByClientCa
                | Self::ExpiredRoot
                | Self::MissingIntermediate
                | Self::ExpiredIntermediate
                | Self::NameConstraintsKept
                | Self::NameConstraintsViolated
                | Self::PathLengthExceeded
                | Self::IntermediateNoCa
                | Self::Chain10Deep
                | Self::Chain50Deep
                | Self::ReversedChain
                | Self::Sha1SignedLeaf
                | Self::Md5SignedLeaf
                | Self::Sha1SignedIntermediate
        )
    }

    /// Whether its key cannot prove possession, so that the handshake fails whatever is verified.
    #[must_use]
    pub const fn breaks_handshake(self) -> bool {
        matches!(self, Self::MismatchedKey)
    }
}

closed_list! {
    /// Where the status of a certificate is to be had.
    StatusSource as "source of a certificate's status" {
        /// A revocation list (RFC 5280 4.2.1.13).
        Crl = "crl",
        /// An OCSP responder (RFC 6960).
        Ocsp = "ocsp",
    }
}

closed_list! {
    /// The certificate a client (or a gateway towards its backend) shows. The spelling is the name of the recipe.
    ClientCertificate as "client certificate" {
        /// Sound, from the authority that backends and listeners trust.
        Good = "good",
        /// As sound, from the same authority, and another tenant's.
        AnotherTenant = "another-tenant",
        /// From an authority nobody trusts.
        Untrusted = "untrusted",
        /// From the authority that is trusted for servers, and for nobody else.
        IssuedByServerCa = "issued-by-server-ca",
        /// Expired yesterday.
        Expired = "expired",
        /// Signed by itself.
        SelfSigned = "self-signed",
        /// Begins tomorrow.
        NotYetValid = "not-yet-valid",
        /// For servers only.
        WrongExtendedKeyUsage = "wrong-extended-key-usage",
        /// On the revocation list of its issuer.
        Revoked = "revoked",
        /// From an intermediate on the revocation list of its own issuer.
        RevokedIntermediate = "revoked-intermediate",
        /// With an RSA-1024 key.
        Weak = "weak",
    }
}

impl ClientCertificate {
    /// Why a peer that checks client certificates refuses it.
    #[must_use]
    pub const fn flaw(self) -> Option<Cause> {
        match self {
            Self::Good | Self::AnotherTenant => None,
            Self::Untrusted | Self::IssuedByServerCa | Self::SelfSigned => Some(Cause::ClientCertUntrusted),
            Self::Expired => Some(Cause::ClientCertExpired),
            Self::NotYetValid => Some(Cause::ClientCertNotYetValid),
            Self::WrongExtendedKeyUsage => Some(Cause::ClientCertWrongUsage),
            Self::Revoked | Self::RevokedIntermediate => Some(Cause::ClientCertRevoked),
            Self::Weak => Some(Cause::ClientCertWeak),
        }
    }

    /// Whether its issuer is the authority that backends and listeners name when they ask for a certificate.
    #[must_use]
    pub const fn is_listed(self) -> bool {
        match self {
            Self::Good
            | Self::AnotherTenant
            | Self::Expired
            | Self::NotYetValid
            | Self::WrongExtendedKeyUsage
            | Self::Revoked
            | Self::RevokedIntermediate
            | Self::Weak => true,
            Self::Untrusted | Self::IssuedByServerCa | Self::SelfSigned => false,
        }
    }
}
