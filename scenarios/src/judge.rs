//! Compares what was seen with what had to happen.

use crate::{
    diagnosis::Diagnosis,
    evidence::{BackendSaw, ClientHelloFacts, Ended, Evidence, Handling},
    expectation::{BackendSight, Connection, Expectation},
    verdict::{Deviation, Verdict, VerdictKind},
    words::{Cause, CipherSuite, Outcome, Phase, TlsVersion, Versions},
};

/// The verdict on one cell, before deviations and controls are looked at.
#[must_use]
pub fn judge(expected: &Expectation, seen: &Diagnosis, evidence: &Evidence) -> Verdict {
    if let Some(error) = &evidence.instrument_failed {
        return Verdict::Broken { error: error.clone() };
    }
    if let Some(absent) = absent(expected, evidence) {
        return absent;
    }
    let verdict = match (expected.outcome, seen.outcome) {
        (Outcome::Reach, Outcome::Reach) => reached(expected, evidence),
        (Outcome::Reach, Outcome::Refuse) => Verdict::FailClosed {
            mismatch: format!("must reach the backend, but {}", refusal_in_words(seen, evidence)),
        },
        (Outcome::Refuse, Outcome::Reach) => Verdict::FailOpen {
            mismatch: format!("reached the backend; must be refused: {}", cause_in_words(expected)),
        },
        (Outcome::Refuse, Outcome::Refuse) => refused(expected, seen, evidence),
    };
    let verdict = match verdict {
        Verdict::Pass => status_mismatch(expected, evidence)
            .map_or(Verdict::Pass, |mismatch| Verdict::WrongCause { mismatch }),
        other => other,
    };
    let verdict = match (verdict, surplus(expected, evidence)) {
        // This backend may not have taken it, but another would.
        (Verdict::Pass | Verdict::WrongCause { .. }, Some(mismatch)) => Verdict::FailOpen { mismatch },
        (verdict, _) => verdict,
    };
    match (verdict, &evidence.gateway_died) {
        // A dead gateway refuses everything, and proves nothing.
        (Verdict::FailClosed { .. } | Verdict::WrongCause { .. }, Some(death)) => {
            Verdict::Broken { error: format!("the gateway was not there: {death}") }
        }
        (verdict, _) => verdict,
    }
}

/// A gateway that takes no connection refuses nothing: it is not there. (In the column `direct` a refused connection is
/// the backend's, and expected.)
fn absent(expected: &Expectation, evidence: &Evidence) -> Option<Verdict> {
    let is_backend = expected.phase == Some(Phase::Connect) && expected.statuses.is_empty();
    (!is_backend).then(|| not_there(evidence)).flatten()
}

/// Broken, if the client of a gateway could not even connect to it.
#[must_use]
pub fn not_there(evidence: &Evidence) -> Option<Verdict> {
    let client = &evidence.client_saw;
    let nothing =
        client.phase == Phase::Connect && client.status.is_none() && evidence.backend_saw.is_empty();
    let error = client.error.as_deref().unwrap_or("no connection");
    nothing.then(|| Verdict::Broken { error: format!("the gateway was not there: {error}") })
}

/// What happened, in words.
#[must_use]
pub fn in_words(seen: &Diagnosis, evidence: &Evidence) -> String {
    match seen.outcome {
        Outcome::Reach => "the request came through".to_owned(),
        Outcome::Refuse => refusal_in_words(seen, evidence),
    }
}

/// The verdict once it is known what this gateway is known to do, and whether its positive control passed.
#[must_use]
pub fn settle(
    verdict: Verdict,
    expected: &Expectation,
    deviation: Option<&Deviation>,
    failed_control: Option<&str>,
) -> Verdict {
    if let (Some(control), Outcome::Refuse, Verdict::Pass) = (failed_control, expected.outcome, &verdict) {
        return Verdict::Skipped {
            because: format!("no refusal counts here, because the positive control {control} did not pass"),
        };
    }
    let Some(deviation) = deviation else { return verdict };
    let because = deviation.because.clone();
    match verdict.kind() {
        kind if kind == deviation.verdict => Verdict::KnownDeviation { because },
        VerdictKind::Pass => Verdict::StaleDeviation {
            because: format!("listed as {}, but passes: {because}", deviation.verdict),
        },
        VerdictKind::FailOpen
        | VerdictKind::FailClosed
        | VerdictKind::WrongCause
        | VerdictKind::KnownDeviation
        | VerdictKind::StaleDeviation
        | VerdictKind::Unclaimed
        | VerdictKind::Skipped
        | VerdictKind::Broken => verdict,
    }
}

