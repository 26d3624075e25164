//! The readers of configurations, on a corpus for each gateway: what they find stands beside each configuration.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bounds;
mod planted;
mod vendors;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use rstest::rstest;
use tls_gauntlet::configuration::{Configuration, InMemory, Kind};

/// Where each gateway's files lie in production, and which of them it is started with.
const MAIN: &[(Kind, &str, &[&str])] = &[
    (Kind::Nginx, "/etc/nginx", &["nginx.conf"]),
    (Kind::Envoy, "/etc/envoy", &["envoy.yaml", "envoy.json"]),
    (Kind::Haproxy, "/etc/haproxy", &["haproxy.cfg", "10-global.cfg", "20-sites.cfg"]),
    (Kind::Httpd, "/etc/httpd", &["httpd.conf", "apache2.conf"]),
    (Kind::Caddy, "/etc/caddy", &["Caddyfile", "caddy.json"]),
    (Kind::Traefik, "/etc/traefik", &["traefik.yml", "traefik.toml", "dynamic.yml"]),
];

fn corpus(kind: Kind) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configuration").join(kind.name());
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    assert!(found.len() >= 12, "12 configurations of {}, not {}", kind.name(), found.len());
    found
}

/// The configuration of a gateway for its rehearsal, where there is one.
fn rehearsed(kind: Kind) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rehearsal").join(kind.name());
    folder.is_dir().then_some(folder)
}

/// The files of a configuration, as if they lay in production.
fn files(folder: &Path, production: &str) -> InMemory {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for path in fs::read_dir(inner).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if !matches!(path.file_name().unwrap().to_str(), Some("expected.txt" | "planted.toml")) {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(format!("{production}/{name}"), fs::read_to_string(&path).unwrap());
            }
        }
    }
    InMemory(found)
}

fn mains(files: &InMemory, production: &str, names: &[&str]) -> Vec<String> {
    let paths: Vec<String> = names.iter().map(|name| format!("{production}/{name}")).collect();
    let found: Vec<String> = paths.into_iter().filter(|path| files.0.contains_key(path)).collect();
    assert!(!found.is_empty(), "none of {names:?}");
    found
}

#[rstest]
#[case(Kind::Nginx)]
#[case(Kind::Envoy)]
#[case(Kind::Haproxy)]
#[case(Kind::Httpd)]
#[case(Kind::Traefik)]
#[case(Kind::Caddy)]
fn what_is_found_stands_beside_it(#[case] kind: Kind) {
    let (_, production, names) = MAIN.iter().find(|(each, _, _)| *each == kind).unwrap();
    let mut wrong = Vec::new();
    for folder in corpus(kind) {
        let files = files(&folder, production);
        let mains = mains(&files, production, names);
        let paths: Vec<&str> = mains.iter().map(String::as_str).collect();
        let found = Configuration::read(kind, &paths, &files)
            .map_or_else(|e| format!("error {e}\n"), |found| found.to_string());
        let expected = folder.join("expected.txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", folder.display()));
        }
        assert_eq!(Kind::detect(paths[0], &files.0[paths[0]]), Some(kind), "{}", folder.display());
    }
    assert!(wrong.is_empty(), "other than expected.txt says (UPDATE=1 writes it):\n{}", wrong.join("\n"));
}
