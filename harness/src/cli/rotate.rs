//! `gauntlet rotate`: certificates that change under steady traffic.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{
    clock,
    failure::{Failure, input_error, work_error},
    run::watched,
    selection, streams,
};
use crate::{
    report::{Detail, rotation as report},
    rotation::{self, Change, DEFAULT_RATE, DEFAULT_SECONDS, RotationRequest},
    written,
};

/// Changes certificates while requests go on at a steady pace: those of the backend, its authority, the gateway's own, its
/// trust store. No request may fail, the change must be seen once, and the old one must be refused afterwards.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all went as it must; 1 something did not; 2 usage or input error; 3 Gauntlet could \
                        not do its work."
)]
pub(super) struct Arguments {
    /// What is to change: backend-certificate, backend-authority, client-certificate, trust-store, access-denied,
    /// version-disabled [default: all, one after the other].
    #[arg(value_name = "CHANGE")]
    changes: Vec<String>,
    /// A gateway: a name (`gauntlet list gateways`), or a folder with a gateway.toml [default: reference].
    #[arg(long, value_name = "NAME|DIR")]
    gateway: Vec<String>,
    /// Requests a second, each over a connection of its own. They begin at this pace whether the gateway answers or not.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_RATE)]
    rate: u32,
    /// Seconds of traffic for each change: half of them before it, half once it has been seen.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SECONDS)]
    seconds: u32,
    /// The seed of names and serial numbers; random if absent.
    #[arg(long)]
    seed: Option<u64>,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
    /// A file for the record, as JSON, beside what is printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// No progress.
    #[arg(long, short)]
    quiet: bool,
}

/// More than that, and a machine measures itself.
const MOST: u32 = 10_000;

pub(super) fn rotate(arguments: &Arguments) -> Result<ExitCode, Failure> {
    for (option, value) in [("--rate", arguments.rate), ("--seconds", arguments.seconds)] {
        if value == 0 || value > MOST {
            return Err(input_error!("{option} {value} makes no sense; pass 1 to {MOST}"));
        }
    }
    let changes: Result<Vec<Change>, _> = arguments.changes.iter().map(|change| change.parse()).collect();
    let request = RotationRequest {
        gateways: arguments.gateway.clone(),
        changes: changes.map_err(Failure::input)?,
        rate: arguments.rate,
        seconds: arguments.seconds,
        ..RotationRequest::new(clock::seed(arguments.seed)?, clock::now())
    };
    for name in &request.gateways {
        selection::gateway(name)?;
    }
    request.resolve().map_err(Failure::input)?;
    if let Some(file) = &arguments.out {
        // Before the traffic, so that nothing is measured in vain.
        written::can_be(file).map_err(|error| {
            input_error!("cannot write the record to {}: {error}; name another file", file.display())
        })?;
    }
    let quiet = arguments.quiet || arguments.json;
    let record = watched(quiet, None, async |on_event| rotation::rotate(&request, on_event).await)?;
    if let Some(file) = &arguments.out {
        written::whole(file, report::json(&record))
            .map_err(|error| work_error!("cannot write the record to {}: {error}", file.display()))?;
    }
    streams::print(&if arguments.json {
        report::json(&record)
    } else {
        report::console(&record, &streams::look(Detail::Normal))
    })?;
    Ok(ExitCode::from(record.exit_code()))
}
