//! The scan record: everything that was learnt of each server, from which every report of a scan is drawn.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tls_gauntlet_scenarios::{Alert, Cause, DemandTime, Need, Outcome, Party, Phase, TlsVersion};

use crate::record::{self, RecordError};

/// The schema of [`ScanRecord`].
pub const SCHEMA: &str = "gauntlet.scan/1";

/// One scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScanRecord {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of Gauntlet.
    pub tool: record::Tool,
    /// When it began (RFC 3339).
    pub started: String,
    /// How long it took.
    pub duration_ms: u64,
    /// The servers, in the order in which they were named.
    pub targets: Vec<TargetRecord>,
}

impl ScanRecord {
    /// Reads a record back.
    ///
    /// # Errors
    /// [`RecordError`] when the text is none.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        record::of_schema(SCHEMA, text)
    }
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetRecord {
    /// As it was named: `host:port`.
    pub target: String,
    /// The address that was called, once the name was resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The server name that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// What a current client without a certificate of its own makes of it, in one word.
    pub word: Word,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The failure in the words of the library that met it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The versions it accepts, lowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<VersionFacts>,
    /// What it makes of each application protocol that was offered alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alpn: BTreeMap<String, AlpnAnswer>,
    /// Its chains: one, unless it has several leaf certificates for several algorithms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<ChainFacts>,
    /// When and how it asks for a client certificate, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificateFacts>,
    /// What it makes of a client that sends no server name; nothing if none was sent at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_server_name: Option<NamelessAnswer>,
    /// What it makes of renegotiation; nothing if it speaks TLS 1.3 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renegotiation: Option<RenegotiationFacts>,
    /// What it resumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumption: Option<ResumptionFacts>,
    /// How each gateway would fare with it as a backend.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forecasts: Vec<Forecast>,
    /// How many connections it took to learn this.
    pub connections: u32,
    /// How long it took.
    pub duration_ms: u64,
}

/// The three words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// A current client gets its request through.
    Works,
    /// It answers, but TLS comes to nothing, or ought to.
    TlsProblem,
    /// Nobody answers.
    Unreachable,
}

/// What it does with one version that it accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionFacts {
    /// The version.
    pub version: TlsVersion,
    /// The cipher suites, in the order in which it picked them from what was left of the list (which ascends by number).
    pub ciphers: Vec<String>,
    /// The groups; absent where it was not asked (TLS 1.3, and the highest version below it, are).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// The signature algorithms with which it proves itself; TLS 1.2 and 1.3 have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_algorithms: Option<Vec<String>>,
    /// The smallest prime with which it does Diffie-Hellman on finite fields, in bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dh_bits: Option<usize>,
    /// The status with which it answers a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why a request came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<CallFailure>,
    /// Why the lists may not be complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<Cause>,
}

/// A whole call that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallFailure {
    /// Where.
    pub phase: Phase,
    /// Why.
    pub cause: Cause,
    /// The alert that came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<Alert>,
    /// The error in the words of the library that met it.
    pub error: String,
}

/// What becomes of an application protocol that is offered alone (RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlpnAnswer {
    /// It is picked.
    Picked,
    /// The handshake goes on without one.
    Ignored,
    /// The handshake ends.
    Refused,
}

/// What becomes of a client without a server name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NamelessAnswer {
    /// It answers as it does with a server name.
    Served,
    /// It gets another certificate.
    OtherCertificate,
    /// An alert.
    Alert,
    /// The end of the connection.
    Closed,
}

/// A chain as the server sends it, leaf first, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChainFacts {
    /// The certificates.
    pub certificates: Vec<CertificateFacts>,
    /// The problems, worst first.
    pub problems: Vec<ChainProblem>,
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateFacts {
    /// The subject.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// Its serial number, in hexadecimal.
    pub serial: String,
    /// Its alternative names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// From when on it counts.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub not_before: OffsetDateTime,
    /// Until when.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub not_after: OffsetDateTime,
    /// Its key: `RSA 2048`, `EC prime256v1`.
    pub key: String,
    /// The algorithm of its signature.
    pub signature: String,
    /// SHA-256 of the whole, in hexadecimal.
    pub sha256: String,
}

/// What is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChainProblem {
    /// In a word.
    pub cause: Cause,
    /// Which certificate, the leaf being 0.
    pub depth: u32,
    /// In OpenSSL's words.
    pub text: String,
}

/// A demand for the client's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientCertificateFacts {
    /// When it asks.
    pub asked: DemandTime,
    /// What it does without one.
    pub need: Need,
    /// The status with which it refuses in HTTP, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses_in_http: Option<u16>,
    /// In which versions.
    pub versions: Vec<TlsVersion>,
    /// The authorities it names.
    pub authorities: Vec<String>,
}

/// Renegotiation, up to TLS 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RenegotiationFacts {
    /// Whether it indicates secure renegotiation (RFC 5746).
    pub secure: bool,
    /// Whether it begins one itself after a request, without asking for a certificate.
    pub begins: bool,
    /// Whether it follows a client that begins one; unknown where the first handshake came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows_client: Option<bool>,
}

/// Resumption; what was not offered is false. Unknown where no handshake could be completed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResumptionFacts {
    /// By session identifier, up to TLS 1.2 (RFC 5246 7.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<bool>,
    /// By ticket, up to TLS 1.2 (RFC 5077).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tickets: Option<bool>,
    /// By ticket in TLS 1.3 (RFC 8446 4.6.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls13: Option<bool>,
}

/// How one gateway, set up in one way, would fare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forecast {
    /// The gateway.
    pub gateway: String,
    /// How it connects to its backend.
    pub upstream: String,
    /// Whether it cannot be set up like that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub impossible: bool,
    /// Whether its requests come through; nothing if the model cannot say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The party that refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Party>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What the gateway's clients see of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u16>,
    /// In words.
    pub because: String,
}
