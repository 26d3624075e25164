//! A stand-in: one port that plays one backend after another.
//!
//! A gateway that is set up for one host and port meets every behaviour there, with nothing of its configuration changed.
//! Between two behaviours the stand-in closes every connection, so that none is carried over.

use std::{collections::HashMap, future, net::SocketAddr, sync::Arc};

use tls_gauntlet_certs::{Name, Pki};
use tls_gauntlet_scenarios::{BackendSaw, Composed, ServerCertificate, StatusSource, catalogue};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use super::{
    connection,
    door::{Door, Stage},
    fleet::{FleetError, FleetOptions, Made},
    ledger::Ledger,
    port::Port,
    shown::Known,
    status::Status,
};
use crate::wait;

/// The backend that a stand-in plays until it is told otherwise.
const SOUND: &str = "plain-good";

/// A port that is held until this is dropped, and the backend that it plays at the moment.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use tls_gauntlet::{StandIn, scenarios::catalogue};
///
/// let mut orders = StandIn::hold("127.0.0.1:8443".parse()?).await?;
/// // … the program under test calls port 8443 and meets a sound backend …
/// orders.play(&catalogue().backend("expired-leaf")?).await?;
/// // … and now one whose certificate has expired …
/// # Ok(()) }
/// ```
#[must_use = "the port is given back as soon as this is dropped"]
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    pki: Arc<Pki>,
    options: FleetOptions,
    known: Arc<Known>,
    ledger: Arc<Ledger>,
    /// What was made for each backend, kept for the next time.
    made: HashMap<String, (Arc<Made>, usize)>,
    part: watch::Sender<Part>,
    /// Dropping it ends the connections of the part.
    stage: watch::Sender<Stage>,
    /// How many connections are being served.
    live: watch::Sender<usize>,
    door: OpenDoor,
}

/// The backend that connections meet at the moment.
#[derive(Debug, Clone)]
struct Part {
    port: Arc<Port>,
    stages: watch::Receiver<Stage>,
}

/// A door, and the task that lets connections in through it.
#[derive(Debug)]
struct OpenDoor {
    listens: bool,
    stage: watch::Sender<Stage>,
    task: JoinHandle<()>,
}

