//! The configurations of gateways, read: their listeners, their legs, and where each setting of these stands.
//!
//! A reader is a function of text: it gets its files by path, from the disk or from a map, and starts nothing. The one
//! language that only its own program can read, Caddy's, comes through [`Files::adapted`].
//! A line that it does not understand becomes a [`Problem`] with file and line; nothing is guessed.

mod caddy;
mod envoy;
mod example;
mod files;
mod haproxy;
mod httpd;
mod known;
mod nginx;
mod traefik;
mod tree;

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use files::{Disk, Files, InMemory};

/// The lines that one configuration may have, with everything it includes.
pub const MOST_LINES: usize = 50_000;
/// The bytes that one configuration may have, with everything it includes.
pub const MOST_BYTES: usize = 10 * 1024 * 1024;

/// The routes of one server or listener that are looked at: each is tried against those before it.
pub const MOST_ROUTES: usize = 500;
/// The problems that are listed.
pub const MOST_PROBLEMS: usize = 1_000;

/// A gateway whose configuration can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// nginx: `nginx.conf` and what it includes.
    Nginx,
    /// Envoy: a bootstrap in YAML or JSON, and the files of its dynamic resources.
    Envoy,
    /// HAProxy: one file or several, in their order.
    Haproxy,
    /// Apache httpd: `httpd.conf` or `apache2.conf`, and what it includes.
    Httpd,
    /// Traefik: the static file and the dynamic files that it names, in YAML or TOML.
    Traefik,
    /// Caddy: a Caddyfile, or JSON.
    Caddy,
}

impl Kind {
    /// Every kind, and its name: the one of the gateway's folder and program.
    pub const ALL: &[(Self, &str)] = &[
        (Self::Nginx, "nginx"),
        (Self::Envoy, "envoy"),
        (Self::Haproxy, "haproxy"),
        (Self::Httpd, "httpd"),
        (Self::Traefik, "traefik"),
        (Self::Caddy, "caddy"),
    ];

    /// The name of the gateway.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The gateway that a file is for, told by its text, then by its name; `None` if it is for none of them.
    #[must_use]
    pub fn detect(path: &str, text: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension {
            "yaml" | "yml" | "json" if envoy::is_one(text) => Some(Self::Envoy),
            "yaml" | "yml" | "toml" => traefik::is_one(text).then_some(Self::Traefik),
            "json" => caddy::is_one(path, text).then_some(Self::Caddy),
            _ if caddy::is_one(path, text) => Some(Self::Caddy),
            _ if nginx::is_one(text) => Some(Self::Nginx),
            _ if httpd::is_one(text) => Some(Self::Httpd),
            _ => haproxy::is_one(text).then_some(Self::Haproxy),
        }
    }
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    /// The file, as it is named in the configuration.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A value and the line that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// The value, with its variables resolved.
    pub value: String,
    /// The line that says it; for a default, the line of the leg that it applies to.
    pub at: At,
    /// False for a default of the vendor, which no line says.
    pub written: bool,
}

impl Stated {
    /// A value that stands on a line.
    #[must_use]
    pub fn at(at: &At, value: impl Into<String>) -> Self {
        Self { value: value.into(), at: at.clone(), written: true }
    }

    /// A value that the vendor documents as the default.
    #[must_use]
    pub fn default_at(at: &At, value: impl Into<String>) -> Self {
        Self { written: false, ..Self::at(at, value) }
    }
}

impl fmt::Display for Stated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = if self.written { "" } else { " by default" };
        write!(f, "{}{default}  {}", self.value, self.at)
    }
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The file of the certificate and its chain.
    pub certificate: Stated,
    /// The file of the key; `None` where the certificate's file holds it too.
    pub key: Option<Stated>,
}

/// What a listener wants of its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientPolicy {
    /// A certificate, or the handshake or the request is refused.
    Required,
    /// A certificate is asked for; a client without one is served.
    Optional,
}

/// An address on which the gateway takes connections, for the names that share the same settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Address and port (`0.0.0.0:443`, `[::]:443`), or `unix:` and a path.
    pub address: Stated,
    /// The server names; none if it answers to every name.
    pub names: Vec<Stated>,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The certificates that it shows.
    pub identities: Vec<IdentityFiles>,
    /// The file of the authorities whose client certificates it accepts.
    pub client_authorities: Option<Stated>,
    /// Whether it asks for a client certificate, and the line that says so.
    pub clients: Option<(ClientPolicy, At)>,
}

impl Listener {
    /// The port, if the address has one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.address.value.rsplit_once(':')?.1.parse().ok()
    }
}

/// A setting of a leg's backend side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// `on` or `off`: whether the backend's certificate is checked against the trust file.
    Verification,
    /// The file (or the name of the store) of the authorities that are trusted.
    Trust,
    /// The name that the backend's certificate must have; `off` if none is checked.
    CheckedName,
    /// `off` where the dates of the backend's certificate are not checked although it is.
    Dates,
    /// The server name that is sent; `off` if none is.
    Sni,
    /// The file of the client certificate.
    Certificate,
    /// The file of its key.
    Key,
    /// The versions of TLS that are offered, in the vendor's words.
    Versions,
    /// The cipher suites that are offered, in the vendor's words.
    Ciphers,
    /// The file of the revocation list.
    RevocationList,
    /// How many intermediates the chain may have, in the vendor's counting.
    Depth,
    /// How connections are kept, in the vendor's words.
    KeepAlive,
    /// What is tried again, and how often, in the vendor's words.
    Retries,
    /// How the backend is checked without a request, in the vendor's words.
    HealthCheck,
}

