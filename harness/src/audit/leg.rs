//! One leg: a sound control, a behaviour, a sound control, and so on.

use std::sync::Arc;

use openssl::x509::X509;
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::{
    BackendSaw, Cause, Composed, Diagnosis, Evidence, FaultAction, FaultPhase, Responder, catalogue,
    posture::{Came, LegFacts, Tried},
};
use tokio::time::Instant;

use super::{
    AuditError, AuditLimits, Event, LegRequest, OnEvent, Revive,
    caller::{CallSettings, Called, Caller},
    calls::Calls,
    listener,
    log::Log,
    met::Met,
    telling::{Named, not_dialled, why},
};
use crate::{
    backend::{FleetError, FleetOptions, StandIn, Written},
    gateway::Gateway,
    limits::millis,
    wait,
    wire::nonce::Nonce,
};

/// How often a behaviour is tried again that the gateway did not dial for.
const TRIES: usize = 25;

/// How many calls show whether connections are kept: a gateway with several workers keeps some in each.
const CALLS_TO_REUSE: usize = 6;

/// Behaviours whose calls are waited for to their end, because the tries are counted.
const COUNTED: &[&str] = &["resets-in-handshake", "resets-after-request"];

/// The call, and the authorities of client certificates that the gateway takes, where they can be had.
pub(super) type Front = (CallSettings, Option<Arc<Pki>>);

/// A leg whose port is held.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) name: String,
    pub(super) named: Named,
    behaviours: Vec<Composed>,
    /// How to look at the side that clients meet, if that is wanted.
    front: Option<Front>,
    is_prepared: bool,
    calls: Calls,
    stand_in: StandIn,
    log: Option<Log>,
    revive: Option<Revive>,
    limits: AuditLimits,
    /// How many entries of the ledger have been read.
    read: usize,
    controls: usize,
    facts: LegFacts,
    /// The client certificate that was shown, leaf first.
    shown: Vec<X509>,
    /// What the gateway's answers say of the program.
    server: Option<String>,
}

/// A behaviour, and how long its call took.
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) tried: Tried,
    pub(super) duration_ms: u64,
    late: Option<Nonce>,
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
    pub(super) front: listener::Facts,
}

impl Leg {
    /// Holds the port of the leg.
    pub(super) async fn hold(
        request: LegRequest,
        (behaviours, front): (Vec<Composed>, Option<Front>),
        options: &FleetOptions,
        limits: AuditLimits,
    ) -> Result<Self, AuditError> {
        let LegRequest { name, also, call, backend, bind, pki, log, revive } = request;
        let names = [backend.name.clone()].into_iter().chain(also).collect();
        let options = FleetOptions { bind: bind.ip(), names, ..options.clone() };
        let log = log.as_ref().map(Log::open).transpose()?;
        let url = call.url.to_string();
        let calls = Calls::of(Caller::new(call, limits.call)?);
        let stand_in = StandIn::hold_with(bind, &pki, &options).await?;
        let dialled = backend.to_string();
        let name = name.unwrap_or_else(|| dialled.clone());
        let named = Named { url, backend: dialled, held: stand_in.address().to_string() };
        Ok(Self {
            name,
            named,
            behaviours,
            front,
            is_prepared: false,
            calls,
            stand_in,
            log,
            revive,
            limits,
            read: 0,
            controls: 0,
            facts: LegFacts::default(),
            shown: Vec::new(),
            server: None,
        })
    }

    /// Makes everything that the behaviours need, beginning with their certificates, unless that has been done.
    pub(super) async fn prepare(&mut self) -> Result<(), AuditError> {
        if !std::mem::replace(&mut self.is_prepared, true) {
            self.stand_in.prepare(&self.behaviours).await?;
        }
        Ok(())
    }

    /// Calls like this from now on.
    pub(super) fn call_like(&mut self, call: CallSettings) -> Result<(), AuditError> {
        self.named.url = call.url.to_string();
        if let Some((front, _)) = &mut self.front {
            front.clone_from(&call);
        }
        self.calls = Calls::of(Caller::new(call, self.limits.call)?);
        Ok(())
    }

