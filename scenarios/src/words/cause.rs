//! Why somebody refused: one row a cause, with everything that the rest of the code knows of it.

use super::{Alert, Party, Phase, closed_list};

/// What is known of a cause beside its name.
#[derive(Debug, Clone, Copy)]
struct Facts {
    refuser: Party,
    phase: Option<Phase>,
    before_backend: bool,
    alerts: &'static [Alert],
}

/// Declares the list and the facts. The columns: the party that usually refuses for it; the phase to which it belongs, or
/// `Any`; `early` if a gateway can have it without having called the backend; the alerts by which an OpenSSL server names
/// it, where there are two the first of TLS 1.3.
macro_rules! causes {
    ($($(#[$doc:meta])* $cause:ident = $word:literal $refuser:ident $phase:ident $when:ident [$($alert:ident)*],)*) => {
        closed_list! {
            /// Why somebody refused: the closed list of causes.
            Cause as "cause" { $($(#[$doc])* $cause = $word,)* }
        }

        const fn facts(cause: Cause) -> Facts {
            match cause {
                $(Cause::$cause => Facts {
                    refuser: Party::$refuser,
                    phase: causes!(@phase $phase),
                    before_backend: causes!(@early $when),
                    alerts: &[$(Alert::$alert),*],
                },)*
            }
        }
    };
    (@phase Any) => { None };
    (@phase $phase:ident) => { Some(Phase::$phase) };
    (@early early) => { true };
    (@early later) => { false };
}

causes! {
    /// The two sides share no protocol version.
    NoCommonVersion = "no-common-version" Backend Handshake later [ProtocolVersion],
    /// The two sides share no cipher suite.
    NoCommonCipher = "no-common-cipher" Backend Handshake later [HandshakeFailure],
    /// The two sides share no key-exchange group.
    NoCommonGroup = "no-common-group" Backend Handshake later [HandshakeFailure],
    /// The client takes no signature that the server's key could make (RFC 8446 4.2.3).
    NoCommonSignature = "no-common-signature" Backend Handshake later [HandshakeFailure],
    /// The server's certificate (or one above it) has expired.
    ServerCertExpired = "server-cert-expired" Gateway Handshake later [],
    /// The server's certificate is not valid yet.
    ServerCertNotYetValid = "server-cert-not-yet-valid" Gateway Handshake later [],
    /// The server's chain does not end in a trusted root.
    ServerCertUntrusted = "server-cert-untrusted" Gateway Handshake later [],
    /// The server's certificate is for another name.
    ServerCertNameMismatch = "server-cert-name-mismatch" Gateway Handshake later [],
    /// The server's certificate is not for servers.
    ServerCertWrongUsage = "server-cert-wrong-usage" Gateway Handshake later [],
    /// The server's key or signature is too weak.
    ServerCertWeak = "server-cert-weak" Gateway Handshake later [],
    /// The server's certificate was revoked.
    ServerCertRevoked = "server-cert-revoked" Gateway Handshake later [],
    /// Whether the server's certificate was revoked cannot be found out.
    ServerCertStatusUnknown = "server-cert-status-unknown" Gateway Handshake later [],
    /// The server's certificates are longer than what its client reads.
    ServerCertTooLarge = "server-cert-too-large" Gateway Handshake later [],
    /// The server's certificate cannot be read.
    ServerCertMalformed = "server-cert-malformed" Gateway Handshake later [],
    /// A client certificate was required and none came.
    ClientCertMissing = "client-cert-missing" Backend Any early [CertificateRequired HandshakeFailure],
    /// The client's chain does not end in a trusted root.
    ClientCertUntrusted = "client-cert-untrusted" Backend Any early [UnknownCa],
    /// The client's certificate has expired.
    ClientCertExpired = "client-cert-expired" Backend Any early [CertificateExpired],
    /// The client's certificate is not valid yet.
    ClientCertNotYetValid = "client-cert-not-yet-valid" Backend Any early [BadCertificate],
    /// The client's certificate is not for clients.
    ClientCertWrongUsage = "client-cert-wrong-usage" Backend Any early [UnsupportedCertificate],
    /// The client's key or signature is too weak.
    ClientCertWeak = "client-cert-weak" Backend Any early [BadCertificate],
    /// The client's certificate was revoked.
    ClientCertRevoked = "client-cert-revoked" Backend Any early [CertificateRevoked],
    /// A peer would not renegotiate (TLS 1.2 and before).
    RenegotiationRefused = "renegotiation-refused" Gateway Request later [],
    /// A server does not indicate secure renegotiation (RFC 5746), and its client insists on it.
    RenegotiationInsecure = "renegotiation-insecure" Gateway Handshake later [],
    /// A peer would not authenticate after the handshake (TLS 1.3).
    PostHandshakeAuthRefused = "post-handshake-auth-refused" Gateway Request later [],
    /// The two sides share no application protocol.
    AlpnMismatch = "alpn-mismatch" Backend Handshake later [NoApplicationProtocol],
    /// The request needs what HTTP/2 forbids (RFC 9113 7, `HTTP_1_1_REQUIRED`).
    Http11Required = "http11-required" Gateway Request later [],
    /// A server name was required and none came.
    SniMissing = "sni-missing" Backend Handshake early [UnrecognizedName],
    /// The server does not know the name it was asked for.
    SniUnknown = "sni-unknown" Backend Handshake early [UnrecognizedName],
    /// Nobody listens on the port.
    ConnectionRefused = "connection-refused" Network Connect early [],
    /// A peer went silent.
    Timeout = "timeout" Gateway Any later [],
    /// A peer reset the TCP connection.
    Reset = "reset" Backend Any later [],
    /// A peer ended the connection in the middle of a message.
    Truncated = "truncated" Backend Any later [],
    /// A peer gave up with an alert that says no more.
    Aborted = "aborted" Backend Any later [],
    /// The request's host is not the name that the connection was made for.
    Misdirected = "misdirected" Backend Any early [],
    /// What answered does not speak TLS.
    NotTls = "not-tls" Gateway Handshake later [],
    /// No witness could name a cause. Never expected; never a pass.
    Unexplained = "unexplained" Network Any later [],
}

impl Cause {
    /// The party that usually refuses for it.
    #[must_use]
    pub const fn refuser(self) -> Party {
        facts(self).refuser
    }

    /// The phase to which it belongs, where there is only one.
    #[must_use]
    pub const fn phase(self) -> Option<Phase> {
        facts(self).phase
    }

    /// Whether a gateway can have it without having called the backend. HTTP where TLS was expected is one of these only
    /// where the client sent it.
    #[must_use]
    pub const fn is_before_backend(self) -> bool {
        facts(self).before_backend
    }

    /// The alerts by which an OpenSSL server names it; where there are two, the first is of TLS 1.3.
    #[must_use]
    pub const fn alerts(self) -> &'static [Alert] {
        facts(self).alerts
    }

    /// Whether it is about a server's certificate, or about the signatures that its key can make.
    #[must_use]
    pub fn is_about_certificates(self) -> bool {
        self == Self::NoCommonSignature || self.as_str().starts_with("server-cert-")
    }

    /// Whether the two sides have nothing in common that the handshake needs.
    #[must_use]
    pub const fn is_nothing_in_common(self) -> bool {
        matches!(
            self,
            Self::NoCommonVersion | Self::NoCommonCipher | Self::NoCommonGroup | Self::NoCommonSignature
        )
    }
}
