//! Puts expectation and evidence of one cell into words: what had to happen, and what each of the three witnesses saw.

use tls_gauntlet_scenarios::{
    BackendSaw, BackendSight, ClientSaw, Connection, Diagnosis, Ended, Expectation, Handling, Outcome, Party,
    Phase, Responder,
};

use super::text::{count, printable};
use crate::record::CellRecord;

/// What one witness says, a sentence a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Testimony {
    pub(super) witness: &'static str,
    pub(super) says: Vec<String>,
}

/// All that is to be said about a cell: the two sides of the verdict, then the three witnesses.
pub(super) fn testimonies(cell: &CellRecord) -> Vec<Testimony> {
    let or = |words: Option<String>, otherwise: &str| vec![words.unwrap_or_else(|| otherwise.to_owned())];
    let mut backend = match cell.backend_saw.len() {
        0 => vec!["no connection".to_owned()],
        1 => cell.backend_saw.iter().map(backend_saw).collect(),
        _ => (1..).zip(&cell.backend_saw).map(|(nth, saw)| format!("{nth}: {}", backend_saw(saw))).collect(),
    };
    backend.extend(
        cell.status_asked.iter().map(|source| format!("asked for the status of its certificate ({source})")),
    );
    let mut gateway: Vec<String> = cell.gateway_said.iter().map(|line| printable(line)).collect();
    if gateway.is_empty() {
        gateway.push("nothing in its log".to_owned());
    }
    vec![
        Testimony {
            witness: "expected",
            says: or(cell.expected.as_ref().map(expected), "the model makes no statement"),
        },
        Testimony { witness: "observed", says: or(cell.observed.as_ref().map(observed), "not run") },
        Testimony { witness: "client", says: or(cell.client_saw.as_ref().map(client_saw), "not run") },
        Testimony { witness: "backend", says: backend },
        Testimony { witness: "gateway", says: gateway },
    ]
}

/// What had to happen, in one sentence.
#[must_use]
pub(crate) fn expected(expectation: &Expectation) -> String {
    let Expectation {
        outcome,
        by,
        phase,
        cause,
        or_cause: _,
        exact: _,
        statuses,
        alerts,
        may_close,
        gives_up,
        client_resumed,
        client_alpn,
        backend,
        steps: _,
    } = expectation;
    let mut client: Vec<String> = statuses.iter().map(u16::to_string).collect();
    client.extend(alerts.iter().map(|alert| format!("alert {alert}")));
    if *may_close {
        client.push("a closed connection".to_owned());
    }
    let mut parts = match outcome {
        Outcome::Reach => vec!["comes through".to_owned()],
        Outcome::Refuse => {
            let reason = cause.map_or_else(String::new, |cause| format!(": {cause}"));
            vec![format!("refused{}{reason}", by_and_when(*by, *phase))]
        }
    };
    if !client.is_empty() {
        parts.push(format!("the client sees {}", client.join(" or ")));
    }
    if *gives_up == Some(false) {
        parts.push("the gateway waits for longer than its client".to_owned());
    }
    parts.extend(client_alpn.as_ref().map(|protocol| match protocol {
        Some(protocol) => format!("the client is answered in {protocol}"),
        None => "the client's application protocols are not answered".to_owned(),
    }));
    parts.extend(client_resumed.map(|resumed| {
        if resumed { "the client's session is resumed" } else { "the client's session is not resumed" }
            .to_owned()
    }));
    parts.extend(backend_sight(backend));
    parts.join("; ")
}

/// What happened, in one sentence.
fn observed(diagnosis: &Diagnosis) -> String {
    let Diagnosis { outcome, by, phase, cause, candidates } = diagnosis;
    match outcome {
        Outcome::Reach => "came through".to_owned(),
        Outcome::Refuse => {
            let reason = cause.map_or_else(String::new, |cause| format!(": {cause}"));
            let others: Vec<&str> = candidates
                .iter()
                .filter(|candidate| Some(**candidate) != *cause)
                .map(|candidate| candidate.as_str())
                .collect();
            let doubt = if others.is_empty() {
                String::new()
            } else {
                format!(" (the evidence also allows {})", others.join(", "))
            };
            format!("refused{}{reason}{doubt}", by_and_when(*by, *phase))
        }
    }
}

fn by_and_when(by: Option<Party>, phase: Option<Phase>) -> String {
    let by = by.map_or_else(String::new, |party| format!(" by the {party}"));
    let when = match phase {
        None => "",
        Some(Phase::Connect) => " while connecting",
        Some(Phase::Handshake) => " in the handshake",
        Some(Phase::Request) => " after the request",
        Some(Phase::Response) => " in the response",
        Some(Phase::Close) => " at the close",
    };
    by + when
}

