//! What a gateway says it does, where gateways differ and all of them are right.

use serde::{Deserialize, Serialize};

use crate::words::{
    Alert, Cause, CipherSuite, Group, Phase, ServerCertificate, TlsVersion, Versions, closed_list,
};

/// The claims of one gateway. A claim that is absent makes the cells that depend on it `unclaimed`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Claims {
    /// Versions it can offer to a backend, when told to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_versions: Option<Versions>,
    /// The cipher suites it offers to a backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_ciphers: Option<Vec<CipherSuite>>,
    /// Whether no upstream can be told to offer more than those.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limits_upstream_ciphers: bool,
    /// The key-exchange groups it offers to a backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_groups: Option<Vec<Group>>,
    /// Whether it accepts Diffie-Hellman parameters of 1024 bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts_weak_dh: Option<bool>,
    /// Whether it accepts certificates with short keys and old signatures: RSA-1024, SHA-1, MD5 (OpenSSL: security
    /// level 0 or 1, `SSL_CTX_set_security_level(3)`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts_weak_certificates: Option<bool>,
    /// Whether it reads 340 KB of certificates (OpenSSL: 100 KiB, `SSL_CTX_set_max_cert_list(3)`; Go: 256 KiB).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads_huge_certificates: Option<bool>,
    /// The application protocols it offers to a backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_protocols: Option<Vec<String>>,
    /// Whether the host of its requests is the server name that it sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_is_server_name: Option<bool>,
    /// Whether it goes on, up to TLS 1.2, with a backend that does not indicate secure renegotiation (RFC 5746 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts_insecure_renegotiation: Option<bool>,
    /// Whether it follows a backend's renegotiation (RFC 5246 7.4.1.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows_renegotiation: Option<bool>,
    /// Whether it answers post-handshake authentication (RFC 8446 4.6.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers_post_handshake_auth: Option<bool>,
    /// When it checks a backend's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifies: Option<Verifies>,
    /// Whether its ClientHello lists `supported_versions` even when it offers nothing above TLS 1.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub always_lists_versions: Option<bool>,
    /// Whether a ClientHello that offers nothing below TLS 1.2 still lists cipher suites that older versions have too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists_old_ciphers: Option<bool>,
    /// Whether it shows no client certificate at all rather than one whose issuer is not among the authorities that
    /// the backend names in its CertificateRequest (RFC 5246 7.4.6, RFC 8446 4.2.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withholds_unlisted_certificates: Option<bool>,
    /// Whether its log says, so that it can be joined with the request, what it holds against a backend's certificate.
    /// Where it does not, an alert that many flaws share (`bad_certificate`) has to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_names_flaws: Option<bool>,
    /// How many more connections it tries, untold, when one breaks in the TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 5))]
    pub retries_untold: Option<u8>,
    /// Whether it tries again, where it is told to, also when a connection breaks in the TLS handshake, and not only when
    /// there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries_handshakes: Option<bool>,
    /// Whether it gives a backend up, after the time that it is told or its own, that does not finish the handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gives_up_handshakes: Option<bool>,
    /// The same for a backend that does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gives_up_responses: Option<bool>,
    /// What it does with certificates that libraries treat differently; the first line that fits counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificate: Vec<CertificateClaim>,
    /// What its clients see when a backend connection fails; the first line that fits counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<StatusClaim>,
    /// What it does on the side of its clients.
    #[serde(default)]
    pub listener: ListenerClaims,
}

/// The claims about a gateway's listeners.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ListenerClaims {
    /// Versions it can accept from a client, when told to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<Versions>,
    /// The cipher suites beyond which no listener of its goes; of TLS 1.3, or of the versions up to 1.2, whatever it is told
    /// where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ciphers: Option<Vec<CipherSuite>>,
    /// The application protocols of a listener that is told none, in its order; empty for one that answers no such offer
    /// (RFC 7301).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocols: Option<Vec<String>>,
    /// What a listener makes of a client with which it has no application protocol in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_protocols: Option<UnknownProtocols>,
    /// The HTTP status with which it refuses a client certificate, for those that finish the handshake first;
    /// absent for those that refuse in TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_status: Option<u16>,
    /// The alert that carries each refusal; the first line that fits counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alert: Vec<AlertClaim>,
    /// Whether it accepts client certificates with short keys: RSA-1024.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts_weak_certificates: Option<bool>,
    /// Whether it answers an unknown server name with its default certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves_unknown_names: Option<bool>,
    /// Whether it answers a client that sends no server name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves_missing_names: Option<bool>,
    /// The HTTP status with which it refuses a server name that it does not serve, for those that finish the handshake
    /// first; absent for those that refuse in TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name_status: Option<u16>,
    /// The HTTP status with which it refuses a request whose host is not the server name of the handshake, on listeners
    /// that ask for client certificates (RFC 9110 15.5.20); absent for those that do not compare the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misdirected_status: Option<u16>,
    /// What it does with HTTP on its TLS port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain_http: Option<PlainHttp>,
    /// Whether it renegotiates, up to TLS 1.2, to ask a client for its certificate once a request needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renegotiates: Option<bool>,
    /// Whether it asks in TLS 1.3, too, by post-handshake authentication (RFC 8446 4.6.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks_post_handshake: Option<bool>,
    /// The HTTP status for a request that needs a client certificate and has no good one, where that is found out late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_certificate_status: Option<u16>,
    /// Whether it resets a request over HTTP/2 that needs a client certificate, so that its client comes back with HTTP/1.1
    /// (RFC 9113 9.2.1), instead of refusing it for the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_late_http2: Option<bool>,
    /// Whether it refuses such a request in TLS, with the alert of that cause, and not in HTTP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refuses_late_in_tls: bool,
}

