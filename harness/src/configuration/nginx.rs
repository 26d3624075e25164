//! nginx: servers and locations, with the vendor's rules of inheritance, choice and default.

mod directives;
mod legs;
mod locations;
mod server;
mod servers;
mod variables;

use std::collections::HashMap;

use directives::Directive;

use super::{
    Configuration, Dialled, Leg, Setting, Unreadable,
    files::{Texts, folder},
};

/// Whether a text is a configuration of nginx: a block that only nginx has, or a directive that ends in a semicolon.
pub(super) fn is_one(text: &str) -> bool {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let begins = [
        "http {",
        "http{",
        "events {",
        "events{",
        "server {",
        "server{",
        "upstream ",
        "location ",
        "stream {",
        "stream{",
    ];
    lines.take(400).any(|line| begins.iter().any(|begin| line.starts_with(begin) && line.contains('{')))
}

/// Reads `nginx.conf` and what it includes.
pub(super) fn read(
    path: &str,
    texts: &mut Texts<'_>,
    configuration: &mut Configuration,
) -> Result<(), Unreadable> {
    let main = directives::read(path, texts, configuration)?;
    let prefix = folder(path);
    let alone = !main.iter().any(|directive| matches!(directive.name.as_str(), "http" | "stream"));
    for directive in &main {
        let protocol = match directive.name.as_str() {
            "http" => Protocol::Http,
            "stream" => Protocol::Stream,
            _ => continue,
        };
        let context = Context::new(protocol, prefix, directive.inside());
        context.read(&Scope(vec![&main, directive.inside()]), configuration);
    }
    // A file of conf.d or sites-enabled, without the nginx.conf that includes it.
    if alone {
        Context::new(Protocol::Http, prefix, &main).read(&Scope(vec![&main]), configuration);
    }
    for directive in main.iter().filter(|directive| directive.name == "load_module") {
        configuration
            .problem(&directive.at, format!("directives of the module {} are not read", directive.first()));
    }
    Ok(())
}

/// What the servers of a block speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http,
    Stream,
}

/// The blocks around a directive, outermost first.
#[derive(Debug, Clone)]
struct Scope<'a>(Vec<&'a [Directive]>);

impl<'a> Scope<'a> {
    fn inner(&self, block: &'a [Directive]) -> Self {
        Self(self.0.iter().copied().chain([block]).collect())
    }

    /// The directive that holds here: of the innermost block that has it.
    fn find(&self, name: &str) -> Option<&'a Directive> {
        self.0.iter().rev().find_map(|block| block.iter().find(|directive| directive.name == name))
    }

    /// The directives of that name of the innermost block that has one.
    fn all(&self, name: &str) -> impl Iterator<Item = &'a Directive> {
        let here = |block: &&&[Directive]| block.iter().any(|directive| directive.name == name);
        let block = self.0.iter().rev().find(here).copied().unwrap_or_default();
        block.iter().filter(move |directive| directive.name == name)
    }

    /// The directive of that name that is the only one of its kind, conditions included.
    fn only(&self, name: &str, of_kind: impl Fn(&Directive) -> bool) -> Option<&'a Directive> {
        let conditional =
            |directive: &'a Directive| if directive.name == "if" { directive.inside() } else { &[] };
        let all = self
            .0
            .iter()
            .flat_map(|block| block.iter())
            .flat_map(|each| std::iter::once(each).chain(conditional(each)));
        let mut found = all.filter(|directive| directive.name == name && of_kind(directive));
        let first = found.next();
        if found.next().is_some() { None } else { first }
    }
}

/// The members of an `upstream` block, and what it says of connections and checks.
#[derive(Debug)]
struct Upstream<'a> {
    block: &'a Directive,
    members: Vec<Dialled>,
}

/// A block `http` or `stream`: what its servers share.
#[derive(Debug)]
struct Context<'a> {
    protocol: Protocol,
    /// The folder where relative paths begin.
    prefix: &'a str,
    maps: HashMap<&'a str, &'a Directive>,
    splits: HashMap<&'a str, &'a Directive>,
    upstreams: HashMap<&'a str, Upstream<'a>>,
}

impl<'a> Context<'a> {
    fn new(protocol: Protocol, prefix: &'a str, block: &'a [Directive]) -> Self {
        let setting = |name: &'static str| {
            let named = block.iter().filter(move |directive| directive.name == name);
            named.filter_map(|each| Some((each.arguments.get(1)?.strip_prefix('$')?, each))).collect()
        };
        let upstreams = block.iter().filter(|directive| directive.name == "upstream");
        let upstreams =
            upstreams.map(|each| (each.first(), Upstream { block: each, members: members(each) })).collect();
        Self { protocol, prefix, maps: setting("map"), splits: setting("split_clients"), upstreams }
    }

    fn read(&self, scope: &Scope<'a>, configuration: &mut Configuration) {
        let Some(block) = scope.0.last() else { return };
        let servers = block.iter().filter(|directive| directive.name == "server");
        for server in servers {
            servers::read(self, &scope.inner(server.inside()), server, configuration);
        }
    }
}

/// The servers of an upstream that are dialled; a port that is not written is 80, whatever the scheme.
fn members(block: &Directive) -> Vec<Dialled> {
    let servers = block.inside().iter().filter(|directive| directive.name == "server");
    let up = servers.filter(|server| !server.arguments.iter().any(|word| word == "down"));
    up.map(|server| {
        let (host, port) = host_and_port(server.first(), 80);
        Dialled { host, port, at: server.at.clone() }
    })
    .collect()
}

/// Host and port of `host`, `host:port`, `[v6]:port` or `unix:/path`.
fn host_and_port(text: &str, default: u16) -> (String, u16) {
    if text.starts_with("unix:") {
        // What follows a second colon is the path of the request.
        let socket = text.match_indices(':').nth(1).map_or(text, |(end, _)| &text[..end]);
        return (socket.to_owned(), 0);
    }
    let v6 = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) = v6
        .map(|(host, rest)| (host, rest.strip_prefix(':')))
        .unwrap_or_else(|| text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))));
    (host.to_owned(), port.and_then(|port| port.parse().ok()).unwrap_or(default))
}

/// The directive that gives a leg a sound value.
pub(super) fn remedy(leg: &Leg, setting: Setting) -> Option<String> {
    let prefix = leg.name.split_once("_pass").map_or("proxy", |(prefix, _)| prefix);
    let host = leg.host_name();
    Some(match setting {
        Setting::Verification => format!("{prefix}_ssl_verify on;"),
        Setting::Trust => format!("{prefix}_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;"),
        Setting::CheckedName => format!("{prefix}_ssl_name {host};"),
        Setting::Sni => format!("{prefix}_ssl_server_name on;"),
        Setting::Certificate => format!("{prefix}_ssl_certificate CERTIFICATE.pem;"),
        Setting::Key => format!("{prefix}_ssl_certificate_key KEY.pem;"),
        Setting::Versions => format!("{prefix}_ssl_protocols TLSv1.2 TLSv1.3;"),
        Setting::Ciphers => format!("{prefix}_ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;"),
        Setting::RevocationList => format!("{prefix}_ssl_crl LIST.pem;"),
        Setting::Depth => format!("{prefix}_ssl_verify_depth 2;"),
        Setting::KeepAlive => "keepalive 32;".to_owned(),
        Setting::Retries => format!("{prefix}_next_upstream off;"),
        Setting::Dates | Setting::HealthCheck => return None,
    })
}
