//! The errors of this crate; a flawed certificate is never one.

use std::io;
use std::path::PathBuf;

use openssl::error::ErrorStack;
use time::OffsetDateTime;

/// Why a certificate could not be made, kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A word that names no format.
    #[error("unknown {kind} `{word}`, expected one of {known}")]
    Unknown {
        /// The kind of word: `format`, `revocation list`, `OCSP response`.
        kind: &'static str,
        /// The word as given.
        word: String,
        /// All words that would have done, separated by commas.
        known: String,
    },

    /// A text that is neither a host name nor an IP address.
    #[error("`{0}` is neither a host name nor an IP address")]
    Name(String),

    /// An address for revocation that a certificate cannot hold.
    #[error("`{0}` cannot be an address in a certificate")]
    Url(String),

    /// A server certificate was asked for without any name to put in it.
    #[error("a server certificate needs at least one name")]
    NoName,

    /// A clock so far out that "a year ago" or "in ten years" cannot be written in a certificate.
    #[error("no certificate can be dated from {0}")]
    Clock(OffsetDateTime),

    /// An authority that cannot issue what is needed.
    #[error("it cannot issue certificates: {because}")]
    CannotIssue {
        /// Why.
        because: String,
    },

    /// OpenSSL failed.
    #[error("cannot {doing}")]
    OpenSsl {
        /// The operation: `generate a P-256 key`.
        doing: &'static str,
        /// The error of OpenSSL.
        source: ErrorStack,
    },

    /// rcgen could not encode a certificate.
    #[error("cannot encode the certificate of {subject}")]
    Encode {
        /// The common name of the certificate.
        subject: String,
        /// The error of rcgen.
        source: rcgen::Error,
    },

    /// This OpenSSL has no legacy provider, so it knows neither RC2 nor the old PKCS#12 key derivation.
    #[error("the old PFX encryption needs OpenSSL's legacy provider, which this build does not have")]
    NoLegacyProvider(#[source] ErrorStack),

    /// An OCSP response about a certificate that was read from a file.
    #[error("nobody here has the key of the authority that issued this certificate")]
    NoIssuer,

    /// A PFX password that C cannot hold.
    #[error("a PFX password cannot contain a NUL character")]
    Password,

    /// A file name that would lead out of its folder.
    #[error("`{0}` cannot be the name of a file")]
    Stem(String),

    /// A file or folder that could not be read or written.
    #[error("cannot {doing} {path}", path = path.display())]
    File {
        /// `read`, `write` or `create the folder`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },

    /// A file that is there, but holds something else than PEM of the expected kind.
    #[error("{path} holds no {expected} in PEM", path = path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// `certificate`, `private key` or `revocation list`.
        expected: &'static str,
        /// The error of OpenSSL.
        source: ErrorStack,
    },

    /// A kept authority that cannot issue.
    #[error("{path} {because}", path = path.display())]
    Authority {
        /// The file at fault.
        path: PathBuf,
        /// The fault.
        because: &'static str,
    },
}

impl Error {
    /// For `map_err`: what OpenSSL was doing when it failed.
    pub(crate) fn openssl(doing: &'static str) -> impl FnOnce(ErrorStack) -> Self {
        move |source| Self::OpenSsl { doing, source }
    }
}

/// Finds a word in a list, or says what the list has.
pub(crate) fn pick<T: Copy>(
    kind: &'static str,
    word: &str,
    all: &[T],
    as_str: fn(T) -> &'static str,
) -> Result<T, Error> {
    all.iter().copied().find(|&one| as_str(one) == word).ok_or_else(|| {
        let known = all.iter().map(|&one| as_str(one)).collect::<Vec<_>>().join(", ");
        Error::Unknown { kind, word: word.to_owned(), known }
    })
}
