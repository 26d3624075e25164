//! `gauntlet run`: the matrix, its reports and the verdict as an exit code.

use std::{
    env,
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
};

use clap::Args;
use tokio::time::timeout;

use super::{
    clock,
    events::Events,
    failure::{Failure, input_error, work_error},
    options::{CallOptions, GatewayOptions, ReportOptions, RunOptions, SelectionOptions},
    partial,
    progress::Progress,
    project::{Project, ProjectArguments},
    recording::{self, RecordingArguments},
    records,
    reports::Reports,
    selection,
    signals::Signals,
    streams,
};
use crate::{
    configuration::Kind,
    limits::Limits,
    record::RunRecord,
    runner::{self, Costs, Event, OnEvent, RunError, RunRequest, Shard, ShardError, Stop},
};

/// Runs the matrix against one or more gateways, prints it, and writes the record and reports.
#[derive(Debug, Args)]
#[command(
    after_help = "What is not said here is taken from gauntlet.toml (`gauntlet init` writes one), found in the \
                        working directory or above it."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    gateways: GatewayOptions,
    #[command(flatten)]
    selection: SelectionOptions,
    /// Run part I of N. `gauntlet report --merge` joins the parts. `index/N` takes I from `JOB_COMPLETION_INDEX`, which
    /// Kubernetes gives to each pod of an Indexed Job, from 0.
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// An earlier record (run.json), by which the parts are made to take equally long; all parts need the same one. By a
    /// hash of the cells' names if absent.
    #[arg(long, value_name = "RECORD", requires = "shard")]
    costs: Option<PathBuf>,
    #[command(flatten)]
    calls: CallOptions,
    #[command(flatten)]
    own: RunOptions,
    /// Go on with the run whose partial record is in --out: call what it does not have, and write the whole. The other arguments
    /// are to be those of that run.
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    recording: RecordingArguments,
    #[command(flatten)]
    reports: ReportOptions,
    #[command(flatten)]
    project: ProjectArguments,
}

impl Arguments {
    /// Takes from gauntlet.toml what the command line leaves open.
    fn fill(&mut self, project: &Project) -> Result<(), Failure> {
        self.gateways.fill(project)?;
        self.selection.fill(project)?;
        self.calls.fill(project)?;
        self.own.fill(project)?;
        self.reports.fill(project)
    }
}

pub(super) fn run(mut arguments: Arguments) -> Result<ExitCode, Failure> {
    let project = Project::found(&arguments.project)?;
    arguments.fill(&project)?;
    let reports = Reports::chosen(&arguments.reports)?;
    let request = request(&arguments).map_err(|error| project.place(error))?;
    reports.prepare()?;
    let earlier =
        if arguments.resume { Some(partial::read(arguments.reports.out.as_deref())?) } else { None };
    let recorder = arguments.recording.recorder()?;
    let request = partial::without(earlier.as_ref(), RunRequest { recorder, ..request });
    if let Some(file) = project.file().filter(|_| !arguments.reports.quiet) {
        streams::note(&format!("settings from {file}"));
    }
    let tested = whose_settings(&arguments.gateways.gateway).filter(|_| !arguments.reports.quiet);
    tested.iter().for_each(|tested| streams::note(tested));
    let events = Events::to(arguments.own.events.as_deref())?;
    let out = arguments.reports.out.as_deref();
    let record = execute(request, arguments.reports.quiet, &events, out)?;
    let record = match earlier {
        Some(earlier) => earlier.resumed_by(record),
        None => record,
    };
    let record = RunRecord { allows_unclaimed: arguments.own.allow_unclaimed, ..record };
    let record = reports.compared(record);
    events.conclude(&record);
    let code = reports.deliver(&record)?;
    tested.iter().for_each(|tested| streams::note(tested));
    partial::forget(out);
    Ok(code)
}

/// Whose settings a run tests, where somebody might take them for those of a configuration.
fn whose_settings(gateways: &[String]) -> Option<String> {
    let of = |name: &str| Kind::ALL.iter().any(|(_, known)| name.split('@').next() == Some(*known));
    let programs: Vec<&str> = gateways.iter().map(String::as_str).filter(|name| of(name)).collect();
    let first = programs.first()?;
    Some(format!(
        "tested: {} with settings of Gauntlet's own; a configuration of {first} is tested by `gauntlet audit CONFIG`",
        programs.join(", ")
    ))
}