fn backend_sight(sight: &BackendSight) -> Option<String> {
    let BackendSight {
        connections,
        connection,
        // What may be offered is the upstream's own setting; a mismatch names what is beyond it.
        offered_versions: _,
        offered_ciphers: _,
        offered_groups: _,
        handshake,
        tls_version,
        server_name,
        sni: _,
        name_decides: _,
        client_certificate,
        renegotiations,
        alpn,
        resumed,
        reused,
        status_asked,
    } = sight;
    let mut facts = Vec::new();
    match connection {
        None => {}
        Some(Connection::None) => facts.push("no connection".to_owned()),
        Some(Connection::NoRequest) => facts.push("no request".to_owned()),
        Some(Connection::Request) => facts.push("the request".to_owned()),
    }
    facts.extend(connections.map(|tries| count(tries as usize, "connection")));
    facts.extend(handshake.map(|handshake| match handshake {
        Handling::Accepted => "a handshake that ends well".to_owned(),
        Handling::Refused => "a handshake that breaks off".to_owned(),
    }));
    facts.extend(tls_version.map(|version| version.to_string()));
    facts.extend(server_name.map(|sent| if sent { "a server name" } else { "no server name" }.to_owned()));
    facts.extend(client_certificate.map(|shown| match shown {
        Some(certificate) => format!("the {certificate} client certificate"),
        None => "no client certificate".to_owned(),
    }));
    facts.extend(renegotiations.map(|times| count(times as usize, "renegotiation")));
    facts.extend(alpn.as_ref().map(|protocol| match protocol {
        Some(protocol) => protocol.clone(),
        None => "no application protocol".to_owned(),
    }));
    facts.extend(
        resumed.map(|resumed| if resumed { "a resumed session" } else { "a new session" }.to_owned()),
    );
    facts.extend(
        reused.map(|reused| if reused { "a used connection" } else { "a new connection" }.to_owned()),
    );
    facts.extend(status_asked.map(|asked| {
        let asked = if asked { "a question" } else { "no question" };
        format!("{asked} for the status of its certificate")
    }));
    (!facts.is_empty()).then(|| format!("the backend sees {}", facts.join(", ")))
}

fn client_saw(saw: &ClientSaw) -> String {
    let ClientSaw {
        plaintext,
        status,
        answered_by,
        complete,
        alert,
        alert_sent,
        tls_version,
        alpn,
        http2_error,
        resumed,
        certificate_requested,
        asked_late,
        phase,
        refused_because,
        error,
        ended,
    } = saw;
    let mut facts = Vec::new();
    if *plaintext {
        facts.push("spoke HTTP without TLS".to_owned());
    }
    if let Some(status) = status {
        let by = match answered_by {
            Some(Responder::Backend) => " from the backend",
            Some(Responder::Gateway) => " from the gateway",
            None => "",
        };
        let cut = if *complete { "" } else { ", cut short" };
        facts.push(format!("{status}{by}{cut}"));
    } else {
        facts.push(format!("no response, ended{}", by_and_when(None, Some(*phase))));
    }
    facts.extend(tls_version.map(|version| version.to_string()));
    facts.extend(alpn.as_ref().map(|protocol| printable(protocol)));
    if *resumed {
        facts.push("resumed".to_owned());
    }
    match (*certificate_requested, *asked_late) {
        (true, true) => facts.push("was asked for a client certificate after the first handshake".to_owned()),
        (true, false) => facts.push("was asked for a client certificate".to_owned()),
        (false, true) => facts.push("was asked to renegotiate".to_owned()),
        (false, false) => {}
    }
    facts.extend(refused_because.map(|cause| format!("refused the server: {cause}")));
    facts.extend(alert.map(|alert| format!("received alert {alert}")));
    facts.extend(alert_sent.map(|alert| format!("sent alert {alert}")));
    facts.extend(http2_error.as_ref().map(|code| format!("received {}", printable(code))));
    facts.extend(ended.and_then(badly_ended));
    facts.extend(error.as_ref().map(|error| printable(error)));
    facts.join("; ")
}

fn backend_saw(saw: &BackendSaw) -> String {
    // The ClientHello and the chain belong to the record and to reports with more room.
    let BackendSaw {
        outcome,
        nonce: _,
        tls_version,
        cipher,
        group: _,
        alpn,
        sni,
        client_certificate,
        client_chain: _,
        alert_sent,
        alert_received,
        renegotiations,
        resumed,
        client_hello: _,
        requests,
        phase,
        ended,
        cause,
        error,
        duration_ms: _,
    } = saw;
    let mut facts = vec![match outcome {
        Handling::Accepted => "handshake done".to_owned(),
        Handling::Refused => "handshake not done".to_owned(),
    }];
    facts.extend(tls_version.map(|version| version.to_string()));
    facts.extend(cipher.clone());
    facts.extend(alpn.as_ref().map(|protocol| printable(protocol)));
    facts.push(
        sni.as_ref().map_or_else(|| "no server name".to_owned(), |name| format!("for {}", printable(name))),
    );
    facts.push(client_certificate.map_or_else(
        || "no client certificate".to_owned(),
        |certificate| format!("{certificate} client certificate"),
    ));
    if *resumed {
        facts.push("resumed".to_owned());
    }
    if *renegotiations > 0 {
        facts.push(count(*renegotiations as usize, "renegotiation"));
    }
    facts.push(count(*requests as usize, "request"));
    facts.extend(alert_sent.map(|alert| format!("sent alert {alert}")));
    facts.extend(alert_received.map(|alert| format!("received alert {alert}")));
    facts.extend(badly_ended(*ended).map(|ended| format!("{ended}{}", by_and_when(None, Some(*phase)))));
    facts.extend(cause.map(|cause| cause.to_string()));
    facts.extend(error.as_ref().map(|error| printable(error)));
    facts.join("; ")
}

/// How a connection ended, unless well or by an alert that is told already.
pub(super) fn badly_ended(ended: Ended) -> Option<String> {
    let words = match ended {
        Ended::Cleanly | Ended::AlertReceived | Ended::AlertSent => return None,
        Ended::ClosedByPeer => "closed by the peer",
        Ended::ResetByPeer => "reset by the peer",
        Ended::ByFault => "ended by the backend's own fault",
        Ended::TimedOut => "gave up waiting",
        Ended::Stopped => "still open when the backend was stopped",
        Ended::NotUnderstood => "could not understand what came",
    };
    Some(words.to_owned())
}
