//! Two independent verifiers, asked the same question.

pub(crate) mod openssl_cli;
pub(crate) mod webpki_crate;

use openssl::x509::X509;
use time::OffsetDateTime;
use tls_gauntlet_certs::Identity;

/// May this chain be accepted? Judges answer with everything that speaks against it.
pub(crate) struct Question<'a> {
    /// The chain as it goes on the wire, and whatever else the verifier has at hand.
    pub(crate) chain: Vec<X509>,
    pub(crate) trusted: &'a X509,
    pub(crate) purpose: Purpose,
    /// The name that was dialled; clients have none.
    pub(crate) name: Option<&'a str>,
    pub(crate) at: OffsetDateTime,
    /// How strong keys and digests must be: OpenSSL's security level. webpki has its own, fixed.
    pub(crate) level: &'a str,
    /// The revocation lists, in DER, that everybody in the chain must not be on. None: nobody asks.
    pub(crate) lists: &'a [Vec<u8>],
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Server,
    Client,
}

impl<'a> Question<'a> {
    pub(crate) fn server(identity: &Identity, trusted: &'a X509) -> Self {
        Self {
            chain: identity.chain().to_vec(),
            trusted,
            purpose: Purpose::Server,
            name: Some(crate::HOST),
            at: crate::NOW,
            level: "2",
            lists: &[],
        }
    }

    pub(crate) fn client(identity: &Identity, trusted: &'a X509) -> Self {
        Self { purpose: Purpose::Client, name: None, ..Self::server(identity, trusted) }
    }

    /// Fails unless both judges say exactly this; nothing is acceptance.
    pub(crate) fn must_answer<'s>(
        &self,
        openssl: impl IntoIterator<Item = &'s str>,
        webpki: impl IntoIterator<Item = &'s str>,
    ) {
        assert_eq!(webpki_crate::complaints(self), Vec::<&str>::from_iter(webpki), "rustls-webpki");
        if openssl_cli::is_installed() {
            assert_eq!(openssl_cli::complaints(self), Vec::<&str>::from_iter(openssl), "openssl verify");
        }
    }
}
