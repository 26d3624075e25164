//! `gauntlet run`: the matrix, its reports and the verdict as an exit code.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    clock,
    failure::{Failure, input_error, work_error},
    selection,
    signals::Signals,
    streams::{self, make_folder},
};
use crate::{
    limits::Limits,
    record::RunRecord,
    report::{Detail, FORMATS, Format},
    runner::{self, DEFAULT_JOBS, Event, RunError, RunRequest, ShardError},
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
    /// Run part I of N.
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// Calls in flight at the same time.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_JOBS)]
    jobs: usize,
    /// How often each cell is run.
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: u32,
    /// The seed of names and serial numbers; random if absent, and printed with the result.
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
    /// A folder for the record (run.json) and the reports.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// console, json or junit. The first one goes to standard output; with --out all are written, or every one if
    /// none is named [default: console].
    #[arg(long, value_name = "F")]
    format: Vec<String>,
    /// Show the evidence of everything that is wrong.
    #[arg(long, conflicts_with = "quiet")]
    verbose: bool,
    /// No progress, no matrix: only what is wrong and the summary.
    #[arg(long)]
    quiet: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let formats = formats(arguments)?;
    let request = request(arguments)?;
    if let Some(dir) = &arguments.out {
        make_folder(dir)?;
    }

    let record = execute(&request, arguments.quiet)?;

    if let Some(dir) = &arguments.out {
        write_files(dir, &formats, &record)?;
    }
    let detail = match (arguments.verbose, arguments.quiet) {
        (true, _) => Detail::Full,
        (false, true) => Detail::Brief,
        (false, false) => Detail::Normal,
    };
    let on_screen = formats.first().copied().unwrap_or(&FORMATS[0]);
    streams::print(&(on_screen.render)(&record, &streams::look(detail)))?;
    Ok(ExitCode::from(record.exit_code()))
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
        shard: arguments
            .shard
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|error: ShardError| Failure::input(error))?,
        jobs: arguments.jobs,
        repeat: arguments.repeat,
        seed: clock::seed(arguments.seed)?,
        now: clock::now(),
        pki: arguments.pki.clone(),
        port_base: arguments.port_base,
        bind: arguments.bind,
        claims: arguments.claims.clone(),
        log: arguments.log.clone(),
        limits: Limits::default(),
    };
    selection::check(&request)?;
    Ok(request)
}

/// The formats that were named, in their order.
fn formats(arguments: &Arguments) -> Result<Vec<&'static Format>, Failure> {
    let mut formats: Vec<&Format> = Vec::new();
    for name in &arguments.format {
        let known = || FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ");
        let format = Format::named(name)
            .ok_or_else(|| input_error!("unknown format \"{name}\"; known are {}", known()))?;
        if !formats.iter().any(|other| other.name == format.name) {
            formats.push(format);
        }
    }
    if formats.len() > 1 && arguments.out.is_none() {
        let names: Vec<_> = formats.iter().map(|format| format.name).collect();
        return Err(input_error!(
            "standard output carries one format, not {}; pass --out DIR to have them as files",
            names.join(" and ")
        ));
    }
    Ok(formats)
}

fn execute(request: &RunRequest, quiet: bool) -> Result<RunRecord, Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| work_error!("cannot start the threads of the run: {error}"))?;
    let progress = Progress::new(quiet);
    let outcome = runtime.block_on(async {
        let signals = Signals::catch()?;
        let on_event = |event| progress.show(event);
        tokio::select! {
            outcome = runner::run(request, &on_event) => outcome.map_err(|error| match &error {
                RunError::Request(_) => Failure::input(error),
                RunError::Work(_) => Failure::work(error),
            }),
            signal = signals.received() => Err(work_error!("stopped by {signal}; nothing was recorded")),
        }
    });
    progress.finish();
    outcome
}

/// The record always, and the formats that were asked for, or all that have a file.
fn write_files(dir: &Path, formats: &[&Format], record: &RunRecord) -> Result<(), Failure> {
    let wanted = |format: &&Format| {
        format.name == "json"
            || formats.iter().all(|asked| asked.file.is_none())
            || formats.iter().any(|asked| asked.name == format.name)
    };
    for format in FORMATS.iter().filter(wanted) {
        let Some(file) = format.file else { continue };
        let path = dir.join(file);
        let text = (format.render)(record, &crate::report::Look::default());
        fs::write(&path, text).map_err(|error| work_error!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
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
