//! Authorities in a folder, so that what was told to trust them once can go on doing so.

use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::{X509, X509Crl, X509NameBuilder, X509Ref};
use time::OffsetDateTime;

use crate::Error;
use crate::authority::{Authority, Link};
use crate::file::{self, Secrecy};
use crate::key::Key;
use crate::shape::Lifetime;

/// The files of one authority.
struct Files {
    root: PathBuf,
    root_crl: PathBuf,
    intermediate: LinkFiles,
    branch: LinkFiles,
}

struct LinkFiles {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn of(dir: &Path, title: &str) -> Self {
        let title = title.to_ascii_lowercase();
        let file = |name: &str| dir.join(format!("{title}-{name}"));
        let link = |name: &str| LinkFiles {
            certificate: file(&format!("{name}.pem")),
            key: file(&format!("{name}.key")),
        };
        Self {
            root: file("root.pem"),
            root_crl: file("root.crl"),
            intermediate: link("intermediate"),
            branch: link("branch"),
        }
    }
}

pub(crate) fn save(dir: &Path, title: &str, authority: &Authority) -> Result<(), Error> {
    let encode = |pem: Result<Vec<u8>, ErrorStack>| pem.map_err(Error::openssl("encode an authority"));
    let files = Files::of(dir, title);
    let links = [(&files.intermediate, authority.intermediate()), (&files.branch, authority.branch())];
    for (files, link) in links {
        let key = link.key().private();
        file::replace(&files.key, &encode(key.private_key_to_pem_pkcs8())?, Secrecy::Private)?;
        file::replace(&files.certificate, &encode(link.certificate().to_pem())?, Secrecy::Public)?;
    }
    file::replace(&files.root_crl, &encode(authority.root_crl().to_pem())?, Secrecy::Public)?;
    file::replace(&files.root, &encode(authority.root().to_pem())?, Secrecy::Public)
}

/// Reads an authority back and makes sure that what it will issue holds: a folder may have been edited, mixed
/// with another or kept for too long, and that must not look like a fault of the gateway.
pub(crate) fn open(
    dir: &Path,
    title: &str,
    now: OffsetDateTime,
    lifetime: Lifetime,
) -> Result<Authority, Error> {
    let files = Files::of(dir, title);
    let root = certificate(&files.root)?;
    let intermediate = link(&files.intermediate, &files.root, &root, now, lifetime)?;
    let branch = link(&files.branch, &files.root, &root, now, lifetime)?;
    let root_crl = X509Crl::from_pem(&file::read(&files.root_crl)?).map_err(|source| Error::Pem {
        path: files.root_crl.clone(),
        expected: "revocation list",
        source,
    })?;
    let is_the_roots = root.public_key().and_then(|key| root_crl.verify(&key));
    // What OpenSSL cannot even check has been altered.
    if !is_the_roots.unwrap_or(false) {
        return refuse(&files.root_crl, "was not issued by the root beside it");
    }
    Ok(Authority::restore(root, root_crl, intermediate, branch))
}

fn link(
    files: &LinkFiles,
    root_file: &Path,
    root: &X509Ref,
    now: OffsetDateTime,
    lifetime: Lifetime,
) -> Result<Link, Error> {
    let own = certificate(&files.certificate)?;
    let key = PKey::private_key_from_pem(&file::read(&files.key)?).map_err(|source| Error::Pem {
        path: files.key.clone(),
        expected: "private key",
        source,
    })?;

    let Ok(facts) = Facts::of(root, &own, now) else {
        return refuse(
            &files.certificate,
            "or the root beside it was altered: its signature cannot be checked",
        );
    };
    let is_past = matches!(lifetime, Lifetime::AuthorityEnded);
    if facts.root_is_current == is_past {
        return refuse(root_file, if is_past { "has not ended yet" } else { "is not valid at this time" });
    }
    if !facts.own_is_current {
        return refuse(&files.certificate, "is not valid at this time");
    }
    if !facts.issued_by_root {
        return refuse(&files.certificate, "was not issued by the root beside it");
    }
    let Some(name) = facts.name else {
        return refuse(
            &files.certificate,
            "was not made by Gauntlet: its subject is not a common name alone",
        );
    };
    if !facts.public_key.public_eq(&key) {
        return refuse(&files.key, "is not the key of the intermediate beside it");
    }
    let Some(key) = Key::restore(&key) else {
        return refuse(&files.key, "is not a P-256 key");
    };
    if own.subject_key_id().map(|id| id.as_slice()) != Some(&key.identifier()) {
        return refuse(&files.certificate, "was not made by Gauntlet: it identifies its key in another way");
    }
    Ok(Link::restore(own, &name, key))
}

fn refuse<T>(path: &Path, because: &'static str) -> Result<T, Error> {
    Err(Error::Authority { path: path.to_owned(), because })
}

/// The facts to check before an authority is used again.
struct Facts {
    root_is_current: bool,
    own_is_current: bool,
    issued_by_root: bool,
    /// Its common name, if that is its whole subject.
    name: Option<String>,
    public_key: PKey<openssl::pkey::Public>,
}

impl Facts {
    fn of(root: &X509Ref, own: &X509Ref, now: OffsetDateTime) -> Result<Self, ErrorStack> {
        let now = Asn1Time::from_unix(now.unix_timestamp())?;
        let is_current = |one: &X509Ref| one.not_before() <= now && one.not_after() >= now;
        Ok(Self {
            root_is_current: is_current(root),
            own_is_current: is_current(own),
            issued_by_root: own.verify(&*root.public_key()?)?,
            name: sole_common_name(own)?,
            public_key: own.public_key()?,
        })
    }
}

/// Leaves carry a subject that is encoded anew, and a chain holds only if that is the same to the byte.
pub(crate) fn sole_common_name(certificate: &X509Ref) -> Result<Option<String>, ErrorStack> {
    let subject = certificate.subject_name();
    let first = subject.entries_by_nid(Nid::COMMONNAME).next();
    let Some(name) = first.and_then(|entry| entry.data().to_string().ok()) else { return Ok(None) };
    let mut same = X509NameBuilder::new()?;
    same.append_entry_by_nid(Nid::COMMONNAME, &name)?;
    let is_whole = same.build().to_der()? == subject.to_der()?;
    Ok(is_whole.then_some(name))
}

fn certificate(path: &Path) -> Result<X509, Error> {
    X509::from_pem(&file::read(path)?).map_err(|source| Error::Pem {
        path: path.to_owned(),
        expected: "certificate",
        source,
    })
}
