//! Colours, where the reader's screen has them.

use anstyle::{AnsiColor, Style};
use tls_gauntlet_scenarios::VerdictKind;

pub(super) const PLAIN: Style = Style::new();
pub(super) const STRONG: Style = Style::new().bold();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const ODD: Style = AnsiColor::Yellow.on_default();
pub(super) const OURS: Style = AnsiColor::Magenta.on_default().bold();

/// Paints, or does not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub(super) colour: bool,
}

impl Paint {
    pub(super) fn put(self, style: Style, text: &str) -> String {
        if self.colour && style != PLAIN && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

pub(super) const fn style_of(verdict: VerdictKind) -> Style {
    match verdict {
        VerdictKind::Pass => GOOD,
        VerdictKind::FailOpen
        | VerdictKind::FailClosed
        | VerdictKind::WrongCause
        | VerdictKind::StaleDeviation => BAD,
        VerdictKind::Broken => OURS,
        VerdictKind::KnownDeviation | VerdictKind::Unclaimed => ODD,
        VerdictKind::Skipped => FAINT,
    }
}
