//! A backend: a mock HTTPS server with one TLS behaviour.

use serde::{Deserialize, Serialize};

use crate::words::{CipherSuite, Group, ServerCertificate, TlsVersion, Versions, closed_list};

/// What one backend does. Every part that is absent behaves as in `plain-good`; profiles that set different parts
/// compose (see [`crate::Composed`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BackendProfile {
    /// One sentence: what it does.
    pub summary: String,
    /// The clause of a specification, or the manual page, that says so.
    pub clause: String,
    /// Protocol versions it accepts; 1.2 and 1.3 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<Versions>,
    /// The cipher suites it accepts, in its order; all that have a use if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ciphers: Option<Vec<CipherSuite>>,
    /// Whether it accepts more than suites that have a use, and shows more than one certificate; no if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts: Option<Accepts>,
    /// The key-exchange groups it accepts, in its order; all that current peers have if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Group>>,
    /// The Diffie-Hellman parameters it picks up to TLS 1.2; as strong as its certificate if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dh_parameters: Option<DhParameters>,
    /// The certificate it shows; `good` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<ServerCertificate>,
    /// When it takes another certificate, and which; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Renewal>,
    /// The OCSP response that it staples to its certificate; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staple: Option<Staple>,
    /// What is wrong with the revocation list, or the OCSP responder, that its certificate points to; nothing if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_fault: Option<StatusFault>,
    /// Whether and when it asks for a client certificate; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<Demand>,
    /// The authorities it names when it asks for a client certificate; the one it trusts if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority_hints: Option<AuthorityHints>,
    /// With which response it refuses a client certificate, or that there is none; refuses in TLS if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses_in_http: Option<HttpRefusal>,
    /// When it refuses a client certificate in TLS, or that there is none; as soon as it can if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses_in_tls: Option<TlsRefusal>,
    /// For which requests it wants something once they have come: a client certificate, a renegotiation; for all if
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_for: Option<LateFor>,
    /// Whether it renegotiates for no other reason; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renegotiation: Option<Renegotiation>,
    /// The certificate that it shows when it renegotiates; the first one again if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renegotiates_as: Option<ServerCertificate>,
    /// What it makes of a client that begins a renegotiation; refuses it if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_renegotiation: Option<ClientRenegotiation>,
    /// Whether and how it changes the keys of TLS 1.3 before it answers; not at all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_update: Option<KeyUpdate>,
    /// How it cuts its data into records; as large as may be, unpadded, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Records>,
    /// Whether its sessions can be resumed; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
    /// What it makes of data that comes before the handshake is over; offers nobody to send any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_data: Option<EarlyData>,
    /// What it makes of the server name; ignores it if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<ServerNamePolicy>,
    /// What it makes of application protocols; speaks HTTP/1.1 and 2, whichever is wanted, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_protocols: Option<ApplicationProtocols>,
    /// How it misbehaves below or above TLS; not at all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// On which of its connections the fault shows; on all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault_on: Option<FaultOn>,
}

impl BackendProfile {
    /// The versions it accepts: those that it is told to, as far as its cipher suites, its groups and the key of its
    /// certificate leave any use for them.
    #[must_use]
    pub fn versions(&self) -> Versions {
        let told = self.versions.clone().unwrap_or_else(Versions::current);
        told.only(|version| self.is_usable(version)).unwrap_or(told)
    }

    /// Whether cipher suites, groups and certificate leave a use for some version.
    #[must_use]
    pub fn has_usable_version(&self) -> bool {
        self.versions().iter().any(|version| self.is_usable(version))
    }

    fn is_usable(&self, version: TlsVersion) -> bool {
        let by_cipher =
            self.ciphers.as_ref().is_none_or(|ciphers| ciphers.iter().any(|cipher| cipher.fits(version)));
        let by_group =
            self.groups.as_ref().is_none_or(|groups| groups.iter().any(|group| group.fits(version)));
        by_cipher && by_group && self.certificate().fits(version)
    }

    /// The certificate it shows.
    #[must_use]
    pub fn certificate(&self) -> ServerCertificate {
        self.certificate.unwrap_or(ServerCertificate::Good)
    }

