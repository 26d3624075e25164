//! What gateways do, side by side: `docs/compatibility.md`, and the same page for browsers.
//!
//! A cell says what must happen by the gateway's claims, once the run has confirmed it; so the page is the same for every
//! run that is clean.

use std::{collections::BTreeMap, fmt::Write as _};

use tls_gauntlet_scenarios::{Outcome, Party, VerdictKind, catalogue};

use super::Look;
use crate::record::{CellRecord, GatewayFacts, RunRecord};

/// The page as Markdown.
#[must_use]
pub fn markdown(record: &RunRecord, _: &Look) -> String {
    let page = Page::of(record);
    let mut text = format!("# {TITLE}\n\n{}\n\n{LEGEND}\n", page.introduction());
    for (title, parts, differ) in page.chapters() {
        let _ = write!(text, "\n## {title}\n");
        for (family, rows) in parts {
            let _ = write!(text, "\n### {family}\n\n");
            let head: Vec<String> = page.head(differ).map(|word| word.replace('|', "\\|")).collect();
            let _ = writeln!(text, "| {} |", head.join(" | "));
            let _ = writeln!(text, "|{}", "---|".repeat(head.len()));
            for row in rows {
                let _ = writeln!(text, "| {} |", row.columns(differ).join(" | "));
            }
        }
    }
    if !page.notes.is_empty() {
        let _ = write!(text, "\n## Known deviations\n\n");
        for (number, note) in page.notes.iter().enumerate() {
            let _ = writeln!(text, "{}. {note}", number + 1);
        }
    }
    text
}

/// The page as HTML, in one file.
#[must_use]
pub fn html(record: &RunRecord, _: &Look) -> String {
    let page = Page::of(record);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>{TITLE}</title>\n<style>{STYLE}</style>\n<h1>{TITLE}</h1>\n<p>{}</p>\n\
         <p>{}</p>\n",
        escaped(&page.introduction()),
        escaped(LEGEND)
    );
    for (title, parts, differ) in page.chapters() {
        let _ = writeln!(text, "<h2>{title}</h2>");
        for (family, rows) in parts {
            let open = if differ { " open" } else { "" };
            let _ = writeln!(
                text,
                "<details{open}><summary>{} ({})</summary>\n<table>",
                escaped(family),
                rows.len()
            );
            let head: String = page.head(differ).map(|word| format!("<th>{}", escaped(&word))).collect();
            let _ = writeln!(text, "<thead><tr>{head}</thead>");
            for row in rows {
                let columns = row.columns(differ);
                let columns: String = columns.iter().map(|word| format!("<td>{}", escaped(word))).collect();
                let _ = writeln!(text, "<tr>{columns}");
            }
            text.push_str("</table></details>\n");
        }
    }
    if !page.notes.is_empty() {
        text.push_str("<h2>Known deviations</h2>\n<ol>\n");
        for note in &page.notes {
            let _ = writeln!(text, "<li>{}", escaped(note));
        }
        text.push_str("</ol>\n");
    }
    text.push_str("</html>\n");
    text
}

const TITLE: &str = "What gateways do";

const LEGEND: &str = "✓: the request comes through, where the client offers application protocols with the one that was agreed on. ⊘: it is \
                      refused, for this cause, by the gateway unless another is named; then what the client sees: a status, an alert, or a \
                      connection that ends (closed). –: the gateway cannot be set up so. A number in brackets: a known deviation, explained \
                      below.";

const STYLE: &str = "body{font:15px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:90rem;padding:0 1rem}\
                     table{border-collapse:collapse;margin:.5rem 0 1rem}th,td{border:1px solid #8886;padding:.2rem .5rem;\
                     text-align:left;vertical-align:top}th{position:sticky;top:0;background:Canvas}\
                     summary{cursor:pointer;font-weight:600}@media(prefers-color-scheme:dark){:root{color-scheme:dark}}";

/// The record, laid out.
struct Page<'a> {
    gateways: &'a [GatewayFacts],
    rows: Vec<Row>,
    notes: Vec<String>,
}

/// One scenario.
struct Row {
    family: String,
    name: String,
    /// What each gateway does; none where it is not run.
    fates: Vec<Option<Fate>>,
}

/// What becomes of a request.
struct Fate {
    what: String,
    seen: String,
    is_set_up: bool,
}

/// A heading, what is below it by family, and whether the gateways differ there.
type Chapter<'a> = (&'static str, BTreeMap<&'a str, Vec<&'a Row>>, bool);

impl<'a> Page<'a> {
    fn of(record: &'a RunRecord) -> Self {
        let mut notes: Vec<String> = Vec::new();
        let mut rows: BTreeMap<(String, String), Vec<Option<Fate>>> = BTreeMap::new();
        for cell in &record.cells {
            let Some(column) = record.gateways.iter().position(|gateway| gateway.name == cell.gateway) else {
                continue;
            };
            let fates =
                rows.entry(place(cell)).or_insert_with(|| record.gateways.iter().map(|_| None).collect());
            // Two suites may hold the same scenario.
            if fates[column].is_none() {
                fates[column] = Some(Fate::of(cell, &mut notes));
            }
        }
        let rows = rows.into_iter().map(|((family, name), fates)| Row { family, name, fates }).collect();
        Self { gateways: &record.gateways, rows, notes }
    }

