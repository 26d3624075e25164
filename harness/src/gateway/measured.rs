//! A gateway's folder with the claims that were measured in place of those it had.

use std::{fs, io, path::Path};

use serde::Serialize;
use tls_gauntlet_scenarios::Claims;

use super::{
    error::GatewayError,
    folder::Folder,
    manifest::{ImageSource, Manifest, VersionNumber},
};

/// Writes a copy of the folder. Entries for older versions go where they are about the version that was measured.
pub(super) fn copy(
    folder: &Folder,
    version: Option<&VersionNumber>,
    claims: &Claims,
    notes: &[String],
    to: &Path,
) -> Result<(), GatewayError> {
    for file in folder.files()? {
        write(&to.join(&file), &folder.read(&file)?)?;
    }
    let text = folder.read(MANIFEST)?;
    let parsed = Manifest::parse(MANIFEST, &text)?;
    if let Some(ImageSource::Build(below)) = parsed.container.as_ref().map(|container| &container.source) {
        let to = to.join(below);
        copy_all(&folder.path().join(below), &to)
            .map_err(|source| GatewayError::Write { path: to, source })?;
    }
    let mut text = replace_claims(&text, &render(claims, notes));
    if let Some(version) = version
        && parsed.version.iter().any(|older| older.is_about(version))
    {
        let known = parsed.clone();
        let resolved = parsed.for_version(version);
        let more = More {
            impossible: resolved.impossible[known.impossible.len()..].to_vec(),
            deviation: resolved.deviation[known.deviation.len()..].to_vec(),
        };
        text = format!("{}\n{}", cut(&text, "version").0.trim_end(), toml(&more));
    }
    let file = to.join(MANIFEST);
    let written = Manifest::parse(&file.display().to_string(), &text)?;
    if written.claims != *claims {
        return Err(GatewayError::Manifest {
            file: folder.path().join(MANIFEST).display().to_string(),
            line: 1,
            column: 1,
            message:
                "its claims cannot be told from the rest; write them as [claims] and [[claims.…]] tables"
                    .to_owned(),
        });
    }
    write(&file, &text)
}

/// Makes the copy of a shipped folder one of the version beside others that was measured: what it is called, and which
/// program it is.
pub(super) fn keep_to_version(of: &Manifest, to: &Path) -> Result<(), GatewayError> {
    let file = to.join(MANIFEST);
    let text =
        fs::read_to_string(&file).map_err(|source| GatewayError::Read { path: file.clone(), source })?;
    if Manifest::parse(MANIFEST, &text)?.name == of.name {
        return Ok(());
    }
    let mut table = "";
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        table = header(line).unwrap_or(table);
        let said = match (table, line.split_once(" = ").map(|(key, _)| key)) {
            ("", Some("name")) => format!("name = {:?}\n", of.name),
            ("program", Some("names")) => format!("names = {:?}\n", of.program.names),
            ("program", Some("paths")) => format!("paths = {:?}\n", of.program.paths),
            ("program", Some("variable")) => String::new(),
            ("program", Some("install")) => {
                of.program.install.iter().map(|command| format!("install = {command:?}\n")).collect()
            }
            _ => line.to_owned(),
        };
        kept.push_str(&said);
    }
    write(&file, &kept)
}

/// Writes a folder for a gateway that has none: enough for `--claims`.
pub(super) fn claims_alone(
    name: &str,
    claims: &Claims,
    notes: &[String],
    to: &Path,
) -> Result<(), GatewayError> {
    let text = format!(
        "name = {name:?}\nsummary = \"Measured from outside.\"\n\n# It is not started from here: only its claims \
         count, as in --gateway https://host:port --claims DIR.\n[program]\nnames = []\nversion = {{ args = [], \
         pattern = \"\" }}\n\n[run]\nfiles = {{}}\nstart = []\n\n{}",
        render(claims, notes)
    );
    write(&to.join(MANIFEST), &text)
}

const MANIFEST: &str = "gateway.toml";

fn write(file: &Path, text: &str) -> Result<(), GatewayError> {
    fs::write(file, text).map_err(|source| GatewayError::Write { path: file.to_owned(), source })
}

/// What an image is built from, folders and all.
fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_all(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

/// The claims as a part of `gateway.toml`.
pub(super) fn render(claims: &Claims, notes: &[String]) -> String {
    #[derive(Serialize)]
    struct Part<'a> {
        claims: &'a Claims,
    }
    let text = toml(&Part { claims });
    let notes: String = notes.iter().flat_map(|note| ["# ", note, "\n"]).collect();
    // The listener's table may be the first that is written.
    match text.strip_prefix("[claims]\n") {
        Some(rest) => format!("[claims]\n{notes}{rest}"),
        None => format!("[claims]\n{notes}\n{text}"),
    }
}

fn toml(part: &impl Serialize) -> String {
    toml::to_string(part).unwrap_or_default()
}

#[derive(Serialize)]
struct More {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    impossible: Vec<super::manifest::Impossible>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deviation: Vec<tls_gauntlet_scenarios::Deviation>,
}

fn replace_claims(text: &str, claims: &str) -> String {
    let (rest, place) = cut(text, "claims");
    let (before, after) = rest.split_at(place);
    format!("{}\n\n{}\n\n{}", before.trim_end(), claims.trim_end(), after.trim_start())
}

