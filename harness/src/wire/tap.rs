//! The stream between OpenSSL and the socket: counts, and keeps what TLS does not tell.
//!
//! OpenSSL reports a peer that reset the connection, one that closed it and one that never spoke TLS in much the
//! same words; here they are still different.

use std::{
    fmt, io,
    os::fd::{AsFd, AsRawFd},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

use super::{
    caller::{Caller, Callers},
    gate::Gate,
    record,
    recorder::Talk,
};
use crate::ffi;

/// A TCP stream that takes notes; OpenSSL reads and writes through it.
#[derive(Debug)]
pub struct Tap {
    stream: TcpStream,
    /// Bytes that were read from the stream before, and are still to be read through here.
    early: Early,
    traffic: Arc<Traffic>,
    gate: Option<Gate>,
    drips: bool,
    /// The recording, if there is one.
    talk: Option<Talk>,
}

/// The bytes that were read from a stream before a [`Tap`] took it over.
#[derive(Debug, Default)]
pub(crate) struct Early {
    /// The bytes, in order.
    pub(crate) bytes: BytesMut,
    /// How many of them the first segment brought.
    pub(crate) first_segment: usize,
    /// The error that ended the stream while it was read, if there was one.
    pub(crate) failure: Option<io::Error>,
}

/// Notes on the bytes that have passed through a [`Tap`]. They outlive the stream.
#[derive(Default)]
pub struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
    /// The first bytes received, the very first one lowest.
    first: AtomicU64,
    end: AtomicU8,
}

/// How the peer ended its half of the TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerEnd {
    /// With FIN.
    Closed,
    /// With RST.
    Reset,
}

