//! Ciphers that no current peer should use, for both ends.

use std::sync::OnceLock;

use openssl::{error::ErrorStack, provider::Provider};

/// Makes RC4 available, which lives in the provider "legacy" (OSSL_PROVIDER-legacy(7)). Once loaded it stays.
///
/// # Errors
/// OpenSSL's reason, above all that it was built without.
pub(crate) fn load() -> Result<(), ErrorStack> {
    static LEGACY: OnceLock<Provider> = OnceLock::new();
    if LEGACY.get().is_none() {
        let _ = LEGACY.set(Provider::try_load(None, "legacy", true)?);
    }
    Ok(())
}
