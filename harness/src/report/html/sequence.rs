//! Both legs of a cell as a sequence of messages between client, gateway and backend, as far as the record shows them.
//!
//! What no witness has recorded is drawn only where it follows from what was, and then as [`StepKind::Implied`].

use serde::Serialize;
use tls_gauntlet_scenarios::{
    Alert, BackendSaw, Cause, ClientHelloFacts, ClientSaw, Ended, Handling, Phase, Responder, TlsVersion,
};

use crate::{
    record::CellRecord,
    report::{text::printable, witness},
};

/// A party on a line of the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Lifeline {
    Client,
    Gateway,
    Backend,
}

/// What an arrow or a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StepKind {
    /// A message of a handshake, recorded.
    Handshake,
    /// A step that was not recorded and follows from those that were.
    Implied,
    /// A fatal alert, or `no_renegotiation`.
    Alert,
    /// A request or a response.
    Http,
    /// The end of a connection that did not end well.
    End,
    /// Something that one side knows.
    Note,
}

/// One arrow, or a note if it goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    pub(super) from: Lifeline,
    pub(super) to: Lifeline,
    pub(super) kind: StepKind,
    pub(super) says: String,
}

/// The steps of a cell, in their order. Without a gateway the client calls the backend itself.
pub(super) fn of(cell: &CellRecord, direct: bool) -> Vec<Step> {
    let mut steps = Vec::new();
    let Some(client) = &cell.client_saw else { return steps };
    let caller = if direct { Lifeline::Client } else { Lifeline::Gateway };
    if !direct {
        opening(client, &mut steps);
    }
    for (nth, saw) in (1..).zip(&cell.backend_saw) {
        if cell.backend_saw.len() > 1 {
            note(&mut steps, Lifeline::Backend, format!("connection {nth} of {}", cell.backend_saw.len()));
        }
        Neighbours { from: caller, to: Lifeline::Backend }.connection(saw, &mut steps);
    }
    if cell.backend_saw.is_empty() && !direct {
        note(&mut steps, Lifeline::Backend, "no connection arrived".to_owned());
    }
    let server = if direct { Lifeline::Backend } else { Lifeline::Gateway };
    ending(client, server, &mut steps);
    steps
}

/// What the client and the gateway say to each other before the gateway turns to the backend.
fn opening(client: &ClientSaw, steps: &mut Vec<Step>) {
    let neighbours = Neighbours { from: Lifeline::Client, to: Lifeline::Gateway };
    if client.phase == Phase::Connect && client.status.is_none() {
        return;
    }
    if client.plaintext {
        steps.push(neighbours.there(StepKind::Http, "HTTP without TLS"));
        return;
    }
    steps.push(neighbours.there(StepKind::Handshake, "ClientHello"));
    if let Some(version) = client.tls_version {
        let asks = if client.certificate_requested { ", CertificateRequest" } else { "" };
        steps.push(neighbours.back(StepKind::Handshake, format!("ServerHello{asks} … Finished · {version}")));
    } else if client.refused_because.is_some() {
        steps.push(neighbours.back(StepKind::Implied, "ServerHello, Certificate"));
    }
    if client.refused_because.is_none() && (client.phase > Phase::Handshake || client.status.is_some()) {
        let shows = if client.certificate_requested {
            "Certificate (empty if it has none) … Finished"
        } else {
            "Finished"
        };
        steps.push(neighbours.there(StepKind::Handshake, shows));
        steps.push(neighbours.there(StepKind::Http, "request"));
    }
}

/// How it ends for the client.
fn ending(client: &ClientSaw, server: Lifeline, steps: &mut Vec<Step>) {
    let neighbours = Neighbours { from: Lifeline::Client, to: server };
    let direct = server == Lifeline::Backend;
    if let Some(cause) = client.refused_because {
        note(steps, Lifeline::Client, format!("refuses the server: {cause}"));
    }
    // Without a gateway the backend has recorded the alerts of this connection.
    if !direct {
        if let Some(alert) = client.alert_sent {
            steps.push(neighbours.there(StepKind::Alert, format!("alert {alert}")));
        }
        if let Some(alert) = client.alert {
            steps.push(neighbours.back(StepKind::Alert, format!("alert {alert}")));
        }
    }
    if let Some(status) = client.status {
        let by = match client.answered_by {
            Some(Responder::Backend) if !direct => ", the backend's own answer",
            Some(Responder::Gateway) => ", made by the gateway",
            Some(Responder::Backend) | None => "",
        };
        let cut = if client.complete { "" } else { ", cut short" };
        steps.push(neighbours.back(StepKind::Http, format!("response {status}{by}{cut}")));
    } else if let Some(ended) = client.ended.and_then(witness::badly_ended) {
        steps.push(neighbours.back(StepKind::End, ended));
    } else if client.alert.is_none() && client.alert_sent.is_none() {
        note(steps, Lifeline::Client, "got no response".to_owned());
    }
    if let Some(error) = &client.error {
        note(steps, Lifeline::Client, printable(error));
    }
}

/// Two neighbours; the first one called.
#[derive(Debug, Clone, Copy)]
struct Neighbours {
    from: Lifeline,
    to: Lifeline,
}

impl Neighbours {
    fn there(self, kind: StepKind, says: impl Into<String>) -> Step {
        Step { from: self.from, to: self.to, kind, says: says.into() }
    }

    fn back(self, kind: StepKind, says: impl Into<String>) -> Step {
        Step { from: self.to, to: self.from, kind, says: says.into() }
    }

