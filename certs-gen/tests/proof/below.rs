//! Authorities below those of somebody's.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::stack::Stack;
use openssl::x509::extension::{BasicConstraints, KeyUsage};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyParam;
use openssl::x509::{X509, X509Crl, X509NameBuilder, X509StoreContext};
use time::OffsetDateTime;
use time::macros::datetime;
use tls_gauntlet_certs::{ClientCertificate, CrlKind, Identity, Name, Pki, ServerCertificate};

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

/// An authority that nobody here has made: P-384, two components of its domain in its subject, no identifier of its key.
fn authority(path_length: Option<u32>) -> Identity {
    let key = PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(Nid::SECP384R1).unwrap()).unwrap())
        .unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    for (kind, text) in [("DC", "test"), ("DC", "corp"), ("O", "Corp, Ltd."), ("CN", "Corp Test Authority")] {
        name.append_entry_by_text(kind, text).unwrap();
    }
    let name = name.build();
    let at = |days: i64| Asn1Time::from_unix(NOW.unix_timestamp() + days * 24 * 60 * 60).unwrap();
    let mut constraints = BasicConstraints::new();
    constraints.critical().ca();
    if let Some(length) = path_length {
        constraints.pathlen(length);
    }
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_not_before(&at(-400)).unwrap();
    builder.set_not_after(&at(4000)).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.append_extension(constraints.build().unwrap()).unwrap();
    let usage = KeyUsage::new().critical().key_cert_sign().crl_sign().build().unwrap();
    builder.append_extension(usage).unwrap();
    builder.sign(&key, MessageDigest::sha384()).unwrap();
    let pem = [builder.build().to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap()].concat();
    Identity::from_pem(&pem).unwrap()
}

fn holds(root: &X509, identity: &Identity) -> bool {
    let mut store = X509StoreBuilder::new().unwrap();
    store.add_cert(root.clone()).unwrap();
    let mut param = X509VerifyParam::new().unwrap();
    param.set_time(NOW.unix_timestamp());
    store.set_param(&param).unwrap();
    let mut chain = Stack::new().unwrap();
    identity.chain()[1..].iter().for_each(|one| chain.push(one.clone()).unwrap());
    let mut context = X509StoreContext::new().unwrap();
    context.init(&store.build(), identity.leaf(), &chain, |context| context.verify_cert()).unwrap()
}

#[test]
fn what_trusts_the_authority_takes_the_sound_certificates_alone() {
    let above = authority(None);
    let pki = Pki::below(Some(&above), None, 7, NOW).unwrap();
    let names: Vec<Name> = vec!["orders.internal".parse().unwrap()];
    let take = |recipe| holds(above.leaf(), &pki.server(recipe, &names).unwrap());
    assert!(take(ServerCertificate::Good) && take(ServerCertificate::Rsa3072));
    assert!(!take(ServerCertificate::UntrustedRoot) && !take(ServerCertificate::IntermediateNoCa));
    assert!(
        !holds(above.leaf(), &pki.client(ClientCertificate::Good).unwrap()),
        "clients have another authority"
    );
    assert_eq!(pki.server_root().to_der().unwrap(), above.leaf().to_der().unwrap());

    let lists = pki.crls(CrlKind::Revoked).unwrap();
    let root = X509Crl::from_der(lists.last().unwrap()).unwrap();
    assert!(root.verify(&above.leaf().public_key().unwrap()).unwrap(), "the list of the authority itself");
    assert_eq!(root.issuer_name().to_der().unwrap(), above.leaf().subject_name().to_der().unwrap());
}

#[test]
fn its_client_certificates_are_below_the_authority_too() {
    let above = authority(None);
    let pki = Pki::below(None, Some(&above), 7, NOW).unwrap();
    assert_eq!(pki.client_root().to_der().unwrap(), above.leaf().to_der().unwrap());
    let leaf = pki.client(ClientCertificate::Good).unwrap();
    assert_eq!(leaf.chain().len(), 2);
}

#[test]
fn a_leaf_issues_nothing() {
    let made = Pki::new(1, NOW).unwrap();
    let leaf = made.server(ServerCertificate::Good, &["a.test".parse().unwrap()]).unwrap();
    let error = Pki::below(Some(&leaf), None, 1, NOW).unwrap_err().to_string();
    assert!(error.starts_with("it cannot issue certificates: invalid CA certificate"), "{error}");
}

#[test]
fn nor_does_an_authority_that_may_have_none_below_it() {
    let error = Pki::below(Some(&authority(Some(0))), None, 1, NOW).unwrap_err().to_string();
    assert!(error.contains("its path length is 0"), "{error}");
}