/// Checks every name before anything is started.
fn request(arguments: &Arguments) -> Result<RunRequest, Failure> {
    let Arguments { calls, shard, costs, .. } = arguments;
    let request = RunRequest {
        gateways: arguments.gateways.gateway.clone(),
        shard: shard.as_deref().map(part).transpose()?,
        costs: costs.as_deref().map(records::read).transpose()?.as_ref().map(Costs::of),
        after_reload: arguments.own.after_reload,
        repeat: calls.repeat.unwrap_or(1),
        ..RunRequest::new(clock::seed(calls.seed.or(shard.is_some().then_some(0)))?, clock::now())
    };
    let request = arguments.selection.put_into(calls.put_into(request)?);
    selection::check(&request)?;
    Ok(request)
}

/// One part of the cells.
fn part(asked: &str) -> Result<Shard, Failure> {
    let Some(of) = asked.strip_prefix("index/") else {
        return asked.parse().map_err(|error: ShardError| Failure::input(error));
    };
    let index = env::var(INDEX).ok().and_then(|index| index.parse::<u32>().ok());
    let index = index.ok_or_else(|| {
        input_error!("--shard {asked} needs the number of this pod in {INDEX}; run it in an Indexed Job, or write I/{of}")
    })?;
    format!("{}/{of}", index.saturating_add(1)).parse().map_err(|error: ShardError| Failure::input(error))
}

/// Where Kubernetes says which pod of an Indexed Job this is.
const INDEX: &str = "JOB_COMPLETION_INDEX";

fn execute(
    request: RunRequest,
    quiet: bool,
    events: &Events,
    out: Option<&Path>,
) -> Result<RunRecord, Failure> {
    let (watch, stop) = (clock::Watch::begin(), request.stop.clone());
    let request = RunRequest { checkpoints: out.is_some(), ..request };
    let mut record = watched(quiet, Some(&stop), async |on_event| {
        let told = |event: Event| {
            events.tell(&event);
            if let (Event::Checkpoint { record }, Some(out)) = (&event, out) {
                partial::keep(record, out);
            }
            on_event(event);
        };
        runner::run(&request, &told).await
    })?;
    recording::conclude(&request.recorder);
    match &record.partial {
        Some(reason) if record.cells.is_empty() => Err(work_error!("{reason}: nothing was recorded")),
        Some(_) | None => {
            if let Some(moved) = watch.moved() {
                record.discard(&moved);
            }
            Ok(record)
        }
    }
}

/// Does something that takes a while, with a bar where somebody watches, until it is done or a signal ends it. What can be
/// stopped in order is given time for that, until a second signal.
pub(super) fn watched<T>(
    quiet: bool,
    stop: Option<&Stop>,
    work: impl AsyncFnOnce(OnEvent<'_>) -> Result<T, RunError>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| work_error!("cannot start the threads of the run: {error}"))?;
    let progress = Progress::new(quiet, "calls");
    let outcome = runtime.block_on(async {
        let mut signals = Signals::catch()?;
        let on_event = |event| match event {
            Event::Planned { cells } => progress.begin(cells),
            Event::Stage { name } => progress.say(name),
            Event::CellDone { id: _ } => progress.one_done(),
            Event::Checkpoint { record: _ } => {}
        };
        let stopped = |signal: &str| work_error!("stopped by {signal}; nothing was recorded");
        let mut work = pin!(work(&on_event));
        let outcome = tokio::select! {
            outcome = &mut work => outcome,
            signal = signals.received() => {
                let Some(stop) = stop else { return Err(stopped(signal)) };
                stop.because(&format!("stopped by {signal}"));
                let Limits { stop: gateway, settle, .. } = Limits::default();
                tokio::select! {
                    outcome = timeout(gateway + 2 * settle, work) => outcome.map_err(|_| stopped(signal))?,
                    signal = signals.received() => return Err(stopped(signal)),
                }
            }
        };
        outcome.map_err(|error| match &error {
            RunError::Request(_) => Failure::input(error),
            RunError::Work(_) => Failure::work(error),
        })
    });
    progress.finish();
    outcome
}
