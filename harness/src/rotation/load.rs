//! Steady traffic: calls that begin at a pace, whether the ones before have been answered or not, as long as it is the gateway
//! that is measured and not the machine.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, header::HOST};
use serde_json::Value;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use crate::{client::Dialer, gateway::GATEWAY_NAME, wait, wire::nonce::Nonce};

/// What one call shows of the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Saw {
    /// The old certificate was in use.
    Old,
    /// The new one was.
    New,
    /// All is well, and it shows nothing of the change.
    Steady,
    /// It should have come through and did not, or with a third certificate.
    Failed(String),
}

/// One call; its times count from the beginning of the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) begun: Duration,
    pub(super) ended: Duration,
    pub(super) saw: Saw,
}

/// What came back to a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Came {
    /// The backend's echo: the serial numbers of its certificate and of what it was shown.
    Echo {
        /// Of the backend's certificate.
        server: Option<String>,
        /// Of the gateway's.
        client: Option<String>,
    },
    /// A response that the gateway made.
    Refusal(u16),
    /// Neither: why.
    Nothing(String),
}

/// The party that is called.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) dialer: Dialer,
    pub(super) address: SocketAddr,
    pub(super) limit: Duration,
}

impl Caller {
    /// Asks for this path over a connection of its own.
    pub(super) async fn call(&self, path: &str, nonce: Nonce) -> Came {
        let deadline = Instant::now() + self.limit;
        let request = Request::get(format!("{path}{nonce}"))
            .header(HOST, GATEWAY_NAME)
            .header(Nonce::HEADER, nonce.to_string())
            .body(Full::<Bytes>::default());
        let Ok(request) = request else { return Came::Nothing("the path is none".to_owned()) };
        let dialed = match self.dialer.dial(self.address, deadline).await {
            Ok(dialed) => dialed,
            Err(failure) => return Came::Nothing(format!("{}: {}", failure.cause, failure.error)),
        };
        match dialed.call(request, deadline).await {
            Err(failure) => Came::Nothing(format!("{}: {}", failure.cause, failure.error)),
            Ok(answer) => match answer.cut {
                Some(cut) => Came::Nothing(format!("{}: {}", cut.cause, cut.error)),
                None => read(answer.head.status.as_u16(), &answer.body, &nonce.to_string()),
            },
        }
    }
}

/// Only a backend knows the nonce and the certificates.
fn read(status: u16, body: &[u8], nonce: &str) -> Came {
    let echo: Option<Value> = serde_json::from_slice(body).ok();
    match echo.filter(|echo| status == 200 && echo["nonce"] == nonce) {
        None => Came::Refusal(status),
        Some(echo) => {
            let serial = |side: &str| echo[side]["serial"].as_str().map(str::to_owned);
            Came::Echo { server: serial("server_certificate"), client: serial("client_certificate") }
        }
    }
}

/// Reads what a call on one of the lanes shows of the change.
pub(super) type Reads = Arc<dyn Fn(usize, Came) -> Saw + Send + Sync>;

/// The part of a second's calls whose answers may be missing before no more are begun (a half): then the machine cannot keep
/// the pace, and more calls would only fail for lack of it.
const BEHIND: u32 = 2;

/// The traffic. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Load {
    began: Instant,
    calls: Arc<Calls>,
    ended: watch::Sender<bool>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Calls {
    done: Mutex<Vec<Call>>,
    /// The numbers of those that have begun and not ended.
    open: Mutex<BTreeSet<usize>>,
    count: watch::Sender<usize>,
}

