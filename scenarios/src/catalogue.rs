//! The catalogue: one file, one flaw, one name. The folder is the family.

use std::{collections::BTreeMap, sync::OnceLock};

use include_dir::{Dir, include_dir};
use serde::de::DeserializeOwned;

use crate::{
    cell::{Named, Scenario},
    compose::{Composed, Contradiction},
    nearest,
    profile::{BackendProfile, ClientProfile, GatewayProfile, ListenerProfile, OptionError, UpstreamProfile},
    suite::{Product, Suite},
};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/catalog");

/// Every backend, client, listener, upstream and suite that Gauntlet ships.
#[derive(Debug)]
pub struct Catalogue {
    backends: BTreeMap<String, Entry<BackendProfile>>,
    clients: BTreeMap<String, ClientProfile>,
    listeners: BTreeMap<String, ListenerProfile>,
    upstreams: BTreeMap<String, UpstreamProfile>,
    profiles: BTreeMap<String, GatewayProfile>,
    suites: BTreeMap<String, Suite>,
}

#[derive(Debug)]
struct Entry<T> {
    family: String,
    profile: T,
}

/// A name that the catalogue does not have, or a composition that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownName {
    /// No such entry.
    #[error("unknown {kind} \"{name}\"{hint} (`gauntlet list {kind}s` shows all)")]
    NotFound {
        /// The kind of entry.
        kind: &'static str,
        /// The name as given.
        name: String,
        /// `; did you mean …?` where a name is near.
        hint: String,
    },
    /// Two parts of a composition contradict each other.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// An option that a gateway profile does not have.
    #[error(transparent)]
    Option(#[from] OptionError),
}

/// The catalogue that is compiled in.
#[must_use]
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(Catalogue::load)
}

impl Catalogue {
    // A broken file is a broken build: the tests of this crate load every one.
    fn load() -> Self {
        let backends = read::<BackendProfile>("backends");
        Self {
            backends: backends
                .into_iter()
                .map(|(path, profile)| {
                    let (family, name) = path.rsplit_once('/').expect("a backend's folder is its family");
                    (name.to_owned(), Entry { family: family.to_owned(), profile })
                })
                .collect(),
            clients: read("clients"),
            listeners: read("listeners"),
            upstreams: read("upstreams"),
            profiles: read("profiles"),
            suites: read("suites"),
        }
    }

    /// A backend by its name, composed where the name holds `+`.
    ///
    /// # Errors
    /// [`UnknownName`] for an unknown part or two that contradict each other.
    pub fn backend(&self, name: &str) -> Result<Composed, UnknownName> {
        let find = |part: &str| {
            self.backends
                .get(part)
                .map(|entry| &entry.profile)
                .ok_or_else(|| not_found("backend", part, self.backends.keys()))
        };
        let mut parts = name.split('+');
        let first = parts.next().unwrap_or_default();
        let mut composed = Composed::single(first, find(first)?);
        for part in parts {
            composed = composed.with(part, find(part)?)?;
        }
        Ok(composed)
    }

    /// A client by its name.
    ///
    /// # Errors
    /// [`UnknownName`] if there is none.
    pub fn client(&self, name: &str) -> Result<&ClientProfile, UnknownName> {
        self.clients.get(name).ok_or_else(|| not_found("client", name, self.clients.keys()))
    }

    /// A listener by its name.
    ///
    /// # Errors
    /// [`UnknownName`] if there is none.
    pub fn listener(&self, name: &str) -> Result<&ListenerProfile, UnknownName> {
        self.listeners.get(name).ok_or_else(|| not_found("listener", name, self.listeners.keys()))
    }

    /// An upstream by its name.
    ///
    /// # Errors
    /// [`UnknownName`] if there is none.
    pub fn upstream(&self, name: &str) -> Result<&UpstreamProfile, UnknownName> {
        self.upstreams.get(name).ok_or_else(|| not_found("upstream", name, self.upstreams.keys()))
    }

    /// A gateway profile by its name, with options on where the name holds `+`: `azure-apim-classic@2025-08+backend-tls13`.
    ///
    /// # Errors
    /// [`UnknownName`] if there is no such profile, or no such option.
    pub fn profile(&self, name: &str) -> Result<GatewayProfile, UnknownName> {
        let mut parts = name.split('+');
        let own = parts.next().unwrap_or_default();
        let profile =
            self.profiles.get(own).ok_or_else(|| not_found("gateway", own, self.profiles.keys()))?;
        Ok(profile.with_options(own, parts)?)
    }

    /// Every gateway profile, by name.
    pub fn profiles(&self) -> impl Iterator<Item = (&str, &GatewayProfile)> {
        self.profiles.iter().map(|(name, profile)| (name.as_str(), profile))
    }

    /// A suite by its name.
    ///
    /// # Errors
    /// [`UnknownName`] if there is none.
    pub fn suite(&self, name: &str) -> Result<&Suite, UnknownName> {
        self.suites.get(name).ok_or_else(|| not_found("suite", name, self.suites.keys()))
    }

