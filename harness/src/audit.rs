//! The audit: every behaviour on a leg of a gateway that is running, one after the other, and what that says of the leg.
//!
//! Nothing of the gateway is changed. A [stand-in](crate::StandIn) holds the host and port that the gateway dials, and plays
//! one backend after another between the calls of our client. An outcome counts only between two sound calls that came
//! through; what cannot be said is `inconclusive`, with the reason.
//!
//! ```no_run
//! use std::sync::Arc;
//! use tls_gauntlet::{
//!     audit::{Audit, AuditRequest, BackendName, CallSettings, LegRequest},
//!     certs::Pki,
//! };
//!
//! # async fn example(now: time::OffsetDateTime) -> Result<(), Box<dyn std::error::Error>> {
//! let pki = Arc::new(Pki::new(0, now)?); // or `Pki::open`, whose root the gateway trusts
//! let call = CallSettings::get("http://127.0.0.1:8080/orders".parse()?, "127.0.0.1:8080".parse()?);
//! let backend: BackendName = "localhost:8443".parse()?;
//! let leg = LegRequest { name: None, also: Vec::new(), call, backend, bind: "127.0.0.1:8443".parse()?, pki, log: None, revive: None };
//! let mut audit = Audit::hold(AuditRequest::quick(vec![leg], now)).await?;
//! audit.first_calls(&|_| {}).await?;
//! let record = audit.run(&|_| {}).await?;
//! assert!(record.legs[0].findings.iter().all(|finding| !finding.fails()));
//! # Ok(()) }
//! ```

mod caller;
mod calls;
mod leg;
mod listener;
mod log;
mod met;
mod telling;
mod verdicts;

use std::{fmt, io, net::IpAddr, str::FromStr, sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339};
use tls_gauntlet_certs::{Name, Pki};
use tls_gauntlet_scenarios::{
    policy::rule_of,
    posture::{Pass, asked},
};

pub use caller::CallSettings;
use leg::Leg;
pub use log::LogSource;

use crate::{
    backend::{ClientsTaken, FleetError, FleetOptions},
    limits::{Limits, millis},
    record::{CellRecord, GatewayFacts, LegRecord, RunRecord, SCHEMA, Tool},
    tls::CannotSetUp,
};

/// Every deadline of an audit.
#[derive(Debug, Clone, Copy)]
pub struct AuditLimits {
    /// Until the first sound call comes through.
    pub first_call: Duration,
    /// Until a sound call comes through again after a behaviour: checks and circuit breakers take their time.
    pub recover: Duration,
    /// All behaviours of one leg; what is left then is not met any more.
    pub leg: Duration,
    /// Without an answer or a connection after every connection of a call was given up: the gateway tries again later.
    pub patience: Duration,
    /// One call.
    pub call: Duration,
    /// Between two looks at whether a sound call comes through.
    pub look: Duration,
    /// For the ends of connections after a call that failed.
    pub settle: Duration,
    /// For a connection that may still come after a call that failed.
    pub straggler: Duration,
}

impl Default for AuditLimits {
    fn default() -> Self {
        Self {
            first_call: Duration::from_secs(300),
            recover: Duration::from_secs(60),
            leg: Duration::from_secs(300),
            patience: Duration::from_millis(150),
            call: Duration::from_secs(20),
            look: Duration::from_millis(100),
            settle: Duration::from_millis(300),
            straggler: Duration::from_millis(100),
        }
    }
}

/// The host and port that a gateway dials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendName {
    /// The host: what certificates are made out to.
    pub name: Name,
    /// The port.
    pub port: u16,
}

/// A text that names no host and port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a host and a port; write it as in orders.internal:8443")]
pub struct NotABackend(String);

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Name::Ip(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            name => write!(f, "{name}:{}", self.port),
        }
    }
}

impl FromStr for BackendName {
    type Err = NotABackend;

