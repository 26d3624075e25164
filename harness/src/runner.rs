//! Runs the matrix: plans the cells, starts fleet and gateways, drives the clients, collects and judges the evidence.
//!
//! Every cell has a backend port of its own, so that what arrives there belongs to that cell and to no other. The
//! logs of the gateways and the ledgers of the backends are read when all calls are over: nothing waits for them.

mod column;
mod discover;
mod drive;
mod ports;
mod shard;
mod verdicts;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::VerdictKind;
use tokio::sync::watch;

use crate::{
    backend::{Backend, Fleet},
    gateway::{Gateway, GatewayPlan},
    limits::{Limits, millis},
    record::{GatewayFacts, RunRecord, SCHEMA, ShardFacts, Timing, Tool},
    wait,
    wire::recorder::Recorder,
};
use column::{Column, Plan, plan};
pub use discover::{Finding, discover};
use drive::SoFar;
use ports::LOCALHOST;
pub use shard::{Costs, Shard, ShardError};
pub(crate) use verdicts::testimony;

/// What to run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// Gateways by name, folder or URL; `reference` if empty.
    pub gateways: Vec<String>,
    /// Suites by name; every one if empty.
    pub suites: Vec<String>,
    /// Globs over cell names; a cell runs if any fits, or if there is none.
    pub filters: Vec<String>,
    /// One part of the cells.
    pub shard: Option<Shard>,
    /// What each cell took earlier, so that the parts take equally long; by a hash of their names if absent.
    pub costs: Option<Costs>,
    /// Calls in flight at the same time.
    pub jobs: usize,
    /// How often each cell is called (1 unless benchmarking or looking for flakes).
    pub repeat: u32,
    /// Whether each gateway is started with nothing verified and nothing asked for, and reloaded with the real settings before
    /// its first call.
    pub after_reload: bool,
    /// Seed of names, serials and nonces.
    pub seed: u64,
    /// The clock of the run.
    pub now: OffsetDateTime,
    /// Folder with kept authorities (`gauntlet certs`), for gateways that are already running.
    pub pki: Option<PathBuf>,
    /// First port of the fleet; ephemeral if absent.
    pub port_base: Option<u16>,
    /// Address the fleet listens on; a loopback address of its own if absent.
    pub bind: Option<IpAddr>,
    /// A gateway whose claims count for those that are already running and make none of their own.
    pub claims: Option<String>,
    /// The log of a gateway that is already running, read when all calls are over.
    pub log: Option<PathBuf>,
    /// Deadlines.
    pub limits: Limits,
    /// Where what passes on both legs is kept; nowhere by default.
    pub recorder: Recorder,
    /// Cells that have been run before, and are not to be run again.
    pub done: BTreeSet<String>,
    /// Ends the run early.
    pub stop: Stop,
    /// Whether to tell of what is certain already, every now and then.
    pub checkpoints: bool,
}

/// Ends a run before its last call: what was called by then is judged, and the record says that it is partial.
#[derive(Debug, Clone)]
pub struct Stop(watch::Sender<Option<String>>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Stop {
    /// From now on, nothing more is called, for this reason.
    pub fn because(&self, reason: &str) {
        self.0.send_replace(Some(reason.to_owned()));
    }

    /// The reason, once there is one.
    async fn told(&self) -> String {
        // The sender lives as long as this does.
        let told = self.0.subscribe().wait_for(Option::is_some).await.map(|reason| reason.clone());
        told.ok().flatten().unwrap_or_default()
    }

    fn reason(&self) -> Option<String> {
        self.0.borrow().clone()
    }
}

impl RunRequest {
    /// Everything, once, against the embedded gateway.
    #[must_use]
    pub fn new(seed: u64, now: OffsetDateTime) -> Self {
        Self {
            gateways: Vec::new(),
            suites: Vec::new(),
            filters: Vec::new(),
            shard: None,
            costs: None,
            jobs: DEFAULT_JOBS,
            repeat: 1,
            after_reload: false,
            seed,
            now,
            pki: None,
            port_base: None,
            bind: None,
            claims: None,
            log: None,
            limits: Limits::default(),
            recorder: Recorder::default(),
            done: BTreeSet::new(),
            stop: Stop::default(),
            checkpoints: false,
        }
    }
}

/// Calls in flight: enough to keep two cores busy while one side waits for the other.
pub const DEFAULT_JOBS: usize = 16;

/// The gateway of a request that names none.
pub const DEFAULT_GATEWAY: &str = "reference";

/// What happens while a run goes on, for progress displays.
#[derive(Debug, Clone)]
pub enum Event {
    /// The cells are counted.
    Planned {
        /// How many will run.
        cells: usize,
    },
    /// A stage begins: `certificates`, `nginx: start`, …
    Stage {
        /// Its name.
        name: String,
    },
    /// So much is certain while the run goes on, if the request asks for it: cells that passed.
    Checkpoint {
        /// A partial record.
        record: Box<RunRecord>,
    },
    /// A call has ended.
    CellDone {
        /// The cell's name.
        id: String,
    },
}

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The request does not make sense; exit code 2.
    #[error("{0}")]
    Request(String),
    /// Gauntlet could not do its work; exit code 3.
    #[error("{0}")]
    Work(String),
}

