//! Why a handshake failed, as far as the backend itself knows: OpenSSL's reasons in the words of the catalogue.

use openssl::x509::X509VerifyResult;
use tls_gauntlet_scenarios::{Alert, Cause};

use crate::wire::shared_tls::Failure;

/// What a failed handshake leaves behind.
pub(super) struct Signs<'a> {
    pub(super) alert_received: Option<Alert>,
    pub(super) alert_sent: Option<Alert>,
    pub(super) failure: &'a Failure,
    /// What became of the client's chain.
    pub(super) verdict: X509VerifyResult,
    /// Whether the client sent a server name.
    pub(super) has_name: bool,
}

/// The backend's own reason; `None` where the peer gave up for one that only the peer knows.
pub(super) fn own(signs: &Signs<'_>) -> Option<Cause> {
    if signs.alert_received.is_some() {
        return None;
    }
    match signs.alert_sent {
        Some(Alert::UnrecognizedName) if signs.has_name => return Some(Cause::SniUnknown),
        Some(Alert::UnrecognizedName) => return Some(Cause::SniMissing),
        Some(Alert::NoApplicationProtocol) => return Some(Cause::AlpnMismatch),
        _ => {}
    }
    signs.failure.reasons.iter().find_map(|reason| of_reason(*reason, signs.verdict))
}

/// The numbers are those of `openssl/sslerr.h`; they never change.
fn of_reason(reason: i32, verdict: X509VerifyResult) -> Option<Cause> {
    match reason {
        // SSL_R_NO_SHARED_CIPHER
        193 => Some(Cause::NoCommonCipher),
        // SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_UNKNOWN_PROTOCOL, SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_WRONG_VERSION_NUMBER,
        // SSL_R_WRONG_SSL_VERSION, SSL_R_VERSION_TOO_LOW, SSL_R_INAPPROPRIATE_FALLBACK
        191 | 254 | 258 | 266 | 267 | 373 | 396 => Some(Cause::NoCommonVersion),
        // SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SUITABLE_GROUPS, SSL_R_NO_SHARED_GROUPS
        101 | 295 | 410 => Some(Cause::NoCommonGroup),
        // SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM
        118 => Some(Cause::NoCommonSignature),
        // SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE
        199 => Some(Cause::ClientCertMissing),
        // SSL_R_CERTIFICATE_VERIFY_FAILED
        134 => Some(of_verdict(verdict)),
        _ => None,
    }
}

/// The numbers are those of `openssl/x509_vfy.h` (`X509_STORE_CTX_get_error(3)`).
pub(super) fn of_verdict(verdict: X509VerifyResult) -> Cause {
    match verdict.as_raw() {
        // X509_V_ERR_CERT_NOT_YET_VALID
        9 => Cause::ClientCertNotYetValid,
        // X509_V_ERR_CERT_HAS_EXPIRED
        10 => Cause::ClientCertExpired,
        // X509_V_ERR_CERT_REVOKED
        23 => Cause::ClientCertRevoked,
        // X509_V_ERR_INVALID_PURPOSE, X509_V_ERR_CERT_REJECTED
        26 | 28 => Cause::ClientCertWrongUsage,
        // X509_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_CA_KEY_TOO_SMALL, X509_V_ERR_CA_MD_TOO_WEAK
        66..=68 => Cause::ClientCertWeak,
        // No issuer, an untrusted one, or one that may not issue; whatever else makes a chain unsound.
        _ => Cause::ClientCertUntrusted,
    }
}
