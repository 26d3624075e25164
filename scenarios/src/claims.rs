//! What a gateway says it does, where gateways differ and all of them are right: one row of the table `claims!` for each
//! claim.

use serde::{Deserialize, Serialize};

use crate::words::{
    Alert, Cause, CipherSuite, Group, Phase, ServerCertificate, TlsVersion, Versions, closed_list,
};

/// A field of the claims.
pub(crate) trait Claim {
    /// What is claimed.
    type Value;

    /// What is claimed, if anything is.
    fn made(&self) -> Option<&Self::Value>;

    /// Lays the claim of another version over this one: what it says, counts.
    fn lay(&mut self, over: Self);

    /// Whether nothing is claimed.
    fn is_absent(&self) -> bool {
        self.made().is_none()
    }
}

impl<T> Claim for Option<T> {
    type Value = T;

    fn made(&self) -> Option<&T> {
        self.as_ref()
    }

    fn lay(&mut self, over: Self) {
        if over.is_some() {
            *self = over;
        }
    }
}

impl Claim for bool {
    type Value = Self;

    fn made(&self) -> Option<&Self> {
        Some(self).filter(|made| **made)
    }

    fn lay(&mut self, over: Self) {
        *self |= over;
    }
}

impl<T> Claim for Vec<T> {
    type Value = Self;

    fn made(&self) -> Option<&Self> {
        Some(self).filter(|lines| !lines.is_empty())
    }

    /// The first line that fits counts, so the overlay goes in front.
    fn lay(&mut self, over: Self) {
        self.splice(0..0, over);
    }
}

