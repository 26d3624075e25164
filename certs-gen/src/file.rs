//! Files that are there whole or not at all, and secret from their first byte.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Error;

/// The readers of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// All users that the umask lets.
    Public,
    /// The owner.
    Private,
}

pub(crate) fn create_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::File {
        doing: "create the folder",
        path: path.to_owned(),
        source,
    })
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::File { doing: "read", path: path.to_owned(), source })
}

/// Writes beside the file and renames, so that a reader sees the old content or the new, never a part.
pub(crate) fn replace(path: &Path, content: &[u8], secrecy: Secrecy) -> Result<(), Error> {
    let written = Draft::create(path, secrecy).and_then(|draft| draft.publish(content, path));
    written.map_err(|source| Error::File { doing: "write", path: path.to_owned(), source })
}

/// A file on its way; removed when dropped unless it has arrived.
struct Draft {
    file: File,
    path: PathBuf,
    has_arrived: bool,
}

impl Draft {
    fn create(target: &Path, secrecy: Secrecy) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = target.with_file_name(format!(".{name}.{}.{count}", std::process::id()));
            match options(secrecy).open(&path) {
                Ok(file) => return Ok(Self { file, path, has_arrived: false }),
                // Somebody has our number: a process that died, or one in another container.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn publish(mut self, content: &[u8], target: &Path) -> io::Result<()> {
        self.file.write_all(content)?;
        fs::rename(&self.path, target)?;
        self.has_arrived = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.has_arrived {
            // A draft that cannot be removed is no worse than the failure that is being reported.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The mode is given when the file is made: a chmod afterwards would leave a moment in which others can open it.
fn options(secrecy: Secrecy) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(
        &mut options,
        match secrecy {
            Secrecy::Public => 0o644,
            Secrecy::Private => 0o600,
        },
    );
    #[cfg(not(unix))]
    let _ = secrecy;
    options
}
