//! `gauntlet audit`: one leg of a gateway that is running, with nothing of it changed.

mod legs;
pub(super) mod settings;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use tls_gauntlet_certs::{CrlKind, Identity, Name, Pki, authorities, crls_pem};
use tls_gauntlet_scenarios::posture::Pass;

pub(super) use legs::LegArguments;

use super::{
    clock,
    failure::{Failure, input_error, work_error},
    files,
    options::ReportOptions,
    progress::Progress,
    project::{Project, ProjectArguments},
    rehearsal::{self, RehearsalArguments},
    reports::Reports,
    signals::Signals,
    streams,
};
use crate::{
    audit::{Audit, AuditError, AuditLimits, AuditRequest, Event, LegRequest},
    backend::{ClientsTaken, FleetError},
    record::RunRecord,
};

/// Says how a gateway that is running behaves towards its backends, what is wrong with that, and what to set.
///
/// Nothing of the gateway is changed: Gauntlet holds the host and port that it dials, calls its URL, and becomes one flawed
/// backend after another between the calls.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The URL that a client calls, those of gauntlet.toml ([[leg]]) if there is none; or the configuration of a gateway, which
    /// is rehearsed in a sealed world.
    #[arg(value_name = "URL|CONFIG")]
    url: Vec<String>,
    /// The host and port that the gateway then dials; one for each URL, in their order.
    #[arg(long, value_name = "HOST:PORT")]
    backend: Vec<String>,
    /// The folder of the authorities that the gateway is to trust; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "gauntlet-audit")]
    pki: PathBuf,
    /// A test authority that the gateway trusts already (PEM or PFX): what backends show is issued below it.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Its key in PEM, if that is in another file.
    #[arg(long, value_name = "FILE", requires = "ca")]
    ca_key: Option<PathBuf>,
    /// An authority of client certificates that the gateway takes (PEM with its key, or PFX): flawed ones are tried.
    #[arg(long, value_name = "FILE")]
    client_issuer: Option<PathBuf>,
    /// Its key in PEM, if that is in another file.
    #[arg(long, value_name = "FILE", requires = "client_issuer")]
    client_issuer_key: Option<PathBuf>,
    /// The password of PFX files.
    #[arg(long, default_value = "", hide_default_value = true)]
    password: String,
    /// The authorities whose client certificates the backend takes; every one is taken, and described, if absent.
    #[arg(long, value_name = "FILE")]
    client_ca: Option<PathBuf>,
    /// Leave the side that clients meet alone.
    #[arg(long)]
    no_listener: bool,
    /// Everything, also what makes the gateway wait for its timeouts.
    #[arg(long)]
    thorough: bool,
    /// How many seconds to wait for the first call that comes through.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    wait: u64,
    #[command(flatten)]
    leg: LegArguments,
    #[command(flatten)]
    project: ProjectArguments,
    #[command(flatten)]
    rehearsal: RehearsalArguments,
    #[command(flatten)]
    reports: ReportOptions,
}

pub(super) fn audit(mut arguments: Arguments) -> Result<ExitCode, Failure> {
    let project = Project::found(&arguments.project)?;
    arguments.reports.fill(&project)?;
    let exceptions = project.exceptions()?;
    let reports = Reports::chosen(&arguments.reports)?;
    if !arguments.url.is_empty() && arguments.url.iter().all(|argument| rehearsal::is_configuration(argument))
    {
        reports.prepare()?;
        let Arguments { url, rehearsal, thorough, reports: ReportOptions { quiet, .. }, .. } = &arguments;
        return rehearsal::rehearse(url, rehearsal, *thorough, &reports, *quiet);
    }
    let named = legs::named(&arguments.url, &arguments.backend, &arguments.leg, &project)?;
    reports.prepare()?;
    let now = clock::now();
    let pki = Arc::new(own_authorities(&arguments, now)?);
    let legs: Vec<LegRequest> = named.iter().map(|leg| leg.request(&pki)).collect::<Result<_, Failure>>()?;
    let clients = match &arguments.client_ca {
        Some(file) => ClientsTaken::Of(certificates("--client-ca", file)?),
        None => ClientsTaken::Any,
    };
    let limits = AuditLimits { first_call: Duration::from_secs(arguments.wait), ..AuditLimits::default() };
    let (pass, limits) = if arguments.thorough {
        (Pass::Thorough, AuditLimits { leg: Duration::from_secs(24 * 60 * 60), ..limits })
    } else {
        (Pass::Quick, limits)
    };
    files::allow(files::for_ports(legs.len()));
    let request = AuditRequest {
        pass,
        clients,
        exceptions,
        limits,
        listener: !arguments.no_listener,
        client_issuer: client_issuer(&arguments, now)?.map(Arc::new),
        ..AuditRequest::quick(legs, now)
    };
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| work_error!("cannot start the threads of the audit: {error}"))?;
    let record = runtime.block_on(async {
        let mut signals = Signals::catch()?;
        tokio::select! {
            record = conduct(request, &pki, &arguments) => record,
            signal = signals.received() => Err(work_error!("ended by {signal} before the audit was over")),
        }
    })?;
    reports.deliver(&reports.compared(record))
}

