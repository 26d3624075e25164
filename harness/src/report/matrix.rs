//! The cells of a record as tables: one for each suite, with one block of columns for each gateway.

use std::collections::{BTreeMap, BTreeSet};

use tls_gauntlet_scenarios::{Outcome, VerdictKind, catalogue};

use crate::record::{CellRecord, RunRecord};

/// One suite as a table.
#[derive(Debug)]
pub(super) struct Matrix<'a> {
    pub(super) suite: &'a str,
    pub(super) axes: Axes,
    /// The names of the columns, the sound one first.
    pub(super) columns: Vec<&'a str>,
    /// The names of the rows, by family.
    pub(super) families: Vec<(&'a str, Vec<&'a str>)>,
    /// The gateways that have a cell in it, in the order of the record.
    pub(super) gateways: Vec<&'a str>,
    places: BTreeMap<Place<'a>, Vec<&'a CellRecord>>,
}

/// Gateway, row, column.
type Place<'a> = (&'a str, &'a str, &'a str);

/// The leg of a gateway along which a suite varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axes {
    /// Rows are backends, columns are upstreams.
    Upstream,
    /// Rows are clients, columns are listeners.
    Listener,
}

impl<'a> Matrix<'a> {
    /// Every suite of a record.
    pub(super) fn all(record: &'a RunRecord) -> Vec<Self> {
        let mut suites: BTreeMap<&str, Vec<&CellRecord>> = BTreeMap::new();
        for cell in &record.cells {
            suites.entry(suite_of(cell)).or_default().push(cell);
        }
        let mut matrices: Vec<_> =
            suites.into_iter().map(|(suite, cells)| Self::of(suite, &cells, record)).collect();
        // The largest tells most, and it is the one that people look for.
        matrices.sort_by_key(|matrix| std::cmp::Reverse(matrix.places.len()));
        matrices
    }

    fn of(suite: &'a str, cells: &[&'a CellRecord], record: &'a RunRecord) -> Self {
        let axes = Axes::of(suite, cells);
        let mut places: BTreeMap<Place<'_>, Vec<&CellRecord>> = BTreeMap::new();
        let mut rows: BTreeMap<(bool, &str), BTreeSet<(bool, &str)>> = BTreeMap::new();
        let mut columns = BTreeSet::new();
        for cell in cells {
            let (row, column) = axes.place(cell);
            let family = axes.family(row);
            rows.entry((family != "sound", family)).or_default().insert(sound_first(row));
            columns.insert(sound_first(column));
            places.entry((&cell.gateway, row, column)).or_default().push(cell);
        }
        for cells in places.values_mut() {
            cells.sort_by_key(|cell| std::cmp::Reverse(gravity(cell.verdict)));
        }
        let names = |ordered: BTreeSet<(bool, &'a str)>| ordered.into_iter().map(|(_, name)| name).collect();
        let known = record.gateways.iter().map(|gateway| gateway.name.as_str());
        Self {
            suite,
            axes,
            columns: names(columns),
            families: rows.into_iter().map(|((_, family), rows)| (family, names(rows))).collect(),
            gateways: known.filter(|name| cells.iter().any(|cell| cell.gateway == *name)).collect(),
            places,
        }
    }

    /// The mark of a place: of the gravest cell if one is wrong, and no cell's own if they differ.
    pub(super) fn mark(&self, gateway: &str, row: &str, column: &str) -> Option<Mark> {
        let mut marks = self.cells(gateway, row, column).iter().map(|cell| Mark::of(cell));
        let gravest = marks.next()?;
        let stands = gravest.is_wrong() || gravest == Mark::Broken || marks.all(|mark| mark == gravest);
        Some(if stands { gravest } else { Mark::Mixed })
    }

    /// Every mark that stands in it.
    pub(super) fn marks(&self) -> BTreeSet<Mark> {
        self.places.keys().filter_map(|(gateway, row, column)| self.mark(gateway, row, column)).collect()
    }

    /// All cells at this place, the gravest first.
    pub(super) fn cells<'m>(
        &'m self,
        gateway: &'m str,
        row: &'m str,
        column: &'m str,
    ) -> &'m [&'a CellRecord] {
        self.places.get(&(gateway, row, column)).map_or(&[], Vec::as_slice)
    }
}

impl Axes {
    /// The axes with more combinations. A part of a suite is drawn as the whole is, however little of it was run.
    pub(super) fn of(suite: &str, cells: &[&CellRecord]) -> Self {
        match catalogue().scenarios(suite) {
            Ok(scenarios) => Self::with_more(
                scenarios.iter().map(|one| (one.backend.name.as_str(), one.upstream.name.as_str())),
                scenarios.iter().map(|one| (one.client.name.as_str(), one.listener.name.as_str())),
            ),
            Err(_) => Self::with_more(
                cells.iter().map(|cell| Self::Upstream.place(cell)),
                cells.iter().map(|cell| Self::Listener.place(cell)),
            ),
        }
    }

