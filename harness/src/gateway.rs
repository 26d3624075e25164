//! The gateways under test: found by name, folder or address, set up for a plan, started, watched and stopped.
//!
//! In a test of one backend, [`Gateway::in_front_of`] does all of it.

mod asked;
mod container;
mod error;
mod external;
mod folder;
mod front;
mod guard;
pub mod manifest;
mod measured;
mod plan;
mod port;
mod program;
mod ready;
pub mod reference;
mod render;
mod running;
pub mod upload;
mod workers;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tls_gauntlet_certs::ClientCertificate;
use tls_gauntlet_scenarios::{
    Cause, CipherSuite, Claims, Deviation, GatewayProfile, catalogue, custom_properties, nearest,
};

pub use error::GatewayError;
pub use front::Front;
pub use guard::RunFolder;
pub(crate) use plan::operation;
pub use plan::{BACKEND_NAME, GATEWAY_NAME, GatewayPlan, Keyring, Route};

use crate::{record::GatewayKind, upwards::PassedOver};
use external::External;
use folder::Folder;
use manifest::{LogLine, Unset};
use program::Program;
use ready::Caller;
use reference::{Reference, ReferenceKnobs};
use running::RunningProgram;

/// No gateway at all: Gauntlet's own client calls each backend.
pub const DIRECT: &str = "direct";

/// The embedded gateway.
pub const REFERENCE: &str = "reference";

/// A gateway that can be started, and what is known of it.
#[derive(Debug, Clone)]
pub struct Gateway {
    name: String,
    summary: String,
    version: Option<String>,
    claims: Claims,
    deviations: Vec<Deviation>,
    unset: Vec<Unset>,
    log: Vec<LogLine>,
    way: Way,
}

/// How a gateway comes to be there.
#[derive(Debug, Clone)]
enum Way {
    Direct,
    Reference(ReferenceKnobs),
    Imitated(Box<GatewayProfile>),
    Program(Box<Program>),
    External(External),
}

impl Gateway {
    /// Finds a gateway: `direct`, `reference`, one that ships with Gauntlet (`nginx`), a folder (`./mine`) or the URL
    /// of one that is already running. That its program is not installed is no error before it is started.
    ///
    /// # Errors
    /// An unknown name, a folder that cannot be read or understood, a URL that makes no sense.
    pub fn resolve(name: &str) -> Result<Self, GatewayError> {
        match name {
            DIRECT => Ok(Self {
                unset: vec![Unset::upstream("retrying", "Gauntlet's own client calls once".to_owned())],
                claims: Claims::openssl_client(),
                version: Some(openssl::version::version().to_owned()),
                ..Self::bare(DIRECT, "No gateway: Gauntlet's own client calls each backend.", Way::Direct)
            }),
            REFERENCE => Ok(Self {
                unset: reference::unset(),
                claims: reference::claims(ReferenceKnobs::default()),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
                ..Self::bare(REFERENCE, "The embedded gateway.", Way::Reference(ReferenceKnobs::default()))
            }),
            url if url.contains("://") => {
                let external = External::resolve(url)?;
                let summary = format!("A gateway that is already running on {}.", external.host);
                Ok(Self::bare(url, &summary, Way::External(external)))
            }
            file if file.ends_with(".toml") => {
                let text = fs::read_to_string(file).map_err(|error| unusable(file, &error))?;
                let profile: GatewayProfile =
                    toml::from_str(&text).map_err(|error| unusable(file, &error))?;
                custom_properties::check(file, &profile.fixed, &profile.custom_properties)
                    .map_err(|error| unusable(file, &error))?;
                Ok(Self::imitated(file, profile))
            }
            path if path.contains('/') || path.starts_with('.') => {
                Program::open(Folder::Own(PathBuf::from(path))).map(Self::from)
            }
            name => {
                let (of, version) =
                    name.split_once('@').map_or((name, None), |(of, version)| (of, Some(version)));
                let program = match (Folder::shipped(of), version) {
                    (Some(folder), None) => Program::open(folder),
                    (Some(folder), Some(version)) => Program::open_version(folder, version),
                    (None, _) if is_profile(name) => {
                        return catalogue()
                            .profile(name)
                            .map(|profile| Self::imitated(name, profile))
                            .map_err(|error| GatewayError::Profile {
                                name: name.to_owned(),
                                because: error.to_string(),
                            });
                    }
                    (None, _) => Err(GatewayError::Unknown {
                        name: name.to_owned(),
                        hint: nearest::hint(name, Self::names()),
                        known: Self::names().join(", "),
                    }),
                };
                program.map(Self::from)
            }
        }
    }

