//! What is in a certificate is what its recipe says, to the letter.

use openssl::nid::Nid;
use openssl::x509::X509;
use rstest::rstest;
use time::Duration;
use tls_gauntlet_certs::{Circumstances, ClientCertificate, Error, Name, ServerCertificate};

use crate::judges::Question;
use crate::{HOST, NOW, names, pki};

fn leaf(recipe: ServerCertificate, asked: &[&str]) -> X509 {
    pki().server(recipe, &names(asked)).unwrap().leaf().clone()
}

/// The alternative names as `DNS:...`, `IP:...` and `URI:...`.
fn alternative_names(leaf: &X509) -> Vec<String> {
    let spell = |name: &openssl::x509::GeneralNameRef| match (name.dnsname(), name.uri(), name.ipaddress()) {
        (Some(name), ..) => format!("DNS:{name}"),
        (_, Some(uri), _) => format!("URI:{uri}"),
        (.., Some(address)) => format!("IP:{}", address.len()),
        (None, None, None) => "another kind".to_owned(),
    };
    leaf.subject_alt_names().map(|names| names.iter().map(spell).collect()).unwrap_or_default()
}

fn subject(leaf: &X509) -> Vec<String> {
    let spell = |part: &openssl::x509::X509NameEntryRef| {
        format!("{}={}", part.object().nid().short_name().unwrap(), part.data().to_string().unwrap())
    };
    leaf.subject_name().entries().map(spell).collect()
}

#[rstest]
#[case(ServerCertificate::CnOnly, &[HOST], &["CN=orders.test"], &[])]
#[case(ServerCertificate::NoCommonName, &[HOST], &["O=Gauntlet"], &["DNS:orders.test"])]
#[case(ServerCertificate::NoSubject, &[HOST], &[], &["DNS:orders.test"])]
#[case(ServerCertificate::IpSan, &[HOST], &["O=Gauntlet"], &["IP:4", "IP:16"])]
#[case(ServerCertificate::IpSan, &[HOST, "::2"], &["O=Gauntlet"], &["IP:16"])]
#[case(ServerCertificate::IpSanWithDns, &[HOST, "::2"], &["CN=orders.test"], &["DNS:orders.test", "IP:16"])]
#[case(ServerCertificate::CnRightSanWrong, &[HOST], &["CN=orders.test"], &["DNS:wrong.gauntlet.test"])]
#[case(ServerCertificate::Wildcard, &[HOST], &["CN=*.orders.test"], &["DNS:*.orders.test"])]
#[case(ServerCertificate::Wildcard, &["*.orders.test"], &["CN=*.orders.test"], &["DNS:*.orders.test"])]
#[case(ServerCertificate::WildcardTooDeep, &["::1", HOST], &["CN=*.orders.test"], &["DNS:*.orders.test"])]
#[case(ServerCertificate::Idn, &["::1"], &["CN=xn--bcher-kva.gauntlet.test"], &["DNS:xn--bcher-kva.gauntlet.test"])]
#[case(ServerCertificate::Underscore, &[HOST], &["CN=under_score.orders.test"], &["DNS:under_score.orders.test"])]
#[case(ServerCertificate::NulInName, &[HOST], &["CN=Gauntlet server"], &["DNS:orders.test\0.attacker.test"])]
#[case(ServerCertificate::UriSan, &[HOST], &["CN=Gauntlet server"], &["URI:spiffe://orders.test/backend"])]
#[case(ServerCertificate::X509V1, &[HOST], &["CN=orders.test"], &[])]
fn names_are_where_the_recipe_puts_them(
    #[case] recipe: ServerCertificate,
    #[case] asked: &[&str],
    #[case] in_subject: &[&str],
    #[case] alternative: &[&str],
) {
    let leaf = leaf(recipe, asked);
    assert_eq!(subject(&leaf), in_subject);
    assert_eq!(alternative_names(&leaf), alternative);
}

#[rstest]
#[case(ServerCertificate::ThousandNames, 1_000)]
#[case(ServerCertificate::TenThousandNames, 10_000)]
fn many_names_end_with_those_asked_for(#[case] recipe: ServerCertificate, #[case] count: usize) {
    let all = alternative_names(&leaf(recipe, &[HOST, "other.test"]));
    assert_eq!(all.len(), count);
    assert_eq!(all[0], "DNS:name-00000.orders.test");
    assert_eq!(all[count - 2..], ["DNS:orders.test", "DNS:other.test"]);
}

