//! Certificates from a user's files: opened, or refused with what is wrong with them.
//!
//! Whatever can be wrong is found here, when a file is loaded, so that nothing is left for the first request to find.

use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::x509::X509;

use crate::Identity;

/// Why a file cannot be used as the certificate of a client or a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// PEM where PFX was wanted.
    #[error(
        "it is PEM and no PFX; make one of it: openssl pkcs12 -export -inkey KEY -in CERTIFICATE -out FILE.pfx"
    )]
    Pem,
    /// Neither PFX nor anything known.
    #[error("it is no PFX (PKCS #12, RFC 7292)")]
    NotPfx,
    /// RC2 or RC4.
    #[error(
        "it is encrypted with RC2 or RC4, which OpenSSL 3 reads with its legacy provider alone; export it again with AES-256"
    )]
    Legacy,
    /// Another password, or none where one is needed.
    #[error("the password does not open it")]
    WrongPassword,
    /// No private key.
    #[error("it holds no private key; export it together with its key")]
    NoKey,
    /// A private key and nothing to it.
    #[error("it holds no certificate that belongs to its private key")]
    NoCertificate,
    /// It opens, and what it holds cannot be read.
    #[error("what it holds cannot be read")]
    Illegible,
    /// Anything but certificates where a list of authorities was wanted.
    #[error("it holds no certificate in PEM")]
    NoAuthority,
}

impl Identity {
    /// Opens a PFX file: key, certificate and what is above it.
    ///
    /// Encryption by RC2 or RC4 is refused whatever the password, also in a process that has the legacy provider loaded.
    pub fn from_pfx(file: &[u8], password: &str) -> Result<Self, Unusable> {
        if file.trim_ascii_start().starts_with(b"-----BEGIN") {
            return Err(Unusable::Pem);
        }
        let pfx = Pkcs12::from_der(file).map_err(|_| Unusable::NotPfx)?;
        if is_legacy(file) {
            return Err(Unusable::Legacy);
        }
        let is_about_the_mac = |code: i32| code == MAC_VERIFY_FAILURE;
        let held = pfx.parse2(password).map_err(|stack| {
            if stack.errors().iter().any(|error| is_about_the_mac(error.reason_code())) {
                Unusable::WrongPassword
            } else {
                Unusable::Illegible
            }
        })?;
        let key = held.pkey.ok_or(Unusable::NoKey)?;
        let leaf = held.cert.ok_or(Unusable::NoCertificate)?;
        let mut chain = vec![leaf];
        chain.extend(held.ca.into_iter().flatten());
        Self::opened(chain, key).map_err(|_| Unusable::Illegible)
    }

    /// Reads a chain, leaf first, and its key from one PEM text.
    pub fn from_pem(text: &[u8]) -> Result<Self, Unusable> {
        let chain = authorities(text)?;
        let key = PKey::private_key_from_pem(text).map_err(|_| Unusable::NoKey)?;
        let is_its_own = chain[0].public_key().is_ok_and(|public| public.public_eq(&key));
        if !is_its_own {
            return Err(Unusable::NoCertificate);
        }
        Self::opened(chain, key).map_err(|_| Unusable::Illegible)
    }
}

/// The certificates of a PEM text, at least one.
pub fn authorities(text: &[u8]) -> Result<Vec<X509>, Unusable> {
    match X509::stack_from_pem(text) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(Unusable::NoAuthority),
    }
}

/// `PKCS12_R_MAC_VERIFY_FAILURE` of `openssl/pkcs12err.h`.
const MAC_VERIFY_FAILURE: i32 = 113;

/// The algorithms of RFC 7292 appendix C with RC4 (1 and 2) and RC2 (5 and 6), below 1.2.840.113549.1.12.1.
fn is_legacy(file: &[u8]) -> bool {
    const PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01];
    file.windows(PBE.len() + 1)
        .any(|window| window.starts_with(PBE) && matches!(window[PBE.len()], 1 | 2 | 5 | 6))
}
