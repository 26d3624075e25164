//! The program of a gateway, on this machine or in a container: found, asked for its version, set up, checked, started.

use std::{
    env, fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{
    asked,
    container::{self, Image, NoImage},
    error::GatewayError,
    folder::Folder,
    guard::{ContainerGuard, RunFolder},
    manifest::{Manifest, VersionNumber},
    plan::GatewayPlan,
    port::Reservation,
    render::Facts,
};
use crate::upwards::{self, PassedOver};

/// What programs write into without being told; all of it leads into the run folder.
const HOMES: [&str; 5] = ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"];

/// A gateway that is started from a folder.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// What `gateway.toml` says, for the version that was found.
    pub(super) manifest: Manifest,
    pub(super) folder: Folder,
    found: Result<Found, Missing>,
    /// What was found first and is not to be trusted.
    passed_over: Vec<PassedOver>,
}

/// A program on this machine.
#[derive(Debug, Clone)]
struct Found {
    place: Place,
    version: VersionNumber,
    /// The version whose claims it is judged by, if it is not itself known.
    judged_by: Option<VersionNumber>,
}

/// Where a program is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Here(PathBuf),
    Image(Image),
}

/// A program that is not to be had, and what to do about it.
#[derive(Debug, Clone)]
struct Missing {
    what: String,
    remedy: String,
}

/// A program with its arguments, about to run.
pub(super) struct Invocation {
    pub(super) command: Command,
    /// The container that it runs in; it has to be kept until it has ended.
    pub(super) container: Option<ContainerGuard>,
    /// What is run, for messages.
    pub(super) called: String,
}

impl Program {
    /// Reads the folder and looks for the program. That it is not there is no error before it is started.
    pub(super) fn open(folder: Folder) -> Result<Self, GatewayError> {
        let manifest = Self::manifest(&folder)?;
        Self::with(folder, manifest)
    }

    /// Opens one version beside others: it is where `ci/install-gateways.sh NAME@VERSION` puts it, and nowhere
    /// else.
    pub(super) fn open_version(folder: Folder, version: &str) -> Result<Self, GatewayError> {
        let mut manifest = Self::manifest(&folder)?;
        let name = format!("{}@{version}", manifest.name);
        let own = format!("/{}/", manifest.name);
        let program = &mut manifest.program;
        let beside = |path: &PathBuf| {
            let path = path.to_str().filter(|path| path.contains("gateways"))?;
            path.contains(&own).then(|| PathBuf::from(path.replacen(&own, &format!("/{name}/"), 1)))
        };
        program.paths = program.paths.iter().filter_map(beside).collect();
        program.variable = None;
        program.install = Some(format!("ci/install-gateways.sh {name} of Gauntlet's repository"));
        // Whatever is on PATH is another version.
        program.names = program.names.iter().take(1).map(|program| format!("{program}@{version}")).collect();
        manifest.name = name;
        Self::with(folder, manifest)
    }

    fn manifest(folder: &Folder) -> Result<Manifest, GatewayError> {
        let file = folder.path().join("gateway.toml");
        Manifest::parse(&file.display().to_string(), &folder.read("gateway.toml")?)
    }

    fn with(folder: Folder, mut manifest: Manifest) -> Result<Self, GatewayError> {
        let mut passed_over = Vec::new();
        let place = match &manifest.container {
            None => find(&manifest, &mut passed_over).map(Place::Here),
            Some(wanted) => match Image::find(&manifest.name, &folder, wanted) {
                Ok(image) => Ok(Place::Image(image)),
                Err(NoImage::Image(error)) => return Err(error),
                Err(NoImage::Engine(problem)) => Err(Missing {
                    what: format!("no container engine answers ({problem})"),
                    remedy: "start one or pass --gateway reference".to_owned(),
                }),
            },
        };
        let found = match place {
            Ok(place) => {
                let version = ask_version(&manifest, &place)?;
                let judged_by = manifest.nearest_known(&version).cloned();
                manifest = manifest.for_version(&version);
                Ok(Found { place, version, judged_by })
            }
            Err(missing) => Err(missing),
        };
        Ok(Self { manifest, folder, found, passed_over })
    }

