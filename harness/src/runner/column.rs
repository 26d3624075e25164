//! The plan: one column of cells for each gateway, each cell with what must happen and the controls it rests on.

use std::{collections::BTreeMap, fmt, str::FromStr};

use globset::{Glob, GlobSet, GlobSetBuilder};
use sha2::{Digest, Sha256};
use tls_gauntlet_certs::ServerRecipe;
use tls_gauntlet_scenarios::{
    CellId, Claims, Composed, Expectation, FaultAction, FaultPhase, Outcome, Scenario, Unclaimed, catalogue,
    model,
};

use super::{DEFAULT_GATEWAY, RunError, RunRequest};
use crate::{
    gateway::{BACKEND_NAME, Gateway},
    record::GatewayKind,
};

/// One gateway and the cells that are called through it.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) gateway: Gateway,
    /// The arguments that name it, for commands that reproduce a cell.
    pub(super) arguments: String,
    /// Whether there is a log to look for causes in.
    pub(super) has_log: bool,
    pub(super) cells: Vec<Cell>,
}

/// One cell.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) id: CellId,
    pub(super) scenario: Scenario,
    pub(super) expected: Result<Expectation, Unclaimed>,
    /// Why it is not called at all.
    pub(super) skipped: Option<String>,
    /// Whether it was asked for; otherwise it is called as a positive control only.
    pub(super) selected: bool,
    /// Positive controls of its listener and its upstream: indices into the column.
    pub(super) controls: Vec<usize>,
    /// Index of its backend in the fleet.
    pub(super) lane: usize,
    /// Joins the evidence of the three witnesses.
    pub(super) nonce: String,
}

impl Cell {
    /// Whether its backend keeps the gateway waiting, and where.
    pub(super) fn stalls_at(&self) -> Option<FaultPhase> {
        let fault = self.scenario.backend.profile.fault?;
        (fault.does == FaultAction::Stall).then_some(fault.at)
    }

    /// The name that the certificate of its backend is for, as whoever dials the backend has to know.
    pub(super) fn server_name(&self) -> String {
        server_name(&self.scenario)
    }

    pub(super) fn is_called(&self) -> bool {
        self.skipped.is_none()
    }
}

impl Column {
    /// Gives every cell that is called a backend of its own, at the end of `fleet`.
    pub(super) fn take_lanes(&mut self, fleet: &mut Vec<Composed>) {
        for cell in self.cells.iter_mut().filter(|cell| cell.is_called()) {
            cell.lane = fleet.len();
            fleet.push(cell.scenario.backend.clone());
        }
    }
}

/// Plans every column of a request.
pub(super) fn plan(request: &RunRequest) -> Result<Vec<Column>, RunError> {
    let default = [DEFAULT_GATEWAY.to_owned()];
    let named = if request.gateways.is_empty() { &default[..] } else { &request.gateways[..] };
    let scenarios = scenarios(&request.suites)?;
    let filter = Filter::new(&request.filters)?;
    let mut columns = Vec::new();
    for name in named {
        let gateway = resolve(name, request.claims.as_deref())?;
        if columns.iter().any(|column: &Column| column.gateway.name() == gateway.name()) {
            let name = gateway.name();
            return Err(RunError::Request(format!("two gateways are called \"{name}\"; name each one once")));
        }
        let is_external = gateway.kind() == GatewayKind::External;
        let mut column = Column {
            arguments: arguments(name, is_external, request),
            has_log: !is_external || request.log.is_some(),
            gateway,
            cells: Vec::new(),
        };
        let is_wanted = |scenario: &&Scenario| {
            applies(scenario, column.gateway.kind())
                && (!request.suites.is_empty() || is_for(scenario, column.gateway.name()))
        };
        for scenario in scenarios.iter().filter(is_wanted) {
            let id = scenario.id(column.gateway.name());
            if filter.selects(&id) && request.shard.is_none_or(|shard| shard.holds(&id)) {
                for turn in 0..request.repeat.max(1) {
                    let cell = column.cell(scenario.clone(), true, request.seed, turn);
                    column.cells.push(cell);
                }
            }
        }
        add_controls(&mut column, request.seed);
        columns.push(column);
    }
    let external = columns.iter().any(|column| column.gateway.kind() == GatewayKind::External);
    if !external && (request.claims.is_some() || request.log.is_some()) {
        let word = if request.claims.is_some() { "--claims" } else { "--log" };
        return Err(RunError::Request(format!(
            "{word} is for a gateway that is already running; name it by its URL, as in --gateway https://host:port"
        )));
    }
    if columns.iter().all(|column| column.cells.is_empty()) && request.shard.is_none() {
        return Err(RunError::Request(format!(
            "no cell is selected by {}; `gauntlet list scenarios` shows all names",
            if request.filters.is_empty() { "these suites".to_owned() } else { request.filters.join(", ") }
        )));
    }
    Ok(columns)
}

