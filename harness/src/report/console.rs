//! The report for people: a line for each gateway, or the whole matrix; then a line for each thing that is wrong, with its
//! evidence.

mod overview;

use std::collections::{BTreeMap, BTreeSet};

use anstyle::Style;
use tls_gauntlet_scenarios::VerdictKind;

use super::{
    Detail, Look, changes,
    matrix::{Mark, Matrix, gravity},
    paint::{BAD, FAINT, GOOD, OURS, PLAIN, Paint, STRONG, style_of},
    text::{count, flow, printable, seconds, width_of, wrap},
    witness,
};
use crate::record::{CellRecord, RunRecord};

/// How many wrong things show their evidence unless all are asked for.
pub const SHOWN: usize = 10;

/// How many of them the summary names again: it fits on a screen of 80 by 24, which they may have left upwards.
const NAMED_AGAIN: usize = 5;

/// The record for a screen.
#[must_use]
pub fn render(record: &RunRecord, look: &Look) -> String {
    if !record.legs.is_empty() {
        return super::audit::render(record, look);
    }
    let mut screen = Screen { look: *look, paint: Paint { colour: look.colour }, lines: Vec::new() };
    match look.detail {
        Detail::Brief => {}
        Detail::Normal => {
            screen.overview(record);
            screen.differences(record);
        }
        Detail::Matrix | Detail::Full => screen.matrices(record),
    }
    screen.findings(record);
    if look.detail != Detail::Normal {
        screen.reasons(record);
    }
    screen.since(record);
    screen.summary(record);
    let mut text = screen.lines.join("\n");
    text.push('\n');
    text
}

struct Screen {
    look: Look,
    paint: Paint,
    lines: Vec<String>,
}

/// Between two blocks of columns.
const GAP: &str = "   ";
const INDENT: usize = 2;
/// Holds words together until the line is out.
const NO_BREAK: &str = "\u{a0}";

impl Screen {
    fn line(&mut self, text: impl AsRef<str>) {
        self.lines.push(text.as_ref().replace(NO_BREAK, " ").trim_end().to_owned());
    }

    // ---- the matrix

    fn matrices(&mut self, record: &RunRecord) {
        let matrices = Matrix::all(record);
        for matrix in &matrices {
            self.matrix(matrix);
        }
        self.legend(&matrices);
    }

    fn matrix(&mut self, matrix: &Matrix<'_>) {
        let rows = || matrix.families.iter().flat_map(|(_, rows)| rows);
        let names = INDENT + rows().map(|row| width_of(row)).max().unwrap_or(0).max(width_of(matrix.suite));
        let block = |gateway: &str| width_of(gateway).max(matrix.columns.len() * 2 - 1);
        // As many gateways side by side as the screen holds, at least one.
        let mut from = 0;
        while from < matrix.gateways.len() {
            let mut used = names;
            let fitting = matrix.gateways[from..]
                .iter()
                .take_while(|gateway| {
                    used += GAP.len() + block(gateway);
                    used <= self.look.width
                })
                .count();
            let to = from + fitting.max(1);
            self.blocks(matrix, &matrix.gateways[from..to], names);
            from = to;
        }
        self.column_key(matrix);
    }

    fn blocks(&mut self, matrix: &Matrix<'_>, gateways: &[&str], names: usize) {
        let width = |gateway: &str| width_of(gateway).max(matrix.columns.len() * 2 - 1);
        let mut heading = self.paint.put(STRONG, &format!("{:names$}", matrix.suite));
        let mut letters = " ".repeat(names);
        for gateway in gateways {
            let width = width(gateway);
            heading += GAP;
            heading += &self.paint.put(STRONG, &format!("{gateway:width$}"));
            let line: Vec<_> = (0..matrix.columns.len()).map(column_letter).collect();
            letters += GAP;
            letters += &self.paint.put(FAINT, &format!("{:width$}", line.join(" ")));
        }
        self.line(heading);
        self.line(letters);
        for (family, rows) in &matrix.families {
            if !family.is_empty() {
                let family = self.paint.put(FAINT, family);
                self.line(family);
            }
            for row in rows {
                let mut line = format!("{:names$}", format!("{:INDENT$}{row}", ""));
                for gateway in gateways {
                    let width = width(gateway);
                    line += GAP;
                    line += &self.places(matrix, gateway, row);
                    line += &" ".repeat(width - (matrix.columns.len() * 2 - 1));
                }
                self.line(line);
            }
        }
    }

