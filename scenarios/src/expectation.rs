//! What must happen in one scenario.

use serde::{Deserialize, Serialize};

use crate::evidence::Handling;
use crate::words::{
    Alert, Cause, CipherSuite, ClientCertificate, Group, Outcome, Party, Phase, TlsVersion, Versions,
    closed_list,
};

/// What must happen: who may stop the request, when, why, and what each side must have seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Expectation {
    /// Whether the request comes through.
    pub outcome: Outcome,
    /// The party that refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Party>,
    /// The phase in which it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Another cause that is right as well: one flaw can break two rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub or_cause: Option<Cause>,
    /// Whether the witnesses must tell it from every other cause.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exact: bool,
    /// The HTTP statuses the client may see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u16>,
    /// The alerts the client may receive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Alert>,
    /// Whether the client may see no more than a connection that ends.
    #[serde(default)]
    pub may_close: bool,
    /// Whether the gateway must have given a backend up that kept it waiting, before its client gave up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gives_up: Option<bool>,
    /// Whether the client's session must have been resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_resumed: Option<bool>,
    /// The application protocol on which client and gateway must have agreed (`Some(None)`, in JSON `null`: none).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub client_alpn: Option<Option<String>>,
    /// What the backend must have seen.
    #[serde(default)]
    pub backend: BackendSight,
    /// How the model came to this, step by step, in words.
    #[serde(default)]
    pub steps: Vec<String>,
}

/// What a backend must have seen of one cell. What is absent is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BackendSight {
    /// How many connections arrived, where some may have been tries in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// How far the gateway came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Connection>,
    /// The versions that a ClientHello may offer, and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered_versions: Option<Versions>,
    /// The cipher suites that it may offer; of TLS 1.3, or older, any where none of that kind is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offered_ciphers: Vec<CipherSuite>,
    /// The groups that it may offer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offered_groups: Vec<Group>,
    /// Whether the handshake was completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Handling>,
    /// The negotiated version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<TlsVersion>,
    /// Whether a server name was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<bool>,
    /// Whether the certificate that the backend shows hangs on the server name, so that without it the gateway must refuse.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub name_decides: bool,
    /// The server names of which one was sent, where one was; known to the runner, which sets the gateway up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sni: Vec<String>,
    /// Which client certificate was shown (`Some(None)`, in JSON `null`: none at all).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub client_certificate: Option<Option<ClientCertificate>>,
    /// How many renegotiations were completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renegotiations: Option<u32>,
    /// The application protocol that was agreed on (`Some(None)`: none).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub alpn: Option<Option<String>>,
    /// Whether the session was resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<bool>,
    /// Whether the connection had carried another request before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<bool>,
    /// Whether the status of its certificate was asked for where the certificate points to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_asked: Option<bool>,
}

/// A value that is present is `Some`, even if it is `null`.
fn present<'de, D, T>(value: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(value).map(Some)
}

closed_list! {
    /// How far a gateway must have come with a backend.
    Connection as "connection" {
        /// No connection arrived.
        None = "none",
        /// A connection arrived, but no request did.
        NoRequest = "no-request",
        /// A request arrived.
        Request = "request",
    }
}

impl Expectation {
    /// A request that comes through.
    #[must_use]
    pub fn reach(backend: BackendSight) -> Self {
        Self {
            outcome: Outcome::Reach,
            by: None,
            phase: None,
            cause: None,
            or_cause: None,
            exact: false,
            statuses: vec![200],
            alerts: Vec::new(),
            may_close: false,
            gives_up: None,
            client_resumed: None,
            client_alpn: None,
            backend,
            steps: Vec::new(),
        }
    }

    /// A request that is refused.
    #[must_use]
    pub fn refuse(by: Party, phase: Phase, cause: Cause) -> Self {
        Self {
            outcome: Outcome::Refuse,
            by: Some(by),
            phase: Some(phase),
            cause: Some(cause),
            or_cause: None,
            exact: false,
            statuses: Vec::new(),
            alerts: Vec::new(),
            may_close: false,
            gives_up: None,
            client_resumed: None,
            client_alpn: None,
            backend: BackendSight::default(),
            steps: Vec::new(),
        }
    }
}
