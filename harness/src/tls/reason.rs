//! The reasons that OpenSSL gives for its errors (`ERR_GET_REASON(3)`), read as causes. This is the only reading of them.

use std::io;

use openssl::{
    error::{Error, ErrorStack},
    x509::X509VerifyResult,
};
use tls_gauntlet_scenarios::Cause;

use super::verification::{client_cause, server_cause};

#[allow(dead_code, reason = "every reason of the header has its name")]
mod names {
    //! `SSL_R_…` and `ERR_LIB_…`, as `build.rs` finds them in the headers of the OpenSSL that is linked.
    include!(concat!(env!("OUT_DIR"), "/openssl_reasons.rs"));
}
pub(crate) use names::*;

/// The side that has met an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The one that connected.
    Client,
    /// The one that accepted.
    Server,
}

/// The reasons in an error of OpenSSL's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reasons {
    numbers: Vec<i32>,
    asn1: bool,
    unoffered_protocol: bool,
    /// In OpenSSL's words, the deepest first.
    words: Vec<&'static str>,
}

impl Reasons {
    pub(crate) fn of(stack: &ErrorStack) -> Self {
        let errors = stack.errors();
        let tls = errors.iter().filter(|error| error.library_code() == ERR_LIB_SSL);
        Self {
            numbers: tls.map(Error::reason_code).collect(),
            asn1: errors.iter().any(|error| error.library_code() == ERR_LIB_ASN1),
            // An extension can be bad in many ways, and they share one reason; only the function tells ALPN.
            unoffered_protocol: errors.iter().any(|error| error.function() == Some("tls_parse_stoc_alpn")),
            words: errors.iter().filter_map(Error::reason).collect(),
        }
    }

    pub(crate) fn has(&self, reason: i32) -> bool {
        self.numbers.contains(&reason)
    }

    fn any(&self, reasons: &[i32]) -> bool {
        reasons.iter().any(|&reason| self.has(reason))
    }

    /// In OpenSSL's words.
    pub(crate) fn text(&self) -> String {
        if self.words.is_empty() { "OpenSSL gave no reason".to_owned() } else { self.words.join(": ") }
    }

    /// Whether the peer's first bytes were no TLS.
    pub(crate) fn is_not_tls(&self) -> bool {
        self.any(&[
            SSL_R_HTTPS_PROXY_REQUEST,
            SSL_R_HTTP_REQUEST,
            SSL_R_PACKET_LENGTH_TOO_LONG,
            SSL_R_WRONG_VERSION_NUMBER,
            SSL_R_BAD_RECORD_TYPE,
        ])
    }

    /// The cause that this side had for giving up, as far as the reasons and the check of the peer's certificate tell.
    pub(crate) fn cause(&self, role: Role, verified: X509VerifyResult) -> Option<Cause> {
        if self.has(SSL_R_CERTIFICATE_VERIFY_FAILED) {
            return match role {
                Role::Client => server_cause(verified.as_raw()),
                Role::Server => client_cause(verified.as_raw()),
            };
        }
        if self.any(&[
            SSL_R_VERSION_TOO_HIGH,
            SSL_R_VERSION_TOO_LOW,
            SSL_R_NO_PROTOCOLS_AVAILABLE,
            SSL_R_UNKNOWN_PROTOCOL,
            SSL_R_UNSUPPORTED_PROTOCOL,
            SSL_R_WRONG_SSL_VERSION,
            SSL_R_WRONG_VERSION_NUMBER,
            SSL_R_INAPPROPRIATE_FALLBACK,
        ]) {
            return Some(Cause::NoCommonVersion);
        }
        if self.has(SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED) {
            return Some(Cause::RenegotiationInsecure);
        }
        if self.any(&[SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SUITABLE_GROUPS, SSL_R_NO_SHARED_GROUPS]) {
            return Some(Cause::NoCommonGroup);
        }
        if self.any(&[SSL_R_NO_CIPHERS_AVAILABLE, SSL_R_NO_SHARED_CIPHER, SSL_R_WRONG_CIPHER_RETURNED]) {
            return Some(Cause::NoCommonCipher);
        }
        if self.has(SSL_R_NO_APPLICATION_PROTOCOL) || self.unoffered_protocol {
            return Some(Cause::AlpnMismatch);
        }
        if self.has(SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
            return Some(Cause::ClientCertMissing);
        }
        match role {
            Role::Server if self.has(SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM) => Some(Cause::NoCommonSignature),
            // No other message of a server's comes near the limit.
            Role::Client if self.has(SSL_R_EXCESSIVE_MESSAGE_SIZE) => Some(Cause::ServerCertTooLarge),
            Role::Client if self.is_malformed() => Some(Cause::ServerCertMalformed),
            Role::Client | Role::Server => None,
        }
    }

