//! Every recipe is refused for the reason it claims, and for no other.

use std::sync::Arc;

use openssl::pkey::Id;
use rstest::rstest;
use time::Duration;
use tls_gauntlet_certs::{ClientRecipe, Identity, Pki, ServerRecipe, WRONG_NAME};

use crate::judges::{Purpose, Question};
use crate::{HOST, names, pki};

#[rstest]
fn a_server_is_refused_for_its_flaw_alone(
    #[values(
        ServerRecipe::Good,
        ServerRecipe::GoodRsa,
        ServerRecipe::Expired,
        ServerRecipe::NotYetValid,
        ServerRecipe::WrongName,
        ServerRecipe::SelfSigned,
        ServerRecipe::UntrustedRoot,
        ServerRecipe::MissingIntermediate,
        ServerRecipe::WrongExtendedKeyUsage
    )]
    recipe: ServerRecipe,
) {
    let pki = pki();
    let identity = pki.server(recipe, &names(&[HOST])).unwrap();
    let asked = || Question::server(&identity, pki.server_root());

    let (openssl, webpki) = match recipe {
        ServerRecipe::Good | ServerRecipe::GoodRsa => (None, None),
        ServerRecipe::Expired => (Some("certificate has expired at 0"), Some("CertExpired")),
        ServerRecipe::NotYetValid => (Some("certificate is not yet valid at 0"), Some("CertNotValidYet")),
        ServerRecipe::WrongName => (Some("hostname mismatch at 0"), Some("CertNotValidForName")),
        ServerRecipe::SelfSigned => (Some("self-signed certificate at 0"), Some("UnknownIssuer")),
        ServerRecipe::UntrustedRoot => {
            (Some("unable to get local issuer certificate at 1"), Some("UnknownIssuer"))
        }
        ServerRecipe::MissingIntermediate => {
            (Some("unable to get local issuer certificate at 0"), Some("UnknownIssuer"))
        }
        ServerRecipe::WrongExtendedKeyUsage => {
            (Some("unsuitable certificate purpose at 0"), Some("RequiredEkuNotFoundContext"))
        }
    };
    asked().must_answer(openssl, webpki);

    // Whoever overlooks the one flaw has nothing left to object to.
    let sound = pki.server(ServerRecipe::Good, &names(&[HOST])).unwrap();
    let overlooked = match recipe {
        ServerRecipe::Good | ServerRecipe::GoodRsa => asked(),
        ServerRecipe::Expired => Question { at: asked().at - Duration::days(2), ..asked() },
        ServerRecipe::NotYetValid => Question { at: asked().at + Duration::days(2), ..asked() },
        ServerRecipe::WrongName => Question { name: Some(WRONG_NAME), ..asked() },
        ServerRecipe::SelfSigned => Question { trusted: identity.leaf(), ..asked() },
        ServerRecipe::UntrustedRoot => Question { trusted: pki.untrusted_root(), ..asked() },
        ServerRecipe::MissingIntermediate => {
            Question { chain: vec![identity.leaf().clone(), sound.chain()[1].clone()], ..asked() }
        }
        ServerRecipe::WrongExtendedKeyUsage => Question { purpose: Purpose::Client, ..asked() },
    };
    overlooked.must_answer(None, None);
}

#[rstest]
fn a_client_is_refused_for_its_flaw_alone(
    #[values(ClientRecipe::Good, ClientRecipe::Untrusted, ClientRecipe::Expired, ClientRecipe::SelfSigned)]
    recipe: ClientRecipe,
) {
    let pki = pki();
    let identity = pki.client(recipe).unwrap();
    let asked = || Question::client(&identity, pki.client_root());

    let (openssl, webpki) = match recipe {
        ClientRecipe::Good => (None, None),
        ClientRecipe::Untrusted => {
            (Some("unable to get local issuer certificate at 1"), Some("UnknownIssuer"))
        }
        ClientRecipe::Expired => (Some("certificate has expired at 0"), Some("CertExpired")),
        ClientRecipe::SelfSigned => (Some("self-signed certificate at 0"), Some("UnknownIssuer")),
    };
    asked().must_answer(openssl, webpki);

    let overlooked = match recipe {
        ClientRecipe::Good => asked(),
        ClientRecipe::Untrusted => Question { trusted: pki.untrusted_root(), ..asked() },
        ClientRecipe::Expired => Question { at: asked().at - Duration::days(2), ..asked() },
        ClientRecipe::SelfSigned => Question { trusted: identity.leaf(), ..asked() },
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
#[case(ServerRecipe::Good, Id::EC, 256, "Digital Signature\n")]
#[case(ServerRecipe::GoodRsa, Id::RSA, 2048, "Digital Signature, Key Encipherment\n")]
fn keys_are_of_their_kind(
    #[case] recipe: ServerRecipe,
    #[case] id: Id,
    #[case] bits: u32,
    #[case] key_usage: &str,
) {
    let identity = pki().server(recipe, &names(&[HOST])).unwrap();
    assert_eq!((identity.key().id(), identity.key().bits()), (id, bits));
    let text = String::from_utf8(identity.leaf().to_text().unwrap()).unwrap();
    assert!(text.contains(&format!("X509v3 Key Usage: critical\n                {key_usage}")), "{text}");
}

#[rstest]
#[case(ServerRecipe::Good, 2)]
#[case(ServerRecipe::UntrustedRoot, 2)]
#[case(ServerRecipe::MissingIntermediate, 1)]
#[case(ServerRecipe::SelfSigned, 1)]
fn the_root_is_never_sent(#[case] recipe: ServerRecipe, #[case] length: usize) {
    let pki = pki();
    let identity = pki.server(recipe, &names(&[HOST])).unwrap();
    assert_eq!(identity.chain().len(), length);
    for root in [pki.server_root(), pki.untrusted_root()] {
        assert!(!identity.chain().contains(root));
    }
}

#[test]
fn the_key_is_the_key_of_the_leaf() {
    for identity in every_identity(&pki()) {
        assert!(identity.leaf().public_key().unwrap().public_eq(identity.key()), "{identity:?}");
    }
}

#[test]
fn authorities_are_valid_whenever_a_leaf_is() {
    let pki = pki();
    let roots = [pki.server_root(), pki.client_root(), pki.untrusted_root()].map(Clone::clone);
    for identity in every_identity(&pki) {
        for authority in identity.chain()[1..].iter().chain(&roots) {
            let leaf = identity.leaf();
            assert!(authority.not_before() < leaf.not_before(), "{identity:?}");
            assert!(authority.not_after() > leaf.not_after(), "{identity:?}");
        }
    }
}

fn every_identity(pki: &Pki) -> Vec<Arc<Identity>> {
    let servers = ServerRecipe::ALL.iter().map(|recipe| pki.server(*recipe, &names(&[HOST])).unwrap());
    let clients = ClientRecipe::ALL.iter().map(|recipe| pki.client(*recipe).unwrap());
    servers.chain(clients).collect()
}
