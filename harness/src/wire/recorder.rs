//! Keeps what passes on the wire and the keys to it: a key log (`SSLKEYLOGFILE`), and a capture that opens in Wireshark.
//!
//! The bytes are those of [`Tap`](super::tap::Tap); no packet is sniffed, so that no privileges are needed. The segments
//! around the bytes are made up: one segment for what was read or written at once, acknowledged by the next one.

mod pcapng;
mod segment;
mod talk;

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Write},
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Instant,
};

use openssl::{
    ex_data::Index,
    ssl::{Ssl, SslContextBuilder, SslRef},
};
use time::OffsetDateTime;
use tokio::net::TcpStream;

pub(crate) use talk::Talk;

/// Where everything is kept, if anywhere. Clones keep it in the same place.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Option<Arc<Kept>>);

#[derive(Debug)]
struct Kept {
    key_log: Option<Mutex<File>>,
    capture: Option<Mutex<File>>,
    /// The time of day when this was made.
    begun: (OffsetDateTime, Instant),
    /// The ports of backends: each call to them is recorded at the backend, and not at its caller.
    served: Mutex<HashSet<u16>>,
    failure: OnceLock<io::Error>,
}

/// Which leg of a gateway a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hop {
    /// From a client to the gateway.
    ToGateway,
    /// From the gateway, or another caller, to a backend.
    ToBackend,
}

impl Recorder {
    /// Writes the keys of every connection to the one file, what it said, with its keys, to the other; it is this time
    /// now. Each block is written at once, so that the files can be read whenever, and however, this ends.
    ///
    /// # Errors
    /// The system's, when the beginning of the capture is written.
    pub fn to(key_log: Option<File>, capture: Option<File>, now: OffsetDateTime) -> io::Result<Self> {
        if key_log.is_none() && capture.is_none() {
            return Ok(Self::default());
        }
        let capture = capture.map(|mut file| file.write_all(&pcapng::beginning()).map(|()| Mutex::new(file)));
        Ok(Self(Some(Arc::new(Kept {
            key_log: key_log.map(Mutex::new),
            capture: capture.transpose()?,
            begun: (now, Instant::now()),
            served: Mutex::default(),
            failure: OnceLock::new(),
        }))))
    }

    /// Why not everything was kept, if something went wrong: the disk is full.
    #[must_use]
    pub fn failure(&self) -> Option<&io::Error> {
        self.0.as_ref()?.failure.get()
    }

    /// Has a connection tell its keys; its context was [installed](install).
    pub(crate) fn attach(&self, ssl: &mut Ssl) {
        if self.0.is_some() {
            ssl.set_ex_data(index(), self.clone());
        }
    }

    /// A backend listens on this port.
    pub(crate) fn note_served(&self, address: SocketAddr) {
        if let Some(kept) = &self.0 {
            kept.served.lock().unwrap_or_else(PoisonError::into_inner).insert(address.port());
        }
    }

    /// Begins to record a connection that has been accepted here.
    pub(crate) fn answered(&self, stream: &TcpStream, comment: &str) -> Option<Talk> {
        let (near, far) = self.ends(stream)?;
        Some(Talk::begin(self.clone(), Hop::ToBackend, [near, far], far, comment))
    }

    /// Begins to record a connection that was opened from here, unless the backend at its end records it.
    pub(crate) fn called(&self, stream: &TcpStream) -> Option<Talk> {
        let (near, far) = self.ends(stream)?;
        let served =
            self.0.as_ref()?.served.lock().unwrap_or_else(PoisonError::into_inner).contains(&far.port());
        (!served).then(|| Talk::begin(self.clone(), Hop::ToGateway, [near, far], near, ""))
    }

    fn ends(&self, stream: &TcpStream) -> Option<(SocketAddr, SocketAddr)> {
        self.0.as_ref()?.capture.as_ref()?;
        // A socket that is dead already has no far end, and nothing to say.
        Some((stream.local_addr().ok()?, stream.peer_addr().ok()?))
    }

    /// A line of the key log (draft-ietf-tls-keylogfile).
    fn keep_key(&self, line: &str) {
        let Some(kept) = &self.0 else { return };
        let line = format!("{line}\n");
        kept.write(kept.key_log.as_ref(), line.as_bytes());
        kept.write(kept.capture.as_ref(), &pcapng::secret(&line));
    }

    fn keep_packet(&self, hop: Hop, at: Instant, packet: &[u8], comment: &str) {
        let Some(kept) = &self.0 else { return };
        let (now, begun) = kept.begun;
        let at = now + at.saturating_duration_since(begun);
        kept.write(kept.capture.as_ref(), &pcapng::packet(hop, at, packet, comment));
    }
}

impl Kept {
    /// All of it, or nothing more from now on: half a block would make the rest unreadable.
    fn write(&self, file: Option<&Mutex<File>>, bytes: &[u8]) {
        let Some(file) = file else { return };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        if self.failure.get().is_none()
            && let Err(error) = file.write_all(bytes)
        {
            let _ = self.failure.set(error);
        }
    }
}

/// Lets every connection made from this context tell its keys to the recorder that is attached to it, if one is.
pub(super) fn install(context: &mut SslContextBuilder) {
    context.set_keylog_callback(|ssl: &SslRef, line: &str| {
        if let Some(recorder) = ssl.ex_data(index()) {
            recorder.keep_key(line);
        }
    });
}

fn index() -> Index<Ssl, Recorder> {
    static INDEX: OnceLock<Index<Ssl, Recorder>> = OnceLock::new();
    *INDEX.get_or_init(|| Ssl::new_ex_index().expect("OpenSSL has room for an index"))
}
