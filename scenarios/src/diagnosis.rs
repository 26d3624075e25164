//! Reads the evidence of the three witnesses: what happened, and why.
//!
//! Nothing here knows what was expected. A cause is named only if a witness names it: the client that received an
//! alert, the backend that knows why it refused, the gateway's own log. Where no witness does, the cause is
//! `unexplained`, which no expectation ever fits.

use serde::{Deserialize, Serialize};

use crate::{
    evidence::{BackendSaw, ClientSaw, Ended, Evidence, Handling, Responder},
    words::{Alert, Cause, Outcome, Party, Phase, TlsVersion},
};

/// What happened, as far as the evidence shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Diagnosis {
    /// Whether the request came through.
    pub outcome: Outcome,
    /// The party that refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Party>,
    /// The phase in which it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The reason: the likeliest cause that the evidence allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Every cause that the evidence allows, where it allows more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Cause>,
}

impl Diagnosis {
    /// What the evidence shows. `direct` says that the client called the backend itself.
    #[must_use]
    pub fn of(evidence: &Evidence, direct: bool) -> Self {
        if is_reached(evidence) {
            return Self {
                outcome: Outcome::Reach,
                by: None,
                phase: None,
                cause: None,
                candidates: Vec::new(),
            };
        }
        let refusal = if direct {
            direct_refusal(evidence)
        } else if evidence.backend_saw.is_empty() {
            refusal_before_backend(evidence)
        } else {
            refusal_at_backend(evidence)
        };
        refusal.into_diagnosis(direct)
    }

    /// Whether the evidence allows this cause.
    #[must_use]
    pub fn allows(&self, cause: Cause) -> bool {
        self.cause == Some(cause) || self.candidates.contains(&cause)
    }
}

/// Only a whole response with the backend's echo of the nonce, and the request in the backend's ledger, prove that the
/// request came through: an echo can be forged.
fn is_reached(evidence: &Evidence) -> bool {
    let client = &evidence.client_saw;
    client.answered_by == Some(Responder::Backend)
        && client.sees_success()
        && evidence.backend_saw.iter().any(|seen| seen.requests > 0)
}

/// The party that refused, the phase, and the causes that the witnesses allow, likeliest first.
#[derive(Debug)]
struct Refusal {
    by: Party,
    phase: Phase,
    causes: Vec<Cause>,
}

impl Refusal {
    fn unexplained(phase: Phase) -> Self {
        Self { by: Party::Network, phase, causes: vec![Cause::Unexplained] }
    }

    fn into_diagnosis(self, direct: bool) -> Diagnosis {
        let by = if direct && self.by == Party::Gateway { Party::Client } else { self.by };
        let candidates = if self.causes.len() > 1 { self.causes.clone() } else { Vec::new() };
        Diagnosis {
            outcome: Outcome::Refuse,
            by: Some(by),
            phase: Some(self.phase),
            cause: Some(self.causes.first().copied().unwrap_or(Cause::Unexplained)),
            candidates,
        }
    }
}

/// The client called the backend itself: the two are the only witnesses.
fn direct_refusal(evidence: &Evidence) -> Refusal {
    let client = &evidence.client_saw;
    if let Some(cause) = client.refused_because {
        return Refusal { by: Party::Client, phase: Phase::Handshake, causes: vec![cause] };
    }
    if evidence.backend_saw.is_empty() { client_alone(client) } else { refusal_at_backend(evidence) }
}

