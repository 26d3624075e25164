//! What a gateway has to be set up for: its listeners, its upstreams and one route for each cell.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use openssl::x509::X509;
use tls_gauntlet_certs::{CrlKind, Identity, Pki};
use tls_gauntlet_scenarios::{ListenerProfile, UpstreamProfile};

use crate::limits::Limits;

/// The name in the certificate of every listener of every gateway.
pub const GATEWAY_NAME: &str = "gateway.gauntlet.test";

/// The name that backends go by.
pub const BACKEND_NAME: &str = "backend.gauntlet.test";

/// Everything one gateway is started with.
#[derive(Debug, Clone)]
pub struct GatewayPlan {
    /// The ports to open, by name.
    pub listeners: Vec<(String, ListenerProfile)>,
    /// The ways to connect to a backend, by name.
    pub upstreams: Vec<(String, UpstreamProfile)>,
    /// One route for each cell.
    pub routes: Vec<Route>,
    /// The authorities that issue the certificates.
    pub pki: Arc<Pki>,
    /// What can be changed while the gateway runs.
    pub keyring: Keyring,
    /// Every deadline.
    pub limits: Limits,
    /// The name to ask backends for, where a route says no other.
    pub server_name: String,
}

/// What a gateway holds towards backends, and can be given anew by a reload.
#[derive(Debug, Clone)]
pub struct Keyring {
    /// The roots to trust.
    pub roots: Vec<X509>,
    /// Intermediates that backends may leave out of their chains. They are no anchors of trust.
    pub intermediates: Vec<X509>,
    /// What is shown in the place of the sound client certificate of the PKI.
    pub client: Option<Arc<Identity>>,
    /// What is on the revocation lists.
    pub revoked: CrlKind,
}

impl Keyring {
    /// That of a gateway whose backends are of this PKI.
    #[must_use]
    pub fn of(pki: &Pki) -> Self {
        Self {
            roots: vec![pki.server_root().clone()],
            intermediates: Vec::new(),
            client: None,
            revoked: CrlKind::Revoked,
        }
    }

    /// Roots and intermediates.
    pub(super) fn authorities(&self) -> impl Iterator<Item = &X509> {
        self.roots.iter().chain(&self.intermediates)
    }
}

/// From a path on one listener to one backend port.
///
/// The path is `/GROUP/PORT/`, as in `/strict/40123/`, and clients append their nonce to it. A gateway that makes
/// its own TLS context for every route (nginx: a millisecond each) can thus be set up with one rule for each
/// *group* of routes, which takes the backend's port from the path; others write one rule for each route. Either
/// way one backend port belongs to one cell, so that what arrives there belongs to that cell alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The prefix of the paths that belong to this route: `/GROUP/PORT/`.
    pub path: String,
    /// The name of its group: routes that differ in nothing but the listener and the backend's port.
    pub group: String,
    /// Name of the one listener that has to serve it; every listener if absent.
    pub listener: Option<String>,
    /// Name of the upstream.
    pub upstream: String,
    /// Where the backend listens.
    pub backend: SocketAddr,
    /// The name to ask for and to insist on.
    pub server_name: String,
    /// How long the gateway may take to connect, the handshake included where it can tell.
    pub connect_timeout: Duration,
    /// How long the gateway may wait for the response.
    pub response_timeout: Duration,
}

impl GatewayPlan {
    /// A plan without routes.
    #[must_use]
    pub fn new(
        listeners: Vec<(String, ListenerProfile)>,
        upstreams: Vec<(String, UpstreamProfile)>,
        pki: Arc<Pki>,
        limits: Limits,
    ) -> Self {
        let keyring = Keyring::of(&pki);
        let server_name = BACKEND_NAME.to_owned();
        Self { listeners, upstreams, routes: Vec::new(), pki, keyring, limits, server_name }
    }

    /// Adds a route to `backend` on every listener, for the server name of the plan, and finds a path for it.
    /// Paths depend on the calls and their order alone.
    pub fn add_route(
        &mut self,
        upstream: &str,
        backend: SocketAddr,
        connect_timeout: Duration,
        response_timeout: Duration,
    ) -> &Route {
        let server_name = self.server_name.clone();
        self.add(None, upstream, (backend, &server_name), connect_timeout, response_timeout)
    }

    /// As [`add_route`](Self::add_route), for one listener (what others need not serve, they need not be set up for)
    /// and for the server name of this backend's certificate.
    pub fn add_route_on(
        &mut self,
        listener: &str,
        upstream: &str,
        (backend, server_name): (SocketAddr, &str),
        connect_timeout: Duration,
        response_timeout: Duration,
    ) -> &Route {
        self.add(Some(listener), upstream, (backend, server_name), connect_timeout, response_timeout)
    }

