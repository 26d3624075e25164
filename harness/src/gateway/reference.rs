//! The embedded gateway: a small reverse proxy, hyper over OpenSSL, whose every knob can be turned.
//!
//! It opens a connection to the backend for every request and reads the whole response before it answers, so that
//! what it says of a failure is always the truth: a response that was cut never looks like one that was not.

mod answer;
mod claims;
mod demand;
mod journal;
mod listener;
mod router;

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tls_gauntlet_scenarios::{
    CipherSuite, FailureBody, GatewayProfile, ListenerProfile, NoSuiteLeft, Versions,
};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};

pub use claims::claims;
pub(super) use claims::unset;
pub use journal::cause_in;

use self::{
    journal::{Journal, Style},
    listener::{Listener, Setting},
    router::Router,
};
use super::plan::GatewayPlan;
use crate::{limits::Limits, tls::CannotSetUp};

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
    /// Whether it renegotiates, up to TLS 1.2, with a client whose request needs a certificate (the listener policy
    /// `on-demand`).
    pub renegotiates_late: bool,
    /// The status for such a request without a good certificate.
    pub late_certificate_status: u16,
}

impl Default for ReferenceKnobs {
    fn default() -> Self {
        Self {
            post_handshake_auth: false,
            renegotiation: true,
            failure_status: 502,
            timeout_status: 504,
            client_certificate_status: None,
            renegotiates_late: true,
            late_certificate_status: 403,
        }
    }
}

impl ReferenceKnobs {
    /// The knobs that imitate this gateway.
    #[must_use]
    pub const fn like(profile: &GatewayProfile) -> Self {
        Self {
            post_handshake_auth: false,
            renegotiation: profile.backend_side.follows_renegotiation,
            failure_status: profile.failure.status,
            timeout_status: profile.failure.timeout_status,
            client_certificate_status: None,
            renegotiates_late: profile.client_side.renegotiates,
            late_certificate_status: profile.failure.client_certificate_status,
        }
    }
}

/// A plan that asks for no more than this gateway has.
fn within(plan: &GatewayPlan, profile: &GatewayProfile) -> Result<GatewayPlan, CannotStart> {
    let mut plan = plan.clone();
    for (name, listener) in &mut plan.listeners {
        let has = &profile.client_side.versions;
        let both = listener.versions.intersection(has).ok_or_else(|| CannotStart::NoVersion {
            what: format!("the listener \"{name}\""),
            asked: listener.versions.clone(),
            side: "clients",
            has: has.clone(),
        })?;
        listener.versions = both;
        if listener.protocols.is_empty() {
            listener.protocols.clone_from(&profile.client_side.protocols);
        }
        let most = profile.client_side.ciphers.as_deref();
        listener.ciphers =
            CipherSuite::limited(listener.ciphers.as_deref(), most).map_err(|NoSuiteLeft| {
                CannotStart::NoCipher { what: format!("the listener \"{name}\""), side: "clients" }
            })?;
    }
    for (name, upstream) in &mut plan.upstreams {
        let has = &profile.backend_side.versions;
        let both = upstream.versions.intersection(has).ok_or_else(|| CannotStart::NoVersion {
            what: format!("the upstream \"{name}\""),
            asked: upstream.versions.clone(),
            side: "backends",
            has: has.clone(),
        })?;
        upstream.versions = both;
        let most = profile.backend_side.ciphers.as_deref();
        upstream.ciphers =
            CipherSuite::limited(upstream.ciphers.as_deref(), most).map_err(|NoSuiteLeft| {
                CannotStart::NoCipher { what: format!("the upstream \"{name}\""), side: "backends" }
            })?;
    }
    Ok(plan)
}

/// A running reference gateway.
#[derive(Debug)]
#[must_use = "the gateway stops as soon as this is dropped"]
pub struct Reference {
    ports: BTreeMap<String, (SocketAddr, Arc<Listener>)>,
    listeners: JoinSet<()>,
    stopping: watch::Sender<bool>,
    journal: Arc<Journal>,
    knobs: ReferenceKnobs,
    imitates: Option<Box<GatewayProfile>>,
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
    /// What is asked for and what the gateway has, have no version in common.
    #[error("{what} asks for {asked}, and {side} get no more than {has}")]
    NoVersion {
        /// The listener or the upstream.
        what: String,
        /// Its versions.
        asked: Versions,
        /// `clients` or `backends`.
        side: &'static str,
        /// The versions of the profile.
        has: Versions,
    },
    /// What is asked for and what the gateway has, have no cipher suite in common.
    #[error("{what} asks for cipher suites none of which {side} get")]
    NoCipher {
        /// The listener or the upstream.
        what: String,
        /// `clients` or `backends`.
        side: &'static str,
    },
    /// A route leads to an upstream that the plan does not have.
    #[error("the route {path} leads to the upstream \"{upstream}\", which the plan does not have")]
    UnknownUpstream {
        /// The route.
        path: String,
        /// The name of the upstream.
        upstream: String,
    },
    /// A new plan has a listener that it was not started with.
    #[error("the new plan has the listener \"{0}\", which it was not started with")]
    UnknownListener(String),
}