impl Load {
    /// Calls the paths in turn, `rate` times a second.
    pub(super) fn start(caller: Caller, paths: Vec<String>, rate: u32, reads: Reads) -> Self {
        let began = Instant::now();
        let calls =
            Arc::new(Calls { done: Mutex::default(), open: Mutex::default(), count: watch::Sender::new(0) });
        let (ended, mut end) = watch::channel(false);
        let noted = Arc::clone(&calls);
        let most = usize::try_from(rate / BEHIND).unwrap_or(usize::MAX).max(8);
        let task = tokio::spawn(async move {
            let mut turns = wait::pace(Duration::from_secs(1) / rate);
            let mut under_way = JoinSet::new();
            let (caller, paths) = (Arc::new(caller), Arc::new(paths));
            for number in 0_usize.. {
                tokio::select! {
                    _ = turns.tick() => {}
                    _ = end.wait_for(|ended| *ended) => break,
                }
                while under_way.len() >= most {
                    under_way.join_next().await;
                }
                let (caller, paths) = (Arc::clone(&caller), Arc::clone(&paths));
                let (noted, reads) = (Arc::clone(&noted), Arc::clone(&reads));
                noted.open().insert(number);
                under_way.spawn(async move {
                    let (lane, begun) = (number % paths.len(), began.elapsed());
                    let came = caller.call(&paths[lane], Nonce(number as u64)).await;
                    noted.note(number, Call { begun, ended: began.elapsed(), saw: reads(lane, came) });
                });
                while under_way.try_join_next().is_some() {}
            }
            while under_way.join_next().await.is_some() {}
        });
        Self { began, calls, ended, task }
    }

    /// The time since the traffic began.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits until this many calls more have ended.
    pub(super) async fn more(&self, calls: usize) {
        let mut count = self.calls.count.subscribe();
        let wanted = *count.borrow() + calls;
        // The sender lives as long as this does.
        let _ = count.wait_for(|count| *count >= wanted).await;
    }

    /// Waits until every call that has begun by now has ended: what a gateway has let in before a reload, it ends as it began.
    pub(super) async fn drained(&self) {
        let mut count = self.calls.count.subscribe();
        let Some(last) = self.calls.open().last().copied() else { return };
        // The sender lives as long as this does.
        let _ = count.wait_for(|_| self.calls.open().first().is_none_or(|first| *first > last)).await;
    }

    /// Waits until this many calls in a row, all begun after `since`, have seen the new certificate, and says when; nothing if
    /// twenty times as many have ended without that.
    pub(super) async fn taken_up(&self, since: Duration, in_a_row: usize) -> Option<Duration> {
        let mut count = self.calls.count.subscribe();
        let (mut looked, mut row, mut all) = (0, 0, 0);
        loop {
            for call in self.calls.from(looked) {
                looked += 1;
                if call.begun < since || call.saw == Saw::Steady {
                    continue;
                }
                all += 1;
                row = if call.saw == Saw::New { row + 1 } else { 0 };
                if row >= in_a_row {
                    return Some(self.now());
                }
                if all >= 20 * in_a_row {
                    return None;
                }
            }
            if count.wait_for(|count| *count > looked).await.is_err() {
                return None;
            }
        }
    }

    /// Begins no more calls, and returns all of them once the last has ended.
    pub(super) async fn finish(mut self) -> Vec<Call> {
        self.ended.send_replace(true);
        // A call that panics is missing from the count; the rest is worth having.
        let _ = (&mut self.task).await;
        let mut calls = self.calls.from(0);
        calls.sort_by_key(|call| call.begun);
        calls
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Calls {
    fn open(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, number: usize, call: Call) {
        self.open().remove(&number);
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        self.count.send_modify(|count| *count += 1);
    }

    fn from(&self, first: usize) -> Vec<Call> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)[first..].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_echo_of_the_nonce_is_the_backends() {
        let echo = br#"{"nonce":"n-1","server_certificate":{"serial":"0a"},"client_certificate":null}"#;
        let seen = Came::Echo { server: Some("0a".to_owned()), client: None };
        assert_eq!(read(200, echo, "n-1"), seen);
        assert_eq!(read(200, echo, "n-2"), Came::Refusal(200));
        assert_eq!(read(502, b"no", "n-1"), Came::Refusal(502));
    }
}
