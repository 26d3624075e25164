//! PKCS#12, as Windows and Azure want it.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::provider::Provider;
use openssl::stack::Stack;
use openssl::x509::X509;

use crate::{Error, Identity};

/// How a PFX file is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PfxEncryption {
    /// AES-256 with PBKDF2, SHA-256 for the integrity: what OpenSSL 3 and Windows Server 2019 write.
    Modern,
    /// RC2-40 for the certificates, 3DES for the key, SHA-1 for the integrity: what everything older wrote,
    /// and what OpenSSL 3 refuses to read without `-legacy`.
    Legacy,
}

impl Identity {
    /// Key and chain in one encrypted file. The friendly name is the common name of the leaf.
    pub fn pfx(&self, password: &str, encryption: PfxEncryption) -> Result<Vec<u8>, Error> {
        // The binding would panic.
        if password.contains('\0') {
            return Err(Error::Password);
        }
        // Loaded for this one file only: while it is loaded, the whole process has MD4 and RC4.
        let _legacy = match encryption {
            PfxEncryption::Modern => None,
            PfxEncryption::Legacy => {
                Some(Provider::try_load(None, "legacy", true).map_err(Error::NoLegacyProvider)?)
            }
        };
        self.encode(password, encryption).map_err(Error::openssl("write a PFX file"))
    }

    fn encode(&self, password: &str, encryption: PfxEncryption) -> Result<Vec<u8>, ErrorStack> {
        let (key, certificates, integrity) = match encryption {
            PfxEncryption::Modern => (Nid::AES_256_CBC, Nid::AES_256_CBC, MessageDigest::sha256()),
            PfxEncryption::Legacy => (
                Nid::PBE_WITHSHA1AND3_KEY_TRIPLEDES_CBC,
                Nid::PBE_WITHSHA1AND40BITRC2_CBC,
                MessageDigest::sha1(),
            ),
        };
        let mut above = Stack::<X509>::new()?;
        for certificate in &self.chain()[1..] {
            above.push(certificate.clone())?;
        }
        Pkcs12::builder()
            .name(self.subject())
            .pkey(self.key())
            .cert(self.leaf())
            .ca(above)
            .key_algorithm(key)
            .cert_algorithm(certificates)
            .mac_md(integrity)
            .build2(password)?
            .to_der()
    }
}
