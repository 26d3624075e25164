//! What passes on the wire: hello and handshake messages, alerts, and the ends of TCP connections.

pub(crate) mod algorithms;
pub mod client_hello;
mod fingerprint;
pub(crate) mod gate;
pub(crate) mod names;
pub mod observer;
pub(crate) mod offer;
pub(crate) mod old_ciphers;
mod reader;
pub mod recorder;
#[cfg(feature = "matrix")]
pub(crate) mod server_flight;
pub(crate) mod shared_tls;
pub mod tap;
