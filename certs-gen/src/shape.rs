//! What a recipe makes: a sound certificate with one thing changed.

use time::{Duration, OffsetDateTime};

use crate::{ClientRecipe, ServerRecipe, covered::Names};

/// A certificate before it is made. A flaw is one field that differs from [`SOUND_SERVER`] or [`SOUND_CLIENT`]; a
/// second one that differs is sound, and there so that the flaw can be. (`Lifetime::EndsDuringRun` and the
/// revocation extensions take their value from the [`Circumstances`](crate::Circumstances).)
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) key: KeyKind,
    pub(crate) holder: Holder,
    pub(crate) lifetime: Lifetime,
    pub(crate) subject: Subject,
    pub(crate) names: Names,
    pub(crate) usage: Usage,
    pub(crate) extension: Extension,
    pub(crate) form: Form,
    pub(crate) issuer: IssuedBy,
    pub(crate) sent: Sent,
}

const SOUND_SERVER: Shape = Shape {
    key: KeyKind::P256,
    holder: Holder::Owner,
    lifetime: Lifetime::Current,
    subject: Subject::CommonName,
    names: Names::AsAsked,
    usage: Usage::Server,
    extension: Extension::None,
    form: Form::Regular,
    issuer: IssuedBy::Server,
    sent: Sent::WithAuthorities,
};

const SOUND_CLIENT: Shape = Shape { usage: Usage::Client, issuer: IssuedBy::Client, ..SOUND_SERVER };

