//! Fingerprints of a ClientHello: JA3 and JA4.

use std::fmt::{self, Display, Write};

use md5::{Digest, Md5};
use sha2::Sha256;
use tls_gauntlet_certs::hex;
use tls_gauntlet_scenarios::TlsVersion;

use super::{
    names::is_grease,
    offer::{Offer, extension},
};

/// JA3: the MD5 of five lists in decimal, in their order, without GREASE
/// (<https://github.com/salesforce/ja3>).
pub(super) fn ja3(offer: &Offer) -> String {
    hex(&Md5::digest(ja3_text(offer)))
}

fn ja3_text(offer: &Offer) -> String {
    let list = |numbers: &[u16]| joined(sound(numbers), "-");
    let formats = joined(offer.point_formats.iter(), "-");
    format!(
        "{},{},{},{},{formats}",
        offer.legacy_version,
        list(&offer.ciphers),
        list(&offer.extensions),
        list(&offer.groups),
    )
}

/// JA4: what can be read at a glance, and two truncated hashes of sorted lists
/// (<https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md>).
pub(super) fn ja4(offer: &Offer) -> String {
    let [ciphers, extensions] = ja4_lists(offer);
    format!("{}_{}_{}", ja4_glance(offer), twelve(&ciphers), twelve(&extensions))
}

fn ja4_glance(offer: &Offer) -> String {
    let highest = match &offer.versions {
        Some(versions) => sound(versions).max().unwrap_or(0),
        None => offer.legacy_version,
    };
    let version = match TlsVersion::from_number(highest) {
        Some(TlsVersion::Tls13) => "13",
        Some(TlsVersion::Tls12) => "12",
        Some(TlsVersion::Tls11) => "11",
        Some(TlsVersion::Tls10) => "10",
        Some(TlsVersion::Ssl3) => "s3",
        None if highest == SSL2 => "s2",
        None => "00",
    };
    let name = if offer.extensions.contains(&extension::SERVER_NAME) { 'd' } else { 'i' };
    let count = |numbers: &[u16]| sound(numbers).count().min(99);
    let (ciphers, extensions) = (count(&offer.ciphers), count(&offer.extensions));
    let [first, last] = ja4_protocol(offer.alpn.first().map_or(&[], Vec::as_slice));
    format!("t{version}{name}{ciphers:02}{extensions:02}{first}{last}")
}

/// The number of SSL 2.0 on the wire.
const SSL2: u16 = 0x0002;

/// The first and last character of the protocol, or of its hexadecimal form if one of them is no letter or digit.
fn ja4_protocol(protocol: &[u8]) -> [char; 2] {
    let (Some(&first), Some(&last)) = (protocol.first(), protocol.last()) else { return ['0', '0'] };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [first.into(), last.into()];
    }
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    [digit(first >> 4), digit(last & 0x0f)]
}

fn ja4_lists(offer: &Offer) -> [String; 2] {
    let list = |numbers: &mut dyn Iterator<Item = u16>| {
        joined(numbers.map(|number| fmt::from_fn(move |f| write!(f, "{number:04x}"))), ",")
    };
    let sorted = |mut numbers: Vec<u16>| {
        numbers.sort_unstable();
        list(&mut numbers.into_iter())
    };
    let ciphers = sorted(sound(&offer.ciphers).collect());
    // Name and protocol stand in the first part already.
    let hashed = |number: &u16| ![extension::SERVER_NAME, extension::ALPN].contains(number);
    let mut extensions = sorted(sound(&offer.extensions).filter(hashed).collect());
    let algorithms = list(&mut sound(&offer.signature_algorithms));
    if !extensions.is_empty() && !algorithms.is_empty() {
        extensions = format!("{extensions}_{algorithms}");
    }
    [ciphers, extensions]
}

fn twelve(list: &str) -> String {
    if list.is_empty() {
        return "0".repeat(12);
    }
    hex(&Sha256::digest(list)[..6])
}

