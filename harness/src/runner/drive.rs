//! Starts every gateway, calls every cell, stops every gateway; all gateways at the same time.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::{ClientCertificatePolicy, ClientSaw, Ended, FaultPhase, Named, catalogue};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    Event, OnEvent, RunError, RunRequest, Stop,
    column::{Cell, Column, needs},
};
use crate::{
    backend::{Backend, Fleet},
    client::{Before, ClientTrust, Probe, Target},
    gateway::{GATEWAY_NAME, GatewayError, GatewayPlan, RunFolder, Running},
    limits::{Limits, millis},
    record::{GatewayKind, Timing},
    tail,
    wire::{nonce::Nonce, recorder::Recorder},
};

/// What one column brought in.
#[derive(Debug)]
pub(super) struct Gathered {
    /// What each cell's client saw, in the order of the column; `None` where it was not called.
    pub(super) calls: Vec<Option<Call>>,
    /// Everything the gateway said.
    pub(super) log: Vec<String>,
    /// How the gateway ended, if it did so by itself.
    pub(super) died: Option<String>,
    /// Where the time went.
    pub(super) timings: Vec<Timing>,
    /// Whether the run was ended before everything was called.
    pub(super) cut: bool,
    /// What this machine failed at: what did not pass says nothing then.
    pub(super) trouble: Vec<String>,
}

impl Gathered {
    fn of(calls: Vec<Option<Call>>, timings: Vec<Timing>) -> Self {
        Self { calls, log: Vec::new(), died: None, timings, cut: false, trouble: Vec::new() }
    }

    /// What a reader has to know beside the cells.
    pub(super) fn told(&self, gateway: &str) -> Vec<String> {
        let died = self.died.iter().map(|death| format!("{gateway} was not there to the end: {death}"));
        self.trouble.iter().cloned().chain(died).collect()
    }
}

/// The calls that have ended while the others go on, by column, each with the time of its end.
#[derive(Debug)]
pub(super) struct SoFar(Vec<EndedCalls>);

/// The calls of one column.
type EndedCalls = Mutex<Vec<Option<(Instant, Call)>>>;

impl SoFar {
    pub(super) fn new(columns: &[Column]) -> Self {
        Self(columns.iter().map(|column| Mutex::new(vec![None; column.cells.len()])).collect())
    }

    fn note(&self, column: usize, cell: usize, call: &Call) {
        let mut calls = self.0[column].lock().unwrap_or_else(PoisonError::into_inner);
        calls[cell] = Some((Instant::now(), call.clone()));
    }

    /// Those that ended so long ago.
    pub(super) fn settled(&self, ago: Duration) -> Vec<Gathered> {
        let settled = |calls: &EndedCalls| {
            let calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
            let old = |call: &Option<(Instant, Call)>| {
                call.as_ref().filter(|(ended, _)| ended.elapsed() >= ago).map(|(_, call)| call.clone())
            };
            Gathered { cut: true, ..Gathered::of(calls.iter().map(old).collect(), Vec::new()) }
        };
        self.0.iter().map(settled).collect()
    }
}

/// Why calls were not made.
#[derive(Debug)]
enum Cut {
    /// The run was to end.
    Stopped,
    /// The gateway answers nobody any more.
    Silent(String),
}

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) saw: ClientSaw,
    pub(super) began: Instant,
    pub(super) ended: Instant,
}

