//! An upstream: how the gateway connects to a backend.

use serde::{Deserialize, Serialize};

use crate::words::{ClientCertificate, Versions};

/// How one route of the gateway is set up towards its backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct UpstreamProfile {
    /// One sentence: what it insists on.
    pub summary: String,
    /// Protocol versions it offers.
    #[serde(default = "Versions::current")]
    pub versions: Versions,
    /// Whether it checks the chain against the trusted root.
    #[serde(default = "yes")]
    pub verify_chain: bool,
    /// Whether it checks the certificate's name.
    #[serde(default = "yes")]
    pub verify_name: bool,
    /// Whether it sends the server name.
    #[serde(default = "yes")]
    pub send_server_name: bool,
    /// The client certificate it shows when asked; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,
}

const fn yes() -> bool {
    true
}