    fn introduction(&self) -> String {
        let differ = self.rows.iter().filter(|row| row.differs()).count();
        format!(
            "{} scenarios through {} gateways; in {differ} of them they differ. Drawn from a run by \
             `ci/compatibility.sh`; `gauntlet explain BACKEND/UPSTREAM` says what a row is about.",
            self.rows.len(),
            self.gateways.len()
        )
    }

    fn chapters(&self) -> [Chapter<'_>; 2] {
        let chapter = |differ: bool| {
            let mut parts: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
            for row in self.rows.iter().filter(|row| row.differs() == differ) {
                parts.entry(&row.family).or_default().push(row);
            }
            parts
        };
        [("Where they differ", chapter(true), true), ("Where they agree", chapter(false), false)]
    }

    fn head(&self, differ: bool) -> impl Iterator<Item = String> {
        let happens = (!differ).then(|| "what happens".to_owned());
        ["scenario".to_owned()].into_iter().chain(happens).chain(self.gateways.iter().map(title))
    }
}

/// Name and version, as far as a version says what a gateway does: a patch changes no column.
fn title(gateway: &GatewayFacts) -> String {
    let version: Vec<&str> = gateway.version.split('.').take(2).collect();
    // A version beside others has its number in its name as well.
    let name = gateway.name.split('@').next().unwrap_or_default();
    format!("{name} {}", version.join("."))
}

/// Family and name of the row.
fn place(cell: &CellRecord) -> (String, String) {
    if cell.client != "default" || cell.listener != "default" {
        let legs = format!("{} → {}", cell.client, cell.listener);
        let usual = (cell.backend.as_str(), cell.upstream.as_str()) == ("plain-good", "strict");
        let before = if usual { String::new() } else { format!(", {}/{}", cell.backend, cell.upstream) };
        return ("clients and listeners".to_owned(), legs + &before);
    }
    let first = cell.backend.split('+').next().unwrap_or_default();
    let family = catalogue().backends().find(|(name, ..)| *name == first).map_or("", |(_, family, _)| family);
    (format!("backends: {family}"), format!("{} / {}", cell.backend, cell.upstream))
}

impl Row {
    fn known(&self) -> impl Iterator<Item = &Fate> {
        self.fates.iter().flatten().filter(|fate| fate.is_set_up)
    }

    fn differs(&self) -> bool {
        let mut known = self.known();
        known.next().is_some_and(|first| known.any(|other| other.what != first.what))
    }

    fn columns(&self, differ: bool) -> Vec<String> {
        let mut columns = vec![self.name.clone()];
        if !differ {
            columns.push(self.known().next().map_or_else(|| "–".to_owned(), |fate| fate.what.clone()));
        }
        columns.extend(self.fates.iter().map(|fate| match fate {
            None => String::new(),
            Some(fate) if !fate.is_set_up => "–".to_owned(),
            Some(fate) if differ && fate.seen.is_empty() => fate.what.clone(),
            Some(fate) if differ => format!("{}, {}", fate.what, fate.seen),
            Some(fate) if fate.seen.is_empty() => fate.what.clone(),
            Some(fate) => fate.seen.clone(),
        }));
        columns
    }
}

impl Fate {
    fn of(cell: &CellRecord, notes: &mut Vec<String>) -> Self {
        let plain = |what: String| Self { what, seen: String::new(), is_set_up: true };
        match cell.verdict {
            VerdictKind::Pass => Self::expected(cell),
            VerdictKind::Skipped => Self { is_set_up: false, ..plain("–".to_owned()) },
            VerdictKind::KnownDeviation => {
                let note = format!("{}: {}", cell.gateway, cell.because.as_deref().unwrap_or_default());
                let number = notes.iter().position(|known| *known == note).unwrap_or_else(|| {
                    notes.push(note);
                    notes.len() - 1
                });
                let outcome = cell.observed.as_ref().map(|seen| seen.outcome);
                plain(format!("{} [{}]", if outcome == Some(Outcome::Reach) { "✓" } else { "⊘" }, number + 1))
            }
            VerdictKind::FailOpen
            | VerdictKind::FailClosed
            | VerdictKind::WrongCause
            | VerdictKind::StaleDeviation
            | VerdictKind::Unclaimed
            | VerdictKind::Broken => plain(cell.verdict.to_string()),
        }
    }

    fn expected(cell: &CellRecord) -> Self {
        let Some(expected) = &cell.expected else {
            return Self { what: String::new(), seen: String::new(), is_set_up: true };
        };
        if expected.outcome == Outcome::Reach {
            let agreed = expected.client_alpn.as_ref();
            let agreed = agreed.map(|protocol| format!(" {}", protocol.as_deref().unwrap_or("no ALPN")));
            let what = format!("✓{}", agreed.unwrap_or_default());
            return Self { what, seen: String::new(), is_set_up: true };
        }
        let cause = expected.cause.map_or_else(String::new, |cause| cause.to_string());
        let by = match expected.by {
            None | Some(Party::Gateway) => String::new(),
            Some(party @ (Party::Client | Party::Backend | Party::Network)) => format!(" (by the {party})"),
        };
        let statuses = expected.statuses.iter().map(ToString::to_string);
        let alerts = expected.alerts.iter().map(ToString::to_string);
        let closed = expected.may_close.then(|| "closed".to_owned());
        let seen: Vec<String> = statuses.chain(alerts).chain(closed).collect();
        Self { what: format!("⊘ {cause}{by}"), seen: seen.join("/"), is_set_up: true }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
