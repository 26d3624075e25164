//! A gateway that is already running elsewhere.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
};

use tokio::{net::TcpStream, time::timeout};

use super::error::GatewayError;

/// The listener that the address of an external gateway stands for.
pub(super) const LISTENER: &str = "default";

/// Where an external gateway listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct External {
    pub(super) host: String,
    pub(super) address: SocketAddr,
}

impl External {
    /// Understands `https://HOST[:PORT]` and looks the host up.
    pub(super) fn resolve(url: &str) -> Result<Self, GatewayError> {
        let failed = |problem: String| GatewayError::Address { url: url.to_owned(), problem };
        let Some(rest) = url.strip_prefix("https://") else {
            return Err(failed("only https can be tested".to_owned()));
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.is_empty() || authority.contains(['/', '?', '#', '@']) {
            return Err(failed("it has more than a host and a port".to_owned()));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:443") };
        let mut addresses = authority.to_socket_addrs().map_err(|error| failed(error.to_string()))?;
        let address = addresses.next().ok_or_else(|| failed("the host has no address".to_owned()))?;
        let host = authority.rsplit_once(':').map_or("", |(host, _)| host).to_owned();
        Ok(Self { host, address })
    }
}

/// How it ended, as far as anybody who did not start it can tell: nobody listens any more.
pub(super) async fn gone(address: SocketAddr, limit: Duration) -> Option<String> {
    let connected = timeout(limit, TcpStream::connect(address)).await;
    let error = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).err()?;
    Some(format!("it does not listen on {address} any more: {error}"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://127.0.0.1:8443", "127.0.0.1:8443")]
    #[case("https://127.0.0.1/", "127.0.0.1:443")]
    #[case("https://[::1]", "[::1]:443")]
    fn an_address_is_understood(#[case] url: &str, #[case] address: &str) {
        assert_eq!(External::resolve(url).unwrap().address, address.parse().unwrap());
    }

    #[rstest]
    #[case("http://127.0.0.1", "cannot use gateway http://127.0.0.1: only https can be tested; write it as")]
    #[case("https://127.0.0.1/api", "cannot use gateway https://127.0.0.1/api: it has more than a host")]
    #[case("https://127.0.0.1:http", "cannot use gateway https://127.0.0.1:http: ")]
    fn a_wrong_address_is_refused(#[case] url: &str, #[case] error: &str) {
        let told = External::resolve(url).unwrap_err().to_string();
        assert!(told.starts_with(error), "{told}");
    }
}
