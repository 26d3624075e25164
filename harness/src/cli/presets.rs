//! Recorded clients: the list of them, and what becomes of each at a server (`scan --as`) or a gateway (`what-if --clients`).

use std::process::ExitCode;

use serde_json::json;
use tls_gauntlet_scenarios::{Cause, nearest};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{
    failure::{Failure, input_error, work_error},
    streams,
};
use crate::{
    limits::Limits,
    presets::{self, Fate},
    report::{Detail, presets as report},
    scan::ScanTarget,
};

/// The word for every client there is.
const ALL: &str = "all";

/// The clients, and the source of each recording.
pub(super) fn list(json: bool) -> Result<(), Failure> {
    let entry = |(name, preset): &(String, presets::Preset)| json!({ "name": name, "family": "recorded", "summary": preset.summary, "preset": preset, "hello": preset.hello() });
    let text = if json {
        pretty(&presets::all().iter().map(entry).collect::<Vec<_>>())?
    } else {
        report::list(presets::all(), &streams::look(Detail::Normal))
    };
    streams::print(&text)
}

/// Prints what becomes of each client, place by place. Exits with 1 if one gets through at the first of several and not at
/// the last.
pub(super) fn show(columns: &[(String, Vec<Fate>)], json: bool) -> Result<ExitCode, Failure> {
    let text = if json {
        let places = columns.iter().map(|(place, clients)| json!({ "place": place, "clients": clients }));
        pretty(&places.collect::<Vec<_>>())?
    } else {
        report::table(columns, &streams::look(Detail::Normal))
    };
    streams::print(&text)?;
    Ok(ExitCode::from(u8::from(!report::lost(columns).is_empty())))
}

fn pretty(value: &impl serde::Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    Ok(text.map_err(|error| work_error!("cannot write the clients as JSON: {error}"))? + "\n")
}

/// Sends each server what a recorded client sends, or what all of them do.
pub(super) fn scan_as(client: &str, targets: &[ScanTarget], json: bool) -> Result<ExitCode, Failure> {
    let known = || presets::all().iter().map(|(name, _)| name.as_str());
    if client != ALL && known().all(|name| name != client) {
        let hint = nearest::hint(client, known().chain([ALL]));
        return Err(input_error!(
            "unknown client \"{client}\"{hint}; `gauntlet list presets` shows them, and {ALL} is each"
        ));
    }
    let mut columns = Vec::new();
    for target in targets {
        let fates = of_server(target, client)?;
        columns.push((format!("{}:{}", target.host, target.port), fates));
    }
    show(&columns, json)
}

fn of_server(target: &ScanTarget, client: &str) -> Result<Vec<Fate>, Failure> {
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
            Ok(Ok(_)) => {
                let wanted = |name: &str| client == ALL || name == client;
                let fates = presets::at_server(address, target.name(), wanted, limits).await;
                if fates.iter().any(|fate| fate.cause != Some(Cause::Timeout)) {
                    return Ok(fates);
                }
                "it takes connections and answers none".to_owned()
            }
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
