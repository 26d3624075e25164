//! Watches one TLS connection from inside OpenSSL: handshake messages, alerts, the raw ClientHello.
//!
//! The message callback is the only witness that can read everything: TLS 1.3 encrypts alerts and most of the
//! handshake, so bytes on the socket tell less.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use openssl::{
    ex_data::Index,
    ssl::{Ssl, SslContextBuilder},
};
use tls_gauntlet_scenarios::{Alert, TlsVersion};

use super::{
    record::{ALERT, HANDSHAKE},
    recorder,
};
use crate::ffi;

/// Lets every connection made from this context report to the observer that [`attach`] gives it, and its keys to a
/// [`Recorder`](recorder::Recorder), if it has one.
pub fn install(context: &mut SslContextBuilder) {
    ffi::watch::<Observer>(context);
    recorder::install(context);
}

/// Gives a connection its observer; to be called before the handshake, on a connection whose context was
/// [installed](install).
pub fn attach(ssl: &mut Ssl) -> Arc<Observer> {
    let observer = Arc::new(Observer::default());
    ssl.set_ex_data(*index(), Arc::clone(&observer));
    observer
}

/// What has passed on one connection so far.
#[derive(Debug, Default)]
pub struct Observer(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    client_hello: Option<Box<[u8]>>,
    client_hellos: u32,
    messages: Vec<Message>,
    fatal: Both<Option<Alert>>,
    no_renegotiation: Both<bool>,
    close_notify: Both<bool>,
    finished: Both<u32>,
    signature_received: Option<u16>,
}

/// A handshake message, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// Which way it went.
    pub direction: Direction,
    /// Its type.
    pub kind: HandshakeType,
}

/// Which way something went, seen from this end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From here to the peer.
    Sent,
    /// From the peer to here.
    Received,
}

/// The type of a handshake message (RFC 8446 4, RFC 5246 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandshakeType(pub u8);

impl Observer {
    /// The first ClientHello, sent or received: the whole handshake message with its four bytes of header.
    #[must_use]
    pub fn client_hello(&self) -> Option<Box<[u8]>> {
        self.seen().client_hello.clone()
    }

    /// How many times a ClientHello followed the first, after a HelloRetryRequest or for a renegotiation.
    #[must_use]
    pub fn later_client_hellos(&self) -> u32 {
        self.seen().client_hellos.saturating_sub(1)
    }

