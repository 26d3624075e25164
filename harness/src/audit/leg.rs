//! One leg: a sound control, a behaviour, a sound control, and so on.

use openssl::x509::X509;
use tls_gauntlet_scenarios::{
    BackendSaw, Composed, Diagnosis, Ended, Evidence, Phase, Responder, StatusSource, catalogue,
    posture::{Came, LegFacts, Tried},
};
use tokio::time::Instant;

use super::{
    AuditError, AuditLimits, Event, LegRequest, OnEvent, Revive,
    caller::{Called, Caller},
    log::Log,
    telling::{Named, why},
};
use crate::{
    backend::{FleetError, FleetOptions, StandIn},
    gateway::Gateway,
    wait,
    wire::nonce::Nonce,
};

/// How often a behaviour is tried again that the gateway did not dial for.
const TRIES: usize = 3;

/// How many calls show whether connections are kept: a gateway with several workers keeps some in each.
const CALLS_TO_REUSE: usize = 6;

/// A leg whose port is held.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) name: String,
    pub(super) named: Named,
    caller: Caller,
    stand_in: StandIn,
    log: Option<Log>,
    revive: Option<Revive>,
    limits: AuditLimits,
    /// How many entries of the ledger have been read.
    read: usize,
    calls: u64,
    facts: LegFacts,
    /// The client certificate that was shown, leaf first.
    shown: Vec<X509>,
    /// What the gateway's answers say of the program.
    server: Option<String>,
}

/// What came of one call.
#[derive(Debug, Clone, Default)]
pub(super) struct Met {
    pub(super) called: Called,
    /// What the stand-in saw of it.
    pub(super) backend: Vec<BackendSaw>,
    pub(super) status_asked: Vec<StatusSource>,
    pub(super) said: Vec<String>,
    pub(super) through: bool,
}

/// A behaviour, and how long its call took.
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) tried: Tried,
    pub(super) duration_ms: u64,
}

/// Everything that was seen of a leg.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) tried: Vec<Timed>,
    pub(super) control: Vec<BackendSaw>,
    pub(super) facts: LegFacts,
    pub(super) shown: Vec<X509>,
    pub(super) server: Option<String>,
    pub(super) controls: usize,
}

impl Leg {
    /// Holds the port of the leg.
    pub(super) async fn hold(
        request: LegRequest,
        options: &FleetOptions,
        limits: AuditLimits,
    ) -> Result<Self, AuditError> {
        let LegRequest { name, also, call, backend, bind, pki, log, revive } = request;
        let names = [backend.name.clone()].into_iter().chain(also).collect();
        let options = FleetOptions { bind: bind.ip(), names, ..options.clone() };
        let log = match log {
            None => None,
            Some(path) => {
                let opened = Log::open(&path);
                Some(opened.map_err(|source| AuditError::Log { path, source })?)
            }
        };
        let url = call.url.to_string();
        let caller = Caller::new(call, limits.call)?;
        let stand_in = StandIn::hold_with(bind, &pki, &options).await?;
        let dialled = format!("{}:{}", backend.name, backend.port);
        let name = name.unwrap_or_else(|| dialled.clone());
        let named = Named { url, backend: dialled, held: stand_in.address().to_string() };
        Ok(Self {
            name,
            named,
            caller,
            stand_in,
            log,
            revive,
            limits,
            read: 0,
            calls: 0,
            facts: LegFacts::default(),
            shown: Vec::new(),
            server: None,
        })
    }

    /// Makes everything that these behaviours need, beginning with their certificates.
    pub(super) async fn prepare(&mut self, behaviours: &[Composed]) -> Result<(), AuditError> {
        Ok(self.stand_in.prepare(behaviours).await?)
    }

    /// Calls until a sound call comes through.
    pub(super) async fn first_call(&mut self, on_event: &OnEvent<'_>) -> Result<(), AuditError> {
        let mut turns = wait::pace(self.limits.look);
        let deadline = Instant::now() + self.limits.first_call;
        let mut told = String::new();
        loop {
            turns.tick().await;
            let met = self.call().await;
            if met.through {
                return Ok(());
            }
            let because = why(&met, &self.named);
            if Instant::now() >= deadline {
                return Err(AuditError::NeverCalled { leg: self.name.clone(), because });
            }
            if because != told {
                on_event(Event::Waiting { leg: self.name.clone(), because: because.clone() });
                told = because;
            }
        }
    }