    /// Whether a certificate, or a signature that its key should have made, could not be read.
    pub(crate) fn is_malformed(&self) -> bool {
        self.asn1 || self.any(&[SSL_R_BAD_SIGNATURE, SSL_R_CERT_LENGTH_MISMATCH, SSL_R_LENGTH_MISMATCH])
    }
}

/// The operating system's error, where OpenSSL has put it on its own stack and has nothing to add: since 3.2 a write
/// to a connection that was reset ends like that (`tls_retry_write_records` in `ssl/record/methods/tls_common.c`).
pub(crate) fn system_error(stack: &ErrorStack) -> Option<io::Error> {
    // ERR_SYSTEM_FLAG in openssl/err.h: the rest of the code is errno.
    const SYSTEM_FLAG: u32 = 1 << 31;
    let [error] = stack.errors() else { return None };
    let code = u32::try_from(error.code()).ok().filter(|code| code & SYSTEM_FLAG != 0)?;
    Some(io::Error::from_raw_os_error((code & !SYSTEM_FLAG).cast_signed()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(SSL_R_UNKNOWN_PROTOCOL, Some(Cause::NoCommonVersion), Some(Cause::NoCommonVersion))]
    #[case(SSL_R_VERSION_TOO_HIGH, Some(Cause::NoCommonVersion), Some(Cause::NoCommonVersion))]
    #[case(SSL_R_NO_SHARED_CIPHER, Some(Cause::NoCommonCipher), Some(Cause::NoCommonCipher))]
    #[case(SSL_R_NO_SHARED_GROUPS, Some(Cause::NoCommonGroup), Some(Cause::NoCommonGroup))]
    #[case(SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, Some(Cause::NoCommonSignature), None)]
    #[case(SSL_R_EXCESSIVE_MESSAGE_SIZE, None, Some(Cause::ServerCertTooLarge))]
    #[case(
        SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
        Some(Cause::ClientCertMissing),
        Some(Cause::ClientCertMissing)
    )]
    // The reason that the check of a certificate failed does not tell what is wrong with it.
    #[case(SSL_R_CERTIFICATE_VERIFY_FAILED, None, None)]
    fn reasons_are_read_alike_on_both_sides(
        #[case] reason: i32,
        #[case] server: Option<Cause>,
        #[case] client: Option<Cause>,
    ) {
        let reasons = Reasons { numbers: vec![reason], ..Reasons::default() };
        assert_eq!(reasons.cause(Role::Server, X509VerifyResult::OK), server);
        assert_eq!(reasons.cause(Role::Client, X509VerifyResult::OK), client);
    }

    #[test]
    fn a_failed_check_of_a_certificate_is_read_by_its_result() {
        let reasons = Reasons { numbers: vec![SSL_R_CERTIFICATE_VERIFY_FAILED], ..Reasons::default() };
        let expired = crate::ffi::verify_result(openssl_sys::X509_V_ERR_CERT_HAS_EXPIRED);
        assert_eq!(reasons.cause(Role::Server, expired), Some(Cause::ClientCertExpired));
        assert_eq!(reasons.cause(Role::Client, expired), Some(Cause::ServerCertExpired));
    }

    #[test]
    fn the_names_are_those_of_the_openssl_that_is_linked() {
        let refused = openssl::ssl::SslContext::builder(openssl::ssl::SslMethod::tls_client())
            .and_then(|mut context| context.set_cipher_list("NO-SUCH-SUITE"))
            .unwrap_err();
        assert!(Reasons::of(&refused).has(SSL_R_NO_CIPHER_MATCH), "{refused}");
    }
}