    /// The handshake messages so far, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.seen().messages.clone()
    }

    /// Whether a handshake message of this type has gone this way.
    #[must_use]
    pub fn has(&self, direction: Direction, kind: HandshakeType) -> bool {
        self.seen().messages.contains(&Message { direction, kind })
    }

    /// The fatal alert that was sent, or `no_renegotiation` if that is all there was.
    #[must_use]
    pub fn alert_sent(&self) -> Option<Alert> {
        let seen = self.seen();
        seen.fatal.sent.or_else(|| seen.no_renegotiation.sent.then_some(Alert::NoRenegotiation))
    }

    /// The fatal alert that was received, or `no_renegotiation` if that is all there was.
    #[must_use]
    pub fn alert_received(&self) -> Option<Alert> {
        let seen = self.seen();
        seen.fatal.received.or_else(|| seen.no_renegotiation.received.then_some(Alert::NoRenegotiation))
    }

    /// Whether the peer has said that it will not renegotiate.
    #[must_use]
    pub fn renegotiation_refused(&self) -> bool {
        self.seen().no_renegotiation.received
    }

    /// Whether `close_notify` was sent.
    #[must_use]
    pub fn close_notify_sent(&self) -> bool {
        self.seen().close_notify.sent
    }

    /// Whether `close_notify` was received.
    #[must_use]
    pub fn close_notify_received(&self) -> bool {
        self.seen().close_notify.received
    }

    /// How many Finished messages came: one for each handshake, and in TLS 1.3 one for each post-handshake
    /// authentication.
    #[must_use]
    pub fn finished_received(&self) -> u32 {
        self.seen().finished.received
    }

    /// How many handshakes were completed, the first one included. In TLS 1.3 there is only one:
    /// post-handshake authentication is not a handshake.
    #[must_use]
    pub fn handshakes(&self) -> u32 {
        // OpenSSL's own "handshake done" (SSL_CTX_set_info_callback(3)) comes for a HelloRequest as well.
        let seen = self.seen();
        seen.finished.sent.min(seen.finished.received)
    }

    /// Whether a certificate was requested of the client: by this end, or of this end.
    #[must_use]
    pub fn certificate_requested(&self) -> bool {
        self.seen().messages.iter().any(|message| message.kind == HandshakeType::CERTIFICATE_REQUEST)
    }

    /// Whether the server came back to this client once the first handshake was over: with a HelloRequest (RFC 5246
    /// 7.4.1.1), or with a CertificateRequest (RFC 8446 4.6.2).
    #[must_use]
    pub fn asked_late(&self) -> bool {
        let late = [HandshakeType::HELLO_REQUEST, HandshakeType::CERTIFICATE_REQUEST];
        let seen = self.seen();
        let received = || seen.messages.iter().filter(|message| message.direction == Direction::Received);
        received()
            .skip_while(|message| message.kind != HandshakeType::FINISHED)
            .any(|message| late.contains(&message.kind))
    }

    /// The scheme of the signature with which the peer has proven that it has the key of its certificate, in TLS 1.2
    /// (client certificates) and 1.3.
    #[must_use]
    pub fn signature_received(&self) -> Option<u16> {
        self.seen().signature_received
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Each change under this lock is a single assignment, so a panic elsewhere spoils nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ffi::Witness for Observer {
    fn index() -> Index<Ssl, Arc<Self>> {
        *index()
    }

    fn message(&self, sent: bool, version: u16, content_type: u8, bytes: &[u8]) {
        let direction = if sent { Direction::Sent } else { Direction::Received };
        match (content_type, bytes) {
            (ALERT, &[level, code, ..]) => self.seen().alert(direction, version, level, code),
            (HANDSHAKE, &[kind, ..]) => self.seen().handshake(direction, HandshakeType(kind), bytes),
            _ => {}
        }
    }
}

impl Seen {
    fn alert(&mut self, direction: Direction, version: u16, level: u8, code: u8) {
        let Some(alert) = Alert::from_code(code) else { return };
        match alert {
            Alert::CloseNotify => *self.close_notify.get(direction) = true,
            Alert::NoRenegotiation => *self.no_renegotiation.get(direction) = true,
            _ if is_fatal(version, level, alert) => {
                self.fatal.get(direction).get_or_insert(alert);
            }
            _ => {}
        }
    }

    fn handshake(&mut self, direction: Direction, kind: HandshakeType, bytes: &[u8]) {
        if kind == HandshakeType::CLIENT_HELLO {
            self.client_hellos += 1;
            self.client_hello.get_or_insert_with(|| bytes.into());
        }
        if kind == HandshakeType::FINISHED {
            *self.finished.get(direction) += 1;
        }
        if let (HandshakeType::CERTIFICATE_VERIFY, Direction::Received, [_, _, _, _, high, low, ..]) =
            (kind, direction, bytes)
        {
            self.signature_received = Some(u16::from_be_bytes([*high, *low]));
        }
        if self.messages.is_empty() {
            self.messages.reserve(USUAL_MESSAGES);
        }
        // A peer may send key updates for ever; what the ledger asks about comes long before this.
        if self.messages.len() < MOST_MESSAGES {
            self.messages.push(Message { direction, kind });
        }
    }
}

/// In TLS 1.3 the level means nothing: all alerts but two are errors (RFC 8446 6).
fn is_fatal(version: u16, level: u8, alert: Alert) -> bool {
    level == FATAL || (version == TLS13 && alert != Alert::UserCanceled)
}

const FATAL: u8 = 2;
const TLS13: u16 = TlsVersion::Tls13.number();
/// A full handshake with a client certificate has 15.
const USUAL_MESSAGES: usize = 16;
const MOST_MESSAGES: usize = 256;

/// A value for each direction.
#[derive(Debug, Default)]
struct Both<T> {
    sent: T,
    received: T,
}

impl<T> Both<T> {
    fn get(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::Sent => &mut self.sent,
            Direction::Received => &mut self.received,
        }
    }
}

