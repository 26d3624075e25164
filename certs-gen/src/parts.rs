//! A certificate taken apart, so that what rcgen does not encode can be put in.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKeyRef, Private};
use openssl::sign::Signer;
use yasna::models::ObjectIdentifier;
use yasna::{ASN1Result, BERReaderSeq, DERWriter, construct_der, parse_der};

/// The signed fields of a certificate, each in DER (RFC 5280 4.1), and the signature.
pub(crate) struct Parts {
    version: Option<Vec<u8>>,
    serial: Vec<u8>,
    algorithm: Vec<u8>,
    issuer: Vec<u8>,
    validity: Vec<u8>,
    subject: Vec<u8>,
    key: Vec<u8>,
    extensions: Option<Vec<u8>>,
    signature: Vec<u8>,
}

/// A certificate or a revocation list with another issuer, signed anew: `field` is the place of the issuer in what is signed.
///
/// rcgen holds each attribute of a name once, and an authority may have several (`DC=example, DC=com`).
pub(crate) fn reissued(
    der: &[u8],
    field: usize,
    issuer: &[u8],
    key: &PKeyRef<Private>,
) -> Result<Vec<u8>, ErrorStack> {
    let (mut fields, algorithm) = parse_der(der, |reader| {
        reader.read_sequence(|whole| {
            let mut fields = Vec::new();
            whole.next().read_sequence_of(|part| {
                fields.push(part.read_der()?);
                Ok(())
            })?;
            let algorithm = whole.next().read_der()?;
            let _old = whole.next().read_bitvec_bytes()?;
            Ok((fields, algorithm))
        })
    })
    .expect("rcgen encodes what is signed, the algorithm and the signature");
    fields[field] = issuer.to_vec();
    let signed = construct_der(|writer| {
        writer.write_sequence(|parts| fields.iter().for_each(|part| parts.next().write_der(part)));
    });
    let signature = Signer::new(MessageDigest::sha256(), key)?.sign_oneshot_to_vec(&signed)?;
    Ok(construct_der(|writer| {
        writer.write_sequence(|whole| {
            whole.next().write_der(&signed);
            whole.next().write_der(&algorithm);
            whole.next().write_bitvec_bytes(&signature, signature.len() * 8);
        });
    }))
}

/// The digests that no certificate should be signed with any more. RSA signs them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OldDigest {
    Sha1,
    Md5,
}

impl Parts {
    /// Takes apart what rcgen encoded.
    pub(crate) fn of(der: &[u8]) -> Self {
        parse_der(der, |reader| {
            reader.read_sequence(|certificate| {
                let mut parts = certificate.next().read_sequence(Self::to_be_signed)?;
                let _same_algorithm = certificate.next().read_der()?;
                (parts.signature, _) = certificate.next().read_bitvec_bytes()?;
                Ok(parts)
            })
        })
        .expect("rcgen encodes certificates of version 3 with extensions")
    }

    fn to_be_signed(fields: &mut BERReaderSeq<'_, '_>) -> ASN1Result<Self> {
        Ok(Self {
            version: Some(fields.next().read_der()?),
            serial: fields.next().read_der()?,
            algorithm: fields.next().read_der()?,
            issuer: fields.next().read_der()?,
            validity: fields.next().read_der()?,
            subject: fields.next().read_der()?,
            key: fields.next().read_der()?,
            extensions: Some(fields.next().read_der()?),
            signature: Vec::new(),
        })
    }

    /// Puts another key in, as a `SubjectPublicKeyInfo`.
    pub(crate) fn set_key(&mut self, key: &[u8]) {
        self.key = key.to_vec();
    }

    /// Puts another subject in, as a `Name`.
    pub(crate) fn set_subject(&mut self, subject: &[u8]) {
        self.subject = subject.to_vec();
    }

    /// Makes it a certificate of version 1 (the default, so it is not encoded), which has no extensions.
    pub(crate) fn make_version_1(&mut self) {
        self.version = None;
        self.extensions = None;
    }

    /// Signs it again after a change, the way it was signed before.
    pub(crate) fn sign(&mut self, key: &PKeyRef<Private>) -> Result<(), ErrorStack> {
        self.sign_with(key, MessageDigest::sha256())
    }

    /// Signs it again, with an old digest and an RSA key.
    pub(crate) fn sign_old(&mut self, key: &PKeyRef<Private>, digest: OldDigest) -> Result<(), ErrorStack> {
        // RFC 3279 2.2.1: {md5,sha-1}WithRSAEncryption, with parameters NULL.
        let (digest, arc) = match digest {
            OldDigest::Md5 => (MessageDigest::md5(), 4),
            OldDigest::Sha1 => (MessageDigest::sha1(), 5),
        };
        self.algorithm = construct_der(|writer| {
            writer.write_sequence(|algorithm| {
                let oid = [1, 2, 840, 113_549, 1, 1, arc];
                algorithm.next().write_oid(&ObjectIdentifier::from_slice(&oid));
                algorithm.next().write_null();
            });
        });
        self.sign_with(key, digest)
    }

    /// Flips the last bit of the signature, which leaves it well-formed.
    pub(crate) fn tamper(&mut self) {
        if let Some(last) = self.signature.last_mut() {
            *last ^= 1;
        }
    }

    /// Puts the certificate together again.
    pub(crate) fn to_der(&self) -> Vec<u8> {
        construct_der(|writer| {
            writer.write_sequence(|certificate| {
                self.write_to_be_signed(certificate.next());
                certificate.next().write_der(&self.algorithm);
                certificate.next().write_bitvec_bytes(&self.signature, self.signature.len() * 8);
            });
        })
    }

    fn sign_with(&mut self, key: &PKeyRef<Private>, digest: MessageDigest) -> Result<(), ErrorStack> {
        let message = construct_der(|writer| self.write_to_be_signed(writer));
        self.signature = Signer::new(digest, key)?.sign_oneshot_to_vec(&message)?;
        Ok(())
    }

    fn write_to_be_signed(&self, writer: DERWriter<'_>) {
        let before = [&self.serial, &self.algorithm, &self.issuer, &self.validity, &self.subject, &self.key];
        writer.write_sequence(|fields| {
            for field in self.version.iter().chain(before).chain(&self.extensions) {
                fields.next().write_der(field);
            }
        });
    }
}
