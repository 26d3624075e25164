//! What our services over plain HTTP have in common: connections are let in one after the other, bodies have a limit, and a
//! request that is refused is answered with a problem in the words of RFC 9457.

use std::{convert::Infallible, fmt, iter, mem, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::rejection::PathRejection,
    middleware::map_response,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    StatusCode,
    header::{ALLOW, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY},
    server::conn::http1,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use serde::Serialize;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};

use crate::limits::BREATHER;

/// Answers whatever comes; all connections end when this is dropped. A caller has this long for the head of each request.
pub(crate) async fn serve(listener: TcpListener, router: Router, patience: Duration) {
    // The header Allow is there once a router is done, so its layers do not see it, and those around it do.
    let router = Router::new().fallback_service(router).layer(map_response(Problem::of_method));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // The connection broke before it was there, or too many files are open and others have to be closed first.
                let Ok((stream, _)) = accepted else {
                    let _ = timeout(BREATHER, connections.join_next()).await;
                    continue;
                };
                // Fails on a connection that is gone already.
                let _ = stream.set_nodelay(true);
                let service = TowerToHyperService::new(router.clone());
                connections.spawn(async move {
                    // A caller that hangs up wants no answer.
                    let mut http = http1::Builder::new();
                    http.timer(TokioTimer::new()).header_read_timeout(patience);
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A request that is refused: the status, and one sentence that says what to do.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl fmt::Display) -> Self {
        Self { status, detail: detail.to_string() }
    }

    pub(crate) fn bad_request(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}{cause}"))
    }

    /// What axum answers to a method that a path does not take, as a problem.
    async fn of_method(mut response: Response) -> Response {
        if response.status() != StatusCode::METHOD_NOT_ALLOWED {
            return response;
        }
        let allowed = response.headers().get(ALLOW).and_then(|allow| allow.to_str().ok());
        let allowed = allowed.unwrap_or_default().replace(',', ", ");
        let problem = Self::new(response.status(), format!("this path takes {allowed}"));
        let (mut head, body) = problem.into_response().into_parts();
        response.headers_mut().remove(CONTENT_LENGTH);
        head.headers.extend(mem::take(response.headers_mut()));
        Response::from_parts(head, body)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let problem = json!({ "title": title, "status": self.status.as_u16(), "detail": self.detail });
        (self.status, [(CONTENT_TYPE, "application/problem+json")], format!("{problem}\n")).into_response()
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        Self::bad_request("the path is not percent-encoded UTF-8")
    }
}

/// A value as JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => (status, [(CONTENT_TYPE, "application/json")], text + "\n").into_response(),
        Err(error) => Problem::internal(&error).into_response(),
    }
}

/// A page, under this policy. Another caller may get another form of it.
pub(crate) fn page(page: &str, policy: &str) -> Response {
    let kind = "text/html; charset=utf-8";
    let headers = [(CONTENT_TYPE, kind), (CONTENT_SECURITY_POLICY, policy), (VARY, "accept")];
    (headers, page.to_owned()).into_response()
}

/// Numbered things as they are put into words, one at a time: all of them at once may be too many.
pub(crate) fn list(
    last: u64,
    name: &str,
    things: impl Iterator<Item = Option<String>> + Send + 'static,
) -> Response {
    let mut between = "";
    let things = things.flatten().map(move |thing| format!("{}{thing}", mem::replace(&mut between, ",")));
    let begin = format!("{{\"last\":{last},\"{name}\":[");
    let text = iter::once(begin).chain(things).chain(["]}\n".to_owned()]);
    let body = Body::from_stream(stream::iter(text.map(Ok::<_, Infallible>)));
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

/// A whole body of at most so many bytes, if it comes in this time.
pub(crate) async fn whole(body: Body, most: usize, patience: Duration) -> Result<Bytes, Problem> {
    let Ok(read) = timeout(patience, Limited::new(body, most).collect()).await else {
        let late = format!("the body did not come within {} s", patience.as_secs());
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, late));
    };
    match read {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {most} bytes")))
        }
        Err(error) => Err(Problem::bad_request(format!("the body did not come whole: {error}"))),
    }
}
