//! Identities as files: the right content, for the right eyes, whole or not at all.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use openssl::pkey::PKey;
use openssl::x509::X509;
use rstest::rstest;
use tls_gauntlet_certs::{ClientCertificate, Format, Identity, write};

use crate::pki;
#[cfg(unix)]
use crate::public_mode;

fn identity() -> std::sync::Arc<Identity> {
    pki().client(ClientCertificate::Good).unwrap()
}

/// Everything in a folder, hidden files too.
fn listing(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = fs::read_dir(dir).unwrap().map(name).collect();
    names.sort();
    names
}

#[rstest]
#[case(Format::Pem, &["me.both.pem", "me.key", "me.pem"])]
#[case(Format::Pfx, &["me.pfx"])]
#[case(Format::PfxLegacy, &["me.legacy.pfx"])]
#[case(Format::Der, &["me.der"])]
fn each_format_has_its_files(#[case] format: Format, #[case] expected: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("not/there/yet");
    let mut paths = write(&folder, &identity(), "me", &[format], "secret").unwrap();
    assert_eq!(listing(&folder), expected);
    paths.sort();
    assert_eq!(paths, expected.iter().map(|name| folder.join(name)).collect::<Vec<_>>());
}

#[test]
fn the_files_hold_the_identity() {
    let dir = tempfile::tempdir().unwrap();
    let me = identity();
    write(dir.path(), &me, "me", Format::ALL, "secret").unwrap();
    let read = |name: &str| fs::read(dir.path().join(name)).unwrap();

    assert_eq!(X509::stack_from_pem(&read("me.pem")).unwrap(), me.chain());
    assert!(PKey::private_key_from_pem(&read("me.key")).unwrap().public_eq(me.key()));
    assert!(read("me.key").starts_with(b"-----BEGIN PRIVATE KEY-----\n"), "PKCS#8");
    assert_eq!(read("me.both.pem"), [read("me.pem"), read("me.key")].concat());
    assert_eq!(X509::from_der(&read("me.der")).unwrap(), *me.leaf());
    let digest = openssl::sha::sha256(&read("me.der"));
    assert_eq!(me.fingerprint(), openssl::bn::BigNum::from_slice(&digest).map(|n| hex(&n)).unwrap());
}

fn hex(number: &openssl::bn::BigNum) -> String {
    format!("{:0>64}", number.to_hex_str().unwrap().to_lowercase())
}

#[cfg(unix)]
#[rstest]
#[case("me.pem", public_mode())]
#[case("me.der", public_mode())]
#[case("me.key", 0o600)]
#[case("me.both.pem", 0o600)]
#[case("me.pfx", 0o600)]
#[case("me.legacy.pfx", 0o600)]
fn keys_are_for_the_owner_alone(#[case] name: &str, #[case] mode: u32) {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    // What was there before does not lend its mode.
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    write(dir.path(), &identity(), "me", Format::ALL, "secret").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
}

#[cfg(unix)]
#[test]
fn a_reader_sees_the_old_file_or_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("me.pem");
    fs::write(&path, "old").unwrap();
    let mut reader = File::open(&path).unwrap();
    let me = identity();
    write(dir.path(), &me, "me", &[Format::Pem], "").unwrap();

    let mut seen = String::new();
    reader.read_to_string(&mut seen).unwrap();
    assert_eq!(seen, "old");
    assert_eq!(fs::read_to_string(&path).unwrap(), me.chain_pem());
}

#[test]
fn what_cannot_be_written_is_named_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("me.der");
    fs::create_dir(&path).unwrap();
    let error = write(dir.path(), &identity(), "me", &[Format::Der], "").unwrap_err();
    assert_eq!(error.to_string(), format!("cannot write {}", path.display()));
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(listing(dir.path()), ["me.der"]);
}

#[rstest]
fn a_stem_cannot_lead_out_of_the_folder(#[values("", ".", "..", "../me", "a/b", "/me", "me/")] stem: &str) {
    let dir = tempfile::tempdir().unwrap();
    let error = write(dir.path(), &identity(), stem, &[Format::Der], "").unwrap_err();
    assert_eq!(error.to_string(), format!("`{stem}` cannot be the name of a file"));
}
