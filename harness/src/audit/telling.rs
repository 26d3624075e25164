//! Why a sound call does not come through, and what to do about it.

use tls_gauntlet_scenarios::{Alert, Ended, Phase};

use super::met::Met;

/// The leg as it is named in what people are told.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// The URL that is called.
    pub(super) url: String,
    /// The host and port that the gateway is to dial.
    pub(super) backend: String,
    /// Where the stand-in listens.
    pub(super) held: String,
}

/// Why nothing can be said of a call for which the gateway did not dial, or did not take its caller in.
pub(super) fn not_dialled(met: &Met) -> Option<String> {
    let saw = &met.called.saw;
    if saw.status.is_none() && saw.ended == Some(Ended::TimedOut) && saw.phase == Phase::Handshake {
        return Some("the gateway did not finish its caller's handshake".to_owned());
    }
    if !met.backend.is_empty() {
        return None;
    }
    Some(match (saw.status, saw.phase) {
        (Some(status), _) if (200..300).contains(&status) => {
            format!("the answer ({status}) did not come from here: it is cached, or of another server")
        }
        (Some(status), _) => format!("the gateway answered {status} without a connection to the backend"),
        (None, Phase::Connect) => "the gateway could not be called".to_owned(),
        (None, _) => "the gateway gave no answer, and opened no connection to the backend".to_owned(),
    })
}

/// One sentence for a call that did not come through to a sound backend, with the remedy.
pub(super) fn why(met: &Met, leg: &Named) -> String {
    let saw = &met.called.saw;
    let Named { url, backend, held } = leg;
    if let Some(status) = saw.status {
        return why_answered(status, met, leg);
    }
    if let Some(cause) = saw.refused_because {
        return format!(
            "the certificate of {url} is not accepted here ({cause}); pass --trust FILE with its root, or --insecure"
        );
    }
    let error = saw.error.as_deref().unwrap_or("no answer");
    match saw.phase {
        Phase::Connect => {
            format!("{url} cannot be reached ({error}); is the gateway up, and is the port right?")
        }
        Phase::Handshake => format!(
            "{url} does not complete the TLS handshake ({error}); does it want a client certificate (--client-cert), \
             or another name (--host)?"
        ),
        Phase::Request | Phase::Response | Phase::Close if met.backend.is_empty() => {
            format!(
                "{url} gives no answer ({error}), and nothing has dialled {held}: {backend} has to lead there"
            )
        }
        Phase::Request | Phase::Response | Phase::Close => format!("{url} gives no answer ({error})"),
    }
}

fn why_answered(status: u16, met: &Met, leg: &Named) -> String {
    let Named { url, backend, held } = leg;
    let alert = met.backend.iter().find_map(|saw| saw.alert_received);
    let dialled = !met.backend.is_empty();
    match (status, dialled) {
        (300..=399, _) => {
            let to = met.called.location.as_deref().unwrap_or("elsewhere");
            format!("{url} redirects ({status}) to {to}; call that URL instead")
        }
        (401 | 403 | 407, false) => format!(
            "{url} wants the caller to be known ({status}); pass --header \"authorization: …\" or --client-cert"
        ),
        (404 | 405 | 421, false) => format!(
            "{url} answers {status} by itself: no route of the gateway fits; check path, --method and --host"
        ),
        (200..=299, false) => format!(
            "{url} answers {status}, but the request did not come here: {backend} leads elsewhere, or the answer is \
             cached; have {backend} lead to {held}"
        ),
        (_, true) if alert == Some(Alert::UnknownCa) || alert == Some(Alert::BadCertificate) => format!(
            "the gateway dials, and does not trust the certificate of the stand-in ({}); add the root to its trusted \
             authorities",
            alert.map_or("", Alert::as_str)
        ),
        (_, true) => {
            let heard = alert.map_or_else(
                || {
                    let error = met.backend.iter().find_map(|saw| saw.error.clone());
                    error.unwrap_or_else(|| "it closed the connection".to_owned())
                },
                |alert| format!("alert {alert}"),
            );
            format!("the gateway dials, and gives up ({heard}); its client gets {status}")
        }
        (502..=504, false) => format!(
            "{url} answers {status}, and nothing has dialled {held}: {backend} does not lead there yet, or the gateway \
             holds it to be down"
        ),
        (_, false) => format!("{url} answers {status}, and nothing has dialled {held}"),
    }
}
