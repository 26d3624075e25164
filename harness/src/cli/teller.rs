//! Lines for a reader that may stop reading: what does not fit into a bounded queue is left out, and counted. Nobody waits for the
//! reader, so a pipe that is full stops neither the work nor a signal.

use std::{
    io::{self, ErrorKind, Write},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use crate::limits::WAITING_OUTPUT;

/// Where the lines go in. When it is dropped, what still waits is written as long as the process lives.
#[derive(Debug)]
pub(super) struct Teller {
    lines: Option<Sender<String>>,
    ended: Receiver<()>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Bytes that wait.
    waiting: AtomicUsize,
    /// Lines that were left out since the last one that was not.
    left_out: AtomicUsize,
    /// Why nothing more can be written; not that nobody wants it.
    failure: OnceLock<String>,
}

impl Teller {
    /// Starts to write there.
    pub(super) fn to(mut out: impl Write + Send + 'static) -> Self {
        let (lines, to_write) = channel::<String>();
        let (end, ended) = channel();
        let shared = Arc::new(Shared::default());
        let of_writer = Arc::clone(&shared);
        thread::spawn(move || {
            for line in to_write {
                let written = out.write_all(line.as_bytes()).and_then(|()| out.flush());
                of_writer.waiting.fetch_sub(line.len(), Ordering::Relaxed);
                if let Err(error) = written {
                    if error.kind() != ErrorKind::BrokenPipe {
                        let _ = of_writer.failure.set(error.to_string());
                    }
                    break;
                }
            }
            // Whoever waits for the end may have gone.
            let _ = end.send(());
        });
        Self { lines: Some(lines), ended, shared }
    }

    /// Standard output.
    pub(super) fn to_stdout() -> Self {
        Self::to(io::stdout())
    }

    /// Standard error.
    pub(super) fn to_stderr() -> Self {
        Self::to(io::stderr())
    }

    /// Tells this line, which has no end, unless too much waits already.
    ///
    /// # Errors
    /// Why nothing can be written any more. That nobody reads any more is none.
    pub(super) fn tell(&self, line: &str) -> Result<(), String> {
        if let Some(failure) = self.shared.failure.get() {
            return Err(failure.clone());
        }
        let waiting = self.shared.waiting.load(Ordering::Relaxed);
        if waiting > 0 && waiting + line.len() > WAITING_OUTPUT {
            self.shared.left_out.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let line = format!("{line}\n");
        self.shared.waiting.fetch_add(line.len(), Ordering::Relaxed);
        if let Some(lines) = &self.lines {
            // Nobody reads any more.
            let _ = lines.send(line);
        }
        Ok(())
    }

    /// How many lines were left out.
    pub(super) fn left_out(&self) -> usize {
        self.shared.left_out.load(Ordering::Relaxed)
    }

    /// Waits until everything is written, as long as something is within each limit.
    ///
    /// # Errors
    /// What was not written, and why.
    pub(super) fn finish(mut self, limit: Duration) -> Result<(), String> {
        drop(self.lines.take());
        let mut before = usize::MAX;
        while self.ended.recv_timeout(limit).is_err() {
            let waiting = self.shared.waiting.load(Ordering::Relaxed);
            if waiting >= before || waiting == 0 {
                return Err(format!("its reader has stopped reading; {waiting} bytes are lost"));
            }
            before = waiting;
        }
        match (self.shared.failure.get(), self.left_out()) {
            (Some(failure), _) => Err(failure.clone()),
            (None, 0) => Ok(()),
            (None, count) => Err(format!("its reader was too slow; {count} lines were left out")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_stops_reading_stops_nobody() {
        let (mut reader, writer) = io::pipe().unwrap();
        let teller = Teller::to(writer);
        let line = "x".repeat(1000);
        for _ in 0..2 * WAITING_OUTPUT / line.len() {
            teller.tell(&line).unwrap();
        }
        assert!(teller.left_out() > 0);
        assert!(teller.shared.waiting.load(Ordering::Relaxed) <= WAITING_OUTPUT);
        let problem = teller.finish(Duration::from_millis(10)).unwrap_err();
        assert!(problem.starts_with("its reader has stopped reading; "), "{problem}");
        // Only now, so that the pipe was open all the while.
        io::Read::read_exact(&mut reader, &mut [0; 1001]).unwrap();
    }

    #[test]
    fn everything_is_told_to_one_who_reads() {
        let (reader, writer) = io::pipe().unwrap();
        let teller = Teller::to(writer);
        for number in 0..1000 {
            teller.tell(&number.to_string()).unwrap();
        }
        let read = thread::spawn(move || io::read_to_string(reader).unwrap());
        teller.finish(Duration::from_secs(60)).unwrap();
        assert_eq!(read.join().unwrap().lines().count(), 1000);
    }

    #[test]
    fn one_who_has_gone_is_no_failure() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let teller = Teller::to(writer);
        teller.tell("x").unwrap();
        teller.finish(Duration::from_secs(60)).unwrap();
    }
}
