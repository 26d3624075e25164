//! What makes sure that nothing outlives us: neither the processes of a gateway nor the folder with its keys.
//!
//! Both guards are small shells that block on a pipe whose other end we alone hold. Whatever ends us, SIGKILL
//! included, closes it; the shell then reads the end of the pipe and cleans up.

use std::{
    env,
    ffi::OsStr,
    fmt,
    fs::{self, File, Permissions},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::manifest::Signal;

/// Passes signals on; at the end of the pipe it kills its whole process group, itself included.
const GROUP: &str = r#"trap '' HUP INT TERM
while read -r signal process; do kill -s "$signal" "$process"; done
kill -KILL 0"#;

/// Makes a container with the command that it is given, says which, and removes it at the end of the pipe. As it is the
/// guard that makes it, there is none without a guard, whenever we are killed.
const CONTAINER: &str = r#"trap '' HUP INT TERM PIPE
container=$("$@") || exit
echo "$container"
read -r end
"$1" rm --force --volumes "$container""#;

/// At the end of the pipe it removes the folder; in a loop, because a program that is about to die may still be
/// writing into it. Before that it kills what went into the background with the folder as its home: such a process is in no
/// group of ours.
const FOLDER: &str = r#"trap '' HUP INT TERM
read -r end
for process in /proc/[0-9]*; do
    if tr '\0' '\n' <"$process/environ" | grep -qxF "HOME=$1" ||
        { [ "$(readlink "$process/cwd")" = "$1" ] && grep -qF "$1" "$process/cmdline"; }
    then kill -s KILL "${process#/proc/}"; fi
done 2>/dev/null
tries=0
while [ -e "$1" ] && [ "$tries" -lt 50 ]; do
    rm -rf -- "$1" || sleep 0.1
    tries=$((tries + 1))
done"#;

/// A shell at the other end of a pipe.
#[derive(Debug)]
struct Guard {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts the guard in a process group of its own, where no ctrl-c reaches it. `argument` is its `$1`.
    fn start(script: &str, argument: &Path) -> io::Result<Self> {
        Self::spawn(script, &[argument], Stdio::null)
    }

    /// Starts it with as many arguments as need be; what it says goes into `said`.
    fn spawn(script: &str, arguments: &[impl AsRef<OsStr>], said: fn() -> Stdio) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", script, "gauntlet-guard"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(said())
            .stderr(said())
            .process_group(0)
            .spawn()?;
        // The standard library opens pipes close-on-exec, so that no other child of ours holds this end.
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // It has nothing left to do but to clean up; when it has gone, that is done.
        let _ended = self.shell.wait();
    }
}

/// A process group whose members are killed when this is dropped, or when we die.
///
/// A gateway is started in the group, so that it and its workers are members from birth: workers of nginx and
/// Apache outlive a killed master.
#[derive(Debug)]
#[must_use = "the members are killed as soon as this is dropped"]
pub(super) struct ProcessGroup(Guard);

impl ProcessGroup {
    /// An empty group.
    pub(super) fn new() -> io::Result<Self> {
        Guard::start(GROUP, Path::new("")).map(Self)
    }

    /// Makes the program that is about to start a member.
    pub(super) fn adopt(&self, program: &mut Command) {
        // The group's number is the guard's; it cannot be given to anybody else before we have waited for it.
        program.process_group(self.0.shell.id().cast_signed());
    }

