//! Whether a server's certificate was revoked: what was stapled to it, and what those say whom it points to.

use std::fmt;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use openssl::{
    asn1::Asn1Time,
    error::ErrorStack,
    hash::MessageDigest,
    ocsp::{OcspCertId, OcspCertStatus, OcspFlag, OcspRequest, OcspResponse, OcspResponseStatus},
    ssl::SslRef,
    stack::Stack,
    x509::{CrlStatus, X509, X509Crl, X509Ref},
};
use tls_gauntlet_scenarios::{Cause, RevocationCheck, StatusSource};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

use crate::ffi;

/// Why a server is refused that has passed every check of the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) cause: Cause,
    pub(super) words: String,
}

impl Refusal {
    fn revoked(by: &str) -> Self {
        Self { cause: Cause::ServerCertRevoked, words: format!("{by} says that the certificate was revoked") }
    }

    fn unknown(why: impl fmt::Display) -> Self {
        let words = format!("cannot find out whether the certificate was revoked: {why}");
        Self { cause: Cause::ServerCertStatusUnknown, words }
    }
}

impl From<ErrorStack> for Refusal {
    fn from(error: ErrorStack) -> Self {
        Self::unknown(error)
    }
}

/// The longest response that is read: enough for a list of a million certificates.
const LONGEST: usize = 64 << 20;

/// How far clocks may be apart, in seconds.
const SKEW: u32 = 300;

/// Checks the server of a connection whose handshake is over. Who does not find out, refuses.
pub(super) async fn check(check: RevocationCheck, ssl: &SslRef, deadline: Instant) -> Result<(), Refusal> {
    match (check.asks(), check) {
        (None, RevocationCheck::CrlFile) => Ok(()),
        (None, _) => {
            let server = Server::of(ssl)?;
            match ssl.ocsp_status() {
                Some(staple) => server.by_ocsp(staple, "the staple"),
                None if check == RevocationCheck::StapleRequired => {
                    Err(Refusal::unknown("nothing is stapled"))
                }
                None if ffi::has_tls_feature(&server.leaf) => {
                    Err(Refusal::unknown("nothing is stapled, and the certificate demands it"))
                }
                None => Ok(()),
            }
        }
        (Some(StatusSource::Crl), _) => {
            let server = Server::of(ssl)?;
            let Some(url) = server.crl_url() else { return Ok(()) };
            let list = fetch(&url, None, deadline).await?;
            server.by_crl(&list)
        }
        (Some(StatusSource::Ocsp), _) => {
            let server = Server::of(ssl)?;
            let Some(url) = server.ocsp_url() else { return Ok(()) };
            let response = fetch(&url, Some(server.question()?), deadline).await?;
            server.by_ocsp(&response, "the responder")
        }
    }
}

/// A server that has shown a sound chain.
struct Server<'a> {
    ssl: &'a SslRef,
    leaf: X509,
    issuer: X509,
}

impl<'a> Server<'a> {
    fn of(ssl: &'a SslRef) -> Result<Self, Refusal> {
        let mut chain = ssl.verified_chain().into_iter().flatten().map(X509Ref::to_owned);
        match (chain.next(), chain.next()) {
            (Some(leaf), Some(issuer)) => Ok(Self { ssl, leaf, issuer }),
            _ => Err(Refusal::unknown("the chain was not verified")),
        }
    }

    fn crl_url(&self) -> Option<String> {
        let points = self.leaf.crl_distribution_points()?;
        let names = points.iter().filter_map(|point| point.distpoint()?.fullname());
        names.flatten().find_map(|name| name.uri()).map(str::to_owned)
    }

    fn ocsp_url(&self) -> Option<String> {
        // Fails where there are none.
        let responders = self.leaf.ocsp_responders().ok()?;
        responders.iter().next().map(|url| url.to_string())
    }

    fn id(&self) -> Result<OcspCertId, ErrorStack> {
        OcspCertId::from_cert(MessageDigest::sha1(), &self.leaf, &self.issuer)
    }

