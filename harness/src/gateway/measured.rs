//! A gateway's folder with the claims that were measured in place of those it had.

use std::{fs, io, path::Path};

use serde::Serialize;
use tls_gauntlet_scenarios::Claims;
use toml_edit::{Array, DocumentMut, Item, Table, TomlError, value};

use super::{
    error::GatewayError,
    folder::Folder,
    manifest::{ImageSource, Manifest, VersionNumber},
};
use crate::{place::position, written};

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
    let mut document = document(&folder.path().join(MANIFEST), &text)?;
    let mut measured = table(claims, notes);
    let before = document.get("claims").and_then(Item::as_table);
    measured.set_position(before.and_then(Table::position));
    document.insert("claims", Item::Table(measured));
    if let Some(version) = version
        && parsed.version.iter().any(|older| older.is_about(version))
    {
        let known = parsed.clone();
        let resolved = parsed.for_version(version);
        document.remove("version");
        append(&mut document, "unset", &resolved.unset[known.unset.len()..]);
        append(&mut document, "deviation", &resolved.deviation[known.deviation.len()..]);
    }
    write(&to.join(MANIFEST), &document.to_string())
}

/// Makes the copy of a shipped folder one of the version beside others that was measured: what it is called, and which
/// program it is.
pub(super) fn keep_to_version(of: &Manifest, to: &Path) -> Result<(), GatewayError> {
    let file = to.join(MANIFEST);
    let text =
        fs::read_to_string(&file).map_err(|source| GatewayError::Read { path: file.clone(), source })?;
    let mut document = document(&file, &text)?;
    if document.get("name").and_then(Item::as_str) == Some(&of.name) {
        return Ok(());
    }
    document.insert("name", value(&of.name));
    if let Some(program) = document.get_mut("program").and_then(Item::as_table_like_mut) {
        let paths = of.program.paths.iter().map(|path| path.display().to_string());
        program.insert("names", value(Array::from_iter(&of.program.names)));
        program.insert("paths", value(Array::from_iter(paths)));
        program.remove("variable");
        program.remove("install");
        if let Some(install) = &of.program.install {
            program.insert("install", value(install));
        }
    }
    write(&file, &document.to_string())
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
    written::whole(file, text).map_err(|source| GatewayError::Write { path: file.to_owned(), source })
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
    let mut document = DocumentMut::new();
    document.insert("claims", Item::Table(table(claims, notes)));
    document.to_string()
}

/// The claims as a table, the notes as comments below its header.
fn table(claims: &Claims, notes: &[String]) -> Table {
    let mut table = unplaced(claims);
    let notes: String = notes.iter().flat_map(|note| ["\n# ", note]).collect();
    table.set_implicit(false);
    table.decor_mut().set_suffix(notes);
    table
}

/// Adds tables to those of this name.
fn append<T: Serialize>(document: &mut DocumentMut, name: &str, more: &[T]) {
    if more.is_empty() {
        return;
    }
    let known = document.remove(name).and_then(|known| known.into_array_of_tables().ok());
    let mut all = known.unwrap_or_default();
    for one in more {
        all.push(unplaced(one));
    }
    document.insert(name, Item::ArrayOfTables(all));
}

/// A value as a table that stands wherever it is put.
fn unplaced(value: &impl Serialize) -> Table {
    fn unplace(table: &mut Table) {
        table.set_position(None);
        for (_, item) in table.iter_mut() {
            match item {
                Item::Table(table) => unplace(table),
                Item::ArrayOfTables(all) => all.iter_mut().for_each(unplace),
                Item::None | Item::Value(_) => {}
            }
        }
    }
    // Claims and the like are made of words and numbers; there is nothing that TOML could not say.
    let text = toml::to_string(value).unwrap_or_default();
    let document = text.parse::<DocumentMut>().unwrap_or_default();
    let mut table = document.as_table().clone();
    unplace(&mut table);
    table
}

fn document(file: &Path, text: &str) -> Result<DocumentMut, GatewayError> {
    text.parse().map_err(|error: TomlError| {
        let (line, column) = position(text, error.span().map_or(0, |span| span.start));
        let (file, message) = (file.display().to_string(), error.message().to_owned());
        GatewayError::Manifest { file, line, column, message }
    })
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
                    \"reset\"\n[[version]]\nbefore = \"2\"\nclaims = { follows-renegotiation = true }\nunset = \
                    [{ upstream = \"legacy\", because = \"too old\" }]\n";
        let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        fs::write(from.path().join(MANIFEST), text).unwrap();
        let folder = Folder::Own(from.path().to_owned());
        copy(&folder, Some(&"1.9".parse().unwrap()), &measured(), &["New words.".to_owned()], to.path())
            .unwrap();
        let written = fs::read_to_string(to.path().join(MANIFEST)).unwrap();
        let manifest = Manifest::parse(MANIFEST, &written).unwrap().for_version(&"1.9".parse().unwrap());
        assert_eq!(manifest.claims, measured());
        assert_eq!(manifest.unset.len(), 1);
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
