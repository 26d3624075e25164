//! What must happen in one scenario.

use serde::{Deserialize, Serialize};

use crate::words::{Alert, Cause, ClientCertificate, Outcome, Party, Phase, TlsVersion, closed_list};

/// What must happen: who may stop the request, when, why, and what each side must have seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Expectation {
    /// Whether the request comes through.
    pub outcome: Outcome,
    /// Who refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Party>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What else it may be called: one flaw can break two rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub or_cause: Option<Cause>,
    /// The HTTP statuses the client may see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u16>,
    /// The alerts the client may receive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Alert>,
    /// Whether the client may see no more than a connection that ends.
    #[serde(default)]
    pub may_close: bool,
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
    /// How far the gateway came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Connection>,
    /// The negotiated version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<TlsVersion>,
    /// Whether a server name was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<bool>,
    /// The server names of which one was sent, where one was; known to whoever sets the gateway up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sni: Vec<String>,
    /// Which client certificate was shown (`Some(None)`: none at all).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<Option<ClientCertificate>>,
    /// How many renegotiations were completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renegotiations: Option<u32>,
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
            statuses: vec![200],
            alerts: Vec::new(),
            may_close: false,
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
            statuses: Vec::new(),
            alerts: Vec::new(),
            may_close: false,
            backend: BackendSight::default(),
            steps: Vec::new(),
        }
    }
}
