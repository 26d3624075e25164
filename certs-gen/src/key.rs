//! An OpenSSL key that rcgen can sign with.

use std::sync::Mutex;

use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{KeyType, PKey, Private};
use openssl::rand::rand_bytes;
use openssl::rsa::Rsa;
use openssl::sha::sha256;
use openssl::sign::Signer;
use rcgen::{PublicKeyData, SignatureAlgorithm, SigningKey};
use yasna::models::ObjectIdentifier;
use yasna::{construct_der, parse_der};

use crate::Error;
use crate::lock::lock;
use crate::rsa::of_five_primes;
use crate::shape::KeyKind;

/// Where a key is kept that takes long to make.
pub(crate) type Slot = Mutex<Option<Key>>;

/// A private key with what rcgen wants to know about it. Cloning shares the key.
#[derive(Clone)]
pub(crate) struct Key {
    private: PKey<Private>,
    public: Vec<u8>,
    encoding: Encoding,
}

/// The encoder that writes the public key into a certificate.
#[derive(Clone)]
enum Encoding {
    /// rcgen, which also knows how such a key signs.
    Rcgen(&'static SignatureAlgorithm),
    /// OpenSSL: the whole `SubjectPublicKeyInfo`. Such a key is a leaf's and signs no certificates.
    OpenSsl(Vec<u8>),
}

impl Key {
    /// A new key, or for RSA a kept one, because making one takes as long as a thousand leaves: RSA-2048 comes out
    /// of the slot, the others are the process's.
    ///
    /// Measured on two busy cores: RSA-1024 30 ms, 2048 100 ms, 3072 110 ms, 4096 160 to
    /// 1100 ms, 8192 0.6 to 2.8 s on several
    /// threads (of two primes: 4 to 28 s).
    pub(crate) fn of(kind: KeyKind, rsa_2048: &Slot) -> Result<Self, Error> {
        static RSA_1024: Slot = Slot::new(None);
        static RSA_3072: Slot = Slot::new(None);
        static RSA_4096: Slot = Slot::new(None);
        static RSA_8192: Slot = Slot::new(None);
        static RSA_PSS: Slot = Slot::new(None);
        let rsa = |slot, bits| kept(slot, || Rsa::generate(bits).and_then(Self::from_rsa));
        match kind {
            KeyKind::P256 => return Self::p256(),
            KeyKind::P384 => ec(Nid::SECP384R1).and_then(Self::special),
            KeyKind::P521 => ec(Nid::SECP521R1).and_then(Self::special),
            KeyKind::Rsa1024 => rsa(&RSA_1024, 1024),
            KeyKind::Rsa2048 => rsa(rsa_2048, 2048),
            KeyKind::Rsa3072 => rsa(&RSA_3072, 3072),
            KeyKind::Rsa4096 => rsa(&RSA_4096, 4096),
            KeyKind::Rsa8192 => kept(&RSA_8192, || of_five_primes().and_then(Self::from_rsa)),
            KeyKind::RsaPss => kept(&RSA_PSS, || rsa_pss().and_then(Self::special)),
            KeyKind::Ed25519 => PKey::generate_ed25519().and_then(Self::special),
            KeyKind::Ed448 => PKey::generate_ed448().and_then(Self::special),
            KeyKind::MlDsa65 => ml_dsa_65().and_then(Self::special),
        }
        .map_err(Error::openssl("generate a key"))
    }

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

    /// Takes an authority's key that was read from a file: RSA or ECDSA, which sign with SHA-256.
    pub(crate) fn adopted(private: &PKey<Private>) -> Option<Self> {
        match private.rsa() {
            Ok(key) => Self::from_rsa(key).ok(),
            Err(_) => private.ec_key().is_ok().then(|| Self::special(private.clone()).ok()).flatten(),
        }
    }

    pub(crate) fn private(&self) -> &PKey<Private> {
        &self.private
    }

