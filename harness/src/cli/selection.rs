//! What is to run: names, globs and shards, each checked before anything is started.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use tls_gauntlet_scenarios::{Scenario, catalogue};

use super::failure::{Failure, input_error};
use crate::gateway::Gateway;

/// The suites that were named, every one if none was.
pub(super) fn suites(named: &[String]) -> Result<Vec<Scenario>, Failure> {
    let mut scenarios = Vec::new();
    if named.is_empty() {
        for (suite, _) in catalogue().suites() {
            scenarios.extend(catalogue().scenarios(suite).map_err(Failure::input)?);
        }
    }
    for suite in named {
        scenarios.extend(catalogue().scenarios(suite).map_err(Failure::input)?);
    }
    Ok(scenarios)
}

/// The gateways that were named, `reference` if none was.
pub(super) fn gateways(named: &[String]) -> Result<Vec<Gateway>, Failure> {
    let named = if named.is_empty() { &[crate::gateway::REFERENCE.to_owned()] } else { named };
    named.iter().map(|name| gateway(name)).collect()
}

/// One gateway, by name, folder or URL.
pub(super) fn gateway(name: &str) -> Result<Gateway, Failure> {
    Gateway::resolve(name).map_err(|error| {
        let as_folder = Path::new(name).is_dir() && !name.contains('/');
        let hint = if as_folder { format!("; or did you mean the folder ./{name}?") } else { String::new() };
        input_error!("{error}{hint}")
    })
}

/// Sees to it that the filters make sense and that something is left.
pub(super) fn filters(
    filters: &[String],
    scenarios: &[Scenario],
    gateways: &[Gateway],
) -> Result<(), Failure> {
    let ids: Vec<String> = gateways
        .iter()
        .flat_map(|gateway| scenarios.iter().map(|scenario| scenario.id(gateway.name()).to_string()))
        .collect();
    for filter in filters {
        let glob = glob(filter)?;
        if !ids.iter().any(|id| glob.is_match(id)) {
            let example = ids.first().map_or("", String::as_str);
            return Err(input_error!(
                "no cell matches --filter \"{filter}\" (names read {example}); a glob covers the whole name, so try \
                 \"*{}*\"",
                filter.trim_matches('*')
            ));
        }
    }
    Ok(())
}

/// A glob over names of cells; `*` goes past slashes, as in a shell's `case`.
fn glob(filter: &str) -> Result<GlobMatcher, Failure> {
    GlobBuilder::new(filter)
        .literal_separator(false)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| input_error!("--filter \"{filter}\" is not a glob: {}", error.kind()))
}
