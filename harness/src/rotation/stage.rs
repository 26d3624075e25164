//! One change on one gateway: what has to stand, what happens, and what came of it.

use std::{sync::Arc, time::Duration};

use openssl::x509::X509;
use tls_gauntlet_certs::{ClientCertificate, CrlKind, ServerCertificate};
use tls_gauntlet_scenarios::catalogue;

use super::{
    Change, Generations, RotationRequest, cannot,
    judge::{Judged, Marks, judge},
    load::{Caller, Came, Load, Reads, Saw},
    record::{Old, Outcome},
};
use crate::{
    backend::{Backend, Fleet, FleetOptions, Held},
    client::{Dialer, DialerSettings},
    gateway::{GATEWAY_NAME, Gateway, GatewayPlan, Keyring, RunFolder, Running},
    printable,
    runner::RunError,
    vault::{Agent, CannotAsk, Material, Refresh, Vault},
    wait,
    wire::nonce::Nonce,
};

/// The listener that is called.
const LISTENER: &str = "default";
/// What the store calls the gateway, and what it keeps for it.
const CALLER: &str = "gateway";
const CLIENT: &str = "client";
const TRUST: &str = "trust";
/// How many lines of the gateway's log an error message carries.
const LAST_WORDS: usize = 5;
/// How often an agent asks for new versions.
const POLL: Duration = Duration::from_millis(250);

/// The backends, in the order of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The traffic goes there, and it changes.
    Called,
    /// It keeps what the first has left.
    StaysBehind,
    /// It has what the first is to get.
    Scout,
}

const PARTS: &[Part] = &[Part::Called, Part::StaysBehind, Part::Scout];

/// Everything that stands while one change is tried.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) change: Change,
    pub(super) generations: &'a Generations,
    pub(super) request: &'a RotationRequest,
    pub(super) fleet: Fleet,
    vault: Vault,
    agent: Agent,
    pub(super) plan: GatewayPlan,
    pub(super) paths: Vec<String>,
    pub(super) running: Running,
    // Dropped after what runs in it.
    _folder: RunFolder,
    marks: Marks,
    judged: Option<Judged>,
    traffic: Duration,
    halted: Option<String>,
    store_said: Vec<String>,
    /// What became of the old one afterwards.
    pub(super) old: Old,
    calls: u64,
}

/// Why a change was not carried through.
enum Halt {
    /// The gateway did not do its part.
    Gateway(String),
    /// We did not do ours.
    Ours(RunError),
}

impl From<RunError> for Halt {
    fn from(error: RunError) -> Self {
        Self::Ours(error)
    }
}

impl From<CannotAsk> for Halt {
    fn from(error: CannotAsk) -> Self {
        Self::Ours(cannot(error))
    }
}

impl<'a> Stage<'a> {
    /// Sets everything up with the old certificates. When this returns, the gateway answers.
    pub(super) async fn set(
        gateway: &'a Gateway,
        change: Change,
        generations: &'a Generations,
        request: &'a RotationRequest,
    ) -> Result<Self, RunError> {
        let Generations { old, new } = generations;
        let limits = request.limits;
        let profile = if change.is_the_clients() { "client-cert-required" } else { "plain-good" };
        let composed = catalogue().backend(profile).map_err(cannot)?;
        let options = FleetOptions { limits, ..FleetOptions::default() };
        let plan = vec![composed; PARTS.len()];
        let fleet = Fleet::start(&plan, old, &options).await.map_err(cannot)?;
        for (backend, part) in fleet.backends().iter().zip(PARTS) {
            backend.change(&held_at_first(change, *part, generations)?).await.map_err(cannot)?;
        }

        let vault = Vault::start().await.map_err(cannot)?;
        let mut roots = vec![old.server_root().clone()];
        if change == Change::TrustStore {
            roots.push(new.server_root().clone());
        }
        vault.store().put(TRUST, Material::Authorities(roots));
        vault.store().put(CLIENT, Material::Identity(old.client(ClientCertificate::Good).map_err(cannot)?));
        let mut agent = Agent::new(vault.address(), CALLER, limits);
        for name in [TRUST, CLIENT] {
            agent.refresh(name).await.map_err(cannot)?;
        }

        let upstream = match change {
            Change::BackendCertificate if revocation(gateway).is_ok() => "crl-file",
            _ => "strict",
        };
        let mut plan = GatewayPlan::new(
            vec![(LISTENER.to_owned(), catalogue().listener(LISTENER).map_err(cannot)?.clone())],
            vec![(upstream.to_owned(), catalogue().upstream(upstream).map_err(cannot)?.clone())],
            Arc::clone(old),
            limits,
        );
        plan.server_name = gateway.server_name().to_owned();
        plan.keyring = Keyring { revoked: CrlKind::Empty, ..keyring(&agent, plan.keyring) };
        let addresses = fleet.backends().iter().map(Backend::address);
        let paths = addresses
            .map(|address| plan.add_route(upstream, address, limits.patient, limits.patient).path.clone())
            .collect();
        let folder = RunFolder::new().map_err(cannot)?;
        let running = gateway.start(&plan, &folder).await.map_err(|error| {
            if error.is_input() { RunError::Request(error.to_string()) } else { cannot(error) }
        })?;
        Ok(Self {
            gateway,
            change,
            generations,
            request,
            fleet,
            vault,
            agent,
            plan,
            paths,
            running,
            _folder: folder,
            marks: Marks::default(),
            judged: None,
            traffic: Duration::ZERO,
            halted: None,
            store_said: Vec::new(),
            old: Old::NotAsked { because: "the change was not carried through".to_owned() },
            calls: 0,
        })
    }

