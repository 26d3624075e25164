//! The gateway in its world: a process in a network namespace of its own, without the rights to leave it.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufRead, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::{fd::AsFd, unix::process::CommandExt},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use rustix::thread::{
    CapabilitySet, CapabilitySets, LinkNameSpaceType, capability_is_in_bounding_set,
    move_into_link_name_space, remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, UdpSocket},
    process::{Child, ChildStderr, ChildStdin, ChildStdout},
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
    /// The program.
    pub program: Child,
    /// Its end of the link, from where it calls and at which it is called.
    pub address: (Ipv4Addr, Ipv6Addr),
    /// Its network.
    pub namespace: Namespace,
    /// Gone when the program has begun.
    pipes: Option<Pipes>,
}

#[derive(Debug)]
struct Pipes {
    told: ChildStdin,
    output: BufReader<ChildStdout>,
    errors: ChildStderr,
}

/// What a program writes.
#[derive(Debug)]
pub struct Written {
    /// Its standard output.
    pub output: BufReader<ChildStdout>,
    /// Its standard error.
    pub errors: ChildStderr,
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
        let mut program = unshare.spawn().or_cannot(starting)?;
        let pipes = (program.stdin.take(), program.stdout.take(), program.stderr.take());
        let (Some(told), Some(output), Some(errors)) = pipes else {
            return Err(WorldError::new(starting(), "it has no pipes"));
        };
        let mut pipes = Pipes { told, output: BufReader::new(output), errors };
        pipes.is_ready().await?;
        let process = program.id().ok_or_else(|| WorldError::new(starting(), "it has ended"))?;
        let namespace =
            Namespace(Arc::new(File::open(format!("/proc/{process}/ns/net")).or_cannot(starting)?));
        network::link(number, process, addresses)?;
        pipes.tell().await?;
        pipes.is_ready().await?;
        // A resolver at 127.0.0.1 or 127.0.0.53 is one of many machines; it answers before the program can ask.
        let resolver = namespace.bind_udp((Ipv4Addr::UNSPECIFIED, 53).into()).await;
        let answered = resolver.and_then(|resolver| names.answer_at(resolver));
        answered.or_cannot(|| "answer name look-ups".to_owned())?;
        Ok(Self { program, address: network::far(number), namespace, pipes: Some(pipes) })
    }

    /// Starts the program, which has waited until everything that it may call is there.
    ///
    /// # Errors
    /// [`WorldError`] when it cannot be told, or has begun before.
    pub async fn begin(&mut self) -> Result<Written, WorldError> {
        let mut pipes = self.pipes.take().ok_or_else(|| WorldError::new(starting(), "it has begun"))?;
        pipes.tell().await?;
        Ok(Written { output: pipes.output, errors: pipes.errors })
    }
}

impl Pipes {
    /// Lets the process take its next step.
    async fn tell(&mut self) -> Result<(), WorldError> {
        self.told.write_all(format!("{READY}\n").as_bytes()).await.or_cannot(starting)
    }

    /// Waits until the process has taken it.
    async fn is_ready(&mut self) -> Result<(), WorldError> {
        let mut said = String::new();
        self.output.read_line(&mut said).await.or_cannot(starting)?;
        if said.trim_end() == READY {
            return Ok(());
        }
        self.errors.read_to_string(&mut said).await.or_cannot(starting)?;
        Err(WorldError::new(starting(), said.trim()))
    }
}

fn starting() -> String {
    "start the gateway in its namespace".to_owned()
}

/// A network namespace.
#[derive(Debug, Clone)]
pub struct Namespace(Arc<File>);

impl Namespace {
    /// Does something there, on a thread of its own whose sockets, and those of the threads that it starts, are made there
    /// (setns(2)).
    ///
    /// # Errors
    /// That of setns(2), or of what is done.
    pub async fn within<T: Send + 'static>(
        &self,
        make: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let namespace = Arc::clone(&self.0);
        let (made, received) = tokio::sync::oneshot::channel();
        // The thread ends afterwards: none of the runtime's own may be left in another namespace.
        thread::spawn(move || {
            let moved = move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network));
            // Nobody waits any more where the call was given up.
            let _given_up = made.send(moved.map_err(io::Error::from).and_then(|()| make()));
        });
        received.await.map_err(io::Error::other)?
    }

    /// A connection to an address of the namespace, its loopback included.
    ///
    /// # Errors
    /// That of connect(2).
    pub async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = self.within(move || std::net::TcpStream::connect(to)).await?;
        stream.set_nonblocking(true)?;
        TcpStream::from_std(stream)
    }

    async fn bind_udp(&self, at: SocketAddr) -> io::Result<UdpSocket> {
        let socket = self.within(move || std::net::UdpSocket::bind(at)).await?;
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket)
    }
}

/// Sets up its half of the link, waits for the word to begin, drops the rights that could harm the machine, and becomes the
/// program. Runs in the new network namespace, told by the process inside through standard input.
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
    writeln!(output, "{READY}").and_then(|()| output.flush()).or_cannot(what)?;
    io::stdin().lock().read_line(&mut String::new()).or_cannot(what)?;
    drop_rights()?;
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
