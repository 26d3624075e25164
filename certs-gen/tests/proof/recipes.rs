//! Every client is refused for the reason it claims, and what is sound is accepted. (The flawed servers have a
//! table of their own.)

use openssl::pkey::KeyType;
use rstest::rstest;
use time::Duration;
use tls_gauntlet_certs::{ClientRecipe, ServerRecipe};

use crate::judges::{Purpose, Question};
use crate::{HOST, names, pki};

#[rstest]
fn a_client_is_refused_for_its_flaw_alone(
    #[values(
        ClientRecipe::Good,
        ClientRecipe::Rsa,
        ClientRecipe::AnotherTenant,
        ClientRecipe::Untrusted,
        ClientRecipe::IssuedByServerCa,
        ClientRecipe::Expired,
        ClientRecipe::NotYetValid,
        ClientRecipe::SelfSigned,
        ClientRecipe::WrongExtendedKeyUsage,
        ClientRecipe::Revoked,
        ClientRecipe::RevokedIntermediate,
        ClientRecipe::Weak
    )]
    recipe: ClientRecipe,
) {
    let pki = pki();
    let identity = pki.client(recipe).unwrap();
    let asked = || Question::client(&identity, pki.client_root());

    let (openssl, webpki) = match recipe {
        // Nobody was given the lists that the revoked ones are on; `revocation` does that.
        ClientRecipe::Good
        | ClientRecipe::Rsa
        | ClientRecipe::AnotherTenant
        | ClientRecipe::Revoked
        | ClientRecipe::RevokedIntermediate => (None, None),
        ClientRecipe::Untrusted | ClientRecipe::IssuedByServerCa => {
            (Some("unable to get local issuer certificate at 1"), Some("UnknownIssuer"))
        }
        ClientRecipe::Expired => (Some("certificate has expired at 0"), Some("CertExpired")),
        ClientRecipe::NotYetValid => (Some("certificate is not yet valid at 0"), Some("CertNotValidYet")),
        ClientRecipe::SelfSigned => (Some("self-signed certificate at 0"), Some("UnknownIssuer")),
        ClientRecipe::WrongExtendedKeyUsage => {
            (Some("unsuitable certificate purpose at 0"), Some("RequiredEkuNotFoundContext"))
        }
        // webpki looks at the key of a leaf only when the leaf signs a handshake.
        ClientRecipe::Weak => (Some("EE certificate key too weak at 0"), None),
    };
    asked().must_answer(openssl, webpki);

    let overlooked = match recipe {
        ClientRecipe::Good
        | ClientRecipe::Rsa
        | ClientRecipe::AnotherTenant
        | ClientRecipe::Revoked
        | ClientRecipe::RevokedIntermediate => asked(),
        ClientRecipe::IssuedByServerCa => Question { trusted: pki.server_root(), ..asked() },
        ClientRecipe::Untrusted => Question { trusted: pki.untrusted_root(), ..asked() },
        ClientRecipe::Expired => Question { at: asked().at - Duration::days(2), ..asked() },
        ClientRecipe::NotYetValid => Question { at: asked().at + Duration::days(2), ..asked() },
        ClientRecipe::SelfSigned => Question { trusted: identity.leaf(), ..asked() },
        ClientRecipe::WrongExtendedKeyUsage => Question { purpose: Purpose::Server, ..asked() },
        ClientRecipe::Weak => Question { level: "0", ..asked() },
    };
    overlooked.must_answer(None, None);
}

#[test]
fn a_client_is_no_server_and_a_server_is_no_client() {
    let pki = pki();
    let usage = (Some("unsuitable certificate purpose at 0"), Some("RequiredEkuNotFoundContext"));
    let server = pki.server(ServerRecipe::Good, &names(&[HOST])).unwrap();
    Question::client(&server, pki.server_root()).must_answer(usage.0, usage.1);
    let client = pki.client(ClientRecipe::Good).unwrap();
    let dialled = Question { name: None, ..Question::server(&client, pki.client_root()) };
    dialled.must_answer(usage.0, usage.1);
}

#[test]
fn the_hierarchies_do_not_vouch_for_each_other() {
    let pki = pki();
    let unknown = (Some("unable to get local issuer certificate at 1"), Some("UnknownIssuer"));
    let server = pki.server(ServerRecipe::Good, &names(&[HOST])).unwrap();
    Question::server(&server, pki.client_root()).must_answer(unknown.0, unknown.1);
    let client = pki.client(ClientRecipe::Good).unwrap();
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
    let identity = pki.server(ServerRecipe::Good, &all).unwrap();
    // The first name is too long for a common name (RFC 5280 A.1).
    assert_eq!(identity.subject(), "Gauntlet server");
    let dialled = Question { name: Some(dialled), ..Question::server(&identity, pki.server_root()) };
    dialled.must_answer(None, None);
}

#[test]
fn addresses_are_covered_too() {
    let pki = pki();
    let identity = pki.server(ServerRecipe::Good, &names(&["127.0.0.1", "::1"])).unwrap();
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
#[case(ServerRecipe::Good, KeyType::EC, 256, "Digital Signature\n")]
#[case(ServerRecipe::P384, KeyType::EC, 384, "Digital Signature\n")]
#[case(ServerRecipe::P521, KeyType::EC, 521, "Digital Signature\n")]
#[case(ServerRecipe::Ed25519, KeyType::ED25519, 256, "Digital Signature\n")]
#[case(ServerRecipe::Ed448, KeyType::ED448, 456, "Digital Signature\n")]
#[case(ServerRecipe::MlDsa65, KeyType::ML_DSA_65, 15616, "Digital Signature\n")]
#[case(ServerRecipe::RsaPss, KeyType::RSA_PSS, 2048, "Digital Signature\n")]
#[case(ServerRecipe::Rsa1024, KeyType::RSA, 1024, "Digital Signature, Key Encipherment\n")]
#[case(ServerRecipe::GoodRsa, KeyType::RSA, 2048, "Digital Signature, Key Encipherment\n")]
#[case(ServerRecipe::Rsa3072, KeyType::RSA, 3072, "Digital Signature, Key Encipherment\n")]
#[case(ServerRecipe::Rsa4096, KeyType::RSA, 4096, "Digital Signature, Key Encipherment\n")]
#[case(ServerRecipe::Rsa8192, KeyType::RSA, 8192, "Digital Signature, Key Encipherment\n")]
fn keys_are_of_their_kind(
    #[case] recipe: ServerRecipe,
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
