//! The program of a gateway, started on its configuration in the world.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsString,
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use super::{Rehearsal, RehearsalError, writable};
use crate::{
    audit::Revive,
    configuration::{Configuration, Kind, Listener},
    wait,
    world::{Inhabitant, World},
};

/// How long a gateway may take until it listens.
const UNTIL_IT_LISTENS: Duration = Duration::from_secs(30);

/// Where Caddy keeps the certificates that it has from an authority of the Internet.
pub(super) const CADDY_DATA: &str = "/var/lib/caddy";

/// How many of its last lines are kept.
const LAST_WORDS: usize = 20;

/// A program and what is known of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Program {
    /// Its path.
    pub path: PathBuf,
    /// Its version, as the record shows it.
    pub version: String,
    /// Environment variables for it.
    pub env: BTreeMap<String, String>,
}

/// The arguments with which a program runs in the foreground on its configuration.
#[must_use]
pub fn arguments(kind: Kind, configuration: &[String]) -> Vec<String> {
    let first = configuration.first().cloned().unwrap_or_default();
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    match kind {
        Kind::Nginx => {
            let says_daemon = fs::read_to_string(&first)
                .is_ok_and(|text| text.lines().any(|line| line.trim_start().starts_with("daemon")));
            let mut arguments = owned(&["-c", &first]);
            // A directive may stand once (nginx(8)).
            if !says_daemon {
                arguments.extend(owned(&["-g", "daemon off;"]));
            }
            arguments
        }
        // Neither in the background nor with a master process (management guide, 3).
        Kind::Haproxy => owned(&["-db"])
            .into_iter()
            .chain(configuration.iter().flat_map(|file| owned(&["-f", file])))
            .collect(),
        Kind::Httpd => owned(&["-DFOREGROUND", "-f", &first]),
        Kind::Traefik => vec![format!("--configFile={first}")],
        Kind::Caddy if first.ends_with(".json") => owned(&["run", "--config", &first]),
        Kind::Caddy => owned(&["run", "--adapter", "caddyfile", "--config", &first]),
        Kind::Envoy => owned(&["-c", &first, "--disable-hot-restart", "--concurrency", "1", "-l", "warning"]),
    }
}

/// A gateway in the world, which has not begun yet.
#[derive(Debug)]
pub(super) struct Gateway {
    kind: Kind,
    pub(super) inhabitant: Inhabitant,
    said: Said,
}

/// The last lines that a program has written.
#[derive(Debug, Clone, Default)]
struct Said(Arc<Mutex<VecDeque<String>>>);

impl Said {
    fn keep(&self, from: impl AsyncRead + Unpin + Send + 'static) {
        let kept = self.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(from).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut kept = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LAST_WORDS {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
    }

    fn all(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().map(|line| format!("  {line}\n")).collect::<String>().trim_end().to_owned()
    }
}

/// Makes the namespace of the gateway, in which the program waits.
pub(super) async fn settle(
    rehearsal: &Rehearsal,
    configuration: &Configuration,
    world: &mut World,
) -> Result<Gateway, RehearsalError> {
    let Rehearsal { kind, program, .. } = rehearsal;
    furnish(*kind, &rehearsal.configuration);
    let mut command: Vec<OsString> = vec!["/usr/bin/env".into()];
    let defaults = defaults(*kind).iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let variables: BTreeMap<String, String> = defaults.chain(program.env.clone()).collect();
    command.extend(variables.into_iter().map(|(name, value)| format!("{name}={value}").into()));
    command.push(program.path.clone().into());
    command.extend(arguments(*kind, &rehearsal.configuration).into_iter().map(OsString::from));
    let mut addresses: Vec<IpAddr> =
        configuration.listeners.iter().filter_map(|listener| Some(address(listener)?.ip())).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let gauntlet = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
    let inhabitant = world.settle(&gauntlet, &addresses, &command).await?;
    Ok(Gateway { kind: *kind, inhabitant, said: Said::default() })
}

/// Where a listener takes connections, unless that is a socket of the file system or a name.
pub(super) fn address(listener: &Listener) -> Option<SocketAddr> {
    let text = listener.address.value.as_str();
    match text.parse() {
        Ok(address) => Some(address),
        Err(_) => Some((Ipv4Addr::UNSPECIFIED, text.strip_prefix("*:")?.parse().ok()?).into()),
    }
}

impl Gateway {
    /// Starts the program and waits until it takes connections at all of these addresses.
    pub(super) async fn begin(&mut self, listeners: &[SocketAddr]) -> Result<(), RehearsalError> {
        let written = self.inhabitant.begin().await?;
        self.said.keep(written.output);
        self.said.keep(written.errors);
        for listener in listeners {
            let namespace = self.inhabitant.namespace.clone();
            let answers = wait::until(UNTIL_IT_LISTENS, "a connection", || async {
                namespace.connect(*listener).await.ok().map(drop)
            });
            tokio::select! {
                answers = answers => if answers.is_err() {
                    return Err(self.fell_short(format!("does not listen on {listener}; its last words")));
                },
                ended = self.inhabitant.program.wait() => return Err(self.ended(ended)),
            }
        }
        Ok(())
    }

