//! What goes on the wire, in which order, and whether the key goes with it.

use std::sync::Arc;

use openssl::hash::MessageDigest;
use openssl::pkey::{HasPrivate, HasPublic, KeyType, PKeyRef};
use openssl::sign::{Signer, Verifier};
use openssl::x509::{X509, X509Ref};
use rstest::rstest;
use time::Duration;
use tls_gauntlet_certs::{ClientCertificate, Identity, Pki, ServerCertificate};

use crate::judges::Question;
use crate::{HOST, NOW, names, pki};

/// Each certificate by its name without `Gauntlet` and the seed; the leaf is called by its host.
fn sent(pki: &Pki, recipe: ServerCertificate) -> Vec<String> {
    let called = |one: &X509| {
        let name = one.subject_name().entries().next().unwrap().data().to_string().unwrap();
        name.trim_start_matches("Gauntlet ").trim_end_matches(" 0000002a").to_owned()
    };
    pki.server(recipe, &names(&[HOST])).unwrap().chain().iter().map(called).collect()
}

#[rstest]
#[case(ServerCertificate::Good, &["Server Intermediate"])]
#[case(ServerCertificate::UntrustedRoot, &["Untrusted Intermediate"])]
#[case(ServerCertificate::IssuedByClientCa, &["Client Intermediate"])]
#[case(ServerCertificate::RevokedIntermediate, &["Server Revoked Intermediate", "Server Branch"])]
#[case(ServerCertificate::MissingIntermediate, &[])]
#[case(ServerCertificate::SelfSigned, &[])]
#[case(ServerCertificate::ExpiredRoot, &["Expired Intermediate"])]
#[case(ServerCertificate::ReversedChain, &["Server Branch", "Server Level 2"])]
#[case(ServerCertificate::DuplicatedChain, &["orders.test", "Server Intermediate", "Server Intermediate"])]
#[case(ServerCertificate::WithRoot, &["Server Intermediate", "Server Root"])]
#[case(ServerCertificate::WithUnrelated, &["Server Intermediate", "Client Root", "Untrusted Intermediate"])]
#[case(ServerCertificate::ExpiredIntermediate, &["Server Expired Intermediate", "Server Branch"])]
#[case(ServerCertificate::CrossSignedOneExpired, &["Server Intermediate", "Server Root", "Expired Branch"])]
#[case(ServerCertificate::NameConstraintsKept, &["Server Constrained Intermediate", "Server Branch"])]
#[case(ServerCertificate::NameConstraintsViolated, &["Server Constrained Intermediate", "Server Branch"])]
#[case(ServerCertificate::PathLengthExceeded, &["Server Second Intermediate", "Server Intermediate"])]
#[case(ServerCertificate::IntermediateNoCa, &["Server No Authority", "Server Branch"])]
#[case(ServerCertificate::Sha1SignedLeaf, &["Server RSA Intermediate", "Server Branch"])]
#[case(
    ServerCertificate::Sha1SignedIntermediate,
    &["Server SHA-1 Intermediate", "Server RSA Intermediate", "Server Branch"]
)]
fn the_leaf_is_followed_by(#[case] recipe: ServerCertificate, #[case] others: &[&str]) {
    let sent = sent(&pki(), recipe);
    assert_eq!(sent[0], HOST);
    assert_eq!(sent[1..], *others);
}

#[rstest]
#[case(ServerCertificate::Chain10Deep, 10)]
#[case(ServerCertificate::Chain50Deep, 50)]
fn deep_chains_are_as_deep_as_they_say(#[case] recipe: ServerCertificate, #[case] depth: usize) {
    let pki = pki();
    let sent = sent(&pki, recipe);
    assert_eq!(sent.len(), depth);
    assert_eq!(sent[1], format!("Server Level {}", depth - 1));
    assert_eq!(sent[depth - 1], "Server Branch");
}

#[test]
fn no_root_is_sent_but_by_the_recipe_for_it() {
    let pki = pki();
    let roots = [pki.server_root(), pki.untrusted_root(), pki.expired_root()];
    for recipe in ServerCertificate::ALL.iter().filter(|recipe| **recipe != ServerCertificate::WithRoot) {
        let identity = pki.server(*recipe, &names(&[HOST])).unwrap();
        assert!(!roots.iter().any(|root| identity.chain().contains(root)), "{recipe}");
    }
}

