//! Reads a raw ClientHello (RFC 8446 4.1.2, RFC 5246 7.4.1.2). Total: whatever the bytes, it says what can be read
//! of them.

use tls_gauntlet_scenarios::{ClientHelloFacts, TlsVersion, Versions};

use super::{
    fingerprint, names,
    observer::HandshakeType,
    offer::{Offer, extension},
    reader::Reader,
    record,
};

/// Reads what a ClientHello offers. `message` is the whole handshake message with its four bytes of header, as
/// [`Observer::client_hello`](super::observer::Observer::client_hello) keeps it; of a broken one, what comes
/// before the break.
#[must_use]
pub fn facts(message: &[u8]) -> ClientHelloFacts {
    let mut offer = Offer::default();
    // `None` means that the message broke off; what was read before that stands.
    let _ = offer.read(message);
    let (ja3, ja4) = (fingerprint::ja3(&offer), fingerprint::ja4(&offer));
    ClientHelloFacts {
        versions: offer.known_versions(),
        ciphers: offer.ciphers.iter().copied().map(names::cipher).collect(),
        extensions: offer.extensions.iter().copied().map(names::extension).collect(),
        groups: offer.groups.iter().copied().map(names::group).collect(),
        key_shares: offer.key_shares.iter().copied().map(names::group).collect(),
        signature_algorithms: offer
            .signature_algorithms
            .iter()
            .copied()
            .map(names::signature_scheme)
            .collect(),
        alpn: offer.alpn.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
        server_name: offer.server_name,
        post_handshake_auth: offer.extensions.contains(&extension::POST_HANDSHAKE_AUTH),
        offers_resumption: offer.offers_resumption,
        ja3,
        ja4,
        length: message.len(),
    }
}

/// The longest ClientHello that OpenSSL reads (`SSL3_RT_MAX_PLAIN_LENGTH` and `CLIENT_HELLO_MAX_LENGTH` in
/// `ssl/statem/statem_local.h`).
const LONGEST: usize = 131_396;

/// The first handshake message in a stream of records, out of as many records as it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstMessage {
    /// The whole message, with its four bytes of header.
    Whole(Vec<u8>),
    /// More bytes are needed to tell.
    Begun,
    /// The bytes are no ClientHello.
    Other,
}

impl FirstMessage {
    /// Looks for it in the first bytes of a connection.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Assembly::default().read(bytes)
    }
}

/// The first handshake message while it comes: every byte is looked at once, however many records and reads it takes.
#[derive(Debug, Default)]
pub struct Assembly {
    message: Vec<u8>,
    /// How many bytes of the stream have been read.
    read: usize,
    /// How many of them the current record still has.
    in_record: usize,
}

impl Assembly {
    /// Reads on; `bytes` are all that have come so far.
    pub fn read(&mut self, bytes: &[u8]) -> FirstMessage {
        while let Some(rest) = bytes.get(self.read..).filter(|rest| !rest.is_empty()) {
            if self.in_record == 0 {
                let is_handshake = rest[0] == record::HANDSHAKE;
                if !is_handshake || rest.get(1).is_some_and(|major| *major != record::MAJOR) {
                    return FirstMessage::Other;
                }
                let [_, _, _, high, low, ..] = *rest else { return FirstMessage::Begun };
                self.read += record::HEAD;
                self.in_record = usize::from(u16::from_be_bytes([high, low]));
                // Records without content would be without end (RFC 8446 5.1 forbids them).
                if self.in_record == 0 {
                    return FirstMessage::Other;
                }
                continue;
            }
            let fragment = &rest[..rest.len().min(self.in_record)];
            self.message.extend_from_slice(fragment);
            self.read += fragment.len();
            self.in_record -= fragment.len();
            if let Some(found) = self.found() {
                return found;
            }
        }
        FirstMessage::Begun
    }

    /// What the message is, as soon as that can be told.
    fn found(&mut self) -> Option<FirstMessage> {
        const CLIENT_HELLO: u8 = HandshakeType::CLIENT_HELLO.0;
        match self.message[..] {
            [CLIENT_HELLO, high, middle, low, ..] => {
                let end = 4 + usize::from(high) * 0x1_0000 + usize::from(u16::from_be_bytes([middle, low]));
                if end > LONGEST {
                    return Some(FirstMessage::Other);
                }
                (self.message.len() >= end).then(|| {
                    self.message.truncate(end);
                    FirstMessage::Whole(std::mem::take(&mut self.message))
                })
            }
            [CLIENT_HELLO, ..] | [] => None,
            [..] => Some(FirstMessage::Other),
        }
    }
}

