//! A directive of httpd that passes requests on, and the paths that it is for.

use regex::Regex;

use super::{super::example, directives::Directive};

/// A directive that passes requests on.
pub(super) struct Pass<'a> {
    pub(super) directive: &'a Directive,
    pub(super) rank: Rank,
    pub(super) pattern: Pattern,
    /// `!` for requests that are not passed on.
    pub(super) url: &'a str,
    /// `retry=5` and the like.
    pub(super) parameters: &'a [String],
}

/// The order in which the modules look at a request: `mod_rewrite`, a section that holds a `ProxyPass`, the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Rewrite,
    Section,
    Server,
}

pub(super) enum Pattern {
    Prefix(String),
    Expression(String, Option<Regex>),
}

impl Pattern {
    pub(super) fn expression(text: &str) -> Self {
        Self::Expression(text.to_owned(), Regex::new(text).ok())
    }

    /// A prefix ends where a part of the path ends (`alias_match` of `mod_proxy`, `<Location>`).
    pub(super) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Prefix(prefix) => path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/')),
            Self::Expression(_, regex) => regex.as_ref().is_some_and(|regex| regex.is_match(path)),
        }
    }

    /// Paths that may lead here.
    pub(super) fn tries(&self) -> Vec<String> {
        let begin = match self {
            Self::Prefix(prefix) => prefix.clone(),
            Self::Expression(text, _) => example::of(text).unwrap_or_default(),
        };
        let joint = if begin.ends_with('/') { "" } else { "/" };
        let within = format!("{begin}{joint}gauntlet");
        [begin.clone(), within, format!("/gauntlet{begin}"), format!("/{begin}")]
            .into_iter()
            .filter(|path| path.starts_with('/'))
            .collect()
    }
}
