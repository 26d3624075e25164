//! What the calls of a rotation show.

use std::{collections::BTreeMap, time::Duration};

use super::{
    load::{Call, Saw},
    record::{Failures, Moment},
};
use crate::limits::millis;

/// When something happened to the gateway or the backend; times count from the beginning of the traffic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// The change began.
    pub(super) told: Duration,
    /// Calls in a row had seen it; nothing if that never was.
    pub(super) taken_up: Option<Duration>,
}

/// What was seen of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) requests: usize,
    pub(super) failed: usize,
    pub(super) failures: Vec<Failures>,
    pub(super) moment: Option<Moment>,
    /// What is wrong, in words.
    pub(super) wrong: Vec<String>,
}

/// Judges calls that are in the order in which they began.
pub(super) fn judge(calls: &[Call], marks: Marks) -> Judged {
    let mut failures: BTreeMap<&str, (usize, Duration)> = BTreeMap::new();
    for call in calls {
        if let Saw::Failed(because) = &call.saw {
            failures.entry(because).or_insert((0, call.begun)).0 += 1;
        }
    }
    let failed = failures.values().map(|(times, _)| times).sum();
    let failures: Vec<_> = failures
        .into_iter()
        .map(|(because, (times, first))| Failures {
            because: because.to_owned(),
            times,
            first_ms: millis(first),
        })
        .collect();

    let mut wrong = Vec::new();
    if let Some(first) = failures.first() {
        let many = if failures.len() > 1 { ", among others" } else { "" };
        wrong.push(format!("{failed} of {} requests failed: {}{many}", calls.len(), first.because));
    }
    let of = |saw: &Saw| calls.iter().filter(|call| call.saw == *saw).collect::<Vec<_>>();
    let (old, new) = (of(&Saw::Old), of(&Saw::New));
    let early = new.iter().filter(|call| call.ended < marks.told).count();
    if early > 0 {
        wrong.push(format!("{early} requests saw the new one before the change"));
    }
    if old.iter().all(|call| call.begun > marks.told) {
        wrong.push("nobody saw the old one before the change".to_owned());
    }
    match marks.taken_up {
        None => wrong.push(format!(
            "the change was never seen for good: {} requests saw the new one after it, and {} the old one",
            new.len() - early,
            old.iter().filter(|call| call.begun > marks.told).count(),
        )),
        Some(taken_up) => {
            let again = old.iter().filter(|call| call.begun > taken_up).count();
            if again > 0 {
                wrong.push(format!(
                    "the old one came back: {again} requests saw it after the change was over"
                ));
            }
        }
    }
    let moment = new.first().map(|first| {
        let mixed: Vec<_> = old.iter().filter(|call| call.begun > first.begun).collect();
        let last = mixed.last().map_or(first.begun, |last| last.begun);
        Moment {
            after_ms: millis(first.begun.saturating_sub(marks.told)),
            mixed: mixed.len(),
            mixed_ms: millis(last.saturating_sub(first.begun)),
        }
    });
    Judged { requests: calls.len(), failed, failures, moment, wrong }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// One call every ten milliseconds: `o`ld, `n`ew, `s`teady, `x` failed, `t` timed out. Each takes five.
    fn calls(seen: &str) -> Vec<Call> {
        let call = |(place, letter): (u64, char)| {
            let begun = Duration::from_millis(10 * place);
            let saw = match letter {
                'o' => Saw::Old,
                'n' => Saw::New,
                's' => Saw::Steady,
                't' => Saw::Failed("timeout".to_owned()),
                _ => Saw::Failed("reset".to_owned()),
            };
            Call { begun, ended: begun + Duration::from_millis(5), saw }
        };
        (0_u64..).zip(seen.chars()).map(call).collect()
    }

    /// The change begins at 29 ms, and is over at `over`.
    #[rstest]
    #[case("ooonnnnn", Some(49), &[])]
    #[case("oooononn", Some(61), &[])]
    #[case("sosonsnsns", Some(55), &[])]
    #[case("ooonnxnn", Some(45), &["1 of 8 requests failed: reset"])]
    #[case("onoonnnn", Some(45), &["1 requests saw the new one before the change"])]
    #[case("ooonnnon", Some(45), &["the old one came back: 1 requests saw it after the change was over"])]
    #[case("nnnnnnnn", Some(45), &["3 requests saw the new one before the change", "nobody saw the old one before the change"])]
    #[case::asked_before_it_was_over("ooononnn", Some(43), &[])]
    #[case("onoooooo", None, &["1 requests saw the new one before the change", "the change was never seen for good: 0 requests saw the new one after it, and 5 the old one"])]
    #[case("oooooooo", None, &["the change was never seen for good: 0 requests saw the new one after it, and 5 the old one"])]
    fn what_is_wrong(#[case] seen: &str, #[case] over: Option<u64>, #[case] wrong: &[&str]) {
        let marks = Marks { told: Duration::from_millis(29), taken_up: over.map(Duration::from_millis) };
        assert_eq!(judge(&calls(seen), marks).wrong, wrong);
    }

    /// A call that was on the way when the change began may see either.
    #[rstest]
    fn the_change_begins_during_a_call(#[values("oonnnnnn", "ssonnnnn")] seen: &str) {
        let marks = Marks { told: Duration::from_millis(22), taken_up: Some(Duration::from_millis(45)) };
        assert_eq!(judge(&calls(seen), marks).wrong, Vec::<String>::new());
    }

    #[test]
    fn failures_are_counted_by_their_reason() {
        let marks = Marks { told: Duration::from_millis(29), taken_up: Some(Duration::from_millis(45)) };
        let judged = judge(&calls("ooxntnxn"), marks);
        let of = |because: &str, times, first_ms| Failures { because: because.to_owned(), times, first_ms };
        assert_eq!((judged.requests, judged.failed), (8, 3));
        assert_eq!(judged.failures, [of("reset", 2, 20), of("timeout", 1, 40)]);
        assert_eq!(judged.wrong, ["3 of 8 requests failed: reset, among others"]);
    }

    #[test]
    fn the_moment_and_how_mixed_it_was() {
        let marks = Marks { told: Duration::from_millis(29), taken_up: Some(Duration::from_millis(70)) };
        let moment = judge(&calls("ooonoonnn"), marks).moment;
        assert_eq!(moment, Some(Moment { after_ms: 1, mixed: 2, mixed_ms: 20 }));
    }
}
