//! How far something has come: a bar on standard error, where that is a terminal.

use std::fmt;

use super::streams;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// The bar, with counts, the time that has passed, and the time that is probably left.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Counts things that are called `what`.
    pub(super) fn new(quiet: bool, what: &str) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let template = format!("{{elapsed:>4}} {{bar:30}} {{pos}}/{{len}} {what}{{left}}  {{msg}}");
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.with_key("left", left));
        Self { bar }
    }

    /// So many things are to be done.
    pub(super) fn begin(&self, count: usize) {
        self.bar.set_length(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Something else begins.
    pub(super) fn say(&self, what: String) {
        self.bar.set_message(what);
    }

    /// Something to know, above the bar.
    pub(super) fn note(&self, text: &str) {
        self.bar.suspend(|| streams::note(text));
    }

    /// One of the things is done.
    pub(super) fn one_done(&self) {
        self.bar.inc(1);
    }

    /// The line is free again.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Says nothing before the first thing is done: there is nothing to judge by.
fn left(state: &ProgressState, line: &mut dyn fmt::Write) {
    if state.pos() > 0 && state.len().is_some_and(|len| state.pos() < len) {
        let _ = write!(line, ", about {:#} left", HumanDuration(state.eta()));
    }
}
