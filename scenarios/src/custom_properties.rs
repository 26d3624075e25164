//! `properties.customProperties` of API Management: the map of the REST API, as a gateway profile and back.
//!
//! A `PATCH` resets every key that it leaves out to its default, and so does this: what a map says is the whole of
//! the settings, whatever was set before.

use std::collections::BTreeMap;

use crate::{
    catalogue::catalogue,
    profile::{GatewayProfile, Setting},
    words::{CipherSuite, TlsVersion, Versions},
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

/// What the keys of cipher suites begin with, behind [`PREFIX`].
const CIPHERS: &str = "Security.Ciphers.";

/// The key that switches 3DES, by the service's age when it is left out.
const TRIPLE_DES: &str = "Security.Ciphers.TripleDes168";

/// The cipher suites with a key of their name behind [`CIPHERS`], on when it is left out.
const SWITCHED: &[CipherSuite] = &[
    CipherSuite::EcdheEcdsaAes256CbcSha384,
    CipherSuite::EcdheRsaAes256CbcSha384,
    CipherSuite::EcdheEcdsaAes128CbcSha256,
    CipherSuite::EcdheRsaAes128CbcSha256,
    CipherSuite::EcdheEcdsaAes256CbcSha,
    CipherSuite::EcdheRsaAes256CbcSha,
    CipherSuite::EcdheEcdsaAes128CbcSha,
    CipherSuite::EcdheRsaAes128CbcSha,
    CipherSuite::RsaAes256Gcm,
    CipherSuite::RsaAes128Gcm,
    CipherSuite::RsaAes256CbcSha256,
    CipherSuite::RsaAes128CbcSha256,
    CipherSuite::RsaAes256CbcSha,
    CipherSuite::RsaAes128CbcSha,
];

/// The suites that are on, whatever a key says.
const FIXED: &[CipherSuite] = &[
    CipherSuite::EcdheEcdsaAes256Gcm,
    CipherSuite::EcdheRsaAes256Gcm,
    CipherSuite::EcdheEcdsaAes128Gcm,
    CipherSuite::EcdheRsaAes128Gcm,
];

/// The suites of TLS 1.3 that clients get.
const OF_TLS13: &[CipherSuite] = &[CipherSuite::Aes256GcmSha384, CipherSuite::Aes128GcmSha256];

/// HTTP/2 for clients, off when it is left out.
const HTTP2: &str = "Protocols.Server.Http2";

/// The whole map, every key that switches a version, a cipher suite or HTTP/2 in it.
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
    /// A key that this tier does not take.
    #[error("{key} sets the {} of {tier}, which cannot be changed there; leave it out", .what.in_words())]
    Fixed {
        /// The key.
        key: String,
        /// What it sets.
        what: Setting,
        /// The tier.
        tier: String,
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
        whole.entry(format!("{PREFIX}{TRIPLE_DES}")).or_insert_with(|| word(made_before_april_2018));
        for suite in SWITCHED {
            whole.entry(key_of(*suite)).or_insert_with(|| word(true));
        }
        whole.entry(format!("{PREFIX}{HTTP2}")).or_insert_with(|| word(false));
        Ok(Self(whole))
    }

    /// Reads a map for a service of this tier; what it leaves out is as the tier has it.
    ///
    /// # Errors
    /// As [`read`](Self::read), and [`CustomPropertiesError::Fixed`] for a key that sets what cannot be changed there.
    pub fn read_for(
        name: &str,
        tier: &GatewayProfile,
        map: &BTreeMap<String, String>,
    ) -> Result<Self, CustomPropertiesError> {
        check(name, &tier.fixed, map)?;
        let Self(given) = Self::read(map, false)?;
        let Self(mut whole) = Self::of(tier);
        whole.extend(given.into_iter().filter(|(key, _)| map.contains_key(key)));
        Ok(Self(whole))
    }

    /// The settings of a profile: its versions, its cipher suites where it names some, and what it keeps beside them. There is one
    /// list of suites for both sides; of two that differ it is that of the clients.
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
        if let Some(ciphers) = profile.client_side.ciphers.as_ref().or(profile.backend_side.ciphers.as_ref())
        {
            let triple_des = word(ciphers.contains(&CipherSuite::Rsa3desCbcSha));
            whole.insert(format!("{PREFIX}{TRIPLE_DES}"), triple_des);
            whole.extend(SWITCHED.iter().map(|suite| (key_of(*suite), word(ciphers.contains(suite)))));
        }
        let http2 = profile.client_side.protocols.iter().any(|name| name == "h2");
        whole.insert(format!("{PREFIX}{HTTP2}"), word(http2));
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

    /// The profile of a gateway of the classic tiers that is set like this.
    ///
    /// # Errors
    /// [`CustomPropertiesError::NothingLeft`] if every version towards backends is off.
    pub fn profile(&self) -> Result<GatewayProfile, CustomPropertiesError> {
        self.profile_of(catalogue().profile(TIER).expect("the tier is in the catalogue"))
    }

    /// The profile of a gateway of this tier that is set like this.
    ///
    /// # Errors
    /// [`CustomPropertiesError::NothingLeft`] if every version towards backends is off.
    pub fn profile_of(&self, tier: GatewayProfile) -> Result<GatewayProfile, CustomPropertiesError> {
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
        if !profile.fixed.contains(&Setting::Ciphers) {
            let backends = self.ciphers();
            profile.client_side.ciphers = Some(OF_TLS13.iter().chain(&backends).copied().collect());
            profile.backend_side.ciphers = Some(backends);
        }
        let http2 = self.is_on(HTTP2).then(|| ["h2", "http/1.1"].map(str::to_owned).to_vec());
        profile.client_side.protocols = http2.unwrap_or_default();
        profile.options = BTreeMap::new();
        profile.custom_properties = self
            .0
            .iter()
            .filter(|(key, _)| !switches_a_version(key) && !switches_a_suite(key) && !switches_http2(key))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        profile.summary = format!(
            "API Management, as its customProperties say: {} from clients, {} to backends.",
            profile.client_side.versions, profile.backend_side.versions
        );
        "customProperties".clone_into(&mut profile.source);
        Ok(profile)
    }

    /// The cipher suites up to TLS 1.2 that are on.
    fn ciphers(&self) -> Vec<CipherSuite> {
        let switched = SWITCHED.iter().filter(|suite| self.is_on(&format!("{CIPHERS}{suite}")));
        let triple_des = self.is_on(TRIPLE_DES).then_some(&CipherSuite::Rsa3desCbcSha);
        FIXED.iter().chain(switched).chain(triple_des).copied().collect()
    }

    /// What is on that should be off: the old versions, and the cipher suite 3DES; and what cannot be off.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let old = VERSIONS.iter().filter(|(_, _, version, _)| *version < TlsVersion::Tls12);
        let mut warnings: Vec<_> = old
            .filter(|(key, ..)| self.is_on(key))
            .map(|(key, _, version, _)| format!("{PREFIX}{key} switches {version} on"))
            .collect();
        if self.is_on(TRIPLE_DES) {
            warnings.push(format!("{PREFIX}{TRIPLE_DES} switches 3DES on (RFC 9325 4.1)"));
        }
        let off =
            |suite: &&CipherSuite| self.0.get(&key_of(**suite)).and_then(|value| is_on(value)) == Some(false);
        let fixed = FIXED.iter().filter(off);
        warnings.extend(
            fixed.map(|suite| {
                format!("{} changes nothing: this suite cannot be switched off", key_of(*suite))
            }),
        );
        warnings
    }

    fn is_on(&self, key: &str) -> bool {
        self.0.get(&format!("{PREFIX}{key}")).and_then(|value| is_on(value)).unwrap_or(false)
    }
}

