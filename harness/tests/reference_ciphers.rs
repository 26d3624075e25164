//! The cipher suites of a profile on the wire: what `openssl s_client` gets on the client's side, and what the backend is
//! offered.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

mod tool;
mod world;

use std::collections::BTreeSet;

use rstest::rstest;
use tls_gauntlet::{
    client::{ClientTrust, Probe, Target},
    gateway::{GATEWAY_NAME, reference::Reference},
    limits::Limits,
};
use tls_gauntlet_scenarios::{CipherSuite, GatewayProfile, TlsVersion, catalogue};
use tokio::process::Command;

use tool::{is_installed, run};
use world::{World, listener};

const NONCE: &str = "n-0000000000000001";

/// A gateway like this profile before a good backend.
async fn before_a_good_backend(profile: &GatewayProfile) -> World {
    World::imitating(profile, vec![listener("default")], "plain-good").await
}

/// Whether a client that has this suite and no other gets in.
async fn lets_in(gateway: &Reference, suite: CipherSuite) -> bool {
    let address = gateway.listener("default").unwrap();
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address.to_string(), "-brief"]);
    if suite.fits(TlsVersion::Tls13) {
        command.args(["-tls1_3", "-ciphersuites", suite.as_str()]);
    } else {
        let name = openssl::ssl::cipher_name(suite.as_str());
        command.args(["-tls1_2", "-cipher", &format!("{name}:@SECLEVEL=0")]);
    }
    let said = run(command, "").await;
    let (got_in, refused) =
        (said.err.contains("CONNECTION ESTABLISHED"), said.err.contains("alert handshake failure"));
    assert_ne!(got_in, refused, "{suite}: {said:?}");
    got_in
}

/// Whether the program knows it: OpenSSL of distributions is built without the broken ones, and with no PSK there are no
/// anonymous ones that it would take without being asked to.
fn is_common(suite: &CipherSuite) -> bool {
    !["_RC4_", "_3DES_", "_NULL_", "_anon_", "_CCM"].iter().any(|part| suite.as_str().contains(part))
}

/// Each suite alone. The gateway has certificates of both kinds and no Diffie-Hellman parameters.
#[rstest]
#[case("azure-apim-classic@2024-07")]
#[case("azure-apim-classic@2025-08")]
#[case("azure-apim-classic@2025-08+without-cbc")]
#[case("azure-apim-classic@2025-08+without-static-rsa")]
#[case("azure-apim-self-hosted")]
#[tokio::test]
async fn clients_get_the_suites_of_the_profile_and_no_others(#[case] name: &str) {
    if !is_installed("openssl") {
        return;
    }
    let profile = catalogue().profile(name).unwrap();
    let world = before_a_good_backend(&profile).await;
    let listed = profile.client_side.ciphers.as_ref().unwrap();
    let names_older = listed.iter().any(|suite| !suite.fits(TlsVersion::Tls13));
    for suite in CipherSuite::ALL.iter().copied().filter(is_common) {
        if suite.as_str().contains("_DHE_") || !(names_older || suite.fits(TlsVersion::Tls13)) {
            continue;
        }
        assert_eq!(lets_in(&world.gateway, suite).await, listed.contains(&suite), "{suite}");
    }
}

#[rstest]
#[case("azure-apim-classic@2025-08")]
#[case("azure-apim-classic@2025-08+without-cbc")]
#[case("azure-apim-self-hosted")]
#[tokio::test]
async fn backends_are_offered_the_suites_of_the_profile_and_no_others(#[case] name: &str) {
    let profile = catalogue().profile(name).unwrap();
    let world = before_a_good_backend(&profile).await;
    let trust = ClientTrust::ours(&world.pki, GATEWAY_NAME);
    let client = catalogue().client("default").unwrap();
    let probe = Probe::for_client(client, &trust, &world.pki, Limits::default()).unwrap();
    let saw = probe
        .get(&Target {
            address: world.gateway.listener("default").unwrap(),
            host: GATEWAY_NAME.to_owned(),
            path: format!("{}{NONCE}", world.path),
            nonce: NONCE.to_owned(),
        })
        .await;
    assert_eq!(saw.status, Some(200), "{saw:?}");
    world.gateway.stop().await;
    let hello = world.fleet.finish().await.remove(0).remove(0).client_hello.unwrap();
    let signal = |suite: &&String| suite.as_str() != "TLS_EMPTY_RENEGOTIATION_INFO_SCSV";
    let offered: BTreeSet<_> = hello.ciphers.iter().filter(signal).map(String::as_str).collect();
    let listed: BTreeSet<_> =
        profile.backend_side.ciphers.iter().flatten().map(|suite| suite.as_str()).collect();
    assert_eq!(offered, listed);
}
