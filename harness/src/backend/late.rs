//! Late demands: renegotiation (up to TLS 1.2) and post-handshake authentication (TLS 1.3), on a live connection,
//! after a request has been read.

use hyper::http::request::Parts;
use tls_gauntlet_scenarios::{BackendProfile, DemandTime, KeyUpdate, LateFor, Need, Renegotiation};

use super::{
    context::verify_mode,
    port::Port,
    story::{Late, Story},
};
use crate::{ffi, tls::shared_tls::SharedTls, wire::observer::Observer};

/// How a late demand ended.
pub(super) enum Demanded {
    /// All is well, or there was nothing to demand.
    Satisfied,
    /// The peer never offered what it takes; the connection is as good as before.
    NotOffered,
    /// The connection broke over it.
    Broken,
}

/// Whether the profile makes late demands on this request.
pub(super) fn is_for(profile: &BackendProfile, request: &Parts) -> bool {
    match profile.late_for {
        None => true,
        Some(LateFor::SecurePaths) => {
            request.uri.path().split('/').any(|segment| segment == LateFor::SEGMENT)
        }
    }
}

/// Whether the profile wants a renegotiation in the middle of a response.
pub(super) fn is_in_response(port: &Port, tls: &SharedTls) -> bool {
    port.profile().renegotiation == Some(Renegotiation::InResponse) && !tls.is_tls13()
}

/// Makes every demand that the profile wants made after a request.
pub(super) async fn demand(port: &Port, tls: &SharedTls, story: &Story) -> Demanded {
    let is_tls13 = tls.is_tls13();
    let profile = port.profile();
    if let Some(demand) = profile.client_certificate
        && demand.asked == DemandTime::AfterRequest
        && story.take_late_demand()
    {
        return for_certificate(demand.need, is_tls13, tls, story).await;
    }
    if is_tls13 {
        return update_keys(profile.key_update, tls).await;
    }
    let times = match profile.renegotiation {
        None | Some(Renegotiation::InResponse) => 0,
        Some(Renegotiation::AfterRequest) => 1,
        Some(Renegotiation::Storm) => return storm(tls, story).await,
        Some(Renegotiation::Repeatedly) => Renegotiation::REPETITIONS,
    };
    if let Some(context) = port.context_for_renegotiation() {
        tls.show_certificate_of(context);
    }
    for _ in 0..times {
        if let broken @ Demanded::Broken = renegotiate(tls, story).await {
            return broken;
        }
    }
    Demanded::Satisfied
}

/// The peer's own `KeyUpdate`, where it is asked for, comes whenever it next has something to send.
async fn update_keys(wanted: Option<KeyUpdate>, tls: &SharedTls) -> Demanded {
    let (times, asks) = match wanted {
        None => (0, false),
        Some(KeyUpdate::Sends) => (1, false),
        Some(KeyUpdate::Asks) => (1, true),
        Some(KeyUpdate::Flood) => (30, true),
    };
    for _ in 0..times {
        if tls.change_ssl(|tls| ffi::key_update(tls, asks)).is_err() || tls.send_handshake().await.is_err() {
            return Demanded::Broken;
        }
    }
    Demanded::Satisfied
}

async fn for_certificate(need: Need, is_tls13: bool, tls: &SharedTls, story: &Story) -> Demanded {
    tls.change_ssl(|tls| ffi::set_verify(tls, verify_mode(need)));
    if !is_tls13 {
        return renegotiate(tls, story).await;
    }
    if tls.change_ssl(ffi::verify_client_post_handshake).is_err() {
        return match need {
            Need::Required => Demanded::NotOffered,
            Need::Optional => Demanded::Satisfied,
        };
    }
    handshake(Late::Authentication, tls, story).await
}

/// Asks again before the peer has answered, which OpenSSL does not mind as long as it has nothing to read.
async fn storm(tls: &SharedTls, story: &Story) -> Demanded {
    for _ in 1..Renegotiation::STORM {
        if tls.change_ssl(ffi::renegotiate).is_err() || tls.send_handshake().await.is_err() {
            return Demanded::Broken;
        }
    }
    renegotiate(tls, story).await
}

/// Asks for a renegotiation, and waits until it is over.
pub(super) async fn renegotiate(tls: &SharedTls, story: &Story) -> Demanded {
    if tls.change_ssl(ffi::renegotiate).is_err() {
        return Demanded::Broken;
    }
    handshake(Late::Renegotiation, tls, story).await
}

async fn handshake(late: Late, tls: &SharedTls, story: &Story) -> Demanded {
    let Some(observer) = story.observer() else { return Demanded::Broken };
    story.begin_late(late);
    let before = observer.finished_received();
    let reached = |ssl: &openssl::ssl::SslRef| {
        ssl.is_init_finished() && !ffi::renegotiate_pending(ssl) && has_finished(observer, before)
    };
    if tls.send_handshake().await.is_err() || tls.read_until(reached).await.is_err() {
        return Demanded::Broken;
    }
    story.end_late();
    Demanded::Satisfied
}

/// The peer's Finished ends both kinds, with or without a certificate before it.
fn has_finished(observer: &Observer, before: u32) -> bool {
    observer.finished_received() > before
}
