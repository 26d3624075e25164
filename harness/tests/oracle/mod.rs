//! The tools that look at backends: each of them not ours.

use crate::tool::{Said, Target};

/// A tool that looks, and what it looks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Oracle {
    /// `openssl s_client` of the distribution, with these arguments.
    SClient(&'static str),
    /// `openssl s_client`, which takes up a session and sends its request as early data.
    EarlyData,
    /// curl, with these arguments.
    Curl(&'static str),
    /// `gnutls-cli`, with this priority and these arguments.
    Gnutls(&'static str, &'static str),
    /// nmap, with this script.
    Nmap(&'static str),
    /// Python's `ssl` on a socket of its own, with this program after [`PYTHON`].
    Python(&'static str),
}

impl Oracle {
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::SClient(_) | Self::EarlyData => "openssl",
            Self::Curl(_) => "curl",
            Self::Gnutls(..) => "gnutls-cli",
            Self::Nmap(_) => "nmap",
            Self::Python(_) => "python3",
        }
    }

    pub(crate) async fn ask(self, target: &Target) -> Said {
        match self {
            Self::SClient(arguments) => target.s_client(arguments).await,
            Self::EarlyData => target.early_data().await,
            Self::Curl(arguments) => target.curl(arguments).await,
            Self::Gnutls(priority, arguments) => target.gnutls(priority, arguments).await,
            Self::Nmap(script) => target.nmap(script).await,
            Self::Python(program) => target.python(&format!("{PYTHON}{program}")).await,
        }
    }
}

/// Python's TLS over a socket that the program itself reads and writes, so that it sees each segment.
const PYTHON: &str = include_str!("segments.py");