impl HandshakeType {
    /// 0 (up to TLS 1.2)
    pub const HELLO_REQUEST: Self = Self(0);
    /// 1
    pub const CLIENT_HELLO: Self = Self(1);
    /// 2
    pub const SERVER_HELLO: Self = Self(2);
    /// 4
    pub const NEW_SESSION_TICKET: Self = Self(4);
    /// 11
    pub const CERTIFICATE: Self = Self(11);
    /// 12 (up to TLS 1.2)
    pub const SERVER_KEY_EXCHANGE: Self = Self(12);
    /// 13
    pub const CERTIFICATE_REQUEST: Self = Self(13);
    /// 14 (up to TLS 1.2)
    pub const SERVER_HELLO_DONE: Self = Self(14);
    /// CertificateVerify.
    pub const CERTIFICATE_VERIFY: Self = Self(15);
    /// 20
    pub const FINISHED: Self = Self(20);
}

impl fmt::Display for HandshakeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0 => "HelloRequest",
            1 => "ClientHello",
            2 => "ServerHello",
            4 => "NewSessionTicket",
            5 => "EndOfEarlyData",
            8 => "EncryptedExtensions",
            11 => "Certificate",
            12 => "ServerKeyExchange",
            13 => "CertificateRequest",
            14 => "ServerHelloDone",
            15 => "CertificateVerify",
            16 => "ClientKeyExchange",
            20 => "Finished",
            22 => "CertificateStatus",
            24 => "KeyUpdate",
            25 => "CompressedCertificate",
            other => return write!(f, "handshake message {other}"),
        };
        f.pad(name)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = match self.direction {
            Direction::Sent => '>',
            Direction::Received => '<',
        };
        write!(f, "{arrow}{}", self.kind)
    }
}

