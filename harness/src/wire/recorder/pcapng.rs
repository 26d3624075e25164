//! The blocks of a capture file (draft-ietf-opsawg-pcapng), in the byte order of little-endian machines.

use time::OffsetDateTime;

use super::Hop;

/// `LINKTYPE_RAW`: a packet begins with its IP header.
const RAW_IP: u16 = 101;

/// `TLSK`: lines of a key log.
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// The head of the file, and one interface for each hop.
pub(super) fn beginning() -> Vec<u8> {
    let mut section = Vec::new();
    section.extend(0x1a2b_3c4d_u32.to_le_bytes());
    section.extend(1_u16.to_le_bytes());
    section.extend(0_u16.to_le_bytes());
    // The length of the section is not given (-1).
    section.extend((-1_i64).to_le_bytes());
    section.extend(option(4, concat!("tls-gauntlet ", env!("CARGO_PKG_VERSION"))));
    section.extend(END_OF_OPTIONS);
    let mut blocks = block(0x0a0d_0d0a, &section);
    for name in ["to the gateway", "to the backend"] {
        let mut interface = Vec::new();
        interface.extend(RAW_IP.to_le_bytes());
        interface.extend(0_u16.to_le_bytes());
        // No limit to the length of packets.
        interface.extend(0_u32.to_le_bytes());
        interface.extend(option(2, name));
        interface.extend(END_OF_OPTIONS);
        blocks.extend(block(1, &interface));
    }
    blocks
}

/// A packet of a hop; time in microseconds, which is what holds where an interface says nothing else.
pub(super) fn packet(hop: Hop, at: OffsetDateTime, packet: &[u8], comment: &str) -> Vec<u8> {
    let micros = u64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or_default().to_be_bytes();
    let [high, low] = [&micros[..4], &micros[4..]]
        .map(|half| u32::from_be_bytes(half.try_into().expect("four bytes")).to_le_bytes());
    let length = u32::try_from(packet.len()).unwrap_or(u32::MAX).to_le_bytes();
    let interface: u32 = match hop {
        Hop::ToGateway => 0,
        Hop::ToBackend => 1,
    };
    let mut body = Vec::with_capacity(packet.len() + 64);
    body.extend(interface.to_le_bytes());
    for word in [high, low, length, length] {
        body.extend(word);
    }
    body.extend(packet);
    pad(&mut body);
    if !comment.is_empty() {
        body.extend(option(1, comment));
        body.extend(END_OF_OPTIONS);
    }
    block(6, &body)
}

/// Keys for packets to come.
pub(super) fn secret(lines: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(lines.len() + 16);
    body.extend(TLS_KEY_LOG.to_le_bytes());
    body.extend(u32::try_from(lines.len()).unwrap_or(u32::MAX).to_le_bytes());
    body.extend(lines.as_bytes());
    block(0x0a, &body)
}

const END_OF_OPTIONS: [u8; 4] = [0; 4];

/// A block: type, length, body, length again.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut padded = body.to_vec();
    pad(&mut padded);
    let length = u32::try_from(padded.len() + 12).unwrap_or(u32::MAX).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &padded, &length].concat()
}

fn option(code: u16, text: &str) -> Vec<u8> {
    let text = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let mut option = [&code.to_le_bytes()[..], &length.to_le_bytes(), text].concat();
    pad(&mut option);
    option
}

/// To a multiple of 32 bits.
fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}