impl Offer {
    pub(crate) fn read(&mut self, message: &[u8]) -> Option<()> {
        let mut hello = Reader(message);
        if hello.byte()? != HandshakeType::CLIENT_HELLO.0 {
            return None;
        }
        let _length = hello.take(3)?;
        self.legacy_version = hello.number()?;
        let _random = hello.take(32)?;
        let _session_id = hello.short_vector()?;
        self.ciphers = hello.vector()?.numbers();
        let _compression_methods = hello.short_vector()?;
        let mut extensions = hello.vector()?;
        while !extensions.0.is_empty() {
            let kind = extensions.number()?;
            self.extensions.push(kind);
            let content = extensions.vector()?;
            // A broken extension does not keep the next one from being read.
            let _ = self.read_extension(kind, content);
        }
        Some(())
    }

    fn read_extension(&mut self, kind: u16, mut content: Reader<'_>) -> Option<()> {
        match kind {
            extension::SERVER_NAME => {
                let mut list = content.vector()?;
                let (host_name, name) = (list.byte()? == 0, list.vector()?.0);
                self.server_name = host_name.then(|| String::from_utf8_lossy(name).into_owned());
            }
            extension::SUPPORTED_GROUPS => self.groups = content.vector()?.numbers(),
            extension::EC_POINT_FORMATS => self.point_formats = content.short_vector()?.0.to_vec(),
            extension::SIGNATURE_ALGORITHMS => self.signature_algorithms = content.vector()?.numbers(),
            extension::ALPN => {
                let mut list = content.vector()?;
                while let Some(name) = list.short_vector() {
                    self.alpn.push(name.0.to_vec());
                }
            }
            // An empty ticket only says that the client would take one (RFC 5077 3.2).
            extension::SESSION_TICKET => self.offers_resumption |= !content.0.is_empty(),
            extension::PRE_SHARED_KEY => self.offers_resumption = true,
            extension::SUPPORTED_VERSIONS => self.versions = Some(content.short_vector()?.numbers()),
            extension::KEY_SHARE => {
                let mut list = content.vector()?;
                while let Some(group) = list.number() {
                    self.key_shares.push(group);
                    list.vector()?;
                }
            }
            _ => {}
        }
        Some(())
    }

    fn known_versions(&self) -> Option<Versions> {
        let legacy = [self.legacy_version];
        let offered = self.versions.as_deref().unwrap_or(&legacy);
        let known: Vec<_> = offered.iter().filter_map(|number| TlsVersion::from_number(*number)).collect();
        (!known.is_empty()).then(|| Versions::of(&known))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tls_gauntlet_scenarios::TlsVersion;

    use super::*;

    /// A ClientHello with these parts, each in its own order.
    pub(in super::super) fn hello(
        legacy_version: u16,
        ciphers: &[u16],
        extensions: &[(u16, Vec<u8>)],
    ) -> Vec<u8> {
        let mut body = legacy_version.to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.push(0);
        body.extend(vector(&numbers(ciphers)));
        body.extend([1, 0]);
        let listed: Vec<u8> = extensions
            .iter()
            .flat_map(|(kind, content)| [kind.to_be_bytes().to_vec(), vector(content)].concat())
            .collect();
        body.extend(vector(&listed));
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[1], &length[1..], &body].concat()
    }

