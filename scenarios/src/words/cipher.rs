//! Cipher suites and key-exchange groups, as far as profiles name them.

use super::{TlsVersion, closed_list};

closed_list! {
    /// A cipher suite by its name in the IANA registry (RFC 8446 11).
    CipherSuite as "cipher suite" {
        /// RFC 8446 B.4.
        Aes128GcmSha256 = "TLS_AES_128_GCM_SHA256",
        /// RFC 8446 B.4.
        Aes256GcmSha384 = "TLS_AES_256_GCM_SHA384",
        /// RFC 8446 B.4.
        Chacha20Poly1305Sha256 = "TLS_CHACHA20_POLY1305_SHA256",
        /// RFC 8446 B.4.
        Aes128CcmSha256 = "TLS_AES_128_CCM_SHA256",
        /// RFC 8446 B.4.
        Aes128Ccm8Sha256 = "TLS_AES_128_CCM_8_SHA256",
        /// RFC 5289.
        EcdheEcdsaAes128Gcm = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        /// RFC 5289.
        EcdheEcdsaAes256Gcm = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        /// RFC 5289.
        EcdheRsaAes128Gcm = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        /// RFC 5289.
        EcdheRsaAes256Gcm = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        /// RFC 7905.
        EcdheEcdsaChacha20 = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        /// RFC 7905.
        EcdheRsaChacha20 = "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        /// RFC 7251.
        EcdheEcdsaAes128Ccm = "TLS_ECDHE_ECDSA_WITH_AES_128_CCM",
        /// RFC 7251.
        EcdheEcdsaAes128Ccm8 = "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
        /// RFC 5289.
        EcdheEcdsaAes128CbcSha256 = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        /// RFC 5289.
        EcdheRsaAes128CbcSha256 = "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
        /// RFC 5289.
        EcdheEcdsaAes256CbcSha384 = "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
        /// RFC 5289.
        EcdheRsaAes256CbcSha384 = "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
        /// RFC 8422.
        EcdheEcdsaAes128CbcSha = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        /// RFC 8422.
        EcdheRsaAes128CbcSha = "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        /// RFC 8422.
        EcdheEcdsaAes256CbcSha = "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        /// RFC 8422.
        EcdheRsaAes256CbcSha = "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        /// RFC 5246 A.5.
        RsaAes128CbcSha256 = "TLS_RSA_WITH_AES_128_CBC_SHA256",
        /// RFC 5246 A.5.
        RsaAes256CbcSha256 = "TLS_RSA_WITH_AES_256_CBC_SHA256",
        /// RFC 5246 A.5.
        RsaAes128CbcSha = "TLS_RSA_WITH_AES_128_CBC_SHA",
        /// RFC 5246 A.5.
        RsaAes256CbcSha = "TLS_RSA_WITH_AES_256_CBC_SHA",
        /// RFC 5288.
        RsaAes128Gcm = "TLS_RSA_WITH_AES_128_GCM_SHA256",
        /// RFC 5288.
        RsaAes256Gcm = "TLS_RSA_WITH_AES_256_GCM_SHA384",
        /// RFC 5246 A.5.
        DheRsaAes128CbcSha = "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
        /// RFC 5246 A.5.
        DheRsaAes256CbcSha = "TLS_DHE_RSA_WITH_AES_256_CBC_SHA",
        /// RFC 5246 A.5.
        DheRsaAes128CbcSha256 = "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256",
        /// RFC 5246 A.5.
        DheRsaAes256CbcSha256 = "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256",
        /// RFC 7905.
        DheRsaChacha20 = "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        /// RFC 5288.
        DheRsaAes128Gcm = "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
        /// RFC 5288.
        DheRsaAes256Gcm = "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
        /// RFC 5246 A.5, prohibited by RFC 7465.
        RsaRc4Sha = "TLS_RSA_WITH_RC4_128_SHA",
        /// RFC 8422, prohibited by RFC 7465.
        EcdheRsaRc4Sha = "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
        /// RFC 5246 A.5.
        Rsa3desCbcSha = "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        /// RFC 8422.
        EcdheRsa3desCbcSha = "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
        /// RFC 5246 A.5: no encryption.
        RsaNullSha = "TLS_RSA_WITH_NULL_SHA",
        /// RFC 5246 A.5: no encryption.
        RsaNullSha256 = "TLS_RSA_WITH_NULL_SHA256",
        /// RFC 5246 A.5: no authentication.
        DhAnonAes128CbcSha = "TLS_DH_anon_WITH_AES_128_CBC_SHA",
        /// RFC 5288: no authentication.
        DhAnonAes128Gcm = "TLS_DH_anon_WITH_AES_128_GCM_SHA256",
        /// RFC 8422: no authentication.
        EcdhAnonAes128CbcSha = "TLS_ECDH_anon_WITH_AES_128_CBC_SHA",
    }
}