/// No connection arrived at the backend: the listener refused, or the gateway could not connect.
fn refusal_before_backend(evidence: &Evidence) -> Refusal {
    let client = &evidence.client_saw;
    let said = &evidence.gateway_causes;
    if client.status.is_none() {
        let mut refusal = client_alone(client);
        let both = common(&refusal.causes, said);
        if !both.is_empty() {
            refusal.causes = both;
        } else if refusal.causes == [Cause::Unexplained] && !said.is_empty() {
            refusal = by_log(said, Phase::Handshake);
        }
        return refusal;
    }
    // The gateway answered in HTTP and its log says why. The backend was not called, so it can only be something that
    // the gateway held against its own client, or that it could not connect.
    let is_possible =
        |cause: &Cause| cause.is_before_backend() || (*cause == Cause::NotTls && client.plaintext);
    let said: Vec<Cause> = said.iter().copied().filter(is_possible).collect();
    if said.is_empty() {
        // HTTP where TLS was expected is answered below the gateway's HTTP, where not every gateway has a log.
        let plain = client.plaintext && client.status == Some(BAD_REQUEST);
        let unexplained = Refusal { by: Party::Gateway, ..Refusal::unexplained(client.phase) };
        return if plain { not_tls() } else { unexplained };
    }
    let mut refusal = by_log(&said, Phase::Request);
    if refusal.by == Party::Backend {
        refusal.by = Party::Gateway;
    }
    // An answer in HTTP over TLS comes after the handshake with the client.
    if refusal.phase == Phase::Handshake && client.tls_version.is_some() {
        refusal.phase = Phase::Request;
    }
    refusal
}

/// What the client alone can say.
fn client_alone(client: &ClientSaw) -> Refusal {
    if let Some(cause) = client.refused_because {
        return Refusal { by: Party::Client, phase: Phase::Handshake, causes: vec![cause] };
    }
    if client.alert_sent == Some(Alert::NoRenegotiation) {
        // What the other side makes of that, a fatal alert or an end, comes after it.
        return Refusal {
            by: Party::Client,
            phase: Phase::Request,
            causes: vec![Cause::RenegotiationRefused],
        };
    }
    if client.http2_error.as_deref() == Some("HTTP_1_1_REQUIRED") {
        return Refusal { by: Party::Gateway, phase: Phase::Request, causes: vec![Cause::Http11Required] };
    }
    if let Some(alert) = client.alert {
        return Refusal {
            by: Party::Gateway,
            phase: Phase::Handshake,
            causes: client_refusals(alert, client),
        };
    }
    match (client.phase, client.ended) {
        (Phase::Connect, Some(Ended::TimedOut)) => {
            Refusal { by: Party::Network, phase: Phase::Connect, causes: vec![Cause::Timeout] }
        }
        (Phase::Connect, _) => {
            Refusal { by: Party::Network, phase: Phase::Connect, causes: vec![Cause::ConnectionRefused] }
        }
        (phase, Some(Ended::TimedOut)) => Refusal { by: Party::Gateway, phase, causes: vec![Cause::Timeout] },
        // HTTP was spoken where TLS was expected, and the other side hung up without a word.
        (_, Some(Ended::ClosedByPeer | Ended::ResetByPeer)) if client.plaintext => not_tls(),
        (phase, _) => Refusal::unexplained(phase),
    }
}

fn not_tls() -> Refusal {
    Refusal { by: Party::Gateway, phase: Phase::Handshake, causes: vec![Cause::NotTls] }
}

const BAD_REQUEST: u16 = 400;

/// A connection arrived at the backend: the backend and the gateway's log are the witnesses.
fn refusal_at_backend(evidence: &Evidence) -> Refusal {
    // A gateway may try more than once; the attempt that tells most is the one to listen to.
    let told = evidence.backend_saw.iter().max_by_key(|seen| {
        (seen.cause.is_some(), seen.alert_received.is_some(), seen.outcome == Handling::Refused)
    });
    let Some(seen) = told else { return Refusal::unexplained(evidence.client_saw.phase) };
    let refusal = refusal_seen(evidence, seen);
    if refusal.causes == [Cause::Timeout] {
        return Refusal { phase: waited_in(refusal.phase), ..refusal };
    }
    refusal
}

