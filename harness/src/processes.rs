//! The processes of this machine, as `/proc` has them (proc(5)); none where there is no `/proc`.

use std::{
    collections::BTreeSet,
    fs,
    os::{fd::RawFd, unix::fs::MetadataExt},
};

/// A process that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) id: u32,
    /// The process that started it, or has taken it over.
    pub(crate) parent: u32,
    /// Its process group.
    pub(crate) group: u32,
}

/// What became of a look at the open files of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// The file is among them.
    Found,
    /// It is not, or the process has ended.
    NotThere,
    /// They are not for us to see.
    Forbidden,
}

/// Every process.
pub(crate) fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter_map(|stat| process(&stat)).collect()
}

/// The processes that this one has started, those that they have started, and so on; and the members of their process
/// groups, whose parents may have ended.
pub(crate) fn descendants_of(ancestor: u32) -> BTreeSet<u32> {
    let all = all();
    let mut family = BTreeSet::from([ancestor]);
    // A group bears the number of the process that it began with, which for a group of ours is a descendant.
    let belongs = |process: &Process, family: &BTreeSet<u32>| {
        family.contains(&process.parent) || (process.group != ancestor && family.contains(&process.group))
    };
    loop {
        let before = family.len();
        let found: Vec<_> =
            all.iter().filter(|process| belongs(process, &family)).map(|process| process.id).collect();
        family.extend(found);
        if family.len() == before {
            break;
        }
    }
    family.remove(&ancestor);
    family
}

/// Whether a process has a socket open, by the number of its inode.
pub(crate) fn has_socket(process: u32, inode: u32) -> Look {
    let folder = format!("/proc/{process}/fd");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Look::Forbidden,
        Err(_) => return Look::NotThere,
    };
    let mut files: Vec<u32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // What was opened last has the highest number, as far as none below it was free.
    files.sort_unstable_by(|left, right| right.cmp(left));
    let wanted = format!("socket:[{inode}]");
    let is_wanted =
        |file: &u32| fs::read_link(format!("{folder}/{file}")).is_ok_and(|to| to.as_os_str() == &*wanted);
    if files.iter().any(is_wanted) { Look::Found } else { Look::NotThere }
}

/// Whether this process has a socket open under a number near that of another file: two that were opened at the same time
/// have such numbers, and to look at thousands of others takes long.
pub(crate) fn have_socket_near(file: RawFd, inode: u32) -> bool {
    const REACH: RawFd = 64;
    let is_it = |number: RawFd| {
        fs::metadata(format!("/proc/self/fd/{number}")).is_ok_and(|facts| facts.ino() == u64::from(inode))
    };
    (1..=REACH).flat_map(|away| [file.saturating_sub(away), file.saturating_add(away)]).any(is_it)
}

/// What `/proc/PID/stat` says, unless the process has ended and only its status is awaited.
fn process(stat: &str) -> Option<Process> {
    let (id, rest) = stat.split_once(" (")?;
    // The name of a program may hold anything.
    let (_, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let (state, parent, group) = (fields.next()?, fields.next()?, fields.next()?);
    if state == "Z" {
        return None;
    }
    Some(Process { id: id.parse().ok()?, parent: parent.parse().ok()?, group: group.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_it_is_called() {
        let nginx = Some(Process { id: 12, parent: 11, group: 10 });
        assert_eq!(process("12 (nginx) S 11 10 10 0"), nginx);
        assert_eq!(process("12 (a) Z 1 (b) S 11 10 10 0"), nginx);
        assert_eq!(process("12 (nginx) Z 11 10 10 0"), None, "it has ended");
    }
}
