//! Revocation lists and OCSP responses, fresh, stale and worse.

use std::fmt;
use std::str::FromStr;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::Id;
use openssl::sha::sha1;
use openssl::sign::Signer;
use openssl::x509::{X509Crl, X509Ref};
use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, PublicKeyData, RevocationReason, RevokedCertParams,
    SerialNumber,
};
use time::{Duration, OffsetDateTime};
use yasna::models::{GeneralizedTime, ObjectIdentifier};
use yasna::{DERWriter, Tag, construct_der};

use crate::Error;
use crate::authority::Link;
use crate::error::pick;

/// A revocation list, by what is on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CrlKind {
    /// Current, and nothing is on it.
    Empty,
    /// Current, and on it is every certificate of the recipe for it that was issued until now.
    Revoked,
    /// Nothing is on it, and its successor was due yesterday.
    Stale,
}

impl CrlKind {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::Empty, Self::Revoked, Self::Stale];

    /// The name that users write.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Revoked => "revoked",
            Self::Stale => "stale",
        }
    }
}

/// An OCSP response, by what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OcspKind {
    /// The certificate is good.
    Good,
    /// The certificate was revoked yesterday, because its key was stolen.
    Revoked,
    /// The responder does not know the certificate.
    Unknown,
    /// The certificate was good, but the next response was due yesterday.
    Expired,
    /// Says that it is a response, and holds bytes that are none. (OpenSSL staples nothing that it cannot read so far.)
    Garbage,
}

impl OcspKind {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::Good, Self::Revoked, Self::Unknown, Self::Expired, Self::Garbage];

    /// The name that users write.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Revoked => "revoked",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Garbage => "garbage",
        }
    }
}

impl fmt::Display for CrlKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for OcspKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for CrlKind {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        pick("revocation list", word, Self::ALL, Self::as_str)
    }
}

impl FromStr for OcspKind {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        pick("OCSP response", word, Self::ALL, Self::as_str)
    }
}

/// When a status was given, and when the next is due.
#[derive(Clone, Copy)]
struct Period {
    from: OffsetDateTime,
    until: OffsetDateTime,
}

impl Period {
    fn current(now: OffsetDateTime) -> Self {
        Self { from: now - Duration::DAY, until: now + Duration::WEEK }
    }

    fn stale(now: OffsetDateTime) -> Self {
        Self { from: now - Duration::DAY - Duration::WEEK, until: now - Duration::DAY }
    }
}

/// A revocation list in DER.
pub(crate) fn crl(
    issuer: &Link,
    kind: CrlKind,
    revoked: Vec<SerialNumber>,
    now: OffsetDateTime,
) -> Result<Vec<u8>, Error> {
    let (period, revoked) = match kind {
        CrlKind::Empty => (Period::current(now), Vec::new()),
        CrlKind::Revoked => (Period::current(now), revoked),
        CrlKind::Stale => (Period::stale(now), Vec::new()),
    };
    let entry = |serial_number| RevokedCertParams {
        serial_number,
        revocation_time: now - Duration::DAY,
        reason_code: Some(RevocationReason::KeyCompromise),
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: period.from,
        next_update: period.until,
        // Must never decrease (RFC 5280 5.2.3).
        crl_number: period.from.unix_timestamp().unsigned_abs().into(),
        issuing_distribution_point: None,
        revoked_certs: revoked.into_iter().map(entry).collect(),
        key_identifier_method: KeyIdMethod::PreSpecified(issuer.key().identifier()),
    };
    let signed = params.signed_by(issuer.issuer());
    let list = signed.map_err(|source| Error::Encode { subject: "a revocation list".to_owned(), source })?;
    Ok(list.der().to_vec())
}

/// Revocation lists in PEM, one after the other, from DER.
pub fn crls_pem(lists: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
    let pem = lists.iter().map(|list| X509Crl::from_der(list)?.to_pem()).collect::<Result<Vec<_>, _>>();
    Ok(pem.map_err(Error::openssl("write a revocation list"))?.concat())
}

