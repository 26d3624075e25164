//! `gauntlet serve`: keeps backends up, for debugging by hand or for a gateway elsewhere.

mod watch;

use std::{
    convert::Infallible,
    fs::OpenOptions,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use tls_gauntlet_certs::{ClientCertificate, CrlKind, Name, Pki, crls_pem};
use tls_gauntlet_scenarios::{BackendProfile, Composed, by_name, catalogue};

use super::{
    certs, check, clock,
    failure::{Failure, input_error, work_error},
    files,
    recording::{self, RecordingArguments},
    signals::Signals,
    streams,
    teller::Teller,
};
use crate::{
    backend::{
        DEFAULT_BACKEND, Fleet, FleetError, FleetOptions, Front,
        by_hand::{self, Files},
    },
    control::{Control, ControlOptions},
    gateway::RunFolder,
    printable,
    report::{Detail, text::wrap},
    wire::recorder::Recorder,
};

/// Keeps backends up until ctrl-c, each on a port, and every one there is by name on one more; prints URLs and `curl`
/// lines that can be pasted.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Backends (`gauntlet list backends`), joined by + to compose them; all if none is named. Each says at /hello what the
    /// caller's ClientHello offered; `accepts-everything` lets every client get that far.
    #[arg(value_name = "BACKEND[+BACKEND…]")]
    backends: Vec<String>,
    /// The address to listen on. Anything but loopback opens weak TLS to other machines.
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// A host name by which a gateway elsewhere dials the backends; goes into their certificates.
    #[arg(long, value_name = "HOST")]
    name: Vec<String>,
    /// The first port, the next backend gets the next one, and the port for all names the one after the last;
    /// ephemeral ones if absent.
    #[arg(long, value_name = "N")]
    port_base: Option<u16>,
    /// The port for all names, where it is not to be the one after the last.
    #[arg(long, value_name = "N")]
    name_port: Option<u16>,
    /// Where to answer over plain HTTP, a browser with a page, programs with what is up, certificates and what the
    /// backends saw (/openapi.json); if absent, on loopback, behind an address that only you are told.
    #[arg(long, value_name = "ADDR:PORT")]
    control: Option<SocketAddr>,
    /// Hands out the private keys of its clients' certificates to everybody who can reach --control. Without it, a request for
    /// one needs the token that is printed at the start.
    #[arg(long, requires = "control")]
    open_control: bool,
    /// A folder with kept authorities (`gauntlet certs`); new ones if absent.
    #[arg(long, value_name = "DIR")]
    pki: Option<PathBuf>,
    /// Writes no files: the certificates are to be had from the control API.
    #[arg(long, requires = "control")]
    no_files: bool,
    /// Starts nothing, but asks a `serve --control` that is running elsewhere whether it is well.
    #[arg(long, value_name = "URL", exclusive = true)]
    check: Option<String>,
    #[command(flatten)]
    recording: RecordingArguments,
    /// How many seconds the certificate of `expires-during-run` lasts.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    expires_in: u32,
    /// The seed of names and serial numbers; random if absent.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints each connection as it ends, a line each: time (UTC), backend, version, suite, server name, client
    /// certificate, cause.
    #[arg(long)]
    watch: bool,
    /// One JSON object for each backend and line, and with --watch for each connection.
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
    /// Where the certificate says that its status is to be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_url: Option<String>,
    /// Asks there.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<String>,
    /// This backend on the port for all names, and why it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    url_by_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    curl_by_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_by_name: Option<String>,
    #[serde(skip)]
    status_label: &'static str,
}

impl Arguments {
    fn options(&self, names: Vec<Name>, recorder: &Recorder) -> FleetOptions {
        FleetOptions {
            bind: self.bind,
            port_base: self.port_base,
            names,
            expires_in: Duration::seconds(self.expires_in.into()),
            recorder: recorder.clone(),
            ..FleetOptions::default()
        }
    }
}

