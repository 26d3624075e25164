//! The words: which certificates there are, and what is wrong with each.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The one name in a [`ServerRecipe::WrongName`] certificate.
pub const WRONG_NAME: &str = "wrong.gauntlet.test";

/// A server certificate, by its flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServerRecipe {
    /// Nothing is wrong: P-256, below an intermediate, below the server root.
    Good,
    /// Nothing is wrong, and the key is RSA-2048.
    GoodRsa,
    /// The leaf ended yesterday.
    Expired,
    /// The leaf begins tomorrow.
    NotYetValid,
    /// The leaf is for [`WRONG_NAME`] only.
    WrongName,
    /// The leaf is its own issuer.
    SelfSigned,
    /// A sound chain below a root that nobody is given.
    UntrustedRoot,
    /// The leaf is sent without the intermediate that issued it.
    MissingIntermediate,
    /// The leaf is for client authentication only.
    WrongExtendedKeyUsage,
}

impl ServerRecipe {
    /// Every server recipe, the sound ones first.
    pub const ALL: &[Self] = &[
        Self::Good,
        Self::GoodRsa,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongName,
        Self::SelfSigned,
        Self::UntrustedRoot,
        Self::MissingIntermediate,
        Self::WrongExtendedKeyUsage,
    ];

    /// The name that users write.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::GoodRsa => "good-rsa",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::WrongName => "wrong-name",
            Self::SelfSigned => "self-signed",
            Self::UntrustedRoot => "untrusted-root",
            Self::MissingIntermediate => "missing-intermediate",
            Self::WrongExtendedKeyUsage => "wrong-extended-key-usage",
        }
    }

    /// The recipe in one sentence.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Good => "A sound P-256 certificate, sent with its intermediate.",
            Self::GoodRsa => "A sound RSA-2048 certificate, sent with its intermediate.",
            Self::Expired => "The leaf certificate expired yesterday.",
            Self::NotYetValid => "The leaf certificate becomes valid tomorrow.",
            Self::WrongName => "The leaf certificate is for another host name.",
            Self::SelfSigned => "The leaf certificate is its own issuer.",
            Self::UntrustedRoot => "The chain is complete, but its root is not trusted.",
            Self::MissingIntermediate => {
                "The leaf certificate is sent without the intermediate that issued it."
            }
            Self::WrongExtendedKeyUsage => "The leaf certificate is for client authentication only.",
        }
    }

    /// Where it is written that the certificate must be accepted, or refused.
    pub const fn clause(self) -> &'static str {
        match self {
            Self::Good | Self::GoodRsa => "RFC 5280 6.1",
            Self::Expired | Self::NotYetValid => "RFC 5280 6.1.3 (a)(2)",
            Self::WrongName => "RFC 9525 6.3",
            Self::SelfSigned | Self::UntrustedRoot => "RFC 5280 6.1 (b)",
            Self::MissingIntermediate => "RFC 5280 6.1 (a)",
            Self::WrongExtendedKeyUsage => "RFC 5280 4.2.1.12",
        }
    }
}

/// A client certificate, by its flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClientRecipe {
    /// Nothing is wrong: P-256, below an intermediate, below the client root.
    Good,
    /// A sound chain below a root that nobody is given.
    Untrusted,
    /// The leaf ended yesterday.
    Expired,
    /// The leaf is its own issuer.
    SelfSigned,
}

impl ClientRecipe {
    /// Every client recipe, the sound one first.
    pub const ALL: &[Self] = &[Self::Good, Self::Untrusted, Self::Expired, Self::SelfSigned];

    /// The name that users write.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Untrusted => "untrusted",
            Self::Expired => "expired",
            Self::SelfSigned => "self-signed",
        }
    }

    /// The recipe in one sentence.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Good => "A sound P-256 client certificate, sent with its intermediate.",
            Self::Untrusted => "The client's chain is complete, but its root is not trusted.",
            Self::Expired => "The client certificate expired yesterday.",
            Self::SelfSigned => "The client certificate is its own issuer.",
        }
    }

    /// Where it is written that the certificate must be accepted, or refused.
    pub const fn clause(self) -> &'static str {
        match self {
            Self::Good => "RFC 5280 6.1",
            Self::Expired => "RFC 5280 6.1.3 (a)(2)",
            Self::Untrusted | Self::SelfSigned => "RFC 5280 6.1 (b)",
        }
    }
}

impl fmt::Display for ServerRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for ClientRecipe {
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

impl FromStr for ClientRecipe {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        pick("client recipe", word, Self::ALL, Self::as_str)
    }
}

/// Finds a word in a list, or says what the list has.
pub(crate) fn pick<T: Copy>(
    kind: &'static str,
    word: &str,
    all: &[T],
    as_str: fn(T) -> &'static str,
) -> Result<T, Error> {
    all.iter().copied().find(|&one| as_str(one) == word).ok_or_else(|| {
        let known = all.iter().map(|&one| as_str(one)).collect::<Vec<_>>().join(", ");
        Error::Unknown { kind, word: word.to_owned(), known }
    })
}
