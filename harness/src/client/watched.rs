//! A connection for hyper that remembers how it broke.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_openssl::SslStream;

use super::failure::Break;
use crate::wire::tap::Tap;

/// A TCP connection, with TLS on it or without.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Without.
    Plain(Box<Tap>),
    /// With.
    Tls(SslStream<Tap>),
}

/// A [`Stream`] whose first failure is kept.
#[derive(Debug)]
pub(crate) struct Watched {
    stream: Stream,
    /// The peer reads no more. What is still written goes nowhere.
    unheard: bool,
    broken: Remembered,
}

/// The way in which a [`Watched`] broke, to be read after hyper has taken the stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remembered(Arc<Mutex<Option<Break>>>);

impl Remembered {
    /// How it broke, if it did.
    pub(crate) fn get(&self) -> Option<Break> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, how: Break) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(how);
    }
}

impl Watched {
    /// The stream, and the memory of its end.
    pub(crate) fn new(stream: Stream) -> (Self, Remembered) {
        let broken = Remembered::default();
        (Self { stream, unheard: false, broken: broken.clone() }, broken)
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        match ready!(read) {
            Ok(()) if buffer.filled().len() > before || buffer.remaining() == 0 => {}
            // The end that comes after a failed write is what is left of a reset.
            Ok(()) => self.broken.set(if self.unheard { Break::Reset } else { Break::Closed }),
            Err(error) => {
                self.broken.set(Break::of_io(&error));
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.unheard {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        match ready!(written) {
            Ok(length) => Poll::Ready(Ok(length)),
            // A server that hangs up before reading the request has often sent its reason before: in TLS 1.3 the alert that
            // refuses a client certificate arrives at the same time as the reset (RFC 8446 4.4.2.4). Reading comes
            // to that reason, and then to the end; an error here would make hyper give up before.
            Err(error) if matches!(Break::of_io(&error), Break::Reset | Break::Truncated) => {
                self.unheard = true;
                Poll::Ready(Ok(bytes.len()))
            }
            Err(error) => {
                self.broken.set(Break::of_io(&error));
                Poll::Ready(Err(error))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unheard {
            return Poll::Ready(Ok(()));
        }
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[tokio::test]
    async fn last_words_are_heard_after_a_reset() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        far.write_all(b"no").await.unwrap();
        // Closing resets.
        far.set_zero_linger().unwrap();
        drop(far);

        let (mut watched, broken) = Watched::new(Stream::Plain(Box::new(Tap::new(near))));
        watched.write_all(b"please").await.unwrap();
        watched.flush().await.unwrap();
        let mut heard = Vec::new();
        let _ = watched.read_to_end(&mut heard).await;
        assert_eq!((heard.as_slice(), broken.get()), (b"no".as_slice(), Some(Break::Reset)));
    }
}
