//! The policy `sound`: what a leg must refuse, must let through, and should do; each line with its clause.

mod remedies;

use serde::{Deserialize, Serialize};

pub use remedies::remedy;

use crate::{
    posture::{Came, LegFacts, ShownCertificate, Tried},
    words::closed_list,
};

closed_list! {
    /// How strongly a line of the policy is meant (RFC 2119).
    Level as "level" {
        /// A leg that does not keep it fails the audit.
        Must = "must",
        /// A leg that does not keep it is told so.
        Should = "should",
    }
}

/// One line of the policy.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name: `chain`.
    pub name: &'static str,
    /// How strongly it is meant.
    pub level: Level,
    /// Whether the backends have to be refused; they have to be let through if not.
    pub refuses: bool,
    /// The backends that show whether it is kept.
    pub backends: &'static [&'static str],
    /// The specification that says so.
    pub clause: &'static str,
    /// What a leg does that does not keep it.
    pub broken: &'static str,
}

/// A rule whose backends must be refused.
const fn refuse(
    name: &'static str,
    level: Level,
    clause: &'static str,
    broken: &'static str,
    backends: &'static [&'static str],
) -> Rule {
    Rule { name, level, refuses: true, backends, clause, broken }
}

/// A rule whose backends must be let through.
const fn accept(
    name: &'static str,
    level: Level,
    clause: &'static str,
    broken: &'static str,
    backends: &'static [&'static str],
) -> Rule {
    Rule { name, level, refuses: false, backends, clause, broken }
}

/// The policy `sound`.
pub const SOUND: &[Rule] = &[
    refuse(
        "chain",
        Level::Must,
        "RFC 5280 6.1",
        "takes certificates that no trusted authority has issued",
        &[
            "untrusted-root",
            "self-signed",
            "issued-by-client-ca",
            "expired-root",
            "intermediate-no-ca",
            "path-length-exceeded",
            "name-constraints-violated",
            "unknown-critical-extension",
            "tampered-signature",
        ],
    ),
    refuse(
        "name",
        Level::Must,
        "RFC 9525 6",
        "takes the certificate of another server: the name in it is not compared",
        &["wrong-name"],
    ),
    refuse(
        "name-to-its-end",
        Level::Should,
        "RFC 5280 4.2.1.6",
        "reads the name in a certificate up to a NUL character only: one for orders.example\\0.attacker.example is taken",
        &["nul-in-name"],
    ),
    refuse(
        "dates",
        Level::Must,
        "RFC 5280 6.1.3 (a)(2)",
        "takes certificates outside their dates",
        &["expired-leaf", "not-yet-valid-leaf", "expired-intermediate"],
    ),
    refuse(
        "usage",
        Level::Must,
        "RFC 5280 4.2.1.12",
        "takes certificates that are not for servers",
        &["wrong-extended-key-usage"],
    ),
    refuse(
        "possession",
        Level::Must,
        "RFC 8446 4.4.3",
        "does not check that the backend holds the key of its certificate",
        &["mismatched-key"],
    ),
    refuse(
        "old-versions",
        Level::Must,
        "RFC 8996, RFC 7568",
        "speaks versions of TLS that must not be used",
        &["ssl3-only", "tls10-only", "tls11-only"],
    ),
    refuse(
        "broken-suites",
        Level::Must,
        "RFC 9325 4.1, RFC 7465",
        "takes cipher suites without encryption, without authentication, or with RC4",
        &["null-only", "anonymous-only", "rc4-only"],
    ),
    refuse(
        "weak-suites",
        Level::Should,
        "RFC 9325 4.1",
        "takes cipher suites without forward secrecy, with 3DES, or with 1024-bit Diffie-Hellman",
        &["3des-only", "static-rsa-cbc", "static-rsa-gcm", "dhe-only-1024"],
    ),
    refuse(
        "weak-certificates",
        Level::Should,
        "RFC 9325 4.5",
        "takes certificates with short keys or old signatures",
        &["rsa-1024", "sha1-signed-leaf", "sha1-signed-intermediate", "md5-signed-leaf"],
    ),
    refuse(
        "revocation",
        Level::Should,
        "RFC 9325 7.5",
        "takes certificates that were revoked",
        &["revoked-by-crl", "revoked-by-ocsp", "stapled-revoked"],
    ),
    refuse(
        "insecure-renegotiation",
        Level::Should,
        "RFC 5746 4.1",
        "goes on with a backend that does not indicate secure renegotiation",
        &["without-secure-renegotiation"],
    ),
    accept(
        "chains-as-sent",
        Level::Should,
        "RFC 8446 4.4.2",
        "refuses sound chains that are sent out of order, or with more than is needed",
        &["reversed-chain", "duplicated-chain", "with-root", "with-unrelated"],
    ),
    accept(
        "chain-length",
        Level::Should,
        "RFC 5280 6.1",
        "refuses a sound chain with two intermediate certificates, which an authority may send after the next renewal",
        &["two-intermediates"],
    ),
    accept(
        "tls13",
        Level::Should,
        "RFC 9325 3.1.1",
        "cannot reach a backend that speaks TLS 1.3 alone",
        &["tls13-only"],
    ),
    accept(
        "common-keys",
        Level::Should,
        "RFC 8446 9.1",
        "refuses certificates with common kinds of key",
        &["rsa-3072", "rsa-4096", "p384"],
    ),
    accept(
        "common-groups",
        Level::Should,
        "RFC 8446 9.1",
        "cannot reach a backend that has one common key-exchange group alone",
        &["p256-only", "x25519-only"],
    ),
    accept(
        "record-layer",
        Level::Should,
        "RFC 8446 5.1, 5.4",
        "does not read padded or small records, or does not change its keys when asked",
        &["padded-records", "tiny-records", "key-update"],
    ),
];

