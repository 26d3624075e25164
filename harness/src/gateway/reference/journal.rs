//! The log: one line for each request and for each client that was refused.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hyper::Version;
use openssl::ssl::SslRef;
use serde_json::json;
use tls_gauntlet_scenarios::{Cause, Failure as LikeFailure, LateDemand, Party};

use crate::{
    client::{Failure, Side},
    gateway::operation,
    tls::shared_tls::SharedTls,
};

/// The log of one gateway.
#[derive(Debug, Default)]
pub(super) struct Journal {
    lines: Mutex<Vec<String>>,
    style: Style,
}

/// How its lines are written.
#[derive(Debug, Clone, Default)]
pub(super) enum Style {
    /// Words with a `=` in them.
    #[default]
    Words,
    /// JSON with the names of the table `GatewayLogs` of API Management, and Gauntlet's own under `gauntlet`.
    GatewayLogs(Arc<LikeFailure>),
}

/// Which request a line is about.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) nonce: &'a str,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) status: u16,
    /// The side of the client.
    pub(super) caller: Caller,
    /// Where the request was to go, if a route was found.
    pub(super) backend: Option<SocketAddr>,
    /// How long all of it took.
    pub(super) elapsed: Duration,
}

/// The connection that a request came over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    /// The version of TLS.
    pub(super) tls: &'static str,
    /// The version of HTTP.
    pub(super) http: Version,
    /// The outcome of asking for a certificate late, if the request needed that.
    pub(super) late: Option<LateDemand>,
}

impl Caller {
    /// The caller of a request of this version, so far.
    pub(super) fn of(tls: &SharedTls, http: Version) -> Self {
        Self { tls: tls.with_ssl(SslRef::version_str), http, late: None }
    }
}

impl Journal {
    pub(super) fn new(style: Style) -> Self {
        Self { lines: Mutex::default(), style }
    }

    /// A request whose response was passed on.
    pub(super) fn passed(&self, asked: &Asked<'_>) {
        self.write(match &self.style {
            Style::Words => asked.to_string(),
            Style::GatewayLogs(_) => asked.in_gateway_logs(None),
        });
    }

    /// A request that came to nothing on the way to the backend.
    pub(super) fn failed(&self, asked: &Asked<'_>, failure: &Failure) {
        let why = Why { failure, peer: Party::Backend };
        self.write(match &self.style {
            Style::Words => format!("{asked} {why}"),
            Style::GatewayLogs(like) => asked.in_gateway_logs(Some(&why.in_gateway_logs(like))),
        });
    }

    /// A request that the gateway would not pass on.
    pub(super) fn rejected(&self, asked: &Asked<'_>, cause: Option<Cause>, error: &str) {
        self.write(match (&self.style, cause) {
            (Style::Words, Some(cause)) => format!("{asked} cause={cause} party=gateway error={error:?}"),
            (Style::Words, None) => format!("{asked} party=gateway error={error:?}"),
            (Style::GatewayLogs(_), cause) => asked.in_gateway_logs(Some(&LastError {
                source: "validate-client-certificate",
                reason: "OnErrorPolicy",
                message: error.to_owned(),
                cause,
                party: Party::Gateway,
            })),
        });
    }

    /// A client that did not get through the handshake.
    pub(super) fn refused(&self, listener: &str, client: SocketAddr, failure: &Failure) {
        self.write(format!("listener={listener} client={client} {}", Why { failure, peer: Party::Client }));
    }