    fn with_more<'a>(
        upstream: impl Iterator<Item = (&'a str, &'a str)>,
        listener: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let (upstream, listener): (BTreeSet<_>, BTreeSet<_>) = (upstream.collect(), listener.collect());
        if listener.len() > upstream.len() { Self::Listener } else { Self::Upstream }
    }

    /// What a row is, and what a column is.
    pub(super) const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Upstream => ("backend", "upstream"),
            Self::Listener => ("client", "listener"),
        }
    }

    fn place(self, cell: &CellRecord) -> (&str, &str) {
        match self {
            Self::Upstream => (&cell.backend, &cell.upstream),
            Self::Listener => (&cell.client, &cell.listener),
        }
    }

    /// What a cell belongs to, as dotted words: on one axes its backend, on the other its listener.
    pub(super) fn group(self, cell: &CellRecord) -> String {
        match self {
            Self::Upstream => format!("{}.{}", family_of_backend(&cell.backend), cell.backend),
            Self::Listener => cell.listener.clone(),
        }
    }

    /// The family of a row; clients are few and have none.
    fn family(self, row: &str) -> &'static str {
        match self {
            Self::Upstream => family_of_backend(row),
            Self::Listener => "",
        }
    }
}

/// The family of a backend in the catalogue.
pub(super) fn family_of_backend(name: &str) -> &'static str {
    if name.contains('+') {
        return "composed";
    }
    catalogue().backends().find(|(known, _, _)| *known == name).map_or("other", |(_, family, _)| family)
}

/// The suite of a cell, by its name.
pub(super) fn suite_of(cell: &CellRecord) -> &str {
    cell.id.split('/').next().unwrap_or_default()
}

fn sound_first(name: &str) -> (bool, &str) {
    (!matches!(name, "strict" | "default" | "plain-good"), name)
}

/// How a cell looks in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    Reached,
    Refused,
    FailOpen,
    FailClosed,
    WrongCause,
    StaleDeviation,
    Broken,
    KnownDeviation,
    Unclaimed,
    Skipped,
    /// Several cells, none wrong, that came out in different ways.
    Mixed,
}

impl Mark {
    /// The verdict whose colour it has.
    pub(super) const fn verdict(self) -> VerdictKind {
        match self {
            Self::Reached | Self::Refused | Self::Mixed => VerdictKind::Pass,
            Self::FailOpen => VerdictKind::FailOpen,
            Self::FailClosed => VerdictKind::FailClosed,
            Self::WrongCause => VerdictKind::WrongCause,
            Self::StaleDeviation => VerdictKind::StaleDeviation,
            Self::Broken => VerdictKind::Broken,
            Self::KnownDeviation => VerdictKind::KnownDeviation,
            Self::Unclaimed => VerdictKind::Unclaimed,
            Self::Skipped => VerdictKind::Skipped,
        }
    }

    pub(super) fn of(cell: &CellRecord) -> Self {
        match cell.verdict {
            VerdictKind::Pass => match cell.expected.as_ref().map(|expected| expected.outcome) {
                Some(Outcome::Refuse) => Self::Refused,
                Some(Outcome::Reach) | None => Self::Reached,
            },
            VerdictKind::FailOpen => Self::FailOpen,
            VerdictKind::FailClosed => Self::FailClosed,
            VerdictKind::WrongCause => Self::WrongCause,
            VerdictKind::StaleDeviation => Self::StaleDeviation,
            VerdictKind::Broken => Self::Broken,
            VerdictKind::KnownDeviation => Self::KnownDeviation,
            VerdictKind::Unclaimed => Self::Unclaimed,
            VerdictKind::Skipped => Self::Skipped,
        }
    }

    /// Whether the gateway fell short; its verdict says how.
    pub(super) const fn is_wrong(self) -> bool {
        matches!(self, Self::FailOpen | Self::FailClosed | Self::WrongCause | Self::StaleDeviation)
    }

    /// One character that says without colour what came of it.
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Reached => "✓",
            Self::Refused => "⊘",
            Self::FailOpen | Self::FailClosed | Self::WrongCause | Self::StaleDeviation => "✗",
            Self::Broken => "B",
            Self::KnownDeviation => "~",
            Self::Unclaimed => "o",
            Self::Skipped => "-",
            Self::Mixed => "±",
        }
    }

    /// What it stands for.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Reached => "comes through, as it must",
            Self::Refused => "stopped, as it must be, and for the right reason",
            Self::FailOpen => "fail-open: accepted or offered what it must not",
            Self::FailClosed => "fail-closed: refused what must work",
            Self::WrongCause => "wrong-cause: the right outcome for another reason",
            Self::StaleDeviation => "stale-deviation: listed, no longer true",
            Self::Broken => "broken: Gauntlet failed, not the gateway",
            Self::KnownDeviation => "known-deviation: listed, with a reason",
            Self::Unclaimed => "unclaimed: measured, not counted",
            Self::Skipped => "skipped",
            Self::Mixed => "several cells, none wrong, that differ: --filter shows each",
        }
    }
}

/// Which of two verdicts a reader has to see first.
pub(super) const fn gravity(verdict: VerdictKind) -> u8 {
    match verdict {
        VerdictKind::FailOpen => 8,
        VerdictKind::FailClosed => 7,
        VerdictKind::WrongCause => 6,
        VerdictKind::StaleDeviation => 5,
        VerdictKind::Broken => 4,
        VerdictKind::Unclaimed => 3,
        VerdictKind::KnownDeviation => 2,
        VerdictKind::Skipped => 1,
        VerdictKind::Pass => 0,
    }
}
