//! Suites: which combinations are run, and why.

use serde::{Deserialize, Serialize};

/// A suite of scenarios, as written in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Suite {
    /// One sentence: what it asks.
    pub summary: String,
    /// The source that asks for it.
    pub source: String,
    /// The gateways it runs on when no suite is named; every one if empty. `NAME*` stands for all whose names begin
    /// so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<String>,
    /// The combinations; each product is multiplied out.
    #[serde(rename = "product")]
    pub products: Vec<Product>,
}

impl Suite {
    /// Whether it runs on this gateway when no suite is named.
    #[must_use]
    pub fn is_for(&self, gateway: &str) -> bool {
        let fits = |name: &String| match name.strip_suffix('*') {
            Some(beginning) => gateway.starts_with(beginning),
            // A version beside others (`NAME@VERSION`) is that gateway, too.
            None => gateway
                .strip_prefix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('@')),
        };
        self.gateways.is_empty() || self.gateways.iter().any(fits)
    }
}

/// A product of names. `*` stands for every catalogue entry of the kind, `FAMILY/*` for the backends of a family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Product {
    /// Clients.
    #[serde(default = "default_only")]
    pub clients: Vec<String>,
    /// Listeners.
    #[serde(default = "default_only")]
    pub listeners: Vec<String>,
    /// Upstreams.
    #[serde(default = "strict_only")]
    pub upstreams: Vec<String>,
    /// Backends, perhaps composed with `+`.
    #[serde(default = "plain_only")]
    pub backends: Vec<String>,
    /// Why these; each scenario inherits the sentence.
    pub why: String,
    /// The source that asks for these; the suite's source if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

fn default_only() -> Vec<String> {
    vec!["default".to_owned()]
}

fn strict_only() -> Vec<String> {
    vec!["strict".to_owned()]
}

fn plain_only() -> Vec<String> {
    vec!["plain-good".to_owned()]
}