/// Drives every column; the result is in their order.
pub(super) async fn all(
    columns: &[Column],
    pki: &Arc<Pki>,
    fleet: &Fleet,
    request: &RunRequest,
    so_far: &SoFar,
    on_event: OnEvent<'_>,
) -> Result<Vec<Gathered>, RunError> {
    let jobs = Arc::new(Semaphore::new(request.jobs.max(1)));
    let starts = Arc::new(Semaphore::new(available_parallelism().map_or(2, usize::from)));
    let backends: Vec<SocketAddr> = fleet.backends().iter().map(Backend::address).collect();
    let drives = columns.iter().enumerate().map(|(index, column)| {
        let drive = Drive {
            column,
            index,
            so_far,
            stop: &request.stop,
            pki,
            backends: &backends,
            limits: request.limits,
            jobs: jobs.clone(),
            starts: starts.clone(),
            on_event,
            after_reload: request.after_reload,
            log: request.log.as_deref(),
            recorder: &request.recorder,
        };
        drive.run()
    });
    try_join_all(drives).await
}

/// So many calls in a row without an answer, and the gateway is asked whether it is still there.
const SILENT: u32 = 3;

fn no_room(folder: &RunFolder, error: &io::Error) -> String {
    let path = folder.path().display();
    format!(
        "the disk of {path} cannot take what a run writes: {error}; make room, or set TMPDIR to another disk"
    )
}

/// Whether its backend, or who answers about a certificate, lets it wait.
fn is_kept_waiting(cell: &Cell) -> bool {
    cell.stalls_at().is_some() || cell.stalls_about_status()
}

/// A call that is ready to be made.
struct Calling {
    probe: Arc<Probe>,
    before: Before,
    target: Target,
}

impl Calling {
    /// Makes the call, when there is a turn for it.
    async fn call(self, turns: Option<Arc<Semaphore>>, plaintext: bool) -> Call {
        let _turn = match turns {
            Some(turns) => turns.acquire_owned().await.ok(),
            None => None,
        };
        let began = Instant::now();
        let saw = ClientSaw { plaintext, ..self.probe.get_after(&self.before, &self.target).await };
        Call { saw, began, ended: Instant::now() }
    }
}

/// The paths that one cell is called by.
pub(super) struct Paths {
    own: String,
    /// The path of the call before it, through another upstream.
    before: Option<String>,
}

/// One column, on its way.
struct Drive<'a> {
    column: &'a Column,
    /// Which of the columns it is.
    index: usize,
    so_far: &'a SoFar,
    stop: &'a Stop,
    pki: &'a Arc<Pki>,
    backends: &'a [SocketAddr],
    limits: Limits,
    jobs: Arc<Semaphore>,
    /// Turns to start: many at once would keep each other from being ready in time.
    starts: Arc<Semaphore>,
    on_event: OnEvent<'a>,
    /// Whether the gateway first runs with other settings.
    after_reload: bool,
    /// The log of a gateway that is already running.
    log: Option<&'a Path>,
    recorder: &'a Recorder,
}