impl StandIn {
    /// Holds this address and plays `plain-good` there, with certificates of its own.
    ///
    /// # Errors
    /// [`FleetError`] if the port cannot be had, or a certificate cannot be made.
    pub async fn hold(address: SocketAddr) -> Result<Self, FleetError> {
        #[allow(
            clippy::disallowed_methods,
            reason = "the short form, for users of the library who want certificates that are valid today"
        )]
        let now = time::OffsetDateTime::now_utc();
        let pki = Arc::new(Pki::new(0, now)?);
        let options = FleetOptions { bind: address.ip(), ..FleetOptions::default() };
        Self::hold_with(address, &pki, &options).await
    }

    /// This stand-in with certificates of these authorities, made out to the names of the options.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub async fn hold_with(
        address: SocketAddr,
        pki: &Arc<Pki>,
        options: &FleetOptions,
    ) -> Result<Self, FleetError> {
        let sound = catalogue().backend(SOUND)?;
        let opened = Door::open(address, true);
        let door = opened.map_err(|source| bind_error(address, &sound.name, source))?;
        let address = door.address().map_err(|source| bind_error(address, &sound.name, source))?;
        let known = Arc::new(Known::of(pki)?);
        let ledger = Arc::new(Ledger::default());
        let made = Made::all(std::slice::from_ref(&sound), pki, &options.names, options).await?;
        let port = made.port((0, &sound), &known, options.limits, Arc::clone(&ledger));
        let (stage, stages) = watch::channel(Stage::Serving);
        let part = watch::Sender::new(Part { port: Arc::new(port.recorded_by(&options.recorder)), stages });
        let live = watch::Sender::new(0);
        let door = OpenDoor::new(door, true, &part, &live, &ledger);
        let made = HashMap::from([(sound.name, (Arc::new(made), 0))]);
        let (pki, options) = (Arc::clone(pki), options.clone());
        Ok(Self { address, pki, options, known, ledger, made, part, stage, live, door })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authorities behind its certificates.
    #[must_use]
    pub fn pki(&self) -> &Arc<Pki> {
        &self.pki
    }

    /// The name of the backend that it plays.
    #[must_use]
    pub fn plays(&self) -> String {
        self.part.borrow().port.name().to_owned()
    }

    /// Makes everything that these backends need, all at once, so that playing one takes no time.
    ///
    /// # Errors
    /// [`FleetError`] if a certificate cannot be made.
    pub async fn prepare(&mut self, plan: &[Composed]) -> Result<(), FleetError> {
        let new = plan.iter().filter(|composed| !self.made.contains_key(&composed.name));
        let (wild, plain): (Vec<_>, Vec<_>) = new.cloned().partition(is_wildcard);
        for plan in [wild, plain] {
            let Some(first) = plan.first() else { continue };
            let options = self.options_for(first);
            let made = Arc::new(Made::all(&plan, &self.pki, &options.names, &options).await?);
            let names = plan.into_iter().map(|composed| composed.name).enumerate();
            self.made.extend(names.map(|(index, name)| (name, (Arc::clone(&made), index))));
        }
        Ok(())
    }

    /// Plays this backend from the next connection on. Every connection is closed before this returns; sessions of before
    /// cannot be resumed. A refusal may still be on its way to a connection that is closed: [`settled`](Self::settled) waits
    /// for it.
    ///
    /// # Errors
    /// [`FleetError`] if its certificate cannot be made, or the port cannot be had again after a backend that does not listen.
    pub async fn play(&mut self, composed: &Composed) -> Result<(), FleetError> {
        if !self.made.contains_key(&composed.name) {
            self.prepare(std::slice::from_ref(composed)).await?;
        }
        let (made, index) = &self.made[&composed.name];
        let port = made.port((*index, composed), &self.known, self.options.limits, Arc::clone(&self.ledger));
        let port = Arc::new(port.recorded_by(&self.options.recorder));
        let listens = port.listens();
        let (stage, stages) = watch::channel(Stage::Serving);
        self.part.send_replace(Part { port, stages });
        drop(std::mem::replace(&mut self.stage, stage));
        self.quiet().await;
        if listens != self.door.listens {
            self.change_door(listens, &composed.name).await?;
        }
        Ok(())
    }

    /// Closes every connection, and goes on playing the same backend. Its sessions can be resumed.
    pub async fn hang_up(&mut self) {
        let (stage, stages) = watch::channel(Stage::Serving);
        let port = Arc::clone(&self.part.borrow().port);
        self.part.send_replace(Part { port, stages });
        drop(std::mem::replace(&mut self.stage, stage));
        self.quiet().await;
    }

    /// Waits until every connection has ended by itself, for as long as the limit of the options says.
    pub async fn settled(&self) {
        // Connections that outlast it are kept by their peer, and end when another backend is played.
        let _ = timeout(self.options.limits.settle, self.quiet()).await;
    }

    /// One entry for each connection that has ended, in the order of their ends.
    #[must_use]
    pub fn ledger(&self) -> Vec<BackendSaw> {
        self.ledger.entries()
    }

    /// The entries from this one on, with their times and the certificates that were shown.
    #[cfg(feature = "matrix")]
    pub(crate) fn written_since(&self, first: usize) -> Vec<super::Written> {
        self.ledger.written_since(first)
    }

    /// The number of entries, and every change of it.
    #[must_use]
    pub fn entries(&self) -> watch::Receiver<usize> {
        self.ledger.count()
    }

    /// How many connections are being served.
    #[must_use]
    pub fn live(&self) -> usize {
        *self.live.borrow()
    }

    /// What was asked of the revocation list or the OCSP responder that the certificate points to.
    #[must_use]
    pub fn status_asked(&self) -> Vec<StatusSource> {
        self.part.borrow().port.status().map_or_else(Vec::new, Status::asked)
    }

    /// Waits until no connection is served.
    async fn quiet(&self) {
        // The sender lives as long as this does.
        let _ = self.live.subscribe().wait_for(|live| *live == 0).await;
    }

    /// A wildcard stands for one label (RFC 9525 6.3): the certificate for `orders.example.com` is one for `*.example.com`.
    fn options_for(&self, composed: &Composed) -> FleetOptions {
        let mut options = self.options.clone();
        if let Some(Name::Dns(host)) = options.names.first()
            && let Some((_, above)) = host.split_once('.').filter(|_| is_wildcard(composed))
        {
            options.names[0] = Name::Dns(above.to_owned());
        }
        options
    }

    /// Gives the listening socket up for one that refuses connections, or the other way round.
    async fn change_door(&mut self, listens: bool, backend: &str) -> Result<(), FleetError> {
        self.door.stage.send_replace(Stage::Stopped);
        // It ends as soon as it has been told: no connection is left.
        let _ = (&mut self.door.task).await;
        self.quiet().await;
        // A process that this one is starting has the old socket, too, until it becomes another program (execve(2)).
        let freed = || future::ready(Door::open_again(self.address, listens).ok());
        let door = match wait::until(self.options.limits.settle, "the port to be free", freed).await {
            Ok(door) => door,
            Err(_) => Door::open_again(self.address, listens)
                .map_err(|source| bind_error(self.address, backend, source))?,
        };
        self.ledger.open();
        self.door = OpenDoor::new(door, listens, &self.part, &self.live, &self.ledger);
        Ok(())
    }
}

impl OpenDoor {
    fn new(
        door: Door,
        listens: bool,
        part: &watch::Sender<Part>,
        live: &watch::Sender<usize>,
        ledger: &Arc<Ledger>,
    ) -> Self {
        let (stage, stages) = watch::channel(Stage::Serving);
        let (part, live, ledger) = (part.subscribe(), live.clone(), Arc::clone(ledger));
        let task = tokio::spawn(async move {
            let serve = |stream| {
                let Part { port, stages } = part.borrow().clone();
                let served = Served::new(&live);
                async move {
                    let tap = port.tap(stream, crate::wire::tap::Early::default());
                    connection::serve(tap, port, stages).await;
                    drop(served);
                }
            };
            door.let_in(&ledger, stages, serve).await;
        });
        Self { listens, stage, task }
    }
}

/// A connection that is being served, counted until this is dropped.
struct Served(watch::Sender<usize>);

impl Served {
    fn new(live: &watch::Sender<usize>) -> Self {
        live.send_modify(|live| *live += 1);
        Self(live.clone())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.send_modify(|live| *live -= 1);
    }
}

fn is_wildcard(composed: &Composed) -> bool {
    composed.profile.certificate() == ServerCertificate::Wildcard
}

fn bind_error(address: SocketAddr, backend: &str, source: std::io::Error) -> FleetError {
    FleetError::Bind { address, backend: backend.to_owned(), source }
}
