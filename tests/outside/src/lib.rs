//! A client as anybody may have written one, for the tests beside it to look at.

use std::{
    io::{Error, Read, Result, Write},
    net::TcpStream,
};

use openssl::{
    ssl::{SslConnector, SslMethod},
    x509::X509,
};

/// Fetches `https://HOST:PORT/`, trusting one root; the whole response.
pub fn fetch(url: &str, trust_pem: &str) -> Result<String> {
    let authority = url.trim_start_matches("https://").trim_end_matches('/');
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let mut tls = SslConnector::builder(SslMethod::tls_client())?;
    tls.cert_store_mut().add_cert(X509::from_pem(trust_pem.as_bytes())?)?;
    let mut stream = tls.build().connect(host, TcpStream::connect(authority)?).map_err(Error::other)?;
    write!(stream, "GET / HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}
