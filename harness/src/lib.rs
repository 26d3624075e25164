//! What *does* happen on the TLS legs of a gateway: backends, clients, gateways, the runner, the record and its
//! reports.
//!
//! Start at [`runner::run`] for the whole matrix, at [`backend::Fleet`] for backends alone, at [`client::Probe`] for
//! one call.

pub mod backend;
pub mod cli;
pub mod client;
mod ffi;
pub mod gateway;
pub mod limits;
pub mod record;
pub mod report;
pub mod runner;
pub mod trials;
pub mod wait;
pub mod wire;
