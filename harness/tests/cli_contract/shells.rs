//! What shells and `man` make of what is written for them.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use rstest::rstest;
use tempfile::tempdir;

use crate::gauntlet::{gauntlet, in_dir};

fn is_there(program: &str) -> bool {
    let there =
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    let required = std::env::var("GAUNTLET_REQUIRE").unwrap_or_default();
    assert!(
        there || !required.split(',').any(|name| name == program),
        "{program} is required and not installed"
    );
    there
}

/// What bash offers for the last word of a line.
fn completed(line: &str) -> Vec<String> {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("script"), gauntlet("completions bash").out).unwrap();
    let words: Vec<_> = line.split(' ').map(|word| format!("'{word}'")).collect();
    let program = format!(
        "source {}/script; COMP_WORDS=({}); COMP_CWORD={}; _gauntlet gauntlet '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        dir.path().display(),
        words.join(" "),
        words.len() - 1,
        line.rsplit(' ').next().unwrap(),
        line.rsplit(' ').nth(1).unwrap(),
    );
    let output = Command::new("bash").args(["--norc", "-c", &program]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[rstest]
#[case("gauntlet ser", "serve")]
#[case("gauntlet run --gateway ngi", "nginx")]
#[case("gauntlet run --suite upst", "upstream")]
#[case("gauntlet run --form", "--format")]
#[case("gauntlet run --format jun", "junit")]
#[case("gauntlet serve expired-le", "expired-leaf")]
#[case("gauntlet explain renegotiation-required-d", "renegotiation-required-dual")]
#[case("gauntlet run --claims ngi", "nginx")]
#[case("gauntlet discover --gateway ngi", "nginx")]
#[case("gauntlet discover --claims ngi", "nginx")]
#[case("gauntlet discover --suite upst", "upstream")]
#[case("gauntlet routes --claims ngi", "nginx")]
#[case("gauntlet routes --suite upst", "upstream")]
#[case("gauntlet report --format jun", "junit")]
#[case("gauntlet explain --gateway ngi", "nginx")]
#[case("gauntlet scan --format mark", "markdown")]
#[case("gauntlet azure impo", "import")]
fn bash_completes_names(#[case] line: &str, #[case] word: &str) {
    if is_there("bash") {
        assert_eq!(completed(line), [word]);
    }
}

/// The other shells read their script without a word of complaint.
#[rstest]
#[case("zsh", &["-n"])]
#[case("fish", &["--no-execute"])]
fn scripts_are_sound(#[case] shell: &str, #[case] only_read: &[&str]) {
    let dir = tempdir().unwrap();
    let script = dir.path().join("script");
    fs::write(&script, gauntlet(&format!("completions {shell}")).out).unwrap();
    if is_there(shell) {
        let output = Command::new(shell).args(only_read).arg(&script).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn every_command_has_a_page_without_fault() {
    let dir = tempdir().unwrap();
    let ran = in_dir(dir.path(), "man --out pages");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let pages: Vec<_> = ran.out.lines().collect();
    for page in ["gauntlet.1", "gauntlet-run.1", "gauntlet-azure-import.1", "gauntlet-man.1"] {
        assert!(pages.contains(&format!("pages/{page}").as_str()), "{pages:?}");
    }
    assert_eq!(gauntlet("man run").out, fs::read_to_string(dir.path().join("pages/gauntlet-run.1")).unwrap());
    assert!(!pages.iter().any(|page| page.ends_with("-help.1")), "{pages:?}");
    for page in &pages {
        let path = dir.path().join(page);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.is_ascii(), "{page}");
        // Name, section, no date, a source, and what it belongs to (`man(7)`).
        let title = text.lines().find(|line| line.starts_with(".TH ")).unwrap();
        let source = concat!(" 1 \"\" \"gauntlet ", env!("CARGO_PKG_VERSION"), "\" Gauntlet");
        assert!(title.ends_with(source), "{page}: {title}");
        if is_there("groff") {
            without_fault(
                Command::new("groff").args(["-man", "-ww", "-z", "-rCHECKSTYLE=3"]).arg(&path),
                page,
            );
        }
        if is_there("mandoc") {
            // That a page has no date is worth a warning to it.
            without_fault(Command::new("mandoc").args(["-T", "lint", "-W", "error"]).arg(&path), page);
        }
    }
}

fn without_fault(command: &mut Command, page: &str) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && told.is_empty(), "{page}: {}", String::from_utf8_lossy(&told));
}

/// Nobody who reads a page in a terminal of 80 columns has to scroll sideways.
#[test]
fn pages_can_be_read() {
    if !is_there("man") {
        return;
    }
    let dir = tempdir().unwrap();
    let page = dir.path().join("gauntlet-run.1");
    fs::write(&page, gauntlet("man run").out).unwrap();
    let read = |page: &Path| {
        let output = Command::new("man")
            .args(["--warnings", "-l"])
            .arg(page)
            .env("MANWIDTH", "80")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = read(&page);
    assert!(text.contains("--gateway <NAME|DIR|URL>") && text.contains("https://…"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}
