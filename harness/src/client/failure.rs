//! Why a connection came to nothing: reads OpenSSL's errors, the alerts and the socket's end as one cause.

use std::{error::Error, io};

use openssl::{error::ErrorStack, ssl, x509::X509VerifyResult};
use tls_gauntlet_scenarios::{Alert, Cause, ClientSaw, Ended, Phase};

use super::handshake::Handshake;
use crate::tls::reason::{
    Reasons, Role, SSL_R_CERTIFICATE_VERIFY_FAILED, SSL_R_UNEXPECTED_EOF_WHILE_READING, system_error,
};

/// A connection that came to nothing, or a response that was cut. What the peer did is data, not an error of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where it ended.
    pub phase: Phase,
    /// Why.
    pub cause: Cause,
    /// The side that ended it.
    pub side: Side,
    /// How the connection ended; nothing if there was none.
    pub ended: Option<Ended>,
    /// The facts of its TLS, as far as they were known.
    pub handshake: Handshake,
    /// The code with which the server gave up HTTP/2 (RFC 9113 7).
    pub http2_error: Option<String>,
    /// The error in the words of the library that met it.
    pub error: String,
}

impl Failure {
    /// Whether the other side broke the connection off for a reason that need not hold for the next connection.
    #[cfg(feature = "matrix")]
    pub(crate) fn is_broken_connection(&self) -> bool {
        self.side == Side::Peer
            && matches!(
                self.cause,
                Cause::Reset | Cause::Truncated | Cause::Aborted | Cause::ConnectionRefused
            )
    }
}

/// The side that ended a connection, seen from the end that reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// This end.
    Own,
    /// The other end.
    Peer,
    /// Neither: there was no connection.
    Network,
}

impl Failure {
    /// A TCP connection that could not be made.
    pub(crate) fn not_connected(error: &io::Error) -> Self {
        let (cause, side) = match error.kind() {
            io::ErrorKind::ConnectionRefused => (Cause::ConnectionRefused, Side::Network),
            io::ErrorKind::TimedOut => (Cause::Timeout, Side::Own),
            io::ErrorKind::ConnectionReset => (Cause::Reset, Side::Peer),
            _ => (Cause::Unexplained, Side::Network),
        };
        Self { cause, side, ..Self::blank(Phase::Connect, error.to_string()) }
    }

    /// A peer that was silent for too long.
    pub(crate) fn timed_out(phase: Phase, known: &Circumstances) -> Self {
        let error = match phase {
            Phase::Connect => "gave up waiting for the TCP connection",
            Phase::Handshake => "gave up waiting for the handshake",
            Phase::Request | Phase::Response | Phase::Close => "gave up waiting for the response",
        };
        Self {
            cause: Cause::Timeout,
            side: Side::Own,
            ended: Some(Ended::TimedOut),
            ..Self::under(known, phase, error.to_owned())
        }
    }

    /// A connection that broke.
    pub(crate) fn broken(phase: Phase, by: &Break, known: &Circumstances) -> Self {
        let (cause, side, ended) = known.read(by);
        Self { cause, side, ended: Some(ended), ..Self::under(known, phase, by.text(known)) }
    }

    /// A server that has passed every check of the handshake and is refused all the same.
    pub(crate) fn refused(cause: Cause, words: String, known: &Circumstances) -> Self {
        Self { cause, side: Side::Own, ..Self::under(known, Phase::Handshake, words) }
    }

    /// A request that HTTP cannot express, such as one for a path with a space in it.
    pub(crate) fn not_sent(error: String) -> Self {
        Self { side: Side::Own, ..Self::blank(Phase::Connect, error) }
    }

    /// A response that is not HTTP, or not the HTTP that was asked for.
    pub(crate) fn not_understood(phase: Phase, error: &hyper::Error, known: &Circumstances) -> Self {
        let http2 = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
        let given_up = http2.filter(|error| error.is_remote()).and_then(h2::Error::reason);
        if let Some(code) = given_up {
            let error = format!("{error}: {code}");
            let http2_error = Some(format!("{code:?}"));
            return Self {
                side: Side::Peer,
                ended: Some(Ended::ResetByPeer),
                http2_error,
                ..Self::under(known, phase, error)
            };
        }
        let ended = Some(Ended::NotUnderstood);
        Self { side: Side::Own, ended, ..Self::under(known, phase, error.to_string()) }
    }

    /// As the evidence of a client.
    pub(crate) fn into_client_saw(self) -> ClientSaw {
        ClientSaw {
            refused_because: self.own_refusal(),
            http2_error: self.http2_error,
            phase: self.phase,
            error: Some(self.error),
            ended: self.ended,
            ..self.handshake.into_client_saw()
        }
    }

    /// The cause for which this end refused its server in the handshake, if it did.
    fn own_refusal(&self) -> Option<Cause> {
        // A check that fails only after the handshake ends the connection without an alert.
        let is_found_late = matches!(
            self.cause,
            Cause::ServerCertRevoked | Cause::ServerCertStatusUnknown | Cause::AlpnMismatch
        );
        let refused = self.side == Side::Own
            && self.phase == Phase::Handshake
            && (self.handshake.alert_sent.is_some() || is_found_late);
        (refused && self.cause != Cause::Unexplained).then_some(self.cause)
    }

    fn blank(phase: Phase, error: String) -> Self {
        Self {
            phase,
            cause: Cause::Unexplained,
            side: Side::Network,
            ended: None,
            handshake: Handshake::default(),
            http2_error: None,
            error,
        }
    }