/// Declares the claims. The columns of a row: the field; its type; the name under which the model asks for it, where it must
/// be there; and what Gauntlet's own client does, if it has anything to do with it.
macro_rules! claims {
    ($($(#[$meta:meta])* $name:ident {$(
        $(#[$doc:meta])* $field:ident: $claim:ty $(=> $word:ident $text:literal)? $(= $own:expr)?,
    )*})*) => {
        $($(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct $name {$(
            $(#[$doc])*
            #[serde(default, skip_serializing_if = "Claim::is_absent")]
            pub $field: $claim,
        )*}

        impl $name {
            fn of_own_client() -> Self {
                Self { $($($field: $own,)?)* ..Self::default() }
            }

            $($(
                #[doc = concat!("What is claimed as `", $text, "`; an error where nothing is.")]
                pub(crate) fn $field(&self) -> Result<&<$claim as Claim>::Value, Unclaimed> {
                    self.$field.made().ok_or(Unclaimed(ClaimName::$word))
                }
            )?)*
        }

        impl Claim for $name {
            type Value = Self;

            fn made(&self) -> Option<&Self> {
                Some(self)
            }

            fn lay(&mut self, over: Self) {
                $(self.$field.lay(over.$field);)*
            }
        })*

        closed_list! {
            /// The names of claims, for the verdict `unclaimed`.
            ClaimName as "claim" {
                $($($(
                    #[doc = concat!("`", stringify!($name), "::", stringify!($field), "`")]
                    $word = $text,
                )?)*)*
            }
        }
    };
}

claims! {
    /// The claims of one gateway. A claim that is absent makes the cells that depend on it `unclaimed`.
    Claims {
        /// Versions it can offer to a backend, when told to.
        upstream_versions: Option<Versions> => UpstreamVersions "upstream-versions" = Some(Versions::of(TlsVersion::ALL)),
        /// The cipher suites it offers to a backend.
        upstream_ciphers: Option<Vec<CipherSuite>> => UpstreamCiphers "upstream-ciphers" =
            Some(CipherSuite::ALL.iter().copied().filter(|suite| suite.is_openssl_default()).collect()),
        /// Whether no upstream can be told to offer more than those.
        limits_upstream_ciphers: bool,
        /// The key-exchange groups it offers to a backend.
        upstream_groups: Option<Vec<Group>> => UpstreamGroups "upstream-groups" =
            Some(Group::ALL.iter().copied().filter(|group| *group != Group::Secp256r1Mlkem768).collect()),
        /// Whether it accepts Diffie-Hellman parameters of 1024 bits.
        // The own client runs at security level 0, to be able to meet everything.
        accepts_weak_dh: Option<bool> => AcceptsWeakDh "accepts-weak-dh" = Some(true),
        /// Whether it accepts certificates with short keys and old signatures: RSA-1024, SHA-1, MD5 (OpenSSL: security
        /// level 0 or 1, `SSL_CTX_set_security_level(3)`).
        // The own client runs at security level 0, to be able to meet everything.
        accepts_weak_certificates: Option<bool> => AcceptsWeakCertificates "accepts-weak-certificates" = Some(true),
        /// Whether it reads 340 KB of certificates (OpenSSL: 100 KiB, `SSL_CTX_set_max_cert_list(3)`; Go: 256 KiB).
        reads_huge_certificates: Option<bool> => ReadsHugeCertificates "reads-huge-certificates" = Some(false),
        /// Whether being told to go below TLS 1.2 lowers every bar: short keys, weak parameters and old signatures are then accepted
        /// (OpenSSL: `@SECLEVEL=0`, without which there is no TLS 1.0).
        legacy_is_lenient: bool,
        /// The application protocols it offers to a backend.
        upstream_protocols: Option<Vec<String>> => UpstreamProtocols "upstream-protocols" = Some(Vec::new()),
        /// Whether the host of its requests is the server name that it sends.
        host_is_server_name: Option<bool> => HostIsServerName "host-is-server-name" = Some(true),
        /// Whether it goes on, up to TLS 1.2, with a backend that does not indicate secure renegotiation (RFC 5746 4.1).
        // Since OpenSSL 3.0 (migration_guide(7)).
        accepts_insecure_renegotiation: Option<bool> => AcceptsInsecureRenegotiation "accepts-insecure-renegotiation" = Some(false),
        /// Whether it follows a backend's renegotiation (RFC 5246 7.4.1.1).
        follows_renegotiation: Option<bool> => FollowsRenegotiation "follows-renegotiation" = Some(true),
        /// Whether a backend that renegotiates must show the certificate again that it has shown before.
        keeps_server_identity: bool,
        /// Whether it answers post-handshake authentication (RFC 8446 4.6.2).
        answers_post_handshake_auth: Option<bool> => AnswersPostHandshakeAuth "answers-post-handshake-auth" = Some(true),
        /// When it checks a backend's certificate.
        verifies: Option<Verifies> => Verifies "verifies" = Some(Verifies::InHandshake),
        /// Whether its ClientHello lists `supported_versions` even when it offers nothing above TLS 1.2.
        always_lists_versions: Option<bool> => AlwaysListsVersions "always-lists-versions" = Some(false),
        /// Whether a ClientHello that offers nothing below TLS 1.2 still lists cipher suites that older versions have too.
        lists_old_ciphers: Option<bool> => ListsOldCiphers "lists-old-ciphers" = Some(true),
        /// Whether it shows no client certificate at all rather than one whose issuer is not among the authorities that
        /// the backend names in its CertificateRequest (RFC 5246 7.4.6, RFC 8446 4.2.4).
        withholds_unlisted_certificates: Option<bool> => WithholdsUnlistedCertificates "withholds-unlisted-certificates" = Some(false),
        /// Whether its log says, so that it can be joined with the request, what it holds against a backend's certificate.
        /// Where it does not, an alert that many flaws share (`bad_certificate`) has to do.
        log_names_flaws: Option<bool> => LogNamesFlaws "log-names-flaws" = Some(true),
        /// How many more connections it tries, untold, when one breaks in the TLS handshake.
        #[schemars(range(max = 5))]
        retries_untold: Option<u8> => RetriesUntold "retries-untold" = Some(0),
        /// Whether it tries again, where it is told to, also when a connection breaks in the TLS handshake, and not only when
        /// there is none.
        retries_handshakes: Option<bool> => RetriesHandshakes "retries-handshakes" = Some(false),
        /// Whether it gives a backend up, after the time that it is told or its own, that does not finish the handshake.
        gives_up_handshakes: Option<bool> => GivesUpHandshakes "gives-up-handshakes" = Some(true),
        /// Whether it gives up a backend that does not answer, after the time that it is told or its own.
        gives_up_responses: Option<bool> => GivesUpResponses "gives-up-responses" = Some(true),
        /// Whether it gives up a backend that stops in the middle of its response, after the time that it is told or its own.
        gives_up_bodies: Option<bool> => GivesUpBodies "gives-up-bodies" = Some(true),
        /// What it does with certificates that libraries treat differently; the first line that fits counts.
        certificate: Vec<CertificateClaim>,
        /// What its clients see when a backend connection fails; the first line that fits counts.
        status: Vec<StatusClaim> => Status "status",
        /// What it does on the side of its clients.
        listener: ListenerClaims = ListenerClaims::of_own_client(),
    }

    /// The claims about a gateway's listeners.
    ListenerClaims {
        /// Versions it can accept from a client, when told to.
        versions: Option<Versions> => ListenerVersions "listener.versions",
        /// The cipher suites beyond which no listener of its goes; of TLS 1.3, or of the versions up to 1.2, whatever it is told
        /// where none is named.
        ciphers: Option<Vec<CipherSuite>>,
        /// The application protocols of a listener that is told none, in its order; empty for one that answers no such offer
        /// (RFC 7301).
        protocols: Option<Vec<String>> => ListenerProtocols "listener.protocols",
        /// What a listener makes of a client with which it has no application protocol in common.
        unknown_protocols: Option<UnknownProtocols> => UnknownProtocols "listener.unknown-protocols",
        /// The HTTP status with which it refuses a client certificate, for those that finish the handshake first;
        /// absent for those that refuse in TLS.
        client_certificate_status: Option<u16>,
        /// The alert that carries each refusal; the first line that fits counts.
        alert: Vec<AlertClaim> => ListenerAlert "listener.alert",
        /// Whether it accepts client certificates with short keys: RSA-1024.
        accepts_weak_certificates: Option<bool> => ListenerAcceptsWeakCertificates "listener.accepts-weak-certificates",
        /// Whether it answers an unknown server name with its default certificate.
        serves_unknown_names: Option<bool> => ServesUnknownNames "listener.serves-unknown-names",
        /// Whether it answers a client that sends no server name.
        serves_missing_names: Option<bool> => ServesMissingNames "listener.serves-missing-names",
        /// The HTTP status with which it refuses a server name that it does not serve, for those that finish the handshake
        /// first; absent for those that refuse in TLS.
        server_name_status: Option<u16>,
        /// The HTTP status with which it refuses a request whose host is not the server name of the handshake, on listeners
        /// that ask for client certificates (RFC 9110 15.5.20); absent for those that do not compare the two.
        misdirected_status: Option<u16>,
        /// What it does with HTTP on its TLS port.
        plain_http: Option<PlainHttp> => PlainHttp "listener.plain-http",
        /// Whether it renegotiates, up to TLS 1.2, to ask a client for its certificate once a request needs it.
        renegotiates: Option<bool> => ListenerRenegotiates "listener.renegotiates",
        /// Whether it asks in TLS 1.3, too, by post-handshake authentication (RFC 8446 4.6.2).
        asks_post_handshake: Option<bool> => ListenerAsksPostHandshake "listener.asks-post-handshake",
        /// The HTTP status for a request that needs a client certificate and has no good one, where that is found out late.
        late_certificate_status: Option<u16> => LateCertificateStatus "listener.late-certificate-status",
        /// Whether it resets a request over HTTP/2 that needs a client certificate, so that its client comes back with HTTP/1.1
        /// (RFC 9113 9.2.1), instead of refusing it for the certificate.
        resets_late_http2: Option<bool> => ResetsLateHttp2 "listener.resets-late-http2",
        /// Whether it refuses such a request in TLS, with the alert of that cause, and not in HTTP.
        refuses_late_in_tls: bool,
    }
}

/// One line of the table of certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CertificateClaim {
    /// The certificates it is about.
    pub certificates: Vec<ServerCertificate>,
    /// Why such a backend cannot be reached. Absent: it can, which may be said of weak certificates alone; a gateway
    /// that takes an unsound one deviates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Cause>,
    /// Whether also by an upstream that verifies nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unverified: bool,
}

/// One line of the table of statuses. Absent fields fit everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StatusClaim {
    /// The causes it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// The phase it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The negotiated version it is about: in TLS 1.3 a backend's refusal of a client certificate arrives after the
    /// gateway's handshake has finished (RFC 8446 4.4.2.4), so that some gateways answer differently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<TlsVersion>,
    /// The statuses that the client may see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u16>,
    /// Whether the client may instead see a closed connection or a cut response.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_close: bool,
}

