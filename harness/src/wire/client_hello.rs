//! Reads a raw ClientHello (RFC 8446 4.1.2, RFC 5246 7.4.1.2). Total: whatever the bytes, it says what can be read
//! of them.

use tls_gauntlet_scenarios::{ClientHelloFacts, TlsVersion, Versions};

use super::{fingerprint, names};

/// What a ClientHello offers. `message` is the whole handshake message with its four bytes of header, as
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

/// A ClientHello in numbers, GREASE included.
#[derive(Debug, Default)]
pub(super) struct Offer {
    pub(super) legacy_version: u16,
    pub(super) versions: Option<Vec<u16>>,
    pub(super) ciphers: Vec<u16>,
    pub(super) extensions: Vec<u16>,
    pub(super) groups: Vec<u16>,
    pub(super) point_formats: Vec<u8>,
    pub(super) signature_algorithms: Vec<u16>,
    pub(super) alpn: Vec<Vec<u8>>,
    pub(super) key_shares: Vec<u16>,
    pub(super) server_name: Option<String>,
    pub(super) offers_resumption: bool,
}

/// Numbers of the extensions that are looked into.
pub(super) mod extension {
    pub(in super::super) const SERVER_NAME: u16 = 0;
    pub(super) const SUPPORTED_GROUPS: u16 = 10;
    pub(super) const EC_POINT_FORMATS: u16 = 11;
    pub(super) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(in super::super) const ALPN: u16 = 16;
    pub(super) const SESSION_TICKET: u16 = 35;
    pub(super) const PRE_SHARED_KEY: u16 = 41;
    pub(super) const SUPPORTED_VERSIONS: u16 = 43;
    pub(super) const POST_HANDSHAKE_AUTH: u16 = 49;
    pub(super) const KEY_SHARE: u16 = 51;
}

impl Offer {
    fn read(&mut self, message: &[u8]) -> Option<()> {
        const CLIENT_HELLO: u8 = 1;
        let mut hello = Reader(message);
        if hello.byte()? != CLIENT_HELLO {
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
        let known: Vec<_> = offered.iter().filter_map(|version| tls_version(*version)).collect();
        (!known.is_empty()).then(|| Versions::of(&known))
    }
}

fn tls_version(number: u16) -> Option<TlsVersion> {
    match number {
        0x0300 => Some(TlsVersion::Ssl3),
        0x0301 => Some(TlsVersion::Tls10),
        0x0302 => Some(TlsVersion::Tls11),
        0x0303 => Some(TlsVersion::Tls12),
        0x0304 => Some(TlsVersion::Tls13),
        _ => None,
    }
}

/// Takes bytes from the front, as long as there are enough.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A vector with one byte of length.
    fn short_vector(&mut self) -> Option<Self> {
        let length = self.byte()?;
        self.take(usize::from(length)).map(Self)
    }

    /// A vector with two bytes of length.
    fn vector(&mut self) -> Option<Self> {
        let length = self.number()?;
        self.take(usize::from(length)).map(Self)
    }

    /// The rest, two bytes at a time.
    fn numbers(self) -> Vec<u16> {
        self.0.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
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
