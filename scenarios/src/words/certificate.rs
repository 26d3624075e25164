//! The certificates that profiles name: one row for each, with its name, its clause and what is wrong with it.
//!
//! The certificates themselves are made by the crate `tls-gauntlet-certs`, whose `shape.rs` has the form of each.

use super::{Cause, TlsVersion, closed_list};

closed_list! {
    /// Where the status of a certificate is to be had.
    StatusSource as "source of a certificate's status" {
        /// A revocation list (RFC 5280 4.2.1.13).
        Crl = "crl",
        /// An OCSP responder (RFC 6960).
        Ocsp = "ocsp",
    }
}

/// Declares certificates. A row is the summary, a name, the clause, and the facts in which the certificate differs from
/// a sound one.
macro_rules! certificates {
    ($(#[$meta:meta])* $name:ident as $kind:literal with $facts:ident { $(
        #[doc = $summary:literal] $(#[doc = $detail:literal])*
        $variant:ident = $word:literal, $clause:literal $(, $fact:ident: $value:expr)*;
    )* }) => {
        closed_list! {
            $(#[$meta])*
            $name as $kind { $(#[doc = $summary] $(#[doc = $detail])* $variant = $word,)* }
        }

        impl $name {
            /// The certificate in one sentence.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary.trim_ascii_start()),* }
            }

            /// The clause by which it must be accepted, or refused.
            #[must_use]
            pub const fn clause(self) -> &'static str {
                match self { $(Self::$variant => $clause),* }
            }

            #[allow(clippy::needless_update, reason = "a row may fill every column")]
            const fn facts(self) -> $facts {
                match self { $(Self::$variant => $facts { $($fact: $value,)* ..$facts::SOUND }),* }
            }
        }
    };
}

/// The columns of a server certificate.
struct ServerFacts {
    chain_flaw: Option<Cause>,
    other_flaw: Option<Cause>,
    name_flaw: Option<Cause>,
    weak: bool,
    no_choice: bool,
    for_address: bool,
    /// The labels before the host in the name to dial.
    label: Option<&'static str>,
    least: TlsVersion,
    huge: bool,
    points_to: Option<StatusSource>,
    revoked_by: Option<StatusSource>,
    must_be_stapled: bool,
    listed: bool,
    breaks_handshake: bool,
}

impl ServerFacts {
    const SOUND: Self = Self {
        chain_flaw: None,
        other_flaw: None,
        name_flaw: None,
        weak: false,
        no_choice: false,
        for_address: false,
        label: None,
        least: TlsVersion::Ssl3,
        huge: false,
        points_to: None,
        revoked_by: None,
        must_be_stapled: false,
        listed: true,
        breaks_handshake: false,
    };
}

