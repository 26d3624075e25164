//! Recorded clients before servers; that the real ones still send what was recorded, `hello.rs` has found.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

use tls_gauntlet::{
    Backend,
    limits::Limits,
    presets::{self, Fate},
};
use tls_gauntlet_scenarios::{Cause, TlsVersion};

async fn fates(backend: &Backend) -> Vec<Fate> {
    presets::at_server(backend.address(), Some("localhost"), |_| true, Limits::default()).await
}

fn of<'a>(fates: &'a [Fate], preset: &str) -> &'a Fate {
    fates.iter().find(|fate| fate.preset == preset).unwrap()
}

/// What the server itself saw is what the preset says.
#[tokio::test]
async fn a_server_sees_the_client_that_was_recorded() {
    let backend = Backend::start("tls10-to-13").await.unwrap();
    let fates = fates(&backend).await;
    let ledger = backend.recorded(fates.len()).await;
    let seen: Vec<_> = ledger.iter().filter_map(|entry| entry.client_hello.as_ref()).collect();
    for (name, preset) in presets::all() {
        let ja3 = preset.ja3.clone().unwrap_or_else(|| preset.hello().ja3);
        assert!(seen.iter().any(|hello| hello.ja3 == ja3), "nobody came as {name}");
    }
}

/// The same as the model says of a gateway without them.
#[tokio::test]
async fn who_dies_without_old_versions() {
    let fates = fates(&Backend::start("tls12-only").await.unwrap()).await;
    let lost: Vec<_> = fates.iter().filter(|fate| !fate.works()).map(|fate| fate.preset.as_str()).collect();
    assert_eq!(
        lost,
        ["android-4.0", "dotnet-4.5", "internet-explorer-8-windows-7", "java-7", "openssl-0.9.8"]
    );
    assert_eq!(of(&fates, "java-7").cause, Some(Cause::NoCommonVersion));
    let java = of(&fates, "java-17");
    assert_eq!(java.tls_version, Some(TlsVersion::Tls12));
    assert!(java.cipher.as_ref().unwrap().starts_with("TLS_ECDHE_"), "{java:?}");
}

#[tokio::test]
async fn who_comes_to_a_server_without_tls() {
    let fates = fates(&Backend::start("plaintext-http").await.unwrap()).await;
    assert!(fates.iter().all(|fate| fate.cause == Some(Cause::NotTls)), "{fates:?}");
}

/// A server that answers below what a client goes on with has answered in vain.
#[tokio::test]
async fn who_goes_on_with_ssl3() {
    let fates = fates(&Backend::start("ssl3-only").await.unwrap()).await;
    assert_eq!(of(&fates, "openssl-0.9.8").tls_version, Some(TlsVersion::Ssl3));
    assert_eq!(of(&fates, "internet-explorer-11-windows-10").cause, Some(Cause::NoCommonVersion));
}
