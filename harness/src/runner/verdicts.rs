//! Joins the evidence of the three witnesses and has it judged.

use std::collections::HashMap;

use globset::{Glob, GlobMatcher};
use tls_gauntlet_scenarios::{
    BackendSaw, Cause, Deviation, Diagnosis, Evidence, Outcome, Verdict, VerdictKind, judge,
};

use super::{
    column::{Cell, Column},
    drive::Gathered,
};
use crate::{gateway::Gateway, record::CellRecord, record::GatewayKind};

/// The records of the cells that were asked for.
pub(super) fn of(column: &Column, gathered: Gathered, ledgers: &[Vec<BackendSaw>]) -> Vec<CellRecord> {
    let said = by_nonce(&gathered.log);
    let deviations = Deviations::of(&column.gateway);
    let direct = column.gateway.kind() == GatewayKind::Direct;
    let mut found: Vec<Option<Found>> = Vec::new();
    for (cell, call) in column.cells.iter().zip(gathered.calls) {
        found.push(call.map(|call| {
            let lines = said.get(cell.nonce.as_str()).cloned().unwrap_or_default();
            let evidence = Evidence {
                client_saw: call.saw,
                backend_saw: ledgers[cell.lane].clone(),
                gateway_causes: causes(&column.gateway, &lines),
                gateway_said: lines,
                gateway_died: gathered.died.clone(),
                instrument_failed: None,
            };
            let seen = Diagnosis::of(&evidence, direct);
            Found { evidence, seen, duration_ms: call.duration_ms }
        }));
    }
    let reached: Vec<bool> = found
        .iter()
        .map(|found| found.as_ref().is_some_and(|found| found.seen.outcome == Outcome::Reach))
        .collect();
    let records = column.cells.iter().zip(found).filter(|(cell, _)| cell.selected).map(|(cell, found)| {
        let verdict = match (&cell.skipped, &found) {
            (Some(because), _) => Verdict::Skipped { because: because.clone() },
            (None, None) => Verdict::Broken { error: "the cell was planned, but never called".to_owned() },
            (None, Some(found)) => verdict(column, cell, found, &reached, &deviations),
        };
        record(column, cell, found, &verdict)
    });
    worst_of_repeated(records)
}

/// What was found out about one cell.
struct Found {
    evidence: Evidence,
    seen: Diagnosis,
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
        Err(unclaimed) => return Verdict::Unclaimed { claim: unclaimed.0 },
    };
    let verdict = judge::judge(expected, &found.seen, &found.evidence);
    let failed = cell.controls.iter().find(|control| !reached[**control]);
    let failed = failed.map(|control| column.cells[*control].id.to_string());
    judge::settle(verdict, expected, deviations.of_cell(cell), failed.as_deref())
}

fn record(column: &Column, cell: &Cell, found: Option<Found>, verdict: &Verdict) -> CellRecord {
    let (evidence, observed, duration_ms) = match found {
        Some(found) => (found.evidence, Some(found.seen), found.duration_ms),
        None => (Evidence::default(), None, 0),
    };
    let scenario = &cell.scenario;
    CellRecord {
        id: cell.id.to_string(),
        gateway: column.gateway.name().to_owned(),
        client: scenario.client.0.clone(),
        listener: scenario.listener.0.clone(),
        upstream: scenario.upstream.0.clone(),
        backend: scenario.backend.name.clone(),
        verdict: verdict.kind(),
        because: verdict.because(),
        expected: cell.expected.clone().ok(),
        client_saw: observed.is_some().then_some(evidence.client_saw),
        observed,
        backend_saw: evidence.backend_saw,
        gateway_said: evidence.gateway_said,
        gateway_causes: evidence.gateway_causes,
        why: scenario.why.clone(),
        source: scenario.source.clone(),
        reproduce: format!("gauntlet run --gateway {} --filter '{}'", column.named, cell.id),
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

/// The lines of a log that carry each nonce.
fn by_nonce(log: &[String]) -> HashMap<&str, Vec<String>> {
    let mut said: HashMap<&str, Vec<String>> = HashMap::new();
    for line in log {
        let mut known = Vec::new();
        for (start, _) in line.match_indices("n-") {
            let Some(nonce) = line.get(start..start + NONCE_LENGTH) else { continue };
            let is_nonce = nonce.bytes().skip(2).all(|byte| byte.is_ascii_hexdigit());
            if is_nonce && !known.contains(&nonce) {
                known.push(nonce);
                said.entry(nonce).or_default().push(line.clone());
            }
        }
    }
    said
}

/// `n-` and 16 hexadecimal digits.
const NONCE_LENGTH: usize = 18;

fn causes(gateway: &Gateway, lines: &[String]) -> Vec<Cause> {
    let mut causes = Vec::new();
    for cause in lines.iter().flat_map(|line| gateway.causes(line)) {
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    causes
}

/// The known deviations of a gateway, ready to be matched.
struct Deviations<'a>(Vec<(GlobMatcher, &'a Deviation)>);

impl<'a> Deviations<'a> {
    fn of(gateway: &'a Gateway) -> Self {
        // A glob that cannot be read was refused when the gateway's folder was.
        let matchers = gateway
            .deviations()
            .iter()
            .filter_map(|deviation| Some((Glob::new(&deviation.cells).ok()?.compile_matcher(), deviation)));
        Self(matchers.collect())
    }

    fn of_cell(&self, cell: &Cell) -> Option<&'a Deviation> {
        let id = &cell.id;
        let name = format!("{}/{}::{}/{}", id.backend, id.upstream, id.client, id.listener);
        self.0.iter().find(|(glob, _)| glob.is_match(&name)).map(|(_, deviation)| *deviation)
    }
}
