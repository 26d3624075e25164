//! What fetches certificates for a gateway: by hand, or from time to time. Whatever goes wrong, it keeps what it has.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, header::HOST};
use tokio::time::Instant;

use super::{
    held::Material,
    operations::{CALLER, VERSION},
};
use crate::{client::Dialer, limits::Limits, wait, wire::recorder::Recorder};

/// Fetches certificates out of a store, for one caller.
#[derive(Debug)]
pub struct Agent {
    store: SocketAddr,
    caller: String,
    held: BTreeMap<String, (u32, Material)>,
    limits: Limits,
}

/// What came of asking for a certificate.
#[derive(Debug, Clone)]
pub enum Refresh {
    /// There is a version that it did not have.
    Taken {
        /// Its number.
        version: u32,
        /// What it consists of.
        material: Material,
    },
    /// The version is the one it has.
    Same,
    /// None was handed out, and it keeps the one it has.
    Kept {
        /// What the store said.
        because: String,
    },
}

/// The store cannot be asked, or does not make sense.
#[derive(Debug, thiserror::Error)]
#[error("cannot fetch {certificate} from the store on {store}: {because}")]
pub struct CannotAsk {
    /// What was wanted.
    pub certificate: String,
    /// Where.
    pub store: SocketAddr,
    /// What happened.
    pub because: String,
}

impl Agent {
    /// An agent that has nothing yet.
    #[must_use]
    pub fn new(store: SocketAddr, caller: &str, limits: Limits) -> Self {
        Self { store, caller: caller.to_owned(), held: BTreeMap::new(), limits }
    }

    /// What it has of a certificate.
    #[must_use]
    pub fn held(&self, name: &str) -> Option<&Material> {
        self.held.get(name).map(|(_, material)| material)
    }

    /// Asks for the current version of a certificate, once: the refresh by hand.
    ///
    /// # Errors
    /// [`CannotAsk`]; it keeps what it has then, too.
    pub async fn refresh(&mut self, name: &str) -> Result<Refresh, CannotAsk> {
        let cannot = |because: String| CannotAsk { certificate: name.to_owned(), store: self.store, because };
        let request = Request::get(format!("/certificates/{name}/current"))
            .header(HOST, self.store.to_string())
            .header(CALLER, &self.caller)
            .body(Full::<Bytes>::default())
            .map_err(|error| cannot(error.to_string()))?;
        let deadline = Instant::now() + self.limits.call;
        let dialed = Dialer::dial_plain(self.store, deadline, &Recorder::default()).await;
        let answer = match dialed {
            Ok(dialed) => dialed.call(request, deadline).await,
            Err(failure) => Err(failure),
        };
        let answer = answer.map_err(|failure| cannot(failure.error))?;
        if answer.head.status == StatusCode::FORBIDDEN {
            return Ok(Refresh::Kept { because: detail(&answer.body) });
        }
        if answer.head.status != StatusCode::OK {
            return Err(cannot(format!("{}: {}", answer.head.status, detail(&answer.body))));
        }
        let version = answer.head.headers.get(VERSION).and_then(|version| version.to_str().ok());
        let version: Option<u32> = version.and_then(|version| version.parse().ok());
        let version = version.ok_or_else(|| cannot("the answer does not say its version".to_owned()))?;
        if self.held.get(name).is_some_and(|(known, _)| *known == version) {
            return Ok(Refresh::Same);
        }
        let material = Material::read(&answer.body, "").map_err(|error| cannot(error.to_string()))?;
        self.held.insert(name.to_owned(), (version, material.clone()));
        Ok(Refresh::Taken { version, material })
    }

    /// Asks again and again, once each interval, until there is a version that it did not have.
    ///
    /// # Errors
    /// [`CannotAsk`].
    pub async fn poll(&mut self, name: &str, every: Duration) -> Result<(u32, Material), CannotAsk> {
        let mut turns = wait::pace(every);
        loop {
            turns.tick().await;
            if let Refresh::Taken { version, material } = self.refresh(name).await? {
                return Ok((version, material));
            }
        }
    }
}

/// The sentence in a problem (RFC 9457).
fn detail(body: &[u8]) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = problem.and_then(|problem| problem["detail"].as_str().map(str::to_owned));
    detail.unwrap_or_else(|| String::from_utf8_lossy(body).trim().to_owned())
}