#[test]
fn the_other_path_of_a_cross_signed_root_is_there_and_expired() {
    let pki = pki();
    let identity = pki.server(ServerCertificate::CrossSignedOneExpired, &names(&[HOST])).unwrap();
    let (cross, root) = (&identity.chain()[2], pki.server_root());
    assert!(cross.public_key().unwrap().public_eq(&root.public_key().unwrap()));
    assert_eq!(cross.subject_key_id().unwrap().as_slice(), root.subject_key_id().unwrap().as_slice());

    let other = || Question::server(&identity, pki.expired_root());
    let expired = ["certificate has expired at 4", "certificate has expired at 2"];
    other().must_answer(expired, ["CertExpired"]);
    Question { at: NOW - Duration::hours(18), ..other() }.must_answer(None, None);
}

#[test]
fn what_is_sent_can_be_had_in_der() {
    let identity = pki().server(ServerCertificate::MalformedDer, &names(&[HOST])).unwrap();
    let der = identity.chain_der();
    assert_eq!(der[0], identity.leaf_der());
    let again: Vec<X509> = der.iter().map(|one| X509::from_der(one).unwrap()).collect();
    assert_eq!(again, identity.chain());
}

#[test]
fn the_key_is_the_key_of_the_leaf() {
    let pki = pki();
    for identity in every_identity(&pki) {
        assert!(identity.leaf().public_key().unwrap().public_eq(identity.key()), "{identity:?}");
    }
    for recipe in ServerCertificate::ALL {
        let identity = pki.server(*recipe, &names(&[HOST])).unwrap();
        let is_own = *recipe != ServerCertificate::MismatchedKey;
        assert_eq!(verifies(identity.key(), identity.leaf()), is_own, "{recipe}");
    }
}

#[test]
fn authorities_are_valid_whenever_a_leaf_is() {
    let pki = pki();
    let roots = [pki.server_root(), pki.client_root(), pki.untrusted_root()].map(Clone::clone);
    let is_about_time = [
        pki.server(ServerCertificate::ExpiredIntermediate, &names(&[HOST])).unwrap(),
        pki.server(ServerCertificate::CrossSignedOneExpired, &names(&[HOST])).unwrap(),
    ];
    for identity in every_identity(&pki) {
        if is_about_time.iter().any(|other| Arc::ptr_eq(other, &identity)) {
            continue;
        }
        for authority in identity.chain()[1..].iter().filter(|one| *one != identity.leaf()).chain(&roots) {
            let leaf = identity.leaf();
            assert!(authority.not_before() < leaf.not_before(), "{identity:?}");
            assert!(authority.not_after() > leaf.not_after(), "{identity:?}");
        }
    }
}

fn every_identity(pki: &Pki) -> Vec<Arc<Identity>> {
    let servers = ServerCertificate::ALL.iter().map(|recipe| pki.server(*recipe, &names(&[HOST])).unwrap());
    let clients = ClientCertificate::ALL.iter().map(|recipe| pki.client(*recipe).unwrap());
    servers.chain(clients).collect()
}

/// Whether the certificate verifies what the key signs.
fn verifies(key: &PKeyRef<impl HasPrivate + HasPublic>, certificate: &X509Ref) -> bool {
    let (message, public) = (b"a message", certificate.public_key().unwrap());
    let has_own_digest = [KeyType::ED25519, KeyType::ED448, KeyType::ML_DSA_65];
    if has_own_digest.iter().any(|kind| key.is_a(*kind)) {
        let signature = Signer::new_without_digest(key).unwrap().sign_oneshot_to_vec(message).unwrap();
        Verifier::new_without_digest(&public).unwrap().verify_oneshot(&signature, message).unwrap()
    } else {
        let digest = MessageDigest::sha256();
        let signature = Signer::new(digest, key).unwrap().sign_oneshot_to_vec(message).unwrap();
        Verifier::new(digest, &public).unwrap().verify_oneshot(&signature, message).unwrap()
    }
}