pub(super) fn serve(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(url) = &arguments.check {
        return check::check(url);
    }
    let plan = plan(&arguments.backends)?;
    let names = certs::names(&arguments.name)?;
    if arguments.port_base.is_some_and(|base| usize::from(u16::MAX - base) < plan.len()) {
        return Err(input_error!(
            "{} backends and the port for all names do not fit between --port-base {} and 65535; choose a lower one",
            plan.len(),
            arguments.port_base.unwrap_or_default()
        ));
    }
    let (seed, now) = (clock::seed(arguments.seed)?, clock::now());
    let pki = match &arguments.pki {
        Some(kept) => Pki::open(kept, seed, now).map_err(Failure::input)?,
        None => Pki::new(seed, now).map_err(Failure::work)?,
    };
    let recorder = arguments.recording.recorder()?;
    // Removed with all it holds when this is dropped.
    let folder = if arguments.no_files { None } else { Some(private_folder()?) };
    let files = match &folder {
        Some(folder) => write_files(&pki, folder.path())?,
        None => Files::as_fetched(),
    };
    files::allow(files::for_ports(plan.len()));
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| work_error!("cannot start the threads of the backends: {error}"))?;
    runtime.block_on(async {
        let mut signals = Signals::catch()?;
        let options = arguments.options(names, &recorder);
        let pki = Arc::new(pki);
        let after_the_last =
            options.port_base.and_then(|base| base.checked_add(u16::try_from(plan.len()).ok()?));
        let for_names = FleetOptions { port_base: arguments.name_port.or(after_the_last), ..options.clone() };
        // First, because it makes a backend when it is called, and some of the others have keys that take seconds.
        let front = Arc::new(Front::start(&pki, &for_names).await.map_err(could_not_start)?);
        let fleet = Fleet::start(&plan, &pki, &options).await.map_err(could_not_start)?;
        let up = fleet.backends().iter().map(|backend| (backend.address().port(), backend.status_url()));
        let served: Vec<_> = plan
            .iter()
            .zip(up)
            .map(|(composed, (port, status_url))| {
                Served::new(composed, port, status_url, front.address(), &files)
            })
            .collect();
        if !arguments.bind.is_loopback() {
            streams::note(&warning(&served, front.address()));
        }
        let token =
            arguments.control.filter(|_| !arguments.open_control).map(|_| clock::secret()).transpose()?;
        let reached = reached(arguments, now, &files, token.as_deref())?;
        let control = Control::start(fleet, Arc::clone(&front), reached).await;
        let control = control.map_err(|error| could_not_answer(&error, arguments.control))?;
        streams::print(&told(&served, front.address(), &files, arguments.json)?)?;
        let what = if arguments.control.is_some() { "control API and page" } else { "page" };
        streams::note(&format!("{what} on {}/", control.url()));
        if let Some(token) = token {
            streams::note(&format!("its private keys with the header authorization: Bearer {token}"));
        }
        streams::note("ready; ctrl-c ends it");
        let names: Vec<_> = served.into_iter().map(|served| served.backend).collect();
        let told = async {
            if arguments.watch {
                watch::watch(control.follow(), &names, arguments.json).await
            } else {
                match tell_refusals(&front).await {}
            }
        };
        tokio::select! {
            _ = signals.received() => {}
            told = told => told?,
        }
        drop((control, front));
        recording::conclude(&recorder);
        Ok(ExitCode::SUCCESS)
    })
}

/// Where page and control API answer. Where no address was chosen, no other user of this machine is to find them: they
/// hand out private keys.
fn reached(
    arguments: &Arguments,
    now: OffsetDateTime,
    files: &Files,
    token: Option<&str>,
) -> Result<ControlOptions, Failure> {
    let options = match arguments.control {
        Some(address) => {
            let options = ControlOptions::new(address, now);
            token.iter().fold(options, |options, token| options.token(token))
        }
        None => {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            ControlOptions::new(address, now).secret(&clock::secret()?)
        }
    };
    Ok(if arguments.no_files { options } else { options.files(files.clone()) })
}

fn could_not_answer(error: &io::Error, asked: Option<SocketAddr>) -> Failure {
    match asked {
        Some(address) => {
            work_error!("cannot listen on {address} for the control API: {error}; choose another --control")
        }
        None => work_error!("cannot listen on loopback for the page: {error}; pass --control ADDR:PORT"),
    }
}

/// Says of each call for a name to which nobody answers why that is.
async fn tell_refusals(front: &Front) -> Infallible {
    let (mut entries, teller) = (front.entries(), Teller::to_stderr());
    let mut told = 0;
    loop {
        let count = *entries.borrow_and_update();
        for refused in front.refused_since(told) {
            let (name, because) = (refused.sni.unwrap_or_default(), refused.error.unwrap_or_default());
            // Where standard error cannot be written, there is nobody to tell.
            let _lost = teller.tell(&printable::line(&format!("refused \"{name}\": {because}")));
        }
        told = count;
        // The sender lives as long as the port does.
        let _ = entries.changed().await;
    }
}

