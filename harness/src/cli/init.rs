//! `gauntlet init`: a gauntlet.toml for the gateways whose configuration lies here.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::{
    accept::FILE as BASELINE,
    failure::{Failure, input_error},
    project, selection, streams,
};
use crate::{
    configuration::{Configuration, Disk, Kind},
    report::{
        Detail,
        text::{count, printable, wrap},
    },
};

/// Looks what gateway configuration lies here, and writes a gauntlet.toml with its legs, so that `gauntlet audit` alone is enough.
///
/// A gauntlet.toml that is there stays as it is.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder of the project.
    #[arg(default_value = ".")]
    dir: PathBuf,
}

/// How deep below the folder configuration is looked for.
const DEPTH: usize = 4;

/// How many lines of one file are shown.
const SHOWN: usize = 6;

/// Folders in which nobody keeps the configuration of a gateway.
const FOREIGN: &[&str] = &["node_modules", "target", "vendor"];

/// By what the configuration of a gateway is known, and which of its lines are about TLS.
struct Sign {
    gateway: &'static str,
    files: &'static [&'static str],
    tls: &'static [&'static str],
}

const SIGNS: &[Sign] = &[
    Sign {
        gateway: "nginx",
        files: &["nginx.conf"],
        tls: &["ssl_protocols", "ssl_ciphers", "ssl_verify_client", "proxy_ssl_", "proxy_pass https:"],
    },
    Sign {
        gateway: "haproxy",
        files: &["haproxy.cfg"],
        tls: &["ssl-min-ver", "ssl-max-ver", " ssl ", "ssl-default-", "ca-verify-file"],
    },
    Sign {
        gateway: "envoy",
        files: &["envoy.yaml", "envoy.yml", "envoy.json"],
        tls: &[
            "tls_minimum_protocol_version",
            "tls_maximum_protocol_version",
            "require_client_certificate",
            "TlsContext",
            "trusted_ca",
            "match_typed_subject_alt_names",
            "allow_renegotiation",
            "sni:",
        ],
    },
    Sign {
        gateway: "caddy",
        files: &["Caddyfile"],
        tls: &["tls ", "tls_", "protocols ", "client_auth", "reverse_proxy https:"],
    },
    Sign {
        gateway: "traefik",
        files: &["traefik.yml", "traefik.yaml", "traefik.toml"],
        tls: &["insecureSkipVerify", "rootCAs", "serversTransport", "minVersion", "maxVersion", "clientAuth"],
    },
    Sign { gateway: "httpd", files: &["httpd.conf", "apache2.conf"], tls: &["SSL"] },
];

/// One file that says how a gateway is set up.
struct Found {
    path: PathBuf,
    gateway: String,
    /// Lines about TLS, with their numbers.
    tls: Vec<(usize, String)>,
    legs: Vec<ProposedLeg>,
}

/// A leg that a configuration has: what is called, what is then dialled, and the line where it stands.
struct ProposedLeg {
    url: String,
    backend: String,
    at: String,
}

pub(super) fn init(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let dir = &arguments.dir;
    let found = look(dir)?;
    // Where it is obvious, the folder is not named.
    let here = dir == Path::new(".");
    let path = if here { PathBuf::from(project::FILE) } else { dir.join(project::FILE) };
    write_new(&path, &content(&found, &dir.join(BASELINE)))?;
    streams::print(&told(&found, dir, &path)?)?;
    Ok(ExitCode::SUCCESS)
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = OpenOptions::new().write(true).create_new(true).open(path);
    written.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
        let path = path.display();
        if error.kind() == ErrorKind::AlreadyExists {
            input_error!("{path} is there, and stays as it is; edit it, or move it away to have a new one")
        } else {
            input_error!("cannot write {path}: {error}; name a folder in which files can be made")
        }
    })
}

/// What lies in the folder and below, in the order of the paths.
fn look(dir: &Path) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![(PathBuf::new(), 0)];
    while let Some((below, depth)) = folders.pop() {
        let entries = match fs::read_dir(dir.join(&below)) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => {
                return Err(input_error!("cannot look into {}: {error}; name a folder", dir.display()));
            }
            // What cannot be read below is somebody else's.
            Err(_) => continue,
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = below.join(&name);
            // Links are not followed: they may lead in circles.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if depth < DEPTH && !name.starts_with('.') && !FOREIGN.contains(&name.as_str()) {
                    folders.push((path, depth + 1));
                }
            } else {
                found.extend(recognised(dir, path, &name));
            }
        }
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(found)
}

