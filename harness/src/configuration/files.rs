//! The files of a configuration: by path, from the disk or from a map, with globs and bounds.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Component, Path, PathBuf},
    process::Command,
    sync::Arc,
};

use globset::{GlobBuilder, GlobMatcher};

use super::{At, MOST_BYTES, MOST_LINES, Unreadable};

/// How many files may include one another; nginx and httpd stop at 10 and 128.
const DEEPEST: usize = 32;

/// Where the text of a configuration comes from.
pub trait Files {
    /// The text of a file.
    ///
    /// # Errors
    ///
    /// When there is no such file, when it cannot be read or is too large, or when its path leads out of the place it
    /// belongs to.
    fn text(&self, path: &str) -> io::Result<String>;

    /// What the vendor's program makes of a file in a language of its own: `caddy adapt`.
    ///
    /// # Errors
    ///
    /// When there is no program to ask, or when it refuses the file.
    fn adapted(&self, path: &str) -> io::Result<String> {
        Err(io::Error::new(io::ErrorKind::Unsupported, format!("there is no program that adapts {path}")))
    }

    /// The names in a folder, in the order of their bytes; none if there is no such folder.
    fn names(&self, folder: &str) -> Vec<String>;
}

/// Files in memory, for tests: path and text; an adapted file has the extension `json` after its own.
#[derive(Debug, Clone, Default)]
pub struct InMemory(pub BTreeMap<String, String>);

impl Files for InMemory {
    fn text(&self, path: &str) -> io::Result<String> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn adapted(&self, path: &str) -> io::Result<String> {
        self.text(&format!("{path}.json"))
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let folder = folder.trim_end_matches('/');
        let below = self.0.keys().filter_map(|path| path.strip_prefix(folder)?.strip_prefix('/'));
        let mut names: Vec<String> =
            below.map(|rest| rest.split('/').next().unwrap_or(rest).to_owned()).collect();
        names.dedup();
        names
    }
}

/// The files of the disk; folders of a repository can stand for those of production.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    places: Vec<(PathBuf, PathBuf)>,
    program: Option<PathBuf>,
}

impl Disk {
    /// The files as they lie on this machine.
    #[must_use]
    pub fn as_it_is() -> Self {
        Self::default()
    }

    /// These files, with what lies under `here` in the place of `production`; nothing under it may lead out of `here`.
    #[must_use]
    pub fn with(mut self, production: impl Into<PathBuf>, here: impl Into<PathBuf>) -> Self {
        self.places.push((production.into(), here.into()));
        self
    }