/// One line of the table of alerts. Absent fields fit everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AlertClaim {
    /// The causes it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// The negotiated version it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<TlsVersion>,
    /// The alerts that the client may see.
    pub alerts: Vec<Alert>,
    /// Whether the client may instead see a closed connection.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_close: bool,
}

closed_list! {
    /// When a gateway checks a backend's certificate.
    Verifies as "time of verification" {
        /// While the handshake runs: the backend receives an alert.
        InHandshake = "in-handshake",
        /// After it has finished (with the client certificate handed over): the backend sees a closed connection.
        AfterHandshake = "after-handshake",
        /// The chain while the handshake runs, the name after it has finished.
        NameAfterHandshake = "name-after-handshake",
    }
}

closed_list! {
    /// What a listener makes of a client that offers none of its application protocols. RFC 7301 3.2 has it refuse; many
    /// servers go on without an agreement.
    UnknownProtocols as "treatment of unknown application protocols" {
        /// It refuses, with the alert of the cause `alpn-mismatch`.
        Refused = "refused",
        /// It refuses, unless HTTP/1.1 is among those that are offered: Go's crypto/tls.
        RefusedWithoutHttp11 = "refused-without-http11",
        /// It goes on as if none had been offered.
        Ignored = "ignored",
        /// It answers with HTTP/1.1, offered or not, and clients break off if it was not: Apache httpd.
        AnsweredHttp11 = "answered-http11",
    }
}

