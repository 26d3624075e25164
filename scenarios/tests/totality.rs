//! Whatever backends are put together, whoever calls them and whatever is claimed: the model has an answer, or names the
//! claim that it misses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use tls_gauntlet_scenarios::{
    BackendProfile, Claims, Composed, Expectation, Outcome, UnknownName, catalogue, model,
};
use toml::{Table, Value};

/// Every pair of backends, whether it composes or not.
fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    let names = || catalogue().backends().map(|(name, ..)| name);
    names().flat_map(move |left| names().filter(move |right| left <= *right).map(move |right| (left, right)))
}

fn composed(left: &str, right: &str) -> Result<Composed, UnknownName> {
    catalogue().backend(&format!("{left}+{right}"))
}

#[test]
fn a_pair_composes_in_both_orders_or_is_refused_with_both_names() {
    let behaviour = |composed: Composed| BackendProfile {
        summary: String::new(),
        clause: String::new(),
        ..composed.profile
    };
    for (left, right) in pairs() {
        match (composed(left, right), composed(right, left)) {
            (Ok(one), Ok(other)) => assert_eq!(behaviour(one), behaviour(other), "{left}, {right}"),
            (Err(one), Err(_)) => {
                let text = one.to_string();
                assert!(
                    text.contains(&format!("\"{left}\" and \"{right}\" contradict each other")),
                    "{text}"
                );
            }
            (one, other) => panic!("{left}, {right}: {one:?}, but the other way round {other:?}"),
        }
    }
}

/// The claims of our own client with each one, in turn, as it is, turned round, and not made; then all of them at
/// random.
fn many_claims() -> Vec<Claims> {
    let mut base = Table::try_from(Claims::openssl_client()).unwrap();
    base.remove("listener");
    let mut all = vec![base.clone(), Table::new()];
    for name in base.keys() {
        for variant in 1..VARIANTS {
            let mut claims = base.clone();
            vary(&mut claims, name, variant);
            all.push(claims);
        }
    }
    let mut chance = 1_u64;
    for _ in 0..200 {
        let mut claims = base.clone();
        for name in base.keys() {
            // Knuth's MMIX: the same numbers each time.
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            vary(&mut claims, name, chance >> 33);
        }
        all.push(claims);
    }
    all.into_iter().map(|claims| claims.try_into().unwrap()).collect()
}

const VARIANTS: u64 = 3;

fn vary(claims: &mut Table, name: &str, variant: u64) {
    let Some(claim) = claims.get_mut(name) else { return };
    match (variant % VARIANTS, claim) {
        (0, _) => {}
        (1, Value::Boolean(claimed)) => *claimed = !*claimed,
        (1, Value::Array(list)) if list.len() > 1 => list.truncate(1),
        (1, Value::String(word)) if word == "in-handshake" => "after-handshake".clone_into(word),
        _ => {
            claims.remove(name);
        }
    }
}

#[test]
fn the_model_is_total() {
    let claims = many_claims();
    let upstreams: Vec<_> = catalogue().upstreams().collect();
    let mut turn = 0;
    // A prime: every backend comes up with many others.
    for (left, right) in pairs().step_by(7) {
        let Ok(backend) = composed(left, right) else { continue };
        for (name, upstream) in &upstreams {
            let complete = model::expect_direct(upstream, &backend, &Claims::openssl_client());
            is_sound(&complete.unwrap_or_else(|missing| panic!("{left}+{right}/{name}: {missing}")));
            turn += 1;
            let claims = &claims[turn % claims.len()];
            if let Ok(expected) = model::expect_direct(upstream, &backend, claims) {
                is_sound(&expected);
            }
            if turn % 3 == 0 {
                let scenario = catalogue().scenario("default", "default", name, backend.clone()).unwrap();
                if let Ok(expected) = model::expect(&scenario, claims) {
                    is_sound(&expected);
                }
            }
        }
    }
}

fn is_sound(expected: &Expectation) {
    let refused = expected.outcome == Outcome::Refuse;
    assert_eq!(
        (expected.by.is_some(), expected.phase.is_some(), expected.cause.is_some()),
        (refused, refused, refused),
        "{expected:?}"
    );
    assert!(!expected.steps.is_empty(), "{expected:?}");
}