/// One line of the table of certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CertificateClaim {
    /// The certificates it is about.
    pub certificates: Vec<ServerCertificate>,
    /// Why such a backend cannot be reached. Absent: it can, which may be said of weak certificates alone; whoever takes
    /// what is unsound, deviates.
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

closed_list! {
    /// The names of claims, for the verdict `unclaimed`.
    ClaimName as "claim" {
        /// [`Claims::upstream_versions`]
        UpstreamVersions = "upstream-versions",
        /// [`Claims::upstream_ciphers`]
        UpstreamCiphers = "upstream-ciphers",
        /// [`Claims::upstream_groups`]
        UpstreamGroups = "upstream-groups",
        /// [`Claims::accepts_weak_dh`]
        AcceptsWeakDh = "accepts-weak-dh",
        /// [`Claims::accepts_weak_certificates`]
        AcceptsWeakCertificates = "accepts-weak-certificates",
        /// [`Claims::reads_huge_certificates`]
        ReadsHugeCertificates = "reads-huge-certificates",
        /// [`Claims::upstream_protocols`]
        UpstreamProtocols = "upstream-protocols",
        /// [`Claims::host_is_server_name`]
        HostIsServerName = "host-is-server-name",
        /// [`Claims::accepts_insecure_renegotiation`]
        AcceptsInsecureRenegotiation = "accepts-insecure-renegotiation",
        /// [`Claims::follows_renegotiation`]
        FollowsRenegotiation = "follows-renegotiation",
        /// [`Claims::answers_post_handshake_auth`]
        AnswersPostHandshakeAuth = "answers-post-handshake-auth",
        /// [`Claims::verifies`]
        Verifies = "verifies",
        /// [`Claims::always_lists_versions`]
        AlwaysListsVersions = "always-lists-versions",
        /// [`Claims::lists_old_ciphers`]
        ListsOldCiphers = "lists-old-ciphers",
        /// [`Claims::withholds_unlisted_certificates`]
        WithholdsUnlistedCertificates = "withholds-unlisted-certificates",
        /// [`Claims::log_names_flaws`]
        LogNamesFlaws = "log-names-flaws",
        /// [`Claims::retries_untold`]
        RetriesUntold = "retries-untold",
        /// [`Claims::retries_handshakes`]
        RetriesHandshakes = "retries-handshakes",
        /// [`Claims::gives_up_handshakes`]
        GivesUpHandshakes = "gives-up-handshakes",
        /// [`Claims::gives_up_responses`]
        GivesUpResponses = "gives-up-responses",
        /// [`Claims::status`]
        Status = "status",
        /// [`ListenerClaims::versions`]
        ListenerVersions = "listener.versions",
        /// [`ListenerClaims::protocols`]
        ListenerProtocols = "listener.protocols",
        /// [`ListenerClaims::unknown_protocols`]
        UnknownProtocols = "listener.unknown-protocols",
        /// [`ListenerClaims::alert`]
        ListenerAlert = "listener.alert",
        /// [`ListenerClaims::accepts_weak_certificates`]
        ListenerAcceptsWeakCertificates = "listener.accepts-weak-certificates",
        /// [`ListenerClaims::serves_unknown_names`]
        ServesUnknownNames = "listener.serves-unknown-names",
        /// [`ListenerClaims::serves_missing_names`]
        ServesMissingNames = "listener.serves-missing-names",
        /// [`ListenerClaims::plain_http`]
        PlainHttp = "listener.plain-http",
        /// [`ListenerClaims::renegotiates`]
        ListenerRenegotiates = "listener.renegotiates",
        /// [`ListenerClaims::asks_post_handshake`]
        ListenerAsksPostHandshake = "listener.asks-post-handshake",
        /// [`ListenerClaims::late_certificate_status`]
        LateCertificateStatus = "listener.late-certificate-status",
        /// [`ListenerClaims::resets_late_http2`]
        ResetsLateHttp2 = "listener.resets-late-http2",
    }
}

/// The model came to a point where gateways differ and this one makes no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the gateway makes no claim \"{0}\"")]
pub struct Unclaimed(pub ClaimName);