impl Drive<'_> {
    async fn run(self) -> Result<Gathered, RunError> {
        if self.called().next().is_none() {
            // A part of a run may have nothing for this gateway: it is not started for that.
            let calls = self.column.cells.iter().map(|_| None).collect();
            return Ok(Gathered::of(calls, Vec::new()));
        }
        match self.column.gateway.kind() {
            GatewayKind::Direct => self.directly().await,
            GatewayKind::Reference | GatewayKind::Program | GatewayKind::External => {
                self.through_gateway().await
            }
        }
    }

    async fn directly(self) -> Result<Gathered, RunError> {
        let mut probes: BTreeMap<(String, String, Option<FaultPhase>, bool), Arc<Probe>> = BTreeMap::new();
        let mut targets = Vec::new();
        for cell in self.called() {
            let name = cell.server_name(self.backends[cell.lane]);
            let (stalls, about_status) = (cell.stalls_at(), cell.stalls_about_status());
            let key = (cell.scenario.upstream.name.clone(), name.clone(), stalls, about_status);
            let probe = if let Some(probe) = probes.get(&key) {
                probe.clone()
            } else {
                // All of a call counts, so what stalls late needs time to come there.
                let call = match cell.stalls_at() {
                    None => self.limits.call,
                    Some(at) if at < FaultPhase::Request => self.limits.impatient,
                    Some(_) => self.limits.impatient * 4,
                };
                let status = if about_status { self.limits.impatient } else { self.limits.status };
                let limits = Limits { call, status, ..self.limits };
                let probe = Probe::for_upstream(&cell.scenario.upstream.profile, &name, self.pki, limits)
                    .map_err(RunError::work)?;
                let probe = Arc::new(probe.recorded_by(self.recorder));
                probes.insert(key, probe.clone());
                probe
            };
            let target = Target {
                address: self.backends[cell.lane],
                host: name,
                path: cell.path("/", cell.nonce),
                nonce: cell.nonce.to_string(),
            };
            targets.push(Calling { probe, before: Before::Nothing, target });
        }
        let began = Instant::now();
        let (calls, cut) = self.call_all(targets, None).await?;
        let timings = vec![self.timing("cells", began)];
        Ok(Gathered { cut: cut.is_some(), ..Gathered::of(calls, timings) })
    }

    async fn through_gateway(self) -> Result<Gathered, RunError> {
        let column = self.column;
        let (plan, paths) = gateway_plan(column, self.backends, self.pki, self.limits);
        let folder = RunFolder::new()
            .map_err(|error| RunError::Work(format!("cannot make a folder for the run: {error}")))?;
        folder.has_room().map_err(|error| RunError::Work(no_room(&folder, &error)))?;
        self.say(Event::Stage { name: format!("{}: start", column.gateway.name()) });
        let turn = self.starts.acquire().await;
        let began = Instant::now();
        let first = if self.after_reload { trusting(&plan) } else { plan.clone() };
        let mut running = column.gateway.start(&first, &folder).await.map_err(cannot_start)?;
        if self.after_reload {
            running.reload(&plan).await.map_err(cannot_start)?;
        }
        drop(turn);
        let mut timings = vec![self.timing("start", began)];

        self.say(Event::Stage { name: format!("{}: cells", column.gateway.name()) });
        let began = Instant::now();
        let targets = self.targets(&running, &paths)?;
        let (calls, cut) = self.call_all(targets, Some((&mut running, &plan))).await?;
        timings.push(self.timing("cells", began));

        let began = Instant::now();
        let (cut, silence) = match cut {
            Some(Cut::Stopped) => (true, None),
            Some(Cut::Silent(because)) => (false, Some(because)),
            None => (false, None),
        };
        let died_early = match silence {
            Some(because) => Some(because),
            None => running.gone(self.limits.call).await,
        };
        let trouble = folder.has_room().err().map(|error| no_room(&folder, &error)).into_iter().collect();
        let stopped = running.stop().await;
        timings.push(self.timing("stop", began));
        let log = match (self.log, column.gateway.kind()) {
            (Some(file), GatewayKind::External) => read_log(file)?,
            (Some(_), GatewayKind::Direct | GatewayKind::Reference | GatewayKind::Program) | (None, _) => {
                stopped.log
            }
        };
        Ok(Gathered { calls, log, died: died_early.or(stopped.died), timings, cut, trouble })
    }

    fn targets(&self, running: &Running, paths: &[Paths]) -> Result<Vec<Calling>, RunError> {
        // An external gateway shows a certificate of its own, and it is not its clients' trust that is tested.
        let trust = match self.column.gateway.host() {
            Some(host) => ClientTrust { root: None, name: called(host).to_owned() },
            None => ClientTrust::ours(self.pki, GATEWAY_NAME),
        };
        let mut probes: BTreeMap<(&str, bool), Arc<Probe>> = BTreeMap::new();
        let mut targets = Vec::new();
        for (cell, path) in self.called().zip(paths) {
            let Named { name: client, profile } = &cell.scenario.client;
            // What the gateway never gives up, its client does; later than the gateway would if it did.
            let waits = cell.expected.as_ref().is_ok_and(|expected| expected.gives_up == Some(false));
            let call = if waits { self.limits.impatient * 2 } else { self.limits.call };
            let probe = match probes.get(&(client.as_str(), waits)) {
                Some(probe) => probe.clone(),
                None => {
                    let limits = Limits { call, ..self.limits };
                    let probe = Probe::for_client(profile, &trust, self.pki, limits);
                    let probe = probe.map_err(RunError::work)?.recorded_by(self.recorder);
                    let probe = Arc::new(probe);
                    probes.insert((client, waits), probe.clone());
                    probe
                }
            };
            let listener = &cell.scenario.listener.name;
            let address = |listener: &str| {
                running.listener(listener).ok_or_else(|| {
                    RunError::Work(format!("{} has no listener \"{listener}\"", self.column.gateway.name()))
                })
            };
            let target = |address: SocketAddr, path: &str, nonce: Nonce| Target {
                address,
                host: trust.name.clone(),
                path: path.to_owned(),
                nonce: nonce.to_string(),
            };
            let before = match (&path.before, profile.session_from(listener)) {
                (Some(path), _) => Before::Connection(target(address(listener)?, path, cell.nonce_before)),
                // No route leads there: a session is all that is wanted.
                (None, Some(from)) => Before::Session(target(
                    address(from)?,
                    &format!("/{}", cell.nonce_before),
                    cell.nonce_before,
                )),
                (None, None) => Before::Nothing,
            };
            let target = target(address(listener)?, &path.own, cell.nonce);
            targets.push(Calling { probe, before, target });
        }
        Ok(targets)
    }

    /// Calls every cell, unless it is cut short. Those whose backend stalls cost patience and no work, so they take no turn from
    /// the others.
    async fn call_all(
        &self,
        targets: Vec<Calling>,
        mut gateway: Option<(&mut Running, &GatewayPlan)>,
    ) -> Result<(Vec<Option<Call>>, Option<Cut>), RunError> {
        let mut tasks = JoinSet::new();
        let mut calls: Vec<Option<Call>> = self.column.cells.iter().map(|_| None).collect();
        let called = self.column.cells.iter().enumerate().filter(|(_, cell)| cell.is_called());
        for ((index, cell), calling) in called.zip(targets) {
            let turn = if is_kept_waiting(cell) { None } else { Some(self.jobs.clone()) };
            let plaintext = cell.scenario.client.profile.plaintext;
            tasks.spawn(async move { (index, calling.call(turn, plaintext).await) });
        }
        let mut silent = 0;
        loop {
            let done = tokio::select! {
                done = tasks.join_next() => done,
                _ = self.stop.told() => return Ok((calls, Some(Cut::Stopped))),
            };
            let Some(done) = done else { return Ok((calls, None)) };
            let (index, call) = done.map_err(RunError::work)?;
            let cell = &self.column.cells[index];
            match call.saw.ended {
                Some(Ended::TimedOut) if !is_kept_waiting(cell) => silent += 1,
                Some(_) | None => silent = 0,
            }
            self.so_far.note(self.index, index, &call);
            calls[index] = Some(call);
            self.say(Event::CellDone { id: cell.id.to_string() });
            if silent >= SILENT
                && let Some((running, plan)) = &mut gateway
            {
                match running.answers(plan, self.limits.settle).await {
                    // It is slow, and that is for the verdicts to say.
                    Ok(()) => silent = 0,
                    Err(because) => return Ok((calls, Some(Cut::Silent(because)))),
                }
            }
        }
    }

    fn called(&self) -> impl Iterator<Item = &Cell> {
        self.column.cells.iter().filter(|cell| cell.is_called())
    }

    fn say(&self, event: Event) {
        (self.on_event)(event);
    }

    fn timing(&self, stage: &str, began: Instant) -> Timing {
        Timing {
            stage: format!("{}: {stage}", self.column.gateway.name()),
            duration_ms: millis(began.elapsed()),
        }
    }
}

