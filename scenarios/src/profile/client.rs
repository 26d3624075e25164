//! A client: a caller with one TLS behaviour.

use serde::{Deserialize, Serialize};

use crate::words::{CipherSuite, ClientCertificate, Group, Versions, closed_list};

/// What one client does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClientProfile {
    /// One sentence: what it does.
    pub summary: String,
    /// Protocol versions it offers.
    #[serde(default = "Versions::current")]
    pub versions: Versions,
    /// Cipher suites it offers up to TLS 1.2; all that have a use if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ciphers: Option<Vec<CipherSuite>>,
    /// Key-exchange groups it offers; all that have a use if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Group>>,
    /// Application protocols it offers, in order (RFC 7301); the extension is left out if there are none. Where the server
    /// agrees on none of them, it goes on if HTTP/1.1 is among them, and leaves if it is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protocols: Vec<String>,
    /// The certificate it shows when asked; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,
    /// The server name it sends.
    #[serde(default = "right")]
    pub server_name: ServerNameSent,
    /// The listener at which it has got the session that it offers to resume, or [`HERE`](Self::HERE); it offers none if
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_from: Option<String>,
    /// Whether it follows a server that renegotiates; Go and rustls do not.
    #[serde(default = "yes")]
    pub follows_renegotiation: bool,
    /// Whether it speaks HTTP without TLS.
    #[serde(default)]
    pub plaintext: bool,
    /// Whether it asks for a path below `/secure`, which some backends protect.
    #[serde(default)]
    pub secure_path: bool,
}

impl ClientProfile {
    /// The protocol that needs no agreement (RFC 9112).
    pub const HTTP11: &str = "http/1.1";

    /// Stands for the listener that it calls.
    pub const HERE: &str = "here";

    /// Whether it leaves a server that agrees on none of its application protocols, as clients of gRPC do.
    #[must_use]
    pub fn insists_on_protocol(&self) -> bool {
        !self.protocols.is_empty() && !self.protocols.iter().any(|name| name == Self::HTTP11)
    }

    /// The listener at which it gets a session before it calls this one.
    #[must_use]
    pub fn session_from<'a>(&'a self, listener: &'a str) -> Option<&'a str> {
        self.session_from.as_deref().map(|name| if name == Self::HERE { listener } else { name })
    }
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

const fn yes() -> bool {
    true
}

const fn right() -> ServerNameSent {
    ServerNameSent::Right
}
