//! The record for a pipeline's step summary or a comment on a pull request: short, what changed first.

use std::{collections::BTreeSet, fmt::Write};

use tls_gauntlet_scenarios::{VerdictKind, policy::Finding};

use super::{
    changes::from_to,
    matrix::gravity,
    text::{count, printable, seconds},
};
use crate::record::{CellRecord, Change, ChangeKind, LegChange, LegRecord, RunRecord};

/// How many cells a list names; a comment holds 65,536 characters on GitHub, and a reader fewer.
const LISTED: usize = 20;

/// The record as Markdown.
#[must_use]
pub fn render(record: &RunRecord) -> String {
    let mut text = format!("## Gauntlet: {}\n\n", state(record));
    record.legs.iter().for_each(|one| leg(record, one, &mut text));
    tallies(record, &mut text);
    for trouble in record.partial.iter().chain(&record.trouble) {
        let _ = writeln!(text, "{}\n", plain(trouble));
    }
    if let Some(since) = &record.baseline {
        for kind in ChangeKind::ALL {
            let of_kind: Vec<_> = since.changes.iter().filter(|change| change.kind == *kind).collect();
            let line = |change: &&Change| cell_line(&change.id, &from_to(change));
            let since = if *kind == ChangeKind::Stays { "as in" } else { "since" };
            let heading = format!("{} {since} the baseline", capital(kind.heading()));
            list(&heading, of_kind.iter().map(line).collect(), *kind == ChangeKind::Stays, &mut text);
        }
        if since.changes.is_empty() {
            text.push_str("Nothing changed since the baseline.\n\n");
        }
    }
    let changed = record.baseline.iter().flat_map(|since| &since.changes);
    let told: BTreeSet<&str> = changed.map(|change| change.id.as_str()).collect();
    let is_wrong = |cell: &&CellRecord| {
        (cell.verdict.is_failure() || cell.verdict == VerdictKind::Broken) && !told.contains(cell.id.as_str())
    };
    let mut wrong: Vec<&CellRecord> = record.cells.iter().filter(is_wrong).collect();
    wrong.sort_by_key(|cell| std::cmp::Reverse(gravity(cell.verdict)));
    let line = |cell: &&CellRecord| {
        let because = cell.because.as_deref().map(printable).unwrap_or_default();
        cell_line(&cell.id, &format!("{}: {because}", cell.verdict))
    };
    list("What is wrong", wrong.iter().map(line).collect(), false, &mut text);
    if let Some(first) = wrong.first().copied().or_else(|| broke(record)) {
        let _ = writeln!(text, "Again: {}\n", code(&first.reproduce));
    }
    let _ = writeln!(
        text,
        "<sub>{} in {}, seed {}, {} {}</sub>",
        count(record.cells.len(), "cell"),
        seconds(record.duration_ms),
        record.seed,
        plain(&record.tool.name),
        plain(&record.tool.version),
    );
    text
}

/// What changed on the legs of a gateway, for a comment on the change.
#[must_use]
pub fn leg_changes(changes: &[LegChange]) -> String {
    if changes.is_empty() {
        return "Nothing changed on the TLS legs.\n".to_owned();
    }
    let mut text = String::from(
        "### What changed on the TLS legs\n\n| | leg | topic | before | after |\n|---|---|---|---|---|\n",
    );
    for LegChange { leg, topic, before, after, broke } in changes {
        let mark = if *broke { "❌" } else { "" };
        let of = |said: &Option<String>| said.as_deref().map_or_else(|| "–".to_owned(), plain);
        let _ =
            writeln!(text, "| {mark} | {} | {} | {} | {} |", code(leg), plain(topic), of(before), of(after));
    }
    text
}

/// The first cell that broke since the baseline.
fn broke(record: &RunRecord) -> Option<&CellRecord> {
    let mut changes = record.baseline.iter().flat_map(|since| &since.changes);
    let change = changes.find(|change| change.kind == ChangeKind::Broke)?;
    record.cells.iter().find(|cell| cell.id == change.id)
}

fn state(record: &RunRecord) -> &'static str {
    match record.exit_code() {
        0 if record.cells.iter().any(|cell| cell.verdict == VerdictKind::Pass) => "passed",
        0 => "nothing passed",
        1 => "**failed**",
        _ => "**broken**",
    }
}

