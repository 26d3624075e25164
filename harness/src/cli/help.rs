//! `gauntlet --help`: the commands by what they are for.

use std::fmt::Write;

use clap::Command;

/// A group: what it is for, its commands in their order, and an example.
type Group = (&'static str, &'static [&'static str], &'static str);

const GROUPS: &[Group] = &[
    ("Test a gateway", &["audit", "run", "rotate"], "gauntlet audit /etc/nginx/nginx.conf"),
    ("Look closer", &["explain", "report", "diff", "list"], "gauntlet explain expired-leaf/strict"),
    ("By hand", &["serve", "scan", "certs"], "gauntlet serve expired-leaf"),
    ("Plan a change", &["what-if", "azure"], "gauntlet what-if nginx:max-tls12 nginx:strict"),
    ("Write a gateway", &["init", "routes", "discover"], "gauntlet init"),
];

/// One line for each command; `clap` has no groups of subcommands.
fn about(command: &str) -> &'static str {
    match command {
        "audit" => "a gateway as it stands: what it checks, what is wrong, what to set",
        "run" => "the matrix: each combination's verdict, its cause and the evidence",
        "rotate" => "changes certificates under steady traffic and says what was lost",
        "explain" => "what is expected of a cell, why, and how to see it by hand",
        "report" => "draws a record in any format, joins shards, accepts findings",
        "diff" => "what changed between two runs or two scans",
        "list" => "what there is: backends, clients, gateways, suites, presets …",
        "serve" => "keeps backends up until ctrl-c, with a page and a control API",
        "scan" => "what servers accept, and how each gateway would fare with them",
        "certs" => "writes certificates, sound and flawed ones, into a folder",
        "what-if" => "what would change between two settings, by the model",
        "azure" => "settings of an API Management service as a profile, and back",
        "init" => "looks at what lies here and writes a gauntlet.toml",
        "routes" => "the routes that a gateway elsewhere has to have",
        "discover" => "measures what a gateway does where gateways differ",
        _ => "",
    }
}

/// The help of the whole program, in groups.
pub(super) fn grouped(command: Command) -> Command {
    let mut text = String::from("{about}\n\n{usage-heading} {usage}\n");
    for (title, commands, example) in GROUPS {
        let _ = write!(text, "\n{title}\n");
        for name in *commands {
            let _ = writeln!(text, "  {name:<9} {}", about(name));
        }
        let _ = writeln!(text, "            $ {example}");
    }
    text.push_str(
        "\n`gauntlet COMMAND --help` has the options of each; --color WHEN, --version.{after-help}",
    );
    command.help_template(text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_command_that_is_shown_is_in_one_group() {
        let command = Cli::command();
        let shown = command.get_subcommands().filter(|one| !one.is_hide_set()).map(Command::get_name);
        let mut shown: Vec<_> = shown.collect();
        let mut grouped: Vec<_> =
            GROUPS.iter().flat_map(|(_, commands, _)| commands.iter().copied()).collect();
        shown.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(shown, grouped);
        assert!(grouped.iter().all(|name| !about(name).is_empty()));
    }

    #[test]
    fn the_help_fits_one_screen() {
        let help = grouped(Cli::command()).render_help().to_string();
        assert!(help.lines().count() <= 40, "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    }
}