    /// The fault at this phase, if that is where it misbehaves.
    #[must_use]
    pub fn fault_at(&self, phase: FaultPhase) -> Option<FaultAction> {
        self.fault.filter(|fault| fault.at == phase).map(|fault| fault.does)
    }

    /// The fault of its nth connection, counted from 1.
    #[must_use]
    pub fn fault_of(&self, connection: u64) -> Option<Fault> {
        self.fault.filter(|_| match self.fault_on {
            None => true,
            Some(FaultOn::FirstTwo) => connection <= 2,
            Some(FaultOn::EveryThird) => connection.is_multiple_of(3),
        })
    }

    /// Whether it asks for anything once a request has come, which HTTP/2 forbids (RFC 9113 9.2.1, 9.2.3).
    #[must_use]
    pub fn asks_late(&self) -> bool {
        self.renegotiation.is_some()
            || self.client_certificate.is_some_and(|demand| demand.asked == DemandTime::AfterRequest)
    }
}

closed_list! {
    /// How much a backend accepts beyond what has a use.
    Accepts as "breadth of a backend" {
        /// Every cipher suite that its TLS library has, those without encryption and without a certificate too; a certificate
        /// of each kind of key that old clients want, ECDSA and RSA; HTTP/1.1 where the client names other protocols.
        Everything = "everything",
    }
}

closed_list! {
    /// A stapled OCSP response (RFC 6066 section 8).
    Staple as "staple" {
        /// The certificate is good.
        Good = "good",
        /// The certificate was revoked.
        Revoked = "revoked",
        /// The certificate was good, but the next response was due yesterday.
        Expired = "expired",
        /// Bytes that are no OCSP response.
        Garbage = "garbage",
    }
}

closed_list! {
    /// What keeps a client from the status of a certificate.
    StatusFault as "fault of a certificate's status" {
        /// The list, or the response, is well signed, but its successor was due yesterday.
        Stale = "stale",
        /// The server takes the request and does not answer, for as long as its client waits.
        Slow = "slow",
        /// Nobody listens at the address.
        Unreachable = "unreachable",
    }
}

closed_list! {
    /// Diffie-Hellman parameters.
    DhParameters as "Diffie-Hellman parameters" {
        /// A prime of 1024 bits (the attack: Logjam).
        Bits1024 = "1024-bits",
    }
}

/// A change of the server's certificate while it is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Renewal {
    /// After how many connections.
    pub after: u64,
    /// What it shows from then on.
    pub certificate: ServerCertificate,
}

/// A demand for the client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Demand {
    /// When the backend asks.
    pub asked: DemandTime,
    /// What it does without one.
    pub need: Need,
}

closed_list! {
    /// The authorities that a demand for a client certificate names (RFC 8446 4.2.4, RFC 5246 7.4.4).
    AuthorityHints as "authority hints" {
        /// None, which means any.
        Empty = "empty",
        /// An authority that issues no client certificates.
        Wrong = "wrong",
        /// The right one behind five hundred others: more than a record can hold.
        Huge = "huge",
    }
}

closed_list! {
    /// A refusal in HTTP, after a handshake that was completed.
    HttpRefusal as "refusal in HTTP" {
        /// 400, as nginx.
        BadRequest = "bad-request",
        /// 403, as IIS and App Service.
        Forbidden = "forbidden",
    }
}

impl HttpRefusal {
    /// The status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden => 403,
        }
    }
}

closed_list! {
    /// A refusal in TLS, after a handshake that was completed.
    TlsRefusal as "refusal in TLS" {
        /// With the alert that says why, once the first request has been read.
        AfterRequest = "after-request",
    }
}

closed_list! {
    /// The requests for which a backend makes late demands.
    LateFor as "requests with late demands" {
        /// Requests with the segment `secure` in their path.
        SecurePaths = "secure-paths",
    }
}

impl LateFor {
    /// The segment that makes a path secure.
    pub const SEGMENT: &str = "secure";
}

closed_list! {
    /// When a client certificate is asked for.
    DemandTime as "time of the demand" {
        /// In the first handshake.
        Handshake = "handshake",
        /// After reading a request: by renegotiation up to TLS 1.2 (RFC 5246 7.4.1.1), by post-handshake
        /// authentication in TLS 1.3 (RFC 8446 4.6.2).
        AfterRequest = "after-request",
    }
}

