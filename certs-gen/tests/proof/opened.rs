//! Files that somebody brings: made by the `openssl` command, and taken or refused when they are loaded.

use std::fs;

use rstest::rstest;
use tempfile::TempDir;
use tls_gauntlet_certs::{ClientCertificate, Format, Identity, PfxEncryption, Unusable, authorities, write};

use crate::judges::openssl_cli;
use crate::pki;

/// A client's certificate and key as PEM files.
fn files() -> (TempDir, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let identity = pki().client(ClientCertificate::Good).unwrap();
    write(dir.path(), &identity, "client", &[Format::Pem], "").unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (chain, key) = (path("client.pem"), path("client.key"));
    (dir, chain, key)
}

#[rstest]
#[case::right(&["-inkey", "KEY"], "secret", "secret", None)]
#[case::no_password(&["-inkey", "KEY"], "", "", None)]
#[case::wrong_password(&["-inkey", "KEY"], "secret", "guess", Some(Unusable::WrongPassword))]
#[case::empty_password(&["-inkey", "KEY"], "secret", "", Some(Unusable::WrongPassword))]
#[case::without_key(&["-nokeys"], "secret", "secret", Some(Unusable::NoKey))]
#[case::legacy(&["-inkey", "KEY", "-legacy"], "secret", "secret", Some(Unusable::Legacy))]
#[case::rc4_128(&["-inkey", "KEY", "-legacy", "-certpbe", "PBE-SHA1-RC4-128"], "secret", "secret", Some(Unusable::Legacy))]
#[case::rc4_40(&["-inkey", "KEY", "-legacy", "-certpbe", "PBE-SHA1-RC4-40"], "secret", "secret", Some(Unusable::Legacy))]
#[case::rc2_128(&["-inkey", "KEY", "-legacy", "-certpbe", "PBE-SHA1-RC2-128"], "secret", "secret", Some(Unusable::Legacy))]
#[case::triple_des(&["-inkey", "KEY", "-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES"], "secret", "secret", None)]
#[case::without_certificate(&["-inkey", "KEY", "-nocerts"], "secret", "secret", Some(Unusable::NoCertificate))]
#[case::without_integrity_and_wrong(&["-inkey", "KEY", "-nomac"], "secret", "guess", Some(Unusable::Illegible))]
#[case::legacy_and_wrong(&["-inkey", "KEY", "-legacy"], "secret", "guess", Some(Unusable::Legacy))]
fn what_the_openssl_command_makes(
    #[case] arguments: &[&str],
    #[case] password: &str,
    #[case] given: &str,
    #[case] refused: Option<Unusable>,
) {
    if !openssl_cli::is_installed() {
        return;
    }
    let (dir, chain, key) = files();
    let pfx = dir.path().join("made.pfx").display().to_string();
    let password = format!("pass:{password}");
    let own = ["pkcs12", "-export", "-in", &chain, "-out", &pfx, "-passout", &password];
    let arguments: Vec<&str> =
        arguments.iter().map(|one| if *one == "KEY" { key.as_str() } else { one }).collect();
    let output = openssl_cli::run(&[&own[..], &arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let opened = Identity::from_pfx(&fs::read(&pfx).unwrap(), given);
    match refused {
        Some(refusal) => assert_eq!(opened.unwrap_err(), refusal),
        None => {
            let (opened, made) = (opened.unwrap(), pki().client(ClientCertificate::Good).unwrap());
            assert_eq!(opened.chain().len(), made.chain().len());
            assert_eq!(opened.subject(), "good.client.gauntlet.test");
            assert!(opened.leaf().public_key().unwrap().public_eq(opened.key()));
        }
    }
}

#[rstest]
#[case::modern(PfxEncryption::Modern, None)]
#[case::legacy(PfxEncryption::Legacy, Some(Unusable::Legacy))]
fn what_we_make_ourselves(#[case] encryption: PfxEncryption, #[case] refused: Option<Unusable>) {
    let identity = pki().client(ClientCertificate::Rsa).unwrap();
    let opened = Identity::from_pfx(&identity.pfx("secret", encryption).unwrap(), "secret");
    match refused {
        Some(refusal) => assert_eq!(opened.unwrap_err(), refusal),
        None => assert_eq!(opened.unwrap().serial(), identity.serial()),
    }
}

#[test]
fn what_is_no_pfx() {
    let identity = pki().client(ClientCertificate::Good).unwrap();
    let pem = format!("{}{}", identity.chain_pem(), identity.key_pem());
    assert_eq!(Identity::from_pfx(pem.as_bytes(), "").unwrap_err(), Unusable::Pem);
    assert_eq!(Identity::from_pfx(b"garbage", "").unwrap_err(), Unusable::NotPfx);
    assert_eq!(Identity::from_pfx(&identity.leaf_der()[..40], "").unwrap_err(), Unusable::NotPfx);
    assert_eq!(Identity::from_pem(pem.as_bytes()).unwrap().serial(), identity.serial());
    assert_eq!(Identity::from_pem(identity.chain_pem().as_bytes()).unwrap_err(), Unusable::NoKey);
    let other = pki().client(ClientCertificate::Rsa).unwrap();
    let mixed = format!("{}{}", identity.chain_pem(), other.key_pem());
    assert_eq!(Identity::from_pem(mixed.as_bytes()).unwrap_err(), Unusable::NoCertificate);
    assert_eq!(authorities(identity.chain_pem().as_bytes()).unwrap().len(), identity.chain().len());
    assert_eq!(authorities(b"").unwrap_err(), Unusable::NoAuthority);
}
