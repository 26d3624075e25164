//! Every client is refused for the reason it claims, and what is sound is accepted. (The flawed servers have a
//! table of their own.)

use openssl::pkey::KeyType;
use rstest::rstest;
use time::Duration;
use tls_gauntlet_certs::{ClientCertificate, ServerCertificate};

use crate::judges::{Purpose, Question};
use crate::{HOST, names, pki};

#[test]
fn a_client_is_refused_for_its_flaw_alone() {
    for recipe in ClientCertificate::ALL {
        is_refused_for_its_flaw_alone(*recipe);
    }
}

#[track_caller]
fn is_refused_for_its_flaw_alone(recipe: ClientCertificate) {
    let pki = pki();
    let identity = pki.client(recipe).unwrap();
    let asked = || Question::client(&identity, pki.client_root());

    let (openssl, webpki) = match recipe {
        // Nobody was given the lists that the revoked ones are on; `revocation` does that.
        ClientCertificate::Good
        | ClientCertificate::Rsa
        | ClientCertificate::AnotherTenant
        | ClientCertificate::Revoked
        | ClientCertificate::RevokedIntermediate
        // Neither is shown a handshake.
        | ClientCertificate::MismatchedKey => (None, None),
        ClientCertificate::Untrusted | ClientCertificate::IssuedByServerCa => {
            (Some("unable to get local issuer certificate at 1"), Some("UnknownIssuer"))
        }
        ClientCertificate::Expired => (Some("certificate has expired at 0"), Some("CertExpired")),
        ClientCertificate::NotYetValid => {
            (Some("certificate is not yet valid at 0"), Some("CertNotValidYet"))
        }
        ClientCertificate::SelfSigned => (Some("self-signed certificate at 0"), Some("UnknownIssuer")),
        ClientCertificate::WrongExtendedKeyUsage => {
            (Some("unsuitable certificate purpose at 0"), Some("RequiredEkuNotFoundContext"))
        }
        // webpki looks at the key of a leaf only when the leaf signs a handshake.
        ClientCertificate::Weak => (Some("EE certificate key too weak at 0"), None),
    };
    asked().must_answer(openssl, webpki);

    let overlooked = match recipe {
        ClientCertificate::Good
        | ClientCertificate::Rsa
        | ClientCertificate::AnotherTenant
        | ClientCertificate::Revoked
        | ClientCertificate::RevokedIntermediate
        | ClientCertificate::MismatchedKey => asked(),
        ClientCertificate::IssuedByServerCa => Question { trusted: pki.server_root(), ..asked() },
        ClientCertificate::Untrusted => Question { trusted: pki.untrusted_root(), ..asked() },
        ClientCertificate::Expired => Question { at: asked().at - Duration::days(2), ..asked() },
        ClientCertificate::NotYetValid => Question { at: asked().at + Duration::days(2), ..asked() },
        ClientCertificate::SelfSigned => Question { trusted: identity.leaf(), ..asked() },
        ClientCertificate::WrongExtendedKeyUsage => Question { purpose: Purpose::Server, ..asked() },
        ClientCertificate::Weak => Question { level: "0", ..asked() },
    };
    overlooked.must_answer(None, None);
}

#[test]
fn a_client_is_no_server_and_a_server_is_no_client() {
    let pki = pki();
    let usage = (Some("unsuitable certificate purpose at 0"), Some("RequiredEkuNotFoundContext"));
    let server = pki.server(ServerCertificate::Good, &names(&[HOST])).unwrap();
    Question::client(&server, pki.server_root()).must_answer(usage.0, usage.1);
    let client = pki.client(ClientCertificate::Good).unwrap();
    let dialled = Question { name: None, ..Question::server(&client, pki.client_root()) };
    dialled.must_answer(usage.0, usage.1);
}

