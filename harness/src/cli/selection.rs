//! What is to run: names and globs, each checked before anything is started.

use std::{fs, path::Path};

use globset::{GlobBuilder, GlobMatcher};
use tls_gauntlet_scenarios::{Scenario, catalogue};

use super::{
    failure::{Failure, input_error},
    files,
    options::{CallOptions, SelectionOptions},
    streams,
};
use crate::{
    gateway::Gateway,
    runner::{self, DEFAULT_JOBS, RunRequest},
};

impl SelectionOptions {
    /// The request for these cells.
    pub(super) fn put_into(&self, request: RunRequest) -> RunRequest {
        RunRequest {
            // As the help says: every suite that is for the gateway.
            suites: if self.suite.iter().any(|name| name == ALL) { Vec::new() } else { self.suite.clone() },
            filters: self.filter.clone(),
            claims: self.claims.clone(),
            port_base: self.port_base,
            bind: self.bind,
            ..request
        }
    }
}

/// The word for every suite.
pub(super) const ALL: &str = "all";

impl CallOptions {
    /// The request for these calls.
    pub(super) fn put_into(&self, request: RunRequest) -> Result<RunRequest, Failure> {
        let jobs = self.jobs.unwrap_or(DEFAULT_JOBS);
        if jobs == 0 || self.repeat == Some(0) {
            return Err(input_error!("--jobs 0 or --repeat 0 would call nothing; pass 1 or more"));
        }
        if let Some(dir) = &self.pki {
            let root = dir.join("server-root.pem");
            fs::metadata(&root).map_err(|error| {
                input_error!(
                    "cannot use --pki {}: {}: {error}; `gauntlet certs {}` makes one",
                    dir.display(),
                    root.display(),
                    dir.display()
                )
            })?;
        }
        Ok(RunRequest { jobs, pki: self.pki.clone(), log: self.log.clone(), ..request })
    }
}

/// The suites that were named, every one if none was: first those for every gateway, then those for some.
pub(super) fn suites(named: &[String]) -> Result<Vec<Scenario>, Failure> {
    let mut scenarios = Vec::new();
    if named.is_empty() {
        let mut all: Vec<_> = catalogue().suites().collect();
        all.sort_by_key(|(_, suite)| !suite.gateways.is_empty());
        for (suite, _) in all {
            scenarios.extend(catalogue().scenarios(suite).map_err(Failure::input)?);
        }
    }
    for suite in named {
        scenarios.extend(catalogue().scenarios(suite).map_err(Failure::input)?);
    }
    Ok(scenarios)
}

/// One gateway, by name, folder or URL.
pub(super) fn gateway(name: &str) -> Result<Gateway, Failure> {
    let gateway = Gateway::resolve(name).map_err(|error| {
        let as_folder = Path::new(name).is_dir() && !name.contains('/');
        let hint = if as_folder { format!("; or did you mean the folder ./{name}?") } else { String::new() };
        input_error!("{error}{hint}")
    })?;
    for passed_over in gateway.passed_over() {
        streams::note_once(&format!(
            "{passed_over}; install it where only you can write, or name it in PATH"
        ));
    }
    Ok(gateway)
}

/// Sees to it that every name is known, that each filter makes sense, that something is left to run, and that there may be
/// as many ports as that takes.
pub(super) fn check(request: &RunRequest) -> Result<(), Failure> {
    for name in &request.gateways {
        gateway(name)?;
    }
    // Repeated cells have one name.
    let everything = RunRequest { filters: Vec::new(), shard: None, repeat: 1, ..request.clone() };
    let ids = runner::cells(&everything).map_err(Failure::input)?;
    files::allow(files::for_ports(ids.len()));
    for filter in &request.filters {
        let glob = glob(filter)?;
        if !ids.iter().any(|id| glob.is_match(id)) {
            let example = ids.first().map_or("", String::as_str);
            return Err(input_error!(
                "no cell matches the filter \"{filter}\" (names read {example}); a glob covers the whole name, so try \
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
        .map_err(|error| input_error!("the filter \"{filter}\" is not a glob: {}", error.kind()))
}
