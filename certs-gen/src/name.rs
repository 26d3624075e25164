//! A name a server certificate is valid for.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::Error;

/// One entry of the subject alternative name: a host name (a leftmost `*` label allowed) or an IP address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// A host name, as in `orders.test` or `*.orders.test`.
    Dns(String),
    /// An address, as in `127.0.0.1` or `::1`.
    Ip(IpAddr),
}

impl Name {
    /// Refuses what `FromStr` would have refused, because the variants can be filled in by hand.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Dns(name) if is_host_name(name) => Ok(()),
            Self::Dns(name) => Err(Error::Name(name.clone())),
            Self::Ip(_) => Ok(()),
        }
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let name = Self::Dns(text.to_ascii_lowercase());
        name.check()?;
        Ok(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.pad(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

fn is_host_name(name: &str) -> bool {
    // A last label of digits only is a mistyped address (`127.0.0.256`), not a name (RFC 3696 2).
    let is_address_like =
        name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253 && !is_address_like && name.strip_prefix("*.").unwrap_or(name).split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    // The underscore is no part of RFC 1123, but container networks use it in service names.
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !label.starts_with('-')
        && !label.ends_with('-')
}
