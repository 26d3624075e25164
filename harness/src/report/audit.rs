//! The screen of an audit: for each leg what is wrong and what mends it, what it does, and what could not be found out.
//! Several legs share one screen, unless everything is asked for.

mod several;

use tls_gauntlet_scenarios::{
    VerdictKind,
    policy::{Finding, Level},
};

use super::{
    Detail, Look,
    paint::{BAD, FAINT, GOOD, ODD, Paint, STRONG},
    text::{count, printable, seconds, wrap},
};
use crate::record::{LegChange, LegRecord, RunRecord};

/// Where the text of a line begins, behind its label.
const INDENT: usize = 24;

/// How many behaviours are named where many are alike.
const NAMED: usize = 6;

/// One screen for a leg, or for all of them together.
#[must_use]
pub fn render(record: &RunRecord, look: &Look) -> String {
    let screen = Screen { paint: Paint { colour: look.colour }, width: look.width };
    let mut lines = Vec::new();
    if record.legs.len() > 1 && look.detail != Detail::Full {
        lines.extend(screen.several(record));
        lines.push(String::new());
        return lines.join("\n");
    }
    for leg in &record.legs {
        lines.extend(screen.leg(record, leg));
        if look.detail == Detail::Full {
            lines.extend(screen.behaviours(record, leg));
        }
        lines.push(String::new());
    }
    lines.join("\n")
}

/// What changed between two audits, one line for each topic of each leg.
#[must_use]
pub fn changes(changes: &[LegChange], look: &Look) -> String {
    let screen = Screen { paint: Paint { colour: look.colour }, width: look.width };
    let mut lines = Vec::new();
    let mut legs: Vec<&str> = changes.iter().map(|change| change.leg.as_str()).collect();
    legs.dedup();
    for leg in legs {
        lines.push(screen.paint.put(STRONG, &printable(leg)));
        for change in changes.iter().filter(|change| change.leg == leg) {
            let text = match (&change.before, &change.after) {
                (Some(before), Some(after)) => format!("{before} -> {after}"),
                (None, Some(after)) => format!("now: {after}"),
                (Some(before), None) => format!("no longer: {before}"),
                (None, None) => continue,
            };
            lines.extend(screen.line(&change.topic, &text));
        }
        lines.push(String::new());
    }
    lines.join("\n")
}

#[derive(Debug, Clone, Copy)]
struct Screen {
    paint: Paint,
    width: usize,
}

impl Screen {
    fn leg(self, record: &RunRecord, leg: &LegRecord) -> Vec<String> {
        let title = format!("{} → {}", leg.url, leg.backend);
        let mut lines = vec![self.paint.put(STRONG, &printable(&title))];
        if leg.not_audited.is_some() {
            lines.extend(record.left_open(leg).iter().flat_map(|open| self.bullet("?", open)));
            return lines;
        }
        let facts = format!(
            "{} behaviours, each between sound calls ({} came through), in {}",
            leg.behaviours,
            leg.controls,
            seconds(record.duration_ms)
        );
        lines.push(self.paint.put(FAINT, &facts));
        lines.push(String::new());
        lines.extend(self.findings(record, leg));
        lines.push(String::new());
        lines.push(self.paint.put(STRONG, "What the leg does"));
        for line in &leg.posture.lines {
            lines.extend(self.line(&line.topic, &line.says));
        }
        let unexplained = &leg.posture.unexplained;
        if !unexplained.is_empty() {
            let text =
                format!("{}: no setting that Gauntlet knows explains what was seen", some(unexplained));
            lines.extend(self.line("as seen", &text));
        }
        if !leg.listener.is_empty() {
            lines.push(String::new());
            lines.push(self.paint.put(STRONG, "What its clients meet"));
            for line in &leg.listener {
                lines.extend(self.line(&line.topic, &line.says));
            }
        }
        if !leg.posture.open.is_empty() {
            lines.push(String::new());
            lines.push(self.paint.put(STRONG, "What could not be found out"));
            for open in leg.posture.open.iter().take(NAMED) {
                lines.extend(self.bullet("?", open));
            }
            let more = leg.posture.open.len().saturating_sub(NAMED);
            if more > 0 {
                lines.push(format!("  ? and {more} more (--verbose)"));
            }
        }
        lines
    }

    fn findings(self, record: &RunRecord, leg: &LegRecord) -> Vec<String> {
        let mut lines = Vec::new();
        let open = record.left_open(leg);
        lines.extend(open.iter().flat_map(|open| self.bullet("?", open)));
        lines.extend(self.found(leg, open.is_none()));
        lines
    }

