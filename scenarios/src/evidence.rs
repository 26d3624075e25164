//! What the three witnesses saw: the client, the backend and the gateway's own log.

use serde::{Deserialize, Serialize};

use crate::words::{Alert, Cause, ClientCertificate, Phase, StatusSource, TlsVersion, Versions, closed_list};

/// Everything that was seen of one cell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Evidence {
    /// What the client saw.
    pub client_saw: ClientSaw,
    /// What the backend saw: one entry for each connection that arrived on the cell's own port.
    pub backend_saw: Vec<BackendSaw>,
    /// What was asked for where the backend's certificate points to, in the order of the requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status_asked: Vec<StatusSource>,
    /// The lines of the gateway's log that carry the cell's nonce.
    pub gateway_said: Vec<String>,
    /// What those lines mean, by the patterns of `gateway.toml`.
    pub gateway_causes: Vec<Cause>,
    /// When and how the gateway died, if it did so before it was told to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_died: Option<String>,
    /// What went wrong with Gauntlet itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instrument_failed: Option<String>,
}

/// What the client saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClientSaw {
    /// Whether it spoke HTTP without TLS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plaintext: bool,
    /// The HTTP status, once a complete response head has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The side that made the response: a backend's echo of the cell's nonce proves that it was the backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<Responder>,
    /// Whether the response came whole.
    #[serde(default)]
    pub complete: bool,
    /// The fatal alert that was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<Alert>,
    /// The fatal alert that the client itself sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_sent: Option<Alert>,
    /// The code with which the request, or all of HTTP/2, was given up by the server (RFC 9113 7): `HTTP_1_1_REQUIRED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http2_error: Option<String>,
    /// The negotiated version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<TlsVersion>,
    /// The negotiated application protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpn: Option<String>,
    /// Whether the session was resumed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
    /// Whether the server asked for a client certificate.
    #[serde(default)]
    pub certificate_requested: bool,
    /// Whether the server came back after the first handshake: up to TLS 1.2 with a HelloRequest (RFC 5246 7.4.1.1), in
    /// TLS 1.3 with a CertificateRequest (RFC 8446 4.6.2).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked_late: bool,
    /// How far it came: the phase in which it ended (`close` after a whole exchange).
    #[serde(default)]
    pub phase: Phase,
    /// Why the client's own verification refused the server, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_because: Option<Cause>,
    /// The error in the words of the library that met it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How the connection ended, where it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

impl ClientSaw {
    /// Whether it got a whole response with a status of success, from the backend or from the gateway.
    #[must_use]
    pub fn sees_success(&self) -> bool {
        self.complete && self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

closed_list! {
    /// The side that made a response.
    Responder as "responder" {
        /// The backend: the response echoes the cell's nonce.
        Backend = "backend",
        /// The gateway.
        Gateway = "gateway",
    }
}

/// What a backend saw of one connection: an entry of its ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BackendSaw {
    /// Whether the first handshake was completed.
    pub outcome: Handling,
    /// The nonce of the request, if one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The negotiated version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<TlsVersion>,
    /// The negotiated cipher suite, by its standard (IANA) name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cipher: Option<String>,
    /// The negotiated group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The negotiated application protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpn: Option<String>,
    /// The server name that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// Which of the known client certificates was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,
    /// The subjects of the client's chain, leaf first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_chain: Vec<String>,
    /// The fatal alert that the backend sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_sent: Option<Alert>,
    /// The fatal alert (or `no_renegotiation`) that it received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_received: Option<Alert>,
    /// How many renegotiations were completed.
    pub renegotiations: u32,
    /// Whether the session was resumed.
    pub resumed: bool,
    /// The ClientHello.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_hello: Option<ClientHelloFacts>,
    /// Whether a whole request was read.
    pub requests: u32,
    /// The phase in which the connection ended (`close` after a whole exchange).
    pub phase: Phase,
    /// How it ended.
    pub ended: Ended,
    /// Why the backend says it ended, where it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The error in OpenSSL's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Milliseconds from accepting the connection to its end.
    pub duration_ms: u64,
}

closed_list! {
    /// What came of it when a request needed a client certificate that the handshake had not brought.
    LateDemand as "late demand" {
        /// The client was asked, and showed a good one.
        Given = "given",
        /// The client was asked, and showed none.
        Missing = "missing",
        /// The client was asked, and showed one that is not acceptable.
        Refused = "refused",
        /// The client was asked, and would not renegotiate; the connection broke over it.
        NotFollowed = "not-followed",
        /// There was no way to ask.
        NotAsked = "not-asked",
    }
}

closed_list! {
    /// Whether a backend completed the first handshake.
    #[derive(Default)]
    Handling as "handling" {
        /// The handshake was completed.
        Accepted = "accepted",
        /// It was not.
        #[default]
        Refused = "refused",
    }
}

closed_list! {
    /// How a connection ended.
    #[derive(Default)]
    Ended as "end" {
        /// As HTTP and TLS want it.
        Cleanly = "cleanly",
        /// The peer closed in the middle.
        #[default]
        ClosedByPeer = "closed-by-peer",
        /// The peer reset the connection.
        ResetByPeer = "reset-by-peer",
        /// A fatal alert was received.
        AlertReceived = "alert-received",
        /// A fatal alert was sent.
        AlertSent = "alert-sent",
        /// This side's own fault ended it.
        ByFault = "by-fault",
        /// This side gave up waiting.
        TimedOut = "timed-out",
        /// It was still open when the backend was stopped.
        Stopped = "stopped",
        /// What came was not TLS, or not HTTP.
        NotUnderstood = "not-understood",
    }
}

/// What a ClientHello offered (RFC 8446 4.1.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClientHelloFacts {
    /// Versions offered, by `supported_versions` or, without it, by `legacy_version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<Versions>,
    /// Cipher suites, by standard (IANA) name, in order; unknown ones as `0x....`.
    pub ciphers: Vec<String>,
    /// Extensions, by IANA name, in order; unknown ones as their number.
    pub extensions: Vec<String>,
    /// Groups, by IANA name, in order.
    pub groups: Vec<String>,
    /// Groups for which a key share was sent.
    pub key_shares: Vec<String>,
    /// Signature schemes, by IANA name, in order.
    pub signature_algorithms: Vec<String>,
    /// Application protocols, in order.
    pub alpn: Vec<String>,
    /// Server name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Whether post-handshake authentication is offered.
    pub post_handshake_auth: bool,
    /// Whether a session ticket or pre-shared key is offered.
    pub offers_resumption: bool,
    /// JA3 fingerprint (MD5, in hexadecimal).
    pub ja3: String,
    /// JA4 fingerprint.
    pub ja4: String,
    /// Length of the handshake message in bytes.
    pub length: usize,
}

impl ClientHelloFacts {
    /// Every word that it offers: versions, cipher suites, groups, signature schemes, application protocols.
    pub(crate) fn words(&self) -> impl Iterator<Item = String> + '_ {
        let versions = self.versions.iter().flat_map(Versions::iter).map(|version| version.to_string());
        let lists = [&self.ciphers, &self.groups, &self.signature_algorithms, &self.alpn];
        versions.chain(lists.into_iter().flatten().cloned())
    }

    /// Whether a name in its lists stands for something that could be picked: neither a signal (RFC 5746 3.3, RFC 7507 4) nor
    /// GREASE (RFC 8701).
    pub(crate) fn is_offer(name: &str) -> bool {
        name != "GREASE" && !name.ends_with("_SCSV")
    }
}
