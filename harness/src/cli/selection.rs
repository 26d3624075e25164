//! What is to run: names and globs, each checked before anything is started.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

use clap::Args;
use globset::{GlobBuilder, GlobMatcher};
use tls_gauntlet_scenarios::{Scenario, catalogue};

use super::{
    failure::{Failure, input_error},
    files, streams,
};
use crate::{
    gateway::Gateway,
    runner::{self, DEFAULT_JOBS, RunRequest},
};

/// The arguments that say which cells there are, and what a gateway that is already running needs to know of them. They
/// mean the same to every command that takes them.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct SelectionArguments {
    /// A suite (`gauntlet list suites`) [default: all].
    #[arg(long, value_name = "NAME")]
    pub(super) suite: Vec<String>,
    /// Only cells whose name matches, as in `*/expired-leaf/*::nginx`; any of several.
    #[arg(long, value_name = "GLOB")]
    pub(super) filter: Vec<String>,
    /// The gateway that one that is already running is like, as in `--gateway https://… --claims nginx`: its claims hold,
    /// and the lines of its log mean the same. Without any, what happens is shown and nothing is judged.
    #[arg(long, value_name = "NAME|DIR")]
    pub(super) claims: Option<String>,
    /// The first port of the backends; ephemeral ones if absent, 20000 for `gauntlet routes`.
    #[arg(long, value_name = "N")]
    pub(super) port_base: Option<u16>,
    /// The address the backends listen on. Anything but loopback opens weak TLS to other machines [default: 127.0.0.1].
    #[arg(long, value_name = "ADDR")]
    pub(super) bind: Option<IpAddr>,
}

/// The arguments of commands that call the cells.
#[derive(Debug, Clone, Args)]
pub(super) struct CallArguments {
    /// Calls in flight at the same time [default: 16].
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<usize>,
    /// How often each cell is called [default: 1; 2 for `gauntlet discover`: what varies is claimed in all its variants].
    #[arg(long, value_name = "N")]
    pub(super) repeat: Option<u32>,
    /// The seed of names and serial numbers, printed with the result. If absent, it is random; 0 with --shard, because
    /// all parts need the same one.
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// A folder of `gauntlet certs` whose authorities to use, for gateways that already trust them.
    #[arg(long, value_name = "DIR")]
    pub(super) pki: Option<PathBuf>,
    /// The log of a gateway that is already running, on this machine: the third witness. Without it, refusals whose cause
    /// only the log knows do not count.
    #[arg(long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
}

impl SelectionArguments {
    /// The request for these cells.
    pub(super) fn put_into(&self, request: RunRequest) -> RunRequest {
        RunRequest {
            suites: self.suite.clone(),
            filters: self.filter.clone(),
            claims: self.claims.clone(),
            port_base: self.port_base,
            bind: self.bind.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            ..request
        }
    }
}

impl CallArguments {
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
