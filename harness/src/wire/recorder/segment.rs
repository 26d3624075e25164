//! TCP segments in IP packets, as the machine would have sent them (RFC 9293 3.1, RFC 791 3.1, RFC 8200 3).

use std::net::{IpAddr, SocketAddr};

/// The flags that matter here.
pub(super) mod flag {
    pub(in super::super) const FIN: u8 = 1;
    pub(in super::super) const SYN: u8 = 2;
    pub(in super::super) const RST: u8 = 4;
    pub(in super::super) const PSH: u8 = 8;
    pub(in super::super) const ACK: u8 = 16;
}

/// A TCP segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) acknowledged: u32,
    pub(super) flags: u8,
    pub(super) payload: &'a [u8],
}

impl Segment<'_> {
    /// The packet with this segment.
    pub(super) fn packet(&self) -> Vec<u8> {
        let tcp = self.tcp();
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let length = u16::try_from(20 + tcp.len()).unwrap_or(u16::MAX).to_be_bytes();
                // Version and length of the header; do not fragment; 64 hops; TCP.
                let mut header = vec![0x45, 0, length[0], length[1], 0, 0, 0x40, 0, 64, TCP, 0, 0];
                header.extend(from.octets());
                header.extend(to.octets());
                let sum = checksum(&[&header]);
                header[10..12].copy_from_slice(&sum.to_be_bytes());
                [header, tcp].concat()
            }
            (from, to) => {
                let length = u16::try_from(tcp.len()).unwrap_or(u16::MAX).to_be_bytes();
                let mut header = vec![0x60, 0, 0, 0, length[0], length[1], TCP, 64];
                header.extend(octets(from));
                header.extend(octets(to));
                [header, tcp].concat()
            }
        }
    }

    fn tcp(&self) -> Vec<u8> {
        let mut tcp = Vec::with_capacity(20 + self.payload.len());
        tcp.extend(self.from.port().to_be_bytes());
        tcp.extend(self.to.port().to_be_bytes());
        tcp.extend(self.sequence.to_be_bytes());
        tcp.extend(self.acknowledged.to_be_bytes());
        // Length of the header; flags; as much room as there can be; no checksum yet; nothing urgent.
        tcp.extend([0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(self.payload);
        let length = u32::try_from(tcp.len()).unwrap_or(u32::MAX).to_be_bytes();
        let sum = match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                checksum(&[&from.octets(), &to.octets(), &[0, TCP], &length[2..], &tcp])
            }
            (from, to) => checksum(&[&octets(from), &octets(to), &length, &[0, 0, 0, TCP], &tcp]),
        };
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        tcp
    }
}

/// The protocol's number.
const TCP: u8 = 6;

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// The Internet checksum (RFC 1071); every part but the last is of an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let word = |pair: &[u8]| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    let mut sum: u32 = words.map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_that_of_the_rfc() {
        // RFC 1071 3: the sum is ddf2.
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03], &[0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
    }
}
