//! What every page of ours has in common: its colours and controls, and a policy that lets nothing in but what is in it.

use openssl::base64;
use sha2::{Digest, Sha256};

/// The colours, light and dark, the type faces, and what people filter with.
pub(crate) const THEME: &str = include_str!("page/theme.css");

/// What scripts build pages with; it comes before theirs.
pub(crate) const ELEMENTS: &str = include_str!("page/elements.js");

/// What a browser compares a script or style sheet with (CSP level 3, 2.3.1).
pub(crate) fn digest(text: &str) -> String {
    format!("sha256-{}", base64::encode_block(&Sha256::digest(text)))
}
