//! What becomes of a preset: at a server, by sending its ClientHello; at a gateway, by the model.

use std::net::SocketAddr;

use futures_util::{StreamExt, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tls_gauntlet_scenarios::{Alert, Cause, CipherSuite, Claims, ListenerProfile, Outcome, TlsVersion};
use tokio::time::{Instant, timeout_at};

use super::Preset;
use crate::{
    limits::Limits,
    scan::{Line, NoAnswer},
    wire::{names, server_flight::ServerFlight},
};

/// Whether a client gets through the handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fate {
    /// The name of the preset.
    pub preset: String,
    /// Whether both sides find what they need. Certificates are not looked at.
    pub outcome: Outcome,
    /// The version they agree on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<TlsVersion>,
    /// The cipher suite, where a server has picked one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cipher: Option<String>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The alert that came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<Alert>,
}

impl Fate {
    fn reaches(preset: &str, version: TlsVersion, cipher: Option<String>) -> Self {
        Self { outcome: Outcome::Reach, tls_version: Some(version), cipher, ..Self::refused(preset, None) }
    }

    fn refused(preset: &str, cause: Option<Cause>) -> Self {
        let preset = preset.to_owned();
        Self { preset, outcome: Outcome::Refuse, tls_version: None, cipher: None, cause, alert: None }
    }

    /// Whether it gets through.
    #[must_use]
    pub fn works(&self) -> bool {
        self.outcome == Outcome::Reach
    }
}

/// How many ClientHello messages are sent at the same time.
const AT_ONCE: usize = 8;

/// Sends the ClientHello of each of these presets to a server and hears what comes of it, within the limit of a target. In TLS 1.3 the server is offered no key share, so a
/// HelloRetryRequest is as good as a ServerHello.
pub async fn at_server(
    address: SocketAddr,
    server_name: Option<&str>,
    wanted: impl Fn(&str) -> bool,
    limits: Limits,
) -> Vec<Fate> {
    let line = &Line::new(address, limits, [7; 32]);
    let deadline = Instant::now() + limits.scan_target;
    let asked = super::all().iter().filter(|(name, _)| wanted(name)).map(|(name, preset)| async move {
        match timeout_at(deadline, line.ask(&preset.offer(server_name))).await {
            Ok(Ok(flight)) => answered(name, preset, &flight),
            Ok(Err(NoAnswer { cause, .. })) => Fate::refused(name, Some(cause)),
            Err(_) => Fate::refused(name, Some(Cause::Timeout)),
        }
    });
    let asked: Vec<_> = asked.collect();
    stream::iter(asked).buffered(AT_ONCE).collect().await
}

/// What a server has made of it.
fn answered(name: &str, preset: &Preset, flight: &ServerFlight) -> Fate {
    let Some(hello) = &flight.hello else {
        let cause = match flight.alert {
            Some(Alert::ProtocolVersion) => Cause::NoCommonVersion,
            Some(Alert::HandshakeFailure | Alert::InsufficientSecurity) => Cause::NoCommonCipher,
            Some(Alert::UnrecognizedName) => Cause::SniUnknown,
            Some(Alert::NoApplicationProtocol) => Cause::AlpnMismatch,
            Some(_) | None => Cause::Aborted,
        };
        return Fate { alert: flight.alert, ..Fate::refused(name, Some(cause)) };
    };
    match hello.tls_version() {
        Some(version) if preset.speaks(version) => {
            Fate::reaches(name, version, Some(names::cipher(hello.cipher)))
        }
        // The server goes below what this client goes on with.
        Some(_) | None => Fate::refused(name, Some(Cause::NoCommonVersion)),
    }
}

