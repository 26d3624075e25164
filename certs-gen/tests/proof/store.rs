//! Authorities survive in a folder, and a folder that was tampered with is refused by name.

use std::fs;
use std::path::Path;

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509NameBuilder};
use rstest::rstest;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tls_gauntlet_certs::{ClientCertificate, Pki, ServerCertificate};

use crate::judges::Question;
use crate::{HOST, NOW, names, pki};

const FILES: &[&str] = &[
    "client-branch.key",
    "client-branch.pem",
    "client-intermediate.key",
    "client-intermediate.pem",
    "client-root.crl",
    "client-root.pem",
    "expired-branch.key",
    "expired-branch.pem",
    "expired-intermediate.key",
    "expired-intermediate.pem",
    "expired-root.crl",
    "expired-root.pem",
    "server-branch.key",
    "server-branch.pem",
    "server-intermediate.key",
    "server-intermediate.pem",
    "server-root.crl",
    "server-root.pem",
    "untrusted-branch.key",
    "untrusted-branch.pem",
    "untrusted-intermediate.key",
    "untrusted-intermediate.pem",
    "untrusted-root.crl",
    "untrusted-root.pem",
];

fn saved() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    pki().save(dir.path()).unwrap();
    dir
}

#[test]
fn what_is_issued_after_opening_holds_against_the_saved_roots() {
    let dir = saved();
    let root = |name: &str| X509::from_pem(&fs::read(dir.path().join(name)).unwrap()).unwrap();
    let (server, client, untrusted) =
        (root("server-root.pem"), root("client-root.pem"), root("untrusted-root.pem"));

    let pki = Pki::open(dir.path(), 7, NOW + Duration::days(30)).unwrap();
    let good = pki.server(ServerCertificate::Good, &names(&[HOST])).unwrap();
    let at = NOW + Duration::days(30);
    Question { at, ..Question::server(&good, &server) }.must_answer(None, None);
    let good = pki.client(ClientCertificate::Good).unwrap();
    Question { at, ..Question::client(&good, &client) }.must_answer(None, None);
    let elsewhere = pki.server(ServerCertificate::UntrustedRoot, &names(&[HOST])).unwrap();
    Question { at, ..Question::server(&elsewhere, &untrusted) }.must_answer(None, None);

    // Odd chains hang from what was saved, too.
    let deep = pki.server(ServerCertificate::ReversedChain, &names(&[HOST])).unwrap();
    Question { at, ..Question::server(&deep, &server) }.must_answer(None, None);
    let outlived = pki.server(ServerCertificate::ExpiredRoot, &names(&[HOST])).unwrap();
    let expired = root("expired-root.pem");
    Question { at, ..Question::server(&outlived, &expired) }
        .must_answer(["certificate has expired at 2"], None);
    let crossed = pki.server(ServerCertificate::CrossSignedOneExpired, &names(&[HOST])).unwrap();
    Question { at, ..Question::server(&crossed, &server) }.must_answer(None, None);
}

/// Whatever byte of a certificate is altered, the file is named.
#[test]
fn an_altered_certificate_is_named() {
    for name in ["client-root.pem", "client-branch.pem", "client-intermediate.pem"] {
        let dir = saved();
        let file = dir.path().join(name);
        let mut content = fs::read(&file).unwrap();
        let middle = content.len() / 2;
        content[middle] = if content[middle] == b'A' { b'B' } else { b'A' };
        fs::write(&file, content).unwrap();
        let told = Pki::open(dir.path(), 7, NOW).unwrap_err().to_string();
        assert!(told.starts_with(&dir.path().join("client-").display().to_string()), "{told}");
    }
}

#[test]
fn opening_and_saving_again_changes_nothing() {
    let (first, second) = (saved(), tempfile::tempdir().unwrap());
    Pki::open(first.path(), 7, NOW).unwrap().save(second.path()).unwrap();
    for name in FILES {
        let read = |dir: &Path| fs::read_to_string(dir.join(name)).unwrap();
        assert_eq!(read(first.path()), read(second.path()), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn certificates_are_for_everybody_and_keys_for_the_owner() {
    use std::os::unix::fs::PermissionsExt;

    let dir = saved();
    let mut seen: Vec<(String, u32)> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            (entry.file_name().into_string().unwrap(), mode)
        })
        .collect();
    seen.sort();
    let expected: Vec<(String, u32)> = FILES
        .iter()
        .map(|name| ((*name).to_owned(), if name.ends_with(".key") { 0o600 } else { crate::public_mode() }))
        .collect();
    assert_eq!(seen, expected);
}

#[rstest]
fn a_missing_file_is_named(
    #[values(
        "server-root.pem",
        "client-intermediate.pem",
        "untrusted-intermediate.key",
        "expired-branch.pem",
        "server-root.crl"
    )]
    name: &str,
) {
    let dir = saved();
    fs::remove_file(dir.path().join(name)).unwrap();
    assert_eq!(refusal(&dir, NOW), format!("cannot read {}", dir.path().join(name).display()));
}

