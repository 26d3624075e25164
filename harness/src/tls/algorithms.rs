//! Tells OpenSSL which cipher suites and groups to use.

use openssl::{
    error::ErrorStack,
    ssl::{SslContextBuilder, cipher_name},
};
use tls_gauntlet_scenarios::{CipherSuite, Group, TlsVersion};

/// Where a list has none for the versions up to 1.2, or none for 1.3, those keep what they have.
pub(crate) fn set_ciphers(
    context: &mut SslContextBuilder,
    ciphers: &[CipherSuite],
) -> Result<(), ErrorStack> {
    let (latest, before): (Vec<CipherSuite>, Vec<CipherSuite>) =
        ciphers.iter().partition(|cipher| cipher.fits(TlsVersion::Tls13));
    if !latest.is_empty() {
        let names: Vec<_> = latest.iter().map(|cipher| cipher.as_str()).collect();
        context.set_ciphersuites(&names.join(":"))?;
    }
    if !before.is_empty() {
        context.set_cipher_list(&format!("{}:@SECLEVEL=0", openssl_names(&before).join(":")))?;
    }
    Ok(())
}

/// In this order.
pub(crate) fn set_groups(context: &mut SslContextBuilder, groups: &[Group]) -> Result<(), ErrorStack> {
    let names: Vec<_> = groups.iter().map(|group| group.as_str()).collect();
    context.set_groups_list(&names.join(":"))
}

/// Cipher suites up to TLS 1.2 as OpenSSL spells them (openssl-ciphers(1)).
pub(crate) fn openssl_names(ciphers: &[CipherSuite]) -> Vec<&'static str> {
    ciphers.iter().map(|cipher| cipher_name(cipher.as_str())).collect()
}