/// What a gateway does with HTTP on its TLS port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PlainHttp {
    /// Answers in HTTP.
    Status(u16),
    /// Closes or resets the connection.
    Close,
}

/// The model came to a point where gateways differ and this one makes no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the gateway makes no claim \"{0}\"")]
pub struct Unclaimed(pub ClaimName);

impl Claims {
    /// What Gauntlet's own client does when it calls a backend itself (the gateway `direct`).
    #[must_use]
    pub fn openssl_client() -> Self {
        Self::of_own_client()
    }

    /// What is said of this certificate by a gateway that verifies chain, name, both or neither.
    pub(crate) fn of_certificate(
        &self,
        certificate: ServerCertificate,
        chain: bool,
        name: bool,
    ) -> Option<&CertificateClaim> {
        let by_name = |line: &CertificateClaim| line.refused == Some(Cause::ServerCertNameMismatch);
        let mut lines = self
            .certificate
            .iter()
            .filter(|line| line.unverified || if by_name(line) { name } else { chain });
        lines.find(|line| line.certificates.contains(&certificate))
    }

    /// A certificate of which this must not be claimed.
    #[must_use]
    pub fn against_the_rules(&self) -> Option<ServerCertificate> {
        let wrong = |line: &CertificateClaim, certificate: ServerCertificate| {
            certificate.leaves_no_choice() || (line.refused.is_none() && !certificate.is_weak())
        };
        let mut claims = self.certificate.iter();
        claims
            .find_map(|line| line.certificates.iter().copied().find(|certificate| wrong(line, *certificate)))
    }

    /// What a client sees when the connection to the backend fails like this.
    pub(crate) fn status_for(
        &self,
        cause: Cause,
        phase: Phase,
        version: Option<TlsVersion>,
    ) -> Result<&StatusClaim, Unclaimed> {
        self.status()?
            .iter()
            .find(|line| {
                (line.causes.is_empty() || line.causes.contains(&cause.as_seen()))
                    && line.phase.is_none_or(|wanted| wanted == phase)
                    && line.tls_version.is_none_or(|wanted| Some(wanted) == version)
            })
            .ok_or(Unclaimed(ClaimName::Status))
    }

    /// What a client sees when a listener refuses it like this.
    pub(crate) fn alert_for(
        &self,
        cause: Cause,
        version: Option<TlsVersion>,
    ) -> Result<&AlertClaim, Unclaimed> {
        self.listener
            .alert()?
            .iter()
            .find(|line| {
                (line.causes.is_empty() || line.causes.contains(&cause))
                    && line.tls_version.is_none_or(|wanted| Some(wanted) == version)
            })
            .ok_or(Unclaimed(ClaimName::ListenerAlert))
    }

    /// These claims with those of a newer or older version laid over them: what the overlay says, counts.
    #[must_use]
    pub fn overlaid(mut self, over: Self) -> Self {
        self.lay(over);
        self
    }
}
