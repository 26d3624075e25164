//! Joins the evidence of the three witnesses and has it judged.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::SocketAddr,
};

use globset::{Glob, GlobMatcher};
use tls_gauntlet_scenarios::{
    BackendSaw, Cause, CellId, ClientSaw, Connection, Deviation, Diagnosis, Evidence, Outcome, Phase,
    StatusSource, Verdict, VerdictKind, judge,
};

use super::{
    column::{Cell, Column},
    drive::{Call, Gathered},
};
use crate::{
    backend::Written,
    gateway::Gateway,
    limits::millis,
    record::{CellRecord, GatewayKind},
    wire::{caller::Caller, nonce::Nonce},
};

/// The records of the cells that were asked for.
pub(super) fn of(
    column: &Column,
    mut gathered: Gathered,
    ledgers: &[Vec<Written>],
    asked: &[Vec<StatusSource>],
    backends: &[SocketAddr],
) -> Vec<CellRecord> {
    let means = |line: &str| !column.gateway.causes(line).is_empty();
    let said = Said::of(&gathered.log, backends, means);
    let deviations = Deviations::of(&column.gateway);
    let direct = column.gateway.kind() == GatewayKind::Direct;
    let mut found: Vec<Option<Found>> = Vec::new();
    for (cell, call) in column.cells.iter().zip(std::mem::take(&mut gathered.calls)) {
        found.push(call.map(|call| {
            let lines = said.about(cell.nonce, backends[cell.lane]);
            let is_external = column.gateway.kind() == GatewayKind::External;
            let (mut own, mut strangers): (Vec<&Written>, Vec<&Written>) =
                ledgers[cell.lane].iter().partition(|written| is_external || is_of(written, &call));
            let must_come =
                cell.expected.as_ref().is_ok_and(|must| must.backend.connection != Some(Connection::None));
            if own.is_empty() && must_come {
                // The gateway's own, taken in so late that nothing says any more whose it was.
                (own, strangers) =
                    strangers.into_iter().partition(|written| written.arrival.caller == Caller::Unknown);
            }
            let own = own.into_iter().map(|written| written.saw());
            let duration_ms = millis(call.ended.duration_since(call.began));
            let evidence = Evidence {
                instrument_failed: own_failure(&call.saw),
                client_saw: call.saw,
                backend_saw: own.filter(|seen| is_about(seen, cell)).collect(),
                status_asked: asked[cell.lane].clone(),
                gateway_causes: causes(&column.gateway, &lines),
                gateway_said: lines,
                gateway_died: gathered.died.clone(),
            };
            let seen = Diagnosis::of(&evidence, direct);
            Found { evidence, seen, strangers: strangers.len(), duration_ms }
        }));
    }
    let reached: Vec<bool> = found
        .iter()
        .map(|found| found.as_ref().is_some_and(|found| found.seen.outcome == Outcome::Reach))
        .collect();
    let called: Vec<bool> = found.iter().map(Option::is_some).collect();
    // Neither it nor what its refusal rests on may be missing.
    let is_whole = |cell: &Cell, found: bool| found && cell.controls.iter().all(|control| called[*control]);
    // A cell that is called more than once is finished when all of its calls are.
    let is_unfinished = |(cell, found): &(&Cell, &bool)| cell.is_called() && !is_whole(cell, **found);
    let missing = column.cells.iter().zip(&called).filter(|both| gathered.cut && is_unfinished(both));
    let missing: HashSet<String> = missing.map(|(cell, _)| cell.id.to_string()).collect();
    let records = column.cells.iter().zip(found);
    let records = records.filter(|(cell, _)| cell.selected && !missing.contains(&cell.id.to_string()));
    let records = records.map(|(cell, found)| {
        let not_there = gathered.died.as_ref().filter(|_| !is_whole(cell, found.is_some()));
        let verdict = match (&cell.skipped, &found) {
            (Some(because), _) => Verdict::Skipped { because: because.clone() },
            (None, _) if let Some(death) = not_there => {
                Verdict::Broken { error: format!("the gateway was not there: {death}") }
            }
            (None, None) => Verdict::Broken { error: "the cell was planned, but never called".to_owned() },
            (None, Some(found)) => verdict(column, cell, found, &reached, &deviations),
        };
        let verdict = match gathered.trouble.first() {
            Some(error) if verdict.kind().is_failure() => Verdict::Broken { error: error.clone() },
            Some(_) | None => verdict,
        };
        record(column, cell, found, &verdict)
    });
    worst_of_repeated(records)
}

