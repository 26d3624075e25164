//! The matchers of Caddy's routes, for one call: a GET with a host and a path and no other header.

use super::super::{example, known, tree::Node};

/// The call by which matchers are decided.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) host: String,
    /// The path as the next handler sees it.
    pub(super) path: String,
    pub(super) tls: bool,
}

/// Whether a route is for a call: one of its sets of matchers; `None` if that depends on what is not known of it.
pub(super) fn decide(route: &Node, call: &Call) -> Option<bool> {
    match route.get("match") {
        None => Some(true),
        Some(sets) => known::any(sets.items().iter().map(|set| of_set(set, call))),
    }
}

fn of_set(set: &Node, call: &Call) -> Option<bool> {
    known::all(set.entries().iter().map(|(name, matcher)| one(name, matcher, call)))
}

fn one(name: &str, matcher: &Node, call: &Call) -> Option<bool> {
    let any = |fits: &dyn Fn(&str) -> bool| Some(matcher.items().iter().filter_map(Node::text).any(fits));
    match name {
        "host" => any(&|host| glob(host, &call.host)),
        "path" => any(&|path| glob(path, &call.path)),
        "path_regexp" => example::matches(matcher.text_at("pattern")?, &call.path),
        "method" => any(&|method| method == "GET"),
        "protocol" => Some(matcher.text() == Some(if call.tls { "https" } else { "http" })),
        "header" | "header_regexp" | "query" => Some(false),
        "not" => known::not(known::any(matcher.items().iter().map(|set| of_set(set, call)))),
        _ => None,
    }
}

/// Whether a text fits a pattern, in which a star stands for any text; letters are as good as capitals.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = text.strip_prefix(begin).and_then(|text| text.strip_suffix(end));
    let mut left = inner;
    for part in middle.split('*') {
        left = left.and_then(|text| text.split_once(part).map(|(_, after)| after));
    }
    left.is_some()
}

/// The call that a route is for, as far as its first set of matchers says; `stripped` is what its handlers no longer see of the
/// path.
pub(super) fn call(route: &Node, stripped: &str, call: &mut Call) {
    let Some(set) = route.list("match").first() else { return };
    let first = |name: &str| set.list(name).first().and_then(Node::text);
    if let Some(host) = first("host") {
        call.host = host.replace('*', "gauntlet");
    }
    if let Some(path) = first("path") {
        // A pattern that begins with a star is for the end of a path that another route begins.
        call.path = match path.strip_prefix('*') {
            Some(end) => format!("{}{}", call.path.trim_end_matches('/'), end.replace('*', "gauntlet")),
            None => format!("{stripped}{}", path.replace('*', "gauntlet")),
        };
    }
    if let Some(expression) = set.text_at("path_regexp.pattern") {
        let example = example::of(expression).unwrap_or_default();
        let slash = if example.starts_with('/') { "" } else { "/" };
        call.path = format!("{stripped}{slash}{example}");
    }
}

/// Every path that a matcher of some routes names, also one that is negated.
pub(super) fn paths<'a>(node: &'a Node, found: &mut Vec<&'a str>) {
    for (name, inside) in node.entries() {
        if name == "path" {
            found.extend(inside.items().iter().filter_map(Node::text));
        } else if name != "handler" {
            inside.items().iter().for_each(|item| paths(item, found));
        }
    }
}

/// The paths that a route names, as they are written.
pub(super) fn patterns(route: &Node) -> Vec<&str> {
    let sets = route.list("match").iter();
    sets.flat_map(|set| {
        let paths = set.list("path").iter().filter_map(Node::text);
        paths.chain(set.text_at("path_regexp.pattern"))
    })
    .collect()
}

/// The host names that a route names.
pub(super) fn hosts(route: &Node) -> Vec<&Node> {
    route.list("match").iter().flat_map(|set| set.list("host")).collect()
}
