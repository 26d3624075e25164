//! What *does* happen on the TLS legs of a gateway: backends, clients, gateways, the runner, the record and its
//! reports.
//!
//! In a test of your own: start a backend, point your code at it, and assert what it saw. Whatever a test starts is
//! gone when it ends.
//!
//! ```
//! use tls_gauntlet::{Backend, Probe, Target, scenarios::Alert};
//!
//! #[tokio::main(flavor = "current_thread")] // in a test: #[tokio::test]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let backend = Backend::start("expired-leaf").await?;
//!     // In place of the probe: your code, told to call `backend.url()` and to trust `backend.trust_pem()`.
//!     let seen = Probe::sound("localhost", backend.pki())?.get(&Target::at(backend.address())).await;
//!     assert_eq!(seen.status, None);
//!     assert_eq!(backend.recorded(1).await[0].alert_received, Some(Alert::CertificateExpired));
//!     Ok(())
//! }
//! ```
//!
//! | feature | brings |
//! |---|---|
//! | none | [`Backend`] and [`Fleet`], their [`control`] API, [`Probe`] |
//! | `matrix` | gateways, the runner ([`runner::run`]), the record, its reports, and the matrix as tests ([`trials`]) |
//! | `testcontainers` | the fleet in a container (`container::GauntletImage`), for the crate testcontainers |
//! | `cli` (default) | the command `gauntlet` |
//!
//! Three crates are one thing here: the PKI is [`certs`], the words for what is expected and seen are [`scenarios`].

#[cfg(feature = "matrix")]
pub mod audit;
#[cfg_attr(not(feature = "matrix"), allow(dead_code, reason = "scans and gateways need more of it"))]
pub mod backend;
#[cfg(feature = "cli")]
#[doc(hidden)] // The program is src/main.rs, a crate of its own; nobody else has a use for it.
pub mod cli;
pub mod client;
#[cfg(feature = "matrix")]
pub mod configuration;
#[cfg(feature = "testcontainers")]
pub mod container;
pub mod control;
#[cfg_attr(not(feature = "matrix"), allow(dead_code, reason = "scans and gateways need more of it"))]
mod ffi;
#[cfg(all(test, feature = "matrix"))]
mod fuzz;
#[cfg(feature = "matrix")]
pub mod gateway;
pub mod hello;
mod http;
#[cfg(feature = "matrix")]
pub mod late;
#[cfg_attr(not(feature = "matrix"), allow(dead_code, reason = "scans and gateways need more of it"))]
pub mod limits;
mod page;
#[cfg(feature = "matrix")]
mod place;
#[cfg(feature = "matrix")]
pub mod presets;
#[cfg_attr(not(feature = "matrix"), allow(dead_code, reason = "reports need more of it"))]
mod printable;
#[cfg_attr(not(feature = "matrix"), allow(dead_code, reason = "gateways need more of it"))]
mod processes;
#[cfg(feature = "matrix")]
pub mod record;
#[cfg(all(feature = "matrix", target_os = "linux"))]
pub mod rehearsal;
#[cfg(feature = "matrix")]
pub mod report;
#[cfg(feature = "matrix")]
pub mod rotation;
#[cfg(feature = "matrix")]
pub mod runner;
#[cfg(feature = "matrix")]
pub mod scan;
#[cfg(feature = "matrix")]
mod tail;
#[cfg_attr(not(feature = "matrix"), allow(dead_code, reason = "scans and gateways need more of it"))]
pub mod tls;
#[cfg(feature = "matrix")]
pub mod trials;
#[cfg(feature = "matrix")]
mod upwards;
#[cfg(feature = "matrix")]
pub mod vault;
pub mod wait;
#[doc(hidden)] // Evidence of the other modules, in their signatures; nothing to begin with.
#[cfg_attr(not(feature = "matrix"), allow(dead_code, reason = "scans and gateways need more of it"))]
pub mod wire;
#[cfg(all(feature = "matrix", target_os = "linux"))]
pub mod world;
#[cfg(feature = "matrix")]
mod written;

pub use tls_gauntlet_certs as certs;
pub use tls_gauntlet_scenarios as scenarios;

pub use backend::{Backend, Fleet, StandIn};
pub use client::{Probe, Target};
#[cfg(feature = "matrix")]
pub use gateway::Gateway;
pub use wire::recorder::Recorder;
