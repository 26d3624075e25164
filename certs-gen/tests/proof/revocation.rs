//! Revocation lists and OCSP responses say what they are for, to readers that share no code with their writer.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspCertStatus, OcspFlag, OcspResponse};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyParam;
use openssl::x509::{X509, X509Crl};
use rstest::rstest;
use tls_gauntlet_certs::{
    Circumstances, ClientCertificate, CrlKind, Error, Identity, OcspKind, Pki, ServerCertificate,
};

use crate::judges::{Question, openssl_cli};
use crate::{HOST, NOW, names, pki};

fn server(pki: &Pki, recipe: ServerCertificate) -> Arc<Identity> {
    pki.server(recipe, &names(&[HOST])).unwrap()
}

#[rstest]
#[case::revoked(ServerCertificate::RevokedByCrl, CrlKind::Revoked, Some(("certificate revoked at 0", "CertRevoked")))]
#[case::issuer(ServerCertificate::RevokedIntermediate, CrlKind::Revoked, Some(("certificate revoked at 1", "CertRevoked")))]
#[case::not_on_it(ServerCertificate::Good, CrlKind::Revoked, None)]
#[case::empty(ServerCertificate::RevokedByCrl, CrlKind::Empty, None)]
#[case::issuer_on_none(ServerCertificate::RevokedIntermediate, CrlKind::Empty, None)]
#[case::stale(ServerCertificate::Good, CrlKind::Stale, Some(("CRL has expired at 0", "CrlExpired")))]
fn a_server_on_the_list_is_refused(
    #[case] recipe: ServerCertificate,
    #[case] kind: CrlKind,
    #[case] refusal: Option<(&str, &str)>,
) {
    let pki = pki();
    let identity = server(&pki, recipe);
    let lists = pki.crls(kind).unwrap();
    let asked = Question { lists: &lists, ..Question::server(&identity, pki.server_root()) };
    asked.must_answer(refusal.map(|(openssl, _)| openssl), refusal.map(|(_, webpki)| webpki));
}

#[rstest]
#[case::revoked(ClientCertificate::Revoked, CrlKind::Revoked, Some(("certificate revoked at 0", "CertRevoked")))]
#[case::issuer(ClientCertificate::RevokedIntermediate, CrlKind::Revoked, Some(("certificate revoked at 1", "CertRevoked")))]
#[case::not_on_it(ClientCertificate::Good, CrlKind::Revoked, None)]
#[case::empty(ClientCertificate::Revoked, CrlKind::Empty, None)]
#[case::issuer_on_none(ClientCertificate::RevokedIntermediate, CrlKind::Empty, None)]
#[case::stale(ClientCertificate::Good, CrlKind::Stale, Some(("CRL has expired at 0", "CrlExpired")))]
fn a_client_on_the_list_is_refused(
    #[case] recipe: ClientCertificate,
    #[case] kind: CrlKind,
    #[case] refusal: Option<(&str, &str)>,
) {
    let pki = pki();
    let identity = pki.client(recipe).unwrap();
    let lists = pki.client_crls(kind).unwrap();
    let asked = Question { lists: &lists, ..Question::client(&identity, pki.client_root()) };
    asked.must_answer(refusal.map(|(openssl, _)| openssl), refusal.map(|(_, webpki)| webpki));
}

#[test]
fn the_list_grows_with_what_is_issued() {
    let pki = pki();
    let length = || {
        let list = X509Crl::from_der(&pki.crl(CrlKind::Revoked).unwrap()).unwrap();
        list.get_revoked().map_or(0, |revoked| revoked.len())
    };
    assert_eq!(length(), 0);
    server(&pki, ServerCertificate::RevokedByCrl);
    server(&pki, ServerCertificate::RevokedByOcsp);
    pki.client(ClientCertificate::Revoked).unwrap();
    assert_eq!(length(), 1);
    pki.server(ServerCertificate::RevokedByCrl, &names(&["other.test"])).unwrap();
    assert_eq!(length(), 2);
}

#[rstest]
#[case(OcspKind::Good, "good", Some(OcspCertStatus::GOOD), ["Feb 28 12:00:00 2041", "Mar  8 12:00:00 2041"])]
#[case(OcspKind::Revoked, "revoked", Some(OcspCertStatus::REVOKED), ["Feb 28 12:00:00 2041", "Mar  8 12:00:00 2041"])]
#[case(OcspKind::Unknown, "unknown", Some(OcspCertStatus::UNKNOWN), ["Feb 28 12:00:00 2041", "Mar  8 12:00:00 2041"])]
#[case(OcspKind::Expired, "good", Some(OcspCertStatus::GOOD), ["Feb 21 12:00:00 2041", "Feb 28 12:00:00 2041"])]
fn an_ocsp_response_says_what_it_is_for(
    #[case] kind: OcspKind,
    #[case] word: &str,
    #[case] status: Option<OcspCertStatus>,
    #[case] period: [&str; 2],
    #[values(
        ServerCertificate::RevokedByOcsp,
        ServerCertificate::Sha1SignedLeaf,
        ServerCertificate::ReversedChain
    )]
    recipe: ServerCertificate,
) {
    let pki = pki();
    let identity = server(&pki, recipe);
    let issuer = issuer_of(&identity);
    let response = pki.ocsp(&identity, kind).unwrap();

    let id = OcspCertId::from_cert(MessageDigest::sha1(), identity.leaf(), issuer).unwrap();
    let basic = OcspResponse::from_der(&response).unwrap().basic().unwrap();
    assert_eq!(basic.find_status(&id).map(|found| found.status), status);
    basic.verify(&chain(&identity), &trusting(pki.server_root()), OcspFlag::empty()).unwrap();

    if !openssl_cli::is_installed() {
        return;
    }
    let said = read_by_command(&identity, &response, pki.server_root());
    let text = |label: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(label)).unwrap_or_default();
        line.trim().trim_end_matches(" GMT").to_owned()
    };
    assert!(said.contains("Response verify OK"), "{said}");
    assert_eq!(
        [text("Cert Status:"), text("This Update:"), text("Next Update:")],
        [word, period[0], period[1]],
        "{said}"
    );
    assert_eq!(said.contains("Revocation Reason: keyCompromise"), kind == OcspKind::Revoked, "{said}");
}