/// It came through, as it must; but did the backend see what it had to see?
fn reached(expected: &Expectation, evidence: &Evidence) -> Verdict {
    let Some(seen) = evidence.backend_saw.iter().find(|seen| seen.requests > 0) else {
        return Verdict::Broken {
            error: "the client has the backend's answer, but the backend's ledger has no such request"
                .to_owned(),
        };
    };
    if let Some(mismatch) = mixed_up(&expected.backend, seen) {
        return Verdict::FailOpen { mismatch };
    }
    let mismatch = sight_mismatch(expected, seen)
        .or_else(|| resumption_mismatch(expected, evidence))
        .or_else(|| protocol_mismatch(expected, evidence))
        .or_else(|| connections_mismatch(expected, evidence));
    match mismatch {
        Some(mismatch) => Verdict::WrongCause { mismatch },
        None => Verdict::Pass,
    }
}

fn resumption_mismatch(expected: &Expectation, evidence: &Evidence) -> Option<String> {
    let wanted = expected.client_resumed?;
    let words = |resumed: bool| if resumed { "a resumed session" } else { "a full handshake" };
    let seen = evidence.client_saw.resumed;
    (seen != wanted).then(|| format!("the client saw {}; expected {}", words(seen), words(wanted)))
}

fn protocol_mismatch(expected: &Expectation, evidence: &Evidence) -> Option<String> {
    let wanted = expected.client_alpn.as_ref()?;
    let seen = &evidence.client_saw.alpn;
    (seen != wanted).then(|| {
        let (seen, wanted) = (or_none(seen.as_ref()), or_none(wanted.as_ref()));
        format!("the client saw the application protocol {seen}; expected {wanted}")
    })
}

/// Whether the request went to the backend as somebody else's, or to a backend that is not the one that was meant: it came
/// through, and must not have come through like this.
fn mixed_up(sight: &BackendSight, seen: &BackendSaw) -> Option<String> {
    if sight.name_decides && sight.server_name == Some(true) && seen.sni.is_none() {
        return Some(
            "the request reached a backend that showed a certificate for another name, for want of a server name"
                .to_owned(),
        );
    }
    if sight.reused == Some(false) && seen.requests > 1 {
        return Some(
            "the backend saw the request on the connection of the call before it; expected one of its own"
                .to_owned(),
        );
    }
    if sight.resumed == Some(false) && seen.resumed {
        return Some(
            "the backend saw the session of the call before it resumed; expected one of its own".to_owned(),
        );
    }
    let (wanted, shown) = (sight.client_certificate?, seen.client_certificate?);
    (wanted != Some(shown))
        .then(|| format!("the backend saw the client certificate {shown}; expected {}", or_none(wanted)))
}

fn sight_mismatch(expected: &Expectation, seen: &BackendSaw) -> Option<String> {
    let sight = &expected.backend;
    if sight.tls_version.is_some() && sight.tls_version != seen.tls_version {
        return Some(format!(
            "the backend saw {}; expected {}",
            or_none(seen.tls_version),
            or_none(sight.tls_version)
        ));
    }
    if let Some(sent) = sight.server_name
        && sent != seen.sni.is_some()
    {
        return Some(format!(
            "the backend saw {}; expected {}",
            seen.sni.as_ref().map_or("no server name".to_owned(), |name| format!("the server name {name}")),
            if sent { "a server name" } else { "none" }
        ));
    }
    if let Some(sent) = &seen.sni
        && !sight.sni.is_empty()
        && !sight.sni.contains(sent)
    {
        let wanted = sight.sni.join(" or ");
        return Some(format!("the backend saw the server name {sent}; expected {wanted}"));
    }
    if let Some(certificate) = sight.client_certificate
        && certificate != seen.client_certificate
    {
        return Some(format!(
            "the backend saw the client certificate {}; expected {}",
            or_none(seen.client_certificate),
            or_none(certificate)
        ));
    }
    if let Some(wanted) = &sight.alpn
        && *wanted != seen.alpn
    {
        return Some(format!(
            "the backend saw the application protocol {}; expected {}",
            or_none(seen.alpn.as_ref()),
            or_none(wanted.as_ref())
        ));
    }
    if let Some(wanted) = sight.renegotiations
        && wanted != seen.renegotiations
    {
        return Some(format!(
            "the backend counted {} renegotiations; expected {wanted}",
            seen.renegotiations
        ));
    }
    None
}

/// Whether the status of the backend's certificate was asked for although it must not be, or not although it must.
fn status_mismatch(expected: &Expectation, evidence: &Evidence) -> Option<String> {
    let must = expected.backend.status_asked?;
    match (must, &evidence.status_asked[..]) {
        (true, []) => {
            Some("nobody asked for the status of the backend's certificate; expected to be asked".to_owned())
        }
        (false, [asked, ..]) => Some(format!(
            "somebody asked for the status of the backend's certificate ({asked}); expected not to"
        )),
        (true, [_, ..]) | (false, []) => None,
    }
}

