//! The words for server certificates.

use std::fmt;
use std::str::FromStr;

use super::{Words, pick};
use crate::{Error, covered};

/// A server certificate, by its flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServerRecipe {
    /// Nothing is wrong: P-256, below an intermediate, below the server root.
    Good,
    /// Nothing is wrong, and the key is RSA-2048.
    GoodRsa,
    /// Nothing is wrong, and the key is RSA-3072.
    Rsa3072,
    /// Nothing is wrong, and the key is RSA-4096.
    Rsa4096,
    /// Nothing is wrong, and the key is RSA-8192. Making the key takes seconds, once per process; it
    /// has five primes, which OpenSSL reads, and others may not.
    Rsa8192,
    /// Nothing is wrong, and the key is RSA-2048 for PSS alone (`id-RSASSA-PSS`).
    RsaPss,
    /// Nothing is wrong, and the key is P-384.
    P384,
    /// Nothing is wrong, and the key is P-521.
    P521,
    /// Nothing is wrong, and the key is Ed25519.
    Ed25519,
    /// Nothing is wrong, and the key is Ed448.
    Ed448,
    /// Nothing is wrong, and the key is ML-DSA-65.
    MlDsa65,
    /// Nothing is wrong: the subject is an organisation, and the alternative names say all.
    NoCommonName,
    /// Nothing is wrong: the subject is empty and the alternative names are critical.
    NoSubject,
    /// Nothing is wrong: the leaf is for the addresses among the names, or else for `127.0.0.1` and `::1`.
    IpSan,
    /// Nothing is wrong: the leaf is for `*.HOST`.
    Wildcard,
    /// Nothing is wrong: the leaf is for `xn--bcher-kva.HOST` (bücher).
    Idn,
    /// Nothing is wrong: without the extension there is no limit.
    MissingExtendedKeyUsage,
    /// Nothing is wrong: 1,000 names, those asked for at the end.
    ThousandNames,
    /// Nothing is wrong: 10,000 names, those asked for at the end; a quarter of a megabyte.
    TenThousandNames,
    /// Nothing is wrong: the server root is cross-signed below the expired root, as it was with the `AddTrust` root in 2020.
    CrossSignedOneExpired,
    /// Nothing is wrong: the intermediate may issue for the names of the leaf and for nothing else.
    NameConstraintsKept,
    /// Nothing is wrong: the leaf and nine authorities are sent.
    Chain10Deep,
    /// Nothing is wrong: the leaf and forty-nine authorities are sent.
    Chain50Deep,
    /// The leaf comes first (it must), then its intermediates from the top down.
    ReversedChain,
    /// Leaf, leaf, intermediate, intermediate.
    DuplicatedChain,
    /// The root, which everybody has who trusts it, is sent too.
    WithRoot,
    /// The client root and an untrusted intermediate are sent too.
    WithUnrelated,
    /// The leaf carries the TLS feature extension with `status_request`; without a staple it must be refused.
    MustStaple,
    /// Nothing is wrong: the leaf points to [`crl_url`](crate::Circumstances::crl_url), and [`Pki::crl`](crate::Pki::crl) does
    /// not list it.
    PointsToCrl,
    /// Nothing is wrong: the leaf points to [`ocsp_url`](crate::Circumstances::ocsp_url).
    PointsToOcsp,
    /// The leaf ended yesterday.
    Expired,
    /// The leaf ends [`expires_in`](crate::Circumstances::expires_in) after the clock of the `Pki`.
    ExpiresDuringRun,
    /// The leaf begins tomorrow.
    NotYetValid,
    /// The leaf is for [`WRONG_NAME`](crate::WRONG_NAME) only.
    WrongName,
    /// There are no alternative names; the common name is right, but must not be looked at.
    CnOnly,
    /// The leaf is for `*.HOST`, which is not for `a.b.HOST`.
    WildcardTooDeep,
    /// The leaf is for `under_score.HOST`, which is no host name by the book, and works with nearly everybody.
    Underscore,
    /// The leaf is for `HOST\0.attacker.test`, which whoever thinks in C takes for `HOST`.
    NulInName,
    /// The leaf is for `spiffe://HOST/backend`.
    UriSan,
    /// The leaf is its own issuer.
    SelfSigned,
    /// A sound chain below a root that nobody is given.
    UntrustedRoot,
    /// A sound chain, below the client root: for whoever trusts that for servers too.
    IssuedByClientCa,
    /// A sound chain below [`Pki::expired_root`](crate::Pki::expired_root), which ended half a day ago.
    ExpiredRoot,
    /// The leaf is sent without the intermediate that issued it.
    MissingIntermediate,
    /// The intermediate ended half a day ago; the leaf and all above are current.
    ExpiredIntermediate,
    /// The intermediate excludes the very names of the leaf.
    NameConstraintsViolated,
    /// An authority below the intermediate, whose path length is zero, issued the leaf.
    PathLengthExceeded,
    /// What issued the leaf is itself an end-entity certificate.
    IntermediateNoCa,
    /// The leaf is for client authentication only.
    WrongExtendedKeyUsage,
    /// The key usage is `dataEncipherment` only, which is of no use in TLS. (The key is RSA-2048.)
    WrongKeyUsage,
    /// The leaf says it may issue certificates itself.
    CaAsLeaf,
    /// An extension that nobody knows is marked critical.
    UnknownCriticalExtension,
    /// Version 1: no extensions at all, the name in the common name.
    X509V1,
    /// The extended key usage claims more bytes than it has; all around it is well-formed, so it can be sent. (The
    /// key is RSA-2048.)
    MalformedDer,
    /// One bit of the issuer's signature is wrong.
    TamperedSignature,
    /// The key has the leaf's public half and another's private half: servers load it, and sign in vain.
    MismatchedKey,
    /// The key is RSA-1024.
    Rsa1024,
    /// The leaf is signed with SHA-1 and RSA.
    Sha1SignedLeaf,
    /// The leaf is signed with MD5 and RSA.
    Md5SignedLeaf,
    /// The intermediate is signed with SHA-1 and RSA; the leaf is signed soundly.
    Sha1SignedIntermediate,
    /// [`Pki::crl`](crate::Pki::crl) lists the leaf, which points to [`crl_url`](crate::Circumstances::crl_url).
    RevokedByCrl,
    /// [`Pki::crls`](crate::Pki::crls) list the intermediate that issued the leaf.
    RevokedIntermediate,
    /// [`Pki::ocsp`](crate::Pki::ocsp) can say so at [`ocsp_url`](crate::Circumstances::ocsp_url), where the leaf points to.
    RevokedByOcsp,
}