/// Holds the ports, waits for the first calls and meets every behaviour.
async fn conduct(request: AuditRequest, pki: &Pki, arguments: &Arguments) -> Result<RunRecord, Failure> {
    let quiet = arguments.reports.quiet;
    let places: Vec<_> = request.legs.iter().map(|leg| (leg.backend.name.clone(), leg.bind.ip())).collect();
    let mut audit = Audit::hold(request).await.map_err(failure)?;
    audit.prepare().await.map_err(failure)?;
    let lists = write_lists(pki, &arguments.pki)?;
    let waiting = |event| {
        if let Event::Waiting { leg, because } = event
            && !quiet
        {
            streams::note(&format!("{leg}: {because}"));
        }
    };
    if !quiet {
        streams::note(&told(&places, &arguments.pki, &lists, arguments.ca.is_some()));
    }
    audit.first_calls(&waiting).await.map_err(failure)?;
    let progress = Progress::new(quiet, "behaviours");
    let all = std::sync::atomic::AtomicUsize::new(0);
    let going = |event| {
        if let Event::Met { done, of, .. } = event {
            if done == 1 {
                progress.begin(all.fetch_add(of, std::sync::atomic::Ordering::Relaxed) + of);
            }
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

/// The authorities of the folder, made if they are not there: what was told to trust them once goes on doing so.
fn own_authorities(arguments: &Arguments, now: time::OffsetDateTime) -> Result<Pki, Failure> {
    let folder = &arguments.pki;
    let seed = clock::seed(Some(0))?;
    if let Some(file) = &arguments.ca {
        let above = identity("--ca", file, arguments.ca_key.as_deref(), &arguments.password)?;
        let made = Pki::below(Some(&above), None, seed, now);
        let pki = made.map_err(|error| input_error!("--ca {}: {error}", file.display()))?;
        pki.save(folder).map_err(Failure::input)?;
        return Ok(pki);
    }
    if folder.join("server-root.pem").exists() {
        return Pki::open(folder, seed, now).map_err(Failure::input);
    }
    let pki = Pki::new(seed, now).map_err(Failure::work)?;
    pki.save(folder).map_err(Failure::input)?;
    Ok(pki)
}

fn client_issuer(arguments: &Arguments, now: time::OffsetDateTime) -> Result<Option<Pki>, Failure> {
    let Some(file) = &arguments.client_issuer else { return Ok(None) };
    let key = arguments.client_issuer_key.as_deref();
    let above = identity("--client-issuer", file, key, &arguments.password)?;
    let made = Pki::below(None, Some(&above), clock::seed(Some(0))?, now);
    made.map(Some).map_err(|error| input_error!("--client-issuer {}: {error}", file.display()))
}

/// A certificate with its key: one PEM, two PEM files, or a PFX.
fn identity(option: &str, file: &Path, key: Option<&Path>, password: &str) -> Result<Identity, Failure> {
    let mut content = read(option, file)?;
    let opened = if content.trim_ascii_start().starts_with(b"-----BEGIN") {
        if let Some(key) = key {
            content.push(b'\n');
            content.extend(read(&format!("{option}-key"), key)?);
        }
        Identity::from_pem(&content)
    } else {
        Identity::from_pfx(&content, password)
    };
    opened.map_err(|error| input_error!("{option} {}: {error}", file.display()))
}

fn read(option: &str, file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| input_error!("cannot read {option} {}: {error}", file.display()))
}

fn certificates(option: &str, file: &Path) -> Result<Vec<openssl::x509::X509>, Failure> {
    authorities(&read(option, file)?).map_err(|error| input_error!("{option} {}: {error}", file.display()))
}

/// The revocation lists, for gateways that check one.
fn write_lists(pki: &Pki, folder: &Path) -> Result<PathBuf, Failure> {
    let path = folder.join("server-lists.pem");
    let lists = pki.crls(CrlKind::Revoked).and_then(|lists| crls_pem(&lists)).map_err(Failure::work)?;
    fs::write(&path, lists).map_err(|error| work_error!("cannot write {}: {error}", path.display()))?;
    Ok(path)
}

/// What the gateway has to be told, in lines that can be pasted.
fn told(places: &[(Name, std::net::IpAddr)], pki: &Path, lists: &Path, trusted: bool) -> String {
    let whole = |path: PathBuf| path.canonicalize().unwrap_or(path).display().to_string();
    let mut lines = vec![
        "Nothing of the gateway is changed; it has to find Gauntlet where it looks for its backend:"
            .to_owned(),
    ];
    if !trusted {
        let root = whole(pki.join("server-root.pem"));
        lines.push(format!("  trust    {root}   (one more certificate in its file of trusted roots)"));
    }
    lines.push(format!("  lists    {}   (only if it checks revocation lists)", whole(lists.to_owned())));
    for (name, bind) in places {
        let Name::Dns(host) = name else { continue };
        if host != "localhost" {
            let address = if bind.is_unspecified() { "ADDRESS".to_owned() } else { bind.to_string() };
            lines.push(format!(
                "  address  {address} {host}   (a line for /etc/hosts; in a container: --add-host {host}:{address})"
            ));
        }
    }
    lines.push("Waiting for the first call that comes through; ctrl-c ends it.".to_owned());
    lines.join("\n")
}
