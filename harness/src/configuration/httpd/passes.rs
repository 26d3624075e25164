//! The directives of httpd that pass requests on, and the URLs that lead to each.

use super::{
    super::Configuration,
    Scope,
    directives::Directive,
    legs,
    pass::{Pass, Pattern, Rank},
    server::Server,
};

/// Adds the legs of a server.
pub(super) fn read(scope: &Scope<'_>, server: &Server, configuration: &mut Configuration) {
    let mut all = Vec::new();
    for block in scope.blocks.iter().rev() {
        of_block(block, scope, &mut all, configuration);
    }
    configuration.bound(&mut all, |pass| pass.directive.at.clone());
    let order = |number: usize, pass: &Pass<'_>| {
        // Of several sections the last one wins, of all else the first.
        (pass.rank, if pass.rank == Rank::Section { usize::MAX - number } else { number })
    };
    let chosen = |path: &str| {
        let fitting = all.iter().enumerate().filter(|(_, pass)| pass.pattern.matches(path));
        fitting.min_by_key(|(number, pass)| order(*number, pass)).map(|(number, _)| number)
    };
    for (number, pass) in all.iter().enumerate().filter(|(_, pass)| pass.url != "!") {
        match pass.pattern.tries().into_iter().find(|path| chosen(path) == Some(number)) {
            Some(path) => legs::add(scope, server, pass, &path, configuration),
            None => {
                let what = format!("no URL was found that leads to this {}", pass.directive.written);
                configuration.problem(&pass.directive.at, what);
            }
        }
    }
    for (name, what) in [
        ("proxyremote", "backends are reached through another proxy"),
        ("proxyremotematch", "backends are reached through another proxy"),
    ] {
        if let Some(directive) = scope.find(name) {
            configuration.problem(&directive.at, what);
        }
    }
    if let Some(directive) = scope.find("proxyrequests").filter(|_| scope.is_on("proxyrequests")) {
        configuration.problem(&directive.at, "a forward proxy: its clients choose the backend");
    }
}

fn of_block<'a>(
    block: &'a [Directive],
    scope: &Scope<'a>,
    all: &mut Vec<Pass<'a>>,
    configuration: &mut Configuration,
) {
    for (number, directive) in block.iter().enumerate() {
        match directive.name.as_str() {
            "proxypass" => all.push(Pass {
                directive,
                rank: Rank::Server,
                pattern: Pattern::Prefix(directive.first().to_owned()),
                url: directive.argument(1),
                parameters: directive.arguments.get(2..).unwrap_or_default(),
            }),
            "proxypassmatch" => all.push(Pass {
                directive,
                rank: Rank::Server,
                pattern: Pattern::expression(directive.first()),
                url: directive.argument(1),
                parameters: directive.arguments.get(2..).unwrap_or_default(),
            }),
            "rewriterule" if passes_on(directive) && scope.is_on("rewriteengine") => {
                let conditional = number > 0 && block[number - 1].name == "rewritecond";
                if conditional {
                    configuration.problem(&directive.at, "the rule applies only under its RewriteCond");
                    continue;
                }
                all.push(Pass {
                    directive,
                    rank: Rank::Rewrite,
                    pattern: Pattern::expression(directive.first()),
                    url: directive.argument(1),
                    parameters: &[],
                });
            }
            "location" | "locationmatch" => of_location(directive, all, configuration),
            "if" | "elseif" | "else" | "directory" | "directorymatch" | "files" | "filesmatch" => {
                conditional(directive, directive, configuration);
            }
            _ => {}
        }
    }
}

/// The pass of a section `<Location>`.
fn of_location<'a>(section: &'a Directive, all: &mut Vec<Pass<'a>>, configuration: &mut Configuration) {
    let (path, expression) = match (section.name.as_str(), section.first()) {
        ("location", "~") => (section.argument(1), true),
        (name, path) => (path, name == "locationmatch"),
    };
    let wildcard = !expression && path.contains(['*', '?', '[']);
    let pattern = || if expression { Pattern::expression(path) } else { Pattern::Prefix(path.to_owned()) };
    for directive in section.inside() {
        let (url, parameters) = match directive.name.as_str() {
            "proxypass" | "proxypassmatch" => {
                (directive.first(), directive.arguments.get(1..).unwrap_or_default())
            }
            "sethandler" => match directive.first().strip_prefix("proxy:") {
                Some(url) => (url, &[][..]),
                None => continue,
            },
            "rewriterule" if passes_on(directive) => {
                configuration.problem(&directive.at, "a RewriteRule within a section is not read");
                continue;
            }
            _ => {
                conditional(directive, directive, configuration);
                continue;
            }
        };
        if wildcard {
            configuration.problem(&section.at, format!("no URL was found for the pattern {path}"));
            continue;
        }
        all.push(Pass { directive, rank: Rank::Section, pattern: pattern(), url, parameters });
    }
}

/// Names what is passed on only under a condition that the URL does not decide.
fn conditional(section: &Directive, condition: &Directive, configuration: &mut Configuration) {
    for directive in section.inside() {
        let passes = match directive.name.as_str() {
            "proxypass" | "proxypassmatch" => true,
            "sethandler" => directive.first().starts_with("proxy:"),
            "rewriterule" => passes_on(directive),
            _ => false,
        };
        if passes {
            let what = format!(
                "{} applies only under <{} {}>",
                directive.written,
                condition.written,
                condition.arguments.join(" ")
            );
            configuration.problem(&directive.at, what);
        }
        conditional(directive, condition, configuration);
    }
}

/// Whether a `RewriteRule` has the flag P.
fn passes_on(rule: &Directive) -> bool {
    let flags = rule.argument(2).trim_start_matches('[').trim_end_matches(']');
    flags.split(',').any(|flag| matches!(flag.trim(), "P" | "proxy"))
}