impl ServerRecipe {
    /// Every server recipe, the sound ones first.
    pub const ALL: &[Self] = &[
        Self::Good,
        Self::GoodRsa,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::Rsa8192,
        Self::RsaPss,
        Self::P384,
        Self::P521,
        Self::Ed25519,
        Self::Ed448,
        Self::MlDsa65,
        Self::NoCommonName,
        Self::NoSubject,
        Self::IpSan,
        Self::Wildcard,
        Self::Idn,
        Self::MissingExtendedKeyUsage,
        Self::ThousandNames,
        Self::TenThousandNames,
        Self::CrossSignedOneExpired,
        Self::NameConstraintsKept,
        Self::Chain10Deep,
        Self::Chain50Deep,
        Self::ReversedChain,
        Self::DuplicatedChain,
        Self::WithRoot,
        Self::WithUnrelated,
        Self::MustStaple,
        Self::PointsToCrl,
        Self::PointsToOcsp,
        Self::Expired,
        Self::ExpiresDuringRun,
        Self::NotYetValid,
        Self::WrongName,
        Self::CnOnly,
        Self::WildcardTooDeep,
        Self::Underscore,
        Self::NulInName,
        Self::UriSan,
        Self::SelfSigned,
        Self::UntrustedRoot,
        Self::IssuedByClientCa,
        Self::ExpiredRoot,
        Self::MissingIntermediate,
        Self::ExpiredIntermediate,
        Self::NameConstraintsViolated,
        Self::PathLengthExceeded,
        Self::IntermediateNoCa,
        Self::WrongExtendedKeyUsage,
        Self::WrongKeyUsage,
        Self::CaAsLeaf,
        Self::UnknownCriticalExtension,
        Self::X509V1,
        Self::MalformedDer,
        Self::TamperedSignature,
        Self::MismatchedKey,
        Self::Rsa1024,
        Self::Sha1SignedLeaf,
        Self::Md5SignedLeaf,
        Self::Sha1SignedIntermediate,
        Self::RevokedByCrl,
        Self::RevokedIntermediate,
        Self::RevokedByOcsp,
    ];

