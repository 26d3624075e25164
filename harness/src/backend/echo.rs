//! The echo: a response that says who answered, to what, and how the connection looks from this end.

use hyper::{Version, http::request::Parts};
use serde_json::{Value, json};

use super::{
    port::Port,
    shown::{fingerprint, serial, subject},
    story::Story,
};
use crate::{hello::Heard, page::Face, wire::nonce::Nonce};

/// The nonce of a request: the last one in its path, else the one in its header.
pub(super) fn nonce(request: &Parts) -> Option<Nonce> {
    let in_header = || {
        let value = request.headers.get(Nonce::HEADER)?;
        Nonce::all_in(value.as_bytes()).next_back()
    };
    Nonce::all_in(request.uri.path().as_bytes()).next_back().or_else(in_header)
}

/// The path at which a backend says what the ClientHello offered.
const HELLO: &str = "/hello";

/// What a response consists of, and of which media type that is.
pub(super) fn answer(
    port: &Port,
    story: &Story,
    request: &Parts,
    nonce: Option<Nonce>,
) -> (&'static str, String) {
    let heard = || Some(Heard::new(Some(port.name()), story.accepted(), story.hello()?));
    match heard().filter(|_| request.uri.path() == HELLO) {
        Some(heard) if Face::accepted(&request.headers) == Face::Page => {
            ("text/html; charset=utf-8", heard.page())
        }
        Some(heard) => ("application/json", heard.json()),
        None => ("application/json", format!("{}\n", body(port, story, request, nonce))),
    }
}

/// Who answered, to what, and how the connection looks from this end.
fn body(port: &Port, story: &Story, request: &Parts, nonce: Option<Nonce>) -> Value {
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
        "nonce": nonce.map(|nonce| nonce.to_string()),
        "path": request.uri.path(),
        "host": host(request),
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

/// The host that was asked for: in HTTP/2 it is a part of the target (RFC 9113 8.3.1).
fn host(request: &Parts) -> Option<&str> {
    let named = request.headers.get(hyper::header::HOST).and_then(|host| host.to_str().ok());
    request.uri.authority().map(|authority| authority.as_str()).or(named)
}

fn http_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