/// A folder with a mistake in it is bad input; a gateway that does not come up is not.
fn cannot_start(error: GatewayError) -> RunError {
    if error.is_input() { RunError::request(error) } else { RunError::work_with_cause(&error) }
}

fn read_log(file: &Path) -> Result<Vec<String>, RunError> {
    tail::lines(file)
        .map_err(|error| RunError::Work(format!("cannot read the log {}: {error}", file.display())))
}

/// The plan with nothing verified, nothing shown and nothing asked for: a gateway that stays with it lets everything in.
fn trusting(plan: &GatewayPlan) -> GatewayPlan {
    let mut trusting = plan.clone();
    for (_, listener) in &mut trusting.listeners {
        listener.client_certificate = ClientCertificatePolicy::Ignored;
        listener.check_revocation = false;
    }
    for (_, upstream) in &mut trusting.upstreams {
        upstream.verify_chain = false;
        upstream.verify_name = false;
        upstream.client_certificate = None;
    }
    trusting
}

/// The gateway's set-up, and the path of each called cell.
pub(super) fn gateway_plan(
    column: &Column,
    backends: &[SocketAddr],
    pki: &Arc<Pki>,
    limits: Limits,
) -> (GatewayPlan, Vec<Paths>) {
    let called: Vec<&Cell> = column.cells.iter().filter(|cell| cell.is_called()).collect();
    let needs = || called.iter().flat_map(|cell| needs(&cell.scenario));
    let listeners: BTreeSet<&str> = needs().map(|(listener, _)| listener).collect();
    let upstreams: BTreeSet<&str> = needs().map(|(_, upstream)| upstream).collect();
    let mut plan = GatewayPlan::new(
        named(catalogue().listeners(), &listeners),
        named(catalogue().upstreams(), &upstreams),
        pki.clone(),
        limits,
    );
    let paths = called
        .iter()
        .map(|cell| {
            let (connect, response) = patience(cell, &limits);
            let scenario = &cell.scenario;
            let name = cell.server_name(backends[cell.lane]);
            let backend = (backends[cell.lane], name.as_str());
            let mut path = |upstream: &str, nonce: Nonce| {
                let listener = &scenario.listener.name;
                let route = plan.add_route_on(listener, upstream, backend, connect, response);
                cell.path(&route.path, nonce)
            };
            let own = path(&scenario.upstream.name, cell.nonce);
            let before =
                scenario.upstream.profile.after.as_ref().map(|before| path(before, cell.nonce_before));
            Paths { own, before }
        })
        .collect();
    (plan, paths)
}

