//! `gauntlet audit`: one leg of a gateway that is running, with nothing of it changed.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use hyper::{Method, Uri};
use openssl::x509::X509;
use tls_gauntlet_certs::{Identity, Pki};
use tls_gauntlet_scenarios::posture::Pass;

use super::{
    clock,
    failure::{Failure, input_error, work_error},
    files,
    options::ReportOptions,
    progress::Progress,
    rehearsal::{self, RehearsalArguments},
    reports::Reports,
    signals::Signals,
    streams,
};
use crate::{
    audit::{Audit, AuditError, AuditLimits, AuditRequest, BackendName, CallSettings, Event, LegRequest},
    backend::{ClientsTaken, FleetError},
};

/// Says how a gateway that is running behaves towards one of its backends, what is wrong with that, and what to set. Nothing
/// of the gateway is changed: Gauntlet holds the host and port that it dials, and calls its URL.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The URL that a client calls; or the configuration of a gateway, which is rehearsed in a sealed world.
    #[arg(value_name = "URL|CONFIG", required = true)]
    url: Vec<String>,
    /// The host and port that the gateway then dials; one for each URL.
    #[arg(long, value_name = "HOST:PORT")]
    backend: Vec<String>,
    /// The address at which Gauntlet listens on that port.
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// The folder of the authorities that the gateway is to trust; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "gauntlet-audit")]
    pki: PathBuf,
    /// Everything, also what makes the gateway wait for its timeouts.
    #[arg(long)]
    thorough: bool,
    /// The authorities whose client certificates the backend takes; every certificate is taken, and described, if absent.
    #[arg(long, value_name = "FILE")]
    client_ca: Option<PathBuf>,
    /// The gateway's log: the lines that come during a call are its evidence.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// How many seconds to wait for the first call that comes through.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    wait: u64,
    #[command(flatten)]
    call: CallArguments,
    #[command(flatten)]
    rehearsal: RehearsalArguments,
    #[command(flatten)]
    reports: ReportOptions,
}

/// How the URL is called.
#[derive(Debug, Args)]
struct CallArguments {
    /// The host to ask for; that of the URL if absent.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Where to connect to, whatever the URL's host resolves to.
    #[arg(long, value_name = "ADDR:PORT")]
    connect_to: Option<SocketAddr>,
    /// A header, as in `authorization: Bearer …`.
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// The method.
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: Method,
    /// A file with the body.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// A file of roots to trust for the gateway's own certificate, instead of the system's.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    trust: Option<PathBuf>,
    /// Does not check the gateway's own certificate.
    #[arg(long)]
    insecure: bool,
    /// A file in PEM with a certificate to show to the gateway, its chain and its key.
    #[arg(long, value_name = "FILE")]
    client_cert: Option<PathBuf>,
}

pub(super) fn audit(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.url.iter().all(|argument| rehearsal::is_configuration(argument)) {
        let reports = Reports::chosen(&arguments.reports)?;
        reports.prepare()?;
        let Arguments { url, rehearsal, thorough, reports: ReportOptions { quiet, .. }, .. } = arguments;
        return rehearsal::rehearse(url, rehearsal, *thorough, &reports, *quiet);
    }
    if arguments.url.len() != arguments.backend.len() {
        return Err(input_error!(
            "{} URLs and {} --backend; give one --backend HOST:PORT for each URL, in the same order",
            arguments.url.len(),
            arguments.backend.len()
        ));
    }
    let reports = Reports::chosen(&arguments.reports)?;
    reports.prepare()?;
    let (seed, now) = (clock::seed(Some(0))?, clock::now());
    let pki = Arc::new(authorities(&arguments.pki, seed, now)?);
    let legs = arguments.url.iter().zip(&arguments.backend);
    let legs = legs.map(|(url, backend)| leg(arguments, url, backend, &pki));
    let legs: Vec<LegRequest> = legs.collect::<Result<_, _>>()?;
    let clients = match &arguments.client_ca {
        Some(file) => ClientsTaken::Of(certificates("--client-ca", file)?),
        None => ClientsTaken::Any,
    };
    let pass = if arguments.thorough { Pass::Thorough } else { Pass::Quick };
    let limits = AuditLimits { first_call: Duration::from_secs(arguments.wait), ..AuditLimits::default() };
    files::allow(files::for_ports(legs.len()));
    let told = told(&legs, &arguments.pki);
    let request = AuditRequest { legs, pass, clients, limits, now, seed };
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| work_error!("cannot start the threads of the audit: {error}"))?;
    let quiet = arguments.reports.quiet;
    let record = runtime.block_on(async {
        let mut signals = Signals::catch()?;
        tokio::select! {
            record = conduct(request, &told, quiet) => record,
            signal = signals.received() => Err(work_error!("ended by {signal} before the audit was over")),
        }
    })?;
    reports.deliver(&reports.compared(record))
}

/// Holds the ports, waits for the first calls and meets every behaviour.
async fn conduct(
    request: AuditRequest,
    told: &str,
    quiet: bool,
) -> Result<crate::record::RunRecord, Failure> {
    let mut audit = Audit::hold(request).await.map_err(failure)?;
    let waiting = |event| {
        if let Event::Waiting { leg, because } = event
            && !quiet
        {
            streams::note(&format!("{leg}: {because}"));
        }
    };
    if !quiet {
        streams::note(told);
    }
    audit.first_calls(&waiting).await.map_err(failure)?;
    let progress = Progress::new(quiet, "behaviours");
    let going = |event| {
        if let Event::Met { of, .. } = event {
            progress.begin(of);
            progress.one_done();
        }
    };
    let record = audit.run(&going).await.map_err(failure);
    progress.finish();
    record
}

