//! What passes on the wire: hello and handshake messages, alerts, and the ends of TCP connections.

pub mod client_hello;
mod fingerprint;
mod names;
pub mod observer;
pub mod tap;
