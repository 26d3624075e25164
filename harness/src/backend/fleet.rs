//! The fleet: one port for each backend of a plan, started together and stopped together.

mod options;

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    num::NonZero,
    slice,
    sync::{Arc, OnceLock},
    thread,
};

use openssl::{ssl::SslContext, x509::X509};
use time::OffsetDateTime;
use tls_gauntlet_certs::{Name, Pki};
use tls_gauntlet_scenarios::{BackendProfile, BackendSaw, Composed, Fault, StatusSource, catalogue};
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use super::{
    connection,
    context::{self, Held, Settings},
    door::{Door, Stage},
    ledger::{Ledger, Shared, Written},
    port::{Contexts, Port},
    shown::Known,
    status::{Status, StatusService},
};
use crate::limits::Limits;
#[cfg(feature = "matrix")]
use crate::wire::caller::Callers;

pub use options::{ClientsTaken, FleetError, FleetOptions};

/// Backends that serve until this is dropped.
#[must_use = "the backends stop as soon as this is dropped"]
#[derive(Debug)]
pub struct Fleet {
    backends: Vec<Backend>,
    known: Arc<Known>,
    pki: Arc<Pki>,
    options: FleetOptions,
    /// The number and the weight of the entries in all ledgers.
    written: Shared,
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
        let made = Made::all(plan, pki, &options.names, options).await?;
        let mut fleet = Self {
            backends: Vec::with_capacity(plan.len()),
            known: Arc::new(Known::of(pki)?),
            pki: Arc::clone(pki),
            options: options.clone(),
            written: Shared::default(),
        };
        for (index, composed) in plan.iter().enumerate() {
            let address = SocketAddr::new(options.bind, port(options.port_base, index, plan.len())?);
            fleet.open((index, composed), &made, address)?;
        }
        Ok(fleet)
    }

    /// Starts one more. When this returns, it listens: where the fleet has a first port, on the next one that nobody
    /// else holds.
    ///
    /// # Errors
    /// [`FleetError`] if its certificate cannot be made or a port cannot be had.
    pub async fn add(&mut self, composed: &Composed) -> Result<&Backend, FleetError> {
        let plan = slice::from_ref(composed);
        let made = Made::all(plan, &self.pki, &self.options.names, &self.options).await?;
        let mut index = self.backends.len();
        loop {
            let number = port(self.options.port_base, index, index + 1)?;
            let address = SocketAddr::new(self.options.bind, number);
            match self.open((0, composed), &made, address) {
                Ok(()) => return Ok(&self.backends[self.backends.len() - 1]),
                Err(FleetError::Bind { source, .. })
                    if number != 0 && source.kind() == io::ErrorKind::AddrInUse =>
                {
                    index += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens a port for the nth backend of what was made.
    fn open(
        &mut self,
        (index, composed): (usize, &Composed),
        made: &Made,
        address: SocketAddr,
    ) -> Result<(), FleetError> {
        let ledger = Arc::new(Ledger::of_fleet(&self.written));
        let port = made.port((index, composed), &self.known, self.options.limits, ledger);
        let door = Door::open(address, port.listens()).map_err(|source| FleetError::Bind {
            address,
            backend: composed.name.clone(),
            source,
        })?;
        let port = port.recorded_by(&self.options.recorder);
        let backend = Backend::serve(port, door, &self.pki, &self.options)?;
        self.options.recorder.note_served(backend.address);
        self.backends.push(backend);
        Ok(())
    }

    /// Where and how it listens.
    pub(crate) const fn options(&self) -> &FleetOptions {
        &self.options
    }

    /// What its certificates are made out to.
    pub(crate) fn names(&self) -> &[Name] {
        &self.options.names
    }

    /// The authorities behind the certificates.
    #[must_use]
    pub fn pki(&self) -> &Arc<Pki> {
        &self.pki
    }

    /// The number of entries in all ledgers, and every change of it.
    #[must_use]
    pub fn written(&self) -> watch::Receiver<usize> {
        self.written.count.subscribe()
    }

    /// What this machine lacked when a connection was to be let in, if it ever did: such a connection says nothing of its caller.
    #[must_use]
    pub fn lack(&self) -> Option<&str> {
        self.written.lack()
    }

    /// The backends, in the order of the plan.
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// This fleet with the backends of another one behind its own.
    #[cfg(feature = "matrix")]
    pub(crate) fn joined_by(mut self, other: Self) -> Self {
        self.backends.extend(other.backends);
        self
    }

    /// Lets nobody in any more, waits until the open connections have ended (for [`Limits::settle`] at most), stops
    /// what is left, and returns every ledger in the order of the plan.
    pub async fn finish(self) -> Vec<Vec<BackendSaw>> {
        let ledgers = self.finish_written().await.into_iter();
        ledgers.map(|ledger| ledger.into_iter().map(|written| written.saw()).collect()).collect()
    }

    /// The same with times and callers.
    pub(crate) async fn finish_written(mut self) -> Vec<Vec<Written>> {
        for backend in &self.backends {
            backend.stage.send_replace(Stage::Closing);
        }
        let settled = async {
            for backend in &self.backends {
                backend.port.ledger().settled().await;
            }
        };
        // If the deadline strikes, the entries say which connections were still open.
        let _ = timeout(self.options.limits.settle, settled).await;
        for backend in &self.backends {
            backend.stage.send_replace(Stage::Stopped);
        }
        let mut ledgers = Vec::with_capacity(self.backends.len());
        for backend in &mut self.backends {
            // A connection writes its entry as soon as it hears of the stop; a panic in one is no reason to lose the
            // others' entries.
            let _ = (&mut backend.task).await;
            ledgers.push(backend.written_since(0));
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
    names: Vec<Name>,
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
        let host = options.host(address.ip());
        let url = format!("https://{host}:{}/", address.port());
        let port = Arc::new(port);
        let (stage, stages) = watch::channel(Stage::Serving);
        let task = tokio::spawn(connection::serve_port(Arc::clone(&port), door, stages));
        let (pki, names) = (Arc::clone(pki), options.names.clone());
        Ok(Self { port, address, url, pki, names, stage, task })
    }

    /// From now on these are meant to call it; others are strangers to its ledger.
    #[cfg(feature = "matrix")]
    pub(crate) fn expect(&self, callers: Callers) {
        self.port.expect(callers);
    }

    /// Its name in the catalogue.
    #[must_use]
    pub fn name(&self) -> &str {
        self.port.name()
    }

    /// What it is made of.
    #[must_use]
    pub fn composed(&self) -> &Composed {
        self.port.composed()
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

    /// Where it listens, as `https://127.0.0.1:PORT/`, which its certificate is for unless its flaw is the name; by
    /// the first of its names if it listens on all addresses.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The authorities behind its certificate and those of its clients.
    #[must_use]
    pub fn pki(&self) -> &Arc<Pki> {
        &self.pki
    }

    /// What its callers must trust, in PEM.
    ///
    /// # Panics
    /// If OpenSSL cannot encode a certificate that it has decoded.
    #[must_use]
    pub fn trust_pem(&self) -> String {
        let pem = self.pki.server_root().to_pem().expect("what was decoded can be encoded");
        String::from_utf8(pem).expect("PEM is ASCII")
    }

    /// What it saw: one entry for each connection that has ended, in the order of their ends.
    #[must_use]
    pub fn ledger(&self) -> Vec<BackendSaw> {
        self.port.ledger().entries()
    }

    /// The entries from this one on.
    #[cfg(feature = "matrix")]
    pub(crate) fn ledger_since(&self, first: usize) -> Vec<BackendSaw> {
        self.port.ledger().entries_since(first)
    }

    /// The entries from this one on, with their times.
    pub(crate) fn written_since(&self, first: usize) -> Vec<Written> {
        self.port.ledger().written_since(first)
    }

    /// Sets what its next connections meet: a fault each, or none. It takes the place of what is left of an earlier
    /// script; afterwards the backend is itself again.
    ///
    /// # Errors
    /// [`FleetError`] if a TLS context that the script needs cannot be made.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use tls_gauntlet::{Backend, scenarios::{Fault, FaultAction, FaultPhase}};
    ///
    /// let backend = Backend::start("plain-good").await?;
    /// let reset = Fault { at: FaultPhase::Request, does: FaultAction::Reset };
    /// backend.script([Some(reset), Some(reset)]).await?;
    /// // … whoever calls it now has to try three times …
    /// # Ok(()) }
    /// ```
    pub async fn script(&self, faults: impl IntoIterator<Item = Option<Fault>>) -> Result<(), FleetError> {
        let faults: VecDeque<_> = faults.into_iter().collect();
        let stops = faults.iter().flatten().any(|fault| context::stops_at_client_hello(*fault));
        if stops && self.port.stopping().get().is_none() {
            let settings = (self.port.settings().stopping(), self.name().to_owned());
            let (pki, names) = (Arc::clone(&self.pki), Arc::from(self.names.as_slice()));
            let made = spawn_blocking(move || {
                let roots = vec![pki.client_root().clone()];
                context(&settings, (&pki, &roots), &names)
            });
            let (_, made) = made.await.expect("setting up a context does not panic")?;
            // Somebody else may have been faster; one is as good as the other.
            let _ = self.port.stopping().set(made);
        }
        *self.port.script() = faults;
        Ok(())
    }

    /// Gives it another certificate, and other clients to trust. It holds for the next connection; those that are there go on.
    /// A fault or a renewal of its profile counts no more.
    ///
    /// # Errors
    /// [`FleetError`] if OpenSSL does not take it.
    pub async fn change(&self, to: &Held) -> Result<(), FleetError> {
        let (settings, held) = (self.port.settings().without_fault(), to.clone());
        let (pki, names) = (Arc::clone(&self.pki), Arc::from(self.names.as_slice()));
        let made = spawn_blocking(move || context::server_with(&settings, &held, &pki, &names));
        let made = made.await.expect("setting up a context does not panic");
        let made = made.map_err(|source| FleetError::Setup { backend: self.name().to_owned(), source })?;
        self.port.give(made);
        Ok(())
    }

    /// How many of its next connections follow a script.
    #[must_use]
    pub fn scripted(&self) -> usize {
        self.port.script().len()
    }

    /// Where its certificate says that its status is to be had, if it says so: a revocation list, or an OCSP responder.
    #[must_use]
    pub fn status_url(&self) -> Option<&str> {
        self.port.status().map(Status::url)
    }

    /// What was asked for there so far, in the order of the requests.
    #[must_use]
    pub fn status_asked(&self) -> Vec<StatusSource> {
        self.port.status().map_or_else(Vec::new, Status::asked)
    }

    /// The number of entries in the ledger, and every change of it.
    #[must_use]
    pub fn entries(&self) -> watch::Receiver<usize> {
        self.port.ledger().count()
    }

    /// Waits until the ledger has this many entries, and returns them all. Without a deadline: that is the caller's.
    pub async fn recorded(&self, entries: usize) -> Vec<BackendSaw> {
        // The sender lives as long as this does.
        let _ = self.entries().wait_for(|count| *count >= entries).await;
        self.ledger()
    }
}

/// One TLS context for each distinct setting of a plan, and where the status of its certificates is to be had.
#[derive(Debug)]
pub(super) struct Made {
    settings: Vec<Settings>,
    contexts: HashMap<Settings, SslContext>,
    status: Arc<StatusService>,
}

impl Made {
    /// Makes everything but the ports for a plan; `names` is what the certificates are made out to.
    pub(super) async fn all(
        plan: &[Composed],
        pki: &Arc<Pki>,
        names: &[Name],
        options: &FleetOptions,
    ) -> Result<Self, FleetError> {
        let (mut status, listener) = StatusService::bind(plan, options.bind, &options.host(options.bind))
            .map_err(|source| FleetError::Status { address: options.bind, source })?;
        let settings: Vec<_> = (0..)
            .zip(plan)
            .map(|(index, composed)| {
                let url = status.point(index).map(|point| point.url());
                let settings = Settings::of(&composed.profile, url, options.expires_in);
                if matches!(options.clients, ClientsTaken::Any) {
                    settings.taking_any_client()
                } else {
                    settings
                }
            })
            .collect();
        let contexts = contexts(plan, &settings, pki, names, &options.clients).await?;
        if let Some(listener) = listener {
            let identity = |index: usize| settings[index].identity(pki, names);
            status.serve(listener, pki, identity, options.limits.peer)?;
        }
        Ok(Self { settings, contexts, status: Arc::new(status) })
    }

    /// A port for the nth backend of the plan.
    pub(super) fn port(
        &self,
        (index, composed): (usize, &Composed),
        known: &Arc<Known>,
        limits: Limits,
        ledger: Arc<Ledger>,
    ) -> Port {
        let contexts = |settings: &Settings| Contexts {
            settings: settings.clone(),
            faulty: self.contexts[settings].clone(),
            sound: self.contexts[&settings.without_fault()].clone(),
            stopping: OnceLock::new(),
        };
        let first = &self.settings[index];
        let changes = composed.profile.renewal.is_some() || composed.profile.renegotiates_as.is_some();
        let renewed = changes.then(|| contexts(&first.clone().renewed(&composed.profile)));
        let status = Status::of(&self.status, index);
        let known = Arc::clone(known);
        Port::new(composed.clone(), (contexts(first), renewed), status, known, limits, ledger)
    }
}

/// Makes contexts in parallel: their making is most of a fleet's start.
async fn contexts(
    plan: &[Composed],
    settings: &[Settings],
    pki: &Arc<Pki>,
    names: &[Name],
    clients: &ClientsTaken,
) -> Result<HashMap<Settings, SslContext>, FleetError> {
    let mut wanted: HashMap<Settings, String> = HashMap::new();
    for (composed, settings) in plan.iter().zip(settings) {
        let renewed = settings.clone().renewed(&composed.profile);
        for settings in [settings, &renewed] {
            for settings in [settings.clone(), settings.without_fault()] {
                wanted.entry(settings).or_insert_with(|| composed.name.clone());
            }
        }
    }
    let wanted: Vec<_> = wanted.into_iter().collect();
    let (pki, names) = (Arc::clone(pki), Arc::<[Name]>::from(names));
    let roots = clients.roots(&pki);
    let made = spawn_blocking(move || {
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        let share = wanted.len().div_ceil(workers).max(1);
        thread::scope(|scope| {
            let (pki, names, roots) = (&pki, &names, &roots);
            let workers: Vec<_> = wanted
                .chunks(share)
                .map(|some| {
                    scope.spawn(move || some.iter().map(|one| context(one, (pki, roots), names)).collect())
                })
                .collect();
            workers
                .into_iter()
                .flat_map(|worker| -> Vec<_> { worker.join().expect("setting up a context does not panic") })
                .collect::<Result<HashMap<_, _>, _>>()
        })
    });
    made.await.expect("setting up contexts does not panic")
}

fn context(
    (settings, backend): &(Settings, String),
    (pki, client_roots): (&Pki, &[X509]),
    names: &Arc<[Name]>,
) -> Result<(Settings, SslContext), FleetError> {
    context::server(settings, pki, client_roots, names)
        .map(|context| (settings.clone(), context))
        .map_err(|source| FleetError::Setup { backend: backend.clone(), source })
}

fn port(base: Option<u16>, index: usize, count: usize) -> Result<u16, FleetError> {
    let Some(base) = base else { return Ok(0) };
    let offset = u16::try_from(index).ok();
    offset.and_then(|offset| base.checked_add(offset)).ok_or(FleetError::PortRange { base, count })
}