    /// The public key as OpenSSL encodes it, if rcgen cannot.
    pub(crate) fn special_encoding(&self) -> Option<&[u8]> {
        match &self.encoding {
            Encoding::Rcgen(_) => None,
            Encoding::OpenSsl(info) => Some(info),
        }
    }

    /// RFC 7093 2, method 1: the leftmost 160 bits of the SHA-256 of the public key.
    pub(crate) fn identifier(&self) -> Vec<u8> {
        sha256(&self.public)[..20].to_vec()
    }

    /// This P-256 key with another's private half. OpenSSL compares the public halves alone, so a server loads it
    /// as the key of its certificate, and makes signatures that do not verify.
    pub(crate) fn spoiled(&self) -> Result<PKey<Private>, ErrorStack> {
        let own = self.private.ec_key()?;
        let other = EcKey::generate(own.group())?;
        EcKey::from_private_components(own.group(), other.private_key(), own.public_key())
            .and_then(PKey::from_ec_key)
    }

    fn from_p256(key: EcKey<Private>) -> Result<Self, ErrorStack> {
        let form = PointConversionForm::UNCOMPRESSED;
        let public = key.public_key().to_bytes(key.group(), form, &mut *BigNumContext::new()?)?;
        let encoding = Encoding::Rcgen(&rcgen::PKCS_ECDSA_P256_SHA256);
        Ok(Self { private: PKey::from_ec_key(key)?, public, encoding })
    }

    fn from_rsa(key: Rsa<Private>) -> Result<Self, ErrorStack> {
        let public = key.public_key_to_der_pkcs1()?;
        Ok(Self { private: PKey::from_rsa(key)?, public, encoding: Encoding::Rcgen(&rcgen::PKCS_RSA_SHA256) })
    }

    fn special(private: PKey<Private>) -> Result<Self, ErrorStack> {
        let info = private.public_key_to_der()?;
        let public = parse_der(&info, |reader| {
            reader.read_sequence(|info| {
                let _algorithm = info.next().read_der()?;
                Ok(info.next().read_bitvec_bytes()?.0)
            })
        })
        .expect("OpenSSL encodes public keys in DER");
        Ok(Self { private, public, encoding: Encoding::OpenSsl(info) })
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match &self.encoding {
            Encoding::Rcgen(algorithm) => algorithm,
            // Holds the place; `Parts::set_key` puts the true one there.
            Encoding::OpenSsl(_) => &rcgen::PKCS_ECDSA_P256_SHA256,
        }
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

/// The key in the slot; made first if there is none. Who asks meanwhile for the same kind waits.
fn kept(slot: &Slot, make: impl FnOnce() -> Result<Key, ErrorStack>) -> Result<Key, ErrorStack> {
    let mut kept = lock(slot);
    let key = match kept.take() {
        Some(key) => key,
        None => make()?,
    };
    Ok(kept.insert(key).clone())
}

fn ec(curve: Nid) -> Result<PKey<Private>, ErrorStack> {
    EcGroup::from_curve_name(curve).and_then(|group| EcKey::generate(&group)).and_then(PKey::from_ec_key)
}

/// RFC 4055 1.2: an RSA key that says of itself that it is for PSS. It differs from others by its OID alone.
fn rsa_pss() -> Result<PKey<Private>, ErrorStack> {
    let key = Rsa::generate(2048)?.private_key_to_der()?;
    let pkcs8 = construct_der(|writer| {
        writer.write_sequence(|info| {
            info.next().write_u8(0);
            info.next().write_sequence(|algorithm| {
                let oid = [1, 2, 840, 113_549, 1, 1, 10];
                algorithm.next().write_oid(&ObjectIdentifier::from_slice(&oid));
            });
            info.next().write_bytes(&key);
        });
    });
    PKey::private_key_from_pkcs8(&pkcs8)
}

fn ml_dsa_65() -> Result<PKey<Private>, ErrorStack> {
    let mut seed = [0; 32];
    rand_bytes(&mut seed)?;
    PKey::private_key_from_seed(None, KeyType::ML_DSA_65, None, &seed)
}