    /// A reload, at which a gateway forgets which of its backends it holds to be down.
    pub(super) fn revive(&self) -> Option<Revive> {
        let signal = match self.kind {
            Kind::Nginx => Signal::HUP,
            Kind::Haproxy => Signal::USR2,
            Kind::Caddy | Kind::Envoy | Kind::Httpd | Kind::Traefik => return None,
        };
        let process = self.inhabitant.program.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))?;
        Some(Revive(Arc::new(move || {
            // One that has ended is noticed elsewhere.
            let _ended = kill_process(process, signal);
        })))
    }

    /// Waits for the end of the program, which should not come.
    pub(super) async fn end(&mut self) -> RehearsalError {
        let ended = self.inhabitant.program.wait().await;
        self.ended(ended)
    }

    fn ended(&self, how: io::Result<std::process::ExitStatus>) -> RehearsalError {
        let how = how.map_or_else(|error| error.to_string(), |status| status.to_string());
        self.fell_short(format!("has ended ({how}); its last words"))
    }

    fn fell_short(&self, what: String) -> RehearsalError {
        RehearsalError::Program { program: self.kind.name().to_owned(), what, said: self.said.all() }
    }
}

/// The variables that the vendor's own start script sets.
const fn defaults(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        // envvars of Debian's package, which apachectl reads.
        Kind::Httpd => &[
            ("APACHE_RUN_USER", "www-data"),
            ("APACHE_RUN_GROUP", "www-data"),
            ("APACHE_PID_FILE", "/run/apache2/apache2.pid"),
            ("APACHE_RUN_DIR", "/run/apache2"),
            ("APACHE_LOCK_DIR", "/run/lock/apache2"),
            ("APACHE_LOG_DIR", "/var/log/apache2"),
        ],
        Kind::Caddy => &[("XDG_DATA_HOME", CADDY_DATA)],
        Kind::Nginx | Kind::Envoy | Kind::Haproxy | Kind::Traefik => &[],
    }
}

/// Folders and users that the vendor's package makes, and that are missing where only the program is installed. What programs
/// keep in them from one start to the next is nothing that a rehearsal needs, and may belong to another user.
fn furnish(kind: Kind, configuration: &[String]) {
    let folders: &[&str] = match kind {
        Kind::Nginx => &["/var/log/nginx", "/var/lib/nginx", "/var/cache/nginx"],
        Kind::Haproxy => &["/run/haproxy", "/var/lib/haproxy"],
        Kind::Httpd => {
            &["/run/apache2", "/run/lock/apache2", "/var/log/apache2", "/run/httpd", "/var/log/httpd"]
        }
        Kind::Caddy | Kind::Envoy | Kind::Traefik => &[],
    };
    for folder in folders {
        // Without one of them the program says itself what it lacks.
        let _said_by_the_program = writable::emptied(Path::new(folder));
    }
    for file in configuration {
        let text = fs::read_to_string(file).unwrap_or_default();
        for line in text.lines() {
            let mut words = line.trim().trim_end_matches(';').split_whitespace();
            match (words.next().map(str::to_ascii_lowercase).as_deref(), words.next(), words.next()) {
                (Some("user"), Some(user), group) => {
                    known("/etc/passwd", user, 7);
                    known("/etc/group", group.unwrap_or(user), 4);
                }
                (Some("group"), Some(group), _) => known("/etc/group", group, 4),
                _ => {}
            }
        }
    }
}

/// Adds a name to a table of users or groups, unless it is there: as the one whose identity "nobody" or "nogroup" has.
fn known(table: &str, name: &str, fields: usize) {
    let text = fs::read_to_string(table).unwrap_or_default();
    let first = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let nobody = text.lines().find(|line| matches!(first(line).as_str(), "nobody" | "nogroup"));
    let Some(nobody) = nobody.filter(|line| line.split(':').count() == fields) else { return };
    if is_plain && !text.lines().any(|line| first(line) == name) {
        let entry = nobody.replacen(&first(nobody), name, 1);
        let text = format!("{}\n{entry}\n", text.trim_end());
        // The table may belong to another user, its folder does not.
        let _said_by_the_program = fs::remove_file(table).and_then(|()| fs::write(table, text));
    }
}