    /// Everything that was written.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lock().clone()
    }

    fn write(&self, line: String) {
        self.lock().push(line);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked<'_> {
    /// The columns of `GatewayLogs` that have a meaning here.
    fn in_gateway_logs(&self, error: Option<&LastError>) -> String {
        let Self { nonce, method, path, status, caller, backend, elapsed } = self;
        let mut line = json!({
            "OperationId": format!("{method} {}", operation(path)),
            "BackendUrl": backend.map(|backend| format!("https://{backend}{path}")),
            "BackendResponseCode": if error.is_none() { Some(status) } else { None },
            "BackendTime": elapsed.as_millis(),
            "ClientProtocol": format!("{:?}", caller.http),
            "ClientTlsVersion": caller.tls,
            "ResponseCode": status,
            "IsRequestSuccess": error.is_none() && *status < 400,
            "gauntlet": {
                "nonce": nonce,
                "cause": error.and_then(|error| error.cause),
                "party": error.map(|error| error.party),
                "late": caller.late,
            },
        });
        if let Some(LastError { source, reason, message, .. }) = error {
            let own = json!({
                "source": source, "reason": reason, "message": message, "section": "backend",
                "elapsed": elapsed.as_millis(),
            });
            line["LastErrorSource"] = (*source).into();
            line["LastErrorReason"] = (*reason).into();
            line["LastErrorMessage"] = message.as_str().into();
            line["LastErrorScope"] = "global".into();
            line["LastErrorSection"] = "backend".into();
            line["Errors"] = json!([own]);
        }
        line.to_string()
    }
}

/// The content of the columns `LastError…`.
struct LastError {
    source: &'static str,
    reason: &'static str,
    message: String,
    cause: Option<Cause>,
    party: Party,
}

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nonce, method, path, status, caller, .. } = self;
        write!(f, "nonce={nonce} path={path} status={status}")?;
        let Caller { tls, http, late: Some(late) } = caller else { return Ok(()) };
        write!(f, " method={method} tls={tls} http={http:?} late={late}")
    }
}

/// A failure, seen from the gateway.
struct Why<'a> {
    failure: &'a Failure,
    /// The party at the other end.
    peer: Party,
}

impl Why<'_> {
    fn party(&self) -> Party {
        match self.failure.side {
            Side::Own => Party::Gateway,
            Side::Peer => self.peer,
            Side::Network => Party::Network,
        }
    }

    /// One reason stands for every failure of a backend but silence; only the text differs.
    fn in_gateway_logs(&self, like: &LikeFailure) -> LastError {
        let cause = self.failure.cause;
        let (reason, message) = match cause {
            Cause::Timeout => ("Timeout", "The operation has timed out."),
            cause if cause.is_about_certificates() && cause != Cause::NoCommonSignature => {
                ("BackendConnectionFailure", like.trust_text.as_str())
            }
            _ => ("BackendConnectionFailure", like.channel_text.as_str()),
        };
        LastError {
            source: "forward-request",
            reason,
            // The spelling is the original's.
            message: format!("Error occured while calling backend service. {message}"),
            cause: Some(cause),
            party: self.party(),
        }
    }
}

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { phase, cause, error, .. } = self.failure;
        let party = self.party();
        write!(f, "cause={cause} party={party} phase={phase} error={error:?}")
    }
}

/// The cause that a line of the log names, if it names one.
#[must_use]
pub fn cause_in(line: &str) -> Option<Cause> {
    if line.starts_with('{') {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        return line["gauntlet"]["cause"].as_str()?.parse().ok();
    }
    // The error comes last and may hold anything; the words before it hold no spaces.
    let words = line.split(" error=").next().unwrap_or(line);
    words.split(' ').find_map(|word| word.strip_prefix("cause="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("nonce=a path=/r/a status=502 cause=timeout party=gateway error=\"x\"", Some(Cause::Timeout))]
    #[case("nonce=a path=/r/a status=200", None)]
    #[case("nonce=a path=/r/a status=404 party=gateway error=\"no cause=timeout here\"", None)]
    #[case("nonce=a path=/r/cause=reset status=200", None)]
    #[case(r#"{"LastErrorMessage":"cause=reset","gauntlet":{"cause":"timeout"}}"#, Some(Cause::Timeout))]
    #[case(r#"{"LastErrorMessage":"cause=reset","gauntlet":{"cause":null}}"#, None)]
    fn a_line_names_its_cause(#[case] line: &str, #[case] cause: Option<Cause>) {
        assert_eq!(cause_in(line), cause);
    }
}