    /// Reads the folder and looks for nothing: what is known of the newest version, without a program that is started.
    pub(super) fn described(folder: Folder) -> Result<Self, GatewayError> {
        let manifest = Self::manifest(&folder)?;
        let unasked = Missing {
            what: "its program was not looked for".to_owned(),
            remedy: "resolve it by its name".to_owned(),
        };
        Ok(Self { manifest, folder, found: Err(unasked), passed_over: Vec::new() })
    }

    /// Programs that are there and were not taken, and why.
    pub(super) fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// The version, if the program is there.
    pub(super) fn version(&self) -> Option<String> {
        self.version_number().map(ToString::to_string)
    }

    pub(super) fn version_number(&self) -> Option<&VersionNumber> {
        self.found.as_ref().ok().map(|found| &found.version)
    }

    /// The version whose claims it is judged by, if its own is not known.
    pub(super) fn judged_by(&self) -> Option<String> {
        let found = self.found.as_ref().ok()?;
        found.judged_by.as_ref().map(ToString::to_string)
    }

    /// Sets the program up and runs the vendor's own checker over it.
    pub(super) async fn check(&self, plan: &GatewayPlan, folder: &RunFolder) -> Result<(), GatewayError> {
        self.place()?;
        let reserved = self.reserve(plan)?;
        let facts = self.set_up(plan, &reserved, folder.path(), 0)?;
        self.run_checker(&facts, folder.path(), plan.limits.command).await
    }

    /// Whether it runs in a container.
    pub(super) const fn is_contained(&self) -> bool {
        self.manifest.container.is_some()
    }

    pub(super) fn place(&self) -> Result<&Place, GatewayError> {
        match &self.found {
            Ok(found) => Ok(&found.place),
            Err(missing) => Err(GatewayError::Missing {
                gateway: self.manifest.name.clone(),
                missing: missing.what.clone(),
                remedy: missing.remedy.clone(),
            }),
        }
    }

    /// Where it is on this machine.
    pub(super) fn path(&self) -> Result<&Path, GatewayError> {
        match self.place()? {
            Place::Here(path) => Ok(path),
            Place::Image(image) => Err(GatewayError::Missing {
                gateway: self.manifest.name.clone(),
                missing: format!("it runs as {}", image.called()),
                remedy: "name a program with --program".to_owned(),
            }),
        }
    }

    pub(super) fn reserve(&self, plan: &GatewayPlan) -> Result<Vec<Reservation>, GatewayError> {
        let ports = plan.listeners.iter().map(|_| Reservation::new());
        ports.collect::<Result<_, _>>().map_err(|error| self.failed("reserve a port", error.to_string()))
    }

    pub(super) fn set_up(
        &self,
        plan: &GatewayPlan,
        reserved: &[Reservation],
        dir: &Path,
        generation: u32,
    ) -> Result<Facts, GatewayError> {
        let addresses: Vec<_> = reserved.iter().map(Reservation::address).collect();
        self.set_up_at(plan, &addresses, dir, generation)
    }

    pub(super) fn set_up_at(
        &self,
        plan: &GatewayPlan,
        addresses: &[SocketAddr],
        dir: &Path,
        generation: u32,
    ) -> Result<Facts, GatewayError> {
        let facts = Facts::gather(&self.manifest.name, plan, addresses, dir, generation)?;
        let facts = facts.for_version(self.version_number());
        facts.write_files(&self.manifest, &self.folder)?;
        Ok(facts)
    }

    /// The program with its arguments and its environment, in the run folder. `key` is where the arguments are from.
    pub(super) fn invoke(
        &self,
        facts: &Facts,
        dir: &Path,
        key: &str,
        arguments: &[String],
    ) -> Result<Invocation, GatewayError> {
        let arguments = facts.arguments(&self.manifest, key, arguments)?;
        let mut environment: Vec<_> =
            HOMES.map(|home| (home.to_owned(), dir.display().to_string())).into_iter().collect();
        for (name, value) in &self.manifest.run.environment {
            let value = facts.arguments(&self.manifest, "run.environment", std::slice::from_ref(value))?;
            environment.extend(value.into_iter().map(|value| (name.clone(), value)));
        }
        match self.place()? {
            Place::Here(path) => {
                let called = format!("{} {}", path.display(), arguments.join(" "));
                let mut command = Command::new(path);
                command.args(arguments).envs(environment).current_dir(dir);
                Ok(Invocation { command, container: None, called })
            }
            Place::Image(image) => {
                let container = image.here(dir, &environment, &arguments);
                let container = container.map_err(|problem| self.failed("make a container", problem))?;
                let called = format!("{} {}", image.called(), arguments.join(" "));
                Ok(Invocation { command: container::attach(&container), container: Some(container), called })
            }
        }
    }

