//! Certificates that change while requests go on: what must not fail does not, the change is seen once, and the old one is
//! refused afterwards.
//!
//! A gateway is started in front of two backends and called at a steady pace, whether it answers or not. In the middle of it
//! something changes, the gateway is reloaded as its vendor wants it, and every call says which certificate was in use.

mod afterwards;
mod change;
mod judge;
mod load;
pub mod record;
mod stage;

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tls_gauntlet_certs::Pki;

pub use change::Change;

use crate::{
    gateway::Gateway,
    limits::{Limits, millis},
    record::{GatewayFacts, GatewayKind, Tool},
    runner::{Event, OnEvent, RunError},
};
use afterwards::try_the_old_one;
use record::{Outcome, RotationRecord, SCHEMA};
use stage::Stage;

/// What to rotate, and under which traffic.
#[derive(Debug, Clone)]
pub struct RotationRequest {
    /// Gateways by name or folder; `reference` if empty.
    pub gateways: Vec<String>,
    /// What is to change; everything, one after the other, if empty.
    pub changes: Vec<Change>,
    /// Requests a second.
    pub rate: u32,
    /// Seconds of steady traffic: half of them before the change, half once it has been seen.
    pub seconds: u32,
    /// Seed of names and serials.
    pub seed: u64,
    /// The clock of the run.
    pub now: OffsetDateTime,
    /// Deadlines.
    pub limits: Limits,
}

impl RotationRequest {
    /// Everything, on the embedded gateway, with 200 requests a second.
    #[must_use]
    pub fn new(seed: u64, now: OffsetDateTime) -> Self {
        Self {
            gateways: Vec::new(),
            changes: Vec::new(),
            rate: DEFAULT_RATE,
            seconds: DEFAULT_SECONDS,
            seed,
            now,
            limits: Limits::default(),
        }
    }

    /// Finds the gateways that it names.
    ///
    /// # Errors
    /// [`RunError::Request`] for an unknown one, and for one that Gauntlet cannot reload.
    pub fn resolve(&self) -> Result<Vec<Gateway>, RunError> {
        let default = [crate::runner::DEFAULT_GATEWAY.to_owned()];
        let names = if self.gateways.is_empty() { &default[..] } else { &self.gateways };
        let mut known = BTreeSet::new();
        let mut gateways = Vec::new();
        for name in names.iter().filter(|name| known.insert(name.as_str())) {
            let gateway = Gateway::resolve(name).map_err(|error| RunError::Request(error.to_string()))?;
            let cannot = match gateway.kind() {
                GatewayKind::Direct => Some("there is no gateway between client and backend"),
                GatewayKind::External => Some("it is not Gauntlet that starts it, or could reload it"),
                GatewayKind::Reference | GatewayKind::Program => None,
            };
            if let Some(because) = cannot {
                let message = format!("cannot rotate {name}: {because}; name a gateway that Gauntlet starts");
                return Err(RunError::Request(message));
            }
            gateways.push(gateway);
        }
        Ok(gateways)
    }
}

/// Requests a second, unless somebody says otherwise.
pub const DEFAULT_RATE: u32 = 200;

/// Seconds of steady traffic, unless somebody says otherwise.
pub const DEFAULT_SECONDS: u32 = 4;

/// Two generations of authorities.
#[derive(Debug)]
struct Generations {
    old: Arc<Pki>,
    new: Arc<Pki>,
}

/// Changes everything that was asked for on every gateway, one after the other.
///
/// # Errors
/// [`RunError`] when the request makes no sense, or when Gauntlet cannot do its work.
pub async fn rotate(request: &RotationRequest, on_event: OnEvent<'_>) -> Result<RotationRecord, RunError> {
    let began = Instant::now();
    let gateways = request.resolve()?;
    if request.rate == 0 || request.seconds == 0 {
        return Err(RunError::Request("without requests nothing is seen; pass 1 or more".to_owned()));
    }
    let changes = if request.changes.is_empty() { Change::ALL } else { &request.changes };
    on_event(Event::Planned { cells: gateways.len() * changes.len() });
    let pki = |seed| Pki::new(seed, request.now).map(Arc::new).map_err(cannot);
    let generations = Generations { old: pki(request.seed)?, new: pki(request.seed.wrapping_add(1))? };

    let (mut facts, mut outcomes) = (Vec::new(), Vec::new());
    for gateway in &gateways {
        facts.push(GatewayFacts {
            name: gateway.name().to_owned(),
            version: gateway.version().unwrap_or("unknown").to_owned(),
            kind: gateway.kind(),
            judged_by: gateway.judged_by(),
        });
        for &change in changes {
            let id = format!("{}: {change}", gateway.name());
            on_event(Event::Stage { name: id.clone() });
            outcomes.push(one(gateway, change, &generations, request).await?);
            on_event(Event::CellDone { id });
        }
    }
    Ok(RotationRecord {
        schema: SCHEMA.to_owned(),
        tool: Tool { name: "gauntlet".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        seed: request.seed,
        started: request.now.format(&Rfc3339).map_err(cannot)?,
        duration_ms: millis(began.elapsed()),
        rate: request.rate,
        seconds: request.seconds,
        gateways: facts,
        rotations: outcomes,
    })
}

async fn one(
    gateway: &Gateway,
    change: Change,
    generations: &Generations,
    request: &RotationRequest,
) -> Result<Outcome, RunError> {
    let began = Instant::now();
    let mut stage = Stage::set(gateway, change, generations, request).await?;
    stage.play().await?;
    if stage.has_changed() {
        stage.old = try_the_old_one(&mut stage).await?;
    }
    let mut outcome = stage.strike().await;
    outcome.duration_ms = millis(began.elapsed());
    Ok(outcome)
}

fn cannot(error: impl std::fmt::Display) -> RunError {
    RunError::Work(error.to_string())
}
