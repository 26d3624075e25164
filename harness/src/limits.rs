//! Every deadline, in one place, and times as records have them.

use std::time::Duration;

/// A time in whole milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How long each thing may take. The defaults are generous: a deadline that strikes means something hangs, not that
/// the machine is busy. Only the two short ones, given to gateways on the routes of stalling backends, end in time.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A gateway's start, from the first process to its first answer on every listener.
    pub ready: Duration,
    /// A gateway's orderly stop; afterwards its process group is killed.
    pub stop: Duration,
    /// One call of a client, from connecting to the end of the response.
    pub call: Duration,
    /// What a backend waits for its peer's next step before it gives the connection up.
    pub peer: Duration,
    /// What one of our own clients waits for an answer about the status of a certificate.
    pub status: Duration,
    /// What a gateway is told to wait for a backend that answers.
    pub patient: Duration,
    /// What a gateway is told to wait for a backend that stalls.
    pub impatient: Duration,
    /// What remains of connections once their gateway has gone; and the workers of one from before it was reloaded.
    pub settle: Duration,
    /// A TCP connection to a server that is scanned.
    pub scan_connect: Duration,
    /// Everything else on one connection to a server that is scanned.
    pub scan_step: Duration,
    /// All that is asked of one server that is scanned.
    pub scan_target: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ready: Duration::from_secs(60),
            stop: Duration::from_secs(10),
            call: Duration::from_secs(60),
            peer: Duration::from_secs(60),
            status: Duration::from_secs(30),
            patient: Duration::from_secs(30),
            impatient: Duration::from_millis(1500),
            settle: Duration::from_secs(10),
            scan_connect: Duration::from_secs(5),
            scan_step: Duration::from_secs(10),
            scan_target: Duration::from_secs(120),
        }
    }
}
