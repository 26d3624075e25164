//! Folders of the world that belong to another user, made writable: without root, nothing that belongs to one of the machine's
//! users can be changed, not even in a layer (`user_namespaces(7)`).

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use rustix::{
    fs::{Access, access},
    mount::{MountFlags, mount, mount_bind},
};

/// Where what a folder holds is copied to: in memory, and the world's own.
const MEMORY: &str = "/dev/shm";

/// How many folders were copied.
static COPIED: AtomicUsize = AtomicUsize::new(0);

/// Makes a folder, and lets files be made in it.
pub(super) fn folder(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("/"));
    if access(there, Access::WRITE_OK).is_err() {
        let copy = Path::new(MEMORY).join(format!("gauntlet-{}", COPIED.fetch_add(1, Ordering::Relaxed)));
        copy_of(there, &copy)?;
        mount_bind(&copy, there)?;
    }
    fs::create_dir_all(folder)
}

/// Makes a folder, or covers what there is with an empty one.
pub(super) fn emptied(folder: &Path) -> io::Result<()> {
    self::folder(folder)?;
    mount("tmpfs", folder, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=755")?;
    Ok(())
}

fn copy_of(folder: &Path, copy: &Path) -> io::Result<()> {
    fs::create_dir(copy)?;
    for entry in fs::read_dir(folder)?.flatten() {
        let (from, to) = (entry.path(), copy.join(entry.file_name()));
        let kind = entry.file_type()?;
        let copied = if kind.is_dir() {
            copy_of(&from, &to)
        } else if kind.is_symlink() {
            fs::read_link(&from).and_then(|target| symlink(target, &to))
        } else if kind.is_file() {
            fs::copy(&from, &to).map(drop)
        } else {
            Ok(())
        };
        match copied {
            // The gateway, which has no more rights, cannot read it either.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            copied => copied?,
        }
    }
    Ok(())
}