closed_list! {
    /// Whether a client certificate must come.
    Need as "need" {
        /// Goes on without one, refuses a bad one.
        Optional = "optional",
        /// Refuses to go on without a good one.
        Required = "required",
    }
}

closed_list! {
    /// Renegotiation for its own sake.
    Renegotiation as "renegotiation" {
        /// Renegotiates after reading each request, asking for no certificate.
        AfterRequest = "after-request",
        /// Renegotiates three times after reading each request, asking for no certificate.
        Repeatedly = "repeatedly",
        /// Asks twenty times in a row after reading each request, without waiting for an answer, for no certificate.
        Storm = "storm",
        /// Renegotiates when half of the response has been sent, asking for no certificate.
        InResponse = "in-response",
    }
}

impl Renegotiation {
    /// How often [`Self::Repeatedly`] is.
    pub const REPETITIONS: u32 = 3;

    /// How many requests a [`Self::Storm`] has.
    pub const STORM: u32 = 20;
}

closed_list! {
    /// What a backend makes of a client that begins a renegotiation, up to TLS 1.2.
    ClientRenegotiation as "client renegotiation" {
        /// Follows, if it is secure (RFC 5746).
        Allowed = "allowed",
        /// Follows, secure or not.
        UnsafeAllowed = "unsafe-allowed",
        /// Has never heard of RFC 5746: leaves the extension `renegotiation_info` out.
        NotIndicated = "not-indicated",
    }
}

closed_list! {
    /// `KeyUpdate` messages (RFC 8446 4.6.3), sent before a response.
    KeyUpdate as "key update" {
        /// One, for its own keys only.
        Sends = "sends",
        /// A `KeyUpdate` that asks the peer to change its keys, too.
        Asks = "asks",
        /// Thirty, each of which asks.
        Flood = "flood",
    }
}

closed_list! {
    /// How data is cut into records.
    Records as "records" {
        /// Padded to a multiple of 4,096 bytes (RFC 8446 5.4).
        Padded = "padded",
        /// One byte of data in each.
        Tiny = "tiny",
    }
}

closed_list! {
    /// Resumption.
    Sessions as "sessions" {
        /// By session identifier (RFC 5246 7.3), with the state kept at the backend.
        Ids = "ids",
        /// By ticket (RFC 5077, RFC 8446 4.6.1).
        Tickets = "tickets",
        /// Gives tickets out and accepts none.
        TicketsRefused = "tickets-refused",
        /// By ticket, under a new key for each connection: no ticket is accepted on the next.
        TicketKeyRotated = "ticket-key-rotated",
        /// By ticket, under a new key for each connection: the key before is still accepted, those before that are not.
        TicketKeysOverlap = "ticket-keys-overlap",
    }
}

closed_list! {
    /// What a backend makes of early data, which it lets its clients send with a ticket (RFC 8446 4.2.10).
    EarlyData as "early data" {
        /// Takes it for the beginning of the connection's data.
        Accepted = "accepted",
        /// Passes over it, so that the client has to send it again.
        Refused = "refused",
    }
}

closed_list! {
    /// What a backend makes of the server name indication.
    ServerNamePolicy as "server name policy" {
        /// Answers a missing or unknown name with the fatal alert `unrecognized_name` (RFC 6066 section 3).
        Required = "required",
        /// Closes the connection on a missing or unknown name, without an alert.
        RequiredCloses = "required-closes",
        /// Has a certificate for each name: for `wrong.gauntlet.test` another than for the names that are right.
        CertificatePerName = "certificate-per-name",
        /// Shows a certificate for another name to whoever sends none.
        WrongCertificateWithout = "wrong-certificate-without",
        /// Answers 421 to a request whose host is not the server name (RFC 9110 15.5.20).
        HostMustMatch = "host-must-match",
    }
}

