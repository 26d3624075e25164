//! The changes between two scans, server by server: worse, better, or merely different.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tls_gauntlet_scenarios::{Outcome, TlsVersion};

use super::record::{ClientCertificateFacts, Forecast, ResumptionFacts, ScanRecord, TargetRecord, Word};

/// What became of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetChange {
    /// As it was named: `host:port`.
    pub target: String,
    /// The gravest of what became of it.
    pub trend: Trend,
    /// What a current client made of it; absent where it was not scanned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it makes of it now; absent where it was not scanned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Each fact that is not what it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<FactChange>,
}

/// One fact that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FactChange {
    /// What it is about: `TLSv1`, `TLSv1.2 cipher suites`, `behind nginx/strict`.
    pub what: String,
    /// Whether that is worse or better.
    pub trend: Trend,
    /// How it was; absent where it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// How it is; absent where it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Which way something went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trend {
    /// A client or a gateway that came through no longer does, or something broken is accepted that was not.
    Worse,
    /// The other way round.
    Better,
    /// Neither.
    Different,
    /// The server was not scanned before.
    Appeared,
    /// It is not scanned any more.
    Vanished,
    /// Nothing changed.
    Stays,
}

impl Trend {
    /// Every trend, the gravest first.
    pub const ALL: &'static [Self] =
        &[Self::Worse, Self::Better, Self::Different, Self::Appeared, Self::Vanished, Self::Stays];
}

/// The changes from one scan to another, in the order of the servers' names.
#[must_use]
pub fn compare(before: &ScanRecord, after: &ScanRecord) -> Vec<TargetChange> {
    let by_name = |record: &'_ ScanRecord| -> BTreeMap<String, TargetRecord> {
        record.targets.iter().map(|target| (target.target.clone(), target.clone())).collect()
    };
    let (before, after) = (by_name(before), by_name(after));
    let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    all.into_iter().map(|name| change(name, before.get(name), after.get(name))).collect()
}

fn change(name: &str, before: Option<&TargetRecord>, after: Option<&TargetRecord>) -> TargetChange {
    let facts = match (before, after) {
        (Some(before), Some(after)) => facts(before, after),
        (None, _) | (_, None) => Vec::new(),
    };
    let trend = match (before, after) {
        (None, _) => Trend::Appeared,
        (_, None) => Trend::Vanished,
        (Some(_), Some(_)) => facts.iter().map(|fact| fact.trend).min().unwrap_or(Trend::Stays),
    };
    let (before, after) = (before.map(outcome), after.map(outcome));
    TargetChange { target: name.to_owned(), trend, before, after, facts }
}

/// Everything that differs, as it comes.
fn facts(before: &TargetRecord, after: &TargetRecord) -> Vec<FactChange> {
    let mut found = Facts::default();
    let words = Trend::of(rank(before.word), rank(after.word));
    found.add("outcome", words, Some(outcome(before)), Some(outcome(after)));
    versions(before, after, &mut found);
    certificates(before, after, &mut found);
    let demands = [before, after].map(|target| target.client_certificate.as_ref().map(demand));
    found.text("client certificate", demands);
    found.text(
        "ALPN",
        [before, after]
            .map(|target| lines(target.alpn.iter().map(|(name, answer)| format!("{name} {}", word(answer))))),
    );
    let secure = [before, after].map(|target| target.renegotiation.map(|facts| facts.secure));
    if let [Some(was), Some(is)] = secure {
        let told = |secure: bool| Some(if secure { "secure" } else { "not secure (RFC 5746)" }.to_owned());
        found.add("renegotiation", Trend::of(was, is), told(was), told(is));
    }
    found.text("resumption", [before, after].map(|target| target.resumption.map(resumption)));
    found.text(
        "without server name",
        [before, after].map(|target| target.without_server_name.as_ref().map(word)),
    );
    forecasts(&before.forecasts, &after.forecasts, &mut found);
    found.0
}

/// The changes found so far.
#[derive(Default)]
struct Facts(Vec<FactChange>);

impl Facts {
    /// Keeps it, unless it is what it was.
    fn add(&mut self, what: &str, trend: Trend, before: Option<String>, after: Option<String>) {
        if before != after {
            self.0.push(FactChange { what: what.to_owned(), trend, before, after });
        }
    }

