//! The gateway's log as the third witness: the lines that came during a call.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// A log file, read from where it ended the last time.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    read_to: u64,
}

impl Log {
    /// Opens the log; what is in it already is no evidence.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let read_to = File::open(path)?.seek(SeekFrom::End(0))?;
        Ok(Self { path: path.to_owned(), read_to })
    }

    /// The lines since the last time. A file that has become shorter was begun anew.
    pub(super) fn new_lines(&mut self) -> Vec<String> {
        let mut text = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            let length = file.seek(SeekFrom::End(0))?;
            let from = if length < self.read_to { 0 } else { self.read_to };
            file.seek(SeekFrom::Start(from))?;
            file.read_to_end(&mut text)?;
            Ok(from)
        });
        // A log that cannot be read for the moment (it is being rotated) says nothing.
        let Ok(from) = read else { return Vec::new() };
        // A line that is being written is left for the next time.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.read_to = from + u64::try_from(whole).unwrap_or(u64::MAX);
        String::from_utf8_lossy(&text[..whole]).lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn only_new_and_whole_lines_are_read() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "before").unwrap();
        let mut log = Log::open(file.path()).unwrap();
        assert_eq!(log.new_lines(), Vec::<String>::new());
        write!(file, "one\ntw").unwrap();
        assert_eq!(log.new_lines(), ["one"]);
        writeln!(file, "o").unwrap();
        assert_eq!(log.new_lines(), ["two"]);
    }
}
