//! The facts about a run that only the caller knows.

use time::Duration;

use crate::Error;
use crate::shape::{Extension, Lifetime, Shape};

/// When something happens, and where something is served, for the recipes that put it in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circumstances {
    /// How long after the clock of the [`Pki`](crate::Pki) an `expires-during-run` ends. A minute by default.
    pub expires_in: Duration,
    /// Where [`Pki::crl`](crate::Pki::crl) is served, for `revoked-by-crl`.
    pub crl_url: String,
    /// Where [`Pki::ocsp`](crate::Pki::ocsp) is served, for `revoked-by-ocsp`.
    pub ocsp_url: String,
}

impl Default for Circumstances {
    fn default() -> Self {
        Self {
            expires_in: Duration::MINUTE,
            crl_url: "http://revocation.gauntlet.test/server.crl".to_owned(),
            ocsp_url: "http://revocation.gauntlet.test/ocsp".to_owned(),
        }
    }
}

impl Circumstances {
    /// The one circumstance that a certificate of this shape depends on. Others do not make it another.
    pub(crate) fn word(&self, shape: Shape) -> Result<Option<String>, Error> {
        match (shape.lifetime, shape.extension) {
            (Lifetime::EndsDuringRun, _) => Ok(Some(self.expires_in.to_string())),
            (_, Extension::CrlUrl) => url(&self.crl_url).map(Some),
            (_, Extension::OcspUrl) => url(&self.ocsp_url).map(Some),
            (_, Extension::None | Extension::UnknownCritical | Extension::MustStaple) => Ok(None),
        }
    }
}

/// RFC 5280 4.2.1.6: a URI in a certificate is ASCII.
fn url(url: &str) -> Result<String, Error> {
    if url.is_ascii() && !url.is_empty() { Ok(url.to_owned()) } else { Err(Error::Url(url.to_owned())) }
}
