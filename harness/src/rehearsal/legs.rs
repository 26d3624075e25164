//! The legs of a configuration: where each is dialled and called, and the audit of all of them side by side.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    thread,
    time::Duration,
};

use futures_util::future::try_join_all;
use tls_gauntlet_certs::{Name, Pki};
use tls_gauntlet_scenarios::{
    ClientCertificate,
    policy::{Finding, Level},
    posture::asked,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime,
    sync::{mpsc, oneshot, watch},
};

use super::{
    Event, OnEvent, Rehearsal, RehearsalError,
    material::write_lists,
    program::{Gateway, address},
};
use crate::{
    audit::{
        self, Audit, AuditError, AuditLimits, AuditRequest, BackendName, CallSettings, LegRequest, Revive,
    },
    backend::{ClientsTaken, FleetError},
    configuration::{Configuration, Leg, NamedFile, Setting},
    record::{GatewayFacts, GatewayKind, LegRecord, RunRecord},
    wait,
    world::{Namespace, World},
};

/// How long a gateway may take until a sound call comes through: its checks of health have to find the backend up.
const FIRST_CALL: Duration = Duration::from_secs(30);

/// How long a port may take until it can be had again.
const GIVEN_BACK: Duration = Duration::from_secs(2);

/// How long a sound certificate without the name that is checked by default is tried.
const NAME_TRIED: Duration = Duration::from_secs(1);

/// A leg, and what its audit needs.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) url: String,
    /// The names of its certificates: the host that is dialled, and the one that is checked.
    pub(super) names: Vec<Name>,
    /// Why it is not audited.
    pub(super) because_not: Option<String>,
    port: u16,
    /// Where it is dialled.
    at: Vec<SocketAddr>,
    /// Where it is called.
    listener: Option<SocketAddr>,
    /// Whether the listener takes client certificates.
    shows_certificate: bool,
    /// The name that is checked because no line says another, where it is not one of the hosts.
    by_default: Option<String>,
}

/// The name of a leg: what it dials first, and its line where another one dials the same.
pub(super) fn name(configuration: &Configuration, leg: &Leg) -> String {
    let dialled = |leg: &Leg| leg.dialled.first().map(ToString::to_string).unwrap_or_default();
    let name = dialled(leg);
    if configuration.legs.iter().filter(|other| dialled(other) == name).count() < 2 {
        return name;
    }
    let file = leg.at.file.rsplit('/').next().unwrap_or_default();
    format!("{name} ({file}:{})", leg.at.line)
}

/// What can be audited of a configuration, and how.
pub(super) fn plan(configuration: &Configuration, world: &World) -> Vec<Planned> {
    configuration.legs.iter().map(|leg| planned(configuration, leg, world)).collect()
}

fn planned(configuration: &Configuration, leg: &Leg, world: &World) -> Planned {
    let listener = configuration.listeners.get(leg.listener);
    let at: Vec<SocketAddr> =
        leg.dialled.iter().map(|dialled| (world.address(&dialled.host), dialled.port).into()).collect();
    let mut names: Vec<Name> = leg.dialled.iter().filter_map(|dialled| dialled.host.parse().ok()).collect();
    let checked = leg.settings.get(&Setting::CheckedName);
    let is_checked = leg.value(Setting::Verification) != Some("off");
    let other = checked.filter(|_| is_checked).and_then(|stated| Some((stated, stated.value.parse().ok()?)));
    let other = other.filter(|(_, name): &(_, Name)| !names.contains(name));
    let by_default = other.as_ref().filter(|(stated, _)| !stated.written).map(|(_, name)| name.to_string());
    names.extend(other.map(|(_, name)| name));
    let because_not = if !leg.tls {
        Some("the gateway speaks no TLS to it".to_owned())
    } else if leg.dialled.iter().any(|dialled| dialled.port == 0) || leg.dialled.is_empty() {
        Some("it is no host and port".to_owned())
    } else if names.is_empty() {
        Some("no certificate can be made out to its host".to_owned())
    } else if listener.and_then(address).is_none() {
        Some("its listener is no address and port".to_owned())
    } else {
        None
    };
    Planned {
        name: name(configuration, leg),
        url: url(leg),
        names,
        because_not,
        port: leg.dialled.first().map_or(0, |dialled| dialled.port),
        at,
        listener: listener.and_then(address),
        shows_certificate: listener.is_some_and(|listener| listener.clients.is_some()),
        by_default,
    }
}

