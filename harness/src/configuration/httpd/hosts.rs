//! The virtual hosts of httpd, and the main server where no virtual host listens.

use super::{
    super::{ClientPolicy, Configuration, IdentityFiles, Listener, Role, Stated, Url},
    Scope,
    directives::Directive,
    passes,
    server::{Server, file},
};

/// An address of `Listen`.
struct Listen<'a> {
    host: String,
    port: &'a str,
    directive: &'a Directive,
}

/// Reads the servers of a configuration.
pub(super) fn read(root: &str, main: &[Directive], configuration: &mut Configuration) {
    let scope = Scope { root, blocks: vec![main] };
    let listens: Vec<Listen<'_>> = main
        .iter()
        .filter(|directive| directive.name == "listen")
        .map(|directive| {
            let (host, port) = host_and_port(directive.first());
            Listen { host, port, directive }
        })
        .collect();
    let mut taken: Vec<usize> = Vec::new();
    for host in main.iter().filter(|directive| directive.name == "virtualhost") {
        let scope = scope.inner(host.inside());
        let mut chosen = None;
        for argument in &host.arguments {
            let (name, port) = host_and_port(argument);
            let any = listens.is_empty().then_some((&name, port, host));
            let of_listens = listens
                .iter()
                .enumerate()
                .filter(|(_, listen)| matches!(port, "*" | "") || listen.port == port);
            let found = of_listens.map(|(number, listen)| {
                taken.push(number);
                (if name == "0.0.0.0" { &listen.host } else { &name }, listen.port, listen.directive)
            });
            let found: Vec<_> = found.chain(any).collect();
            if found.is_empty() {
                configuration.problem(&host.at, format!("no Listen has the port of {argument}"));
            }
            for (name, port, directive) in found {
                let place = listener(&scope, &format!("{name}:{port}"), directive, configuration);
                chosen = chosen.or(Some(place));
            }
        }
        if let Some(listener) = chosen {
            server(&scope, listener, configuration);
        }
    }
    let rest = listens.iter().enumerate().filter(|(number, _)| !taken.contains(number));
    let mut chosen = None;
    for (_, listen) in rest {
        let place =
            listener(&scope, &format!("{}:{}", listen.host, listen.port), listen.directive, configuration);
        chosen = chosen.or(Some(place));
    }
    if let Some(listener) = chosen {
        server(&scope, listener, configuration);
    }
}

/// Host and port of `443`, `*:443`, `host:443`, `[v6]:443`, `host`.
fn host_and_port(text: &str) -> (String, &str) {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ if text.parse::<u16>().is_ok() => ("", text),
        _ => (text, ""),
    };
    let host = if matches!(host, "" | "*" | "_default_") { "0.0.0.0" } else { host };
    (host.to_owned(), port)
}

fn server(scope: &Scope<'_>, listener: usize, configuration: &mut Configuration) {
    let found = &configuration.listeners[listener];
    let host = found
        .names
        .first()
        .map_or_else(|| "localhost".to_owned(), |name| name.value.replace('*', "gauntlet").replace('?', "x"));
    let scheme = if found.tls { "https" } else { "http" };
    let Some(port) = found.port() else {
        let at = found.address.at.clone();
        configuration.problem(&at, "the listener's port is not known");
        return;
    };
    let server = Server { listener, url: Url { scheme, host, port, path: String::new() } };
    passes::read(scope, &server, configuration);
}

/// Adds a listener and returns its place.
fn listener(
    scope: &Scope<'_>,
    address: &str,
    listen: &Directive,
    configuration: &mut Configuration,
) -> usize {
    let own = scope.blocks.last().copied().unwrap_or_default();
    let named =
        own.iter().filter(|directive| matches!(directive.name.as_str(), "servername" | "serveralias"));
    let names = named.flat_map(|directive| {
        directive.arguments.iter().map(|name| {
            let name = name.split_once("://").map_or(name.as_str(), |(_, name)| name);
            Stated::at(&directive.at, name.split(':').next().unwrap_or(name))
        })
    });
    let engine = scope.find("sslengine").map(|directive| directive.first().to_ascii_lowercase());
    let tls = match engine.as_deref() {
        Some("on" | "optional") => true,
        Some(_) => false,
        None => listen.name == "listen" && listen.argument(1) == "https",
    };
    let mut listener = Listener {
        address: Stated::at(&listen.at, address),
        names: names.collect(),
        tls,
        identities: Vec::new(),
        client_authorities: None,
        clients: None,
    };
    if tls {
        secure(scope, &mut listener, configuration);
    }
    configuration.listeners.push(listener);
    configuration.listeners.len() - 1
}

/// The certificates of a listener and what it wants of its clients.
fn secure(scope: &Scope<'_>, listener: &mut Listener, configuration: &mut Configuration) {
    let files = |name: &str| {
        let block =
            scope.blocks.iter().rev().find(|block| block.iter().any(|directive| directive.name == name));
        block
            .into_iter()
            .flat_map(|block| block.iter())
            .filter(|directive| directive.name == name)
            .collect::<Vec<_>>()
    };
    let mut keys = files("sslcertificatekeyfile").into_iter();
    for directive in files("sslcertificatefile") {
        let certificate = file(scope, directive, Role::ServerCertificate, configuration);
        let key = keys.next().map(|directive| file(scope, directive, Role::ServerKey, configuration));
        listener.identities.push(IdentityFiles { certificate, key });
    }
    let authorities = scope.find("sslcacertificatefile").or_else(|| scope.find("sslcacertificatepath"));
    listener.client_authorities =
        authorities.map(|directive| file(scope, directive, Role::ClientAuthorities, configuration));
    if let Some(directive) = scope.find("sslverifyclient") {
        listener.clients = policy(directive.first()).map(|policy| (policy, directive.at.clone()));
    }
    let others = [
        ("sslcarevocationfile", Role::ClientRevocationList),
        ("sslcertificatechainfile", Role::Other),
        ("sslsessionticketkeyfile", Role::Other),
    ];
    for (name, role) in others {
        if let Some(directive) = scope.find(name) {
            file(scope, directive, role, configuration);
        }
    }
    let own = scope.blocks.last().copied().unwrap_or_default();
    for section in own.iter().filter(|directive| directive.block.is_some()) {
        let late = section.inside().iter().find(|directive| directive.name == "sslverifyclient");
        if let Some(directive) = late.filter(|directive| policy(directive.first()).is_some()) {
            let what = format!(
                "a client certificate is wanted only under <{} {}>",
                section.written,
                section.arguments.join(" ")
            );
            configuration.problem(&directive.at, what);
        }
    }
}

fn policy(word: &str) -> Option<ClientPolicy> {
    match word.to_ascii_lowercase().as_str() {
        "require" => Some(ClientPolicy::Required),
        "optional" | "optional_no_ca" => Some(ClientPolicy::Optional),
        _ => None,
    }
}