    /// Meets every behaviour between two controls.
    pub(super) async fn audit(
        mut self,
        behaviours: Vec<Composed>,
        on_event: &OnEvent<'_>,
    ) -> Result<Seen, AuditError> {
        let sound = catalogue().backend("plain-good").map_err(FleetError::from)?;
        self.prepare(&behaviours).await?;
        let mut controls = 1;
        self.stand_in.play(&sound).await?;
        let control = self.call().await;
        self.facts.host.clone_from(&control.called.host);
        self.facts.nonce_arrives = control.backend.iter().any(|saw| saw.nonce.is_some());
        self.read_connections(&sound).await?;
        let mut tried: Vec<Timed> = Vec::with_capacity(behaviours.len());
        let mut gone: Option<String> = self.recover(&sound).await.err();
        let total = behaviours.len();
        for (number, behaviour) in behaviours.into_iter().enumerate() {
            if let Some(because) = &gone {
                let came = Came::Inconclusive { because: because.clone() };
                tried.push(Timed { tried: Tried::of(behaviour, came), duration_ms: 0 });
                continue;
            }
            let mut one = self.meet(&behaviour).await?;
            for _ in 1..TRIES {
                if !has_not_dialled(&one) {
                    break;
                }
                self.stand_in.play(&sound).await?;
                if self.recover(&sound).await.is_err() {
                    break;
                }
                controls += 1;
                one = self.meet(&behaviour).await?;
            }
            self.stand_in.play(&sound).await?;
            controls += 1;
            match self.recover(&sound).await {
                Ok(()) => {}
                Err(because) => {
                    let because =
                        format!("no sound call came through after {}: {because}", one.tried.backend.name);
                    one.tried.came = Came::Inconclusive { because: because.clone() };
                    gone = Some(because);
                }
            }
            tried.push(one);
            on_event(Event::Met { leg: self.name.clone(), done: number + 1, of: total });
        }
        let Self { facts, shown, server, .. } = self;
        Ok(Seen { tried, control: control.backend, facts, shown, server, controls })
    }

    /// Whether connections are kept, and sessions resumed.
    async fn read_connections(&mut self, sound: &Composed) -> Result<(), AuditError> {
        let first = self.read;
        for _ in 0..CALLS_TO_REUSE {
            let nonce = self.nonce();
            self.caller.call(nonce).await;
        }
        self.stand_in.hang_up().await;
        let seen = self.stand_in.written_since(first);
        self.read += seen.len();
        if seen.iter().any(|one| one.without_hello().requests > 0) {
            self.facts.keeps_connections = Some(seen.iter().any(|one| one.without_hello().requests > 1));
        }
        let tickets = catalogue().backend("tickets").map_err(FleetError::from)?;
        self.stand_in.play(&tickets).await?;
        let mut resumed = None;
        for number in 0..CALLS_TO_REUSE {
            let met = self.call().await;
            if met.through && number > 0 {
                let again = met.backend.iter().any(|saw| saw.resumed);
                resumed = Some(again || resumed == Some(true));
            }
            if resumed == Some(true) {
                break;
            }
        }
        self.facts.resumes = resumed;
        self.stand_in.play(sound).await?;
        Ok(())
    }

    /// Calls the sound backend until it answers, for as long as the limit says; why it does not, otherwise.
    async fn recover(&mut self, sound: &Composed) -> Result<(), String> {
        let mut turns = wait::pace(self.limits.look);
        let deadline = Instant::now() + self.limits.recover;
        loop {
            let met = self.call().await;
            if met.through {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(why(&met, &self.named));
            }
            if let Some(Revive(revive)) = self.revive.as_ref().filter(|_| met.backend.is_empty()) {
                revive();
            }
            debug_assert_eq!(self.stand_in.plays(), sound.name);
            turns.tick().await;
        }
    }

    async fn meet(&mut self, behaviour: &Composed) -> Result<Timed, AuditError> {
        self.stand_in.play(behaviour).await?;
        let met = self.call().await;
        let duration_ms = crate::limits::millis(met.called.took);
        let came = came(&met, behaviour);
        let gateway_causes = self.read_log(&met.said);
        let mut evidence = Evidence {
            client_saw: met.called.saw,
            backend_saw: met.backend,
            status_asked: met.status_asked,
            gateway_said: met.said,
            gateway_causes,
            ..Evidence::default()
        };
        if met.through {
            evidence.client_saw.answered_by = Some(Responder::Backend);
        }
        let observed = Some(Diagnosis::of(&evidence, false));
        Ok(Timed { tried: Tried { backend: behaviour.clone(), came, observed, evidence }, duration_ms })
    }

    /// What the lines mean, if the gateway is one of those that are shipped.
    fn read_log(&self, said: &[String]) -> Vec<tls_gauntlet_scenarios::Cause> {
        if said.is_empty() {
            return Vec::new();
        }
        let gateway =
            self.server.as_deref().and_then(gateway_of).and_then(|name| Gateway::resolve(name).ok());
        let causes = gateway.map(|gateway| said.iter().flat_map(|line| gateway.causes(line)).collect());
        causes.unwrap_or_default()
    }

