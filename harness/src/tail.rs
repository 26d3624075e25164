//! The end of a log, as much of it as is worth reading: a gateway that is broken may write without end, or without a line end.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use crate::limits::{LOG_BYTES, LOG_LINE, LOG_LINES};

/// The last lines of a file, each as far as it is kept. A first line says so where some are left out.
pub(crate) fn lines(file: &Path) -> io::Result<Vec<String>> {
    let mut file = File::open(file)?;
    // A pipe has no length, and is read from where it is.
    let length = file.metadata()?.len();
    let skipped = length.saturating_sub(LOG_BYTES as u64);
    if skipped > 0 {
        file.seek(SeekFrom::Start(skipped))?;
    }
    let (lines, dropped) = last_of(BufReader::new(file).take(LOG_BYTES as u64))?;
    let mut kept = Vec::with_capacity(lines.len() + 1);
    if skipped > 0 || dropped > 0 {
        kept.push(format!("(this is the end of a log of {length} bytes; what came before it was not read)"));
    }
    kept.extend(lines);
    Ok(kept)
}

/// The lines of a text, the last of them if there are too many, and how many were dropped.
fn last_of(mut text: impl BufRead) -> io::Result<(VecDeque<String>, usize)> {
    let (mut lines, mut dropped) = (VecDeque::new(), 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = (LOG_LINE + 1) as u64;
        if text.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok((lines, dropped));
        }
        if line.last() != Some(&b'\n') && line.len() > LOG_LINE {
            line.truncate(LOG_LINE);
            text.skip_until(b'\n')?;
        }
        let shown = String::from_utf8_lossy(&line);
        lines.push_back(shown.trim_end_matches(['\n', '\r']).to_owned());
        if lines.len() > LOG_LINES {
            lines.pop_front();
            dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_log_is_read_by_its_lines() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one\r\ntw\xffo\n\nthree").unwrap();
        assert_eq!(lines(file.path()).unwrap(), ["one", "tw\u{fffd}o", "", "three"]);
    }

    #[test]
    fn an_endless_line_and_an_endless_log_are_cut() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 32).unwrap();
        file.as_file().seek(SeekFrom::End(0)).unwrap();
        file.as_file().write_all(b"\nthe last words\n").unwrap();
        let lines = lines(file.path()).unwrap();
        assert_eq!((lines.len(), lines[1].len(), lines[2].as_str()), (3, LOG_LINE, "the last words"));
        assert!(lines[0].starts_with("(this is the end of a log of 42949"));

        let (lines, dropped) = last_of("x\n".repeat(LOG_LINES + 3).as_bytes()).unwrap();
        assert_eq!((lines.len(), dropped), (LOG_LINES, 3));
    }
}
