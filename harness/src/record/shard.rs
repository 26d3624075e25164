//! Which part of a run a record is, and how the parts fit together.

use std::{collections::BTreeMap, fmt, fmt::Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tls_gauntlet_certs::hex;

/// Which part of a whole run a record is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ShardFacts {
    /// Which part, from 1 on.
    pub part: u32,
    /// How many parts there are.
    pub of: u32,
    /// A digest of which part got which cell: the same in every part of one run.
    pub split: String,
}

impl fmt::Display for ShardFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

/// The digest of which part gets which cell.
#[must_use]
pub fn split_digest(parts: &BTreeMap<String, u32>) -> String {
    let mut text = String::new();
    for (cell, part) in parts {
        let _ = writeln!(text, "{cell} {part}");
    }
    let digest = Sha256::digest(text);
    hex(&digest[..16])
}
