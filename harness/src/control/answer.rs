//! Answers: JSON, files, and problems in the words of RFC 9457.

use std::{convert::Infallible, fmt};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    body::Frame,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
        REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
    },
};
use serde::Serialize;
use serde_json::json;

/// The body of any answer.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A request that is refused: the status, and one sentence that says what to do.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    detail: String,
    allow: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl fmt::Display) -> Self {
        Self { status, detail: detail.to_string(), allow: None }
    }

    pub(super) fn bad_request(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn not_found(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Another method was wanted.
    pub(super) fn method(allowed: &'static str) -> Self {
        Self {
            allow: Some(allowed),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("this path takes {allowed}"))
        }
    }

    pub(super) fn answer(&self) -> Response<Body> {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let problem = json!({ "title": title, "status": self.status.as_u16(), "detail": self.detail });
        let mut response = of(self.status, "application/problem+json", format!("{problem}\n"));
        if let Some(allow) = self.allow {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

/// Something as JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    match serde_json::to_string(value) {
        Ok(text) => of(status, "application/json", text + "\n"),
        Err(error) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error).answer(),
    }
}

/// Numbered things as they are put into words, one at a time: all of them at once may be too many.
pub(super) fn list(
    last: u64,
    name: &str,
    things: impl Iterator<Item = Option<String>> + Send + 'static,
) -> Response<Body> {
    let mut between = "";
    let things =
        things.flatten().map(move |thing| format!("{}{thing}", std::mem::replace(&mut between, ",")));
    let begin = format!("{{\"last\":{last},\"{name}\":[");
    let text = std::iter::once(begin).chain(things).chain(["]}\n".to_owned()]);
    let frames = stream::iter(text.map(|part| Ok(Frame::data(Bytes::from(part)))));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A whole body.
pub(super) fn of(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A page, under this policy. Another caller may get another form of it.
pub(super) fn page(page: &str, policy: &str) -> Response<Body> {
    let mut response = of(StatusCode::OK, "text/html; charset=utf-8", page.to_owned());
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(policy).ok().map(|policy| (CONTENT_SECURITY_POLICY, policy)));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    response
}

/// The same, kept from the pages of others, and from caches: what is told is of this moment, and the address may hold
/// a secret.
pub(super) fn for_nobody_else(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    let mut put = |name: HeaderName, value| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    put(CACHE_CONTROL, "no-store");
    put(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    put(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    put(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    put(REFERRER_POLICY, "no-referrer");
    put(X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}
