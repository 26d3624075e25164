//! Every key, leaf and chain as the distribution's `openssl s_client` meets it on the wire.

#![allow(clippy::unwrap_used, reason = "clippy takes helpers of tests for no tests")]

mod tool;

use futures_util::future::join_all;
use openssl::asn1::Asn1Time;
use rstest::rstest;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};
use tls_gauntlet::{
    backend::{Backend, Fleet, FleetOptions, SERVER_NAME},
    client::{self, DialerSettings, Probe},
    limits::Limits,
};
use tls_gauntlet_certs::{Pki, ServerCertificate};
use tls_gauntlet_scenarios::{Cause, catalogue};
use tool::{Target, is_installed};

/// What OpenSSL 3.0 says of each: the key and the verification's result (`X509_STORE_CTX_get_error(3)`), or why there
/// is no handshake.
const SEEN: &[(&str, &[&str])] = &[
    ("ca-as-leaf", &["Server public key is 256 bit", "Verify return code: 0 (ok)"]),
    ("chain-10-deep", &["Server public key is 256 bit", "Verify return code: 0 (ok)", " 9 s:"]),
    ("chain-50-deep", &["Server public key is 256 bit", "Verify return code: 0 (ok)", "49 s:"]),
    ("cn-right-san-wrong", &["Server public key is 256 bit", "Verify return code: 62 (hostname mismatch)"]),
    ("cn-only", &["Server public key is 256 bit", "Verify return code: 0 (ok)"]),
    ("cross-signed-one-expired", &["Server public key is 256 bit", "Verify return code: 0 (ok)", " 2 s:"]),
    ("duplicated-chain", &["Server public key is 256 bit", "Verify return code: 0 (ok)", " 2 s:"]),
    (
        "ed25519",
        &["Server public key is 256 bit", "Verify return code: 0 (ok)", "Peer signature type: ed25519"],
    ),
    ("ed448", &["Server public key is 456 bit", "Verify return code: 0 (ok)", "Peer signature type: ed448"]),
    (
        "expired-intermediate",
        &["Server public key is 256 bit", "Verify return code: 10 (certificate has expired)"],
    ),
    (
        "expired-root",
        &["Server public key is 256 bit", "Verify return code: 20 (unable to get local issuer certificate)"],
    ),
    ("idn", &["Server public key is 256 bit", "Verify return code: 0 (ok)"]),
    (
        "intermediate-no-ca",
        &["Server public key is 256 bit", "Verify return code: 26 (unsuitable certificate purpose)"],
    ),
    ("ip-san", &["Server public key is 256 bit", "Verify return code: 0 (ok)"]),
    ("ip-san-with-dns", &["Server public key is 256 bit", "Verify return code: 0 (ok)"]),
    (
        "malformed-der",
        &["Server public key is 2048 bit", "Verify return code: 21 (unable to verify the first certificate)"],
    ),
    (
        "md5-signed-leaf",
        &["Server public key is 256 bit", "Verify return code: 68 (CA signature digest algorithm too weak)"],
    ),
    ("mismatched-key", &["Server public key is 256 bit", "tls_process_cert_verify:bad signature"]),
    ("missing-extended-key-usage", &["Server public key is 256 bit", "Verify return code: 0 (ok)"]),
    ("ml-dsa-65", &["sslv3 alert handshake failure"]),
    ("name-constraints-kept", &["Server public key is 256 bit", "Verify return code: 0 (ok)"]),
    (
        "name-constraints-violated",
        &["Server public key is 256 bit", "Verify return code: 48 (excluded subtree violation)"],
    ),
    ("no-common-name", &["Server public key is 256 bit", "Verify return code: 0 (ok)"]),
    ("no-subject", &["Server public key is 256 bit", "Verify return code: 0 (ok)"]),
    ("nul-in-name", &["Server public key is 256 bit", "Verify return code: 62 (hostname mismatch)"]),
    ("p384", &["Server public key is 384 bit", "Verify return code: 0 (ok)"]),
    ("p521", &["Server public key is 521 bit", "Verify return code: 0 (ok)"]),
    (
        "path-length-exceeded",
        &["Server public key is 256 bit", "Verify return code: 25 (path length constraint exceeded)"],
    ),
    ("reversed-chain", &["Server public key is 256 bit", "Verify return code: 0 (ok)"]),
    ("rsa-1024", &["Server public key is 1024 bit", "Verify return code: 66 (EE certificate key too weak)"]),
    ("rsa-3072", &["Server public key is 3072 bit", "Verify return code: 0 (ok)"]),
    ("rsa-4096", &["Server public key is 4096 bit", "Verify return code: 0 (ok)"]),
    ("rsa-8192", &["Server public key is 8192 bit", "Verify return code: 0 (ok)"]),
    ("rsa-pss", &["Server public key is 2048 bit", "Verify return code: 0 (ok)"]),
    (
        "sha1-signed-intermediate",
        &["Server public key is 256 bit", "Verify return code: 68 (CA signature digest algorithm too weak)"],
    ),
    (
        "sha1-signed-leaf",
        &["Server public key is 256 bit", "Verify return code: 68 (CA signature digest algorithm too weak)"],
    ),
    (
        "tampered-signature",
        &["Server public key is 256 bit", "Verify return code: 7 (certificate signature failure)"],
    ),
    ("ten-thousand-names", &["excessive message size"]),
    ("thousand-names", &["Server public key is 256 bit", "Verify return code: 0 (ok)"]),
    ("underscore", &["Server public key is 256 bit", "Verify return code: 0 (ok)"]),
    (
        "unknown-critical-extension",
        &["Server public key is 256 bit", "Verify return code: 34 (unhandled critical extension)"],
    ),
    ("uri-san", &["Server public key is 256 bit", "Verify return code: 62 (hostname mismatch)"]),
    ("two-intermediates", &["Server public key is 256 bit", "Verify return code: 0 (ok)", " 2 s:"]),
    ("wildcard", &["Server public key is 256 bit", "Verify return code: 0 (ok)"]),
    ("wildcard-too-deep", &["Server public key is 256 bit", "Verify return code: 62 (hostname mismatch)"]),
    ("with-root", &["Server public key is 256 bit", "Verify return code: 0 (ok)", " 2 s:"]),
    ("with-unrelated", &["Server public key is 256 bit", "Verify return code: 0 (ok)", " 2 s:"]),
    (
        "wrong-key-usage",
        &["Server public key is 2048 bit", "Verify return code: 26 (unsuitable certificate purpose)"],
    ),
    ("x509-v1", &["Server public key is 256 bit", "Verify return code: 0 (ok)"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn s_client_sees_each_certificate_as_its_name_says() {
    if !is_installed("openssl") {
        return;
    }
    let seen = join_all(SEEN.iter().map(async |(backend, wanted)| {
        let target = Target::start(backend).await;
        let recipe = target.backend.profile().certificate();
        let name = recipe.dialled(SERVER_NAME);
        let about_name = if name.parse::<std::net::IpAddr>().is_ok() {
            format!("-noservername -verify_ip {name}")
        } else {
            format!("-servername {name} -verify_hostname {name}")
        };
        let said = target.s_client(&about_name).await;
        let text = said.out + &said.err;
        let missing: Vec<_> = wanted.iter().filter(|words| !text.contains(**words)).collect();
        (!missing.is_empty()).then(|| format!("{backend}: no {missing:?} in\n{text}"))
    }));
    let wrong: Vec<_> = seen.await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// When the certificate of `expires-during-run` ends, in seconds since 1970.
fn end_of(backend: &Backend) -> i64 {
    let recipe = ServerCertificate::ExpiresDuringRun;
    let identity = backend.pki().server(recipe, &FleetOptions::default().names).unwrap();
    let lasts = Asn1Time::from_unix(0).unwrap().diff(identity.leaf().not_after()).unwrap();
    i64::from(lasts.days) * 86400 + i64::from(lasts.secs)
}

#[tokio::test]
async fn a_certificate_that_expires_during_the_run_is_sound_before_and_expired_after() {
    if !is_installed("openssl") {
        return;
    }
    let target = Target::start("expires-during-run").await;
    let end = end_of(&target.backend);
    for (at, wanted) in [(end - 1, "0 (ok)"), (end + 1, "10 (certificate has expired)")] {
        let said = target.s_client(&format!("-attime {at}")).await;
        assert!(said.out.contains(&format!("Verify return code: {wanted}")), "{at}: {said:?}");
    }
}

/// The same by the clock on the wall: authorities that were made two hours ago, and a certificate that lasts one hour or three.
#[rstest]
#[case(Duration::hours(3), None)]
#[case(Duration::hours(1), Some(Cause::ServerCertExpired))]
#[tokio::test]
async fn how_long_a_certificate_lasts_can_be_chosen(
    #[case] expires_in: Duration,
    #[case] refused: Option<Cause>,
) {
    #[allow(
        clippy::disallowed_methods,
        reason = "certificates must be valid by the clock that OpenSSL reads"
    )]
    let now = OffsetDateTime::now_utc();
    let pki = Arc::new(Pki::new(7, now - Duration::hours(2)).unwrap());
    let plan = [catalogue().backend("expires-during-run").unwrap()];
    let options = FleetOptions { expires_in, ..FleetOptions::default() };
    let fleet = Fleet::start(&plan, &pki, &options).await.unwrap();
    let probe = Probe::new(&DialerSettings::sound(SERVER_NAME, &pki), Limits::default()).unwrap();
    let saw = probe
        .get(&client::Target {
            address: fleet.backends()[0].address(),
            host: SERVER_NAME.to_owned(),
            path: "/".to_owned(),
            nonce: String::new(),
        })
        .await;
    assert_eq!((saw.refused_because, saw.status.is_none()), (refused, refused.is_some()), "{saw:?}");
}

#[test]
fn every_certificate_is_in_the_table() {
    let families = ["key", "leaf", "chain"];
    let mut all: Vec<_> = catalogue()
        .backends()
        .filter(|(_, family, _)| families.contains(family))
        .map(|(name, _, _)| name)
        .collect();
    all.sort_unstable();
    let mut proven: Vec<_> = SEEN.iter().map(|(name, _)| *name).collect();
    proven.sort_unstable();
    assert_eq!(proven, all);
}