impl ServerRecipe {
    pub(crate) const fn shape(self) -> Shape {
        const SOUND: Shape = SOUND_SERVER;
        match self {
            Self::Good => SOUND,

            Self::GoodRsa => Shape { key: KeyKind::Rsa2048, ..SOUND },
            Self::Rsa1024 => Shape { key: KeyKind::Rsa1024, ..SOUND },
            Self::Rsa3072 => Shape { key: KeyKind::Rsa3072, ..SOUND },
            Self::Rsa4096 => Shape { key: KeyKind::Rsa4096, ..SOUND },
            Self::Rsa8192 => Shape { key: KeyKind::Rsa8192, ..SOUND },
            Self::RsaPss => Shape { key: KeyKind::RsaPss, ..SOUND },
            Self::P384 => Shape { key: KeyKind::P384, ..SOUND },
            Self::P521 => Shape { key: KeyKind::P521, ..SOUND },
            Self::Ed25519 => Shape { key: KeyKind::Ed25519, ..SOUND },
            Self::Ed448 => Shape { key: KeyKind::Ed448, ..SOUND },
            Self::MlDsa65 => Shape { key: KeyKind::MlDsa65, ..SOUND },
            Self::MismatchedKey => Shape { holder: Holder::Another, ..SOUND },

            Self::Expired => Shape { lifetime: Lifetime::EndedYesterday, ..SOUND },
            Self::ExpiresDuringRun => Shape { lifetime: Lifetime::EndsDuringRun, ..SOUND },
            Self::NotYetValid => Shape { lifetime: Lifetime::BeginsTomorrow, ..SOUND },

            Self::NoCommonName => Shape { subject: Subject::Organisation, ..SOUND },
            Self::NoSubject => Shape { subject: Subject::Empty, ..SOUND },
            Self::WrongName => Shape { names: Names::Wrong, ..SOUND },
            Self::CnOnly => Shape { names: Names::CommonNameOnly, ..SOUND },
            Self::IpSan => Shape { names: Names::Addresses, ..SOUND },
            Self::Wildcard | Self::WildcardTooDeep => Shape { names: Names::Wildcard, ..SOUND },
            Self::Idn => Shape { names: Names::Idn, ..SOUND },
            Self::Underscore => Shape { names: Names::Underscore, ..SOUND },
            Self::NulInName => Shape { names: Names::Nul, ..SOUND },
            Self::UriSan => Shape { names: Names::Uri, ..SOUND },
            Self::ThousandNames => Shape { names: Names::Many(1_000), ..SOUND },
            Self::TenThousandNames => Shape { names: Names::Many(10_000), ..SOUND },

            Self::MissingExtendedKeyUsage => Shape { usage: Usage::Any, ..SOUND },
            Self::WrongExtendedKeyUsage => Shape { usage: Usage::Client, ..SOUND },
            Self::CaAsLeaf => Shape { usage: Usage::ServerAndAuthority, ..SOUND },
            // Up to TLS 1.2, OpenSSL serves an ECDSA certificate only if it can read there that the key may sign.
            Self::WrongKeyUsage => {
                Shape { key: KeyKind::Rsa2048, usage: Usage::ServerThatCannotSign, ..SOUND }
            }
            Self::MalformedDer => Shape { key: KeyKind::Rsa2048, usage: Usage::Illegible, ..SOUND },

            Self::UnknownCriticalExtension => Shape { extension: Extension::UnknownCritical, ..SOUND },
            Self::MustStaple => Shape { extension: Extension::MustStaple, ..SOUND },
            Self::RevokedByCrl | Self::PointsToCrl => Shape { extension: Extension::CrlUrl, ..SOUND },
            Self::RevokedIntermediate => Shape { issuer: IssuedBy::Revoked, ..SOUND },
            Self::RevokedByOcsp | Self::PointsToOcsp => Shape { extension: Extension::OcspUrl, ..SOUND },

            Self::X509V1 => Shape { form: Form::Version1, ..SOUND },
            Self::TamperedSignature => Shape { form: Form::Tampered, ..SOUND },
            Self::Sha1SignedLeaf => Shape { form: Form::Sha1, issuer: IssuedBy::Rsa, ..SOUND },
            Self::Md5SignedLeaf => Shape { form: Form::Md5, issuer: IssuedBy::Rsa, ..SOUND },

            Self::SelfSigned => Shape { issuer: IssuedBy::Itself, ..SOUND },
            Self::UntrustedRoot => Shape { issuer: IssuedBy::Untrusted, ..SOUND },
            Self::IssuedByClientCa => Shape { issuer: IssuedBy::Client, ..SOUND },
            Self::ExpiredRoot => Shape { issuer: IssuedBy::ExpiredRoot, ..SOUND },
            Self::ExpiredIntermediate => Shape { issuer: IssuedBy::ExpiredIntermediate, ..SOUND },
            Self::Sha1SignedIntermediate => Shape { issuer: IssuedBy::Sha1Intermediate, ..SOUND },
            Self::NameConstraintsKept => Shape { issuer: IssuedBy::Permitted, ..SOUND },
            Self::NameConstraintsViolated => Shape { issuer: IssuedBy::Excluded, ..SOUND },
            Self::PathLengthExceeded => Shape { issuer: IssuedBy::OneTooMany, ..SOUND },
            Self::IntermediateNoCa => Shape { issuer: IssuedBy::NoAuthority, ..SOUND },
            Self::Chain10Deep => Shape { issuer: IssuedBy::Authorities(9), ..SOUND },
            Self::Chain50Deep => Shape { issuer: IssuedBy::Authorities(49), ..SOUND },

            Self::MissingIntermediate => Shape { sent: Sent::LeafOnly, ..SOUND },
            Self::ReversedChain => {
                Shape { issuer: IssuedBy::Authorities(2), sent: Sent::FromTheTopDown, ..SOUND }
            }
            Self::DuplicatedChain => Shape { sent: Sent::Twice, ..SOUND },
            Self::WithRoot => Shape { sent: Sent::WithRoot, ..SOUND },
            Self::WithUnrelated => Shape { sent: Sent::WithUnrelated, ..SOUND },
            Self::CrossSignedOneExpired => Shape { sent: Sent::CrossSigned, ..SOUND },
        }
    }
}