impl CipherSuite {
    /// Whether the suite can be used with this version: those of TLS 1.3 only there (RFC 8446 B.4), those with an
    /// AEAD or a hash above SHA-1 from 1.2 on (RFC 5246 1.2), those with curves from 1.0 on (RFC 8422 2).
    #[must_use]
    pub fn fits(self, version: TlsVersion) -> bool {
        let name = self.as_str();
        if Self::is_tls13(name) {
            return version == TlsVersion::Tls13;
        }
        let least = if name.ends_with("_SHA") {
            if name.contains("ECDH") { TlsVersion::Tls10 } else { TlsVersion::Ssl3 }
        } else {
            TlsVersion::Tls12
        };
        (least..=TlsVersion::Tls12).contains(&version)
    }

    /// Whether the two sides agree on a key over a curve, with a fresh key each (RFC 8422 2.1, 2.2).
    #[must_use]
    pub fn is_ecdhe(self) -> bool {
        self.as_str().contains("_ECDHE_")
    }

    /// Whether the server needs a certificate with an RSA key.
    #[must_use]
    pub fn needs_rsa(self) -> bool {
        self.as_str().contains("_RSA_")
    }

    /// Whether a suite of this name is one of TLS 1.3, which names no key exchange (RFC 8446 B.4).
    pub(crate) fn is_tls13(name: &str) -> bool {
        name.starts_with("TLS_") && !name.contains("_WITH_")
    }

    /// The suites of a list that must not go beyond another. Suites of TLS 1.3 and older ones are two settings: where a list
    /// has none of one kind, it says nothing about that kind.
    ///
    /// # Errors
    /// [`NoSuiteLeft`] if both speak of a kind and have nothing in common there.
    pub fn limited(own: Option<&[Self]>, limit: Option<&[Self]>) -> Result<Option<Vec<Self>>, NoSuiteLeft> {
        let mut left = Vec::new();
        for is_tls13 in [true, false] {
            let of_kind = |list: Option<&[Self]>| -> Vec<Self> {
                let suites = list.unwrap_or_default().iter().copied();
                suites.filter(|suite| suite.fits(TlsVersion::Tls13) == is_tls13).collect()
            };
            let (own, limit) = (of_kind(own), of_kind(limit));
            let mut both = own.clone();
            match (own.is_empty(), limit.is_empty()) {
                (true, _) => both = limit,
                (false, true) => {}
                (false, false) => both.retain(|suite| limit.contains(suite)),
            }
            if both.is_empty() && !own.is_empty() {
                return Err(NoSuiteLeft);
            }
            left.extend(both);
        }
        Ok((!left.is_empty()).then_some(left))
    }

    /// Whether OpenSSL offers it unless told otherwise: nothing broken, nothing exotic (openssl-ciphers(1), `DEFAULT`).
    #[must_use]
    pub fn is_openssl_default(self) -> bool {
        let name = self.as_str();
        !Self::is_broken(name) && !["_3DES_", "_CCM"].iter().any(|part| name.contains(part))
    }

    /// Whether a suite of this name must never be negotiated: it does not encrypt, does not authenticate, is weakened for export
    /// or broken (RFC 9325 4.1).
    pub(crate) fn is_broken(name: &str) -> bool {
        ["_NULL_", "_anon_", "_EXPORT_", "_RC4_", "_DES_"].iter().any(|part| name.contains(part))
    }
}

/// Two lists of cipher suites have nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuiteLeft;

closed_list! {
    /// A key-exchange group by its name in the IANA registry (RFC 8446 4.2.7).
    Group as "group" {
        /// RFC 7748.
        X25519 = "x25519",
        /// RFC 8422.
        Secp256r1 = "secp256r1",
        /// RFC 8422.
        Secp384r1 = "secp384r1",
        /// RFC 8422.
        Secp521r1 = "secp521r1",
        /// RFC 7748.
        X448 = "x448",
        /// RFC 7919.
        Ffdhe2048 = "ffdhe2048",
        /// draft-ietf-tls-ecdhe-mlkem.
        X25519Mlkem768 = "X25519MLKEM768",
        /// draft-ietf-tls-ecdhe-mlkem.
        Secp256r1Mlkem768 = "SecP256r1MLKEM768",
    }
}

impl Group {
    /// Whether the group can be used with this version: the post-quantum ones only in TLS 1.3; finite fields below
    /// it are not negotiated by any library in this way.
    #[must_use]
    pub const fn fits(self, version: TlsVersion) -> bool {
        match self {
            Self::Ffdhe2048 | Self::X25519Mlkem768 | Self::Secp256r1Mlkem768 => {
                matches!(version, TlsVersion::Tls13)
            }
            Self::X25519 | Self::Secp256r1 | Self::Secp384r1 | Self::Secp521r1 | Self::X448 => {
                !matches!(version, TlsVersion::Ssl3)
            }
        }
    }
}
