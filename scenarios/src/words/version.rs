//! Protocol versions and sets of them.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::closed_list;

closed_list! {
    /// A version of the protocol, spelled as OpenSSL spells it.
    TlsVersion as "TLS version" {
        /// RFC 6101.
        Ssl3 = "SSLv3",
        /// RFC 2246.
        Tls10 = "TLSv1",
        /// RFC 4346.
        Tls11 = "TLSv1.1",
        /// RFC 5246.
        Tls12 = "TLSv1.2",
        /// RFC 8446.
        Tls13 = "TLSv1.3",
    }
}

impl TlsVersion {
    /// The number on the wire (RFC 8446 4.2.1): SSL 3.0 has 0x0300, and each later version one more.
    #[must_use]
    pub const fn number(self) -> u16 {
        0x0300 + self as u16
    }

    /// The version with this number on the wire, if it has a name.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|version| version.number() == number)
    }
}

/// A set of protocol versions, never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "BTreeSet<TlsVersion>")]
pub struct Versions(BTreeSet<TlsVersion>);

impl Versions {
    /// The set of these versions; at least one must be given.
    #[must_use]
    pub fn of(versions: &[TlsVersion]) -> Self {
        assert!(!versions.is_empty(), "a set of versions is never empty");
        Self(versions.iter().copied().collect())
    }

    /// The versions of every current peer: 1.2 and 1.3.
    #[must_use]
    pub fn current() -> Self {
        Self::of(&[TlsVersion::Tls12, TlsVersion::Tls13])
    }

    /// The lowest version of the set.
    #[must_use]
    pub fn min(&self) -> TlsVersion {
        *self.0.first().expect("never empty")
    }

    /// The highest version of the set.
    #[must_use]
    pub fn max(&self) -> TlsVersion {
        *self.0.last().expect("never empty")
    }

    /// Whether the set holds this version.
    #[must_use]
    pub fn contains(&self, version: TlsVersion) -> bool {
        self.0.contains(&version)
    }

    /// The versions, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = TlsVersion> + '_ {
        self.0.iter().copied()
    }

    /// The versions that both sets hold, unless there are none.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let both: BTreeSet<_> = self.0.intersection(&other.0).copied().collect();
        (!both.is_empty()).then_some(Self(both))
    }

    /// The versions of the set for which this is true, unless there are none.
    #[must_use]
    pub fn only(&self, is_kept: impl Fn(TlsVersion) -> bool) -> Option<Self> {
        let kept: BTreeSet<_> = self.iter().filter(|version| is_kept(*version)).collect();
        (!kept.is_empty()).then_some(Self(kept))
    }

    /// The version two peers with these sets negotiate.
    #[must_use]
    pub fn negotiate(&self, other: &Self) -> Option<TlsVersion> {
        self.intersection(other).map(|both| both.max())
    }

    /// Whether the set reaches below TLS 1.2, which current libraries allow only at security level 0.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        self.min() < TlsVersion::Tls12
    }
}

impl TryFrom<BTreeSet<TlsVersion>> for Versions {
    type Error = &'static str;
    fn try_from(versions: BTreeSet<TlsVersion>) -> Result<Self, Self::Error> {
        if versions.is_empty() { Err("a set of TLS versions must not be empty") } else { Ok(Self(versions)) }
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(TlsVersion::as_str).collect();
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_their_numbers_on_the_wire() {
        let numbers: Vec<u16> = TlsVersion::ALL.iter().map(|version| version.number()).collect();
        assert_eq!(numbers, [0x0300, 0x0301, 0x0302, 0x0303, 0x0304]);
        for &version in TlsVersion::ALL {
            assert_eq!(TlsVersion::from_number(version.number()), Some(version));
        }
        assert_eq!(TlsVersion::from_number(0x0305), None);
    }
}
