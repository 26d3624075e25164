//! The worker processes of a gateway: after a reload, those from before it have to go.

use std::{collections::BTreeSet, fs, os::unix::ffi::OsStrExt, path::Path, process::Command};

use super::container::ENGINE;

/// A process and the one that started it.
type Process = (u32, u32);

/// The workers in the process group of a guard.
pub(super) fn of_group(guard: u32) -> BTreeSet<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    childless(stats.filter_map(|stat| member(&stat, guard)).collect())
}

/// Processes that went into the background, out of the group, with this folder as their home.
pub(super) fn strays(folder: &Path, guard: u32) -> Vec<u32> {
    let home = [b"HOME=", folder.as_os_str().as_bytes()].concat();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let strays = entries.filter_map(|entry| {
        let (path, number) = (entry.path(), entry.file_name().to_str()?.parse().ok()?);
        let read = |name: &str| fs::read(path.join(name)).unwrap_or_default();
        let is_at_home = || read("environ").split(|byte| *byte == 0).any(|variable| variable == home);
        // A program may have written its title over its environment.
        let is_titled = || {
            fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd == folder)
                && String::from_utf8_lossy(&read("cmdline")).contains(&folder.display().to_string())
        };
        let stat = fs::read_to_string(path.join("stat")).ok()?;
        let is_alive = stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'));
        let in_group = number == guard || member(&stat, guard).is_some();
        (is_alive && !in_group && (is_at_home() || is_titled())).then_some(number)
    });
    strays.collect()
}

/// Members of the group that a signal has stopped (SIGSTOP).
pub(super) fn stopped(guard: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let is_stopped = |stat: &String| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'));
    stats.filter(is_stopped).filter_map(|stat| member(&stat, guard)).map(|(number, _)| number).collect()
}

/// The workers in a container; none where the engine cannot tell.
pub(super) fn of_container(id: &str) -> BTreeSet<u32> {
    let told = Command::new(ENGINE).args(["top", id, "-eo", "pid,ppid"]).output();
    let told = told.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    childless(told.lines().filter_map(process).collect())
}

/// A line of `/proc/PID/stat` (proc(5)), if it is of a living member of the group other than its guard.
fn member(stat: &str, guard: u32) -> Option<Process> {
    let (number, rest) = stat.split_once(" (")?;
    // The name of a program may hold anything.
    let (_, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let (state, parent, group) = (fields.next()?, fields.next()?, fields.next()?);
    let number = number.parse().ok()?;
    (state != "Z" && group == guard.to_string() && number != guard).then_some((number, parent.parse().ok()?))
}

/// A line of `docker top`, if it is not the title.
fn process(line: &str) -> Option<Process> {
    let (number, parent) = line.trim().split_once(char::is_whitespace)?;
    Some((number.parse().ok()?, parent.trim().parse().ok()?))
}

/// The processes that started none of the others: the workers, or the program itself where it has none.
fn childless(family: Vec<Process>) -> BTreeSet<u32> {
    let parents: BTreeSet<u32> = family.iter().map(|&(_, parent)| parent).collect();
    family.into_iter().map(|(number, _)| number).filter(|number| !parents.contains(number)).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;
    use crate::gateway::guard::ProcessGroup;

    #[test]
    fn a_program_in_the_group_is_its_worker() {
        let group = ProcessGroup::new().unwrap();
        assert!(of_group(group.id()).is_empty());
        let mut cat = Command::new("cat");
        group.adopt(cat.stdin(Stdio::piped()));
        let mut cat = cat.spawn().unwrap();
        assert_eq!(of_group(group.id()), BTreeSet::from([cat.id()]));
        drop(group);
        cat.wait().unwrap();
    }

    #[test]
    fn what_left_the_group_is_found_by_its_home() {
        let (group, home) = (ProcessGroup::new().unwrap(), tempfile::tempdir().unwrap());
        let start =
            |command: &mut Command| command.env("HOME", home.path()).stdin(Stdio::piped()).spawn().unwrap();
        let mut inside = Command::new("cat");
        group.adopt(&mut inside);
        let (mut inside, mut outside) = (start(&mut inside), start(&mut Command::new("cat")));
        assert_eq!(strays(home.path(), group.id()), [outside.id()]);
        for process in [&mut inside, &mut outside] {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    #[test]
    fn a_member_is_read_whatever_it_is_called() {
        assert_eq!(member("12 (nginx) S 11 10 10 0", 10), Some((12, 11)));
        assert_eq!(member("12 (a) Z 1 (b) S 11 10 10 0", 10), Some((12, 11)));
        assert_eq!(member("12 (nginx) Z 11 10 10 0", 10), None, "it has ended");
        assert_eq!(member("12 (nginx) S 11 9 9 0", 10), None, "another group");
        assert_eq!(member("10 (sh) S 1 10 10 0", 10), None, "the guard");
    }

    #[test]
    fn the_engine_is_understood() {
        assert_eq!(process("PID                 PPID"), None);
        assert_eq!(process("9212                9189"), Some((9212, 9189)));
    }

    #[test]
    fn whoever_started_another_is_no_worker() {
        assert_eq!(childless(vec![(12, 11), (11, 10), (13, 11)]), BTreeSet::from([12, 13]));
        assert_eq!(childless(vec![(12, 11)]), BTreeSet::from([12]));
    }
}
