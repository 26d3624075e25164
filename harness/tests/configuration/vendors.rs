//! The vendors' own checkers, on the same corpus: a configuration that the real program refuses proves nothing of a reader.
//!
//! Each runs in namespaces of its own, with the configuration laid over `/etc` and every host name in its hosts file. What is not
//! installed is skipped, unless `GAUNTLET_REQUIRE` names it.

#![cfg(target_os = "linux")]
#![allow(clippy::print_stderr, reason = "clippy takes helpers of tests for no tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use openssl::dh::Dh;
use regex::Regex;
use rstest::rstest;
use tempfile::TempDir;
use tls_gauntlet::{
    configuration::{Configuration, Files as _, InMemory, Kind},
    trials,
};
use tls_gauntlet_certs::{CrlKind, Name, Pki, ServerCertificate, crls_pem};

use super::{MAIN, corpus, files, mains, rehearsed};

/// Where a checker lies besides `PATH`, what it is asked, and what stands before each file.
struct Checker {
    kind: Kind,
    programs: &'static [&'static str],
    arguments: &'static [&'static str],
    file: &'static str,
}

const CHECKERS: &[Checker] = &[
    Checker {
        kind: Kind::Nginx,
        // Each version has directives that the other does not know.
        programs: &["target/gateways/nginx@1.26/nginx", "/usr/sbin/nginx"],
        arguments: &["-t", "-q"],
        file: "-c",
    },
    Checker {
        kind: Kind::Haproxy,
        programs: &["target/gateways/haproxy@3.0/haproxy", "/usr/sbin/haproxy"],
        arguments: &["-c"],
        file: "-f",
    },
    Checker {
        kind: Kind::Httpd,
        programs: &["/usr/sbin/apache2", "/usr/sbin/httpd"],
        arguments: &["-t", "-d", "/etc/httpd"],
        file: "-f",
    },
    Checker {
        kind: Kind::Envoy,
        programs: &["target/gateways/envoy/envoy/_bin/envoy"],
        arguments: &["--mode", "validate", "--log-level", "error"],
        file: "-c",
    },
];

/// Configurations that are to be refused, and why.
const REFUSED: &[(Kind, &str, &str)] = &[
    (Kind::Nginx, "broken-parts", "ngx_http_js_module.so"),
    // A module of its own, which is rarely there.
    (Kind::Nginx, "stream", "unknown directive \"stream\""),
    (Kind::Haproxy, "includes-nothing", "unable to load"),
    (Kind::Httpd, "broken-parts", "Could not open configuration file /etc/httpd/missing.conf"),
];

/// Lays a folder over /etc, in the place of what this machine has for the gateway, and gives the program empty places for what it writes.
const OVER_ETC: &str = r#"
set -e
etc=$1; place=$2; shift 2
mount -t tmpfs tmpfs /mnt; mkdir /mnt/upper /mnt/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
rm -rf "$place"; cp -a "$etc/." /etc
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log; mkdir -p /var/log/nginx /var/log/apache2
ip link set lo up
exec "$@"
"#;

#[rstest]
#[case(Kind::Nginx)]
#[case(Kind::Haproxy)]
#[case(Kind::Httpd)]
#[case(Kind::Envoy)]
fn the_program_accepts_the_corpus(#[case] kind: Kind) {
    let checker = CHECKERS.iter().find(|checker| checker.kind == kind).unwrap();
    let programs: Vec<PathBuf> =
        checker.programs.iter().map(|path| root().join(path)).filter(|path| path.exists()).collect();
    if programs.is_empty() || !has_namespaces() {
        assert!(!trials::is_required(kind.name()), "{} is required by GAUNTLET_REQUIRE", kind.name());
        eprintln!("skipped: {} with namespaces of its own", kind.name());
        return;
    }
    let pem = every_pem();
    let mut wrong = Vec::new();
    for folder in corpus(kind).into_iter().chain(rehearsed(kind)) {
        let (etc, paths) = production(kind, &folder, &pem);
        let said: Vec<(bool, String)> =
            programs.iter().map(|program| check(checker, program, etc.path(), &paths)).collect();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let refused = REFUSED.iter().find(|(of, folder, _)| *of == kind && *folder == name);
        let right = match refused {
            Some((_, _, why)) => said.iter().all(|(accepted, words)| *accepted || words.contains(why)),
            None => said.iter().any(|(accepted, _)| *accepted),
        };
        if !right {
            wrong.push(format!(
                "{name}: {}",
                said.into_iter().map(|(_, words)| words).collect::<Vec<_>>().join("\n")
            ));
        }
    }
    assert!(wrong.is_empty(), "refused by {}:\n{}", kind.name(), wrong.join("\n"));
}

#[test]
fn what_caddy_makes_of_a_caddyfile_stands_beside_it() {
    let program = root().join("target/gateways/caddy/bin/caddy");
    if !program.exists() {
        assert!(!trials::is_required("caddy"), "caddy is required by GAUNTLET_REQUIRE");
        eprintln!("skipped: caddy is not installed");
        return;
    }
    let disk = tls_gauntlet::configuration::Disk::as_it_is().asking(program);
    let tree = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    for folder in corpus(Kind::Caddy) {
        let path = folder.join("Caddyfile");
        if path.exists() {
            let adapted = disk.adapted(path.to_str().unwrap()).unwrap();
            // Caddy names the files of a Caddyfile with their whole path.
            let adapted = adapted.replace(folder.to_str().unwrap(), "/etc/caddy");
            let kept = fs::read_to_string(folder.join("Caddyfile.json")).unwrap();
            assert_eq!(tree(&adapted), tree(&kept), "caddy adapt --config {}", path.display());
        }
    }
}

