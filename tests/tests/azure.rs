//! The claims about API Management: each has a row in `docs/azure.md`, and the suites that a row names carry the claim.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};

use tls_gauntlet_scenarios::catalogue;

const PAGE: &str = include_str!("../../docs/azure.md");

/// Identifier and last column of each row of the table of claims.
fn rows() -> BTreeMap<&'static str, &'static str> {
    let mut rows = BTreeMap::new();
    for line in PAGE.lines() {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        if let [id, _, shown] = cells[..]
            && is_claim(id)
        {
            assert!(rows.insert(id, shown).is_none(), "two rows for {id}");
        }
    }
    rows
}

fn is_claim(word: &str) -> bool {
    word.starts_with(['P', 'L', 'M', 'A']) && word[1..].parse::<u32>().is_ok()
}

/// Which claims the scenarios of each suite carry.
fn carried() -> BTreeMap<String, BTreeSet<String>> {
    let suites = catalogue().suites().filter(|(name, _)| name.starts_with("azure-"));
    let carried = suites.map(|(name, suite)| {
        let sources = suite.products.iter().filter_map(|product| product.source.as_deref());
        let ids = sources.flat_map(|source| source.split(", ")).map(str::to_owned);
        (name.to_owned(), ids.collect())
    });
    carried.collect()
}

#[test]
fn every_claim_has_a_row() {
    let numbers = [('P', 22), ('L', 8), ('M', 15), ('A', 8)];
    let all = numbers.into_iter().flat_map(|(letter, last)| (1..=last).map(move |n| format!("{letter}{n}")));
    let rows: BTreeSet<String> = rows().into_keys().map(str::to_owned).collect();
    assert_eq!(rows, all.collect());
}

#[test]
fn what_a_row_says_of_a_suite_is_true_and_the_other_way_round() {
    let rows = rows();
    for (suite, claims) in carried() {
        let named = format!("`{suite}`");
        let by_page: BTreeSet<String> =
            rows.iter().filter(|(_, shown)| shown.contains(&named)).map(|(id, _)| (*id).to_owned()).collect();
        assert_eq!(claims, by_page, "{suite}");
    }
}

#[test]
fn every_profile_has_a_row_with_its_options() {
    for (name, profile) in catalogue().profiles() {
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} has no row"));
        for option in profile.options.keys() {
            assert!(row.contains(&format!("`{option}`")), "{name} has {option}");
        }
    }
}
