//! Whether a gateway answers: one request over TLS, with nothing verified.

use std::{net::SocketAddr, pin::Pin, time::Duration};

use openssl::{
    error::ErrorStack,
    ssl::{Ssl, SslContext, SslMethod, SslVerifyMode},
};
use tls_gauntlet_certs::Identity;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_openssl::SslStream;

use super::plan::GATEWAY_NAME;
use crate::tls::context::identify;

/// How a listener answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    /// With a finished handshake, and then not in HTTP.
    Tls,
    /// In HTTP, with this status.
    Http(u16),
}

/// A client that takes whatever it is given.
#[derive(Debug)]
pub(super) struct Caller {
    context: SslContext,
    patience: Duration,
}

impl Caller {
    /// A client that shows this certificate where one is asked for, and waits for so long each time it asks.
    pub(super) fn new(identity: &Identity, patience: Duration) -> Result<Self, ErrorStack> {
        let mut context = SslContext::builder(SslMethod::tls_client())?;
        context.set_verify(SslVerifyMode::NONE);
        context.set_min_proto_version(None)?;
        // Listeners may go down to TLS 1.0, whose signatures need security level 0 (SSL_CTX_set_security_level(3)).
        context.set_cipher_list("ALL:@SECLEVEL=0")?;
        identify(&mut context, identity)?;
        Ok(Self { context: context.build(), patience })
    }

    /// Asks for a path once. A gateway that is about to take up its files may accept a connection and never look at it again.
    pub(super) async fn ask(&self, address: SocketAddr, path: &str) -> Result<Reaction, String> {
        let answered = timeout(self.patience, self.call(address, path)).await;
        answered.unwrap_or_else(|_| Err("it took the connection and did not answer".to_owned()))
    }

    async fn call(&self, address: SocketAddr, path: &str) -> Result<Reaction, String> {
        let socket = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        socket.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut ssl = Ssl::new(&self.context).map_err(|error| error.to_string())?;
        ssl.set_hostname(GATEWAY_NAME).map_err(|error| error.to_string())?;
        let mut stream = SslStream::new(ssl, socket).map_err(|error| error.to_string())?;
        Pin::new(&mut stream).connect().await.map_err(|error| format!("no TLS handshake: {error}"))?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {GATEWAY_NAME}\r\nConnection: close\r\n\r\n");
        let mut head = [0; 12]; // "HTTP/1.1 200"
        let answered = async {
            stream.write_all(request.as_bytes()).await?;
            stream.read_exact(&mut head).await
        };
        Ok(answered.await.ok().and_then(|_| status(&head)).map_or(Reaction::Tls, Reaction::Http))
    }
}

fn status(head: &[u8]) -> Option<u16> {
    std::str::from_utf8(head).ok()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tls_gauntlet_certs::{ClientCertificate, Pki};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_is_left_alone_is_given_up() {
        let pki = Pki::new(1, time::macros::datetime!(2026-11-21 12:00 UTC)).unwrap();
        let caller =
            Caller::new(&pki.client(ClientCertificate::Good).unwrap(), Duration::from_millis(1)).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let answer = caller.ask(listener.local_addr().unwrap(), "/").await;
        assert_eq!(answer.unwrap_err(), "it took the connection and did not answer");
    }

    #[test]
    fn a_status_is_read_from_a_status_line_alone() {
        assert_eq!(status(b"HTTP/1.1 404"), Some(404));
        assert_eq!(status(b"HTTP/1.0 200"), Some(200));
        assert_eq!(status(b"SSH-2.0-abcd"), None);
    }
}
