//! Suites: which combinations are run, and why.

use serde::{Deserialize, Serialize};

/// A suite of scenarios, as written in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Suite {
    /// One sentence: what it asks.
    pub summary: String,
    /// Who asks for it.
    pub source: String,
    /// The gateways it runs on when no suite is named; every one if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<String>,
    /// The combinations; each product is multiplied out.
    #[serde(rename = "product")]
    pub products: Vec<Product>,
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