    /// Lets the traffic flow, and makes the change in the middle of it.
    pub(super) async fn play(&mut self) -> Result<(), RunError> {
        let caller = self.caller()?;
        let reads = self.reads()?;
        for lane in [Part::Called as usize, Part::StaysBehind as usize] {
            let nonce = self.next_nonce();
            let came = caller.call(&self.paths[lane], nonce).await;
            if !matches!(came, Came::Echo { .. }) {
                let log = self.running.log();
                let last = log[log.len().saturating_sub(LAST_WORDS)..].join(" | ");
                let message = format!(
                    "cannot rotate {}: {}: a backend is not reached before anything changes: {came:?}; the gateway's log \
                     ends: {}",
                    self.gateway.name(),
                    self.change,
                    printable::message(&last),
                );
                return Err(RunError::Work(message));
            }
        }
        // Both are called only where the second is what shows the change.
        let lanes = if self.change == Change::TrustStore { 2 } else { 1 };
        let load = Load::start(caller, self.paths[..lanes].to_vec(), self.request.rate, reads);
        let half = usize::try_from(self.request.rate * self.request.seconds).unwrap_or(usize::MAX) / 2;
        load.more(half.max(1)).await;
        match self.carry_out(&load).await {
            Ok(()) => load.more(half.max(1)).await,
            Err(Halt::Gateway(because)) => self.halted = Some(because),
            Err(Halt::Ours(error)) => return Err(error),
        }
        self.traffic = load.now();
        self.judged = Some(judge(&load.finish().await, self.marks));
        Ok(())
    }

    /// Whether the gateway has taken the change up, so that the old one has to be refused.
    pub(super) fn has_changed(&self) -> bool {
        self.halted.is_none() && self.marks.taken_up.is_some()
    }

    /// Stops everything and says what came of it.
    pub(super) async fn strike(mut self) -> Outcome {
        let died = self.running.died();
        let stopped = self.running.stop().await;
        let empty = || judge(&[], self.marks);
        let Judged { requests, failed, failures, moment, mut wrong } = self.judged.unwrap_or_else(empty);
        wrong.splice(0..0, self.halted);
        if let Some(died) = died.or(stopped.died) {
            wrong.push(format!("the gateway ended: {died}"));
        }
        if let Old::NotRefused { because } = &self.old {
            wrong.push(format!("the old one is not refused afterwards: {because}"));
        }
        let milli_rate = requests as u128 * 1_000_000 / self.traffic.as_millis().max(1);
        Outcome {
            gateway: self.gateway.name().to_owned(),
            change: self.change.to_string(),
            wrong,
            requests,
            milli_rate: u64::try_from(milli_rate).unwrap_or(u64::MAX),
            failed,
            failures,
            moment,
            old: self.old,
            store_said: self.store_said,
            duration_ms: 0,
        }
    }