/// A line of the policy that a leg does not keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    /// The rule's name.
    pub rule: String,
    /// How strongly it is meant.
    pub level: Level,
    /// What the leg does.
    pub says: String,
    /// The specification that says otherwise.
    pub clause: String,
    /// The behaviours that show it, each met between two sound controls.
    pub behaviours: Vec<String>,
    /// The behaviours under this rule that came out as they should.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// What was seen, in words.
    pub seen: String,
    /// What mends it: the gateway, and what to set there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<(String, String)>,
    /// Where the setting stands in the gateway's configuration, as `file:line`, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands: Option<String>,
    /// Why it is put up with, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excepted: Option<String>,
}

impl Finding {
    /// Whether it fails the audit.
    #[must_use]
    pub const fn fails(&self) -> bool {
        matches!(self.level, Level::Must) && self.excepted.is_none()
    }
}

/// The rules about the side that clients meet; what is seen of it is no backend.
const OF_LISTENERS: &[&str] = &[
    "listener-broken-suites",
    "listener-certificate",
    "listener-clients",
    "listener-versions",
    "listener-weak-suites",
];

/// The names of all rules.
pub fn rules() -> impl Iterator<Item = &'static str> {
    let of_legs = SOUND.iter().map(|rule| rule.name).chain([CLIENT_CERTIFICATE]);
    of_legs.chain(OF_LISTENERS.iter().copied())
}

/// The rule that a backend is a test of.
#[must_use]
pub fn rule_of(backend: &str) -> Option<&'static Rule> {
    SOUND.iter().find(|rule| rule.backends.contains(&backend))
}

/// The lines of the policy that these outcomes and facts break. A behaviour without an outcome breaks none.
#[must_use]
pub fn findings(tried: &[Tried], facts: &LegFacts) -> Vec<Finding> {
    let unverified = verifies_nothing(tried);
    let rules = SOUND.iter().filter(|rule| !unverified || !FOLLOWS_FROM_NO_CHAIN.contains(&rule.name));
    let of_outcomes = rules.filter_map(|rule| finding(rule, tried, unverified));
    of_outcomes.chain(facts.shown.as_ref().and_then(ends)).collect()
}

/// The days before its end from which on a certificate should have been renewed.
const RENEWED_BEFORE: i64 = 14;

/// What is wrong with the dates of a certificate that is shown to backends.
fn ends(shown: &ShownCertificate) -> Option<Finding> {
    let (level, says) = match shown.days_left {
        ..0 => {
            (Level::Must, "shows backends a certificate that has ended: a backend that checks it refuses it")
        }
        0..RENEWED_BEFORE => (Level::Should, "shows backends a certificate that is about to end"),
        _ => return None,
    };
    Some(Finding {
        rule: CLIENT_CERTIFICATE.to_owned(),
        level,
        says: says.to_owned(),
        clause: "RFC 5280 6.1.3 (a)(2)".to_owned(),
        behaviours: Vec::new(),
        kept: Vec::new(),
        seen: format!("{} {}", shown.subject, shown.end()),
        set: remedies::all(CLIENT_CERTIFICATE),
        stands: None,
        excepted: None,
    })
}

/// The rule about the certificate that the gateway shows.
const CLIENT_CERTIFICATE: &str = "client-certificate";

/// The rules that one refusal is enough for: a gateway that looks one way need not look the others.
const ONE_IS_ENOUGH: &[&str] = &["revocation"];

/// Behaviours that say nothing where another one came out like this, because theirs follows from it.
const FOLLOWS: &[(&str, &str, Came)] = &[
    ("key-update", "tls13-only", Came::Stopped),
    ("padded-records", "tls13-only", Came::Stopped),
    ("nul-in-name", "wrong-name", Came::Through),
    // Where lists are checked, one is wanted for every authority, and this chain has an authority without.
    ("reversed-chain", "revoked-by-crl", Came::Stopped),
    ("two-intermediates", "revoked-by-crl", Came::Stopped),
    // Where the depth of chains has a limit, this one may be beyond it.
    ("reversed-chain", "chain-10-deep", Came::Stopped),
];

