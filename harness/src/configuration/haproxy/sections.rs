//! The sections of HAProxy's configuration: keywords, quotes, and the lines between them.

use super::super::{At, Configuration, Unreadable, files::Text};

/// A line: its words, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) words: Vec<String>,
    pub(super) at: At,
}

impl Line {
    /// A word; empty if there are fewer.
    pub(super) fn word(&self, number: usize) -> &str {
        self.words.get(number).map_or("", String::as_str)
    }

    /// The word after a keyword.
    pub(super) fn after(&self, keyword: &str) -> Option<&str> {
        let place = self.words.iter().position(|word| word == keyword)?;
        self.words.get(place + 1).map(String::as_str)
    }
}

/// A section: `frontend api`, and its lines.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) at: At,
    pub(super) lines: Vec<Line>,
    /// The `defaults` that apply: the ones named by `from`, else the ones before it.
    pub(super) defaults: Option<usize>,
}

const KINDS: &[&str] = &[
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "userlist",
    "peers",
    "resolvers",
    "mailers",
    "program",
    "cache",
    "http-errors",
    "ring",
    "log-forward",
    "crt-store",
    "traces",
    "acme",
    "fcgi-app",
    "log-profile",
];

/// Adds the sections of a file.
pub(super) fn read(
    text: &Text,
    sections: &mut Vec<Section>,
    configuration: &mut Configuration,
) -> Result<(), Unreadable> {
    for (number, line) in text.text.lines().enumerate() {
        let at = text.at(number + 1);
        let words = words(line, &at, configuration)?;
        let Some(first) = words.first() else { continue };
        if first.starts_with('.') {
            configuration.problem(
                &at,
                format!("the condition {first} is not evaluated: its lines are read as if it were true"),
            );
        } else if KINDS.contains(&first.as_str()) {
            let from = words.iter().position(|word| word == "from").and_then(|place| words.get(place + 1));
            let named = |section: &Section| {
                section.kind == "defaults" && from.is_none_or(|from| section.name == *from)
            };
            // A `defaults` takes over from another only where it says so.
            let takes = first != "defaults" || from.is_some();
            let defaults = takes.then(|| sections.iter().rposition(named)).flatten();
            let name = words.get(1).filter(|word| *word != "from").cloned().unwrap_or_default();
            sections.push(Section { kind: first.clone(), name, at, lines: Vec::new(), defaults });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(Line { words, at });
        } else {
            return Err(Unreadable::Syntax {
                at,
                why: format!("\"{first}\" stands before the first section"),
            });
        }
    }
    Ok(())
}

/// The words of a line: a backslash and quotes protect, variables of the environment stand in double quotes.
fn words(line: &str, at: &At, configuration: &mut Configuration) -> Result<Vec<String>, Unreadable> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            (end, Some(open)) if end == open => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(characters.next()),
            ('$', Some('"')) => {
                configuration.problem(at, "a variable of the environment, whose value is not known");
                word.get_or_insert_default().push('$');
            }
            (inside, Some(_)) => word.get_or_insert_default().push(inside),
            ('"' | '\'', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            ('#', None) => break,
            (space, None) if space.is_whitespace() => words.extend(word.take()),
            (other, None) => word.get_or_insert_default().push(other),
        }
    }
    if quote.is_some() {
        return Err(Unreadable::Syntax { at: at.clone(), why: "a quote that is not closed".to_owned() });
    }
    words.extend(word);
    Ok(words)
}
