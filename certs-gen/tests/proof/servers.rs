//! Every server recipe is refused for the reason it claims, and for no other; or is accepted, and why.

use std::thread;

use time::Duration;
use tls_gauntlet_certs::{ServerCertificate, WRONG_NAME};

use crate::judges::{Purpose, Question};
use crate::{HOST, names, pki};

/// Each in a thread of its name: some keys take seconds.
#[test]
fn a_server_is_refused_for_its_flaw_alone() {
    thread::scope(|scope| {
        for &recipe in ServerCertificate::ALL {
            let named = thread::Builder::new().name(recipe.to_string());
            named.spawn_scoped(scope, move || is_refused_for_its_flaw_alone(recipe)).unwrap();
        }
    });
}

fn is_refused_for_its_flaw_alone(recipe: ServerCertificate) {
    let pki = pki();
    let identity = pki.server(recipe, &names(&[HOST])).unwrap();
    let dialled = recipe.dialled(HOST);
    let sound = || Question { name: Some(&dialled), ..Question::server(&identity, pki.server_root()) };
    let asked = || match recipe {
        ServerCertificate::ExpiredRoot => Question { trusted: pki.expired_root(), ..sound() },
        _ => sound(),
    };
    let (openssl, webpki) = verdicts(recipe);
    asked().must_answer(openssl.iter().copied(), webpki.iter().copied());

    // A judge that overlooks the one flaw has nothing left to object to.
    let good = pki.server(ServerCertificate::Good, &names(&[HOST])).unwrap();
    let overlooked = match recipe {
        ServerCertificate::Expired => Question { at: asked().at - Duration::days(2), ..asked() },
        ServerCertificate::ExpiredRoot | ServerCertificate::ExpiredIntermediate => {
            Question { at: asked().at - Duration::hours(18), ..asked() }
        }
        ServerCertificate::NotYetValid => Question { at: asked().at + Duration::days(2), ..asked() },
        ServerCertificate::WrongName | ServerCertificate::CnRightSanWrong => {
            Question { name: Some(WRONG_NAME), ..asked() }
        }
        ServerCertificate::WildcardTooDeep => Question { name: Some("any.orders.test"), ..asked() },
        ServerCertificate::NulInName | ServerCertificate::UriSan => Question { name: None, ..asked() },
        ServerCertificate::SelfSigned => Question { trusted: identity.leaf(), ..asked() },
        ServerCertificate::UntrustedRoot => Question { trusted: pki.untrusted_root(), ..asked() },
        ServerCertificate::IssuedByClientCa => Question { trusted: pki.client_root(), ..asked() },
        ServerCertificate::MissingIntermediate => {
            Question { chain: vec![identity.leaf().clone(), good.chain()[1].clone()], ..asked() }
        }
        ServerCertificate::PathLengthExceeded => Question { trusted: &identity.chain()[1], ..asked() },
        ServerCertificate::WrongExtendedKeyUsage => Question { purpose: Purpose::Client, ..asked() },
        ServerCertificate::Rsa1024
        | ServerCertificate::Sha1SignedLeaf
        | ServerCertificate::Md5SignedLeaf
        | ServerCertificate::Sha1SignedIntermediate => {
            // webpki has no level to lower.
            Question { level: "0", ..asked() }.must_answer([], webpki.iter().copied());
            return;
        }
        // Sound for at least one of the judges as it is, or a flaw that neither can be told to overlook.
        _ => return,
    };
    overlooked.must_answer(None, None);
}

