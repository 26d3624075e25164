//! The target of a scan: `host:port`.

use std::{fmt, net::IpAddr, str::FromStr};

/// A server, as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanTarget {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A text that names no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" names no server; write host:port, 192.0.2.1:443 or [2001:db8::1]:443")]
pub struct BadTarget(String);

impl FromStr for ScanTarget {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Self, BadTarget> {
        let wrong = || BadTarget(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(Some(address)) if address.parse::<std::net::Ipv6Addr>().is_ok() => address,
            None if !host.is_empty() && !host.contains(|letter: char| !is_of_a_host(letter)) => host,
            _ => return Err(wrong()),
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

fn is_of_a_host(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_')
}

impl ScanTarget {
    /// The name, unless it is an address, which is no server name (RFC 6066 3).
    pub(crate) fn name(&self) -> Option<&str> {
        self.host.parse::<IpAddr>().is_err().then_some(self.host.as_str())
    }
}

impl fmt::Display for ScanTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("backend.gauntlet.test:443")]
    #[case("127.0.0.1:8443")]
    #[case("[::1]:8443")]
    #[case("under_score:1")]
    fn servers(#[case] text: &str) {
        assert_eq!(text.parse::<ScanTarget>().unwrap().to_string(), text);
    }

    #[rstest]
    #[case("backend.gauntlet.test")]
    #[case("::1:443")]
    #[case("[::1]")]
    #[case("host:0")]
    #[case("host:65536")]
    #[case(":443")]
    #[case("https://host:443")]
    #[case("host:443/path")]
    fn no_servers(#[case] text: &str) {
        assert!(text.parse::<ScanTarget>().unwrap_err().to_string().contains("host:port"));
    }
}