    pub(in super::super) fn vector(content: &[u8]) -> Vec<u8> {
        [&u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
    }

    pub(in super::super) fn numbers(numbers: &[u16]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    fn example() -> Vec<u8> {
        let share = [numbers(&[0x1a1a]), vector(&[0]), numbers(&[29]), vector(&[9; 32])].concat();
        let name = [&[0][..], &vector(b"backend.gauntlet.test")].concat();
        hello(
            0x0303,
            &[0x0a0a, 0x1301, 0xc02b, 0xfefe],
            &[
                (0x2a2a, vec![]),
                (0, vector(&name)),
                (10, vector(&numbers(&[0x1a1a, 29, 23]))),
                (11, vec![1, 0]),
                (13, vector(&numbers(&[0x0403, 0x0804]))),
                (16, vector(b"\x02h2\x08http/1.1")),
                (35, vec![]),
                (43, [&[6][..], &numbers(&[0x3a3a, 0x0304, 0x0303])].concat()),
                (49, vec![]),
                (51, vector(&share)),
                (17513, vec![1, 2]),
            ],
        )
    }

    #[test]
    fn a_hello_is_read_by_its_names() {
        let message = example();
        let facts = facts(&message);

        assert_eq!(facts.versions, Some(Versions::current()));
        assert_eq!(facts.server_name.as_deref(), Some("backend.gauntlet.test"));
        assert_eq!(
            facts.ciphers,
            ["GREASE", "TLS_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "0xfefe"]
        );
        assert_eq!(facts.groups, ["GREASE", "x25519", "secp256r1"]);
        assert_eq!(facts.key_shares, ["GREASE", "x25519"]);
        assert_eq!(facts.signature_algorithms, ["ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"]);
        assert_eq!(facts.alpn, ["h2", "http/1.1"]);
        assert_eq!((facts.extensions[1].as_str(), facts.extensions[10].as_str()), ("server_name", "17513"));
        assert!(facts.post_handshake_auth);
        assert!(!facts.offers_resumption, "an empty ticket extension offers nothing");
        assert_eq!(facts.length, message.len());
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        message.chunks(size).flat_map(|fragment| [&[22, 3, 1][..], &vector(fragment)].concat()).collect()
    }

    #[test]
    fn the_first_message_is_put_together_from_its_records() {
        let message = example();
        for size in [1, 3, 4, 5, 100, message.len()] {
            let stream = records(&message, size);
            for end in 0..stream.len() {
                assert_eq!(
                    FirstMessage::of(&stream[..end]),
                    FirstMessage::Begun,
                    "{end} bytes of {size} each"
                );
            }
            let followed = [&stream[..], b"what comes after it"].concat();
            assert_eq!(FirstMessage::of(&followed), FirstMessage::Whole(message.clone()));
        }
    }

    /// A longest message in records of one byte, read byte by byte, was looked at from its beginning each time: 9 s.
    #[test]
    fn a_message_in_the_smallest_records_is_read_once() {
        let (kind, content) = (0xfafa, vec![0; 60_000]);
        let message = hello(0x0303, &[0x1301], &[(kind, content)]);
        let stream = records(&message, 1);
        let mut assembly = Assembly::default();
        let whole = (1..=stream.len()).find_map(|end| match assembly.read(&stream[..end]) {
            FirstMessage::Begun => None,
            found => Some(found),
        });
        assert_eq!(whole, Some(FirstMessage::Whole(message)));
    }

    #[test]
    fn what_is_no_client_hello_is_known_at_once() {
        for bytes in [
            &b"GET / HTTP/1.1"[..],
            b"\x15\x03\x01\x00\x02\x02\x28",
            b"\x16\x02",
            b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
            b"\x16\x03\x01\x00\x00",
            b"\x16\x03\x01\x40\x00\x01\xff\xff\xff",
        ] {
            assert_eq!(FirstMessage::of(bytes), FirstMessage::Other, "{bytes:?}");
        }
        assert_eq!(FirstMessage::of(b""), FirstMessage::Begun);
    }

    #[test]
    fn without_the_extension_the_old_field_is_the_version() {
        assert_eq!(facts(&hello(0x0301, &[], &[])).versions, Some(Versions::of(&[TlsVersion::Tls10])));
        assert_eq!(facts(&hello(0x7f00, &[], &[])).versions, None);
    }

    #[test]
    fn tickets_and_pre_shared_keys_offer_resumption() {
        assert!(facts(&hello(0x0303, &[], &[(35, vec![1])])).offers_resumption);
        assert!(facts(&hello(0x0303, &[], &[(41, vec![])])).offers_resumption);
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_survived() {
        let message = example();
        for end in 0..message.len() {
            let cut = facts(&message[..end]);
            assert!(cut.extensions.len() <= 11);
        }
        for place in 0..message.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut broken = message.clone();
                broken[place] = value;
                assert_eq!(facts(&broken).length, message.len());
            }
        }
        assert_eq!(facts(b"GET / HTTP/1.1\r\n\r\n").ciphers, Vec::<String>::new());
    }
}