fn failure(error: AuditError) -> Failure {
    match error {
        AuditError::Log { .. } | AuditError::StandIn(FleetError::Unknown(_)) => Failure::input(error),
        AuditError::StandIn(FleetError::Bind { address, source, .. }) => {
            work_error!(
                "cannot listen on {address}: {source}; stop what holds the port, or choose another --bind"
            )
        }
        AuditError::StandIn(_)
        | AuditError::Caller(_)
        | AuditError::NeverCalled { .. }
        | AuditError::Time(_) => Failure::work(error),
    }
}

/// The authorities of a folder, made if it is not there: what was told to trust them once goes on doing so.
fn authorities(folder: &Path, seed: u64, now: time::OffsetDateTime) -> Result<Pki, Failure> {
    if folder.join("server-root.pem").exists() {
        return Pki::open(folder, seed, now).map_err(Failure::input);
    }
    let pki = Pki::new(seed, now).map_err(Failure::work)?;
    pki.save(folder).map_err(Failure::input)?;
    Ok(pki)
}

/// What the gateway has to be told, in lines that can be pasted.
fn told(legs: &[LegRequest], pki: &Path) -> String {
    let root = pki.join("server-root.pem");
    let root = root.canonicalize().unwrap_or(root);
    let mut lines = vec![
        "The gateway has to find the backend here, and to trust its authority:".to_owned(),
        format!("  trust    {} (one more certificate in its file of trusted roots)", root.display()),
    ];
    for leg in legs {
        let tls_gauntlet_certs::Name::Dns(host) = &leg.backend.name else { continue };
        if host != "localhost" {
            let address = leg.bind.ip();
            lines.push(format!("  address  {address} {host}   (a line for /etc/hosts; in a container: --add-host {host}:{address})"));
        }
    }
    lines.push("Waiting for the first call that comes through; ctrl-c ends it.".to_owned());
    lines.join("\n")
}

fn leg(arguments: &Arguments, url: &str, backend: &str, pki: &Arc<Pki>) -> Result<LegRequest, Failure> {
    let backend: BackendName = backend.parse().map_err(Failure::input)?;
    let call = call(&arguments.call, url)?;
    let bind = SocketAddr::new(arguments.bind, backend.port);
    Ok(LegRequest {
        name: None,
        also: Vec::new(),
        call,
        backend,
        bind,
        pki: Arc::clone(pki),
        log: arguments.log.clone(),
        revive: None,
    })
}

fn call(arguments: &CallArguments, url: &str) -> Result<CallSettings, Failure> {
    let uri: Uri = url.parse().map_err(|error| input_error!("\"{url}\" is not a URL: {error}"))?;
    let port = match uri.scheme_str() {
        Some("https") => 443,
        Some("http") => 80,
        _ => return Err(input_error!("\"{url}\" is not a URL to call; it begins with https:// or http://")),
    };
    let Some(host) = uri.host() else { return Err(input_error!("\"{url}\" names no host")) };
    let address = match arguments.connect_to {
        Some(address) => address,
        None => resolved(host.trim_start_matches('[').trim_end_matches(']'), uri.port_u16().unwrap_or(port))?,
    };
    let headers = arguments.header.iter().map(|header| {
        let split =
            header.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
        split
            .ok_or_else(|| input_error!("--header \"{header}\" has no colon; write it as in \"accept: */*\""))
    });
    let read = |option: &str, file: &Path| {
        fs::read(file).map_err(|error| input_error!("cannot read {option} {}: {error}", file.display()))
    };
    let body = arguments.body.as_deref().map(|file| read("--body", file)).transpose()?;
    let identity = arguments.client_cert.as_deref().map(|file| {
        let identity = Identity::from_pem(&read("--client-cert", file)?);
        identity.map(Arc::new).map_err(|error| input_error!("--client-cert {}: {error}", file.display()))
    });
    Ok(CallSettings {
        method: arguments.method.clone(),
        headers: headers.collect::<Result<_, _>>()?,
        body: body.map(Bytes::from).unwrap_or_default(),
        host: arguments.host.clone(),
        roots: arguments.trust.as_deref().map_or(Ok(Vec::new()), |file| certificates("--trust", file))?,
        insecure: arguments.insecure,
        identity: identity.transpose()?,
        ..CallSettings::get(uri, address)
    })
}

fn resolved(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let mut found = (host, port)
        .to_socket_addrs()
        .map_err(|error| input_error!("cannot find {host}: {error}; pass --connect-to ADDR:PORT"))?;
    found.next().ok_or_else(|| input_error!("{host} has no address; pass --connect-to ADDR:PORT"))
}

fn certificates(option: &str, file: &Path) -> Result<Vec<X509>, Failure> {
    let text =
        fs::read(file).map_err(|error| input_error!("cannot read {option} {}: {error}", file.display()))?;
    match X509::stack_from_pem(&text) {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        Ok(_) | Err(_) => Err(input_error!("{option} {} holds no certificate in PEM", file.display())),
    }
}