impl Claims {
    /// What Gauntlet's own client does when it calls a backend itself (the gateway `direct`).
    #[must_use]
    pub fn openssl_client() -> Self {
        Self {
            upstream_versions: Some(Versions::of(&[
                TlsVersion::Ssl3,
                TlsVersion::Tls10,
                TlsVersion::Tls11,
                TlsVersion::Tls12,
                TlsVersion::Tls13,
            ])),
            upstream_ciphers: Some(
                CipherSuite::ALL.iter().copied().filter(|suite| suite.is_openssl_default()).collect(),
            ),
            limits_upstream_ciphers: false,
            upstream_groups: Some(
                Group::ALL.iter().copied().filter(|group| *group != Group::Secp256r1Mlkem768).collect(),
            ),
            // At security level 0.
            accepts_weak_dh: Some(true),
            // It runs at security level 0, to be able to meet everything.
            accepts_weak_certificates: Some(true),
            reads_huge_certificates: Some(false),
            upstream_protocols: Some(Vec::new()),
            host_is_server_name: Some(true),
            // Since OpenSSL 3.0 (migration_guide(7)).
            accepts_insecure_renegotiation: Some(false),
            follows_renegotiation: Some(true),
            answers_post_handshake_auth: Some(true),
            verifies: Some(Verifies::InHandshake),
            always_lists_versions: Some(false),
            lists_old_ciphers: Some(true),
            withholds_unlisted_certificates: Some(false),
            log_names_flaws: Some(true),
            retries_untold: Some(0),
            retries_handshakes: Some(false),
            gives_up_handshakes: Some(true),
            gives_up_responses: Some(true),
            certificate: Vec::new(),
            status: Vec::new(),
            listener: ListenerClaims::default(),
        }
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
        self.status
            .iter()
            .find(|line| {
                (line.causes.is_empty() || line.causes.contains(&cause))
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
            .alert
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
        fn lay<T>(own: &mut Option<T>, over: Option<T>) {
            if over.is_some() {
                *own = over;
            }
        }
        fn lay_all<T>(own: &mut Vec<T>, over: Vec<T>) {
            // The first line that fits counts, so the overlay goes in front.
            own.splice(0..0, over);
        }
        lay(&mut self.upstream_versions, over.upstream_versions);
        lay(&mut self.upstream_ciphers, over.upstream_ciphers);
        self.limits_upstream_ciphers |= over.limits_upstream_ciphers;
        lay(&mut self.upstream_groups, over.upstream_groups);
        lay(&mut self.accepts_weak_dh, over.accepts_weak_dh);
        lay(&mut self.accepts_weak_certificates, over.accepts_weak_certificates);
        lay(&mut self.reads_huge_certificates, over.reads_huge_certificates);
        lay(&mut self.upstream_protocols, over.upstream_protocols);
        lay(&mut self.host_is_server_name, over.host_is_server_name);
        lay(&mut self.accepts_insecure_renegotiation, over.accepts_insecure_renegotiation);
        lay(&mut self.follows_renegotiation, over.follows_renegotiation);
        lay(&mut self.answers_post_handshake_auth, over.answers_post_handshake_auth);
        lay(&mut self.verifies, over.verifies);
        lay(&mut self.always_lists_versions, over.always_lists_versions);
        lay(&mut self.lists_old_ciphers, over.lists_old_ciphers);
        lay(&mut self.withholds_unlisted_certificates, over.withholds_unlisted_certificates);
        lay(&mut self.log_names_flaws, over.log_names_flaws);
        lay(&mut self.retries_untold, over.retries_untold);
        lay(&mut self.retries_handshakes, over.retries_handshakes);
        lay(&mut self.gives_up_handshakes, over.gives_up_handshakes);
        lay(&mut self.gives_up_responses, over.gives_up_responses);
        lay_all(&mut self.certificate, over.certificate);
        lay_all(&mut self.status, over.status);
        lay(&mut self.listener.versions, over.listener.versions);
        lay(&mut self.listener.ciphers, over.listener.ciphers);
        lay(&mut self.listener.protocols, over.listener.protocols);
        lay(&mut self.listener.unknown_protocols, over.listener.unknown_protocols);
        lay(&mut self.listener.client_certificate_status, over.listener.client_certificate_status);
        lay_all(&mut self.listener.alert, over.listener.alert);
        lay(&mut self.listener.accepts_weak_certificates, over.listener.accepts_weak_certificates);
        lay(&mut self.listener.serves_unknown_names, over.listener.serves_unknown_names);
        lay(&mut self.listener.serves_missing_names, over.listener.serves_missing_names);
        lay(&mut self.listener.server_name_status, over.listener.server_name_status);
        lay(&mut self.listener.misdirected_status, over.listener.misdirected_status);
        lay(&mut self.listener.plain_http, over.listener.plain_http);
        lay(&mut self.listener.renegotiates, over.listener.renegotiates);
        lay(&mut self.listener.asks_post_handshake, over.listener.asks_post_handshake);
        lay(&mut self.listener.late_certificate_status, over.listener.late_certificate_status);
        lay(&mut self.listener.resets_late_http2, over.listener.resets_late_http2);
        self.listener.refuses_late_in_tls |= over.listener.refuses_late_in_tls;
        self
    }
}
