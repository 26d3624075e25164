//! A rehearsal that is killed leaves nothing: no process, mount, interface or folder.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{GAUNTLET, can_rehearse, folder};

/// The processes that a process has started, and those that they have.
fn descendants(process: u32) -> BTreeSet<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    let children: Vec<u32> = children.split_whitespace().filter_map(|id| id.parse().ok()).collect();
    children.iter().copied().chain(children.iter().flat_map(|child| descendants(*child))).collect()
}

/// What is mounted, which interfaces there are, and whose folders lie among the temporary files.
fn traces(temporary: &Path) -> (String, BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
    let names = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    (
        fs::read_to_string("/proc/self/mountinfo").unwrap(),
        names(Path::new("/sys/class/net")),
        names(temporary),
    )
}

fn within_a_minute(moment: usize, what: &str, fact: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !fact() {
        assert!(Instant::now() < deadline, "{what} did not come after moment {moment}");
        std::thread::yield_now();
    }
}

#[test]
fn nothing_is_left_of_one_that_is_killed() {
    if !can_rehearse("nginx") {
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let before = traces(temporary.path());
    // Moments that the rehearsal itself has reached: so many processes of it, or its first words from inside.
    for moment in 0..9 {
        let mut gauntlet = Command::new(GAUNTLET);
        gauntlet.current_dir(folder("nginx")).env("TMPDIR", temporary.path());
        gauntlet.args(["audit", "--at", "/etc/nginx=.", "nginx.conf"]);
        let mut child = gauntlet.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut started = BTreeSet::new();
        if moment < 7 {
            while started.len() < moment && child.try_wait().unwrap().is_none() {
                started = descendants(child.id());
            }
        } else {
            let mut words = BufReader::new(child.stderr.take().unwrap()).lines();
            for _ in 7..=moment {
                words.next();
            }
        }
        started.extend(descendants(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        // The kernel ends the world when the pipe to it is closed; its last process is waited for by nobody here.
        let gone = |process: &u32| !Path::new(&format!("/proc/{process}/exe")).exists();
        within_a_minute(moment, "the end of every process", || started.iter().all(gone));
        let left = || fs::read_dir(temporary.path()).unwrap().count();
        within_a_minute(moment, "the end of every folder", || left() == 0);
        assert_eq!(traces(temporary.path()), before, "killed at moment {moment}");
    }
}
