//! `gauntlet completions`: what shells need to complete commands, options and names.

use std::process::ExitCode;

use clap::{Args, Command, CommandFactory, builder::PossibleValuesParser};
use clap_complete::Shell;
use tls_gauntlet_scenarios::catalogue;

use super::{Cli, failure::Failure, streams};
use crate::{gateway::Gateway, report::FORMATS};

/// Prints the script with which a shell completes commands, options, and the names of backends, gateways, suites and formats.
///
/// bash: `source <(gauntlet completions bash)`, in ~/.bashrc to keep it. zsh: `gauntlet completions zsh > _gauntlet` in a
/// folder of $fpath. fish: `gauntlet completions fish > ~/.config/fish/completions/gauntlet.fish`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The shell.
    shell: Shell,
}

pub(super) fn completions(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut with_names(Cli::command()), "gauntlet", &mut script);
    streams::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

/// The command with names where it takes any word: for completion alone, since folders, URLs and compositions are names as well.
fn with_names(command: Command) -> Command {
    let gateways = || Gateway::names();
    let backends = || catalogue().backends().map(|(name, _, _)| name).collect::<Vec<_>>();
    let suites = || catalogue().suites().map(|(name, _)| name).collect::<Vec<_>>();
    let formats = || FORMATS.iter().map(|format| format.name).collect::<Vec<_>>();
    command
        .mut_subcommand("run", |run| {
            let run = named(named(run, "gateway", gateways()), "claims", gateways());
            named(named(run, "suite", suites()), "format", formats())
        })
        .mut_subcommand("discover", |discover| {
            let discover = named(named(discover, "gateway", gateways()), "claims", gateways());
            named(discover, "suite", suites())
        })
        .mut_subcommand("routes", |routes| named(named(routes, "claims", gateways()), "suite", suites()))
        .mut_subcommand("report", |report| named(report, "format", formats()))
        .mut_subcommand("serve", |serve| named(serve, "backends", backends()))
        .mut_subcommand("explain", |explain| {
            named(named(explain, "scenario", backends()), "gateway", gateways())
        })
        .mut_subcommand("scan", |scan| named(scan, "format", vec!["console", "json", "markdown"]))
}

fn named(command: Command, argument: &'static str, names: Vec<&'static str>) -> Command {
    command.mut_arg(argument, |argument| argument.value_parser(PossibleValuesParser::new(names)))
}
