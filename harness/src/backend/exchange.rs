//! One request and its response, with whatever the profile does in between.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
    header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue},
    http::{Version, request::Parts, uri::Authority},
};
use openssl::x509::X509VerifyResult;
use tls_gauntlet_scenarios::{Cause, FaultAction, FaultPhase, Phase, ServerNamePolicy};

use super::{
    BACKEND_HEADER, cause,
    cue::Cue,
    echo,
    late::{self, Demanded},
    port::Port,
    shared_tls::SharedTls,
    story::Story,
};
use crate::wire::tap::Tap;

/// What the handlers of one connection's requests share.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) port: Arc<Port>,
    pub(super) tls: SharedTls,
    pub(super) story: Arc<Story>,
    /// Given when the part of a response that the profile lets through has been handed over.
    pub(super) cue: Arc<Cue>,
}

/// The connection broke before there was a response.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection broke")
    }
}

impl std::error::Error for Broken {}

impl Exchange {
    /// Answers one request.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Answer>, Broken> {
        let (head, mut body) = request.into_parts();
        let nonce = echo::nonce(&head);
        self.story.begin_request(nonce.clone());
        // The whole body first: a client that is still sending cannot answer a late demand (httpd reads it, too).
        while let Some(frame) = body.frame().await {
            frame.map_err(|_| Broken)?;
        }
        self.story.read_request();

        let refusal = self.refusal();
        let status = match late::demand(&self.port, &self.tls, &self.story).await {
            Demanded::Satisfied if refusal.is_some() => refusal.unwrap_or(StatusCode::FORBIDDEN),
            Demanded::Satisfied if self.is_misdirected(&head) => {
                self.story.refuse(Cause::Misdirected, Phase::Request);
                StatusCode::MISDIRECTED_REQUEST
            }
            Demanded::Satisfied => StatusCode::OK,
            Demanded::NotOffered => {
                self.story.refuse(Cause::PostHandshakeAuthRefused, Phase::Request);
                StatusCode::FORBIDDEN
            }
            Demanded::Broken => return Err(Broken),
        };
        self.story.begin_response();
        if let Some(action) = self.story.fault_at(FaultPhase::Request) {
            self.instead_of_a_response(action).await;
        }
        if self.story.fault_at(FaultPhase::Headers) == Some(FaultAction::Drip) {
            self.tls.change_tap(Tap::drip);
        }
        let echo = echo::body(&self.port, &self.story, &head, nonce.as_deref());
        let mut response = Response::new(self.body(format!("{echo}\n").into()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(name) = HeaderValue::from_str(self.port.name()) {
            headers.insert(BACKEND_HEADER, name);
        }
        // HTTP/2 has no such header (RFC 9113 8.2.2); there the cue ends the connection.
        let says_goodbye =
            self.story.fault_at(FaultPhase::Close).is_some_and(|action| action != FaultAction::Close);
        if says_goodbye && head.version < Version::HTTP_2 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    /// The status with which a client is refused whose certificate is bad or missing, where that is done in HTTP.
    fn refusal(&self) -> Option<StatusCode> {
        let refusal = self.port.profile().refuses_in_http?;
        let verdict = self.tls.with_ssl(|ssl| ssl.verify_result());
        let cause = if self.story.client_chain().is_empty() {
            Cause::ClientCertMissing
        } else if verdict == X509VerifyResult::OK {
            return None;
        } else {
            cause::of_verdict(verdict)
        };
        self.story.refuse(cause, Phase::Request);
        StatusCode::from_u16(refusal.status()).ok()
    }

    /// Whether the request is for another host than the one that the connection was made to.
    fn is_misdirected(&self, head: &Parts) -> bool {
        if self.port.profile().server_name != Some(ServerNamePolicy::HostMustMatch) {
            return false;
        }
        let in_header = head.headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = head.uri.authority().map(Authority::as_str).or(in_header).unwrap_or_default();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let name = self.story.hello().and_then(|hello| hello.server_name.as_deref());
        name.is_some_and(|name| !name.eq_ignore_ascii_case(host))
    }

    fn is_stalling(&self) -> bool {
        self.story.fault().is_some_and(|fault| fault.does == FaultAction::Stall)
    }

    /// Never returns: the connection ends on the cue, or the peer gives up.
    async fn instead_of_a_response(&self, action: FaultAction) {
        match action {
            FaultAction::Stall => self.story.refuse(Cause::Timeout, Phase::Response),
            FaultAction::Garbage => {
                self.story.refuse(Cause::NotTls, Phase::Response);
                self.tls.send_past_tls(GARBAGE).await;
            }
            _ => self.cue.give(),
        }
        std::future::pending::<()>().await;
    }

    fn body(self: &Arc<Self>, whole: Bytes) -> Answer {
        let length = whole.len();
        let at = |phase| self.story.fault_at(phase).is_some_and(|action| action != FaultAction::Drip);
        let rest = match (at(FaultPhase::Headers), at(FaultPhase::Body)) {
            (true, _) => Some(Bytes::new()),
            (false, true) => Some(whole.slice(..length / 2)),
            (false, false) => None,
        };
        let is_cut = rest.is_some();
        Answer { exchange: Arc::clone(self), rest: Some(rest.unwrap_or(whole)), length, is_cut }
    }
}

/// What looks like no record of TLS.
pub(super) const GARBAGE: &[u8] = b"\xde\xad\xbe\xef\xde\xad\xbe\xef\xde\xad\xbe\xef\xde\xad\xbe\xef";

/// The body of a response: whole, or its first half and then nothing.
#[derive(Debug)]
pub(super) struct Answer {
    exchange: Arc<Exchange>,
    rest: Option<Bytes>,
    length: usize,
    is_cut: bool,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.rest.take() {
            Some(rest) => {
                if !self.is_cut {
                    self.exchange.story.end_response();
                    self.exchange.cue.give();
                }
                Poll::Ready(Some(Ok(Frame::data(rest))))
            }
            None if self.is_cut => {
                if self.exchange.is_stalling() {
                    self.exchange.story.refuse(Cause::Timeout, Phase::Response);
                    return Poll::Pending;
                }
                self.exchange.cue.give();
                Poll::Pending
            }
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && !self.is_cut
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() { SizeHint::with_exact(0) } else { SizeHint::with_exact(self.length as u64) }
    }
}
