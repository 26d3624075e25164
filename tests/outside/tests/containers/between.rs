//! A gateway in a container between its client and the fleet: the leg that is tested crosses the network of the engine.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use tls_gauntlet::{
    container::GauntletImage,
    scenarios::{ClientCertificate, TlsVersion},
};

use crate::engine::{FRONT, Place, runtime};

/// A backend that wants the certificate only after it has read the request: over TLS 1.2 by a renegotiation, which nginx
/// follows; over TLS 1.3 there is none, and nginx offers nothing in its place.
pub fn a_late_client_certificate(place: &Place) {
    runtime().block_on(async {
        let backend = "renegotiation-required-dual";
        let fleet = place.fleet(GauntletImage::default().with_backend(backend)).await;
        let upstream = fleet.url_for(&place.fleet_host(), backend).unwrap();
        let upstream = upstream.trim_end_matches('/');
        let shown = fleet.client_certificate(ClientCertificate::Good).await.unwrap();
        let http = format!(
            "proxy_ssl_trusted_certificate ca.pem; proxy_ssl_verify on; proxy_ssl_verify_depth 3;\n\
             proxy_ssl_server_name on; proxy_ssl_certificate client.pem; proxy_ssl_certificate_key client.key;\n\
             server {{ listen {FRONT};\n\
               location /max-tls12/ {{ proxy_ssl_protocols TLSv1.2; proxy_pass {upstream}; }}\n\
               location /min-tls13/ {{ proxy_ssl_protocols TLSv1.3; proxy_pass {upstream}; }} }}"
        );
        let trust = fleet.trust().await.unwrap();
        let files =
            [("ca.pem", trust), ("client.pem", shown.certificate_pem), ("client.key", shown.key_pem)];
        let log = tempfile::tempdir().unwrap();
        let (_gateway, port) = place.nginx(&http, &files, log.path()).await;

        let (late, never) = ("n-0000000000000012", "n-0000000000000013");
        assert_eq!(status(port, &format!("/max-tls12/{late}")), "200");
        let seen = fleet.ledger(late).await.unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].saw.tls_version, Some(TlsVersion::Tls12));
        assert_eq!(seen[0].saw.renegotiations, 1);
        assert_eq!(seen[0].saw.client_certificate, Some(ClientCertificate::Good));

        assert_eq!(status(port, &format!("/min-tls13/{never}")), "403");
        let seen = fleet.ledger(never).await.unwrap();
        assert_eq!(seen[0].saw.tls_version, Some(TlsVersion::Tls13));
        assert_eq!((seen[0].saw.renegotiations, seen[0].saw.client_certificate), (0, None));
    });
}

/// The status of one request without TLS.
fn status(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response.split(' ').nth(1).unwrap_or_default().to_owned()
}
