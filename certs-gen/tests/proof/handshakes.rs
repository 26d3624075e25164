//! Every server identity, the flawed ones too, can be loaded by OpenSSL and arrives as it was sent.
#![cfg(unix)]

use std::os::unix::net::UnixStream;
use std::thread;

use openssl::ssl::{
    HandshakeError, SslAcceptor, SslConnector, SslContextBuilder, SslMethod, SslVerifyMode, SslVersion,
};
use rstest::rstest;
use tls_gauntlet_certs::{Identity, ServerCertificate};

use crate::{HOST, names, pki};

#[rstest]
fn what_is_sent_arrives(#[values(SslVersion::TLS1_2, SslVersion::TLS1_3)] version: SslVersion) {
    let pki = pki();
    for recipe in ServerCertificate::ALL {
        let identity = pki.server(*recipe, &names(&[HOST])).unwrap();
        let expected = match recipe {
            // The signature of the handshake is the flaw.
            ServerCertificate::MismatchedKey => Err("bad signature"),
            // Clients that are not told otherwise take 100 kB of certificates: SSL_CTX_set_max_cert_list(3).
            ServerCertificate::TenThousandNames => Err("excessive message size"),
            // ML-DSA is for TLS 1.3 only (draft-ietf-tls-mldsa).
            ServerCertificate::MlDsa65 if version == SslVersion::TLS1_2 => {
                Err("ssl/tls alert handshake failure")
            }
            _ => Ok(identity.chain_der()),
        };
        assert_eq!(received(&identity, version), expected.map_err(str::to_owned), "{recipe}");
    }
}

/// The certificates that a client sees who believes everything, or why it sees none.
fn received(identity: &Identity, version: SslVersion) -> Result<Vec<Vec<u8>>, String> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut server = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    weaken(&mut server, version);
    server.set_certificate(identity.leaf()).unwrap();
    for authority in &identity.chain()[1..] {
        server.add_extra_chain_cert(authority.clone()).unwrap();
    }
    server.set_private_key(identity.key()).unwrap();
    server.check_private_key().unwrap();
    let server = server.build();
    let mut client = SslConnector::builder(SslMethod::tls_client()).unwrap();
    weaken(&mut client, version);
    client.set_verify(SslVerifyMode::NONE);
    let client = client.build();

    thread::scope(|scope| {
        // What the server makes of it is not asked here.
        scope.spawn(move || drop(server.accept(theirs)));
        match client.connect(HOST, ours) {
            Ok(stream) => {
                let chain = stream.ssl().peer_cert_chain().unwrap();
                Ok(chain.iter().map(|one| one.to_der().unwrap()).collect())
            }
            Err(HandshakeError::Failure(stream)) => {
                let reasons = stream.error().ssl_error().unwrap().errors();
                Err(reasons.last().unwrap().reason().unwrap().to_owned())
            }
            Err(other) => panic!("{other}"),
        }
    })
}

fn weaken(context: &mut SslContextBuilder, version: SslVersion) {
    context.set_security_level(0);
    context.set_cipher_list("ALL:!aNULL:@SECLEVEL=0").unwrap();
    context.set_min_proto_version(Some(version)).unwrap();
    context.set_max_proto_version(Some(version)).unwrap();
}
