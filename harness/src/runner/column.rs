//! The plan: one column of cells for each gateway, each cell with what must happen and the controls it rests on.

use std::{collections::BTreeMap, net::SocketAddr};

use globset::{Glob, GlobSet, GlobSetBuilder};
use sha2::{Digest, Sha256};
use tls_gauntlet_scenarios::{
    CellId, Claims, Composed, Expectation, FaultAction, FaultPhase, Outcome, RevocationCheck, Scenario,
    StatusFault, Unclaimed, UpstreamProfile, catalogue, model,
};

use super::{DEFAULT_GATEWAY, RunError, RunRequest, shard::Split};
use crate::{
    gateway::Gateway,
    record::{GatewayKind, ShardFacts},
    wire::nonce::Nonce,
};

/// What is to be called.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) columns: Vec<Column>,
    /// Which part of a whole it is.
    pub(super) shard: Option<ShardFacts>,
}

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
    /// The host name that its backend is dialled by, unless it is dialled by its address.
    name: String,
    /// Index of its backend in the fleet.
    pub(super) lane: usize,
    /// Joins the evidence of the three witnesses.
    pub(super) nonce: Nonce,
    /// The nonce of the call before it, if its client makes one.
    pub(super) nonce_before: Nonce,
}

impl Cell {
    /// Whether its backend keeps the gateway waiting, and where.
    pub(super) fn stalls_at(&self) -> Option<FaultPhase> {
        let fault = self.scenario.backend.profile.fault?;
        (fault.does == FaultAction::Stall).then_some(fault.at)
    }

    /// Whether it is asked about the status of its certificate and keeps the asking party waiting.
    pub(super) fn stalls_about_status(&self) -> bool {
        self.scenario.upstream.profile.revocation.is_some_and(|check| check.asks().is_some())
            && self.scenario.backend.profile.status_fault == Some(StatusFault::Slow)
    }

    /// The name that the certificate of its backend, which listens there, is for: its caller has to know.
    pub(super) fn server_name(&self, backend: SocketAddr) -> String {
        let certificate = self.scenario.backend.profile.certificate();
        if certificate.is_for_address() { backend.ip().to_string() } else { self.name.clone() }
    }

    /// What its client asks for with this nonce, below this prefix.
    pub(super) fn path(&self, prefix: &str, nonce: Nonce) -> String {
        let rest = if self.scenario.client.profile.secure_path { "/secure" } else { "" };
        format!("{prefix}{nonce}{rest}")
    }

    pub(super) fn is_called(&self) -> bool {
        self.skipped.is_none()
    }
}

/// The client that differs from `default` in nothing but its path.
const SECURE_PATH: &str = "secure-path";

impl Column {
    /// Gives every cell that is called a backend of its own, at the end of `fleet`.
    /// The first of `fleet` is the backend with the index `first`.
    pub(super) fn take_lanes(&mut self, first: usize, fleet: &mut Vec<Composed>) {
        for cell in self.cells.iter_mut().filter(|cell| cell.is_called()) {
            cell.lane = first + fleet.len();
            fleet.push(cell.scenario.backend.clone());
        }
    }
}

