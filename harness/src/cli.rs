//! The command line: one command, one file. Nothing else prints, reads the clock or decides on an exit code.
//!
//! Standard output carries results, standard error carries progress and diagnostics. Exit codes: 0 all as expected,
//! 1 the gateway under test fell short, 2 usage or input error, 3 Gauntlet could not do its work.

mod by_hand;
mod certs;
mod clock;
mod explain;
mod failure;
mod list;
mod routes;
mod run;
mod selection;
mod serve;
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
    Run(run::Arguments),
    Serve(serve::Arguments),
    List(list::Arguments),
    Explain(explain::Arguments),
    Certs(certs::Arguments),
    Routes(routes::Arguments),
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
        Command::Serve(arguments) => serve::serve(&arguments),
        Command::List(arguments) => list::list(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Certs(arguments) => certs::certs(&arguments),
        Command::Routes(arguments) => routes::routes(&arguments),
    };
    outcome.unwrap_or_else(|failure| {
        streams::note(&format!("error: {failure}"));
        failure.exit_code()
    })
}
