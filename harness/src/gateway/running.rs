//! The program of a gateway while it runs: awaited, watched, told to reload, stopped.

use std::{
    collections::BTreeSet,
    fs,
    future::ready,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
};

use tls_gauntlet_certs::ClientCertificate;
use tls_gauntlet_scenarios::ClientCertificatePolicy;

use super::{
    Stopped, asked,
    error::GatewayError,
    guard::{ContainerGuard, ProcessGroup, RunFolder, send},
    manifest::Reload,
    plan::GatewayPlan,
    port::Reservation,
    program::{Invocation, Program},
    ready::{Caller, Reaction},
    workers,
};
use crate::{limits::Limits, printable, tail, wait};

/// Where the program's standard output and error go, in the run folder.
const OUTPUT: &str = "output.log";

/// How many lines of the log an error message carries.
const LAST_WORDS: usize = 5;

/// A gateway's program while it runs.
#[derive(Debug)]
#[must_use = "the gateway is killed as soon as this is dropped"]
pub(super) struct RunningProgram {
    program: Program,
    dir: PathBuf,
    group: ProcessGroup,
    process: Child,
    // Dropped after the group with what is attached to it.
    container: Option<ContainerGuard>,
    ended: Option<ExitStatus>,
    listeners: Vec<(String, Reservation)>,
    limits: Limits,
    generation: u32,
}

impl RunningProgram {
    /// Sets the program up, starts it and waits until every listener answers.
    pub(super) async fn start(
        program: &Program,
        plan: &GatewayPlan,
        folder: &RunFolder,
    ) -> Result<Self, GatewayError> {
        program.place()?;
        let reserved = program.reserve(plan)?;
        let facts = program.set_up(plan, &reserved, folder.path(), 0)?;
        let Invocation { mut command, container, called } =
            program.invoke(&facts, folder.path(), "run.start", &program.manifest.run.start)?;

        let failed = |task: &str, error: &std::io::Error| program.failed(task, error.to_string());
        let output = fs::File::options()
            .create(true)
            .append(true)
            .open(folder.path().join(OUTPUT))
            .map_err(|error| failed("open its log", &error))?;
        let group = ProcessGroup::new().map_err(|error| failed("start a guard", &error))?;
        command.stdin(Stdio::null());
        command.stdout(output.try_clone().map_err(|error| failed("open its log", &error))?);
        command.stderr(output);
        group.adopt(&mut command);
        let process = command.spawn().map_err(|error| failed(&format!("run {called}"), &error))?;

        let mut running = Self {
            program: program.clone(),
            dir: folder.path().to_owned(),
            group,
            process,
            container,
            ended: None,
            listeners: plan.listeners.iter().map(|(name, _)| name.clone()).zip(reserved).collect(),
            limits: plan.limits,
            generation: 0,
        };
        match running.wait_ready(plan, facts.ready_path()).await {
            Err(GatewayError::Ended { gateway, .. }) if let Some(process) = running.end_strays() => {
                Err(GatewayError::Background { gateway, process })
            }
            ready => ready.map(|()| running),
        }
    }

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

    /// Ends what went into the background; the first of it, if there was any.
    fn end_strays(&self) -> Option<u32> {
        let strays = workers::strays(&self.dir, self.group.id());
        for process in &strays {
            // The error is that it has ended already.
            let _gone = send("KILL", &process.to_string());
        }
        strays.first().copied()
    }

    /// Why it does not answer, as far as its processes show it.
    pub(super) fn stopped(&self) -> Option<String> {
        let process = *workers::stopped(self.group.id()).first()?;
        Some(format!("its process {process} is stopped by a signal; send it SIGCONT"))
    }

