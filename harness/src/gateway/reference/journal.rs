//! The log: one line for each request and for each client that was refused.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tls_gauntlet_scenarios::{Cause, Party};

use crate::client::{Failure, Side};

/// The log of one gateway.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Vec<String>>);

/// Which request a line is about.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) nonce: &'a str,
    pub(super) path: &'a str,
    pub(super) status: u16,
}

impl Journal {
    /// A request whose response was passed on.
    pub(super) fn passed(&self, asked: &Asked<'_>) {
        self.write(asked.to_string());
    }

    /// A request that came to nothing on the way to the backend.
    pub(super) fn failed(&self, asked: &Asked<'_>, failure: &Failure) {
        self.write(format!("{asked} {}", Why { failure, peer: Party::Backend }));
    }

    /// A request that the gateway would not pass on.
    pub(super) fn rejected(&self, asked: &Asked<'_>, cause: Option<Cause>, error: &str) {
        match cause {
            Some(cause) => self.write(format!("{asked} cause={cause} party=gateway error={error:?}")),
            None => self.write(format!("{asked} party=gateway error={error:?}")),
        }
    }

    /// A client that did not get through the handshake.
    pub(super) fn refused(&self, listener: &str, client: SocketAddr, failure: &Failure) {
        self.write(format!("listener={listener} client={client} {}", Why { failure, peer: Party::Client }));
    }

    /// Everything that was written.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lock().clone()
    }

    fn write(&self, line: String) {
        self.lock().push(line);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nonce, path, status } = self;
        write!(f, "nonce={nonce} path={path} status={status}")
    }
}

/// A failure, seen from the gateway.
struct Why<'a> {
    failure: &'a Failure,
    /// Who was at the other end.
    peer: Party,
}

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { phase, cause, side, error, .. } = self.failure;
        let party = match side {
            Side::Own => Party::Gateway,
            Side::Peer => self.peer,
            Side::Network => Party::Network,
        };
        write!(f, "cause={cause} party={party} phase={phase} error={error:?}")
    }
}

/// The cause that a line of the log names, if it names one.
#[must_use]
pub fn cause_in(line: &str) -> Option<Cause> {
    // The error comes last and may hold anything; the words before it hold no spaces.
    let words = line.split(" error=").next().unwrap_or(line);
    words.split(' ').find_map(|word| word.strip_prefix("cause="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("nonce=a path=/r/a status=502 cause=timeout party=gateway error=\"x\"", Some(Cause::Timeout))]
    #[case("nonce=a path=/r/a status=200", None)]
    #[case("nonce=a path=/r/a status=404 party=gateway error=\"no cause=timeout here\"", None)]
    #[case("nonce=a path=/r/cause=reset status=200", None)]
    fn a_line_names_its_cause(#[case] line: &str, #[case] cause: Option<Cause>) {
        assert_eq!(cause_in(line), cause);
    }
}
