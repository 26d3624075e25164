//! The embedded gateway, as one profile or set of knobs has it, before one backend.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "clippy takes helpers of tests for no tests")]

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;
use tls_gauntlet::{
    backend::{Fleet, FleetOptions},
    gateway::{GatewayPlan, reference::Reference},
    limits::Limits,
};
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::{GatewayProfile, ListenerProfile, catalogue};

/// How long anything may take; it strikes only if something hangs.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// What a gateway stands between, and where it leads.
pub(crate) struct World {
    pub(crate) pki: Arc<Pki>,
    pub(crate) fleet: Fleet,
    pub(crate) gateway: Reference,
    /// The path that leads to the backend, through the upstream `strict`.
    pub(crate) path: String,
}

/// Certificates that are valid now.
pub(crate) fn pki() -> Arc<Pki> {
    #[allow(
        clippy::disallowed_methods,
        reason = "certificates must be valid by the clock that OpenSSL reads"
    )]
    let now = OffsetDateTime::now_utc();
    Arc::new(Pki::new(7, now).unwrap())
}

impl World {
    pub(crate) async fn imitating(
        profile: &GatewayProfile,
        listeners: Vec<(String, ListenerProfile)>,
        backend: &str,
    ) -> Self {
        let pki = pki();
        let backends = [catalogue().backend(backend).unwrap()];
        let fleet = Fleet::start(&backends, &pki, &FleetOptions::default()).await.unwrap();
        let upstreams = vec![("strict".to_owned(), catalogue().upstream("strict").unwrap().clone())];
        let mut plan = GatewayPlan::new(listeners, upstreams, Arc::clone(&pki), Limits::default());
        let path = plan.add_route("strict", fleet.backends()[0].address(), LONG, LONG).path.clone();
        let gateway = Reference::imitate(&plan, profile).await.unwrap();
        Self { pki, fleet, gateway, path }
    }
}

/// A listener of the catalogue, by its own name.
pub(crate) fn listener(name: &str) -> (String, ListenerProfile) {
    (name.to_owned(), catalogue().listener(name).unwrap().clone())
}