/// The text without the tables of this name, and the place where the first of them was.
fn cut(text: &str, name: &str) -> (String, usize) {
    let mut kept = String::new();
    let mut place = None;
    // A comment before a header belongs to that table.
    let mut comments = String::new();
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        if let Some(header) = header(line) {
            inside = header == name || header.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
            if inside {
                place = place.or(Some(kept.len()));
            } else {
                kept.push_str(&comments);
            }
            comments.clear();
        } else if line.starts_with('#') || line.trim().is_empty() {
            comments.push_str(line);
            continue;
        } else {
            if !inside {
                kept.push_str(&comments);
            }
            comments.clear();
        }
        if !inside {
            kept.push_str(line);
        }
    }
    kept.push_str(&comments);
    let place = place.unwrap_or(kept.len());
    (kept, place)
}

/// The name of the table that begins with this line.
fn header(line: &str) -> Option<&str> {
    let line = line.split('#').next()?.trim();
    let name = line.strip_prefix('[')?.strip_suffix(']')?;
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)).then_some(name)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::{super::program::Program, *};

    fn measured() -> Claims {
        Claims { follows_renegotiation: Some(false), ..Claims::default() }
    }

    #[test]
    fn the_claims_of_every_shipped_folder_can_be_replaced() {
        for name in Folder::names() {
            let shipped = Folder::shipped(name).unwrap();
            let to = TempDir::new().unwrap();
            copy(&shipped, None, &measured(), &["Measured.".to_owned()], to.path()).unwrap();
            let own = Folder::Own(to.path().to_owned());
            let (mut before, mut after) = (shipped.files().unwrap(), own.files().unwrap());
            before.sort();
            after.sort();
            assert_eq!(before, after);
            let parse = |folder: &Folder| Manifest::parse(name, &folder.read(MANIFEST).unwrap()).unwrap();
            let (before, after) = (parse(&shipped), parse(&own));
            assert_eq!(after.claims, measured(), "{name}");
            let rest =
                |manifest: Manifest| format!("{:?}", Manifest { claims: Claims::default(), ..manifest });
            assert_eq!(rest(before), rest(after));
        }
    }

    #[test]
    fn a_copy_of_a_version_beside_others_is_of_that_version() {
        for name in Folder::names() {
            let shipped = Folder::shipped(name).unwrap();
            let program = Program::open_version(shipped, "0.1").unwrap();
            let to = TempDir::new().unwrap();
            copy(&program.folder, None, &measured(), &[], to.path()).unwrap();
            keep_to_version(&program.manifest, to.path()).unwrap();
            let text = fs::read_to_string(to.path().join(MANIFEST)).unwrap();
            let written = Manifest::parse(MANIFEST, &text).unwrap();
            assert_eq!(written.name, format!("{name}@0.1"));
            assert_eq!(format!("{:?}", written.program), format!("{:?}", program.manifest.program));
        }
    }

    #[test]
    fn what_is_said_of_older_versions_is_said_of_the_one_that_was_measured() {
        let text = "name = \"mine\"\nsummary = \"Mine.\"\n[program]\nnames = []\nversion = { args = [], pattern = '' \
                    }\n[run]\nfiles = {}\nstart = []\n\n# Old words.\n[claims]\nfollows-renegotiation = \
                    true\n[claims.listener]\nplain-http = \"close\"\n\n# A line.\n[[log]]\npattern = 'a'\ncause = \
                    \"reset\"\n[[version]]\nbefore = \"2\"\nclaims = { follows-renegotiation = true }\nimpossible = \
                    [{ upstream = \"legacy\", because = \"too old\" }]\n";
        let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        fs::write(from.path().join(MANIFEST), text).unwrap();
        let folder = Folder::Own(from.path().to_owned());
        copy(&folder, Some(&"1.9".parse().unwrap()), &measured(), &["New words.".to_owned()], to.path())
            .unwrap();
        let written = fs::read_to_string(to.path().join(MANIFEST)).unwrap();
        let manifest = Manifest::parse(MANIFEST, &written).unwrap().for_version(&"1.9".parse().unwrap());
        assert_eq!(manifest.claims, measured());
        assert_eq!(manifest.impossible.len(), 1);
        assert!(
            written.contains("# A line.\n[[log]]") && written.contains("[claims]\n# New words.\n"),
            "{written}"
        );
        assert!(!written.contains("Old words"), "{written}");
    }

    #[test]
    fn what_its_image_is_built_from_goes_with_the_copy() {
        let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let text = "name = \"mine\"\nsummary = \"Mine.\"\n[container]\nbuild = \"image\"\n[program]\nversion = { args \
                    = [], pattern = '' }\n[run]\nfiles = {}\nstart = []\n[claims]\n";
        fs::write(from.path().join(MANIFEST), text).unwrap();
        fs::create_dir_all(from.path().join("image/files")).unwrap();
        fs::write(from.path().join("image/files/program"), "\u{7f}ELF").unwrap();
        copy(&Folder::Own(from.path().to_owned()), None, &measured(), &[], to.path()).unwrap();
        assert_eq!(fs::read_to_string(to.path().join("image/files/program")).unwrap(), "\u{7f}ELF");
    }

    #[test]
    fn claims_alone_make_a_folder_that_can_be_named() {
        let to = TempDir::new().unwrap();
        claims_alone("https://127.0.0.1:8443", &measured(), &[], to.path()).unwrap();
        let text = fs::read_to_string(to.path().join(MANIFEST)).unwrap();
        assert_eq!(Manifest::parse(MANIFEST, &text).unwrap().claims, measured());
    }
}
