//! The gateways that ship with Gauntlet, as real processes: set up, checked, started, stopped, killed.

use std::{env, net::Ipv4Addr, sync::Arc, time::Instant};

use rstest::rstest;
use time::macros::datetime;
use tls_gauntlet::{
    gateway::{Gateway, GatewayPlan, RunFolder},
    limits::Limits,
};
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::catalogue;

/// Every listener and every upstream of the catalogue, and routes to a port where nobody listens.
fn plan() -> GatewayPlan {
    let pki = Arc::new(Pki::new(1, datetime!(2026-11-21 12:00 UTC)).unwrap());
    let limits = Limits::default();
    let listeners = catalogue().listeners().map(|(name, profile)| (name.to_owned(), profile.clone()));
    let upstreams = catalogue().upstreams().map(|(name, profile)| (name.to_owned(), profile.clone()));
    let mut plan = GatewayPlan::new(listeners.collect(), upstreams.collect(), pki, limits);
    for (upstream, _) in plan.upstreams.clone() {
        for response in [limits.patient, limits.impatient] {
            plan.add_route("default", &upstream, (Ipv4Addr::LOCALHOST, 1).into(), limits.patient, response);
        }
    }
    plan
}

/// The gateway, if it is here or has to be (`GAUNTLET_REQUIRE=nginx,haproxy` or `all`).
fn installed(name: &str) -> Option<Gateway> {
    let gateway = Gateway::resolve(name).unwrap();
    let required = env::var("GAUNTLET_REQUIRE").unwrap_or_default();
    if gateway.version().is_none() {
        assert!(
            !required.split(',').any(|wanted| wanted == name || wanted == "all"),
            "{name} is not installed, and GAUNTLET_REQUIRE={required} wants it"
        );
        println!("skipped: {name} is not installed");
        return None;
    }
    Some(gateway)
}

#[rstest]
#[tokio::test]
async fn the_vendors_checker_accepts_the_files(#[values("nginx", "haproxy")] name: &str) {
    let Some(gateway) = installed(name) else { return };
    gateway.check(&plan(), &RunFolder::new().unwrap()).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_gateway_starts_and_stops(#[values("nginx", "haproxy")] name: &str) {
    let Some(gateway) = installed(name) else { return };
    let plan = plan();
    let folder = RunFolder::new().unwrap();
    let started = Instant::now();
    let mut running = gateway.start(&plan, &folder).await.unwrap();
    println!("{name}: up after {:?}", started.elapsed());
    assert_eq!(running.died(), None);
    let stopped = running.stop().await;
    println!("{name}: stopped after {:?}", started.elapsed());
    assert_eq!(stopped.died, None, "{:#?}", stopped.log);
}