    async fn carry_out(&mut self, load: &Load) -> Result<(), Halt> {
        let Generations { old, new } = self.generations;
        let (old_root, new_root) = (old.server_root().clone(), new.server_root().clone());
        match self.change {
            Change::BackendCertificate => {
                self.marks.told = load.now();
                self.give(&Held {
                    identity: old.server(ServerCertificate::Good, &names()).map_err(cannot)?,
                    client_roots: Vec::new(),
                })
                .await?;
                self.wait_for_it(load).await;
                self.plan.keyring.revoked = CrlKind::Revoked;
                self.reload().await
            }
            Change::BackendAuthority => {
                self.trust(vec![old_root, new_root.clone()]).await?;
                self.wait_for_the_scout(load).await?;
                self.marks.told = load.now();
                self.give(&Held {
                    identity: new.server(ServerCertificate::Good, &names()).map_err(cannot)?,
                    client_roots: Vec::new(),
                })
                .await?;
                self.wait_for_it(load).await;
                self.trust(vec![new_root]).await
            }
            Change::TrustStore => {
                self.marks.told = load.now();
                self.trust(vec![old_root]).await?;
                self.wait_for_it(load).await;
                Ok(())
            }
            Change::ClientCertificate => {
                self.marks.told = load.now();
                self.put_client()?;
                self.agent.poll(CLIENT, POLL).await?;
                self.show_what_is_held(load).await
            }
            Change::AccessDenied => {
                self.vault.store().allow(CALLER, false);
                self.put_client()?;
                self.must_keep(load).await?;
                self.marks.told = load.now();
                self.vault.store().allow(CALLER, true);
                self.agent.refresh(CLIENT).await?;
                self.show_what_is_held(load).await
            }
            Change::VersionDisabled => {
                let version = self.put_client()?;
                self.vault.store().enable(CLIENT, version, false).map_err(cannot)?;
                self.must_keep(load).await?;
                self.marks.told = load.now();
                self.vault.store().enable(CLIENT, version, true).map_err(cannot)?;
                self.agent.refresh(CLIENT).await?;
                self.show_what_is_held(load).await
            }
        }
    }

    /// The new client certificate goes into the store.
    fn put_client(&self) -> Result<u32, RunError> {
        let identity = self.generations.new.client(ClientCertificate::Good).map_err(cannot)?;
        Ok(self.vault.store().put(CLIENT, Material::Identity(identity)))
    }

    /// The agent asks, gets nothing, and the traffic goes on as before.
    async fn must_keep(&mut self, load: &Load) -> Result<(), Halt> {
        match self.agent.refresh(CLIENT).await? {
            Refresh::Kept { because } => self.store_said.push(because),
            Refresh::Taken { .. } | Refresh::Same => {
                let message = "the store handed out what it must not".to_owned();
                return Err(Halt::Ours(RunError::Work(message)));
            }
        }
        // Whatever an agent does that got nothing: the gateway is told to read its files again, and must go on.
        self.plan.keyring = keyring(&self.agent, self.plan.keyring.clone());
        self.reload().await?;
        load.more(self.in_a_row()).await;
        Ok(())
    }

    /// The gateway is given the client certificate that the agent holds; then the backend drops the old authority.
    async fn show_what_is_held(&mut self, load: &Load) -> Result<(), Halt> {
        self.plan.keyring = keyring(&self.agent, self.plan.keyring.clone());
        self.reload().await?;
        self.wait_for_it(load).await;
        if self.marks.taken_up.is_some() {
            load.drained().await;
            let identity = self.generations.old.server(ServerCertificate::Good, &names()).map_err(cannot)?;
            let client_roots = vec![self.generations.new.client_root().clone()];
            self.give(&Held { identity, client_roots }).await?;
        }
        Ok(())
    }

    /// A new trust store, through the store of certificates and the agent.
    async fn trust(&mut self, roots: Vec<X509>) -> Result<(), Halt> {
        self.vault.store().put(TRUST, Material::Authorities(roots));
        self.agent.refresh(TRUST).await?;
        self.plan.keyring = keyring(&self.agent, self.plan.keyring.clone());
        self.reload().await
    }

    async fn reload(&mut self) -> Result<(), Halt> {
        let reloaded = self.running.reload(&self.plan).await;
        reloaded.map_err(|error| Halt::Gateway(format!("it was not reloaded: {error}")))
    }

    async fn give(&self, held: &Held) -> Result<(), RunError> {
        self.fleet.backends()[Part::Called as usize].change(held).await.map_err(cannot)
    }

    /// That the gateway answers with its new files does not mean that all of its workers have them: a backend that has moved
    /// already is called until it is reached every time, and then until nobody is left whom an old worker let in.
    async fn wait_for_the_scout(&mut self, load: &Load) -> Result<(), Halt> {
        let caller = self.caller()?;
        let mut turns = wait::pace(Duration::from_secs(1) / self.request.rate);
        let (mut row, mut calls) = (0, 0);
        while row < self.in_a_row() {
            turns.tick().await;
            let nonce = self.next_nonce();
            let came = caller.call(&self.paths[Part::Scout as usize], nonce).await;
            row = if matches!(came, Came::Echo { .. }) { row + 1 } else { 0 };
            calls += 1;
            if calls >= 20 * self.in_a_row() {
                let because = failure(&came);
                return Err(Halt::Gateway(format!(
                    "the second authority was never trusted for good: {because}"
                )));
            }
        }
        load.drained().await;
        Ok(())
    }