    /// Calls once, ends every connection, and reads what was seen.
    async fn call(&mut self) -> Met {
        let before = self.stand_in.written_since(self.read);
        self.facts.without_request += before.iter().filter(|one| is_idle(one.without_hello())).count();
        self.read += before.len();
        if let Some(log) = &mut self.log {
            log.new_lines();
        }
        let nonce = self.nonce();
        let called = self.caller.call(nonce).await;
        if called.server.is_some() && called.saw.answered_by != Some(Responder::Backend) {
            self.server.clone_from(&called.server);
        }
        if !called.saw.sees_success() {
            self.settle().await;
        }
        let status_asked = self.stand_in.status_asked();
        self.stand_in.hang_up().await;
        let written = self.stand_in.written_since(self.read);
        self.read += written.len();
        if self.shown.is_empty()
            && let Some(shown) = written.iter().find(|one| !one.client_chain.is_empty())
        {
            self.shown.clone_from(&shown.client_chain);
        }
        let marked = nonce.to_string();
        let is_ours = |saw: &BackendSaw| match &saw.nonce {
            Some(other) => *other == marked,
            None => !(self.facts.nonce_arrives && saw.requests > 0),
        };
        let mut backend: Vec<_> = written.into_iter().map(|one| one.saw()).filter(is_ours).collect();
        let has_request = backend.iter().any(|saw| saw.requests > 0);
        let through = called.saw.sees_success() && has_request;
        if through {
            // A connection without a request beside one that has it was opened for another reason.
            let total = backend.len();
            backend.retain(|saw| !is_idle(saw));
            self.facts.without_request += total - backend.len();
        }
        let said = self.log.as_mut().map(Log::new_lines).unwrap_or_default();
        Met { called, backend, status_asked, said, through }
    }

    /// Waits for what is still on its way to the stand-in after a call that failed.
    async fn settle(&mut self) {
        let read = self.read;
        let nothing = || self.stand_in.live() == 0 && self.stand_in.written_since(read).is_empty();
        if nothing() {
            // The gateway may not have dialled at all.
            let come = || std::future::ready((!nothing()).then_some(()));
            let _ = wait::until(self.limits.straggler, "a connection", come).await;
        }
        let over = || std::future::ready((self.stand_in.live() == 0).then_some(()));
        // A connection that the gateway keeps is ended by what comes next.
        let _ = wait::until(self.limits.settle, "the end of every connection", over).await;
    }

    fn nonce(&mut self) -> Nonce {
        self.calls += 1;
        Nonce(self.calls)
    }

    /// Where the stand-in listens.
    pub(super) const fn address(&self) -> std::net::SocketAddr {
        self.stand_in.address()
    }
}

/// A connection whose handshake was completed, and that nobody used.
fn is_idle(saw: &BackendSaw) -> bool {
    saw.requests == 0 && saw.cause.is_none() && saw.alert_received.is_none()
}

fn has_not_dialled(one: &Timed) -> bool {
    matches!(one.tried.came, Came::Inconclusive { .. }) && one.tried.evidence.backend_saw.is_empty()
}

/// What the witnesses of one call say. The controls around it are still to come.
fn came(met: &Met, behaviour: &Composed) -> Came {
    let saw = &met.called.saw;
    if met.through {
        return Came::Through;
    }
    let refuses_connections = behaviour.profile.fault_at(tls_gauntlet_scenarios::FaultPhase::Accept)
        == Some(tls_gauntlet_scenarios::FaultAction::RefuseConnection);
    if met.backend.is_empty() && !refuses_connections {
        let because = match (saw.status, saw.phase) {
            (Some(status), _) if (200..300).contains(&status) => {
                format!("the answer ({status}) did not come from here: it is cached, or of another server")
            }
            (Some(status), _) => format!("the gateway answered {status} without a connection to the backend"),
            (None, Phase::Connect) => "the gateway could not be called".to_owned(),
            (None, _) => "the gateway gave no answer, and opened no connection to the backend".to_owned(),
        };
        return Came::Inconclusive { because };
    }
    if saw.status.is_none() && saw.ended == Some(Ended::TimedOut) && saw.phase == Phase::Handshake {
        return Came::Inconclusive {
            because: "the gateway did not finish its caller's handshake".to_owned(),
        };
    }
    Came::Stopped
}

/// The shipped gateway that signs its answers like this.
pub(super) fn gateway_of(server: &str) -> Option<&'static str> {
    const SIGNS: &[(&str, &str)] = &[
        ("nginx", "nginx"),
        ("openresty", "nginx"),
        ("envoy", "envoy"),
        ("caddy", "caddy"),
        ("apache", "httpd"),
        ("haproxy", "haproxy"),
        ("traefik", "traefik"),
    ];
    let server = server.to_ascii_lowercase();
    SIGNS.iter().find(|(sign, _)| server.contains(sign)).map(|(_, gateway)| *gateway)
}
