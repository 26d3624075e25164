//! `gauntlet discover`: measures a gateway and writes its claims.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use tls_gauntlet_scenarios::Claims;

use super::{
    clock,
    failure::{Failure, input_error, work_error},
    run::watched,
    selection,
    streams::{self, make_folder},
};
use crate::{
    gateway::Gateway,
    record::GatewayKind,
    runner::{self, DEFAULT_JOBS, Finding, RunRequest},
};

/// Measures what a gateway does where gateways differ, and writes it down as its claims.
///
/// What it already claims counts for nothing; the difference is printed.
/// Exit code 1 if something fits no claims: `gauntlet run` will hold that against the gateway.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The gateway: a name (`gauntlet list gateways`), a folder with a gateway.toml, or the URL of one that is already
    /// running.
    #[arg(long, value_name = "NAME|DIR|URL")]
    gateway: String,
    /// Where to write gateway.toml: beside a copy of the other files of the gateway's folder, if it has one. Printed
    /// if absent.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A suite (`gauntlet list suites`) [default: all; those of `gauntlet routes` for one that is already running].
    #[arg(long, value_name = "NAME")]
    suite: Vec<String>,
    /// Measure only cells whose name matches, as for `gauntlet run`.
    #[arg(long, value_name = "GLOB")]
    filter: Vec<String>,
    /// How often everything is measured: what varies from time to time is claimed in all its variants.
    #[arg(long, value_name = "N", default_value_t = 2)]
    repeat: u32,
    /// Calls in flight at the same time.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_JOBS)]
    jobs: usize,
    /// The seed of names and serial numbers of the first turn; random if absent.
    #[arg(long)]
    seed: Option<u64>,
    /// As for `gauntlet run`, for gateways that are already running.
    #[arg(long, value_name = "DIR")]
    pki: Option<PathBuf>,
    /// As for `gauntlet run`, for gateways that are already running.
    #[arg(long, value_name = "N")]
    port_base: Option<u16>,
    /// The address the backends listen on, as for `gauntlet run`.
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// The gateway that one that is already running resembles: its log lines are read like those of this one, and the
    /// difference is taken to its claims.
    #[arg(long, value_name = "NAME|DIR")]
    claims: Option<String>,
    /// The log of a gateway that is already running. Without it, refusals whose cause only the log knows are left out.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn discover(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.repeat == 0 || arguments.jobs == 0 {
        return Err(input_error!("--repeat 0 and --jobs 0 would measure nothing; pass 1 or more"));
    }
    let known = known(arguments)?;
    let request = RunRequest {
        gateways: vec![arguments.gateway.clone()],
        suites: arguments.suite.clone(),
        filters: arguments.filter.clone(),
        jobs: arguments.jobs,
        pki: arguments.pki.clone(),
        port_base: arguments.port_base,
        bind: arguments.bind,
        claims: arguments.claims.clone(),
        log: arguments.log.clone(),
        ..RunRequest::new(clock::seed(arguments.seed)?, clock::now())
    };
    selection::check(&request)?;
    if let Some(dir) = &arguments.out {
        make_folder(dir)?;
    }

    let finding = watched(arguments.json, async |on_event| {
        runner::discover(&request, arguments.repeat, on_event).await
    })?;

    let claims = &finding.discovery.claims;
    let notes = notes(&known, &finding);
    if let Some(dir) = &arguments.out {
        known
            .write_with(claims, &notes, dir)
            .map_err(|error| if error.is_input() { Failure::input(error) } else { Failure::work(error) })?;
    }
    let text =
        if arguments.json { json(&known, &finding)? } else { text(arguments, &known, &finding, &notes) };
    streams::print(&text)?;
    Ok(ExitCode::from(u8::from(!finding.unexplained.is_empty())))
}

/// The gateway whose folder is copied and whose claims are compared.
fn known(arguments: &Arguments) -> Result<Gateway, Failure> {
    let gateway = selection::gateway(&arguments.gateway)?;
    match (&arguments.claims, gateway.kind()) {
        (Some(like), GatewayKind::External) => selection::gateway(like),
        (Some(_), GatewayKind::Direct | GatewayKind::Reference | GatewayKind::Program) | (None, _) => {
            Ok(gateway)
        }
    }
}

fn notes(known: &Gateway, finding: &Finding) -> Vec<String> {
    let version = known.version().map_or_else(String::new, |version| format!(" {version}"));
    let mut notes = vec![format!("Measured with {}{version} by `gauntlet discover`.", known.name())];
    let untold = &finding.discovery.untold;
    notes.extend(untold.iter().map(|claim| format!("{claim}: not told by what was measured.")));
    notes
}

fn text(arguments: &Arguments, known: &Gateway, finding: &Finding, notes: &[String]) -> String {
    let mut text = String::new();
    let discovery = &finding.discovery;
    if arguments.out.is_none() {
        text.push_str(&Gateway::claims_as_toml(&discovery.claims, notes));
        text.push('\n');
    }
    let differences = differences(known, finding);
    if known.claims() != &Claims::default() {
        let _ = writeln!(
            text,
            "{}",
            match differences.len() {
                0 => format!("as {} claims", known.name()),
                _ => format!("otherwise than {} claims:", known.name()),
            }
        );
        for line in &differences {
            let _ = writeln!(text, "  {line}");
        }
    }
    if !finding.unexplained.is_empty() {
        let _ = writeln!(text, "what no claims explain, and `gauntlet run` will hold against it:");
        for (id, verdict) in &finding.unexplained {
            let _ = writeln!(text, "  {id}  {}  {}", verdict.kind(), verdict.because().unwrap_or_default());
        }
    }
    let explained = finding.cells - finding.unexplained.len();
    let _ = writeln!(text, "{} cells measured, {explained} explained by the claims", finding.cells);
    if let Some(dir) = &arguments.out {
        let dir = dir.display();
        let again = match known.kind() {
            GatewayKind::Program if arguments.claims.is_none() => format!("--gateway {dir}"),
            GatewayKind::Direct | GatewayKind::Reference | GatewayKind::External | GatewayKind::Program => {
                format!("--gateway {} --claims {dir}", arguments.gateway)
            }
        };
        let again = if again.contains('/') { again } else { again.replace("--gateway ", "--gateway ./") };
        let _ = writeln!(text, "written to {dir}/gateway.toml; see it hold: gauntlet run {again}");
    }
    text
}

fn differences(known: &Gateway, finding: &Finding) -> Vec<String> {
    finding.discovery.differences(known.claims())
}

fn json(known: &Gateway, finding: &Finding) -> Result<String, Failure> {
    let unexplained: Vec<_> = finding
        .unexplained
        .iter()
        .map(|(id, verdict)| {
            serde_json::json!({
                "id": id.to_string(),
                "verdict": verdict.kind(),
                "because": verdict.because(),
            })
        })
        .collect();
    let object = serde_json::json!({
        "gateway": known.name(),
        "version": known.version(),
        "cells": finding.cells,
        "claims": finding.discovery.claims,
        "untold": finding.discovery.untold,
        "differences": differences(known, finding),
        "unexplained": unexplained,
    });
    let text =
        serde_json::to_string_pretty(&object).map_err(|error| work_error!("cannot write JSON: {error}"))?;
    Ok(format!("{text}\n"))
}
