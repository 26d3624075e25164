//! Our own clients: a [`Probe`] calls a gateway or a backend once and says what it saw.
//!
//! [`Dialer`] opens the connections, for the probe and for the embedded reference gateway alike. What a peer does is
//! data here: a refused handshake is a [`Failure`] with its cause, never an error of ours.

mod call;
mod dialer;
mod failure;
mod handshake;
mod probe;
mod revocation;
mod session;
mod watched;

pub use call::{Answer, Dialed};
pub use dialer::{Dialer, DialerSettings};
pub use failure::{Failure, Side};
pub use handshake::Handshake;
pub use probe::{Before, ClientTrust, Probe, Target};

#[cfg(feature = "matrix")]
pub(crate) use probe::saw;

#[cfg(feature = "matrix")]
pub(crate) use failure::{Break, Circumstances};
