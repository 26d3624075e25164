//! What a recipe makes: a sound certificate with one thing changed.

use time::{Duration, OffsetDateTime};

use crate::{ClientRecipe, ServerRecipe};

/// A certificate before it is made. A flaw is one field that differs from [`SOUND_SERVER`] or [`SOUND_CLIENT`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) key: KeyKind,
    pub(crate) lifetime: Lifetime,
    pub(crate) names: Names,
    pub(crate) usage: Usage,
    pub(crate) issuer: IssuedBy,
    pub(crate) sent: Sent,
}

const SOUND_SERVER: Shape = Shape {
    key: KeyKind::P256,
    lifetime: Lifetime::Current,
    names: Names::AsAsked,
    usage: Usage::Server,
    issuer: IssuedBy::Server,
    sent: Sent::WithIntermediate,
};

const SOUND_CLIENT: Shape = Shape { usage: Usage::Client, issuer: IssuedBy::Client, ..SOUND_SERVER };

impl ServerRecipe {
    pub(crate) const fn shape(self) -> Shape {
        match self {
            Self::Good => SOUND_SERVER,
            Self::GoodRsa => Shape { key: KeyKind::Rsa2048, ..SOUND_SERVER },
            Self::Expired => Shape { lifetime: Lifetime::EndedYesterday, ..SOUND_SERVER },
            Self::NotYetValid => Shape { lifetime: Lifetime::BeginsTomorrow, ..SOUND_SERVER },
            Self::WrongName => Shape { names: Names::Wrong, ..SOUND_SERVER },
            Self::SelfSigned => Shape { issuer: IssuedBy::Itself, ..SOUND_SERVER },
            Self::UntrustedRoot => Shape { issuer: IssuedBy::Untrusted, ..SOUND_SERVER },
            Self::MissingIntermediate => Shape { sent: Sent::LeafOnly, ..SOUND_SERVER },
            Self::WrongExtendedKeyUsage => Shape { usage: Usage::Client, ..SOUND_SERVER },
        }
    }
}

impl ClientRecipe {
    pub(crate) const fn shape(self) -> Shape {
        match self {
            Self::Good => SOUND_CLIENT,
            Self::Untrusted => Shape { issuer: IssuedBy::Untrusted, ..SOUND_CLIENT },
            Self::Expired => Shape { lifetime: Lifetime::EndedYesterday, ..SOUND_CLIENT },
            Self::SelfSigned => Shape { issuer: IssuedBy::Itself, ..SOUND_CLIENT },
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum KeyKind {
    P256,
    Rsa2048,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Names {
    AsAsked,
    Wrong,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Usage {
    Server,
    Client,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum IssuedBy {
    Server,
    Client,
    Untrusted,
    Itself,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Sent {
    WithIntermediate,
    LeafOnly,
}

/// When a certificate is valid, as seen from the clock of the [`Pki`](crate::Pki).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lifetime {
    Current,
    EndedYesterday,
    BeginsTomorrow,
    /// Wide enough around every leaf that an authority is never the one at fault.
    Authority,
}

impl Lifetime {
    /// The first and the last moment.
    pub(crate) fn around(self, now: OffsetDateTime) -> (OffsetDateTime, OffsetDateTime) {
        let days = Duration::days;
        match self {
            // The day in hand forgives a clock that is behind, as in a container that was asleep.
            Self::Current => (now - days(1), now + days(365)),
            Self::EndedYesterday => (now - days(91), now - days(1)),
            Self::BeginsTomorrow => (now + days(1), now + days(91)),
            Self::Authority => (now - days(366), now + days(3653)),
        }
    }
}