    /// The same for one that is not to be started: nothing is looked for and no program is run, so it is of the newest version
    /// that is known.
    ///
    /// # Errors
    /// Those of [`resolve`](Self::resolve).
    pub fn describe(name: &str) -> Result<Self, GatewayError> {
        match Folder::shipped(name) {
            Some(folder) => Program::described(folder).map(Self::from),
            None => Self::resolve(name),
        }
    }

    /// Programs that were there and were not taken, and why, a line for each.
    pub(crate) fn passed_over(&self) -> &[PassedOver] {
        match &self.way {
            Way::Program(program) => program.passed_over(),
            Way::Direct | Way::Reference(_) | Way::Imitated(_) | Way::External(_) => &[],
        }
    }

    /// The names that need no folder and no URL.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        let profiles = catalogue().profiles().map(|(name, _)| name);
        [REFERENCE, DIRECT].into_iter().chain(Folder::names()).chain(profiles).collect()
    }

    /// The profile that it imitates, if it does.
    #[must_use]
    pub fn profile(&self) -> Option<&GatewayProfile> {
        match &self.way {
            Way::Imitated(profile) => Some(profile),
            Way::Direct | Way::Reference(_) | Way::Program(_) | Way::External(_) => None,
        }
    }

    /// The embedded gateway, made to behave like one somewhere else.
    #[must_use]
    pub fn imitated(name: &str, profile: GatewayProfile) -> Self {
        Self {
            claims: profile.claims(reference::claims(ReferenceKnobs::like(&profile))),
            version: Some(profile.as_of.clone()),
            unset: [reference::unset(), beyond(&profile)].concat(),
            ..Self::bare(name, &profile.summary.clone(), Way::Imitated(Box::new(profile)))
        }
    }

    /// What it is called in cells and reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One sentence about it.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Its version, as it says itself; unknown if it is not installed.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Where its program is installed.
    ///
    /// # Errors
    /// [`GatewayError`] if it is not, or if this gateway is no program of this machine.
    pub fn program(&self) -> Result<&Path, GatewayError> {
        match &self.way {
            Way::Program(program) => program.path(),
            Way::Direct | Way::Reference(_) | Way::Imitated(_) | Way::External(_) => {
                Err(GatewayError::Missing {
                    gateway: self.name.clone(),
                    missing: "it is no program".to_owned(),
                    remedy: "name one with --program".to_owned(),
                })
            }
        }
    }

    /// The version whose claims it is judged by, if its own is not known.
    #[must_use]
    pub fn judged_by(&self) -> Option<String> {
        match &self.way {
            Way::Program(program) => program.judged_by(),
            Way::Direct | Way::Reference(_) | Way::Imitated(_) | Way::External(_) => None,
        }
    }

    /// What kind it is.
    #[must_use]
    pub const fn kind(&self) -> GatewayKind {
        match self.way {
            Way::Direct => GatewayKind::Direct,
            Way::Reference(_) | Way::Imitated(_) => GatewayKind::Reference,
            Way::Program(_) => GatewayKind::Program,
            Way::External(_) => GatewayKind::External,
        }
    }

    /// What this version claims; the newest one's if it is not installed.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// This gateway with the claims of another: an external one that is known to be an nginx.
    #[must_use]
    pub fn claiming(self, like: &Self) -> Self {
        Self { claims: like.claims.clone(), log: like.log.clone(), ..self }
    }

    /// The name that it asks backends for, and insists on.
    #[must_use]
    pub fn server_name(&self) -> &str {
        self.dials().unwrap_or(BACKEND_NAME)
    }

    /// The name by which it dials backends, where it can verify no other than that.
    #[must_use]
    pub fn dials(&self) -> Option<&str> {
        match &self.way {
            Way::Program(program) => program.manifest.run.dials.as_deref(),
            Way::Direct | Way::Reference(_) | Way::Imitated(_) | Way::External(_) => None,
        }
    }

    /// The container engine that it cannot do without, if it is a container.
    #[must_use]
    pub fn engine(&self) -> Option<&'static str> {
        match &self.way {
            Way::Program(program) => program.is_contained().then_some(container::ENGINE),
            Way::Direct | Way::Reference(_) | Way::Imitated(_) | Way::External(_) => None,
        }
    }

    /// The host by which an external gateway is called, and whose certificate it shows.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match &self.way {
            Way::External(external) => Some(&external.host),
            Way::Direct | Way::Reference(_) | Way::Imitated(_) | Way::Program(_) => None,
        }
    }

    /// Where this version is known not to do what it has to.
    #[must_use]
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// Why it cannot be set up for this listener, this upstream or this backend, if it cannot.
    #[must_use]
    pub fn impossible(&self, listener: &str, upstream: &str, backend: &str) -> Option<&str> {
        if matches!(self.way, Way::External(_)) && listener != external::LISTENER {
            return Some("the address of an external gateway stands for the listener \"default\" alone");
        }
        self.unset
            .iter()
            .find(|entry| !entry.by_default && entry.fits(listener, upstream, backend))
            .map(|entry| entry.because.as_str())
    }

    /// What a line of its log means: the causes of the first pattern that fits.
    #[must_use]
    pub fn causes(&self, line: &str) -> Vec<Cause> {
        if matches!(self.way, Way::Reference(_) | Way::Imitated(_)) {
            return reference::cause_in(line).into_iter().collect();
        }
        let fits = self.log.iter().find(|entry| entry.pattern.0.is_match(line));
        fits.into_iter().flat_map(|entry| [entry.cause].into_iter().chain(entry.or.iter().copied())).collect()
    }

    /// Writes its folder anew, with these claims and notes in place of those it has; a gateway that has none gets one
    /// that holds its claims alone.
    ///
    /// # Errors
    /// A folder that cannot be read or written.
    pub fn write_with(&self, claims: &Claims, notes: &[String], to: &Path) -> Result<(), GatewayError> {
        match &self.way {
            Way::Program(program) => {
                measured::copy(&program.folder, program.version_number(), claims, notes, to)?;
                measured::keep_to_version(&program.manifest, to)
            }
            Way::Direct | Way::Reference(_) | Way::Imitated(_) | Way::External(_) => {
                measured::claims_alone(&self.name, claims, notes, to)
            }
        }
    }

    /// Claims as `gateway.toml` has them, with notes in front.
    #[must_use]
    pub fn claims_as_toml(claims: &Claims, notes: &[String]) -> String {
        measured::render(claims, notes)
    }

    /// Starts it, set up for the plan; its files and its log are in the folder. When this returns, every listener
    /// answers.
    ///
    /// # Errors
    /// [`GatewayError`], with the last lines of its log.
    pub async fn start(&self, plan: &GatewayPlan, folder: &RunFolder) -> Result<Running, GatewayError> {
        match &self.way {
            Way::Program(program) => RunningProgram::start(program, plan, folder).await.map(Running::program),
            Way::External(external) => Ok(Running(Inner::External(external.address))),
            Way::Direct => Err(self.unable("start", "there is no gateway between client and backend")),
            Way::Reference(knobs) => self.embedded(Reference::start(plan, *knobs).await),
            Way::Imitated(profile) => self.embedded(Reference::imitate(plan, profile).await),
        }
    }

    /// Sets it up for the plan and runs the vendor's own checker over its files.
    ///
    /// # Errors
    /// [`GatewayError::Check`] with what the checker says; and whatever [`start`](Self::start) would say earlier.
    pub async fn check(&self, plan: &GatewayPlan, folder: &RunFolder) -> Result<(), GatewayError> {
        match &self.way {
            Way::Program(program) => program.check(plan, folder).await,
            Way::Direct | Way::Reference(_) | Way::Imitated(_) | Way::External(_) => Ok(()),
        }
    }

    fn embedded(&self, started: Result<Reference, reference::CannotStart>) -> Result<Running, GatewayError> {
        started
            .map(|running| Running(Inner::Reference(Box::new(running))))
            .map_err(|error| self.unable("start", &error.to_string()))
    }

    fn bare(name: &str, summary: &str, way: Way) -> Self {
        Self {
            name: name.to_owned(),
            summary: summary.to_owned(),
            version: None,
            claims: Claims::default(),
            deviations: Vec::new(),
            unset: Vec::new(),
            log: Vec::new(),
            way,
        }
    }

    fn unable(&self, task: &str, because: &str) -> GatewayError {
        GatewayError::Unable {
            gateway: self.name.clone(),
            task: task.to_owned(),
            because: because.to_owned(),
        }
    }
}

