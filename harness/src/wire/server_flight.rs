//! Reads what a server answers to a ClientHello, as long as it is in the clear: all of its first flight up to TLS 1.2,
//! the ServerHello (or HelloRetryRequest) of TLS 1.3. Total and bounded: whatever the bytes, it says what can be read.

use tls_gauntlet_scenarios::{Alert, TlsVersion};

use super::{
    names,
    observer::HandshakeType,
    offer::extension,
    reader::Reader,
    record::{self, ALERT, HANDSHAKE},
};
use crate::limits::SERVER_FLIGHT;

/// The answer of a server so far.
#[derive(Debug, Default)]
pub(crate) struct ServerFlight {
    bytes: Vec<u8>,
    handshake: Vec<u8>,
    /// How many bytes have come so far.
    taken: usize,
    /// The ServerHello, or the HelloRetryRequest, which says as much.
    pub(crate) hello: Option<ServerHello>,
    /// The certificates in DER, leaf first.
    pub(crate) certificates: Vec<Vec<u8>>,
    /// The authenticated key exchange, where there is one.
    pub(crate) key_exchange: Option<KeyExchange>,
    /// The distinguished names of authorities in DER, if a client certificate is asked for.
    pub(crate) certificate_request: Option<Vec<Vec<u8>>>,
    /// The first alert that is not a warning.
    pub(crate) alert: Option<Alert>,
    /// Whether the flight is over.
    pub(crate) is_done: bool,
    /// Whether there was something that is no TLS record.
    pub(crate) is_not_tls: bool,
}

/// The choices of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServerHello {
    pub(crate) version: u16,
    pub(crate) cipher: u16,
    /// Whether it gave the session an identifier, which none was offered for.
    pub(crate) has_session_id: bool,
    pub(crate) extensions: Vec<u16>,
    /// The group, in TLS 1.3.
    pub(crate) group: Option<u16>,
    pub(crate) alpn: Option<String>,
}

/// A `ServerKeyExchange` (RFC 8422 5.4, RFC 5246 7.4.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeyExchange {
    /// The curve, for one on named curves.
    pub(crate) group: Option<u16>,
    /// The bits of the prime, for one on finite fields.
    pub(crate) prime_bits: Option<usize>,
    /// The scheme of the signature, in TLS 1.2.
    pub(crate) signature: Option<u16>,
}

impl ServerHello {
    /// The version by its name.
    pub(crate) fn tls_version(&self) -> Option<TlsVersion> {
        TlsVersion::from_number(self.version)
    }
}

impl ServerFlight {
    /// Takes what has come.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.taken += bytes.len();
        // Beyond the longest chains in use and five hundred names of authorities.
        if self.taken > SERVER_FLIGHT {
            self.is_not_tls = true;
            return;
        }
        self.bytes.extend_from_slice(bytes);
        while let Some((kind, content)) = self.next_record() {
            match kind {
                ALERT => self.read_alert(&content),
                HANDSHAKE => {
                    self.handshake.extend_from_slice(&content);
                    while self.next_message() {}
                }
                // Keys are in use: nothing after this can be read.
                _ => self.is_done = true,
            }
            if self.is_over() {
                return;
            }
        }
    }

    /// Whether nothing more can be learnt.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_done || self.is_not_tls || self.alert.is_some()
    }

    fn next_record(&mut self) -> Option<(u8, Vec<u8>)> {
        let [kind, major, _, high, low, ..] = self.bytes[..] else {
            // Enough to tell HTTP, SSH and SMTP from TLS.
            self.is_not_tls |= self.bytes.first().is_some_and(|kind| !record::is_content_type(*kind));
            return None;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !record::is_content_type(kind) || major != record::MAJOR || length > record::LONGEST {
            self.is_not_tls = true;
            return None;
        }
        let end = record::HEAD + length;
        let rest = self.bytes.get(record::HEAD..end)?;
        let content = rest.to_vec();
        self.bytes.drain(..end);
        Some((kind, content))
    }

    fn read_alert(&mut self, content: &[u8]) {
        const WARNING: u8 = 1;
        let [level, code, ..] = *content else { return };
        let alert = Alert::from_code(code).unwrap_or(Alert::InternalError);
        // An unknown name is often no more than a warning (RFC 6066 3), and so is the end.
        if level != WARNING || alert == Alert::CloseNotify {
            self.alert = Some(alert);
        }
    }

    /// Reads one handshake message, if there is a whole one.
    fn next_message(&mut self) -> bool {
        let mut reader = Reader(&self.handshake);
        let Some((kind, body)) =
            reader.byte().and_then(|kind| Some((kind, reader.long_vector()?.0.to_vec())))
        else {
            return false;
        };
        self.handshake.drain(..4 + body.len());
        // A message that breaks off tells as much as was read of it.
        let _ = self.read_message(kind, Reader(&body));
        !self.is_over()
    }

    fn read_message(&mut self, kind: u8, mut body: Reader<'_>) -> Option<()> {
        match HandshakeType(kind) {
            HandshakeType::SERVER_HELLO => {
                let hello = server_hello(body)?;
                // The rest is encrypted.
                self.is_done = hello.tls_version() == Some(TlsVersion::Tls13);
                self.hello = Some(hello);
            }
            HandshakeType::CERTIFICATE => {
                let mut list = body.long_vector()?;
                while let Some(certificate) = list.long_vector() {
                    self.certificates.push(certificate.0.to_vec());
                }
            }
            HandshakeType::SERVER_KEY_EXCHANGE => {
                let hello = self.hello.as_ref()?;
                self.key_exchange = Some(key_exchange(body, hello)?);
            }
            HandshakeType::CERTIFICATE_REQUEST => {
                self.certificate_request = Some(Vec::new());
                body.short_vector()?;
                if self.hello.as_ref()?.tls_version() == Some(TlsVersion::Tls12) {
                    body.vector()?;
                }
                let (mut list, mut names) = (body.vector()?, Vec::new());
                while let Some(name) = list.vector() {
                    names.push(name.0.to_vec());
                }
                self.certificate_request = Some(names);
            }
            HandshakeType::SERVER_HELLO_DONE => self.is_done = true,
            _ => {}
        }
        Some(())
    }
}

