//! Certificates that change under traffic: on the embedded gateway and on real ones, and what catches those that cannot do it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, os::unix::fs::PermissionsExt};

use rstest::rstest;
use tests::{Mutant, installed, now};
use tls_gauntlet::rotation::{
    Change, RotationRequest,
    record::{Old, Outcome, RotationRecord},
    rotate,
};

fn rotated(gateway: &str, changes: &[Change]) -> RotationRecord {
    let request = RotationRequest {
        gateways: vec![gateway.to_owned()],
        changes: changes.to_vec(),
        seconds: 1,
        ..RotationRequest::new(1, now())
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(rotate(&request, &|_| {})).unwrap()
}

fn only(record: RotationRecord) -> Outcome {
    assert_eq!(record.rotations.len(), 1);
    record.rotations.into_iter().next().unwrap()
}

#[rstest]
fn nothing_fails_that_must_not(
    #[values(
        "reference",
        "azure-apim-classic@2025-08",
        "nginx",
        "haproxy",
        "envoy",
        "traefik",
        "httpd",
        "haproxy@3.0"
    )]
    gateway: &str,
) {
    if !installed(gateway) {
        return;
    }
    let record = rotated(gateway, Change::ALL);
    assert_eq!(record.rotations.len(), Change::ALL.len());
    for outcome in &record.rotations {
        assert_eq!(outcome.wrong, [""; 0], "{outcome:#?}");
        assert_eq!(outcome.failed, 0, "{outcome:#?}");
        assert!(outcome.requests >= 200, "{outcome:#?}");
        assert!(outcome.moment.is_some(), "{outcome:#?}");
        // Traefik alone of these cannot be told that a certificate was revoked.
        let is_exempt = gateway == "traefik" && outcome.change == "backend-certificate";
        assert_eq!(matches!(outcome.old, Old::Refused { .. }), !is_exempt, "{outcome:#?}");
        let is_kept = ["access-denied", "version-disabled"].contains(&outcome.change.as_str());
        assert_eq!(outcome.store_said.len(), usize::from(is_kept), "{outcome:#?}");
    }
    assert_eq!(record.exit_code(), 0);
}

/// It says that it has read its files again, and has not.
#[test]
fn a_gateway_that_goes_on_with_what_it_was_started_with_is_caught() {
    if !installed("nginx") {
        return;
    }
    let mutant = Mutant::of("nginx")
        // This signal makes nginx open its logs again, and nothing else.
        .with("gateway.toml", r#"reload = { signal = "HUP" }"#, r#"reload = { signal = "USR1" }"#)
        .with("nginx.conf.j2", "location = {{ ready_path }} {", "location ^~ /ready/ {");
    let record = rotated(&mutant.path(), &[Change::ClientCertificate]);
    assert_eq!(record.exit_code(), 1);
    let outcome = only(record);
    assert_eq!(outcome.failed, 0, "{outcome:#?}");
    assert_eq!(outcome.moment, None);
    assert!(outcome.wrong[0].starts_with("the change was never seen for good: 0 requests"), "{outcome:#?}");
}

/// It is ended and started again in the place of being reloaded.
#[test]
fn a_restart_in_the_place_of_a_reload_is_caught() {
    if !installed("nginx") {
        return;
    }
    let mutant = Mutant::of("nginx");
    let script = mutant.beside("restarts");
    // Told to reload, it ends nginx, takes its time, and starts it anew.
    let text = r#"#!/bin/sh
PATH="$PATH:/usr/sbin:/usr/local/sbin"
case "$1" in -v|-t) exec nginx "$@";; esac
start() { nginx "$@" & child=$!; }
trap 'kill -TERM $child; wait $child; sleep 1; start "$@"' HUP
trap 'kill -TERM $child; wait $child; exit 0' TERM
start "$@"
while :; do wait $child; done
"#;
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let mutant = mutant.with("gateway.toml", r#"names = ["nginx"]"#, "names = []").with(
        "gateway.toml",
        r#"paths = [""#,
        &format!(r#"paths = ["{}", ""#, script.display()),
    );
    let record = rotated(&mutant.path(), &[Change::TrustStore]);
    assert_eq!(record.exit_code(), 1);
    let outcome = only(record);
    assert!(outcome.failed > 0, "{outcome:#?}");
    assert!(outcome.wrong[0].contains("requests failed: connection-refused"), "{outcome:#?}");
}
