//! The fleet: one port for each backend of a plan, started together and stopped together.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZero,
    sync::Arc,
    thread,
};

use openssl::ssl::SslContext;
use time::OffsetDateTime;
use tls_gauntlet_certs::{Name, Pki};
use tls_gauntlet_scenarios::{BackendProfile, BackendSaw, Composed, UnknownName, catalogue};
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use super::{
    SERVER_NAME,
    context::{self, Settings},
    port::{Contexts, Door, Port, Stage},
    shown::Known,
};
use crate::limits::Limits;

/// Where a fleet listens, and under which names.
#[derive(Debug, Clone)]
pub struct FleetOptions {
    /// The address to listen on.
    pub bind: IpAddr,
    /// The first port; ephemeral ones if absent.
    pub port_base: Option<u16>,
    /// What the certificates are made out to, and which server names are known.
    pub names: Vec<Name>,
    /// Deadlines.
    pub limits: Limits,
}

impl Default for FleetOptions {
    fn default() -> Self {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            bind: local,
            port_base: None,
            names: vec![
                Name::Dns(SERVER_NAME.to_owned()),
                Name::Dns("localhost".to_owned()),
                Name::Ip(local),
            ],
            limits: Limits::default(),
        }
    }
}

/// Why a fleet could not be started.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The catalogue has no such backend.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The TLS side of a backend could not be set up.
    #[error("cannot set up backend \"{backend}\": {source}")]
    Setup {
        /// Its name.
        backend: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The authorities or a client's certificate could not be made.
    #[error("cannot make certificates")]
    Certificates(#[from] tls_gauntlet_certs::Error),
    /// The ports from the base on do not suffice.
    #[error("{count} backends from port {base} on do not fit below 65536; choose a lower first port")]
    PortRange {
        /// The first port.
        base: u16,
        /// How many were to follow.
        count: usize,
    },
    /// A port could not be had.
    #[error("cannot listen on {address} for backend \"{backend}\"")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// For whom.
        backend: String,
        /// The cause.
        source: io::Error,
    },
}

/// Backends that serve until this is dropped.
#[must_use = "the backends stop as soon as this is dropped"]
#[derive(Debug)]
pub struct Fleet {
    backends: Vec<Backend>,
    limits: Limits,
}

impl Fleet {
    /// Starts one backend for each element of the plan, in its order. When this returns, all of them listen.
    ///
    /// # Errors
    /// [`FleetError`] if a certificate cannot be made or a port cannot be had.
    pub async fn start(
        plan: &[Composed],
        pki: &Arc<Pki>,
        options: &FleetOptions,
    ) -> Result<Self, FleetError> {
        let contexts = contexts(plan, pki, &options.names).await?;
        let known = Arc::new(Known::of(pki)?);
        let mut backends = Vec::with_capacity(plan.len());
        for (index, composed) in plan.iter().enumerate() {
            let address = SocketAddr::new(options.bind, port(options.port_base, index, plan.len())?);
            let door = Door::open(&composed.profile, address).map_err(|source| FleetError::Bind {
                address,
                backend: composed.name.clone(),
                source,
            })?;
            let context = |settings: Settings| contexts[&settings].clone();
            let of_port = Contexts {
                faulty: context(Settings::of(&composed.profile)),
                sound: context(Settings::without_fault(&composed.profile)),
            };
            let port = Port::new(composed.clone(), of_port, Arc::clone(&known), options.limits);
            backends.push(Backend::serve(port, door, pki, options)?);
        }
        Ok(Self { backends, limits: options.limits })
    }

    /// The backends, in the order of the plan.
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// Lets nobody in any more, waits until the open connections have ended (for [`Limits::settle`] at most), stops
    /// what is left, and returns every ledger in the order of the plan.
    pub async fn finish(mut self) -> Vec<Vec<BackendSaw>> {
        for backend in &self.backends {
            backend.stage.send_replace(Stage::Closing);
        }
        let settled = async {
            for backend in &self.backends {
                backend.port.ledger().settled().await;
            }
        };
        // If the deadline strikes, the entries say which connections were still open.
        let _ = timeout(self.limits.settle, settled).await;
        for backend in &self.backends {
            backend.stage.send_replace(Stage::Stopped);
        }
        let mut ledgers = Vec::with_capacity(self.backends.len());
        for backend in &mut self.backends {
            // A connection writes its entry as soon as it hears of the stop; a panic in one is no reason to lose the
            // others' entries.
            let _ = (&mut backend.task).await;
            ledgers.push(backend.ledger());
        }
        ledgers
    }
}

/// One backend. It serves until this, or the [`Fleet`] it belongs to, is dropped.
#[must_use = "the backend stops as soon as this is dropped"]
#[derive(Debug)]
pub struct Backend {
    port: Arc<Port>,
    address: SocketAddr,
    url: String,
    pki: Arc<Pki>,
    /// Dropping it is the last word to the port's tasks: they stop.
    stage: watch::Sender<Stage>,
    task: JoinHandle<()>,
}

