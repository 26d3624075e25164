//! Certificates in words, and what is wrong with them.

use openssl::{
    asn1::{Asn1Time, Asn1TimeRef},
    hash::MessageDigest,
    nid::Nid,
    pkey::Id,
    x509::{X509, X509NameRef, X509Ref, X509VerifyResult},
};
use time::OffsetDateTime;
use tls_gauntlet_certs::hex;
use tls_gauntlet_scenarios::Cause;

use super::record::{CertificateFacts, ChainFacts, ChainProblem};
use crate::tls::verification::server_cause;

/// A chain as it was sent, with the problems that OpenSSL found in it and the depth of each and
/// those that it only finds at a higher security level.
pub(super) fn facts(chain: &[X509], found: &[(X509VerifyResult, u32)]) -> ChainFacts {
    let mut problems: Vec<_> = found
        .iter()
        .filter_map(|&(result, depth)| {
            let cause = server_cause(result.as_raw())?;
            Some(ChainProblem { cause, depth, text: result.error_string().to_owned() })
        })
        .collect();
    for (depth, certificate) in (0..).zip(chain) {
        if let Some(text) = weakness(certificate) {
            problems.push(ChainProblem { cause: Cause::ServerCertWeak, depth, text });
        }
    }
    problems.sort_by_key(|problem| (rank(problem.cause), problem.depth));
    ChainFacts { certificates: chain.iter().map(|certificate| of(certificate)).collect(), problems }
}

/// The order of gravity: a chain without a trusted root comes first, since other flaws follow from that or matter less.
const fn rank(cause: Cause) -> u8 {
    match cause {
        Cause::ServerCertMalformed => 0,
        Cause::ServerCertRevoked => 1,
        Cause::ServerCertExpired | Cause::ServerCertNotYetValid => 2,
        Cause::ServerCertUntrusted => 3,
        Cause::ServerCertWrongUsage => 4,
        Cause::ServerCertNameMismatch => 5,
        _ => 6,
    }
}

/// The objection of security level 2, the default of current distributions (`SSL_CTX_set_security_level(3)`).
fn weakness(certificate: &X509Ref) -> Option<String> {
    let key = certificate.public_key().ok()?;
    if matches!(key.id(), Id::RSA | Id::RSA_PSS | Id::DSA) && key.bits() < 2048 {
        return Some(format!("the key has {} bits only", key.bits()));
    }
    // The signature of a root is never checked.
    let is_root = name(certificate.subject_name()) == name(certificate.issuer_name());
    let digest = certificate.signature_algorithm().object().nid().signature_algorithms()?.digest;
    let is_weak = [Nid::MD4, Nid::MD5, Nid::SHA1, Nid::MDC2].contains(&digest);
    (is_weak && !is_root).then(|| format!("signed with {}", digest.long_name().unwrap_or("a weak hash")))
}

fn of(certificate: &X509Ref) -> CertificateFacts {
    CertificateFacts {
        subject: name(certificate.subject_name()),
        issuer: name(certificate.issuer_name()),
        serial: certificate
            .serial_number()
            .to_bn()
            .ok()
            .and_then(|number| Some(number.to_hex_str().ok()?.to_lowercase()))
            .unwrap_or_default(),
        names: alternative_names(certificate),
        not_before: moment(certificate.not_before()),
        not_after: moment(certificate.not_after()),
        key: key(certificate),
        signature: certificate
            .signature_algorithm()
            .object()
            .nid()
            .long_name()
            .unwrap_or("unknown")
            .to_owned(),
        sha256: certificate.digest(MessageDigest::sha256()).map(|digest| hex(&digest)).unwrap_or_default(),
    }
}

/// `O=Example, CN=example.org`
pub(super) fn name(name: &X509NameRef) -> String {
    let parts: Vec<_> = name
        .entries()
        .map(|entry| {
            let kind =
                entry.object().nid().short_name().map_or_else(|_| entry.object().to_string(), str::to_owned);
            let value = entry.data().to_string();
            format!("{kind}={}", value.unwrap_or_default())
        })
        .collect();
    parts.join(", ")
}

fn alternative_names(certificate: &X509Ref) -> Vec<String> {
    let Some(names) = certificate.subject_alt_names() else { return Vec::new() };
    names
        .iter()
        .filter_map(|name| {
            if let Some(address) = name.ipaddress() {
                return match *address {
                    [a, b, c, d] => Some(std::net::Ipv4Addr::new(a, b, c, d).to_string()),
                    _ => <[u8; 16]>::try_from(address)
                        .ok()
                        .map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
                };
            }
            name.dnsname().or_else(|| name.uri()).or_else(|| name.email()).map(str::to_owned)
        })
        .collect()
}

fn key(certificate: &X509Ref) -> String {
    let Ok(key) = certificate.public_key() else { return "unreadable".to_owned() };
    match key.id() {
        Id::RSA => format!("RSA {}", key.bits()),
        Id::RSA_PSS => format!("RSA-PSS {}", key.bits()),
        Id::DSA => format!("DSA {}", key.bits()),
        Id::EC => {
            let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
            format!("EC {}", curve.and_then(|curve| curve.short_name().ok()).unwrap_or("unnamed"))
        }
        Id::ED25519 => "Ed25519".to_owned(),
        Id::ED448 => "Ed448".to_owned(),
        _ => format!("other, {} bits", key.bits()),
    }
}

fn moment(time: &Asn1TimeRef) -> OffsetDateTime {
    let since = Asn1Time::from_unix(0).and_then(|epoch| epoch.diff(time));
    since.map_or(OffsetDateTime::UNIX_EPOCH, |since| {
        let since = time::Duration::days(since.days.into()) + time::Duration::seconds(since.secs.into());
        OffsetDateTime::UNIX_EPOCH.checked_add(since).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    })
}