#[rstest]
#[case(ServerCertificate::Wildcard)]
#[case(ServerCertificate::Idn)]
fn a_host_with_no_room_for_a_label_is_refused(#[case] recipe: ServerCertificate) {
    let longest = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
    assert!(matches!(pki().server(recipe, &[Name::Dns(longest)]), Err(Error::Name(_))));
}

#[test]
fn the_alternative_names_of_nobody_are_critical() {
    let text = |recipe| String::from_utf8(leaf(recipe, &[HOST]).to_text().unwrap()).unwrap();
    assert!(text(ServerCertificate::NoSubject).contains("Subject Alternative Name: critical"));
    assert!(text(ServerCertificate::NoCommonName).contains("Subject Alternative Name: \n"));
}

#[rstest]
#[case(ServerCertificate::Good, 0, Nid::ECDSA_WITH_SHA256)]
#[case(ServerCertificate::Ed448, 0, Nid::ECDSA_WITH_SHA256)]
#[case(ServerCertificate::Sha1SignedLeaf, 0, Nid::SHA1WITHRSAENCRYPTION)]
#[case(ServerCertificate::Md5SignedLeaf, 0, Nid::MD5WITHRSAENCRYPTION)]
#[case(ServerCertificate::Sha1SignedIntermediate, 0, Nid::ECDSA_WITH_SHA256)]
#[case(ServerCertificate::Sha1SignedIntermediate, 1, Nid::SHA1WITHRSAENCRYPTION)]
#[case(ServerCertificate::Sha1SignedIntermediate, 2, Nid::ECDSA_WITH_SHA256)]
fn it_is_signed_with(#[case] recipe: ServerCertificate, #[case] depth: usize, #[case] algorithm: Nid) {
    let identity = pki().server(recipe, &names(&[HOST])).unwrap();
    assert_eq!(identity.chain()[depth].signature_algorithm().object().nid(), algorithm);
}

#[rstest]
#[case(ServerCertificate::Good, 2)]
#[case(ServerCertificate::X509V1, 0)]
fn versions_count_from_zero(#[case] recipe: ServerCertificate, #[case] version: i32) {
    assert_eq!(leaf(recipe, &[HOST]).version(), version);
}

#[rstest]
#[case::before(Duration::seconds(29), None)]
#[case::after(Duration::seconds(31), Some(("certificate has expired at 0", "CertExpired")))]
fn it_expires_when_it_is_told_to(#[case] after: Duration, #[case] refusal: Option<(&str, &str)>) {
    let pki = pki();
    let circumstances = Circumstances { expires_in: Duration::seconds(30), ..Circumstances::default() };
    let short = pki.server_in(ServerCertificate::ExpiresDuringRun, &names(&[HOST]), &circumstances).unwrap();
    Question { at: NOW + after, ..Question::server(&short, pki.server_root()) }
        .must_answer(refusal.map(|(openssl, _)| openssl), refusal.map(|(_, webpki)| webpki));
}

#[rstest]
#[case::calendar(Duration::MAX)]
#[case::certificate(Duration::days(3_000_000))]
fn it_cannot_expire_beyond_the_calendar(#[case] expires_in: Duration) {
    let circumstances = Circumstances { expires_in, ..Circumstances::default() };
    let refused = pki().server_in(ServerCertificate::ExpiresDuringRun, &names(&[HOST]), &circumstances);
    assert!(matches!(refused, Err(Error::Clock(_))));
}

#[test]
fn clients_are_called_and_issued_as_was_said_before_they_were_made() {
    let pki = pki();
    for &recipe in ClientCertificate::ALL {
        let issuer = pki.client_issuer(recipe).unwrap();
        let leaf = pki.client(recipe).unwrap().leaf().clone();
        assert_eq!(subject(&leaf), [format!("CN={}", recipe.common_name())]);
        let issuer = issuer.as_ref().unwrap_or(&leaf);
        let names = [issuer.subject_name(), leaf.issuer_name()].map(|name| name.to_der().unwrap());
        assert_eq!(names[0], names[1], "{recipe}");
    }
}