/// The phase in which a peer that gave up was waiting: for the answer to its ClientHello until the handshake is over, for
/// the answer to its request afterwards. How far the backend had come by then depends on the speed of the machine.
const fn waited_in(phase: Phase) -> Phase {
    match phase {
        Phase::Connect | Phase::Handshake => Phase::Handshake,
        Phase::Request | Phase::Response | Phase::Close => Phase::Response,
    }
}

fn refusal_seen(evidence: &Evidence, seen: &BackendSaw) -> Refusal {
    let said = &evidence.gateway_causes;
    if let Some(cause) = seen.cause {
        return Refusal { by: refuser(cause, seen), phase: seen.phase, causes: vec![cause] };
    }
    if let Some(alert) = seen.alert_received {
        let allowed = explained(alert.meant_by_client());
        let both = common(&[allowed, also_said_of(alert)].concat(), said);
        let causes = match (allowed, said.is_empty()) {
            // An alert that says nothing (internal_error) leaves the word to the log.
            ([Cause::Unexplained], false) => said.clone(),
            (_, true) => allowed.to_vec(),
            // Two witnesses that contradict each other are none.
            (_, false) if both.is_empty() => vec![Cause::Unexplained],
            (_, false) => both,
        };
        return Refusal { by: Party::Gateway, phase: seen.phase, causes };
    }
    if !said.is_empty() {
        return by_log(said, seen.phase);
    }
    if evidence.client_saw.ended == Some(Ended::TimedOut) {
        return Refusal { by: Party::Gateway, phase: seen.phase, causes: vec![Cause::Timeout] };
    }
    let by = if evidence.client_saw.status.is_some() { Party::Gateway } else { Party::Network };
    Refusal { by, ..Refusal::unexplained(seen.phase) }
}

/// What the gateway's log alone can say.
fn by_log(said: &[Cause], otherwise: Phase) -> Refusal {
    let Some(&cause) = said.first() else { return Refusal::unexplained(otherwise) };
    Refusal { by: cause.refuser(), phase: cause.phase().unwrap_or(otherwise), causes: said.to_vec() }
}

/// The party that refused, by the alert if there is one.
fn refuser(cause: Cause, seen: &BackendSaw) -> Party {
    let usual = cause.refuser();
    match (seen.alert_sent, seen.alert_received) {
        // The backend's own answer to a peer that will not renegotiate is an alert too.
        _ if usual == Party::Gateway => Party::Gateway,
        (None, Some(_)) => Party::Gateway,
        // A server that finds nothing in common sends an alert. If it sent none, its peer left: OpenSSL drops an alert
        // whose record has a version that it does not accept ("wrong version number").
        (None, None) if cause.is_nothing_in_common() => Party::Gateway,
        (Some(_), _) | (None, None) => usual,
    }
}

fn common(left: &[Cause], right: &[Cause]) -> Vec<Cause> {
    left.iter().copied().filter(|cause| right.contains(cause)).collect()
}

/// What a server means by an alert to its client.
fn client_refusals(alert: Alert, client: &ClientSaw) -> Vec<Cause> {
    let is_old = client.tls_version < Some(TlsVersion::Tls13);
    explained(if client.certificate_requested {
        alert.meant_by_server_that_asked(is_old)
    } else {
        alert.meant_by_server()
    })
    .to_vec()
}

/// An alert that says nothing of its cause leaves it unexplained.
const fn explained(causes: &'static [Cause]) -> &'static [Cause] {
    if causes.is_empty() { &[Cause::Unexplained] } else { causes }
}

/// What an alert to a server can stand for too, where a log says so: to OpenSSL and `BoringSSL` a revocation list that is not
/// there is an unknown authority, and one that is out of date an expired certificate (OpenSSL's `ssl_x509err2alert`).
const fn also_said_of(alert: Alert) -> &'static [Cause] {
    match alert {
        Alert::UnknownCa | Alert::CertificateExpired => &[Cause::ServerCertStatusUnknown],
        _ => &[],
    }
}
