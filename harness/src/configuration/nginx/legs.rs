//! The legs of nginx: what `proxy_pass` and its relatives dial, and with which settings.

use std::collections::BTreeMap;

use super::{
    super::{Configuration, Dialled, Leg, Role, Setting, Stated, example},
    Context, Protocol, Scope, Upstream,
    directives::Directive,
    host_and_port,
    server::{Server, file},
    variables::{self, Call},
};

/// Whether a directive passes requests or streams to a backend.
pub(super) fn passes(protocol: Protocol, directive: &Directive) -> bool {
    match protocol {
        Protocol::Http => matches!(directive.name.as_str(), "proxy_pass" | "grpc_pass" | "uwsgi_pass"),
        Protocol::Stream => directive.name == "proxy_pass",
    }
}

/// Adds the legs of the innermost block: one for the URL, and one more for each name on which its backend depends.
pub(super) fn pass<'a>(
    context: &Context<'a>,
    server: &Server<'a>,
    scope: &Scope<'a>,
    path: &str,
    configuration: &mut Configuration,
) {
    let block = scope.0.last().copied().unwrap_or_default();
    let Some(directive) = block.iter().find(|directive| passes(context.protocol, directive)) else { return };
    let mut hosts = hosts_of_maps(context, server, directive, configuration);
    if hosts.is_empty() {
        hosts.push(server.host.clone());
    }
    let mut seen: Vec<Vec<Dialled>> = Vec::new();
    for host in hosts {
        let call = Call {
            maps: &context.maps,
            scheme: if server.tls { "https" } else { "http" },
            host: &host,
            path,
            server_name: &server.name,
            proxy_host: None,
        };
        match target(context, scope, directive, &call) {
            Ok(target) if seen.contains(&target.dialled) => {}
            Ok(target) => {
                seen.push(target.dialled.clone());
                let mut url = server.url(context.protocol, path);
                url.host.clone_from(&host);
                let call = Call { proxy_host: Some(&target.host), ..call };
                let settings = settings(context, scope, directive, &target, &call, configuration);
                configuration.legs.push(Leg {
                    name: format!("{} {}", directive.name, directive.first()),
                    at: directive.at.clone(),
                    url,
                    listener: server.listener,
                    dialled: target.dialled,
                    tls: target.tls,
                    settings,
                });
            }
            Err(variable) => configuration.problem(
                &directive.at,
                format!("the backend of {} depends on {variable}, which is not known", directive.first()),
            ),
        }
    }
}

/// The names in the maps on which the backend depends: each leads to a leg of its own.
fn hosts_of_maps(
    context: &Context<'_>,
    server: &Server<'_>,
    directive: &Directive,
    configuration: &mut Configuration,
) -> Vec<String> {
    let mut hosts = Vec::new();
    let maps = variables::names(directive.first()).filter_map(|name| context.maps.get(name));
    for map in maps {
        if !matches!(map.first(), "$host" | "$http_host" | "$ssl_server_name" | "$ssl_preread_server_name") {
            let others =
                map.inside().iter().filter(|entry| entry.name != "default" && !entry.arguments.is_empty());
            for entry in others {
                let what =
                    format!("{} is another backend where {} is {}", entry.first(), map.first(), entry.name);
                configuration.problem(&entry.at, what);
            }
            continue;
        }
        for entry in map.inside().iter().filter(|entry| !entry.arguments.is_empty()) {
            let answered = server.name.is_empty() || server.serves(&entry.name);
            match entry.name.as_str() {
                "default" => hosts.push(server.host.clone()),
                name if name.starts_with('~') => match example::of(&name.to_lowercase().replace('~', "")) {
                    Some(host) => hosts.push(host),
                    None => {
                        configuration
                            .problem(&entry.at, format!("no name was found for the expression {name}"));
                    }
                },
                name if answered => hosts.push(name.trim_start_matches('.').replace('*', "gauntlet")),
                _ => {}
            }
        }
    }
    hosts
}

/// What a pass leads to.
struct Target<'c> {
    /// The host as it is written, which is the value of `$proxy_host`.
    host: String,
    dialled: Vec<Dialled>,
    tls: bool,
    upstream: Option<&'c Upstream<'c>>,
}

fn target<'c>(
    context: &'c Context<'_>,
    scope: &Scope<'_>,
    directive: &Directive,
    call: &Call<'_>,
) -> Result<Target<'c>, String> {
    let written = directive.first();
    let split = variables::names(written).find_map(|name| Some((name, context.splits.get(name)?)));
    if let Some((name, block)) = split {
        let mut all: Option<Target<'c>> = None;
        for share in block.inside() {
            let text = written
                .replace(&format!("${name}"), share.first())
                .replace(&format!("${{{name}}}"), share.first());
            let one = single(context, scope, directive, &text, call)?;
            match &mut all {
                Some(all) => all.dialled.extend(one.dialled),
                None => all = Some(one),
            }
        }
        return all.ok_or_else(|| format!("${name}"));
    }
    single(context, scope, directive, written, call)
}

