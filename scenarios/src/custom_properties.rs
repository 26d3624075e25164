//! `properties.customProperties` of API Management: the map of the REST API, as a gateway profile and back.
//!
//! A `PATCH` resets every key that it leaves out to its default, and so does this: what a map says is the whole of
//! the settings, whatever was set before.

use std::collections::BTreeMap;

use crate::{
    catalogue::catalogue,
    profile::GatewayProfile,
    words::{TlsVersion, Versions},
};

/// What all keys begin with.
pub const PREFIX: &str = "Microsoft.WindowsAzure.ApiManagement.Gateway.";

/// The tier whose gateway these settings are for.
const TIER: &str = "azure-apim-classic@2025-08";

/// Whose versions a key switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Clients,
    Backends,
}

/// What a key is when it is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Default {
    On,
    Off,
    /// On for services made on or before 1 April 2018.
    ByAge,
}

/// The keys that switch versions, behind [`PREFIX`]. There is none for TLS 1.2 from clients: it cannot be switched off.
const VERSIONS: &[(&str, Side, TlsVersion, Default)] = &[
    ("Security.Protocols.Ssl30", Side::Clients, TlsVersion::Ssl3, Default::ByAge),
    ("Security.Protocols.Tls10", Side::Clients, TlsVersion::Tls10, Default::ByAge),
    ("Security.Protocols.Tls11", Side::Clients, TlsVersion::Tls11, Default::ByAge),
    ("Security.Protocols.Tls13", Side::Clients, TlsVersion::Tls13, Default::On),
    ("Security.Backend.Protocols.Ssl30", Side::Backends, TlsVersion::Ssl3, Default::ByAge),
    ("Security.Backend.Protocols.Tls10", Side::Backends, TlsVersion::Tls10, Default::ByAge),
    ("Security.Backend.Protocols.Tls11", Side::Backends, TlsVersion::Tls11, Default::ByAge),
    ("Security.Backend.Protocols.Tls12", Side::Backends, TlsVersion::Tls12, Default::On),
    ("Security.Backend.Protocols.Tls13", Side::Backends, TlsVersion::Tls13, Default::Off),
];

/// What the keys of cipher suites begin with, behind [`PREFIX`]; all of them are on when they are left out.
const CIPHERS: &str = "Security.Ciphers.";

/// HTTP/2 for clients, off when it is left out.
const HTTP2: &str = "Protocols.Server.Http2";

/// The whole map, every key that switches a version in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomProperties(BTreeMap<String, String>);

/// A map that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomPropertiesError {
    /// A switch that is neither on nor off.
    #[error("{key} is \"{value}\"; it takes \"True\" or \"False\"")]
    Value {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// A side without any version.
    #[error(
        "with these properties no TLS version is left towards backends; set {PREFIX}Security.Backend.Protocols.Tls12 or Tls13 to \"True\""
    )]
    NothingLeft,
}

impl CustomProperties {
    /// Reads a map; what it leaves out is at its default for a service of that age.
    ///
    /// # Errors
    /// [`CustomPropertiesError`] for a switch that is neither on nor off.
    pub fn read(
        map: &BTreeMap<String, String>,
        made_before_april_2018: bool,
    ) -> Result<Self, CustomPropertiesError> {
        for (key, value) in map.iter().filter(|(key, _)| is_known(key)) {
            is_on(value)
                .ok_or_else(|| CustomPropertiesError::Value { key: key.clone(), value: value.clone() })?;
        }
        let mut whole = map.clone();
        for (key, _, _, default) in VERSIONS {
            let on = match default {
                Default::On => true,
                Default::Off => false,
                Default::ByAge => made_before_april_2018,
            };
            whole.entry(format!("{PREFIX}{key}")).or_insert_with(|| word(on));
        }
        Ok(Self(whole))
    }

    /// Those of a profile: its versions, and what it keeps beside them.
    #[must_use]
    pub fn of(profile: &GatewayProfile) -> Self {
        let mut whole = profile.custom_properties.clone();
        for (key, side, version, _) in VERSIONS {
            let versions = match side {
                Side::Clients => &profile.client_side.versions,
                Side::Backends => &profile.backend_side.versions,
            };
            whole.insert(format!("{PREFIX}{key}"), word(versions.contains(*version)));
        }
        Self(whole)
    }

    /// The map, as the REST API takes it.
    #[must_use]
    pub const fn map(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// The keys that mean nothing to Gauntlet. They are kept all the same.
    #[must_use]
    pub fn unknown(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).filter(|key| !is_known(key)).collect()
    }

    /// The profile of a gateway that is set like this.
    ///
    /// # Errors
    /// [`CustomPropertiesError::NothingLeft`] if every version towards backends is off.
    pub fn profile(&self) -> Result<GatewayProfile, CustomPropertiesError> {
        let tier = catalogue().profile(TIER).expect("the tier is in the catalogue");
        let on = |side: Side| {
            let of_side = VERSIONS.iter().filter(move |(_, of, _, _)| *of == side);
            of_side.filter(|(key, ..)| self.is_on(key)).map(|(_, _, version, _)| *version).collect::<Vec<_>>()
        };
        let clients: Vec<_> = on(Side::Clients).into_iter().chain([TlsVersion::Tls12]).collect();
        let backends = on(Side::Backends);
        if backends.is_empty() {
            return Err(CustomPropertiesError::NothingLeft);
        }
        let mut profile = tier;
        profile.client_side.versions = Versions::of(&clients);
        profile.backend_side.versions = Versions::of(&backends);
        profile.options = BTreeMap::new();
        profile.custom_properties = self
            .0
            .iter()
            .filter(|(key, _)| !switches_a_version(key))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        profile.summary = format!(
            "API Management, as its customProperties say: {} from clients, {} to backends.",
            profile.client_side.versions, profile.backend_side.versions
        );
        "customProperties".clone_into(&mut profile.source);
        Ok(profile)
    }

    /// What is on that should be off: the old versions, and the cipher suite 3DES.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let old = VERSIONS.iter().filter(|(_, _, version, _)| *version < TlsVersion::Tls12);
        let mut warnings: Vec<_> = old
            .filter(|(key, ..)| self.is_on(key))
            .map(|(key, _, version, _)| format!("{PREFIX}{key} switches {version} on"))
            .collect();
        let triple_des = format!("{CIPHERS}TripleDes168");
        if self.0.contains_key(&format!("{PREFIX}{triple_des}")) && self.is_on(&triple_des) {
            warnings.push(format!("{PREFIX}{triple_des} switches 3DES on (RFC 9325 4.1)"));
        }
        warnings
    }

    fn is_on(&self, key: &str) -> bool {
        self.0.get(&format!("{PREFIX}{key}")).and_then(|value| is_on(value)).unwrap_or(false)
    }
}

fn switches_a_version(key: &str) -> bool {
    key.strip_prefix(PREFIX).is_some_and(|key| VERSIONS.iter().any(|(known, ..)| *known == key))
}

fn is_known(key: &str) -> bool {
    switches_a_version(key)
        || key.strip_prefix(PREFIX).is_some_and(|key| key.starts_with(CIPHERS) || key == HTTP2)
}

/// Templates and tools write the two words in any case.
fn is_on(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn word(on: bool) -> String {
    if on { "True" } else { "False" }.to_owned()
}