/// What the gateway offered to the backend beyond its setting, or what no client may offer, whatever the backend made of it.
fn surplus(expected: &Expectation, evidence: &Evidence) -> Option<String> {
    let hellos = || evidence.backend_saw.iter().filter_map(|seen| seen.client_hello.as_ref());
    if let Some(surplus) = hellos().map(|hello| beyond(&expected.backend, hello)).find(|one| !one.is_empty())
    {
        return Some(format!("the gateway offered {}, which it was told not to", listed(&surplus)));
    }
    let forbidden = hellos().map(|hello| forbidden(&expected.backend, hello)).find(|one| !one.is_empty())?;
    Some(format!("the gateway offered {}, which nobody is to offer (RFC 9325 4.1)", listed(&forbidden)))
}

/// The suites in a ClientHello that must never be negotiated, but for those that the gateway was told by name.
fn forbidden(sight: &BackendSight, hello: &ClientHelloFacts) -> Vec<String> {
    let is_told = |name: &str| sight.offered_ciphers.iter().any(|suite| suite.as_str() == name);
    hello.ciphers.iter().filter(|name| CipherSuite::is_broken(name) && !is_told(name)).cloned().collect()
}

/// What a ClientHello offers beyond this.
fn beyond(sight: &BackendSight, hello: &ClientHelloFacts) -> Vec<String> {
    let is_told = |version: &TlsVersion| {
        sight.offered_versions.as_ref().is_none_or(|offered| offered.contains(*version))
    };
    let versions = hello.versions.iter().flat_map(Versions::iter).filter(|version| !is_told(version));
    // Suites of TLS 1.3 and older ones are two settings; of groups there is one.
    let ciphers = sight.offered_ciphers.iter().map(|suite| suite.as_str());
    let (latest, older): (Vec<&str>, Vec<&str>) = ciphers.partition(|name| CipherSuite::is_tls13(name));
    let groups: Vec<&str> = sight.offered_groups.iter().map(|group| group.as_str()).collect();
    let ciphers = hello.ciphers.iter().filter(|name| {
        let told = if CipherSuite::is_tls13(name) { &latest } else { &older };
        is_beyond(told, name)
    });
    let groups = hello.groups.iter().filter(|name| is_beyond(&groups, name));
    versions.map(|version| version.to_string()).chain(ciphers.chain(groups).cloned()).collect()
}

/// Whether this is an offer that is not on the list, if there is one.
fn is_beyond(told: &[&str], name: &str) -> bool {
    !told.is_empty() && ClientHelloFacts::is_offer(name) && !told.contains(&name)
}

/// It was refused, as it must be; but by whom, when, why, and with what words?
fn refused(expected: &Expectation, seen: &Diagnosis, evidence: &Evidence) -> Verdict {
    if let Some(mismatch) = handed_over(expected, evidence) {
        return Verdict::FailOpen { mismatch };
    }
    if evidence.client_saw.sees_success() {
        let status = evidence.client_saw.status.unwrap_or_default();
        return Verdict::FailOpen {
            mismatch: format!(
                "the client got a whole answer with status {status}, but not from the backend; must be refused: {}",
                cause_in_words(expected)
            ),
        };
    }
    if expected.backend.connection == Some(Connection::NoRequest) && evidence.backend_saw.is_empty() {
        return Verdict::WrongCause {
            mismatch: format!(
                "{}; the backend was never called, so it cannot be {}",
                refusal_in_words(seen, evidence),
                cause_in_words(expected)
            ),
        };
    }
    let right_cause = expected.cause.into_iter().chain(expected.or_cause).any(|cause| seen.allows(cause));
    if !right_cause || expected.by != seen.by || expected.phase != seen.phase {
        return Verdict::WrongCause {
            mismatch: format!("{}; expected {}", refusal_in_words(seen, evidence), cause_in_words(expected)),
        };
    }
    let others =
        seen.candidates.iter().filter(|cause| ![expected.cause, expected.or_cause].contains(&Some(**cause)));
    if expected.exact && others.count() > 0 {
        return Verdict::WrongCause {
            mismatch: format!(
                "refused, but no witness says whether for {}; expected {}",
                any_of(&seen.candidates),
                cause_in_words(expected)
            ),
        };
    }
    let mismatch = handshake_mismatch(expected, evidence)
        .or_else(|| connections_mismatch(expected, evidence))
        .or_else(|| patience_mismatch(expected, evidence))
        .or_else(|| client_mismatch(expected, evidence));
    match mismatch {
        Some(mismatch) => Verdict::WrongCause { mismatch },
        None => Verdict::Pass,
    }
}