fn unusable(name: &str, because: &dyn std::fmt::Display) -> GatewayError {
    GatewayError::Profile { name: name.to_owned(), because: because.to_string().trim_end().to_owned() }
}

fn is_profile(name: &str) -> bool {
    let own = name.split('+').next().unwrap_or(name);
    catalogue().profiles().any(|(known, _)| known == own)
}

/// The listeners and upstreams of the catalogue that ask for nothing this gateway has.
fn beyond(profile: &GatewayProfile) -> Vec<Unset> {
    let (clients, backends) = (&profile.client_side.versions, &profile.backend_side.versions);
    let listeners = catalogue().listeners().filter_map(|(name, listener)| {
        let because = if listener.versions.intersection(clients).is_none() {
            format!("its clients get {clients}, and nothing else")
        } else {
            let limit = profile.client_side.ciphers.as_deref();
            CipherSuite::limited(listener.ciphers.as_deref(), limit).err()?;
            "its clients get none of these cipher suites".to_owned()
        };
        Some(Unset::listener(name, because))
    });
    let upstreams = catalogue().upstreams().filter_map(|(name, upstream)| {
        let because = if upstream.versions.intersection(backends).is_none() {
            format!("its backends get {backends}, and nothing else")
        } else {
            let limit = profile.backend_side.ciphers.as_deref();
            CipherSuite::limited(upstream.ciphers.as_deref(), limit).err()?;
            "its backends get none of these cipher suites".to_owned()
        };
        Some(Unset::upstream(name, because))
    });
    listeners.chain(upstreams).collect()
}