impl Backend {
    /// Starts the backend of this name out of the catalogue (`expired-leaf`, `tls12-only+client-cert-required`)
    /// with certificates of its own.
    ///
    /// # Errors
    /// [`FleetError`], above all for an unknown name.
    pub async fn start(name: &str) -> Result<Self, FleetError> {
        let composed = catalogue().backend(name)?;
        #[allow(
            clippy::disallowed_methods,
            reason = "the short form, for users of the library who want certificates that are valid today"
        )]
        let now = OffsetDateTime::now_utc();
        let pki = Arc::new(Pki::new(0, now)?);
        let mut fleet = Fleet::start(&[composed], &pki, &FleetOptions::default()).await?;
        Ok(fleet.backends.remove(0))
    }

    fn serve(port: Port, door: Door, pki: &Arc<Pki>, options: &FleetOptions) -> Result<Self, FleetError> {
        let failed = |source| FleetError::Bind {
            address: SocketAddr::new(options.bind, 0),
            backend: port.name().to_owned(),
            source,
        };
        let address = door.address().map_err(failed)?;
        let host = match options.names.first() {
            Some(name) if address.ip().is_unspecified() => name.to_string(),
            _ => SocketAddr::new(address.ip(), 0).to_string().trim_end_matches(":0").to_owned(),
        };
        let url = format!("https://{host}:{}/", address.port());
        let port = Arc::new(port);
        let (stage, stages) = watch::channel(Stage::Serving);
        let task = tokio::spawn(Arc::clone(&port).serve(door, stages));
        Ok(Self { port, address, url, pki: Arc::clone(pki), stage, task })
    }

    /// Its name in the catalogue.
    #[must_use]
    pub fn name(&self) -> &str {
        self.port.name()
    }

    /// What it does.
    #[must_use]
    pub fn profile(&self) -> &BackendProfile {
        self.port.profile()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as `https://127.0.0.1:PORT/`; by the first of its names if it listens on all addresses.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The authorities behind its certificate and those of its clients.
    #[must_use]
    pub fn pki(&self) -> &Arc<Pki> {
        &self.pki
    }

    /// What it saw: one entry for each connection that has ended, in the order of their ends.
    #[must_use]
    pub fn ledger(&self) -> Vec<BackendSaw> {
        self.port.ledger().entries()
    }

    /// The number of entries in the ledger, and every change of it.
    #[must_use]
    pub fn entries(&self) -> watch::Receiver<usize> {
        self.port.ledger().count()
    }

    /// Waits until the ledger has this many entries. Without a deadline: that is the caller's.
    pub async fn recorded(&self, entries: usize) {
        // The sender lives as long as this does.
        let _ = self.entries().wait_for(|count| *count >= entries).await;
    }
}

/// One TLS context for each distinct setting, made in parallel: their making is most of a fleet's start.
async fn contexts(
    plan: &[Composed],
    pki: &Arc<Pki>,
    names: &[Name],
) -> Result<Arc<HashMap<Settings, SslContext>>, FleetError> {
    let mut wanted: HashMap<Settings, String> = HashMap::new();
    for composed in plan {
        for settings in [Settings::of(&composed.profile), Settings::without_fault(&composed.profile)] {
            wanted.entry(settings).or_insert_with(|| composed.name.clone());
        }
    }
    let wanted: Vec<_> = wanted.into_iter().collect();
    let (pki, names) = (Arc::clone(pki), Arc::<[Name]>::from(names));
    let made = spawn_blocking(move || {
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        let share = wanted.len().div_ceil(workers).max(1);
        thread::scope(|scope| {
            let (pki, names) = (&pki, &names);
            let workers: Vec<_> = wanted
                .chunks(share)
                .map(|some| scope.spawn(move || some.iter().map(|one| context(one, pki, names)).collect()))
                .collect();
            workers
                .into_iter()
                .flat_map(|worker| -> Vec<_> { worker.join().expect("setting up a context does not panic") })
                .collect::<Result<HashMap<_, _>, _>>()
        })
    });
    made.await.expect("setting up contexts does not panic").map(Arc::new)
}

fn context(
    (settings, backend): &(Settings, String),
    pki: &Pki,
    names: &Arc<[Name]>,
) -> Result<(Settings, SslContext), FleetError> {
    context::server(settings, pki, names)
        .map(|context| (settings.clone(), context))
        .map_err(|source| FleetError::Setup { backend: backend.clone(), source })
}

fn port(base: Option<u16>, index: usize, count: usize) -> Result<u16, FleetError> {
    let Some(base) = base else { return Ok(0) };
    let offset = u16::try_from(index).ok();
    offset.and_then(|offset| base.checked_add(offset)).ok_or(FleetError::PortRange { base, count })
}