/// A refusal towards the client is none if the backend got what it must not get.
fn handed_over(expected: &Expectation, evidence: &Evidence) -> Option<String> {
    let cause = cause_in_words(expected);
    match expected.backend.connection? {
        Connection::None if !evidence.backend_saw.is_empty() => {
            Some(format!("the gateway contacted the backend for a client that must be refused: {cause}"))
        }
        Connection::NoRequest if evidence.backend_saw.iter().any(|seen| seen.requests > 0) => {
            Some(format!("the gateway handed the request to a backend that must be refused: {cause}"))
        }
        Connection::None | Connection::NoRequest | Connection::Request => None,
    }
}

/// A gateway that tries again hides how often a backend fails, and one that does not, when it should, makes it fail.
fn connections_mismatch(expected: &Expectation, evidence: &Evidence) -> Option<String> {
    let (wanted, seen) = (expected.backend.connections?, evidence.backend_saw.len());
    (usize::try_from(wanted) != Ok(seen))
        .then(|| format!("the backend saw {seen} connections; expected {wanted}"))
}

/// Whether the gateway or its client had to give up first, and which of them did.
fn patience_mismatch(expected: &Expectation, evidence: &Evidence) -> Option<String> {
    let gave_up = evidence.client_saw.ended != Some(Ended::TimedOut);
    match (expected.gives_up?, gave_up) {
        (true, false) => {
            Some("the gateway waited for longer than its client; expected it to give up".to_owned())
        }
        (false, true) => {
            Some("the gateway gave up; expected it to wait for longer than its client".to_owned())
        }
        (true, true) | (false, false) => None,
    }
}

/// When a gateway looks at a certificate shows in whether it lets the handshake end.
fn handshake_mismatch(expected: &Expectation, evidence: &Evidence) -> Option<String> {
    let wanted = expected.backend.handshake?;
    if evidence.backend_saw.iter().any(|seen| seen.outcome == wanted) {
        return None;
    }
    let (saw, must) = match wanted {
        Handling::Accepted => ("broken off", "completed"),
        Handling::Refused => ("completed", "broken off"),
    };
    Some(format!("refused for the right reason, but the backend saw the handshake {saw}; expected it {must}"))
}

fn client_mismatch(expected: &Expectation, evidence: &Evidence) -> Option<String> {
    let client = &evidence.client_saw;
    let (fits, saw) = match (client.status, client.alert) {
        (Some(status), _) => (expected.statuses.contains(&status), format!("status {status}")),
        (None, Some(alert)) => (expected.alerts.contains(&alert), format!("the alert {alert}")),
        (None, None) => (expected.may_close, "a connection that ended without a word".to_owned()),
    };
    if fits {
        return None;
    }
    let mut wanted: Vec<String> = expected.statuses.iter().map(|status| format!("status {status}")).collect();
    wanted.extend(expected.alerts.iter().map(|alert| format!("the alert {alert}")));
    if expected.may_close {
        wanted.push("a connection that ends".to_owned());
    }
    Some(format!("refused for the right reason, but the client saw {saw}; expected {}", wanted.join(" or ")))
}

fn cause_in_words(expected: &Expectation) -> String {
    match (expected.cause, expected.by, expected.phase) {
        (Some(cause), Some(by), Some(phase)) => format!("{cause} (by the {by}, {phase})"),
        (cause, _, _) => or_none(cause),
    }
}

fn refusal_in_words(seen: &Diagnosis, evidence: &Evidence) -> String {
    let by = seen.by.map_or_else(|| "somebody".to_owned(), |by| format!("the {by}"));
    let phase = or_none(seen.phase);
    match seen.cause {
        Some(Cause::Unexplained) | None => {
            let client = &evidence.client_saw;
            let words = match (client.status, client.alert, &client.error) {
                (Some(status), _, _) => format!("status {status}"),
                (None, Some(alert), _) => format!("the alert {alert}"),
                (None, None, Some(error)) => error.clone(),
                (None, None, None) => "a connection that ended".to_owned(),
            };
            format!("the client saw {words} and no witness says why")
        }
        Some(cause) => format!("{by} refused ({phase}): {cause}"),
    }
}

fn any_of(causes: &[Cause]) -> String {
    causes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

/// The first names, as many as a reader takes in.
fn listed(names: &[String]) -> String {
    const MOST: usize = 3;
    let shown = &names[..names.len().min(MOST)];
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn or_none(word: Option<impl ToString>) -> String {
    word.map_or_else(|| "none".to_owned(), |word| word.to_string())
}
