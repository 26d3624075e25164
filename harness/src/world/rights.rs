//! The rights with which a world can be made: root's, or those that the kernel gives any user in a user namespace.

use std::{
    fmt,
    process::{Command, Stdio},
};

/// The rights that were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// `CAP_SYS_ADMIN`, as root or in a container that was given it.
    Root,
    /// A user namespace in which a range of identities is mapped (`newuidmap(1)`, `subuid(5)`).
    ManyIdentities,
    /// A user namespace with one identity: programs that change their user fail in it.
    OneIdentity,
}

/// Nothing here lets a world be made.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot make a sealed world: {0}; run as root, or in a container with --cap-add SYS_ADMIN,NET_ADMIN \
     --security-opt apparmor=unconfined, or audit the running gateway by hand: \
     gauntlet audit URL --backend HOST:PORT"
)]
pub struct NoRights(String);

impl Rights {
    /// Tries the ways in their order, each by making an empty world of it.
    ///
    /// # Errors
    /// [`NoRights`] with what the last way said, and what can be done.
    pub fn of_this_process() -> Result<Self, NoRights> {
        let mut said = String::new();
        for rights in [Self::Root, Self::ManyIdentities, Self::OneIdentity] {
            match rights.suffice() {
                Ok(()) => return Ok(rights),
                Err(why) => said = why,
            }
        }
        Err(NoRights(said))
    }

    /// Whether the world is made without the rights of the system's root.
    #[must_use]
    pub fn is_ordinary_user(self) -> bool {
        self != Self::Root
    }

    /// The options of unshare(1).
    pub(super) fn namespaces(self) -> impl Iterator<Item = &'static str> {
        let users: &[&str] = match self {
            Self::Root => &[],
            Self::ManyIdentities => &["--user", "--map-root-user", "--map-auto"],
            Self::OneIdentity => &["--user", "--map-root-user"],
        };
        users.iter().copied().chain(["--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child"])
    }

    fn suffice(self) -> Result<(), String> {
        let mut unshare = Command::new("unshare");
        unshare.args(self.namespaces()).args(["--", "true"]).stdin(Stdio::null());
        let output = unshare.output().map_err(|error| format!("unshare (util-linux): {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Root => "as root",
            Self::ManyIdentities => "in a user namespace",
            Self::OneIdentity => "in a user namespace with one identity, which every user of the world has",
        })
    }
}
