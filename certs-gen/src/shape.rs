//! The form of each certificate: a sound one with one thing changed.

use time::{Duration, OffsetDateTime};
use tls_gauntlet_scenarios::{ClientCertificate as Client, ServerCertificate as Server};

use crate::covered::Names;

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

impl Shape {
    /// The form of a server certificate.
    pub(crate) const fn of_server(word: Server) -> Self {
        const SOUND: Shape = SOUND_SERVER;
        match word {
            Server::Good => SOUND,
            Server::GoodRsa => Self { key: KeyKind::Rsa2048, ..SOUND },
            Server::Rsa1024 => Self { key: KeyKind::Rsa1024, ..SOUND },
            Server::Rsa3072 => Self { key: KeyKind::Rsa3072, ..SOUND },
            Server::Rsa4096 => Self { key: KeyKind::Rsa4096, ..SOUND },
            Server::Rsa8192 => Self { key: KeyKind::Rsa8192, ..SOUND },
            Server::RsaPss => Self { key: KeyKind::RsaPss, ..SOUND },
            Server::P384 => Self { key: KeyKind::P384, ..SOUND },
            Server::P521 => Self { key: KeyKind::P521, ..SOUND },
            Server::Ed25519 => Self { key: KeyKind::Ed25519, ..SOUND },
            Server::Ed448 => Self { key: KeyKind::Ed448, ..SOUND },
            Server::MlDsa65 => Self { key: KeyKind::MlDsa65, ..SOUND },
            Server::MismatchedKey => Self { holder: Holder::Another, ..SOUND },

            Server::Expired => Self { lifetime: Lifetime::EndedYesterday, ..SOUND },
            Server::ExpiresDuringRun => Self { lifetime: Lifetime::EndsDuringRun, ..SOUND },
            Server::NotYetValid => Self { lifetime: Lifetime::BeginsTomorrow, ..SOUND },

            Server::NoCommonName => Self { subject: Subject::Organisation, ..SOUND },
            Server::NoSubject => Self { subject: Subject::Empty, ..SOUND },
            Server::WrongName => Self { names: Names::Wrong, ..SOUND },
            Server::CnOnly => Self { names: Names::CommonNameOnly, ..SOUND },
            Server::CnRightSanWrong => Self { names: Names::WrongButCommonName, ..SOUND },
            Server::IpSanWithDns => Self { names: Names::HostsAndAddresses, ..SOUND },
            Server::IpSan => Self { names: Names::Addresses, subject: Subject::Organisation, ..SOUND },
            Server::Wildcard | Server::WildcardTooDeep => Self { names: Names::Below("*"), ..SOUND },
            Server::Idn => Self { names: Names::Below("xn--bcher-kva"), ..SOUND },
            Server::Underscore => Self { names: Names::Below("under_score"), ..SOUND },
            Server::NulInName => Self { names: Names::Nul, ..SOUND },
            Server::UriSan => Self { names: Names::Uri, ..SOUND },
            Server::ThousandNames => Self { names: Names::Many(1_000), ..SOUND },
            Server::TenThousandNames => Self { names: Names::Many(10_000), ..SOUND },

            Server::MissingExtendedKeyUsage => Self { usage: Usage::Any, ..SOUND },
            Server::WrongExtendedKeyUsage => Self { usage: Usage::Client, ..SOUND },
            Server::CaAsLeaf => Self { usage: Usage::ServerAndAuthority, ..SOUND },
            // Up to TLS 1.2, OpenSSL serves an ECDSA certificate only if it can read there that the key may sign.
            Server::WrongKeyUsage => {
                Self { key: KeyKind::Rsa2048, usage: Usage::ServerThatCannotSign, ..SOUND }
            }
            Server::MalformedDer => Self { key: KeyKind::Rsa2048, usage: Usage::Illegible, ..SOUND },

            Server::UnknownCriticalExtension => Self { extension: Extension::UnknownCritical, ..SOUND },
            Server::MustStaple => Self { extension: Extension::MustStaple, ..SOUND },
            Server::RevokedByCrl | Server::PointsToCrl => Self { extension: Extension::CrlUrl, ..SOUND },
            Server::RevokedIntermediate => Self { issuer: IssuedBy::Revoked, ..SOUND },
            Server::RevokedByOcsp | Server::PointsToOcsp => Self { extension: Extension::OcspUrl, ..SOUND },

            Server::X509V1 => Self { form: Form::Version1, ..SOUND },
            Server::TamperedSignature => Self { form: Form::Tampered, ..SOUND },
            Server::Sha1SignedLeaf => Self { form: Form::Sha1, issuer: IssuedBy::Rsa, ..SOUND },
            Server::Md5SignedLeaf => Self { form: Form::Md5, issuer: IssuedBy::Rsa, ..SOUND },

            Server::SelfSigned => Self { issuer: IssuedBy::Itself, ..SOUND },
            Server::UntrustedRoot => Self { issuer: IssuedBy::Untrusted, ..SOUND },
            Server::IssuedByClientCa => Self { issuer: IssuedBy::Client, ..SOUND },
            Server::ExpiredRoot => Self { issuer: IssuedBy::ExpiredRoot, ..SOUND },
            Server::ExpiredIntermediate => Self { issuer: IssuedBy::ExpiredIntermediate, ..SOUND },
            Server::Sha1SignedIntermediate => Self { issuer: IssuedBy::Sha1Intermediate, ..SOUND },
            Server::NameConstraintsKept => Self { issuer: IssuedBy::Permitted, ..SOUND },
            Server::NameConstraintsViolated => Self { issuer: IssuedBy::Excluded, ..SOUND },
            Server::PathLengthExceeded => Self { issuer: IssuedBy::OneTooMany, ..SOUND },
            Server::IntermediateNoCa => Self { issuer: IssuedBy::NoAuthority, ..SOUND },
            Server::TwoIntermediates => Self { issuer: IssuedBy::Authorities(2), ..SOUND },
            Server::Chain10Deep => Self { issuer: IssuedBy::Authorities(9), ..SOUND },
            Server::Chain50Deep => Self { issuer: IssuedBy::Authorities(49), ..SOUND },

            Server::MissingIntermediate => Self { sent: Sent::LeafOnly, ..SOUND },
            Server::ReversedChain => {
                Self { issuer: IssuedBy::Authorities(2), sent: Sent::FromTheTopDown, ..SOUND }
            }
            Server::DuplicatedChain => Self { sent: Sent::Twice, ..SOUND },
            Server::WithRoot => Self { sent: Sent::WithRoot, ..SOUND },
            Server::WithUnrelated => Self { sent: Sent::WithUnrelated, ..SOUND },
            Server::CrossSignedOneExpired => Self { sent: Sent::CrossSigned, ..SOUND },
        }
    }

