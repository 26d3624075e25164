//! What a gateway may offer to a backend: what it is told to, as far as it can be told.

use crate::{
    claims::Claims,
    expectation::BackendSight,
    profile::UpstreamProfile,
    words::{CipherSuite, NoSuiteLeft, TlsVersion},
};

/// What a backend sees, and the most that it may be offered, whatever comes of it.
pub(in crate::model) fn offers(
    upstream: &UpstreamProfile,
    claims: &Claims,
    sight: BackendSight,
) -> BackendSight {
    let able = claims.upstream_versions.as_ref();
    BackendSight {
        offered_versions: able.and_then(|able| upstream.versions.intersection(able)),
        offered_ciphers: most_ciphers(upstream, claims),
        offered_groups: upstream.groups.clone().unwrap_or_default(),
        ..sight
    }
}

/// The cipher suites up to TLS 1.2 that it is told to offer, or must not go beyond.
pub(super) fn told_ciphers(upstream: &UpstreamProfile, claims: &Claims) -> Option<Vec<CipherSuite>> {
    let limit = claims.upstream_ciphers.as_deref().filter(|_| claims.limits_upstream_ciphers);
    let left = CipherSuite::limited(upstream.ciphers.as_deref(), limit);
    left.unwrap_or_else(|NoSuiteLeft| Some(Vec::new()))
}

/// Those suites and the ones of TLS 1.3, which many libraries do not let a program choose: where nothing is claimed, nothing is known.
fn most_ciphers(upstream: &UpstreamProfile, claims: &Claims) -> Vec<CipherSuite> {
    let is_known = |suite: &CipherSuite| claims.limits_upstream_ciphers || !suite.fits(TlsVersion::Tls13);
    told_ciphers(upstream, claims).into_iter().flatten().filter(is_known).collect()
}
