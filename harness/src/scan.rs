//! Learns what servers accept, from outside and with few connections, and says how each gateway would fare with them.
//!
//! What can be had without completing a handshake is had by sweeps: a ClientHello written by hand, and the
//! answer to it. The rest takes a handful of whole calls. A server that does not answer holds up nobody: it is given up
//! before it takes one of the places in which servers are examined.

mod chain;
mod compare;
mod examine;
mod forecast;
mod line;
pub mod record;
mod sweep;
mod target;
mod visitor;

use std::{sync::Arc, time::Instant};

use tokio::{sync::Semaphore, task::JoinSet};

pub use compare::{FactChange, TargetChange, Trend, compare};
pub use forecast::{NamedProfile, profiles};
pub(crate) use line::{Line, NoAnswer};
pub use target::{BadTarget, ScanTarget};
pub use visitor::Roots;

use crate::{
    limits::{Limits, millis},
    tls::CannotSetUp,
};
use examine::Examiner;
use record::TargetRecord;

/// How many servers may be waited for at once that have not answered yet: less than the files that a process may have
/// open (1,024 unless somebody has raised it).
const WAITED_FOR: usize = 256;

/// What to scan, and how.
#[derive(Debug, Clone)]
pub struct ScanRequest {
    /// The servers.
    pub targets: Vec<ScanTarget>,
    /// The server name to send and to check certificates for; each target's own host if absent.
    pub server_name: Option<String>,
    /// The path to ask for, after which a server may want a client certificate.
    pub path: String,
    /// How many servers are examined at once.
    pub jobs: usize,
    /// Whom to trust.
    pub roots: Roots,
    /// Whose fate is to be foretold.
    pub profiles: Vec<NamedProfile>,
    /// Deadlines.
    pub limits: Limits,
}

/// Scans every target. `done` is told of each as soon as everything is known of it; the answer has them all, in the order
/// of the request.
///
/// # Errors
/// [`CannotSetUp`] if OpenSSL cannot be set up for it. What servers do is data.
pub async fn scan(
    request: ScanRequest,
    mut done: impl FnMut(&TargetRecord),
) -> Result<Vec<TargetRecord>, CannotSetUp> {
    let examiner = Arc::new(Examiner::new(&request)?);
    let places = Arc::new(Semaphore::new(request.jobs.max(1)));
    let mut waiting = request.targets.into_iter().enumerate();
    let mut tasks = JoinSet::new();
    let mut records = Vec::new();
    loop {
        while tasks.len() < WAITED_FOR + places.available_permits().min(request.jobs) {
            let Some((place, target)) = waiting.next() else { break };
            let (examiner, places) = (Arc::clone(&examiner), Arc::clone(&places));
            tasks.spawn(async move {
                let began = Instant::now();
                let mut record = examiner.examine(&target, &places).await;
                record.duration_ms = millis(began.elapsed());
                (place, record)
            });
        }
        match tasks.join_next().await {
            None => break,
            Some(Ok((place, record))) => {
                done(&record);
                records.push((place, record));
            }
            // A task that panicked: the panic is ours.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    records.sort_unstable_by_key(|(place, _)| *place);
    Ok(records.into_iter().map(|(_, record)| record).collect())
}