    /// Something that is neither better nor worse, whatever it is.
    fn text(&mut self, what: &str, [before, after]: [Option<String>; 2]) {
        self.add(what, Trend::Different, before, after);
    }
}

impl Trend {
    /// More is better.
    fn of<T: PartialOrd + Copy>(before: T, after: T) -> Self {
        if after < before {
            Self::Worse
        } else if after > before {
            Self::Better
        } else {
            Self::Different
        }
    }
}

const fn rank(word: Word) -> u8 {
    match word {
        Word::Unreachable => 0,
        Word::TlsProblem => 1,
        Word::Works => 2,
    }
}

fn outcome(target: &TargetRecord) -> String {
    match (target.word, target.cause) {
        (Word::Works, _) => "works".to_owned(),
        (Word::TlsProblem, Some(cause)) => format!("TLS problem: {cause}"),
        (Word::TlsProblem, None) => "TLS problem".to_owned(),
        (Word::Unreachable, _) => "unreachable".to_owned(),
    }
}

fn versions(before: &TargetRecord, after: &TargetRecord, found: &mut Facts) {
    for &version in TlsVersion::ALL {
        let of =
            |target: &TargetRecord| target.versions.iter().find(|facts| facts.version == version).cloned();
        let (was, is) = (of(before), of(after));
        // Versions below TLS 1.2 should be gone (RFC 8996), the others should be there.
        let wanted = version >= TlsVersion::Tls12;
        let accepted = |there: bool| there.then(|| "accepted".to_owned());
        let trend = Trend::of(was.is_some() == wanted, is.is_some() == wanted);
        found.add(version.as_str(), trend, accepted(was.is_some()), accepted(is.is_some()));
        let (Some(was), Some(is)) = (was, is) else { continue };
        let what = |list: &str| format!("{version} {list}");
        suites(&what("cipher suite"), &was.ciphers, &is.ciphers, found);
        let order = |ciphers: &[String]| lines(ciphers.iter().cloned());
        if was.ciphers.iter().collect::<BTreeSet<_>>() == is.ciphers.iter().collect() {
            found.text(&what("order of suites"), [order(&was.ciphers), order(&is.ciphers)]);
        }
        members(&what("group"), was.groups.as_deref(), is.groups.as_deref(), found);
        let schemes = [was.signature_algorithms.as_deref(), is.signature_algorithms.as_deref()];
        members(&what("signature algorithm"), schemes[0], schemes[1], found);
        if let (Some(bits), Some(now)) = (was.dh_bits, is.dh_bits) {
            let told = |bits: usize| Some(format!("{bits} bits"));
            found.add(&what("Diffie-Hellman"), Trend::of(bits, now), told(bits), told(now));
        }
        let status =
            |status: Option<u16>| Some(status.map_or("none".to_owned(), |status| status.to_string()));
        found.text(&what("status"), [status(was.status), status(is.status)]);
    }
}

/// A suite that came or went.
fn suites(what: &str, before: &[String], after: &[String], found: &mut Facts) {
    for gone in before.iter().filter(|name| !after.contains(name)) {
        let trend = if is_broken(gone) { Trend::Better } else { Trend::Different };
        found.add(what, trend, Some(gone.clone()), None);
    }
    for new in after.iter().filter(|name| !before.contains(name)) {
        let trend = if is_broken(new) { Trend::Worse } else { Trend::Different };
        found.add(what, trend, None, Some(new.clone()));
    }
}

/// Whether a suite should not be accepted any more (RFC 9325 4.1).
fn is_broken(suite: &str) -> bool {
    ["_NULL_", "_anon_", "_EXPORT", "_RC4_", "_RC2_", "_DES_", "_3DES_", "_MD5"]
        .iter()
        .any(|part| suite.contains(part))
}

fn members(what: &str, before: Option<&[String]>, after: Option<&[String]>, found: &mut Facts) {
    let (Some(before), Some(after)) = (before, after) else { return };
    for gone in before.iter().filter(|name| !after.contains(name)) {
        found.text(what, [Some(gone.clone()), None]);
    }
    for new in after.iter().filter(|name| !before.contains(name)) {
        found.text(what, [None, Some(new.clone())]);
    }
}

