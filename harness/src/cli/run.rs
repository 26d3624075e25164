//! `gauntlet run`: the matrix, its reports and the verdict as an exit code.

use std::{
    env, fs,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    clock,
    events::Events,
    failure::{Failure, input_error, work_error},
    recording::{self, RecordingArguments},
    records,
    reports::{ReportArguments, Reports},
    selection,
    signals::Signals,
};
use crate::{
    limits::Limits,
    record::RunRecord,
    runner::{self, Costs, DEFAULT_JOBS, Event, OnEvent, RunError, RunRequest, Shard, ShardError},
    wire::recorder::Recorder,
};

/// Runs the matrix against one or more gateways, prints it, and writes the record and reports.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A gateway: a name (`gauntlet list gateways`), a folder with a gateway.toml, or the URL of one that is already
    /// running [default: reference].
    #[arg(long, value_name = "NAME|DIR|URL")]
    gateway: Vec<String>,
    /// A suite (`gauntlet list suites`) [default: all].
    #[arg(long, value_name = "NAME")]
    suite: Vec<String>,
    /// Run only cells whose name matches, as in `*/expired-leaf/*::nginx`; any of several.
    #[arg(long, value_name = "GLOB")]
    filter: Vec<String>,
    /// Run part I of N. `gauntlet report --merge` joins the parts. `index/N` takes I from `JOB_COMPLETION_INDEX`, which
    /// Kubernetes gives to each pod of an Indexed Job, from 0.
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// An earlier record (run.json), by which the parts are made to take equally long; all parts need the same one. By a
    /// hash of the cells' names if absent.
    #[arg(long, value_name = "RECORD", requires = "shard")]
    costs: Option<PathBuf>,
    /// Calls in flight at the same time.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_JOBS)]
    jobs: usize,
    /// How often each cell is run.
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: u32,
    /// Start each gateway with nothing verified, and reload it with the real settings before the first call: one that goes on as it
    /// was is caught.
    #[arg(long)]
    after_reload: bool,
    /// The seed of names and serial numbers, printed with the result. If absent, it is random; 0 with --shard, because
    /// all parts need the same one.
    #[arg(long)]
    seed: Option<u64>,
    /// A folder of `gauntlet certs` whose authorities to use, for gateways that already trust them.
    #[arg(long, value_name = "DIR")]
    pki: Option<PathBuf>,
    /// The first port of the backends; ephemeral ones if absent.
    #[arg(long, value_name = "N")]
    port_base: Option<u16>,
    /// The address the backends listen on. Anything but loopback opens weak TLS to other machines.
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// The gateway whose claims hold for one that is already running, as in `--gateway https://… --claims nginx`;
    /// without any, what happens is shown and nothing is judged.
    #[arg(long, value_name = "NAME|DIR")]
    claims: Option<String>,
    /// The log of a gateway that is already running, on this machine: the third witness. Its lines mean what those of
    /// the gateway named by --claims mean.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// A file for what happens while the run goes on, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    #[command(flatten)]
    recording: RecordingArguments,
    #[command(flatten)]
    reports: ReportArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let reports = Reports::chosen(&arguments.reports)?;
    let request = request(arguments)?;
    reports.prepare()?;
    let recorder = arguments.recording.recorder()?;
    let request = RunRequest { recorder, ..request };
    let events = Events::to(arguments.events.as_deref())?;
    let record = execute(&request, arguments.reports.quiet, &events)?;
    recording::conclude(&request.recorder);
    let record = reports.compared(record);
    events.conclude(&record);
    reports.deliver(&record)
}

/// Checks every name before anything is started.
fn request(arguments: &Arguments) -> Result<RunRequest, Failure> {
    if arguments.jobs == 0 {
        return Err(input_error!("--jobs 0 would run nothing; pass 1 or more"));
    }
    if arguments.repeat == 0 {
        return Err(input_error!("--repeat 0 would run nothing; pass 1 or more"));
    }
    if let Some(dir) = &arguments.pki {
        let root = dir.join("server-root.pem");
        fs::metadata(&root).map_err(|error| {
            input_error!(
                "cannot use --pki {}: {}: {error}; `gauntlet certs {}` makes one",
                dir.display(),
                root.display(),
                dir.display()
            )
        })?;
    }
    let request = RunRequest {
        gateways: arguments.gateway.clone(),
        suites: arguments.suite.clone(),
        filters: arguments.filter.clone(),
        shard: arguments.shard.as_deref().map(shard).transpose()?,
        costs: arguments.costs.as_deref().map(records::read).transpose()?.as_ref().map(Costs::of),
        jobs: arguments.jobs,
        after_reload: arguments.after_reload,
        repeat: arguments.repeat,
        seed: clock::seed(arguments.seed.or(arguments.shard.is_some().then_some(0)))?,
        now: clock::now(),
        pki: arguments.pki.clone(),
        port_base: arguments.port_base,
        bind: arguments.bind,
        claims: arguments.claims.clone(),
        log: arguments.log.clone(),
        limits: Limits::default(),
        recorder: Recorder::default(),
    };
    selection::check(&request)?;
    Ok(request)
}

/// One part of the cells.
fn shard(asked: &str) -> Result<Shard, Failure> {
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

fn execute(request: &RunRequest, quiet: bool, events: &Events) -> Result<RunRecord, Failure> {
    watched(quiet, async |on_event| {
        let told = |event: Event| {
            events.tell(&event);
            on_event(event);
        };
        runner::run(request, &told).await
    })
}

/// Does something that takes a while, with a bar where somebody watches, until it is done or a signal ends it.
pub(super) fn watched<T>(
    quiet: bool,
    work: impl AsyncFnOnce(OnEvent<'_>) -> Result<T, RunError>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| work_error!("cannot start the threads of the run: {error}"))?;
    let progress = Progress::new(quiet);
    let outcome = runtime.block_on(async {
        let signals = Signals::catch()?;
        let on_event = |event| progress.show(event);
        tokio::select! {
            outcome = work(&on_event) => outcome.map_err(|error| match &error {
                RunError::Request(_) => Failure::input(error),
                RunError::Work(_) => Failure::work(error),
            }),
            signal = signals.received() => Err(work_error!("stopped by {signal}; nothing was recorded")),
        }
    });
    progress.finish();
    outcome
}

/// A bar on standard error, where that is a terminal.
struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new(quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style = ProgressStyle::with_template("{elapsed:>4} {bar:30} {pos}/{len} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar }
    }

    fn show(&self, event: Event) {
        match event {
            Event::Planned { cells } => self.bar.set_length(cells as u64),
            Event::Stage { name } => self.bar.set_message(name),
            Event::CellDone { id: _ } => self.bar.inc(1),
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