certificates! {
    /// The certificate that a backend shows, by its flaw; the sound ones come first.
    ServerCertificate as "server certificate" with ServerFacts {
        /// A sound P-256 certificate, sent with its intermediate.
        Good = "good", "RFC 5280 6.1", no_choice: true;
        /// A sound RSA-2048 certificate, sent with its intermediate.
        GoodRsa = "good-rsa", "RFC 5280 6.1", no_choice: true;
        /// A sound certificate with an RSA-3072 key.
        Rsa3072 = "rsa-3072", "RFC 3279 2.3.1";
        /// A sound certificate with an RSA-4096 key.
        Rsa4096 = "rsa-4096", "RFC 3279 2.3.1";
        /// A sound certificate with an RSA-8192 key.
        ///
        /// Making the key takes seconds, once per process; it has five primes, which OpenSSL reads and others may not.
        Rsa8192 = "rsa-8192", "RFC 3279 2.3.1";
        /// A sound certificate whose RSA key may sign with PSS only.
        ///
        /// `id-RSASSA-PSS`, 2048 bits.
        RsaPss = "rsa-pss", "RFC 4055 1.2", least: TlsVersion::Tls12;
        /// A sound certificate with a P-384 key.
        P384 = "p384", "RFC 5480 2.1.1";
        /// A sound certificate with a P-521 key.
        P521 = "p521", "RFC 5480 2.1.1";
        /// A sound certificate with an Ed25519 key.
        Ed25519 = "ed25519", "RFC 8410 3", least: TlsVersion::Tls12;
        /// A sound certificate with an Ed448 key.
        Ed448 = "ed448", "RFC 8410 3", least: TlsVersion::Tls12;
        /// A sound certificate with an ML-DSA-65 key, which no quantum computer can forge.
        MlDsa65 = "ml-dsa-65", "RFC 9881 4", least: TlsVersion::Tls13;
        /// The subject has no common name; the names are where they belong.
        NoCommonName = "no-common-name", "RFC 9525 2";
        /// The subject is empty, and the alternative names are critical, as they then must be.
        NoSubject = "no-subject", "RFC 5280 4.1.2.6";
        /// The leaf certificate is for IP addresses only, and has no common name.
        ///
        /// The addresses among the names that were asked for, or else `127.0.0.1` and `::1`.
        IpSan = "ip-san", "RFC 5280 4.2.1.6", for_address: true;
        /// The leaf certificate is for host names and for the address, by which it is called.
        IpSanWithDns = "ip-san-with-dns", "RFC 5280 4.2.1.6", for_address: true;
        /// The leaf certificate is for every name one label below the host.
        ///
        /// `*.HOST`.
        Wildcard = "wildcard", "RFC 9525 6.3", label: Some("any");
        /// The leaf certificate is for an internationalised name, written as an A-label.
        ///
        /// `xn--bcher-kva.HOST`, which is bücher.
        Idn = "idn", "RFC 5280 7.2", label: Some("xn--bcher-kva");
        /// The leaf certificate does not say what it is for, so it is for everything.
        ///
        /// Without the extension there is no limit.
        MissingExtendedKeyUsage = "missing-extended-key-usage", "RFC 5280 4.2.1.12";
        /// The leaf certificate is for 1,000 names, the host's own the last of them.
        ThousandNames = "thousand-names", "RFC 5280 4.2.1.6";
        /// The leaf certificate is for 10,000 names, the host's own the last of them.
        TenThousandNames = "ten-thousand-names", "RFC 5280 4.2.1.6", huge: true;
        /// Another path, that ends at an expired root, is sent along with the sound one.
        ///
        /// The server root is cross-signed below the expired root, as the `AddTrust` root was in 2020.
        CrossSignedOneExpired = "cross-signed-one-expired", "RFC 5280 3.2";
        /// The intermediate may issue for some names only, and these are the names.
        NameConstraintsKept = "name-constraints-kept", "RFC 5280 4.2.1.10", listed: false;
        /// There are two intermediates between the leaf and the root.
        TwoIntermediates = "two-intermediates", "RFC 5280 6.1", listed: false;
        /// The chain is ten certificates long.
        Chain10Deep = "chain-10-deep", "RFC 5280 6.1", listed: false;
        /// The chain is fifty certificates long.
        Chain50Deep = "chain-50-deep", "RFC 5280 6.1", listed: false;
        /// The leaf comes first, but its two intermediates come in the wrong order.
        ReversedChain = "reversed-chain", "RFC 8446 4.4.2", listed: false;
        /// Every certificate of the chain is sent twice.
        DuplicatedChain = "duplicated-chain", "RFC 8446 4.4.2";
        /// The root is sent along with the chain.
        WithRoot = "with-root", "RFC 8446 4.4.2";
        /// Certificates that have nothing to do with the leaf are sent along.
        ///
        /// The client root and an untrusted intermediate.
        WithUnrelated = "with-unrelated", "RFC 8446 4.4.2";
        /// The leaf certificate demands that its server staples an OCSP response.
        ///
        /// The TLS feature extension with `status_request`; without a staple the certificate must be refused.
        MustStaple = "must-staple", "RFC 7633 4", must_be_stapled: true;
        /// The leaf certificate points to a revocation list that it is not on.
        PointsToCrl = "points-to-crl", "RFC 5280 4.2.1.13", points_to: Some(StatusSource::Crl);
        /// The leaf certificate points to an OCSP responder.
        PointsToOcsp = "points-to-ocsp", "RFC 5280 4.2.2.1", points_to: Some(StatusSource::Ocsp);
        /// The leaf certificate expired yesterday.
        Expired = "expired", "RFC 5280 6.1.3 (a)(2)",
            chain_flaw: Some(Cause::ServerCertExpired), no_choice: true;
        /// The leaf certificate is sound now and expires while the tests run.
        ///
        /// The circumstances of the PKI say when.
        ExpiresDuringRun = "expires-during-run", "RFC 5280 4.1.2.5";
        /// The leaf certificate becomes valid tomorrow.
        NotYetValid = "not-yet-valid", "RFC 5280 6.1.3 (a)(2)",
            chain_flaw: Some(Cause::ServerCertNotYetValid), no_choice: true;
        /// The leaf certificate is for another host name.
        WrongName = "wrong-name", "RFC 9525 6.3",
            name_flaw: Some(Cause::ServerCertNameMismatch), no_choice: true;
        /// The leaf certificate has its name in the common name only.
        CnOnly = "cn-only", "RFC 9525 2";
        /// The leaf certificate has the right name in the common name, and another one where names belong.
        CnRightSanWrong = "cn-right-san-wrong", "RFC 9525 6.3",
            name_flaw: Some(Cause::ServerCertNameMismatch);
        /// The leaf certificate has a wildcard, and the host is two labels below it.
        ///
        /// `*.HOST` is not for `a.b.HOST`.
        WildcardTooDeep = "wildcard-too-deep", "RFC 9525 6.3",
            name_flaw: Some(Cause::ServerCertNameMismatch), label: Some("a.b");
        /// The leaf certificate is for a name with an underscore.
        ///
        /// `under_score.HOST` is no host name by RFC 1123 2.1; nearly every client takes it.
        Underscore = "underscore", "RFC 5280 4.2.1.6", label: Some("under_score");
        /// The leaf certificate's name is the host's up to a NUL, and then somebody else's.
        ///
        /// `HOST\0.attacker.test`, which a reader of C strings takes for `HOST`.
        NulInName = "nul-in-name", "RFC 5280 4.2.1.6", name_flaw: Some(Cause::ServerCertNameMismatch);
        /// The leaf certificate is for a SPIFFE identity and for no host name.
        ///
        /// `spiffe://HOST/backend`.
        UriSan = "uri-san", "RFC 9525 6.3", name_flaw: Some(Cause::ServerCertNameMismatch);
        /// The leaf certificate is its own issuer.
        SelfSigned = "self-signed", "RFC 5280 6.1 (b)",
            chain_flaw: Some(Cause::ServerCertUntrusted), listed: false, no_choice: true;
        /// The chain is complete, but its root is not trusted.
        UntrustedRoot = "untrusted-root", "RFC 5280 6.1 (b)",
            chain_flaw: Some(Cause::ServerCertUntrusted), listed: false, no_choice: true;
        /// The chain is complete, but its root is trusted for clients only.
        IssuedByClientCa = "issued-by-client-ca", "RFC 5280 6.1.1 (d)",
            chain_flaw: Some(Cause::ServerCertUntrusted), listed: false, no_choice: true;
        /// The root that the chain leads to expired half a day ago.
        ExpiredRoot = "expired-root", "RFC 5280 6.1.1 (d)",
            chain_flaw: Some(Cause::ServerCertUntrusted), listed: false;
        /// The leaf certificate is sent without the intermediate that issued it.
        MissingIntermediate = "missing-intermediate", "RFC 5280 6.1 (a)",
            chain_flaw: Some(Cause::ServerCertUntrusted), listed: false, no_choice: true;
        /// The intermediate that issued the leaf expired half a day ago.
        ExpiredIntermediate = "expired-intermediate", "RFC 5280 6.1.3 (a)(2)",
            chain_flaw: Some(Cause::ServerCertExpired), listed: false, no_choice: true;
        /// The intermediate must not issue for these names, and did.
        ///
        /// The excluded names are those of the leaf.
        NameConstraintsViolated = "name-constraints-violated", "RFC 5280 4.2.1.10",
            chain_flaw: Some(Cause::ServerCertMalformed), listed: false;
        /// There is an authority below one that allows none below it.
        ///
        /// The path length of the intermediate is zero, and an authority below it issued the leaf.
        PathLengthExceeded = "path-length-exceeded", "RFC 5280 4.2.1.9",
            chain_flaw: Some(Cause::ServerCertUntrusted), listed: false;
        /// The leaf was issued by a certificate that is no authority.
        ///
        /// It may not issue, and it is not for that purpose: two flaws to name.
        IntermediateNoCa = "intermediate-no-ca", "RFC 5280 6.1.4 (k)",
            chain_flaw: Some(Cause::ServerCertUntrusted), other_flaw: Some(Cause::ServerCertWrongUsage), listed: false;
        /// The leaf certificate is for client authentication only.
        WrongExtendedKeyUsage = "wrong-extended-key-usage", "RFC 5280 4.2.1.12",
            chain_flaw: Some(Cause::ServerCertWrongUsage), no_choice: true;
        /// The key of the leaf certificate may encipher data, but not sign.
        ///
        /// `dataEncipherment` alone is of no use in TLS. The key is RSA-2048.
        WrongKeyUsage = "wrong-key-usage", "RFC 5280 4.2.1.3", chain_flaw: Some(Cause::ServerCertWrongUsage);
        /// The leaf certificate is an authority's.
        CaAsLeaf = "ca-as-leaf", "RFC 5280 4.2.1.9";
        /// The leaf certificate has a critical extension that nobody knows.
        UnknownCriticalExtension = "unknown-critical-extension", "RFC 5280 4.2",
            chain_flaw: Some(Cause::ServerCertMalformed);
        /// The leaf certificate is of version 1, so it has no extensions and no alternative names.
        ///
        /// The name is in the common name.
        X509V1 = "x509-v1", "RFC 5280 4.1.2.1";
        /// The extended key usage of the leaf certificate is not DER.
        ///
        /// It claims more bytes than it has; all around it is well-formed, so it can be sent. The key is RSA-2048.
        MalformedDer = "malformed-der", "RFC 5280 4.1", chain_flaw: Some(Cause::ServerCertUntrusted);
        /// The signature of the leaf certificate was changed by one bit.
        ///
        /// A chain whose signature does not verify has no path to its authority either: two flaws to name.
        TamperedSignature = "tampered-signature", "RFC 5280 6.1.3 (a)(1)",
            chain_flaw: Some(Cause::ServerCertMalformed), other_flaw: Some(Cause::ServerCertUntrusted);
        /// The server does not have the key of the leaf certificate.
        ///
        /// The key has the leaf's public half and the private half of another: servers load it, and sign in vain.
        MismatchedKey = "mismatched-key", "RFC 8446 4.4.3", breaks_handshake: true;
        /// The leaf certificate has an RSA-1024 key, which is too weak.
        Rsa1024 = "rsa-1024", "RFC 9325 4.5", weak: true;
        /// The leaf certificate is signed with SHA-1.
        Sha1SignedLeaf = "sha1-signed-leaf", "RFC 8446 4.4.2.4", weak: true, listed: false;
        /// The leaf certificate is signed with MD5.
        Md5SignedLeaf = "md5-signed-leaf", "RFC 8446 4.4.2.4", weak: true, listed: false;
        /// The intermediate that issued the leaf is signed with SHA-1.
        ///
        /// The leaf itself is signed soundly.
        Sha1SignedIntermediate = "sha1-signed-intermediate", "RFC 8446 4.4.2.4", weak: true, listed: false;
        /// The leaf certificate is on the revocation list that it points to.
        RevokedByCrl = "revoked-by-crl", "RFC 5280 6.1.3 (a)(3)",
            points_to: Some(StatusSource::Crl), revoked_by: Some(StatusSource::Crl);
        /// The intermediate that issued the leaf is on the revocation list of its own issuer.
        RevokedIntermediate = "revoked-intermediate", "RFC 5280 6.1.3 (a)(3)",
            revoked_by: Some(StatusSource::Crl);
        /// The OCSP responder that the leaf certificate points to says it is revoked.
        RevokedByOcsp = "revoked-by-ocsp", "RFC 5280 6.1.3 (a)(3)",
            points_to: Some(StatusSource::Ocsp), revoked_by: Some(StatusSource::Ocsp);
    }
}

