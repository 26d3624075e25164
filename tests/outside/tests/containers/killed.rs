//! A gateway that is killed in mid-run: whatever its clients then see is nobody's verdict on it.

use std::{
    fmt::Write,
    sync::atomic::{AtomicUsize, Ordering},
    time::SystemTime,
};

use tls_gauntlet::{
    certs::Name,
    gateway::{BACKEND_NAME, GATEWAY_NAME, GatewayPlan},
    runner::{self, Event, RunRequest},
    scenarios::VerdictKind,
};

use crate::engine::{FRONT, Place, docker, runtime};

/// Half of these are refusals, which a dead gateway imitates best.
const CELLS: [&str; 5] = ["plain-good", "tls12-only", "expired-leaf", "untrusted-root", "wrong-name"];

pub fn a_gateway_killed_in_mid_run_is_broken(place: &Place) {
    runtime().block_on(async {
        let network = place.network();
        let mut request = RunRequest {
            gateways: vec!["https://127.0.0.1".to_owned()],
            filters: CELLS.map(|backend| format!("upstream/{backend}/strict::default/default::*")).to_vec(),
            claims: Some("nginx".to_owned()),
            bind: network.host_address().parse().unwrap(),
            // Of an address that is this network's alone.
            port_base: Some(20_000),
            jobs: 1,
            ..RunRequest::new(7, SystemTime::now().into())
        };
        let pki = tempfile::tempdir().unwrap();
        let plan = runner::routes(&request).unwrap();
        plan.pki.save(pki.path()).unwrap();
        request.pki = Some(pki.path().to_owned());
        let log = tempfile::tempdir().unwrap();
        let (gateway, port) = place.nginx(&http(&plan), &files(&plan), log.path()).await;
        request.log = Some(log.path().join("error.log"));
        request.gateways = vec![format!("https://127.0.0.1:{port}")];

        let whole = runner::run(&request, &|_| {}).await.unwrap();
        assert_eq!(whole.summary[&VerdictKind::Pass], CELLS.len(), "{:?}", whole.summary);

        let called = AtomicUsize::new(0);
        let killing = |event: Event| {
            if matches!(event, Event::CellDone { .. }) && called.fetch_add(1, Ordering::Relaxed) == 0 {
                docker(&["kill", gateway.id()]).unwrap();
            }
        };
        let record = runner::run(&request, &killing).await.unwrap();
        let verdicts: Vec<_> =
            record.cells.iter().map(|cell| (&cell.id, cell.verdict, &cell.because)).collect();
        assert_eq!(record.exit_code(), 3, "{verdicts:#?}");
        // What came through before may pass; a refusal of that time has lost the control that gives it weight.
        let broken = verdicts.iter().filter(|(_, verdict, _)| *verdict == VerdictKind::Broken).count();
        let first = |verdict| matches!(verdict, VerdictKind::Pass | VerdictKind::Skipped);
        let others = verdicts.iter().filter(|(_, verdict, _)| first(*verdict)).count();
        assert_eq!((broken, others), (verdicts.len() - 1, 1), "{verdicts:#?}");
    });
}

/// The routes of a plan as nginx has them: one location for each group, the backend's port out of the path.
fn http(plan: &GatewayPlan) -> String {
    let mut http = format!(
        "ssl_certificate front.pem; ssl_certificate_key front.key; proxy_set_header Host {BACKEND_NAME};\n\
         proxy_ssl_trusted_certificate ca.pem; proxy_ssl_verify on; proxy_ssl_verify_depth 3;\n\
         proxy_ssl_server_name on; proxy_ssl_session_reuse off; proxy_http_version 1.1;\n\
         proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_set_header Connection close;\n\
         server {{ listen {FRONT} ssl; server_name {GATEWAY_NAME};\n"
    );
    for route in plan.groups() {
        let (group, address, name) = (&route.group, route.backend.ip(), &route.server_name);
        let location = format!("location ~ ^/{group}/(?<port>[0-9]+)/");
        writeln!(http, "{location} {{ proxy_pass https://{address}:$port; proxy_ssl_name {name}; }}")
            .unwrap();
    }
    http + "}"
}

fn files(plan: &GatewayPlan) -> [(&'static str, String); 3] {
    let names = [Name::Dns(GATEWAY_NAME.to_owned())];
    let front = plan.pki.server("good".parse().unwrap(), &names).unwrap();
    let root = String::from_utf8(plan.pki.server_root().to_pem().unwrap()).unwrap();
    [("ca.pem", root), ("front.pem", front.chain_pem()), ("front.key", front.key_pem())]
}
