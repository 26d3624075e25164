//! A second client, rustls, against every backend: it comes through where the model says, for a client that can and
//! cannot do what rustls says of itself.

#![allow(clippy::unwrap_used, reason = "clippy takes helpers of tests for no tests")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use time::OffsetDateTime;
use tls_gauntlet::backend::{Fleet, FleetOptions, SERVER_NAME};
use tls_gauntlet_certs::{ClientCertificate, Pki};
use tls_gauntlet_scenarios::{
    CipherSuite, Claims, Composed, FaultAction, Group, Outcome, TlsVersion, Verifies, Versions, catalogue,
    model,
};
use tokio::task::spawn_blocking;

/// What rustls does with its provider `ring` (its documentation: <https://docs.rs/rustls>, "Current functionality").
fn claims() -> Claims {
    let ciphers = CipherSuite::ALL.iter().copied().filter(|suite| {
        let name = suite.as_str();
        let is_known = name.contains("GCM_SHA") || name.contains("CHACHA20");
        is_known && (suite.fits(TlsVersion::Tls13) || name.starts_with("TLS_ECDHE_"))
    });
    Claims {
        upstream_versions: Some(Versions::current()),
        upstream_ciphers: Some(ciphers.collect()),
        upstream_groups: Some(vec![Group::X25519, Group::Secp256r1, Group::Secp384r1]),
        accepts_weak_dh: Some(false),
        accepts_weak_certificates: Some(false),
        upstream_protocols: Some(Vec::new()),
        host_is_server_name: Some(true),
        // It never renegotiates, so it does not ask whether that would be secure.
        accepts_insecure_renegotiation: Some(true),
        follows_renegotiation: Some(false),
        answers_post_handshake_auth: Some(false),
        verifies: Some(Verifies::InHandshake),
        always_lists_versions: Some(true),
        lists_old_ciphers: Some(false),
        withholds_unlisted_certificates: Some(false),
        ..Claims::openssl_client()
    }
}

/// Where rustls comes to the other end than the model, which has OpenSSL's view of these certificates, and why. The
/// errors in quotes are those of webpki, which checks certificates for it.
const DIFFERENCES: &[(&str, &str)] = &[
    ("ca-as-leaf", "an authority is no server: CaUsedAsEndEntity"),
    ("chain-10-deep", "six intermediates are the most: MaximumPathDepthExceeded"),
    ("chain-50-deep", "six intermediates are the most: MaximumPathDepthExceeded"),
    ("cn-only", "the common name is not looked at (RFC 9525 2)"),
    ("ed448", "ring has no Ed448"),
    ("ml-dsa-65", "ring has no ML-DSA"),
    ("p521", "ring has no P-521"),
    ("rsa-pss", "RSA keys for PSS alone are not known"),
    ("wrong-key-usage", "the key usage is not looked at"),
    ("x509-v1", "only version 3 is known: UnsupportedCertVersion"),
];

/// Whether a whole answer with status 200 comes; otherwise what rustls said.
fn call(
    config: Arc<ClientConfig>,
    address: SocketAddr,
    name: &str,
    patience: Duration,
) -> Result<(), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let bare = TcpStream::connect(address).map_err(|error| said(&error))?;
    bare.set_read_timeout(Some(patience)).unwrap();
    let server = ServerName::try_from(name.to_owned()).map_err(|error| said(&error))?;
    let connection = ClientConnection::new(config, server).map_err(|error| said(&error))?;
    let mut stream = StreamOwned::new(connection, bare);
    let request = format!("GET /n-0123456789abcdef HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| said(&error))?;
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    if answer.starts_with("HTTP/1.1 200") && answer.ends_with("}\n") {
        return Ok(());
    }
    Err(end
        .err()
        .map_or_else(|| format!("answered {}", answer.get(9..12).unwrap_or("nothing")), |error| said(&error)))
}

#[tokio::test(flavor = "multi_thread")]
async fn comes_through_where_the_model_says() {
    #[allow(
        clippy::disallowed_methods,
        reason = "certificates have to be valid by the clock that rustls reads"
    )]
    let pki = Arc::new(Pki::new(7, OffsetDateTime::now_utc()).unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(pki.server_root().to_der().unwrap())).unwrap();
    let client = pki.client(ClientCertificate::Good).unwrap();
    let chain = client.chain().iter().map(|one| CertificateDer::from(one.to_der().unwrap())).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(client.key().private_key_to_pkcs8().unwrap()));
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);

    let plan: Vec<_> =
        catalogue().backends().map(|(name, _, profile)| Composed::single(name, profile)).collect();
    let fleet = Fleet::start(&plan, &pki, &FleetOptions::default()).await.unwrap();
    let upstream = catalogue().upstream("strict").unwrap();
    let mut calls = Vec::new();
    for (composed, backend) in plan.iter().zip(fleet.backends()) {
        let recipe = composed.profile.certificate();
        let (name, address, config) = (recipe.dialled(SERVER_NAME), backend.address(), Arc::clone(&config));
        let stalls = composed.profile.fault.is_some_and(|fault| fault.does == FaultAction::Stall);
        let patience = Duration::from_secs(if stalls { 2 } else { 60 });
        calls.push(spawn_blocking(move || call(config, address, &name, patience)));
    }
    let mut wrong = Vec::new();
    for (composed, call) in plan.iter().zip(calls) {
        let said = call.await.unwrap();
        let seen = if said.is_ok() { Outcome::Reach } else { Outcome::Refuse };
        let modelled = model::expect_direct(upstream, composed, &claims()).unwrap().outcome;
        let differs = DIFFERENCES.iter().any(|(backend, _)| *backend == composed.name);
        if (seen == modelled) == differs {
            let model = if differs { "is listed as a difference" } else { "the model says otherwise" };
            wrong.push(format!("{}: {seen}, {said:?}: {model}", composed.name));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
