//! Predictions: what a change of settings does, by the model alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;

use tls_gauntlet_scenarios::{
    Cause, Claims, catalogue,
    what_if::{Effect, Setting, Shift, Side, compare},
};

fn setting(profile: &str, upstream: &str) -> Setting {
    Setting {
        name: profile.to_owned(),
        claims: catalogue().profile(profile).unwrap().claims(claims()),
        upstream: upstream.to_owned(),
        listeners: vec!["default".to_owned(), "client-cert-on-demand".to_owned()],
    }
}

/// Those of a gateway on OpenSSL that answers every failure with 500.
fn claims() -> Claims {
    let mut claims = Claims::openssl_client();
    claims.status = toml::from_str::<Claims>("[[status]]\nstatuses = [500]\n").unwrap().status;
    claims.listener.alert = toml::from_str::<Claims>("[[listener.alert]]\nalerts = [\"protocol_version\"]\n")
        .unwrap()
        .listener
        .alert;
    claims.listener.serves_unknown_names = Some(true);
    claims.listener.serves_missing_names = Some(true);
    claims
}

fn names(changes: &[Shift], side: Side, effect: Effect) -> Vec<&str> {
    let wanted = changes.iter().filter(|change| change.side == side && change.effect == effect);
    wanted.map(|change| change.name.as_str()).collect()
}

#[test]
fn late_client_certificates_break_when_tls13_is_switched_on_for_backends() {
    let before = setting("azure-apim-classic@2025-08", "strict");
    let after = setting("azure-apim-classic@2025-08+backend-tls13", "strict");
    let changes = compare(&before, &after);
    let broken = names(&changes, Side::Backends, Effect::Breaks);
    assert!(broken.contains(&"renegotiation-required-dual"), "{broken:?}");
    assert!(!broken.contains(&"renegotiation-required"), "a backend without TLS 1.3 goes on as before");
    let healed = names(&changes, Side::Backends, Effect::Heals);
    assert!(healed.contains(&"tls13-only"), "{healed:?}");
    assert!(names(&changes, Side::Clients, Effect::Breaks).is_empty());
    let late = changes.iter().find(|change| change.name == "renegotiation-required-dual").unwrap();
    assert_eq!(late.after.as_ref().unwrap().cause, Some(Cause::PostHandshakeAuthRefused));
}

/// Backends that have nothing else are named, and no others.
#[test]
fn what_needs_a_suite_breaks_when_it_is_switched_off() {
    let broken = |option: &str| {
        let before = setting("azure-apim-classic@2025-08", "no-verify");
        let changes =
            compare(&before, &setting(&format!("azure-apim-classic@2025-08+{option}"), "no-verify"));
        let causes = changes.iter().filter(|change| change.effect == Effect::Breaks);
        causes
            .for_each(|change| assert_eq!(change.after.as_ref().unwrap().cause, Some(Cause::NoCommonCipher)));
        names(&changes, Side::Backends, Effect::Breaks).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let (cbc, rsa) = (broken("without-cbc"), broken("without-static-rsa"));
    assert_eq!(cbc, ["cbc-sha1-only", "cbc-sha256-only", "cbc-sha384-only", "static-rsa-cbc"]);
    assert_eq!(rsa, ["static-rsa-cbc", "static-rsa-gcm"]);
}

#[test]
fn late_client_certificates_break_when_tls13_is_switched_on_for_clients() {
    let before = setting("azure-apim-classic@2025-08+client-tls12-only", "strict");
    let after = setting("azure-apim-classic@2025-08", "strict");
    let changes = compare(&before, &after);
    let broken: Vec<_> = changes
        .iter()
        .filter(|change| change.effect == Effect::Breaks)
        .map(|change| (change.side, change.name.as_str(), change.through.as_str()))
        .collect();
    assert!(broken.contains(&(Side::Clients, "good-client-cert", "client-cert-on-demand")), "{broken:?}");
    let late = |(side, _, through): &(Side, &str, &str)| {
        *side == Side::Clients && *through == "client-cert-on-demand"
    };
    assert!(broken.iter().all(late), "{broken:?}");
    assert!(names(&changes, Side::Clients, Effect::Heals).contains(&"tls13-only"));
}

#[test]
fn nothing_changes_between_a_setting_and_itself() {
    let setting = setting("azure-apim-v2@2025-08", "strict");
    for change in compare(&setting, &setting) {
        assert!(matches!(change.effect, Effect::Stays | Effect::Unknown), "{change:?}");
    }
}

/// Both upstreams count, and what is told is the one after.
#[test]
fn another_upstream_heals_and_breaks() {
    let (strict, no_verify) =
        (setting("azure-apim-v2@2025-08", "strict"), setting("azure-apim-v2@2025-08", "no-verify"));
    let changes = compare(&strict, &no_verify);
    let healed = names(&changes, Side::Backends, Effect::Heals);
    assert!(healed.contains(&"expired-leaf") && healed.contains(&"wrong-name"), "{healed:?}");
    assert!(
        changes
            .iter()
            .filter(|change| change.side == Side::Backends)
            .all(|change| change.through == "no-verify")
    );
    let back = compare(&no_verify, &strict);
    assert_eq!(names(&back, Side::Backends, Effect::Breaks), healed);
}

/// TLS 1.3 towards backends is no affair of the clients.
#[test]
fn what_works_as_before_may_move_to_another_version() {
    let before = setting("azure-apim-classic@2025-08", "strict");
    let after = setting("azure-apim-classic@2025-08+backend-tls13", "strict");
    let changes = compare(&before, &after);
    assert!(names(&changes, Side::Backends, Effect::Moves).contains(&"plain-good"));
    assert!(names(&changes, Side::Clients, Effect::Stays).contains(&"good-client-cert"));
    assert!(names(&changes, Side::Clients, Effect::Moves).is_empty());
}

#[test]
fn a_listener_that_one_of_the_two_does_not_have_is_left_out() {
    let whole = setting("azure-apim-v2@2025-08", "strict");
    let less = Setting { listeners: vec!["default".to_owned()], ..whole.clone() };
    for (before, after) in [(&whole, &less), (&less, &whole)] {
        let changes = compare(before, after);
        let clients = changes.iter().filter(|change| change.side == Side::Clients);
        let through: BTreeSet<_> = clients.map(|change| change.through.as_str()).collect();
        assert_eq!(through, BTreeSet::from(["default"]));
    }
}

#[test]
fn what_one_of_the_two_does_not_claim_is_unknown() {
    let (mut silent, said) =
        (setting("azure-apim-v2@2025-08", "strict"), setting("azure-apim-v2@2025-08", "strict"));
    silent.claims.status.clear();
    for (before, after) in [(&silent, &said), (&said, &silent)] {
        let changes = compare(before, after);
        assert!(names(&changes, Side::Backends, Effect::Unknown).contains(&"expired-leaf"));
        assert!(names(&changes, Side::Backends, Effect::Stays).contains(&"plain-good"));
    }
}
