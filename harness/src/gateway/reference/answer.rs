//! The gateway's own answers to requests that come to nothing.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tls_gauntlet_certs::hex;
use tls_gauntlet_scenarios::FailureBody;

/// The header in which API Management names the application that its logs go to.
const REQUEST_CONTEXT: HeaderName = HeaderName::from_static("request-context");

/// A response of the gateway's own, of this shape.
pub(super) fn own(shape: FailureBody, status: u16, nonce: &str) -> Response<Full<Bytes>> {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let (kind, body) = match shape {
        FailureBody::Plain => ("text/plain", "the reference gateway says no\n".to_owned()),
        FailureBody::ApiManagement => ("application/json", api_management(code, nonce)),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if shape == FailureBody::ApiManagement
        && let Ok(context) = HeaderValue::from_str(&format!("appId=cid-v1:{}", guid("application", nonce)))
    {
        response.headers_mut().insert(REQUEST_CONTEXT, context);
    }
    response
}

/// The spaces are those of the original: for a 500 the body is 111 bytes long.
fn api_management(code: StatusCode, nonce: &str) -> String {
    let reason = match code {
        StatusCode::INTERNAL_SERVER_ERROR => "Internal server error",
        StatusCode::FORBIDDEN => "Invalid client certificate",
        _ => code.canonical_reason().unwrap_or_default(),
    };
    let (code, message) = (code.as_u16(), Value::from(reason));
    let id = guid("activity", nonce);
    format!(r#"{{ "statusCode": {code}, "message": {message}, "activityId": "{id}" }}"#)
}

/// An identifier of the shape of RFC 9562 (version 8), the same for the same request.
fn guid(what: &str, nonce: &str) -> String {
    let digest = Sha256::digest(format!("{what}\n{nonce}"));
    let hex: String = hex(&digest[..16]);
    format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_a_500_has_the_length_of_the_original() {
        let body = api_management(StatusCode::INTERNAL_SERVER_ERROR, "n-0123456789abcdef");
        assert_eq!(body.len(), 111, "{body}");
        let parsed: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(parsed["statusCode"], 500);
        assert_eq!(parsed["message"], "Internal server error");
        assert_eq!(parsed["activityId"].as_str().map(str::len), Some(36));
    }
}
