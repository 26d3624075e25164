//! Process 1 of a world: seals the file system, starts what runs inside, and ends with it, or when the pipe to the
//! process outside closes. Whatever it leaves behind, the kernel ends with it (`pid_namespaces(7)`).

use std::{
    env,
    ffi::OsString,
    io::{self, Read},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use rustix::process::{Pid, WaitOptions, wait};

use super::{For, WorldError, files};

/// Where programs of an administrator lie, whatever the caller's own path leaves out.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The exit code of a world that was ended from outside: 128 and the number of SIGKILL.
const ENDED: i32 = 137;

/// Does the work of process 1, and returns the exit code of what ran inside.
///
/// # Errors
/// [`WorldError`] when this is no process 1 of new namespaces, or the file system cannot be sealed.
pub fn init(scratch: &Path, inside: &[OsString]) -> Result<u8, WorldError> {
    let working_directory = env::current_dir().or_cannot(|| "read the working directory".to_owned())?;
    let program = env::current_exe().or_cannot(|| "find the program of this process".to_owned())?;
    files::seal(scratch)?;
    env::set_current_dir(&working_directory)
        .or_cannot(|| format!("go back to {}", working_directory.display()))?;
    thread::spawn(end_with_standard_input);
    let mut command = Command::new(program);
    command.args(inside).stdin(Stdio::null());
    let child = command.spawn().or_cannot(|| "start the process inside the world".to_owned())?;
    reap(Pid::from_child(&child))
}

/// The pipe on standard input is held by the process outside and by nobody else.
fn end_with_standard_input() {
    // An error ends it as well: nothing can be waited for any more.
    let _end = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
    std::process::exit(ENDED);
}

/// Waits for every process of the world, orphans included, until this one has ended.
fn reap(child: Pid) -> Result<u8, WorldError> {
    loop {
        let ended =
            wait(WaitOptions::empty()).or_cannot(|| "wait for the process inside the world".to_owned())?;
        let Some((process, status)) = ended.filter(|(process, _)| *process == child) else { continue };
        debug_assert_eq!(process, child);
        let status = std::process::ExitStatus::from_raw(status.as_raw());
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        return Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1));
    }
}
