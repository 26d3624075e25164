//! Every server recipe is refused for the reason it claims, and for no other; or is accepted, and why.

use rstest::rstest;
use time::Duration;
use tls_gauntlet_certs::{ServerRecipe, WRONG_NAME};

use crate::judges::{Purpose, Question};
use crate::{HOST, names, pki};

#[rstest]
fn a_server_is_refused_for_its_flaw_alone(
    #[values(
        ServerRecipe::Good,
        ServerRecipe::GoodRsa,
        ServerRecipe::Rsa3072,
        ServerRecipe::Rsa4096,
        ServerRecipe::Rsa8192,
        ServerRecipe::RsaPss,
        ServerRecipe::P384,
        ServerRecipe::P521,
        ServerRecipe::Ed25519,
        ServerRecipe::Ed448,
        ServerRecipe::MlDsa65,
        ServerRecipe::NoCommonName,
        ServerRecipe::NoSubject,
        ServerRecipe::IpSan,
        ServerRecipe::Wildcard,
        ServerRecipe::Idn,
        ServerRecipe::MissingExtendedKeyUsage,
        ServerRecipe::ThousandNames,
        ServerRecipe::TenThousandNames,
        ServerRecipe::CrossSignedOneExpired,
        ServerRecipe::NameConstraintsKept,
        ServerRecipe::Chain10Deep,
        ServerRecipe::Chain50Deep,
        ServerRecipe::ReversedChain,
        ServerRecipe::DuplicatedChain,
        ServerRecipe::WithRoot,
        ServerRecipe::WithUnrelated,
        ServerRecipe::MustStaple,
        ServerRecipe::PointsToCrl,
        ServerRecipe::PointsToOcsp,
        ServerRecipe::Expired,
        ServerRecipe::ExpiresDuringRun,
        ServerRecipe::NotYetValid,
        ServerRecipe::WrongName,
        ServerRecipe::CnOnly,
        ServerRecipe::WildcardTooDeep,
        ServerRecipe::Underscore,
        ServerRecipe::NulInName,
        ServerRecipe::UriSan,
        ServerRecipe::SelfSigned,
        ServerRecipe::UntrustedRoot,
        ServerRecipe::IssuedByClientCa,
        ServerRecipe::ExpiredRoot,
        ServerRecipe::MissingIntermediate,
        ServerRecipe::ExpiredIntermediate,
        ServerRecipe::NameConstraintsViolated,
        ServerRecipe::PathLengthExceeded,
        ServerRecipe::IntermediateNoCa,
        ServerRecipe::WrongExtendedKeyUsage,
        ServerRecipe::WrongKeyUsage,
        ServerRecipe::CaAsLeaf,
        ServerRecipe::UnknownCriticalExtension,
        ServerRecipe::X509V1,
        ServerRecipe::MalformedDer,
        ServerRecipe::TamperedSignature,
        ServerRecipe::MismatchedKey,
        ServerRecipe::Rsa1024,
        ServerRecipe::Sha1SignedLeaf,
        ServerRecipe::Md5SignedLeaf,
        ServerRecipe::Sha1SignedIntermediate,
        ServerRecipe::RevokedByCrl,
        ServerRecipe::RevokedIntermediate,
        ServerRecipe::RevokedByOcsp
    )]
    recipe: ServerRecipe,
) {
    let pki = pki();
    let identity = pki.server(recipe, &names(&[HOST])).unwrap();
    let dialled = recipe.dialled(HOST);
    let sound = || Question { name: Some(&dialled), ..Question::server(&identity, pki.server_root()) };
    let asked = || match recipe {
        ServerRecipe::ExpiredRoot => Question { trusted: pki.expired_root(), ..sound() },
        _ => sound(),
    };
    let (openssl, webpki) = verdicts(recipe);
    asked().must_answer(openssl.iter().copied(), webpki.iter().copied());

    // Whoever overlooks the one flaw has nothing left to object to.
    let good = pki.server(ServerRecipe::Good, &names(&[HOST])).unwrap();
    let overlooked = match recipe {
        ServerRecipe::Expired => Question { at: asked().at - Duration::days(2), ..asked() },
        ServerRecipe::ExpiredRoot | ServerRecipe::ExpiredIntermediate => {
            Question { at: asked().at - Duration::hours(18), ..asked() }
        }
        ServerRecipe::NotYetValid => Question { at: asked().at + Duration::days(2), ..asked() },
        ServerRecipe::WrongName => Question { name: Some(WRONG_NAME), ..asked() },
        ServerRecipe::WildcardTooDeep => Question { name: Some("any.orders.test"), ..asked() },
        ServerRecipe::NulInName | ServerRecipe::UriSan => Question { name: None, ..asked() },
        ServerRecipe::SelfSigned => Question { trusted: identity.leaf(), ..asked() },
        ServerRecipe::UntrustedRoot => Question { trusted: pki.untrusted_root(), ..asked() },
        ServerRecipe::IssuedByClientCa => Question { trusted: pki.client_root(), ..asked() },
        ServerRecipe::MissingIntermediate => {
            Question { chain: vec![identity.leaf().clone(), good.chain()[1].clone()], ..asked() }
        }
        ServerRecipe::PathLengthExceeded => Question { trusted: &identity.chain()[1], ..asked() },
        ServerRecipe::WrongExtendedKeyUsage => Question { purpose: Purpose::Client, ..asked() },
        ServerRecipe::Rsa1024
        | ServerRecipe::Sha1SignedLeaf
        | ServerRecipe::Md5SignedLeaf
        | ServerRecipe::Sha1SignedIntermediate => {
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
fn verdicts(recipe: ServerRecipe) -> (&'static [&'static str], &'static [&'static str]) {
    match recipe {
        ServerRecipe::Good
        | ServerRecipe::GoodRsa
        | ServerRecipe::Rsa3072
        | ServerRecipe::Rsa4096
        | ServerRecipe::Rsa8192
        | ServerRecipe::RsaPss
        | ServerRecipe::P384
        | ServerRecipe::P521
        | ServerRecipe::Ed25519
        | ServerRecipe::Ed448
        | ServerRecipe::NoCommonName
        | ServerRecipe::NoSubject
        | ServerRecipe::IpSan
        | ServerRecipe::Wildcard
        | ServerRecipe::Idn
        | ServerRecipe::Underscore
        | ServerRecipe::MissingExtendedKeyUsage
        | ServerRecipe::ThousandNames
        | ServerRecipe::CrossSignedOneExpired
        | ServerRecipe::NameConstraintsKept
        | ServerRecipe::ReversedChain
        | ServerRecipe::DuplicatedChain
        | ServerRecipe::WithRoot
        | ServerRecipe::WithUnrelated => (&[], &[]),

        // Neither is shown a handshake, a staple, a revocation list or another time than now: see `handshakes`,
        // `revocation` and below.
        ServerRecipe::MismatchedKey
        | ServerRecipe::MustStaple
        | ServerRecipe::PointsToCrl
        | ServerRecipe::PointsToOcsp
        | ServerRecipe::RevokedByCrl
        | ServerRecipe::RevokedIntermediate
        | ServerRecipe::RevokedByOcsp
        | ServerRecipe::ExpiresDuringRun => (&[], &[]),

        // OpenSSL 3.0 cannot read the key, and takes what it cannot read for weak. webpki does not look at it.
        ServerRecipe::MlDsa65 => (&["EE certificate key too weak at 0"], &[]),
        // webpki does not look at the key of a leaf.
        ServerRecipe::Rsa1024 => (&["EE certificate key too weak at 0"], &[]),
        ServerRecipe::Sha1SignedLeaf | ServerRecipe::Md5SignedLeaf => {
            (&["CA signature digest algorithm too weak at 0"], &["UnsupportedSignatureAlgorithmContext"])
        }
        ServerRecipe::Sha1SignedIntermediate => {
            (&["CA signature digest algorithm too weak at 1"], &["UnsupportedSignatureAlgorithmContext"])
        }

        // webpki reads no DER value of more than 64 KiB.
        ServerRecipe::TenThousandNames => (&[], &["TrailingData"]),
        // webpki allows six authorities, OpenSSL a hundred.
        ServerRecipe::Chain10Deep | ServerRecipe::Chain50Deep => (&[], &["MaximumPathDepthExceeded"]),

        ServerRecipe::Expired => (&["certificate has expired at 0"], &["CertExpired"]),
        ServerRecipe::ExpiredIntermediate => (&["certificate has expired at 1"], &["CertExpired"]),
        // For webpki, as for RFC 5280, a trust anchor is a name and a key.
        ServerRecipe::ExpiredRoot => (&["certificate has expired at 2"], &[]),
        ServerRecipe::NotYetValid => (&["certificate is not yet valid at 0"], &["CertNotValidYet"]),

        ServerRecipe::WrongName
        | ServerRecipe::WildcardTooDeep
        | ServerRecipe::NulInName
        | ServerRecipe::UriSan => (&["hostname mismatch at 0"], &["CertNotValidForName"]),
        // OpenSSL still looks at the common name if there is no host name among the alternative names.
        ServerRecipe::CnOnly => (&[], &["CertNotValidForName"]),

        ServerRecipe::SelfSigned => (&["self-signed certificate at 0"], &["UnknownIssuer"]),
        ServerRecipe::UntrustedRoot | ServerRecipe::IssuedByClientCa => {
            (&["unable to get local issuer certificate at 1"], &["UnknownIssuer"])
        }
        ServerRecipe::MissingIntermediate => {
            (&["unable to get local issuer certificate at 0"], &["UnknownIssuer"])
        }
        ServerRecipe::NameConstraintsViolated => {
            (&["excluded subtree violation at 0"], &["NameConstraintViolation"])
        }
        // OpenSSL counts down from the top, and names the authority that is exceeded.
        ServerRecipe::PathLengthExceeded => {
            (&["path length constraint exceeded at 2"], &["PathLenConstraintViolated"])
        }
        // What is no authority has not the purpose of one either.
        ServerRecipe::IntermediateNoCa => {
            (&["invalid CA certificate at 1", "unsuitable certificate purpose at 1"], &["EndEntityUsedAsCa"])
        }

        ServerRecipe::WrongExtendedKeyUsage => {
            (&["unsuitable certificate purpose at 0"], &["RequiredEkuNotFoundContext"])
        }
        // webpki knows no key usage.
        ServerRecipe::WrongKeyUsage => (&["unsuitable certificate purpose at 0"], &[]),
        // RFC 5280 lets an authority be an end entity; the browsers' rules and webpki do not.
        ServerRecipe::CaAsLeaf => (&[], &["CaUsedAsEndEntity"]),
        ServerRecipe::UnknownCriticalExtension => {
            (&["unhandled critical extension at 0"], &["UnsupportedCriticalExtension"])
        }
        // webpki knows version 3 only; for OpenSSL the common name is name enough.
        ServerRecipe::X509V1 => (&[], &["UnsupportedCertVersion"]),
        // OpenSSL holds a certificate with an illegible extension for invalid, and then finds no issuer for it.
        ServerRecipe::MalformedDer => (&["unable to get local issuer certificate at 0"], &["BadDer"]),
        ServerRecipe::TamperedSignature => {
            (&["certificate signature failure at 0"], &["InvalidSignatureForPublicKey"])
        }
    }
}