impl Tap {
    /// Takes a fresh stream over, and has the kernel acknowledge at once, so that the peer does not wait for it.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        Self::resume(stream, Early::default())
    }

    /// A tap for a client. Its server waits for bytes alone, so that acknowledgements may come late.
    pub(crate) fn quiet(stream: TcpStream) -> Self {
        Self {
            stream,
            early: Early::default(),
            traffic: Arc::default(),
            gate: None,
            drips: false,
            talk: None,
        }
    }

    /// A tap for a stream from which bytes have been read before: the tap yields them first.
    pub(crate) fn resume(stream: TcpStream, early: Early) -> Self {
        // Fails only on a socket that is dead already; the first read will tell.
        let _ = stream.set_nodelay(true);
        let tap = Self { stream, early, traffic: Arc::default(), gate: None, drips: false, talk: None };
        if let Some(failure) = &tap.early.failure {
            tap.traffic.note_failure(failure);
        }
        tap.acknowledge_at_once();
        tap
    }

    /// This tap with a recording of everything that passes.
    pub(crate) fn recorded(self, talk: Option<Talk>) -> Self {
        Self { talk, ..self }
    }

    /// Has the kernel acknowledge what comes next at once. It forgets this soon, so it is to be called before the
    /// handshake and after it: a TLS 1.3 server without tickets stays silent after the client's Finished, and a
    /// client without `TCP_NODELAY` then holds its request back until the acknowledgement comes, 40 ms later.
    pub fn acknowledge_at_once(&self) {
        // tcp(7): an optimisation, so that a refusal changes nothing.
        let _ = self.stream.set_quickack(true);
    }

    /// Who made the connection.
    pub(crate) fn caller(&self, callers: &Callers) -> Caller {
        match (self.stream.local_addr(), self.stream.peer_addr()) {
            (Ok(local), Ok(peer)) => callers.caller(self.stream.as_raw_fd(), local, peer),
            (Err(_), _) | (_, Err(_)) => Caller::Unknown,
        }
    }

    /// The notes on the bytes so far; later bytes are added to them.
    #[must_use]
    pub fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }

    /// Lets nothing more out once the gate is shut.
    pub(crate) fn put_gate(&mut self, gate: Gate) {
        self.gate = Some(gate);
    }

    /// Takes the gate away. Whether it was shut.
    pub(crate) fn take_gate(&mut self) -> bool {
        self.gate.take().is_some_and(|gate| gate.is_shut())
    }

    /// Sends one byte at a time from now on.
    pub(crate) fn drip(&mut self) {
        self.drips = true;
    }

    fn send_one(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            let send = || ffi::send_one(self.stream.as_fd(), bytes);
            match self.stream.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    /// Waits for bytes and counts them without taking them: the content of one segment.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) async fn peek(&self, bytes: &mut [u8]) -> io::Result<usize> {
        if !self.early.bytes.is_empty() {
            let length = self.early.first_segment.min(bytes.len());
            bytes[..length].copy_from_slice(&self.early.bytes[..length]);
            return Ok(length);
        }
        self.stream.peek(bytes).await
    }

    /// Ends the connection with RST as soon as the stream is dropped; what has not been sent is lost.
    ///
    /// # Errors
    /// The kernel's.
    pub fn reset_on_drop(&mut self) -> io::Result<()> {
        if let Some(talk) = &mut self.talk {
            talk.reset(true);
        }
        self.stream.set_zero_linger()
    }

    /// Notes the outcome of a read: bytes, none for the end, or pending.
    fn note_read(&mut self, polled: &Poll<io::Result<()>>, bytes: &[u8]) {
        match polled {
            Poll::Ready(Ok(())) if !bytes.is_empty() => self.traffic.note_received(bytes),
            Poll::Ready(Ok(())) => self.traffic.note_end(CLOSED),
            Poll::Pending => {}
            Poll::Ready(Err(error)) => self.traffic.note_failure(error),
        }
        let Some(talk) = &mut self.talk else { return };
        match polled {
            Poll::Ready(Ok(())) if !bytes.is_empty() => talk.received(bytes),
            Poll::Ready(Ok(())) => talk.closed(false),
            Poll::Pending => talk.settle(),
            Poll::Ready(Err(error)) if is_reset(error) => talk.reset(false),
            Poll::Ready(Err(_)) => {}
        }
    }

    /// Notes the outcome of writing these bytes.
    fn note_written(&mut self, polled: &Poll<io::Result<usize>>, bytes: &[u8]) {
        match polled {
            Poll::Ready(Ok(written)) => {
                self.traffic.sent.fetch_add(*written as u64, Ordering::Relaxed);
            }
            Poll::Ready(Err(error)) => self.traffic.note_failure(error),
            Poll::Pending => {}
        }
        let Some(talk) = &mut self.talk else { return };
        match polled {
            Poll::Ready(Ok(written)) => talk.sent(&bytes[..*written]),
            Poll::Ready(Err(error)) if is_reset(error) => talk.reset(false),
            Poll::Ready(Err(_)) | Poll::Pending => {}
        }
    }

    /// How many of the sent bytes the peer's kernel has not acknowledged.
    ///
    /// # Errors
    /// The kernel's.
    pub fn unacknowledged(&self) -> io::Result<usize> {
        ffi::unacknowledged(self.stream.as_fd())
    }
}

impl Traffic {
    /// How many bytes came.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// How many bytes were sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How the peer ended its half, if it did.
    #[must_use]
    pub fn peer_end(&self) -> Option<PeerEnd> {
        match self.end.load(Ordering::Relaxed) {
            CLOSED => Some(PeerEnd::Closed),
            RESET => Some(PeerEnd::Reset),
            _ => None,
        }
    }

    /// Whether the first bytes can be a TLS record with a handshake message or an alert: type, and the major
    /// version (RFC 8446 5.1). True for nothing at all.
    #[must_use]
    pub fn begins_as_tls(&self) -> bool {
        let first = self.first.load(Ordering::Relaxed).to_le_bytes();
        match self.received() {
            0 => true,
            1 => record::begins_connection(first[0]),
            _ => record::begins_connection(first[0]) && first[1] == record::MAJOR,
        }
    }

    fn note_received(&self, bytes: &[u8]) {
        let before = self.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if before < 8 {
            let places = before..8;
            let noted =
                places.zip(bytes).fold(0, |noted, (place, byte)| noted | u64::from(*byte) << (8 * place));
            self.first.fetch_or(noted, Ordering::Relaxed);
        }
    }

