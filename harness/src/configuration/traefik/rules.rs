//! The rules of Traefik's routers, for one call: a GET with a host and a path and no other header.

use super::super::{example, known};

/// The call by which rules are decided.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) host: String,
    pub(super) path: String,
}

/// A rule: ``Host(`a`) && (PathPrefix(`/b`) || !Method(`GET`))``.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// A name in small letters, and the values of which one has to fit.
    Matcher(String, Vec<String>),
}

impl Rule {
    /// Parses a rule; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let rule = any(&mut rest, 0)?;
        rest.trim().is_empty().then_some(rule)
    }

    /// Whether a call fits; `None` if that depends on what is not known of it.
    pub(super) fn decide(&self, call: &Call) -> Option<bool> {
        match self {
            Self::All(rules) => known::all(rules.iter().map(|rule| rule.decide(call))),
            Self::Any(rules) => known::any(rules.iter().map(|rule| rule.decide(call))),
            Self::Not(rule) => known::not(rule.decide(call)),
            Self::Matcher(name, values) => fits(name, values, call),
        }
    }

    /// The call that a rule is for, as far as its first alternatives say.
    pub(super) fn call(&self, call: &mut Call) {
        match self {
            Self::All(all) => all.iter().for_each(|rule| rule.call(call)),
            Self::Any(any) => any.iter().take(1).for_each(|rule| rule.call(call)),
            Self::Not(_) => {}
            Self::Matcher(name, values) => {
                let value = values.first().map_or("", String::as_str);
                match name.as_str() {
                    "host" | "hostsni" if value != "*" => value.clone_into(&mut call.host),
                    "hostregexp" | "hostsniregexp" => {
                        call.host = example::of(&expression(value)).unwrap_or_else(|| call.host.clone());
                    }
                    "path" | "pathprefix" => value.clone_into(&mut call.path),
                    "pathregexp" => {
                        let example = example::of(value).unwrap_or_default();
                        call.path = if example.starts_with('/') { example } else { format!("/{example}") };
                    }
                    _ => {}
                }
            }
        }
    }

    /// The host names that a rule names.
    pub(super) fn hosts(&self) -> Vec<&str> {
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().flat_map(Self::hosts).collect(),
            Self::Matcher(name, values) if matches!(name.as_str(), "host" | "hostsni") => {
                values.iter().map(String::as_str).filter(|host| *host != "*").collect()
            }
            Self::Not(_) | Self::Matcher(..) => Vec::new(),
        }
    }
}

/// Expressions of version 2 stand in braces with a name: `{tenant:[a-z]+}.example.com`.
fn expression(value: &str) -> String {
    let Some((before, rest)) =
        value.split_once('{').filter(|(_, rest)| rest.contains(':') && rest.contains('}'))
    else {
        return value.to_owned();
    };
    let (inner, after) = rest.split_once('}').unwrap_or((rest, ""));
    let inner = inner.split_once(':').map_or(inner, |(_, expression)| expression);
    format!("^{}({inner}){}$", regex_syntax::escape(before), regex_syntax::escape(after))
}

fn fits(name: &str, values: &[String], call: &Call) -> Option<bool> {
    let matches = |expression: &str, text: &str| example::matches(expression, text) == Some(true);
    let any = |fits: &dyn Fn(&str) -> bool| Some(values.iter().any(|value| fits(value)));
    match name {
        "host" | "hostsni" => any(&|value| value == "*" || value.eq_ignore_ascii_case(&call.host)),
        "hostregexp" | "hostsniregexp" => any(&|value| matches(&expression(value), &call.host)),
        "path" => any(&|value| value == call.path),
        "pathprefix" => any(&|value| call.path.starts_with(value)),
        "pathregexp" => any(&|value| matches(value, &call.path)),
        "method" => any(&|value| value.eq_ignore_ascii_case("GET")),
        "header" | "headers" | "headerregexp" | "headersregexp" | "query" | "queryregexp" => Some(false),
        _ => None,
    }
}

/// How deep parentheses may lie in one another.
const DEEPEST: usize = 32;

fn any(rest: &mut &str, depth: usize) -> Option<Rule> {
    let mut rules = vec![all(rest, depth)?];
    while take(rest, "||") {
        rules.push(all(rest, depth)?);
    }
    if rules.len() == 1 { rules.pop() } else { Some(Rule::Any(rules)) }
}

fn all(rest: &mut &str, depth: usize) -> Option<Rule> {
    let mut rules = vec![one(rest, depth)?];
    while take(rest, "&&") {
        rules.push(one(rest, depth)?);
    }
    if rules.len() == 1 { rules.pop() } else { Some(Rule::All(rules)) }
}

fn one(rest: &mut &str, depth: usize) -> Option<Rule> {
    if depth > DEEPEST {
        return None;
    }
    if take(rest, "!") {
        return Some(Rule::Not(Box::new(one(rest, depth + 1)?)));
    }
    if take(rest, "(") {
        let inner = any(rest, depth + 1)?;
        return take(rest, ")").then_some(inner);
    }
    let (name, after) = rest.split_once('(')?;
    *rest = after;
    let mut values = Vec::new();
    while !take(rest, ")") {
        take(rest, ",");
        *rest = rest.trim_start();
        let quote = rest.chars().next().filter(|quote| matches!(quote, '`' | '"' | '\''))?;
        let (value, after) = rest[1..].split_once(quote)?;
        values.push(value.to_owned());
        *rest = after;
    }
    let name = name.trim().to_ascii_lowercase();
    name.bytes().all(|byte| byte.is_ascii_alphabetic()).then_some(Rule::Matcher(name, values))
}

fn take(rest: &mut &str, token: &str) -> bool {
    let found = rest.trim_start().strip_prefix(token);
    if let Some(after) = found {
        *rest = after;
    }
    found.is_some()
}