impl From<Program> for Gateway {
    fn from(program: Program) -> Self {
        let known = program.manifest.clone();
        Self {
            name: known.name,
            summary: known.summary,
            version: program.version(),
            claims: known.claims,
            deviations: known.deviation,
            unset: known.unset,
            log: known.log,
            way: Way::Program(Box::new(program)),
        }
    }
}

/// A gateway that answers. It is killed, with all its workers, when this is dropped.
#[derive(Debug)]
#[must_use = "the gateway is killed as soon as this is dropped"]
pub struct Running(Inner);

#[derive(Debug)]
enum Inner {
    Reference(Box<Reference>),
    Program(Box<RunningProgram>),
    External(SocketAddr),
}

/// What is left of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Everything it said.
    pub log: Vec<String>,
    /// How it ended, if it did so before it was told to.
    pub died: Option<String>,
}

impl Running {
    fn program(running: RunningProgram) -> Self {
        Self(Inner::Program(Box::new(running)))
    }

    /// Where a listener listens.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<SocketAddr> {
        match &self.0 {
            Inner::Reference(running) => running.listener(name),
            Inner::Program(running) => running.listener(name),
            Inner::External(address) => (name == external::LISTENER).then_some(*address),
        }
    }

    /// How it ended, if it has without being asked to: `exit status: 1`, `signal: 9 (SIGKILL)`.
    pub fn died(&mut self) -> Option<String> {
        match &mut self.0 {
            Inner::Program(running) => running.ended().map(|status| status.to_string()),
            Inner::Reference(_) | Inner::External(_) => None,
        }
    }

    /// How it ended, if it has. A gateway that somebody else started is called once more for that, for so long at most.
    pub async fn gone(&mut self, limit: Duration) -> Option<String> {
        match &self.0 {
            Inner::External(address) => external::gone(*address, limit).await,
            Inner::Program(_) | Inner::Reference(_) => self.died(),
        }
    }

    /// Whether it answers on every listener of the plan, within the limit on each.
    ///
    /// # Errors
    /// Why not, in words: it has ended, it is stopped by a signal, it takes connections and answers none.
    pub async fn answers(&mut self, plan: &GatewayPlan, limit: Duration) -> Result<(), String> {
        if let Some(status) = self.died() {
            return Err(format!("it has ended ({status})"));
        }
        let identity = plan.pki.client(ClientCertificate::Good).map_err(|error| error.to_string())?;
        let caller = Caller::new(&identity, limit).map_err(|error| error.to_string())?;
        for (listener, _) in &plan.listeners {
            let Some(address) = self.listener(listener) else { continue };
            if let Err(silence) = caller.ask(address, "/").await {
                let stopped = match &self.0 {
                    Inner::Program(running) => running.stopped(),
                    Inner::Reference(_) | Inner::External(_) => None,
                };
                return Err(stopped.unwrap_or(silence));
            }
        }
        Ok(())
    }

    /// What it has said so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        match &self.0 {
            Inner::Reference(running) => running.log(),
            Inner::Program(running) => running.log(),
            Inner::External(_) => Vec::new(),
        }
    }

    /// The processes that were started for it: the guard's, and the gateway's own. Its workers are not listed.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        match &self.0 {
            Inner::Program(running) => running.processes().to_vec(),
            Inner::Reference(_) | Inner::External(_) => Vec::new(),
        }
    }

    /// Makes it take up a new plan with the same listeners. When this returns, the new files are in effect.
    ///
    /// # Errors
    /// [`GatewayError`]; the gateway then runs on as it was, if its kind allows.
    pub async fn reload(&mut self, plan: &GatewayPlan) -> Result<(), GatewayError> {
        match &mut self.0 {
            Inner::Program(running) => running.reload(plan).await,
            Inner::Reference(running) => running.reload(plan).map_err(|error| GatewayError::Unable {
                gateway: REFERENCE.to_owned(),
                task: "reload".to_owned(),
                because: error.to_string(),
            }),
            Inner::External(address) => Err(GatewayError::Unable {
                gateway: address.to_string(),
                task: "reload".to_owned(),
                because: "it was not started by Gauntlet".to_owned(),
            }),
        }
    }

    /// Stops it, in order if it lets us.
    pub async fn stop(self) -> Stopped {
        match self.0 {
            Inner::Reference(running) => Stopped { log: running.stop().await, died: None },
            Inner::Program(running) => running.stop().await,
            Inner::External(_) => Stopped { log: Vec::new(), died: None },
        }
    }
}
