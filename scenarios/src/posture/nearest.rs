//! The model turned round over upstreams: the settings under which it comes nearest to what was seen.

use super::{Came, LegFacts, Tried};
use crate::{
    claims::Claims,
    evidence::ClientHelloFacts,
    model,
    profile::{RevocationCheck, UpstreamProfile},
    words::{ClientCertificate, Outcome},
};

/// The settings that come nearest.
#[derive(Debug, Clone)]
pub struct Nearest {
    /// They.
    pub upstream: UpstreamProfile,
    /// The settings on which no outcome depends.
    pub untold: Vec<String>,
    /// The behaviours whose outcome these settings do not explain.
    pub unexplained: Vec<String>,
}

/// A candidate: settings of the upstream, and what is claimed of the library below it.
#[derive(Debug, Clone)]
struct Draft {
    upstream: UpstreamProfile,
    claims: Claims,
}

/// One setting, and the ways to change a draft in it.
type Knob = (&'static str, Vec<fn(&mut Draft)>);

/// The settings under which the model explains most of the outcomes.
#[must_use]
pub fn nearest(tried: &[Tried], hello: &ClientHelloFacts, facts: &LegFacts) -> Nearest {
    let tried: Vec<Tried> = tried.iter().filter(|one| !is_too_deep(one, tried)).cloned().collect();
    let tried = tried.as_slice();
    let mut draft = first(hello, facts);
    let mut untold = Vec::new();
    // One setting opens the way to behaviours that depend on another, so it takes two rounds.
    for _ in 0..2 {
        untold.clear();
        for (name, ways) in knobs() {
            if !choose(&mut draft, &ways, tried) {
                untold.push(name.to_owned());
            }
        }
    }
    let unexplained = tried.iter().filter(|one| agrees(&draft, one) == Some(false));
    let unexplained = unexplained.map(|one| one.backend.name.clone()).collect();
    Nearest { upstream: draft.upstream, untold, unexplained }
}

/// Whether a chain was refused for the number of its authorities: for a limit on depth, of which the model has no setting, or
/// for want of a revocation list of each authority.
fn is_too_deep(one: &Tried, tried: &[Tried]) -> bool {
    /// What a limit refuses that refuses the first of them.
    const LIMITS: &[&[&str]] = &[
        &["chain-10-deep", "chain-50-deep", "reversed-chain"],
        &["two-intermediates", "name-constraints-kept", "revoked-intermediate"],
    ];
    let is_refused =
        |name: &str| tried.iter().any(|one| one.backend.name == name && one.came == Came::Stopped);
    let name = one.backend.name.as_str();
    LIMITS.iter().any(|deep| is_refused(deep[0]) && is_refused(name) && deep.contains(&name))
}

/// What the ClientHello and the facts of the leg say by themselves.
fn first(hello: &ClientHelloFacts, facts: &LegFacts) -> Draft {
    let mut claims = Claims::openssl_client();
    let known = |names: &[String]| names.iter().filter_map(|name| name.parse().ok()).collect::<Vec<_>>();
    claims.upstream_versions.clone_from(&hello.versions);
    claims.upstream_ciphers = Some(known(&hello.ciphers));
    claims.upstream_groups = Some(hello.groups.iter().filter_map(|name| name.parse().ok()).collect());
    claims.upstream_protocols = Some(hello.alpn.clone());
    claims.answers_post_handshake_auth = Some(hello.post_handshake_auth);
    let versions = hello.versions.clone().unwrap_or_else(crate::words::Versions::current);
    let upstream = UpstreamProfile {
        summary: "The settings that explain what was seen.".to_owned(),
        versions,
        ciphers: None,
        groups: None,
        protocols: hello.alpn.clone(),
        verify_chain: true,
        verify_name: true,
        revocation: None,
        send_server_name: hello.server_name.is_some(),
        server_name: None,
        renegotiation: true,
        reuse: facts.keeps_connections == Some(true),
        retries: 0,
        after: None,
        client_certificate: facts.shown.as_ref().map(|_| ClientCertificate::Good),
    };
    Draft { upstream, claims }
}

/// The settings that outcomes tell, in the order in which they are tried.
fn knobs() -> Vec<Knob> {
    vec![
        (
            "verify-chain",
            vec![|draft| draft.upstream.verify_chain = true, |draft| draft.upstream.verify_chain = false],
        ),
        (
            "verify-name",
            vec![|draft| draft.upstream.verify_name = true, |draft| draft.upstream.verify_name = false],
        ),
        (
            "revocation",
            vec![
                |draft| draft.upstream.revocation = None,
                |draft| draft.upstream.revocation = Some(RevocationCheck::CrlFile),
                |draft| draft.upstream.revocation = Some(RevocationCheck::StapleIfPresent),
                |draft| draft.upstream.revocation = Some(RevocationCheck::StapleRequired),
                |draft| draft.upstream.revocation = Some(RevocationCheck::CrlFetched),
                |draft| draft.upstream.revocation = Some(RevocationCheck::OcspAsked),
            ],
        ),
        (
            "renegotiation",
            vec![|draft| draft.upstream.renegotiation = true, |draft| draft.upstream.renegotiation = false],
        ),
        (
            "client-certificate",
            vec![|draft| draft.upstream.client_certificate = None, |draft| {
                draft.upstream.client_certificate = Some(ClientCertificate::Good);
            }],
        ),
        (
            "retries",
            vec![|draft| draft.upstream.retries = 0, |draft| draft.upstream.retries = 1, |draft| {
                draft.upstream.retries = 2;
            }],
        ),
        (
            "weak certificates",
            vec![|draft| draft.claims.accepts_weak_certificates = Some(false), |draft| {
                draft.claims.accepts_weak_certificates = Some(true);
            }],
        ),
        (
            "weak Diffie-Hellman",
            vec![|draft| draft.claims.accepts_weak_dh = Some(false), |draft| {
                draft.claims.accepts_weak_dh = Some(true);
            }],
        ),
        (
            "insecure renegotiation",
            vec![|draft| draft.claims.accepts_insecure_renegotiation = Some(false), |draft| {
                draft.claims.accepts_insecure_renegotiation = Some(true);
            }],
        ),
        (
            "host",
            vec![|draft| draft.claims.host_is_server_name = Some(true), |draft| {
                draft.claims.host_is_server_name = Some(false);
            }],
        ),
    ]
}

/// Changes the draft in the first way that explains most; says whether the ways differ.
fn choose(draft: &mut Draft, ways: &[fn(&mut Draft)], tried: &[Tried]) -> bool {
    let drafts: Vec<Draft> = ways
        .iter()
        .map(|way| {
            let mut changed = draft.clone();
            way(&mut changed);
            changed
        })
        .collect();
    let scores: Vec<usize> = drafts
        .iter()
        .map(|draft| tried.iter().filter(|one| agrees(draft, one) == Some(true)).count())
        .collect();
    let best = scores.iter().max().copied().unwrap_or_default();
    let index = scores.iter().position(|score| *score == best).unwrap_or_default();
    draft.clone_from(&drafts[index]);
    scores.iter().filter(|score| **score == best).count() == 1
}

/// Whether the outcome is the one that the model has for this draft; none where one of them is silent.
fn agrees(draft: &Draft, one: &Tried) -> Option<bool> {
    let came = match one.came {
        Came::Through => Outcome::Reach,
        Came::Stopped => Outcome::Refuse,
        Came::Inconclusive { .. } => return None,
    };
    let expected = model::expect_direct(&draft.upstream, &one.backend, &draft.claims).ok()?;
    Some(expected.outcome == came)
}
