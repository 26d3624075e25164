//! `gauntlet hello`: answers each caller with what its ClientHello offered.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
};

use clap::Args;
use tls_gauntlet_certs::Pki;

use super::{
    certs, clock,
    failure::{Failure, work_error},
    signals::Signals,
    streams,
};
use crate::{
    gateway::RunFolder,
    hello::{Heard, Hello, HelloError, HelloOptions},
    limits::Limits,
    report::text::printable,
};

/// Answers each caller, until ctrl-c, with what its ClientHello offered: a page for browsers, JSON for others. Callers
/// that cannot complete the handshake are kept as well: GET /hello lists all, GET /hello/ID shows one.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The address to listen on. Anything but loopback opens weak TLS to other machines, and shows everybody who called.
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// The port; an ephemeral one if absent.
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
    /// A host name by which it is called; goes into its certificate.
    #[arg(long, value_name = "HOST")]
    name: Vec<String>,
    /// One JSON object on each line: where it listens, then each caller.
    #[arg(long)]
    json: bool,
}

pub(super) fn hello(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let names = certs::names(&arguments.name)?;
    let pki = Pki::new(clock::seed(None)?, clock::now()).map_err(Failure::work)?;
    let folder = RunFolder::new().map_err(|error| work_error!("cannot make a private folder: {error}"))?;
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, pki.server_root().to_pem().map_err(Failure::work)?)
        .map_err(|error| work_error!("cannot write {}: {error}", ca.display()))?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| work_error!("cannot start the threads of the server: {error}"))?;
    runtime.block_on(async {
        let signals = Signals::catch()?;
        let options = HelloOptions {
            bind: SocketAddr::new(arguments.bind, arguments.port),
            names,
            limits: Limits::default(),
        };
        let as_json = arguments.json;
        let tell = move |heard: &Heard| {
            // Where nobody reads on, callers are answered all the same.
            let _ = streams::print(&line(heard, as_json));
        };
        let server = Hello::start(&pki, &options, tell).await.map_err(could_not_start)?;
        let address = server.address();
        if !arguments.bind.is_loopback() {
            streams::note(&format!(
                "warning: {address} can be reached from other machines, speaks weak TLS, and shows who called"
            ));
        }
        let host = if arguments.bind.is_loopback() || arguments.bind.is_unspecified() {
            format!("localhost:{}", address.port())
        } else {
            address.to_string()
        };
        streams::print(&announcement(&host, &ca.display().to_string(), as_json))?;
        streams::note("ready; ctrl-c ends it");
        signals.received().await;
        drop(server);
        Ok(ExitCode::SUCCESS)
    })
}

fn could_not_start(error: HelloError) -> Failure {
    match error {
        HelloError::Bind { .. } => {
            work_error!("{error}; pass --bind with an address of this machine, and another --port or none")
        }
        HelloError::Setup(error) => Failure::work(error),
    }
}

fn announcement(host: &str, ca: &str, as_json: bool) -> String {
    let url = format!("https://{host}/");
    let curl = format!("curl --cacert {ca} {url}");
    if as_json {
        return format!("{}\n", serde_json::json!({ "url": url, "ca": ca, "curl": curl }));
    }
    format!("trust  {ca}\nurl    {url}\n       {curl}\nall    {url}hello\n")
}

fn line(heard: &Heard, as_json: bool) -> String {
    if as_json {
        return serde_json::to_string(heard).map(|text| text + "\n").unwrap_or_default();
    }
    let versions = heard.offered.versions.as_ref().map(ToString::to_string).unwrap_or_default();
    let outcome = match (&heard.agreed, &heard.failure) {
        (Some(agreed), _) => {
            let version = agreed.version.map_or("", |version| version.as_str());
            format!("agreed on {version}, {}", agreed.cipher)
        }
        (None, failure) => format!("failed: {}", failure.as_deref().unwrap_or_default()),
    };
    printable(&format!(
        "/hello/{}  {}  {}  offers {versions}; {outcome}",
        heard.id, heard.peer, heard.offered.ja4
    )) + "\n"
}
