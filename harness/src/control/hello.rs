//! What a caller offered, for those who could not read an answer themselves.

use serde::Serialize;
use tls_gauntlet_scenarios::{BackendSaw, ClientHelloFacts, TlsVersion};

use super::chronicle::Entry;
use crate::hello::{Lack, lacks};

/// One caller: what its ClientHello offered, and what came of it.
#[derive(Debug, Serialize)]
pub(super) struct Offered<'a> {
    /// The number of its connection in the ledger.
    id: u64,
    /// Who was called; none if there was none for its server name.
    backend: Option<&'a str>,
    /// What both sides agreed on, if they did.
    #[serde(skip_serializing_if = "Option::is_none")]
    agreed: Option<Agreed<'a>>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a str>,
    /// Which servers it cannot reach, and why.
    lacks: Vec<Lack>,
    offered: &'a ClientHelloFacts,
}

#[derive(Debug, Serialize)]
struct Agreed<'a> {
    version: TlsVersion,
    #[serde(skip_serializing_if = "Option::is_none")]
    cipher: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpn: Option<&'a str>,
}

impl<'a> Offered<'a> {
    /// None if no ClientHello came.
    pub(super) fn of(entry: &'a Entry) -> Option<Self> {
        let saw = &entry.saw;
        let offered = saw.client_hello.as_ref()?;
        Some(Self {
            id: entry.sequence,
            backend: entry.backend.as_deref(),
            agreed: Agreed::of(saw),
            failure: saw.error.as_deref(),
            lacks: lacks(offered),
            offered,
        })
    }
}

impl<'a> Agreed<'a> {
    fn of(saw: &'a BackendSaw) -> Option<Self> {
        let (cipher, group, alpn) = (saw.cipher.as_deref(), saw.group.as_deref(), saw.alpn.as_deref());
        Some(Self { version: saw.tls_version?, cipher, group, alpn })
    }
}
