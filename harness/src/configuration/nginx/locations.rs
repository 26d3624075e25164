//! The locations of a server of nginx, and which of them a path leads to.

use regex::Regex;

use super::{super::example, directives::Directive};

/// What a location matches.
#[derive(Debug)]
enum Pattern<'a> {
    Exact(&'a str),
    Prefix { path: &'a str, no_expressions: bool },
    Expression(Option<Regex>),
    Named,
}

/// A location and those that lie within it.
#[derive(Debug)]
pub(super) struct Location<'a> {
    pub(super) directive: &'a Directive,
    pattern: Pattern<'a>,
    pub(super) within: Vec<Self>,
}

/// The locations that stand in a block.
pub(super) fn of(block: &[Directive]) -> Vec<Location<'_>> {
    let locations = block.iter().filter(|directive| directive.name == "location");
    locations
        .map(|directive| Location { directive, pattern: pattern(directive), within: of(directive.inside()) })
        .collect()
}

fn pattern(directive: &Directive) -> Pattern<'_> {
    let words: Vec<&str> = directive.arguments.iter().map(String::as_str).collect();
    let expression =
        |text: &str, flags: &str| Pattern::Expression(Regex::new(&format!("{flags}{text}")).ok());
    match words.as_slice() {
        ["=", path] => Pattern::Exact(path),
        ["^~", path] => Pattern::Prefix { path, no_expressions: true },
        ["~", text] => expression(text, ""),
        ["~*", text] => expression(text, "(?i)"),
        // The modifier may be written without a space.
        [word] if word.starts_with('@') => Pattern::Named,
        [word] if word.starts_with("^~") => Pattern::Prefix { path: &word[2..], no_expressions: true },
        [word] if word.starts_with("~*") => expression(&word[2..], "(?i)"),
        [word] if word.starts_with('~') => expression(&word[1..], ""),
        [word] if word.starts_with('=') => Pattern::Exact(&word[1..]),
        [path, ..] => Pattern::Prefix { path, no_expressions: false },
        [] => Pattern::Named,
    }
}

impl Location<'_> {
    /// The name of a location that only other locations lead to.
    pub(super) fn is_named(&self) -> bool {
        matches!(self.pattern, Pattern::Named)
    }

    /// A path that leads here, if one is found: it is tried with the rules by which nginx chooses.
    pub(super) fn path(&self, all: &[Self]) -> Option<String> {
        let begin = match &self.pattern {
            Pattern::Exact(path) | Pattern::Prefix { path, .. } => (*path).to_owned(),
            Pattern::Expression(regex) => example::of(regex.as_ref()?.as_str())?,
            Pattern::Named => return None,
        };
        let joint = if begin.ends_with('/') { "" } else { "/" };
        let tries = [
            begin.clone(),
            format!("{begin}{joint}gauntlet"),
            format!("{begin}gauntlet"),
            format!("/gauntlet{begin}"),
            format!("{begin}1"),
        ];
        let here = |path: &String| {
            path.starts_with('/')
                && chosen(all, path).is_some_and(|found| std::ptr::eq(found.directive, self.directive))
        };
        tries.into_iter().find(here)
    }
}

/// The location for a path (`ngx_http_core_find_location`): exact; else the longest prefix, unless an expression matches and the
/// prefix does not forbid them; and the same within the prefix.
fn chosen<'a, 'l>(locations: &'l [Location<'a>], path: &str) -> Option<&'l Location<'a>> {
    let exact =
        locations.iter().find(|location| matches!(location.pattern, Pattern::Exact(exact) if exact == path));
    if exact.is_some() {
        return exact;
    }
    let length = |location: &&Location<'_>| match location.pattern {
        Pattern::Prefix { path: prefix, .. } if path.starts_with(prefix) => Some(prefix.len()),
        _ => None,
    };
    let longest = locations
        .iter()
        .filter(|location| length(location).is_some())
        .max_by_key(|location| length(location));
    if let Some(inner) = longest.and_then(|location| chosen(&location.within, path)) {
        return Some(inner);
    }
    let plain = matches!(
        longest.map(|location| &location.pattern),
        Some(Pattern::Prefix { no_expressions: true, .. })
    );
    let matching = |location: &&Location<'_>| match &location.pattern {
        Pattern::Expression(Some(regex)) => regex.is_match(path),
        _ => false,
    };
    let expression = if plain { None } else { locations.iter().find(matching) };
    match expression {
        Some(found) => Some(chosen(&found.within, path).unwrap_or(found)),
        None => longest,
    }
}