/// The place on an [`Ssl`] where its observer is kept.
fn index() -> &'static Index<Ssl, Arc<Observer>> {
    static INDEX: OnceLock<Index<Ssl, Arc<Observer>>> = OnceLock::new();
    // Fails only if memory for one pointer cannot be had.
    INDEX.get_or_init(|| Ssl::new_ex_index().expect("OpenSSL gives out an index"))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixStream, thread};

    use openssl::ssl::{SslContext, SslMethod, SslStream, SslVerifyMode, SslVersion};
    use rstest::rstest;
    use time::macros::datetime;
    use tls_gauntlet_certs::{ClientCertificate, Name, Pki, ServerCertificate};

    use super::*;

    struct Ends {
        client: Arc<Observer>,
        server: Arc<Observer>,
    }

    /// One handshake (and in TLS 1.3, where the client is done first, one byte) between two ends in memory.
    fn handshake(version: SslVersion, client_trusts: bool, server_asks: bool) -> Ends {
        let pki = Pki::new(1, datetime!(2026-03-01 12:00 UTC)).unwrap();
        let identity = pki.server(ServerCertificate::Good, &[Name::Dns("a.test".to_owned())]).unwrap();
        let mut server = context(SslMethod::tls_server(), version);
        server.set_certificate(identity.leaf()).unwrap();
        server.set_private_key(identity.key()).unwrap();
        server.add_extra_chain_cert(identity.chain()[1].clone()).unwrap();
        if server_asks {
            server.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        }
        let mut client = context(SslMethod::tls_client(), version);
        let shown = pki.client(ClientCertificate::Good).unwrap();
        client.set_certificate(shown.leaf()).unwrap();
        client.set_private_key(shown.key()).unwrap();
        client.set_verify_callback(SslVerifyMode::PEER, move |_, _| client_trusts);

        let (near, far) = UnixStream::pair().unwrap();
        let (client, server) = (client.build(), server.build());
        let serving = thread::spawn(move || {
            let (observer, stream) = open(&server, far);
            if let Ok(mut stream) = stream.accept() {
                let _ = stream.ssl_write(b"x");
            }
            observer
        });
        let (observer, stream) = open(&client, near);
        if let Ok(mut stream) = stream.connect() {
            let _ = stream.ssl_read(&mut [0]);
        }
        Ends { client: observer, server: serving.join().unwrap() }
    }

    fn context(method: SslMethod, version: SslVersion) -> SslContextBuilder {
        let mut context = SslContext::builder(method).unwrap();
        context.set_security_level(0);
        context.set_min_proto_version(Some(version)).unwrap();
        context.set_max_proto_version(Some(version)).unwrap();
        context.set_cipher_list("DEFAULT:@SECLEVEL=0").unwrap();
        install(&mut context);
        context
    }

    struct Ready(Ssl, UnixStream);

    impl Ready {
        fn accept(self) -> Result<SslStream<UnixStream>, openssl::ssl::HandshakeError<UnixStream>> {
            self.0.accept(self.1)
        }
        fn connect(self) -> Result<SslStream<UnixStream>, openssl::ssl::HandshakeError<UnixStream>> {
            self.0.connect(self.1)
        }
    }

    fn open(context: &SslContext, stream: UnixStream) -> (Arc<Observer>, Ready) {
        let mut ssl = Ssl::new(context).unwrap();
        (attach(&mut ssl), Ready(ssl, stream))
    }

    #[rstest]
    #[case(SslVersion::TLS1)]
    #[case(SslVersion::TLS1_2)]
    #[case(SslVersion::TLS1_3)]
    fn both_ends_tell_the_same_story(#[case] version: SslVersion, #[values(false, true)] asks: bool) {
        let Ends { client, server } = handshake(version, true, asks);

        assert_eq!(server.client_hello(), client.client_hello());
        assert_eq!(server.client_hello().map(|hello| hello[0]), Some(1));
        assert_eq!((server.handshakes(), client.handshakes()), (1, 1));
        assert_eq!((server.certificate_requested(), client.certificate_requested()), (asks, asks));
        assert_eq!(server.later_client_hellos(), 0);
        assert_eq!((server.alert_received(), server.alert_sent()), (None, None));
    }

    #[rstest]
    #[case(SslVersion::TLS1_2)]
    #[case(SslVersion::TLS1_3)]
    fn an_alert_is_seen_at_both_ends(#[case] version: SslVersion) {
        let Ends { client, server } = handshake(version, false, false);

        assert_eq!(client.alert_sent(), Some(Alert::UnknownCa));
        assert_eq!(server.alert_received(), Some(Alert::UnknownCa));
        assert_eq!((client.alert_received(), server.alert_sent()), (None, None));
    }

    #[test]
    fn warnings_are_not_fatal_but_the_refusal_to_renegotiate_is_kept() {
        let mut seen = Seen::default();
        for (version, level, code) in [(0x0303, 1, 112), (0x0303, 1, 0), (TLS13, 1, 90)] {
            seen.alert(Direction::Received, version, level, code);
        }
        assert_eq!((seen.fatal.received, seen.close_notify.received), (None, true));
        let observer = Observer(Mutex::new(seen));
        assert_eq!(observer.alert_received(), None);

        observer.seen().alert(Direction::Received, 0x0303, 1, 100);
        assert_eq!(observer.alert_received(), Some(Alert::NoRenegotiation));
        observer.seen().alert(Direction::Received, TLS13, 1, 116);
        assert_eq!(observer.alert_received(), Some(Alert::CertificateRequired));
    }
}