/// The URL that is called: over a stream that is passed on, HTTP is spoken as well.
fn url(leg: &Leg) -> String {
    let mut url = leg.url.clone();
    url.scheme = match url.scheme {
        "tls" => "https",
        "tcp" => "http",
        scheme => scheme,
    };
    if url.path.is_empty() {
        url.path.push('/');
    }
    url.to_string()
}

/// What all legs share.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) pki: Arc<Pki>,
    pub(super) files: Arc<[NamedFile]>,
    pub(super) rehearsal: Rehearsal,
    pub(super) on_event: OnEvent,
}

/// What came of a leg.
#[derive(Debug)]
pub(super) struct Outcome {
    leg: Planned,
    /// None where no sound call came through.
    record: Option<RunRecord>,
}

/// Audits every leg; those that dial the same address one after another.
pub(super) async fn audit(
    plan: Vec<Planned>,
    mut gateway: Gateway,
    stage: &Stage,
) -> Result<Vec<Outcome>, RehearsalError> {
    let wanted: Vec<_> = plan.into_iter().filter(|leg| leg.because_not.is_none()).collect();
    let behaviours =
        wanted.iter().map(|leg| asked(stage.rehearsal.pass(), &leg.names[0].to_string()).len()).sum();
    (stage.on_event)(Event::Planned(behaviours));
    let mut listeners: Vec<SocketAddr> = wanted.iter().filter_map(|leg| leg.listener).collect();
    listeners.sort_unstable();
    listeners.dedup();
    let mut groups: BTreeMap<SocketAddr, Vec<Planned>> = BTreeMap::new();
    for leg in wanted {
        groups.entry(leg.at[0]).or_default().push(leg);
    }
    let begun = watch::Sender::new(false);
    let (held, mut are_held) = mpsc::unbounded_channel();
    let mut running = Vec::with_capacity(groups.len());
    for (at, legs) in groups {
        let group = Group {
            way: Way::to(&gateway, at),
            legs,
            stage: stage.clone(),
            held: held.clone(),
            begun: begun.subscribe(),
        };
        running.push(tokio::spawn(group.audited()));
    }
    drop(held);
    for _ in &running {
        // A group that cannot hold its port says so when it is joined.
        let _holds = are_held.recv().await;
    }
    write_lists(&stage.files, &stage.pki)?;
    gateway.begin(&listeners).await?;
    begun.send_replace(true);
    let outcomes = tokio::select! {
        outcomes = try_join_all(running) => outcomes.map_err(io::Error::other)?,
        ended = gateway.end() => return Err(ended),
    };
    outcomes
        .into_iter()
        .flat_map(|group| match group {
            Ok(legs) => legs.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
        .collect()
}

/// How the audits of a group reach the stand-in's network and the gateway's listeners.
#[derive(Debug, Clone)]
struct Way {
    /// The gateway's own network: what it dials on its loopback is nowhere else.
    inside: bool,
    namespace: Namespace,
    address: (Ipv4Addr, Ipv6Addr),
    revive: Option<Revive>,
}

impl Way {
    fn to(gateway: &Gateway, at: SocketAddr) -> Self {
        let inhabitant = &gateway.inhabitant;
        Self {
            inside: at.ip().is_loopback(),
            namespace: inhabitant.namespace.clone(),
            address: inhabitant.address,
            revive: gateway.revive(),
        }
    }

    /// Where a listener is called from here.
    async fn listener(&self, listener: SocketAddr) -> io::Result<SocketAddr> {
        let port = listener.port();
        match (self.inside, listener.ip()) {
            (true, ip) if ip.is_unspecified() && ip.is_ipv4() => Ok((Ipv4Addr::LOCALHOST, port).into()),
            (true, ip) if ip.is_unspecified() => Ok((Ipv6Addr::LOCALHOST, port).into()),
            (false, ip) if ip.is_unspecified() && ip.is_ipv4() => Ok((self.address.0, port).into()),
            (false, ip) if ip.is_unspecified() => Ok((self.address.1, port).into()),
            (false, ip) if ip.is_loopback() => {
                let here = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                let address = here.local_addr()?;
                let namespace = self.namespace.clone();
                tokio::spawn(async move { relay(here, || namespace.connect(listener)).await });
                Ok(address)
            }
            (true | false, _) => Ok(listener),
        }
    }

    /// Runs something on a thread of its own, in the network that it belongs to.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        if self.inside {
            return self.namespace.within(work).await;
        }
        let (done, received) = oneshot::channel();
        thread::spawn(move || {
            // Nobody waits any more where the rehearsal was given up.
            let _given_up = done.send(work());
        });
        received.await.map_err(io::Error::other)?
    }
}

