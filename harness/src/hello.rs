//! What a client offered in its ClientHello, what came of it, and which servers it cannot reach: as JSON, and as a page.

mod page;
mod reach;

use serde::{Deserialize, Serialize};
use tls_gauntlet_scenarios::{BackendSaw, ClientHelloFacts, TlsVersion};

pub(crate) use page::{STYLE, list};
pub use reach::{Lack, lacks};

/// One caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The number of its connection in the ledger, once that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The backend that it called; none if there was none for its server name.
    pub backend: Option<String>,
    /// What both sides agreed on, if they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Agreed>,
    /// The reason why they did not, or why the connection broke later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The servers that it cannot reach, each with the reason.
    pub lacks: Vec<Lack>,
    /// What it offered.
    pub offered: ClientHelloFacts,
}

/// What came of an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    /// The version.
    pub version: TlsVersion,
    /// The cipher suite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cipher: Option<String>,
    /// The group, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The application protocol, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpn: Option<String>,
}

impl Heard {
    /// A caller whose connection looks like this from the backend.
    pub(crate) fn new(backend: Option<&str>, saw: Option<&BackendSaw>, offered: &ClientHelloFacts) -> Self {
        Self {
            id: None,
            backend: backend.map(str::to_owned),
            agreed: saw.and_then(Agreed::of),
            failure: saw.and_then(|saw| saw.error.clone()),
            lacks: lacks(offered),
            offered: offered.clone(),
        }
    }

    /// As JSON, for people to read as well.
    pub(crate) fn json(&self) -> String {
        // It is made of words and numbers; there is nothing that JSON could not say.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// As a page.
    pub(crate) fn page(&self) -> String {
        page::one(self)
    }
}

impl Agreed {
    fn of(saw: &BackendSaw) -> Option<Self> {
        let (cipher, group, alpn) = (saw.cipher.clone(), saw.group.clone(), saw.alpn.clone());
        Some(Self { version: saw.tls_version?, cipher, group, alpn })
    }
}
