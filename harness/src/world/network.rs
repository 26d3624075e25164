//! The network of a world, set up by ip(8) of iproute2: every address of IPv4 and IPv6 is local, and a pair of virtual
//! interfaces leads to each inhabitant.
//!
//! The routes are in the table `local`, because an answer from an address that only another table knows has no source
//! address. The inhabitant's own address then needs a more special route there.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    process::{Command, Stdio},
};

use super::WorldError;

/// The world's end of the link to the inhabitant of this number.
pub(super) fn near(number: u8) -> (Ipv4Addr, Ipv6Addr) {
    (Ipv4Addr::new(169, 254, number, 1), Ipv6Addr::new(0xfd00, 0x6761, number.into(), 0, 0, 0, 0, 1))
}

/// The inhabitant's end.
pub(super) fn far(number: u8) -> (Ipv4Addr, Ipv6Addr) {
    (Ipv4Addr::new(169, 254, number, 2), Ipv6Addr::new(0xfd00, 0x6761, number.into(), 0, 0, 0, 0, 2))
}

/// Makes every address one of this namespace's.
pub(super) fn open() -> Result<(), WorldError> {
    batch(
        "link set lo up\n\
         route add local 0.0.0.0/0 dev lo table local\n\
         route add local ::/0 dev lo table local\n",
    )
}

/// Links this namespace with the one of a process, to which these addresses belong, too.
pub(super) fn link(number: u8, process: u32, addresses: &[IpAddr]) -> Result<(), WorldError> {
    let ((near, near6), (far, far6)) = (near(number), far(number));
    let mut lines = format!(
        "link add world{number} type veth peer name gateway netns {process}\n\
         addr add {near}/30 dev world{number}\n\
         addr add {near6}/126 dev world{number} nodad\n\
         link set world{number} up\n\
         route add {far}/32 dev world{number} table local\n\
         route add {far6}/128 dev world{number} table local\n"
    );
    lines
        .extend(own(addresses).map(|(address, length)| {
            format!("route add {address}/{length} dev world{number} table local\n")
        }));
    batch(&lines)
}

/// The addresses that a listener can have beside loopback and all, with the length of their prefix.
fn own(addresses: &[IpAddr]) -> impl Iterator<Item = (IpAddr, u8)> + '_ {
    let own = addresses.iter().filter(|address| !address.is_loopback() && !address.is_unspecified());
    own.map(|address| (*address, if address.is_ipv4() { 32 } else { 128 }))
}

/// The inhabitant's half, run in its namespace.
pub(super) fn inhabit(number: u8, addresses: &[IpAddr]) -> Result<(), WorldError> {
    let ((near, near6), (far, far6)) = (near(number), far(number));
    let mut lines = format!(
        "link set lo up\n\
         addr add {far}/30 dev gateway\n\
         addr add {far6}/126 dev gateway nodad\n\
         link set gateway up\n\
         route add default via {near}\n\
         route add default via {near6}\n"
    );
    lines.extend(own(addresses).map(|(address, length)| format!("addr add {address}/{length} dev lo\n")));
    batch(&lines)
}

fn batch(lines: &str) -> Result<(), WorldError> {
    // Without IPv6 in the kernel, the lines with its addresses are left out.
    let has_ipv6 = Path::new("/proc/net/if_inet6").exists();
    let wanted: String = lines.split_inclusive('\n').filter(|line| has_ipv6 || !line.contains(':')).collect();
    let failed = |why: String| WorldError::new("set up the network of the world with ip (iproute2)", why);
    let mut ip = Command::new("ip")
        .args(["-batch", "-"])
        .env("PATH", super::init::PATH)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(mut pipe) = ip.stdin.take() {
        pipe.write_all(wanted.as_bytes()).map_err(|error| failed(error.to_string()))?;
    }
    let output = ip.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