#[test]
fn a_caddyfile_that_caddy_refuses_is_one_clear_line() {
    let program = root().join("target/gateways/caddy/bin/caddy");
    if !program.exists() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("Caddyfile");
    fs::write(&path, "example.com {\n\tno_such_directive\n}\n").unwrap();
    let disk = tls_gauntlet::configuration::Disk::as_it_is().asking(program);
    let error = Configuration::read(Kind::Caddy, &[path.to_str().unwrap()], &disk).unwrap_err();
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("Caddyfile:2") && why.contains("no_such_directive") && !why.contains('\n'), "{why}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn has_namespaces() -> bool {
    Command::new("unshare")
        .args(["--mount", "--net", "true"])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// A certificate, its key, its authority, a revocation list and parameters of Diffie-Hellman: each program takes what it looks for.
fn every_pem() -> String {
    let pki = Pki::new(1, time::macros::datetime!(2026-01-01 00:00 UTC)).unwrap();
    let identity = pki.server(ServerCertificate::Good, &[Name::Dns("localhost".to_owned())]).unwrap();
    let lists = crls_pem(&pki.crls(CrlKind::Revoked).unwrap()).unwrap();
    let parameters = Dh::get_2048_256().unwrap().params_to_pem().unwrap();
    let more = [pki.server_root().to_pem().unwrap(), lists, parameters].concat();
    identity.chain_pem() + &identity.key_pem() + str::from_utf8(&more).unwrap()
}

/// A configuration as it would lie in /etc, with the files that it names and a hosts file; and the files to start with.
fn production(kind: Kind, folder: &Path, pem: &str) -> (TempDir, Vec<String>) {
    let etc = TempDir::new().unwrap();
    let (_, place, names) = MAIN.iter().find(|(each, _, _)| *each == kind).unwrap();
    let files = files(folder, place);
    let mut paths = mains(&files, place, names);
    let write = |path: &str, text: &str| {
        let Some(path) = path.strip_prefix("/etc/").map(|path| etc.path().join(path)) else { return };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if !path.exists() {
            fs::write(path, text).unwrap();
        }
    };
    for (path, text) in &files.0 {
        write(path, text);
    }
    named_files(kind, &paths, &files).iter().for_each(|path| write(path, pem));
    let all: String = files.0.values().cloned().collect();
    let name = Regex::new(r"[a-z0-9.-]+\.(internal|example\.(com|net))").unwrap();
    let hosts: Vec<String> =
        name.find_iter(&all).map(|name| format!("127.0.0.1 {}", name.as_str())).collect();
    write("/etc/hosts", &format!("127.0.0.1 localhost\n{}\n", hosts.join("\n")));
    fs::create_dir_all(etc.path().join("httpd/logs")).unwrap();
    let main = &files.0[&paths[0]];
    if kind == Kind::Nginx && !main.contains("events") {
        // A file of sites-enabled.
        write("/etc/nginx/whole.conf", &format!("events {{}}\nhttp {{ include {}; }}\n", paths[0]));
        paths = vec!["/etc/nginx/whole.conf".to_owned()];
    }
    if kind == Kind::Httpd && !main.contains("LoadModule") && !main.contains("Include") {
        let modules = ["mpm_event", "authz_core", "proxy", "proxy_http", "socache_shmcb", "ssl"];
        let load = modules
            .map(|module| format!("LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n"));
        write("/etc/httpd/whole.conf", &format!("{}Include {}\n", load.concat(), paths[0]));
        paths = vec!["/etc/httpd/whole.conf".to_owned()];
    }
    (etc, paths)
}

fn named_files(kind: Kind, paths: &[String], files: &InMemory) -> Vec<String> {
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let read = Configuration::read(kind, &paths, files).unwrap();
    let folder = |path: &str| files.0.keys().any(|known| known.starts_with(&format!("{path}/")));
    let named = read.files.into_iter().map(|file| file.path);
    named.filter(|path| !folder(path)).collect()
}

/// Whether a program accepts the files, and what it says of them.
fn check(checker: &Checker, program: &Path, etc: &Path, paths: &[String]) -> (bool, String) {
    let (_, place, _) = MAIN.iter().find(|(each, _, _)| *each == checker.kind).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--", "sh", "-c", OVER_ETC, "sh"]).arg(etc).arg(place);
    command.arg(program).args(checker.arguments);
    for path in paths {
        command.arg(checker.file).arg(path);
    }
    for (name, value) in [
        ("APACHE_RUN_DIR", "/run"),
        ("APACHE_PID_FILE", "/run/apache2.pid"),
        ("APACHE_LOG_DIR", "/var/log/apache2"),
        ("APACHE_RUN_USER", "nobody"),
        ("APACHE_RUN_GROUP", "nogroup"),
    ] {
        command.env(name, value);
    }
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), words)
}
