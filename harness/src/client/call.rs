//! A call: one request over one connection, and its outcome.

use std::{
    future::pending,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    client::conn::{http1, http2},
    header,
    http::{response::Parts, uri},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use openssl::ssl::SslRef;
use tls_gauntlet_scenarios::{Phase, TlsVersion};
use tokio::time::{Instant, timeout_at};
use tokio_openssl::SslStream;

use super::{
    failure::{Break, Circumstances, Failure},
    handshake::Handshake,
    watched::{Remembered, Stream, Watched},
};
use crate::{
    tls::reason::Role,
    wire::{observer::Observer, tap::Tap},
};

/// An open connection, with its first handshake behind it.
#[derive(Debug)]
pub struct Dialed {
    stream: Stream,
    watch: Watch,
}

/// A response whose head has come.
#[derive(Debug)]
pub struct Answer {
    /// Status and headers.
    pub head: Parts,
    /// The body, or what came of it.
    pub body: Bytes,
    /// The failure that cut the body off, if one did.
    pub cut: Option<Failure>,
    /// What was known of TLS when the body ended.
    pub handshake: Handshake,
    /// Whether the session of its connection was resumed.
    pub resumed: bool,
}

impl Dialed {
    pub(crate) fn tls(
        stream: SslStream<Tap>,
        observer: Arc<Observer>,
        after_handshake: Circumstances,
    ) -> Self {
        Self { stream: Stream::Tls(stream), watch: Watch { observer: Some(observer), after_handshake } }
    }

    pub(crate) fn plain(stream: Tap) -> Self {
        Self {
            stream: Stream::Plain(Box::new(stream)),
            watch: Watch { observer: None, after_handshake: Circumstances::plain() },
        }
    }

    /// The TLS connection; none if it is plain.
    #[must_use]
    pub fn ssl(&self) -> Option<&SslRef> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => Some(stream.ssl()),
        }
    }

    /// The observer of the TLS connection; none if it is plain.
    #[must_use]
    pub fn observer(&self) -> Option<&Arc<Observer>> {
        self.watch.observer.as_ref()
    }

    /// Sends a request, reads the response to the end of its body, and closes the connection.
    ///
    /// # Errors
    /// [`Failure`] if no response head comes until `deadline`.
    pub async fn call(self, request: Request<Full<Bytes>>, deadline: Instant) -> Result<Answer, Failure> {
        self.call_after(None, request, deadline, &AtomicBool::new(true)).await
    }

    /// As [`call`](Self::call), with another request sent, and its response read, before this one.
    ///
    /// # Errors
    /// As [`call`](Self::call); and when the connection does not outlast the first request, which is then said in `kept`: no server
    /// has to keep one (RFC 9112 9.3).
    pub(crate) async fn call_after(
        self,
        first: Option<Request<Full<Bytes>>>,
        request: Request<Full<Bytes>>,
        deadline: Instant,
        kept: &AtomicBool,
    ) -> Result<Answer, Failure> {
        let Self { stream, watch } = self;
        let (watched, broken) = Watched::new(stream);
        let (mut sender, connection) =
            match Sender::new(watched, watch.after_handshake.handshake.alpn.as_deref()).await {
                Ok(pair) => pair,
                Err(error) => return Err(watch.failure(&broken, &error, Phase::Request)),
            };
        let exchange = async {
            if let Some(first) = first {
                let failed = |error: &hyper::Error| watch.failure(&broken, error, Phase::Request);
                let response = sender.send(first).await.map_err(|error| failed(&error))?;
                if let Some(cut) = read(response, &watch, &broken, deadline).await.cut {
                    return Err(cut);
                }
                sender.ready().await.map_err(|error| {
                    kept.store(false, Ordering::Relaxed);
                    failed(&error)
                })?;
            }
            let response = match timeout_at(deadline, sender.send(request)).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Err(watch.failure(&broken, &error, watch.phase_before_response())),
                Err(_) => return Err(Failure::timed_out(Phase::Response, &watch.now())),
            };
            let answer = read(response, &watch, &broken, deadline).await;
            // Tells the connection that nothing more is to come.
            drop(sender);
            Ok(answer)
        };
        let mut exchange = pin!(exchange);
        let mut connection = Some(connection);
        let answer = loop {
            tokio::select! {
                answer = &mut exchange => break answer?,
                // A request that still waits for its turn hears of the end only when the connection is dropped.
                () = end_of(&mut connection) => connection = None,
            }
        };
        if connection.is_some() && answer.cut.is_none() {
            // Only sends what closes the connection. The answer is whole, whatever comes of that.
            let _ = timeout_at(deadline, end_of(&mut connection)).await;
        }
        Ok(answer)
    }
}