/// What names this gateway on the command line, and what a run against it cannot do without.
fn arguments(name: &str, is_external: bool, request: &RunRequest) -> String {
    let mut words = vec![format!("--gateway {name}")];
    if is_external {
        words.extend(request.claims.iter().map(|claims| format!("--claims {claims}")));
        words.extend(request.pki.iter().map(|folder| format!("--pki {}", folder.display())));
        words.extend(request.port_base.iter().map(|port| format!("--port-base {port}")));
        words.extend(request.log.iter().map(|file| format!("--log {}", file.display())));
    }
    words.join(" ")
}

/// A gateway by its name; one that is already running makes the claims it is said to make.
fn resolve(name: &str, claims: Option<&str>) -> Result<Gateway, RunError> {
    let gateway = Gateway::resolve(name).map_err(RunError::request)?;
    match (gateway.kind(), claims) {
        (GatewayKind::External, Some(like)) => {
            Ok(gateway.claiming(&Gateway::resolve(like).map_err(RunError::request)?))
        }
        (GatewayKind::External, None)
        | (GatewayKind::Direct | GatewayKind::Reference | GatewayKind::Program, _) => Ok(gateway),
    }
}

fn scenarios(suites: &[String]) -> Result<Vec<Scenario>, RunError> {
    let all: Vec<String> = catalogue().suites().map(|(name, _)| name.to_owned()).collect();
    let mut scenarios = Vec::new();
    for suite in if suites.is_empty() { &all } else { suites } {
        scenarios.extend(catalogue().scenarios(suite).map_err(RunError::request)?);
    }
    Ok(scenarios)
}

/// Whether this scenario's suite is for this gateway, or for all.
fn is_for(scenario: &Scenario, gateway: &str) -> bool {
    catalogue()
        .suite(&scenario.suite)
        .is_ok_and(|suite| suite.gateways.is_empty() || suite.gateways.iter().any(|name| name == gateway))
}

/// Our own client has no listener in front of it.
fn applies(scenario: &Scenario, kind: GatewayKind) -> bool {
    match kind {
        GatewayKind::Direct => scenario.client.0 == "default" && scenario.listener.0 == "default",
        GatewayKind::Reference | GatewayKind::Program | GatewayKind::External => true,
    }
}

impl Column {
    fn cell(&self, scenario: Scenario, selected: bool, seed: u64, turn: u32) -> Cell {
        let id = scenario.id(self.gateway.name());
        let mut expected = expect(&scenario, self.gateway.kind(), self.gateway.claims());
        if let Ok(expected) = &mut expected
            && expected.backend.server_name == Some(true)
        {
            expected.backend.sni = server_names(&scenario);
        }
        let skipped = self.gateway.impossible(&scenario.listener.0, &scenario.upstream.0).map(str::to_owned);
        let nonce = nonce(&id, seed, turn);
        Cell { id, scenario, expected, skipped, selected, controls: Vec::new(), lane: usize::MAX, nonce }
    }
}

fn expect(scenario: &Scenario, kind: GatewayKind, claims: &Claims) -> Result<Expectation, Unclaimed> {
    match kind {
        GatewayKind::Direct => model::expect_direct(&scenario.upstream.1, &scenario.backend, claims),
        GatewayKind::Reference | GatewayKind::Program | GatewayKind::External => {
            model::expect(scenario, claims)
        }
    }
}

/// The names that may be asked for: the backends' certificates are for `localhost` too, and a gateway that asks for the
/// host of the URL (httpd) can be set up with nothing else.
fn server_names(scenario: &Scenario) -> Vec<String> {
    let name = server_name(scenario);
    if name == BACKEND_NAME { vec![name, "localhost".to_owned()] } else { vec![name] }
}

fn server_name(scenario: &Scenario) -> String {
    let recipe = scenario.backend.profile.certificate().as_str().parse::<ServerRecipe>();
    recipe.map_or_else(|_| BACKEND_NAME.to_owned(), |recipe| recipe.dialled(BACKEND_NAME))
}