    fn from_str(text: &str) -> Result<Self, NotABackend> {
        let wrong = || NotABackend(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        Ok(Self { name: host.parse().map_err(|_| wrong())?, port })
    }
}

/// One leg: what is called, and what the gateway then dials.
#[derive(Debug, Clone)]
pub struct LegRequest {
    /// What it is called in the record; its host and port if absent.
    pub name: Option<String>,
    /// Names that its certificates are made out to beside the host.
    pub also: Vec<Name>,
    /// The call.
    pub call: CallSettings,
    /// The host and port that the gateway dials.
    pub backend: BackendName,
    /// Where the stand-in listens.
    pub bind: std::net::SocketAddr,
    /// The authorities of its certificates.
    pub pki: Arc<Pki>,
    /// The gateway's log.
    pub log: Option<LogSource>,
    /// Lets the gateway forget that it holds the backend to be down; it is waited for, if absent.
    pub revive: Option<Revive>,
}

/// What makes a gateway try a backend again at once that it holds to be down.
#[derive(Clone)]
pub struct Revive(pub Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for Revive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revive")
    }
}

/// A line of the policy that need not be kept for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// The rule: `revocation`.
    pub rule: String,
    /// The leg, as in `orders.internal:8443`; every one if absent.
    pub leg: Option<String>,
    /// Why it is put up with.
    pub reason: String,
    /// The last day on which it is.
    pub until: Date,
}

/// What is to be audited.
#[derive(Debug, Clone)]
pub struct AuditRequest {
    /// The legs, side by side.
    pub legs: Vec<LegRequest>,
    /// How much is asked.
    pub pass: Pass,
    /// Whose client certificates the stand-ins take.
    pub clients: ClientsTaken,
    /// Whether the side that clients meet is looked at as well.
    pub listener: bool,
    /// The authorities whose client certificates the gateway takes, where they can be had: then flawed ones are tried.
    pub client_issuer: Option<Arc<Pki>>,
    /// What is put up with.
    pub exceptions: Vec<Exception>,
    /// The deadlines.
    pub limits: AuditLimits,
    /// The time of day at the beginning.
    pub now: OffsetDateTime,
    /// The seed of the authorities.
    pub seed: u64,
}

impl AuditRequest {
    /// The quick pass, with every client certificate taken.
    #[must_use]
    pub fn quick(legs: Vec<LegRequest>, now: OffsetDateTime) -> Self {
        let (pass, clients, limits) = (Pass::Quick, ClientsTaken::Any, AuditLimits::default());
        let exceptions = Vec::new();
        Self { legs, pass, clients, listener: true, client_issuer: None, exceptions, limits, now, seed: 0 }
    }
}

