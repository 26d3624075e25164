//! A `reverse_proxy` of Caddy.

use super::{super::tree::Node, matchers::Call};

/// A `reverse_proxy`, and the routes that lead to it.
pub(super) struct Proxy<'a> {
    pub(super) handler: &'a Node,
    /// The paths of these routes, as they are written.
    pub(super) patterns: Vec<&'a str>,
    /// The hosts that they name.
    pub(super) hosts: Vec<&'a str>,
    pub(super) call: Call,
}
