//! A TLS stream that hyper reads and writes while the request's handler renegotiates on it.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use openssl::ssl::{self, Ssl, SslContextRef, SslRef, SslVersion};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_openssl::SslStream;

use tls_gauntlet_scenarios::Alert;

use super::reason::Reasons;
use crate::{ffi, wire::tap::Tap};

/// A handle to a TLS connection, which may have several.
///
/// A socket wakes only the task that polled it last. That suffices here: what the handler does to the stream it does
/// on HTTP/1.1, where hyper polls handler and connection in one task.
#[derive(Debug, Clone)]
pub(crate) struct SharedTls(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    stream: Pin<Box<SslStream<Tap>>>,
    /// Application data that came in the middle of a renegotiation, for hyper to read.
    early: BytesMut,
    /// How much of that came before the first handshake was over.
    early_data: usize,
    failure: Option<Failure>,
    omits_close_notify: bool,
    writes_tiny_records: bool,
    /// Some bytes have been taken over that the socket has not.
    is_writing: bool,
    is_shut: bool,
}

/// The error with which OpenSSL gave up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failure {
    pub(crate) reasons: Reasons,
    /// In words.
    pub(crate) text: String,
    /// It only stopped because the client-hello callback told it to.
    pub(crate) is_pause: bool,
}

impl Failure {
    fn of(error: &ssl::Error) -> Self {
        let reasons = error.ssl_error().map(Reasons::of);
        let text = match (error.io_error(), &reasons) {
            (Some(error), _) => error.to_string(),
            (None, Some(reasons)) => reasons.text(),
            (None, None) => "unexpected end of the connection".to_owned(),
        };
        Self {
            reasons: reasons.unwrap_or_default(),
            text,
            is_pause: error.code() == ssl::ErrorCode::WANT_CLIENT_HELLO_CB,
        }
    }
}

impl SharedTls {
    pub(crate) fn new(ssl: Ssl, tap: Tap) -> Result<Self, openssl::error::ErrorStack> {
        Ok(Self::of(SslStream::new(ssl, tap)?))
    }