fn certificates(before: &TargetRecord, after: &TargetRecord, found: &mut Facts) {
    let problems = |target: &TargetRecord| -> BTreeSet<String> {
        let chains = target.certificates.iter().flat_map(|chain| &chain.problems);
        chains.map(|problem| format!("{} ({})", problem.cause, problem.text)).collect()
    };
    let (had, has) = (problems(before), problems(after));
    for gone in had.difference(&has) {
        found.add("problem of the chain", Trend::Better, Some(gone.clone()), None);
    }
    for new in has.difference(&had) {
        found.add("problem of the chain", Trend::Worse, None, Some(new.clone()));
    }
    let leaves = |target: &TargetRecord| {
        let leaves = target.certificates.iter().filter_map(|chain| chain.certificates.first());
        lines(leaves.map(|leaf| {
            format!("{} until {}, {} ({:.16})", leaf.subject, leaf.not_after.date(), leaf.key, leaf.sha256)
        }))
    };
    found.text("certificate", [leaves(before), leaves(after)]);
}

fn demand(facts: &ClientCertificateFacts) -> String {
    let versions: Vec<_> = facts.versions.iter().map(|version| version.as_str()).collect();
    format!("{} {} ({})", word(&facts.need), word(&facts.asked), versions.join(", "))
}

fn resumption(facts: ResumptionFacts) -> String {
    let ways = [("ids", facts.ids), ("tickets", facts.tickets), ("TLS 1.3", facts.tls13)];
    let held: Vec<_> = ways.iter().filter(|(_, held)| *held == Some(true)).map(|(way, _)| *way).collect();
    if held.is_empty() { "none".to_owned() } else { held.join(", ") }
}

fn forecasts(before: &[Forecast], after: &[Forecast], found: &mut Facts) {
    for is in after {
        let same = |was: &&Forecast| was.gateway == is.gateway && was.upstream == is.upstream;
        let Some(was) = before.iter().find(same) else { continue };
        let trend = match (was.outcome, is.outcome) {
            (Some(Outcome::Reach), Some(Outcome::Refuse)) => Trend::Worse,
            (Some(Outcome::Refuse), Some(Outcome::Reach)) => Trend::Better,
            (_, _) => Trend::Different,
        };
        found.add(&format!("behind {}/{}", is.gateway, is.upstream), trend, Some(fate(was)), Some(fate(is)));
    }
}

fn fate(forecast: &Forecast) -> String {
    match (forecast.outcome, forecast.cause) {
        (Some(Outcome::Reach), _) => "works".to_owned(),
        (Some(Outcome::Refuse), Some(cause)) => format!("fails with {cause}"),
        (Some(Outcome::Refuse), None) => "fails".to_owned(),
        (None, _) if forecast.impossible => "cannot be set up".to_owned(),
        (None, _) => "unknown".to_owned(),
    }
}

