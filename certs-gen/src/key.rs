//! An OpenSSL key that rcgen can sign with.

use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sha::sha256;
use openssl::sign::Signer;
use rcgen::{PublicKeyData, SignatureAlgorithm, SigningKey};

use crate::Error;

/// A private key with what rcgen wants to know about it. Cloning shares the key.
#[derive(Clone)]
pub(crate) struct Key {
    private: PKey<Private>,
    public: Vec<u8>,
    algorithm: &'static SignatureAlgorithm,
}

impl Key {
    pub(crate) fn p256() -> Result<Self, Error> {
        // `PKey::ec_gen` would do, but getting the public point out of its result takes longer than making it.
        EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)
            .and_then(|group| EcKey::generate(&group))
            .and_then(Self::from_p256)
            .map_err(Error::openssl("generate a P-256 key"))
    }

    pub(crate) fn rsa2048() -> Result<Self, Error> {
        Rsa::generate(2048).and_then(Self::from_rsa).map_err(Error::openssl("generate an RSA-2048 key"))
    }

    /// Takes a key that was read from a file, if it is one of ours.
    pub(crate) fn restore(private: &PKey<Private>) -> Option<Self> {
        let key = private.ec_key().ok()?;
        let is_p256 = key.group().curve_name() == Some(Nid::X9_62_PRIME256V1);
        if is_p256 { Self::from_p256(key).ok() } else { None }
    }

    pub(crate) fn private(&self) -> &PKey<Private> {
        &self.private
    }

    /// RFC 7093 2, method 1: the leftmost 160 bits of the SHA-256 of the public key.
    pub(crate) fn identifier(&self) -> Vec<u8> {
        sha256(&self.public)[..20].to_vec()
    }

    fn from_p256(key: EcKey<Private>) -> Result<Self, ErrorStack> {
        let form = PointConversionForm::UNCOMPRESSED;
        let public = key.public_key().to_bytes(key.group(), form, &mut *BigNumContext::new()?)?;
        Ok(Self { private: PKey::from_ec_key(key)?, public, algorithm: &rcgen::PKCS_ECDSA_P256_SHA256 })
    }

    fn from_rsa(key: Rsa<Private>) -> Result<Self, ErrorStack> {
        let public = key.public_key_to_der_pkcs1()?;
        Ok(Self { private: PKey::from_rsa(key)?, public, algorithm: &rcgen::PKCS_RSA_SHA256 })
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        // rcgen's error has no room for OpenSSL's reason.
        Signer::new(MessageDigest::sha256(), &self.private)
            .and_then(|mut signer| signer.sign_oneshot_to_vec(message))
            .map_err(|_| rcgen::Error::RemoteKeyError)
    }
}