    fn places(&self, matrix: &Matrix<'_>, gateway: &str, row: &str) -> String {
        let marks = matrix.columns.iter().map(|column| match matrix.mark(gateway, row, column) {
            Some(mark) => self.paint.put(style_of(mark.verdict()), mark.symbol()),
            None => " ".to_owned(),
        });
        marks.collect::<Vec<_>>().join(" ")
    }

    fn column_key(&mut self, matrix: &Matrix<'_>) {
        let key: Vec<_> = (0..)
            .zip(&matrix.columns)
            .map(|(index, column)| format!("{} {column}", column_letter(index)))
            .collect();
        for line in flow(&key, "  ", self.look.width) {
            let line: Vec<_> = line.into_iter().map(|index| key[index].clone()).collect();
            self.line(self.paint.put(FAINT, &line.join("  ")));
        }
        self.line("");
    }

    fn legend(&mut self, matrices: &[Matrix<'_>]) {
        let mut marks = BTreeSet::from([Mark::Reached, Mark::Refused]);
        marks.extend(matrices.iter().flat_map(Matrix::marks));
        let marks: Vec<Mark> = marks.into_iter().collect();
        let plain: Vec<_> =
            marks.iter().map(|mark| format!("{} {}", mark.symbol(), mark.meaning())).collect();
        for line in flow(&plain, "   ", self.look.width) {
            let painted: Vec<_> = line
                .into_iter()
                .map(|index| {
                    let mark = marks[index];
                    format!("{} {}", self.paint.put(style_of(mark.verdict()), mark.symbol()), mark.meaning())
                })
                .collect();
            self.line(painted.join("   "));
        }
        self.line("");
    }

    // ---- what is wrong

    fn findings(&mut self, record: &RunRecord) {
        let findings = asking(record);
        let shown = match self.look.detail {
            Detail::Brief => 0,
            Detail::Normal | Detail::Matrix => SHOWN,
            Detail::Full => findings.len(),
        };
        let column =
            findings.iter().map(|finding| width_of(finding.cell.verdict.as_str())).max().unwrap_or(0);
        for (index, finding) in findings.iter().enumerate() {
            self.finding(finding, column);
            if index < shown {
                self.evidence(finding.cell);
            }
        }
        if findings.len() > shown && self.look.detail != Detail::Brief {
            let rest = format!("--verbose shows the evidence of {} more", findings.len() - shown);
            self.line(self.paint.put(FAINT, &rest));
        }
        if !findings.is_empty() {
            self.line("");
        }
    }

    fn finding(&mut self, finding: &Finding<'_>, column: usize) {
        let Finding { cell, others } = finding;
        let verdict = format!("{:column$}", cell.verdict.as_str());
        let mut because = cell.because.as_deref().map(printable).unwrap_or_default();
        if *others > 0 {
            because = format!("{because} (and {})", count(*others, "cell"));
        }
        let start = column + 2;
        let used = start + width_of(&cell.id);
        let style = style_of(cell.verdict);
        let head = format!("{}  {}", self.paint.put(style, &verdict), self.paint.put(STRONG, &cell.id));
        if used + 2 + width_of(&because) <= self.look.width {
            self.line(format!("{head}  {because}"));
        } else {
            self.line(head);
            for line in wrap(&because, self.look.width, start, start) {
                self.line(format!("{:start$}{}", "", line.trim_start()));
            }
        }
    }

    fn evidence(&mut self, cell: &CellRecord) {
        const LABEL: usize = 14;
        for testimony in witness::testimonies(cell) {
            for (index, says) in testimony.says.iter().enumerate() {
                let label = if index == 0 { testimony.witness } else { "" };
                self.entry(FAINT, &format!("    {label}"), says, LABEL);
            }
        }
        // Copied as a whole, so never broken.
        let label = self.paint.put(FAINT, &format!("{:LABEL$}", "    again"));
        self.line(format!("{label}{}", cell.reproduce));
    }

    // ---- what does not count

    fn reasons(&mut self, record: &RunRecord) {
        let mut reasons: BTreeMap<(VerdictKind, &str, &str), usize> = BTreeMap::new();
        for cell in &record.cells {
            match cell.verdict {
                VerdictKind::KnownDeviation | VerdictKind::Unclaimed | VerdictKind::Skipped => {
                    let because = cell.because.as_deref().unwrap_or("no reason is recorded");
                    *reasons.entry((cell.verdict, &cell.gateway, because)).or_default() += 1;
                }
                VerdictKind::Pass
                | VerdictKind::FailOpen
                | VerdictKind::FailClosed
                | VerdictKind::WrongCause
                | VerdictKind::StaleDeviation
                | VerdictKind::Broken => {}
            }
        }
        let column = reasons.keys().map(|(verdict, _, _)| width_of(verdict.as_str())).max().unwrap_or(0);
        let gateways = reasons.keys().map(|(_, gateway, _)| width_of(gateway)).max().unwrap_or(0);
        let start = column + gateways + 9;
        for ((verdict, gateway, because), times) in &reasons {
            let verdict_word = self.paint.put(style_of(*verdict), &format!("{:column$}", verdict.as_str()));
            let mut lines = wrap(&printable(because), self.look.width, start, start).into_iter();
            let first = lines.next().unwrap_or_default();
            self.line(format!("{verdict_word} {times:>4}  {gateway:gateways$}  {first}"));
            for line in lines {
                self.line(line);
            }
        }
        if !reasons.is_empty() {
            self.line("");
        }
    }

    // ---- what changed

    fn since(&mut self, record: &RunRecord) {
        let Some(since) = &record.baseline else { return };
        self.line(self.paint.put(STRONG, "since the baseline"));
        for line in changes::render(&since.changes, &self.look).lines() {
            self.line(line);
        }
        self.line("");
    }

    // ---- the summary

    fn summary(&mut self, record: &RunRecord) {
        let (word, style) = match record.exit_code() {
            0 => ("passed", GOOD),
            1 => ("FAILED", BAD),
            _ => ("BROKEN", OURS),
        };
        let titles = overview::titles(record);
        let longest = titles.iter().map(|title| width_of(title)).max().unwrap_or(0);
        let column = longest.max(width_of(word)) + 2;
        for (title, gateway) in titles.iter().zip(&record.gateways) {
            let cells = record.cells.iter().filter(|cell| cell.gateway == gateway.name);
            let judged = gateway.judged_by.as_ref().map_or_else(String::new, |known| {
                format!("; this version is not known, it was judged by the claims of {}", printable(known))
            });
            // The overview has the numbers.
            match (self.look.detail, judged.strip_prefix("; ")) {
                (Detail::Normal, None) => {}
                (Detail::Normal, Some(judged)) => self.entry(PLAIN, title, judged, column),
                _ => self.entry(PLAIN, title, &(totals(cells) + &judged), column),
            }
        }
        self.entry(style, word, &totals(&record.cells), column);
        self.worst(record, column);
        let hollow = record.hollow();
        if !hollow.is_empty() {
            let told = format!(
                "too little was judged of {} to prove anything; `gauntlet discover` measures claims, --allow-unclaimed \
                 goes on without",
                hollow.join(", ")
            );
            self.entry(BAD, "hollow", &told, column);
        }
        let strangers: usize = record.cells.iter().map(|cell| cell.strangers).sum();
        if strangers > 0 {
            let told = format!("{} of other programs, which are no evidence", count(strangers, "connection"));
            self.entry(PLAIN, "strangers", &told, column);
        }
        // What each of several gateways took is told where everything is.
        let is_told = |stage: &str| match self.look.detail {
            Detail::Normal => false,
            Detail::Full => true,
            Detail::Brief | Detail::Matrix => record.gateways.len() == 1 || !stage.contains(": "),
        };
        let stages: Vec<_> = record
            .timings
            .iter()
            .filter(|timing| is_told(&timing.stage))
            .map(|timing| whole(&format!("{} {}", printable(&timing.stage), seconds(timing.duration_ms))))
            .collect();
        let stages = if stages.is_empty() { String::new() } else { format!(": {}", stages.join(", ")) };
        let seed = whole(&format!("seed {}", record.seed));
        self.entry(
            PLAIN,
            "time",
            &format!("{}{stages}; {seed}", whole(&seconds(record.duration_ms))),
            column,
        );
        if let Some(partial) = &record.partial {
            self.entry(OURS, "partial", &printable(partial), column);
        }
        for trouble in &record.trouble {
            self.entry(OURS, "trouble", &printable(trouble), column);
        }
        if self.look.detail == Detail::Normal {
            self.entry(FAINT, "more", "--matrix shows each cell, and why some are skipped", column);
        }
    }

    /// The gravest of what is wrong, where its evidence has taken it off the screen.
    fn worst(&mut self, record: &RunRecord, column: usize) {
        let findings = asking(record);
        if self.look.detail == Detail::Brief {
            return;
        }
        for (nth, Finding { cell, .. }) in findings.iter().take(NAMED_AGAIN).enumerate() {
            let label = if nth == 0 { "worst" } else { "" };
            // The names of cells are to be copied, so they stay whole.
            let verdict = self.paint.put(style_of(cell.verdict), cell.verdict.as_str());
            self.line(format!("{label:column$}{verdict} {}", cell.id));
        }
        if findings.len() > NAMED_AGAIN {
            let rest = format!("{:column$}and {} more", "", findings.len() - NAMED_AGAIN);
            self.line(rest);
        }
    }

    fn entry(&mut self, style: Style, label: &str, text: &str, column: usize) {
        let mut lines = wrap(text, self.look.width, column, column).into_iter();
        let first = lines.next().unwrap_or_default();
        self.line(format!("{}{first}", self.paint.put(style, &format!("{label:column$}"))));
        for line in lines {
            self.line(line);
        }
    }
}

/// `38 cells: 28 pass, 1 fail-open`.
fn totals<'a>(cells: impl IntoIterator<Item = &'a CellRecord>) -> String {
    let mut counts: BTreeMap<VerdictKind, usize> = BTreeMap::new();
    for cell in cells {
        *counts.entry(cell.verdict).or_default() += 1;
    }
    let all = count(counts.values().sum(), "cell");
    // What was not judged stands apart.
    let unclaimed = counts.remove(&VerdictKind::Unclaimed);
    let each: Vec<_> = counts.iter().map(|(verdict, times)| whole(&format!("{times} {verdict}"))).collect();
    let judged = if each.is_empty() { whole(&all) } else { format!("{}: {}", whole(&all), each.join(", ")) };
    match unclaimed {
        Some(times) => format!("{judged}; {}", whole(&format!("{times} unclaimed, not judged"))),
        None => judged,
    }
}