closed_list! {
    /// What a backend makes of application-layer protocol negotiation (RFC 7301).
    ApplicationProtocols as "application protocols" {
        /// HTTP/1.1 and nothing else.
        H1Only = "h1-only",
        /// HTTP/2 and nothing else, negotiated or not.
        H2Only = "h2-only",
        /// Takes no notice of the extension and speaks HTTP/1.1.
        Ignored = "ignored",
        /// Answers every offer with the fatal alert `no_application_protocol`.
        Refused = "refused",
        /// Picks a protocol that was not offered.
        Unoffered = "unoffered",
        /// Picks HTTP/2 and speaks HTTP/1.1.
        H2SpokenAsH1 = "h2-spoken-as-h1",
    }
}

/// A fault: what happens, and where in the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fault {
    /// The phase that is reached but not left.
    pub at: FaultPhase,
    /// What happens there.
    pub does: FaultAction,
}

closed_list! {
    /// A named point in a connection, in the order in which a connection passes it.
    FaultPhase as "fault phase" {
        /// The TCP connection has come in.
        Accept = "accept",
        /// The ClientHello has been read, nothing has been sent.
        ClientHello = "client-hello",
        /// The ServerHello has been sent, nothing after it.
        ServerHello = "server-hello",
        /// The certificate has been sent, nothing after it.
        Certificate = "certificate",
        /// The handshake is complete but for this side's Finished, which has not been sent.
        Finished = "finished",
        /// The request has been read, nothing of the response has been sent.
        Request = "request",
        /// The response's head has been sent, nothing of its body.
        Headers = "headers",
        /// The response's head and half of its body have been sent.
        Body = "body",
        /// The response has been sent.
        Close = "close",
    }
}

closed_list! {
    /// What a fault does.
    FaultAction as "fault action" {
        /// Nothing, for as long as the peer waits.
        Stall = "stall",
        /// A TCP reset.
        Reset = "reset",
        /// Speaks HTTP where TLS is expected.
        PlainHttp = "plain-http",
        /// Holds the port without listening on it, so that connections are refused.
        RefuseConnection = "refuse-connection",
        /// Ends the TCP connection without the TLS alert `close_notify` (RFC 8446 6.1).
        OmitCloseNotify = "omit-close-notify",
        /// Ends the connection in good order, as far as there is one: `close_notify` where TLS stands, FIN.
        Close = "close",
        /// The fatal alert `internal_error`, then FIN; unprotected until the handshake is over, as is right up to TLS
        /// 1.2.
        Alert = "alert",
        /// Goes on, but sends one byte at a time.
        Drip = "drip",
        /// Bytes that are no TLS record.
        Garbage = "garbage",
        /// The head of a record that is longer than the protocol allows (RFC 8446 5.1).
        WrongRecordLength = "wrong-record-length",
        /// Resets the connection unless the whole ClientHello comes in one segment (tldr.fail).
        RefuseSplit = "refuse-split",
        /// Says in HTTP that this was the last request: GOAWAY in HTTP/2, `connection: close` before.
        GoAway = "go-away",
    }
}

closed_list! {
    /// The connections on which a fault shows.
    FaultOn as "fault script" {
        /// On the first two: then the backend has healed.
        FirstTwo = "first-two",
        /// On the third, the sixth, and so on.
        EveryThird = "every-third",
    }
}

impl Fault {
    /// Whether this can happen in this phase.
    #[must_use]
    pub const fn makes_sense(self) -> bool {
        use FaultAction as Does;
        use FaultPhase as At;
        match self.does {
            Does::Stall | Does::Reset => !matches!(self.at, At::Close),
            Does::Close => true,
            Does::Drip => matches!(self.at, At::ClientHello | At::Headers),
            // Once a version is settled, libraries take garbage for another version.
            Does::Garbage => matches!(self.at, At::Accept | At::ClientHello | At::Request),
            // In TLS 1.3 the records that are held back have used up their numbers, so that nothing can be protected
            // in their place.
            Does::Alert => !matches!(self.at, At::Accept | At::Finished | At::Close),
            Does::RefuseSplit | Does::WrongRecordLength => matches!(self.at, At::ClientHello),
            Does::PlainHttp | Does::RefuseConnection => matches!(self.at, At::Accept),
            Does::OmitCloseNotify | Does::GoAway => matches!(self.at, At::Close),
        }
    }
}