impl Setting {
    /// Every setting, and what it is called on the screen.
    pub const ALL: &[(Self, &str)] = &[
        (Self::Verification, "verification"),
        (Self::Trust, "trust"),
        (Self::CheckedName, "checked name"),
        (Self::Dates, "dates"),
        (Self::Sni, "sni"),
        (Self::Certificate, "certificate"),
        (Self::Key, "key"),
        (Self::Versions, "versions"),
        (Self::Ciphers, "ciphers"),
        (Self::RevocationList, "revocation list"),
        (Self::Depth, "depth"),
        (Self::KeepAlive, "keep-alive"),
        (Self::Retries, "retries"),
        (Self::HealthCheck, "health check"),
    ];

    /// What it is called on the screen.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(setting, _)| *setting == self).map_or("", |(_, name)| name)
    }
}

/// The URL of a leg, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// `https`, `http`, or `tls` and `tcp` for a listener that passes a stream on.
    pub scheme: &'static str,
    /// The host name that the listener answers to.
    pub host: String,
    /// The port of the listener.
    pub port: u16,
    /// The path, which begins with a slash; empty for a stream.
    pub path: String,
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, path } = self;
        match (*scheme, *port) {
            ("https", 443) | ("http", 80) => write!(f, "{scheme}://{host}{path}"),
            _ => write!(f, "{scheme}://{host}:{port}{path}"),
        }
    }
}

/// A host and port that the gateway dials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialled {
    /// A name, an address without brackets, or `unix:` and a path.
    pub host: String,
    /// The port; 0 for a socket of the file system.
    pub port: u16,
    /// The line that names it.
    pub at: At,
}

impl fmt::Display for Dialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.as_str() {
            unix if unix.starts_with("unix:") => f.write_str(unix),
            v6 if v6.contains(':') => write!(f, "[{v6}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

/// One way through the gateway: the URL that leads there, and what is dialled for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    /// What the file calls it: `proxy_pass https://orders`, `backend orders`, `cluster orders`.
    pub name: String,
    /// The line where it stands.
    pub at: At,
    /// The URL that leads there.
    pub url: Url,
    /// The listener of the URL: its place in [`Configuration::listeners`].
    pub listener: usize,
    /// What is dialled: one, or the members of a group.
    pub dialled: Vec<Dialled>,
    /// Whether TLS is spoken to the backend.
    pub tls: bool,
    /// The settings that are known, each with its line.
    pub settings: BTreeMap<Setting, Stated>,
}

impl Leg {
    /// The value of a setting.
    #[must_use]
    pub fn value(&self, setting: Setting) -> Option<&str> {
        self.settings.get(&setting).map(|stated| stated.value.as_str())
    }

    /// The name of the host that is dialled first; `HOST` in its place if that is an address or a socket.
    #[must_use]
    pub fn host_name(&self) -> &str {
        let named = |host: &&str| !host.contains(':') && host.parse::<std::net::IpAddr>().is_err();
        self.dialled.iter().map(|dialled| dialled.host.as_str()).find(named).unwrap_or("HOST")
    }
}

/// What a file that the configuration names is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A listener's certificate.
    ServerCertificate,
    /// A listener's key.
    ServerKey,
    /// The authorities of the clients.
    ClientAuthorities,
    /// The revocation list of the clients.
    ClientRevocationList,
    /// The authorities of the backends.
    Trust,
    /// The client certificate that is shown to backends.
    Certificate,
    /// Its key.
    Key,
    /// The revocation list of the backends.
    RevocationList,
    /// Another file of TLS: parameters, tickets, passwords, stapled responses.
    Other,
}

impl Role {
    /// What it is called on the screen.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ServerCertificate => "server certificate",
            Self::ServerKey => "server key",
            Self::ClientAuthorities => "client authorities",
            Self::ClientRevocationList => "client revocation list",
            Self::Trust => "trust",
            Self::Certificate => "certificate",
            Self::Key => "key",
            Self::RevocationList => "revocation list",
            Self::Other => "other",
        }
    }
}

/// A file that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// What it is for.
    pub role: Role,
    /// Its path, absolute where the vendor's rule for relative paths is known.
    pub path: String,
    /// The line that names it.
    pub at: At,
}

/// What a reader did not understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line.
    pub at: At,
    /// What is not understood there.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// A configuration, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// The gateway.
    pub kind: Kind,
    /// The addresses on which it takes connections.
    pub listeners: Vec<Listener>,
    /// The ways through it.
    pub legs: Vec<Leg>,
    /// The files that its TLS settings name, each path and role once.
    pub files: Vec<NamedFile>,
    /// What was not understood.
    pub problems: Vec<Problem>,
}

