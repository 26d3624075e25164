//! Mock HTTPS backends: each a port with one TLS behaviour, and a ledger of what it saw of every connection.
//!
//! A [`Fleet`] is any number of them in one process; [`Backend::start`] is the short form for one. Both are guards:
//! what they started is gone when they are dropped. A backend knows nothing of who calls it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tls_gauntlet::backend::Backend;
//!
//! let backend = Backend::start("renegotiation-required").await?;
//! // … let the program under test call `backend.url()`, trusting `backend.trust_pem()` …
//! assert_eq!(backend.recorded(1).await[0].renegotiations, 1);
//! # Ok(()) }
//! ```

#[cfg_attr(not(feature = "matrix"), allow(dead_code, reason = "the command needs more of it"))]
pub(crate) mod by_hand;
mod cause;
mod connection;
mod context;
mod cue;
mod door;
mod echo;
mod exchange;
mod executor;
mod fleet;
mod front;
mod late;
mod ledger;
mod port;
mod shown;
mod stand_in;
mod status;
mod story;
mod tickets;

pub use context::Held;
pub use fleet::{Backend, ClientsTaken, Fleet, FleetError, FleetOptions};
pub use front::{DEFAULT_BACKEND, Front};
pub use stand_in::StandIn;

pub(crate) use ledger::Written;
#[cfg(feature = "matrix")]
pub(crate) use shown::subject_of;

use crate::wire::nonce::Nonce;

/// The host name that backends' certificates are made out to unless told otherwise.
pub const SERVER_NAME: &str = "backend.gauntlet.test";

/// The response header that says which backend answered.
pub const BACKEND_HEADER: &str = "x-gauntlet-backend";

/// The request header that carries the nonce where the path does not.
pub const NONCE_HEADER: &str = Nonce::HEADER;
