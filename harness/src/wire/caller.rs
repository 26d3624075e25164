//! The process at the other end of a connection on this machine: one that is meant to call, or a stranger.
//!
//! The kernel says which inode the other end's socket has (`sock_diag(7)`); the process that holds the socket has it among
//! its open files.

use std::{
    net::SocketAddr,
    os::fd::RawFd,
    process,
    sync::{Arc, Mutex, PoisonError},
};

use crate::processes::{self, Look};

/// Who made a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Caller {
    /// Nothing says who: the other end has gone, or is not on this machine.
    #[default]
    Unknown,
    /// A process that is meant to call.
    Meant,
    /// Any other process.
    Stranger,
}

/// The processes that are meant to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Meant {
    /// All of them.
    #[default]
    Anybody,
    /// This one.
    Ourselves,
    /// Those that this one has started, and those that they have started.
    Started,
}

/// Tells those that are meant to call from strangers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Callers {
    meant: Meant,
    /// The processes that were found, those first that have called last.
    known: Arc<Mutex<Vec<u32>>>,
}

impl Callers {
    /// These, and no others.
    pub(crate) fn of(meant: Meant) -> Self {
        Self { meant, known: Arc::default() }
    }

    /// Who holds the other end of a connection from `peer` to `local`, whose own end is `here`.
    pub(crate) fn caller(&self, here: RawFd, local: SocketAddr, peer: SocketAddr) -> Caller {
        if self.meant == Meant::Anybody {
            return Caller::Unknown;
        }
        let Some(inode) = inode(peer, local) else { return Caller::Unknown };
        if self.meant == Meant::Ourselves && processes::have_socket_near(here, inode) {
            return Caller::Meant;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = known.iter().position(|&id| processes::has_socket(id, inode) == Look::Found) {
            known[..=place].rotate_right(1);
            return Caller::Meant;
        }
        // It may have been started since.
        *known = match self.meant {
            Meant::Anybody => Vec::new(),
            Meant::Ourselves => vec![process::id()],
            Meant::Started => processes::descendants_of(process::id()).into_iter().collect(),
        };
        let looks: Vec<_> = known.iter().map(|&id| processes::has_socket(id, inode)).collect();
        if let Some(place) = looks.iter().position(|look| *look == Look::Found) {
            known[..=place].rotate_right(1);
            Caller::Meant
        } else if looks.contains(&Look::Forbidden) {
            Caller::Unknown
        } else {
            Caller::Stranger
        }
    }
}

/// The inode of the TCP socket that is connected from here to there; none if it has none any more.
#[cfg(all(feature = "matrix", target_os = "linux"))]
fn inode(from: SocketAddr, to: SocketAddr) -> Option<u32> {
    use rustix::net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
    };

    /// `SOCK_DIAG_BY_FAMILY`, the type of the question and of its answer.
    const BY_FAMILY: u16 = 20;
    const REQUEST: u16 = 1;
    const TCP: u8 = 6;
    const ANY_STATE: u32 = u32::MAX;
    const NO_COOKIE: [u8; 8] = [0xff; 8];
    /// The head of a message (netlink(7)), and in it the type.
    const HEAD: usize = 16;
    /// `idiag_inode` in `struct inet_diag_msg`.
    const INODE: usize = 68;

    let family: u8 = if from.is_ipv4() { 2 } else { 10 };
    let mut question = Vec::with_capacity(72);
    question.extend(72_u32.to_ne_bytes());
    question.extend(BY_FAMILY.to_ne_bytes());
    question.extend(REQUEST.to_ne_bytes());
    question.extend([0; 8]);
    question.extend([family, TCP, 0, 0]);
    question.extend(ANY_STATE.to_ne_bytes());
    question.extend(from.port().to_be_bytes());
    question.extend(to.port().to_be_bytes());
    for address in [from, to] {
        let mut bytes = match address {
            SocketAddr::V4(address) => address.ip().octets().to_vec(),
            SocketAddr::V6(address) => address.ip().octets().to_vec(),
        };
        bytes.resize(16, 0);
        question.extend(bytes);
    }
    question.extend([0; 4]);
    question.extend(NO_COOKIE);

    let (kind, flags) = (SocketType::DGRAM, SocketFlags::CLOEXEC);
    let socket = socket_with(AddressFamily::NETLINK, kind, flags, Some(netlink::SOCK_DIAG)).ok()?;
    send(&socket, &question, SendFlags::empty()).ok()?;
    let mut answer = [0; 512];
    let (length, _) = recv(&socket, &mut answer, RecvFlags::DONTWAIT).ok()?;
    let answer = answer.get(..length)?;
    let is_answer = answer.get(4..6)? == BY_FAMILY.to_ne_bytes();
    let inode = answer.get(HEAD + INODE..HEAD + INODE + 4)?.try_into().ok().map(u32::from_ne_bytes)?;
    (is_answer && inode != 0).then_some(inode)
}

/// Elsewhere nobody tells.
#[cfg(not(all(feature = "matrix", target_os = "linux")))]
const fn inode(_from: SocketAddr, _to: SocketAddr) -> Option<u32> {
    None
}

#[cfg(all(test, feature = "matrix", target_os = "linux"))]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        os::fd::AsRawFd,
        process::{Command, Stdio},
    };

    use rstest::rstest;

    use super::*;

    #[rstest]
    fn our_own_calls_are_told_from_those_of_others(#[values("127.0.0.1:0", "[::1]:0")] at: &str) {
        let listener = TcpListener::bind(at).unwrap();
        let _call = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        let local = stream.local_addr().unwrap();
        for here in [stream.as_raw_fd(), RawFd::MAX] {
            assert_eq!(Callers::of(Meant::Ourselves).caller(here, local, peer), Caller::Meant);
            assert_eq!(Callers::of(Meant::Started).caller(here, local, peer), Caller::Stranger);
            assert_eq!(Callers::default().caller(here, local, peer), Caller::Unknown);
        }
    }

    #[test]
    fn a_process_that_we_have_started_is_no_stranger() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // The shell starts another one, whose parent it is; bash opens connections.
        let script = format!("bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}; read -r end'; true");
        let mut shell = Command::new("bash").args(["-c", &script]).stdin(Stdio::piped()).spawn().unwrap();
        let (stream, peer) = listener.accept().unwrap();
        let (here, local) = (stream.as_raw_fd(), stream.local_addr().unwrap());
        let callers = Callers::of(Meant::Started);
        assert_eq!(callers.caller(here, local, peer), Caller::Meant);
        assert_eq!(callers.caller(here, local, peer), Caller::Meant, "known by now");
        assert_eq!(Callers::of(Meant::Ourselves).caller(here, local, peer), Caller::Stranger);
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}
