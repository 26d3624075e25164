//! The embedded gateway: a small reverse proxy, hyper over OpenSSL, whose every knob can be turned.
//!
//! It opens a connection to the backend for every request and reads the whole response before it answers, so that
//! what it says of a failure is always the truth: a response that was cut never looks like one that was not.

mod claims;
mod journal;
mod listener;
mod router;

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};

pub use claims::claims;
pub use journal::cause_in;

use self::{journal::Journal, listener::Listener, router::Router};
use super::plan::GatewayPlan;
use crate::{client::CannotSetUp, limits::Limits};

/// How the reference gateway behaves where gateways differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceKnobs {
    /// Whether it offers post-handshake authentication to backends (RFC 8446 4.2.6).
    pub post_handshake_auth: bool,
    /// Whether it follows a backend that renegotiates.
    pub renegotiation: bool,
    /// The status for a backend that cannot be reached, or whose response is cut.
    pub failure_status: u16,
    /// The status for a backend that is silent.
    pub timeout_status: u16,
    /// The status with which a client certificate is refused, after the handshake; refused in TLS if absent.
    pub client_certificate_status: Option<u16>,
}

impl Default for ReferenceKnobs {
    fn default() -> Self {
        Self {
            post_handshake_auth: false,
            renegotiation: true,
            failure_status: 502,
            timeout_status: 504,
            client_certificate_status: None,
        }
    }
}

/// A running reference gateway.
#[derive(Debug)]
#[must_use = "the gateway stops as soon as this is dropped"]
pub struct Reference {
    addresses: BTreeMap<String, SocketAddr>,
    listeners: JoinSet<()>,
    stopping: watch::Sender<bool>,
    journal: Arc<Journal>,
    limits: Limits,
}

/// Why a reference gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    /// Its TLS settings, or its certificates, cannot be made.
    #[error(transparent)]
    SetUp(#[from] CannotSetUp),
    /// A port cannot be had.
    #[error("cannot open a port for the listener \"{listener}\"")]
    Bind {
        /// The listener's name.
        listener: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A route leads to an upstream that the plan does not have.
    #[error("the route {path} leads to the upstream \"{upstream}\", which the plan does not have")]
    UnknownUpstream {
        /// The route.
        path: String,
        /// The name of the upstream.
        upstream: String,
    },
}

impl Reference {
    /// Opens a port of the loopback interface for each listener. When this returns, all of them answer.
    ///
    /// # Errors
    /// [`CannotStart`] if the plan cannot be set up, or a port cannot be had.
    pub async fn start(plan: &GatewayPlan, knobs: ReferenceKnobs) -> Result<Self, CannotStart> {
        let journal = Arc::new(Journal::default());
        let router = Arc::new(Router::new(plan, knobs, Arc::clone(&journal))?);
        let (stopping, stop) = watch::channel(false);
        let mut addresses = BTreeMap::new();
        let mut listeners = JoinSet::new();
        for (name, profile) in &plan.listeners {
            let listener = Listener::new(name, profile, plan, knobs, Arc::clone(&router))?;
            let bind = async {
                let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                Ok((port.local_addr()?, port))
            };
            let (address, port) =
                bind.await.map_err(|source| CannotStart::Bind { listener: name.clone(), source })?;
            addresses.insert(name.clone(), address);
            listeners.spawn(Arc::new(listener).run(port, stop.clone()));
        }
        Ok(Self { addresses, listeners, stopping, journal, limits: plan.limits })
    }

    /// Where a listener listens.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<SocketAddr> {
        self.addresses.get(name).copied()
    }

    /// The lines of the log so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.journal.lines()
    }

    /// Lets the requests under way finish, closes everything, and hands over the log.
    pub async fn stop(mut self) -> Vec<String> {
        self.stopping.send_replace(true);
        let all = async { while self.listeners.join_next().await.is_some() {} };
        // What is not done by then, is dropped with the rest.
        let _ = timeout(self.limits.stop, all).await;
        self.journal.lines()
    }
}
