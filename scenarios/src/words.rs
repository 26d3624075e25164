//! The vocabulary: closed lists of the words that profiles, verdicts and records are made of.

mod certificate;
mod cipher;
mod refusal;
mod version;

pub use certificate::{ClientCertificate, ServerCertificate, StatusSource};
pub use cipher::{CipherSuite, Group, NoSuiteLeft};
pub use refusal::{Alert, Cause};
pub use version::{TlsVersion, Versions};

/// A word that is not in the closed list it was looked up in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {kind} \"{word}\"; known are {known}")]
pub struct UnknownWord {
    /// Which list was consulted.
    pub kind: &'static str,
    /// The word as given.
    pub word: String,
    /// The words of the list, separated by commas.
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
        /// A party stopped the connection or the request.
        Refuse = "refuse",
    }
}

closed_list! {
    /// A party that can refuse.
    Party as "party" {
        /// The caller.
        Client = "client",
        /// The program under test.
        Gateway = "gateway",
        /// The mock server.
        Backend = "backend",
        /// Neither end: the connection itself failed.
        Network = "network",
    }
}

closed_list! {
    /// Where in the life of a connection something happened.
    #[derive(Default)]
    Phase as "phase" {
        /// TCP connection.
        #[default]
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
