//! Scenarios and the stable names of cells.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    compose::Composed,
    profile::{ClientProfile, ListenerProfile, UpstreamProfile},
};

/// A profile and the name it goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<T> {
    /// The name in the catalogue.
    pub name: String,
    /// The profile.
    pub profile: T,
}

impl<T: Clone> Named<T> {
    /// A copy of the profile under this name.
    #[must_use]
    pub fn of(name: &str, profile: &T) -> Self {
        Self { name: name.to_owned(), profile: profile.clone() }
    }
}

/// One combination of client, listener, upstream and backend, and why it matters.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The suite it belongs to.
    pub suite: String,
    /// The client.
    pub client: Named<ClientProfile>,
    /// The listener.
    pub listener: Named<ListenerProfile>,
    /// The upstream.
    pub upstream: Named<UpstreamProfile>,
    /// The backend, perhaps composed.
    pub backend: Composed,
    /// Why it matters.
    pub why: String,
    /// The source that says so.
    pub source: String,
}

impl Scenario {
    /// The cell's name against one gateway.
    #[must_use]
    pub fn id(&self, gateway: &str) -> CellId {
        CellId {
            suite: self.suite.clone(),
            backend: self.backend.name.clone(),
            upstream: self.upstream.name.clone(),
            client: self.client.name.clone(),
            listener: self.listener.name.clone(),
            gateway: gateway.to_owned(),
        }
    }
}

/// `suite/backend/upstream::client/listener::gateway`: the same string in every output.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CellId {
    /// Suite.
    pub suite: String,
    /// Backend, perhaps composed with `+`.
    pub backend: String,
    /// Upstream.
    pub upstream: String,
    /// Client.
    pub client: String,
    /// Listener.
    pub listener: String,
    /// Gateway.
    pub gateway: String,
}

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { suite, backend, upstream, client, listener, gateway } = self;
        write!(f, "{suite}/{backend}/{upstream}::{client}/{listener}::{gateway}")
    }
}

impl From<CellId> for String {
    fn from(id: CellId) -> Self {
        id.to_string()
    }
}

/// A string that does not name a cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the name of a cell; it reads suite/backend/upstream::client/listener::gateway")]
pub struct CellIdError(String);

impl FromStr for CellId {
    type Err = CellIdError;

    fn from_str(text: &str) -> Result<Self, CellIdError> {
        let wrong = || CellIdError(text.to_owned());
        let parts: Vec<&str> = text.split("::").collect();
        let [backend_leg, client_leg, gateway] = parts[..] else { return Err(wrong()) };
        let backend_leg: Vec<&str> = backend_leg.split('/').collect();
        let [suite, backend, upstream] = backend_leg[..] else { return Err(wrong()) };
        let (client, listener) = client_leg.split_once('/').ok_or_else(wrong)?;
        let own = str::to_owned;
        Ok(Self {
            suite: own(suite),
            backend: own(backend),
            upstream: own(upstream),
            client: own(client),
            listener: own(listener),
            gateway: own(gateway),
        })
    }
}

impl TryFrom<String> for CellId {
    type Error = CellIdError;
    fn try_from(text: String) -> Result<Self, CellIdError> {
        text.parse()
    }
}
