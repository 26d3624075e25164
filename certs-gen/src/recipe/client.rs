//! The words for client certificates.

use std::fmt;
use std::str::FromStr;

use super::{Words, pick};
use crate::Error;

/// A client certificate, by its flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClientRecipe {
    /// Nothing is wrong: P-256, below an intermediate, below the client root.
    Good,
    /// Nothing is wrong, and the key is RSA-2048.
    Rsa,
    /// Nothing is wrong: as good as `Good`, and somebody else's.
    AnotherTenant,
    /// A sound chain below a root that nobody is given.
    Untrusted,
    /// A sound chain, below the server root: for whoever trusts that for clients too.
    IssuedByServerCa,
    /// The leaf ended yesterday.
    Expired,
    /// The leaf begins tomorrow.
    NotYetValid,
    /// The leaf is its own issuer.
    SelfSigned,
    /// The leaf is for server authentication only.
    WrongExtendedKeyUsage,
    /// [`Pki::client_crls`](crate::Pki::client_crls) list the leaf.
    Revoked,
    /// [`Pki::client_crls`](crate::Pki::client_crls) list the intermediate that issued the leaf.
    RevokedIntermediate,
    /// The key is RSA-1024.
    Weak,
}

impl ClientRecipe {
    /// Every client recipe, the sound ones first.
    pub const ALL: &[Self] = &[
        Self::Good,
        Self::Rsa,
        Self::AnotherTenant,
        Self::Untrusted,
        Self::IssuedByServerCa,
        Self::Expired,
        Self::NotYetValid,
        Self::SelfSigned,
        Self::WrongExtendedKeyUsage,
        Self::Revoked,
        Self::RevokedIntermediate,
        Self::Weak,
    ];

    /// The name that users write.
    pub const fn as_str(self) -> &'static str {
        self.words().name
    }

    /// What the subject of its certificate is called.
    pub fn common_name(self) -> String {
        format!("{self}.client.gauntlet.test")
    }

    /// The recipe in one sentence.
    pub const fn summary(self) -> &'static str {
        self.words().summary
    }

    /// Where it is written that the certificate must be accepted, or refused.
    pub const fn clause(self) -> &'static str {
        self.words().clause
    }

    const fn words(self) -> Words {
        match self {
            Self::Good => Words {
                name: "good",
                summary: "A sound P-256 client certificate, sent with its intermediate.",
                clause: "RFC 5280 6.1",
            },
            Self::Rsa => Words {
                name: "rsa",
                summary: "A sound RSA-2048 client certificate, sent with its intermediate.",
                clause: "RFC 3279 2.3.1",
            },
            Self::AnotherTenant => Words {
                name: "another-tenant",
                summary: "A sound client certificate from the same authority, for another tenant.",
                clause: "RFC 5280 6.1",
            },
            Self::Untrusted => Words {
                name: "untrusted",
                summary: "The client's chain is complete, but its root is not trusted.",
                clause: "RFC 5280 6.1 (b)",
            },
            Self::IssuedByServerCa => Words {
                name: "issued-by-server-ca",
                summary: "The client's chain is complete, but its root is trusted for servers only.",
                clause: "RFC 5280 6.1.1 (d)",
            },
            Self::Expired => Words {
                name: "expired",
                summary: "The client certificate expired yesterday.",
                clause: "RFC 5280 6.1.3 (a)(2)",
            },
            Self::NotYetValid => Words {
                name: "not-yet-valid",
                summary: "The client certificate becomes valid tomorrow.",
                clause: "RFC 5280 6.1.3 (a)(2)",
            },
            Self::SelfSigned => Words {
                name: "self-signed",
                summary: "The client certificate is its own issuer.",
                clause: "RFC 5280 6.1 (b)",
            },
            Self::WrongExtendedKeyUsage => Words {
                name: "wrong-extended-key-usage",
                summary: "The client certificate is for server authentication only.",
                clause: "RFC 5280 4.2.1.12",
            },
            Self::Revoked => Words {
                name: "revoked",
                summary: "The client certificate is on the revocation list of its issuer.",
                clause: "RFC 5280 6.1.3 (a)(3)",
            },
            Self::RevokedIntermediate => Words {
                name: "revoked-intermediate",
                summary: "The intermediate that issued the client certificate is on the revocation list of its own issuer.",
                clause: "RFC 5280 6.1.3 (a)(3)",
            },
            Self::Weak => Words {
                name: "weak",
                summary: "The client certificate has an RSA-1024 key, which is too weak.",
                clause: "RFC 9325 4.5",
            },
        }
    }
}

impl fmt::Display for ClientRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ClientRecipe {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        pick("client recipe", word, Self::ALL, Self::as_str)
    }
}
