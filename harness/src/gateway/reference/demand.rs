//! A client's certificate, asked for once a request needs it.

use std::fmt;

use hyper::Version;
use openssl::ssl::{SslRef, SslVerifyMode};
use tls_gauntlet_scenarios::{Cause, LateDemand};

use super::ReferenceKnobs;
use crate::{ffi, tls::shared_tls::SharedTls, tls::verification::client_cause, wire::observer::Observer};

/// The outcome of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demanded {
    /// There is a certificate already.
    HasOne,
    /// There was a handshake; what the client showed in it, if anything, OpenSSL knows.
    Asked,
    /// There is no way to ask, or this gateway does not take it.
    NotAsked,
    /// The client did not follow, and the connection broke over it.
    Refused,
}

/// The connection broke before there was a response.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection broke")
    }
}

impl std::error::Error for Broken {}

/// Asks by renegotiation (RFC 5246 7.4.1.1), unless that has been done or cannot be: not in TLS 1.3 (RFC 8446 4.1.2), and
/// not once HTTP/2 is spoken (RFC 9113 9.2.1).
pub(super) async fn certificate(
    knobs: ReferenceKnobs,
    version: Version,
    tls: &SharedTls,
    observer: &Observer,
) -> Demanded {
    if tls.with_ssl(|ssl| ssl.peer_certificate().is_some()) {
        return Demanded::HasOne;
    }
    if !knobs.renegotiates_late || tls.is_tls13() || version == Version::HTTP_2 {
        return Demanded::NotAsked;
    }
    let before = observer.finished_received();
    let begun = tls.change_ssl(|tls| {
        ffi::set_verify(tls, SslVerifyMode::PEER);
        ffi::renegotiate(tls)
    });
    let is_over = |ssl: &SslRef| {
        ssl.is_init_finished() && !ffi::renegotiate_pending(ssl) && observer.finished_received() > before
    };
    if begun.is_err() || tls.send_handshake().await.is_err() || tls.read_until(is_over).await.is_err() {
        return Demanded::Refused;
    }
    Demanded::Asked
}

impl Demanded {
    /// The word for the log; none where no certificate had to be asked for.
    pub(super) const fn word(self, flaw: Option<Cause>) -> Option<LateDemand> {
        match (self, flaw) {
            (Self::HasOne, _) => None,
            (Self::Asked, None) => Some(LateDemand::Given),
            (Self::Asked, Some(Cause::ClientCertMissing)) => Some(LateDemand::Missing),
            (Self::Asked, Some(_)) => Some(LateDemand::Refused),
            (Self::NotAsked, _) => Some(LateDemand::NotAsked),
            (Self::Refused, _) => Some(LateDemand::NotFollowed),
        }
    }
}

/// The flaw of the certificate that the client showed.
pub(super) fn verdict(tls: &SharedTls) -> Option<Cause> {
    tls.with_ssl(|ssl| match ssl.peer_certificate() {
        None => Some(Cause::ClientCertMissing),
        Some(_) => client_cause(ssl.verify_result().as_raw()),
    })
}