    /// The name that users write.
    pub const fn as_str(self) -> &'static str {
        self.words().name
    }

    /// The recipe in one sentence.
    pub const fn summary(self) -> &'static str {
        self.words().summary
    }

    /// Where it is written that the certificate must be accepted, or refused.
    pub const fn clause(self) -> &'static str {
        self.words().clause
    }

    /// The name to dial, where the first host name that was asked for is `host`: the recipes about names have
    /// certificates for a name below it, and [`IpSan`](Self::IpSan) has one for an address.
    pub fn dialled(self, host: &str) -> String {
        match self {
            Self::IpSan => "127.0.0.1".to_owned(),
            Self::Wildcard => format!("any.{host}"),
            Self::WildcardTooDeep => format!("a.b.{host}"),
            Self::Idn => covered::idn(host),
            Self::Underscore => covered::underscore(host),
            Self::WrongName
            | Self::Good
            | Self::GoodRsa
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
            | Self::Expired
            | Self::ExpiresDuringRun
            | Self::NotYetValid
            | Self::CnOnly
            | Self::NulInName
            | Self::UriSan
            | Self::SelfSigned
            | Self::UntrustedRoot
            | Self::IssuedByClientCa
            | Self::ExpiredRoot
            | Self::MissingIntermediate
            | Self::ExpiredIntermediate
            | Self::NameConstraintsViolated
            | Self::PathLengthExceeded
            | Self::IntermediateNoCa
            | Self::WrongExtendedKeyUsage
            | Self::WrongKeyUsage
            | Self::CaAsLeaf
            | Self::UnknownCriticalExtension
            | Self::X509V1
            | Self::MalformedDer
            | Self::TamperedSignature
            | Self::MismatchedKey
            | Self::Rsa1024
            | Self::Sha1SignedLeaf
            | Self::Md5SignedLeaf
            | Self::Sha1SignedIntermediate
            | Self::RevokedByCrl
            | Self::RevokedIntermediate
            | Self::RevokedByOcsp => host.to_owned(),
        }
    }

    const fn words(self) -> Words {
        match self {
            Self::Good => Words {
                name: "good",
                summary: "A sound P-256 certificate, sent with its intermediate.",
                clause: "RFC 5280 6.1",
            },
            Self::GoodRsa => Words {
                name: "good-rsa",
                summary: "A sound RSA-2048 certificate, sent with its intermediate.",
                clause: "RFC 5280 6.1",
            },
            Self::Rsa3072 => Words {
                name: "rsa-3072",
                summary: "A sound certificate with an RSA-3072 key.",
                clause: "RFC 3279 2.3.1",
            },
            Self::Rsa4096 => Words {
                name: "rsa-4096",
                summary: "A sound certificate with an RSA-4096 key.",
                clause: "RFC 3279 2.3.1",
            },
            Self::Rsa8192 => Words {
                name: "rsa-8192",
                summary: "A sound certificate with an RSA-8192 key.",
                clause: "RFC 3279 2.3.1",
            },
            Self::RsaPss => Words {
                name: "rsa-pss",
                summary: "A sound certificate whose RSA key may sign with PSS only.",
                clause: "RFC 4055 1.2",
            },
            Self::P384 => Words {
                name: "p384",
                summary: "A sound certificate with a P-384 key.",
                clause: "RFC 5480 2.1.1",
            },
            Self::P521 => Words {
                name: "p521",
                summary: "A sound certificate with a P-521 key.",
                clause: "RFC 5480 2.1.1",
            },
            Self::Ed25519 => Words {
                name: "ed25519",
                summary: "A sound certificate with an Ed25519 key.",
                clause: "RFC 8410 3",
            },
            Self::Ed448 => Words {
                name: "ed448",
                summary: "A sound certificate with an Ed448 key.",
                clause: "RFC 8410 3",
            },
            Self::MlDsa65 => Words {
                name: "ml-dsa-65",
                summary: "A sound certificate with an ML-DSA-65 key, which no quantum computer can forge.",
                clause: "RFC 9881 4",
            },
            Self::NoCommonName => Words {
                name: "no-common-name",
                summary: "The subject has no common name; the names are where they belong.",
                clause: "RFC 9525 2",
            },
            Self::NoSubject => Words {
                name: "no-subject",
                summary: "The subject is empty, and the alternative names are critical, as they then must be.",
                clause: "RFC 5280 4.1.2.6",
            },
            Self::IpSan => Words {
                name: "ip-san",
                summary: "The leaf certificate is for IP addresses only.",
                clause: "RFC 5280 4.2.1.6",
            },
            Self::Wildcard => Words {
                name: "wildcard",
                summary: "The leaf certificate is for every name one label below the host.",
                clause: "RFC 9525 6.3",
            },
            Self::Idn => Words {
                name: "idn",
                summary: "The leaf certificate is for an internationalised name, written as an A-label.",
                clause: "RFC 5280 7.2",
            },
            Self::MissingExtendedKeyUsage => Words {
                name: "missing-extended-key-usage",
                summary: "The leaf certificate does not say what it is for, so it is for everything.",
                clause: "RFC 5280 4.2.1.12",
            },
            Self::ThousandNames => Words {
                name: "thousand-names",
                summary: "The leaf certificate is for 1,000 names, the host's own the last of them.",
                clause: "RFC 5280 4.2.1.6",
            },
            Self::TenThousandNames => Words {
                name: "ten-thousand-names",
                summary: "The leaf certificate is for 10,000 names, the host's own the last of them.",
                clause: "RFC 5280 4.2.1.6",
            },
            Self::CrossSignedOneExpired => Words {
                name: "cross-signed-one-expired",
                summary: "Another path, that ends at an expired root, is sent along with the sound one.",
                clause: "RFC 5280 3.2",
            },
            Self::NameConstraintsKept => Words {
                name: "name-constraints-kept",
                summary: "The intermediate may issue for some names only, and these are the names.",
                clause: "RFC 5280 4.2.1.10",
            },
            Self::Chain10Deep => Words {
                name: "chain-10-deep",
                summary: "The chain is ten certificates long.",
                clause: "RFC 5280 6.1",
            },
            Self::Chain50Deep => Words {
                name: "chain-50-deep",
                summary: "The chain is fifty certificates long.",
                clause: "RFC 5280 6.1",
            },
            Self::ReversedChain => Words {
                name: "reversed-chain",
                summary: "The leaf comes first, but its two intermediates come in the wrong order.",
                clause: "RFC 8446 4.4.2",
            },
            Self::DuplicatedChain => Words {
                name: "duplicated-chain",
                summary: "Every certificate of the chain is sent twice.",
                clause: "RFC 8446 4.4.2",
            },
            Self::WithRoot => Words {
                name: "with-root",
                summary: "The root is sent along with the chain.",
                clause: "RFC 8446 4.4.2",
            },
            Self::WithUnrelated => Words {
                name: "with-unrelated",
                summary: "Certificates that have nothing to do with the leaf are sent along.",
                clause: "RFC 8446 4.4.2",
            },
            Self::MustStaple => Words {
                name: "must-staple",
                summary: "The leaf certificate demands that its server staples an OCSP response.",
                clause: "RFC 7633 4",
            },
            Self::PointsToCrl => Words {
                name: "points-to-crl",
                summary: "The leaf certificate points to a revocation list that it is not on.",
                clause: "RFC 5280 4.2.1.13",
            },
            Self::PointsToOcsp => Words {
                name: "points-to-ocsp",
                summary: "The leaf certificate points to an OCSP responder.",
                clause: "RFC 5280 4.2.2.1",
            },
            Self::Expired => Words {
                name: "expired",
                summary: "The leaf certificate expired yesterday.",
                clause: "RFC 5280 6.1.3 (a)(2)",
            },
            Self::ExpiresDuringRun => Words {
                name: "expires-during-run",
                summary: "The leaf certificate is sound now and expires while the tests run.",
                clause: "RFC 5280 4.1.2.5",
            },
            Self::NotYetValid => Words {
                name: "not-yet-valid",
                summary: "The leaf certificate becomes valid tomorrow.",
                clause: "RFC 5280 6.1.3 (a)(2)",
            },
            Self::WrongName => Words {
                name: "wrong-name",
                summary: "The leaf certificate is for another host name.",
                clause: "RFC 9525 6.3",
            },
            Self::CnOnly => Words {
                name: "cn-only",
                summary: "The leaf certificate has its name in the common name only.",
                clause: "RFC 9525 2",
            },
            Self::WildcardTooDeep => Words {
                name: "wildcard-too-deep",
                summary: "The leaf certificate has a wildcard, and the host is two labels below it.",
                clause: "RFC 9525 6.3",
            },
            Self::Underscore => Words {
                name: "underscore",
                summary: "The leaf certificate is for a name with an underscore.",
                clause: "RFC 5280 4.2.1.6",
            },
            Self::NulInName => Words {
                name: "nul-in-name",
                summary: "The leaf certificate's name is the host's up to a NUL, and then somebody else's.",
                clause: "RFC 5280 4.2.1.6",
            },
            Self::UriSan => Words {
                name: "uri-san",
                summary: "The leaf certificate is for a SPIFFE identity and for no host name.",
                clause: "RFC 9525 6.3",
            },
            Self::SelfSigned => Words {
                name: "self-signed",
                summary: "The leaf certificate is its own issuer.",
                clause: "RFC 5280 6.1 (b)",
            },
            Self::UntrustedRoot => Words {
                name: "untrusted-root",
                summary: "The chain is complete, but its root is not trusted.",
                clause: "RFC 5280 6.1 (b)",
            },
            Self::IssuedByClientCa => Words {
                name: "issued-by-client-ca",
                summary: "The chain is complete, but its root is trusted for clients only.",
                clause: "RFC 5280 6.1.1 (d)",
            },
            Self::ExpiredRoot => Words {
                name: "expired-root",
                summary: "The root that the chain leads to expired half a day ago.",
                clause: "RFC 5280 6.1.1 (d)",
            },
            Self::MissingIntermediate => Words {
                name: "missing-intermediate",
                summary: "The leaf certificate is sent without the intermediate that issued it.",
                clause: "RFC 5280 6.1 (a)",
            },
            Self::ExpiredIntermediate => Words {
                name: "expired-intermediate",
                summary: "The intermediate that issued the leaf expired half a day ago.",
                clause: "RFC 5280 6.1.3 (a)(2)",
            },
            Self::NameConstraintsViolated => Words {
                name: "name-constraints-violated",
                summary: "The intermediate must not issue for these names, and did.",
                clause: "RFC 5280 4.2.1.10",
            },
            Self::PathLengthExceeded => Words {
                name: "path-length-exceeded",
                summary: "There is an authority below one that allows none below it.",
                clause: "RFC 5280 4.2.1.9",
            },
            Self::IntermediateNoCa => Words {
                name: "intermediate-no-ca",
                summary: "The leaf was issued by a certificate that is no authority.",
                clause: "RFC 5280 6.1.4 (k)",
            },
            Self::WrongExtendedKeyUsage => Words {
                name: "wrong-extended-key-usage",
                summary: "The leaf certificate is for client authentication only.",
                clause: "RFC 5280 4.2.1.12",
            },
            Self::WrongKeyUsage => Words {
                name: "wrong-key-usage",
                summary: "The key of the leaf certificate may encipher data, but not sign.",
                clause: "RFC 5280 4.2.1.3",
            },
            Self::CaAsLeaf => Words {
                name: "ca-as-leaf",
                summary: "The leaf certificate is an authority's.",
                clause: "RFC 5280 4.2.1.9",
            },
            Self::UnknownCriticalExtension => Words {
                name: "unknown-critical-extension",
                summary: "The leaf certificate has a critical extension that nobody knows.",
                clause: "RFC 5280 4.2",
            },
            Self::X509V1 => Words {
                name: "x509-v1",
                summary: "The leaf certificate is of version 1, so it has no extensions and no alternative names.",
                clause: "RFC 5280 4.1.2.1",
            },
            Self::MalformedDer => Words {
                name: "malformed-der",
                summary: "The extended key usage of the leaf certificate is not DER.",
                clause: "RFC 5280 4.1",
            },
            Self::TamperedSignature => Words {
                name: "tampered-signature",
                summary: "The signature of the leaf certificate was changed by one bit.",
                clause: "RFC 5280 6.1.3 (a)(1)",
            },
            Self::MismatchedKey => Words {
                name: "mismatched-key",
                summary: "The server does not have the key of the leaf certificate.",
                clause: "RFC 8446 4.4.3",
            },
            Self::Rsa1024 => Words {
                name: "rsa-1024",
                summary: "The leaf certificate has an RSA-1024 key, which is too weak.",
                clause: "RFC 9325 4.5",
            },
            Self::Sha1SignedLeaf => Words {
                name: "sha1-signed-leaf",
                summary: "The leaf certificate is signed with SHA-1.",
                clause: "RFC 8446 4.4.2.4",
            },
            Self::Md5SignedLeaf => Words {
                name: "md5-signed-leaf",
                summary: "The leaf certificate is signed with MD5.",
                clause: "RFC 8446 4.4.2.4",
            },
            Self::Sha1SignedIntermediate => Words {
                name: "sha1-signed-intermediate",
                summary: "The intermediate that issued the leaf is signed with SHA-1.",
                clause: "RFC 8446 4.4.2.4",
            },
            Self::RevokedByCrl => Words {
                name: "revoked-by-crl",
                summary: "The leaf certificate is on the revocation list that it points to.",
                clause: "RFC 5280 6.1.3 (a)(3)",
            },
            Self::RevokedIntermediate => Words {
                name: "revoked-intermediate",
                summary: "The intermediate that issued the leaf is on the revocation list of its own issuer.",
                clause: "RFC 5280 6.1.3 (a)(3)",
            },
            Self::RevokedByOcsp => Words {
                name: "revoked-by-ocsp",
                summary: "The OCSP responder that the leaf certificate points to says it is revoked.",
                clause: "RFC 5280 6.1.3 (a)(3)",
            },
        }
    }
}

impl fmt::Display for ServerRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ServerRecipe {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        pick("server recipe", word, Self::ALL, Self::as_str)
    }
}