    /// What it has said so far.
    pub(super) fn log(&self) -> Vec<String> {
        let files = [Some(OUTPUT), self.program.manifest.run.log.as_deref()];
        let mut lines = Vec::new();
        for file in files.into_iter().flatten() {
            lines.extend(tail::lines(&self.dir.join(file)).unwrap_or_default());
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
                let _late = wait::until(self.limits.stop, &what, || ready(self.ended())).await;
            }
        }
        let log = self.log();
        Stopped { log, died }
    }

    /// Makes it read its files again, made anew for a plan with the same listeners.
    pub(super) async fn reload(&mut self, plan: &GatewayPlan) -> Result<(), GatewayError> {
        let name = self.program.manifest.name.clone();
        let unable = |because: String| GatewayError::Unable {
            gateway: name.clone(),
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
        let before = self.workers();
        self.generation += 1;
        let program = self.program.clone();
        let facts = program.set_up_at(plan, &addresses, &self.dir, self.generation)?;
        // Apache ends when it is told to reload broken files.
        program.run_checker(&facts, &self.dir, self.limits.command).await?;
        match reload {
            Reload::Signal(signal) => {
                let process = self.process.id();
                let sent = self.group.signal(signal, process);
                sent.map_err(|error| program.failed("tell it to reload", error.to_string()))?;
            }
            Reload::Watch => {}
            Reload::Command(arguments) => {
                let invocation = program.invoke(&facts, &self.dir, "run.reload", &arguments)?;
                let answer = asked::ask(invocation.command, self.limits.command).await;
                drop(invocation.container);
                let failed = |problem: String| {
                    program.failed("tell it to reload", format!("{}: {problem}", invocation.called))
                };
                let answer = answer.map_err(failed)?;
                if !answer.status.success() {
                    return Err(failed(answer.said.trim().to_owned()));
                }
            }
        }
        self.wait_ready(plan, facts.ready_path()).await.map_err(|error| match error {
            GatewayError::NotReady { late, last_try, last_words, .. } => {
                unable(format!("{late} (last try: {last_try}); {last_words}"))
            }
            GatewayError::Ended { status, last_words, .. } => {
                unable(format!("it ended ({status}); {last_words}"))
            }
            other => other,
        })?;
        self.wait_replaced(&before).await;
        Ok(())
    }

    /// Workers from before a reload listen on for a while beside the new ones (nginx: for 100 ms and more), on the same
    /// sockets, with the old files. A program without new ones replaces none.
    async fn wait_replaced(&self, before: &BTreeSet<u32>) {
        let replaced = || {
            let now = self.workers();
            ready((now.is_subset(before) || now.is_disjoint(before)).then_some(()))
        };
        // A program that does not reload serves on with the old files: the verdicts say what it does then.
        let _late = wait::until(self.limits.settle, "old workers to go", replaced).await;
    }

    fn workers(&self) -> BTreeSet<u32> {
        match &self.container {
            Some(container) => workers::of_container(container.id()),
            None => workers::of_group(self.group.id()),
        }
    }

    /// Waits until every listener answers as `run.ready` says.
    pub(super) async fn wait_ready(&mut self, plan: &GatewayPlan, path: &str) -> Result<(), GatewayError> {
        let program = self.program.clone();
        let name = &program.manifest.name;
        let identity = plan.pki.client(ClientCertificate::Good);
        let identity = identity.map_err(|error| program.failed("make certificates", error.to_string()))?;
        let (wanted, limit) = (program.manifest.run.ready, self.limits.ready);
        // A connection that hangs leaves time for others.
        let caller = Caller::new(&identity, limit / 6);
        let caller = caller.map_err(|error| program.failed("make a TLS client", error.to_string()))?;

        for (listener, profile) in &plan.listeners {
            let Some(address) = self.listener(listener) else { continue };
            // Whether a gateway that asks for certificates takes ours is for the positive control to find out.
            let tls_will_do = profile.client_certificate != ClientCertificatePolicy::Ignored;
            let refusal = program.manifest.claims.listener.client_certificate_status.filter(|_| tls_will_do);
            let last_try = Mutex::new("none".to_owned());
            let look = || {
                let ended = self.ended();
                let (caller, last_try) = (&caller, &last_try);
                async move {
                    if let Some(status) = ended {
                        return Some(Err(status));
                    }
                    match caller.ask(address, path).await {
                        Ok(Reaction::Http(status)) if wanted.is_none_or(|wanted| wanted == status) => {
                            Some(Ok(()))
                        }
                        Ok(Reaction::Http(status)) if refusal == Some(status) => Some(Ok(())),
                        Ok(Reaction::Tls) if tls_will_do => Some(Ok(())),
                        Ok(Reaction::Tls) => record(last_try, "a TLS handshake, and then no HTTP".to_owned()),
                        Ok(Reaction::Http(status)) => record(last_try, format!("status {status} for {path}")),
                        Err(error) => record(last_try, error),
                    }
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
                        last_try: last_try.into_inner().unwrap_or_else(PoisonError::into_inner),
                        last_words: self.last_words(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The last lines of the log, for error messages.
    fn last_words(&self) -> String {
        // That some listeners have answered says nothing of what keeps the others.
        let log: Vec<_> = self.log().into_iter().filter(|line| !line.contains("/ready/")).collect();
        let last = &log[log.len().saturating_sub(LAST_WORDS)..];
        if last.is_empty() {
            "its log is empty".to_owned()
        } else {
            format!("its log ends: {}", printable::message(&last.join(" | ")))
        }
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        self.end_strays();
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
fn record<T>(last_try: &Mutex<String>, met: String) -> Option<T> {
    *last_try.lock().unwrap_or_else(PoisonError::into_inner) = met;
    None
}
