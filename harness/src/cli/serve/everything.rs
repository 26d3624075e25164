//! `gauntlet serve accepts-everything`: a server that takes every client and answers with what its ClientHello offered.

use std::net::SocketAddr;

use tls_gauntlet_certs::{Name, Pki};

use crate::{
    cli::{
        failure::{Failure, work_error},
        streams,
    },
    hello::{Heard, Hello, HelloError, HelloOptions},
    limits::Limits,
    report::text::printable,
};

/// The name by which it is served beside the backends of the catalogue.
pub(super) const NAME: &str = "accepts-everything";

/// What it does.
pub(super) const SUMMARY: &str = "Takes every client from SSL 3.0 to TLS 1.3 and answers with what its ClientHello offered, a page for \
                                  browsers and JSON for others; /hello lists all callers, /hello/ID shows one.";

/// Starts it; each caller is told on standard output as it comes.
pub(super) async fn start(
    pki: &Pki,
    bind: SocketAddr,
    names: Vec<Name>,
    as_json: bool,
) -> Result<Hello, Failure> {
    let options = HelloOptions { bind, names, limits: Limits::default() };
    let tell = move |heard: &Heard| {
        // Where standard output is closed, callers are answered all the same.
        let _closed = streams::print(&line(heard, as_json));
    };
    Hello::start(pki, &options, tell).await.map_err(|error| match error {
        HelloError::Bind { .. } => {
            work_error!(
                "{error}; pass --bind with an address of this machine, and another --port-base or none"
            )
        }
        HelloError::Setup(error) => Failure::work(error),
    })
}

fn line(heard: &Heard, as_json: bool) -> String {
    if as_json {
        return serde_json::to_string(heard).map(|text| text + "\n").unwrap_or_default();
    }
    let versions = heard.offered.versions.as_ref().map(ToString::to_string).unwrap_or_default();
    let outcome = match (&heard.agreed, &heard.failure) {
        (Some(agreed), _) => {
            let version = agreed.version.map_or("", |version| version.as_str());
            format!("agreed on {version}, {}", agreed.cipher)
        }
        (None, failure) => format!("failed: {}", failure.as_deref().unwrap_or_default()),
    };
    printable(&format!(
        "/hello/{}  {}  {}  offers {versions}; {outcome}",
        heard.id, heard.peer, heard.offered.ja4
    )) + "\n"
}
