//! Clients that are not at hand, as recorded facts: the shape of the ClientHello of each, and which servers it gets through to.

mod fate;

use std::{collections::HashMap, sync::LazyLock};

use include_dir::{Dir, include_dir};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tls_gauntlet_scenarios::{ClientHelloFacts, TlsVersion, Versions};

pub use fate::{Fate, at_gateway, at_server};

use crate::wire::{
    client_hello, names,
    offer::{Offer, extension},
};

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/presets");

/// The shape of a ClientHello, by the names of the IANA registries; what has none there is a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Preset {
    /// One sentence: which client, and how it is set up.
    pub summary: String,
    /// Its recorder, or the preset it was derived from.
    pub source: String,
    /// When that client was current: `2013-06`.
    pub as_of: String,
    /// The versions it goes on with.
    pub versions: Versions,
    /// Its cipher suites, in its order.
    pub ciphers: Vec<String>,
    /// Its extensions, in its order.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// Its groups, in its order.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Its signature algorithms, in its order.
    #[serde(default)]
    pub signature_algorithms: Vec<String>,
    /// Its formats of points on curves, by number.
    #[serde(default)]
    pub point_formats: Vec<u8>,
    /// Its application protocols, in its order.
    #[serde(default)]
    pub alpn: Vec<String>,
    /// The JA3 fingerprint with which it was recorded; none if it is derived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ja3: Option<String>,
}

/// Every preset, in the order of the names.
#[must_use]
pub fn all() -> &'static [(String, Preset)] {
    static ALL: LazyLock<Vec<(String, Preset)>> = LazyLock::new(|| {
        let mut all: Vec<_> = SHIPPED.files().map(read).collect();
        all.sort_by(|(left, _), (right, _)| left.cmp(right));
        all
    });
    &ALL
}

fn read(file: &include_dir::File<'_>) -> (String, Preset) {
    let name = file.path().file_stem().and_then(|name| name.to_str()).expect("the files have names");
    let text = file.contents_utf8().expect("the files are text");
    let preset = toml::from_str(text).unwrap_or_else(|error| panic!("presets/{name}.toml: {error}"));
    (name.to_owned(), preset)
}

impl Preset {
    /// What its ClientHello offers, as if it had been received.
    #[must_use]
    pub fn hello(&self) -> ClientHelloFacts {
        let record = self.offer(Some("server.gauntlet.test")).record([0; 32]);
        client_hello::facts(&record[RECORD_HEADER..])
    }

    /// Its ClientHello towards a server of this name, which it leaves out where it has none to send.
    pub(crate) fn offer(&self, server_name: Option<&str>) -> Offer {
        let lists_versions = self.extensions.iter().any(|name| name == "supported_versions");
        let mut versions: Vec<u16> = self.versions.iter().map(TlsVersion::number).collect();
        versions.reverse();
        let mut extensions = numbers(Registry::Extensions, &self.extensions);
        extensions.retain(|kind| *kind != extension::SERVER_NAME || server_name.is_some());
        Offer {
            legacy_version: self.versions.max().number().min(TLS12),
            versions: lists_versions.then_some(versions),
            ciphers: numbers(Registry::Ciphers, &self.ciphers),
            extensions,
            groups: numbers(Registry::Groups, &self.groups),
            point_formats: self.point_formats.clone(),
            signature_algorithms: numbers(Registry::SignatureSchemes, &self.signature_algorithms),
            alpn: self.alpn.iter().map(|name| name.clone().into_bytes()).collect(),
            key_shares: Vec::new(),
            server_name: server_name.map(str::to_owned),
            offers_resumption: false,
        }
    }

    /// Whether it offers this suite.
    fn has_cipher(&self, name: &str) -> bool {
        self.ciphers.iter().any(|own| own == name)
    }

    fn speaks(&self, version: TlsVersion) -> bool {
        self.versions.contains(version)
    }
}

const RECORD_HEADER: usize = 5;
const TLS12: u16 = TlsVersion::Tls12.number();

/// Where a name is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Registry {
    Ciphers,
    Extensions,
    Groups,
    SignatureSchemes,
}

/// The numbers of these names.
fn numbers(registry: Registry, of: &[String]) -> Vec<u16> {
    static KNOWN: LazyLock<HashMap<Registry, HashMap<String, u16>>> = LazyLock::new(|| {
        let every = |name: fn(u16) -> String| {
            // Of those that share a name (GREASE), the first.
            (0..=u16::MAX).rev().map(|number| (name(number), number)).collect()
        };
        HashMap::from([
            (Registry::Ciphers, every(names::cipher)),
            (Registry::Extensions, every(names::extension)),
            (Registry::Groups, every(names::group)),
            (Registry::SignatureSchemes, every(names::signature_scheme)),
        ])
    });
    of.iter().filter_map(|name| KNOWN[&registry].get(name).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every name is known, so that what is sent is what was recorded.
    #[test]
    fn every_preset_is_what_was_recorded() {
        assert!(all().len() >= 20);
        for (name, preset) in all() {
            let hello = preset.hello();
            assert_eq!(hello.ciphers, preset.ciphers, "{name}");
            assert_eq!(hello.extensions, preset.extensions, "{name}");
            assert_eq!(hello.groups, preset.groups, "{name}");
            assert_eq!(hello.signature_algorithms, preset.signature_algorithms, "{name}");
            assert_eq!(hello.alpn, preset.alpn, "{name}");
            if let Some(ja3) = &preset.ja3 {
                assert_eq!(hello.ja3, *ja3, "{name}");
            }
            let derived = preset.source.contains("Derived");
            assert_eq!(preset.ja3.is_none(), derived, "{name} is recorded, or says that it is not");
        }
    }

    /// The highest version first (RFC 8446 4.2.1); no name where there is none to send.
    #[test]
    fn an_offer_is_in_its_client_s_order() {
        let (_, curl) = all().iter().find(|(name, _)| name == "curl-7.88").unwrap();
        let offer = curl.offer(None);
        assert_eq!(offer.versions.as_deref().and_then(<[u16]>::first), Some(&0x0304));
        assert!(!offer.extensions.contains(&extension::SERVER_NAME));
        assert!(curl.offer(Some("localhost")).extensions.contains(&extension::SERVER_NAME));
    }
}
