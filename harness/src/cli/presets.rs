//! `gauntlet presets`: which of the clients out there get through, and which die when a version goes.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tls_gauntlet_scenarios::catalogue;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{
    failure::{Failure, work_error},
    selection, streams,
};
use crate::{
    limits::Limits,
    presets::{self, Fate},
    report::{Detail, presets as report},
    scan::Target,
};

/// The listener of a gateway that is named without one.
const LISTENER: &str = "default";

/// Shows recorded clients (browsers, Java, .NET, Python, OpenSSL and more, old and new), and which of them get through the
/// handshake: with a server, by sending it what they send; with a gateway, by the model.
///
/// Exits with 1 if one gets through at the first of several and not at the last.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A server; or a gateway as `gauntlet run` takes it, with options where it has some and the listener behind a colon:
    /// `azure-resource-manager@2025-03:legacy` [listener: default]. Without any: the clients, and who recorded them.
    #[arg(value_name = "HOST:PORT|GATEWAY[+OPTION][:LISTENER]")]
    places: Vec<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn presets(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut columns: Vec<(String, Vec<Fate>)> = Vec::new();
    for place in &arguments.places {
        columns.push((place.clone(), fates(place)?));
    }
    let text = match (arguments.json, columns.is_empty()) {
        (false, true) => report::list(presets::all(), &streams::look(Detail::Normal)),
        (false, false) => report::table(&columns, &streams::look(Detail::Normal)),
        (true, true) => pretty(&listed())?,
        (true, false) => {
            let places = columns.iter().map(|(place, clients)| json!({ "place": place, "clients": clients }));
            pretty(&places.collect::<Vec<_>>())?
        }
    };
    streams::print(&text)?;
    Ok(ExitCode::from(u8::from(!report::lost(&columns).is_empty())))
}

fn listed() -> Vec<serde_json::Value> {
    let entry = |(name, preset): &(String, presets::Preset)| json!({ "name": name, "preset": preset, "hello": preset.hello() });
    presets::all().iter().map(entry).collect()
}

fn pretty(value: &impl serde::Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    Ok(text.map_err(|error| work_error!("cannot write the clients as JSON: {error}"))? + "\n")
}

/// What ends in a number behind a colon is a server.
fn fates(place: &str) -> Result<Vec<Fate>, Failure> {
    let (gateway, listener) = place.split_once(':').unwrap_or((place, LISTENER));
    if place.contains(':') && place.rsplit(':').next().is_some_and(|port| port.parse::<u32>().is_ok()) {
        return of_server(&place.parse().map_err(Failure::input)?);
    }
    let profile = catalogue().listener(listener).map_err(Failure::input)?;
    let gateway = selection::gateway(gateway)?;
    Ok(presets::at_gateway(gateway.claims(), profile))
}

fn of_server(target: &Target) -> Result<Vec<Fate>, Failure> {
    let limits = Limits::default();
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| work_error!("cannot start the threads of the calls: {error}"))?;
    runtime.block_on(async {
        let found = timeout(limits.scan_connect, lookup_host((target.host.as_str(), target.port))).await;
        let address = found.ok().and_then(Result::ok).and_then(|mut addresses| addresses.next());
        let address =
            address.ok_or_else(|| work_error!("cannot resolve {}; name an address", target.host))?;
        // Where nobody listens, every client is refused, and that says nothing.
        let connected = timeout(limits.scan_connect, TcpStream::connect(address)).await;
        let because = match connected {
            Ok(Ok(_)) => return Ok(presets::at_server(address, target.name(), limits).await),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "nobody answers".to_owned(),
        };
        Err(work_error!(
            "cannot reach {}:{}: {because}; name a server that listens",
            target.host,
            target.port
        ))
    })
}
