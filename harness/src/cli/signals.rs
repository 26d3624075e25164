//! The signals that ask a command to end, so that it ends in order and leaves nothing.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failure::{Failure, work_error};

/// Ctrl-c and its kin, caught from the moment this is made.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

/// Whether this process has begun to catch them: from then on they end nothing by themselves.
static CAUGHT: AtomicBool = AtomicBool::new(false);

/// Whether a signal has to be waited for, because it ends nothing by itself.
pub(super) fn are_caught() -> bool {
    CAUGHT.load(Ordering::Relaxed)
}

impl Signals {
    /// Begins to catch them; inside a runtime only.
    pub(super) fn catch() -> Result<Self, Failure> {
        CAUGHT.store(true, Ordering::Relaxed);
        let catch = |kind| signal(kind).map_err(|error| work_error!("cannot catch signals: {error}"));
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            hang_up: catch(SignalKind::hangup())?,
        })
    }

    /// Waits for one; its name.
    pub(super) async fn received(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hang_up.recv() => "SIGHUP",
        }
    }
}
