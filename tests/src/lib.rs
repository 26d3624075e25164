//! What the proofs share: what is installed, and gateways set up wrongly on purpose.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use time::OffsetDateTime;
use tls_gauntlet::{
    gateway::Gateway,
    record::{CellRecord, RunRecord},
    runner::{self, Event, RunRequest},
    trials,
};
use tls_gauntlet_scenarios::VerdictKind;

/// Whether a gateway's program is installed. Says so if it is not, and fails if `GAUNTLET_REQUIRE` lists it.
#[must_use]
pub fn installed(gateway: &str) -> bool {
    let found = Gateway::resolve(gateway).is_ok_and(|gateway| gateway.version().is_some());
    assert!(found || !trials::is_required(gateway), "{gateway} is required and not installed");
    found
}

/// A copy of a shipped gateway's folder, to be set up wrongly.
#[derive(Debug)]
pub struct Mutant {
    folder: TempDir,
}

impl Mutant {
    /// An exact copy; of `NAME@VERSION`, one that runs that version.
    #[must_use]
    pub fn of(gateway: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let of = gateway.split('@').next().unwrap_or_default();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../harness/gateways").join(of);
        for file in fs::read_dir(&shipped).expect("the shipped folder").flatten() {
            fs::copy(file.path(), folder.path().join(file.file_name())).expect("a copy");
        }
        let copy = Self { folder };
        if of == gateway {
            return copy;
        }
        copy.with("gateway.toml", &format!("names = [\"{of}\"]"), "names = []").with(
            "gateway.toml",
            &format!("paths = [\"target/gateways/{of}/"),
            &format!("paths = [\"target/gateways/{gateway}/"),
        )
    }

    /// Replaces a text in one of its files; that the text is there is part of the test.
    #[must_use]
    pub fn with(self, file: &str, text: &str, replacement: &str) -> Self {
        let path = self.folder.path().join(file);
        let before = fs::read_to_string(&path).expect("the file to change");
        assert!(before.contains(text), "{file} has no {text:?} any more: the mutant would mutate nothing");
        fs::write(&path, before.replace(text, replacement)).expect("the changed file");
        self
    }

    /// Its folder, as `--gateway` takes it.
    #[must_use]
    pub fn path(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// A path beside its files.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Runs the cells that fit the globs against one gateway.
#[must_use]
pub fn run(gateway: &str, filters: &[&str]) -> RunRecord {
    run_watched(gateway, filters, &|_| {})
}

/// The same, with the gateway reloaded before its first call.
#[must_use]
pub fn run_reloaded(gateway: &str, filters: &[&str]) -> RunRecord {
    run_as(RunRequest { after_reload: true, ..request(gateway, filters) }, &|_| {})
}

/// The same against several gateways at once.
#[must_use]
pub fn run_suites(gateways: &[String], filters: &[&str]) -> RunRecord {
    let mut request = RunRequest::new(1, now());
    request.gateways = gateways.to_vec();
    request.filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(runner::run(&request, &|_| {})).expect("a run")
}

/// The same, with an ear on the run.
#[must_use]
pub fn run_watched(gateway: &str, filters: &[&str], on_event: &(dyn Fn(Event) + Send + Sync)) -> RunRecord {
    run_as(request(gateway, filters), on_event)
}

fn request(gateway: &str, filters: &[&str]) -> RunRequest {
    let mut request = RunRequest::new(1, now());
    request.gateways = vec![gateway.to_owned()];
    request.filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
    request
}

#[allow(clippy::needless_pass_by_value, reason = "whoever asks is done with it")]
fn run_as(request: RunRequest, on_event: &(dyn Fn(Event) + Send + Sync)) -> RunRecord {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(runner::run(&request, on_event)).expect("a run")
}

/// The cells with one verdict, by `backend/upstream::client/listener`.
#[must_use]
pub fn with_verdict(record: &RunRecord, verdict: VerdictKind) -> Vec<String> {
    record.cells.iter().filter(|cell| cell.verdict == verdict).map(name).collect()
}

/// `backend/upstream::client/listener`.
#[must_use]
pub fn name(cell: &CellRecord) -> String {
    format!("{}/{}::{}/{}", cell.backend, cell.upstream, cell.client, cell.listener)
}

/// The clock.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "gateways check certificates by the clock of the machine")]
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
