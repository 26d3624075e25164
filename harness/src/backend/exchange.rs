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
    header::{CONNECTION, CONTENT_TYPE, HeaderValue},
    http::Version,
};
use tls_gauntlet_scenarios::{Cause, FaultAction, FaultPhase, Phase};

use super::{
    BACKEND_HEADER,
    cue::Cue,
    echo,
    late::{self, Demanded},
    port::Port,
    shared_tls::SharedTls,
    story::Story,
};

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

        let status = match late::demand(&self.port, &self.tls, &self.story).await {
            Demanded::Satisfied => StatusCode::OK,
            Demanded::NotOffered => {
                self.story.refuse(Cause::PostHandshakeAuthRefused, Phase::Request);
                StatusCode::FORBIDDEN
            }
            Demanded::Broken => return Err(Broken),
        };
        self.story.begin_response();
        if self.port.profile().fault_at(FaultPhase::Request) == Some(FaultAction::Stall) {
            self.story.refuse(Cause::Timeout, Phase::Response);
            std::future::pending::<()>().await;
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
        if self.port.profile().fault_at(FaultPhase::Close).is_some() && head.version < Version::HTTP_2 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    fn body(self: &Arc<Self>, whole: Bytes) -> Answer {
        let length = whole.len();
        let is_cut = self.port.profile().fault_at(FaultPhase::Body).is_some();
        let rest = if is_cut { whole.slice(..length / 2) } else { whole };
        Answer { exchange: Arc::clone(self), rest: Some(rest), length, is_cut }
    }
}

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
