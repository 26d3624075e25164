//! `gauntlet discover`: measures a gateway and writes its claims.

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use clap::Args;
use tls_gauntlet_scenarios::Claims;

use super::{
    clock,
    failure::{Failure, work_error},
    options::{CallOptions, SelectionOptions},
    run::watched,
    selection,
    streams::{self, make_folder},
};
use crate::{
    gateway::Gateway,
    record::GatewayKind,
    runner::{self, Finding, RunRequest},
};

/// How often everything is measured unless somebody says otherwise.
const REPEAT: u32 = 2;

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
    #[command(flatten)]
    selection: SelectionOptions,
    #[command(flatten)]
    calls: CallOptions,
    /// No progress.
    #[arg(long)]
    quiet: bool,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn discover(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let known = known(arguments)?;
    let request = RunRequest {
        gateways: vec![arguments.gateway.clone()],
        ..RunRequest::new(clock::seed(arguments.calls.seed)?, clock::now())
    };
    let request = arguments.selection.put_into(arguments.calls.put_into(request)?);
    selection::check(&request)?;
    if let Some(dir) = &arguments.out {
        make_folder(dir)?;
    }

    let finding = watched(arguments.quiet || arguments.json, None, async |on_event| {
        runner::discover(&request, arguments.calls.repeat.unwrap_or(REPEAT), on_event).await
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
    match (&arguments.selection.claims, gateway.kind()) {
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
            GatewayKind::Program if arguments.selection.claims.is_none() => format!("--gateway {dir}"),
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