/// The word of a closed list, as the record has it.
fn word(of: &impl Serialize) -> String {
    match serde_json::to_value(of) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

fn lines(items: impl Iterator<Item = String>) -> Option<String> {
    let all: Vec<_> = items.collect();
    (!all.is_empty()).then(|| all.join(", "))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    const SERVER: &str = "/targets/0";
    const TLS12: &str = "/targets/0/versions/0";

    /// The first server of the sample, with this at that place before and after.
    fn changed(place: &str, key: &str, before: Value, after: Value) -> TargetChange {
        let [before, after] = [before, after].map(|value| {
            let mut record: Value = serde_json::from_str(include_str!("../report/scan/sample.json")).unwrap();
            record.pointer_mut(place).unwrap()[key] = value;
            serde_json::from_value::<ScanRecord>(record).unwrap()
        });
        compare(&before, &after).into_iter().find(|change| change.target.starts_with("backend.")).unwrap()
    }

    #[rstest]
    #[case::client_certificate(SERVER, "client_certificate", json!(null), json!({ "asked": "handshake", "need": "required", "versions": [], "authorities": [] }), "client certificate")]
    #[case::alpn(SERVER, "alpn", json!({ "h2": "refused" }), json!({ "h2": "picked" }), "ALPN")]
    #[case::resumption(SERVER, "resumption", json!({ "ids": true }), json!({ "tickets": true }), "resumption")]
    #[case::without_server_name(SERVER, "without_server_name", json!("served"), json!("alert"), "without server name")]
    #[case::order(TLS12, "ciphers", json!(["ONE", "TWO"]), json!(["TWO", "ONE"]), "TLSv1.2 order of suites")]
    #[case::group(TLS12, "groups", json!(["x25519"]), json!([]), "TLSv1.2 group")]
    #[case::algorithm(TLS12, "signature_algorithms", json!(["a"]), json!([]), "TLSv1.2 signature algorithm")]
    #[case::status(TLS12, "status", json!(200), json!(403), "TLSv1.2 status")]
    #[case::suite(TLS12, "ciphers", json!(["ONE"]), json!(["ONE", "TWO"]), "TLSv1.2 cipher suite")]
    #[case::certificate("/targets/0/certificates/0/certificates/0", "sha256", json!("00"), json!("01"), "certificate")]
    #[case::forecast("/targets/0/forecasts/2", "impossible", json!(true), json!(false), "behind caddy/max-tls12")]
    fn what_is_different_is_neither_worse_nor_better(
        #[case] place: &str,
        #[case] key: &str,
        #[case] before: Value,
        #[case] after: Value,
        #[case] what: &str,
    ) {
        let change = changed(place, key, before, after);
        let facts: Vec<_> = change.facts.iter().map(|fact| (fact.what.as_str(), fact.trend)).collect();
        assert_eq!((change.trend, &facts[..]), (Trend::Different, &[(what, Trend::Different)][..]));
    }

    #[rstest]
    #[case::renegotiation(SERVER, "renegotiation", json!({ "secure": true, "begins": false }), json!({ "secure": false, "begins": false }), "renegotiation")]
    #[case::diffie_hellman(TLS12, "dh_bits", json!(2048), json!(1024), "TLSv1.2 Diffie-Hellman")]
    #[case::null(TLS12, "ciphers", json!([]), json!(["TLS_RSA_WITH_NULL_SHA256"]), "TLSv1.2 cipher suite")]
    #[case::anonymous(TLS12, "ciphers", json!([]), json!(["TLS_DH_anon_WITH_AES_128_GCM_SHA256"]), "TLSv1.2 cipher suite")]
    #[case::export(TLS12, "ciphers", json!([]), json!(["TLS_RSA_EXPORT_WITH_DES40_CBC_SHA"]), "TLSv1.2 cipher suite")]
    #[case::rc4(TLS12, "ciphers", json!([]), json!(["TLS_RSA_WITH_RC4_128_SHA"]), "TLSv1.2 cipher suite")]
    #[case::rc2(TLS12, "ciphers", json!([]), json!(["SSL_CK_RC2_128_CBC_WITH_SHA"]), "TLSv1.2 cipher suite")]
    #[case::des(TLS12, "ciphers", json!([]), json!(["TLS_RSA_WITH_DES_CBC_SHA"]), "TLSv1.2 cipher suite")]
    #[case::triple_des(TLS12, "ciphers", json!([]), json!(["TLS_RSA_WITH_3DES_EDE_CBC_SHA"]), "TLSv1.2 cipher suite")]
    #[case::md5(TLS12, "ciphers", json!([]), json!(["TLS_KRB5_WITH_IDEA_CBC_MD5"]), "TLSv1.2 cipher suite")]
    fn what_gets_worse_is_better_the_other_way_round(
        #[case] place: &str,
        #[case] key: &str,
        #[case] before: Value,
        #[case] after: Value,
        #[case] what: &str,
    ) {
        for (before, after, trend) in [(&before, &after, Trend::Worse), (&after, &before, Trend::Better)] {
            let change = changed(place, key, before.clone(), after.clone());
            let facts: Vec<_> = change.facts.iter().map(|fact| (fact.what.as_str(), fact.trend)).collect();
            assert_eq!((change.trend, &facts[..]), (trend, &[(what, trend)][..]));
        }
    }
}
