//! What changed between two runs, and what a baseline makes of a run.

use rstest::rstest;
use tls_gauntlet::{
    record::{Baseline, ChangeKind, RunRecord, compare},
    report::{Look, changes, html, junit, markdown},
};
use tls_gauntlet_scenarios::VerdictKind::{
    self, Broken, FailClosed, FailOpen, KnownDeviation, Pass, Skipped,
};

use crate::sample;

const CELL: &str = "upstream/tls12-only/max-tls12::default/default::nginx";

/// The sound sample, with one cell as it is said to be.
fn with(verdict: VerdictKind) -> RunRecord {
    let mut record = sample::sound();
    let cell = record.cells.iter_mut().find(|cell| cell.id == CELL).unwrap();
    cell.verdict = verdict;
    cell.because = (verdict != Pass).then(|| format!("it is {verdict}, <b>as it `was` said</b> | @all"));
    record.summary = RunRecord::summarise(&record.cells);
    record
}

#[rstest]
#[case(Pass, Pass, None)]
#[case(Pass, FailOpen, Some(ChangeKind::Broke))]
#[case(FailClosed, FailOpen, Some(ChangeKind::Broke))]
#[case(Skipped, FailOpen, Some(ChangeKind::Broke))]
#[case(FailOpen, Pass, Some(ChangeKind::Healed))]
#[case(FailOpen, KnownDeviation, Some(ChangeKind::Healed))]
#[case(FailOpen, FailOpen, Some(ChangeKind::Stays))]
#[case(FailOpen, Skipped, Some(ChangeKind::Lost))]
#[case(Pass, Broken, Some(ChangeKind::Lost))]
#[case(Skipped, Broken, Some(ChangeKind::Lost))]
#[case(Skipped, Skipped, None)]
#[case(Pass, KnownDeviation, Some(ChangeKind::Changed))]
#[case(Skipped, Pass, Some(ChangeKind::Changed))]
fn what_became_of_a_cell(
    #[case] before: VerdictKind,
    #[case] after: VerdictKind,
    #[case] kind: Option<ChangeKind>,
) {
    let changes = compare(&with(before), &with(after));
    assert_eq!(changes.iter().map(|change| change.kind).collect::<Vec<_>>(), Vec::from_iter(kind));
    assert!(changes.iter().all(|change| change.id == CELL));
}

#[rstest]
#[case(Pass, ChangeKind::Appeared)]
#[case(FailOpen, ChangeKind::Broke)]
fn what_was_not_there_is_new_and_what_is_gone_is_told(
    #[case] verdict: VerdictKind,
    #[case] kind: ChangeKind,
) {
    let (mut without, with) = (with(verdict), with(verdict));
    without.cells.retain(|cell| cell.id != CELL);
    assert_eq!(compare(&without, &with)[0].kind, kind);
    let gone = compare(&with, &without);
    assert_eq!((gone.len(), gone[0].kind), (1, ChangeKind::Vanished));
}

#[test]
fn a_run_against_a_baseline_fails_only_on_what_changed() {
    let code = |record: &RunRecord, baseline: &Baseline| {
        let mut record = record.clone();
        record.compare_to(baseline);
        record.exit_code()
    };
    let sound = Baseline::of(&with(Pass));
    let accepted = Baseline::of(&with(FailOpen));
    assert_eq!(with(FailOpen).exit_code(), 1);
    assert_eq!(code(&with(FailOpen), &accepted), 0);
    assert_eq!(code(&with(FailClosed), &accepted), 1, "wrong in another way");
    assert_eq!(code(&with(FailOpen), &sound), 1);
    assert_eq!(code(&with(Pass), &accepted), 0);
    assert_eq!(code(&with(Broken), &accepted), 3, "nobody can accept what did not run");
}

#[test]
fn what_is_accepted_has_a_reason_and_keeps_it() {
    let mut baseline = Baseline::default();
    assert_eq!(baseline.accept(&with(FailOpen), "until the next release"), [CELL]);
    assert_eq!(baseline.accept(&with(FailOpen), "another reason"), [""; 0]);
    assert_eq!(baseline.cells[CELL].accepted.as_deref(), Some("until the next release"));
    assert_eq!(baseline.accept(&with(FailClosed), "another reason"), [CELL]);
    assert_eq!(baseline.cells[CELL].accepted.as_deref(), Some("another reason"));
    assert_eq!(baseline.accept(&with(Pass), "healed"), [CELL]);
    assert_eq!(baseline, Baseline::default());

    let text = serde_json::to_string(&accepted()).unwrap();
    assert_eq!(Baseline::parse(&text).unwrap(), accepted());
    let record = serde_json::to_string(&with(FailOpen)).unwrap();
    assert_eq!(Baseline::parse(&record).unwrap(), Baseline::of(&with(FailOpen)));
}

fn accepted() -> Baseline {
    let mut baseline = Baseline::default();
    baseline.accept(&with(FailOpen), "until the next release");
    baseline.accept(&sample::record(), "known, see | #2345");
    baseline
}

/// The sample against a baseline in which one cell was sound, one was wrong in another way and one was not.
fn changed() -> RunRecord {
    let mut baseline = accepted();
    baseline.cells.remove("upstream/expired-leaf/strict::default/default::nginx");
    let mut record = sample::record();
    record.compare_to(&baseline);
    record
}

#[test]
fn markdown_says_what_changed_first() {
    insta::assert_snapshot!("markdown-changed", markdown::render(&changed()));
}

#[test]
fn changes_on_a_terminal() {
    let changes = compare(&with(FailOpen), &sample::record());
    insta::assert_snapshot!("changes", changes::render(&changes, &Look::default()));
}

#[test]
fn what_is_accepted_is_no_failure_for_a_pipeline() {
    let (before, after) = (junit::render(&sample::record()), junit::render(&changed()));
    let failures = |report: &str| report.matches("<failure ").count();
    assert_eq!((failures(&before), failures(&after)), (4, 1));
    assert!(after.contains("accepted (known, see | #2345): fail-closed"), "{after}");
}

#[test]
fn the_page_says_what_changed() {
    let page = html::render(&changed());
    assert!(page.contains("Since the baseline"));
    assert!(!html::render(&sample::record()).contains("Since the baseline"));
    assert!(page.contains("<span class=\"kind\">broke</span>"));
}