fn single<'c>(
    context: &'c Context<'_>,
    scope: &Scope<'_>,
    directive: &Directive,
    written: &str,
    call: &Call<'_>,
) -> Result<Target<'c>, String> {
    let (scheme, rest) = match written.split_once("://") {
        Some((scheme, rest)) => (call.resolve(scheme, scope)?, rest.to_owned()),
        None => {
            let whole = call.resolve(written, scope)?;
            whole
                .split_once("://")
                .map_or((String::new(), whole.clone()), |(scheme, rest)| (scheme.to_owned(), rest.to_owned()))
        }
    };
    let authority = if rest.starts_with("unix:") {
        rest.as_str()
    } else {
        rest.split(['/', '?']).next().unwrap_or_default()
    };
    let authority = call.resolve(authority, scope)?;
    if authority.is_empty() {
        return Err(written.to_owned());
    }
    let stream = context.protocol == Protocol::Stream;
    let tls = if stream {
        scope.find("proxy_ssl").is_some_and(|directive| directive.first() == "on")
    } else {
        matches!(scheme.as_str(), "https" | "grpcs" | "suwsgi")
    };
    let upstream = context.upstreams.get(authority.as_str());
    let (host, port) = host_and_port(&authority, if tls { 443 } else { 80 });
    let dialled = upstream.map_or_else(
        || vec![Dialled { host: host.clone(), port, at: directive.at.clone() }],
        |upstream| upstream.members.clone(),
    );
    Ok(Target { host, dialled, tls, upstream })
}

fn settings(
    context: &Context<'_>,
    scope: &Scope<'_>,
    directive: &Directive,
    target: &Target<'_>,
    call: &Call<'_>,
    configuration: &mut Configuration,
) -> BTreeMap<Setting, Stated> {
    let prefix = directive.name.trim_end_matches("_pass");
    let find = |name: &str| scope.find(&format!("{prefix}_{name}"));
    let mut settings = BTreeMap::new();
    if target.tls {
        secure(context, scope, directive, target, call, &mut settings, configuration);
    }
    let next = find("next_upstream").map(|each| Stated::at(&each.at, each.arguments.join(" ")));
    if let Some(stated) = next {
        settings.insert(Setting::Retries, stated);
    }
    let of_upstream = |name: &str| {
        target.upstream.and_then(|each| each.block.inside().iter().find(|inside| inside.name == name))
    };
    if let Some(keepalive) = of_upstream("keepalive") {
        settings.insert(Setting::KeepAlive, Stated::at(&keepalive.at, keepalive.arguments.join(" ")));
    }
    if let Some(check) = scope.find("health_check") {
        settings.insert(
            Setting::HealthCheck,
            Stated::at(&check.at, format!("active {}", check.arguments.join(" ")).trim()),
        );
    }
    settings
}

fn secure(
    context: &Context<'_>,
    scope: &Scope<'_>,
    directive: &Directive,
    target: &Target<'_>,
    call: &Call<'_>,
    settings: &mut BTreeMap<Setting, Stated>,
    configuration: &mut Configuration,
) {
    let prefix = directive.name.trim_end_matches("_pass");
    let find = |name: &str| scope.find(&format!("{prefix}_ssl_{name}"));
    let words = |name: &str| find(name).map(|each| Stated::at(&each.at, each.arguments.join(" ")));
    let or_default =
        |name: &str, default: &str| words(name).unwrap_or_else(|| Stated::default_at(&directive.at, default));
    settings.insert(Setting::Verification, or_default("verify", "off"));
    settings.insert(Setting::Depth, or_default("verify_depth", "1"));
    let name = match find("name") {
        None => Stated::default_at(&directive.at, &target.host),
        Some(each) => match call.resolve(each.first(), scope) {
            Ok(name) => Stated::at(&each.at, host_and_port(&name, 0).0),
            Err(variable) => {
                configuration
                    .problem(&each.at, format!("the name depends on {variable}, which is not known"));
                Stated::at(&each.at, each.first())
            }
        },
    };
    let sends = or_default("server_name", "off");
    let sni = if sends.value == "on" { Stated { value: name.value.clone(), ..sends } } else { sends };
    settings.insert(Setting::Sni, sni);
    settings.insert(Setting::CheckedName, name);
    for (setting, name) in [(Setting::Versions, "protocols"), (Setting::Ciphers, "ciphers")] {
        if let Some(stated) = words(name) {
            settings.insert(setting, stated);
        }
    }
    let files = [
        (Setting::Trust, "trusted_certificate", Role::Trust),
        (Setting::Certificate, "certificate", Role::Certificate),
        (Setting::Key, "certificate_key", Role::Key),
        (Setting::RevocationList, "crl", Role::RevocationList),
    ];
    for (setting, name, role) in files {
        // An empty name cancels the inherited one.
        if let Some(each) = find(name).filter(|each| !each.first().is_empty()) {
            settings.insert(setting, file(context, each, role, configuration));
        }
    }
}
