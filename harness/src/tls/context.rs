//! Contexts of both sides: versions, identity, no resumption.

use std::collections::BTreeSet;

use openssl::{
    error::ErrorStack,
    ssl::{SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode, SslVersion},
    x509::{X509, X509Crl, store::X509StoreBuilder, verify::X509VerifyFlags},
};
use tls_gauntlet_certs::Identity;
use tls_gauntlet_scenarios::{TlsVersion, Versions};

use crate::{ffi, wire::observer};

/// Our own TLS settings cannot be turned into a context.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up TLS for {what}")]
pub struct CannotSetUp {
    /// The owner of the settings.
    pub what: String,
    /// The error of OpenSSL, or of the PKI.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl CannotSetUp {
    /// The error of the settings of `what`, for `map_err`.
    pub(crate) fn because<E>(what: &str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| Self { what: what.to_owned(), source: source.into() }
    }
}

/// A context that speaks these versions and no other, is observed, and never resumes a session: resumption would
/// skip the checks of certificates.
pub(crate) fn allow(
    method: SslMethod,
    versions: &Versions,
    identity: Option<&Identity>,
) -> Result<SslContextBuilder, ErrorStack> {
    let mut context = SslContext::builder(method)?;
    // Versions below 1.2 sign with SHA-1, which higher levels forbid (SSL_CTX_set_security_level(3)).
    context.set_security_level(0);
    context.set_cipher_list("DEFAULT:@SECLEVEL=0")?;
    limit_versions(&mut context, versions.iter())?;
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    context.set_options(SslOptions::NO_TICKET);
    context.set_num_tickets(0)?;
    if let Some(identity) = identity {
        identify(&mut context, identity)?;
    }
    observer::install(&mut context);
    Ok(context)
}

/// Makes the context show a certificate, and the chain above it.
pub(crate) fn identify(context: &mut SslContextBuilder, identity: &Identity) -> Result<(), ErrorStack> {
    add_key(context, identity)?;
    identity.chain().iter().skip(1).try_for_each(|issuer| context.add_extra_chain_cert(issuer.clone()))
}

/// Makes the context show this leaf to peers that want its kind of key; the chain is that of the first one
/// (`SSL_CTX_use_certificate(3)`).
pub(crate) fn add_key(context: &mut SslContextBuilder, identity: &Identity) -> Result<(), ErrorStack> {
    context.set_certificate(identity.leaf())?;
    context.set_private_key(identity.key())
}

/// Trusts these authorities and no other. With revocation lists, each certificate of a chain must be on the good side of one.
pub(crate) fn trust<'a>(
    context: &mut SslContextBuilder,
    roots: impl IntoIterator<Item = &'a X509>,
    lists: Option<&[X509Crl]>,
) -> Result<(), ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    roots.into_iter().try_for_each(|root| store.add_cert(root.clone()))?;
    if let Some(lists) = lists {
        lists.iter().try_for_each(|list| ffi::add_crl(&mut store, list))?;
        store.set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)?;
    }
    context.set_cert_store(store.build());
    Ok(())
}

/// Speaks these versions and none between or beside them.
pub(crate) fn limit_versions(
    context: &mut SslContextBuilder,
    versions: impl IntoIterator<Item = TlsVersion>,
) -> Result<(), ErrorStack> {
    let versions: BTreeSet<TlsVersion> = versions.into_iter().collect();
    let number = |version: &TlsVersion| in_openssl(*version).0;
    context.set_min_proto_version(versions.first().map(number))?;
    context.set_max_proto_version(versions.last().map(number))?;
    for &version in TlsVersion::ALL.iter().filter(|version| !versions.contains(version)) {
        context.set_options(in_openssl(version).1);
    }
    // OpenSSL switches SSL 3.0 off by default.
    if versions.contains(&TlsVersion::Ssl3) {
        context.clear_options(SslOptions::NO_SSLV3);
    }
    Ok(())
}

/// A version as OpenSSL has it, and the option that switches it off between a lower and a higher one.
pub(crate) const fn in_openssl(version: TlsVersion) -> (SslVersion, SslOptions) {
    match version {
        TlsVersion::Ssl3 => (SslVersion::SSL3, SslOptions::NO_SSLV3),
        TlsVersion::Tls10 => (SslVersion::TLS1, SslOptions::NO_TLSV1),
        TlsVersion::Tls11 => (SslVersion::TLS1_1, SslOptions::NO_TLSV1_1),
        TlsVersion::Tls12 => (SslVersion::TLS1_2, SslOptions::NO_TLSV1_2),
        TlsVersion::Tls13 => (SslVersion::TLS1_3, SslOptions::NO_TLSV1_3),
    }
}
