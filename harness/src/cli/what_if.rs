//! `gauntlet what-if`: what would change between two settings of a gateway, by the model.

use std::process::ExitCode;

use clap::Args;
use tls_gauntlet_scenarios::{
    catalogue,
    what_if::{self as model, Effect},
};

use super::{
    diff::print,
    failure::{Failure, input_error},
    presets, selection, setting,
};
use crate::{presets as recorded, report::what_if};

/// The listener of a gateway that is named without one.
const LISTENER: &str = "default";

/// Says what would change between two settings of a gateway: which backends and clients it would lose or gain. Nothing is
/// run, the model answers.
///
/// With --clients: which recorded clients (browsers, Java, .NET, Python, OpenSSL …) get through each listener. What breaks comes
/// first. Exits with 1 if something breaks.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A gateway as `gauntlet run` takes it, with options where it has some, and behind a colon the upstream [default: strict] or,
    /// with --clients, the listener [default: default]: `nginx:max-tls12`, `azure-apim-classic@2025-08`.
    #[arg(value_name = "GATEWAY[+OPTION][:SETTING]")]
    before: String,
    /// That gateway after the change: `nginx:strict`, `azure-apim-classic@2025-08+backend-tls13`.
    #[arg(value_name = "GATEWAY[+OPTION][:SETTING]", required_unless_present = "clients")]
    after: Option<String>,
    /// What becomes of recorded clients (`gauntlet list presets`) at the listener of each.
    #[arg(long)]
    clients: bool,
    /// As JSON, with what stays as it is.
    #[arg(long)]
    json: bool,
}

pub(super) fn what_if(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let places: Vec<&String> = [&arguments.before].into_iter().chain(&arguments.after).collect();
    if let Some(file) = places.iter().find(|place| place.ends_with(".json")) {
        return Err(input_error!("{file} is a record; `gauntlet diff BEFORE AFTER` compares those"));
    }
    match (arguments.clients, &places[..]) {
        (false, [before, after]) => of_settings(before, after, arguments.json),
        (_, places) => of_clients(places, arguments.json),
    }
}

fn of_settings(before: &str, after: &str, json: bool) -> Result<ExitCode, Failure> {
    let (before, after) = (setting::named(before)?, setting::named(after)?);
    let all = model::compare(&before, &after);
    print(json, &all, |look| what_if::render(&before.name, &after.name, &all, look))?;
    Ok(ExitCode::from(u8::from(all.iter().any(|change| change.effect == Effect::Breaks))))
}

fn of_clients(places: &[&String], json: bool) -> Result<ExitCode, Failure> {
    let column = |place: &&String| {
        let (gateway, listener) = place.split_once(':').unwrap_or((place, LISTENER));
        let profile = catalogue().listener(listener).map_err(Failure::input)?;
        Ok((place.to_string(), recorded::at_gateway(selection::gateway(gateway)?.claims(), profile)))
    };
    presets::show(&places.iter().map(column).collect::<Result<Vec<_>, Failure>>()?, json)
}
