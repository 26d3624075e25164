//! What passes on the wire: hello and handshake messages, alerts, and the ends of TCP connections.

pub mod client_hello;
mod fingerprint;
pub(crate) mod gate;
mod names;
pub mod observer;
pub mod tap;
