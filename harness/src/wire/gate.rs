//! A gate on what OpenSSL sends in a handshake: shut after a certain message, which it finds by counting records.
//!
//! OpenSSL writes whole flights. Each of its handshake messages is a record (or more) of its own, so that the nth
//! record with handshake content holds the nth message that the observer has seen.

use std::sync::Arc;

use super::{
    observer::{Direction, HandshakeType, Observer},
    record::{APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE},
};

/// After which message nothing more is let out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastMessage {
    /// The ServerHello (or the HelloRetryRequest, which is one, too).
    ServerHello,
    /// The certificate.
    Certificate,
    /// The last message before this side's Finished.
    BeforeFinished,
}

/// The gate.
#[derive(Debug)]
pub(crate) struct Gate {
    last: LastMessage,
    observer: Arc<Observer>,
    sent: Position,
    is_shut: bool,
}

impl Gate {
    pub(crate) fn new(last: LastMessage, observer: Arc<Observer>) -> Self {
        Self { last, observer, sent: Position::default(), is_shut: false }
    }

    /// How many of these bytes may go out; none means that the gate is shut, and stays so.
    pub(crate) fn lets_out(&mut self, bytes: &[u8]) -> usize {
        let mut ahead = self.sent.clone();
        let mut out = 0;
        while out < bytes.len() {
            if ahead.is_between_records() && self.shuts_before(bytes[out], &ahead) {
                break;
            }
            out += ahead.pass(&bytes[out..]);
        }
        self.is_shut |= out == 0;
        out
    }

    /// These bytes have gone out.
    pub(crate) fn note(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.sent.pass(bytes)..];
        }
    }

    /// Whether anything has been held back.
    pub(crate) const fn is_shut(&self) -> bool {
        self.is_shut
    }

    fn shuts_before(&self, record: u8, position: &Position) -> bool {
        let messages = self.observer.messages();
        let sent = messages.iter().filter(|message| message.direction == Direction::Sent);
        let is_after =
            |kind| sent.clone().take(position.handshake_records).any(|message| message.kind == kind);
        match self.last {
            LastMessage::ServerHello => is_after(HandshakeType::SERVER_HELLO),
            LastMessage::Certificate => is_after(HandshakeType::CERTIFICATE),
            // TLS 1.3 sends its Finished after the CertificateVerify, under the type of application data.
            LastMessage::BeforeFinished if record == APPLICATION_DATA => {
                is_after(HandshakeType::CERTIFICATE_VERIFY)
            }
            // Before 1.3 it is the first handshake record after the change of ciphers. (So is the ServerHello after
            // a HelloRetryRequest, but that comes second.)
            LastMessage::BeforeFinished => {
                record == HANDSHAKE && position.ciphers_changed && position.handshake_records > 1
            }
        }
    }
}

/// A place in the stream of records.
#[derive(Debug, Clone, Default)]
struct Position {
    /// The part of the current record's head that has passed.
    head: Vec<u8>,
    /// The length of the current record's body that has not passed.
    rest: usize,
    /// Records with handshake content that have been begun.
    handshake_records: usize,
    ciphers_changed: bool,
}

impl Position {
    fn is_between_records(&self) -> bool {
        self.head.is_empty() && self.rest == 0
    }

    /// Passes over the next part of a record; how many bytes that is.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        if self.rest > 0 {
            let passed = self.rest.min(bytes.len());
            self.rest -= passed;
            return passed;
        }
        self.head.extend(bytes.first());
        if let [kind, _, _, high, low] = self.head[..] {
            self.rest = usize::from(u16::from_be_bytes([high, low]));
            self.head.clear();
            match kind {
                HANDSHAKE | APPLICATION_DATA => self.handshake_records += 1,
                CHANGE_CIPHER_SPEC => self.ciphers_changed = true,
                _ => {}
            }
        }
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::Witness;

    /// ServerHello, change of ciphers, and three records of TLS 1.3.
    const FLIGHT: &[u8] = b"\x16\x03\x03\x00\x02ab\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x01e\x17\x03\x03\x00\x01c\x17\x03\x03\x00\x01v";

    #[test]
    fn a_flight_is_cut_where_the_message_ends() {
        for (last, out) in
            [(LastMessage::ServerHello, 7), (LastMessage::Certificate, 25), (LastMessage::BeforeFinished, 31)]
        {
            let observer = Arc::new(Observer::default());
            for kind in [2, 8, 11, 15, 20] {
                observer.message(true, 0x0304, HANDSHAKE, &[kind, 0, 0, 0]);
            }
            let finished = b"\x17\x03\x03\x00\x01f";
            let flight = [FLIGHT, finished].concat();
            // The outcome does not depend on the sizes of the writes.
            for chunk in [1, 3, flight.len()] {
                let mut gate = Gate::new(last, Arc::clone(&observer));
                let mut passed = 0;
                while passed < flight.len() {
                    let next = &flight[passed..flight.len().min(passed + chunk)];
                    let let_out = gate.lets_out(next);
                    gate.note(&next[..let_out]);
                    passed += let_out;
                    if let_out == 0 {
                        break;
                    }
                }
                assert_eq!((passed, gate.is_shut()), (out, true), "{last:?} in chunks of {chunk}");
            }
        }
    }
}
