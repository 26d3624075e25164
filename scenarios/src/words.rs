//! The vocabulary: closed lists of the words that profiles, verdicts and records are made of.

mod alert;
mod certificate;
mod cipher;
mod version;

pub use alert::Alert;
pub use certificate::{ClientCertificate, ServerCertificate, StatusSource};
pub use cipher::{CipherSuite, Group, NoSuiteLeft};
pub use version::{TlsVersion, Versions};

/// A word that is not in the closed list it was looked up in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {kind} \"{word}\"; known are {known}")]
pub struct UnknownWord {
    /// Which list was consulted.
    pub kind: &'static str,
    /// The word as given.
    pub word: String,
    /// What could have been said.
    pub known: String,
}

/// Declares a closed list of words: an enum whose kebab-case (or given) spelling is the same in TOML, JSON, the
/// console and the code.
macro_rules! closed_list {
    ($(#[$meta:meta])* $name:ident as $kind:literal { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// Every word of the list, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word as it is written everywhere.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.as_str()) }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::words::UnknownWord;
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word).ok_or_else(|| {
                    let known: Vec<_> = Self::ALL.iter().map(|known| known.as_str()).collect();
                    $crate::words::UnknownWord { kind: $kind, word: word.to_owned(), known: known.join(", ") }
                })
            }
        }
    };
}
pub(crate) use closed_list;

closed_list! {
    /// Whether a request came through.
    Outcome as "outcome" {
        /// The backend answered the client.
        Reach = "reach",
        /// Somebody stopped the connection or the request.
        Refuse = "refuse",
    }
}

closed_list! {
    /// Who can refuse.
    Party as "party" {
        /// The caller.
        Client = "client",
        /// The program under test.
        Gateway = "gateway",
        /// The mock server.
        Backend = "backend",
        /// Nobody in particular: the connection itself failed.
        Network = "network",
    }
}

closed_list! {
    /// Where in the life of a connection something happened.
    Phase as "phase" {
        /// TCP connection.
        Connect = "connect",
        /// TLS handshake (in TLS 1.3 including the server's check of the client's certificate, which the client
        /// sees only on its first read).
        Handshake = "handshake",
        /// After the handshake, before the response: late certificate demands, renegotiation.
        Request = "request",
        /// While the response is made or sent.
        Response = "response",
        /// The end of the connection.
        Close = "close",
    }
}

closed_list! {
    /// Why somebody refused: the closed list of causes.
    Cause as "cause" {
        /// The two sides share no protocol version.
        NoCommonVersion = "no-common-version",
        /// The two sides share no cipher suite.
        NoCommonCipher = "no-common-cipher",
        /// The two sides share no key-exchange group.
        NoCommonGroup = "no-common-group",
        /// The client takes no signature that the server's key could make (RFC 8446 4.2.3).
        NoCommonSignature = "no-common-signature",
        /// The server's certificate (or one above it) has expired.
        ServerCertExpired = "server-cert-expired",
        /// The server's certificate is not valid yet.
        ServerCertNotYetValid = "server-cert-not-yet-valid",
        /// The server's chain does not end in a trusted root.
        ServerCertUntrusted = "server-cert-untrusted",
        /// The server's certificate is for another name.
        ServerCertNameMismatch = "server-cert-name-mismatch",
        /// The server's certificate is not for servers.
        ServerCertWrongUsage = "server-cert-wrong-usage",
        /// The server's key or signature is too weak.
        ServerCertWeak = "server-cert-weak",
        /// The server's certificate was revoked.
        ServerCertRevoked = "server-cert-revoked",
        /// Whether the server's certificate was revoked cannot be found out.
        ServerCertStatusUnknown = "server-cert-status-unknown",
        /// The server's certificates are longer than what its client reads.
        ServerCertTooLarge = "server-cert-too-large",
        /// The server's certificate cannot be read.
        ServerCertMalformed = "server-cert-malformed",
        /// A client certificate was required and none came.
        ClientCertMissing = "client-cert-missing",
        /// The client's chain does not end in a trusted root.
        ClientCertUntrusted = "client-cert-untrusted",
        /// The client's certificate has expired.
        ClientCertExpired = "client-cert-expired",
        /// The client's certificate is not valid yet.
        ClientCertNotYetValid = "client-cert-not-yet-valid",
        /// The client's certificate is not for clients.
        ClientCertWrongUsage = "client-cert-wrong-usage",
        /// The client's key or signature is too weak.
        ClientCertWeak = "client-cert-weak",
        /// The client's certificate was revoked.
        ClientCertRevoked = "client-cert-revoked",
        /// A peer would not renegotiate (TLS 1.2 and before).
        RenegotiationRefused = "renegotiation-refused",
        /// A server does not indicate secure renegotiation (RFC 5746), and its client insists on it.
        RenegotiationInsecure = "renegotiation-insecure",
        /// A peer would not authenticate after the handshake (TLS 1.3).
        PostHandshakeAuthRefused = "post-handshake-auth-refused",
        /// The two sides share no application protocol.
        AlpnMismatch = "alpn-mismatch",
        /// The request needs what HTTP/2 forbids (RFC 9113 7, `HTTP_1_1_REQUIRED`).
        Http11Required = "http11-required",
        /// A server name was required and none came.
        SniMissing = "sni-missing",
        /// The server does not know the name it was asked for.
        SniUnknown = "sni-unknown",
        /// Nobody listens on the port.
        ConnectionRefused = "connection-refused",
        /// A peer went silent.
        Timeout = "timeout",
        /// A peer reset the TCP connection.
        Reset = "reset",
        /// A peer ended the connection in the middle of a message.
        Truncated = "truncated",
        /// A peer gave up with an alert that says no more.
        Aborted = "aborted",
        /// The request's host is not the name that the connection was made for.
        Misdirected = "misdirected",
        /// What answered does not speak TLS.
        NotTls = "not-tls",
        /// No witness could name a cause. Never expected; never a pass.
        Unexplained = "unexplained",
    }
}

impl Cause {
    /// Whether it is about a server's certificate, or about the signatures that its key can make.
    #[must_use]
    pub fn is_about_certificates(self) -> bool {
        self == Self::NoCommonSignature || self.as_str().starts_with("server-cert-")
    }
}
