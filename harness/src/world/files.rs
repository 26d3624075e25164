//! The file system of a world: that of the machine, in layers that keep every change in memory (overlayfs), with
//! `/proc`, `/dev` and the files of name resolution made anew.

use std::{
    ffi::CString,
    fs::{self, Permissions},
    io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use rustix::{
    mount::{
        MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, mount_remount,
        unmount,
    },
    process::{chdir, getuid, pivot_root},
};

use super::{For, WorldError};

/// What all changes together may take of the memory.
const CHANGES: &str = "size=1g,mode=755";

/// Made anew, or left empty.
const OF_THE_KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Devices without a state and without a way out.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Everything in `/etc` by which a name could be resolved without asking the world.
const RESOLUTION: [(&str, &str); 3] = [
    ("hosts", "127.0.0.1 localhost\n"),
    ("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:5\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n"),
];

/// Makes the sealed file system in an empty folder, which it covers, and makes it the root of this process.
pub(super) fn seal(scratch: &Path) -> Result<(), WorldError> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .or_cannot(|| "keep mounts to this namespace".to_owned())?;
    // It is not made here: its maker may have been killed since, and then nobody would remove it.
    mount_at("tmpfs", scratch, MountFlags::NOSUID | MountFlags::NODEV, CHANGES)?;
    let mut layers = Layers { scratch, root: scratch.join("root"), mounted: mount_points()?, made: 0 };
    fs::create_dir(&layers.root).or_cannot(|| "make the new root".to_owned())?;
    mount_bind(&layers.root, &layers.root).or_cannot(|| "make the new root a mount point".to_owned())?;
    layers.folder(Path::new("/"))?;
    let root = layers.root;
    processes(&root)?;
    devices(&root)?;
    chdir(&root).or_cannot(|| "enter the sealed file system".to_owned())?;
    // The old root is put over the new one and taken away from there (pivot_root(2), NOTES).
    pivot_root(".", ".").or_cannot(|| "make the sealed file system the root".to_owned())?;
    unmount(".", UnmountFlags::DETACH).or_cannot(|| "take the machine's file system away".to_owned())?;
    // Only now: before, an absolute link (/var/run) led to the files of the machine.
    sockets();
    names()?;
    if has_one_identity() { users() } else { Ok(()) }
}

/// Where file systems are mounted (`proc_pid_mountinfo(5)`).
fn mount_points() -> Result<Vec<PathBuf>, WorldError> {
    let table =
        fs::read_to_string("/proc/self/mountinfo").or_cannot(|| "read /proc/self/mountinfo".to_owned())?;
    Ok(table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|path| PathBuf::from(unescape(path)))
        .collect())
}

/// Space, tab, line feed and backslash are written as three octal digits.
fn unescape(path: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(path.to_owned(), |path, (octal, character)| path.replace(octal, character))
}

/// The new root while it is made.
struct Layers<'a> {
    scratch: &'a Path,
    root: PathBuf,
    mounted: Vec<PathBuf>,
    made: usize,
}

impl Layers<'_> {
    /// Puts a folder of the machine into the new root. One below which other file systems are mounted is gone through
    /// entry by entry: a user namespace may not copy it as a whole, since that would uncover what they hide
    /// (`mount_namespaces(7)`, locked mounts).
    fn folder(&mut self, below: &Path) -> Result<(), WorldError> {
        if self.scratch.starts_with(below)
            || self.mounted.iter().any(|one| one != below && one.starts_with(below))
        {
            self.entries(below)
        } else {
            self.layer(below)
        }
    }

    fn entries(&mut self, below: &Path) -> Result<(), WorldError> {
        let target = self.target(below);
        fs::create_dir_all(&target).or_cannot(|| format!("make {}", target.display()))?;
        like(below, &target);
        // What cannot be read cannot be read by the gateway either.
        for entry in fs::read_dir(below).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(_) if OF_THE_KERNEL.iter().any(|one| path == Path::new(one)) || path == self.scratch => {}
                Ok(kind) if kind.is_dir() => self.folder(&path)?,
                Ok(kind) if kind.is_symlink() => {
                    let to = fs::read_link(&path).or_cannot(|| format!("read {}", path.display()))?;
                    symlink(to, self.target(&path)).or_cannot(|| format!("link {}", path.display()))?;
                }
                Ok(kind) if kind.is_file() => drop(fs::copy(&path, self.target(&path))),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// A folder whose changes stay in memory.
    fn layer(&mut self, below: &Path) -> Result<(), WorldError> {
        let target = self.target(below);
        if fs::read_dir(below).is_err() {
            return fs::create_dir_all(&target).or_cannot(|| format!("make {}", target.display()));
        }
        let upper = self.scratch.join(format!("upper-{}", self.made));
        let work = self.scratch.join(format!("work-{}", self.made));
        self.made += 1;
        for folder in [&upper, &work] {
            fs::create_dir_all(folder).or_cannot(|| format!("make {}", folder.display()))?;
        }
        like(below, &upper);
        // A comma ends an option, and a colon a lower layer (the kernel's overlayfs.rst).
        let escaped = |path: &Path| {
            let path = path.display().to_string().replace('\\', "\\\\");
            path.replace(',', "\\,").replace(':', "\\:")
        };
        let mut options =
            format!("lowerdir={},upperdir={},workdir={}", escaped(below), escaped(&upper), escaped(&work));
        if !is_root_of_the_machine() {
            options.push_str(",userxattr");
        }
        // What cannot be a layer (some network file systems) is there to be read.
        mount_new("overlay", &target, MountFlags::NODEV, &options).or_else(|_| read_only(below, &target))
    }

    fn target(&self, below: &Path) -> PathBuf {
        below.strip_prefix("/").map_or_else(|_| self.root.clone(), |inside| self.root.join(inside))
    }
}