/// An OCSP response in DER, signed by the authority itself, which needs no certificate for it (RFC 6960 4.2.2.2).
///
/// Written by hand, because `OCSP_basic_sign(3)` puts the time of the wall clock into what it signs.
pub(crate) fn ocsp(
    certificate: &X509Ref,
    issuer: &Link,
    kind: OcspKind,
    now: OffsetDateTime,
) -> Result<Vec<u8>, ErrorStack> {
    let period = match kind {
        OcspKind::Good | OcspKind::Revoked | OcspKind::Unknown => Period::current(now),
        OcspKind::Expired => Period::stale(now),
        OcspKind::Garbage => return Ok(successful(b"This is no OCSP response.")),
    };
    let key_hash = sha1(issuer.key().der_bytes());
    let name_hash = sha1(&issuer.certificate().subject_name().to_der()?);
    let serial = certificate.serial_number().to_bn()?.to_vec();

    let data = construct_der(|writer| {
        writer.write_sequence(|data| {
            let responder_by_key = Tag::context(2);
            data.next().write_tagged(responder_by_key, |responder| responder.write_bytes(&key_hash));
            data.next().write_generalized_time(&moment(period.from));
            data.next().write_sequence(|responses| {
                responses.next().write_sequence(|single| {
                    single.next().write_sequence(|id| {
                        write_algorithm(id.next(), &[1, 3, 14, 3, 2, 26], true);
                        id.next().write_bytes(&name_hash);
                        id.next().write_bytes(&key_hash);
                        id.next().write_bigint_bytes(&serial, true);
                    });
                    write_status(single.next(), kind, now);
                    single.next().write_generalized_time(&moment(period.from));
                    let next_update = Tag::context(0);
                    single.next().write_tagged(next_update, |time| {
                        time.write_generalized_time(&moment(period.until));
                    });
                });
            });
        });
    });
    let signature =
        Signer::new(MessageDigest::sha256(), issuer.key().private())?.sign_oneshot_to_vec(&data)?;
    let basic = construct_der(|writer| {
        writer.write_sequence(|basic| {
            basic.next().write_der(&data);
            if issuer.key().private().id() == Id::RSA {
                write_algorithm(basic.next(), &[1, 2, 840, 113_549, 1, 1, 11], true);
            } else {
                write_algorithm(basic.next(), &[1, 2, 840, 10045, 4, 3, 2], false);
            }
            basic.next().write_bitvec_bytes(&signature, signature.len() * 8);
        });
    });
    Ok(successful(&basic))
}

/// `OCSPResponse` of RFC 6960 4.2.1, around a `BasicOCSPResponse`.
fn successful(basic: &[u8]) -> Vec<u8> {
    construct_der(|writer| {
        writer.write_sequence(|response| {
            let successful = 0;
            response.next().write_enum(successful);
            response.next().write_tagged(Tag::context(0), |bytes| {
                bytes.write_sequence(|bytes| {
                    let id_pkix_ocsp_basic = [1, 3, 6, 1, 5, 5, 7, 48, 1, 1];
                    bytes.next().write_oid(&ObjectIdentifier::from_slice(&id_pkix_ocsp_basic));
                    bytes.next().write_bytes(basic);
                });
            });
        });
    })
}

/// `CertStatus` of RFC 6960 4.2.1.
fn write_status(writer: DERWriter<'_>, kind: OcspKind, now: OffsetDateTime) {
    match kind {
        OcspKind::Good | OcspKind::Expired | OcspKind::Garbage => {
            writer.write_tagged_implicit(Tag::context(0), |good| good.write_null());
        }
        OcspKind::Revoked => writer.write_tagged_implicit(Tag::context(1), |revoked| {
            revoked.write_sequence(|info| {
                info.next().write_generalized_time(&moment(now - Duration::DAY));
                let key_compromise = 1;
                info.next().write_tagged(Tag::context(0), |reason| reason.write_enum(key_compromise));
            });
        }),
        OcspKind::Unknown => {
            writer.write_tagged_implicit(Tag::context(2), |unknown| unknown.write_null());
        }
    }
}

fn write_algorithm(writer: DERWriter<'_>, oid: &[u64], has_null: bool) {
    writer.write_sequence(|algorithm| {
        algorithm.next().write_oid(&ObjectIdentifier::from_slice(oid));
        if has_null {
            algorithm.next().write_null();
        }
    });
}

/// RFC 6960 inherits from RFC 5280 4.1.2.5.2 that there are no fractions of seconds.
fn moment(time: OffsetDateTime) -> GeneralizedTime {
    GeneralizedTime::from_datetime(time - Duration::nanoseconds(time.nanosecond().into()))
}