impl ServerCertificate {
    /// The name to dial, where the first host name that was asked for is `host`: the certificates about names are for a
    /// name below it, and [`IpSan`](Self::IpSan) is for an address.
    #[must_use]
    pub fn dialled(self, host: &str) -> String {
        match self.facts() {
            ServerFacts { for_address: true, .. } => "127.0.0.1".to_owned(),
            ServerFacts { label: Some(label), .. } => format!("{label}.{host}"),
            ServerFacts { .. } => host.to_owned(),
        }
    }

    /// Why a peer that checks the chain refuses it.
    #[must_use]
    pub const fn chain_flaw(self) -> Option<Cause> {
        self.facts().chain_flaw
    }

    /// Why a peer that checks the name refuses it.
    #[must_use]
    pub const fn name_flaw(self) -> Option<Cause> {
        self.facts().name_flaw
    }

    /// Whether it is sound but for a short key or an old signature.
    #[must_use]
    pub const fn is_weak(self) -> bool {
        self.facts().weak
    }

    /// Whether every peer has to treat it alike, so that none can claim to do otherwise.
    #[must_use]
    pub const fn leaves_no_choice(self) -> bool {
        self.facts().no_choice
    }

    /// The other cause that a peer may hold against the chain: one flaw can break two rules, and a library chooses which of them it
    /// looks at first.
    #[must_use]
    pub const fn other_flaw(self) -> Option<Cause> {
        self.facts().other_flaw
    }

