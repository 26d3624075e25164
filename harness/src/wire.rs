//! What passes on the wire: hello and handshake messages, alerts, and the ends of TCP connections.

pub(crate) mod caller;
pub mod client_hello;
mod fingerprint;
pub(crate) mod gate;
pub(crate) mod names;
pub(crate) mod nonce;
pub mod observer;
pub(crate) mod offer;
mod reader;
mod record;
pub mod recorder;
#[cfg(feature = "matrix")]
pub(crate) mod server_flight;
pub mod tap;