    /// The same, with a `caddy` that adapts Caddyfiles.
    #[must_use]
    pub fn asking(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Where a path of production lies here.
    ///
    /// # Errors
    ///
    /// When the path, or a symbolic link on its way, leads out of the folder that stands for its place.
    pub fn place(&self, path: &str) -> io::Result<PathBuf> {
        let plain = normal(path);
        let place = self.places.iter().find_map(|(from, to)| Some((plain.strip_prefix(from).ok()?, to)));
        let Some((rest, folder)) = place else { return Ok(PathBuf::from(path)) };
        let found = folder.join(rest);
        let inside = fs::canonicalize(&found)
            .map_or(Ok(true), |real| fs::canonicalize(folder).map(|folder| real.starts_with(folder)))?;
        if inside {
            Ok(found)
        } else {
            Err(io::Error::other(format!("it leads out of {}", folder.display())))
        }
    }
}

impl Files for Disk {
    fn text(&self, path: &str) -> io::Result<String> {
        let file = self.place(path)?;
        let facts = fs::metadata(&file)?;
        // A pipe or a device would never end.
        if !facts.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if facts.len() > MOST_BYTES as u64 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let bytes = fs::read(file)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    fn adapted(&self, path: &str) -> io::Result<String> {
        let none = || {
            io::Error::new(io::ErrorKind::Unsupported, "caddy is not here, and only it can read a Caddyfile")
        };
        let program = self.program.as_ref().ok_or_else(none)?;
        let file = self.place(path)?;
        let asked =
            Command::new(program).args(["adapt", "--adapter", "caddyfile", "--config"]).arg(file).output()?;
        if asked.status.success() {
            return Ok(String::from_utf8_lossy(&asked.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&asked.stderr);
        let last = said.lines().last().unwrap_or_default();
        Err(io::Error::other(last.trim_start_matches("Error: ").to_owned()))
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = self.place(folder).and_then(fs::read_dir) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

/// A path without `.` and `..`.
fn normal(path: &str) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

/// A path of a file's text, made absolute by a folder.
pub(super) fn resolve(folder: &str, path: &str) -> String {
    if path.starts_with('/') || folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

/// The folder that a file lies in; empty for a file of the folder that we are in.
pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether a path is a pattern for several files.
pub(super) fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// The text of a file, and the name by which its lines are told.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) file: Arc<str>,
    pub(super) text: String,
}

impl Text {
    pub(super) fn at(&self, line: usize) -> At {
        At { file: Arc::clone(&self.file), line }
    }
}

/// The texts of one configuration, counted.
pub(super) struct Texts<'a> {
    files: &'a dyn Files,
    lines: usize,
    bytes: usize,
    /// The files that are being read, outermost first.
    open: Vec<String>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(files: &'a dyn Files) -> Self {
        Self { files, lines: 0, bytes: 0, open: Vec::new() }
    }

    /// The text of a file, which counts against the bounds of the whole configuration.
    pub(super) fn read(&mut self, path: &str) -> Result<Text, Unreadable> {
        let text = self.files.text(path).map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => Unreadable::Bytes { path: path.to_owned() },
            _ => Unreadable::File { path: path.to_owned(), source },
        })?;
        self.bytes += text.len();
        self.lines += text.lines().count();
        if self.bytes > MOST_BYTES {
            return Err(Unreadable::Bytes { path: path.to_owned() });
        }
        if self.lines > MOST_LINES {
            return Err(Unreadable::Lines { path: path.to_owned() });
        }
        Ok(Text { file: path.into(), text })
    }

    /// What the vendor's program makes of a file.
    pub(super) fn adapted(&self, path: &str) -> Result<Text, Unreadable> {
        let text =
            self.files.adapted(path).map_err(|source| Unreadable::File { path: path.to_owned(), source })?;
        Ok(Text { file: path.into(), text })
    }

    /// Does something with a file that another includes; one that is open already is a circle.
    pub(super) fn within<T>(
        &mut self,
        path: &str,
        from: Option<&At>,
        read: impl FnOnce(&mut Self, &Text) -> Result<T, Unreadable>,
    ) -> Result<T, Unreadable> {
        if let Some(at) = from
            && (self.open.iter().any(|open| open == path) || self.open.len() >= DEEPEST)
        {
            return Err(Unreadable::Loop { at: at.clone(), path: path.to_owned() });
        }
        let text = self.read(path)?;
        self.open.push(path.to_owned());
        let done = read(self, &text);
        self.open.pop();
        done
    }

    /// Whether there is a file or a folder of that name.
    pub(super) fn exists(&self, path: &str) -> bool {
        self.files.text(path).is_ok() || !self.names(path).is_empty()
    }

    /// The names in a folder; none if it is a file.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        self.files.names(folder)
    }

    /// The files that a pattern names, in the order of their bytes: as glob(3), a star does not match a slash or a dot at
    /// the beginning.
    pub(super) fn glob(&self, pattern: &str) -> Vec<String> {
        let mut found = vec![String::new()];
        for (number, part) in pattern.split('/').enumerate() {
            let slash = if number == 0 { "" } else { "/" };
            found = match matcher(part) {
                None => found.into_iter().map(|so_far| format!("{so_far}{slash}{part}")).collect(),
                Some(matcher) => {
                    let names = |so_far: String| {
                        let folder = if so_far.is_empty() && number == 0 { "." } else { so_far.as_str() };
                        let mut names = self.files.names(if folder.is_empty() { "/" } else { folder });
                        names.retain(|name| {
                            matcher.is_match(name) && name.starts_with('.') == part.starts_with('.')
                        });
                        names.into_iter().map(move |name| format!("{so_far}{slash}{name}"))
                    };
                    found.into_iter().flat_map(names).take(MOST_LINES).collect()
                }
            };
        }
        found
    }
}

fn matcher(part: &str) -> Option<GlobMatcher> {
    let glob = is_pattern(part).then(|| GlobBuilder::new(part).literal_separator(true).build())?;
    glob.ok().map(|glob| glob.compile_matcher())
}