/// What this machine lacked for a call, if it could not be made for that.
fn own_failure(saw: &ClientSaw) -> Option<String> {
    const LACKS: [i32; 5] = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS, libc::EADDRNOTAVAIL];
    let error = saw.error.as_deref().filter(|_| saw.phase == Phase::Connect)?;
    let is_lack = LACKS.iter().any(|code| error.ends_with(&format!("(os error {code})")));
    is_lack.then(|| format!("the call could not be made: {error}"))
}

/// A connection that carried the call before a cell's own, and nothing else, is no evidence.
fn is_about(seen: &BackendSaw, cell: &Cell) -> bool {
    seen.nonce.as_ref().is_none_or(|nonce| *nonce != cell.nonce_before.to_string())
}

/// A connection is evidence while the call goes on for which it was made, if it comes from the gateway.
fn is_of(written: &Written, call: &Call) -> bool {
    match written.arrival.caller {
        Caller::Stranger => false,
        // On a busy machine it may be taken in after the gateway has given up.
        Caller::Meant => written.arrival.begun >= call.began,
        Caller::Unknown => (call.began..=call.ended).contains(&written.arrival.begun),
    }
}

/// What was found out about one cell.
struct Found {
    evidence: Evidence,
    seen: Diagnosis,
    /// How many connections were none of the gateway's.
    strangers: usize,
    duration_ms: u64,
}

fn verdict(
    column: &Column,
    cell: &Cell,
    found: &Found,
    reached: &[bool],
    deviations: &Deviations<'_>,
) -> Verdict {
    let expected = match &cell.expected {
        Ok(expected) => expected,
        Err(unclaimed) => {
            let not_there = judge::not_there(&found.evidence);
            let saw = judge::in_words(&found.seen, &found.evidence);
            return not_there.unwrap_or(Verdict::Unclaimed { claim: unclaimed.0, saw });
        }
    };
    let verdict = judge::judge(expected, &found.seen, &found.evidence);
    if let (VerdictKind::WrongCause, false, Some(Cause::Unexplained)) =
        (verdict.kind(), column.has_log, found.seen.cause)
    {
        // It refused, and neither the client nor the backend can know why.
        let because = "refused, but only the gateway's own log can say why; pass it with --log FILE";
        return Verdict::Skipped { because: because.to_owned() };
    }
    let failed = cell.controls.iter().find(|control| !reached[**control]);
    let failed = failed.map(|control| column.cells[*control].id.to_string());
    judge::settle(verdict, expected, deviations.of_cell(&cell.id), failed.as_deref())
}

fn record(column: &Column, cell: &Cell, found: Option<Found>, verdict: &Verdict) -> CellRecord {
    let (evidence, observed, strangers, duration_ms) = match found {
        Some(found) => (found.evidence, Some(found.seen), found.strangers, found.duration_ms),
        None => (Evidence::default(), None, 0, 0),
    };
    let scenario = &cell.scenario;
    CellRecord {
        id: cell.id.to_string(),
        gateway: column.gateway.name().to_owned(),
        client: scenario.client.name.clone(),
        listener: scenario.listener.name.clone(),
        upstream: scenario.upstream.name.clone(),
        backend: scenario.backend.name.clone(),
        verdict: verdict.kind(),
        because: verdict.because(),
        expected: cell.expected.clone().ok(),
        client_saw: observed.is_some().then_some(evidence.client_saw),
        observed,
        backend_saw: evidence.backend_saw,
        status_asked: evidence.status_asked,
        gateway_said: evidence.gateway_said,
        gateway_causes: evidence.gateway_causes,
        strangers,
        why: scenario.why.clone(),
        source: scenario.source.clone(),
        reproduce: format!(
            "gauntlet run {} --suite {} --filter '{}'",
            column.arguments, scenario.suite, cell.id
        ),
        duration_ms,
    }
}

/// A cell that was called more than once is recorded once: as the first call that did not pass, if there was one.
fn worst_of_repeated(records: impl Iterator<Item = CellRecord>) -> Vec<CellRecord> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<CellRecord> = Vec::new();
    for record in records {
        match places.get(&record.id) {
            Some(&place) if kept[place].verdict == VerdictKind::Pass => kept[place] = record,
            Some(_) => {}
            None => {
                places.insert(record.id.clone(), kept.len());
                kept.push(record);
            }
        }
    }
    kept
}

