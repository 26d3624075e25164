//! The command line: one command, one file. Nothing else prints, reads the clock or decides on an exit code.
//!
//! Standard output carries results, standard error carries progress and diagnostics. Exit codes: 0 all as expected,
//! 1 the gateway under test fell short, 2 usage or input error, 3 Gauntlet could not do its work.

mod accept;
mod audit;
mod azure;
mod certs;
mod check;
mod clock;
mod completions;
mod diff;
mod discover;
mod events;
mod explain;
mod failure;
mod files;
mod help;
mod init;
mod late;
mod list;
mod man;
mod options;
mod partial;
mod presets;
mod progress;
mod project;
mod recording;
mod records;
#[cfg(target_os = "linux")]
mod rehearsal;
mod renamed;
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
mod teller;
mod what_if;
mod world;

use std::{env, process::ExitCode};

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use streams::Colour;

const AFTER_HELP: &str = "Exit codes: 0 all as expected; 1 the gateway under test fell short; 2 usage or\n\
                          input error; 3 Gauntlet could not do its work (a port was taken …).";

/// Runs a gateway through the TLS gauntlet: mock backends, clients, verdicts.
#[derive(Debug, Parser)]
#[command(name = "gauntlet", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    /// When to colour: auto (on a terminal, unless `NO_COLOR` is set), always or never.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    color: Colour,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Audit(Box<audit::Arguments>),
    Run(Box<run::Arguments>),
    Rotate(rotate::Arguments),
    Explain(explain::Arguments),
    Report(Box<report::Arguments>),
    Diff(diff::Arguments),
    List(list::Arguments),
    Serve(serve::Arguments),
    Scan(scan::Arguments),
    Certs(certs::Arguments),
    WhatIf(what_if::Arguments),
    Azure(azure::Arguments),
    Init(init::Arguments),
    Routes(routes::Arguments),
    Discover(discover::Arguments),
    #[command(hide = true)]
    Completions(completions::Arguments),
    #[command(hide = true)]
    Man(man::Arguments),
    #[command(hide = true)]
    World(world::Arguments),
}

/// The whole program: reads the arguments, does what they say, reports what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if let Some(failure) = renamed::renamed(words.iter().map(String::as_str)) {
        streams::complain(&failure);
        return failure.exit_code();
    }
    let cli = match parsed() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help goes to standard output; where nobody reads it, there is nothing left to do.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    cli.color.choose();
    let outcome = match cli.command {
        Command::Audit(arguments) => audit::audit(*arguments),
        Command::Run(arguments) => run::run(*arguments),
        Command::Rotate(arguments) => rotate::rotate(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Report(arguments) => report::report(*arguments),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::List(arguments) => list::list(&arguments),
        Command::Serve(arguments) => serve::serve(&arguments),
        Command::Scan(arguments) => scan::scan(&arguments),
        Command::Certs(arguments) => certs::certs(&arguments),
        Command::WhatIf(arguments) => what_if::what_if(&arguments),
        Command::Azure(arguments) => azure::azure(&arguments),
        Command::Init(arguments) => init::init(&arguments),
        Command::Routes(arguments) => routes::routes(&arguments),
        Command::Discover(arguments) => discover::discover(&arguments),
        Command::Completions(arguments) => completions::completions(&arguments),
        Command::Man(arguments) => man::man(&arguments),
        Command::World(arguments) => world::world(arguments),
    };
    outcome.unwrap_or_else(|failure| {
        streams::complain(&failure);
        failure.exit_code()
    })
}

fn parsed() -> Result<Cli, clap::Error> {
    let matches = help::grouped(Cli::command()).color(colour_of_help()).try_get_matches()?;
    Cli::from_arg_matches(&matches)
}

/// Help and errors of the grammar are printed before the arguments are understood, so this looks for `--color` alone.
fn colour_of_help() -> ColorChoice {
    let words: Vec<String> = env::args().skip(1).take_while(|word| word != "--").collect();
    let after = words.windows(2).filter(|pair| pair[0] == "--color").map(|pair| pair[1].as_str());
    let joined = words.iter().filter_map(|word| word.strip_prefix("--color="));
    match after.chain(joined).find_map(|word| Colour::from_str(word, false).ok()) {
        Some(Colour::Always) => ColorChoice::Always,
        Some(Colour::Never) => ColorChoice::Never,
        Some(Colour::Auto) | None => ColorChoice::Auto,
    }
}
