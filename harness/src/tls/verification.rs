//! Names the cause behind each result of OpenSSL's certificate verification.

use openssl_sys as ffi;
use tls_gauntlet_scenarios::Cause;

/// Why a server's certificate was refused; nothing if it was not. (The number is that of an `X509VerifyResult`.)
pub(crate) fn server_cause(result: i32) -> Option<Cause> {
    Some(match flaw(result)? {
        Flaw::Expired => Cause::ServerCertExpired,
        Flaw::NotYetValid => Cause::ServerCertNotYetValid,
        Flaw::Untrusted => Cause::ServerCertUntrusted,
        Flaw::OtherName => Cause::ServerCertNameMismatch,
        Flaw::WrongUsage => Cause::ServerCertWrongUsage,
        Flaw::Weak => Cause::ServerCertWeak,
        Flaw::Revoked => Cause::ServerCertRevoked,
        Flaw::StatusUnknown => Cause::ServerCertStatusUnknown,
        Flaw::Malformed => Cause::ServerCertMalformed,
    })
}

/// Why a client's certificate was refused; nothing if it was not.
pub(crate) fn client_cause(result: i32) -> Option<Cause> {
    Some(match flaw(result)? {
        Flaw::Expired => Cause::ClientCertExpired,
        Flaw::NotYetValid => Cause::ClientCertNotYetValid,
        Flaw::WrongUsage => Cause::ClientCertWrongUsage,
        Flaw::Weak => Cause::ClientCertWeak,
        Flaw::Revoked => Cause::ClientCertRevoked,
        // The list of causes knows no finer ones for clients.
        Flaw::Untrusted | Flaw::OtherName | Flaw::StatusUnknown | Flaw::Malformed => {
            Cause::ClientCertUntrusted
        }
    })
}

/// Whether the name, and not the chain, is what was wrong.
pub(crate) fn is_about_the_name(result: i32) -> bool {
    flaw(result) == Some(Flaw::OtherName)
}

/// The flaw of a certificate, of a server or of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Expired,
    NotYetValid,
    Untrusted,
    OtherName,
    WrongUsage,
    Weak,
    Revoked,
    StatusUnknown,
    Malformed,
}

fn flaw(result: i32) -> Option<Flaw> {
    // X509_STORE_CTX_get_error(3) describes each number.
    Some(match result {
        ffi::X509_V_OK => return None,
        ffi::X509_V_ERR_CERT_HAS_EXPIRED => Flaw::Expired,
        ffi::X509_V_ERR_CERT_NOT_YET_VALID => Flaw::NotYetValid,
        ffi::X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
        | ffi::X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
        | ffi::X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
        | ffi::X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        | ffi::X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
        | ffi::X509_V_ERR_CERT_CHAIN_TOO_LONG
        | ffi::X509_V_ERR_PATH_LENGTH_EXCEEDED
        | ffi::X509_V_ERR_CERT_UNTRUSTED
        | ffi::X509_V_ERR_CERT_REJECTED
        | ffi::X509_V_ERR_INVALID_CA => Flaw::Untrusted,
        ffi::X509_V_ERR_HOSTNAME_MISMATCH
        | ffi::X509_V_ERR_EMAIL_MISMATCH
        | ffi::X509_V_ERR_IP_ADDRESS_MISMATCH => Flaw::OtherName,
        ffi::X509_V_ERR_INVALID_PURPOSE => Flaw::WrongUsage,
        ffi::X509_V_ERR_EE_KEY_TOO_SMALL
        | ffi::X509_V_ERR_CA_KEY_TOO_SMALL
        | ffi::X509_V_ERR_CA_MD_TOO_WEAK => Flaw::Weak,
        ffi::X509_V_ERR_CERT_REVOKED => Flaw::Revoked,
        ffi::X509_V_ERR_UNABLE_TO_GET_CRL
        | ffi::X509_V_ERR_CRL_SIGNATURE_FAILURE
        | ffi::X509_V_ERR_CRL_NOT_YET_VALID
        | ffi::X509_V_ERR_CRL_HAS_EXPIRED
        | ffi::X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER => Flaw::StatusUnknown,
        _ => Flaw::Malformed,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(ffi::X509_V_OK, None, None)]
    #[case(ffi::X509_V_ERR_CERT_HAS_EXPIRED, Some(Cause::ServerCertExpired), Some(Cause::ClientCertExpired))]
    #[case(
        ffi::X509_V_ERR_CERT_NOT_YET_VALID,
        Some(Cause::ServerCertNotYetValid),
        Some(Cause::ClientCertNotYetValid)
    )]
    #[case(
        ffi::X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
        Some(Cause::ServerCertUntrusted),
        Some(Cause::ClientCertUntrusted)
    )]
    // A root that its store marks against this use (X509_STORE_CTX_get_error(3)) is a root that is not trusted for it.
    #[case(ffi::X509_V_ERR_CERT_REJECTED, Some(Cause::ServerCertUntrusted), Some(Cause::ClientCertUntrusted))]
    #[case(
        ffi::X509_V_ERR_INVALID_PURPOSE,
        Some(Cause::ServerCertWrongUsage),
        Some(Cause::ClientCertWrongUsage)
    )]
    #[case(
        ffi::X509_V_ERR_HOSTNAME_MISMATCH,
        Some(Cause::ServerCertNameMismatch),
        Some(Cause::ClientCertUntrusted)
    )]
    #[case(ffi::X509_V_ERR_CERT_REVOKED, Some(Cause::ServerCertRevoked), Some(Cause::ClientCertRevoked))]
    #[case(
        ffi::X509_V_ERR_CRL_HAS_EXPIRED,
        Some(Cause::ServerCertStatusUnknown),
        Some(Cause::ClientCertUntrusted)
    )]
    #[case(ffi::X509_V_ERR_CA_MD_TOO_WEAK, Some(Cause::ServerCertWeak), Some(Cause::ClientCertWeak))]
    #[case(
        ffi::X509_V_ERR_CERT_SIGNATURE_FAILURE,
        Some(Cause::ServerCertMalformed),
        Some(Cause::ClientCertUntrusted)
    )]
    fn causes(#[case] number: i32, #[case] server: Option<Cause>, #[case] client: Option<Cause>) {
        assert_eq!(server_cause(number), server);
        assert_eq!(client_cause(number), client);
    }
}
