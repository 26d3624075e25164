//! A ClientHello in numbers, and as bytes: the offer of a client, to be read or to be sent without a handshake behind it.

use tls_gauntlet_scenarios::TlsVersion;

use super::{observer::HandshakeType, record};

/// A ClientHello in numbers, GREASE included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) legacy_version: u16,
    pub(crate) versions: Option<Vec<u16>>,
    pub(crate) ciphers: Vec<u16>,
    /// The extensions, in the order in which they are sent.
    pub(crate) extensions: Vec<u16>,
    pub(crate) groups: Vec<u16>,
    pub(crate) point_formats: Vec<u8>,
    pub(crate) signature_algorithms: Vec<u16>,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) key_shares: Vec<u16>,
    pub(crate) server_name: Option<String>,
    pub(crate) offers_resumption: bool,
}

/// Numbers of the extensions that are looked into or written.
pub(crate) mod extension {
    pub(crate) const SERVER_NAME: u16 = 0;
    pub(crate) const STATUS_REQUEST: u16 = 5;
    pub(crate) const SUPPORTED_GROUPS: u16 = 10;
    pub(crate) const EC_POINT_FORMATS: u16 = 11;
    pub(crate) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(crate) const ALPN: u16 = 16;
    pub(crate) const HEARTBEAT: u16 = 15;
    pub(crate) const STATUS_REQUEST_V2: u16 = 17;
    pub(crate) const COMPRESS_CERTIFICATE: u16 = 27;
    pub(crate) const RECORD_SIZE_LIMIT: u16 = 28;
    pub(crate) const DELEGATED_CREDENTIALS: u16 = 34;
    pub(crate) const SIGNATURE_ALGORITHMS_CERT: u16 = 50;
    pub(crate) const SESSION_TICKET: u16 = 35;
    pub(crate) const PRE_SHARED_KEY: u16 = 41;
    pub(crate) const SUPPORTED_VERSIONS: u16 = 43;
    pub(crate) const PSK_KEY_EXCHANGE_MODES: u16 = 45;
    pub(crate) const POST_HANDSHAKE_AUTH: u16 = 49;
    pub(crate) const KEY_SHARE: u16 = 51;
    pub(crate) const RENEGOTIATION_INFO: u16 = 0xff01;
}

impl Offer {
    /// The record that carries it. Key shares are left out: a server that wants to go on in TLS 1.3 then asks for
    /// the group of its choice (RFC 8446 4.1.4), and no key has to be made.
    ///
    /// A vector that is longer than its length can say is cut; the server then refuses the message.
    pub(crate) fn record(&self, random: [u8; 32]) -> Vec<u8> {
        let mut body = self.legacy_version.to_be_bytes().to_vec();
        body.extend(random);
        // A session identifier, empty but where TLS 1.3 wants to look like 1.2 (RFC 8446 D.4).
        body.extend(short_vector(if self.versions.is_some() { &random } else { &[] }));
        body.extend(vector(&numbers(&self.ciphers)));
        body.extend([1, 0]);
        let extensions: Vec<u8> = self
            .extensions
            .iter()
            .flat_map(|kind| [&kind.to_be_bytes()[..], &vector(&self.extension(*kind))].concat())
            .collect();
        if !self.extensions.is_empty() {
            body.extend(vector(&extensions));
        }
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
        let message = [&[HandshakeType::CLIENT_HELLO.0], &length[1..], &body].concat();
        // Old servers take no newer version here (RFC 8446 5.1).
        let version = self.legacy_version.min(TlsVersion::Tls10.number()).to_be_bytes();
        [&[record::HANDSHAKE], &version[..], &vector(&message)].concat()
    }

    fn extension(&self, kind: u16) -> Vec<u8> {
        match kind {
            extension::SERVER_NAME => {
                let name = self.server_name.as_deref().unwrap_or_default();
                vector(&[&[0], &vector(name.as_bytes())[..]].concat())
            }
            // OCSP, no responders, no extensions (RFC 6066 8).
            extension::STATUS_REQUEST => vec![1, 0, 0, 0, 0],
            extension::SUPPORTED_GROUPS => vector(&numbers(&self.groups)),
            extension::EC_POINT_FORMATS => short_vector(&self.point_formats),
            extension::SIGNATURE_ALGORITHMS => vector(&numbers(&self.signature_algorithms)),
            extension::ALPN => {
                vector(&self.alpn.iter().flat_map(|name| short_vector(name)).collect::<Vec<u8>>())
            }
            extension::SUPPORTED_VERSIONS => {
                short_vector(&numbers(self.versions.as_deref().unwrap_or_default()))
            }
            extension::KEY_SHARE => vector(&[]),
            // With a key exchange (RFC 8446 4.2.9).
            extension::PSK_KEY_EXCHANGE_MODES => vec![1, 1],
            // The first handshake of a connection (RFC 5746 3.4).
            extension::RENEGOTIATION_INFO => vec![0],
            extension::SIGNATURE_ALGORITHMS_CERT => vector(&numbers(&self.signature_algorithms)),
            // The peer may send heartbeats (RFC 6520 2).
            extension::HEARTBEAT => vec![1],
            // One certificate status, of OCSP (RFC 6961 2.2).
            extension::STATUS_REQUEST_V2 => vec![0, 7, 2, 0, 4, 0, 0, 0, 0],
            // Brotli (RFC 8879 3).
            extension::COMPRESS_CERTIFICATE => vec![2, 0, 2],
            // 16,385 bytes (RFC 8449 4).
            extension::RECORD_SIZE_LIMIT => vec![0x40, 0x01],
            // ECDSA with P-256 and SHA-256 (RFC 9345 4.1.1).
            extension::DELEGATED_CREDENTIALS => vec![0, 2, 4, 3],
            _ => Vec::new(),
        }
    }
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// Behind one byte of length.
fn short_vector(content: &[u8]) -> Vec<u8> {
    [&[u8::try_from(content.len()).unwrap_or(u8::MAX)], content].concat()
}

/// Behind two bytes of length.
fn vector(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes(), content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let offer = Offer {
            legacy_version: 0x0303,
            versions: Some(vec![0x0304, 0x0303]),
            ciphers: vec![0x1301, 0xc02b],
            extensions: vec![0, 5, 10, 11, 13, 16, 35, 43, 45, 49, 51, 0xff01],
            groups: vec![29, 23],
            point_formats: vec![0],
            signature_algorithms: vec![0x0403, 0x0804],
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            key_shares: Vec::new(),
            server_name: Some("backend.gauntlet.test".to_owned()),
            offers_resumption: false,
        };
        let record = offer.record([7; 32]);
        assert_eq!(record[..3], [22, 3, 1]);
        assert_eq!(usize::from(u16::from_be_bytes([record[3], record[4]])), record.len() - 5);
        let mut read = Offer::default();
        read.read(&record[5..]).unwrap();
        assert_eq!(read, offer);
    }

    #[test]
    fn ssl3_knows_no_extensions() {
        let offer = Offer { legacy_version: 0x0300, ciphers: vec![5, 0x00ff], ..Offer::default() };
        let record = offer.record([7; 32]);
        assert_eq!(record[..3], [22, 3, 0]);
        // Header, message header, version, random, no session, two suites, one compression method, and the end.
        assert_eq!(record.len(), 5 + 4 + 2 + 32 + 1 + 2 + 4 + 2);
    }
}
