//! The fields of a leaf, apart from its serial number.

use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose,
};
use time::OffsetDateTime;
use yasna::models::ObjectIdentifier;
use yasna::{Tag, construct_der};

use crate::authority::common_name;
use crate::circumstances::Circumstances;
use crate::covered::Covered;
use crate::key::Key;
use crate::shape::{Extension, KeyKind, Shape, Subject, Usage};

const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const AUTHORITY_INFO_ACCESS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
const TLS_FEATURE: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 24];
const OCSP: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 48, 1];

/// Below ITU-T's arc for examples, so it will never come to mean anything.
const UNKNOWN: &[u64] = &[2, 999, 1];

pub(super) fn params(
    shape: Shape,
    covered: Covered,
    key: &Key,
    now: OffsetDateTime,
    circumstances: &Circumstances,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(shape.subject, &covered.common_name);
    params.subject_alt_names = covered.alternative_names;
    (params.not_before, params.not_after) = shape.lifetime.around(now, circumstances.expires_in);
    params.is_ca = match shape.usage {
        Usage::ServerAndAuthority => IsCa::Ca(BasicConstraints::Unconstrained),
        Usage::Server | Usage::Client | Usage::Any | Usage::ServerThatCannotSign | Usage::Illegible => {
            IsCa::ExplicitNoCa
        }
    };
    params.key_usages = key_usages(shape);
    params.extended_key_usages = match shape.usage {
        Usage::Server | Usage::ServerThatCannotSign | Usage::ServerAndAuthority => {
            vec![ExtendedKeyUsagePurpose::ServerAuth]
        }
        Usage::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        Usage::Any | Usage::Illegible => Vec::new(),
    };
    if let Usage::Illegible = shape.usage {
        // A sequence of 32 bytes that ends after one.
        let broken = vec![0x30, 0x20, 0x06];
        params.custom_extensions.push(CustomExtension::from_oid_content(EXTENDED_KEY_USAGE, broken));
    }
    if let Extension::CrlUrl = shape.extension {
        let uris = vec![circumstances.crl_url.clone()];
        params.crl_distribution_points.push(CrlDistributionPoint { uris });
    }
    params.custom_extensions.extend(extension(shape.extension, circumstances));
    params.use_authority_key_identifier_extension = true;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key.identifier());
    params
}

fn subject(subject: Subject, name: &str) -> DistinguishedName {
    match subject {
        Subject::CommonName => common_name(name),
        Subject::Organisation => {
            let mut subject = DistinguishedName::new();
            subject.push(DnType::OrganizationName, "Gauntlet");
            subject
        }
        Subject::Empty => DistinguishedName::new(),
    }
}

fn key_usages(shape: Shape) -> Vec<KeyUsagePurpose> {
    let mut usages = match shape.key {
        // TLS 1.2 cipher suites with RSA key exchange encrypt with the key of the certificate.
        KeyKind::Rsa1024 | KeyKind::Rsa2048 | KeyKind::Rsa3072 | KeyKind::Rsa4096 | KeyKind::Rsa8192 => {
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment]
        }
        KeyKind::P256
        | KeyKind::P384
        | KeyKind::P521
        | KeyKind::RsaPss
        | KeyKind::Ed25519
        | KeyKind::Ed448
        | KeyKind::MlDsa65 => vec![KeyUsagePurpose::DigitalSignature],
    };
    match shape.usage {
        Usage::Server | Usage::Client | Usage::Any | Usage::Illegible => {}
        Usage::ServerThatCannotSign => usages = vec![KeyUsagePurpose::DataEncipherment],
        Usage::ServerAndAuthority => usages.push(KeyUsagePurpose::KeyCertSign),
    }
    usages
}

/// The extensions that rcgen has no field for.
fn extension(extension: Extension, circumstances: &Circumstances) -> Option<CustomExtension> {
    match extension {
        Extension::None | Extension::CrlUrl => None,
        Extension::UnknownCritical => {
            let null = construct_der(|writer| writer.write_null());
            let mut unknown = CustomExtension::from_oid_content(UNKNOWN, null);
            unknown.set_criticality(true);
            Some(unknown)
        }
        Extension::MustStaple => {
            // RFC 7633 4.1: the numbers of the TLS extensions that must be there; status_request is 5.
            let features = construct_der(|writer| writer.write_sequence(|list| list.next().write_u8(5)));
            Some(CustomExtension::from_oid_content(TLS_FEATURE, features))
        }
        Extension::OcspUrl => {
            // RFC 5280 4.2.2.1: one access description, its location a URI.
            let access = construct_der(|writer| {
                writer.write_sequence(|list| {
                    list.next().write_sequence(|description| {
                        description.next().write_oid(&ObjectIdentifier::from_slice(OCSP));
                        description.next().write_tagged_implicit(Tag::context(6), |location| {
                            location.write_ia5_string(&circumstances.ocsp_url);
                        });
                    });
                });
            });
            Some(CustomExtension::from_oid_content(AUTHORITY_INFO_ACCESS, access))
        }
    }
}