    /// The form of a client certificate.
    pub(crate) const fn of_client(word: Client) -> Self {
        match word {
            Client::Good | Client::AnotherTenant | Client::Revoked => SOUND_CLIENT,
            Client::MismatchedKey => Self { holder: Holder::Another, ..SOUND_CLIENT },
            Client::Rsa => Self { key: KeyKind::Rsa2048, ..SOUND_CLIENT },
            Client::Weak => Self { key: KeyKind::Rsa1024, ..SOUND_CLIENT },
            Client::Untrusted => Self { issuer: IssuedBy::Untrusted, ..SOUND_CLIENT },
            Client::IssuedByServerCa => Self { issuer: IssuedBy::Server, ..SOUND_CLIENT },
            Client::RevokedIntermediate => Self { issuer: IssuedBy::RevokedForClients, ..SOUND_CLIENT },
            Client::Expired => Self { lifetime: Lifetime::EndedYesterday, ..SOUND_CLIENT },
            Client::NotYetValid => Self { lifetime: Lifetime::BeginsTomorrow, ..SOUND_CLIENT },
            Client::SelfSigned => Self { issuer: IssuedBy::Itself, ..SOUND_CLIENT },
            Client::WrongExtendedKeyUsage => Self { usage: Usage::Server, ..SOUND_CLIENT },
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

/// The holder of the key that goes with the certificate.
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

/// The purposes that the certificate names.
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

/// The change to a certificate after it was encoded.
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
    /// A revoked intermediate of client certificates.
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
