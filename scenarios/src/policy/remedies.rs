//! What to set where, for each rule and gateway.

/// One line: the rule, the gateway, and what to write in its configuration.
const REMEDIES: &[(&str, &str, &str)] = &[
    (
        "chain",
        "nginx",
        "proxy_ssl_verify on; proxy_ssl_trusted_certificate ROOTS.pem; proxy_ssl_verify_depth 3;",
    ),
    ("chain", "haproxy", "server … ssl verify required ca-file ROOTS.pem"),
    ("chain", "envoy", "common_tls_context.validation_context.trusted_ca: { filename: ROOTS.pem }"),
    ("chain", "httpd", "SSLProxyVerify require, SSLProxyCACertificateFile ROOTS.pem, SSLProxyVerifyDepth 3"),
    ("chain", "caddy", "transport http { tls_trust_pool file ROOTS.pem }, and no tls_insecure_skip_verify"),
    ("chain", "traefik", "serversTransport: rootCAs: [ROOTS.pem], and no insecureSkipVerify"),
    ("name", "nginx", "proxy_ssl_name HOST; proxy_ssl_server_name on; with proxy_ssl_verify on;"),
    ("name", "haproxy", "server … verify required verifyhost HOST sni str(HOST)"),
    (
        "name",
        "envoy",
        "validation_context.match_typed_subject_alt_names: [{ san_type: DNS, matcher: { exact: HOST } }] (`sni` alone checks nothing)",
    ),
    ("name", "httpd", "SSLProxyCheckPeerName on"),
    ("name", "caddy", "transport http { tls_server_name HOST }, and no tls_insecure_skip_verify"),
    ("name", "traefik", "serversTransport: serverName: HOST, and no insecureSkipVerify"),
    (
        "client-certificate",
        "nginx",
        "proxy_ssl_certificate and proxy_ssl_certificate_key: renew them, then reload",
    ),
    ("client-certificate", "haproxy", "server … crt FILE: renew it, then reload"),
    ("client-certificate", "envoy", "common_tls_context.tls_certificates, or its secret: renew it"),
    ("client-certificate", "httpd", "SSLProxyMachineCertificateFile: renew it, then reload"),
    (
        "client-certificate",
        "caddy",
        "transport http { tls_client_auth CERTIFICATE KEY }: renew them, then reload",
    ),
    ("client-certificate", "traefik", "serversTransport: certificates: renew them"),
    ("dates", "httpd", "SSLProxyCheckPeerExpire on"),
    ("dates", "envoy", "remove allow_expired_certificate from the validation_context"),
    ("usage", "nginx", "proxy_ssl_verify on; (OpenSSL then checks the use of the certificate)"),
    ("old-versions", "nginx", "proxy_ssl_protocols TLSv1.2 TLSv1.3;"),
    ("old-versions", "haproxy", "server … ssl-min-ver TLSv1.2"),
    ("old-versions", "envoy", "tls_params: { tls_minimum_protocol_version: TLSv1_2 }"),
    ("old-versions", "httpd", "SSLProxyProtocol -all +TLSv1.2 +TLSv1.3"),
    ("old-versions", "traefik", "serversTransport: minVersion: VersionTLS12"),
    ("broken-suites", "nginx", "proxy_ssl_ciphers HIGH:!aNULL:!eNULL:!RC4;"),
    ("broken-suites", "haproxy", "ssl-default-server-ciphers HIGH:!aNULL:!eNULL:!RC4"),
    ("broken-suites", "httpd", "SSLProxyCipherSuite HIGH:!aNULL:!eNULL:!RC4"),
    ("weak-suites", "nginx", "proxy_ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;"),
    ("weak-suites", "haproxy", "ssl-default-server-ciphers ECDHE+AESGCM:ECDHE+CHACHA20"),
    ("weak-suites", "envoy", "tls_params: { cipher_suites: [ECDHE-ECDSA-AES128-GCM-SHA256, …] }"),
    ("weak-suites", "httpd", "SSLProxyCipherSuite ECDHE+AESGCM:ECDHE+CHACHA20"),
    ("weak-certificates", "nginx", "proxy_ssl_ciphers DEFAULT@SECLEVEL=2;"),
    ("weak-certificates", "haproxy", "ssl-default-server-ciphers DEFAULT@SECLEVEL=2"),
    ("revocation", "nginx", "proxy_ssl_crl LISTS.pem;"),
    ("revocation", "haproxy", "server … crl-file LISTS.pem"),
    ("revocation", "envoy", "validation_context.crl: { filename: LISTS.pem }"),
    ("revocation", "httpd", "SSLProxyCARevocationCheck chain, SSLProxyCARevocationFile LISTS.pem"),
    ("chain-length", "nginx", "proxy_ssl_verify_depth 2;"),
    ("chain-length", "httpd", "SSLProxyVerifyDepth 3"),
    ("chain-length", "envoy", "validation_context.max_verify_depth: 2"),
    ("tls13", "nginx", "proxy_ssl_protocols TLSv1.2 TLSv1.3;"),
    ("tls13", "haproxy", "remove ssl-max-ver / no-tlsv13"),
    (
        "tls13",
        "envoy",
        "tls_params: { tls_maximum_protocol_version: TLSv1_3 } (its default for clients is TLSv1_2)",
    ),
    ("tls13", "httpd", "SSLProxyProtocol -all +TLSv1.2 +TLSv1.3"),
    ("tls13", "traefik", "remove maxVersion from the serversTransport"),
];

/// What to set on each gateway so that this rule is kept; the gateways for which it is known.
pub(super) fn all(rule: &str) -> Vec<(String, String)> {
    let lines = REMEDIES.iter().filter(|(of, ..)| *of == rule);
    lines.map(|(_, gateway, set)| ((*gateway).to_owned(), (*set).to_owned())).collect()
}

/// What to set on this gateway so that this rule is kept, where it is known.
#[must_use]
pub fn remedy(rule: &str, gateway: &str) -> Option<&'static str> {
    let line = REMEDIES.iter().find(|(of, at, _)| *of == rule && *at == gateway)?;
    Some(line.2)
}
