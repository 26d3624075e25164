//! The embedded gateway with each upstream of the catalogue: the audit names its settings.

use std::{sync::Arc, time::Duration};

use tls_gauntlet::{
    audit::{Audit, AuditRequest, CallSettings, LegRequest},
    certs::Pki,
    gateway::{
        BACKEND_NAME, GATEWAY_NAME, GatewayPlan,
        reference::{Reference, ReferenceKnobs},
    },
    limits::Limits,
    record::LegRecord,
    scenarios::{Claims, Outcome, UpstreamProfile, catalogue, model},
};

use crate::{limits, now};

/// What an audit tells of the settings of an upstream. (The embedded gateway keeps no connections, whatever it is told.)
#[derive(Debug, PartialEq)]
struct Told {
    chain: bool,
    name: bool,
    revocation: String,
    versions: String,
    sends_name: bool,
    renegotiation: bool,
    shows: Option<String>,
}

impl Told {
    fn set(upstream: &UpstreamProfile) -> Self {
        let UpstreamProfile { verify_chain, verify_name, versions, .. } = upstream;
        Self {
            chain: *verify_chain,
            name: *verify_name,
            revocation: format!("{:?}", upstream.revocation),
            versions: versions.to_string(),
            sends_name: upstream.send_server_name,
            // TLS 1.3 has none, so that nothing tells.
            renegotiation: upstream.renegotiation || versions.to_string() == "TLSv1.3",
            shows: upstream.client_certificate.map(|certificate| format!("CN={}", certificate.common_name())),
        }
    }

    fn said(leg: &LegRecord) -> Self {
        let settings = leg.posture.settings.as_ref().unwrap();
        let shown = leg.posture.says("client certificate").filter(|says| says.starts_with("CN="));
        Self {
            shows: shown.and_then(|says| says.split(' ').next()).map(str::to_owned),
            ..Self::set(settings)
        }
    }
}

/// Whether a sound backend is reached: one that has to staple, for example, is not.
fn takes_a_sound_one(upstream: &UpstreamProfile) -> bool {
    let sound = catalogue().backend("plain-good").unwrap();
    let expected = model::expect_direct(upstream, &sound, &Claims::openssl_client());
    expected.is_ok_and(|expected| expected.outcome == Outcome::Reach)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_posture_names_each_upstream_of_the_catalogue() {
    let now = now();
    let pki = Arc::new(Pki::new(0, now).unwrap());
    // One that comes after another shares its port, and an audit has one leg for each.
    let upstreams: Vec<(&str, &UpstreamProfile)> = catalogue()
        .upstreams()
        .filter(|(_, upstream)| upstream.after.is_none() && takes_a_sound_one(upstream))
        .collect();
    let any = "127.0.0.1:1".parse().unwrap();
    let leg = |_| LegRequest {
        name: None,
        also: Vec::new(),
        revive: None,
        call: CallSettings::get("https://gw.test/".parse().unwrap(), any),
        backend: format!("{BACKEND_NAME}:443").parse().unwrap(),
        bind: "127.0.0.1:0".parse().unwrap(),
        pki: Arc::clone(&pki),
        log: None,
    };
    let request = AuditRequest {
        listener: false,
        limits: limits(),
        ..AuditRequest::quick(upstreams.iter().map(leg).collect(), now)
    };
    let mut audit = Audit::hold(request).await.unwrap();

    audit.prepare().await.unwrap();
    let listeners = vec![("default".to_owned(), catalogue().listener("default").unwrap().clone())];
    let profiles = upstreams.iter().map(|(name, upstream)| ((*name).to_owned(), (*upstream).clone()));
    let mut plan = GatewayPlan::new(listeners, profiles.collect(), Arc::clone(&pki), Limits::default());
    let patience = Duration::from_secs(5);
    for ((name, _), address) in upstreams.iter().zip(audit.addresses()) {
        plan.add_route(name, address, patience, patience);
    }
    let gateway = Reference::start(&plan, ReferenceKnobs::default()).await.unwrap();
    let address = gateway.listener("default").unwrap();
    let calls = plan.routes.iter().map(|route| CallSettings {
        host: Some(GATEWAY_NAME.to_owned()),
        roots: vec![pki.server_root().clone()],
        ..CallSettings::get(format!("https://{GATEWAY_NAME}{}", route.path).parse().unwrap(), address)
    });
    audit.call(calls.collect()).unwrap();
    audit.first_calls(&|_| {}).await.unwrap();
    let record = audit.run(&|_| {}).await.unwrap();
    let _ = gateway.stop().await;

    let mut wrong = Vec::new();
    for ((name, upstream), leg) in upstreams.iter().zip(&record.legs) {
        let (set, said) = (Told::set(upstream), Told::said(leg));
        if set != said {
            wrong.push(format!("{name}: set {set:?}\n  said {said:?}"));
        }
        // How often is tried again is read from the number of tries, not from what came of the first; the second has an
        // authority more, of which the model does not know whether a list is wanted.
        const NOT_TOLD: &[&str] = &["fails-twice-then-heals", "reversed-chain"];
        let unexplained: Vec<_> =
            leg.posture.unexplained.iter().filter(|one| !NOT_TOLD.contains(&one.as_str())).collect();
        if !unexplained.is_empty() || !leg.posture.open.is_empty() {
            wrong.push(format!("{name}: {unexplained:?} {:?}", leg.posture.open));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
