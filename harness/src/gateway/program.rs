//! The program of a gateway: found, asked for its version, started, watched, stopped.

use std::{
    env, fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use tls_gauntlet_certs::ClientRecipe;
use tls_gauntlet_scenarios::ClientCertificatePolicy;

use super::{
    Stopped,
    error::GatewayError,
    folder::Folder,
    guard::{ProcessGroup, RunFolder},
    manifest::{Manifest, Reload, VersionNumber},
    plan::GatewayPlan,
    port::Reservation,
    ready::{Answer, Caller},
    render::Facts,
};
use crate::{limits::Limits, wait};

/// Where the program's standard output and error go, in the run folder.
const OUTPUT: &str = "output.log";

/// How many lines of the log an error message carries.
const LAST_WORDS: usize = 5;

/// A gateway that is started from a folder.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// What `gateway.toml` says, for the version that was found.
    pub(super) manifest: Manifest,
    folder: Folder,
    found: Result<Found, Missing>,
}

/// A program on this machine.
#[derive(Debug, Clone)]
struct Found {
    path: PathBuf,
    version: VersionNumber,
}

/// A program that is not on this machine, and what to do about it.
#[derive(Debug, Clone)]
struct Missing {
    program: String,
    remedy: String,
}

impl Program {
    /// Reads the folder and looks for the program. That it is not there is no error before it is started.
    pub(super) fn open(folder: Folder) -> Result<Self, GatewayError> {
        let file = folder.path().join("gateway.toml");
        let mut manifest = Manifest::parse(&file.display().to_string(), &folder.read("gateway.toml")?)?;
        let found = match find(&manifest) {
            Ok(path) => {
                let version = ask_version(&manifest, &path)?;
                manifest = manifest.for_version(&version);
                Ok(Found { path, version })
            }
            Err(missing) => Err(missing),
        };
        Ok(Self { manifest, folder, found })
    }

    /// The version, if the program is there.
    pub(super) fn version(&self) -> Option<String> {
        self.found.as_ref().ok().map(|found| found.version.to_string())
    }

    /// Sets the program up and runs the vendor's own checker over it.
    pub(super) async fn check(&self, plan: &GatewayPlan, folder: &RunFolder) -> Result<(), GatewayError> {
        let path = self.path()?;
        let reserved = self.reserve(plan)?;
        let facts = self.set_up(plan, &reserved, folder.path(), 0)?;
        self.run_checker(path, &facts, folder.path()).await
    }

    /// Sets the program up, starts it and waits until every listener answers.
    pub(super) async fn start(
        &self,
        plan: &GatewayPlan,
        folder: &RunFolder,
    ) -> Result<RunningProgram, GatewayError> {
        let path = self.path()?;
        let reserved = self.reserve(plan)?;
        let facts = self.set_up(plan, &reserved, folder.path(), 0)?;
        let arguments = facts.arguments(&self.manifest, "run.start", &self.manifest.run.start)?;

        let failed = |task: &str, error: &std::io::Error| self.failed(task, error.to_string());
        let output = fs::File::options()
            .create(true)
            .append(true)
            .open(folder.path().join(OUTPUT))
            .map_err(|error| failed("open its log", &error))?;
        let group = ProcessGroup::new().map_err(|error| failed("start a guard", &error))?;
        let mut command = self.command(path, &facts, folder.path())?;
        command.args(arguments);
        command.stdin(Stdio::null());
        command.stdout(output.try_clone().map_err(|error| failed("open its log", &error))?);
        command.stderr(output);
        group.adopt(&mut command);
        let process = command.spawn().map_err(|error| failed(&format!("run {}", path.display()), &error))?;

        let mut running = RunningProgram {
            program: self.clone(),
            dir: folder.path().to_owned(),
            group,
            process,
            ended: None,
            listeners: plan.listeners.iter().map(|(name, _)| name.clone()).zip(reserved).collect(),
            limits: plan.limits,
            generation: 0,
        };
        running.wait_ready(plan, facts.ready_path()).await?;
        Ok(running)
    }

    fn path(&self) -> Result<&Path, GatewayError> {
        match &self.found {
            Ok(found) => Ok(&found.path),
            Err(missing) => Err(GatewayError::Missing {
                gateway: self.manifest.name.clone(),
                program: missing.program.clone(),
                remedy: missing.remedy.clone(),
            }),
        }
    }

    fn reserve(&self, plan: &GatewayPlan) -> Result<Vec<Reservation>, GatewayError> {
        let ports = plan.listeners.iter().map(|_| Reservation::new());
        ports.collect::<Result<_, _>>().map_err(|error| self.failed("reserve a port", error.to_string()))
    }

    fn set_up(
        &self,
        plan: &GatewayPlan,
        reserved: &[Reservation],
        dir: &Path,
        generation: u32,
    ) -> Result<Facts, GatewayError> {
        let addresses: Vec<_> = reserved.iter().map(Reservation::address).collect();
        self.set_up_at(plan, &addresses, dir, generation)
    }

