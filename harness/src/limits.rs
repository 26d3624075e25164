//! Every bound on what others may take of us, in one place: deadlines, bytes and counts. `docs/bounds.md` lists them.

use std::time::Duration;

/// A time in whole milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Defines bounds of size and number, each with its line in the book.
macro_rules! bounds {
    ($($(#[doc = $words:literal])+ $name:ident = $value:expr, $unit:literal;)+) => {
        $($(#[doc = $words])+ pub(crate) const $name: usize = $value;)+

        #[cfg(test)]
        const BOUNDS: &[(&[&str], usize, &str)] = &[$((&[$($words),+], $value, $unit)),+];
    };
}

bounds! {
    /// What a scanned server sends before the rest of it is encrypted.
    SERVER_FLIGHT = 1 << 20, "bytes";
    /// Each ClientHello and certificate in the ledgers of one fleet; beyond it, the oldest entries of the ledger that is written go.
    LEDGER_BYTES = 64 << 20, "bytes";
    /// What each ledger keeps even when its fleet is beyond that.
    LEDGER_SHARE = 256 << 10, "bytes";
    /// The entries of one ledger.
    LEDGER_ENTRIES = 1 << 16, "entries";
    /// The body of a request to the control port or to what answers about the status of certificates.
    REQUEST_BODY = 64 << 10, "bytes";
    /// What a program may say when it is asked for its version, checks its files or is told to reload.
    COMMAND_OUTPUT = 64 << 10, "bytes";
    /// The end of a gateway's log that is read.
    LOG_BYTES = 32 << 20, "bytes";
    /// The lines of it.
    LOG_LINES = 200_000, "lines";
    /// The part of one line of a log that is kept.
    LOG_LINE = 16 << 10, "bytes";
    /// Output that waits for a reader who does not read.
    WAITING_OUTPUT = 4 << 20, "bytes";
    /// What an error repeats of its input.
    MESSAGE = 4000, "characters";
}

/// How long the kernel is left alone after it has refused to hand a connection over (too many open files), unless
/// a connection ends before that.
pub(crate) const BREATHER: Duration = Duration::from_millis(50);

/// How long each thing may take. The defaults are generous: a deadline that strikes means something hangs, not that
/// the machine is busy. Only the two short ones, given to gateways on the routes of stalling backends, end in time.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A gateway's start, from the first process to its first answer on every listener.
    pub ready: Duration,
    /// A gateway's orderly stop; afterwards its process group is killed.
    pub stop: Duration,
    /// One call of a client, from connecting to the end of the response.
    pub call: Duration,
    /// What a backend waits for its peer's next step before it gives the connection up.
    pub peer: Duration,
    /// A peer's whole handshake, or a whole request of it, however busily it sends.
    pub exchange: Duration,
    /// What one of our own clients waits for an answer about the status of a certificate.
    pub status: Duration,
    /// What a gateway is told to wait for a backend that answers.
    pub patient: Duration,
    /// What a gateway is told to wait for a backend that stalls.
    pub impatient: Duration,
    /// A gateway's program asked for its version, its own checker, and its command to reload.
    pub command: Duration,
    /// What remains of connections once their gateway has gone; and the workers of one from before it was reloaded.
    pub settle: Duration,
    /// A TCP connection to a server that is scanned.
    pub scan_connect: Duration,
    /// Everything else on one connection to a server that is scanned.
    pub scan_step: Duration,
    /// All that is asked of one server that is scanned.
    pub scan_target: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ready: Duration::from_secs(60),
            stop: Duration::from_secs(10),
            call: Duration::from_secs(60),
            peer: Duration::from_secs(60),
            exchange: Duration::from_secs(120),
            status: Duration::from_secs(30),
            patient: Duration::from_secs(30),
            impatient: Duration::from_millis(1500),
            command: Duration::from_secs(10),
            settle: Duration::from_secs(10),
            scan_connect: Duration::from_secs(5),
            scan_step: Duration::from_secs(10),
            scan_target: Duration::from_secs(120),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fmt::Write, fs, path::Path};

    use super::*;

    /// The table of the book.
    fn table() -> String {
        let Limits { ready, stop, call, peer, status, patient, impatient, command, settle, .. } =
            Limits::default();
        let Limits { exchange, scan_connect, scan_step, scan_target, .. } = Limits::default();
        let times = [
            ("A gateway's start, from the first process to its first answer on every listener.", ready),
            ("A gateway's orderly stop.", stop),
            ("One call of a client.", call),
            ("What anything that listens waits for its peer's next step.", peer),
            ("A peer's whole handshake, or a whole request of it, however busily it sends.", exchange),
            ("An answer about the status of a certificate.", status),
            ("What a gateway is told to wait for a backend that answers.", patient),
            ("What a gateway is told to wait for a backend that stalls.", impatient),
            ("A program asked for its version, its own checker, its command to reload.", command),
            ("What remains of connections once their gateway has gone.", settle),
            ("A TCP connection to a server that is scanned.", scan_connect),
            ("Everything else on one connection to a server that is scanned.", scan_step),
            ("All that is asked of one server that is scanned.", scan_target),
        ];
        let mut text = String::from("| what | at most |\n|---|---|\n");
        for (words, time) in times {
            let _ = writeln!(text, "| {words} | {} s |", time.as_secs_f64());
        }
        for (words, value, unit) in BOUNDS {
            let words: String = words.concat();
            let (value, unit) = match *unit {
                "bytes" if value % (1 << 20) == 0 => (value >> 20, "MiB"),
                "bytes" if value % (1 << 10) == 0 => (value >> 10, "KiB"),
                unit => (*value, unit),
            };
            let _ = writeln!(text, "| {} | {value} {unit} |", words.trim());
        }
        text
    }

    #[test]
    fn the_book_lists_every_bound() {
        const BEGIN: &str = "<!-- bounds -->\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/bounds.md");
        let page = fs::read_to_string(&path).unwrap();
        let (before, _) = page.split_once(BEGIN).unwrap();
        let current = format!("{before}{BEGIN}{}", table());
        if env::var_os("UPDATE").is_some() {
            fs::write(&path, &current).unwrap();
        }
        let page = fs::read_to_string(&path).unwrap();
        assert!(page == current, "{} is out of date; run the tests with UPDATE=1", path.display());
    }
}