fn follows(backend: &str, tried: &[Tried]) -> bool {
    let came = |name: &str, so: &Came| tried.iter().any(|one| one.backend.name == name && one.came == *so);
    FOLLOWS.iter().any(|(behaviour, from, so)| *behaviour == backend && came(from, so))
}

/// The rules that a leg breaks of necessity that checks no chain.
const FOLLOWS_FROM_NO_CHAIN: &[&str] =
    &["dates", "usage", "revocation", "weak-certificates", "name-to-its-end"];

/// Whether certificates that nobody issued come through.
fn verifies_nothing(tried: &[Tried]) -> bool {
    let through = |name: &str| tried.iter().any(|one| one.backend.name == name && one.came == Came::Through);
    through("untrusted-root") && through("self-signed")
}

fn finding(rule: &Rule, tried: &[Tried], unverified: bool) -> Option<Finding> {
    let is_told = |name: &str| rule.backends.contains(&name) && !follows(name, tried);
    let of_rule: Vec<&Tried> = tried.iter().filter(|one| is_told(&one.backend.name)).collect();
    let wrong = if rule.refuses { Came::Through } else { Came::Stopped };
    let right = if rule.refuses { Came::Stopped } else { Came::Through };
    let names = |came: &Came| -> Vec<String> {
        let such = of_rule.iter().filter(|one| one.came == *came);
        such.map(|one| one.backend.name.clone()).collect()
    };
    let (behaviours, kept) = (names(&wrong), names(&right));
    if behaviours.is_empty() || (ONE_IS_ENOUGH.contains(&rule.name) && !kept.is_empty()) {
        return None;
    }
    let says = match (rule.name, unverified) {
        ("chain", true) => {
            "verifies nothing: any certificate is taken, whoever issued it, whatever its dates and its use"
        }
        ("name", true) => "does not compare the name either",
        _ => rule.broken,
    };
    Some(Finding {
        rule: rule.name.to_owned(),
        level: rule.level,
        says: says.to_owned(),
        clause: rule.clause.to_owned(),
        seen: seen(rule, &behaviours, tried),
        behaviours,
        kept,
        set: remedies::all(rule.name),
        stands: None,
        excepted: None,
    })
}

fn seen(rule: &Rule, behaviours: &[String], tried: &[Tried]) -> String {
    let first = tried.iter().find(|one| Some(&one.backend.name) == behaviours.first());
    let status = first.and_then(|one| one.evidence.client_saw.status);
    let answered = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let list = behaviours.join(", ");
    if rule.refuses {
        format!("the request came through ({answered}) to {list}")
    } else {
        format!("the client got {answered} in front of {list}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn every_backend_of_the_policy_is_in_the_catalogue_and_in_one_rule() {
        for rule in SOUND {
            for backend in rule.backends {
                catalogue().backend(backend).unwrap();
                let rules = SOUND.iter().filter(|other| other.backends.contains(backend)).count();
                assert_eq!(rules, 1, "{backend}");
            }
        }
    }

    #[test]
    fn every_rule_about_verification_says_what_to_set_on_every_gateway() {
        for rule in ["chain", "name"] {
            let gateways: Vec<_> = remedies::all(rule).into_iter().map(|(gateway, _)| gateway).collect();
            assert_eq!(gateways, ["nginx", "haproxy", "envoy", "httpd", "caddy", "traefik"], "{rule}");
        }
    }

    #[test]
    fn one_flaw_is_one_finding_and_no_verification_is_one_too() {
        let all = |came: &Came| -> Vec<Tried> {
            let rules = SOUND.iter().filter(|rule| rule.refuses);
            let names = rules.flat_map(|rule| rule.backends);
            names.map(|name| Tried::of(catalogue().backend(name).unwrap(), came.clone())).collect()
        };
        let findings = |tried: &[Tried]| findings(tried, &LegFacts::default());
        assert_eq!(findings(&all(&Came::Stopped)), []);
        let mut one = all(&Came::Stopped);
        one.iter_mut().find(|tried| tried.backend.name == "wrong-name").unwrap().came = Came::Through;
        let found = findings(&one);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].rule.as_str(), found[0].fails()), ("name", true));
        let rules: Vec<_> = findings(&all(&Came::Through)).into_iter().map(|found| found.rule).collect();
        assert!(rules.contains(&"chain".to_owned()) && !rules.contains(&"dates".to_owned()), "{rules:?}");
        let open = Came::Inconclusive { because: "the gateway stopped dialling".to_owned() };
        assert_eq!(findings(&all(&open)), []);
    }
}