/// Why an audit could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A stand-in could not be set up.
    #[error(transparent)]
    StandIn(#[from] FleetError),
    /// The caller could not be set up.
    #[error(transparent)]
    Caller(#[from] CannotSetUp),
    /// A log cannot be read.
    #[error("cannot read {log}")]
    Log {
        /// The log: `the log error.log`, `the output of docker logs -f gw`.
        log: String,
        /// The cause.
        source: io::Error,
    },
    /// No sound call came through.
    #[error("no sound call came through on {leg}: {because}")]
    NeverCalled {
        /// The leg.
        leg: String,
        /// What was seen instead, and what to do.
        because: String,
    },
    /// The time of day cannot be written down.
    #[error("cannot write the time of day")]
    Time(#[from] time::error::Format),
}

/// What happens during an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A sound call does not come through yet.
    Waiting {
        /// The leg.
        leg: String,
        /// What was seen instead, and what to do.
        because: String,
    },
    /// A behaviour was met.
    Met {
        /// The leg.
        leg: String,
        /// How many were met on this leg.
        done: usize,
        /// How many there are.
        of: usize,
    },
}

/// Hears what happens.
pub type OnEvent<'a> = dyn Fn(Event) + Send + Sync + 'a;

/// An audit whose ports are held.
#[derive(Debug)]
#[must_use = "the ports are given back as soon as this is dropped"]
pub struct Audit {
    legs: Vec<Leg>,
    exceptions: Vec<Exception>,
    now: OffsetDateTime,
    seed: u64,
}

impl Audit {
    /// Holds the ports of all legs.
    ///
    /// # Errors
    /// [`AuditError`] if a port cannot be had, or a certificate cannot be made.
    pub async fn hold(request: AuditRequest) -> Result<Self, AuditError> {
        let AuditRequest { legs, pass, clients, listener, client_issuer, exceptions, limits, now, seed } =
            request;
        let limits_of_fleet = Limits { settle: limits.settle, ..Limits::default() };
        let options = FleetOptions { clients, limits: limits_of_fleet, ..FleetOptions::default() };
        let mut held = Vec::with_capacity(legs.len());
        for leg in legs {
            let mut behaviours = asked(pass, &leg.backend.name.to_string());
            // Where time runs out, what the policy is about has been met.
            behaviours.sort_by_key(|one| rule_of(&one.name).is_none());
            let front = listener.then(|| (leg.call.clone(), client_issuer.clone()));
            held.push(Leg::hold(leg, (behaviours, front), &options, limits).await?);
        }
        Ok(Self { legs: held, exceptions, now, seed })
    }

    /// Where the stand-ins listen, in the order of the legs.
    #[must_use]
    pub fn addresses(&self) -> Vec<std::net::SocketAddr> {
        self.legs.iter().map(Leg::address).collect()
    }

    /// Makes every certificate that will be shown, so that revocation lists can name those that are revoked before a gateway
    /// reads them. [`run`](Self::run) does it otherwise.
    ///
    /// # Errors
    /// [`AuditError`] if one cannot be made.
    pub async fn prepare(&mut self) -> Result<(), AuditError> {
        try_join_all(self.legs.iter_mut().map(Leg::prepare)).await?;
        Ok(())
    }

    /// Calls like this from now on, for a gateway that is started after the ports of its backends are held: one call for each
    /// leg, in their order.
    ///
    /// # Errors
    /// [`AuditError::Caller`] if OpenSSL does not take the settings.
    pub fn call(&mut self, calls: Vec<CallSettings>) -> Result<(), AuditError> {
        self.legs.iter_mut().zip(calls).try_for_each(|(leg, call)| leg.call_like(call))
    }

    /// Waits until a sound call has come through on every leg.
    ///
    /// # Errors
    /// [`AuditError::NeverCalled`] if one does not in time.
    pub async fn first_calls(&mut self, on_event: &OnEvent<'_>) -> Result<(), AuditError> {
        try_join_all(self.legs.iter_mut().map(|leg| leg.first_call(on_event))).await?;
        Ok(())
    }

    /// Meets every behaviour on every leg, and judges what came of them.
    ///
    /// # Errors
    /// [`AuditError`] if a stand-in cannot go on.
    pub async fn run(self, on_event: &OnEvent<'_>) -> Result<RunRecord, AuditError> {
        let began = tokio::time::Instant::now();
        let named: Vec<_> = self.legs.iter().map(|leg| (leg.name.clone(), leg.named.clone())).collect();
        let running = self.legs.into_iter().map(|leg| leg.audit(on_event));
        let seen = try_join_all(running).await?;
        let mut cells = Vec::new();
        let mut legs = Vec::new();
        let mut gateways = Vec::new();
        for ((name, named), seen) in named.into_iter().zip(seen) {
            let judged = verdicts::of(&name, &named, seen, &self.exceptions, self.now);
            cells.extend(judged.cells);
            legs.push(judged.leg);
            gateways.push(judged.gateway);
        }
        assembled(self.seed, self.now, began.elapsed(), gateways, cells, legs)
    }
}

/// The record of legs that were audited.
pub(crate) fn assembled(
    seed: u64,
    began: OffsetDateTime,
    took: Duration,
    gateways: Vec<GatewayFacts>,
    mut cells: Vec<CellRecord>,
    legs: Vec<LegRecord>,
) -> Result<RunRecord, AuditError> {
    cells.sort_by(|left, right| left.id.cmp(&right.id));
    Ok(RunRecord {
        schema: SCHEMA.to_owned(),
        tool: Tool { name: "gauntlet".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        seed,
        started: began.format(&Rfc3339)?,
        duration_ms: millis(took),
        shard: None,
        timings: Vec::new(),
        gateways,
        summary: RunRecord::summarise(&cells),
        cells,
        partial: None,
        trouble: Vec::new(),
        // An audit judges what it called; nothing hangs on claims.
        allows_unclaimed: true,
        baseline: None,
        legs,
    })
}

/// Audits in one go: holds the ports, waits for the first calls, meets every behaviour.
///
/// # Errors
/// [`AuditError`] if any of it cannot be done.
pub async fn audit(request: AuditRequest) -> Result<RunRecord, AuditError> {
    let mut audit = Audit::hold(request).await?;
    audit.first_calls(&|_| {}).await?;
    audit.run(&|_| {}).await
}
