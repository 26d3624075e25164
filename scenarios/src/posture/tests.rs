//! Every upstream of the catalogue is found again from the outcomes that the model has for it.

use super::*;
use crate::{
    Claims, Outcome, catalogue, model,
    profile::{RevocationCheck, UpstreamProfile},
    words::{ClientCertificate, Versions},
};

fn tried_with(upstream: &UpstreamProfile) -> (Vec<Tried>, ClientHelloFacts) {
    let claims = Claims::openssl_client();
    let spelled = |words: Option<Vec<String>>| words.unwrap_or_default();
    let hello = ClientHelloFacts {
        versions: Some(upstream.versions.clone()),
        ciphers: spelled(
            claims.upstream_ciphers.as_ref().map(|all| all.iter().map(ToString::to_string).collect()),
        ),
        groups: spelled(
            claims.upstream_groups.as_ref().map(|all| all.iter().map(ToString::to_string).collect()),
        ),
        server_name: upstream.send_server_name.then(|| "orders.example.com".to_owned()),
        post_handshake_auth: claims.answers_post_handshake_auth == Some(true),
        alpn: claims.upstream_protocols.clone().unwrap_or_default(),
        ..ClientHelloFacts::default()
    };
    let tried = asked(Pass::Quick, "orders.example.com").into_iter().map(|backend| {
        let came = match model::expect_direct(upstream, &backend, &claims) {
            Ok(expected) if expected.outcome == Outcome::Reach => Came::Through,
            Ok(_) => Came::Stopped,
            Err(unclaimed) => Came::Inconclusive { because: unclaimed.to_string() },
        };
        Tried::of(backend, came)
    });
    (tried.collect(), hello)
}

fn strict() -> UpstreamProfile {
    catalogue().upstream("strict").unwrap().clone()
}

#[test]
fn each_setting_is_told_from_the_outcomes_alone() {
    let changes: [fn(&mut UpstreamProfile); 8] = [
        |_| {},
        |upstream| upstream.verify_chain = false,
        |upstream| upstream.verify_name = false,
        |upstream| upstream.renegotiation = false,
        |upstream| upstream.client_certificate = None,
        |upstream| upstream.versions = Versions::of(&[crate::words::TlsVersion::Tls12]),
        |upstream| upstream.revocation = Some(RevocationCheck::StapleIfPresent),
        |upstream| (upstream.verify_chain, upstream.verify_name) = (false, false),
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut upstream = strict();
        change(&mut upstream);
        let (tried, hello) = tried_with(&upstream);
        let shown = upstream.client_certificate.map(|_| ShownCertificate {
            subject: "CN=gateway".to_owned(),
            issuer: "CN=authority".to_owned(),
            days_left: 12,
            sent_with: 1,
            self_signed: false,
        });
        let found = nearest(&tried, &hello, &LegFacts { shown, ..LegFacts::default() });
        let told = |upstream: &UpstreamProfile| {
            let certificate = upstream.client_certificate.map(|_| ClientCertificate::Good);
            (
                upstream.verify_chain,
                upstream.verify_name,
                upstream.renegotiation,
                upstream.revocation,
                certificate,
            )
        };
        assert_eq!(told(&found.upstream), told(&upstream), "change {number}: {:?}", found.unexplained);
        assert_eq!(found.unexplained, Vec::<String>::new(), "change {number}");
    }
}

#[test]
fn a_posture_says_which_checks_are_made() {
    let mut upstream = strict();
    upstream.verify_name = false;
    let (tried, _) = tried_with(&upstream);
    let posture = Posture::of(&tried, &[], &LegFacts::default());
    assert_eq!(posture.says("verification"), Some("checks chain, dates and usage, but not name"));
}

#[test]
fn a_limit_on_the_length_of_chains_is_told_and_taken_for_nothing_else() {
    let (mut tried, hello) = tried_with(&strict());
    let limited = ["two-intermediates", "chain-10-deep", "name-constraints-kept", "revoked-intermediate"];
    for one in tried.iter_mut().filter(|one| limited.contains(&one.backend.name.as_str())) {
        one.came = Came::Stopped;
    }
    let control = [BackendSaw { client_hello: Some(hello), ..BackendSaw::default() }];
    let posture = Posture::of(&tried, &control, &LegFacts::default());
    assert_eq!(
        posture.says("chain length"),
        Some("takes one intermediate certificate, and no chain with two")
    );
    assert_eq!(posture.unexplained, [] as [&str; 0]);
    assert_eq!(posture.settings.unwrap().revocation, None);
}
