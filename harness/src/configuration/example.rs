//! Regular expressions of configurations: whether one matches, and a text that it matches, as the URL for a location or the
//! host name for a server.

use std::{cell::RefCell, collections::HashMap};

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

/// The shortest text that the expression matches, letters before other characters; `None` if there is none, or if the
/// expression has what the crate `regex` lacks (looking around, references back).
pub(super) fn of(expression: &str) -> Option<String> {
    let mut text = String::new();
    write(&regex_syntax::parse(expression).ok()?, &mut text)?;
    Regex::new(expression).ok()?.is_match(&text).then_some(text)
}

/// How many expressions are kept compiled.
const MOST: usize = 4_096;

/// Whether an expression matches a text; `None` if it has what the crate `regex` lacks. It is compiled once.
pub(super) fn matches(expression: &str, text: &str) -> Option<bool> {
    thread_local! {
        static COMPILED: RefCell<HashMap<String, Option<Regex>>> = RefCell::default();
    }
    COMPILED.with_borrow_mut(|compiled| {
        if compiled.len() > MOST {
            compiled.clear();
        }
        let known = compiled.get(expression).cloned();
        let regex = known.unwrap_or_else(|| {
            let regex = Regex::new(expression).ok();
            compiled.insert(expression.to_owned(), regex.clone());
            regex
        });
        regex.map(|regex| regex.is_match(text))
    })
}

fn write(part: &Hir, text: &mut String) -> Option<()> {
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => text.push(of_class(class)?),
        // A repetition of thousands is no URL.
        HirKind::Repetition(repeated) if repeated.min <= 64 => {
            for _ in 0..repeated.min {
                write(&repeated.sub, text)?;
            }
        }
        HirKind::Repetition(_) => return None,
        HirKind::Capture(captured) => write(&captured.sub, text)?,
        HirKind::Concat(all) => all.iter().try_for_each(|each| write(each, text))?,
        HirKind::Alternation(any) => write(any.first()?, text)?,
    }
    (text.len() <= 2048).then_some(())
}

fn of_class(class: &Class) -> Option<char> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.iter().map(|range| (range.start(), range.end())).collect(),
        Class::Bytes(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
    };
    let has = |wanted: &char| ranges.iter().any(|(from, to)| (from..=to).contains(&wanted));
    ('a'..='z')
        .chain('0'..='9')
        .chain('A'..='Z')
        .chain(['/', '-', '.', '_'])
        .find(has)
        .or(ranges.first().map(|range| range.0))
}
