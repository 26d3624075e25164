//! Ports that are kept for a gateway while it starts.

use std::{io, net::Ipv4Addr, net::SocketAddr};

use tokio::net::TcpSocket;

/// A port on the loopback address that nobody else gets.
///
/// The socket is bound but does not listen. Linux gives its port to nobody who asks for any free one, and lets only
/// those bind it by number that set `SO_REUSEADDR` as we do, which every gateway does (socket(7); `inet_csk_get_port`
/// refuses only if one of the two listens or lacks the option).
#[derive(Debug)]
#[must_use = "the port is free for everybody as soon as this is dropped"]
pub(super) struct Reservation {
    address: SocketAddr,
    _socket: TcpSocket,
}

impl Reservation {
    /// Keeps an ephemeral port.
    pub(super) fn new() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { address: socket.local_addr()?, _socket: socket })
    }

    /// The address of the port.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reserved_port_can_be_listened_on_by_whoever_knows_it() {
        let reserved = Reservation::new().unwrap();
        // As gateways do, the standard library sets SO_REUSEADDR before it binds.
        let listener = std::net::TcpListener::bind(reserved.address()).unwrap();
        assert_eq!(listener.local_addr().unwrap(), reserved.address());
        assert_eq!(
            std::net::TcpListener::bind(reserved.address()).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
    }

    #[tokio::test]
    async fn nobody_listens_on_a_reserved_port() {
        let reserved = Reservation::new().unwrap();
        let refused = tokio::net::TcpStream::connect(reserved.address()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
