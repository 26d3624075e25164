//! PFX files are read back by the `openssl` command, with what they are encrypted with.

use std::fs;

use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::x509::X509;
use rstest::rstest;
use tls_gauntlet_certs::{Error, PfxEncryption, ServerCertificate};

use crate::judges::openssl_cli;
use crate::{HOST, names, pki};

const MODERN: &[&str] = &[
    "MAC: sha256",
    "PKCS7 Encrypted data: PBES2, PBKDF2, AES-256-CBC, Iteration 2048, PRF hmacWithSHA256",
    "Shrouded Keybag: PBES2, PBKDF2, AES-256-CBC, Iteration 2048, PRF hmacWithSHA256",
];

const LEGACY: &[&str] = &[
    "MAC: sha1",
    "PKCS7 Encrypted data: pbeWithSHA1And40BitRC2-CBC",
    "Shrouded Keybag: pbeWithSHA1And3-KeyTripleDES-CBC",
];

#[rstest]
#[case::modern(PfxEncryption::Modern, &[], MODERN)]
#[case::legacy(PfxEncryption::Legacy, &["-legacy"], LEGACY)]
fn the_openssl_command_reads_it_back(
    #[case] encryption: PfxEncryption,
    #[case] flags: &[&str],
    #[case] algorithms: &[&str],
    #[values("", "secret", "pässwörd")] password: &str,
    #[values(ServerCertificate::Good, ServerCertificate::GoodRsa, ServerCertificate::SelfSigned)]
    recipe: ServerCertificate,
) {
    let identity = pki().server(recipe, &names(&[HOST])).unwrap();
    let pfx = identity.pfx(password, encryption).unwrap();
    if !openssl_cli::is_installed() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identity.pfx");
    fs::write(&path, pfx).unwrap();
    let password = format!("pass:{password}");
    let read = ["pkcs12", "-info", "-nodes", "-in", path.to_str().unwrap(), "-passin", &password];

    let output = openssl_cli::run(&[&read, flags].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    for algorithm in algorithms {
        assert!(said.contains(algorithm), "{algorithm} is not in {said}");
    }
    assert_eq!(X509::stack_from_pem(&output.stdout).unwrap(), identity.chain());
    assert!(PKey::private_key_from_pem(&output.stdout).unwrap().public_eq(identity.key()));
    assert!(String::from_utf8(output.stdout).unwrap().contains("friendlyName: orders.test"));

    let wrong = openssl_cli::run(&[&read[..6], &["pass:wrong"], flags].concat());
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("Mac verify error: invalid password?"));
}

#[test]
fn openssl_3_reads_no_legacy_file_unless_told_to() {
    let identity = pki().server(ServerCertificate::Good, &names(&[HOST])).unwrap();
    let pfx = identity.pfx("secret", PfxEncryption::Legacy).unwrap();
    if !openssl_cli::is_installed() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identity.pfx");
    fs::write(&path, pfx).unwrap();
    let read = ["pkcs12", "-nodes", "-in", path.to_str().unwrap(), "-passin", "pass:secret"];
    let output = openssl_cli::run(&read);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("unsupported") && said.contains("RC2-40-CBC"),
        "{said}"
    );
}

#[test]
fn our_own_openssl_reads_it_back() {
    let identity = pki().server(ServerCertificate::Good, &names(&[HOST])).unwrap();
    let pfx = identity.pfx("secret", PfxEncryption::Modern).unwrap();
    let read = Pkcs12::from_der(&pfx).unwrap().parse2("secret").unwrap();
    assert_eq!(read.cert.unwrap(), *identity.leaf());
    assert!(read.ca.unwrap().iter().eq([&*identity.chain()[1]]));
    assert!(read.pkey.unwrap().public_eq(identity.key()));
}

#[test]
fn a_password_that_c_cannot_hold_is_refused() {
    let identity = pki().server(ServerCertificate::Good, &names(&[HOST])).unwrap();
    let refused = identity.pfx("a\0b", PfxEncryption::Modern);
    assert!(matches!(refused, Err(Error::Password)));
}

#[test]
fn every_identity_can_be_a_file() {
    let pki = pki();
    for recipe in ServerCertificate::ALL {
        let identity = pki.server(*recipe, &names(&[HOST])).unwrap();
        let pfx = identity.pfx("secret", PfxEncryption::Modern).unwrap();
        let read = Pkcs12::from_der(&pfx).unwrap().parse2("secret").unwrap();
        assert!(read.pkey.unwrap().public_eq(identity.key()), "{recipe}");
        assert_eq!(read.cert.unwrap(), *identity.leaf(), "{recipe}");
        assert!(PKey::private_key_from_pem(identity.key_pem().as_bytes()).is_ok(), "{recipe}");
    }
}
