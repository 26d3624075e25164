//! Recorded clients and what becomes of them, for a terminal.

use std::fmt::Write;

use super::{
    Look,
    paint::{BAD, FAINT, GOOD, Paint, STRONG},
    text::{printable, width_of, wrap},
};
use crate::presets::{Fate, Preset};

/// What there is.
#[must_use]
pub fn list(presets: &[(String, Preset)], look: &Look) -> String {
    let paint = Paint { colour: look.colour };
    let mut lines = Vec::new();
    for (name, preset) in presets {
        lines.push(format!("{}  {}", paint.put(STRONG, name), preset.hello().ja4));
        for text in [&preset.summary, &preset.source] {
            lines.extend(wrap(text, look.width, 4, 4).into_iter().enumerate().map(indented));
        }
    }
    lines.join("\n") + "\n"
}

/// What becomes of each, place by place; and who is lost from the first to the last of several.
#[must_use]
pub fn table(columns: &[(String, Vec<Fate>)], look: &Look) -> String {
    let paint = Paint { colour: look.colour };
    let names = columns.iter().flat_map(|(_, fates)| fates.iter().map(|fate| fate.preset.as_str()));
    let first = names.map(width_of).max().unwrap_or(0) + 2;
    let widths: Vec<usize> = columns
        .iter()
        .map(|(place, fates)| {
            let cells = fates.iter().map(|fate| width_of(&cell(fate)));
            cells.chain([width_of(place)]).max().unwrap_or(0) + 2
        })
        .collect();
    let mut head = " ".repeat(first);
    for ((place, _), width) in columns.iter().zip(&widths) {
        let _ = write!(head, "{:width$}", printable(place));
    }
    let mut lines = vec![paint.put(FAINT, head.trim_end())];
    let rows = columns.first().map_or(0, |(_, fates)| fates.len());
    for row in 0..rows {
        let mut line = format!("{:first$}", columns[0].1[row].preset);
        for ((_, fates), width) in columns.iter().zip(&widths) {
            let fate = &fates[row];
            let text = format!("{:width$}", cell(fate));
            line.push_str(&paint.put(if fate.works() { GOOD } else { BAD }, &text));
        }
        lines.push(line.trim_end().to_owned());
    }
    if columns.len() > 1 {
        let lost = lost(columns);
        lines.push(String::new());
        let told = if lost.is_empty() { "nobody".to_owned() } else { lost.join(", ") };
        lines.extend(wrap(&format!("lost from the first to the last: {told}"), look.width, 0, 2));
    }
    lines.join("\n") + "\n"
}

/// Clients that get through at the first place and not at the last.
#[must_use]
pub fn lost(columns: &[(String, Vec<Fate>)]) -> Vec<&str> {
    let ([(_, first), ..], [.., (_, last)]) = (columns, columns) else { return Vec::new() };
    let both = first.iter().zip(last);
    both.filter(|(was, is)| was.works() && !is.works()).map(|(was, _)| was.preset.as_str()).collect()
}

fn cell(fate: &Fate) -> String {
    match (fate.works(), fate.tls_version) {
        (true, Some(version)) => match &fate.cipher {
            Some(cipher) => format!("{version} {cipher}"),
            None => version.to_string(),
        },
        (true, None) => "works".to_owned(),
        (false, _) => {
            let cause = fate.cause.map_or("refused".to_owned(), |cause| cause.to_string());
            let alert = fate.alert.map(|alert| format!(" (alert {alert})")).unwrap_or_default();
            format!("- {cause}{alert}")
        }
    }
}

fn indented((number, line): (usize, String)) -> String {
    if number == 0 { format!("    {line}") } else { line }
}

#[cfg(test)]
mod tests {
    use tls_gauntlet_scenarios::{Claims, catalogue};

    use super::*;
    use crate::presets::at_gateway;

    #[test]
    fn who_dies_is_told() {
        let legacy = catalogue().listener("legacy").unwrap();
        let before = at_gateway(&Claims::openssl_client(), legacy);
        let profile = catalogue().profile("azure-apim-classic@2025-08").unwrap();
        let after = at_gateway(&profile.claims(Claims::openssl_client()), legacy);
        let columns = [("before".to_owned(), before), ("after".to_owned(), after)];
        insta::assert_snapshot!(table(&columns, &Look::default()));
    }
}
