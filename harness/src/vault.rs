//! A versioned store of certificates, on loopback over plain HTTP, and the agent that fetches them for a gateway.
//!
//! It does what a gateway sees of a store like Azure Key Vault: each certificate has versions, the newest is the current one,
//! a version can be disabled, and each caller can be denied access. Whatever is wrong with a certificate is said when it is put
//! in, never when it is fetched. Every request is kept, with what came of it.
//!
//! | request | does |
//! |---|---|
//! | `PUT /certificates/NAME` | puts a new version in: PFX (its password in `x-password`), or PEM |
//! | `GET /certificates/NAME` | the versions, as JSON |
//! | `GET /certificates/NAME/VERSION` | one version, `current` or by number: PFX without a password, or PEM where there is no key |
//! | `PATCH /certificates/NAME/VERSION` | `{"enabled": false}` |
//! | `PATCH /access/CALLER` | `{"allowed": false}` |
//! | `GET /requests` | who asked for what, and what came of it |
//!
//! A caller says who it is in `x-caller`.

mod agent;
mod held;
mod operations;

use std::{io, net::Ipv4Addr, net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, task::JoinSet};

use crate::{http, limits::Limits};

pub use agent::{Agent, CannotAsk, Refresh};
pub use held::{Asked, Material, Refusal, Store};

/// A store that answers. It is gone when this is dropped.
#[derive(Debug)]
#[must_use = "the store stops as soon as this is dropped"]
pub struct Vault {
    address: SocketAddr,
    store: Arc<Store>,
    _server: JoinSet<()>,
}

impl Vault {
    /// Opens an empty one on a port of loopback. When this returns, it answers.
    ///
    /// # Errors
    /// What the system says.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let store = Arc::new(Store::default());
        let mut server = JoinSet::new();
        server.spawn(http::serve(listener, operations::router(Arc::clone(&store)), Limits::default().peer));
        Ok(Self { address, store, _server: server })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it holds.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }
}
