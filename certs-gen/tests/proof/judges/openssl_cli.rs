//! The `openssl` command of the distribution: another version than the one we link, in another process.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use openssl::x509::{X509, X509Crl};

use super::{Purpose, Question};

/// Says whether the command is there. Where it is not, the test in hand says so and goes on without it,
/// unless the environment insists: `GAUNTLET_REQUIRE=openssl` or `all`.
pub(crate) fn is_installed() -> bool {
    if Command::new("openssl").arg("version").output().is_ok() {
        return true;
    }
    let required = std::env::var("GAUNTLET_REQUIRE").unwrap_or_default();
    let is_required = required.split([',', ' ']).any(|word| word == "openssl" || word == "all");
    assert!(!is_required, "`openssl` is not on the PATH, but GAUNTLET_REQUIRE={required}");
    println!("skipped {}: `openssl` is not on the PATH", thread::current().name().unwrap_or("a test"));
    false
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).output().unwrap()
}

/// Every error of `openssl verify`, as in `certificate has expired at 0` (the depth; 0 is the leaf).
pub(crate) fn complaints(question: &Question<'_>) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[X509]| save(&dir.path().join(name), content);
    let (leaf, rest) = question.chain.split_first().unwrap();
    let leaf = file("leaf.pem", std::slice::from_ref(leaf));
    let trusted = file("trusted.pem", std::slice::from_ref(question.trusted));
    let at = question.at.unix_timestamp().to_string();
    let purpose = match question.purpose {
        Purpose::Server => "sslserver",
        Purpose::Client => "sslclient",
    };

    let mut arguments = vec!["verify", "-x509_strict", "-no-CApath", "-no-CAstore"];
    arguments.extend(["-CAfile", &trusted, "-purpose", purpose, "-attime", &at]);
    // The command alone lets everything pass; in TLS this is what OpenSSL insists on since 3.2, and Debian's before.
    arguments.extend(["-auth_level", question.level]);
    if question.trusted.subject_name().to_der().unwrap() != question.trusted.issuer_name().to_der().unwrap() {
        arguments.push("-partial_chain");
    }
    let untrusted = file("untrusted.pem", rest);
    if !rest.is_empty() {
        arguments.extend(["-untrusted", &untrusted]);
    }
    if let Some(name) = question.name {
        let option = if name.parse::<IpAddr>().is_ok() { "-verify_ip" } else { "-verify_hostname" };
        arguments.extend([option, name]);
    }
    let lists: Vec<u8> = question.lists.iter().flat_map(|list| pem(list)).collect();
    let lists_file = dir.path().join("lists.pem");
    fs::write(&lists_file, &lists).unwrap();
    if !lists.is_empty() {
        arguments.extend(["-crl_check_all", "-CRLfile", lists_file.to_str().unwrap()]);
    }
    arguments.push(&leaf);

    let output = run(&arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    let complaints: Vec<String> = said.lines().filter_map(complaint).collect();
    assert_eq!(output.status.success(), complaints.is_empty(), "{said}");
    complaints
}

/// Reads `error 10 at 0 depth lookup: certificate has expired`.
fn complaint(line: &str) -> Option<String> {
    let (place, text) = line.strip_prefix("error ")?.split_once(" depth lookup: ")?;
    let (_, depth) = place.split_once(" at ")?;
    Some(format!("{text} at {depth}"))
}

fn pem(list: &[u8]) -> Vec<u8> {
    X509Crl::from_der(list).unwrap().to_pem().unwrap()
}

fn save(path: &Path, certificates: &[X509]) -> String {
    let pem: Vec<u8> = certificates.iter().flat_map(|one| one.to_pem().unwrap()).collect();
    fs::write(path, pem).unwrap();
    path.to_str().unwrap().to_owned()
}
