//! What `gauntlet what-if` predicts, measured: each backend behind the setting before and the setting after.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use rstest::rstest;
use tests::{installed, run};
use tls_gauntlet::gateway::Gateway;
use tls_gauntlet_scenarios::{
    Outcome, VerdictKind, catalogue,
    what_if::{Effect, Setting, Side, compare},
};

fn setting(gateway: &str, upstream: &str) -> Setting {
    Setting {
        name: gateway.to_owned(),
        claims: Gateway::resolve(gateway).unwrap().claims().clone(),
        upstream: upstream.to_owned(),
        listeners: Vec::new(),
    }
}

/// Whether each backend of a suite was reached.
fn measured(suite: &str, gateway: &str, upstream: &str) -> BTreeMap<String, Outcome> {
    let record = run(gateway, &[&format!("{suite}/*/{upstream}::default/default::*")]);
    let reached = record.cells.into_iter().map(|cell| {
        assert_eq!(cell.verdict, VerdictKind::Pass, "{}: {:?}", cell.id, cell.because);
        (cell.backend, cell.observed.unwrap().outcome)
    });
    reached.collect()
}

#[rstest]
#[case::api_management(
    ("azure-apim-classic@2025-08", "strict"),
    ("azure-apim-classic@2025-08+backend-tls13", "strict")
)]
#[case::nginx(("nginx", "max-tls12"), ("nginx", "strict"))]
#[case::haproxy(("haproxy", "max-tls12"), ("haproxy", "strict"))]
#[case::envoy(("envoy", "max-tls12"), ("envoy", "strict"))]
#[case::httpd(("httpd", "max-tls12"), ("httpd", "strict"))]
#[case::traefik(("traefik", "max-tls12"), ("traefik", "strict"))]
fn what_tls13_towards_backends_breaks_is_predicted(
    #[case] before: (&str, &str),
    #[case] after: (&str, &str),
) {
    if !before.0.starts_with("azure") && !installed(before.0) {
        return;
    }
    let changes = compare(&setting(before.0, before.1), &setting(after.0, after.1));
    let (was, is) = (measured("upstream", before.0, before.1), measured("upstream", after.0, after.1));
    let mut broken = Vec::new();
    for change in changes.iter().filter(|change| change.side == Side::Backends) {
        let Some((was, is)) = was.get(&change.name).zip(is.get(&change.name)) else { continue };
        let seen = match (was, is) {
            (Outcome::Reach, Outcome::Refuse) => "breaks",
            (Outcome::Refuse, Outcome::Reach) => "heals",
            (Outcome::Reach, Outcome::Reach) | (Outcome::Refuse, Outcome::Refuse) => "neither",
        };
        let predicted = match change.effect {
            Effect::Breaks => "breaks",
            Effect::Heals => "heals",
            Effect::Differs | Effect::Moves | Effect::Stays => "neither",
            Effect::Unknown => panic!("{} is not claimed", change.name),
        };
        assert_eq!(seen, predicted, "{}", change.name);
        if seen == "breaks" {
            broken.push(change.name.as_str());
        }
    }
    // httpd offers post-handshake authentication; Go never renegotiates.
    let expected: &[&str] = match before.0 {
        "httpd" | "traefik" => &[],
        _ => &["renegotiation-required-dual"],
    };
    assert_eq!(broken, expected);
}

/// Those that have nothing else break, on the wire as in the model.
#[rstest]
#[case("without-cbc", &["cbc-sha1-only", "cbc-sha256-only", "cbc-sha384-only", "static-rsa-cbc"])]
#[case("without-static-rsa", &["static-rsa-cbc", "static-rsa-gcm"])]
fn what_a_suite_that_is_switched_off_breaks_is_predicted(#[case] option: &str, #[case] expected: &[&str]) {
    let (before, after) = ("azure-apim-classic@2025-08", format!("azure-apim-classic@2025-08+{option}"));
    let changes = compare(&setting(before, "strict"), &setting(&after, "strict"));
    let predicted = changes.iter().filter(|change| change.effect == Effect::Breaks);
    let predicted: Vec<_> = predicted.map(|change| change.name.as_str()).collect();
    let (was, is) =
        (measured("azure-backend-side", before, "strict"), measured("azure-backend-side", &after, "strict"));
    let seen = was.iter().filter(|(name, was)| **was == Outcome::Reach && is[*name] == Outcome::Refuse);
    let seen: Vec<_> = seen.map(|(name, _)| name.as_str()).collect();
    assert_eq!((&predicted[..], &seen[..]), (expected, expected));
}

/// Every claim about API Management holds for every profile, with each option on.
#[test]
fn every_azure_suite_is_clean_under_every_profile() {
    let mut gateways = Vec::new();
    for (name, profile) in catalogue().profiles() {
        gateways.push(name.to_owned());
        gateways.extend(profile.options.keys().map(|option| format!("{name}+{option}")));
    }
    // What would leave no version at all says so instead of starting.
    gateways.retain(|name| Gateway::resolve(name).is_ok());
    let record = tests::run_suites(&gateways, &["azure-*"]);
    for cell in &record.cells {
        let fine = matches!(cell.verdict, VerdictKind::Pass | VerdictKind::Skipped);
        assert!(fine, "{}: {} {:?}", cell.id, cell.verdict, cell.because);
    }
    assert!(record.summary[&VerdictKind::Pass] > 1_000, "{:?}", record.summary);
}
