//! Several legs on one screen: a line for each, then each finding once, with the legs that have it and the places where it stands.

use tls_gauntlet_scenarios::policy::Finding;

use super::{
    super::{
        paint::{BAD, FAINT, GOOD, ODD, STRONG},
        text::{count, printable, seconds, width_of},
    },
    Screen, conclusion,
};
use crate::record::{LegRecord, RunRecord};

/// A finding, and the legs that have it by their numbers.
struct Shared<'a> {
    finding: &'a Finding,
    legs: Vec<(usize, &'a Finding)>,
}

impl Screen {
    pub(super) fn several(self, record: &RunRecord) -> Vec<String> {
        let (behaviours, controls) = record.legs.iter().fold((0, 0), |(behaviours, controls), leg| {
            (behaviours + leg.behaviours, controls + leg.controls)
        });
        let facts = format!(
            "{}: {behaviours} behaviours, each between sound calls ({controls} came through), in {}",
            count(record.legs.len(), "leg"),
            seconds(record.duration_ms)
        );
        let mut lines = vec![self.paint.put(FAINT, &facts), String::new()];
        lines.extend(self.table(record));
        for shared in shared(&record.legs) {
            lines.push(String::new());
            lines.extend(self.head(shared.finding));
            if shared.finding.fails() {
                lines.extend(self.seen(shared.finding));
            }
            lines.extend(self.places(&shared.legs));
            lines.extend(self.remedies(shared.finding));
        }
        lines.push(String::new());
        lines.push(self.paint.put(FAINT, "What each leg does, and what its clients meet: --verbose."));
        lines
    }

    /// The legs, numbered, and what became of each.
    fn table(self, record: &RunRecord) -> Vec<String> {
        let wide = |text: fn(&LegRecord) -> &str| {
            record.legs.iter().map(|leg| width_of(&printable(text(leg)))).max().unwrap_or(0)
        };
        let (urls, backends) = (wide(|leg| &leg.url), wide(|leg| &leg.backend));
        let mut lines = Vec::new();
        for (number, leg) in (1..).zip(&record.legs) {
            let open = record.left_open(leg);
            let (mark, style) = if leg.findings.iter().any(Finding::fails) {
                ("✗", BAD)
            } else if open.is_some() {
                ("?", ODD)
            } else if leg.findings.is_empty() {
                ("✓", GOOD)
            } else {
                ("!", ODD)
            };
            let said = match leg.not_audited {
                Some(_) => String::new(),
                None => conclusion(leg).unwrap_or_else(|| "nothing is wrong".to_owned()),
            };
            let (url, backend) = (printable(&leg.url), printable(&leg.backend));
            let of = format!("{url:<urls$} → {backend:<backends$}");
            let row = format!("{} {number:>2} {}", self.paint.put(style, mark), self.paint.put(STRONG, &of));
            // What a narrow screen does not hold beside the leg stands below it.
            if 5 + width_of(&of) + 2 + width_of(&said) <= self.width {
                lines.push(format!("{row}  {said}").trim_end().to_owned());
            } else {
                lines.push(row.trim_end().to_owned());
                lines.push(format!("     {said}"));
            }
            lines.extend(open.iter().flat_map(|open| self.line("", open)));
        }
        lines
    }

    /// The places where a finding stands: those that say the same in one line.
    fn places(self, legs: &[(usize, &Finding)]) -> Vec<String> {
        let mut told: Vec<(String, Vec<usize>, String)> = Vec::new();
        for (number, finding) in legs {
            let stands = finding.stands.as_deref().unwrap_or_default();
            let (place, says) = stands.split_once(": ").unwrap_or(("", stands));
            let (file, line) = place.rsplit_once(':').unwrap_or((place, ""));
            let key = format!("{file}: {says}");
            match told.iter_mut().find(|(known, ..)| *known == key) {
                Some((_, numbers, places)) => {
                    numbers.push(*number);
                    if !line.is_empty()
                        && !places.split(", ").any(|known| known.ends_with(&format!(":{line}")))
                    {
                        places.extend([", :", line]);
                    }
                }
                None => told.push((key, vec![*number], place.to_owned())),
            }
        }
        let mut lines = Vec::new();
        for (key, numbers, places) in told {
            let says = key.split_once(": ").map_or("", |(_, says)| says);
            let text = [places.as_str(), says].into_iter().filter(|part| !part.is_empty());
            let label = if numbers.len() == 1 { "  leg" } else { "  legs" };
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            lines.extend(
                self.line(&format!("{label} {}", numbers.join(", ")), &text.collect::<Vec<_>>().join(": ")),
            );
        }
        lines
    }
}

/// Each finding once, what fails first; those that are told and mended alike are one.
fn shared(legs: &[LegRecord]) -> Vec<Shared<'_>> {
    let mut all: Vec<Shared<'_>> = Vec::new();
    for (number, leg) in (1..).zip(legs) {
        for finding in &leg.findings {
            let alike = |other: &Shared<'_>| {
                let other = other.finding;
                (&other.rule, &other.says, &other.set, &other.excepted)
                    == (&finding.rule, &finding.says, &finding.set, &finding.excepted)
            };
            match all.iter_mut().find(|other| alike(other)) {
                Some(shared) => shared.legs.push((number, finding)),
                None => all.push(Shared { finding, legs: vec![(number, finding)] }),
            }
        }
    }
    all.sort_by_key(|shared| !shared.finding.fails());
    all
}
