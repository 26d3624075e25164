//! `gauntlet audit CONFIG`: the configuration of a gateway, rehearsed in a sealed world.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    sync::Arc,
};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{
    clock,
    failure::{Failure, input_error, work_error},
    progress::Progress,
    reports::Reports,
    streams,
};
use crate::{
    configuration::Kind,
    gateway::{Gateway, RunFolder},
    record::RunRecord,
    rehearsal::{self, Event, Place, Program, Rehearsal, RehearsalError},
    world::{self, Rights},
};

/// How a configuration is rehearsed.
#[derive(Debug, Default, Args)]
pub(super) struct RehearsalArguments {
    /// A folder that lies elsewhere in production, as in /etc/nginx=deploy/nginx.
    #[arg(long, value_name = "PRODUCTION=HERE")]
    at: Vec<String>,
    /// The gateway that the configuration is for, where its text does not tell.
    #[arg(long, value_name = "GATEWAY")]
    kind: Option<String>,
    /// The program that is started, in place of the one that is installed.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// An environment variable for the program.
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
}

/// What the Gauntlet inside a world tells the one outside, each a line of JSON.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    Event(Event),
    Record(Box<RunRecord>),
    Failed { said: String, is_input: bool },
}

/// Rehearses a configuration and delivers the reports.
pub(super) fn rehearse(
    configuration: &[String],
    arguments: &RehearsalArguments,
    thorough: bool,
    reports: &Reports<'_>,
    quiet: bool,
) -> Result<ExitCode, Failure> {
    let places: Vec<Place> = arguments.at.iter().map(|place| placed(place)).collect::<Result<_, _>>()?;
    let kind = kind(configuration, arguments)?;
    let program = program(kind, arguments)?;
    let rights = Rights::of_this_process().map_err(Failure::work)?;
    if !quiet {
        streams::note(&format!(
            "{} {} in a sealed world, made {rights}; nothing outside is reached or changed",
            kind.name(),
            program.version
        ));
    }
    let configuration =
        configuration.iter().map(|path| in_production(path, &places)).collect::<Result<_, _>>()?;
    let (seed, now) = (clock::seed(Some(0))?, clock::now());
    let rehearsal = Rehearsal { kind, program, configuration, places, thorough, now, seed };
    let record = outside(&rehearsal, rights, quiet)?;
    reports.deliver(&reports.compared(record))
}

/// Makes the world, and listens to what is told from inside.
fn outside(rehearsal: &Rehearsal, rights: Rights, quiet: bool) -> Result<RunRecord, Failure> {
    let scratch =
        RunFolder::new().map_err(|error| work_error!("cannot make a folder for the world: {error}"))?;
    let gauntlet = std::env::current_exe().map_err(Failure::work)?;
    let told = serde_json::to_string(rehearsal).map_err(Failure::work)?;
    let inside: Vec<OsString> = ["world", "rehearse", &told].map(OsString::from).into();
    let mut command = world::command(rights, &gauntlet, scratch.path(), &inside);
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| work_error!("cannot start unshare (util-linux): {error}"))?;
    // The world ends when this pipe does.
    let _pipe = child.stdin.take();
    let progress = Progress::new(quiet, "behaviours");
    let mut record = None;
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
        let line = line.map_err(|error| work_error!("cannot hear the rehearsal: {error}"))?;
        match serde_json::from_str(&line) {
            Ok(Told::Event(Event::Note(note))) if !quiet => progress.note(&note),
            Ok(Told::Event(Event::Planned(behaviours))) => progress.begin(behaviours),
            Ok(Told::Event(Event::Met)) => progress.one_done(),
            Ok(Told::Event(Event::Note(_))) => {}
            Ok(Told::Record(told)) => record = Some(*told),
            Ok(Told::Failed { said, is_input: true }) => return Err(input_error!("{said}")),
            Ok(Told::Failed { said, is_input: false }) => return Err(work_error!("{said}")),
            Err(error) => return Err(work_error!("cannot understand the rehearsal: {error}")),
        }
    }
    progress.finish();
    let ended = child.wait().map_err(Failure::work)?;
    record.ok_or_else(|| work_error!("the rehearsal has ended without a record ({ended})"))
}

