//! The configurations of the rehearsals, read: each planted defect stands where a setting of a leg does, by the reader's account.

use std::fs;

use rstest::rstest;
use serde::Deserialize;
use tls_gauntlet::configuration::{At, Configuration, Disk, Kind, Leg, Setting};

use super::{MAIN, mains, rehearsed};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Planted {
    planted: Vec<Defect>,
}

/// A file, a line of it, and the rule of the policy that it breaks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defect {
    file: String,
    line: usize,
    rule: String,
}

impl Defect {
    /// Whether a leg has it: by the setting that the rule is about, or by the lack of that setting.
    fn is_in(&self, leg: &Leg, place: &str) -> bool {
        let here = |at: &At| *at.file == format!("{place}/{}", self.file) && at.line == self.line;
        let setting = match self.rule.as_str() {
            "chain" => Setting::Verification,
            "name" if leg.value(Setting::Verification) == Some("off") => Setting::Verification,
            "name" | "fitting-name" => Setting::CheckedName,
            "dates" => Setting::Dates,
            "old-versions" | "tls13" => Setting::Versions,
            "broken-suites" | "weak-suites" | "weak-certificates" => Setting::Ciphers,
            "revocation" => Setting::RevocationList,
            rule => panic!("no setting is known for the rule {rule}"),
        };
        here(leg.settings.get(&setting).map_or(&leg.at, |stated| &stated.at))
            || (setting == Setting::RevocationList && leg.dialled.iter().any(|dialled| here(&dialled.at)))
    }
}

#[rstest]
#[case(Kind::Haproxy)]
#[case(Kind::Httpd)]
#[case(Kind::Envoy)]
#[case(Kind::Traefik)]
#[case(Kind::Caddy)]
fn each_planted_defect_is_a_setting_of_a_leg(#[case] kind: Kind) {
    let folder = rehearsed(kind).unwrap();
    let (_, place, names) = MAIN.iter().find(|(each, _, _)| *each == kind).unwrap();
    let caddy = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/gateways/caddy/bin/caddy");
    if kind == Kind::Caddy && !caddy.exists() {
        return;
    }
    let disk = Disk::as_it_is().with(*place, &folder).asking(caddy);
    let paths = mains(&super::files(&folder, place), place, names);
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let found = Configuration::read(kind, &paths, &disk).unwrap();
    assert!(found.problems.is_empty(), "{found}");
    let tls = found.legs.iter().filter(|leg| leg.tls);
    assert!(tls.count() >= 4, "{found}");
    let text = fs::read_to_string(folder.join("planted.toml")).unwrap();
    let Planted { planted } = toml::from_str(&text).unwrap();
    assert!(planted.len() >= 7, "{}", planted.len());
    for defect in planted {
        assert!(found.legs.iter().any(|leg| defect.is_in(leg, place)), "{defect:?}\n{found}");
    }
}