/// 64 bits that nobody else uses, the same for the same seed and cell.
fn nonce(id: &CellId, seed: u64, turn: u32) -> String {
    let digest = Sha256::digest(format!("{seed}\n{id}\n{turn}"));
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("n-{hex}")
}

/// Links each cell to the well-behaved pairs that must pass before its refusal counts; those that were not asked for
/// are added, to be called but not shown.
fn add_controls(column: &mut Column, seed: u64) {
    let mut known: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for index in 0..column.cells.len() {
        let expected_refusal =
            |cell: &Cell| cell.expected.as_ref().is_ok_and(|expected| expected.outcome == Outcome::Refuse);
        if !expected_refusal(&column.cells[index]) || !column.cells[index].is_called() {
            continue;
        }
        let scenario = column.cells[index].scenario.clone();
        let mut controls = Vec::new();
        for wanted in controls_of(&scenario, column) {
            let Some(wanted) = wanted else { continue };
            let key = (wanted.client.0.clone(), wanted.listener.0.clone(), wanted.upstream.0.clone());
            let found = known
                .get(&key)
                .copied()
                .or_else(|| column.cells.iter().position(|cell| same_combination(&cell.scenario, &wanted)));
            let control = found.unwrap_or_else(|| {
                let cell = column.cell(wanted, false, seed, 0);
                column.cells.push(cell);
                column.cells.len() - 1
            });
            known.insert(key, control);
            controls.push(control);
        }
        column.cells[index].controls = controls;
    }
}

/// The well-behaved pair of this scenario's upstream, and that of its listener.
fn controls_of(scenario: &Scenario, column: &Column) -> [Option<Scenario>; 2] {
    let default_listener = ("default", "default");
    let upstream = control(scenario, default_listener, &scenario.upstream.0);
    let listener = ["default", "good-client-cert"]
        .into_iter()
        .filter_map(|client| control(scenario, (client, &scenario.listener.0), "strict"))
        .find(|control| {
            expect(control, column.gateway.kind(), column.gateway.claims())
                .is_ok_and(|expected| expected.outcome == Outcome::Reach)
        });
    [upstream, listener.filter(|_| scenario.listener.0 != "default")]
}

fn control(like: &Scenario, (client, listener): (&str, &str), upstream: &str) -> Option<Scenario> {
    Some(Scenario {
        suite: like.suite.clone(),
        client: (client.to_owned(), catalogue().client(client).ok()?.clone()),
        listener: (listener.to_owned(), catalogue().listener(listener).ok()?.clone()),
        upstream: (upstream.to_owned(), catalogue().upstream(upstream).ok()?.clone()),
        backend: catalogue().backend("plain-good").ok()?,
        why: "The positive control of the refusals beside it.".to_owned(),
        source: like.source.clone(),
    })
}

fn same_combination(left: &Scenario, right: &Scenario) -> bool {
    left.client.0 == right.client.0
        && left.listener.0 == right.listener.0
        && left.upstream.0 == right.upstream.0
        && left.backend.name == right.backend.name
}

/// Globs over cell names.
struct Filter(Option<GlobSet>);

impl Filter {
    fn new(globs: &[String]) -> Result<Self, RunError> {
        if globs.is_empty() {
            return Ok(Self(None));
        }
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            set.add(Glob::new(glob).map_err(|error| {
                RunError::Request(format!("the filter is not a glob: {error}; `*` stands for any text"))
            })?);
        }
        Ok(Self(Some(set.build().map_err(RunError::request)?)))
    }

    fn selects(&self, id: &CellId) -> bool {
        self.0.as_ref().is_none_or(|set| set.is_match(id.to_string()))
    }
}

/// Part I of N, by a hash of the cell's name: the same cells on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    part: u32,
    of: u32,
}

/// A shard that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--shard \"{0}\" makes no sense; it reads I/N with I from 1 to N, as in --shard 1/3")]
pub struct ShardError(String);

impl Shard {
    fn holds(self, id: &CellId) -> bool {
        let digest = Sha256::digest(id.to_string());
        let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        number % self.of == self.part - 1
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let wrong = || ShardError(text.to_owned());
        let (part, of) = text.split_once('/').ok_or_else(wrong)?;
        let (part, of) = (part.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
        if part == 0 || part > of { Err(wrong()) } else { Ok(Self { part, of }) }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}