    /// Whether it is for an address, which is no server name (RFC 6066 section 3).
    #[must_use]
    pub const fn is_for_address(self) -> bool {
        self.facts().for_address
    }

    /// Whether its key can sign in this version: Ed25519, Ed448 and RSA-PSS keys from TLS 1.2 on (RFC 8422 5.1.1,
    /// RFC 8446 4.2.3), ML-DSA only in TLS 1.3 (draft-ietf-tls-mldsa).
    #[must_use]
    pub fn fits(self, version: TlsVersion) -> bool {
        version >= self.facts().least
    }

    /// Whether it is longer than what some libraries read at most.
    #[must_use]
    pub const fn is_huge(self) -> bool {
        self.facts().huge
    }

    /// Where it says that its status is to be had.
    #[must_use]
    pub const fn points_to(self) -> Option<StatusSource> {
        self.facts().points_to
    }

    /// The source that says that it was revoked, or what issued it.
    #[must_use]
    pub const fn revoked_by(self) -> Option<StatusSource> {
        self.facts().revoked_by
    }

    /// Whether it must not be accepted without a stapled OCSP response (RFC 7633 4.2.3).
    #[must_use]
    pub const fn must_be_stapled(self) -> bool {
        self.facts().must_be_stapled
    }

    /// Whether there is a revocation list of every authority between it and the root: the shipped lists are those of the
    /// server root, of the intermediate below it, and of those above the revoked intermediate and itself.
    #[must_use]
    pub const fn is_below_listed_authorities(self) -> bool {
        self.facts().listed
    }

