//! `gauntlet azure`: what a service takes, and what its settings are.

use std::fs;

use rstest::rstest;
use tempfile::tempdir;

use crate::gauntlet::in_dir;

const CLASSIC: &str = "azure-apim-classic@2025-08";

#[test]
fn certificates_are_taken_or_refused_when_they_are_uploaded() {
    let dir = tempdir().unwrap();
    let made = in_dir(dir.path(), "certs pki client-good --format pem,pfx --password secret");
    assert_eq!((made.code, made.err.as_str()), (0, ""));
    let upload = |arguments: &str| in_dir(dir.path(), &format!("azure upload {CLASSIC} {arguments}"));

    let taken = upload("pki/client-good.pfx --password secret");
    assert_eq!((taken.code, taken.err.as_str()), (0, ""));
    assert!(taken.out.starts_with("taken: CN=good.client.gauntlet.test, serial number "), "{}", taken.out);
    assert!(taken.out.ends_with(", 1 above it\n"), "{}", taken.out);
    let guessed = upload("pki/client-good.pfx --password guess");
    assert_eq!((guessed.code, guessed.out.as_str()), (2, ""));
    assert_eq!(guessed.err, "error: pki/client-good.pfx: the password does not open it\n");

    let root = upload("pki/server-root.pem --store Root");
    assert!(root.out.starts_with("taken into the store Root: Gauntlet Server Root "), "{root:?}");
    // What is above the leaf, as a file of its own.
    let chain = fs::read_to_string(dir.path().join("pki/client-good.pem")).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    fs::write(dir.path().join("above.pem"), chain.split_inclusive(end).nth(1).unwrap()).unwrap();
    let above = upload("above.pem --store CertificateAuthority");
    let taken = "taken into the store CertificateAuthority: Gauntlet Client Intermediate ";
    assert!(above.out.starts_with(taken), "{above:?}");
    for (file, store, words) in [
        (
            "above.pem",
            "Root",
            "it is an intermediate, which anchors nothing; it belongs into the store \"CertificateAuthority\"",
        ),
        ("pki/server-root.pem", "CertificateAuthority", "it is a root; it belongs into the store \"Root\""),
    ] {
        let refused = upload(&format!("{file} --store {store}"));
        assert_eq!((refused.code, refused.err), (2, format!("error: {file}: {words}\n")));
    }
}

/// The last day of the old defaults is 1 April 2018.
#[rstest]
#[case("2018-04-01", true)]
#[case("2018-04-02", false)]
fn a_service_has_the_defaults_of_its_age(#[case] made: &str, #[case] old: bool) {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("service.json"), r#"{"properties": {"customProperties": {}}}"#).unwrap();
    let read = in_dir(dir.path(), &format!("azure import service.json --made {made}"));
    assert_eq!(read.code, 0, "{}", read.err);
    assert_eq!(read.out.contains("TLS_RSA_WITH_3DES_EDE_CBC_SHA"), old, "{}", read.out);
}

#[test]
fn of_several_services_the_named_one_is_read() {
    let dir = tempdir().unwrap();
    let service = |name: &str, tls13: &str| {
        let key = "Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Backend.Protocols.Tls13";
        serde_json::json!({ "name": name, "properties": { "customProperties": { key: tls13 } } })
    };
    let template = serde_json::json!({ "resources": [service("one", "False"), service("two", "True")] });
    fs::write(dir.path().join("template.json"), template.to_string()).unwrap();
    let two = in_dir(dir.path(), "azure import template.json --service two");
    assert_eq!((two.code, two.err.as_str()), (0, ""));
    assert!(two.out.contains("TLSv1.2, TLSv1.3 to backends"), "{}", two.out);
    for (arguments, words) in [
        ("", "has several services; pass --service with one of one, two"),
        (" --service three", "has no service \"three\"; it has one, two"),
    ] {
        let refused = in_dir(dir.path(), &format!("azure import template.json{arguments}"));
        assert_eq!((refused.code, refused.err), (2, format!("error: template.json {words}\n")));
    }
}