impl ClientRecipe {
    pub(crate) const fn shape(self) -> Shape {
        match self {
            Self::Good | Self::AnotherTenant | Self::Revoked => SOUND_CLIENT,
            Self::Rsa => Shape { key: KeyKind::Rsa2048, ..SOUND_CLIENT },
            Self::Weak => Shape { key: KeyKind::Rsa1024, ..SOUND_CLIENT },
            Self::Untrusted => Shape { issuer: IssuedBy::Untrusted, ..SOUND_CLIENT },
            Self::IssuedByServerCa => Shape { issuer: IssuedBy::Server, ..SOUND_CLIENT },
            Self::RevokedIntermediate => Shape { issuer: IssuedBy::RevokedForClients, ..SOUND_CLIENT },
            Self::Expired => Shape { lifetime: Lifetime::EndedYesterday, ..SOUND_CLIENT },
            Self::NotYetValid => Shape { lifetime: Lifetime::BeginsTomorrow, ..SOUND_CLIENT },
            Self::SelfSigned => Shape { issuer: IssuedBy::Itself, ..SOUND_CLIENT },
            Self::WrongExtendedKeyUsage => Shape { usage: Usage::Server, ..SOUND_CLIENT },
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum KeyKind {
    P256,
    P384,
    P521,
    Rsa1024,
    Rsa2048,
    Rsa3072,
    Rsa4096,
    Rsa8192,
    RsaPss,
    Ed25519,
    Ed448,
    MlDsa65,
}

/// Who has the key that goes with the certificate.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Holder {
    Owner,
    Another,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject {
    CommonName,
    Organisation,
    Empty,
}

/// What the certificate says it may be used for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Usage {
    Server,
    Client,
    Any,
    ServerThatCannotSign,
    ServerAndAuthority,
    Illegible,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Extension {
    None,
    UnknownCritical,
    MustStaple,
    CrlUrl,
    OcspUrl,
}

/// What is done to a certificate after it was encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Regular,
    Version1,
    Tampered,
    Sha1,
    Md5,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum IssuedBy {
    Server,
    Client,
    Untrusted,
    Itself,
    ExpiredRoot,
    /// An intermediate with an RSA key, which alone can sign with old digests.
    Rsa,
    Sha1Intermediate,
    ExpiredIntermediate,
    /// An intermediate that is on the list of the branch, which issued it.
    Revoked,
    /// The same for clients.
    RevokedForClients,
    /// An intermediate that may issue for the leaf's names only.
    Permitted,
    /// An intermediate that must not issue for the leaf's names.
    Excluded,
    /// An authority below the intermediate, which allows none.
    OneTooMany,
    NoAuthority,
    /// So many authorities below the root, one below the other.
    Authorities(usize),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Sent {
    WithAuthorities,
    LeafOnly,
    FromTheTopDown,
    Twice,
    WithRoot,
    WithUnrelated,
    CrossSigned,
}

/// When a certificate is valid, as seen from the clock of the [`Pki`](crate::Pki).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lifetime {
    Current,
    EndedYesterday,
    BeginsTomorrow,
    /// As long as the [`Circumstances`](crate::Circumstances) say.
    EndsDuringRun,
    /// Wide enough around every leaf that an authority is never the one at fault.
    Authority,
    /// An authority's that is over, but was not yet when it issued a [`Lifetime::Current`] leaf.
    AuthorityEnded,
}

impl Lifetime {
    /// The first and the last moment. `run` matters to [`Lifetime::EndsDuringRun`] only.
    pub(crate) fn around(self, now: OffsetDateTime, run: Duration) -> (OffsetDateTime, OffsetDateTime) {
        let days = Duration::days;
        match self {
            // The day in hand forgives a clock that is behind, as in a container that was asleep.
            Self::Current => (now - days(1), now + days(365)),
            Self::EndsDuringRun => (now - days(1), now + run),
            Self::EndedYesterday => (now - days(91), now - days(1)),
            Self::BeginsTomorrow => (now + days(1), now + days(91)),
            Self::Authority => (now - days(366), now + days(3653)),
            Self::AuthorityEnded => (now - days(366), now - Duration::hours(12)),
        }
    }
}
