//! A prediction in words: what a change of settings breaks, heals and leaves as it is.

use std::collections::BTreeMap;

use tls_gauntlet_scenarios::{
    Expectation, Outcome,
    what_if::{Effect, Shift, Side},
};

use super::{
    Look,
    paint::{BAD, FAINT, GOOD, ODD, Paint, STRONG},
    text::{width_of, wrap},
};

/// The changes between two settings, what breaks first.
#[must_use]
pub fn render(before: &str, after: &str, changes: &[Shift], look: &Look) -> String {
    let paint = Paint { colour: look.colour };
    let mut lines = vec![format!("{} → {}", paint.put(STRONG, before), paint.put(STRONG, after))];
    for side in Side::ALL.iter().copied() {
        let of_side: Vec<&Shift> = changes.iter().filter(|change| change.side == side).collect();
        if of_side.is_empty() {
            continue;
        }
        lines.push(String::new());
        lines.push(format!("{}: {}", paint.put(STRONG, side.as_str()), counts(&of_side)));
        for effect in [Effect::Breaks, Effect::Heals, Effect::Differs] {
            for change in of_side.iter().filter(|change| change.effect == effect) {
                lines.extend(one(change, look.width, paint));
            }
        }
        lines.extend(moves(&of_side, look.width));
    }
    lines.join("\n") + "\n"
}

/// `2 break, 5 heal, 3 differ, 160 stay`: every effect that there is.
fn counts(changes: &[&Shift]) -> String {
    let mut numbers: BTreeMap<Effect, usize> = BTreeMap::new();
    for change in changes {
        *numbers.entry(change.effect).or_default() += 1;
    }
    let word = |effect: Effect| match effect {
        Effect::Breaks => "break",
        Effect::Heals => "heal",
        Effect::Differs => "differ",
        Effect::Moves => "move to another version",
        Effect::Stays => "stay",
        Effect::Unknown => "unclaimed",
    };
    let words: Vec<_> =
        numbers.iter().map(|(effect, number)| format!("{number} {}", word(*effect))).collect();
    words.join(", ")
}

/// Calls that work as before over another version, by versions.
fn moves(changes: &[&Shift], width: usize) -> Vec<String> {
    let mut by_versions: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.effect == Effect::Moves) {
        let versions = format!("{} → {}", outcome(change.before.as_ref()), outcome(change.after.as_ref()));
        by_versions.entry(versions).or_default().push(&change.name);
    }
    let mut lines = Vec::new();
    for (versions, names) in by_versions {
        lines.push(format!("  moves   {versions}: {} of them", names.len()));
        lines.extend(indented(&names.join(", "), width));
    }
    lines
}

/// Where the facts of a change begin, if its name is short enough.
const COLUMN: usize = 46;

/// One change: what it is about, what happens before and after, and for what breaks, why.
fn one(change: &Shift, width: usize, paint: Paint) -> Vec<String> {
    let style = match change.effect {
        Effect::Breaks => BAD,
        Effect::Heals => GOOD,
        Effect::Differs => ODD,
        Effect::Moves | Effect::Stays | Effect::Unknown => FAINT,
    };
    let name = match change.side {
        Side::Backends => change.name.clone(),
        Side::Clients => format!("{}/{}", change.name, change.through),
    };
    let facts = format!("{} → {}", outcome(change.before.as_ref()), outcome(change.after.as_ref()));
    let lead = format!("  {}{name}", paint.put(style, &format!("{:8}", change.effect.as_str())));
    let used = 10 + width_of(&name);
    let mut lines = if used < COLUMN && COLUMN + width_of(&facts) <= width {
        vec![format!("{lead}{}{facts}", " ".repeat(COLUMN - used))]
    } else {
        [vec![lead], indented(&facts, width)].concat()
    };
    if change.effect == Effect::Breaks
        && let Some(last) = change.after.as_ref().and_then(|after| after.steps.last())
    {
        lines.extend(indented(last, width));
    }
    lines
}

fn indented(text: &str, width: usize) -> Vec<String> {
    wrap(text, width, 10, 10)
        .into_iter()
        .enumerate()
        .map(|(index, line)| if index == 0 { format!("{}{line}", " ".repeat(10)) } else { line })
        .collect()
}

/// `works (TLSv1.2)`, or who refuses, when and why, and what the client sees.
fn outcome(expectation: Option<&Expectation>) -> String {
    let Some(expected) = expectation else { return "unclaimed".to_owned() };
    match expected.outcome {
        Outcome::Reach => match expected.backend.tls_version {
            Some(version) => format!("works ({version})"),
            None => "works".to_owned(),
        },
        Outcome::Refuse => {
            let cause = expected.cause.map_or("refused".to_owned(), |cause| cause.to_string());
            let by = expected.by.map(|by| format!(" by the {by}")).unwrap_or_default();
            let statuses: Vec<_> = expected.statuses.iter().map(u16::to_string).collect();
            let seen = match (statuses.is_empty(), expected.alerts.first()) {
                (false, _) => format!(", {}", statuses.join(" or ")),
                (true, Some(alert)) => format!(", alert {alert}"),
                (true, None) => String::new(),
            };
            format!("{cause}{by}{seen}")
        }
    }
}