/// What `openssl verify` 3.0 says, and what rustls-webpki.
fn verdicts(recipe: ServerCertificate) -> (&'static [&'static str], &'static [&'static str]) {
    match recipe {
        ServerCertificate::Good
        | ServerCertificate::GoodRsa
        | ServerCertificate::Rsa3072
        | ServerCertificate::Rsa4096
        | ServerCertificate::Rsa8192
        | ServerCertificate::RsaPss
        | ServerCertificate::P384
        | ServerCertificate::P521
        | ServerCertificate::Ed25519
        | ServerCertificate::Ed448
        | ServerCertificate::NoCommonName
        | ServerCertificate::NoSubject
        | ServerCertificate::IpSan
        | ServerCertificate::IpSanWithDns
        | ServerCertificate::TwoIntermediates
        | ServerCertificate::Wildcard
        | ServerCertificate::Idn
        | ServerCertificate::Underscore
        | ServerCertificate::MissingExtendedKeyUsage
        | ServerCertificate::ThousandNames
        | ServerCertificate::CrossSignedOneExpired
        | ServerCertificate::NameConstraintsKept
        | ServerCertificate::ReversedChain
        | ServerCertificate::DuplicatedChain
        | ServerCertificate::WithRoot
        | ServerCertificate::WithUnrelated => (&[], &[]),

        // Neither is shown a handshake, a staple, a revocation list or another time than now: see `handshakes`,
        // `revocation` and below.
        ServerCertificate::MismatchedKey
        | ServerCertificate::MustStaple
        | ServerCertificate::PointsToCrl
        | ServerCertificate::PointsToOcsp
        | ServerCertificate::RevokedByCrl
        | ServerCertificate::RevokedIntermediate
        | ServerCertificate::RevokedByOcsp
        | ServerCertificate::ExpiresDuringRun => (&[], &[]),

        // OpenSSL 3.0 cannot read the key, and takes what it cannot read for weak. webpki does not look at it.
        ServerCertificate::MlDsa65 => (&["EE certificate key too weak at 0"], &[]),
        // webpki does not look at the key of a leaf.
        ServerCertificate::Rsa1024 => (&["EE certificate key too weak at 0"], &[]),
        ServerCertificate::Sha1SignedLeaf | ServerCertificate::Md5SignedLeaf => {
            (&["CA signature digest algorithm too weak at 0"], &["UnsupportedSignatureAlgorithmContext"])
        }
        ServerCertificate::Sha1SignedIntermediate => {
            (&["CA signature digest algorithm too weak at 1"], &["UnsupportedSignatureAlgorithmContext"])
        }

        // webpki reads no DER value of more than 64 KiB.
        ServerCertificate::TenThousandNames => (&[], &["TrailingData"]),
        // webpki allows six authorities, OpenSSL a hundred.
        ServerCertificate::Chain10Deep | ServerCertificate::Chain50Deep => {
            (&[], &["MaximumPathDepthExceeded"])
        }

        ServerCertificate::Expired => (&["certificate has expired at 0"], &["CertExpired"]),
        ServerCertificate::ExpiredIntermediate => (&["certificate has expired at 1"], &["CertExpired"]),
        // For webpki, as for RFC 5280, a trust anchor is a name and a key.
        ServerCertificate::ExpiredRoot => (&["certificate has expired at 2"], &[]),
        ServerCertificate::NotYetValid => (&["certificate is not yet valid at 0"], &["CertNotValidYet"]),

        ServerCertificate::WrongName
        | ServerCertificate::CnRightSanWrong
        | ServerCertificate::WildcardTooDeep
        | ServerCertificate::NulInName
        | ServerCertificate::UriSan => (&["hostname mismatch at 0"], &["CertNotValidForName"]),
        // OpenSSL still looks at the common name if there is no host name among the alternative names.
        ServerCertificate::CnOnly => (&[], &["CertNotValidForName"]),

        ServerCertificate::SelfSigned => (&["self-signed certificate at 0"], &["UnknownIssuer"]),
        ServerCertificate::UntrustedRoot | ServerCertificate::IssuedByClientCa => {
            (&["unable to get local issuer certificate at 1"], &["UnknownIssuer"])
        }
        ServerCertificate::MissingIntermediate => {
            (&["unable to get local issuer certificate at 0"], &["UnknownIssuer"])
        }
        ServerCertificate::NameConstraintsViolated => {
            (&["excluded subtree violation at 0"], &["NameConstraintViolation"])
        }
        // OpenSSL counts down from the top, and names the authority that is exceeded.
        ServerCertificate::PathLengthExceeded => {
            (&["path length constraint exceeded at 2"], &["PathLenConstraintViolated"])
        }
        // What is no authority has not the purpose of one either.
        ServerCertificate::IntermediateNoCa => {
            (&["invalid CA certificate at 1", "unsuitable certificate purpose at 1"], &["EndEntityUsedAsCa"])
        }

        ServerCertificate::WrongExtendedKeyUsage => {
            (&["unsuitable certificate purpose at 0"], &["RequiredEkuNotFoundContext"])
        }
        // webpki knows no key usage.
        ServerCertificate::WrongKeyUsage => (&["unsuitable certificate purpose at 0"], &[]),
        // RFC 5280 lets an authority be an end entity; the browsers' rules and webpki do not.
        ServerCertificate::CaAsLeaf => (&[], &["CaUsedAsEndEntity"]),
        ServerCertificate::UnknownCriticalExtension => {
            (&["unhandled critical extension at 0"], &["UnsupportedCriticalExtension"])
        }
        // webpki knows version 3 only; for OpenSSL the common name is name enough.
        ServerCertificate::X509V1 => (&[], &["UnsupportedCertVersion"]),
        // OpenSSL holds a certificate with an illegible extension for invalid, and then finds no issuer for it.
        ServerCertificate::MalformedDer => (&["unable to get local issuer certificate at 0"], &["BadDer"]),
        ServerCertificate::TamperedSignature => {
            (&["certificate signature failure at 0"], &["InvalidSignatureForPublicKey"])
        }
    }
}
