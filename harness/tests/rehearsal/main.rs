//! Configurations as people have them, with defects that were planted on purpose, rehearsed by `gauntlet audit CONFIG`: what
//! is found, with file and line, is what `expected.txt` beside them says, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on fails, and one that is skipped says so"
)]

mod against;
mod ends;
mod refused;

use std::{
    env,
    fmt::Write,
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

use rstest::rstest;
use serde::Deserialize;
use tls_gauntlet::{
    gateway::Gateway,
    record::RunRecord,
    report::{Detail, Look, console},
    trials,
    world::Rights,
};

const GAUNTLET: &str = env!("CARGO_BIN_EXE_gauntlet");

/// Whether worlds can be made and the gateway is there; a test that needs more is skipped by name.
fn can_rehearse(gateway: &str) -> bool {
    let missing = match Rights::of_this_process() {
        Err(error) => Some(("world", error.to_string())),
        Ok(_) => {
            let found = Gateway::resolve(gateway).unwrap();
            found.program().err().map(|error| (gateway, error.to_string()))
        }
    };
    let Some((what, why)) = missing else { return true };
    assert!(!trials::is_required(what), "{what} is required by GAUNTLET_REQUIRE: {why}");
    eprintln!("skipped: {why}");
    false
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rehearsal").join(name)
}

/// Rehearses the configuration of a folder, which lies at `production` there.
fn rehearsed(name: &str, production: &str, file: &str) -> RunRecord {
    record_of(Command::new(GAUNTLET).current_dir(folder(name)), production, file)
}

fn record_of(gauntlet: &mut Command, production: &str, file: &str) -> RunRecord {
    gauntlet.args(["audit", "--quiet", "--format", "json", "--at"]);
    let output = gauntlet.arg(format!("{production}=.")).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// What was found, a line each.
fn found(record: &RunRecord) -> String {
    let mut lines = String::new();
    for leg in &record.legs {
        writeln!(lines, "leg {} → {}", leg.url, leg.leg).unwrap();
        if let Some(because) = &leg.not_audited {
            writeln!(lines, "  not audited: {because}").unwrap();
        }
        for finding in &leg.findings {
            let stands = finding.stands.as_deref().unwrap_or("nowhere");
            writeln!(lines, "  {} {}  {stands}", finding.level, finding.rule).unwrap();
        }
    }
    lines
}

/// A defect that was planted: a file, a line of it, and the rule of the policy that it breaks.
#[derive(Debug, Deserialize)]
struct Defect {
    file: String,
    line: usize,
    rule: String,
}

/// The defects that `planted.toml` lists.
fn planted(gateway: &str) -> Vec<Defect> {
    #[derive(Deserialize)]
    struct Planted {
        planted: Vec<Defect>,
    }
    let text = fs::read_to_string(folder(gateway).join("planted.toml")).unwrap();
    toml::from_str::<Planted>(&text).unwrap().planted
}

#[rstest]
#[case::nginx("nginx", "/etc/nginx", "nginx.conf")]
#[case::haproxy("haproxy", "/etc/haproxy", "haproxy.cfg")]
#[case::httpd("httpd", "/etc/httpd", "httpd.conf")]
#[case::envoy("envoy", "/etc/envoy", "envoy.yaml")]
#[case::traefik("traefik", "/etc/traefik", "traefik.yml")]
#[case::caddy("caddy", "/etc/caddy", "Caddyfile")]
fn every_planted_defect_is_found_and_nothing_else(
    #[case] gateway: &str,
    #[case] production: &str,
    #[case] file: &str,
) {
    if !can_rehearse(gateway) {
        return;
    }
    let record = rehearsed(gateway, production, file);
    let (found, expected) = (found(&record), folder(gateway).join("expected.txt"));
    if env::var_os("UPDATE").is_some() {
        fs::write(&expected, &found).unwrap();
    }
    assert_eq!(found, fs::read_to_string(&expected).unwrap_or_default());
    for Defect { file, line, rule } in planted(gateway) {
        let place = format!(" {rule}  {file}:{line}");
        let is_it =
            |said: &str| said.split_once(&place).is_some_and(|(_, rest)| !rest.starts_with(char::is_numeric));
        assert!(found.lines().any(is_it), "{rule} was not found at {file}:{line}:\n{found}");
    }
    assert_the_screen_has_all(&record);
    let inconclusive = record.cells.iter().filter(|cell| cell.verdict.as_str() == "skipped");
    let inconclusive: Vec<_> = inconclusive.map(|cell| (&cell.id, &cell.because)).collect();
    assert!(inconclusive.is_empty(), "{inconclusive:?}");
}

/// Several legs share a screen; on it is every finding, with each place where it stands.
fn assert_the_screen_has_all(record: &RunRecord) {
    let drawn = |detail| console::render(record, &Look { width: 1_000, detail, ..Look::default() });
    let (screen, whole) = (drawn(Detail::Normal), drawn(Detail::Full));
    assert!(screen.lines().count() * 3 < whole.lines().count(), "{screen}");
    for finding in record.legs.iter().flat_map(|leg| &leg.findings) {
        assert!(screen.contains(&finding.says), "{} is not on the screen:\n{screen}", finding.says);
        let Some((place, says)) = finding.stands.as_deref().and_then(|stands| stands.split_once(": ")) else {
            continue;
        };
        let (file, line) = place.rsplit_once(':').unwrap();
        let stands =
            |said: &&str| said.contains(file) && said.contains(&format!(":{line}")) && said.contains(says);
        assert!(screen.lines().any(|said| stands(&said)), "{place} is not on the screen:\n{screen}");
    }
}

#[test]
fn a_user_without_rights_finds_the_same() {
    if !can_rehearse("nginx") || Rights::of_this_process().unwrap() != Rights::Root {
        return;
    }
    // The user "nobody" may not look into every folder above the tests.
    let place = tempfile::tempdir_in("/tmp").unwrap();
    let copied = Command::new("cp").arg("-r").arg(GAUNTLET).arg(folder("nginx")).arg(place.path()).status();
    assert!(copied.unwrap().success());
    let open = Command::new("chmod").args(["-R", "a+rX"]).arg(place.path()).status();
    assert!(open.unwrap().success());
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut gauntlet = Command::new(place.path().join("gauntlet"));
    let nginx = Gateway::resolve("nginx").unwrap().program().unwrap().to_owned();
    gauntlet.uid(65534).gid(65534).current_dir(place.path().join("nginx")).env("GAUNTLET_NGINX", nginx);
    let record = record_of(&mut gauntlet, "/etc/nginx", "nginx.conf");
    assert_eq!(found(&record), fs::read_to_string(folder("nginx").join("expected.txt")).unwrap());
}
