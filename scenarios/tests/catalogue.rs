//! Every entry of the catalogue can be read, is named once, and composes or says why not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use rstest::rstest;
use tls_gauntlet_scenarios::{CellId, catalogue};

#[test]
fn every_backend_says_what_it_does_and_where_that_is_written() {
    for (name, family, profile) in catalogue().backends() {
        assert!(profile.summary.ends_with('.'), "{family}/{name}: the summary is a sentence");
        assert!(!profile.clause.is_empty(), "{family}/{name}: the clause is missing");
    }
    assert!(catalogue().backends().count() >= 27);
}

#[test]
fn every_suite_multiplies_out_into_distinct_cells() {
    for (suite, _) in catalogue().suites() {
        let mut ids: Vec<String> =
            catalogue().scenarios(suite).unwrap().iter().map(|cell| cell.id("g").to_string()).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "{suite} names a cell twice");
    }
}

#[rstest]
#[case("tls12-only+expired-leaf+client-cert-required", None)]
#[case("tls12-only+tls12-only", None)]
#[case(
    "tls12-only+tls13-only",
    Some(
        "\"tls12-only\" and \"tls13-only\" contradict each other: both set the protocol versions; drop one of them"
    )
)]
#[case(
    "tls12-onyl",
    Some(
        "unknown backend \"tls12-onyl\"; did you mean \"tls12-only\"? (`gauntlet list backends` shows all)"
    )
)]
#[case("", Some("unknown backend \"\" (`gauntlet list backends` shows all)"))]
fn composition(#[case] name: &str, #[case] error: Option<&str>) {
    let composed = catalogue().backend(name);
    match error {
        None => assert_eq!(composed.unwrap().name, name),
        Some(text) => assert_eq!(composed.unwrap_err().to_string(), text),
    }
}

#[rstest]
#[case("upstream/tls12-only+expired-leaf/strict::default/tls12-only::nginx", true)]
#[case("upstream/tls12-only/strict::default::nginx", false)]
#[case("tls12-only", false)]
fn cell_names(#[case] text: &str, #[case] good: bool) {
    match text.parse::<CellId>() {
        Ok(id) => assert!(good && id.to_string() == text),
        Err(error) => {
            assert!(!good && error.to_string().contains("suite/backend/upstream::client/listener::gateway"));
        }
    }
}