fn sound(numbers: &[u16]) -> impl Iterator<Item = u16> + '_ {
    numbers.iter().copied().filter(|number| !is_grease(*number))
}

fn joined(words: impl Iterator<Item: Display>, between: &str) -> String {
    let mut text = String::new();
    for word in words {
        let between = if text.is_empty() { "" } else { between };
        let _ = write!(text, "{between}{word}");
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::wire::client_hello::{
        facts,
        tests::{hello, numbers, vector},
    };

    /// The two examples of the page that defines JA3.
    #[rstest]
    #[case(
        &[47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
        &[0, 10, 11],
        &[23, 24, 25],
        "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0",
        "ada70206e40642a3e4461f35503241d5"
    )]
    #[case(
        &[4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99],
        &[],
        &[],
        "769,4-5-10-9-100-98-3-6-19-18-99,,,",
        "de350869b8c85de67a350c8d186f11e6"
    )]
    fn ja3_as_published(
        #[case] ciphers: &[u16],
        #[case] extensions: &[u16],
        #[case] groups: &[u16],
        #[case] text: &str,
        #[case] hash: &str,
    ) {
        let offer = Offer {
            legacy_version: 0x0301,
            ciphers: ciphers.to_vec(),
            extensions: extensions.to_vec(),
            groups: groups.to_vec(),
            point_formats: if groups.is_empty() { vec![] } else { vec![0] },
            ..Offer::default()
        };
        assert_eq!(ja3_text(&offer), text);
        assert_eq!(ja3(&offer), hash);
    }

    /// The example of the page that defines JA4, as a ClientHello with GREASE strewn in.
    #[test]
    fn ja4_as_published() {
        let ciphers = [
            0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
            0x009c, 0x009d, 0x002f, 0x0035,
        ];
        let order: [u16; 17] = [
            0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012,
            0x002b, 0xff01, 0x000b, 0x000a, 0x0015,
        ];
        let algorithms = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
        let extensions: Vec<_> = order
            .into_iter()
            .map(|kind| match kind {
                0x0010 => (kind, vector(b"\x02h2\x08http/1.1")),
                0x000d => (kind, vector(&numbers(&algorithms))),
                0x002b => (kind, [&[6][..], &numbers(&[0xfafa, 0x0304, 0x0303])].concat()),
                _ => (kind, vec![]),
            })
            .collect();
        assert_eq!(facts(&hello(0x0303, &ciphers, &extensions)).ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");

        let silent: Vec<_> = extensions.into_iter().filter(|(kind, _)| *kind != 0x000d).collect();
        assert!(!facts(&hello(0x0303, &ciphers, &silent)).ja4.ends_with("e5627efa2ab1"));
        assert_eq!(facts(&hello(0x0303, &[], &[])).ja4, "t12i000000_000000000000_000000000000");
    }

    #[test]
    fn ja4_without_signature_algorithms_ends_without_the_underscore() {
        let extensions =
            [0x05, 0x0a, 0x0b, 0x0d, 0x12, 0x15, 0x17, 0x1b, 0x23, 0x2b, 0x2d, 0x33, 0x4469, 0xff01].to_vec();
        assert!(ja4(&Offer { extensions, ..Offer::default() }).ends_with("_6d807ffa2a79"));
    }

    #[rstest]
    #[case(b"h2", "h2")]
    #[case(b"http/1.1", "h1")]
    #[case(b"x", "xx")]
    #[case(b"", "00")]
    #[case(b"\xab", "ab")]
    #[case(b"\xab\xcd", "ad")]
    #[case(b"\x30\xab", "3b")]
    #[case(b"\x30\x31\xab\xcd", "3d")]
    #[case(b"\x30\xab\xcd\x31", "01")]
    fn ja4_protocol_as_published(#[case] protocol: &[u8], #[case] characters: &str) {
        assert_eq!(String::from_iter(ja4_protocol(protocol)), characters);
    }
}