    fn found(self, leg: &LegRecord, all_asked: bool) -> Vec<String> {
        if leg.findings.is_empty() && !all_asked {
            return Vec::new();
        }
        if leg.findings.is_empty() {
            return vec![self.paint.put(GOOD, "✓ nothing is wrong by the policy \"sound\"")];
        }
        let style = if leg.findings.iter().any(Finding::fails) { BAD } else { ODD };
        let mut lines = vec![self.paint.put(style, &conclusion(leg).unwrap_or_default())];
        for finding in &leg.findings {
            lines.extend(self.finding(finding));
        }
        lines
    }

    fn finding(self, finding: &Finding) -> Vec<String> {
        let mut lines = self.head(finding);
        lines.extend(self.seen(finding));
        if let Some(stands) = &finding.stands {
            lines.extend(self.line("  stands in", stands));
        }
        lines.extend(self.remedies(finding));
        lines
    }

    fn head(self, finding: &Finding) -> Vec<String> {
        let (mark, style) = match (finding.level, finding.fails()) {
            (_, true) => ("✗", BAD),
            (Level::Must, false) => ("~", ODD),
            (Level::Should, _) => ("!", ODD),
        };
        let head = format!("{mark} {} ({}, {})", finding.says, finding.level, finding.clause);
        let wrapped = wrap(&printable(&head), self.width, 2, 4).into_iter().enumerate();
        wrapped
            .map(|(nth, line)| self.paint.put(style, &if nth == 0 { format!("  {line}") } else { line }))
            .collect()
    }

    fn seen(self, finding: &Finding) -> Vec<String> {
        let kept = match finding.kept.is_empty() {
            true => String::new(),
            false => format!("; not so {}", some(&finding.kept)),
        };
        self.line("  seen", &format!("{}{kept}", finding.seen))
    }

    fn remedies(self, finding: &Finding) -> Vec<String> {
        let mut lines = Vec::new();
        for (gateway, set) in &finding.set {
            lines.extend(self.line(&format!("  set ({gateway})"), set));
        }
        if let Some(excepted) = &finding.excepted {
            lines.extend(self.line("  excepted", excepted));
        }
        lines
    }

    fn line(self, label: &str, text: &str) -> Vec<String> {
        let label = format!("  {label:<width$}", width = INDENT - 2);
        let mut wrapped =
            wrap(&printable(text), self.width, INDENT.max(label.chars().count()), INDENT).into_iter();
        let first = format!("{}{}", self.paint.put(FAINT, &label), wrapped.next().unwrap_or_default());
        let first = if text.is_empty() { self.paint.put(FAINT, label.trim_end()) } else { first };
        [first].into_iter().chain(wrapped).collect()
    }

    fn bullet(self, mark: &str, text: &str) -> Vec<String> {
        let wrapped = wrap(&printable(&format!("{mark} {text}")), self.width, 2, 4);
        wrapped
            .into_iter()
            .enumerate()
            .map(|(nth, line)| if nth == 0 { format!("  {line}") } else { line })
            .collect()
    }

    /// Every behaviour: what came of it, and why.
    fn behaviours(self, record: &RunRecord, leg: &LegRecord) -> Vec<String> {
        let mut lines = vec![String::new(), self.paint.put(STRONG, "Behaviours")];
        for cell in record.cells.iter().filter(|cell| cell.gateway == leg.leg) {
            let through = cell.observed.as_ref().is_some_and(|seen| seen.outcome.as_str() == "reach");
            let (mark, style) = match (cell.verdict, through) {
                (VerdictKind::Skipped, _) => ("?", FAINT),
                (verdict, _) if verdict.is_failure() => ("✗", BAD),
                (_, true) => ("✓", GOOD),
                (_, false) => ("⊘", GOOD),
            };
            let cause = cell.observed.as_ref().and_then(|seen| seen.cause).map(|cause| cause.to_string());
            let status = cell.client_saw.as_ref().and_then(|saw| saw.status);
            let status = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            let cause = match cause.as_deref() {
                Some("unexplained") => " cause not shown".to_owned(),
                Some(cause) => format!(" {cause}"),
                None => String::new(),
            };
            let because = match cell.verdict {
                VerdictKind::Skipped => format!(" {}", cell.because.as_deref().unwrap_or_default()),
                _ => cause,
            };
            lines.push(format!("  {} {:<40} {status}{because}", self.paint.put(style, mark), cell.backend));
        }
        lines
    }
}

/// How many musts are broken and recommendations not kept, if any.
fn conclusion(leg: &LegRecord) -> Option<String> {
    let musts = leg.findings.iter().filter(|finding| finding.fails()).count();
    let others = leg.findings.len() - musts;
    let musts = (musts > 0).then(|| format!("{} broken", count(musts, "must")));
    let others = (others > 0).then(|| format!("{} not kept", count(others, "recommendation")));
    let told: Vec<String> = musts.into_iter().chain(others).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// The first few names, and how many more there are.
fn some(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