#[test]
fn the_hierarchies_do_not_vouch_for_each_other() {
    let pki = pki();
    let unknown = (Some("unable to get local issuer certificate at 1"), Some("UnknownIssuer"));
    let server = pki.server(ServerCertificate::Good, &names(&[HOST])).unwrap();
    Question::server(&server, pki.client_root()).must_answer(unknown.0, unknown.1);
    let client = pki.client(ClientCertificate::Good).unwrap();
    Question::client(&client, pki.server_root()).must_answer(unknown.0, unknown.1);
}

#[rstest]
#[case::host("orders.test")]
#[case::wildcard("eu.orders.test")]
#[case::label("localhost")]
#[case::underscore("my_service")]
#[case::long("a-name.that-is-longer-than.the-sixty-four-characters.of-a-common-name.orders.test")]
fn every_name_asked_for_is_covered(#[case] dialled: &str) {
    let pki = pki();
    let all = names(&[
        "a-name.that-is-longer-than.the-sixty-four-characters.of-a-common-name.orders.test",
        "Orders.Test",
        "*.orders.test",
        "localhost",
        "my_service",
    ]);
    let identity = pki.server(ServerCertificate::Good, &all).unwrap();
    // The first name is too long for a common name (RFC 5280 A.1).
    assert_eq!(identity.subject(), "Gauntlet server");
    let dialled = Question { name: Some(dialled), ..Question::server(&identity, pki.server_root()) };
    dialled.must_answer(None, None);
}

#[test]
fn addresses_are_covered_too() {
    let pki = pki();
    let identity = pki.server(ServerCertificate::Good, &names(&["127.0.0.1", "::1"])).unwrap();
    let addresses: Vec<Vec<u8>> = identity
        .leaf()
        .subject_alt_names()
        .unwrap()
        .iter()
        .map(|name| name.ipaddress().unwrap().to_vec())
        .collect();
    let ipv6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(addresses, [&[127, 0, 0, 1][..], &ipv6]);
    assert_eq!(identity.subject(), "127.0.0.1");
}

#[rstest]
#[case(ServerCertificate::Good, KeyType::EC, 256, "Digital Signature\n")]
#[case(ServerCertificate::P384, KeyType::EC, 384, "Digital Signature\n")]
#[case(ServerCertificate::P521, KeyType::EC, 521, "Digital Signature\n")]
#[case(ServerCertificate::Ed25519, KeyType::ED25519, 256, "Digital Signature\n")]
#[case(ServerCertificate::Ed448, KeyType::ED448, 456, "Digital Signature\n")]
#[case(ServerCertificate::MlDsa65, KeyType::ML_DSA_65, 15616, "Digital Signature\n")]
#[case(ServerCertificate::RsaPss, KeyType::RSA_PSS, 2048, "Digital Signature\n")]
#[case(ServerCertificate::Rsa1024, KeyType::RSA, 1024, "Digital Signature, Key Encipherment\n")]
#[case(ServerCertificate::GoodRsa, KeyType::RSA, 2048, "Digital Signature, Key Encipherment\n")]
#[case(ServerCertificate::Rsa3072, KeyType::RSA, 3072, "Digital Signature, Key Encipherment\n")]
#[case(ServerCertificate::Rsa4096, KeyType::RSA, 4096, "Digital Signature, Key Encipherment\n")]
#[case(ServerCertificate::Rsa8192, KeyType::RSA, 8192, "Digital Signature, Key Encipherment\n")]
fn keys_are_of_their_kind(
    #[case] recipe: ServerCertificate,
    #[case] kind: KeyType,
    #[case] bits: u32,
    #[case] key_usage: &str,
) {
    let identity = pki().server(recipe, &names(&[HOST])).unwrap();
    let public = identity.leaf().public_key().unwrap();
    assert!(identity.key().is_a(kind) && public.is_a(kind));
    assert_eq!((identity.key().bits(), public.bits()), (bits, bits));
    let text = String::from_utf8(identity.leaf().to_text().unwrap()).unwrap();
    assert!(text.contains(&format!("X509v3 Key Usage: critical\n                {key_usage}")), "{text}");
}
