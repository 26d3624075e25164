//! `gauntlet audit CONFIG`: the configuration of a gateway, rehearsed in a sealed world.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::Arc,
};

use clap::Args;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

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
    /// What the configuration was before, rehearsed as well: a folder, or a revision of the repository (as in main). Only what
    /// changed on the wire is said, and only what got worse makes the exit code 1.
    #[arg(long, value_name = "DIR|REVISION")]
    against: Option<String>,
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
    let earlier = arguments.against.as_deref().map(Earlier::of).transpose()?;
    if !quiet {
        streams::note(&format!(
            "{} {} in a sealed world, made {rights}; nothing outside is reached or changed",
            kind.name(),
            program.version
        ));
    }
    let conduct = |configuration: &[String], places: Vec<Place>| {
        let configuration =
            configuration.iter().map(|path| in_production(path, &places)).collect::<Result<_, _>>()?;
        let (seed, now) = (clock::seed(Some(0))?, clock::now());
        let rehearsal =
            Rehearsal { kind, program: program.clone(), configuration, places, thorough, now, seed };
        outside(&rehearsal, rights, quiet)
    };
    let Some(earlier) = earlier else {
        return reports.deliver(&reports.compared(conduct(configuration, places)?));
    };
    let before = configuration.iter().map(|path| earlier.path(path)).collect::<Result<Vec<_>, _>>()?;
    let before = conduct(&before, earlier.places(&places)?)?;
    let after = conduct(configuration, places)?;
    reports.changes(&before, &after)
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

/// A folder in which everything lies as it did before.
struct Earlier {
    /// The folder that it stands for: the working directory, or the root of the repository.
    now: PathBuf,
    before: PathBuf,
    /// Goes with it.
    _taken_out: Option<TempDir>,
}

impl Earlier {
    fn of(against: &str) -> Result<Self, Failure> {
        if Path::new(against).is_dir() {
            let now = std::env::current_dir().map_err(Failure::work)?;
            let before = fs::canonicalize(against).map_err(Failure::work)?;
            return Ok(Self { now, before, _taken_out: None });
        }
        let git = |arguments: &[&str]| {
            let output = Command::new("git").args(arguments).output();
            let output =
                output.map_err(|error| work_error!("cannot start git for --against {against}: {error}"))?;
            if output.status.success() {
                return Ok(output.stdout);
            }
            Err(input_error!(
                "--against {against} is no folder, and no revision that can be taken out: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ))
        };
        let top = git(&["rev-parse", "--show-toplevel"])?;
        let top = PathBuf::from(String::from_utf8_lossy(&top).trim());
        let folder = tempfile::tempdir().map_err(Failure::work)?;
        let archive = folder.path().join("before.tar");
        let from = top.display().to_string();
        // An option for git must not come from here.
        let revision =
            String::from_utf8_lossy(&git(&["rev-parse", "--verify", "--end-of-options", against])?)
                .trim()
                .to_owned();
        git(&["-C", &from, "archive", "--output", &archive.display().to_string(), &revision])?;
        let before = folder.path().join("before");
        fs::create_dir(&before).map_err(Failure::work)?;
        let taken = Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&before).status();
        if !taken.is_ok_and(|status| status.success()) {
            return Err(work_error!(
                "cannot unpack what `git archive {against}` has written; tar has to be installed"
            ));
        }
        Ok(Self { now: top, before, _taken_out: Some(folder) })
    }

    /// Where a file or folder of now was before.
    fn there(&self, here: &Path) -> Result<PathBuf, Failure> {
        let found = fs::canonicalize(here)
            .map_err(|error| input_error!("cannot read {}: {error}", here.display()))?;
        let Ok(below) = found.strip_prefix(&self.now) else {
            return Err(input_error!(
                "{} does not lie below {}, so --against does not say what it was before; go to the folder of the configuration",
                found.display(),
                self.now.display()
            ));
        };
        Ok(self.before.join(below))
    }

    fn path(&self, here: &str) -> Result<String, Failure> {
        Ok(self.there(Path::new(here))?.display().to_string())
    }

    /// The same places as before; what lies in none of them lies where it lies now.
    fn places(&self, places: &[Place]) -> Result<Vec<Place>, Failure> {
        if places.is_empty() {
            return Ok(vec![Place { production: self.now.clone(), here: self.before.clone() }]);
        }
        let then = places.iter().map(|place| {
            let here = self.there(&place.here)?;
            Ok(Place { here, production: place.production.clone() })
        });
        then.collect()
    }
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
