//! A client: a caller with one TLS behaviour.

use serde::{Deserialize, Serialize};

use crate::words::{ClientCertificate, Versions, closed_list};

/// What one client does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClientProfile {
    /// One sentence: what it does.
    pub summary: String,
    /// Protocol versions it offers.
    #[serde(default = "Versions::current")]
    pub versions: Versions,
    /// The certificate it shows when asked; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,
    /// The server name it sends.
    #[serde(default = "right")]
    pub server_name: ServerNameSent,
    /// Whether it speaks HTTP without TLS.
    #[serde(default)]
    pub plaintext: bool,
}

closed_list! {
    /// The server name a client sends (RFC 6066 section 3).
    ServerNameSent as "server name" {
        /// The name of the server's certificate.
        Right = "right",
        /// A name that the server does not know.
        Wrong = "wrong",
        /// No server name at all.
        None = "none",
    }
}

const fn right() -> ServerNameSent {
    ServerNameSent::Right
}
