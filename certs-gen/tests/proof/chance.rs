//! Time and chance are arguments: what is asked for twice is called the same twice.

use std::collections::HashSet;

use openssl::x509::X509Ref;
use rstest::rstest;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use tls_gauntlet_certs::{ClientCertificate, Error, Pki, ServerCertificate};

use crate::{NOW, names};

/// Everything about a certificate that is not its key.
type Facts = Vec<String>;

#[test]
fn the_same_seed_and_clock_give_the_same_certificates() {
    assert_eq!(facts(42, NOW), facts(42, NOW));
}

#[rstest]
#[case::seed(43, NOW)]
#[case::clock(42, NOW + Duration::SECOND)]
fn another_seed_or_clock_gives_other_serials(#[case] seed: u64, #[case] now: OffsetDateTime) {
    let (one, other) = (serials(42, NOW), serials(seed, now));
    assert_eq!(one.intersection(&other).next(), None);
}

#[test]
fn no_serial_is_used_twice() {
    assert_eq!(serials(42, NOW).len(), certificates(&Pki::new(42, NOW).unwrap()).len());
}

#[test]
fn serials_are_positive_and_of_legal_length() {
    for certificate in certificates(&Pki::new(42, NOW).unwrap()) {
        let serial = certificate.serial_number().to_bn().unwrap();
        assert!(!serial.is_negative() && serial.num_bits() == 127, "{serial}");
    }
}

#[test]
fn authorities_are_called_by_their_seed() {
    let pki = Pki::new(0x2a, NOW).unwrap();
    let called = |root: &X509Ref| root.subject_name().entries().next().unwrap().data().to_string().unwrap();
    assert_eq!(called(pki.server_root()), "Gauntlet Server Root 0000002a");
    assert_eq!(called(pki.client_root()), "Gauntlet Client Root 0000002a");
    assert_eq!(called(pki.untrusted_root()), "Gauntlet Untrusted Root 0000002a");
}

#[test]
fn keys_are_fresh_all_the_same() {
    let key = || Pki::new(42, NOW).unwrap().client(ClientCertificate::Good).unwrap().key_pem();
    assert_ne!(key(), key());
}

#[test]
fn the_zone_of_the_clock_does_not_matter() {
    assert_eq!(facts(42, NOW), facts(42, NOW.to_offset(time::macros::offset!(+5:30))));
}

#[rstest]
#[case::before_certificates(datetime!(1950-01-01 0:00 UTC))]
#[case::end_of_certificates(datetime!(9999-12-31 23:00 UTC))]
#[case::end_of_the_calendar(datetime!(9999-12-31 23:00 -23))]
fn a_clock_too_far_out_is_refused(#[case] now: OffsetDateTime) {
    assert!(matches!(Pki::new(42, now), Err(Error::Clock(_))));
}

fn facts(seed: u64, now: OffsetDateTime) -> Vec<Facts> {
    let fact = |one: &openssl::x509::X509| {
        let names = [one.subject_name(), one.issuer_name()].map(|name| format!("{name:?}"));
        let dates = [one.not_before(), one.not_after()].map(ToString::to_string);
        let serial = one.serial_number().to_bn().unwrap().to_string();
        names.into_iter().chain(dates).chain([serial]).collect()
    };
    certificates(&Pki::new(seed, now).unwrap()).iter().map(fact).collect()
}

fn serials(seed: u64, now: OffsetDateTime) -> HashSet<String> {
    let pki = Pki::new(seed, now).unwrap();
    certificates(&pki).iter().map(|one| one.serial_number().to_bn().unwrap().to_string()).collect()
}

/// The roots, the intermediates, the odd chains, and leaves that differ in recipe, in side, in names and in nothing but where
/// one name ends and the next begins.
fn certificates(pki: &Pki) -> Vec<openssl::x509::X509> {
    let hosts = [
        names(&["a.test"]),
        names(&["good.client.gauntlet.test"]),
        names(&["a.test", "b.test"]),
        names(&["a.testb.test"]),
    ];
    let servers = ServerCertificate::ALL
        .iter()
        .flat_map(|recipe| hosts.iter().map(|names| pki.server(*recipe, names).unwrap()))
        .flat_map(|identity| identity.chain().to_vec());
    let clients = ClientCertificate::ALL.iter().map(|recipe| pki.client(*recipe).unwrap().leaf().clone());
    let all: Vec<openssl::x509::X509> = servers.chain(clients).collect();
    let intermediates = [
        pki.server(ServerCertificate::Good, &hosts[0]).unwrap(),
        pki.client(ClientCertificate::Good).unwrap(),
        pki.client(ClientCertificate::Untrusted).unwrap(),
    ];
    let intermediates = intermediates.iter().map(|identity| identity.chain()[1].clone());
    let roots =
        [pki.server_root(), pki.client_root(), pki.untrusted_root(), pki.expired_root()].map(Clone::clone);

    // Authorities are in many chains, and the wrong name is the same for everybody.
    let mut seen = HashSet::new();
    all.into_iter()
        .chain(intermediates)
        .chain(roots)
        .filter(|one| seen.insert(one.to_der().unwrap()))
        .collect()
}
