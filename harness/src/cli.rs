//! The command line: one command, one file. Nothing else prints, reads the clock or decides on an exit code.
//!
//! Standard output carries results, standard error carries progress and diagnostics. Exit codes: 0 all as expected,
//! 1 the gateway under test fell short, 2 usage or input error, 3 Gauntlet could not do its work.

mod baseline;
mod certs;
mod check;
mod clock;
mod diff;
mod discover;
mod events;
mod explain;
mod failure;
mod hello;
mod late;
mod list;
mod profile;
mod recording;
mod records;
mod report;
mod reports;
mod rotate;
mod routes;
mod run;
mod scan;
mod selection;
mod serve;
mod setting;
mod signals;
mod streams;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

const AFTER_HELP: &str = "Exit codes: 0 all as expected; 1 the gateway under test fell short; 2 usage or input \
                          error; 3 Gauntlet could not do its work (a gateway did not start, a port was taken).";

/// Runs a gateway through the TLS gauntlet: every client, listener, upstream and backend, each with a verdict, its
/// cause and the evidence.
#[derive(Debug, Parser)]
#[command(name = "gauntlet", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Arguments>),
    Report(report::Arguments),
    Baseline(baseline::Arguments),
    Serve(serve::Arguments),
    List(list::Arguments),
    Explain(explain::Arguments),
    Diff(diff::Arguments),
    Profile(profile::Arguments),
    Certs(certs::Arguments),
    Routes(routes::Arguments),
    Discover(discover::Arguments),
    Scan(scan::Arguments),
    Hello(hello::Arguments),
    Late(late::Arguments),
    Rotate(rotate::Arguments),
}

/// The whole program: reads the arguments, does what they say, reports what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help goes to standard output; where nobody reads it, there is nothing left to do.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    let outcome = match cli.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Baseline(arguments) => baseline::baseline(&arguments),
        Command::Serve(arguments) => serve::serve(&arguments),
        Command::List(arguments) => list::list(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::Profile(arguments) => profile::profile(&arguments),
        Command::Certs(arguments) => certs::certs(&arguments),
        Command::Routes(arguments) => routes::routes(&arguments),
        Command::Discover(arguments) => discover::discover(&arguments),
        Command::Scan(arguments) => scan::scan(&arguments),
        Command::Hello(arguments) => hello::hello(&arguments),
        Command::Late(arguments) => late::late(&arguments),
        Command::Rotate(arguments) => rotate::rotate(&arguments),
    };
    outcome.unwrap_or_else(|failure| {
        streams::note(&format!("error: {failure}"));
        failure.exit_code()
    })
}