    /// Calls until a sound call comes through.
    pub(super) async fn first_call(&mut self, on_event: &OnEvent<'_>) -> Result<(), AuditError> {
        let mut turns = wait::pace(self.limits.look);
        let deadline = Instant::now() + self.limits.first_call;
        let mut told = String::new();
        loop {
            turns.tick().await;
            let met = self.call(false).await;
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
    pub(super) async fn audit(mut self, on_event: &OnEvent<'_>) -> Result<Seen, AuditError> {
        let sound = catalogue().backend("plain-good").map_err(FleetError::from)?;
        self.prepare().await?;
        self.stand_in.play(&sound).await?;
        let control = self.call(false).await;
        self.facts.host.clone_from(&control.called.host);
        self.facts.nonce_arrives = control.backend.iter().any(|saw| saw.nonce.is_some());
        self.read_connections(&sound).await?;
        let behaviours = std::mem::take(&mut self.behaviours);
        let total = behaviours.len();
        let mut tried: Vec<Timed> = Vec::with_capacity(total);
        let mut gone: Option<String> = self.recover().await.err();
        let deadline = Instant::now() + self.limits.leg;
        for (number, behaviour) in behaviours.into_iter().enumerate() {
            if gone.is_none() && Instant::now() >= deadline {
                gone = Some(self.out_of_time());
            }
            let one = match &gone {
                Some(because) => Timed::inconclusive(behaviour, because.clone()),
                None => {
                    let (one, lost) = self.meet_between_controls(behaviour, &sound).await?;
                    gone = lost;
                    one
                }
            };
            tried.push(one);
            on_event(Event::Met { leg: self.name.clone(), done: number + 1, of: total });
        }
        self.hear_late_answers(&mut tried).await;
        let front = match &self.front {
            Some((call, clients)) => listener::look(call, clients.as_ref()).await?,
            None => listener::Facts::default(),
        };
        let Self { facts, shown, server, controls, .. } = self;
        Ok(Seen { tried, control: control.backend, facts, shown, server, controls, front })
    }

    /// Meets one behaviour, again if the gateway did not dial for it. Says also why nothing more can be met, where that is so.
    async fn meet_between_controls(
        &mut self,
        behaviour: Composed,
        sound: &Composed,
    ) -> Result<(Timed, Option<String>), AuditError> {
        let mut one = self.meet(&behaviour).await?;
        for _ in 1..TRIES {
            if !one.has_not_dialled() {
                break;
            }
            self.stand_in.play(sound).await?;
            // Another worker of the gateway may hold the backend to be down than the one that the control comes to.
            if let Some(Revive(revive)) = &self.revive {
                revive();
            }
            if self.recover().await.is_err() {
                break;
            }
            one = self.meet(&behaviour).await?;
        }
        self.stand_in.play(sound).await?;
        let Err(because) = self.recover().await else { return Ok((one, None)) };
        let because = format!("no sound call came through after {}: {because}", behaviour.name);
        Ok((Timed::inconclusive(behaviour, because.clone()), Some(because)))
    }

    fn out_of_time(&self) -> String {
        let pause = self.facts.pause_ms.div_ceil(1000);
        format!(
            "no time was left after {} s: after a failure the gateway does not dial for up to {pause} s; --thorough waits",
            self.limits.leg.as_secs()
        )
    }

    /// Whether connections are kept, and sessions resumed.
    async fn read_connections(&mut self, sound: &Composed) -> Result<(), AuditError> {
        let first = self.read;
        for _ in 0..CALLS_TO_REUSE {
            self.calls.answer().await;
        }
        self.stand_in.hang_up().await;
        let seen = self.stand_in.written_since(first);
        self.read += seen.len();
        if seen.iter().any(|one| one.without_hello().requests > 0) {
            self.facts.keeps_connections = Some(seen.iter().any(|one| one.without_hello().requests > 1));
        }
        let tickets = catalogue().backend("tickets").map_err(FleetError::from)?;
        self.stand_in.play(&tickets).await?;
        for number in 0..CALLS_TO_REUSE {
            let met = self.call(false).await;
            if met.through && number > 0 {
                let again = met.backend.iter().any(|saw| saw.resumed);
                self.facts.resumes = Some(again || self.facts.resumes == Some(true));
            }
            if self.facts.resumes == Some(true) {
                break;
            }
        }
        self.stand_in.play(sound).await?;
        Ok(())
    }

    /// Calls the sound backend until it answers, for as long as the limit says; why it does not, otherwise.
    async fn recover(&mut self) -> Result<(), String> {
        let mut turns = wait::pace(self.limits.look);
        let begun = Instant::now();
        loop {
            turns.tick().await;
            let met = self.call(false).await;
            if met.through {
                self.controls += 1;
                self.facts.pause_ms = self.facts.pause_ms.max(millis(begun.elapsed()));
                return Ok(());
            }
            if begun.elapsed() >= self.limits.recover {
                return Err(why(&met, &self.named));
            }
            if let Some(Revive(revive)) = self.revive.as_ref().filter(|_| met.backend.is_empty()) {
                revive();
            }
        }
    }

    async fn meet(&mut self, behaviour: &Composed) -> Result<Timed, AuditError> {
        let may_be_late = !COUNTED.contains(&behaviour.name.as_str());
        if !may_be_late {
            // What is still tried for an earlier call would be counted too.
            self.calls.all_answered().await;
        }
        self.stand_in.play(behaviour).await?;
        let met = self.call(may_be_late).await;
        let duration_ms = millis(met.called.took);
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
        let tried = Tried { backend: behaviour.clone(), came, observed, evidence };
        Ok(Timed { tried, duration_ms, late: met.late })
    }

    /// What the lines mean, if the gateway is one of those that are shipped.
    fn read_log(&self, said: &[String]) -> Vec<Cause> {
        if said.is_empty() {
            return Vec::new();
        }
        let gateway =
            self.server.as_deref().and_then(gateway_of).and_then(|name| Gateway::resolve(name).ok());
        let causes = gateway.map(|gateway| said.iter().flat_map(|line| gateway.causes(line)).collect());
        causes.unwrap_or_default()
    }

    /// Calls once, ends every connection, and reads what was seen. A call whose connections have all been given up without a
    /// request, and that the gateway does not answer, may be left to be answered later: the gateway waits before it tries again.
    async fn call(&mut self, may_be_late: bool) -> Met {
        let before = self.stand_in.written_since(self.read);
        self.facts.without_request += before.iter().filter(|one| is_idle(one.without_hello())).count();
        self.read += before.len();
        if let Some(log) = &mut self.log {
            log.new_lines();
        }
        let (nonce, called) = if may_be_late {
            let given_up = given_up(&self.stand_in, self.read, self.limits.patience);
            self.calls.answer_unless(given_up).await
        } else {
            let (nonce, called) = self.calls.answer().await;
            (nonce, Some(called))
        };
        let late = called.is_none().then_some(nonce);
        let called = called.unwrap_or_default();
        if called.server.is_some() && called.saw.answered_by != Some(Responder::Backend) {
            self.server.clone_from(&called.server);
        }
        if !called.saw.sees_success() && late.is_none() {
            self.settle().await;
        }
        let status_asked = self.stand_in.status_asked();
        self.stand_in.hang_up().await;
        let written = self.stand_in.written_since(self.read);
        self.read += written.len();
        let said = self.log.as_mut().map(Log::new_lines).unwrap_or_default();
        let (backend, through) = self.own(written, nonce, &called);
        Met { called, late, backend, status_asked, said, through }
    }

    /// The connections that belong to a call, and whether its request came through.
    fn own(&mut self, written: Vec<Written>, nonce: Nonce, called: &Called) -> (Vec<BackendSaw>, bool) {
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
        let through = called.saw.sees_success() && backend.iter().any(|saw| saw.requests > 0);
        if through {
            // A connection without a request beside one that has it was opened for another reason.
            let total = backend.len();
            backend.retain(|saw| !is_idle(saw));
            self.facts.without_request += total - backend.len();
        }
        (backend, through)
    }

    /// Puts the answers that came later to the behaviours that they belong to. A gateway that tried again met a sound backend,
    /// and its success says nothing of the behaviour.
    async fn hear_late_answers(&mut self, tried: &mut [Timed]) {
        for (nonce, called) in self.calls.late_answers().await {
            let of_it = tried.iter_mut().find(|one| one.late == Some(nonce));
            if let Some(one) = of_it.filter(|_| !called.saw.sees_success()) {
                one.duration_ms = millis(called.took);
                one.tried.evidence.client_saw = called.saw;
            }
        }
    }

    /// Waits for what is still on its way to the stand-in after a call that failed.
    async fn settle(&mut self) {
        let read = self.read;
        let nothing = || self.stand_in.live() == 0 && *self.stand_in.entries().borrow() <= read;
        if nothing() {
            // The gateway may not have dialled at all.
            let come = || std::future::ready((!nothing()).then_some(()));
            let _ = wait::until(self.limits.straggler, "a connection", come).await;
        }
        let over = || std::future::ready((self.stand_in.live() == 0).then_some(()));
        // A connection that the gateway keeps is ended by what comes next.
        let _ = wait::until(self.limits.settle, "the end of every connection", over).await;
    }

    /// Where the stand-in listens.
    pub(super) const fn address(&self) -> std::net::SocketAddr {
        self.stand_in.address()
    }
}

impl Timed {
    fn inconclusive(behaviour: Composed, because: String) -> Self {
        let tried = Tried::of(behaviour, Came::Inconclusive { because });
        Self { tried, duration_ms: 0, late: None }
    }

    fn has_not_dialled(&self) -> bool {
        matches!(self.tried.came, Came::Inconclusive { .. }) && self.tried.evidence.backend_saw.is_empty()
    }
}

/// Comes true when connections came after the first `read`, all have ended without a request, and for some time there was
/// no other.
async fn given_up(stand_in: &StandIn, read: usize, patience: std::time::Duration) {
    let mut turns = wait::pace(std::time::Duration::from_millis(10));
    let mut since = (0, Instant::now());
    loop {
        turns.tick().await;
        let count = *stand_in.entries().borrow();
        if stand_in.live() > 0 || count <= read || count != since.0 {
            since = (count, Instant::now());
        } else if since.1.elapsed() >= patience {
            if stand_in.written_since(read).iter().all(|one| one.without_hello().requests == 0) {
                return;
            }
            // The request is at the backend: there will be an answer to it.
            std::future::pending::<()>().await;
        }
    }
}

/// A connection whose handshake was completed, and that nobody used.
fn is_idle(saw: &BackendSaw) -> bool {
    saw.requests == 0 && saw.cause.is_none() && saw.alert_received.is_none()
}

/// What the witnesses of one call say. The controls around it are still to come.
fn came(met: &Met, behaviour: &Composed) -> Came {
    if met.through {
        return Came::Through;
    }
    let refuses_connections =
        behaviour.profile.fault_at(FaultPhase::Accept) == Some(FaultAction::RefuseConnection);
    match not_dialled(met) {
        Some(because) if !refuses_connections => Came::Inconclusive { because },
        _ => Came::Stopped,
    }
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
