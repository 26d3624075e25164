//! What changed between two runs, for a terminal.

use std::fmt::Write;

use super::{
    Look,
    paint::{BAD, FAINT, GOOD, ODD, PLAIN, Paint, STRONG},
    text::{count, printable, wrap},
};
use crate::record::{Change, ChangeKind, Stand};

/// The changes, a heading for each kind and two lines for each cell.
#[must_use]
pub fn render(changes: &[Change], look: &Look) -> String {
    let paint = Paint { colour: look.colour };
    let mut text = String::new();
    for kind in ChangeKind::ALL {
        let of_kind: Vec<&Change> = changes.iter().filter(|change| change.kind == *kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let style = match kind {
            ChangeKind::Broke => BAD,
            ChangeKind::Healed => GOOD,
            ChangeKind::Lost | ChangeKind::Changed => ODD,
            ChangeKind::Appeared | ChangeKind::Vanished => PLAIN,
            ChangeKind::Stays => FAINT,
        };
        let heading = format!("{} ({})", kind.heading(), count(of_kind.len(), "cell"));
        let _ = writeln!(text, "{}", paint.put(style, &heading));
        for change in of_kind {
            let _ = writeln!(text, "  {}", paint.put(STRONG, &printable(&change.id)));
            for line in wrap(&from_to(change), look.width, 4, 4) {
                let _ = writeln!(text, "    {}", line.trim_start());
            }
        }
    }
    if text.is_empty() {
        text.push_str("nothing changed\n");
    }
    text
}

/// `pass -> fail-open: reached the backend`, with the reason for which it is accepted, if there is one.
pub(super) fn from_to(change: &Change) -> String {
    let word = |stand: &Option<Stand>| stand.as_ref().map_or("not there", |stand| stand.verdict.as_str());
    let mut line = if change.kind == ChangeKind::Stays {
        word(&change.after).to_owned()
    } else {
        format!("{} -> {}", word(&change.before), word(&change.after))
    };
    let stands = change.after.iter().chain(&change.before);
    if let Some(because) = stands.filter_map(|stand| stand.because.as_deref()).next() {
        line = format!("{line}: {}", printable(because));
    }
    if let Some(accepted) = change.before.as_ref().and_then(|stand| stand.accepted.as_deref()) {
        line = format!("{line} (accepted: {})", printable(accepted));
    }
    line
}
