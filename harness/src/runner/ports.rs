//! The fleet of a run: where it listens, what its certificates are for, and who is meant to call it.

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tls_gauntlet_certs::{Name, Pki};

use super::{RunError, RunRequest, column::Column};
use crate::{
    backend::{Fleet, FleetError, FleetOptions},
    gateway::BACKEND_NAME,
    record::GatewayKind,
    wire::caller::{Callers, Meant},
};

/// Where a fleet listens whose place others have to know.
pub(super) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Starts one fleet for all columns; each cell learns the index of its backend.
pub(super) async fn start(
    columns: &mut [Column],
    pki: &Arc<Pki>,
    request: &RunRequest,
) -> Result<Fleet, RunError> {
    let own = request.bind.unwrap_or_else(|| {
        let is_known = request.port_base.is_some()
            || columns.iter().any(|column| column.gateway.kind() == GatewayKind::External);
        if is_known { LOCALHOST } else { own_address() }
    });
    let mut names: Vec<Option<String>> = Vec::new();
    for column in columns.iter() {
        let name = column.gateway.dials().map(str::to_owned);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut whole: Option<Fleet> = None;
    for name in names {
        let first = whole.as_ref().map_or(0, |fleet| fleet.backends().len());
        let mut plan = Vec::new();
        for column in columns.iter_mut().filter(|column| column.gateway.dials() == name.as_deref()) {
            column.take_lanes(first, &mut plan);
        }
        // A name that a gateway dials leads where the system says, which for every name of this machine is here.
        let bind = name.as_ref().map_or(own, |_| request.bind.unwrap_or(LOCALHOST));
        let options = FleetOptions {
            bind,
            port_base: request
                .port_base
                .map(|base| base.saturating_add(u16::try_from(first).unwrap_or(u16::MAX))),
            names: certified(name.as_deref(), bind),
            limits: request.limits,
            recorder: request.recorder.clone(),
            ..FleetOptions::default()
        };
        let fleet = Fleet::start(&plan, pki, &options).await.map_err(|error| match error {
            FleetError::Unknown(_) | FleetError::PortRange { .. } => RunError::request(error),
            other => RunError::work_with_cause(&other),
        })?;
        whole = Some(match whole {
            Some(whole) => whole.joined_by(fleet),
            None => fleet,
        });
    }
    let fleet = whole.ok_or_else(|| RunError::Request("no gateway is named".to_owned()))?;
    for column in columns.iter() {
        let callers = Callers::of(meant(column));
        for cell in column.cells.iter().filter(|cell| cell.is_called()) {
            fleet.backends()[cell.lane].expect(callers.clone());
        }
    }
    Ok(fleet)
}

/// Who calls the backends of a column.
fn meant(column: &Column) -> Meant {
    match column.gateway.kind() {
        GatewayKind::Direct | GatewayKind::Reference => Meant::Ourselves,
        // The engine starts what runs in a container.
        GatewayKind::Program if column.gateway.engine().is_some() => Meant::Anybody,
        GatewayKind::Program => Meant::Started,
        GatewayKind::External => Meant::Anybody,
    }
}

/// What the certificates of backends are for: first the name that the gateway dials.
fn certified(dialled: Option<&str>, bind: IpAddr) -> Vec<Name> {
    const ALSO: &str = "localhost";
    let first = dialled.unwrap_or(BACKEND_NAME);
    let others = [BACKEND_NAME, ALSO].into_iter().filter(|name| *name != first);
    let address = if bind.is_unspecified() { LOCALHOST } else { bind };
    let hosts = [first].into_iter().chain(others).map(|name| Name::Dns(name.to_owned()));
    hosts.chain([Name::Ip(address)]).collect()
}

/// An address of this machine that nobody else is likely to call: all of 127/8 is loopback on Linux; elsewhere it is
/// 127.0.0.1 alone (RFC 6890 2.2.2 leaves it open).
fn own_address() -> IpAddr {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    // Two runs on one machine have different processes, two in one process different numbers.
    let [_, a, b, c] =
        process::id().wrapping_mul(0x9E37_79B1).wrapping_add(run.wrapping_mul(0x0001_0101)).to_be_bytes();
    let within = |byte: u8| 1 + byte % 254;
    let address = IpAddr::V4(Ipv4Addr::new(127, within(a), b, within(c)));
    if TcpListener::bind((address, 0)).is_ok() { address } else { LOCALHOST }
}
