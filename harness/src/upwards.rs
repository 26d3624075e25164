//! Files that are looked for in the working directory and in the folders above it, as a project's own tools are.
//!
//! What is found there is run, or decides what is run. So it is taken only if it belongs to the caller or to root and lies in
//! folders that nobody else can write, and not from above the root of the repository: git's rule since CVE-2022-24765.

use std::{
    env, fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::process::{getegid, geteuid};

/// The result of a search.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    /// The nearest file that may be taken.
    pub(crate) found: Option<Found>,
    /// Nearer ones that may not.
    pub(crate) passed_over: Vec<PassedOver>,
}

/// A file that may be taken.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// How many folders above the working directory it was found.
    pub(crate) above: usize,
}

/// A file that is there and was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PassedOver {
    path: PathBuf,
    because: String,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was not taken: {}", self.path.display(), self.because)
    }
}

/// Looks for a relative path in the working directory, and in each folder above it. `fits` says whether what is there is a
/// file of the kind that is wanted.
pub(crate) fn search(relative: &Path, fits: impl Fn(&Path) -> bool) -> Search {
    env::current_dir().map(|here| search_from(&here, relative, fits)).unwrap_or_default()
}

fn search_from(here: &Path, relative: &Path, fits: impl Fn(&Path) -> bool) -> Search {
    let mut search = Search::default();
    let mut repository: Option<&Path> = None;
    for (above, folder) in here.ancestors().enumerate() {
        let path = folder.join(relative);
        if fits(&path) {
            let because = match repository {
                Some(root) => Some(format!("it is above the repository {}", root.display())),
                None => strange(folder, &path),
            };
            let Some(because) = because else {
                search.found = Some(Found { path, above });
                return search;
            };
            search.passed_over.push(PassedOver { path, because });
        }
        if repository.is_none() && folder.join(".git").exists() {
            repository = Some(folder);
        }
    }
    search
}

/// Why a file below this folder may be somebody else's, if it may.
fn strange(folder: &Path, path: &Path) -> Option<String> {
    let checked = || -> io::Result<Option<String>> {
        let between = path.ancestors().take_while(|above| *above != folder);
        for part in between.chain([folder]) {
            if let Some(because) = of_somebody_else(part)? {
                return Ok(Some(because));
            }
        }
        // A link may lead out of the folder.
        let real = fs::canonicalize(path)?;
        let beside = real.parent().unwrap_or(&real);
        Ok(of_somebody_else(&real)?.or(of_somebody_else(beside)?))
    };
    checked().unwrap_or_else(|error| Some(error.to_string()))
}

fn of_somebody_else(path: &Path) -> io::Result<Option<String>> {
    const GROUP: u32 = 0o020;
    const OTHERS: u32 = 0o002;
    const ROOT: u32 = 0;
    for facts in [fs::symlink_metadata(path)?, fs::metadata(path)?] {
        let owner = facts.uid();
        if owner != ROOT && owner != geteuid().as_raw() {
            return Ok(Some(format!("{} belongs to user {owner}", path.display())));
        }
        // Where each user has a group of their own, files are writable for it (umask 002).
        let own_group = facts.gid() == ROOT || facts.gid() == getegid().as_raw();
        let writable = facts.mode() & OTHERS != 0 || (facts.mode() & GROUP != 0 && !own_group);
        if writable && !facts.is_symlink() {
            return Ok(Some(format!("others can write {}", path.display())));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    const FILE: &str = "target/tool";

    /// A folder with the file, and a folder deep below it.
    fn project() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir_all(folder.path().join("target")).unwrap();
        fs::write(folder.path().join(FILE), "").unwrap();
        (folder, deep)
    }

    fn found(here: &Path) -> Result<usize, String> {
        let search = search_from(here, Path::new(FILE), Path::is_file);
        let passed: Vec<_> = search.passed_over.iter().map(ToString::to_string).collect();
        search.found.map(|found| found.above).ok_or(passed.join("\n"))
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_file_of_the_caller_is_found_above() {
        let (_folder, deep) = project();
        assert_eq!(found(&deep), Ok(2));
    }

    #[test]
    fn a_place_that_others_can_write_is_passed_over() {
        for part in ["", "target", FILE] {
            let (folder, deep) = project();
            mode(&folder.path().join(part), 0o777);
            let said = found(&deep).unwrap_err();
            let path = folder.path().display();
            assert!(
                said.starts_with(&format!("{path}/{FILE} was not taken: others can write {path}")),
                "{said}"
            );
        }
    }

    #[test]
    fn a_link_is_followed_to_what_it_names() {
        let (folder, deep) = project();
        let (other, _) = project();
        fs::remove_file(folder.path().join(FILE)).unwrap();
        std::os::unix::fs::symlink(other.path().join(FILE), folder.path().join(FILE)).unwrap();
        assert_eq!(found(&deep), Ok(2));
        mode(&other.path().join("target"), 0o777);
        assert!(found(&deep).unwrap_err().contains("others can write"));
    }

    #[test]
    fn nothing_is_taken_from_above_the_repository() {
        let (folder, deep) = project();
        fs::create_dir(folder.path().join(".git")).unwrap();
        assert_eq!(found(&deep), Ok(2), "its root is still the repository");
        fs::create_dir(deep.join(".git")).unwrap();
        assert!(found(&deep).unwrap_err().contains("it is above the repository"));
    }

    #[test]
    fn a_file_of_another_user_is_passed_over() {
        let (folder, deep) = project();
        // Only root can give a file away.
        if chown(folder.path().join(FILE), Some(12345), None).is_ok() {
            assert!(found(&deep).unwrap_err().ends_with("belongs to user 12345"));
        }
    }
}
