//! `gauntlet serve`: keeps backends up, for debugging by hand or for a gateway elsewhere.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use serde::Serialize;
use tls_gauntlet_certs::{ClientRecipe, Pki};
use tls_gauntlet_scenarios::{BackendProfile, Composed, catalogue};

use super::{
    by_hand::{self, Files},
    certs, clock,
    failure::{Failure, input_error, work_error},
    signals::Signals,
    streams,
};
use crate::{
    backend::{Fleet, FleetError, FleetOptions},
    gateway::RunFolder,
    limits::Limits,
    report::{Detail, text::wrap},
};

/// Keeps backends up until ctrl-c, and prints for each one its URL and a `curl` line that can be pasted.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Backends (`gauntlet list backends`), joined by + to compose them; all if none is named.
    #[arg(value_name = "BACKEND[+BACKEND…]")]
    backends: Vec<String>,
    /// The address to listen on. Anything but loopback opens weak TLS to other machines.
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// A host name by which a gateway elsewhere dials the backends; goes into their certificates.
    #[arg(long, value_name = "HOST")]
    name: Vec<String>,
    /// The first port, the next backend gets the next one; ephemeral ones if absent.
    #[arg(long, value_name = "N")]
    port_base: Option<u16>,
    /// The seed of names and serial numbers; random if absent.
    #[arg(long)]
    seed: Option<u64>,
    /// One JSON object for each backend and line.
    #[arg(long)]
    json: bool,
}

/// One backend that is up.
#[derive(Debug, Serialize)]
struct Served {
    backend: String,
    summary: String,
    url: String,
    port: u16,
    ca: String,
    curl: String,
    client_certificate: String,
    client_key: String,
    s_client: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<String>,
}

pub(super) fn serve(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let plan = plan(&arguments.backends)?;
    let names = certs::names(&arguments.name)?;
    if arguments.port_base.is_some_and(|base| usize::from(u16::MAX - base) + 1 < plan.len()) {
        return Err(input_error!(
            "{} backends do not fit between --port-base {} and 65535; choose a lower one",
            plan.len(),
            arguments.port_base.unwrap_or_default()
        ));
    }
    let pki = Pki::new(clock::seed(arguments.seed)?, clock::now()).map_err(Failure::work)?;
    let folder = RunFolder::new().map_err(|error| work_error!("cannot make a private folder: {error}"))?;
    let files = write_files(&pki, folder.path())?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| work_error!("cannot start the threads of the backends: {error}"))?;
    runtime.block_on(async {
        let signals = Signals::catch()?;
        let options = FleetOptions {
            bind: arguments.bind,
            port_base: arguments.port_base,
            names,
            limits: Limits::default(),
        };
        let fleet = Fleet::start(&plan, &Arc::new(pki), &options).await.map_err(could_not_start)?;
        let ports = fleet.backends().iter().map(|backend| backend.address().port());
        let served: Vec<_> = plan
            .iter()
            .zip(ports)
            .map(|(composed, port)| Served::new(composed, port, arguments.bind, &files))
            .collect();
        if !arguments.bind.is_loopback() {
            streams::note(&warning(&served, arguments.bind));
        }
        streams::print(&told(&served, &files, arguments.json)?)?;
        streams::note("ready; ctrl-c ends it");
        signals.received().await;
        drop(fleet);
        Ok(ExitCode::SUCCESS)
    })
}

fn could_not_start(error: FleetError) -> Failure {
    match error {
        FleetError::Unknown(_) | FleetError::PortRange { .. } => Failure::input(error),
        FleetError::Bind { address, source, .. } => {
            let remedy = if address.port() == 0 {
                "pass --bind with an address of this machine"
            } else {
                "choose another --port-base, or none"
            };
            work_error!("cannot listen on {address}: {source}; {remedy}")
        }
        FleetError::Setup { .. } | FleetError::Certificates(_) => Failure::work(error),
    }
}

