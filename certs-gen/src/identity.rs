//! A certificate that can be shown: leaf, chain and key.

use std::fmt::{self, Write};
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sha::sha256;
use openssl::x509::X509;

use crate::authority::Link;

/// A certificate chain and its key, as one side of a handshake presents them.
pub struct Identity {
    subject: String,
    leaf_der: Vec<u8>,
    chain: Vec<X509>,
    key: PKey<Private>,
    issuer: Option<Arc<Link>>,
}

impl Identity {
    pub(crate) fn new(
        subject: String,
        leaf_der: Vec<u8>,
        chain: Vec<X509>,
        key: PKey<Private>,
        issuer: Option<Arc<Link>>,
    ) -> Self {
        Self { subject, leaf_der, chain, key, issuer }
    }

    /// Somebody's certificate, chain and key. The leaf comes first.
    pub(crate) fn opened(chain: Vec<X509>, key: PKey<Private>) -> Result<Self, ErrorStack> {
        let leaf = &chain[0];
        let name = leaf.subject_name().entries_by_nid(Nid::COMMONNAME).next();
        let subject = name.and_then(|name| name.data().to_string().ok()).unwrap_or_default();
        Ok(Self::new(subject, leaf.to_der()?, chain, key, None))
    }

    /// The common name of the leaf, or for the recipes without one what it would have been.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The certificate itself.
    pub fn leaf(&self) -> &X509 {
        &self.chain[0]
    }

    /// The certificate itself, in DER.
    pub fn leaf_der(&self) -> &[u8] {
        &self.leaf_der
    }

    /// The certificates that go on the wire: the leaf first, the root never (but for [`ServerCertificate::WithRoot`]).
    ///
    /// [`ServerCertificate::WithRoot`]: crate::ServerCertificate::WithRoot
    pub fn chain(&self) -> &[X509] {
        &self.chain
    }

    /// The certificates that go on the wire, each in DER, for TLS libraries other than OpenSSL.
    pub fn chain_der(&self) -> Vec<Vec<u8>> {
        self.chain.iter().map(|one| one.to_der().expect("what was decoded can be encoded")).collect()
    }

    /// The private key of the leaf, or what [`ServerCertificate::MismatchedKey`] has in its place.
    ///
    /// [`ServerCertificate::MismatchedKey`]: crate::ServerCertificate::MismatchedKey
    pub fn key(&self) -> &PKey<Private> {
        &self.key
    }

    /// The chain in PEM, leaf first.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|one| text(one.to_pem())).collect()
    }

    /// The private key in PEM, as PKCS#8.
    pub fn key_pem(&self) -> String {
        text(self.key.private_key_to_pem_pkcs8())
    }

    /// The issuer of the leaf, with the key that signs revocation lists and responses; none if the identity was read from a file.
    pub(crate) fn issuer(&self) -> Option<&Link> {
        self.issuer.as_deref()
    }

    /// The serial number of the leaf, in lower-case hexadecimal.
    pub fn serial(&self) -> String {
        let number = self.leaf().serial_number().to_bn().map(|number| number.to_vec());
        hex(&number.unwrap_or_default())
    }

    /// The SHA-256 of the leaf, in lower-case hexadecimal.
    pub fn fingerprint(&self) -> String {
        hex(&sha256(&self.leaf_der))
    }
}

/// Bytes in lower-case hexadecimal, two digits each.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("subject", &self.subject)
            .field("fingerprint", &self.fingerprint())
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// PEM of something that is in memory already and was encoded once before, so it cannot fail to encode.
fn text(pem: Result<Vec<u8>, ErrorStack>) -> String {
    String::from_utf8(pem.expect("what was decoded can be encoded")).expect("PEM is ASCII")
}
