//! What was found, with the file and line of the setting that it comes from and the directive that mends it.

use std::{env, path::PathBuf};

use tls_gauntlet_scenarios::policy::Finding;

use super::Place;
use crate::{
    configuration::{At, Configuration, Leg, Setting},
    record::RunRecord,
};

/// The settings on which a rule of the policy depends, the first one that stands in the configuration first.
const SETTINGS: &[(&str, &[Setting])] = &[
    ("chain", &[Setting::Verification, Setting::Trust]),
    ("name", &[Setting::CheckedName, Setting::Verification]),
    ("fitting-name", &[Setting::CheckedName]),
    ("dates", &[Setting::Dates, Setting::Verification]),
    ("usage", &[Setting::Verification]),
    ("chain-length", &[Setting::Depth]),
    ("possession", &[Setting::Verification]),
    ("old-versions", &[Setting::Versions]),
    ("tls13", &[Setting::Versions]),
    ("broken-suites", &[Setting::Ciphers]),
    ("weak-suites", &[Setting::Ciphers]),
    ("weak-certificates", &[Setting::Ciphers]),
    ("common-name", &[Setting::CheckedName]),
    ("revocation", &[Setting::RevocationList]),
];

/// Gives each finding of a record its place in the configuration.
pub(super) fn locate(record: &mut RunRecord, configuration: &Configuration, places: &[Place]) {
    for audited in &mut record.legs {
        let Some(leg) =
            configuration.legs.iter().find(|leg| super::legs::name(configuration, leg) == audited.leg)
        else {
            continue;
        };
        for finding in &mut audited.findings {
            place(finding, leg, configuration, places);
        }
    }
}

fn place(finding: &mut Finding, leg: &Leg, configuration: &Configuration, places: &[Place]) {
    let settings =
        SETTINGS.iter().find(|(rule, _)| *rule == finding.rule).map_or(&[][..], |(_, settings)| settings);
    // Where nothing is verified, no other setting counts.
    let unverified =
        leg.value(Setting::Verification) == Some("off") && settings.contains(&Setting::Verification);
    let settings = if unverified { &[Setting::Verification] } else { settings };
    let stated = settings.iter().find_map(|setting| Some((setting, leg.settings.get(setting)?)));
    finding.stands = Some(match (stated, settings.first()) {
        (Some((setting, stated)), _) => {
            let default = if stated.written { "" } else { " by default" };
            format!("{}: {} is {}{default}", here(&stated.at, places), setting.name(), stated.value)
        }
        (None, Some(setting)) => format!("{}: {} is not set", here(&leg.at, places), setting.name()),
        (None, None) => here(&leg.at, places),
    });
    let mut wanted: Vec<Setting> =
        stated.map(|(setting, _)| *setting).or(settings.first().copied()).into_iter().collect();
    if unverified && leg.value(Setting::Trust).is_none() {
        wanted.push(Setting::Trust);
    }
    // Which keys are too short is a word of OpenSSL's among the cipher suites, and of nobody else's.
    wanted.retain(|_| finding.rule != "weak-certificates");
    let set: Vec<String> = wanted.iter().filter_map(|setting| configuration.remedy(leg, *setting)).collect();
    if set.is_empty() {
        finding.set.retain(|(gateway, _)| gateway == configuration.kind.name());
    } else {
        finding.set = vec![(configuration.kind.name().to_owned(), set.join(" "))];
    }
}

/// A place in the files as they lie here, below the working directory if they do.
pub(super) fn here(at: &At, places: &[Place]) -> String {
    let moved = places.iter().find_map(|Place { production, here }| {
        let below = at.file.strip_prefix(production.to_str()?)?.trim_start_matches('/');
        Some(here.join(below))
    });
    let path = moved.unwrap_or_else(|| PathBuf::from(&*at.file));
    let from_here =
        env::current_dir().ok().and_then(|folder| Some(path.strip_prefix(folder).ok()?.to_owned()));
    format!("{}:{}", from_here.unwrap_or(path).display(), at.line)
}
