//! A listener: what the gateway offers to clients.

use serde::{Deserialize, Serialize};

use crate::words::{CipherSuite, Group, Versions, closed_list};

/// How one port of the gateway is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ListenerProfile {
    /// One sentence: what it offers.
    pub summary: String,
    /// Protocol versions it accepts.
    #[serde(default = "Versions::current")]
    pub versions: Versions,
    /// Cipher suites it accepts up to TLS 1.2; the gateway's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ciphers: Option<Vec<CipherSuite>>,
    /// Key-exchange groups it accepts; the gateway's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Group>>,
    /// Application protocols it accepts, in its order; no more than the gateway's own if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protocols: Vec<String>,
    /// Whether it issues session tickets, and resumes by them; not looked at if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_tickets: Option<bool>,
    /// What it makes of client certificates.
    #[serde(default = "ignored")]
    pub client_certificate: ClientCertificatePolicy,
    /// Whether it looks client certificates up in the revocation list of their issuer.
    #[serde(default)]
    pub check_revocation: bool,
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
        /// Asks once a request needs it: by renegotiation up to TLS 1.2 (RFC 5246 7.4.1.1). TLS 1.3 has none; most
        /// gateways cannot ask there.
        OnDemand = "on-demand",
    }
}

const fn ignored() -> ClientCertificatePolicy {
    ClientCertificatePolicy::Ignored
}
