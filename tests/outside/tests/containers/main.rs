//! Containers on a real engine: the fleet in one, a gateway between it and its client in another, and what becomes of a run
//! whose gateway is killed. `ci/check.sh containers` builds the image and runs them; without an engine they are ignored.

mod between;
mod engine;
mod fleet;
mod killed;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process::ExitCode,
};

use engine::Place;
use libtest_mimic::{Arguments, Trial};
use tls_gauntlet::trials::is_required;

/// A test, which is given a place of its own on the engine.
type Test = fn(&Place);

const TESTS: &[(&str, Test)] = &[
    ("fleet::typed_access_to_what_runs_in_it", fleet::typed_access_to_what_runs_in_it),
    ("fleet::one_that_was_killed_is_gone_and_not_silent", fleet::one_that_was_killed_is_gone_and_not_silent),
    ("fleet::a_test_that_fails_leaves_nothing", fleet::a_test_that_fails_leaves_nothing),
    ("between::a_late_client_certificate", between::a_late_client_certificate),
    ("killed::a_gateway_killed_in_mid_run_is_broken", killed::a_gateway_killed_in_mid_run_is_broken),
];

fn main() -> ExitCode {
    let missing = engine::missing();
    let ignored = missing.is_some() && !is_required("docker");
    let trials = TESTS.iter().map(|(name, test)| {
        let missing = missing.map(str::to_owned);
        Trial::test(*name, move || {
            if let Some(missing) = missing {
                return Err(format!("docker is required: {missing}").into());
            }
            let place = Place::new();
            let outcome = catch_unwind(AssertUnwindSafe(|| test(&place)));
            let left = place.clear();
            outcome.unwrap_or_else(|panic| resume_unwind(panic));
            if left.is_empty() { Ok(()) } else { Err(format!("left on the engine: {left:?}").into()) }
        })
        .with_ignored_flag(ignored)
    });
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.collect());
    engine::remove_images();
    conclusion.exit_code()
}
