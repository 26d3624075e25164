//! The matrix as tests: one for each cell, listed and filtered by `cargo test` and by nextest.
//!
//! ```no_run
//! // tests/matrix.rs, with `harness = false` in Cargo.toml
//! fn main() -> std::process::ExitCode {
//!     tls_gauntlet::trials::main(&["reference", "./my-gateway"])
//! }
//! ```

use std::{
    collections::HashMap,
    process::ExitCode,
    sync::{Arc, OnceLock},
};

use libtest_mimic::{Arguments, Failed, Trial};
use time::OffsetDateTime;
use tls_gauntlet_scenarios::VerdictKind;

use crate::{
    gateway::Gateway,
    record::{CellRecord, GatewayKind, RunRecord},
    report,
    runner::{self, RunRequest},
};

/// The environment variable that lists, separated by commas, what must be installed; `all` stands for everything.
pub const REQUIRE: &str = "GAUNTLET_REQUIRE";

/// Runs the matrix of these gateways (names, folders or URLs) as tests, by the arguments of the command line.
///
/// The cells of a gateway are run together, once, when the first of its tests is wanted. The tests of a gateway that
/// is not installed are ignored, unless [`REQUIRE`] lists it.
#[must_use]
pub fn main(gateways: &[&str]) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A test that waits for its matrix needs no core; only one of them works.
    arguments.test_threads.get_or_insert(16);
    match trials(gateways, &arguments) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => {
            let failed = Trial::test("matrix", move || Err(Failed::from(error)));
            libtest_mimic::run(&arguments, vec![failed]).exit_code()
        }
    }
}

/// One test for each cell of these gateways.
///
/// # Errors
/// The text of what makes no sense in the request.
pub fn trials(gateways: &[&str], arguments: &Arguments) -> Result<Vec<Trial>, String> {
    let mut trials = Vec::new();
    for name in gateways {
        let gateway = Gateway::resolve(name).map_err(|error| error.to_string())?;
        let missing = gateway.kind() == GatewayKind::Program && gateway.version().is_none();
        let mut request = request();
        request.gateways = vec![(*name).to_owned()];
        let cells = runner::cells(&request).map_err(|error| error.to_string())?;
        request.filters = cells.iter().filter(|cell| wanted(cell, arguments)).cloned().collect();
        let matrix = Arc::new(Matrix { request, verdicts: OnceLock::new() });
        for cell in cells {
            let matrix = matrix.clone();
            let id = cell.clone();
            let trial = Trial::test(cell, move || matrix.check(&id));
            let required = is_required(gateway.name()) || gateway.engine().is_some_and(is_required);
            trials.push(trial.with_ignored_flag(missing && !required));
        }
    }
    Ok(trials)
}

/// Whether [`REQUIRE`] lists a program.
#[must_use]
pub fn is_required(program: &str) -> bool {
    std::env::var(REQUIRE).is_ok_and(|list| list.split(',').any(|word| word == program || word == "all"))
}

fn request() -> RunRequest {
    // The only place beside the command line that reads the clock: a test program is given no time.
    #[allow(
        clippy::disallowed_methods,
        reason = "the entry point of a test program, as `cli` is of the command"
    )]
    let now = OffsetDateTime::now_utc();
    RunRequest::new(0, now)
}

/// Whether the command line selects a test, as libtest does.
fn wanted(cell: &str, arguments: &Arguments) -> bool {
    let fits = |filter: &str| if arguments.exact { cell == filter } else { cell.contains(filter) };
    arguments.filter.as_deref().is_none_or(fits) && !arguments.skip.iter().any(|skip| fits(skip))
}

/// The run that answers for all tests of one gateway.
struct Matrix {
    request: RunRequest,
    verdicts: OnceLock<Result<HashMap<String, CellRecord>, String>>,
}

impl Matrix {
    fn check(&self, id: &str) -> Result<(), Failed> {
        let verdicts = self.verdicts.get_or_init(|| self.run());
        let cells = verdicts.as_ref().map_err(|error| Failed::from(error.clone()))?;
        let cell = cells.get(id).ok_or_else(|| Failed::from("the run has no such cell"))?;
        match cell.verdict {
            VerdictKind::Pass | VerdictKind::KnownDeviation | VerdictKind::Skipped => Ok(()),
            VerdictKind::FailOpen
            | VerdictKind::FailClosed
            | VerdictKind::WrongCause
            | VerdictKind::StaleDeviation
            | VerdictKind::Unclaimed
            | VerdictKind::Broken => Err(Failed::from(report::cell_in_words(cell))),
        }
    }

    fn run(&self) -> Result<HashMap<String, CellRecord>, String> {
        let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
        let record: RunRecord =
            runtime.block_on(runner::run(&self.request, &|_| {})).map_err(|error| error.to_string())?;
        Ok(record.cells.into_iter().map(|cell| (cell.id.clone(), cell)).collect())
    }
}