    /// A stream that has come some way already.
    pub(crate) fn of(stream: SslStream<Tap>) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            stream: Box::pin(stream),
            early: BytesMut::new(),
            early_data: 0,
            failure: None,
            omits_close_notify: false,
            writes_tiny_records: false,
            is_writing: false,
            is_shut: false,
        })))
    }

    /// The first handshake. Why it failed, [`Self::failure`] knows.
    pub(crate) async fn accept(&self) -> Result<(), Failure> {
        poll_fn(|context| self.lock().note(|stream| stream.poll_accept(context))).await?;
        self.with_tap(Tap::acknowledge_at_once);
        Ok(())
    }

    /// The first handshake, with the data that comes before it is over; that data is kept for hyper.
    pub(crate) async fn accept_early(&self) -> Result<(), Failure> {
        let mut chunk = [0; 4096];
        loop {
            let read = poll_fn(|context| self.lock().read_early(context, &mut chunk)).await?;
            if read == 0 {
                return self.accept().await;
            }
        }
    }

    /// Whether the two sides have agreed on TLS 1.3.
    pub(crate) fn is_tls13(&self) -> bool {
        self.with_ssl(SslRef::version2) == Some(SslVersion::TLS1_3)
    }

    /// How many bytes came before the handshake was over.
    pub(crate) fn early_data(&self) -> usize {
        self.lock().early_data
    }

    /// Drives a handshake that has been set up on the live connection: sends what there is to send.
    pub(crate) async fn send_handshake(&self) -> Result<(), Failure> {
        poll_fn(|context| self.lock().note(|stream| stream.poll_do_handshake(context))).await
    }

    /// Reads until this is true of the connection; application data that comes meanwhile is kept for hyper.
    pub(crate) async fn read_until(&self, reached: impl Fn(&SslRef) -> bool) -> io::Result<()> {
        // A peer that sends this much instead of a handshake message will not send one.
        const MOST: usize = 1 << 20;
        poll_fn(|context| {
            let mut inner = self.lock();
            let mut chunk = [0; 4096];
            loop {
                let mut buffer = ReadBuf::new(&mut chunk);
                let polled = inner.read(context, &mut buffer)?;
                inner.early.extend_from_slice(buffer.filled());
                if reached(inner.stream.ssl()) {
                    return Poll::Ready(Ok(()));
                }
                if polled.is_pending() {
                    return Poll::Pending;
                }
                if buffer.filled().is_empty() || inner.early.len() > MOST {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
            }
        })
        .await
    }

    /// Sends `close_notify` where that is possible and wanted, then FIN. Once; later calls do nothing.
    pub(crate) async fn shut(&self) {
        // Fails where the peer is gone, which is no loss.
        let _ = poll_fn(|context| self.lock().shut(context)).await;
    }

    /// Reads and forgets what the peer still sends, past TLS, until it ends its half.
    pub(crate) async fn drain(&self) {
        let mut chunk = [0; 4096];
        poll_fn(|context| {
            let mut inner = self.lock();
            loop {
                let mut buffer = ReadBuf::new(&mut chunk);
                match ready!(inner.stream.as_mut().get_pin_mut().poll_read(context, &mut buffer)) {
                    Ok(()) if !buffer.filled().is_empty() => {}
                    Ok(()) | Err(_) => return Poll::Ready(()),
                }
            }
        })
        .await;
    }

    /// Sends these bytes as they are, past TLS and past any gate, as far as the peer is there to take them.
    pub(crate) async fn send_past_tls(&self, bytes: &[u8]) {
        self.change_tap(|tap| {
            tap.take_gate();
        });
        let mut rest = bytes;
        while !rest.is_empty() {
            let sent = poll_fn(|context| self.lock().stream.as_mut().get_pin_mut().poll_write(context, rest));
            match sent.await {
                Ok(sent @ 1..) => rest = &rest[sent..],
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// Sends this fatal alert, protected as the connection is, then FIN.
    pub(crate) async fn shut_with(&self, alert: Alert) {
        self.change_ssl(|tls| ffi::prepare_alert(tls, alert.code()));
        self.shut().await;
    }

    pub(crate) fn change_tap<T>(&self, change: impl FnOnce(&mut Tap) -> T) -> T {
        change(self.lock().stream.as_mut().get_pin_mut().get_mut())
    }

    /// Puts each byte of data into a record of its own.
    pub(crate) fn write_tiny_records(&self) {
        self.lock().writes_tiny_records = true;
    }

    /// Whether a write waits until the socket takes more.
    pub(crate) fn is_writing(&self) -> bool {
        self.lock().is_writing
    }

    pub(crate) fn omit_close_notify(&self) {
        self.lock().omits_close_notify = true;
    }

    /// Why OpenSSL gave up, if it did.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.lock().failure.clone()
    }

    pub(crate) fn with_ssl<T>(&self, read: impl FnOnce(&SslRef) -> T) -> T {
        read(self.lock().stream.ssl())
    }

    /// The certificate of another context is shown from the next handshake on.
    pub(crate) fn show_certificate_of(&self, context: &SslContextRef) {
        self.change_ssl(|tls| ffi::set_context(tls, context));
    }

    /// Changes the connection, of which nobody else has hold meanwhile.
    pub(crate) fn change_ssl<T>(&self, change: impl FnOnce(&mut SslStream<Tap>) -> T) -> T {
        change(self.lock().stream.as_mut().get_mut())
    }

    pub(crate) fn with_tap<T>(&self, read: impl FnOnce(&Tap) -> T) -> T {
        read(self.lock().stream.get_ref())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn note(
        &mut self,
        step: impl FnOnce(Pin<&mut SslStream<Tap>>) -> Poll<Result<(), ssl::Error>>,
    ) -> Poll<Result<(), Failure>> {
        step(self.stream.as_mut())
            .map_err(|error| self.failure.get_or_insert_with(|| Failure::of(&error)).clone())
    }

    /// Nothing more comes early once this has read nothing (`SSL_read_early_data(3)`).
    fn read_early(&mut self, context: &mut Context<'_>, chunk: &mut [u8]) -> Poll<Result<usize, Failure>> {
        match ready!(self.stream.as_mut().poll_read_early_data(context, chunk)) {
            Ok(length) => {
                self.early.extend_from_slice(&chunk[..length]);
                self.early_data += length;
                Poll::Ready(Ok(length))
            }
            Err(error) => Poll::Ready(Err(self.failure.get_or_insert_with(|| Failure::of(&error)).clone())),
        }
    }

    fn read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = self.stream.as_mut().poll_read(context, buffer);
        if let Poll::Ready(Err(error)) = &polled {
            self.note_io(error);
        }
        polled
    }

    fn note_io(&mut self, error: &io::Error) {
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<ssl::Error>());
        let failure = || match cause {
            Some(error) => Failure::of(error),
            None => Failure { text: error.to_string(), ..Failure::default() },
        };
        self.failure.get_or_insert_with(failure);
    }

    fn shut(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A second SSL_shutdown(3) would wait for the peer's close_notify.
        if self.is_shut {
            return Poll::Ready(Ok(()));
        }
        // In the middle of a record SSL_shutdown(3) would wait for the rest of it to be written.
        let silently = self.omits_close_notify
            || self.is_writing
            || self.failure.is_some()
            || !self.stream.ssl().is_init_finished();
        if silently || ready!(self.stream.as_mut().poll_shutdown(context)).is_err() {
            // TCP sends its FIN without waiting for anything.
            let _ = ready!(self.stream.as_mut().get_pin_mut().poll_shutdown(context));
        }
        self.is_shut = true;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for SharedTls {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.lock();
        if inner.early.is_empty() {
            return inner.read(context, buffer);
        }
        let length = inner.early.len().min(buffer.remaining());
        buffer.put_slice(&inner.early[..length]);
        inner.early.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SharedTls {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.lock();
        let bytes = if inner.writes_tiny_records { &bytes[..bytes.len().min(1)] } else { bytes };
        let polled = inner.stream.as_mut().poll_write(context, bytes);
        inner.is_writing = polled.is_pending();
        if let Poll::Ready(Err(error)) = &polled {
            inner.note_io(error);
        }
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().shut(context)
    }
}
