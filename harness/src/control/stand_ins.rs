//! Stand-ins: ports that play one backend after another, for a gateway whose configuration stays as it is.

use std::{collections::BTreeMap, net::SocketAddr};

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tls_gauntlet_certs::Name;
use tls_gauntlet_scenarios::{UnknownName, catalogue};
use tokio::sync::Mutex;

use super::State;
use crate::{
    backend::{FleetError, FleetOptions, StandIn},
    http::Problem,
};

/// The most stand-ins there may be.
const MOST: usize = 100;

/// The stand-ins by their ports.
pub(super) type StandIns = Mutex<BTreeMap<u16, Held>>;

/// A stand-in, and the name that its certificates are made out to.
#[derive(Debug)]
pub(super) struct Held {
    stand_in: StandIn,
    name: String,
}

/// What a stand-in is to play.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    backend: String,
    #[serde(default)]
    name: Option<String>,
}

impl Held {
    fn told(&self) -> Value {
        let address = self.stand_in.address();
        json!({
            "port": address.port(),
            "address": address.to_string(),
            "name": self.name,
            "plays": self.stand_in.plays(),
            "connections": self.stand_in.ledger(),
        })
    }
}

/// Every one.
pub(super) async fn list(state: &State) -> Vec<Value> {
    state.stand_ins.lock().await.values().map(Held::told).collect()
}

/// One of them.
pub(super) async fn show(state: &State, port: u16) -> Result<Value, Problem> {
    let held = state.stand_ins.lock().await;
    held.get(&port).map(Held::told).ok_or_else(|| not_held(port))
}

/// Gives a port back.
pub(super) async fn release(state: &State, port: u16) -> Result<Value, Problem> {
    let held = state.stand_ins.lock().await.remove(&port);
    held.as_ref().map(Held::told).ok_or_else(|| not_held(port))
}

/// Plays a backend on a port from the next connection on; holds the port first if need be. Port 0 is any that is free.
pub(super) async fn play(state: &State, port: u16, body: &[u8]) -> Result<(StatusCode, Value), Problem> {
    let part: Part = serde_json::from_slice(body).map_err(|error| {
        Problem::bad_request(format!(
            "{error}; write {{\"backend\": \"expired-leaf\", \"name\": \"orders.internal\"}}"
        ))
    })?;
    let backend = catalogue().backend(&part.backend).map_err(|error| match error {
        UnknownName::NotFound { .. } | UnknownName::Option(_) => Problem::not_found(error),
        UnknownName::Contradiction(_) => Problem::new(StatusCode::CONFLICT, error),
    })?;
    // Held until it is played, so that two who ask for the same port follow one another.
    let mut all = state.stand_ins.lock().await;
    let is_new = !all.contains_key(&port);
    let at = if is_new { hold(state, &mut all, port, part.name.as_deref()).await? } else { port };
    let held = all.get_mut(&at).ok_or_else(|| not_held(at))?;
    if let Some(other) = part.name.filter(|name| *name != held.name) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("port {at} is held for {}, not for {other}; DELETE it first", held.name),
        ));
    }
    held.stand_in.play(&backend).await.map_err(|error| Problem::internal(&error))?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, held.told()))
}

async fn hold(
    state: &State,
    all: &mut BTreeMap<u16, Held>,
    port: u16,
    name: Option<&str>,
) -> Result<u16, Problem> {
    if all.len() >= MOST {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("there are {MOST} stand-ins; that is the most"),
        ));
    }
    let (pki, options) = {
        let fleet = state.fleet.read().await;
        (std::sync::Arc::clone(fleet.pki()), fleet.options().clone())
    };
    let names = match name {
        Some(name) => vec![name.parse::<Name>().map_err(Problem::bad_request)?],
        None => options.names.clone(),
    };
    let name = names.first().map(ToString::to_string).unwrap_or_default();
    let address = SocketAddr::new(options.bind, port);
    let options = FleetOptions { names, ..options };
    let stand_in = StandIn::hold_with(address, &pki, &options).await.map_err(|error| match error {
        FleetError::Bind { source, .. } => {
            Problem::new(StatusCode::CONFLICT, format!("port {port} cannot be had: {source}"))
        }
        error => Problem::internal(&error),
    })?;
    let port = stand_in.address().port();
    all.insert(port, Held { stand_in, name });
    Ok(port)
}

fn not_held(port: u16) -> Problem {
    Problem::not_found(format!("no stand-in holds port {port}; POST /stand-ins/{port} makes one"))
}
