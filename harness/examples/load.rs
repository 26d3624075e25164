//! What `ci/bench.sh` measures with: backends in a process of their own, and a bounded number of calls to a server.
//!
//! ```console
//! $ load serve PKI BACKEND…     prints the port of each, and serves until its standard input ends
//! $ load call PKI PORT CALLS    calls with a client certificate, 16 at a time; prints what a call took
//! $ load names PKI COUNT DIR    writes COUNT certificates, each for a name of its own
//! $ load start PKI COUNT        starts COUNT backends, each with such a certificate, and waits as `serve` does
//! ```
//!
//! PKI is a folder of `gauntlet certs`, so that both sides, and a gateway beside them, know each other.

#![allow(clippy::print_stdout, reason = "the output of an example")]

use std::{
    env, fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    slice,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use time::OffsetDateTime;
use tls_gauntlet::{
    backend::{Fleet, FleetOptions},
    client::{DialerSettings, Probe, Target},
    gateway::BACKEND_NAME,
    limits::Limits,
};
use tls_gauntlet_certs::{ClientCertificate, Name, Pki, ServerCertificate};
use tls_gauntlet_scenarios::catalogue;
use tokio::task::{JoinSet, spawn_blocking};

const JOBS: usize = 16;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", pki, ref backends @ ..] => serve(&open(pki)?, backends).await,
        ["call", pki, port, calls] => {
            call(&open(pki)?, (Ipv4Addr::LOCALHOST, port.parse()?).into(), calls.parse()?).await
        }
        ["names", pki, count, folder] => names(&*open(pki)?, count.parse()?, Path::new(folder)),
        ["start", pki, count] => start(&open(pki)?, count.parse()?).await,
        _ => anyhow::bail!(
            "usage: load serve PKI BACKEND… | call PKI PORT CALLS | names PKI COUNT DIR | start PKI COUNT"
        ),
    }
}

fn open(folder: &str) -> anyhow::Result<Arc<Pki>> {
    #[allow(clippy::disallowed_methods, reason = "an example is its own command line")]
    let now = OffsetDateTime::now_utc();
    Ok(Arc::new(Pki::open(Path::new(folder), 1, now)?))
}

async fn serve(pki: &Arc<Pki>, backends: &[&str]) -> anyhow::Result<()> {
    let plan = backends.iter().map(|name| catalogue().backend(name)).collect::<Result<Vec<_>, _>>()?;
    let fleet = Fleet::start(&plan, pki, &FleetOptions::default()).await?;
    for backend in fleet.backends() {
        println!("{}", backend.address().port());
    }
    spawn_blocking(|| io::read_to_string(io::stdin())).await??;
    Ok(())
}

/// The names of many servers.
fn many(count: usize) -> impl Iterator<Item = Name> {
    (0..count).map(|number| Name::Dns(format!("server-{number}.gauntlet.test")))
}

fn names(pki: &Pki, count: usize, folder: &Path) -> anyhow::Result<()> {
    for name in many(count) {
        let identity = pki.server(ServerCertificate::Good, slice::from_ref(&name))?;
        fs::write(folder.join(format!("{name}.pem")), identity.chain_pem() + &identity.key_pem())?;
    }
    Ok(())
}

async fn start(pki: &Arc<Pki>, count: usize) -> anyhow::Result<()> {
    let plan = [catalogue().backend("plain-good")?];
    let mut fleets = Vec::new();
    for name in many(count) {
        let options = FleetOptions { names: vec![name], ..FleetOptions::default() };
        fleets.push(Fleet::start(&plan, pki, &options).await?);
    }
    println!("{} backends", fleets.len());
    spawn_blocking(|| io::read_to_string(io::stdin())).await??;
    Ok(())
}

async fn call(pki: &Arc<Pki>, address: SocketAddr, calls: usize) -> anyhow::Result<()> {
    let settings = DialerSettings {
        identity: Some(pki.client(ClientCertificate::Good)?),
        ..DialerSettings::sound(BACKEND_NAME, pki)
    };
    let probe = Probe::new(&settings, Limits::default())?;
    let target = Target {
        address,
        host: BACKEND_NAME.to_owned(),
        path: "/n-0123456789abcdef".to_owned(),
        nonce: "n-0123456789abcdef".to_owned(),
    };
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for worker in 0..JOBS {
        let (probe, target) = (probe.clone(), target.clone());
        workers.spawn(async move {
            let mut took = Vec::new();
            for _ in (worker..calls).step_by(JOBS) {
                let began = Instant::now();
                let saw = probe.get(&target).await;
                ensure!(saw.status == Some(200) && saw.complete, "a call came to nothing: {saw:?}");
                took.push(began.elapsed());
            }
            Ok(took)
        });
    }
    let mut took: Vec<Duration> = Vec::new();
    while let Some(worker) = workers.join_next().await {
        took.extend(worker??);
    }
    took.sort_unstable();
    let median = took.get(took.len() / 2).context("there was nothing to call")?;
    println!("{:.2} s, {:.1} ms each", began.elapsed().as_secs_f64(), median.as_secs_f64() * 1000.0);
    Ok(())
}