/// Passes connections on until the runtime ends.
async fn relay<Connected>(here: TcpListener, connect: impl Fn() -> Connected)
where
    Connected: Future<Output = io::Result<TcpStream>>,
{
    while let Ok((mut from, _)) = here.accept().await {
        // One that is refused there is closed here.
        if let Ok(mut to) = connect().await {
            tokio::spawn(async move { copy_bidirectional(&mut from, &mut to).await });
        }
    }
}

/// Legs that dial the same address.
struct Group {
    way: Way,
    legs: Vec<Planned>,
    stage: Stage,
    held: mpsc::UnboundedSender<()>,
    begun: watch::Receiver<bool>,
}

impl Group {
    async fn audited(self) -> Result<Vec<Outcome>, RehearsalError> {
        let way = self.way.clone();
        let work = move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(self.one_after_another()))
        };
        way.run(work).await?
    }

    async fn one_after_another(mut self) -> Result<Vec<Outcome>, RehearsalError> {
        let mut outcomes = Vec::with_capacity(self.legs.len());
        for leg in std::mem::take(&mut self.legs) {
            let outcome = self.one(leg).await?;
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    async fn one(&mut self, mut leg: Planned) -> Result<Outcome, RehearsalError> {
        for member in leg.at.iter().skip(1).filter(|member| **member != leg.at[0]) {
            let (here, to) = (TcpListener::bind(member).await, leg.at[0]);
            // Another leg stands there itself.
            if let Ok(here) = here {
                tokio::spawn(async move { relay(here, || TcpStream::connect(to)).await });
            }
        }
        let mut audit = self.hold(&leg, leg.names.clone(), FIRST_CALL).await?;
        audit.prepare().await?;
        if *self.begun.borrow() {
            write_lists(&self.stage.files, &self.stage.pki)?;
            if let Some(Revive(reload)) = &self.way.revive {
                reload();
            }
        }
        // Nobody waits any more where the rehearsal was given up.
        let _given_up = self.held.send(());
        let _begun = self.begun.clone().wait_for(|begun| *begun).await.is_ok();
        match audit.first_calls(&|_| {}).await {
            Ok(()) => {}
            Err(AuditError::NeverCalled { because, .. }) => {
                leg.because_not = Some(because);
                return Ok(Outcome { leg, record: None });
            }
            Err(error) => return Err(error.into()),
        }
        let on_event = Arc::clone(&self.stage.on_event);
        let met = move |event| match event {
            audit::Event::Met { .. } => on_event(Event::Met),
            audit::Event::Waiting { .. } => {}
        };
        let mut record = audit.run(&met).await?;
        if let Some(name) = leg.by_default.clone() {
            record.legs[0].findings.extend(self.fits(&leg, &name).await?);
        }
        Ok(Outcome { leg, record: Some(record) })
    }

    /// Whether the leg takes a sound certificate for the host that it dials, where another name is checked by default.
    async fn fits(&self, leg: &Planned, name: &str) -> Result<Option<Finding>, RehearsalError> {
        let hosts: Vec<Name> = leg.names.iter().filter(|one| one.to_string() != name).cloned().collect();
        let mut audit = self.hold(leg, hosts.clone(), NAME_TRIED).await?;
        match audit.first_calls(&|_| {}).await {
            Ok(()) => Ok(None),
            Err(AuditError::NeverCalled { because, .. }) => Ok(Some(Finding {
                rule: "fitting-name".to_owned(),
                level: Level::Must,
                says: format!(
                    "refuses every certificate for the host that it dials ({}): the name that it wants is \"{name}\"",
                    hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                ),
                clause: "RFC 9525 6.1".to_owned(),
                behaviours: vec!["plain-good".to_owned()],
                kept: Vec::new(),
                seen: because,
                set: Vec::new(),
                stands: None,
                excepted: None,
            })),
            Err(error) => Err(error.into()),
        }
    }

    async fn hold(
        &self,
        leg: &Planned,
        names: Vec<Name>,
        first_call: Duration,
    ) -> Result<Audit, RehearsalError> {
        let url = leg.url.parse().map_err(io::Error::other)?;
        let listener = self.way.listener(leg.listener.unwrap_or(leg.at[0])).await?;
        let identity =
            leg.shows_certificate.then(|| self.stage.pki.client(ClientCertificate::Good)).transpose();
        let identity = identity.map_err(super::material::NotWritten::from)?;
        let call = CallSettings { insecure: true, identity, ..CallSettings::get(url, listener) };
        let backend = BackendName { name: names[0].clone(), port: leg.port };
        let request = LegRequest {
            name: Some(leg.name.clone()),
            also: names.into_iter().skip(1).collect(),
            call,
            backend,
            bind: leg.at[0],
            pki: Arc::clone(&self.stage.pki),
            log: None,
            revive: self.way.revive.clone(),
        };
        let Rehearsal { now, seed, .. } = self.stage.rehearsal;
        let request = AuditRequest {
            legs: vec![request],
            pass: self.stage.rehearsal.pass(),
            clients: ClientsTaken::Any,
            listener: true,
            client_issuer: None,
            exceptions: Vec::new(),
            limits: AuditLimits { first_call, ..AuditLimits::default() },
            now,
            seed,
        };
        // The stand-in of before may be on its way out.
        let held = wait::until(GIVEN_BACK, "the port", || async {
            match Audit::hold(request.clone()).await {
                Err(AuditError::StandIn(FleetError::Bind { .. })) => None,
                held => Some(held),
            }
        });
        match held.await {
            Ok(held) => Ok(held?),
            Err(_) => Ok(Audit::hold(request.clone()).await?),
        }
    }
}

/// One record of all legs, in the order of the configuration.
pub(super) fn record(
    mut outcomes: Vec<Outcome>,
    order: &[String],
    rehearsal: &Rehearsal,
    took: Duration,
) -> Result<RunRecord, RehearsalError> {
    outcomes.sort_by_key(|outcome| order.iter().position(|name| *name == outcome.leg.name));
    let version = format!("{} {}", rehearsal.kind.name(), rehearsal.program.version);
    let (mut legs, mut gateways, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    for Outcome { leg, record } in outcomes {
        let Planned { name, url, because_not, .. } = leg;
        let (version, kind) = (version.clone(), GatewayKind::Program);
        gateways.push(GatewayFacts { name: name.clone(), version, kind, judged_by: None });
        match record {
            Some(record) => {
                legs.extend(record.legs);
                cells.extend(record.cells);
            }
            None => legs.push(LegRecord::not_audited(name, url, because_not.unwrap_or_default())),
        }
    }
    Ok(audit::assembled(rehearsal.seed, rehearsal.now, took, gateways, cells, legs)?)
}