/// Gives a new folder the permissions of an old one.
fn like(old: &Path, new: &Path) {
    if let Ok(metadata) = fs::metadata(old) {
        let _own_folder = fs::set_permissions(new, metadata.permissions());
    }
}

fn is_root_of_the_machine() -> bool {
    // In a user namespace the map is shorter than the machine's (user_namespaces(7)).
    getuid().is_root()
        && fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.trim_end().ends_with("4294967295"))
}

/// Whether the map of identities has one line for one identity (`user_namespaces(7)`).
fn has_one_identity() -> bool {
    fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.split_whitespace().last() == Some("1"))
}

/// Makes every user and group the one identity that there is: a program that goes on as another user then does so in name.
fn users() -> Result<(), WorldError> {
    for (table, identities) in [("/etc/passwd", 2..4), ("/etc/group", 2..3)] {
        let text = fs::read_to_string(table).unwrap_or_default();
        let one = |line: &str| {
            let fields = line.split(':').enumerate();
            let fields = fields.map(|(nth, field)| if identities.contains(&nth) { "0" } else { field });
            fields.collect::<Vec<_>>().join(":") + "\n"
        };
        anew(Path::new(table), &text.lines().map(one).collect::<String>())?;
    }
    Ok(())
}

/// Writes a file in the place of one that may belong to another user, or be a link to a folder that is not here.
fn anew(path: &Path, text: &str) -> Result<(), WorldError> {
    let written = match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => fs::write(path, text),
    };
    written.or_cannot(|| format!("write {}", path.display()))
}

/// `/proc` of the new namespace, without the settings of the machine.
fn processes(root: &Path) -> Result<(), WorldError> {
    let proc = root.join("proc");
    fs::create_dir_all(root.join("sys")).or_cannot(|| "make /sys".to_owned())?;
    mount_new("proc", &proc, MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, "")?;
    for name in ["sys", "sysrq-trigger", "irq", "bus", "fs"] {
        let path = proc.join(name);
        if path.exists() {
            read_only(&path, &path)?;
        }
    }
    for name in ["kcore", "keys", "timer_list", "kmsg"] {
        let path = proc.join(name);
        if path.exists() {
            mount_bind("/dev/null", &path).or_cannot(|| format!("cover {}", path.display()))?;
        }
    }
    Ok(())
}

/// `/dev` with what every program needs, and no disk. `/sys` stays empty.
fn devices(root: &Path) -> Result<(), WorldError> {
    let dev = root.join("dev");
    mount_new("tmpfs", &dev, MountFlags::NOSUID, "size=64m,mode=755")?;
    for name in DEVICES {
        let path = dev.join(name);
        fs::write(&path, "").or_cannot(|| format!("make {}", path.display()))?;
        mount_bind(Path::new("/dev").join(name), &path).or_cannot(|| format!("bind {}", path.display()))?;
    }
    for (name, target) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")]
    {
        symlink(target, dev.join(name)).or_cannot(|| format!("link /dev/{name}"))?;
    }
    let shared = dev.join("shm");
    fs::create_dir(&shared).or_cannot(|| "make /dev/shm".to_owned())?;
    fs::set_permissions(&shared, Permissions::from_mode(0o1777)).or_cannot(|| "open /dev/shm".to_owned())
}

/// Sockets of the machine's services lead out of the world. Through a layer they answer nobody; they are removed so that a
/// program does not wait for them.
fn sockets() {
    use std::os::unix::fs::FileTypeExt;
    let mut folders = ["/run", "/tmp", "/var/run"].map(PathBuf::from).to_vec();
    while let Some(folder) = folders.pop() {
        // A folder that cannot be read holds nothing that the gateway could reach.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_socket() => drop(fs::remove_file(entry.path())),
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// Makes every program ask the world for names.
fn names() -> Result<(), WorldError> {
    RESOLUTION.iter().try_for_each(|(name, text)| anew(&Path::new("/etc").join(name), text))
}

fn mount_new(kind: &str, target: &Path, flags: MountFlags, options: &str) -> Result<(), WorldError> {
    fs::create_dir_all(target).or_cannot(|| format!("make {}", target.display()))?;
    mount_at(kind, target, flags, options)
}

fn mount_at(kind: &str, target: &Path, flags: MountFlags, options: &str) -> Result<(), WorldError> {
    let what = || format!("mount {kind} at {} ({options})", target.display());
    let options = CString::new(options).map_err(|error| WorldError::new(what(), error))?;
    mount(kind, target, kind, flags, options.as_c_str()).or_cannot(what)
}

fn read_only(source: &Path, target: &Path) -> Result<(), WorldError> {
    let what = || format!("make {} readable only", target.display());
    mount_bind(source, target).or_cannot(what)?;
    mount_remount(target, MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV, "")
        .or_cannot(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_with_a_space_is_read() {
        assert_eq!(unescape("/srv/a\\040b"), "/srv/a b");
    }
}