    /// Only the first end counts: what comes after it is its echo.
    fn note_end(&self, end: u8) {
        let _ = self.end.compare_exchange(OPEN, end, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn note_failure(&self, error: &io::Error) {
        if is_reset(error) {
            self.note_end(RESET);
        }
    }
}

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const RESET: u8 = 2;

fn is_reset(error: &io::Error) -> bool {
    // EPIPE comes when a RST has been consumed by an earlier call.
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted
    )
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let polled = if self.early.bytes.is_empty() {
            Pin::new(&mut self.stream).poll_read(context, buffer)
        } else {
            let length = self.early.bytes.len().min(room);
            buffer.put_slice(&self.early.bytes.split_to(length));
            Poll::Ready(Ok(()))
        };
        // A read into a buffer without room yields no bytes, and this is not the end.
        if room > 0 {
            self.note_read(&polled, &buffer.filled()[before..]);
        }
        polled
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut bytes = bytes;
        if let Some(gate) = &mut self.gate {
            bytes = &bytes[..gate.lets_out(bytes)];
            if bytes.is_empty() {
                return Poll::Ready(Err(io::Error::other("the backend's fault ends its part here")));
            }
        }
        let polled = if self.drips {
            self.send_one(context, bytes)
        } else {
            Pin::new(&mut self.stream).poll_write(context, bytes)
        };
        if let (Poll::Ready(Ok(written)), Some(gate)) = (&polled, &mut self.gate) {
            gate.note(&bytes[..*written]);
        }
        self.note_written(&polled, bytes);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        if let (Poll::Ready(Ok(())), Some(talk)) = (&polled, &mut self.talk) {
            talk.closed(true);
        }
        polled
    }
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traffic")
            .field("received", &self.received())
            .field("sent", &self.sent())
            .field("peer_end", &self.peer_end())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    async fn pair() -> (Tap, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Tap::new(listener.accept().await.unwrap().0), far)
    }

    #[rstest]
    #[case(false, PeerEnd::Closed)]
    #[case(true, PeerEnd::Reset)]
    #[tokio::test]
    async fn fin_and_rst_are_told_apart(#[case] reset: bool, #[case] end: PeerEnd) {
        let (mut tap, mut far) = pair().await;
        let traffic = tap.traffic();
        far.write_all(b"GET / HTTP/1.1").await.unwrap();
        if reset {
            far.set_zero_linger().unwrap();
        }
        drop(far);
        let _ = tap.read_to_end(&mut Vec::new()).await;

        assert_eq!(traffic.peer_end(), Some(end));
        assert!(!traffic.begins_as_tls());
    }

    #[tokio::test]
    async fn bytes_are_counted_and_acknowledged_and_a_reset_is_one() {
        let (mut tap, mut far) = pair().await;
        far.write_all(b"\x16").await.unwrap();
        tap.read_u8().await.unwrap();
        assert!(tap.traffic().begins_as_tls());
        far.write_all(b"\x03\x01").await.unwrap();
        tap.read_u16().await.unwrap();
        tap.write_all(b"four").await.unwrap();
        far.read_exact(&mut [0; 4]).await.unwrap();
        assert_eq!((tap.traffic().received(), tap.traffic().sent()), (3, 4));
        assert!(tap.traffic().begins_as_tls());
        assert!(tap.unacknowledged().unwrap() <= 4);

        tap.reset_on_drop().unwrap();
        drop(tap);
        assert_eq!(far.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn what_was_read_before_is_read_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let near = listener.accept().await.unwrap().0;
        let early = Early { bytes: BytesMut::from(&b"\x16\x03\x01"[..]), first_segment: 2, failure: None };
        let mut tap = Tap::resume(near, early);
        far.write_all(b"rest").await.unwrap();
        drop(far);

        assert_eq!((tap.traffic().received(), tap.peek(&mut [0; 9]).await.unwrap()), (0, 2));
        let mut all = Vec::new();
        tap.read_to_end(&mut all).await.unwrap();
        assert_eq!((&all[..], tap.traffic().received()), (&b"\x16\x03\x01rest"[..], 7));
        assert!(tap.traffic().begins_as_tls());
    }
}