/// Plans every column of a request.
pub(super) fn plan(request: &RunRequest) -> Result<Plan, RunError> {
    let default = [DEFAULT_GATEWAY.to_owned()];
    let named = if request.gateways.is_empty() { &default[..] } else { &request.gateways[..] };
    let scenarios = scenarios(&request.suites)?;
    let filter = Filter::new(&request.filters)?;
    let mut columns: Vec<Column> = Vec::new();
    let mut selected: Vec<Vec<&Scenario>> = Vec::new();
    for name in named {
        let gateway = resolve(name, request.claims.as_deref())?;
        if columns.iter().any(|column| column.gateway.name() == gateway.name()) {
            let name = gateway.name();
            return Err(RunError::Request(format!("two gateways are called \"{name}\"; name each one once")));
        }
        let is_external = gateway.kind() == GatewayKind::External;
        let column = Column {
            arguments: arguments(name, is_external, request),
            has_log: !is_external || request.log.is_some(),
            gateway,
            cells: Vec::new(),
        };
        let is_wanted = |scenario: &&Scenario| {
            applies(scenario, column.gateway.kind())
                && (!request.suites.is_empty() || is_for(scenario, column.gateway.name()))
        };
        let is_selected = |scenario: &&Scenario| filter.selects(&scenario.id(column.gateway.name()));
        selected.push(scenarios.iter().filter(is_wanted).filter(is_selected).collect());
        columns.push(column);
    }
    let split = request.shard.map(|shard| {
        let ids = columns.iter().zip(&selected).flat_map(|(column, scenarios)| {
            scenarios.iter().map(|scenario| scenario.id(column.gateway.name()).to_string())
        });
        Split::new(ids, shard, request.costs.as_ref())
    });
    for (column, scenarios) in columns.iter_mut().zip(selected) {
        for scenario in scenarios {
            let id = scenario.id(column.gateway.name()).to_string();
            if split.as_ref().is_none_or(|split| split.holds(&id)) && !request.done.contains(&id) {
                for turn in 0..request.repeat.max(1) {
                    let cell = column.cell(scenario.clone(), true, request.seed, turn);
                    column.cells.push(cell);
                }
            }
        }
        add_controls(column, request.seed);
    }
    let external = columns.iter().any(|column| column.gateway.kind() == GatewayKind::External);
    if !external && (request.claims.is_some() || request.log.is_some()) {
        let word = if request.claims.is_some() { "--claims" } else { "--log" };
        return Err(RunError::Request(format!(
            "{word} is for a gateway that is already running; name it by its URL, as in --gateway https://host:port"
        )));
    }
    if columns.iter().all(|column| column.cells.is_empty())
        && request.shard.is_none()
        && request.done.is_empty()
    {
        return Err(RunError::Request(format!(
            "no cell is selected by {}; `gauntlet list scenarios` shows all names",
            if request.filters.is_empty() { "these suites".to_owned() } else { request.filters.join(", ") }
        )));
    }
    Ok(Plan { columns, shard: split.as_ref().map(Split::facts) })
}

