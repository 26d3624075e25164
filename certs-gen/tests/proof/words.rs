//! The words users write: each is read back as itself, and a typo is told what there is.

use std::collections::HashSet;

use rstest::rstest;
use tls_gauntlet_certs::{ClientCertificate, CrlKind, Format, Name, OcspKind, ServerCertificate};

#[test]
fn recipes_and_formats_are_read_back_as_themselves() {
    for recipe in ServerCertificate::ALL {
        assert_eq!(recipe.to_string().parse::<ServerCertificate>().unwrap(), *recipe);
    }
    for recipe in ClientCertificate::ALL {
        assert_eq!(recipe.to_string().parse::<ClientCertificate>().unwrap(), *recipe);
    }
    for kind in CrlKind::ALL {
        assert_eq!(kind.to_string().parse::<CrlKind>().unwrap(), *kind);
    }
    for kind in OcspKind::ALL {
        assert_eq!(kind.to_string().parse::<OcspKind>().unwrap(), *kind);
    }
    for format in Format::ALL {
        assert_eq!(format.to_string().parse::<Format>().unwrap(), *format);
    }
}

#[test]
fn names_may_be_as_long_as_dns_lets_them() {
    let longest = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
    assert_eq!(longest.parse::<Name>().unwrap().to_string(), longest);
}

#[test]
fn every_recipe_says_what_it_is_and_where_that_is_written() {
    let servers = ServerCertificate::ALL.iter().map(|recipe| (recipe.summary(), recipe.clause()));
    let clients = ClientCertificate::ALL.iter().map(|recipe| (recipe.summary(), recipe.clause()));
    let all: Vec<_> = servers.chain(clients).collect();
    for (summary, clause) in &all {
        assert!(summary.ends_with('.') && clause.starts_with("RFC "), "{summary} {clause}");
    }
    let summaries: HashSet<_> = all.iter().map(|(summary, _)| summary).collect();
    assert_eq!(summaries.len(), all.len());
}

#[test]
fn a_typo_is_told_what_there_is() {
    assert_eq!(
        "expird".parse::<ClientCertificate>().unwrap_err().to_string(),
        "unknown client certificate \"expird\"; known are good, rsa, another-tenant, untrusted, issued-by-server-ca, expired, \
         not-yet-valid, self-signed, wrong-extended-key-usage, revoked, revoked-intermediate, mismatched-key, weak"
    );
    let typo = "good ".parse::<ServerCertificate>().unwrap_err().to_string();
    assert!(
        typo.starts_with("unknown server certificate \"good \"; known are good, good-rsa, rsa-3072, "),
        "{typo}"
    );
    assert_eq!(typo.split(", ").count(), ServerCertificate::ALL.len());
    assert_eq!(
        "godo".parse::<OcspKind>().unwrap_err().to_string(),
        "unknown OCSP response `godo`, expected one of good, revoked, unknown, expired, garbage"
    );
    assert_eq!(
        "full".parse::<CrlKind>().unwrap_err().to_string(),
        "unknown revocation list `full`, expected one of empty, revoked, stale"
    );
    assert_eq!(
        "p12".parse::<Format>().unwrap_err().to_string(),
        "unknown format `p12`, expected one of pem, pfx, pfx-legacy, der"
    );
}

#[rstest]
#[case("orders.test", Name::Dns("orders.test".to_owned()))]
#[case("Orders.TEST", Name::Dns("orders.test".to_owned()))]
#[case("*.orders.test", Name::Dns("*.orders.test".to_owned()))]
#[case("localhost", Name::Dns("localhost".to_owned()))]
#[case("3com.test", Name::Dns("3com.test".to_owned()))]
#[case("127.0.0.1", Name::Ip([127, 0, 0, 1].into()))]
#[case("::1", Name::Ip([0, 0, 0, 0, 0, 0, 0, 1].into()))]
fn names(#[case] text: &str, #[case] name: Name) {
    assert_eq!(text.parse::<Name>().unwrap(), name);
    assert_eq!(name.to_string().parse::<Name>().unwrap(), name);
}

#[rstest]
#[case::empty("")]
#[case::star("*")]
#[case::inner_star("a.*.test")]
#[case::empty_label("a..test")]
#[case::root_dot("a.test.")]
#[case::hyphen_first("-a.test")]
#[case::hyphen_last("a-.test")]
#[case::space("a b.test")]
#[case::not_ascii("bücher.test")]
#[case::port("a.test:443")]
#[case::mistyped_address("127.0.0.256")]
#[case::long_label(&format!("{}.test", "a".repeat(64)))]
#[case::long(&format!("{}test", "a.".repeat(125)))]
fn no_names(#[case] text: &str) {
    let error = text.parse::<Name>().unwrap_err().to_string();
    assert_eq!(error, format!("`{text}` is neither a host name nor an IP address"));
}