    /// One connection as the backend has recorded it.
    fn connection(self, saw: &BackendSaw, steps: &mut Vec<Step>) {
        match &saw.client_hello {
            Some(hello) => steps.push(self.there(StepKind::Handshake, client_hello(hello))),
            None => note(steps, self.to, "read no ClientHello".to_owned()),
        }
        match saw.outcome {
            Handling::Accepted => self.handshake(saw, steps),
            Handling::Refused => self.implied(saw, steps),
        }
        if saw.requests > 0 {
            let times =
                if saw.requests > 1 { format!("{} requests", saw.requests) } else { "request".into() };
            steps.push(self.there(StepKind::Http, times));
        }
        self.late(saw, steps);
        self.end(saw, steps);
    }

    fn handshake(self, saw: &BackendSaw, steps: &mut Vec<Step>) {
        let mut agreed: Vec<String> = Vec::new();
        agreed.extend(saw.tls_version.map(|version| version.to_string()));
        agreed.extend(saw.cipher.clone());
        agreed.extend(saw.group.clone());
        agreed.extend(saw.alpn.as_ref().map(|protocol| printable(protocol)));
        if saw.resumed {
            agreed.push("resumed".to_owned());
        }
        steps
            .push(self.back(StepKind::Handshake, format!("ServerHello … Finished · {}", agreed.join(" · "))));
        steps.push(self.there(StepKind::Handshake, "Finished"));
        // A certificate may have been shown in this handshake, or later on the same connection; the ledger has one
        // place for both.
        if let Some(shown) = certificate(saw) {
            note(steps, self.to, format!("was shown {shown}"));
        }
    }

    /// A party that refuses a certificate has been shown it, or shown that there is none.
    fn implied(self, saw: &BackendSaw, steps: &mut Vec<Step>) {
        if saw.cause.is_some_and(|cause| cause.is_about_client_certificate()) {
            steps.push(self.back(StepKind::Implied, "ServerHello, CertificateRequest …"));
            steps.push(self.there(StepKind::Implied, "Certificate (empty if it has none) …"));
        } else if saw.alert_received.is_some_and(is_about_a_certificate) {
            steps.push(self.back(StepKind::Implied, "ServerHello, Certificate …"));
        }
    }

    /// What comes after the request and before the answer.
    fn late(self, saw: &BackendSaw, steps: &mut Vec<Step>) {
        for nth in 1..=saw.renegotiations {
            let which = if saw.renegotiations > 1 { format!(" {nth}") } else { String::new() };
            steps.push(self.back(StepKind::Implied, "HelloRequest"));
            steps.push(self.there(
                StepKind::Handshake,
                format!("renegotiation{which}: ClientHello … Finished on the same connection"),
            ));
        }
        match saw.cause {
            Some(Cause::RenegotiationRefused) => steps.push(self.back(StepKind::Implied, "HelloRequest")),
            Some(Cause::PostHandshakeAuthRefused) => {
                let offered = saw.client_hello.as_ref().is_some_and(|hello| hello.post_handshake_auth);
                if offered {
                    steps.push(self.back(StepKind::Implied, "CertificateRequest"));
                } else {
                    let why = "cannot ask for a certificate now: the ClientHello has no post_handshake_auth";
                    note(steps, self.to, why.to_owned());
                }
            }
            _ => {}
        }
    }

    fn end(self, saw: &BackendSaw, steps: &mut Vec<Step>) {
        if let Some(alert) = saw.alert_received {
            steps.push(self.there(StepKind::Alert, format!("alert {alert}")));
        }
        if let Some(alert) = saw.alert_sent {
            steps.push(self.back(StepKind::Alert, format!("alert {alert}")));
        }
        if saw.requests > 0 && saw.phase == Phase::Close {
            steps.push(self.back(StepKind::Http, "response"));
        }
        match saw.ended {
            Ended::Cleanly | Ended::AlertReceived | Ended::AlertSent => {}
            Ended::ClosedByPeer => steps.push(self.there(StepKind::End, "closes the connection")),
            Ended::ResetByPeer => steps.push(self.there(StepKind::End, "resets the connection")),
            Ended::ByFault => steps.push(self.back(StepKind::End, "ends it, as its profile says")),
            Ended::TimedOut => note(steps, self.to, "gave up waiting".to_owned()),
            Ended::Stopped => note(steps, self.to, "still open when the backend was stopped".to_owned()),
            Ended::NotUnderstood => note(steps, self.to, "could not understand what came".to_owned()),
        }
        if let Some(cause) = saw.cause {
            let words = saw.error.as_ref().map(|error| format!(" ({})", printable(error)));
            note(steps, self.to, format!("knows why: {cause}{}", words.unwrap_or_default()));
        }
    }
}

fn client_hello(hello: &ClientHelloFacts) -> String {
    let mut offers = Vec::new();
    if let Some(versions) = &hello.versions {
        let versions: Vec<String> = versions.iter().map(|version: TlsVersion| version.to_string()).collect();
        offers.push(versions.join(", "));
    }
    offers.push(match &hello.server_name {
        Some(name) => format!("for {}", printable(name)),
        None => "no server name".to_owned(),
    });
    if !hello.alpn.is_empty() {
        offers.push(hello.alpn.iter().map(|name| printable(name)).collect::<Vec<_>>().join(", "));
    }
    format!("ClientHello · {}", offers.join(" · "))
}

fn certificate(saw: &BackendSaw) -> Option<String> {
    match (saw.client_certificate, saw.client_chain.first()) {
        (Some(known), _) => Some(format!("the client certificate \"{known}\"")),
        (None, Some(subject)) => Some(format!("a client certificate for {}", printable(subject))),
        (None, None) => None,
    }
}

fn note(steps: &mut Vec<Step>, at: Lifeline, says: String) {
    steps.push(Step { from: at, to: at, kind: StepKind::Note, says });
}

fn is_about_a_certificate(alert: Alert) -> bool {
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCa
    )
}
