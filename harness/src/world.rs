//! A sealed world for a gateway: the real program runs on its real files, every address answers, every name resolves
//! to Gauntlet, and nothing outside can be reached or changed.
//!
//! ```text
//! gauntlet                     outside: makes the world and reads what comes out of it
//! └ unshare(1)                 new namespaces for mounts, processes and network; for users, too, without root
//!   └ init                     process 1 of the world: seals the file system ([`files`]), then waits
//!     └ gauntlet …             inside: answers on every address and name ([`network`], [`names`])
//!       └ the gateway          in a network namespace of its own, without the rights to leave ([`inhabitant`])
//! ```
//!
//! The world ends with its process 1, and process 1 ends when the pipe to the process outside closes, for whatever
//! reason. The kernel then kills what runs inside and takes mounts and interfaces away.

mod files;
mod inhabitant;
mod init;
mod names;
mod network;
mod rights;

use std::{
    ffi::OsString,
    fmt, io,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::Command,
};

pub use inhabitant::{Inhabitant, Namespace, Written, enter};
pub use init::init;
pub use names::Names;
pub use rights::{NoRights, Rights};

/// Why a world could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {why}")]
pub struct WorldError {
    what: String,
    why: String,
}

impl WorldError {
    fn new(what: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { what: what.into(), why: format!("{why}") }
    }
}

/// The command that makes a world in the empty folder `scratch` and runs `inside` in it, both as subcommands of
/// `program`, which is Gauntlet itself. The world ends when its standard input does.
#[must_use]
pub fn command(rights: Rights, program: &Path, scratch: &Path, inside: &[OsString]) -> Command {
    let mut command = Command::new("unshare");
    command.args(rights.namespaces()).arg("--").arg(program).args(["world", "init"]).arg(scratch);
    command.arg("--").args(inside);
    command
}

/// The world, seen from inside.
#[derive(Debug)]
pub struct World {
    names: Names,
    inhabitants: u8,
}

impl World {
    /// Makes every address one of this machine's, and answers every question about a name.
    ///
    /// # Errors
    /// [`WorldError`] where this is no world, or `ip` (iproute2) is missing.
    pub async fn open() -> Result<Self, WorldError> {
        network::open()?;
        let names = Names::serve().await.map_err(|error| WorldError::new("answer name look-ups", error))?;
        Ok(Self { names, inhabitants: 0 })
    }

    /// The address at which a host is met: its own, or the one that the world gives a name.
    #[must_use]
    pub fn address(&self, host: &str) -> IpAddr {
        if host == "localhost" {
            return Ipv4Addr::LOCALHOST.into();
        }
        host.trim_matches(['[', ']']).parse().unwrap_or_else(|_| self.names.address(host).into())
    }

    /// The names that were asked for so far, in the order of the first question.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.names.asked()
    }

    /// Makes a network namespace for a program, which also has `addresses`, so that it can listen there. The program waits for
    /// [`Inhabitant::begin`].
    ///
    /// # Errors
    /// [`WorldError`] when it cannot be started; a program that ends later is seen at [`Inhabitant::program`].
    pub async fn settle(
        &mut self,
        gauntlet: &Path,
        addresses: &[IpAddr],
        command: &[OsString],
    ) -> Result<Inhabitant, WorldError> {
        self.inhabitants += 1;
        Inhabitant::start(gauntlet, self.inhabitants, addresses, command, &self.names).await
    }
}

/// The result of a system call, with what it was for.
trait For<T> {
    fn or_cannot(self, what: impl FnOnce() -> String) -> Result<T, WorldError>;
}

impl<T, E: Into<io::Error>> For<T> for Result<T, E> {
    fn or_cannot(self, what: impl FnOnce() -> String) -> Result<T, WorldError> {
        self.map_err(|error| WorldError::new(what(), error.into()))
    }
}