    fn under(known: &Circumstances, phase: Phase, error: String) -> Self {
        Self { handshake: known.handshake.clone(), ..Self::blank(phase, error) }
    }
}

/// The facts of a connection when it failed.
#[derive(Debug, Clone)]
pub(crate) struct Circumstances {
    /// Which end this is.
    pub(crate) role: Role,
    /// What it has seen of TLS.
    pub(crate) handshake: Handshake,
    /// Whether the client has a certificate to show.
    pub(crate) has_certificate: bool,
    /// Whether the session was resumed.
    pub(crate) resumed: bool,
    /// Whether the client sends a server name.
    pub(crate) sends_server_name: bool,
    /// The result of this end's check of the peer's certificate.
    pub(crate) verified: X509VerifyResult,
}

impl Circumstances {
    /// The circumstances of a connection without TLS.
    pub(crate) fn plain() -> Self {
        Self {
            role: Role::Client,
            handshake: Handshake::default(),
            has_certificate: false,
            resumed: false,
            sends_server_name: false,
            verified: X509VerifyResult::OK,
        }
    }

    /// Cause, culprit and end. Own refusals come first: the peer's acts after them are only its answer.
    fn read(&self, by: &Break) -> (Cause, Side, Ended) {
        if self.handshake.alert_sent == Some(Alert::NoRenegotiation) {
            return (Cause::RenegotiationRefused, Side::Own, by.ended(self));
        }
        if let Some(alert) = self.handshake.alert_received {
            return (self.cause_of(alert), Side::Peer, Ended::AlertReceived);
        }
        match by {
            Break::Closed | Break::Truncated => (Cause::Truncated, Side::Peer, Ended::ClosedByPeer),
            Break::Reset => (Cause::Reset, Side::Peer, Ended::ResetByPeer),
            Break::Tls(reasons) => (self.cause_within(reasons), Side::Own, by.ended(self)),
            Break::Other(_) => (Cause::Unexplained, Side::Network, Ended::ClosedByPeer),
        }
    }

    /// The cause for which this end gave up.
    fn cause_within(&self, reasons: &Reasons) -> Cause {
        // Without an alert of ours OpenSSL has found no TLS at all (`tlsany_meth.c`: "doesn't look like TLS").
        if reasons.is_not_tls() && self.handshake.alert_sent.is_none() {
            return Cause::NotTls;
        }
        reasons.cause(self.role, self.verified).unwrap_or(match self.role {
            Role::Server if reasons.is_malformed() => Cause::ClientCertUntrusted,
            Role::Server | Role::Client => Cause::Unexplained,
        })
    }

    /// The most likely cause of a received alert, given the messages before it.
    fn cause_of(&self, alert: Alert) -> Cause {
        let meant = match self.role {
            Role::Server => alert.meant_by_client(),
            Role::Client if self.handshake.certificate_requested => {
                alert.meant_by_server_that_asked(!self.has_certificate)
            }
            Role::Client => alert.meant_by_server(),
        };
        match meant.first() {
            Some(Cause::SniUnknown) if !self.sends_server_name => Cause::SniMissing,
            Some(Cause::ClientCertUntrusted) if !self.has_certificate => Cause::ClientCertMissing,
            Some(cause) => *cause,
            None => Cause::Unexplained,
        }
    }
}

/// How a connection broke, as its stream reported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Break {
    /// The peer closed it in good order.
    Closed,
    /// The peer closed TCP without the TLS alert `close_notify`.
    Truncated,
    /// The peer reset it.
    Reset,
    /// OpenSSL would not go on.
    Tls(Reasons),
    /// The operating system would not go on.
    Other(String),
}

impl Break {
    /// From a handshake.
    pub(crate) fn of_tls(error: &ssl::Error) -> Self {
        if let Some(error) = error.io_error() {
            return Self::of_socket(error);
        }
        match error.ssl_error() {
            Some(stack) => Self::of_stack(stack),
            None => Self::Truncated,
        }
    }

    /// From reading or writing, through TLS or not.
    pub(crate) fn of_io(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<ssl::Error>()) {
            Some(error) => Self::of_tls(error),
            None => Self::of_socket(error),
        }
    }

    fn of_socket(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                Self::Reset
            }
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Other(error.to_string()),
        }
    }

    fn of_stack(stack: &ErrorStack) -> Self {
        if let Some(error) = system_error(stack) {
            return Self::of_socket(&error);
        }
        let reasons = Reasons::of(stack);
        if reasons.has(SSL_R_UNEXPECTED_EOF_WHILE_READING) { Self::Truncated } else { Self::Tls(reasons) }
    }

    fn ended(&self, known: &Circumstances) -> Ended {
        match self {
            _ if known.handshake.alert_received.is_some() => Ended::AlertReceived,
            Self::Closed | Self::Truncated | Self::Other(_) => Ended::ClosedByPeer,
            Self::Reset => Ended::ResetByPeer,
            Self::Tls(_) if known.handshake.alert_sent.is_some() => Ended::AlertSent,
            Self::Tls(_) => Ended::NotUnderstood,
        }
    }

    fn text(&self, known: &Circumstances) -> String {
        match self {
            Self::Closed => "the peer closed the connection".to_owned(),
            Self::Truncated => "the peer closed the connection without close_notify".to_owned(),
            Self::Reset => "connection reset by peer".to_owned(),
            Self::Tls(reasons) if reasons.has(SSL_R_CERTIFICATE_VERIFY_FAILED) => {
                format!("{}: {}", reasons.text(), known.verified)
            }
            Self::Tls(reasons) => reasons.text(),
            Self::Other(text) => text.clone(),
        }
    }
}
