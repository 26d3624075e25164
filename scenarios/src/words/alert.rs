//! TLS alerts by name (RFC 8446 section 6, with those of RFC 5246 that 1.3 dropped).

use super::closed_list;

closed_list! {
    /// A TLS alert description.
    Alert as "alert" {
        /// 0
        CloseNotify = "close_notify",
        /// 10
        UnexpectedMessage = "unexpected_message",
        /// 20
        BadRecordMac = "bad_record_mac",
        /// 21 (RFC 5246)
        DecryptionFailed = "decryption_failed_RESERVED",
        /// 22
        RecordOverflow = "record_overflow",
        /// 30 (RFC 5246)
        DecompressionFailure = "decompression_failure_RESERVED",
        /// 40
        HandshakeFailure = "handshake_failure",
        /// 41 (SSL 3.0)
        NoCertificate = "no_certificate_RESERVED",
        /// 42
        BadCertificate = "bad_certificate",
        /// 43
        UnsupportedCertificate = "unsupported_certificate",
        /// 44
        CertificateRevoked = "certificate_revoked",
        /// 45
        CertificateExpired = "certificate_expired",
        /// 46
        CertificateUnknown = "certificate_unknown",
        /// 47
        IllegalParameter = "illegal_parameter",
        /// 48
        UnknownCa = "unknown_ca",
        /// 49
        AccessDenied = "access_denied",
        /// 50
        DecodeError = "decode_error",
        /// 51
        DecryptError = "decrypt_error",
        /// 60 (RFC 2246)
        ExportRestriction = "export_restriction_RESERVED",
        /// 70
        ProtocolVersion = "protocol_version",
        /// 71
        InsufficientSecurity = "insufficient_security",
        /// 80
        InternalError = "internal_error",
        /// 86 (RFC 7507)
        InappropriateFallback = "inappropriate_fallback",
        /// 90
        UserCanceled = "user_canceled",
        /// 100 (RFC 5246)
        NoRenegotiation = "no_renegotiation",
        /// 109
        MissingExtension = "missing_extension",
        /// 110
        UnsupportedExtension = "unsupported_extension",
        /// 111 (RFC 6066)
        CertificateUnobtainable = "certificate_unobtainable_RESERVED",
        /// 112
        UnrecognizedName = "unrecognized_name",
        /// 113
        BadCertificateStatusResponse = "bad_certificate_status_response",
        /// 114 (RFC 6066)
        BadCertificateHashValue = "bad_certificate_hash_value_RESERVED",
        /// 115
        UnknownPskIdentity = "unknown_psk_identity",
        /// 116
        CertificateRequired = "certificate_required",
        /// 120
        NoApplicationProtocol = "no_application_protocol",
        /// 121 (RFC 9849)
        EchRequired = "ech_required",
    }
}

impl Alert {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::CloseNotify => 0,
            Self::UnexpectedMessage => 10,
            Self::BadRecordMac => 20,
            Self::DecryptionFailed => 21,
            Self::RecordOverflow => 22,
            Self::DecompressionFailure => 30,
            Self::HandshakeFailure => 40,
            Self::NoCertificate => 41,
            Self::BadCertificate => 42,
            Self::UnsupportedCertificate => 43,
            Self::CertificateRevoked => 44,
            Self::CertificateExpired => 45,
            Self::CertificateUnknown => 46,
            Self::IllegalParameter => 47,
            Self::UnknownCa => 48,
            Self::AccessDenied => 49,
            Self::DecodeError => 50,
            Self::DecryptError => 51,
            Self::ExportRestriction => 60,
            Self::ProtocolVersion => 70,
            Self::InsufficientSecurity => 71,
            Self::InternalError => 80,
            Self::InappropriateFallback => 86,
            Self::UserCanceled => 90,
            Self::NoRenegotiation => 100,
            Self::MissingExtension => 109,
            Self::UnsupportedExtension => 110,
            Self::CertificateUnobtainable => 111,
            Self::UnrecognizedName => 112,
            Self::BadCertificateStatusResponse => 113,
            Self::BadCertificateHashValue => 114,
            Self::UnknownPskIdentity => 115,
            Self::CertificateRequired => 116,
            Self::NoApplicationProtocol => 120,
            Self::EchRequired => 121,
        }
    }

    /// The alert with this number on the wire, if it has a name.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|alert| alert.code() == code)
    }
}
