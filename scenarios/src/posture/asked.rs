//! The behaviours that a leg is asked to meet.

use crate::{catalogue, compose::Composed};

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Everything that needs no timeout of the gateway.
    Quick,
    /// Everything.
    Thorough,
}

/// Behaviours that make a gateway wait, or that take long to make.
const SLOW: &[&str] = &[
    "authority-hints-huge",
    "chain-50-deep",
    "crl-slow",
    "drips",
    "drips-response",
    "hello-request-storm",
    "key-update-flood",
    "ocsp-slow",
    "rsa-8192",
    "stalls-after-certificate",
    "stalls-after-headers",
    "stalls-after-request",
    "stalls-after-server-hello",
    "stalls-before-finished",
    "stalls-before-handshake",
    "stalls-in-response",
    "stalls-on-accept",
    "ten-thousand-names",
];

/// Behaviours that one call does not tell from a sound backend, or that need the gateway to dial another name.
const UNASKED: &[&str] = &[
    "authority-hints-empty",
    "authority-hints-wrong",
    "certificate-expires-between",
    "certificate-per-name",
    "certificate-renewed",
    "certificate-turns-untrusted",
    "client-cert-per-path",
    "client-renegotiation-allowed",
    "client-renegotiation-unsafe",
    "early-data-accepted",
    "early-data-refused",
    "expires-during-run",
    "idn",
    "ip-san",
    "plain-good",
    "renegotiation-per-path",
    "resumes-with-another-certificate",
    "session-ids",
    "ticket-key-rotated",
    "ticket-keys-overlap",
    "tickets-refused",
    "underscore",
    "wildcard-too-deep",
];

/// Behaviours that are about a host name, which an address does not have.
const OF_A_NAME: &[&str] = &[
    "cn-only",
    "nul-in-name",
    "sni-required",
    "sni-required-closes",
    "uri-san",
    "wildcard",
    "host-must-match-sni",
];

/// What a client certificate is asked with: no authority is named, so that any will do (RFC 8446 4.2.4).
const ANY_AUTHORITY: &str = "authority-hints-empty";

/// The behaviours for a backend of this host, in the order of their families.
#[must_use]
pub fn asked(pass: Pass, host: &str) -> Vec<Composed> {
    let is_address = host.contains(':') || host.split('.').all(|part| part.parse::<u8>().is_ok());
    // A wildcard needs a label to stand for and two above it.
    let has_wildcard = host.split('.').count() > 2;
    let names = catalogue().backends().map(|(name, ..)| name).filter(|name| {
        let slow = pass == Pass::Quick && SLOW.contains(name);
        let nameless = is_address && OF_A_NAME.contains(name);
        let wild = *name == "wildcard" && !has_wildcard;
        !(slow || nameless || wild || UNASKED.contains(name))
    });
    let mut asked: Vec<Composed> = names.filter_map(behaviour).collect();
    let of_others = catalogue().backend("client-cert-required+authority-hints-wrong");
    asked.extend(of_others.ok());
    asked
}

fn behaviour(name: &str) -> Option<Composed> {
    let one = catalogue().backend(name).ok()?;
    if one.profile.client_certificate.is_some() && one.profile.authority_hints.is_none() {
        return catalogue().backend(&format!("{name}+{ANY_AUTHORITY}")).ok();
    }
    Some(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backend_that_is_left_out_is_in_the_catalogue() {
        for name in SLOW.iter().chain(UNASKED).chain(OF_A_NAME) {
            catalogue().backend(name).unwrap();
        }
    }

    #[test]
    fn the_quick_pass_asks_for_more_than_eighty_behaviours_and_never_twice() {
        let quick = asked(Pass::Quick, "orders.example.com");
        assert!(quick.len() >= 80, "{}", quick.len());
        let mut names: Vec<_> = quick.iter().map(|one| one.name.clone()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), quick.len());
        assert!(asked(Pass::Thorough, "orders.example.com").len() > quick.len());
        assert!(asked(Pass::Quick, "10.0.0.7").len() < quick.len());
    }
}
