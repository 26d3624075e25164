//! The causes of refusals, and the TLS alerts that say so (RFC 8446 section 6, with those of RFC 5246 that 1.3 dropped): one
//! row a word, with everything that the rest of the code knows of it.

use super::{Party, Phase, closed_list};

/// The columns of a cause beside its name.
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
            /// The cause of a refusal.
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
    /// The client keeps its certificate back: the server names none of the authorities above it.
    ClientCertWithheld = "client-cert-withheld" Backend Any early [CertificateRequired HandshakeFailure],
    /// The client does not have the key of its certificate.
    ClientCertUnproven = "client-cert-unproven" Backend Any early [DecryptError],
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
    /// The server shows another certificate when it renegotiates, and its client takes none but the first.
    ServerCertChanged = "server-cert-changed" Gateway Request later [],
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
    /// The gateway takes no server for one that can be called, and calls none.
    NoServerAvailable = "no-server-available" Gateway Connect early [],
    /// The port is closed.
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
    /// The peer that answered does not speak TLS.
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

    /// Whether it is about a client's certificate.
    #[must_use]
    pub const fn is_about_client_certificate(self) -> bool {
        matches!(
            self,
            Self::ClientCertMissing
                | Self::ClientCertWithheld
                | Self::ClientCertUnproven
                | Self::ClientCertUntrusted
                | Self::ClientCertExpired
                | Self::ClientCertNotYetValid
                | Self::ClientCertWrongUsage
                | Self::ClientCertWeak
                | Self::ClientCertRevoked
        )
    }

    /// The cause as its witnesses have it: a server cannot know of a certificate that its client keeps back.
    #[must_use]
    pub const fn as_seen(self) -> Self {
        match self {
            Self::ClientCertWithheld => Self::ClientCertMissing,
            other => other,
        }
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

/// Declares the list. The columns: the number on the wire; what a server means by it; what a client means by it. Causes
/// stand in the order of their likelihood; an alert without any says nothing of its cause.
macro_rules! alerts {
    ($($(#[$doc:meta])* $alert:ident = $word:literal $code:literal [$($server:ident)*] [$($client:ident)*],)*) => {
        closed_list! {
            /// A TLS alert description.
            Alert as "alert" { $($(#[$doc])* $alert = $word,)* }
        }

        impl Alert {
            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$alert => $code,)* }
            }

            /// The causes that it names from a server that has asked for no certificate.
            #[must_use]
            pub const fn meant_by_server(self) -> &'static [Cause] {
                match self { $(Self::$alert => &[$(Cause::$server),*],)* }
            }

            /// The causes that it names from a client, the faults of a server's certificate among them.
            #[must_use]
            pub const fn meant_by_client(self) -> &'static [Cause] {
                match self { $(Self::$alert => &[$(Cause::$client),*],)* }
            }
        }
    };
}

alerts! {
    /// RFC 8446 section 6.
    CloseNotify = "close_notify" 0 [] [],
    /// RFC 8446 section 6.
    UnexpectedMessage = "unexpected_message" 10 [] [],
    /// RFC 8446 section 6.
    BadRecordMac = "bad_record_mac" 20 [] [],
    /// RFC 5246.
    DecryptionFailed = "decryption_failed_RESERVED" 21 [] [],
    /// RFC 8446 section 6.
    RecordOverflow = "record_overflow" 22 [] [],
    /// RFC 5246.
    DecompressionFailure = "decompression_failure_RESERVED" 30 [] [],
    /// RFC 8446 section 6. OpenSSL says it to a server whose Diffie-Hellman parameters are too short, or that does not know RFC 5746.
    HandshakeFailure = "handshake_failure" 40 [NoCommonCipher NoCommonGroup NoCommonSignature] [NoCommonGroup RenegotiationInsecure],
    /// SSL 3.0.
    NoCertificate = "no_certificate_RESERVED" 41 [ClientCertMissing] [],
    /// RFC 8446 section 6. OpenSSL says it to one that is not valid yet (`ssl_x509err2alert`), Go and `BoringSSL` to almost everything.
    BadCertificate = "bad_certificate" 42 [] [ServerCertNotYetValid ServerCertNameMismatch ServerCertMalformed ServerCertWeak ServerCertUntrusted ServerCertExpired ServerCertWrongUsage ServerCertRevoked],
    /// RFC 8446 section 6.
    UnsupportedCertificate = "unsupported_certificate" 43 [ClientCertWrongUsage] [ServerCertWrongUsage],
    /// RFC 8446 section 6.
    CertificateRevoked = "certificate_revoked" 44 [ClientCertRevoked] [ServerCertRevoked],
    /// RFC 8446 section 6. "Has expired or is not currently valid": `BoringSSL` says it to one that is not valid yet.
    CertificateExpired = "certificate_expired" 45 [ClientCertExpired ClientCertNotYetValid] [ServerCertExpired ServerCertNotYetValid],
    /// RFC 8446 section 6.
    CertificateUnknown = "certificate_unknown" 46 [] [ServerCertNotYetValid ServerCertNameMismatch ServerCertMalformed ServerCertWeak ServerCertUntrusted ServerCertExpired ServerCertWrongUsage ServerCertRevoked],
    /// RFC 8446 section 6.
    IllegalParameter = "illegal_parameter" 47 [] [],
    /// RFC 8446 section 6.
    UnknownCa = "unknown_ca" 48 [ClientCertUntrusted] [ServerCertUntrusted],
    /// RFC 8446 section 6.
    AccessDenied = "access_denied" 49 [] [],
    /// RFC 8446 section 6. Some message of the handshake was none, or the certificate in it was not.
    DecodeError = "decode_error" 50 [] [NotTls ServerCertMalformed],
    /// RFC 8446 section 6. A signature that the key of the certificate did not make (RFC 8446 4.4.3).
    DecryptError = "decrypt_error" 51 [ClientCertUnproven] [ServerCertMalformed],
    /// RFC 2246.
    ExportRestriction = "export_restriction_RESERVED" 60 [] [],
    /// RFC 8446 section 6.
    ProtocolVersion = "protocol_version" 70 [NoCommonVersion] [NoCommonVersion],
    /// RFC 8446 section 6.
    InsufficientSecurity = "insufficient_security" 71 [NoCommonCipher] [],
    /// RFC 8446 section 6.
    InternalError = "internal_error" 80 [] [],
    /// RFC 7507.
    InappropriateFallback = "inappropriate_fallback" 86 [] [],
    /// RFC 8446 section 6.
    UserCanceled = "user_canceled" 90 [] [],
    /// RFC 5246.
    NoRenegotiation = "no_renegotiation" 100 [RenegotiationRefused] [RenegotiationRefused],
    /// RFC 8446 section 6.
    MissingExtension = "missing_extension" 109 [] [],
    /// RFC 8446 section 6.
    UnsupportedExtension = "unsupported_extension" 110 [] [],
    /// RFC 6066.
    CertificateUnobtainable = "certificate_unobtainable_RESERVED" 111 [] [],
    /// RFC 8446 section 6.
    UnrecognizedName = "unrecognized_name" 112 [SniUnknown SniMissing] [],
    /// RFC 6066 section 8.
    BadCertificateStatusResponse = "bad_certificate_status_response" 113 [] [ServerCertStatusUnknown ServerCertRevoked],
    /// RFC 6066.
    BadCertificateHashValue = "bad_certificate_hash_value_RESERVED" 114 [] [],
    /// RFC 8446 section 6.
    UnknownPskIdentity = "unknown_psk_identity" 115 [] [],
    /// RFC 8446 section 6.
    CertificateRequired = "certificate_required" 116 [ClientCertMissing] [],
    /// RFC 8446 section 6.
    NoApplicationProtocol = "no_application_protocol" 120 [AlpnMismatch] [AlpnMismatch],
    /// RFC 9849.
    EchRequired = "ech_required" 121 [] [],
}

impl Alert {
    /// The alert with this number on the wire, if it has a name.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|alert| alert.code() == code)
    }

    /// The causes that it names from a server that has asked for a certificate, in the handshake of a version up to TLS 1.2 or not. Some
    /// libraries say `bad_certificate` to every fault of a client's certificate; up to TLS 1.2 a missing one is a
    /// `handshake_failure` (RFC 5246 7.4.6).
    #[must_use]
    pub const fn meant_by_server_that_asked(self, is_old: bool) -> &'static [Cause] {
        match self {
            Self::HandshakeFailure if is_old => &[Cause::ClientCertMissing],
            Self::BadCertificate | Self::CertificateUnknown | Self::AccessDenied => &[
                Cause::ClientCertUntrusted,
                Cause::ClientCertExpired,
                Cause::ClientCertNotYetValid,
                Cause::ClientCertWrongUsage,
                Cause::ClientCertWeak,
                Cause::ClientCertRevoked,
                Cause::ClientCertMissing,
            ],
            _ => self.meant_by_server(),
        }
    }
}