    pub(super) async fn run_checker(
        &self,
        facts: &Facts,
        dir: &Path,
        limit: Duration,
    ) -> Result<(), GatewayError> {
        let Some(check) = &self.manifest.run.check else { return Ok(()) };
        let Invocation { command, container, called } = self.invoke(facts, dir, "run.check", check)?;
        let answer = asked::ask(command, limit).await;
        let answer = answer.map_err(|problem| self.failed(&format!("run {called}"), problem))?;
        drop(container);
        if answer.status.success() {
            return Ok(());
        }
        Err(GatewayError::Check {
            gateway: self.manifest.name.clone(),
            command: called,
            output: answer.said.trim().to_owned(),
        })
    }

    pub(super) fn failed(&self, task: &str, problem: String) -> GatewayError {
        GatewayError::Prepare { gateway: self.manifest.name.clone(), task: task.to_owned(), problem }
    }
}

/// Looks for the program of a gateway.
fn find(manifest: &Manifest, passed_over: &mut Vec<PassedOver>) -> Result<PathBuf, Missing> {
    let program = &manifest.program;
    let name = program.names.first().cloned().unwrap_or_default();
    let chosen = program.variable.as_ref().and_then(|variable| Some((variable, env::var_os(variable)?)));
    if let Some((variable, path)) = chosen {
        let path = PathBuf::from(path);
        if is_program(&path) {
            return Ok(path);
        }
        return Err(Missing {
            what: absent(&name),
            remedy: format!("{variable} says {}, which is no program", path.display()),
        });
    }
    let on_path = env::var_os("PATH").unwrap_or_default();
    // What was installed together with this program lies beside it, whether that folder is on PATH or not.
    let beside = env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    env::split_paths(&on_path)
        .chain(beside)
        .flat_map(|folder| program.names.iter().map(move |name| folder.join(name)))
        .find(|path| is_program(path))
        .or_else(|| program.paths.iter().find_map(|path| from_here_upwards(path, passed_over)))
        .ok_or_else(|| Missing {
            what: absent(&name),
            remedy: match &program.install {
                Some(command) => format!("install it ({command}) or pass --gateway reference"),
                None => "install it or pass --gateway reference".to_owned(),
            },
        })
}

fn absent(program: &str) -> String {
    format!("no \"{program}\" on PATH, nor beside this program")
}

/// The program at a path: an absolute one is itself, a relative one begins in the working directory or a folder above it, as a
/// project's own tools do.
fn from_here_upwards(path: &Path, passed_over: &mut Vec<PassedOver>) -> Option<PathBuf> {
    if path.is_absolute() {
        return is_program(path).then(|| path.to_owned());
    }
    let search = upwards::search(path, is_program);
    passed_over.extend(search.passed_over);
    search.found.map(|found| found.path)
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

fn ask_version(manifest: &Manifest, place: &Place) -> Result<VersionNumber, GatewayError> {
    let version = &manifest.program.version;
    let called = match place {
        Place::Here(path) => path.display().to_string(),
        Place::Image(image) => image.called(),
    };
    let failed = |problem: String| GatewayError::Version {
        gateway: manifest.name.clone(),
        command: format!("{called} {}", version.args.join(" ")),
        problem,
    };
    let (command, _container) = match place {
        Place::Here(path) => {
            let mut command = Command::new(path);
            command.args(&version.args);
            (command, None)
        }
        Place::Image(image) => {
            let container = image.alone(&version.args);
            let container = container.map_err(|problem| failed(format!("cannot be run: {problem}")))?;
            (container::attach(&container), Some(container))
        }
    };
    let said = asked::ask_now(command).map_err(failed)?.said;
    let Some(found) = version.pattern.0.captures(&said) else {
        let said = said.lines().next().unwrap_or("nothing");
        return Err(failed(format!("says {said:?}, in which program.version.pattern finds nothing")));
    };
    let text = found.get(1).or_else(|| found.get(0)).map_or("", |found| found.as_str());
    text.parse().map_err(|error| failed(format!("says a version that cannot be compared: {error}")))
}