/// The configuration cannot be read at all.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// A file that cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: String,
        /// The reason.
        source: std::io::Error,
    },
    /// A file that includes itself.
    #[error("{at}: {path} includes itself")]
    Loop {
        /// The include that closes the circle.
        at: At,
        /// The file.
        path: String,
    },
    /// More lines than are read.
    #[error("{path}: the configuration has more than {MOST_LINES} lines")]
    Lines {
        /// The file with the first line too many.
        path: String,
    },
    /// More bytes than are read.
    #[error("{path}: the configuration has more than {} MB", MOST_BYTES >> 20)]
    Bytes {
        /// The file with the first byte too many.
        path: String,
    },
    /// Text that the vendor would refuse as well.
    #[error("{at}: {why}")]
    Syntax {
        /// The line.
        at: At,
        /// What is wrong there.
        why: String,
    },
}

impl Configuration {
    /// Reads a configuration: the files that its program is started with, and what they include.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is too large, includes itself, or is not in the gateway's language.
    pub fn read(kind: Kind, paths: &[&str], files: &dyn Files) -> Result<Self, Unreadable> {
        let mut configuration =
            Self { kind, listeners: Vec::new(), legs: Vec::new(), files: Vec::new(), problems: Vec::new() };
        let mut texts = files::Texts::new(files);
        let one = match kind {
            Kind::Nginx => nginx::read,
            Kind::Envoy => envoy::read,
            Kind::Httpd => httpd::read,
            Kind::Caddy => caddy::read,
            Kind::Haproxy | Kind::Traefik => {
                let several = if kind == Kind::Haproxy { haproxy::read } else { traefik::read };
                several(paths, &mut texts, &mut configuration)?;
                return Ok(configuration);
            }
        };
        for path in paths {
            one(path, &mut texts, &mut configuration)?;
        }
        Ok(configuration)
    }

    /// The directive that gives a leg a sound value of a setting, in the gateway's own language and with the leg's own
    /// names; `None` where the gateway has none.
    #[must_use]
    pub fn remedy(&self, leg: &Leg, setting: Setting) -> Option<String> {
        match self.kind {
            Kind::Nginx => nginx::remedy(leg, setting),
            Kind::Envoy => envoy::remedy(leg, setting),
            Kind::Haproxy => haproxy::remedy(leg, setting),
            Kind::Httpd => httpd::remedy(leg, setting),
            Kind::Traefik => traefik::remedy(leg, setting),
            Kind::Caddy => caddy::remedy(leg, setting),
        }
    }

    fn name_file(&mut self, role: Role, stated: &Stated) {
        if !self.files.iter().any(|file| file.role == role && file.path == stated.value) {
            self.files.push(NamedFile { role, path: stated.value.clone(), at: stated.at.clone() });
        }
    }

    /// Leaves the first [`MOST_ROUTES`] of the routes of a server; the line of the next one is a problem.
    fn bound<T>(&mut self, routes: &mut Vec<T>, at: impl Fn(&T) -> At) {
        if let Some(next) = routes.get(MOST_ROUTES) {
            let what = format!("from here on, routes are not looked at: there are more than {MOST_ROUTES}");
            self.problem(&at(next), what);
            routes.truncate(MOST_ROUTES);
        }
    }

    fn problem(&mut self, at: &At, what: impl Into<String>) {
        let mut problem = Problem { at: at.clone(), what: what.into() };
        if self.problems.len() == MOST_PROBLEMS {
            problem.what = "from here on, what is not understood is not listed".to_owned();
        }
        if self.problems.len() <= MOST_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for listener in &self.listeners {
            writeln!(f, "listener {}{}", listener.address, if listener.tls { "  tls" } else { "" })?;
            for name in &listener.names {
                writeln!(f, "  name {name}")?;
            }
            for IdentityFiles { certificate, key } in &listener.identities {
                writeln!(f, "  certificate {certificate}")?;
                if let Some(key) = key {
                    writeln!(f, "  key {key}")?;
                }
            }
            if let Some((policy, at)) = &listener.clients {
                let policy = match policy {
                    ClientPolicy::Required => "required",
                    ClientPolicy::Optional => "optional",
                };
                writeln!(f, "  clients {policy}  {at}")?;
            }
            if let Some(authorities) = &listener.client_authorities {
                writeln!(f, "  client authorities {authorities}")?;
            }
        }
        for leg in &self.legs {
            writeln!(f, "leg {}  {}", leg.url, leg.at)?;
            writeln!(f, "  {}", leg.name)?;
            for dialled in &leg.dialled {
                writeln!(f, "  dials {dialled}{}  {}", if leg.tls { " tls" } else { "" }, dialled.at)?;
            }
            for (setting, stated) in &leg.settings {
                writeln!(f, "  {} {stated}", setting.name())?;
            }
        }
        for NamedFile { role, path, at } in &self.files {
            writeln!(f, "file {} {path}  {at}", role.name())?;
        }
        for problem in &self.problems {
            writeln!(f, "problem {problem}")?;
        }
        Ok(())
    }
}
