//! One port for every backend, chosen by the server name: `https://expired-leaf--tls12-only.gauntlet.test:PORT/`.
//!
//! The ClientHello is read for its name, and then handed with the untouched bytes to the backend, which is made when
//! it is called for the first time. There is one TLS connection, and it is the backend's.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use bytes::BytesMut;
use tls_gauntlet_certs::{Name, Pki};
use tls_gauntlet_scenarios::{
    Alert, BackendSaw, Cause, Composed, Ended, NotByName, Phase, by_name, catalogue,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{OnceCell, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{
    connection,
    door::{Door, Stage},
    fleet::{FleetError, FleetOptions, Made},
    ledger::{Arrival, Ledger, Written},
    port::Port,
    shown::Known,
};
use crate::{
    limits::{Limits, millis},
    wire::{
        client_hello::{self, Assembly, FirstMessage},
        tap::{Early, Tap},
    },
};

/// The backend that answers a call without a server name, or for a name of the fleet itself.
pub const DEFAULT_BACKEND: &str = "plain-good";

/// How many backends are made at most; each one costs a certificate and two TLS contexts.
const MOST: usize = 1024;

/// One port that answers for every backend. It serves until this is dropped.
///
/// Each host name has a backend of its own, with a certificate for that name, and one ledger has what all of them saw:
/// the server name of an entry tells them apart.
#[must_use = "it stops as soon as this is dropped"]
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    zones: Vec<String>,
    limits: Limits,
    ledger: Arc<Ledger>,
    /// Dropping it is the last word to the port's tasks: they stop.
    stage: watch::Sender<Stage>,
    task: JoinHandle<()>,
}

impl Front {
    /// Listens on the first port of the options. The host names of backends end in [`by_name::ZONE`] or in one of the
    /// options' own names.
    ///
    /// # Errors
    /// [`FleetError`] if a certificate cannot be made or the port cannot be had.
    pub async fn start(pki: &Arc<Pki>, options: &FleetOptions) -> Result<Self, FleetError> {
        let wanted = SocketAddr::new(options.bind, options.port_base.unwrap_or_default());
        let failed = |source| FleetError::Bind { address: wanted, backend: "any".to_owned(), source };
        let ledger = Arc::<Ledger>::default();
        let default = catalogue().backend(DEFAULT_BACKEND)?;
        let known = Arc::new(Known::of(pki)?);
        let made = Made::all(std::slice::from_ref(&default), pki, &options.names, options).await?;
        let zones = zones(&options.names);
        let port = made.port((0, &default), &known, options.limits, Arc::clone(&ledger));
        let house = Arc::new(House {
            default: Arc::new(port.recorded_by(&options.recorder)),
            own_names: options.names.iter().filter_map(host_name).map(str::to_owned).collect(),
            zones: zones.clone(),
            pki: Arc::clone(pki),
            known,
            options: options.clone(),
            ledger: Arc::clone(&ledger),
            ports: Mutex::default(),
        });
        let door = Door::open(wanted, true).map_err(failed)?;
        let address = door.address().map_err(failed)?;
        let (stage, stages) = watch::channel(Stage::Serving);
        let (limits, entries) = (options.limits, Arc::clone(&ledger));
        let task = tokio::spawn(async move {
            let serve = |stream| Arc::clone(&house).serve(stream, stages.clone());
            door.let_in(&entries, stages.clone(), serve).await;
        });
        Ok(Self { address, zones, limits, ledger, stage, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The host name to call for a backend: that of its certificate.
    ///
    /// # Errors
    /// [`NotByName`] if the backend cannot be chosen by its name.
    pub fn host(backend: &Composed) -> Result<String, NotByName> {
        let name = format!("{}.{}", backend.label()?, by_name::ZONE);
        Ok(backend.profile.certificate().dialled(&name))
    }

    /// The URL of a backend, for whoever resolves its host name to [`Self::address`].
    ///
    /// # Errors
    /// [`NotByName`] if the backend cannot be chosen by its name.
    pub fn url(&self, backend: &Composed) -> Result<String, NotByName> {
        Ok(format!("https://{}:{}/", Self::host(backend)?, self.address.port()))
    }

    /// What was seen: one entry for each connection that has ended, in the order of their ends.
    #[must_use]
    pub fn ledger(&self) -> Vec<BackendSaw> {
        self.ledger.entries()
    }

    /// The number of entries in the ledger, and every change of it.
    #[must_use]
    pub fn entries(&self) -> watch::Receiver<usize> {
        self.ledger.count()
    }

    /// The entries from this one on, with their times.
    pub(crate) fn written_since(&self, first: usize) -> Vec<Written> {
        self.ledger.written_since(first)
    }

    /// Which backend an entry is of; none if there was none for its server name.
    #[must_use]
    pub fn backend_of(&self, entry: &BackendSaw) -> Option<String> {
        match &entry.sni {
            _ if entry.alert_sent == Some(Alert::UnrecognizedName) => None,
            Some(name) => by_name::called(name, &self.zones)
                .map_or_else(|_| Some(DEFAULT_BACKEND.to_owned()), |(backend, _)| Some(backend.name)),
            None => Some(DEFAULT_BACKEND.to_owned()),
        }
    }

    /// The entries from this one on, of calls for which there was no backend; their `error` says why.
    #[must_use]
    pub fn refused_since(&self, first: usize) -> Vec<BackendSaw> {
        let entries = self.ledger.entries_since(first);
        entries.into_iter().filter(|entry| entry.alert_sent == Some(Alert::UnrecognizedName)).collect()
    }

    /// Waits until the ledger has this many entries. Without a deadline: that is the caller's.
    pub async fn recorded(&self, entries: usize) {
        // The sender lives as long as this does.
        let _ = self.entries().wait_for(|count| *count >= entries).await;
    }

    /// Lets nobody in any more, waits until the open connections have ended (for [`Limits::settle`] at most), stops
    /// what is left, and returns the ledger.
    pub async fn finish(self) -> Vec<BackendSaw> {
        self.stage.send_replace(Stage::Closing);
        // If the deadline strikes, the entries say which connections were still open.
        let _ = timeout(self.limits.settle, self.ledger.settled()).await;
        self.stage.send_replace(Stage::Stopped);
        // A panic in one connection is no reason to lose the others' entries.
        let _ = self.task.await;
        self.ledger.entries()
    }
}

/// What the backends behind the port have in common.
#[derive(Debug)]
struct House {
    default: Arc<Port>,
    own_names: Vec<String>,
    zones: Vec<String>,
    pki: Arc<Pki>,
    known: Arc<Known>,
    options: FleetOptions,
    ledger: Arc<Ledger>,
    ports: Mutex<HashMap<String, Arc<OnceCell<Arc<Port>>>>>,
}

/// Why nobody answers.
#[derive(Debug, thiserror::Error)]
enum Nobody {
    #[error(transparent)]
    NotByName(#[from] NotByName),
    #[error(
        "{MOST} backends have been called by their names; start anew, or serve this one on a port of its own"
    )]
    TooMany,
    #[error(transparent)]
    NotMade(#[from] FleetError),
}

impl House {
    /// Serves a connection. Leaves one entry in the ledger, however it ends.
    async fn serve(self: Arc<Self>, mut stream: TcpStream, mut stages: watch::Receiver<Stage>) {
        let begun = Instant::now();
        let greeting = tokio::select! {
            greeting = timeout(self.options.limits.peer, Greeting::read(&mut stream)) => greeting,
            _ = stages.wait_for(|stage| *stage == Stage::Stopped) => {
                let ending = Ending::without_hello(Ended::Stopped, None);
                return self.ledger.write(Arrival::at(begun), ending.entry(begun), None, Vec::new());
            }
        };
        let Ok(greeting) = greeting else {
            let ending = Ending::without_hello(Ended::TimedOut, Some(Cause::Timeout));
            return self.ledger.write(Arrival::at(begun), ending.entry(begun), None, Vec::new());
        };
        let name = greeting.hello.as_deref().and_then(|hello| client_hello::facts(hello).server_name);
        match self.find(name.as_deref()).await {
            Ok(port) => connection::serve(port.tap(stream, greeting.early), port, stages).await,
            Err(nobody) => {
                let talk = self.options.recorder.answered(&stream, "nobody");
                let mut greeted = vec![0; greeting.early.bytes.len()];
                let mut stream = Tap::resume(stream, greeting.early).recorded(talk);
                // Once more, through the tap.
                let _ = stream.read_exact(&mut greeted).await;
                // An error here means that the peer has gone already.
                let _ = stream.write_all(UNRECOGNIZED_NAME).await;
                let _ = stream.shutdown().await;
                let ending = Ending {
                    sni: name,
                    ended: Ended::AlertSent,
                    cause: Some(Cause::SniUnknown),
                    alert: Some(Alert::UnrecognizedName),
                    error: Some(nobody.to_string()),
                };
                self.ledger.write(
                    Arrival::at(begun),
                    ending.entry(begun),
                    greeting.hello.as_deref(),
                    Vec::new(),
                );
                // A socket that is closed with bytes unread sends RST, and that could overtake the alert.
                tokio::select! {
                    _ = timeout(self.options.limits.peer, drain(&mut stream)) => {}
                    _ = stages.wait_for(|stage| *stage == Stage::Stopped) => {}
                }
            }
        }
    }

    /// The backend that is meant by this server name. What is no ClientHello goes to the default one, which knows what to say of it.
    async fn find(&self, name: Option<&str>) -> Result<Arc<Port>, Nobody> {
        let Some(name) = name else {
            return Ok(Arc::clone(&self.default));
        };
        if self.own_names.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return Ok(Arc::clone(&self.default));
        }
        let (backend, host) = by_name::called(name, &self.zones)?;
        let place = self.place(&host)?;
        let port = place.get_or_try_init(|| self.make(&backend, host)).await?;
        Ok(Arc::clone(port))
    }

    fn place(&self, host: &str) -> Result<Arc<OnceCell<Arc<Port>>>, Nobody> {
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = ports.get(host) {
            return Ok(Arc::clone(place));
        }
        if ports.len() >= MOST {
            return Err(Nobody::TooMany);
        }
        Ok(Arc::clone(ports.entry(host.to_owned()).or_default()))
    }

    async fn make(&self, backend: &Composed, host: String) -> Result<Arc<Port>, FleetError> {
        let plan = std::slice::from_ref(backend);
        let made = Made::all(plan, &self.pki, &[Name::Dns(host)], &self.options).await?;
        let port = made.port((0, backend), &self.known, self.options.limits, Arc::clone(&self.ledger));
        Ok(Arc::new(port.recorded_by(&self.options.recorder)))
    }
}

/// The fatal alert `unrecognized_name` (RFC 6066 3), in the clear: no keys have been agreed on.
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];

/// The beginning of a connection: all that came until the ClientHello was whole, or could not become it.
struct Greeting {
    early: Early,
    hello: Option<Vec<u8>>,
}

impl Greeting {
    async fn read(stream: &mut TcpStream) -> Self {
        let (mut early, mut assembly) = (Early::default(), Assembly::default());
        let hello = loop {
            // The longest record (RFC 8446 5.1) and its head: a ClientHello usually comes in one.
            early.bytes.reserve(5 + 16384);
            match stream.read_buf(&mut early.bytes).await {
                Ok(1..) => {}
                Ok(0) => break None,
                Err(error) => {
                    early.failure = Some(error);
                    break None;
                }
            }
            if early.first_segment == 0 {
                early.first_segment = early.bytes.len();
            }
            match assembly.read(&early.bytes) {
                FirstMessage::Whole(message) => break Some(message),
                FirstMessage::Begun => {}
                FirstMessage::Other => break None,
            }
        };
        Self { early, hello }
    }
}

/// How a connection ended that came to no backend.
struct Ending {
    sni: Option<String>,
    ended: Ended,
    cause: Option<Cause>,
    alert: Option<Alert>,
    error: Option<String>,
}

impl Ending {
    const fn without_hello(ended: Ended, cause: Option<Cause>) -> Self {
        Self { sni: None, ended, cause, alert: None, error: None }
    }

    fn entry(self, begun: Instant) -> BackendSaw {
        BackendSaw {
            sni: self.sni,
            alert_sent: self.alert,
            phase: Phase::Handshake,
            ended: self.ended,
            cause: self.cause,
            error: self.error,
            duration_ms: millis(begun.elapsed()),
            ..BackendSaw::default()
        }
    }
}

/// Reads and forgets what still comes.
async fn drain(stream: &mut Tap) {
    let mut rest = BytesMut::with_capacity(4096);
    while matches!(stream.read_buf(&mut rest).await, Ok(1..)) {
        rest.clear();
    }
}

/// What backends' host names may end in.
fn zones(names: &[Name]) -> Vec<String> {
    let own = names.iter().filter_map(|name| match name {
        Name::Dns(name) => Some(name.strip_prefix("*.").unwrap_or(name).to_ascii_lowercase()),
        Name::Ip(_) => None,
    });
    let mut zones = vec![by_name::ZONE.to_owned()];
    for zone in own {
        if !zones.contains(&zone) {
            zones.push(zone);
        }
    }
    zones
}

/// A name of the fleet itself. A wildcard is none: what is below it are backends.
fn host_name(name: &Name) -> Option<&str> {
    match name {
        Name::Dns(name) => (!name.starts_with("*.")).then_some(name),
        Name::Ip(_) => None,
    }
}
