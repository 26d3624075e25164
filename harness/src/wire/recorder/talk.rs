//! A recorded connection: its segments, in the order in which they have to be read.

use std::{net::SocketAddr, time::Instant};

use super::{
    Hop, Recorder,
    segment::{Segment, flag},
};

/// The most that one segment holds; an IP packet has room for 65,535 bytes.
const LONGEST: usize = 32 * 1024;

/// A connection whose bytes are recorded. When it is dropped, so is the connection: it ends with FIN.
#[derive(Debug)]
pub(crate) struct Talk {
    recorder: Recorder,
    hop: Hop,
    near: End,
    far: End,
    /// The last bytes, received or sent, which are not in the file yet: the keys that follow from them have to come before
    /// them. When OpenSSL reads or writes the next time, it has made them.
    pending: Pending,
    over: bool,
}

/// Bytes that went one way at once.
#[derive(Debug)]
struct Pending {
    by_us: bool,
    since: Instant,
    bytes: Vec<u8>,
}

/// An end of the connection.
#[derive(Debug, Clone, Copy)]
struct End {
    address: SocketAddr,
    /// The number of its next byte.
    next: u32,
    closed: bool,
}

impl Talk {
    /// Records that `caller`, one of the two ends, has opened a connection.
    pub(super) fn begin(
        recorder: Recorder,
        hop: Hop,
        [near, far]: [SocketAddr; 2],
        caller: SocketAddr,
        comment: &str,
    ) -> Self {
        let end = |address| End { address, next: 0, closed: false };
        let (near, far) = (end(near), end(far));
        let since = Instant::now();
        let pending = Pending { by_us: false, since, bytes: Vec::new() };
        let mut talk = Self { recorder, hop, near, far, pending, over: false };
        let by_us = near.address == caller;
        talk.say(by_us, since, flag::SYN, &[], comment);
        talk.say(!by_us, since, flag::SYN | flag::ACK, &[], "");
        talk.say(by_us, since, flag::ACK, &[], "");
        talk
    }

    /// Bytes have come.
    pub(crate) fn received(&mut self, bytes: &[u8]) {
        if self.pending.by_us {
            self.settle();
        }
        self.keep(false, bytes);
        if self.pending.bytes.len() >= LONGEST {
            self.settle();
        }
    }

    /// Bytes were sent.
    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        self.settle();
        self.keep(true, bytes);
    }

    fn keep(&mut self, by_us: bool, bytes: &[u8]) {
        if self.pending.bytes.is_empty() {
            self.pending = Pending { by_us, since: Instant::now(), bytes: Vec::new() };
        }
        self.pending.bytes.extend_from_slice(bytes);
    }

    /// Writes the pending bytes: the keys that follow from them are in the file by now.
    pub(crate) fn settle(&mut self) {
        let Pending { by_us, since, ref mut bytes } = self.pending;
        for chunk in std::mem::take(bytes).chunks(LONGEST) {
            self.say(by_us, since, flag::PSH | flag::ACK, chunk, "");
        }
    }

    /// This end, or the other, has closed its half.
    pub(crate) fn closed(&mut self, by_us: bool) {
        self.settle();
        if !self.end(by_us).closed {
            self.say(by_us, Instant::now(), flag::FIN | flag::ACK, &[], "");
        }
    }

    /// This end, or the other, has reset the connection.
    pub(crate) fn reset(&mut self, by_us: bool) {
        self.settle();
        self.say(by_us, Instant::now(), flag::RST | flag::ACK, &[], "");
        self.over = true;
    }

    fn say(&mut self, by_us: bool, at: Instant, flags: u8, payload: &[u8], comment: &str) {
        if self.over {
            return;
        }
        let (from, to) = if by_us { (self.near, self.far) } else { (self.far, self.near) };
        let segment = Segment {
            from: from.address,
            to: to.address,
            sequence: from.next,
            acknowledged: if flags & flag::ACK == 0 { 0 } else { to.next },
            flags,
            payload,
        };
        self.recorder.keep_packet(self.hop, at, &segment.packet(), comment);
        let own = u32::try_from(payload.len()).unwrap_or_default();
        let from = self.end(by_us);
        // Both count as a byte (RFC 9293 3.4).
        from.next = from.next.wrapping_add(own + u32::from(flags & (flag::SYN | flag::FIN) != 0));
        from.closed |= flags & flag::FIN != 0;
    }

    fn end(&mut self, by_us: bool) -> &mut End {
        if by_us { &mut self.near } else { &mut self.far }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.closed(true);
    }
}
