//! The audit against gateways that are set up in known ways: what it says of each leg is what was set, and nothing else.
//!
//! `setups/*.toml` has a program, its files as templates, and a table of set-ups, each of which becomes one leg of one process.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests are tests too")]

mod errors;
mod program;
mod reference;
mod setups;

use std::{path::Path, sync::Arc, time::Duration};

use rstest::rstest;
use setups::{Plan, Setup};
use time::OffsetDateTime;
use tls_gauntlet::{
    audit::{Audit, AuditLimits, AuditRequest, CallSettings, LegRequest},
    certs::Pki,
    record::{LegRecord, RunRecord},
    report::{Detail, Look, console},
    trials,
};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_posture_is_the_set_up(
    #[values("nginx", "haproxy", "envoy", "caddy", "traefik", "httpd", "python")] gateway: &str,
) {
    let plan = Plan::of(gateway);
    let Some(program) = plan.program() else {
        assert!(!trials::is_required(gateway), "{gateway} is required and not installed");
        eprintln!("{gateway} is not installed");
        return;
    };
    let (alone, together): (Vec<_>, Vec<_>) = plan.setups.iter().partition(|setup| setup.alone);
    let mut wrong = Vec::new();
    for setups in [together].into_iter().chain(alone.into_iter().map(|one| vec![one])) {
        let setups: Vec<&Setup> = setups.into_iter().filter(|setup| setup.is_wanted()).collect();
        if setups.is_empty() {
            continue;
        }
        let record = audited(&plan, &program, &setups).await;
        for (setup, leg) in setups.iter().zip(&record.legs) {
            wrong.extend(differences(gateway, setup, leg));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Starts the program with one leg for each set-up, and audits them side by side.
async fn audited(plan: &Plan, program: &Path, setups: &[&Setup]) -> RunRecord {
    let now = now();
    let pki = Arc::new(Pki::new(0, now).unwrap());
    let port = program::FreePort::new();
    let leg = |setup: &&Setup| LegRequest {
        name: None,
        also: Vec::new(),
        revive: None,
        call: CallSettings::get(
            format!("http://{}/{}", port.address(), setup.name).parse().unwrap(),
            port.address(),
        ),
        backend: format!("{}:443", plan.host).parse().unwrap(),
        bind: "127.0.0.1:0".parse().unwrap(),
        pki: Arc::clone(&pki),
        log: None,
    };
    let request =
        AuditRequest { limits: limits(), ..AuditRequest::quick(setups.iter().map(leg).collect(), now) };
    let mut audit = Audit::hold(request).await.unwrap();
    audit.prepare().await.unwrap();
    let backends: Vec<u16> = audit.addresses().iter().map(std::net::SocketAddr::port).collect();
    let folder = plan.write(&pki, port.address().port(), setups, &backends);
    let running = program::Running::start(program, &plan.arguments(folder.path()), folder.path());
    if let Err(error) = audit.first_calls(&|_| {}).await {
        panic!("{error}\n{}", running.log());
    }
    let record = audit.run(&|_| {}).await.unwrap();
    if let Ok(to) = std::env::var("GAUNTLET_SHOW") {
        std::fs::write(to, console::render(&record, &Look { detail: Detail::Full, ..Look::default() }))
            .unwrap();
    }
    record
}

/// A gateway that does not come up need not be waited for as long as one that somebody has yet to set up.
fn limits() -> AuditLimits {
    AuditLimits { first_call: Duration::from_secs(40), ..AuditLimits::default() }
}

#[allow(clippy::disallowed_methods, reason = "gateways check certificates by the clock of the machine")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// What an audit says that was not set, and what it does not say that was.
fn differences(gateway: &str, setup: &Setup, leg: &LegRecord) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut found: Vec<&str> = leg.findings.iter().map(|finding| finding.rule.as_str()).collect();
    found.sort_unstable();
    // What depends on the version of the program has a question mark.
    let may_be = |rule: &&str| setup.findings.iter().any(|one| one.strip_suffix('?') == Some(*rule));
    found.retain(|rule| !may_be(rule));
    let mut expected: Vec<&str> =
        setup.findings.iter().map(String::as_str).filter(|rule| !rule.ends_with('?')).collect();
    expected.sort_unstable();
    let name = format!("{gateway}/{}", setup.name);
    if found != expected {
        let seen: Vec<String> = leg
            .findings
            .iter()
            .map(|finding| format!("\n      {}: {}", finding.rule, finding.seen))
            .collect();
        wrong.push(format!("{name}: found {found:?}, set were {expected:?}{}", seen.concat()));
    }
    for (topic, says) in &setup.says {
        let said = leg.posture.says(topic).unwrap_or_default();
        if !said.contains(says.as_str()) {
            wrong.push(format!("{name}: {topic}: \"{said}\", not \"{says}\""));
        }
    }
    wrong.extend(leg.posture.open.iter().map(|open| format!("{name}: could not be found out: {open}")));
    wrong
}
