//! The gateway in its world: a process in a network namespace of its own, without the rights to leave it.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufRead, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::{fd::AsFd, unix::process::CommandExt},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use rustix::thread::{
    CapabilitySet, CapabilitySets, LinkNameSpaceType, capability_is_in_bounding_set,
    move_into_link_name_space, remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, UdpSocket},
    process::{Child, ChildStdout},
};

use super::{For, Names, WorldError, network};

/// What a server needs that binds port 443 as root and goes on as another user. Everything else is dropped: mounts,
/// modules, devices, other processes, raw sockets, the network's set-up.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT);

/// What each side says when its half of the link can be set up.
const READY: &str = "ready";

/// A program in its own network namespace.
#[derive(Debug)]
pub struct Inhabitant {
    /// The program, its standard error piped.
    pub program: Child,
    /// Its standard output.
    pub output: BufReader<ChildStdout>,
    /// Its end of the link, from where it calls and at which it is called.
    pub address: IpAddr,
    namespace: File,
}

impl Inhabitant {
    pub(super) async fn start(
        gauntlet: &Path,
        number: u8,
        addresses: &[IpAddr],
        command: &[OsString],
        names: &Names,
    ) -> Result<Self, WorldError> {
        let mut unshare = tokio::process::Command::new("unshare");
        unshare.args(["--net", "--"]).arg(gauntlet).args(["world", "enter"]).arg(number.to_string());
        for address in addresses {
            unshare.arg("--address").arg(address.to_string());
        }
        unshare.arg("--").args(command);
        unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let what = || "start the gateway in its namespace".to_owned();
        let mut program = unshare.spawn().or_cannot(what)?;
        let (Some(mut told), Some(output), Some(process)) =
            (program.stdin.take(), program.stdout.take(), program.id())
        else {
            return Err(WorldError::new(what(), "it has no pipes"));
        };
        let mut output = BufReader::new(output);
        let mut said = String::new();
        output.read_line(&mut said).await.or_cannot(what)?;
        if said.trim_end() != READY {
            return Err(WorldError::new(what(), last_words(&mut program, &said).await));
        }
        let namespace = File::open(format!("/proc/{process}/ns/net")).or_cannot(what)?;
        let address = IpAddr::V4(network::far(number).0);
        let mut inhabitant = Self { program, output, address, namespace };
        network::link(number, process)?;
        // A resolver at 127.0.0.1 or 127.0.0.53 is one of many machines; it answers before the program can ask.
        let resolver = inhabitant.bind_udp((Ipv4Addr::UNSPECIFIED, 53).into()).await;
        names.answer_at(resolver.or_cannot(|| "answer name look-ups".to_owned())?);
        told.write_all(format!("{READY}\n").as_bytes()).await.or_cannot(what)?;
        said.clear();
        inhabitant.output.read_line(&mut said).await.or_cannot(what)?;
        if said.trim_end() != READY {
            return Err(WorldError::new(what(), last_words(&mut inhabitant.program, &said).await));
        }
        Ok(inhabitant)
    }

    /// A connection to an address of the inhabitant's namespace, its loopback included.
    ///
    /// # Errors
    /// That of connect(2).
    pub async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = self.within(move || std::net::TcpStream::connect(to)).await?;
        stream.set_nonblocking(true)?;
        TcpStream::from_std(stream)
    }

    /// A listener on an address of the inhabitant's namespace, for what it dials on its own loopback.
    ///
    /// # Errors
    /// That of bind(2).
    pub async fn bind(&self, at: SocketAddr) -> io::Result<TcpListener> {
        let listener = self.within(move || std::net::TcpListener::bind(at)).await?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    }

    async fn bind_udp(&self, at: SocketAddr) -> io::Result<UdpSocket> {
        let socket = self.within(move || std::net::UdpSocket::bind(at)).await?;
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket)
    }

    /// Makes a socket in the inhabitant's namespace: a socket stays in the one in which its thread was (setns(2)).
    async fn within<T: Send + 'static>(
        &self,
        make: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let namespace = self.namespace.try_clone()?;
        let (made, received) = tokio::sync::oneshot::channel();
        // The thread ends afterwards: none of the runtime's own may be left in another namespace.
        thread::spawn(move || {
            let moved = move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network));
            // Nobody waits any more where the call was given up.
            let _given_up = made.send(moved.map_err(io::Error::from).and_then(|()| make()));
        });
        received.await.map_err(io::Error::other)?
    }
}

async fn last_words(program: &mut Child, said: &str) -> String {
    let mut words = said.to_owned();
    if let Some(errors) = &mut program.stderr {
        let mut lines = BufReader::new(errors).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            words.push_str(&line);
        }
    }
    words
}

/// Sets up its half of the link, drops the rights that could harm the machine, and becomes the program. Runs in the new
/// network namespace, told by the process inside through standard input.
///
/// # Errors
/// [`WorldError`] where one of the steps fails; it returns in no other case.
pub fn enter(
    number: u8,
    addresses: &[IpAddr],
    command: &[OsString],
) -> Result<std::convert::Infallible, WorldError> {
    let what = || "speak with the process inside the world".to_owned();
    let mut output = io::stdout();
    writeln!(output, "{READY}").and_then(|()| output.flush()).or_cannot(what)?;
    io::stdin().lock().read_line(&mut String::new()).or_cannot(what)?;
    network::inhabit(number, addresses)?;
    drop_rights()?;
    writeln!(output, "{READY}").and_then(|()| output.flush()).or_cannot(what)?;
    let (program, arguments) =
        command.split_first().ok_or_else(|| WorldError::new("start the gateway", "no program is named"))?;
    let error = Command::new(program).args(arguments).stdin(Stdio::null()).exec();
    Err(WorldError::new(format!("start {}", program.display()), error))
}

fn drop_rights() -> Result<(), WorldError> {
    let what = || "drop the gateway's rights".to_owned();
    for capability in CapabilitySet::all().iter().filter(|one| !KEPT.contains(*one)) {
        if capability_is_in_bounding_set(capability).unwrap_or(false) {
            remove_capability_from_bounding_set(capability).or_cannot(what)?;
        }
    }
    let sets = CapabilitySets { effective: KEPT, permitted: KEPT, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).or_cannot(what)?;
    set_no_new_privs(true).or_cannot(what)
}