#[rstest]
#[case("server-root.pem", "holds no certificate in PEM")]
#[case("server-root.crl", "holds no revocation list in PEM")]
#[case("server-intermediate.key", "holds no private key in PEM")]
fn a_file_of_something_else_is_named(#[case] name: &str, #[case] because: &str) {
    let dir = saved();
    fs::write(dir.path().join(name), "something else").unwrap();
    assert_eq!(refusal(&dir, NOW), format!("{} {because}", dir.path().join(name).display()));
}

#[rstest]
#[case::root("root.pem", "server-intermediate.pem", "was not issued by the root beside it")]
#[case::intermediate("intermediate.pem", "server-intermediate.pem", "was not issued by the root beside it")]
#[case::key("intermediate.key", "server-intermediate.key", "is not the key of the intermediate beside it")]
#[case::branch("branch.pem", "server-branch.pem", "was not issued by the root beside it")]
#[case::root_crl("root.crl", "server-root.crl", "was not issued by the root beside it")]
fn a_file_out_of_another_authority_is_named(
    #[case] mixed_up: &str,
    #[case] at_fault: &str,
    #[case] because: &str,
) {
    let dir = saved();
    let file = |authority: &str| dir.path().join(format!("{authority}-{mixed_up}"));
    fs::copy(file("client"), file("server")).unwrap();
    assert_eq!(refusal(&dir, NOW), format!("{} {because}", dir.path().join(at_fault).display()));
}

#[rstest]
#[case::before(NOW - Duration::days(400))]
#[case::after(NOW + Duration::days(4000))]
fn an_authority_is_not_used_outside_its_time(#[case] now: OffsetDateTime) {
    let dir = saved();
    let root = dir.path().join("server-root.pem");
    assert_eq!(refusal(&dir, now), format!("{} is not valid at this time", root.display()));
}

#[rstest]
#[case::subject(
    ec(Nid::X9_62_PRIME256V1),
    &["O", "CN"],
    "server-intermediate.pem",
    "was not made by Gauntlet: its subject is not a common name alone"
)]
#[case::rsa(rsa(), &["CN"], "server-intermediate.key", "is not a P-256 key")]
#[case::p384(ec(Nid::SECP384R1), &["CN"], "server-intermediate.key", "is not a P-256 key")]
#[case::key_identifier(
    ec(Nid::X9_62_PRIME256V1),
    &["CN"],
    "server-intermediate.pem",
    "was not made by Gauntlet: it identifies its key in another way"
)]
fn an_authority_of_others_is_refused(
    #[case] key: PKey<Private>,
    #[case] subject: &[&str],
    #[case] at_fault: &str,
    #[case] because: &str,
) {
    let dir = saved();
    plant(&dir, &key, &foreign(&key, subject, 1), &foreign(&key, subject, 1));
    assert_eq!(refusal(&dir, NOW), format!("{} {because}", dir.path().join(at_fault).display()));
}

#[test]
fn an_intermediate_that_ended_before_its_root_is_named() {
    let dir = saved();
    let key = ec(Nid::X9_62_PRIME256V1);
    plant(&dir, &key, &foreign(&key, &["CN"], 2), &foreign(&key, &["CN"], 1));
    let intermediate = dir.path().join("server-intermediate.pem");
    assert_eq!(
        refusal(&dir, NOW + Duration::hours(36)),
        format!("{} is not valid at this time", intermediate.display())
    );
}

fn refusal(dir: &TempDir, now: OffsetDateTime) -> String {
    Pki::open(dir.path(), 42, now).unwrap_err().to_string()
}

fn ec(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn rsa() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
}

/// Puts an authority of others in the place of the server's.
fn plant(dir: &TempDir, key: &PKey<Private>, root: &X509, intermediate: &X509) {
    let file = |name: &str| dir.path().join(name);
    fs::write(file("server-root.pem"), root.to_pem().unwrap()).unwrap();
    fs::write(file("server-intermediate.pem"), intermediate.to_pem().unwrap()).unwrap();
    fs::write(file("server-intermediate.key"), key.private_key_to_pem_pkcs8().unwrap()).unwrap();
}

/// A certificate as others make them, valid for some days. It signs itself, so that with one key it can stand for
/// root and intermediate both.
fn foreign(key: &PKey<Private>, subject: &[&str], days: i64) -> X509 {
    let mut name = X509NameBuilder::new().unwrap();
    for part in subject {
        name.append_entry_by_text(part, "Foreign").unwrap();
    }
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&Asn1Integer::from_bn(&BigNum::from_u32(1).unwrap()).unwrap()).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    let day = |days: i64| Asn1Time::from_unix((NOW + Duration::days(days)).unix_timestamp()).unwrap();
    builder.set_not_before(&day(-1)).unwrap();
    builder.set_not_after(&day(days)).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build()
}
