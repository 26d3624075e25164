//! TLS alerts by name (RFC 8446 section 6, with those of RFC 5246 that 1.3 dropped), and what each can mean.

use super::{Cause, closed_list};

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

            /// What a server means by it that has asked for no certificate.
            #[must_use]
            pub const fn meant_by_server(self) -> &'static [Cause] {
                match self { $(Self::$alert => &[$(Cause::$server),*],)* }
            }

            /// What a client means by it: which faults of a server's certificate it can stand for, among others.
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
    /// RFC 8446 section 6.
    HandshakeFailure = "handshake_failure" 40 [NoCommonCipher NoCommonGroup NoCommonSignature] [],
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
    DecryptError = "decrypt_error" 51 [] [ServerCertMalformed],
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

    /// What a server means by it that has asked for a certificate, in the handshake of a version up to TLS 1.2 or not. Some
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