/// The lines of a gateway's log about one call, and what they mean.
pub(crate) fn testimony(
    gateway: &Gateway,
    log: &[String],
    nonce: Nonce,
    backend: SocketAddr,
) -> (Vec<String>, Vec<Cause>) {
    let lines = Said::of(log, &[backend], |line| !gateway.causes(line).is_empty()).about(nonce, backend);
    let causes = causes(gateway, &lines);
    (lines, causes)
}

/// The lines of a log, by the call or the backend that they are about.
struct Said<'a> {
    by_nonce: HashMap<Nonce, Vec<&'a str>>,
    /// The lines that mean something without a nonce, by the one backend that they name: an error that is met below HTTP
    /// knows no request, but every cell has a backend of its own.
    by_backend: HashMap<SocketAddr, Vec<&'a str>>,
}

impl<'a> Said<'a> {
    fn of(log: &'a [String], backends: &[SocketAddr], means: impl Fn(&str) -> bool) -> Self {
        let backends: HashSet<_> = backends.iter().copied().collect();
        let mut said = Self { by_nonce: HashMap::new(), by_backend: HashMap::new() };
        for line in log {
            let nonces: BTreeSet<Nonce> = Nonce::all_in(line.as_bytes()).collect();
            for nonce in &nonces {
                said.by_nonce.entry(*nonce).or_default().push(line);
            }
            if nonces.is_empty() && means(line) {
                let named: Vec<_> = addresses(line).intersection(&backends).copied().collect();
                if let [backend] = named[..] {
                    said.by_backend.entry(backend).or_default().push(line);
                }
            }
        }
        said
    }

    fn about(&self, nonce: Nonce, backend: SocketAddr) -> Vec<String> {
        let lines = self.by_nonce.get(&nonce).into_iter().chain(self.by_backend.get(&backend)).flatten();
        lines.map(|line| (*line).to_owned()).collect()
    }
}

/// The addresses with a port in a line, each once.
fn addresses(line: &str) -> HashSet<SocketAddr> {
    let words = line.split(|letter: char| !(letter.is_ascii_hexdigit() || ".:[]".contains(letter)));
    let understood = words.filter_map(|word| {
        let word = word.trim_end_matches([':', '.']);
        let within = || word.strip_prefix('[')?.strip_suffix(']');
        word.parse().ok().or_else(|| within()?.parse().ok())
    });
    understood.collect()
}

fn causes(gateway: &Gateway, lines: &[String]) -> Vec<Cause> {
    let mut causes = Vec::new();
    for cause in lines.iter().flat_map(|line| gateway.causes(line)) {
        // A gateway that says it does not know why testifies to nothing.
        if cause != Cause::Unexplained && !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    causes
}

/// The known deviations of a gateway, ready to be matched.
pub(super) struct Deviations<'a>(Vec<(GlobMatcher, &'a Deviation)>);

impl<'a> Deviations<'a> {
    pub(super) fn of(gateway: &'a Gateway) -> Self {
        // A glob that cannot be read was refused when the gateway's folder was.
        let matchers = gateway
            .deviations()
            .iter()
            .filter_map(|deviation| Some((Glob::new(&deviation.cells).ok()?.compile_matcher(), deviation)));
        Self(matchers.collect())
    }

    pub(super) fn of_cell(&self, id: &CellId) -> Option<&'a Deviation> {
        let name = format!("{}/{}::{}/{}", id.backend, id.upstream, id.client, id.listener);
        self.0.iter().find(|(glob, _)| glob.is_match(&name)).map(|(_, deviation)| *deviation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_about_its_nonce_or_else_about_the_backend_it_names() {
        let log = [
            "GET /strict/4001/n-0123456789abcdef 502 127.0.0.1:4001",
            r#"{"error":"dial tcp 127.0.0.1:4001: connect: connection refused"}"#,
            "error: read tcp 127.0.0.1:50000->127.0.0.1:4002: read: connection reset by peer",
            "[error] [[::1]:4003] n-nothing",
            "error somewhere in 127.0.0.1:4001, 127.0.0.1:4002",
            "using 127.0.0.1:4002",
        ]
        .map(str::to_owned);
        let backends = ["127.0.0.1:4001", "127.0.0.1:4002", "[::1]:4003"].map(|it| it.parse().unwrap());
        let said = Said::of(&log, &backends, |line| line.contains("error"));
        let about = |nonce: u64, backend: usize| said.about(Nonce(nonce), backends[backend]);
        assert_eq!(about(0x0123_4567_89ab_cdef, 0), log[..2]);
        assert_eq!(about(0xfedc_ba98_7654_3210, 1), log[2..3]);
        assert_eq!(about(0xfedc_ba98_7654_3210, 2), log[3..4]);
    }
}
