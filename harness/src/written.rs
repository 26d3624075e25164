//! Files that are written whole or not at all: beside their place, synced, and renamed into it. What was there before stays until
//! then, whatever happens: a full disk, a signal, a loss of power.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// The mode of a new file, from which the umask takes.
const NEW: u32 = 0o666;

/// Puts this content into the place of whatever the path names. What is no file (a pipe, a terminal) is written to.
pub(crate) fn whole(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    let there = fs::metadata(path);
    if there.as_ref().is_ok_and(|facts| !facts.is_file()) {
        return fs::write(path, content);
    }
    // A link stays a link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = there.map_or(NEW, |facts| facts.permissions().mode() & 0o777);
    let mut beside = tempfile::Builder::new()
        .prefix(".gauntlet-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    beside.write_all(content.as_ref())?;
    beside.as_file().sync_all()?;
    beside.persist(path)?;
    // The name as well; some file systems cannot, and then it comes when it comes.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Whether the file could be written, without writing it.
pub(crate) fn can_be(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(facts) if facts.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(facts) if !facts.is_file() => Ok(()),
        Ok(_) | Err(_) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            tempfile::tempfile_in(folder.unwrap_or(Path::new("."))).map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_keeps_its_mode_and_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("run.json"), folder.path().join("latest"));
        whole(&file, "one").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let open_before = File::open(&file).unwrap();
        whole(&link, "two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(link.is_symlink());
        assert_eq!(io::read_to_string(open_before).unwrap(), "one", "who reads it reads on");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
    }

    #[test]
    fn what_was_there_stays_if_it_cannot_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("dir");
        fs::create_dir(&dir).unwrap();
        assert!(whole(&dir, "x").is_err() && can_be(&dir).is_err());
        assert!(can_be(&folder.path().join("absent/file")).is_err());
        assert!(can_be(&folder.path().join("file")).is_ok());
        whole(Path::new("/dev/null"), "x").unwrap();
    }
}
