//! Why a handshake failed, as far as the backend itself knows.

use openssl::x509::X509VerifyResult;
use tls_gauntlet_scenarios::{Alert, Cause};

use crate::tls::{reason::Role, shared_tls::Failure};

/// The traces of a failed handshake.
pub(super) struct Signs<'a> {
    pub(super) alert_received: Option<Alert>,
    pub(super) alert_sent: Option<Alert>,
    pub(super) failure: &'a Failure,
    /// The result of checking the client's chain.
    pub(super) verdict: X509VerifyResult,
    /// Whether the client sent a server name.
    pub(super) has_name: bool,
}

/// The backend's own reason; `None` where the peer gave up for one that only the peer knows.
pub(super) fn own(signs: &Signs<'_>) -> Option<Cause> {
    if signs.alert_received.is_some() {
        return None;
    }
    match signs.alert_sent {
        Some(Alert::UnrecognizedName) if signs.has_name => return Some(Cause::SniUnknown),
        Some(Alert::UnrecognizedName) => return Some(Cause::SniMissing),
        Some(Alert::NoApplicationProtocol) => return Some(Cause::AlpnMismatch),
        _ => {}
    }
    signs.failure.reasons.cause(Role::Server, signs.verdict)
}