    fn set_up_at(
        &self,
        plan: &GatewayPlan,
        addresses: &[SocketAddr],
        dir: &Path,
        generation: u32,
    ) -> Result<Facts, GatewayError> {
        let facts = Facts::gather(&self.manifest.name, plan, addresses, dir, generation)?;
        facts.write_files(&self.manifest, &self.folder)?;
        Ok(facts)
    }

    /// The program with its environment, in the run folder.
    fn command(&self, path: &Path, facts: &Facts, dir: &Path) -> Result<Command, GatewayError> {
        let mut command = Command::new(path);
        command.current_dir(dir);
        for home in ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
            command.env(home, dir);
        }
        for (name, value) in &self.manifest.run.environment {
            let value = facts.arguments(&self.manifest, "run.environment", std::slice::from_ref(value))?;
            command.envs(value.iter().map(|value| (name, value)));
        }
        Ok(command)
    }

    async fn run_checker(&self, path: &Path, facts: &Facts, dir: &Path) -> Result<(), GatewayError> {
        let arguments = facts.arguments(&self.manifest, "run.check", &self.manifest.run.check)?;
        let mut command = self.command(path, facts, dir)?;
        command.args(&arguments).stdin(Stdio::null());
        let output = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| self.failed(&format!("run {}", path.display()), error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(GatewayError::Check {
            gateway: self.manifest.name.clone(),
            command: format!("{} {}", path.display(), arguments.join(" ")),
            output: String::from_utf8_lossy(&said).trim().to_owned(),
        })
    }

    fn failed(&self, task: &str, problem: String) -> GatewayError {
        GatewayError::Prepare { gateway: self.manifest.name.clone(), task: task.to_owned(), problem }
    }
}

/// A gateway's program while it runs.
#[derive(Debug)]
#[must_use = "the gateway is killed as soon as this is dropped"]
pub(super) struct RunningProgram {
    program: Program,
    dir: PathBuf,
    group: ProcessGroup,
    process: Child,
    ended: Option<ExitStatus>,
    listeners: Vec<(String, Reservation)>,
    limits: Limits,
    generation: u32,
}

impl RunningProgram {
    /// Where a listener listens.
    pub(super) fn listener(&self, name: &str) -> Option<SocketAddr> {
        self.listeners.iter().find(|(known, _)| known == name).map(|(_, port)| port.address())
    }