fn server_hello(mut body: Reader<'_>) -> Option<ServerHello> {
    let version = body.number()?;
    body.take(32)?;
    let has_session_id = !body.short_vector()?.is_empty();
    let cipher = body.number()?;
    body.byte()?;
    let mut hello = ServerHello { version, cipher, has_session_id, ..ServerHello::default() };
    let Some(mut extensions) = body.vector() else { return Some(hello) };
    while let Some(kind) = extensions.number() {
        hello.extensions.push(kind);
        let mut content = extensions.vector()?;
        match kind {
            extension::SUPPORTED_VERSIONS => hello.version = content.number()?,
            extension::KEY_SHARE => hello.group = Some(content.number()?),
            extension::ALPN => {
                let name = content.vector()?.short_vector()?;
                hello.alpn = Some(String::from_utf8_lossy(name.0).into_owned());
            }
            _ => {}
        }
    }
    Some(hello)
}

fn key_exchange(mut body: Reader<'_>, hello: &ServerHello) -> Option<KeyExchange> {
    const NAMED_CURVE: u8 = 3;
    let name = names::cipher(hello.cipher);
    let mut exchange = KeyExchange::default();
    if name.contains("_ECDHE_") || name.contains("_ECDH_anon_") {
        if body.byte()? != NAMED_CURVE {
            return Some(exchange);
        }
        exchange.group = Some(body.number()?);
        body.short_vector()?;
    } else if name.contains("_DHE_") || name.contains("_DH_anon_") {
        let prime = body.vector()?.0;
        let start = prime.iter().position(|byte| *byte != 0).unwrap_or(prime.len());
        let zeros = prime.get(start).map_or(0, |byte| byte.leading_zeros());
        exchange.prime_bits = Some((prime.len() - start) * 8 - usize::try_from(zeros).ok()?);
        body.vector()?;
        body.vector()?;
    } else {
        return Some(exchange);
    }
    let is_signed = !name.contains("_anon_") && hello.tls_version() == Some(TlsVersion::Tls12);
    exchange.signature = if is_signed { body.number() } else { None };
    Some(exchange)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn vector(content: &[u8]) -> Vec<u8> {
        [&u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind, 0], &vector(body)[..]].concat()
    }

    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        [&[kind, 3, 3], &vector(content)[..]].concat()
    }

    fn hello(cipher: u16, extensions: &[u8]) -> Vec<u8> {
        let cipher = cipher.to_be_bytes();
        let body = [&[3, 3], &[7; 32][..], &[1, 9], &cipher, &[0], &vector(extensions)].concat();
        message(2, &body)
    }

    /// A whole flight of TLS 1.2.
    fn flight() -> Vec<u8> {
        let alpn = [&[0, 16][..], &vector(&vector(b"\x02h2"))].concat();
        let messages = [
            hello(0xc02b, &[&[0xff, 1, 0, 1, 0], &alpn[..]].concat()),
            message(11, &[0, 0, 8, 0, 0, 1, 0xaa, 0, 0, 1, 0xbb]),
            message(12, &[3, 0, 29, 2, 1, 2, 4, 3, 0, 1, 0xff]),
            message(13, &[&[1, 64][..], &vector(&[4, 3]), &vector(&vector(b"name"))].concat()),
            message(14, &[]),
        ];
        record(HANDSHAKE, &messages.concat())
    }

    #[test]
    fn a_flight_is_read_in_any_portions() {
        for portion in [1, 3, 1000] {
            let mut read = ServerFlight::default();
            for bytes in flight().chunks(portion) {
                assert!(!read.is_over(), "too early");
                read.feed(bytes);
            }
            assert!(read.is_done);
            let hello = read.hello.unwrap();
            assert_eq!((hello.version, hello.cipher, hello.has_session_id), (0x0303, 0xc02b, true));
            assert_eq!((hello.extensions, hello.alpn.as_deref()), (vec![0xff01, 16], Some("h2")));
            assert_eq!(read.certificates, [[0xaa], [0xbb]]);
            let exchange = read.key_exchange.unwrap();
            assert_eq!((exchange.group, exchange.signature), (Some(29), Some(0x0403)));
            assert_eq!(read.certificate_request.unwrap(), [b"name"]);
        }
    }

    #[test]
    fn tls13_says_its_version_and_group_in_extensions() {
        let retry = hello(0x1301, &[0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 29]);
        let mut read = ServerFlight::default();
        read.feed(&record(HANDSHAKE, &retry));
        let hello = read.hello.unwrap();
        assert_eq!((hello.tls_version(), hello.group), (Some(TlsVersion::Tls13), Some(29)));
        assert!(read.is_done);
    }

    #[rstest]
    #[case(&[0, 0x25, 1], 14)]
    #[case(&[0xff; 128], 1024)]
    fn primes_are_measured(#[case] prime: &[u8], #[case] bits: usize) {
        let exchange = message(12, &[&vector(prime)[..], &vector(&[2]), &vector(&[3]), &[8, 4]].concat());
        let mut read = ServerFlight::default();
        read.feed(&record(HANDSHAKE, &[hello(0x009e, &[]), exchange].concat()));
        let exchange = read.key_exchange.unwrap();
        assert_eq!((exchange.prime_bits, exchange.signature), (Some(bits), Some(0x0804)));
    }

    #[rstest]
    #[case(&[21, 3, 3, 0, 2, 2, 70], Some(Alert::ProtocolVersion), false)]
    #[case(&[21, 3, 3, 0, 2, 1, 112], None, false)]
    #[case(b"HTTP/1.1 400 Bad Request", None, true)]
    #[case(b"220 mail", None, true)]
    #[case(&[22, 3, 3, 0xff, 0xff], None, true)]
    fn alerts_and_what_is_not_tls(#[case] bytes: &[u8], #[case] alert: Option<Alert>, #[case] not_tls: bool) {
        let mut read = ServerFlight::default();
        read.feed(bytes);
        assert_eq!((read.alert, read.is_not_tls), (alert, not_tls));
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_survived() {
        let whole = flight();
        for end in 0..whole.len() {
            ServerFlight::default().feed(&whole[..end]);
        }
        for place in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut broken = whole.clone();
                broken[place] = value;
                ServerFlight::default().feed(&broken);
            }
        }
    }

    #[rstest]
    #[case::a_message_without_end(&[11, 0xff, 0xff, 0xff])]
    #[case::messages_without_end(&[11, 0, 0, 7, 0, 0, 4, 0, 0, 1, 0xaa])]
    fn a_flight_without_end_is_given_up(#[case] content: &[u8]) {
        let mut endless = ServerFlight::default();
        let mut sent = 0;
        while !endless.is_over() {
            let record = record(HANDSHAKE, content);
            endless.feed(&record);
            sent += record.len();
        }
        assert!(endless.is_not_tls && sent <= SERVER_FLIGHT + 100, "{sent} bytes");
        assert!(endless.certificates.len() <= SERVER_FLIGHT / 11);
    }
}
