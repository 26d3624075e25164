//! The echo: a response that says who answered, to what, and how the connection looks from this end.

use hyper::{Version, http::request::Parts};
use serde_json::{Value, json};

use super::{
    NONCE_HEADER,
    port::Port,
    shown::{fingerprint, serial, subject},
    story::Story,
};

/// The nonce of a request: the last one in its path, else the one in its header.
pub(super) fn nonce(request: &Parts) -> Option<String> {
    let in_header = || request.headers.get(NONCE_HEADER).and_then(|value| last_nonce(value.as_bytes()));
    last_nonce(request.uri.path().as_bytes()).or_else(in_header)
}

fn last_nonce(text: &[u8]) -> Option<String> {
    // `n-` and 16 hexadecimal digits.
    let is_nonce = |window: &&[u8]| {
        window.starts_with(b"n-") && window[2..].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    text.windows(18).rev().find(is_nonce).map(|nonce| String::from_utf8_lossy(nonce).into_owned())
}

/// The body of a response.
pub(super) fn body(port: &Port, story: &Story, request: &Parts, nonce: Option<&str>) -> Value {
    let accepted = story.accepted();
    let hello = story.hello();
    let chain = story.client_chain();
    let certificate = chain.first().map(|leaf| {
        json!({
            "known": port.known().name(leaf),
            "subject": subject(leaf),
            "serial": serial(leaf),
            "sha256": fingerprint(leaf),
        })
    });
    json!({
        "backend": port.name(),
        "nonce": nonce,
        "path": request.uri.path(),
        "method": request.method.as_str(),
        "http": http_version(request.version),
        "tls": {
            "version": accepted.and_then(|saw| saw.tls_version),
            "cipher": accepted.and_then(|saw| saw.cipher.as_deref()),
            "group": accepted.and_then(|saw| saw.group.as_deref()),
            "sni": hello.and_then(|hello| hello.server_name.as_deref()),
            "alpn": accepted.and_then(|saw| saw.alpn.as_deref()),
            "resumed": accepted.is_some_and(|saw| saw.resumed),
            "early_data": story.early_data(),
            "renegotiations": story.renegotiations(),
        },
        "server_certificate": { "serial": story.shown_serial() },
        "client_certificate": certificate,
        "client_chain": chain.iter().map(|one| subject(one)).collect::<Vec<_>>(),
        "ja3": hello.map(|hello| hello.ja3.as_str()),
        "ja4": hello.map(|hello| hello.ja4.as_str()),
    })
}

fn http_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/a/n-0123456789abcdef", Some("n-0123456789abcdef"))]
    #[case("/n-0000000000000000/x/n-00000000000000ff/y", Some("n-00000000000000ff"))]
    #[case("/n-0123456789ABCDEF", None)]
    #[case("/n-0123456789abcde", None)]
    #[case("", None)]
    fn nonces_in_paths(#[case] path: &str, #[case] nonce: Option<&str>) {
        assert_eq!(last_nonce(path.as_bytes()).as_deref(), nonce);
    }
}