/// Sees to it that no key sets what is fixed.
///
/// # Errors
/// [`CustomPropertiesError::Fixed`] with the first that does.
pub fn check(
    tier: &str,
    fixed: &[Setting],
    map: &BTreeMap<String, String>,
) -> Result<(), CustomPropertiesError> {
    let sets = |key: &str| {
        let is_about_ciphers = key.strip_prefix(PREFIX).is_some_and(|key| key.starts_with(CIPHERS));
        let is_about_protocols = key.strip_prefix(PREFIX).is_some_and(|key| key.contains("Protocols."));
        match (is_about_ciphers, is_about_protocols) {
            (true, _) => Some(Setting::Ciphers),
            (false, true) => Some(Setting::Protocols),
            (false, false) => None,
        }
    };
    let barred = |key: &String| sets(key).filter(|what| fixed.contains(what)).map(|what| (key.clone(), what));
    match map.keys().find_map(barred) {
        Some((key, what)) => Err(CustomPropertiesError::Fixed { key, what, tier: tier.to_owned() }),
        None => Ok(()),
    }
}

fn switches_a_version(key: &str) -> bool {
    key.strip_prefix(PREFIX).is_some_and(|key| VERSIONS.iter().any(|(known, ..)| *known == key))
}

fn switches_a_suite(key: &str) -> bool {
    key.strip_prefix(PREFIX) == Some(TRIPLE_DES) || SWITCHED.iter().any(|suite| key == key_of(*suite))
}

fn is_known(key: &str) -> bool {
    let is_fixed = FIXED.iter().any(|suite| key == key_of(*suite));
    switches_a_version(key) || switches_a_suite(key) || is_fixed || switches_http2(key)
}

fn switches_http2(key: &str) -> bool {
    key.strip_prefix(PREFIX) == Some(HTTP2)
}

/// The key of a cipher suite.
fn key_of(suite: CipherSuite) -> String {
    format!("{PREFIX}{CIPHERS}{suite}")
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