fn could_not_start(error: FleetError) -> Failure {
    match error {
        FleetError::Unknown(_) | FleetError::PortRange { .. } => Failure::input(error),
        FleetError::Bind { address, source, .. } => {
            let remedy = if source.raw_os_error() == Some(libc::EMFILE) {
                "raise the limit of open files (ulimit -n), or name fewer backends"
            } else if address.port() == 0 {
                "pass --bind with an address of this machine"
            } else {
                "choose another --port-base, or none"
            };
            work_error!("cannot listen on {address}: {source}; {remedy}")
        }
        FleetError::Status { address, source } => {
            work_error!("cannot listen on {address}: {source}; pass --bind with an address of this machine")
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

fn private_folder() -> Result<RunFolder, Failure> {
    RunFolder::new().map_err(|error| {
        work_error!("cannot make a private folder: {error}; set TMPDIR, or pass --control and --no-files")
    })
}

/// For its owner alone.
const PRIVATE: u32 = 0o600;

/// What callers need, in a folder that is theirs and ours alone.
fn write_files(pki: &Pki, folder: &Path) -> Result<Files, Failure> {
    let put = |name: &str, content: Vec<u8>| -> Result<String, Failure> {
        let path = folder.join(name);
        let mut file = OpenOptions::new();
        // The folder is for nobody else to read; a copy of the file in another place is to stay so.
        let opened = file.write(true).create_new(true).mode(PRIVATE).open(&path);
        opened
            .and_then(|mut file| file.write_all(&content))
            .map_err(|error| work_error!("cannot write {}: {error}", path.display()))?;
        Ok(path.display().to_string())
    };
    let client = pki.client(ClientCertificate::Good).map_err(Failure::work)?;
    let root = pki.server_root().to_pem().map_err(Failure::work)?;
    let lists = pki.crls(CrlKind::Revoked).and_then(|lists| crls_pem(&lists)).map_err(Failure::work)?;
    Ok(Files {
        ca: put("ca.pem", root)?,
        certificate: put("client.pem", client.chain_pem().into())?,
        key: put("client.key", client.key_pem().into())?,
        crl: put("crl.pem", lists)?,
    })
}

impl Served {
    fn new(
        composed: &Composed,
        port: u16,
        status_url: Option<&str>,
        front: SocketAddr,
        files: &Files,
    ) -> Self {
        let bind = front.ip();
        let host = if bind.is_loopback() || bind.is_unspecified() {
            "localhost".to_owned()
        } else {
            bind.to_string()
        };
        let in_url = if host.contains(':') { format!("[{host}]") } else { host };
        let profile: &BackendProfile = &composed.profile;
        let url = format!("https://{}:{port}/", by_hand::called(profile, &in_url));
        let (by_name, not_by_name) = match Front::host(composed) {
            Ok(host) => (Some(by_hand::curl_by_name(profile, &host, front, files)), None),
            Err(because) => (None, Some(because.to_string())),
        };
        let (url_by_name, curl_by_name) = by_name.unzip();
        Self {
            backend: composed.name.clone(),
            summary: profile.summary.clone(),
            port,
            ca: files.ca.clone(),
            curl: by_hand::curl(profile, &url, files),
            client_certificate: files.certificate.clone(),
            client_key: files.key.clone(),
            s_client: by_hand::s_client(profile, &in_url, &port.to_string(), files),
            status_url: status_url.map(str::to_owned),
            status: by_hand::status(profile, &in_url, &port.to_string(), files),
            expect: by_hand::what_to_expect(profile),
            status_label: profile.certificate().points_to().map_or("", by_hand::status_label),
            url,
            url_by_name,
            curl_by_name,
            not_by_name,
        }
    }
}

fn told(served: &[Served], front: SocketAddr, files: &Files, as_json: bool) -> Result<String, Failure> {
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
        format!(
            "all by name         https://BACKEND[--BACKEND…].{}:{}/ (no name: {DEFAULT_BACKEND}), as in",
            by_name::ZONE,
            front.port()
        ),
        by_hand::example_by_name(front, files),
    ];
    for served in served {
        let Served { backend, summary, url, curl, expect, not_by_name, .. } = served;
        let Served { status_url, status, status_label, .. } = served;
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
        if let Some(because) = not_by_name {
            lines.push(format!("  (not by name: {because})"));
        }
        lines.extend(status_url.iter().map(|url| format!("  {status_label}  {url}")));
        // Copied as a whole, so never broken.
        lines.push(format!("  {curl}"));
        lines.extend(status.iter().map(|status| format!("  {status}")));
    }
    Ok(lines.join("\n") + "\n")
}

fn warning(served: &[Served], front: SocketAddr) -> String {
    let ports = served.iter().map(|served| served.port).chain([front.port()]);
    let ports: Vec<_> = ports.map(|port| port.to_string()).collect();
    format!(
        "warning: {} can be reached from other machines, and these ports speak weak or broken TLS: {}",
        front.ip(),
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
            crl: "/run/crl.pem".to_owned(),
        };
        let plan = [
            "plain-good",
            "renegotiation-required",
            "tls10-only+expired-leaf",
            "resets-on-accept",
            "revoked-by-ocsp",
        ];
        let plan = plan.map(|name| catalogue().backend(name).unwrap());
        let front = SocketAddr::from((Ipv4Addr::LOCALHOST, 4006));
        let served: Vec<_> = (4001..)
            .zip(&plan)
            .map(|(port, composed)| {
                let points = composed.profile.certificate().points_to().is_some();
                let status_url = points.then_some("http://127.0.0.1:4100/4/ocsp");
                Served::new(composed, port, status_url, front, &files)
            })
            .collect();
        insta::assert_snapshot!("told", told(&served, front, &files, false).unwrap());
        insta::assert_snapshot!("told-json", told(&served, front, &files, true).unwrap());
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 4006));
        insta::assert_snapshot!("warning", warning(&served, everywhere));
    }
}
