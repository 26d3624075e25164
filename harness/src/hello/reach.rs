//! Which servers a client cannot reach, by what its ClientHello leaves out.

use serde::{Deserialize, Serialize};
use tls_gauntlet_scenarios::{ClientHelloFacts, TlsVersion};

/// Something that a client does not offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "matrix", derive(schemars::JsonSchema))]
pub struct Lack {
    /// What it cannot reach.
    pub servers: String,
    /// Because of what.
    pub because: String,
}

/// What servers insist on, and what a client needs for them: each a sentence and a test.
type Need = (&'static str, fn(&ClientHelloFacts) -> Option<String>);

const NEEDS: &[Need] = &[
    ("TLS 1.3-only servers", |hello| version(hello, TlsVersion::Tls13)),
    ("TLS 1.2-only servers", |hello| version(hello, TlsVersion::Tls12)),
    ("servers that speak TLS 1.0 at most", |hello| {
        // Without the extension an offer of a version is one of all below it (RFC 5246 E.1).
        let lists = hello.extensions.iter().any(|name| name == "supported_versions");
        let lowest = hello.versions.as_ref().map(tls_gauntlet_scenarios::Versions::min);
        (lists && lowest > Some(TlsVersion::Tls10)).then(|| "it offers nothing below".to_owned())
    }),
    ("servers up to TLS 1.2 with nothing but forward secrecy and AEAD", |hello| {
        let is_one = |name: &String| {
            name.starts_with("TLS_ECDHE_") && (name.contains("_GCM_") || name.contains("POLY1305"))
        };
        (!hello.ciphers.iter().any(is_one))
            .then(|| "it offers no ECDHE suite with GCM or ChaCha20".to_owned())
    }),
    ("servers up to TLS 1.2 whose only certificate is ECDSA", |hello| {
        let none = !hello.ciphers.iter().any(|name| name.starts_with("TLS_ECDHE_ECDSA_"));
        none.then(|| "it offers no suite for such a certificate".to_owned())
    }),
    ("servers with many names on one address", |hello| {
        hello.server_name.is_none().then(|| "it sends no server name".to_owned())
    }),
    ("HTTP/2-only servers", |hello| {
        (!hello.alpn.iter().any(|name| name == "h2")).then(|| "it does not offer h2".to_owned())
    }),
    ("servers that insist on a post-quantum group", |hello| {
        let is_one = |name: &String| name.contains("MLKEM");
        (!hello.groups.iter().any(is_one)).then(|| "it offers no group with ML-KEM".to_owned())
    }),
    ("servers that ask for a client certificate after the handshake, over TLS 1.3", |hello| {
        (!hello.post_handshake_auth).then(|| "it does not offer post-handshake authentication".to_owned())
    }),
    ("servers that insist on secure renegotiation", |hello| {
        let indicates = hello.extensions.iter().any(|name| name == "renegotiation_info")
            || hello.ciphers.iter().any(|name| name == "TLS_EMPTY_RENEGOTIATION_INFO_SCSV");
        let only_tls13 = hello.versions.as_ref().is_some_and(|versions| versions.min() == TlsVersion::Tls13);
        (!indicates && !only_tls13).then(|| "it indicates none (RFC 5746)".to_owned())
    }),
];

/// Every kind of server that this client cannot reach.
#[must_use]
pub fn lacks(hello: &ClientHelloFacts) -> Vec<Lack> {
    NEEDS
        .iter()
        .filter_map(|(servers, need)| Some(Lack { servers: (*servers).to_owned(), because: need(hello)? }))
        .collect()
}

fn version(hello: &ClientHelloFacts, wanted: TlsVersion) -> Option<String> {
    let offered = hello.versions.as_ref();
    let lists = hello.extensions.iter().any(|name| name == "supported_versions");
    let reaches = offered.is_some_and(|versions| {
        versions.contains(wanted) || (!lists && versions.max() >= wanted && wanted < TlsVersion::Tls13)
    });
    if reaches {
        return None;
    }
    Some(match offered {
        Some(versions) => format!("it offers {versions}"),
        None => "it offers no known version".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use tls_gauntlet_scenarios::Versions;

    use super::*;
    use crate::wire::client_hello;

    /// Offers something to every server.
    fn complete() -> ClientHelloFacts {
        let mut hello = client_hello::facts(&[]);
        let versions = [TlsVersion::Tls10, TlsVersion::Tls11, TlsVersion::Tls12, TlsVersion::Tls13];
        hello.versions = Some(Versions::of(&versions));
        hello.extensions = ["supported_versions", "renegotiation_info"].map(str::to_owned).to_vec();
        hello.ciphers = vec!["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256".to_owned()];
        hello.server_name = Some("localhost".to_owned());
        hello.alpn = vec!["h2".to_owned()];
        hello.groups = vec!["X25519MLKEM768".to_owned()];
        hello.post_handshake_auth = true;
        hello
    }

    type Edit<'a> = &'a dyn Fn(&mut ClientHelloFacts);

    /// Each need by itself: a change to the offer, and what cannot be reached then.
    #[test]
    fn what_is_left_out_is_what_is_lacking() {
        assert_eq!(lacks(&complete()), []);
        let with = |versions: &[TlsVersion]| {
            let versions = Some(Versions::of(versions));
            move |hello: &mut ClientHelloFacts| hello.versions.clone_from(&versions)
        };
        let changes: [(&str, Edit<'_>); 10] = [
            ("TLS 1.3-only servers", &with(&[TlsVersion::Tls10, TlsVersion::Tls12])),
            ("TLS 1.2-only servers", &with(&[TlsVersion::Tls10, TlsVersion::Tls13])),
            ("servers that speak TLS 1.0 at most", &with(&[TlsVersion::Tls12, TlsVersion::Tls13])),
            ("servers up to TLS 1.2 with nothing but forward secrecy and AEAD", &|hello| {
                hello.ciphers = vec!["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA".to_owned()];
            }),
            ("servers up to TLS 1.2 whose only certificate is ECDSA", &|hello| {
                hello.ciphers = vec!["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256".to_owned()];
            }),
            ("servers with many names on one address", &|hello| hello.server_name = None),
            ("HTTP/2-only servers", &|hello| hello.alpn = vec!["http/1.1".to_owned()]),
            ("servers that insist on a post-quantum group", &|hello| {
                hello.groups = vec!["x25519".to_owned()];
            }),
            ("servers that ask for a client certificate after the handshake, over TLS 1.3", &|hello| {
                hello.post_handshake_auth = false;
            }),
            ("servers that insist on secure renegotiation", &|hello| hello.extensions.truncate(1)),
        ];
        for (servers, change) in changes {
            let mut hello = complete();
            change(&mut hello);
            let lacking: Vec<_> = lacks(&hello).into_iter().map(|lack| lack.servers).collect();
            assert_eq!(lacking, [servers]);
        }
        // The suite that stands for the extension (RFC 5746 3.3), and a client that never renegotiates.
        let mut hello = complete();
        hello.extensions.truncate(1);
        hello.ciphers.push("TLS_EMPTY_RENEGOTIATION_INFO_SCSV".to_owned());
        assert_eq!(lacks(&hello), []);
    }

    /// Without the extension an offer of TLS 1.2 is one of everything below it, too.
    #[test]
    fn an_offer_without_a_list_reaches_down() {
        let mut hello = complete();
        hello.versions = Some(Versions::of(&[TlsVersion::Tls12]));
        hello.extensions.remove(0);
        let lacking: Vec<_> = lacks(&hello).into_iter().map(|lack| lack.servers).collect();
        assert_eq!(lacking, ["TLS 1.3-only servers"]);
    }
}
