//! The gateway's log as the third witness: the lines that came during a call.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use super::AuditError;

/// Where a gateway's log is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogSource {
    /// A file.
    File(PathBuf),
    /// What a command prints as long as it runs, as in `docker logs --follow --tail 0 gw`.
    Command(String),
}

/// A log, read from where it ended the last time.
#[derive(Debug)]
pub(super) enum Log {
    File { path: PathBuf, read_to: u64 },
    Command { _running: Ended, lines: Receiver<String> },
}

/// A command that is ended when this is dropped.
#[derive(Debug)]
pub(super) struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Its own shell, which replaced itself by the command; it may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Log {
    /// Opens the log; what is in it already is no evidence.
    pub(super) fn open(source: &LogSource) -> Result<Self, AuditError> {
        match source {
            LogSource::File(path) => Self::file(path)
                .map_err(|source| AuditError::Log { log: format!("the log {}", path.display()), source }),
            LogSource::Command(command) => Self::command(command)
                .map_err(|source| AuditError::Log { log: format!("the output of `{command}`"), source }),
        }
    }

    fn file(path: &Path) -> io::Result<Self> {
        let read_to = File::open(path)?.seek(SeekFrom::End(0))?;
        Ok(Self::File { path: path.to_owned(), read_to })
    }

    fn command(command: &str) -> io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {command}")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (sender, lines) = channel();
        child.stdout.take().into_iter().for_each(|output| pass_on(output, sender.clone()));
        child.stderr.take().into_iter().for_each(|output| pass_on(output, sender.clone()));
        Ok(Self::Command { _running: Ended(child), lines })
    }

    /// The lines since the last time. A file that has become shorter was begun anew.
    pub(super) fn new_lines(&mut self) -> Vec<String> {
        match self {
            Self::File { path, read_to } => new_lines_of(path, read_to),
            Self::Command { lines, .. } => lines.try_iter().collect(),
        }
    }
}

/// Sends every line on until the output ends, or nobody listens.
fn pass_on(output: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if to.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
}

fn new_lines_of(path: &Path, read_to: &mut u64) -> Vec<String> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let length = file.seek(SeekFrom::End(0))?;
        let from = if length < *read_to { 0 } else { *read_to };
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut text)?;
        Ok(from)
    });
    // A log that cannot be read for the moment (it is being rotated) says nothing.
    let Ok(from) = read else { return Vec::new() };
    // A line that is being written is left for the next time.
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    *read_to = from + u64::try_from(whole).unwrap_or(u64::MAX);
    String::from_utf8_lossy(&text[..whole]).lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn only_new_and_whole_lines_are_read() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "before").unwrap();
        let mut log = Log::open(&LogSource::File(file.path().to_owned())).unwrap();
        assert_eq!(log.new_lines(), Vec::<String>::new());
        write!(file, "one\ntw").unwrap();
        assert_eq!(log.new_lines(), ["one"]);
        writeln!(file, "o").unwrap();
        assert_eq!(log.new_lines(), ["two"]);
    }

    #[test]
    fn what_a_command_prints_is_a_log() {
        let mut log = Log::open(&LogSource::Command("echo one".to_owned())).unwrap();
        let Log::Command { lines, .. } = &mut log else { panic!("a command") };
        assert_eq!(lines.recv().as_deref(), Ok("one"));
        let missing = Log::open(&LogSource::File("no-such.log".into())).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read the log no-such.log");
    }
}
