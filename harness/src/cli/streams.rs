//! Where output goes: results to standard output or a folder, everything else to standard error.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{self, ErrorKind, IsTerminal, Write},
    path::Path,
    sync::{Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use anstyle::AnsiColor;
use clap::ValueEnum;
use tokio::sync::oneshot;

use super::{
    failure::{Failure, input_error, work_error},
    signals::{self, Signals},
};
use crate::{
    printable,
    report::{Detail, Look},
};

/// What a report is laid out for where there is no terminal: files and pipeline logs, whose lines may be long.
const WIDTH_OF_NO_TERMINAL: usize = 140;

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Also into files and pipes.
    Always,
    /// Not at all.
    Never,
}

/// What was asked for; of the whole process, as its streams are.
static COLOUR: OnceLock<Colour> = OnceLock::new();

impl Colour {
    /// From now on, this counts.
    pub(super) fn choose(self) {
        let _ = COLOUR.set(self);
    }

    fn on(terminal: bool) -> bool {
        let refused = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
        match COLOUR.get().unwrap_or(&Self::Auto) {
            Self::Auto => terminal && !refused("NO_COLOR") && !dumb,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// How long a signal leaves a result that is being written.
const GRACE: Duration = Duration::from_millis(500);

/// Writes a result. That nobody reads on (`| head`) is no error; that it cannot be written (a full disk) is. A reader that
/// neither reads nor goes is waited for until a signal comes, and then for [`GRACE`]: one who reads may have it all by then.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let text = printable::painted(text).into_owned();
    if !signals::are_caught() {
        return written(write_out(&text));
    }
    let (done, mut outcome) = oneshot::channel();
    thread::spawn(move || done.send(write_out(&text)));
    let wait = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(Failure::work)?.block_on(async {
            let mut signals = Signals::catch()?;
            let signal = tokio::select! {
                outcome = &mut outcome => return written(outcome.unwrap_or(Ok(()))),
                signal = signals.received() => signal,
            };
            match tokio::time::timeout(GRACE, outcome).await {
                Ok(outcome) => written(outcome.unwrap_or(Ok(()))),
                Err(_) => Err(work_error!("ended by {signal} before the result was read")),
            }
        })
    };
    // A runtime cannot be entered from within another.
    thread::scope(|scope| scope.spawn(wait).join()).unwrap_or(Ok(()))
}

fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

fn written(outcome: io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(not_written(&error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Why a result could not be written.
pub(super) fn not_written(error: &dyn std::fmt::Display) -> Failure {
    work_error!("cannot write to standard output: {error}; make room, or send it elsewhere")
}

/// Says something that is not a result. If nobody listens, so be it.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", printable::message(text));
}

/// The same, but not twice.
pub(super) fn note_once(text: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned()) {
        note(text);
    }
}

/// Says why the command could not be carried out.
pub(super) fn complain(failure: &Failure) {
    let style = AnsiColor::Red.on_default().bold();
    if Colour::on(io::stderr().is_terminal()) {
        let _ = writeln!(
            io::stderr().lock(),
            "{style}error:{style:#} {}",
            printable::message(&failure.to_string())
        );
    } else {
        note(&format!("error: {failure}"));
    }
}

/// Makes a folder for results, unless it is there.
pub(super) fn make_folder(dir: &Path) -> Result<(), Failure> {
    if dir.exists() && !dir.is_dir() {
        return Err(input_error!("{} is a file; name a folder", dir.display()));
    }
    fs::create_dir_all(dir)
        .map_err(|error| input_error!("cannot make the folder {}: {error}; name another", dir.display()))
}

/// What the reader of standard output can see.
pub(super) fn look(detail: Detail) -> Look {
    let terminal = io::stdout().is_terminal();
    Look { width: width(terminal), colour: Colour::on(terminal), detail }
}

fn width(terminal: bool) -> usize {
    let asked = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let seen = || terminal.then(terminal_size::terminal_size).flatten();
    asked
        .or_else(|| seen().map(|(width, _)| usize::from(width.0)))
        .unwrap_or(if terminal { 80 } else { WIDTH_OF_NO_TERMINAL })
        .max(40)
}
