//! The legs of an audit, from the command line or from gauntlet.toml.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use clap::Args;
use hyper::Uri;
use tls_gauntlet_certs::Pki;

use super::{certificates, identity, read, settings::LegSettings};
use crate::{
    audit::{BackendName, CallSettings, LegRequest, LogSource},
    cli::{
        failure::{Failure, input_error},
        project::Project,
    },
};

/// How a leg is called, and where its evidence is.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct LegArguments {
    /// The address at which Gauntlet listens on the backend's port [default: 127.0.0.1].
    #[arg(long, value_name = "ADDR")]
    bind: Option<IpAddr>,
    /// The host to ask for; that of the URL if absent.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Where to connect to, whatever the URL's host resolves to.
    #[arg(long, value_name = "ADDR:PORT")]
    connect_to: Option<SocketAddr>,
    /// A header of the request, as in "authorization: Bearer …"; any number of them.
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// The method [default: GET].
    #[arg(long)]
    method: Option<String>,
    /// A file with the body of the request.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// A file of roots to trust for the gateway's own certificate, instead of the system's.
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Take whatever certificate the gateway shows.
    #[arg(long)]
    insecure: bool,
    /// A certificate to show to the gateway, with its chain and its key (PEM or PFX).
    #[arg(long, value_name = "FILE")]
    client_cert: Option<PathBuf>,
    /// The gateway's log: the lines that come during a call are its evidence.
    #[arg(long, value_name = "FILE", conflicts_with = "log_command")]
    log: Option<PathBuf>,
    /// A command that prints the gateway's log, as in "docker logs --follow --tail 0 gw".
    #[arg(long, value_name = "COMMAND")]
    log_command: Option<String>,
}

/// A leg, and how it is called.
#[derive(Debug)]
pub(super) struct NamedLeg {
    url: String,
    backend: String,
    arguments: LegArguments,
}

/// The legs of the command line, or those of gauntlet.toml if it names none.
pub(super) fn named(
    urls: &[String],
    backends: &[String],
    arguments: &LegArguments,
    project: &Project,
) -> Result<Vec<NamedLeg>, Failure> {
    if urls.len() != backends.len() {
        return Err(input_error!(
            "{} URLs and {} --backend; give one --backend HOST:PORT for each URL, in the same order",
            urls.len(),
            backends.len()
        ));
    }
    let leg = |(url, backend): (&String, &String)| NamedLeg {
        url: url.clone(),
        backend: backend.clone(),
        arguments: arguments.clone(),
    };
    if !urls.is_empty() {
        return Ok(urls.iter().zip(backends).map(leg).collect());
    }
    let legs = project.legs();
    if legs.is_empty() {
        return Err(input_error!(
            "no leg to audit; name the configuration of a gateway, as in gauntlet audit /etc/nginx/nginx.conf, or a leg of one that \
             runs: gauntlet audit https://gw.example/orders --backend orders.internal:8443"
        ));
    }
    legs.iter().map(|leg| leg.named(arguments, project)).collect()
}

impl LegSettings {
    fn named(&self, over: &LegArguments, project: &Project) -> Result<NamedLeg, Failure> {
        let own = self.clone();
        let below = |path: Option<PathBuf>| path.map(|path| project.below(&path));
        let connect_to = own.connect_to.map(|text| {
            text.parse().map_err(|_| {
                input_error!("connect-to = \"{text}\" is no address and port, as in 192.0.2.1:443")
            })
        });
        let has_log = over.log.is_some() || over.log_command.is_some();
        let arguments = LegArguments {
            bind: over.bind.or(own.bind),
            host: over.host.clone().or(own.host),
            connect_to: over.connect_to.map(Ok).or(connect_to).transpose()?,
            header: if over.header.is_empty() { own.headers } else { over.header.clone() },
            method: over.method.clone().or(own.method),
            body: over.body.clone().or_else(|| below(own.body)),
            trust: over.trust.clone().or_else(|| below(own.trust)),
            insecure: over.insecure || own.insecure,
            client_cert: over.client_cert.clone().or_else(|| below(own.client_cert)),
            log: if has_log { over.log.clone() } else { below(own.log) },
            log_command: if has_log { over.log_command.clone() } else { own.log_command },
        };
        Ok(NamedLeg { url: own.url, backend: own.backend, arguments })
    }
}

impl NamedLeg {
    /// Everything that it needs, read and resolved.
    pub(super) fn request(&self, pki: &Arc<Pki>) -> Result<LegRequest, Failure> {
        let Self { url, backend, arguments } = self;
        let backend: BackendName = backend.parse().map_err(Failure::input)?;
        let bind = arguments.bind.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let log = arguments.log.clone().map(LogSource::File);
        Ok(LegRequest {
            name: None,
            also: Vec::new(),
            revive: None,
            call: call(arguments, url)?,
            bind: SocketAddr::new(bind, backend.port),
            backend,
            pki: Arc::clone(pki),
            log: log.or_else(|| arguments.log_command.clone().map(LogSource::Command)),
        })
    }
}

fn call(arguments: &LegArguments, url: &str) -> Result<CallSettings, Failure> {
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
    let method = arguments.method.as_deref().unwrap_or("GET");
    let identity = arguments.client_cert.as_deref().map(|file| identity("--client-cert", file, None, ""));
    let body = arguments.body.as_deref().map(|file| read("--body", file)).transpose()?;
    let roots = |file: &Path| certificates("--trust", file);
    Ok(CallSettings {
        method: method.parse().map_err(|_| input_error!("--method \"{method}\" is no method of HTTP"))?,
        headers: headers.collect::<Result<_, _>>()?,
        body: body.map(Bytes::from).unwrap_or_default(),
        host: arguments.host.clone(),
        roots: arguments.trust.as_deref().map(roots).transpose()?.unwrap_or_default(),
        insecure: arguments.insecure,
        identity: identity.transpose()?.map(Arc::new),
        ..CallSettings::get(uri, address)
    })
}

fn resolved(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let mut found = (host, port)
        .to_socket_addrs()
        .map_err(|error| input_error!("cannot find {host}: {error}; pass --connect-to ADDR:PORT"))?;
    found.next().ok_or_else(|| input_error!("{host} has no address; pass --connect-to ADDR:PORT"))
}