    fn question(&self) -> Result<Vec<u8>, ErrorStack> {
        let mut request = OcspRequest::new()?;
        request.add_id(self.id()?)?;
        request.to_der()
    }

    fn by_ocsp(&self, response: &[u8], who: &str) -> Result<(), Refusal> {
        let response = OcspResponse::from_der(response)
            .map_err(|_| Refusal::unknown(format!("{who} is no OCSP response")))?;
        if response.status() != OcspResponseStatus::SUCCESSFUL {
            return Err(Refusal::unknown(format!("{who} has no answer")));
        }
        let answer = response.basic()?;
        let mut signers = Stack::new()?;
        signers.push(self.issuer.clone())?;
        let trusted = self.ssl.ssl_context().cert_store();
        answer
            .verify(&signers, trusted, OcspFlag::empty())
            .map_err(|error| Refusal::unknown(format!("{who} is signed by somebody else: {error}")))?;
        let id = self.id()?;
        let Some(status) = answer.find_status(&id) else {
            return Err(Refusal::unknown(format!("{who} is about another certificate")));
        };
        if status.check_validity(SKEW, None).is_err() {
            return Err(Refusal::unknown(format!("{who} is out of date")));
        }
        match status.status {
            OcspCertStatus::GOOD => Ok(()),
            OcspCertStatus::REVOKED => Err(Refusal::revoked(who)),
            _ => Err(Refusal::unknown(format!("{who} does not know the certificate"))),
        }
    }

    fn by_crl(&self, list: &[u8]) -> Result<(), Refusal> {
        let list =
            X509Crl::from_der(list).map_err(|_| Refusal::unknown("what came is no revocation list"))?;
        if !list.verify(self.issuer.public_key()?.as_ref())? {
            return Err(Refusal::unknown("the revocation list is signed by somebody else"));
        }
        let now = Asn1Time::days_from_now(0)?;
        if list.next_update().is_none_or(|due| due < now) {
            return Err(Refusal::unknown("the revocation list is out of date"));
        }
        match list.get_by_cert(&self.leaf) {
            CrlStatus::Revoked(_) => Err(Refusal::revoked("the revocation list")),
            CrlStatus::NotRevoked | CrlStatus::RemoveFromCrl(_) => Ok(()),
        }
    }
}

/// Gets what is at a URL, or posts a question to it (RFC 6960 A.1).
async fn fetch(url: &str, question: Option<Vec<u8>>, deadline: Instant) -> Result<Bytes, Refusal> {
    let failed = |error: &dyn fmt::Display| Refusal::unknown(format!("{url}: {error}"));
    let target: Uri = url.parse().map_err(|error| failed(&error))?;
    let (Some("http"), Some(authority)) = (target.scheme_str(), target.authority()) else {
        return Err(failed(&"only http is spoken"));
    };
    let whole = async {
        let port = authority.port_u16().unwrap_or(80);
        let host = authority.host().trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, port)).await.map_err(|error| failed(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        let method = if question.is_some() { Method::POST } else { Method::GET };
        let request = Request::builder()
            .method(method)
            .uri(target.path_and_query().map_or("/", |path| path.as_str()))
            .header(header::HOST, authority.as_str())
            .header(header::CONTENT_TYPE, "application/ocsp-request")
            .body(Full::new(Bytes::from(question.unwrap_or_default())))
            .map_err(|error| failed(&error))?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
            if !response.status().is_success() {
                return Err(failed(&response.status()));
            }
            let body = Limited::new(response.into_body(), LONGEST).collect().await;
            Ok(body.map_err(|error| failed(&error))?.to_bytes())
        };
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            content = &mut exchange => content,
            // It may have ended with the last byte of what the exchange is about to see.
            _ = connection => exchange.await,
        }
    };
    timeout_at(deadline, whole).await.unwrap_or_else(|_| Err(failed(&"no answer in time")))
}
