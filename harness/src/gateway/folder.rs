//! Where a gateway's files come from: the ones that ship with Gauntlet, or a folder of the user's own.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use include_dir::{Dir, include_dir};

use super::error::GatewayError;

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/gateways");

/// A folder with a `gateway.toml` and its templates.
#[derive(Debug, Clone)]
pub(super) enum Folder {
    /// Compiled in.
    Shipped(&'static Dir<'static>),
    /// On this machine.
    Own(PathBuf),
}

impl Folder {
    /// The shipped folder of this name.
    pub(super) fn shipped(name: &str) -> Option<Self> {
        SHIPPED.get_dir(name).map(Self::Shipped)
    }

    /// The names of the shipped folders.
    pub(super) fn names() -> Vec<&'static str> {
        let mut names: Vec<_> = SHIPPED.dirs().filter_map(|folder| folder.path().to_str()).collect();
        names.sort_unstable();
        names
    }

    /// One of its files.
    pub(super) fn read(&self, file: &str) -> Result<String, GatewayError> {
        let path = self.path().join(file);
        let text = match self {
            Self::Shipped(folder) => folder
                .get_file(&path)
                .and_then(include_dir::File::contents_utf8)
                .map(str::to_owned)
                .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound)),
            Self::Own(_) => std::fs::read_to_string(&path),
        };
        text.map_err(|source| GatewayError::Read { path, source })
    }

    /// The names of its files; folders in it are not followed.
    pub(super) fn files(&self) -> Result<Vec<String>, GatewayError> {
        let paths: Vec<PathBuf> = match self {
            Self::Shipped(folder) => folder.files().map(|file| file.path().to_owned()).collect(),
            Self::Own(path) => {
                let wrong = |source| GatewayError::Read { path: path.clone(), source };
                let entries: Result<Vec<_>, _> = std::fs::read_dir(path).map_err(wrong)?.collect();
                let paths = entries.map_err(wrong)?.into_iter().map(|entry| entry.path());
                paths.filter(|path| path.is_file()).collect()
            }
        };
        let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// Its path, for messages; that of a shipped one is its name.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Shipped(folder) => folder.path(),
            Self::Own(path) => path,
        }
    }
}

/// A gateway's files stay in its own folder and in that of the run.
pub(super) fn stays_inside(gateway: &str, name: &str) -> Result<(), GatewayError> {
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if plain && !name.is_empty() {
        return Ok(());
    }
    Err(GatewayError::Template {
        gateway: gateway.to_owned(),
        file: format!("\"{name}\""),
        problem: "it leaves the folder; name files and folders below it".to_owned(),
    })
}