impl RunError {
    fn request(error: impl std::fmt::Display) -> Self {
        Self::Request(error.to_string())
    }

    fn work(error: impl std::fmt::Display) -> Self {
        Self::Work(error.to_string())
    }

    /// With what lies below it, where the error itself does not say.
    fn work_with_cause(error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut below = error.source();
        while let Some(cause) = below {
            let words = cause.to_string();
            if !text.contains(&words) {
                text = format!("{text}: {words}");
            }
            below = cause.source();
        }
        Self::Work(text)
    }
}

/// The listener of a run's events.
pub type OnEvent<'a> = &'a (dyn Fn(Event) + Send + Sync);

/// The names of the cells that a request selects, in order, without running any.
///
/// # Errors
/// [`RunError::Request`] when a name is unknown or nothing is selected.
pub fn cells(request: &RunRequest) -> Result<Vec<String>, RunError> {
    let Plan { columns, .. } = plan(request)?;
    let shown = columns.iter().flat_map(|column| column.cells.iter().filter(|cell| cell.selected));
    Ok(shown.map(|cell| cell.id.to_string()).collect())
}

/// What a gateway that is already running has to be set up for, if its run is given the same request: the fleet
/// will listen on the request's address, from its first port on.
///
/// # Errors
/// [`RunError`] when the request makes no sense.
pub fn routes(request: &RunRequest) -> Result<GatewayPlan, RunError> {
    let base = request
        .port_base
        .ok_or_else(|| RunError::Request("a route table needs fixed ports; pass --port-base N".to_owned()))?;
    let Plan { mut columns, .. } = plan(request)?;
    let bind = request.bind.unwrap_or(LOCALHOST);
    let mut fleet = Vec::new();
    for column in &mut columns {
        column.take_lanes(0, &mut fleet);
    }
    let addresses = (0..fleet.len())
        .map(|lane| {
            let port = u16::try_from(lane).ok().and_then(|lane| base.checked_add(lane));
            port.map(|port| SocketAddr::new(bind, port)).ok_or_else(|| {
                RunError::Request(format!(
                    "{} backends do not fit above port {base}; choose a lower --port-base, or fewer cells",
                    fleet.len()
                ))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let pki = Arc::new(Pki::new(request.seed, request.now).map_err(RunError::work)?);
    let column = columns.first().ok_or_else(|| RunError::Request("no gateway is named".to_owned()))?;
    Ok(drive::gateway_plan(column, &addresses, &pki, request.limits).0)
}

/// Runs the matrix.
///
/// # Errors
/// [`RunError`] when the request makes no sense, or when Gauntlet cannot do its work.
pub async fn run(request: &RunRequest, on_event: OnEvent<'_>) -> Result<RunRecord, RunError> {
    let began = Instant::now();
    let Plan { mut columns, shard } = plan(request)?;
    on_event(Event::Planned { cells: columns.iter().map(|column| column.cells.len()).sum() });
    let mut clock = Stages::new(on_event);

    clock.begin("certificates");
    let pki = Arc::new(match &request.pki {
        Some(folder) => Pki::open(folder, request.seed, request.now).map_err(RunError::request)?,
        None => Pki::new(request.seed, request.now).map_err(RunError::work)?,
    });

    clock.begin("backends");
    let fleet = ports::start(&mut columns, &pki, request).await?;

    clock.begin("gateways and cells");
    let so_far = SoFar::new(&columns);
    let gathered = {
        let mut driving = pin!(drive::all(&columns, &pki, &fleet, request, &so_far, on_event));
        let mut turns = wait::pace(CHECKPOINT);
        loop {
            tokio::select! {
                gathered = &mut driving => break gathered?,
                _ = turns.tick(), if request.checkpoints => {
                    let record = checkpoint(request, &columns, &fleet, &so_far, began)?;
                    on_event(Event::Checkpoint { record: Box::new(record) });
                }
            }
        }
    };

    clock.begin("evidence");
    let backends: Vec<_> = fleet.backends().iter().map(Backend::address).collect();
    let asked: Vec<_> = fleet.backends().iter().map(Backend::status_asked).collect();
    let lack = fleet.lack().map(|error| format!("connections to backends could not be let in: {error}"));
    let ledgers = fleet.finish_written().await;

    clock.begin("verdicts");
    let mut record = blank(request, shard, began)?;
    for (column, mut gathered) in columns.iter().zip(gathered) {
        record.gateways.push(facts(&column.gateway));
        record.timings.extend(std::mem::take(&mut gathered.timings));
        gathered.trouble.extend(lack.clone());
        record.trouble.extend(gathered.told(column.gateway.name()));
        record.cells.extend(verdicts::of(column, gathered, &ledgers, &asked, &backends));
    }
    record.trouble.dedup();
    record.cells.sort_by(|left, right| left.id.cmp(&right.id));
    record.summary = RunRecord::summarise(&record.cells);
    record.partial =
        request.stop.reason().map(|reason| format!("{reason}; what had not been called is missing"));
    clock.end();
    record.timings.splice(0..0, clock.timings);
    record.duration_ms = millis(began.elapsed());
    Ok(record)
}

/// How often so much is told as is certain.
const CHECKPOINT: Duration = Duration::from_secs(2);

/// The cells that passed, as far as their evidence is there while the run goes on.
fn checkpoint(
    request: &RunRequest,
    columns: &[Column],
    fleet: &Fleet,
    so_far: &SoFar,
    began: Instant,
) -> Result<RunRecord, RunError> {
    let backends: Vec<_> = fleet.backends().iter().map(Backend::address).collect();
    let asked: Vec<_> = fleet.backends().iter().map(Backend::status_asked).collect();
    let ledgers: Vec<_> = fleet.backends().iter().map(|backend| backend.written_since(0)).collect();
    let mut record = blank(request, None, began)?;
    // What ended a moment ago may have more to come.
    for (column, gathered) in columns.iter().zip(so_far.settled(CHECKPOINT)) {
        record.gateways.push(facts(&column.gateway));
        record.cells.extend(verdicts::of(column, gathered, &ledgers, &asked, &backends));
    }
    record.cells.retain(|cell| cell.verdict == VerdictKind::Pass);
    record.cells.sort_by(|left, right| left.id.cmp(&right.id));
    record.summary = RunRecord::summarise(&record.cells);
    record.partial = Some("the run did not come to its end; what had passed by then is here".to_owned());
    Ok(record)
}

fn blank(request: &RunRequest, shard: Option<ShardFacts>, began: Instant) -> Result<RunRecord, RunError> {
    Ok(RunRecord {
        schema: SCHEMA.to_owned(),
        tool: Tool { name: "gauntlet".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        seed: request.seed,
        started: request.now.format(&Rfc3339).map_err(RunError::work)?,
        duration_ms: millis(began.elapsed()),
        shard,
        timings: Vec::new(),
        gateways: Vec::new(),
        cells: Vec::new(),
        summary: BTreeMap::new(),
        partial: None,
        trouble: Vec::new(),
        allows_unclaimed: false,
        baseline: None,
        legs: Vec::new(),
    })
}

fn facts(gateway: &Gateway) -> GatewayFacts {
    GatewayFacts {
        name: gateway.name().to_owned(),
        version: gateway.version().unwrap_or("unknown").to_owned(),
        kind: gateway.kind(),
        judged_by: gateway.judged_by(),
    }
}

/// Takes the time of each stage.
struct Stages<'a> {
    on_event: OnEvent<'a>,
    current: Option<(&'static str, Instant)>,
    timings: Vec<Timing>,
}

impl<'a> Stages<'a> {
    fn new(on_event: OnEvent<'a>) -> Self {
        Self { on_event, current: None, timings: Vec::new() }
    }

    fn begin(&mut self, stage: &'static str) {
        self.end();
        (self.on_event)(Event::Stage { name: stage.to_owned() });
        self.current = Some((stage, Instant::now()));
    }

    fn end(&mut self) {
        if let Some((stage, began)) = self.current.take() {
            self.timings.push(Timing { stage: stage.to_owned(), duration_ms: millis(began.elapsed()) });
        }
    }
}
