//! What can go wrong with a container that is not the program under test.

use std::{path::PathBuf, time::Duration};

use testcontainers::TestcontainersError;
use tls_gauntlet_scenarios::UnknownName;

use crate::wait::Late;

/// Why a container, or what it was asked, is not there.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// The catalogue has no such backend.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The image could not be built.
    #[error("cannot build the image with {}: {because}", .script.display())]
    Build {
        /// The script of the checkout.
        script: PathBuf,
        /// What it said.
        because: String,
    },
    /// The engine refused, or there is none; or the image is not there and cannot be pulled.
    #[error("the container engine: {0}; ci/image/build.sh builds the image")]
    Engine(#[from] TestcontainersError),
    /// The container runs, and does not answer.
    #[error(transparent)]
    Late(#[from] Late),
    /// The backend has no port of its own in this container.
    #[error(
        "no backend \"{backend}\" has a port in this container; start it with GauntletImage::with_backend"
    )]
    NotServed {
        /// Its name.
        backend: String,
    },
    /// The container has ended: what it saw is gone with it, and says nothing of the program under test.
    #[error("the container is gone{}: nothing can be asked of it any more", exited(.exit_code))]
    Gone {
        /// The exit code, where the engine still knows it: 137 for one that was killed.
        exit_code: Option<i64>,
    },
    /// The control API cannot be reached, although the container runs.
    #[error("cannot ask {url}: {because}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why not.
        because: String,
    },
    /// The control API refused what it was asked.
    #[error("{url} answers {status}: {said}")]
    Refused {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// Its own words.
        said: String,
    },
}

/// How long a container gets to answer after it has said that it is ready.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

fn exited(code: &Option<i64>) -> String {
    code.map_or_else(String::new, |code| format!(", with exit code {code}"))
}
