//! Measures a gateway of whose claims nothing is known.

use std::collections::BTreeMap;

use tls_gauntlet_scenarios::{
    Cause, CellId, Discovery, Evidence, Measured, Scenario, Verdict, VerdictKind, catalogue,
};

use super::{OnEvent, RunError, RunRequest, run, verdicts::Deviations};
use crate::{
    gateway::Gateway,
    record::{CellRecord, GatewayKind},
};

/// What a gateway does, found out by calling it.
#[derive(Debug)]
pub struct Finding {
    /// Its claims, and what is left open.
    pub discovery: Discovery,
    /// How many cells were measured.
    pub cells: usize,
    /// The cells that fit no claims: what `run` will hold against the gateway.
    pub unexplained: Vec<(CellId, Verdict)>,
}

/// Runs the one gateway of the request this many times, each time with another seed, and reads its claims from what
/// happens. What the gateway claims and where it deviates by its own word is no evidence.
///
/// # Errors
/// As [`run`], and when the gateway was not there to be measured.
pub async fn discover(request: &RunRequest, times: u32, on_event: OnEvent<'_>) -> Result<Finding, RunError> {
    let [name] = &request.gateways[..] else {
        return Err(RunError::Request("one gateway is measured at a time; name one --gateway".to_owned()));
    };
    let gateway = match &request.claims {
        Some(like) => Gateway::resolve(like).map_err(RunError::request)?,
        None => Gateway::resolve(name).map_err(RunError::request)?,
    };
    if gateway.kind() == GatewayKind::Direct {
        return Err(RunError::Request(
            "direct is no gateway but Gauntlet's own client, whose claims are known; name a gateway"
                .to_owned(),
        ));
    }
    let deviations = Deviations::of(&gateway);
    let mut request = request.clone();
    if request.suites.is_empty() && request.port_base.is_none() {
        // Suites that are not run on it for lack of claims are measured as well.
        request.suites = catalogue().suites().map(|(name, _)| name.to_owned()).collect();
    }
    let scenarios = scenarios(&request.suites)?;
    let mut measured: BTreeMap<CellId, Measured> = BTreeMap::new();
    for turn in 0..times.max(1) {
        let record =
            run(&RunRequest { seed: request.seed + u64::from(turn), ..request.clone() }, on_event).await?;
        for cell in record.cells {
            let id: CellId = cell.id.parse().map_err(RunError::work)?;
            if cell.verdict == VerdictKind::Broken {
                let because = cell.because.unwrap_or_default();
                return Err(RunError::Work(format!(
                    "cannot measure {}: {id}: {because}",
                    record.gateways[0].name
                )));
            }
            let Some(scenario) = scenarios.get(&key(&id)) else { continue };
            if deviations.of_cell(&id).is_none()
                && let Some(seen) = evidence(cell)
            {
                let measured = measured.entry(id);
                let measured =
                    measured.or_insert_with(|| Measured { scenario: scenario.clone(), seen: Vec::new() });
                measured.seen.push(seen);
            }
        }
    }
    let (ids, cells): (Vec<_>, Vec<_>) = measured.into_iter().unzip();
    let discovery = Discovery::of(&cells);
    let unexplained =
        discovery.unexplained.iter().map(|(index, verdict)| (ids[*index].clone(), verdict.clone()));
    Ok(Finding { unexplained: unexplained.collect(), cells: cells.len(), discovery })
}

/// The scenarios by the names of their cells, without the gateway's.
fn scenarios(suites: &[String]) -> Result<BTreeMap<CellId, Scenario>, RunError> {
    let all: Vec<String> = catalogue().suites().map(|(name, _)| name.to_owned()).collect();
    let mut known = BTreeMap::new();
    for suite in if suites.is_empty() { &all } else { suites } {
        let scenarios = catalogue().scenarios(suite).map_err(RunError::request)?;
        known.extend(scenarios.into_iter().map(|scenario| (scenario.id(""), scenario)));
    }
    Ok(known)
}

fn key(id: &CellId) -> CellId {
    CellId { gateway: String::new(), ..id.clone() }
}

/// What was seen of a cell; nothing if it was not called, or if only an absent log could give the reason.
fn evidence(cell: CellRecord) -> Option<(tls_gauntlet_scenarios::Diagnosis, Evidence)> {
    let seen = cell.observed?;
    if cell.verdict == VerdictKind::Skipped && seen.cause == Some(Cause::Unexplained) {
        return None;
    }
    let evidence = Evidence {
        client_saw: cell.client_saw.unwrap_or_default(),
        backend_saw: cell.backend_saw,
        status_asked: cell.status_asked,
        gateway_said: cell.gateway_said,
        gateway_causes: cell.gateway_causes,
        gateway_died: None,
        instrument_failed: None,
    };
    Some((seen, evidence))
}