fn recognised(dir: &Path, path: PathBuf, name: &str) -> Option<Found> {
    if name == "gateway.toml" {
        let folder = Path::new(".").join(path.parent()?);
        return Some(Found {
            path,
            gateway: folder.display().to_string(),
            tls: Vec::new(),
            legs: Vec::new(),
        });
    }
    let kind = SIGNS.iter().find(|kind| kind.files.contains(&name))?;
    let text = fs::read(dir.join(&path)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let about_tls = |line: &str| !line.starts_with('#') && kind.tls.iter().any(|word| line.contains(word));
    let lines = (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| about_tls(line));
    let tls = lines.map(|(number, line)| (number, printable(line))).collect();
    let legs = legs(&dir.join(&path), &text);
    Some(Found { path, gateway: kind.gateway.to_owned(), tls, legs })
}

/// The legs with TLS to a backend, where the configuration can be read.
fn legs(path: &Path, text: &str) -> Vec<ProposedLeg> {
    let path = path.display().to_string();
    let Some(kind) = Kind::detect(&path, text) else { return Vec::new() };
    let Ok(read) = Configuration::read(kind, &[&path], &Disk::as_it_is()) else { return Vec::new() };
    let with_tls = read.legs.iter().filter(|leg| leg.tls && leg.url.scheme.starts_with("http"));
    let proposed = with_tls.filter_map(|leg| {
        let dialled = leg.dialled.first().filter(|dialled| dialled.port != 0)?;
        Some(ProposedLeg { url: leg.url.to_string(), backend: dialled.to_string(), at: leg.at.to_string() })
    });
    proposed.collect()
}

fn gateways(found: &[Found]) -> BTreeSet<&str> {
    found.iter().map(|found| found.gateway.as_str()).collect()
}

fn content(found: &[Found], baseline: &Path) -> String {
    let mut text =
        "# What `gauntlet run` does here. Its options override it; relative paths begin in this folder.\n\n"
            .to_owned();
    let names: Vec<_> = gateways(found).into_iter().map(|name| toml::Value::from(name).to_string()).collect();
    if names.is_empty() {
        text.push_str("# The embedded gateway; `gauntlet list gateways` shows the others.\ngateways = [\"reference\"]\n");
    } else {
        for Found { path, gateway, .. } in found {
            let _ = writeln!(text, "# {gateway}: {}", path.display());
        }
        let own = found.iter().all(|found| found.gateway.starts_with('.'));
        if !own {
            text.push_str(
                "# What they are set up to is tested by `gauntlet audit`. With this line, `gauntlet run` tests the programs with\n\
                 # settings of Gauntlet's own:\n",
            );
        }
        let _ = writeln!(text, "{}gateways = [{}]", if own { "" } else { "# " }, names.join(", "));
    }
    text.push_str(
        "\n# Suites (`gauntlet list suites`) and globs over names of cells; everything if absent.\n\
         # suites = [\"upstream\", \"listener\"]\n\
         # filters = [\"*/expired-leaf/*\"]\n\
         \n# The record (run.json) and every report.\n\
         out = \"gauntlet-out\"\n\
         \n# Findings that are known and accepted: gauntlet report gauntlet-out/run.json --accept REASON\n",
    );
    let comment = if baseline.exists() { "" } else { "# " };
    let _ = writeln!(text, "{comment}baseline = \"{BASELINE}\"");
    for ProposedLeg { url, backend, at } in found.iter().flat_map(|found| &found.legs) {
        let (url, backend) = (toml::Value::from(url.as_str()), toml::Value::from(backend.as_str()));
        let _ = writeln!(text, "\n# {}\n[[leg]]\nurl = {url}\nbackend = {backend}", printable(at));
    }
    text
}

fn told(found: &[Found], dir: &Path, path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    for Found { path, gateway, tls, .. } in found {
        let about = if gateway.starts_with('.') {
            "a gateway of your own".to_owned()
        } else {
            format!("{gateway}, {} about TLS", count(tls.len(), "line"))
        };
        let _ = writeln!(text, "{}: {about}", path.display());
        for (number, line) in tls.iter().take(SHOWN) {
            let _ = writeln!(text, "{number:>6}  {line}");
        }
        if tls.len() > SHOWN {
            let _ = writeln!(text, "     …  {} more", tls.len() - SHOWN);
        }
    }
    if found.is_empty() {
        let names: Vec<_> = SIGNS.iter().flat_map(|kind| kind.files).copied().collect();
        let _ = writeln!(text, "no configuration of a gateway found ({})", names.join(", "));
    }
    let _ = writeln!(text, "{}: written", path.display());
    for name in gateways(found) {
        let at = dir.join(name).display().to_string();
        let gateway = selection::gateway(if name.starts_with('.') { &at } else { name })?;
        if gateway.version().is_none() {
            let _ = writeln!(text, "{name}: not installed on this machine");
        }
    }
    let vendor = found.iter().find(|found| !found.gateway.starts_with('.'));
    if let Some(Found { path, gateway, .. }) = vendor {
        let told = format!(
            "`gauntlet audit {}` tests it as it is set up, in a sealed world; `gauntlet audit` does where it runs, leg by leg; \
             `gauntlet run --gateway {gateway}` tests the program with settings of Gauntlet's own",
            path.display()
        );
        for line in wrap(&told, streams::look(Detail::Normal).width, 0, 2) {
            let _ = writeln!(text, "{line}");
        }
    }
    let folder = if dir == Path::new(".") { String::new() } else { format!("cd {} && ", dir.display()) };
    let next = vendor.map_or_else(|| "run".to_owned(), |found| format!("audit {}", found.path.display()));
    let _ = writeln!(text, "next: {folder}gauntlet {next}");
    Ok(text)
}