    /// Every backend with its family, by name.
    pub fn backends(&self) -> impl Iterator<Item = (&str, &str, &BackendProfile)> {
        self.backends.iter().map(|(name, entry)| (name.as_str(), entry.family.as_str(), &entry.profile))
    }

    /// Every client, by name.
    pub fn clients(&self) -> impl Iterator<Item = (&str, &ClientProfile)> {
        self.clients.iter().map(|(name, profile)| (name.as_str(), profile))
    }

    /// Every listener, by name.
    pub fn listeners(&self) -> impl Iterator<Item = (&str, &ListenerProfile)> {
        self.listeners.iter().map(|(name, profile)| (name.as_str(), profile))
    }

    /// Every upstream, by name.
    pub fn upstreams(&self) -> impl Iterator<Item = (&str, &UpstreamProfile)> {
        self.upstreams.iter().map(|(name, profile)| (name.as_str(), profile))
    }

    /// Every suite, by name.
    pub fn suites(&self) -> impl Iterator<Item = (&str, &Suite)> {
        self.suites.iter().map(|(name, suite)| (name.as_str(), suite))
    }

    /// The scenarios of a suite, in a fixed order.
    ///
    /// # Errors
    /// [`UnknownName`] if the suite, or a name in it, is unknown.
    pub fn scenarios(&self, suite: &str) -> Result<Vec<Scenario>, UnknownName> {
        let definition = self.suite(suite)?;
        let mut scenarios = Vec::new();
        for product in &definition.products {
            self.multiply(suite, definition, product, &mut scenarios)?;
        }
        Ok(scenarios)
    }

    /// As [`expand`], with families.
    fn expand_backends(&self, names: &[String]) -> Vec<String> {
        let mut backends = Vec::new();
        for name in expand(names, self.backends.keys()) {
            match name.strip_suffix("/*") {
                Some(family) => {
                    let members = self.backends.iter().filter(|(_, entry)| entry.family == family);
                    backends.extend(members.map(|(name, _)| name.clone()));
                }
                None => backends.push(name),
            }
        }
        backends
    }

    /// The scenario of these entries, in no suite and without a reason.
    ///
    /// # Errors
    /// [`UnknownName`] if there is no such client, listener or upstream.
    pub fn scenario(
        &self,
        client: &str,
        listener: &str,
        upstream: &str,
        backend: Composed,
    ) -> Result<Scenario, UnknownName> {
        Ok(Scenario {
            suite: String::new(),
            client: Named::of(client, self.client(client)?),
            listener: Named::of(listener, self.listener(listener)?),
            upstream: Named::of(upstream, self.upstream(upstream)?),
            backend,
            why: String::new(),
            source: String::new(),
        })
    }

    fn multiply(
        &self,
        suite: &str,
        definition: &Suite,
        product: &Product,
        scenarios: &mut Vec<Scenario>,
    ) -> Result<(), UnknownName> {
        for backend in self.expand_backends(&product.backends) {
            let composed = self.backend(&backend)?;
            for upstream in expand(&product.upstreams, self.upstreams.keys()) {
                for listener in expand(&product.listeners, self.listeners.keys()) {
                    for client in expand(&product.clients, self.clients.keys()) {
                        scenarios.push(Scenario {
                            suite: suite.to_owned(),
                            why: product.why.clone(),
                            source: product.source.as_ref().unwrap_or(&definition.source).clone(),
                            ..self.scenario(&client, &listener, &upstream, composed.clone())?
                        });
                    }
                }
            }
        }
        Ok(())
    }
}

fn expand<'a>(names: &[String], all: impl Iterator<Item = &'a String>) -> Vec<String> {
    if names == ["*"] { all.cloned().collect() } else { names.to_vec() }
}

fn read<T: DeserializeOwned>(kind: &str) -> BTreeMap<String, T> {
    let folder = FILES.get_dir(kind).unwrap_or_else(|| panic!("the catalogue has no folder {kind}"));
    let mut entries = BTreeMap::new();
    collect(folder, kind, &mut entries);
    entries
}

fn collect<T: DeserializeOwned>(folder: &Dir<'_>, kind: &str, entries: &mut BTreeMap<String, T>) {
    for file in folder.files() {
        let path = file.path().to_str().expect("catalogue paths are ASCII");
        let Some(name) = path.strip_suffix(".toml") else { continue };
        let name = name.strip_prefix(&format!("{kind}/")).expect("the folder is its prefix");
        let text = file.contents_utf8().expect("catalogue files are UTF-8");
        let entry = toml::from_str(text).unwrap_or_else(|error| panic!("catalog/{path}: {error}"));
        entries.insert(name.to_owned(), entry);
    }
    for inner in folder.dirs() {
        collect(inner, kind, entries);
    }
}

/// The error for an unknown name, with the nearest known one as a hint.
fn not_found<'a>(kind: &'static str, name: &str, known: impl Iterator<Item = &'a String>) -> UnknownName {
    UnknownName::NotFound {
        kind,
        name: name.to_owned(),
        hint: nearest::hint(name, known.map(String::as_str)),
    }
}
