//! One hierarchy: a root to trust, and the intermediate that issues below it.

use openssl::x509::X509;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyIdMethod,
    KeyUsagePurpose,
};
use time::OffsetDateTime;

use crate::Error;
use crate::key::Key;
use crate::serial::Serials;
use crate::shape::Lifetime;

/// A root and its issuing intermediate.
///
/// The root's key signs the intermediate and is dropped: users are asked to trust the root, so nothing should
/// be able to sign with it afterwards.
pub(crate) struct Authority {
    root: X509,
    intermediate: X509,
    issuer: Issuer<'static, Key>,
}

impl Authority {
    /// Makes the hierarchy called `Gauntlet {title} Root {seed}`.
    pub(crate) fn new(title: &str, seed: u64, now: OffsetDateTime) -> Result<Self, Error> {
        let serials = Serials::new(seed, now);
        let root_name = format!("Gauntlet {title} Root {seed:08x}");
        let root_key = Key::p256()?;
        let root_params = params(&root_name, BasicConstraints::Unconstrained, &root_key, serials, now);
        let root = root_params
            .self_signed(&root_key)
            .map_err(|source| Error::Encode { subject: root_name.clone(), source })?;
        let root_issuer = Issuer::new(root_params, root_key);

        let name = format!("Gauntlet {title} Intermediate {seed:08x}");
        let key = Key::p256()?;
        let params = params(&name, BasicConstraints::Constrained(0), &key, serials, now);
        let intermediate =
            params.signed_by(&key, &root_issuer).map_err(|source| Error::Encode { subject: name, source })?;

        let parse = |der: &[u8]| X509::from_der(der).map_err(Error::openssl("read back a new authority"));
        Ok(Self {
            root: parse(root.der())?,
            intermediate: parse(intermediate.der())?,
            issuer: Issuer::new(params, key),
        })
    }

    /// Puts a hierarchy together again whose intermediate has this common name and key.
    pub(crate) fn restore(root: X509, intermediate: X509, name: &str, key: Key) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.key_usages = key_usages();
        params.key_identifier_method = KeyIdMethod::PreSpecified(key.identifier());
        Self { root, intermediate, issuer: Issuer::new(params, key) }
    }

    /// What others trust.
    pub(crate) fn root(&self) -> &X509 {
        &self.root
    }

    /// What is sent along with a leaf.
    pub(crate) fn intermediate(&self) -> &X509 {
        &self.intermediate
    }

    /// What signs leaves: the intermediate.
    pub(crate) fn issuer(&self) -> &Issuer<'static, Key> {
        &self.issuer
    }
}

/// A subject of nothing but a common name.
pub(crate) fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

fn params(
    name: &str,
    constraints: BasicConstraints,
    key: &Key,
    serials: Serials,
    now: OffsetDateTime,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = Lifetime::Authority.around(now);
    params.serial_number = Some(serials.of(["authority", name]));
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = key_usages();
    params.use_authority_key_identifier_extension = true;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key.identifier());
    params
}

fn key_usages() -> Vec<KeyUsagePurpose> {
    vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign]
}
