//! The worker processes of a gateway: after a reload, those from before it have to go.

use std::{collections::BTreeSet, fs, process::Command};

use super::container::ENGINE;

/// A process and the one that started it.
type Process = (u32, u32);

/// The workers in the process group of a guard.
pub(super) fn of_group(guard: u32) -> BTreeSet<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    childless(stats.filter_map(|stat| member(&stat, guard)).collect())
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