    /// Sends a signal to one process: through the guard, or, if somebody has killed that, by a shell of our own.
    pub(super) fn signal(&mut self, signal: Signal, process: u32) -> io::Result<()> {
        let told = match &mut self.0.pipe {
            Some(pipe) => writeln!(pipe, "{} {process}", signal.as_str()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        told.or_else(|_| send(signal.as_str(), &process.to_string()))
    }

    /// The guard's own process, for tests.
    pub(super) fn id(&self) -> u32 {
        self.0.shell.id()
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // A guard that somebody has killed kills nobody any more. Its number still names the group while there are
        // members; where there are none, there is nobody to send anything to.
        if matches!(self.0.shell.try_wait(), Ok(Some(_))) {
            let _nobody_left = send("KILL", &format!("-{}", self.0.shell.id()));
        }
    }
}

/// Has a shell send a signal to a process, or to a group by its number with a minus.
pub(super) fn send(signal: &str, to: &str) -> io::Result<()> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"kill -s "$1" -- "$2""#, "gauntlet-signal", signal, to]);
    let status = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// A container that is removed, and what runs in it killed, when this is dropped, or when we die.
#[derive(Debug)]
#[must_use = "the container is removed as soon as this is dropped"]
pub(super) struct ContainerGuard {
    _guard: Guard,
    id: String,
}

impl ContainerGuard {
    /// Makes a container; `arguments` are those of the engine's command.
    pub(super) fn create(engine: &str, arguments: &[String]) -> Result<Self, String> {
        let command: Vec<&str> = [engine].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        let mut guard = Guard::spawn(CONTAINER, &command, Stdio::piped).map_err(|error| error.to_string())?;
        let mut id = String::new();
        if let Some(said) = guard.shell.stdout.take() {
            BufReader::new(said).read_line(&mut id).map_err(|error| error.to_string())?;
        }
        let id = id.trim().to_owned();
        if !id.is_empty() {
            return Ok(Self { _guard: guard, id });
        }
        let mut problem = String::new();
        if let Some(mut said) = guard.shell.stderr.take() {
            said.read_to_string(&mut problem).map_err(|error| error.to_string())?;
        }
        Err(problem.trim().to_owned())
    }

    /// What the engine calls it.
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

/// How the name of every run folder begins.
const PREFIX: &str = "gauntlet-";

/// The file in it that is locked.
const LOCK: &str = ".lock";

/// How old a folder has to be before it counts as left over: one that is new may not have its lock yet.
const OLD: Duration = Duration::from_secs(60);

/// Removes what is left of runs that were ended together with their guards: folders of ours that nobody holds.
fn sweep(among: &Path) {
    for entry in fs::read_dir(among).into_iter().flatten().flatten() {
        let is_named = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let path = entry.path();
        let is_left = || -> io::Result<bool> {
            let facts = fs::symlink_metadata(&path)?;
            let is_ours = facts.is_dir() && facts.uid() == rustix::process::geteuid().as_raw();
            let is_old = facts.modified()?.elapsed().is_ok_and(|age| age > OLD);
            Ok(is_ours && is_old && File::open(path.join(LOCK))?.try_lock().is_ok())
        };
        if is_named && is_left().unwrap_or(false) {
            // What cannot be removed now is there the next time.
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// What is written to see whether a disk takes it.
const PROBE: usize = 64 << 10;

/// Configuration, keys and log of the smallest run need less.
const LEAST_ROOM: u64 = 8 << 20;

/// The private folder of one gateway: its configuration, keys and log. Removed when dropped, or when we die.
#[must_use = "the folder is removed as soon as this is dropped"]
pub struct RunFolder {
    // Dropped in this order: first we remove the folder, then the guard finds nothing left to do.
    folder: TempDir,
    /// None where there is no shell, that is, in a container of nothing but this program, which goes as a whole.
    guard: Option<Guard>,
    /// Held for as long as this process lives, so that others know that the folder is in use.
    _lock: File,
}

impl RunFolder {
    /// A new folder among the temporary files, for nobody else to read.
    ///
    /// # Errors
    /// What the system says; and a path with characters that gateways' configurations cannot carry.
    pub fn new() -> io::Result<Self> {
        sweep(&env::temp_dir());
        let folder =
            tempfile::Builder::new().prefix(PREFIX).permissions(Permissions::from_mode(0o700)).tempdir()?;
        let lock = File::create(folder.path().join(LOCK))?;
        // Where files cannot be locked, nothing is swept either.
        let _ = lock.try_lock();
        if !folder.path().to_str().is_some_and(is_plain) {
            let path = folder.path().display();
            let problem = format!(
                "gateways cannot be told of the folder {path}; set TMPDIR to a path of letters and digits"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let guard = match Guard::start(FOLDER, folder.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            guard => Some(guard?),
        };
        Ok(Self { folder, guard, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sees to it that files can be written there, and that there is room for more.
    ///
    /// # Errors
    /// What the system says of the disk.
    pub fn has_room(&self) -> io::Result<()> {
        let mut probe = tempfile::tempfile_in(self.path())?;
        probe.write_all(&[1; PROBE])?;
        probe.sync_all()?;
        let disk = rustix::fs::statvfs(self.path())?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < LEAST_ROOM {
            let problem = format!("{free} bytes are free, and {LEAST_ROOM} is the least that a run needs");
            return Err(io::Error::new(io::ErrorKind::StorageFull, problem));
        }
        Ok(())
    }
}

impl fmt::Debug for RunFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunFolder")
            .field("path", &self.path())
            .field("guard", &self.guard.as_ref().map(|guard| guard.shell.id()))
            .finish()
    }
}

/// Whether a path means itself in every configuration language.
fn is_plain(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_folder_is_private_and_goes_with_its_guard() {
        let folder = RunFolder::new().unwrap();
        let path = folder.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        fs::create_dir(path.join("sub")).unwrap();
        fs::write(path.join("sub/key"), "secret").unwrap();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_guard_removes_the_folder_when_only_the_pipe_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key"), "secret").unwrap();
        drop(Guard::start(FOLDER, folder.path()).unwrap());
        assert!(!folder.path().exists());
    }

    #[test]
    fn what_nobody_holds_is_swept() {
        let among = tempfile::tempdir().unwrap();
        let [left, held, fresh, other] =
            ["gauntlet-left", "gauntlet-held", "gauntlet-fresh", "other"].map(|name| {
                let folder = among.path().join(name);
                fs::create_dir(&folder).unwrap();
                fs::write(folder.join("key"), "secret").unwrap();
                let lock = File::create(folder.join(LOCK)).unwrap();
                if name == "gauntlet-held" {
                    lock.lock().unwrap();
                }
                (folder, lock)
            });
        for (folder, _) in [&left, &held, &other] {
            let old = std::time::SystemTime::UNIX_EPOCH;
            File::open(folder).unwrap().set_modified(old).unwrap();
        }
        let (held, fresh, other) = (held, fresh.0, other.0);
        sweep(among.path());
        assert!(!left.0.exists());
        assert!(held.0.exists() && fresh.exists() && other.exists());
    }

    #[test]
    fn members_of_a_group_die_with_it() {
        let group = ProcessGroup::new().unwrap();
        let mut cat = Command::new("cat");
        group.adopt(cat.stdin(Stdio::piped()).stdout(Stdio::null()));
        let mut cat = cat.spawn().unwrap();
        drop(group);
        assert_eq!(cat.wait().unwrap().to_string(), "signal: 9 (SIGKILL)");
    }

    #[test]
    fn a_signal_reaches_one_process() {
        let mut group = ProcessGroup::new().unwrap();
        let mut cat = Command::new("cat");
        group.adopt(cat.stdin(Stdio::piped()).stdout(Stdio::null()));
        let mut cat = cat.spawn().unwrap();
        let _open = cat.stdin.take();
        group.signal(Signal::Term, cat.id()).unwrap();
        assert_eq!(cat.wait().unwrap().to_string(), "signal: 15 (SIGTERM)");
        assert!(group.0.shell.try_wait().unwrap().is_none(), "the guard stays");
    }

    #[test]
    fn a_path_that_means_more_than_itself_is_noticed() {
        assert!(is_plain("/tmp/gauntlet-a1_b+c.d"));
        for path in ["/tmp/a b", "/tmp/$HOME", "/tmp/;rm", "/tmp/\"", "/tmp/{}"] {
            assert!(!is_plain(path), "{path}");
        }
    }
}
