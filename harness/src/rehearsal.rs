//! A rehearsal: the real program of a gateway on its real configuration in a sealed [world](crate::world), and an
//! [audit](crate::audit) of each of its legs.
//!
//! The configuration is read for its listeners and legs, the keys and trust that it names are made anew ([`material`]), the
//! hosts that it dials are stood in for ([`legs`]), and what is found gets the file and line of the setting that it comes
//! from ([`findings`]).

mod findings;
mod legs;
mod material;
mod program;
mod writable;

use std::{fmt, io, path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::posture::Pass;

pub use program::{Program, arguments};

use legs::Planned;

use crate::{
    audit::AuditError,
    configuration::{Configuration, Disk, Kind, Unreadable},
    record::RunRecord,
    report::text::count,
    world::{World, WorldError},
};

impl std::str::FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let split =
            text.split_once('=').filter(|(production, here)| production.starts_with('/') && !here.is_empty());
        let (production, here) = split.ok_or_else(|| NotAPlace(text.to_owned()))?;
        Ok(Self {
            production: production.trim_end_matches('/').into(),
            here: here.trim_end_matches('/').into(),
        })
    }
}

/// A text that names no folder of production and no folder that stands for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a folder of production and one that stands for it; write it as in /etc/nginx=deploy/nginx"
)]
pub struct NotAPlace(String);

/// What is rehearsed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rehearsal {
    /// The gateway.
    pub kind: Kind,
    /// The program and its version.
    pub program: Program,
    /// The files that the program is started with, by their paths in production.
    pub configuration: Vec<String>,
    /// Folders that lie elsewhere in production.
    pub places: Vec<Place>,
    /// Whether everything is asked, also what makes the gateway wait for its timeouts.
    pub thorough: bool,
    /// The time of day at the beginning.
    pub now: OffsetDateTime,
    /// The seed of the authorities.
    pub seed: u64,
}

impl Rehearsal {
    fn pass(&self) -> Pass {
        if self.thorough { Pass::Thorough } else { Pass::Quick }
    }
}

/// A folder of a repository that stands for one of production: `/etc/nginx=deploy/nginx`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Where it lies in production.
    pub production: PathBuf,
    /// Where it lies here.
    pub here: PathBuf,
}

/// Why a rehearsal could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The configuration cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The configuration has nothing to audit.
    #[error("{configuration}: {because}")]
    NoLeg {
        /// The configuration.
        configuration: String,
        /// What it has instead.
        because: String,
    },
    /// The program does not take the configuration, or ends later.
    #[error("{program} {what}:\n{said}")]
    Program {
        /// The program.
        program: String,
        /// What it did.
        what: String,
        /// Its last words.
        said: String,
    },
    /// The world could not be set up.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The certificates could not be made or written.
    #[error(transparent)]
    Material(#[from] material::NotWritten),
    /// A leg could not be audited.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The system refused something that every audit needs.
    #[error("cannot audit the legs side by side")]
    System(#[from] io::Error),
}

/// What happens during a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Something to know: what was replaced, what was not understood.
    Note(String),
    /// So many behaviours will be met.
    Planned(usize),
    /// One more behaviour was met.
    Met,
}

/// Hears what happens.
pub type OnEvent = Arc<dyn Fn(Event) + Send + Sync>;

/// Conducts a rehearsal. Runs in a world (`gauntlet world rehearse`), and in no other place.
///
/// # Errors
/// [`RehearsalError`] if any of it cannot be done.
pub async fn conduct(rehearsal: &Rehearsal, on_event: OnEvent) -> Result<RunRecord, RehearsalError> {
    let began = tokio::time::Instant::now();
    material::put_in_place(&rehearsal.places)?;
    let paths: Vec<&str> = rehearsal.configuration.iter().map(String::as_str).collect();
    let configuration =
        Configuration::read(rehearsal.kind, &paths, &Disk::as_it_is().asking(&rehearsal.program.path))?;
    for problem in &configuration.problems {
        on_event(Event::Note(format!("not understood: {problem}")));
    }
    let mut world = World::open().await?;
    let pki = Arc::new(Pki::new(rehearsal.seed, rehearsal.now).map_err(material::NotWritten::from)?);
    let plan = legs::plan(&configuration, &world);
    if plan.iter().all(|leg| leg.because_not.is_some()) {
        return Err(no_leg(&configuration, &plan, &paths));
    }
    for Planned { url, name, because_not, .. } in &plan {
        if let Some(because) = because_not {
            on_event(Event::Note(format!("not audited: {url} → {name}: {because}")));
        }
    }
    let replaced = material::write(&configuration, &pki)?;
    on_event(Event::Note(format!("made anew in the world: {replaced}")));
    let gateway = program::settle(rehearsal, &configuration, &mut world).await?;
    let order: Vec<String> = plan.iter().map(|leg| leg.name.clone()).collect();
    let stage = legs::Stage {
        pki,
        files: configuration.files.clone().into(),
        rehearsal: rehearsal.clone(),
        on_event,
    };
    let outcomes = legs::audit(plan, gateway, &stage).await?;
    let mut record = legs::record(outcomes, &order, rehearsal, began.elapsed())?;
    findings::locate(&mut record, &configuration, &rehearsal.places);
    Ok(record)
}

fn no_leg(configuration: &Configuration, plan: &[Planned], paths: &[&str]) -> RehearsalError {
    let because = match plan {
        [] => format!(
            "it has {}, and nothing in it leads to a backend over TLS",
            count(configuration.listeners.len(), "listener")
        ),
        plan => {
            let legs = plan.iter().map(|leg| {
                let because = leg.because_not.as_deref().unwrap_or_default();
                format!("\n  {} → {}: {because}", leg.url, leg.name)
            });
            format!("no leg can be audited{}", legs.collect::<String>())
        }
    };
    RehearsalError::NoLeg { configuration: paths.join(", "), because }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.production.display(), self.here.display())
    }
}