/// The name to ask an external gateway for: an address is no server name (RFC 6066 section 3).
fn called(host: &str) -> &str {
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    if is_address { GATEWAY_NAME } else { host }
}

fn named<'a, T: Clone + 'a>(
    all: impl Iterator<Item = (&'a str, &'a T)>,
    wanted: &BTreeSet<&str>,
) -> Vec<(String, T)> {
    all.filter(|(name, _)| wanted.contains(name))
        .map(|(name, profile)| (name.to_owned(), profile.clone()))
        .collect()
}

/// How long a gateway is told to wait for this cell's backend: short only where the backend stalls, so that no other
/// cell depends on the speed of the machine.
fn patience(cell: &Cell, limits: &Limits) -> (Duration, Duration) {
    match cell.stalls_at() {
        // The status of a certificate is asked for once the handshake is over.
        None if cell.stalls_about_status() => (limits.patient, limits.impatient),
        Some(
            FaultPhase::Accept
            | FaultPhase::ClientHello
            | FaultPhase::ServerHello
            | FaultPhase::Certificate
            | FaultPhase::Finished,
        ) => (limits.impatient, limits.patient),
        Some(FaultPhase::Request | FaultPhase::Headers | FaultPhase::Body | FaultPhase::Close) => {
            (limits.patient, limits.impatient)
        }
        None => (limits.patient, limits.patient),
    }
}
