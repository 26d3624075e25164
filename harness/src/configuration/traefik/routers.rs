//! The routers of Traefik, and the URLs that lead to the service of each.

use super::{
    super::{Configuration, Leg, Setting, Stated, Url, tree::Node},
    Files,
    entries::Entries,
    protocol::Protocol,
    rules::{Call, Rule},
    services,
};

/// A router, and on which entry points it is.
struct Router<'a> {
    name: &'a str,
    node: &'a Node,
    rule: Rule,
    priority: usize,
    entries: Vec<&'a str>,
}

/// Reads the routers of both protocols.
pub(super) fn read(files: &Files, configuration: &mut Configuration) {
    let mut entries = Entries::default();
    for protocol in [Protocol::Http, Protocol::Tcp] {
        let path = protocol.path("routers");
        let mut routers: Vec<Router<'_>> = files
            .entries(&path)
            .filter_map(|(name, node)| router(files, name, node, configuration))
            .collect();
        configuration.bound(&mut routers, |router| router.node.at.clone());
        for router in &routers {
            legs(files, protocol, router, &routers, &mut entries, configuration);
        }
    }
    // An entry point without a router answers 404 to every call.
    for (name, entry) in files.entries("entryPoints") {
        let value = entry.text_at("address").unwrap_or_default();
        if !value.ends_with("/udp")
            && !configuration.listeners.iter().any(|listener| {
                entry.stated("address").is_some_and(|address| address.at == listener.address.at)
            })
        {
            entries.listener(files, name, None, Vec::new(), configuration);
        }
    }
}

fn router<'a>(
    files: &'a Files,
    name: &'a str,
    node: &'a Node,
    configuration: &mut Configuration,
) -> Option<Router<'a>> {
    let text = node.text_at("rule").unwrap_or_default();
    let Some(rule) = Rule::parse(text) else {
        configuration.problem(
            node.get("rule").map_or(&node.at, |rule| &rule.at),
            format!("the rule {text} is not understood"),
        );
        return None;
    };
    let written =
        node.text_at("priority").and_then(|priority| priority.parse().ok()).filter(|priority| *priority > 0);
    let named: Vec<&str> = node.list("entryPoints").iter().filter_map(Node::text).collect();
    let all = || {
        let as_default = |entry: &Node| entry.text_at("asDefault") == Some("true");
        let some = files.entries("entryPoints").any(|(_, entry)| as_default(entry));
        let tcp = |entry: &Node| !entry.text_at("address").is_some_and(|address| address.ends_with("/udp"));
        let entries = files.entries("entryPoints").filter(|(name, entry)| name != "traefik" && tcp(entry));
        entries.filter(|(_, entry)| !some || as_default(entry)).map(|(name, _)| name.as_str()).collect()
    };
    let entries = if named.is_empty() { all() } else { named };
    // The longest rule comes first.
    Some(Router { name, node, rule, priority: written.unwrap_or(text.len()), entries })
}