/// The words as one, for `wrap`.
fn whole(words: &str) -> String {
    words.replace(' ', NO_BREAK)
}

/// What is wrong and asks for something; what stays wrong since the baseline is told with what changed.
fn asking(record: &RunRecord) -> Vec<Finding<'_>> {
    let mut findings = Finding::all(record);
    if let Some(since) = &record.baseline {
        findings.retain(|finding| since.stays(&finding.cell.id).is_none());
    }
    findings
}

/// One thing that is wrong: a cell, or several cells of a gateway that broke for one reason.
struct Finding<'a> {
    cell: &'a CellRecord,
    others: usize,
}

impl<'a> Finding<'a> {
    /// Everything that is wrong, the gravest first.
    fn all(record: &'a RunRecord) -> Vec<Self> {
        let mut seen: BTreeSet<(&str, Option<&str>)> = BTreeSet::new();
        let mut findings: Vec<Self> = Vec::new();
        for cell in &record.cells {
            if cell.verdict == VerdictKind::Broken {
                let reason = (cell.gateway.as_str(), cell.because.as_deref());
                let same = |other: &&CellRecord| {
                    other.verdict == VerdictKind::Broken
                        && (other.gateway.as_str(), other.because.as_deref()) == reason
                };
                if seen.insert(reason) {
                    findings.push(Self { cell, others: record.cells.iter().filter(same).count() - 1 });
                }
            } else if cell.verdict.is_failure() {
                findings.push(Self { cell, others: 0 });
            }
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(gravity(finding.cell.verdict)));
        findings
    }
}

/// `a`, `b`, … `z`, `A`, … `Z`; more columns than that no screen holds.
fn column_letter(index: usize) -> String {
    ('a'..='z').chain('A'..='Z').nth(index).unwrap_or('+').to_string()
}