/// Reads the body until it is whole, is cut, or the deadline strikes.
async fn read(response: Response<Incoming>, watch: &Watch, broken: &Remembered, deadline: Instant) -> Answer {
    let (head, mut incoming) = response.into_parts();
    let mut body = BytesMut::new();
    let cut = loop {
        match timeout_at(deadline, incoming.frame()).await {
            Ok(Some(Ok(frame))) => body.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
            Ok(Some(Err(error))) => break Some(watch.failure(broken, &error, Phase::Response)),
            Ok(None) => break None,
            Err(_) => break Some(Failure::timed_out(Phase::Response, &watch.now())),
        }
    };
    let now = watch.now();
    Answer { head, body: body.freeze(), cut, handshake: now.handshake, resumed: now.resumed }
}

/// The future that drives a connection to its end.
type Conversation = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// Keeps it going until it ends; one that has ended, for ever.
async fn end_of(conversation: &mut Option<Conversation>) {
    match conversation {
        Some(going) => drop(going.await),
        None => pending().await,
    }
}

/// Sends requests in the version of HTTP that was agreed on.
#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    async fn new(watched: Watched, alpn: Option<&str>) -> hyper::Result<(Self, Conversation)> {
        let io = TokioIo::new(watched);
        if alpn == Some("h2") {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            return Ok((Self::Http2(sender), Box::pin(connection)));
        }
        let (sender, connection) = http1::handshake(io).await?;
        Ok((Self::Http1(sender), Box::pin(connection)))
    }

    async fn ready(&mut self) -> hyper::Result<()> {
        match self {
            Self::Http1(sender) => sender.ready().await,
            Self::Http2(sender) => sender.ready().await,
        }
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => sender.send_request(request).await,
            Self::Http2(sender) => sender.send_request(for_http2(request)).await,
        }
    }
}

/// HTTP/2 has the host in `:authority` (RFC 9113 8.3.1).
fn for_http2(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    let mut parts = request.uri().clone().into_parts();
    let host = request.headers().get(header::HOST);
    parts.authority = host.and_then(|host| uri::Authority::try_from(host.as_bytes()).ok());
    parts.scheme = Some(uri::Scheme::HTTPS);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
        request.headers_mut().remove(header::HOST);
    }
    request
}

/// The handles to a connection while hyper has it.
#[derive(Debug)]
struct Watch {
    observer: Option<Arc<Observer>>,
    after_handshake: Circumstances,
}

impl Watch {
    fn now(&self) -> Circumstances {
        let mut now = self.after_handshake.clone();
        if let Some(observer) = &self.observer {
            now.handshake = now.handshake.brought_up_to_date(observer);
        }
        now
    }

    fn failure(&self, broken: &Remembered, error: &hyper::Error, phase: Phase) -> Failure {
        match broken.get() {
            // hyper alone is not content: what came is not the HTTP it should be.
            None => Failure::not_understood(phase, error, &self.now()),
            Some(Break::Closed) if error.is_parse() => Failure::not_understood(phase, error, &self.now()),
            Some(by) => Failure::broken(phase, &by, &self.now()),
        }
    }

    /// Where a connection has ended that brought no response.
    fn phase_before_response(&self) -> Phase {
        let now = self.now().handshake;
        let alerted = now.alert_received.is_some() || now.alert_sent.is_some();
        // A TLS 1.3 server checks the client's certificate when the client is done with the handshake already
        // (RFC 8446 4.4.2.4); demands that come later are part of the request.
        let late = now.tls_version == Some(TlsVersion::Tls13)
            && self.after_handshake.handshake.certificate_requested;
        match (alerted, late) {
            (true, true) => Phase::Handshake,
            (true, false) => Phase::Request,
            (false, _) => Phase::Response,
        }
    }
}

impl Circumstances {
    /// The circumstances of a TLS connection now.
    pub(crate) fn of<S>(role: Role, stream: &SslStream<S>, observer: &Observer) -> Self {
        let ssl = stream.ssl();
        Self {
            role,
            handshake: Handshake::of(ssl, observer),
            has_certificate: false,
            resumed: ssl.session_reused(),
            sends_server_name: false,
            verified: ssl.verify_result(),
        }
    }
}
