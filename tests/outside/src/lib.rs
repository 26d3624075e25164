//! A client as anybody may have written one, for the tests beside it to look at.

use std::{
    io::{Error, Read, Result, Write},
    net::TcpStream,
};

use openssl::{
    pkey::PKey,
    ssl::{SslConnector, SslMethod},
    x509::X509,
};

/// A certificate and its key, in PEM.
pub type Identity<'a> = (&'a str, &'a str);

/// Fetches `https://HOST:PORT/PATH`, trusting one root; the whole response.
pub fn fetch(url: &str, trust_pem: &str) -> Result<String> {
    fetch_as(None, url, trust_pem)
}

/// The same, showing a certificate.
pub fn fetch_as(identity: Option<Identity<'_>>, url: &str, trust_pem: &str) -> Result<String> {
    let rest = url.trim_start_matches("https://");
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let mut tls = SslConnector::builder(SslMethod::tls_client())?;
    tls.cert_store_mut().add_cert(X509::from_pem(trust_pem.as_bytes())?)?;
    if let Some((certificate, key)) = identity {
        let mut chain = X509::stack_from_pem(certificate.as_bytes())?.into_iter();
        tls.set_certificate(&*chain.next().ok_or_else(|| Error::other("no certificate"))?)?;
        chain.try_for_each(|above| tls.add_extra_chain_cert(above))?;
        tls.set_private_key(&*PKey::private_key_from_pem(key.as_bytes())?)?;
    }
    let mut stream = tls.build().connect(host, TcpStream::connect(authority)?).map_err(Error::other)?;
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}