    async fn wait_for_it(&mut self, load: &Load) {
        self.marks.taken_up = load.taken_up(self.marks.told, self.in_a_row()).await;
    }

    /// A quarter of a second of traffic.
    fn in_a_row(&self) -> usize {
        usize::try_from(self.request.rate / 4).unwrap_or(usize::MAX).max(10)
    }

    pub(super) fn caller(&self) -> Result<Caller, RunError> {
        let dialer = Dialer::new(&DialerSettings::sound(GATEWAY_NAME, &self.plan.pki)).map_err(cannot)?;
        let address = self.running.listener(LISTENER).ok_or_else(|| cannot("the gateway has no listener"))?;
        Ok(Caller { dialer, address, limit: self.request.limits.call })
    }

    /// What a call shows of this change.
    fn reads(&self) -> Result<Reads, RunError> {
        let Generations { old, new } = self.generations;
        let server = |pki: &tls_gauntlet_certs::Pki, recipe| {
            pki.server(recipe, &names()).map(|identity| identity.serial()).map_err(cannot)
        };
        let client = |pki: &tls_gauntlet_certs::Pki| {
            pki.client(ClientCertificate::Good).map(|identity| identity.serial()).map_err(cannot)
        };
        let (before, after) = match self.change {
            Change::BackendCertificate => {
                (server(old, ServerCertificate::RevokedByCrl)?, server(old, ServerCertificate::Good)?)
            }
            Change::BackendAuthority => {
                (server(old, ServerCertificate::Good)?, server(new, ServerCertificate::Good)?)
            }
            Change::ClientCertificate | Change::AccessDenied | Change::VersionDisabled => {
                (client(old)?, client(new)?)
            }
            Change::TrustStore => {
                return Ok(Arc::new(|lane, came| match (lane, came) {
                    (0, Came::Echo { .. }) => Saw::Steady,
                    (0, came) => Saw::Failed(failure(&came)),
                    (_, Came::Echo { .. }) => Saw::Old,
                    (_, Came::Refusal(_)) => Saw::New,
                    (_, came @ Came::Nothing(_)) => Saw::Failed(failure(&came)),
                }));
            }
        };
        let is_the_clients = self.change.is_the_clients();
        Ok(Arc::new(move |_, came| match came {
            Came::Echo { server, client } => match if is_the_clients { client } else { server } {
                Some(serial) if serial == before => Saw::Old,
                Some(serial) if serial == after => Saw::New,
                other => Saw::Failed(format!("a third certificate: {}", other.unwrap_or_default())),
            },
            came => Saw::Failed(failure(&came)),
        }))
    }

    /// A nonce that the traffic does not use.
    pub(super) fn next_nonce(&mut self) -> Nonce {
        self.calls += 1;
        Nonce((1 << 63) | self.calls)
    }
}

fn failure(came: &Came) -> String {
    match came {
        Came::Echo { .. } => "it came through".to_owned(),
        Came::Refusal(status) => format!("status {status} from the gateway"),
        Came::Nothing(because) => because.clone(),
    }
}

/// Why the gateway cannot be told of revoked certificates, if it cannot.
pub(super) fn revocation(gateway: &Gateway) -> Result<(), String> {
    let impossible = gateway.impossible(LISTENER, "crl-file", "plain-good");
    impossible.map_or(Ok(()), |because| Err(format!("it cannot be told that one was revoked: {because}")))
}

/// What an agent holds, on a keyring.
fn keyring(agent: &Agent, mut keyring: Keyring) -> Keyring {
    if let Some(Material::Authorities(roots)) = agent.held(TRUST) {
        keyring.roots.clone_from(roots);
    }
    if let Some(Material::Identity(identity)) = agent.held(CLIENT) {
        keyring.client = Some(Arc::clone(identity));
    }
    keyring
}

/// What a backend holds before anything changes.
fn held_at_first(change: Change, part: Part, of: &Generations) -> Result<Held, RunError> {
    let (pki, recipe) = match change {
        Change::BackendCertificate => (&of.old, ServerCertificate::RevokedByCrl),
        Change::TrustStore if part == Part::StaysBehind => (&of.new, ServerCertificate::Good),
        _ if part == Part::Scout => (&of.new, ServerCertificate::Good),
        _ => (&of.old, ServerCertificate::Good),
    };
    let identity = pki.server(recipe, &names()).map_err(cannot)?;
    Ok(Held { identity, client_roots: vec![of.old.client_root().clone(), of.new.client_root().clone()] })
}

fn names() -> Vec<tls_gauntlet_certs::Name> {
    FleetOptions::default().names
}