    /// The processes that were started: the guard's and the program's.
    pub(super) fn processes(&self) -> [u32; 2] {
        [self.group.id(), self.process.id()]
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            // An error would mean that it is not our child, which it is.
            self.ended = self.process.try_wait().ok().flatten();
        }
        self.ended
    }

    /// What it has said so far.
    pub(super) fn log(&self) -> Vec<String> {
        let files = [Some(OUTPUT), self.program.manifest.run.log.as_deref()];
        let mut lines = Vec::new();
        for file in files.into_iter().flatten() {
            let content = fs::read(self.dir.join(file)).unwrap_or_default();
            lines.extend(String::from_utf8_lossy(&content).lines().map(str::to_owned));
        }
        lines
    }

    /// Stops it in order, and by force when that takes too long.
    pub(super) async fn stop(mut self) -> Stopped {
        let died = self.ended().map(|status| status.to_string());
        if died.is_none() {
            let (signal, process) = (self.program.manifest.run.stop, self.process.id());
            if self.group.signal(signal, process).is_ok() {
                let what = format!("{} to stop", self.program.manifest.name);
                // Late or not, what is left of it is killed when the group is dropped.
                let _late = wait::until(self.limits.stop, &what, async || self.ended()).await;
            }
        }
        let log = self.log();
        Stopped { log, died }
    }

    /// Makes it read its files again, made anew for a plan with the same listeners.
    pub(super) async fn reload(&mut self, plan: &GatewayPlan) -> Result<(), GatewayError> {
        let unable = |because: String| GatewayError::Unable {
            gateway: self.program.manifest.name.clone(),
            task: "reload".to_owned(),
            because,
        };
        let Some(reload) = self.program.manifest.run.reload.clone() else {
            return Err(unable("its gateway.toml has no run.reload".to_owned()));
        };
        let addresses: Option<Vec<_>> = plan.listeners.iter().map(|(name, _)| self.listener(name)).collect();
        let Some(addresses) = addresses else {
            return Err(unable("the new plan has listeners that it was not started with".to_owned()));
        };
        self.generation += 1;
        let program = self.program.clone();
        let facts = program.set_up_at(plan, &addresses, &self.dir, self.generation)?;
        // Apache ends when it is told to reload broken files.
        program.run_checker(program.path()?, &facts, &self.dir).await?;
        match reload {
            Reload::Signal(signal) => {
                let process = self.process.id();
                let sent = self.group.signal(signal, process);
                sent.map_err(|error| program.failed("tell it to reload", error.to_string()))?;
            }
            Reload::Command(arguments) => {
                let mut command = program.command(program.path()?, &facts, &self.dir)?;
                command.args(facts.arguments(&program.manifest, "run.reload", &arguments)?);
                let output = tokio::process::Command::from(command).kill_on_drop(true).output().await;
                let output =
                    output.map_err(|error| program.failed("tell it to reload", error.to_string()))?;
                if !output.status.success() {
                    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                    return Err(program.failed("tell it to reload", said));
                }
            }
        }
        self.wait_ready(plan, facts.ready_path()).await
    }

    /// Waits until every listener answers as `run.ready` says.
    async fn wait_ready(&mut self, plan: &GatewayPlan, path: &str) -> Result<(), GatewayError> {
        let program = self.program.clone();
        let name = &program.manifest.name;
        let identity = plan.pki.client(ClientRecipe::Good);
        let identity = identity.map_err(|error| program.failed("make certificates", error.to_string()))?;
        let caller = Caller::new(&identity);
        let caller = caller.map_err(|error| program.failed("make a TLS client", error.to_string()))?;
        let (wanted, limit) = (program.manifest.run.ready, self.limits.ready);

        for (listener, profile) in &plan.listeners {
            let Some(address) = self.listener(listener) else { continue };
            // Whether a gateway that asks for certificates takes ours is for the positive control to find out.
            let tls_will_do = profile.client_certificate != ClientCertificatePolicy::Ignored;
            let mut last_try = "none".to_owned();
            let look = async || {
                if let Some(status) = self.ended() {
                    return Some(Err(status));
                }
                match caller.ask(address, path).await {
                    Ok(Answer::Http(status)) if wanted.is_none_or(|wanted| wanted == status) => Some(Ok(())),
                    Ok(Answer::Tls) if tls_will_do => Some(Ok(())),
                    Ok(Answer::Tls) => record(&mut last_try, "a TLS handshake, and then no HTTP".to_owned()),
                    Ok(Answer::Http(status)) => record(&mut last_try, format!("status {status} for {path}")),
                    Err(error) => record(&mut last_try, error),
                }
            };
            let what = format!("{name} to answer on {address} (listener {listener})");
            match wait::until(limit, &what, look).await {
                Ok(Ok(())) => {}
                Ok(Err(status)) => {
                    let last_words = self.last_words();
                    return Err(GatewayError::Ended {
                        gateway: name.clone(),
                        status: status.to_string(),
                        remedy: remedy(&last_words),
                        last_words,
                    });
                }
                Err(late) => {
                    return Err(GatewayError::NotReady {
                        gateway: name.clone(),
                        late,
                        last_try,
                        last_words: self.last_words(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The last lines of the log, for error messages.
    fn last_words(&self) -> String {
        let log = self.log();
        let last = &log[log.len().saturating_sub(LAST_WORDS)..];
        if last.is_empty() {
            "its log is empty".to_owned()
        } else {
            format!("its log ends: {}", last.join(" | "))
        }
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        // The group would do; this is for the case that somebody has killed its guard. The error of `kill` is that it
        // has ended already.
        let _gone = self.process.kill();
        let _status = self.process.wait();
    }
}

/// What to do about a program that ended while it was started.
fn remedy(last_words: &str) -> &'static str {
    if last_words.to_lowercase().contains("address already in use") {
        "end the program that holds the port, and run again"
    } else {
        "correct the templates in its folder, or install a version that understands them"
    }
}

/// Notes what a try met; it was not what was waited for.
fn record<T>(last_try: &mut String, met: String) -> Option<T> {
    *last_try = met;
    None
}

/// Looks for the program of a gateway.
fn find(manifest: &Manifest) -> Result<PathBuf, Missing> {
    let program = &manifest.program;
    let name = program.names.first().cloned().unwrap_or_default();
    let chosen = program.variable.as_ref().and_then(|variable| Some((variable, env::var_os(variable)?)));
    if let Some((variable, path)) = chosen {
        let path = PathBuf::from(path);
        if is_program(&path) {
            return Ok(path);
        }
        return Err(Missing {
            program: name,
            remedy: format!("{variable} says {}, which is no program", path.display()),
        });
    }
    let on_path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&on_path)
        .flat_map(|folder| program.names.iter().map(move |name| folder.join(name)))
        .chain(program.paths.iter().cloned())
        .find(|path| is_program(path))
        .ok_or_else(|| Missing {
            program: name,
            remedy: match &program.install {
                Some(command) => format!("install it ({command}) or pass --gateway reference"),
                None => "install it or pass --gateway reference".to_owned(),
            },
        })
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

fn ask_version(manifest: &Manifest, path: &Path) -> Result<VersionNumber, GatewayError> {
    let version = &manifest.program.version;
    let failed = |problem: String| GatewayError::Version {
        gateway: manifest.name.clone(),
        command: format!("{} {}", path.display(), version.args.join(" ")),
        problem,
    };
    let output = Command::new(path).args(&version.args).stdin(Stdio::null()).output();
    let output = output.map_err(|error| failed(format!("cannot be run: {error}")))?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let Some(found) = version.pattern.0.captures(&said) else {
        let said = said.lines().next().unwrap_or("nothing");
        return Err(failed(format!("says {said:?}, in which program.version.pattern finds nothing")));
    };
    let text = found.get(1).or_else(|| found.get(0)).map_or("", |found| found.as_str());
    text.parse().map_err(|error| failed(format!("says a version that cannot be compared: {error}")))
}
