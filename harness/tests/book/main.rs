//! Every command of the book is run, in a fresh folder for each page, and must print what the page shows.
//!
//! A page's `console` blocks are typed into one shell, in their order; a block whose first line names a file
//! (` ```nginx nginx.conf `) is that file. `UPDATE=1` writes into the page what the commands print.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, or says why"
)]

mod page;
mod shell;
mod shown;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use page::{Block, Page};
use rstest::rstest;
use shell::Shell;
use shown::Samples;
use tls_gauntlet::{Gateway, record::GatewayKind};

#[rstest]
fn every_command_does_what_the_page_says(
    #[files("../docs/*.md")]
    #[files("../README.md")]
    path: PathBuf,
) {
    let mut page = Page::read(&path);
    let absent = absent(&page);
    if !absent.is_empty() {
        eprintln!("skipped: {} needs {}", path.display(), absent.join(", "));
        return;
    }
    let update = std::env::var_os("UPDATE").is_some();
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Shell::start(folder.path());
    let mut samples = if page.names_addresses() { Samples::with_own_address() } else { Samples::none() };
    let mut problems = Vec::new();
    for block in &mut page.blocks {
        match block {
            Block::File { name, content } => {
                fs::write(folder.path().join(name), samples.real(&content.join("\n")) + "\n").unwrap();
            }
            Block::Console { commands } => {
                let ends: Vec<_> =
                    commands.iter().skip(1).map(|next| next.text == "echo $?").chain([false]).collect();
                for (command, end_is_shown) in commands.iter_mut().zip(ends) {
                    let (printed, code) = shell.run(&samples.real(&command.text));
                    let fits = command.shown.is_empty() || samples.fit(&command.shown, &printed);
                    if !fits && update && command.text != "echo $?" {
                        command.shown = samples.shown(&printed);
                    } else if !fits {
                        problems.push(format!(
                            "{}:{}: {}\n--- the page shows\n{}\n--- printed\n{printed}",
                            path.display(),
                            command.line,
                            command.text,
                            command.shown.join("\n"),
                        ));
                    }
                    if code != 0 && !end_is_shown {
                        problems.push(format!(
                            "{}:{}: {} ends with {code}\n{printed}",
                            path.display(),
                            command.line,
                            command.text
                        ));
                    }
                }
            }
        }
    }
    if update {
        page.write(&path);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

/// What has to be built before the pages about it are true: `ci/check.sh containers` asks for it.
const IMAGE: &str = "gauntlet-image";

/// Programs of others that the page's commands need and that are not installed.
fn absent(page: &Page) -> Vec<String> {
    let required = std::env::var("GAUNTLET_REQUIRE").unwrap_or_default();
    let required: Vec<&str> = required.split(',').collect();
    let absent: Vec<String> = needed(page).into_iter().filter(|name| !is_there(name)).collect();
    for name in &absent {
        let missing = required.contains(&name.as_str()) || required.contains(&"all");
        assert!(!missing, "{name} is required and not installed");
    }
    absent
}

/// What stands in its commands and is a gateway or a tool.
fn needed(page: &Page) -> BTreeSet<String> {
    const TOOLS: &[&str] = &["bash", "curl", "openssl", "docker", "jq", "python3"];
    let commands = page.blocks.iter().flat_map(|block| match block {
        Block::Console { commands } => commands.iter().map(|command| command.text.clone()).collect(),
        Block::File { content, .. } => content.clone(),
    });
    let text = commands.collect::<Vec<_>>().join("\n");
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "-_./".contains(letter)));
    let mut needed: BTreeSet<String> = ["bash".to_owned()].into();
    for word in words {
        let is_gateway = || {
            Gateway::names().contains(&word)
                && Gateway::resolve(word).is_ok_and(|gateway| gateway.kind() == GatewayKind::Program)
        };
        // Of no use without an engine, and the image of ci/image/build.sh.
        let name = if word == "docker" { IMAGE } else { word };
        if TOOLS.contains(&word) || is_gateway() {
            needed.insert(name.to_owned());
        }
    }
    needed
}

fn is_there(name: &str) -> bool {
    if Gateway::names().contains(&name) {
        return Gateway::resolve(name).is_ok_and(|gateway| gateway.version().is_some());
    }
    let arguments: &[&str] = match name {
        IMAGE => &["image", "inspect", "gauntlet"],
        "openssl" => &["version"],
        _ => &["--version"],
    };
    let mut command = Command::new(if name == IMAGE { "docker" } else { name });
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Nothing that looks like a command of ours is kept from being run by the way it is fenced.
#[rstest]
fn no_command_is_only_written_down(
    #[files("../docs/*.md")]
    #[files("../README.md")]
    path: PathBuf,
) {
    let text = fs::read_to_string(&path).unwrap();
    let mut fence: Option<String> = None;
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(info) = line.strip_prefix("```") {
            fence = if fence.is_none() { Some(info.to_owned()) } else { None };
            continue;
        }
        if let Some(info) = &fence
            && info != "console"
        {
            let typed = line.trim_start().trim_start_matches("$ ");
            assert!(!typed.starts_with("gauntlet "), "{}:{number}: {line}", path.display());
        }
    }
}

/// The page of the file has every key of its schema, and no other.
#[test]
fn the_page_of_the_file_names_every_key() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = fs::read_to_string(root.join("schemas/gauntlet-toml.schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let keys: BTreeSet<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let page = fs::read_to_string(root.join("../docs/gauntlet-toml.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.collect::<BTreeSet<_>>(), keys);
}

/// The index leads to every page, and every link to something that is there.
#[test]
fn the_index_leads_everywhere() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let index = fs::read_to_string(docs.join("README.md")).unwrap();
    for entry in fs::read_dir(&docs).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !name.ends_with(".md") {
            continue;
        }
        assert!(name == "README.md" || index.contains(&format!("({name})")), "{name} is not in the index");
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap();
            let is_ours = !file.is_empty() && !file.contains("://");
            assert!(!is_ours || docs.join(file).exists(), "{name}: {link} leads nowhere");
        }
    }
}
