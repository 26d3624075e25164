//! What changed between two scans, for a terminal.

use super::{
    Look,
    paint::{BAD, FAINT, GOOD, ODD, PLAIN, Paint, STRONG},
    text::{count, printable, wrap},
};
use crate::scan::{FactChange, TargetChange, Trend};

/// The servers, a heading for each trend; what stays is named and no more.
#[must_use]
pub fn render(changes: &[TargetChange], look: &Look) -> String {
    let paint = Paint { colour: look.colour };
    let mut lines = Vec::new();
    for trend in Trend::ALL.iter().copied() {
        let of_trend: Vec<_> = changes.iter().filter(|change| change.trend == trend).collect();
        if of_trend.is_empty() {
            continue;
        }
        let (heading, style) = match trend {
            Trend::Worse => ("got worse", BAD),
            Trend::Better => ("got better", GOOD),
            Trend::Different => ("different", ODD),
            Trend::Appeared => ("new", PLAIN),
            Trend::Vanished => ("gone", PLAIN),
            Trend::Stays => ("stay as they were", FAINT),
        };
        lines.push(paint.put(style, &format!("{heading} ({})", count(of_trend.len(), "server"))));
        for change in of_trend {
            lines.push(format!("  {}{}", paint.put(STRONG, &printable(&change.target)), outcomes(change)));
            // Whatever is graver than the rest comes first.
            for trend in Trend::ALL {
                let facts = change.facts.iter().filter(|fact| fact.trend == *trend && fact.what != "outcome");
                lines.extend(facts.flat_map(|fact| told(fact, look.width, paint)));
            }
        }
    }
    if lines.is_empty() {
        lines.push("neither scan has a server".to_owned());
    }
    lines.join("\n") + "\n"
}

/// `: works → TLS problem: server-cert-expired`.
fn outcomes(change: &TargetChange) -> String {
    match (&change.before, &change.after) {
        (Some(before), Some(after)) if before != after => format!("  {before} → {after}"),
        (_, Some(only)) | (Some(only), None) => format!("  {only}"),
        (None, None) => String::new(),
    }
}

/// Where the words of a fact begin.
const INDENT: usize = 14;

fn told(fact: &FactChange, width: usize, paint: Paint) -> Vec<String> {
    let (word, style) = match fact.trend {
        Trend::Worse => ("worse", BAD),
        Trend::Better => ("better", GOOD),
        Trend::Different | Trend::Appeared | Trend::Vanished | Trend::Stays => ("different", PLAIN),
    };
    let text = match (&fact.before, &fact.after) {
        (Some(before), Some(after)) => format!("{}: {before} → {after}", fact.what),
        (Some(gone), None) => format!("{}: no longer {gone}", fact.what),
        (None, Some(new)) => format!("{}: now {new}", fact.what),
        (None, None) => fact.what.clone(),
    };
    let lead = format!("    {}", paint.put(style, &format!("{word:10}")));
    let wrapped = wrap(&printable(&text), width, INDENT, INDENT);
    wrapped
        .into_iter()
        .enumerate()
        .map(|(number, line)| if number == 0 { format!("{lead}{line}") } else { line })
        .collect()
}

#[cfg(test)]
mod tests {
    use tls_gauntlet_scenarios::{Cause, Outcome, TlsVersion};

    use super::*;
    use crate::scan::{compare, record::ScanRecord};

    fn sample() -> ScanRecord {
        serde_json::from_str(include_str!("scan/sample.json")).unwrap()
    }

    /// A server that has got worse in some ways and better in others, one that came back, one that is gone and one that is
    /// new.
    fn later() -> ScanRecord {
        let mut later = sample();
        let [backend, nobody, strange] = &mut later.targets[..] else { panic!("the sample has three") };
        backend.versions[0].version = TlsVersion::Tls10;
        backend.versions[0].ciphers.push("TLS_RSA_WITH_RC4_128_SHA".to_owned());
        backend.versions[1].ciphers.push("TLS_AES_256_GCM_SHA384".to_owned());
        backend.certificates[0].problems.clear();
        backend.forecasts[0].outcome = Some(Outcome::Refuse);
        backend.forecasts[0].cause = Some(Cause::NoCommonVersion);
        backend.forecasts[1].outcome = Some(Outcome::Reach);
        nobody.word = crate::scan::record::Word::Works;
        "new.gauntlet.test:443".clone_into(&mut strange.target);
        later
    }

    #[test]
    fn each_server_says_what_became_of_it() {
        insta::assert_snapshot!("later", render(&compare(&sample(), &later()), &Look::default()));
        insta::assert_snapshot!("back", render(&compare(&later(), &sample()), &Look::default()));
    }

    #[test]
    fn a_scan_is_what_it_was() {
        let changes = compare(&sample(), &sample());
        assert!(changes.iter().all(|change| change.trend == Trend::Stays && change.facts.is_empty()));
        insta::assert_snapshot!("same", render(&changes, &Look::default()));
    }
}
