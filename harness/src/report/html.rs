//! The report as one page: the matrix as HTML, each cell's evidence as data that a script shows on demand.
//!
//! The file needs nothing beside it and calls nobody: its policy (CSP level 3) allows the one script and the one style
//! sheet that are in it, by their digests. What comes from a record reaches the page escaped, or as text.

mod cells;
mod legs;
mod sequence;
mod tables;

use std::fmt::Write as _;

use minijinja::{AutoEscape, Environment, Output, State, Value, context, escape_formatter};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description};
use tls_gauntlet_scenarios::VerdictKind;

use super::{
    matrix::Mark,
    text::{count, printable, seconds},
};
use crate::{
    page::{ELEMENTS, THEME, digest},
    record::RunRecord,
};

const TEMPLATE: &str = include_str!("html/page.html.j2");
const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// The record as a page.
#[must_use]
pub fn render(record: &RunRecord) -> String {
    let mut page = Environment::new();
    page.set_auto_escape_callback(|_| AutoEscape::Html);
    page.set_formatter(escaped);
    page.set_trim_blocks(true);
    page.set_lstrip_blocks(true);
    page.add_template("page", TEMPLATE).expect("the template is compiled in");
    let style = tables::hidden_gateways(record) + THEME + STYLE;
    let script = ELEMENTS.to_owned() + SCRIPT;
    let (cells, shared) = cells::lines(record);
    let context = context! {
        policy => format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
            digest(&style),
            digest(&script),
        ),
        style => Value::from_safe_string(style),
        script => Value::from_safe_string(script),
        state => state(record),
        sum => sum(record),
        facts => facts(record),
        gateways => tables::gateways(record),
        verdicts => tables::verdicts(record),
        legend => tables::legend(record),
        since => tables::since(record),
        legs => legs::shown(record),
        compared => record.baseline.is_some(),
        findings => tables::findings(record),
        suites => tables::suites(record),
        cells => Value::from_safe_string(cells),
        shared => Value::from_safe_string(shared),
        hellos => Value::from_safe_string(cells::hellos(record)),
    };
    let page = page.get_template("page").expect("it was added");
    page.render(context).expect("the template fits its context")
}

/// Text that stays text in an element and in a quoted attribute (HTML Living Standard 13.3). The library writes a slash as six
/// characters besides, and the names of cells are full of them.
fn escaped(out: &mut Output<'_>, state: &State<'_, '_>, value: &Value) -> Result<(), minijinja::Error> {
    match value.as_str().filter(|_| !value.is_safe()) {
        None => escape_formatter(out, state, value),
        Some(text) => {
            for character in text.chars() {
                let reference = match character {
                    '&' => "&amp;",
                    '<' => "&lt;",
                    '>' => "&gt;",
                    '"' => "&quot;",
                    '\'' => "&#x27;",
                    plain => {
                        out.write_char(plain)?;
                        continue;
                    }
                };
                out.write_str(reference)?;
            }
            Ok(())
        }
    }
}

/// The whole run in one word.
fn state(record: &RunRecord) -> Value {
    let (word, class) = match record.exit_code() {
        0 if record.cells.iter().any(|cell| cell.verdict == VerdictKind::Pass) => ("passed", "good"),
        0 => ("nothing passed", "odd"),
        1 => ("failed", "bad"),
        _ => ("broken", "ours"),
    };
    context! { word, class }
}

/// What came of it, in a sentence.
fn sum(record: &RunRecord) -> String {
    let times = |wanted: fn(Mark) -> bool| record.cells.iter().filter(|cell| wanted(Mark::of(cell))).count();
    let (through, stopped) = (times(|mark| mark == Mark::Reached), times(|mark| mark == Mark::Refused));
    let wrong = match times(Mark::is_wrong) {
        0 => "none is wrong".to_owned(),
        wrong => format!("{} wrong", if wrong == 1 { "1 is".to_owned() } else { format!("{wrong} are") }),
    };
    let names: Vec<String> = record.gateways.iter().map(|gateway| printable(&gateway.name)).collect();
    let legs = record.legs.iter().map(|leg| leg.findings.iter().filter(|finding| finding.fails()).count());
    let audited = match (record.legs.len(), legs.sum::<usize>()) {
        (0, _) => {
            return format!(
                "Of {} through {}, {through} came through and {stopped} were stopped, as they must; {wrong}.",
                count(record.cells.len(), "cell"),
                names.join(", ")
            );
        }
        (legs, musts) => (count(legs, "leg"), count(musts, "must")),
    };
    let behaviours = count(record.cells.len(), "behaviour");
    format!("{} met {behaviours}; {} of the policy broken.", audited.0, audited.1)
}

/// When, how long, with what: label and text.
fn facts(record: &RunRecord) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("cells", record.cells.len().to_string()),
        ("started", moment(&record.started)),
        ("took", seconds(record.duration_ms)),
        ("seed", record.seed.to_string()),
        ("by", format!("{} {}", printable(&record.tool.name), printable(&record.tool.version))),
    ];
    facts.extend(record.partial.iter().map(|partial| ("partial", printable(partial))));
    facts.extend(record.trouble.iter().map(|trouble| ("trouble", printable(trouble))));
    if let Some(shard) = &record.shard {
        facts.push(("shard", shard.to_string()));
    }
    facts
}

/// `2026-03-01 12:00:00 UTC`; as it stands in the record, if that is no time.
fn moment(started: &str) -> String {
    let shape = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let time = OffsetDateTime::parse(started, &Rfc3339).ok();
    let text = time.and_then(|time| time.to_offset(UtcOffset::UTC).format(shape).ok());
    text.unwrap_or_else(|| printable(started))
}

/// How a verdict is coloured.
const fn class_of(mark: Mark) -> &'static str {
    match mark {
        Mark::Reached | Mark::Refused | Mark::Mixed => "good",
        Mark::FailOpen | Mark::FailClosed | Mark::WrongCause | Mark::StaleDeviation => "bad",
        Mark::Broken => "ours",
        Mark::KnownDeviation | Mark::Unclaimed => "odd",
        Mark::Skipped => "faint",
    }
}

/// `3 cells of nginx`: what a number is about.
fn of_gateway(number: usize, gateway: &str) -> String {
    format!("{} of {}", count(number, "cell"), printable(gateway))
}