/// What an audit says of a leg: what is wrong and what mends it, then what it does.
fn leg(record: &RunRecord, leg: &LegRecord, text: &mut String) {
    let _ = writeln!(text, "### {} → {}\n", code(&leg.url), code(&leg.backend));
    if let Some(open) = record.left_open(leg) {
        let _ = writeln!(text, "❔ {}\n", plain(&open));
    } else if leg.findings.is_empty() {
        text.push_str("Nothing is wrong by the policy *sound*.\n");
    }
    for finding in &leg.findings {
        let mark = if finding.fails() { "❌" } else { "⚠️" };
        let Finding { says, level, clause, seen, .. } = finding;
        let _ = writeln!(text, "- {mark} {} ({level}, {}). {}", plain(says), plain(clause), plain(seen));
        for (gateway, set) in &finding.set {
            let _ = writeln!(text, "  <br>{}: {}", plain(gateway), code(set));
        }
        for (word, of) in [("stands in", &finding.stands), ("excepted", &finding.excepted)] {
            if let Some(of) = of {
                let _ = writeln!(text, "  <br>{word} {}", plain(of));
            }
        }
    }
    let _ = writeln!(text, "\n<details><summary>What the leg does</summary>\n\n| | |\n|---|---|");
    for line in leg.posture.lines.iter().chain(&leg.listener) {
        let _ = writeln!(text, "| {} | {} |", plain(&line.topic), plain(&line.says));
    }
    for open in &leg.posture.open {
        let _ = writeln!(text, "| not found out | {} |", plain(open));
    }
    text.push_str("\n</details>\n\n");
}

/// A row for each gateway, a column for each verdict that was given.
fn tallies(record: &RunRecord, text: &mut String) {
    let given: Vec<VerdictKind> = VerdictKind::ALL
        .iter()
        .copied()
        .filter(|verdict| record.cells.iter().any(|cell| cell.verdict == *verdict))
        .collect();
    let heads: String = given.iter().map(|verdict| format!(" {verdict} |")).collect();
    let _ = writeln!(text, "| gateway | version |{heads}");
    let _ = writeln!(text, "|---|---|{}", "--:|".repeat(given.len()));
    for gateway in &record.gateways {
        let count = |verdict: &VerdictKind| {
            let fits = |cell: &&CellRecord| cell.gateway == gateway.name && cell.verdict == *verdict;
            format!(" {} |", record.cells.iter().filter(fits).count())
        };
        let counts: String = given.iter().map(count).collect();
        let _ = writeln!(text, "| {} | {} |{counts}", plain(&gateway.name), plain(&gateway.version));
    }
    text.push('\n');
}

/// A list under a heading, folded where it is only for the record.
fn list(heading: &str, lines: Vec<String>, folded: bool, text: &mut String) {
    if lines.is_empty() {
        return;
    }
    let number = lines.len();
    let rest = number.saturating_sub(LISTED);
    let mut shown: Vec<String> = lines.into_iter().take(LISTED).collect();
    if rest > 0 {
        shown.push(format!("- and {rest} more"));
    }
    let shown = shown.join("\n");
    let _ = if folded {
        write!(text, "<details><summary>{heading} ({number})</summary>\n\n{shown}\n\n</details>\n\n")
    } else {
        write!(text, "### {heading} ({number})\n\n{shown}\n\n")
    };
}

fn cell_line(id: &str, says: &str) -> String {
    format!("- {}<br>{}", code(id), plain(says))
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Text that is text: nothing in it is markup (CommonMark 2.4).
fn plain(text: &str) -> String {
    let mut safe = String::new();
    for letter in printable(text).chars() {
        match letter {
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            // Nobody is called by name from a log line.
            '@' => safe.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => safe.extend(['\\', letter]),
            other => safe.push(other),
        }
    }
    safe
}

/// A code span (CommonMark 6.1): fenced by more backticks than it holds in a row.
fn code(text: &str) -> String {
    let text = printable(text);
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("{fence}{text}{fence}") } else { format!("{fence} {text} {fence}") }
}
