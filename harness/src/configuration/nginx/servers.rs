//! The servers of nginx: their listeners, and the locations that pass a request on.

use super::{
    super::{ClientPolicy, Configuration, IdentityFiles, Listener, Role, Stated, example},
    Context, Protocol, Scope,
    directives::Directive,
    legs,
    locations::{self, Location},
    server::{Server, file, names},
};

/// Reads one server.
pub(super) fn read<'a>(
    context: &Context<'a>,
    scope: &Scope<'a>,
    block: &'a Directive,
    configuration: &mut Configuration,
) {
    let Some(server) = listeners(context, scope, block, configuration) else { return };
    match context.protocol {
        Protocol::Stream => legs::pass(context, &server, scope, "", configuration),
        // `return` at the level of the server answers every request.
        Protocol::Http if block.inside().iter().any(|directive| directive.name == "return") => {}
        Protocol::Http => {
            let mut all = locations::of(block.inside());
            configuration.bound(&mut all, |location| location.directive.at.clone());
            for location in &all {
                walk(context, &server, scope, location, &all, configuration);
            }
        }
    }
}

fn walk<'a>(
    context: &Context<'a>,
    server: &Server<'a>,
    outer: &Scope<'a>,
    location: &Location<'a>,
    all: &[Location<'a>],
    configuration: &mut Configuration,
) {
    let block = location.directive.inside();
    let scope = outer.inner(block);
    for inner in &location.within {
        walk(context, server, &scope, inner, all, configuration);
    }
    let nested = block.iter().filter(|directive| matches!(directive.name.as_str(), "if" | "limit_except"));
    for condition in nested {
        for pass in condition.inside().iter().filter(|directive| legs::passes(context.protocol, directive)) {
            let condition = format!("{} {}", condition.name, condition.arguments.join(" "));
            configuration.problem(&pass.at, format!("{} applies only under \"{condition}\"", pass.name));
        }
    }
    let Some(pass) = block.iter().find(|directive| legs::passes(context.protocol, directive)) else { return };
    // `return` comes before the request is passed on (the phases of ngx_http_rewrite_module and of content).
    if block.iter().any(|directive| directive.name == "return") {
        return;
    }
    let internal = block.iter().any(|directive| directive.name == "internal");
    let path = if location.is_named() || internal { led_to(location, all) } else { location.path(all) };
    match path {
        Some(path) => legs::pass(context, server, &scope, &path, configuration),
        None => {
            let words = location.directive.arguments.join(" ");
            configuration.problem(&pass.at, format!("no URL was found that leads to location {words}"));
        }
    }
}

/// The path of a location that sends each of its requests to this one as well: by `try_files`, `auth_request` or `mirror`.
fn led_to(target: &Location<'_>, all: &[Location<'_>]) -> Option<String> {
    let name = target.directive.first();
    let leads = |directive: &Directive| match directive.name.as_str() {
        "try_files" => directive.arguments.last().is_some_and(|last| last == name),
        "auth_request" | "mirror" => {
            directive.first() == target.directive.arguments.last().map_or("", String::as_str)
        }
        _ => false,
    };
    let mut waiting: Vec<&Location<'_>> = all.iter().collect();
    while let Some(location) = waiting.pop() {
        if location.directive.inside().iter().any(leads)
            && let Some(path) = location.path(all)
        {
            return Some(path);
        }
        waiting.extend(&location.within);
    }
    None
}

/// The listeners of a server, and the one that its URLs use: the first with TLS, else the first.
fn listeners<'a>(
    context: &Context<'a>,
    scope: &Scope<'a>,
    block: &'a Directive,
    configuration: &mut Configuration,
) -> Option<Server<'a>> {
    let names = names(block);
    let old = scope.find("ssl").is_some_and(|directive| directive.first() == "on");
    let mut chosen: Option<(usize, bool, u16)> = None;
    let mut add = |address: Stated, tls: bool, configuration: &mut Configuration| {
        let mut listener = Listener {
            address,
            names: names.clone(),
            tls,
            identities: Vec::new(),
            client_authorities: None,
            clients: None,
        };
        if tls {
            secure(context, scope, &mut listener, configuration);
        }
        let port = listener.port();
        configuration.listeners.push(listener);
        if let Some(port) = port
            && chosen.is_none_or(|(_, chosen, _)| tls && !chosen)
        {
            chosen = Some((configuration.listeners.len() - 1, tls, port));
        }
    };
    let listens: Vec<&Directive> =
        block.inside().iter().filter(|directive| directive.name == "listen").collect();
    for listen in &listens {
        let flag = |flag: &str| listen.arguments.iter().skip(1).any(|word| word == flag);
        if flag("quic") {
            configuration.problem(&listen.at, "HTTP/3 is not looked at");
            continue;
        }
        add(Stated::at(&listen.at, address(listen.first())), old || flag("ssl"), configuration);
    }
    if listens.is_empty() && context.protocol == Protocol::Http {
        add(Stated::default_at(&block.at, "0.0.0.0:80"), old, configuration);
    }
    let (listener, tls, port) = chosen?;
    let host = names.iter().find_map(|name| callable(&name.value)).unwrap_or_else(|| "localhost".to_owned());
    let name = names.first().map_or_else(String::new, |name| name.value.clone());
    Some(Server { block, listener, tls, port, host, name })
}

/// A host name that a server name answers to.
fn callable(name: &str) -> Option<String> {
    match name {
        _ if name.contains('$') && !name.starts_with('~') => None,
        _ if name.starts_with('~') => example::of(name.trim_start_matches('~')),
        _ => Some(
            name.replace('*', "gauntlet")
                .strip_prefix('.')
                .map_or_else(|| name.replace('*', "gauntlet"), str::to_owned),
        ),
    }
}

/// The address of `listen`, with the host and port that are not written.
fn address(text: &str) -> String {
    let text = text.strip_prefix("*:").unwrap_or(text);
    if text.starts_with("unix:") {
        text.to_owned()
    } else if text.parse::<u16>().is_ok() {
        format!("0.0.0.0:{text}")
    } else if text.ends_with(']') || !text.contains(':') {
        format!("{text}:80")
    } else {
        text.to_owned()
    }
}

/// The certificates of a listener and what it wants of its clients.
fn secure(
    context: &Context<'_>,
    scope: &Scope<'_>,
    listener: &mut Listener,
    configuration: &mut Configuration,
) {
    let mut keys = scope.all("ssl_certificate_key");
    for directive in scope.all("ssl_certificate") {
        let certificate = file(context, directive, Role::ServerCertificate, configuration);
        let key = keys.next().map(|directive| file(context, directive, Role::ServerKey, configuration));
        listener.identities.push(IdentityFiles { certificate, key });
    }
    if let Some(directive) = scope.find("ssl_client_certificate") {
        listener.client_authorities = Some(file(context, directive, Role::ClientAuthorities, configuration));
    }
    if let Some(directive) = scope.find("ssl_verify_client") {
        listener.clients = match directive.first() {
            "on" => Some((ClientPolicy::Required, directive.at.clone())),
            "optional" | "optional_no_ca" => Some((ClientPolicy::Optional, directive.at.clone())),
            _ => None,
        };
    }
    let others = [
        ("ssl_trusted_certificate", Role::Other),
        ("ssl_crl", Role::ClientRevocationList),
        ("ssl_dhparam", Role::Other),
        ("ssl_session_ticket_key", Role::Other),
        ("ssl_stapling_file", Role::Other),
        ("ssl_password_file", Role::Other),
    ];
    for (name, role) in others {
        if let Some(directive) = scope.find(name) {
            file(context, directive, role, configuration);
        }
    }
}