/// What the model says of each client before a gateway with these claims.
#[must_use]
pub fn at_gateway(claims: &Claims, listener: &ListenerProfile) -> Vec<Fate> {
    let accepted = match &claims.listener.versions {
        Some(able) => listener.versions.intersection(able),
        None => Some(listener.versions.clone()),
    };
    let ciphers = CipherSuite::limited(listener.ciphers.as_deref(), claims.listener.ciphers.as_deref());
    let fate = |name: &str, preset: &Preset| {
        let agreed = accepted.as_ref().and_then(|accepted| preset.versions.negotiate(accepted));
        let Some(version) = agreed else { return Fate::refused(name, Some(Cause::NoCommonVersion)) };
        let is_tls13 = |suite: &CipherSuite| suite.fits(TlsVersion::Tls13);
        let Ok(ciphers) = &ciphers else { return Fate::refused(name, Some(Cause::NoCommonCipher)) };
        let told: Vec<_> = ciphers
            .iter()
            .flatten()
            .filter(|suite| is_tls13(suite) == (version == TlsVersion::Tls13))
            .collect();
        // Where none is named, there is nothing to say about them.
        let shares = |suite: &&CipherSuite| suite.fits(version) && preset.has_cipher(suite.as_str());
        if !told.is_empty() && !told.iter().any(shares) {
            return Fate::refused(name, Some(Cause::NoCommonCipher));
        }
        Fate::reaches(name, version, None)
    };
    super::all().iter().map(|(name, preset)| fate(name, preset)).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tls_gauntlet_scenarios::{Versions, catalogue};

    use super::*;

    fn dead(profile: &str) -> Vec<String> {
        let claims = catalogue().profile(profile).unwrap().claims(Claims::openssl_client());
        let fates = at_gateway(&claims, catalogue().listener("legacy").unwrap());
        fates.into_iter().filter(|fate| !fate.works()).map(|fate| fate.preset).collect()
    }

    #[rstest]
    #[case(Alert::ProtocolVersion, Cause::NoCommonVersion)]
    #[case(Alert::HandshakeFailure, Cause::NoCommonCipher)]
    #[case(Alert::InsufficientSecurity, Cause::NoCommonCipher)]
    #[case(Alert::UnrecognizedName, Cause::SniUnknown)]
    #[case(Alert::NoApplicationProtocol, Cause::AlpnMismatch)]
    #[case(Alert::InternalError, Cause::Aborted)]
    fn an_alert_says_why(#[case] alert: Alert, #[case] cause: Cause) {
        let (name, preset) = &super::super::all()[0];
        let mut flight = ServerFlight::default();
        flight.alert = Some(alert);
        let fate = answered(name, preset, &flight);
        assert_eq!((fate.works(), fate.cause, fate.alert), (false, Some(cause), Some(alert)));
    }

    /// A list of suites up to TLS 1.2 counts there, and not for clients that speak TLS 1.3.
    #[test]
    fn a_listener_with_one_suite_keeps_those_that_have_it() {
        let only = CipherSuite::EcdheRsaAes256Gcm;
        let modern = catalogue().listener("default").unwrap();
        let listener = ListenerProfile { ciphers: Some(vec![only]), ..modern.clone() };
        let fates = at_gateway(&Claims::openssl_client(), &listener);
        for ((_, preset), fate) in super::super::all().iter().zip(&fates) {
            let works = match preset.versions.max() {
                TlsVersion::Tls13 => true,
                TlsVersion::Tls12 => preset.has_cipher(only.as_str()),
                TlsVersion::Ssl3 | TlsVersion::Tls10 | TlsVersion::Tls11 => false,
            };
            assert_eq!(fate.works(), works, "{fate:?}");
        }
        let lost = fates.iter().filter(|fate| fate.cause == Some(Cause::NoCommonCipher));
        let lost: Vec<_> = lost.map(|fate| fate.preset.as_str()).collect();
        assert_eq!(lost, ["internet-explorer-11-windows-7", "internet-explorer-11-windows-8.1"]);
    }

    /// Suites of TLS 1.2 are nothing to what is agreed below it.
    #[test]
    fn a_listener_of_old_versions_with_a_new_suite_keeps_nobody() {
        let modern = catalogue().listener("default").unwrap();
        let listener = ListenerProfile {
            versions: Versions::of(&[TlsVersion::Tls10, TlsVersion::Tls11]),
            ciphers: Some(vec![CipherSuite::EcdheRsaAes256Gcm]),
            ..modern.clone()
        };
        let fates = at_gateway(&Claims::openssl_client(), &listener);
        assert!(fates.iter().any(|fate| fate.cause == Some(Cause::NoCommonCipher)), "{fates:?}");
        assert!(fates.iter().all(|fate| !fate.works()), "{fates:?}");
    }

    #[test]
    fn a_gateway_that_can_have_no_suite_of_the_listener_keeps_nobody() {
        let mut claims = Claims::openssl_client();
        claims.listener.ciphers = Some(vec![CipherSuite::RsaAes128Gcm]);
        let modern = catalogue().listener("default").unwrap();
        let listener =
            ListenerProfile { ciphers: Some(vec![CipherSuite::EcdheRsaAes256Gcm]), ..modern.clone() };
        let fates = at_gateway(&claims, &listener);
        let spoken = fates.iter().filter(|fate| fate.cause != Some(Cause::NoCommonVersion));
        assert!(spoken.clone().count() > 0);
        assert!(
            spoken.clone().all(|fate| fate.cause == Some(Cause::NoCommonCipher)
                || fate.tls_version == Some(TlsVersion::Tls13)),
            "{fates:?}"
        );
    }

    #[test]
    fn who_dies_when_old_versions_go() {
        assert_eq!(dead("azure-resource-manager@2025-02"), Vec::<String>::new());
        assert_eq!(
            dead("azure-resource-manager@2025-03"),
            ["android-4.0", "dotnet-4.5", "internet-explorer-8-windows-7", "java-7", "openssl-0.9.8"]
        );
    }
}
