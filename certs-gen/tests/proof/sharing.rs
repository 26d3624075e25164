//! An identity is made once and shared, and nothing that is shared tells a secret.

use std::sync::Arc;
use std::thread;

use time::Duration;
use tls_gauntlet_certs::{Circumstances, ClientCertificate, Error, Identity, Name, Pki, ServerCertificate};

use crate::{HOST, names, pki};

#[test]
fn the_same_request_gets_the_same_identity() {
    let pki = pki();
    let server = |recipe, host| pki.server(recipe, &names(&[host])).unwrap();
    let good = server(ServerCertificate::Good, HOST);
    assert!(Arc::ptr_eq(&good, &server(ServerCertificate::Good, HOST)));
    assert!(!Arc::ptr_eq(&good, &server(ServerCertificate::Good, "other.test")));
    assert!(!Arc::ptr_eq(&good, &server(ServerCertificate::Expired, HOST)));

    let client = pki.client(ClientCertificate::Good).unwrap();
    assert!(Arc::ptr_eq(&client, &pki.client(ClientCertificate::Good).unwrap()));
}

#[test]
fn circumstances_make_another_identity_of_those_that_depend_on_them() {
    let pki = pki();
    let asked = |recipe, circumstances: &Circumstances| {
        pki.server_in(recipe, &names(&[HOST]), circumstances).unwrap()
    };
    let usual = Circumstances::default();
    let other = Circumstances {
        expires_in: Duration::HOUR,
        crl_url: "http://other.test/crl".to_owned(),
        ocsp_url: "http://other.test/ocsp".to_owned(),
    };
    for recipe in ServerCertificate::ALL {
        let is_same = Arc::ptr_eq(&asked(*recipe, &usual), &asked(*recipe, &other));
        let depends = matches!(
            recipe,
            ServerCertificate::ExpiresDuringRun
                | ServerCertificate::RevokedByCrl
                | ServerCertificate::RevokedByOcsp
                | ServerCertificate::PointsToCrl
                | ServerCertificate::PointsToOcsp
        );
        assert_eq!(is_same, !depends, "{recipe}");
        assert!(Arc::ptr_eq(&asked(*recipe, &usual), &pki.server(*recipe, &names(&[HOST])).unwrap()));
    }
}

#[test]
fn long_keys_are_made_once_in_a_process() {
    let key = |recipe| pki().server(recipe, &names(&[HOST])).unwrap().key_pem();
    for recipe in [ServerCertificate::Rsa1024, ServerCertificate::Rsa8192, ServerCertificate::RsaPss] {
        assert_eq!(key(recipe), key(recipe), "{recipe}");
    }
    assert_ne!(key(ServerCertificate::GoodRsa), key(ServerCertificate::GoodRsa));
}

#[test]
fn the_wrong_name_is_the_same_for_everybody() {
    let pki = pki();
    let wrong = |host| pki.server(ServerCertificate::WrongName, &names(&[host])).unwrap();
    assert!(Arc::ptr_eq(&wrong("a.test"), &wrong("b.test")));
}

#[test]
fn those_who_ask_at_once_get_the_same_identity() {
    let pki = pki();
    let asked: Vec<Arc<Identity>> = thread::scope(|scope| {
        let ask = || pki.server(ServerCertificate::GoodRsa, &names(&[HOST])).unwrap();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(asked.iter().all(|one| Arc::ptr_eq(one, &asked[0])));
}

#[test]
fn one_rsa_key_serves_all() {
    let pki = pki();
    let key = |host| pki.server(ServerCertificate::GoodRsa, &names(&[host])).unwrap().key_pem();
    assert_eq!(key("a.test"), key("b.test"));
    assert_ne!(key("a.test"), pki.server(ServerCertificate::Good, &names(&["a.test"])).unwrap().key_pem());
}

#[test]
fn it_may_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Pki>();
    shared::<Identity>();
    shared::<Error>();
}

#[test]
fn debug_output_tells_no_secret() {
    let pki = pki();
    let identity = pki.client(ClientCertificate::Good).unwrap();
    let expected = format!(
        "Identity {{ subject: \"good.client.gauntlet.test\", fingerprint: {:?}, chain: 2, .. }}",
        identity.fingerprint()
    );
    assert_eq!(format!("{identity:?}"), expected);
    assert_eq!(
        format!("{pki:?}"),
        "Pki { seed: 42, now: 2041-03-01 12:00:00.0 +00:00:00, identities: 1, .. }"
    );
}

#[test]
fn a_server_without_a_usable_name_is_refused() {
    let server = |names: &[Name]| pki().server(ServerCertificate::Good, names).unwrap_err().to_string();
    assert_eq!(server(&[]), "a server certificate needs at least one name");
    let by_hand = Name::Dns("a\0b".to_owned());
    assert_eq!(server(&[by_hand]), "`a\0b` is neither a host name nor an IP address");
}
