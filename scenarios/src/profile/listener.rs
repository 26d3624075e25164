//! A listener: what the gateway offers to clients.

use serde::{Deserialize, Serialize};

use crate::words::{Versions, closed_list};

/// How one port of the gateway is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ListenerProfile {
    /// One sentence: what it offers.
    pub summary: String,
    /// Protocol versions it accepts.
    #[serde(default = "Versions::current")]
    pub versions: Versions,
    /// What it makes of client certificates.
    #[serde(default = "ignored")]
    pub client_certificate: ClientCertificatePolicy,
}

closed_list! {
    /// What a listener makes of client certificates.
    ClientCertificatePolicy as "client certificate policy" {
        /// Never asks.
        Ignored = "ignored",
        /// Asks in the handshake, goes on without one, refuses a bad one.
        Optional = "optional",
        /// Asks in the handshake and refuses to go on without a good one.
        Required = "required",
    }
}

const fn ignored() -> ClientCertificatePolicy {
    ClientCertificatePolicy::Ignored
}
