//! The variables of nginx, for one call: a GET of the leg's URL with no other header than `Host`.

use std::collections::HashMap;

use regex::Regex;

use super::{Scope, directives::Directive};

/// How often a variable may lead to another.
const DEEPEST: usize = 16;

/// The maps of a context by the variable that they set, and what is known of the call.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    pub(super) maps: &'a HashMap<&'a str, &'a Directive>,
    pub(super) scheme: &'static str,
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) server_name: &'a str,
    /// The host of `proxy_pass`, for what depends on it.
    pub(super) proxy_host: Option<&'a str>,
}

impl Call<'_> {
    /// A text with its variables resolved; as an error, the variable that is not known.
    pub(super) fn resolve(&self, text: &str, scope: &Scope<'_>) -> Result<String, String> {
        self.resolve_within(text, scope, 0)
    }

    fn resolve_within(&self, text: &str, scope: &Scope<'_>, depth: usize) -> Result<String, String> {
        let mut resolved = String::new();
        for part in parts(text) {
            match part {
                Part::Plain(plain) => resolved.push_str(plain),
                Part::Variable(name) if depth < DEEPEST => {
                    resolved.push_str(&self.variable(name, scope, depth + 1)?);
                }
                Part::Variable(name) => return Err(format!("${name}")),
            }
        }
        Ok(resolved)
    }

    fn variable(&self, name: &str, scope: &Scope<'_>, depth: usize) -> Result<String, String> {
        let plain = match name {
            "host" | "http_host" | "ssl_server_name" | "ssl_preread_server_name" => Some(self.host),
            "server_name" => Some(self.server_name),
            "scheme" => Some(self.scheme),
            "request_method" => Some("GET"),
            "uri" | "request_uri" | "document_uri" => Some(self.path),
            "args" | "query_string" | "is_args" => Some(""),
            "proxy_host" => self.proxy_host,
            _ if ["arg_", "cookie_", "http_"].iter().any(|kind| name.starts_with(kind)) => Some(""),
            _ => None,
        };
        if let Some(plain) = plain {
            return Ok(plain.to_owned());
        }
        if let Some(map) = self.maps.get(name) {
            return self.mapped(map, scope, depth);
        }
        let set = scope.only("set", |directive| directive.first().strip_prefix('$') == Some(name));
        let value = set.and_then(|directive| directive.arguments.get(1)).ok_or_else(|| format!("${name}"))?;
        self.resolve_within(value, scope, depth)
    }

    /// The value of a `map`, in the order of the vendor: exact, longest name with a star, regular expression, default.
    fn mapped(&self, map: &Directive, scope: &Scope<'_>, depth: usize) -> Result<String, String> {
        let source = self.resolve_within(map.first(), scope, depth)?.to_lowercase();
        let hostnames = map.inside().iter().any(|entry| entry.name == "hostnames");
        let exact = |entry: &&Directive| entry.name.trim_start_matches('\\').to_lowercase() == source;
        let starred = |entry: &&Directive| hostnames && is_below(&source, &entry.name);
        let expression = |entry: &&Directive| {
            let expression = entry.name.strip_prefix('~').map(|rest| rest.trim_start_matches('*'));
            expression.is_some_and(|text| {
                Regex::new(&format!("(?i){text}")).is_ok_and(|regex| regex.is_match(&source))
            })
        };
        let entries = || map.inside().iter().filter(|entry| !entry.arguments.is_empty());
        let found =
            entries().find(exact).or_else(|| entries().find(starred)).or_else(|| entries().find(expression));
        let found = found.or_else(|| entries().find(|entry| entry.name == "default"));
        found.map_or(Ok(String::new()), |entry| self.resolve_within(entry.first(), scope, depth))
    }
}

/// Whether a name lies below one with a star or a dot at its beginning.
fn is_below(name: &str, pattern: &str) -> bool {
    let domain = pattern.strip_prefix('*').or_else(|| pattern.starts_with('.').then_some(pattern));
    domain.is_some_and(|domain| name.ends_with(domain) || name == domain.trim_start_matches('.'))
}

/// The variables that a text names.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    parts(text).into_iter().filter_map(|part| match part {
        Part::Variable(name) => Some(name),
        Part::Plain(_) => None,
    })
}

enum Part<'a> {
    Plain(&'a str),
    Variable(&'a str),
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('$') {
        found.push(Part::Plain(plain));
        let (name, then) = match after.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
            Some(braced) => braced,
            None => {
                after.split_at(after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len()))
            }
        };
        found.push(Part::Variable(name));
        rest = then;
    }
    found.push(Part::Plain(rest));
    found
}
