//! Draws the rotation record: for people and for machines.

use super::{
    Look,
    paint::{BAD, FAINT, GOOD, ODD, Paint},
    text::{count, printable, seconds, width_of, wrap},
};
use crate::rotation::record::{Moment, Old, Outcome, RotationRecord};

/// The record as JSON, laid out for reading.
#[must_use]
pub fn json(record: &RotationRecord) -> String {
    super::json::pretty(record)
}

/// One line for each change on each gateway, and below those that went wrong, what did.
#[must_use]
pub fn console(record: &RotationRecord, look: &Look) -> String {
    let paint = Paint { colour: look.colour };
    let rows: Vec<[String; 7]> = record.rotations.iter().map(row).collect();
    let head = ["gateway", "change", "requests", "a second", "failed", "seen", "the old one afterwards"]
        .map(str::to_owned);
    let all = || std::iter::once(&head).chain(&rows);
    let widths: Vec<_> =
        (0..head.len()).map(|column| all().map(|row| width_of(&row[column])).max().unwrap_or(0)).collect();
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![paint.put(FAINT, &format!("  {}", line(&head)))];
    for (outcome, row) in record.rotations.iter().zip(&rows) {
        let (mark, style) = if outcome.wrong.is_empty() { ("✓", GOOD) } else { ("✗", BAD) };
        lines.push(format!("{} {}", paint.put(style, mark), line(row)));
        let mut below = |text: &str, style| {
            let lines_of_it = wrap(&printable(text), look.width, INDENT.len(), INDENT.len());
            let first = |nth| if nth == 0 { INDENT } else { "" };
            let put = |(nth, line): (usize, &String)| paint.put(style, &format!("{}{line}", first(nth)));
            lines.extend(lines_of_it.iter().enumerate().map(put));
        };
        for wrong in &outcome.wrong {
            below(wrong, BAD);
        }
        for said in &outcome.store_said {
            below(&format!("the store said: {said}"), FAINT);
        }
        if let Old::NotAsked { because } = &outcome.old {
            below(&format!("the old one: {because}"), FAINT);
        }
    }
    let slowest = record.rotations.iter().map(|outcome| outcome.milli_rate).min().unwrap_or_default();
    if slowest * 10 < u64::from(record.rate) * 9_000 {
        let text =
            format!("the machine did not keep the pace: {} requests a second at the least", slowest / 1000);
        lines.extend([String::new(), paint.put(ODD, &text)]);
    }
    let failed: usize = record.rotations.iter().map(|outcome| outcome.failed).sum();
    let wrong = record.rotations.iter().filter(|outcome| !outcome.wrong.is_empty()).count();
    lines.push(String::new());
    lines.push(format!(
        "{}, {wrong} not as they must be; {failed} failed requests; {} requests a second, seed {}, {}",
        count(record.rotations.len(), "change"),
        record.rate,
        record.seed,
        seconds(record.duration_ms),
    ));
    lines.push(String::new());
    lines.join("\n")
}

/// Of what is said of a change below its line.
const INDENT: &str = "    ";

fn row(outcome: &Outcome) -> [String; 7] {
    [
        outcome.gateway.clone(),
        outcome.change.clone(),
        outcome.requests.to_string(),
        (outcome.milli_rate / 1000).to_string(),
        outcome.failed.to_string(),
        outcome.moment.as_ref().map_or_else(|| "never".to_owned(), moment),
        old(&outcome.old),
    ]
}

fn moment(moment: &Moment) -> String {
    match moment.mixed {
        0 => format!("after {} ms", moment.after_ms),
        mixed => format!("after {} ms, {mixed} late in {} ms", moment.after_ms, moment.mixed_ms),
    }
}

fn old(old: &Old) -> String {
    match old {
        Old::Refused { cause } => format!("refused: {cause}"),
        Old::NotRefused { .. } => "not refused".to_owned(),
        Old::NotAsked { .. } => "not asked".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tls_gauntlet_scenarios::Cause;

    use super::*;
    use crate::{record::Tool, rotation::record::SCHEMA};

    fn outcome(change: &str, old: Old) -> Outcome {
        Outcome {
            gateway: "nginx".to_owned(),
            change: change.to_owned(),
            wrong: Vec::new(),
            requests: 800,
            milli_rate: 199_500,
            failed: 0,
            failures: Vec::new(),
            moment: Some(Moment { after_ms: 69, mixed: 3, mixed_ms: 12 }),
            old,
            store_said: Vec::new(),
            duration_ms: 4000,
        }
    }

    #[test]
    fn one_line_for_each_change_and_below_it_what_went_wrong() {
        let refused = Old::Refused { cause: Cause::ServerCertUntrusted };
        let not_asked = Old::NotAsked { because: "the change was not carried through".to_owned() };
        let record = RotationRecord {
            schema: SCHEMA.to_owned(),
            tool: Tool { name: "gauntlet".to_owned(), version: "1".to_owned() },
            seed: 7,
            started: "2026-11-21T12:00:00Z".to_owned(),
            duration_ms: 8000,
            rate: 200,
            seconds: 4,
            gateways: Vec::new(),
            rotations: vec![
                outcome("trust-store", refused),
                Outcome {
                    wrong: vec!["3 of 800 requests failed: reset".to_owned()],
                    failed: 3,
                    moment: None,
                    store_said: vec!["access is denied to gateway".to_owned()],
                    ..outcome("access-denied", not_asked)
                },
            ],
        };
        assert_eq!(record.exit_code(), 1);
        assert_eq!(
            console(&record, &Look::default()),
            "  gateway  change         requests  a second  failed  seen                          the old one afterwards
✓ nginx    trust-store    800       199       0       after 69 ms, 3 late in 12 ms  refused: server-cert-untrusted
✗ nginx    access-denied  800       199       3       never                         not asked
    3 of 800 requests failed: reset
    the store said: access is denied to gateway
    the old one: the change was not carried through

2 changes, 1 not as they must be; 3 failed requests; 200 requests a second, seed 7, 8.00 s
"
        );
    }
}
