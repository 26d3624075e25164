//! The sealed world: what a program meets in it, and what is left when it has gone.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "clippy takes helpers of tests for no tests")]

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::{fs::PermissionsExt, net::UnixListener, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;
use tls_gauntlet::{
    trials,
    world::{self, Rights},
};

const GAUNTLET: &str = env!("CARGO_BIN_EXE_gauntlet");

/// The identity of `nobody` in most systems.
const NOBODY: u32 = 65_534;

/// The rights to make worlds, or the reason why a test is skipped.
fn rights() -> Option<Rights> {
    match Rights::of_this_process() {
        Ok(rights) => Some(rights),
        Err(error) => {
            assert!(!trials::is_required("world"), "a world is required by GAUNTLET_REQUIRE: {error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}

fn shell(rights: Rights, scratch: &Path, script: &str) -> Command {
    let inside: Vec<OsString> = ["world", "open", "--", "sh", "-c", script].map(OsString::from).into();
    world::command(rights, Path::new(GAUNTLET), scratch, &inside)
}

/// What a shell prints in a world of its own.
fn said(script: &str) -> Option<String> {
    let scratch = TempDir::new().unwrap();
    let mut command = shell(rights()?, scratch.path(), &format!("exec 2>&1; {script}"));
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // `wait_with_output` would close standard input, with which the world ends.
    Some(finished(child))
}

fn finished(mut child: std::process::Child) -> String {
    let pipe = child.stdin.take();
    let mut words = String::new();
    child.stdout.take().unwrap().read_to_string(&mut words).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert!(child.wait().unwrap().success(), "{words}");
    drop(pipe);
    words
}

#[test]
fn every_name_has_an_address_of_its_own() {
    let script = "getent ahostsv4 orders.internal | head -1; getent ahostsv4 stock.example | head -1";
    let Some(said) = said(script) else { return };
    assert!(said.contains("198.18.0.1 ") && said.contains("198.18.0.2 "), "{said}");
    assert!(said.contains("asked for: orders.internal stock.example"), "{said}");
}

#[test]
fn a_resolver_answers_from_the_address_that_was_asked() {
    // A connected socket takes no datagram from elsewhere.
    let script = r#"timeout 5 python3 -c '
import socket
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked.connect(("10.0.0.2", 53))
asked.send(b"\0\7\1\0\0\1\0\0\0\0\0\0\6orders\0\0\1\0\1")
print("answered", len(asked.recv(512)))'"#;
    let Some(said) = said(script) else { return };
    assert!(said.contains("answered "), "{said}");
}

#[test]
fn no_address_is_anybody_elses() {
    // Where nothing listens, the answer comes from this machine, at once: "refused", and no time-out.
    let script = "for to in 8.8.8.8/443 10.1.2.3/22 198.51.100.7/80; do \
                  timeout 5 bash -c \"exec 3<>/dev/tcp/$to\" 2>&1 | grep -o 'connect: Connection refused'; done";
    let Some(said) = said(script) else { return };
    assert_eq!(said.matches("Connection refused").count(), 3, "{said}");
}

#[test]
fn nothing_outside_is_changed() {
    let outside = TempDir::new().unwrap();
    fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let file = outside.path().join("file");
    fs::write(&file, "before").unwrap();
    let (folder, path) = (outside.path().display(), file.display());
    let script =
        format!("echo after > {path}; touch {folder}/new; cat {path}; echo x > /etc/gauntlet-was-here");
    let Some(said) = said(&script) else { return };
    assert!(said.contains("after"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "before");
    assert!(!outside.path().join("new").exists() && !Path::new("/etc/gauntlet-was-here").exists());
}

#[test]
fn sockets_of_the_machine_are_not_in_it_and_stay_where_they_are() {
    // /var/run leads to /run by an absolute link, which has to be followed within the world.
    let places = ["/run", "/tmp"].iter().filter_map(|folder| {
        tempfile::Builder::new().prefix("gauntlet-").make_in(folder, |path| UnixListener::bind(path)).ok()
    });
    let places: Vec<_> = places.collect();
    assert!(!places.is_empty());
    let names = places.iter().map(|place| place.path().display().to_string()).collect::<Vec<_>>().join(" ");
    let Some(said) =
        said(&format!("for each in {names}; do test -e $each && echo found $each; done; echo over"))
    else {
        return;
    };
    assert!(said.contains("over") && !said.contains("found"), "{said}");
    assert!(places.iter().all(|place| place.path().exists()), "a socket of this machine is gone: {names}");
}

#[test]
fn the_program_has_no_rights_that_could_harm_the_machine() {
    let script = "grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; mount -t tmpfs none /mnt 2>&1; \
                  echo 1 > /proc/sys/kernel/panic; ls /dev; ls /sys";
    let Some(said) = said(script) else { return };
    // CAP_CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, NET_BIND_SERVICE, SYS_CHROOT (capability.h).
    assert_eq!(said.matches("00000000000404fb").count(), 2, "{said}");
    assert!(said.contains("NoNewPrivs:\t1"), "{said}");
    assert!(said.contains("permission denied") || said.contains("must be superuser"), "{said}");
    assert!(said.contains("Read-only file system"), "{said}");
    assert!(!said.contains("vda") && !said.contains("sda") && !said.contains("block"), "{said}");
}

#[test]
fn the_world_ends_with_the_process_outside() {
    let Some(rights) = rights() else { return };
    let scratch = TempDir::new().unwrap();
    let mut command = shell(rights, scratch.path(), "exec 1>&2; echo up; exec cat /dev/zero > /dev/null");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // What holds an end of this pipe has not ended.
    let mut words = String::new();
    let errors = child.stderr.take().unwrap();
    drop(child.stdin.take());
    BufReader::new(errors).read_to_string(&mut words).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(137), "{words}");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "nothing is left in the folder");
}

#[test]
fn a_world_whose_maker_is_killed_ends() {
    let Some(rights) = rights() else { return };
    let scratch = TempDir::new().unwrap();
    let mut command = shell(rights, scratch.path(), "exec 1>&2; echo up; exec cat /dev/zero > /dev/null");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    // The end of the pipe is reached when the last process of the world has gone.
    errors.read_until(0, &mut Vec::new()).unwrap();
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "nothing is left in the folder");
}

#[test]
fn a_user_without_rights_makes_one_too() {
    if rights() != Some(Rights::Root) {
        return;
    }
    // A copy where nobody may not look into the folders above would not start.
    let folder = TempDir::new_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program: PathBuf = folder.path().join("gauntlet");
    fs::copy(GAUNTLET, &program).unwrap();
    let scratch = folder.path().join("scratch");
    let inside: Vec<OsString> = ["world", "open", "--", "sh", "-c", "id -u; getent ahostsv4 orders.internal"]
        .map(OsString::from)
        .into();
    let namespaces = world::command(Rights::OneIdentity, &program, &scratch, &inside);
    let mut command = Command::new("sh");
    command.args(["-c", r#"mkdir "$0" && exec "$@""#]).arg(&scratch);
    command.arg(namespaces.get_program()).args(namespaces.get_args());
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let said = finished(child);
    assert!(said.contains("198.18.0.1 ") && said.contains("0\n"), "{said}");
}