/// What names this gateway on the command line, and what a run against it cannot do without.
fn arguments(name: &str, is_external: bool, request: &RunRequest) -> String {
    let mut words = vec![format!("--gateway {name}")];
    words.extend(request.pki.iter().map(|folder| format!("--pki {}", folder.display())));
    words.extend(request.after_reload.then(|| "--after-reload".to_owned()));
    if is_external {
        words.extend(request.claims.iter().map(|claims| format!("--claims {claims}")));
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
    catalogue().suite(&scenario.suite).is_ok_and(|suite| suite.is_for(gateway))
}

/// Our own client has no listener in front of it, so there is only one; but it may ask for another path.
fn applies(scenario: &Scenario, kind: GatewayKind) -> bool {
    match kind {
        GatewayKind::Direct => {
            ["default", SECURE_PATH].contains(&scenario.client.name.as_str())
                && scenario.listener.name == "default"
        }
        GatewayKind::Reference | GatewayKind::Program | GatewayKind::External => true,
    }
}

impl Column {
    fn cell(&self, scenario: Scenario, selected: bool, seed: u64, turn: u32) -> Cell {
        let id = scenario.id(self.gateway.name());
        let name = server_name(&scenario, self.gateway.server_name());
        let mut expected = expect(&scenario, self.gateway.kind(), self.gateway.claims());
        if let Ok(expected) = &mut expected
            && expected.backend.server_name == Some(true)
        {
            expected.backend.sni = vec![name.clone()];
        }
        if let Ok(expected) = &mut expected {
            // An exact cause can be demanded only where there is a log to tell it.
            expected.exact &= self.has_log;
        }
        let skipped = needs(&scenario).find_map(|(listener, upstream)| {
            self.gateway.impossible(listener, upstream, &scenario.backend.name).map(str::to_owned)
        });
        let nonce = nonce(&id, seed, &turn.to_string());
        let nonce_before = self::nonce(&id, seed, &format!("before {turn}"));
        Cell {
            id,
            scenario,
            expected,
            skipped,
            selected,
            controls: Vec::new(),
            name,
            lane: usize::MAX,
            nonce,
            nonce_before,
        }
    }
}

/// The listeners and upstreams that its calls go through.
pub(super) fn needs(scenario: &Scenario) -> impl Iterator<Item = (&str, &str)> {
    let (listener, upstream) = (scenario.listener.name.as_str(), scenario.upstream.name.as_str());
    let before = scenario.upstream.profile.after.as_deref().map(|before| (listener, before));
    let elsewhere = scenario.client.profile.session_from(listener).map(|other| (other, upstream));
    [(listener, upstream)].into_iter().chain(before).chain(elsewhere)
}

fn expect(scenario: &Scenario, kind: GatewayKind, claims: &Claims) -> Result<Expectation, Unclaimed> {
    match kind {
        GatewayKind::Direct => model::expect_called_directly(scenario, claims),
        GatewayKind::Reference | GatewayKind::Program | GatewayKind::External => {
            model::expect(scenario, claims)
        }
    }
}

/// The name of this scenario's backend, where those of the others are called `host`.
fn server_name(scenario: &Scenario, host: &str) -> String {
    let asked = scenario.upstream.profile.server_name.clone();
    asked.unwrap_or_else(|| scenario.backend.profile.certificate().dialled(host))
}

/// The nonce of one call of a cell, the same for the same seed and turn.
fn nonce(id: &CellId, seed: u64, turn: &str) -> Nonce {
    let digest = Sha256::digest(format!("{seed}\n{id}\n{turn}"));
    Nonce(digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
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
            let key =
                (wanted.client.name.clone(), wanted.listener.name.clone(), wanted.upstream.name.clone());
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
    let upstream = control(scenario, default_listener, &scenario.upstream.name);
    let listener = ["default", "good-client-cert"]
        .into_iter()
        .filter_map(|client| control(scenario, (client, &scenario.listener.name), "strict"))
        .find(|control| {
            expect(control, column.gateway.kind(), column.gateway.claims())
                .is_ok_and(|expected| expected.outcome == Outcome::Reach)
        });
    [upstream, listener.filter(|_| scenario.listener.name != "default")]
}

/// The backend that this upstream must be content with: one with a status to find, where it looks for one, and the only one
/// with a certificate for another name, where it asks for that.
fn well_behaved(upstream: &UpstreamProfile) -> &'static str {
    match upstream.revocation {
        None | Some(RevocationCheck::CrlFile) if upstream.server_name.is_some() => "certificate-per-name",
        None | Some(RevocationCheck::CrlFile) => "plain-good",
        Some(RevocationCheck::StapleIfPresent | RevocationCheck::StapleRequired) => "stapled-good",
        Some(RevocationCheck::CrlFetched) => "crl-current",
        Some(RevocationCheck::OcspAsked) => "ocsp-good",
    }
}

fn control(like: &Scenario, (client, listener): (&str, &str), upstream: &str) -> Option<Scenario> {
    let profile = catalogue().upstream(upstream).ok()?;
    let backend = catalogue().backend(well_behaved(profile)).ok()?;
    Some(Scenario {
        suite: like.suite.clone(),
        why: "The positive control of the refusals beside it.".to_owned(),
        source: like.source.clone(),
        ..catalogue().scenario(client, listener, upstream, backend).ok()?
    })
}

fn same_combination(left: &Scenario, right: &Scenario) -> bool {
    left.client.name == right.client.name
        && left.listener.name == right.listener.name
        && left.upstream.name == right.upstream.name
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
