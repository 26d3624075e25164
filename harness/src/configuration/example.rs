//! A text that a regular expression matches: the URL for a location, or the host name for a server, that is written as one.

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

/// The shortest text that the expression matches, letters before other characters; `None` if there is none, or if the
/// expression has what the crate `regex` lacks (looking around, references back).
pub(super) fn of(expression: &str) -> Option<String> {
    let mut text = String::new();
    write(&regex_syntax::parse(expression).ok()?, &mut text)?;
    Regex::new(expression).ok()?.is_match(&text).then_some(text)
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