    fn add(
        &mut self,
        listener: Option<&str>,
        upstream: &str,
        (backend, server_name): (SocketAddr, &str),
        connect_timeout: Duration,
        response_timeout: Duration,
    ) -> &Route {
        let mut route = Route {
            path: String::new(),
            group: String::new(),
            listener: listener.map(str::to_owned),
            upstream: upstream.to_owned(),
            backend,
            server_name: server_name.to_owned(),
            connect_timeout,
            response_timeout,
        };
        route.group = match self.routes.iter().find(|known| known.is_alike(&route)) {
            Some(known) => known.group.clone(),
            None => self.new_group(upstream),
        };
        route.path = format!("/{}/{}/", route.group, backend.port());
        let known = self.routes.iter().position(|known| *known == route);
        let place = known.unwrap_or_else(|| {
            self.routes.push(route);
            self.routes.len() - 1
        });
        &self.routes[place]
    }

    /// One route of each group, in the order in which the groups came up.
    #[must_use]
    pub fn groups(&self) -> Vec<&Route> {
        first_of_each_group(self.routes.iter())
    }

    /// One route of each group that this listener has to serve.
    #[must_use]
    pub fn groups_of(&self, listener: &str) -> Vec<&Route> {
        first_of_each_group(self.routes.iter().filter(|route| route.is_on(listener)))
    }

    /// The upstream's own name for its first group, `strict-2` and so on for the next.
    fn new_group(&self, upstream: &str) -> String {
        let mut name = upstream.to_owned();
        let mut number = 1;
        while self.routes.iter().any(|route| route.group == name)
            || (number > 1 && self.upstreams.iter().any(|(known, _)| *known == name))
        {
            number += 1;
            name = format!("{upstream}-{number}");
        }
        name
    }
}

impl Route {
    /// Whether this listener has to serve it.
    #[must_use]
    pub fn is_on(&self, listener: &str) -> bool {
        self.listener.as_ref().is_none_or(|name| name == listener)
    }

    /// Whether the two differ in nothing but the listener and the backend's port.
    fn is_alike(&self, other: &Self) -> bool {
        self.upstream == other.upstream
            && self.backend.ip() == other.backend.ip()
            && self.server_name == other.server_name
            && self.connect_timeout == other.connect_timeout
            && self.response_timeout == other.response_timeout
    }
}

fn first_of_each_group<'a>(routes: impl Iterator<Item = &'a Route>) -> Vec<&'a Route> {
    let mut known = BTreeSet::new();
    routes.filter(|route| known.insert(route.group.as_str())).collect()
}

/// The path without what only joins it to its cell: `/GROUP/PORT/NONCE`.
pub(crate) fn operation(path: &str) -> String {
    let rest = path.splitn(4, '/').nth(3).unwrap_or_default();
    format!("/{}", rest.split_once('/').map_or("", |(_nonce, rest)| rest))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use std::net::Ipv4Addr;

    use time::macros::datetime;

    use super::*;

    #[test]
    fn routes_that_differ_in_their_port_share_a_group() {
        let pki = Pki::new(1, datetime!(2026-03-01 12:00 UTC)).unwrap();
        let mut plan = GatewayPlan::new(Vec::new(), Vec::new(), Arc::new(pki), Limits::default());
        let (long, short) = (Duration::from_secs(30), Duration::from_secs(1));
        let mut path = |listener, upstream, port, response| {
            plan.add_route_on(
                listener,
                upstream,
                ((Ipv4Addr::LOCALHOST, port).into(), BACKEND_NAME),
                long,
                response,
            )
            .path
            .clone()
        };
        assert_eq!(path("default", "strict", 4001, long), "/strict/4001/");
        assert_eq!(path("default", "strict", 4002, short), "/strict-2/4002/");
        assert_eq!(path("default", "no-sni", 4003, long), "/no-sni/4003/");
        assert_eq!(path("legacy", "strict", 4004, long), "/strict/4004/");
        let names = |routes: Vec<&Route>| routes.iter().map(|route| route.group.clone()).collect::<Vec<_>>();
        assert_eq!(names(plan.groups()), ["strict", "strict-2", "no-sni"]);
        assert_eq!(names(plan.groups_of("legacy")), ["strict"]);
        plan.add_route("no-sni", (Ipv4Addr::LOCALHOST, 4005).into(), long, long);
        assert_eq!(names(plan.groups_of("legacy")), ["strict", "no-sni"]);
    }

    #[rstest]
    #[case("/strict/4001/n-0123456789abcdef", "/")]
    #[case("/strict/4001/n-0123456789abcdef/orders/7", "/orders/7")]
    #[case("/", "/")]
    fn an_operation_is_the_path_that_is_the_users_own(#[case] path: &str, #[case] own: &str) {
        assert_eq!(operation(path), own);
    }
}