#[test]
fn an_ocsp_response_by_another_does_not_verify() {
    let (pki, other) = (pki(), pki());
    let identity = server(&pki, ServerCertificate::Good);
    let response = other.ocsp(&server(&other, ServerCertificate::Good), OcspKind::Good).unwrap();
    let basic = OcspResponse::from_der(&response).unwrap().basic().unwrap();
    let verified = basic.verify(&chain(&identity), &trusting(pki.server_root()), OcspFlag::empty());
    assert!(verified.is_err());
}

#[test]
fn garbage_is_no_ocsp_response() {
    let pki = pki();
    let garbage = pki.ocsp(&server(&pki, ServerCertificate::Good), OcspKind::Garbage).unwrap();
    assert!(OcspResponse::from_der(&garbage).unwrap().basic().is_err());
}

#[test]
fn there_is_a_response_about_everybody() {
    let pki = pki();
    for recipe in ServerCertificate::ALL {
        let response = pki.ocsp(&server(&pki, *recipe), OcspKind::Good).unwrap();
        assert!(OcspResponse::from_der(&response).is_ok(), "{recipe}");
    }
}

#[test]
fn certificates_point_to_where_their_status_is() {
    let pki = pki();
    let circumstances = Circumstances {
        crl_url: "http://127.0.0.1:1/list.crl".to_owned(),
        ocsp_url: "http://127.0.0.1:2/ocsp".to_owned(),
        ..Circumstances::default()
    };
    let text = |recipe| {
        let identity = pki.server_in(recipe, &names(&[HOST]), &circumstances).unwrap();
        String::from_utf8(identity.leaf().to_text().unwrap()).unwrap()
    };
    let by_crl = text(ServerCertificate::RevokedByCrl);
    assert!(by_crl.contains("URI:http://127.0.0.1:1/list.crl") && !by_crl.contains("OCSP"), "{by_crl}");
    let by_ocsp = text(ServerCertificate::RevokedByOcsp);
    assert!(by_ocsp.contains("OCSP - URI:http://127.0.0.1:2/ocsp") && !by_ocsp.contains("CRL"), "{by_ocsp}");
    let must_staple = text(ServerCertificate::MustStaple);
    assert!(must_staple.contains("TLS Feature: \n                status_request"), "{must_staple}");
}

#[rstest]
fn an_address_that_a_certificate_cannot_hold_is_refused(#[values("", "http://bücher.test/crl")] url: &str
) {
    let circumstances = Circumstances { crl_url: url.to_owned(), ..Circumstances::default() };
    let refused = pki().server_in(ServerCertificate::RevokedByCrl, &names(&[HOST]), &circumstances);
    assert!(matches!(refused, Err(Error::Url(refused)) if refused == url));
}

/// The certificate in the chain, in whatever order, that the leaf names as its issuer.
fn issuer_of(identity: &Identity) -> &X509 {
    let name = |name: &openssl::x509::X509NameRef| name.to_der().unwrap();
    let issuer = name(identity.leaf().issuer_name());
    identity.chain().iter().find(|one| name(one.subject_name()) == issuer).unwrap()
}

fn chain(identity: &Identity) -> Stack<X509> {
    let mut chain = Stack::new().unwrap();
    for one in identity.chain() {
        chain.push(one.clone()).unwrap();
    }
    chain
}

fn trusting(root: &X509) -> openssl::x509::store::X509Store {
    let mut store = X509StoreBuilder::new().unwrap();
    store.add_cert(root.clone()).unwrap();
    let mut clock = X509VerifyParam::new().unwrap();
    clock.set_time(NOW.unix_timestamp());
    store.set_param(&clock).unwrap();
    store.build()
}

/// What `openssl ocsp` says. (It also says that 2041 is not now, which `-attime` does not change.)
fn read_by_command(identity: &Identity, response: &[u8], root: &X509) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        text_of(&path)
    };
    let pem = |certificates: &[X509]| -> Vec<u8> {
        certificates.iter().flat_map(|one| one.to_pem().unwrap()).collect()
    };
    let issuer = file("issuer.pem", &pem(std::slice::from_ref(issuer_of(identity))));
    let leaf = file("leaf.pem", &pem(&identity.chain()[..1]));
    let chain = file("chain.pem", &pem(identity.chain()));
    let root = file("root.pem", &pem(std::slice::from_ref(root)));
    let response = file("response.der", response);
    let at = NOW.unix_timestamp().to_string();
    let about = ["ocsp", "-respin", &response, "-issuer", &issuer, "-cert", &leaf, "-resp_text"];
    let by = ["-CAfile", &root, "-verify_other", &chain, "-attime", &at];
    let output = openssl_cli::run(&[&about[..], &by].concat());
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

fn text_of(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