fn legs(
    files: &Files,
    protocol: Protocol,
    router: &Router<'_>,
    all: &[Router<'_>],
    entries: &mut Entries,
    configuration: &mut Configuration,
) {
    let node = router.node;
    let service = node.text_at("service").unwrap_or_default();
    if service.ends_with("@internal") {
        return;
    }
    let Some(entry) = router.entries.iter().find(|entry| files.named("entryPoints", entry).is_some()) else {
        let what = format!(
            "the address of the entry point {} is not known",
            router.entries.first().unwrap_or(&"of the default")
        );
        configuration.problem(&node.at, what);
        return;
    };
    let tls = node.get("tls").or_else(|| {
        files.named("entryPoints", entry)?.path("http.tls").filter(|_| protocol == Protocol::Http)
    });
    let tls = tls.filter(|tls| tls.text() != Some("false"));
    let passed = tls.is_some_and(|tls| tls.text_at("passthrough") == Some("true"));
    let options = tls.filter(|_| !passed).map(|tls| tls.text_at("options").unwrap_or("default"));
    let at = node.get("rule").map_or(&node.at, |rule| &rule.at);
    let names = router.rule.hosts().into_iter().map(|host| Stated::at(at, host)).collect();
    let Some(listener) = entries.listener(files, entry, options, names, configuration) else { return };
    let Some(port) = configuration.listeners[listener].port() else { return };
    let mut again = None;
    for middleware in middlewares(files, node, configuration) {
        match middleware {
            Middleware::Redirect if protocol == Protocol::Http => return,
            Middleware::Redirect => {}
            Middleware::RedirectToTls if tls.is_none() => return,
            Middleware::RedirectToTls => {}
            Middleware::Retry(stated) => again = Some(stated),
        }
    }
    let call = match reached(router, entry, all) {
        Ok(call) => call,
        Err(why) => {
            configuration.problem(&node.at, why);
            return;
        }
    };
    let scheme = match (protocol, options.is_some()) {
        (Protocol::Http, true) => "https",
        (Protocol::Http, false) => "http",
        (Protocol::Tcp, true) => "tls",
        (Protocol::Tcp, false) => "tcp",
    };
    let path = if protocol == Protocol::Http { call.path } else { String::new() };
    let url = Url { scheme, host: call.host, port, path };
    for mut group in services::read(files, protocol, service, &node.at, configuration) {
        group.settings.extend(again.clone().map(|again| (Setting::Retries, again)));
        configuration.legs.push(Leg {
            name: format!("router {}, service {}", router.name, group.name),
            at: node.at.clone(),
            url: url.clone(),
            listener,
            dialled: group.dialled,
            tls: group.tls,
            settings: group.settings,
        });
    }
}

/// A call for which no router with a higher priority on the entry point is.
fn reached(router: &Router<'_>, entry: &str, all: &[Router<'_>]) -> Result<Call, String> {
    let mut call = Call { host: "localhost".to_owned(), path: "/".to_owned() };
    router.rule.call(&mut call);
    let below = |part: &str| {
        let joint = if call.path.ends_with('/') { "" } else { "/" };
        Call { path: format!("{}{joint}{part}", call.path), ..call.clone() }
    };
    let tries =
        [call.clone(), below("gauntlet"), Call { host: "gauntlet.invalid".to_owned(), ..call.clone() }];
    let before = |other: &&Router<'_>| other.priority > router.priority && other.entries.contains(&entry);
    let mut why = match router.rule.decide(&tries[0]) {
        None => "its rule depends on more than host and path",
        Some(_) => "no URL was found for its rule",
    };
    for call in tries {
        if router.rule.decide(&call) != Some(true) {
            continue;
        }
        let others: Vec<Option<bool>> =
            all.iter().filter(before).map(|other| other.rule.decide(&call)).collect();
        if others.iter().all(|fits| *fits == Some(false)) {
            return Ok(call);
        }
        why = if others.contains(&Some(true)) {
            "a router with a higher priority takes its calls"
        } else {
            "a router with a higher priority may take its calls"
        };
    }
    Err(format!("router {}: {why}", router.name))
}

enum Middleware {
    Redirect,
    RedirectToTls,
    Retry(Stated),
}

/// What the middlewares of a router do that concerns its legs.
fn middlewares(files: &Files, node: &Node, configuration: &mut Configuration) -> Vec<Middleware> {
    let mut waiting: Vec<&Node> = node.list("middlewares").iter().collect();
    let mut found = Vec::new();
    let mut seen = Vec::new();
    while let Some(reference) = waiting.pop() {
        let name = reference.text().unwrap_or_default();
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let Some(middleware) =
            files.named("http.middlewares", name).or_else(|| files.named("tcp.middlewares", name))
        else {
            configuration.problem(&reference.at, format!("there is no middleware \"{name}\""));
            continue;
        };
        for (kind, inside) in middleware.entries() {
            match kind.to_ascii_lowercase().as_str() {
                "chain" => waiting.extend(inside.list("middlewares")),
                "redirectregex" => found.push(Middleware::Redirect),
                "redirectscheme" => found.push(Middleware::RedirectToTls),
                "retry" => {
                    let attempts = inside.text_at("attempts").unwrap_or_default();
                    found.push(Middleware::Retry(Stated::at(&inside.at, format!("attempts {attempts}"))));
                }
                _ => {}
            }
        }
    }
    found
}