/// Inside: conducts the rehearsal.
#[tokio::main]
pub(super) async fn inside(rehearsal: &str) -> Result<ExitCode, Failure> {
    let rehearsal: Rehearsal = serde_json::from_str(rehearsal).map_err(Failure::input)?;
    let on_event = Arc::new(|event| {
        // The end of the process outside is the end of this one.
        let _heard = tell(&Told::Event(event));
    });
    let told = match rehearsal::conduct(&rehearsal, on_event).await {
        Ok(record) => Told::Record(Box::new(record)),
        Err(error) => {
            let is_input = matches!(
                error,
                RehearsalError::Unreadable(_) | RehearsalError::NoLeg { .. } | RehearsalError::Program { .. }
            );
            Told::Failed { said: Failure::work(error).to_string(), is_input }
        }
    };
    tell(&told)?;
    Ok(ExitCode::SUCCESS)
}

fn tell(told: &Told) -> Result<(), Failure> {
    let line = serde_json::to_string(told).map_err(Failure::work)?;
    streams::print(&format!("{line}\n"))
}

fn placed(text: &str) -> Result<Place, Failure> {
    let place: Place = text.parse().map_err(Failure::input)?;
    let here = fs::canonicalize(&place.here);
    let here =
        here.map_err(|error| input_error!("--at {text}: cannot read {}: {error}", place.here.display()))?;
    Ok(Place { here, ..place })
}

/// The path of a file in production: below a folder that lies elsewhere there, or where it is.
fn in_production(path: &str, places: &[Place]) -> Result<String, Failure> {
    let found = fs::canonicalize(path).map_err(|error| input_error!("cannot read {path}: {error}"))?;
    let moved =
        places.iter().find_map(|place| Some(place.production.join(found.strip_prefix(&place.here).ok()?)));
    Ok(moved.unwrap_or(found).display().to_string())
}

fn kind(configuration: &[String], arguments: &RehearsalArguments) -> Result<Kind, Failure> {
    let known = || Kind::ALL.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
    if let Some(name) = &arguments.kind {
        let kind = Kind::ALL.iter().find(|(_, known)| known == name).map(|(kind, _)| *kind);
        return kind.ok_or_else(|| input_error!("--kind {name} is not one of {}", known()));
    }
    let path = configuration.first().map(String::as_str).unwrap_or_default();
    let text = fs::read(path).map_err(|error| input_error!("cannot read {path}: {error}"))?;
    Kind::detect(path, &String::from_utf8_lossy(&text)).ok_or_else(|| {
        input_error!(
            "{path} is not a configuration of {}; name its gateway with --kind, or audit the running gateway: \
             gauntlet audit URL --backend HOST:PORT",
            known()
        )
    })
}

/// The program that is named, or the one that is installed.
fn program(kind: Kind, arguments: &RehearsalArguments) -> Result<Program, Failure> {
    let env = arguments.env.iter().map(|variable| {
        let split = variable.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        split.ok_or_else(|| input_error!("--env {variable} has no \"=\"; write it as in --env NAME=VALUE"))
    });
    let env = env.collect::<Result<_, _>>()?;
    if let Some(path) = &arguments.program {
        let path = fs::canonicalize(path);
        let path = path.map_err(|error| input_error!("cannot start --program: {error}"))?;
        return Ok(Program { version: path.display().to_string(), path, env });
    }
    let gateway = Gateway::resolve(kind.name()).map_err(Failure::input)?;
    let path = gateway.program().map_err(Failure::input)?;
    let version = gateway.version().unwrap_or("of unknown version").to_owned();
    Ok(Program { path: fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), version, env })
}

/// Whether an argument is a configuration, and not a URL.
pub(super) fn is_configuration(argument: &str) -> bool {
    !argument.contains("://") || Path::new(argument).exists()
}
