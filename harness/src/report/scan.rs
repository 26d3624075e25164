//! Draws the scan record: for people, for machines and for pipelines.

use std::collections::BTreeMap;

use tls_gauntlet_scenarios::{DemandTime, Need, Outcome, TlsVersion};

use super::{
    Look,
    paint::{BAD, FAINT, GOOD, Paint, STRONG},
    text::{count, printable, seconds, width_of, wrap},
};
use crate::scan::record::{
    AlpnAnswer, CertificateFacts, ChainFacts, ClientCertificateFacts, Forecast, NamelessAnswer, ScanRecord,
    TargetRecord, VersionFacts, Word,
};

/// The record as JSON, laid out for reading.
#[must_use]
pub fn json(record: &ScanRecord) -> String {
    super::json::pretty(record)
}

/// Everything about each server, and at last one line for each.
#[must_use]
pub fn console(record: &ScanRecord, look: &Look) -> String {
    let paint = Paint { colour: look.colour };
    let mut lines = Vec::new();
    for target in record.targets.iter().filter(|target| !target.versions.is_empty()) {
        lines.push(paint.put(STRONG, &printable(&target.target)));
        for (label, text) in details(target) {
            let mut wrapped = wrap(&printable(&text), look.width, INDENT, INDENT).into_iter();
            if width_of(&label) + 3 > INDENT {
                // It needs lines of its own.
                let label = wrap(&label, look.width, 2, 4).into_iter().enumerate();
                let label = label.map(|(nth, line)| if nth == 0 { format!("  {line}") } else { line });
                lines.extend(label.map(|line| paint.put(FAINT, &line)));
                lines.push(format!("{:INDENT$}{}", "", wrapped.next().unwrap_or_default()));
            } else {
                let label = format!("  {label:<width$}", width = INDENT - 2);
                lines.push(format!("{}{}", paint.put(FAINT, &label), wrapped.next().unwrap_or_default()));
            }
            lines.extend(wrapped);
        }
        lines.push(String::new());
    }
    let names = record.targets.iter().map(|target| width_of(&target.target)).max().unwrap_or(0) + 2;
    for target in &record.targets {
        let style = if target.word == Word::Works { GOOD } else { BAD };
        let name = printable(&target.target);
        lines.push(format!("{name:<names$}{}", paint.put(style, &printable(&verdict(target)))));
    }
    if record.targets.len() > 1 {
        lines.push(String::new());
        lines.push(summary(record));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Where the facts begin, behind their labels.
const INDENT: usize = 22;

/// `works`, `TLS problem: server-cert-expired (certificate has expired)`, `unreachable: connection-refused`.
#[must_use]
pub fn verdict(target: &TargetRecord) -> String {
    let because = target.because.as_deref().unwrap_or_default();
    match (target.word, target.cause) {
        (Word::Works, _) => "works".to_owned(),
        (Word::TlsProblem, Some(cause)) if because.is_empty() || because == cause.as_str() => {
            format!("TLS problem: {cause}")
        }
        (Word::TlsProblem, Some(cause)) => format!("TLS problem: {cause} ({because})"),
        (Word::TlsProblem, None) => format!("TLS problem: {because}"),
        (Word::Unreachable, _) => format!("unreachable: {because}"),
    }
}

fn summary(record: &ScanRecord) -> String {
    let of = |word| record.targets.iter().filter(|target| target.word == word).count();
    let connections: u32 = record.targets.iter().map(|target| target.connections).sum();
    format!(
        "{}: {} work, {} with a TLS problem, {} unreachable; {} connections in {}",
        count(record.targets.len(), "server"),
        of(Word::Works),
        of(Word::TlsProblem),
        of(Word::Unreachable),
        connections,
        seconds(record.duration_ms),
    )
}

fn details(target: &TargetRecord) -> Vec<(String, String)> {
    let mut details = Vec::new();
    let mut add = |label: &str, text: String| details.push((label.to_owned(), text));
    for facts in &target.versions {
        add(facts.version.as_str(), outcome(facts));
        add("  cipher suites", facts.ciphers.join(" "));
        if let Some(groups) = facts.groups.as_ref().filter(|groups| !groups.is_empty()) {
            add("  groups", groups.join(" "));
        }
        if let Some(schemes) = facts.signature_algorithms.as_ref().filter(|schemes| !schemes.is_empty()) {
            add("  signatures", schemes.join(" "));
        }
        if let Some(bits) = facts.dh_bits {
            add("  Diffie-Hellman", format!("{bits} bits"));
        }
        if let Some(cause) = facts.incomplete {
            add("  incomplete", format!("the server stopped answering: {cause}"));
        }
    }
    if !target.alpn.is_empty() {
        add("ALPN", alpn(&target.alpn));
    }
    for chain in &target.certificates {
        chain_details(chain, &mut add);
    }
    add("client certificate", client_certificate(target.client_certificate.as_ref()));
    if let Some(answer) = target.without_server_name {
        add("without server name", nameless(answer).to_owned());
    }
    if let Some(facts) = target.renegotiation {
        let secure = if facts.secure { "secure (RFC 5746)" } else { "NOT secure (no RFC 5746)" };
        let client = match facts.follows_client {
            Some(true) => "; follows a client that begins one",
            Some(false) => "; refuses a client that begins one",
            None => "",
        };
        let own = if facts.begins { "; begins one itself after a request" } else { "" };
        add("renegotiation", format!("{secure}{client}{own}"));
    }
    if let Some(facts) = target.resumption {
        let ways = [
            (facts.ids, "by session id up to TLS 1.2"),
            (facts.tickets, "by ticket up to TLS 1.2"),
            (facts.tls13, "by ticket in TLS 1.3"),
        ];
        let held: Vec<_> = ways.iter().filter(|(held, _)| *held == Some(true)).map(|(_, way)| *way).collect();
        add("resumption", if held.is_empty() { "none".to_owned() } else { held.join(", ") });
    }
    let mut alike: Vec<(String, Vec<&str>)> = Vec::new();
    for (gateway, fates) in by_gateway(&target.forecasts) {
        match alike.iter_mut().find(|(known, _)| *known == fates) {
            Some((_, gateways)) => gateways.push(gateway),
            None => alike.push((fates, vec![gateway])),
        }
    }
    for (fates, gateways) in alike {
        add(&format!("behind {}", gateways.join(", ")), fates);
    }
    details
}

fn chain_details(chain: &ChainFacts, add: &mut impl FnMut(&str, String)) {
    let Some(leaf) = chain.certificates.first() else { return };
    add("certificate", certificate(leaf));
    for above in &chain.certificates[1..] {
        add("  above", certificate(above));
    }
    for problem in &chain.problems {
        let which =
            if problem.depth == 0 { "leaf".to_owned() } else { format!("{} above the leaf", problem.depth) };
        add("  problem", format!("{}: {} ({which})", problem.cause, problem.text));
    }
}

fn certificate(facts: &CertificateFacts) -> String {
    let subject = if facts.subject.is_empty() { "no subject" } else { &facts.subject };
    let names = match facts.names.len() {
        0 => String::new(),
        1..=5 => format!("; for {}", facts.names.join(", ")),
        more => format!("; for {} and {} more", facts.names[..5].join(", "), more - 5),
    };
    format!(
        "{subject}{names}; {}; {} to {}; issued by {}, {}",
        facts.key,
        facts.not_before.date(),
        facts.not_after.date(),
        facts.issuer,
        facts.signature
    )
}

fn outcome(facts: &VersionFacts) -> String {
    match (facts.status, &facts.failure) {
        (Some(status), _) => format!("accepted; answers a request with {status}"),
        (None, Some(failure)) => {
            format!("accepted; a request fails: {} ({}, {})", failure.cause, failure.phase, failure.error)
        }
        (None, None) => "accepted; answers a request, but not in HTTP/1.1".to_owned(),
    }
}

fn alpn(answers: &BTreeMap<String, AlpnAnswer>) -> String {
    let said = |answer| match answer {
        AlpnAnswer::Picked => "picked",
        AlpnAnswer::Ignored => "ignored",
        AlpnAnswer::Refused => "refused",
    };
    let answers: Vec<_> = answers.iter().map(|(name, answer)| format!("{name} {}", said(*answer))).collect();
    answers.join(", ")
}

fn client_certificate(facts: Option<&ClientCertificateFacts>) -> String {
    let Some(facts) = facts else { return "not asked for".to_owned() };
    let when = match facts.asked {
        DemandTime::Handshake => "in the handshake",
        DemandTime::AfterRequest => "after the request",
    };
    let demand = match facts.need {
        Need::Required => format!("required {when}"),
        Need::Optional => format!("asked for {when}, not required"),
    };
    let status =
        facts.refuses_in_http.map(|status| format!(", answers {status} without one")).unwrap_or_default();
    let versions: Vec<_> = facts.versions.iter().map(|version| version.as_str()).collect();
    let authorities = match &facts.authorities[..] {
        [] => "names no authority".to_owned(),
        [one] => format!("names {one}"),
        [first, rest @ ..] => format!("names {first} and {}", count(rest.len(), "other")),
    };
    format!("{demand}{status} ({}); {authorities}", versions.join(", "))
}

const fn nameless(answer: NamelessAnswer) -> &'static str {
    match answer {
        NamelessAnswer::Served => "served all the same",
        NamelessAnswer::OtherCertificate => "served with another certificate",
        NamelessAnswer::Alert => "refused with an alert",
        NamelessAnswer::Closed => "refused by closing the connection",
    }
}

/// For each gateway: what fails and with which of its upstreams, and what is unknown; nothing of what works.
fn by_gateway(forecasts: &[Forecast]) -> Vec<(&str, String)> {
    let mut gateways: Vec<&str> = forecasts.iter().map(|forecast| forecast.gateway.as_str()).collect();
    gateways.dedup();
    let told = gateways.into_iter().map(|gateway| {
        let of_it = || forecasts.iter().filter(|one| one.gateway == gateway && !one.impossible);
        let mut fates: Vec<(String, Vec<&str>)> = Vec::new();
        for (forecast, fate) in of_it().filter_map(|forecast| Some((forecast, fate(forecast)?))) {
            match fates.iter_mut().find(|(known, _)| *known == fate) {
                Some((_, upstreams)) => upstreams.push(&forecast.upstream),
                None => fates.push((fate, vec![&forecast.upstream])),
            }
        }
        fates.sort_by_key(|(_, upstreams)| std::cmp::Reverse(upstreams.len()));
        let all = of_it().count();
        let told = fates.iter().map(|(fate, upstreams)| format!("{fate} {}", with(upstreams, all)));
        let told = told.collect::<Vec<_>>().join("; ");
        (gateway, if told.is_empty() { "works".to_owned() } else { told })
    });
    told.collect()
}

/// `with strict and 8 other settings`.
fn with(upstreams: &[&str], all: usize) -> String {
    if upstreams.len() == all {
        return "with every setting".to_owned();
    }
    let first = upstreams.iter().find(|name| **name == "strict").unwrap_or(&upstreams[0]);
    match upstreams.len() - 1 {
        0 => format!("with {first}"),
        1 => format!("with {first} and 1 other setting"),
        more => format!("with {first} and {more} other settings"),
    }
}

/// Why it fails, and what the client is answered, or that it is not known; none if it works.
fn fate(forecast: &Forecast) -> Option<String> {
    let statuses: Vec<_> = forecast.statuses.iter().map(u16::to_string).collect();
    let seen = if statuses.is_empty() { String::new() } else { format!(" ({})", statuses.join(" or ")) };
    match (forecast.outcome, forecast.cause) {
        (Some(Outcome::Reach), _) => None,
        (Some(Outcome::Refuse), Some(cause)) => Some(format!("{cause}{seen}")),
        (Some(Outcome::Refuse), None) => Some(format!("fails{seen}")),
        (None, _) => Some(format!("unknown: {},", forecast.because)),
    }
}

/// For the summary of a pipeline: a table of servers, and one of gateways for each server that speaks TLS.
#[must_use]
pub fn markdown(record: &ScanRecord) -> String {
    let mut lines = vec![
        "# TLS scan".to_owned(),
        String::new(),
        summary(record),
        String::new(),
        "| server | outcome | versions | client certificate | chain |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for target in &record.targets {
        let versions: Vec<_> = target.versions.iter().map(|facts| short(facts.version)).collect();
        let problems: Vec<_> = target
            .certificates
            .iter()
            .flat_map(|chain| &chain.problems)
            .map(|problem| problem.cause.as_str())
            .collect();
        let is_known = !target.versions.is_empty();
        let asked =
            if is_known { client_certificate(target.client_certificate.as_ref()) } else { String::new() };
        let sound = if target.certificates.is_empty() { String::new() } else { "sound".to_owned() };
        let cells = [
            target.target.clone(),
            verdict(target),
            versions.join(", "),
            asked,
            if problems.is_empty() { sound } else { problems.join(", ") },
        ];
        lines.push(format!("| {} |", cells.map(|text| cell(&text)).join(" | ")));
    }
    for target in record.targets.iter().filter(|target| !target.forecasts.is_empty()) {
        lines.extend([String::new(), format!("## {}", cell(&target.target)), String::new()]);
        lines.extend(["| gateway | upstreams |".to_owned(), "|---|---|".to_owned()]);
        for (gateway, fates) in by_gateway(&target.forecasts) {
            lines.push(format!("| {} | {} |", cell(gateway), cell(&fates)));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

const fn short(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::Ssl3 => "SSL 3.0",
        TlsVersion::Tls10 => "1.0",
        TlsVersion::Tls11 => "1.1",
        TlsVersion::Tls12 => "1.2",
        TlsVersion::Tls13 => "1.3",
    }
}

/// Text from a server, that cannot end its cell or begin a tag.
fn cell(text: &str) -> String {
    printable(text).replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('`', "\\`")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three servers: one with a late demand, one that nobody answers for, and one with a name that wants out of its
    /// cell and off the screen.
    fn sample() -> ScanRecord {
        serde_json::from_str(include_str!("scan/sample.json")).unwrap()
    }

    #[test]
    fn for_people() {
        insta::assert_snapshot!("console", console(&sample(), &Look::default()));
        let colours = console(&sample(), &Look { colour: true, ..Look::default() });
        assert!(colours.contains("\u{1b}["));
    }

    #[test]
    fn for_the_summary_of_a_pipeline() {
        insta::assert_snapshot!("markdown", markdown(&sample()));
    }

    #[test]
    fn json_is_the_record() {
        assert_eq!(serde_json::from_str::<ScanRecord>(&json(&sample())).unwrap(), sample());
    }
}
