//! `gauntlet man`: the manual pages.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use tls_gauntlet_scenarios::nearest;

use super::{
    Cli,
    failure::{Failure, input_error, work_error},
    streams::{self, make_folder},
};
use crate::written;

/// Prints a page of the manual, or writes all of them: `gauntlet man --out ~/.local/share/man/man1`, then `man gauntlet-run`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The command whose page is printed; that of `gauntlet` itself if absent.
    #[arg(conflicts_with = "out")]
    command: Option<String>,
    /// A folder for every page.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn man(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let pages = pages();
    if let Some(dir) = &arguments.out {
        make_folder(dir)?;
        for (name, page) in pages {
            let path = dir.join(format!("{name}.1"));
            written::whole(&path, page?)
                .map_err(|error| work_error!("cannot write {}: {error}", path.display()))?;
            streams::print(&format!("{}\n", path.display()))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let name = match &arguments.command {
        Some(command) => format!("gauntlet-{command}"),
        None => "gauntlet".to_owned(),
    };
    let known: Vec<_> = pages.iter().filter_map(|(name, _)| name.strip_prefix("gauntlet-")).collect();
    let hint = nearest::hint(arguments.command.as_deref().unwrap_or_default(), known.iter().copied());
    let known = known.join(", ");
    let page = pages.into_iter().find(|(page, _)| *page == name).map(|(_, page)| page);
    let page = page.ok_or_else(|| {
        input_error!(
            "unknown command \"{}\"{hint} (there are pages for {known})",
            name.trim_start_matches("gauntlet-")
        )
    })?;
    streams::print(&page?)?;
    Ok(ExitCode::SUCCESS)
}

/// Every page with its name.
fn pages() -> Vec<(String, Result<String, Failure>)> {
    // Without clap's own `help`, whose page would say nothing.
    let mut whole = Cli::command().disable_help_subcommand(true);
    whole.build();
    let mut commands = vec![whole];
    let mut pages = Vec::new();
    while let Some(command) = commands.pop() {
        // The stages of a sealed world are for Gauntlet itself.
        commands.extend(command.get_subcommands().filter(|one| one.get_name() != "world").cloned());
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        pages.push((name, page(command)));
    }
    pages.sort_by(|(left, _), (right, _)| left.cmp(right));
    pages
}

fn page(command: Command) -> Result<String, Failure> {
    let mut roff = Vec::new();
    Man::new(command)
        .manual("Gauntlet")
        .source(concat!("gauntlet ", env!("CARGO_PKG_VERSION")))
        .render(&mut roff)
        .map_err(|error| work_error!("cannot write the manual page: {error}"))?;
    // An empty date is left out by the crate, so that what follows is taken for one.
    let page = String::from_utf8_lossy(&roff).replacen(" 1  \"", " 1 \"\" \"", 1);
    Ok(page.chars().map(ascii).collect())
}

/// Every program that reads manual pages knows this, whatever encoding it takes them to be in (`groff_char(7)`).
fn ascii(letter: char) -> String {
    if letter.is_ascii() { letter.to_string() } else { format!("\\[u{:04X}]", u32::from(letter)) }
}
