//! What passes on the wire: hello and handshake messages, alerts, and the ends of TCP connections.

pub mod observer;