/// The backends that were named, all if none was.
fn plan(named: &[String]) -> Result<Vec<Composed>, Failure> {
    if named.is_empty() {
        return Ok(catalogue()
            .backends()
            .map(|(name, _, profile)| Composed::single(name, profile))
            .collect());
    }
    named.iter().map(|name| catalogue().backend(name).map_err(Failure::input)).collect()
}

/// What callers need, in a folder that is theirs and ours alone.
fn write_files(pki: &Pki, folder: &Path) -> Result<Files, Failure> {
    let put = |name: &str, content: Vec<u8>| -> Result<String, Failure> {
        let path = folder.join(name);
        fs::write(&path, content).map_err(|error| work_error!("cannot write {}: {error}", path.display()))?;
        Ok(path.display().to_string())
    };
    let client = pki.client(ClientRecipe::Good).map_err(Failure::work)?;
    let root = pki.server_root().to_pem().map_err(Failure::work)?;
    Ok(Files {
        ca: put("ca.pem", root)?,
        certificate: put("client.pem", client.chain_pem().into())?,
        key: put("client.key", client.key_pem().into())?,
    })
}

impl Served {
    fn new(composed: &Composed, port: u16, bind: IpAddr, files: &Files) -> Self {
        let host = if bind.is_loopback() || bind.is_unspecified() {
            "localhost".to_owned()
        } else {
            bind.to_string()
        };
        let in_url = if host.contains(':') { format!("[{host}]") } else { host };
        let profile: &BackendProfile = &composed.profile;
        let url = format!("https://{}:{port}/", by_hand::called(profile, &in_url));
        Self {
            backend: composed.name.clone(),
            summary: profile.summary.clone(),
            port,
            ca: files.ca.clone(),
            curl: by_hand::curl(profile, &url, files),
            client_certificate: files.certificate.clone(),
            client_key: files.key.clone(),
            s_client: by_hand::s_client(profile, &in_url, &port.to_string(), files),
            expect: by_hand::what_to_expect(profile),
            url,
        }
    }
}

fn told(served: &[Served], files: &Files, as_json: bool) -> Result<String, Failure> {
    if as_json {
        let lines: Result<Vec<_>, _> = served.iter().map(serde_json::to_string).collect();
        let lines = lines.map_err(|error| work_error!("cannot write JSON: {error}"))?;
        return Ok(lines.join("\n") + "\n");
    }
    let width = streams::look(Detail::Normal).width;
    let mut lines = vec![
        format!("trust               {}", files.ca),
        format!("client certificate  {}", files.certificate),
        format!("its key             {}", files.key),
    ];
    for Served { backend, summary, url, curl, expect, .. } in served {
        lines.push(String::new());
        lines.push(format!("{backend}  {url}"));
        lines.extend(wrap(&format!("  {summary}"), width, 2, 2).into_iter().enumerate().map(
            |(nth, line)| {
                if nth == 0 { format!("  {line}") } else { line }
            },
        ));
        if let Some(expect) = expect {
            lines.push(format!("  ({expect})"));
        }
        // Copied as a whole, so never broken.
        lines.push(format!("  {curl}"));
    }
    Ok(lines.join("\n") + "\n")
}

fn warning(served: &[Served], bind: IpAddr) -> String {
    let ports: Vec<_> = served.iter().map(|served| served.port.to_string()).collect();
    format!(
        "warning: {bind} can be reached from other machines, and these ports speak weak or broken TLS: {}",
        ports.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_backends_that_are_up() {
        let files = Files {
            ca: "/run/ca.pem".to_owned(),
            certificate: "/run/client.pem".to_owned(),
            key: "/run/client.key".to_owned(),
        };
        let plan = ["plain-good", "renegotiation-required", "tls10-only+expired-leaf"];
        let plan = plan.map(|name| catalogue().backend(name).unwrap());
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let served: Vec<_> =
            (4001..).zip(&plan).map(|(port, composed)| Served::new(composed, port, local, &files)).collect();
        insta::assert_snapshot!("told", told(&served, &files, false).unwrap());
        insta::assert_snapshot!("told-json", told(&served, &files, true).unwrap());
        insta::assert_snapshot!("warning", warning(&served, IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    }
}