impl Reference {
    /// Opens a port of the loopback interface for each listener. When this returns, all of them answer.
    ///
    /// # Errors
    /// [`CannotStart`] if the plan cannot be set up, or a port cannot be had.
    pub async fn start(plan: &GatewayPlan, knobs: ReferenceKnobs) -> Result<Self, CannotStart> {
        Self::open(plan, knobs, None, Journal::default()).await
    }

    /// As [`start`](Self::start), but imitates a gateway somewhere else: no listener and no upstream goes beyond its
    /// versions, and failures look as they do there.
    ///
    /// # Errors
    /// [`CannotStart`] as for `start`, and if a side is left without any version.
    pub async fn imitate(plan: &GatewayPlan, profile: &GatewayProfile) -> Result<Self, CannotStart> {
        let style = match profile.failure.body {
            FailureBody::Plain => Style::Words,
            FailureBody::ApiManagement => Style::GatewayLogs(Arc::new(profile.failure.clone())),
        };
        Self::open(plan, ReferenceKnobs::like(profile), Some(profile), Journal::new(style)).await
    }

    async fn open(
        plan: &GatewayPlan,
        knobs: ReferenceKnobs,
        imitates: Option<&GatewayProfile>,
        journal: Journal,
    ) -> Result<Self, CannotStart> {
        let journal = Arc::new(journal);
        let (stopping, stop) = watch::channel(false);
        let mut ports = BTreeMap::new();
        let mut listeners = JoinSet::new();
        for (name, setting) in settings(plan, knobs, imitates, &journal)? {
            let listener = Arc::new(Listener::new(&name, setting, plan.limits));
            let bind = async {
                let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                Ok((port.local_addr()?, port))
            };
            let (address, port) =
                bind.await.map_err(|source| CannotStart::Bind { listener: name.clone(), source })?;
            listeners.spawn(Arc::clone(&listener).run(port, stop.clone()));
            ports.insert(name, (address, listener));
        }
        let (imitates, limits) = (imitates.cloned().map(Box::new), plan.limits);
        Ok(Self { ports, listeners, stopping, journal, knobs, imitates, limits })
    }

    /// Takes up a new plan with the same listeners, from the next request on; requests under way end as they began.
    ///
    /// # Errors
    /// [`CannotStart`]; it then goes on as it was.
    pub fn reload(&self, plan: &GatewayPlan) -> Result<(), CannotStart> {
        let settings = settings(plan, self.knobs, self.imitates.as_deref(), &self.journal)?;
        if let Some((name, _)) = settings.iter().find(|(name, _)| !self.ports.contains_key(name)) {
            return Err(CannotStart::UnknownListener(name.clone()));
        }
        for (name, setting) in settings {
            if let Some((_, listener)) = self.ports.get(&name) {
                listener.change(setting);
            }
        }
        Ok(())
    }

    /// Where a listener listens.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<SocketAddr> {
        self.ports.get(name).map(|(address, _)| *address)
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

/// What each listener of a plan meets its connections with.
fn settings(
    plan: &GatewayPlan,
    knobs: ReferenceKnobs,
    imitates: Option<&GatewayProfile>,
    journal: &Arc<Journal>,
) -> Result<Vec<(String, Setting)>, CannotStart> {
    let within = imitates.map(|profile| within(plan, profile)).transpose()?;
    let plan = within.as_ref().unwrap_or(plan);
    let says = imitates.map_or(FailureBody::Plain, |profile| profile.failure.body);
    let router = Arc::new(Router::new(plan, knobs, says, Arc::clone(journal))?);
    let setting = |(name, profile): &(String, ListenerProfile)| {
        Ok((name.clone(), Setting::new(name, profile, plan, knobs, Arc::clone(&router))?))
    };
    plan.listeners.iter().map(setting).collect()
}
