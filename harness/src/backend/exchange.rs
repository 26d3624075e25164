//! One request and its response, with whatever the profile does in between.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
    header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue},
    http::{Version, request::Parts, uri::Authority},
};
use tls_gauntlet_scenarios::{Alert, Cause, FaultAction, FaultPhase, Phase, ServerNamePolicy};

use super::{
    BACKEND_HEADER,
    cue::Cue,
    echo,
    late::{self, Demanded},
    port::Port,
    story::Story,
};
use crate::{tls::shared_tls::SharedTls, tls::verification::client_cause, wire::tap::Tap};

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
    ) -> Result<Response<Reply>, Broken> {
        let (head, mut body) = request.into_parts();
        let nonce = echo::nonce(&head);
        self.story.begin_request(nonce);
        // The whole body first: a client that is still sending cannot answer a late demand (httpd reads it, too).
        while let Some(frame) = body.frame().await {
            frame.map_err(|_| Broken)?;
        }
        self.story.read_request();

        if self.refuses_in_tls().await {
            return Err(Broken);
        }
        let refusal = self.refusal();
        let demands = late::is_for(self.port.profile(), &head);
        let demanded = if demands {
            late::demand(&self.port, &self.tls, &self.story).await
        } else {
            Demanded::Satisfied
        };
        let status = match demanded {
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
        // A refusal is whole: the fault is one of answers.
        let is_answer = status == StatusCode::OK;
        if let Some(action) = self.story.fault_at(FaultPhase::Request).filter(|_| is_answer) {
            self.instead_of_a_response(action).await;
        }
        if self.story.fault_at(FaultPhase::Headers) == Some(FaultAction::Drip) {
            self.tls.change_tap(Tap::drip);
        }
        let (kind, whole) = echo::answer(&self.port, &self.story, &head, nonce);
        let mut response = Response::new(self.body(whole.into(), is_answer, demands));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
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
        self.story.refuse(self.certificate_flaw()?, Phase::Request);
        StatusCode::from_u16(refusal.status()).ok()
    }

    /// Refuses a client whose certificate is bad or missing with an alert, where that is done so late.
    async fn refuses_in_tls(&self) -> bool {
        let flaw = self.port.profile().refuses_in_tls.and_then(|_| self.certificate_flaw());
        let Some(cause) = flaw else { return false };
        self.story.refuse(cause, Phase::Request);
        let alerts = cause.alerts();
        // Where there are two, the first one is of TLS 1.3.
        let alert = if self.tls.is_tls13() { alerts.first() } else { alerts.last() };
        self.tls.shut_with(alert.copied().unwrap_or(Alert::AccessDenied)).await;
        true
    }

    /// What is wrong with the client's certificate, which the handshake let pass.
    fn certificate_flaw(&self) -> Option<Cause> {
        let verdict = self.tls.with_ssl(|ssl| ssl.verify_result());
        if self.story.client_chain().is_empty() {
            return Some(Cause::ClientCertMissing);
        }
        client_cause(verdict.as_raw())
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

    /// `demands` says that late demands are made on this request.
    fn body(self: &Arc<Self>, whole: Bytes, is_answer: bool, demands: bool) -> Reply {
        let length = whole.len();
        let renegotiates = is_answer && demands && late::is_in_response(&self.port, &self.tls);
        let cuts = |action| is_answer && action != FaultAction::Drip;
        let at = |phase| self.story.fault_at(phase).is_some_and(cuts);
        let rest = match (at(FaultPhase::Headers), at(FaultPhase::Body)) {
            (true, _) => Some(Bytes::new()),
            (false, true) => Some(whole.slice(..length / 2)),
            (false, false) => None,
        };
        let is_cut = rest.is_some();
        let (first, interlude) = match rest {
            Some(rest) => (rest, None),
            None if renegotiates => {
                (whole.slice(..length / 2), Some(Interlude::before(whole.slice(length / 2..), self)))
            }
            None => (whole, None),
        };
        Reply { exchange: Arc::clone(self), rest: Some(first), interlude, length, is_cut }
    }
}

/// Bytes that begin no record of TLS.
pub(super) const GARBAGE: &[u8] = b"\xde\xad\xbe\xef\xde\xad\xbe\xef\xde\xad\xbe\xef\xde\xad\xbe\xef";

/// A renegotiation between the two halves of a response.
struct Interlude {
    /// The second half.
    then: Bytes,
    renegotiation: Pin<Box<dyn Future<Output = Demanded> + Send>>,
    /// Whether the first half is with the kernel.
    begun: bool,
}

impl Interlude {
    fn before(then: Bytes, exchange: &Arc<Exchange>) -> Self {
        let exchange = Arc::clone(exchange);
        let renegotiation = async move { late::renegotiate(&exchange.tls, &exchange.story).await };
        Self { then, renegotiation: Box::pin(renegotiation), begun: false }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Broken>> {
        if !self.begun {
            // hyper hands over what it has as soon as nothing more comes.
            self.begun = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        match ready!(self.renegotiation.as_mut().poll(context)) {
            Demanded::Satisfied => Poll::Ready(Ok(std::mem::take(&mut self.then))),
            Demanded::NotOffered | Demanded::Broken => Poll::Ready(Err(Broken)),
        }
    }
}

impl fmt::Debug for Interlude {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interlude").field("then", &self.then).finish_non_exhaustive()
    }
}

/// The body of a response: whole, or its first half and then nothing, or two halves with something between them.
#[derive(Debug)]
pub(super) struct Reply {
    exchange: Arc<Exchange>,
    rest: Option<Bytes>,
    interlude: Option<Interlude>,
    length: usize,
    is_cut: bool,
}

impl Reply {
    /// All of it has been handed over.
    fn end(&self) {
        self.exchange.story.end_response();
        if self.exchange.story.fault().is_some_and(|fault| fault.at == FaultPhase::Close) {
            self.exchange.cue.give();
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.rest.take() {
            Some(rest) => {
                if !self.is_cut && self.interlude.is_none() {
                    self.end();
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
            None => {
                let Some(interlude) = &mut self.interlude else { return Poll::Ready(None) };
                let then = ready!(interlude.poll(context));
                self.interlude = None;
                self.end();
                Poll::Ready(Some(then.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.interlude.is_none() && !self.is_cut
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() { SizeHint::with_exact(0) } else { SizeHint::with_exact(self.length as u64) }
    }
}