    /// Whether its key cannot prove possession, so that the handshake fails whatever is verified.
    #[must_use]
    pub const fn breaks_handshake(self) -> bool {
        self.facts().breaks_handshake
    }
}

/// The columns of a client certificate.
struct ClientFacts {
    flaw: Option<Cause>,
    listed: bool,
}

impl ClientFacts {
    const SOUND: Self = Self { flaw: None, listed: true };
}

certificates! {
    /// The certificate that a client (or a gateway towards its backend) shows, by its flaw; the sound ones come first.
    ClientCertificate as "client certificate" with ClientFacts {
        /// A sound P-256 client certificate, sent with its intermediate.
        Good = "good", "RFC 5280 6.1";
        /// A sound RSA-2048 client certificate, sent with its intermediate.
        Rsa = "rsa", "RFC 3279 2.3.1";
        /// A sound client certificate from the same authority, for another tenant.
        AnotherTenant = "another-tenant", "RFC 5280 6.1";
        /// The client's chain is complete, but its root is not trusted.
        Untrusted = "untrusted", "RFC 5280 6.1 (b)", flaw: Some(Cause::ClientCertUntrusted), listed: false;
        /// The client's chain is complete, but its root is trusted for servers only.
        IssuedByServerCa = "issued-by-server-ca", "RFC 5280 6.1.1 (d)",
            flaw: Some(Cause::ClientCertUntrusted), listed: false;
        /// The client certificate expired yesterday.
        Expired = "expired", "RFC 5280 6.1.3 (a)(2)", flaw: Some(Cause::ClientCertExpired);
        /// The client certificate becomes valid tomorrow.
        NotYetValid = "not-yet-valid", "RFC 5280 6.1.3 (a)(2)", flaw: Some(Cause::ClientCertNotYetValid);
        /// The client certificate is its own issuer.
        SelfSigned = "self-signed", "RFC 5280 6.1 (b)", flaw: Some(Cause::ClientCertUntrusted), listed: false;
        /// The client certificate is for server authentication only.
        WrongExtendedKeyUsage = "wrong-extended-key-usage", "RFC 5280 4.2.1.12",
            flaw: Some(Cause::ClientCertWrongUsage);
        /// The client certificate is on the revocation list of its issuer.
        Revoked = "revoked", "RFC 5280 6.1.3 (a)(3)", flaw: Some(Cause::ClientCertRevoked);
        /// The intermediate that issued the client certificate is on the revocation list of its own issuer.
        RevokedIntermediate = "revoked-intermediate", "RFC 5280 6.1.3 (a)(3)",
            flaw: Some(Cause::ClientCertRevoked);
        /// The client does not have the key of the certificate.
        ///
        /// The key has the leaf's public half and the private half of another: a TLS library loads it, and signs in vain.
        MismatchedKey = "mismatched-key", "RFC 8446 4.4.3", flaw: Some(Cause::ClientCertUnproven);
        /// The client certificate has an RSA-1024 key, which is too weak.
        Weak = "weak", "RFC 9325 4.5", flaw: Some(Cause::ClientCertWeak);
    }
}

impl ClientCertificate {
    /// The common name of its subject.
    #[must_use]
    pub fn common_name(self) -> String {
        format!("{self}.client.gauntlet.test")
    }

    /// Why a peer that checks client certificates refuses it.
    #[must_use]
    pub const fn flaw(self) -> Option<Cause> {
        self.facts().flaw
    }

    /// Whether its issuer is the authority that backends and listeners name when they ask for a certificate.
    #[must_use]
    pub const fn is_listed(self) -> bool {
        self.facts().listed
    }
}
