//! The shell into which a page is typed, and the servers that it starts in other terminals.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

/// Ends a command's output in the stream.
const MARK: &str = "-- the command has ended with ";

/// One shell; it and all that it started is gone when this is dropped.
pub(crate) struct Shell {
    folder: PathBuf,
    shell: Running,
    servers: Vec<Running>,
}

struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Shell {
    pub(crate) fn start(folder: &Path) -> Self {
        let shell = Running::start(folder, &["--norc", "--noprofile"]);
        let mut shell = Self { folder: folder.to_owned(), shell, servers: Vec::new() };
        shell.run("exec 2>&1");
        shell
    }

    /// What the command prints, and how it ends. One that goes on until ctrl-c is left running once it is ready.
    pub(crate) fn run(&mut self, command: &str) -> (String, i32) {
        // The README builds what it runs; here it is built already.
        let command = command.replace("cargo run -- ", "gauntlet ");
        if ["gauntlet serve", "docker run"].iter().any(|server| command.starts_with(server)) {
            return self.serve(&command);
        }
        // The status is kept for the next command, which may ask for it.
        let line = format!("{command}\nstatus=$?; echo; echo \"{MARK}$status\"; (exit $status)\n");
        self.shell.child.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
        let mut printed = self.shell.until(|line| line.starts_with(MARK));
        let code = printed.pop().and_then(|line| line[MARK.len()..].parse().ok());
        // The line that set the mark apart.
        if printed.last().is_some_and(String::is_empty) {
            printed.pop();
        }
        (printed.join("\n"), code.expect("every command ends"))
    }

    fn serve(&mut self, command: &str) -> (String, i32) {
        let mut server = Running::start(&self.folder, &["-c", &format!("exec {command} 2>&1")]);
        let printed =
            server.until(|line| line.starts_with("ready; ctrl-c ends it") || line.starts_with("error: "));
        let failed = printed.last().is_none_or(|line| line.starts_with("error: "));
        let code = if failed { server.child.wait().unwrap().code().unwrap() } else { 0 };
        self.servers.push(server);
        // It is the shell that is asked how the last command ended.
        self.shell.child.stdin.as_mut().unwrap().write_all(format!("(exit {code})\n").as_bytes()).unwrap();
        (printed.join("\n"), code)
    }
}

impl Running {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_gauntlet")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut child = Command::new("bash")
            .args(arguments)
            .current_dir(folder)
            .env("PATH", format!("{}:{path}:/usr/sbin", program.display()))
            .env("COLUMNS", "100")
            .env_remove("NO_COLOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// The lines up to that one and with it, or up to the end.
    fn until(&mut self, is_last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        for line in self.out.by_ref().lines() {
            lines.push(line.unwrap());
            if is_last(lines.last().unwrap()) {
                break;
            }
        }
        lines
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // All that it started is in its group; a server that is told to end removes its files.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-s", "TERM", "--", &group]).status();
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
