//! What a store holds, and who may have it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use openssl::x509::X509;
use serde::Serialize;
use tls_gauntlet_certs::{Identity, Unusable, authorities, hex};

/// What a version consists of.
#[derive(Debug, Clone)]
pub enum Material {
    /// A certificate with its key.
    Identity(Arc<Identity>),
    /// Certificates to trust.
    Authorities(Vec<X509>),
}

impl Material {
    /// Reads a file: PEM of certificates alone, PEM of a chain and its key, or PFX.
    ///
    /// # Errors
    /// [`Unusable`]: what is wrong with it.
    pub fn read(file: &[u8], password: &str) -> Result<Self, Unusable> {
        if !file.trim_ascii_start().starts_with(b"-----BEGIN") {
            return Identity::from_pfx(file, password).map(|identity| Self::Identity(Arc::new(identity)));
        }
        match Identity::from_pem(file) {
            Err(Unusable::NoKey) => authorities(file).map(Self::Authorities),
            identity => identity.map(|identity| Self::Identity(Arc::new(identity))),
        }
    }

    /// The serial number of the first certificate.
    #[must_use]
    pub fn serial(&self) -> String {
        match self {
            Self::Identity(identity) => identity.serial(),
            Self::Authorities(all) => {
                let number = all[0].serial_number().to_bn().map(|number| number.to_vec()).unwrap_or_default();
                hex(&number)
            }
        }
    }
}

/// Why something is not handed out, or not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The file is no good.
    #[error("cannot be taken: {0}")]
    Unusable(#[from] Unusable),
    /// Nobody put it in.
    #[error("there is no {0}")]
    Unknown(String),
    /// The caller may not have anything.
    #[error("access is denied to {caller}")]
    Denied {
        /// The caller.
        caller: String,
    },
    /// The version is switched off.
    #[error("version {version} of {name} is disabled")]
    Disabled {
        /// The certificate.
        name: String,
        /// Its version.
        version: u32,
    },
}

/// One request for a certificate, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// The caller.
    pub caller: String,
    /// For which certificate.
    pub certificate: String,
    /// The version that was handed out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Why none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Certificates by name, each with its versions.
#[derive(Debug, Default)]
pub struct Store(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    certificates: BTreeMap<String, Vec<Version>>,
    denied: BTreeSet<String>,
    asked: Vec<Asked>,
}

#[derive(Debug)]
struct Version {
    material: Material,
    enabled: bool,
}

/// A version, as the store tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Told {
    version: u32,
    enabled: bool,
    serial: String,
}

impl Store {
    /// Puts a new version in, and says its number. It is the current one from now on.
    pub fn put(&self, name: &str, material: Material) -> u32 {
        let mut content = self.content();
        let versions = content.certificates.entry(name.to_owned()).or_default();
        versions.push(Version { material, enabled: true });
        number(versions.len())
    }

    /// Switches a version on or off.
    ///
    /// # Errors
    /// [`Refusal::Unknown`].
    pub fn enable(&self, name: &str, version: u32, enabled: bool) -> Result<(), Refusal> {
        let mut content = self.content();
        let versions = content.certificates.get_mut(name);
        let place = usize::try_from(version).unwrap_or_default().wrapping_sub(1);
        let found = versions.and_then(|versions| versions.get_mut(place));
        let found = found.ok_or_else(|| Refusal::Unknown(format!("version {version} of {name}")))?;
        found.enabled = enabled;
        Ok(())
    }

    /// Lets a caller have certificates, or no more.
    pub fn allow(&self, caller: &str, allowed: bool) {
        let denied = &mut self.content().denied;
        if allowed {
            denied.remove(caller);
        } else {
            denied.insert(caller.to_owned());
        }
    }

    /// Hands a version out, the newest if none is named, and remembers who asked.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn get(&self, caller: &str, name: &str, version: Option<u32>) -> Result<(u32, Material), Refusal> {
        let mut content = self.content();
        let found = content.find(caller, name, version);
        let (version, refused) = match &found {
            Ok((version, _)) => (Some(*version), None),
            Err(refusal) => (None, Some(refusal.to_string())),
        };
        let (caller, certificate) = (caller.to_owned(), name.to_owned());
        content.asked.push(Asked { caller, certificate, version, refused });
        found
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.content().asked.clone()
    }

    pub(super) fn versions(&self, name: &str) -> Result<Vec<Told>, Refusal> {
        let content = self.content();
        let versions = content.certificates.get(name).ok_or_else(|| Refusal::Unknown(name.to_owned()))?;
        let told = versions.iter().enumerate().map(|(place, version)| Told {
            version: number(place + 1),
            enabled: version.enabled,
            serial: version.material.serial(),
        });
        Ok(told.collect())
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn find(&self, caller: &str, name: &str, version: Option<u32>) -> Result<(u32, Material), Refusal> {
        if self.denied.contains(caller) {
            return Err(Refusal::Denied { caller: caller.to_owned() });
        }
        let versions = self.certificates.get(name).ok_or_else(|| Refusal::Unknown(name.to_owned()))?;
        let wanted = version.unwrap_or_else(|| number(versions.len()));
        let place = usize::try_from(wanted).unwrap_or_default().wrapping_sub(1);
        let found = versions.get(place);
        let found = found.ok_or_else(|| Refusal::Unknown(format!("version {wanted} of {name}")))?;
        if !found.enabled {
            return Err(Refusal::Disabled { name: name.to_owned(), version: wanted });
        }
        Ok((wanted, found.material.clone()))
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
