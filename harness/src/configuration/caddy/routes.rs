//! The routes of Caddy: which handlers a call comes to, and the calls that come to a `reverse_proxy`.

use super::{
    super::{Configuration, Url, tree::Node},
    matchers::{self, Call},
    proxy::Proxy,
    servers::View,
    source::Source,
    upstreams,
};

/// How many paths that other routes name are tried for one that names none.
const MOST_OTHERS: usize = 50;
/// How deep routes may lie in one another.
const DEEPEST: usize = 32;

/// Adds the legs of a server.
pub(super) fn read(
    server: &Node,
    views: &[View],
    source: Option<&Source>,
    configuration: &mut Configuration,
) {
    let Some(view) = views.first() else { return };
    let call = Call { host: "localhost".to_owned(), path: "/".to_owned(), tls: view.tls };
    let start = Proxy { handler: server, patterns: Vec::new(), hosts: Vec::new(), call };
    let mut all = Vec::new();
    collect(server, server.list("routes"), &start, String::new(), 0, &mut all);
    configuration.bound(&mut all, |proxy| Source::place(source, proxy.handler));
    for proxy in all {
        let sites = source.map_or_else(Vec::new, |source| source.sites(&proxy.hosts, &view.port.to_string()));
        let Some(call) = reached(server, &proxy) else {
            let line = source.and_then(|source| {
                let dial = proxy.handler.list("upstreams").iter().find_map(|each| each.text_at("dial"))?;
                source.proxy(&sites, dial, &proxy.patterns)
            });
            let at = line.map_or_else(|| Source::place(source, proxy.handler), |line| line.at.clone());
            configuration.problem(&at, "no URL was found that leads to this reverse_proxy");
            continue;
        };
        let view =
            views.iter().find(|view| view.names.contains(&call.host)).unwrap_or(views.last().unwrap_or(view));
        let scheme = if view.tls { "https" } else { "http" };
        let url = Url { scheme, host: call.host, port: view.port, path: call.path };
        upstreams::legs(
            &proxy,
            &url,
            view.listener,
            source.map(|source| (source, sites.as_slice())),
            configuration,
        );
    }
}

/// The `reverse_proxy` handlers of routes and of the routes in them.
fn collect<'a>(
    server: &'a Node,
    routes: &'a [Node],
    outer: &Proxy<'a>,
    mut stripped: String,
    depth: usize,
    found: &mut Vec<Proxy<'a>>,
) {
    if depth > DEEPEST {
        return;
    }
    for route in routes {
        let mut call = outer.call.clone();
        matchers::call(route, &stripped, &mut call);
        let patterns = outer.patterns.iter().copied().chain(matchers::patterns(route)).collect();
        let own: Vec<&str> = matchers::hosts(route).into_iter().filter_map(Node::text).collect();
        let hosts = if own.is_empty() { outer.hosts.clone() } else { own };
        let here = Proxy { handler: route, patterns, hosts, call };
        for handler in route.list("handle") {
            match handler.text_at("handler") {
                Some("subroute") => {
                    collect(server, handler.list("routes"), &here, stripped.clone(), depth + 1, found);
                }
                Some("invoke") => {
                    let named =
                        handler.text_at("name").and_then(|name| server.get("named_routes")?.get(name));
                    let routes = named.map_or(&[][..], std::slice::from_ref);
                    collect(server, routes, &here, stripped.clone(), depth + 1, found);
                }
                Some("rewrite") => {
                    stripped.push_str(handler.text_at("strip_path_prefix").unwrap_or_default());
                }
                Some("reverse_proxy") => found.push(Proxy {
                    handler,
                    patterns: here.patterns.clone(),
                    hosts: here.hosts.clone(),
                    call: here.call.clone(),
                }),
                _ => {}
            }
        }
    }
}

/// A call that comes to a proxy, if one is found.
fn reached(server: &Node, proxy: &Proxy<'_>) -> Option<Call> {
    let call = &proxy.call;
    let joint = if call.path.ends_with('/') { "" } else { "/" };
    let below = Call { path: format!("{}{joint}gauntlet", call.path), ..call.clone() };
    let elsewhere = Call { host: "gauntlet.invalid".to_owned(), ..call.clone() };
    let mut others = Vec::new();
    server.list("routes").iter().for_each(|route| matchers::paths(route, &mut others));
    let others = others
        .into_iter()
        .take(MOST_OTHERS)
        .map(|path| Call { path: path.replace('*', "gauntlet"), ..call.clone() });
    [call.clone(), below, elsewhere].into_iter().chain(others).find(|call| {
        let mut visited = Vec::new();
        visit(server, server.list("routes"), &mut call.clone(), 0, &mut visited);
        visited.iter().any(|handler| std::ptr::eq(*handler, proxy.handler))
    })
}

/// Whether a call goes on after routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    GoesOn,
    Ended,
    /// A condition depends on what is not known of the call.
    Unknown,
}

/// Takes a call through routes and keeps the proxies that it comes to.
fn visit<'a>(
    server: &'a Node,
    routes: &'a [Node],
    call: &mut Call,
    depth: usize,
    visited: &mut Vec<&'a Node>,
) -> Flow {
    let mut groups: Vec<&str> = Vec::new();
    for route in routes {
        let group = route.text_at("group");
        // Of the routes of a group, the first that fits is the only one.
        if depth > DEEPEST || group.is_some_and(|group| groups.contains(&group)) {
            continue;
        }
        match matchers::decide(route, call) {
            Some(true) => groups.extend(group),
            Some(false) => continue,
            None if route.list("handle").iter().all(passes_on) => continue,
            None => return Flow::Unknown,
        }
        for handler in route.list("handle") {
            let flow = match handler.text_at("handler") {
                Some("subroute") => visit(server, handler.list("routes"), call, depth + 1, visited),
                Some("invoke") => {
                    let named =
                        handler.text_at("name").and_then(|name| server.get("named_routes")?.get(name));
                    visit(server, named.map_or(&[][..], std::slice::from_ref), call, depth + 1, visited)
                }
                Some("reverse_proxy") => {
                    visited.push(handler);
                    // `forward_auth` lets a call go on when its backend says yes.
                    if handler.get("handle_response").is_some() { Flow::GoesOn } else { Flow::Ended }
                }
                Some("static_response" | "file_server" | "error") => Flow::Ended,
                Some("rewrite") => {
                    rewrite(handler, call);
                    Flow::GoesOn
                }
                _ => Flow::GoesOn,
            };
            if flow != Flow::GoesOn {
                return flow;
            }
        }
        if route.text_at("terminal") == Some("true") {
            return Flow::Ended;
        }
    }
    Flow::GoesOn
}

/// Whether a handler leaves path and backend of a call as they are.
fn passes_on(handler: &Node) -> bool {
    matches!(
        handler.text_at("handler"),
        Some("headers" | "encode" | "vars" | "log_append" | "request_body" | "push" | "templates")
    )
}

fn rewrite(handler: &Node, call: &mut Call) {
    if let Some(prefix) = handler.text_at("strip_path_prefix") {
        let rest = call.path.strip_prefix(prefix).unwrap_or(&call.path);
        call.path = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
    }
    if let Some(uri) = handler.text_at("uri") {
        let path =
            uri.replace("{http.request.uri}", &call.path).replace("{http.request.uri.path}", &call.path);
        if !path.contains('{') {
            path.split('?').next().unwrap_or_default().clone_into(&mut call.path);
        }
    }
}
