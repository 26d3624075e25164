//! The certificates that clients show: what was shown on a connection, and which of the known ones it is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use openssl::{
    ex_data::Index,
    hash::MessageDigest,
    ssl::{Ssl, SslContextBuilder, SslVerifyMode},
    x509::{X509, X509NameRef, X509Ref, X509StoreContext, X509StoreContextRef, X509VerifyResult},
};
use tls_gauntlet_certs::{Error, Pki, hex};
use tls_gauntlet_scenarios::ClientCertificate;

use crate::ffi;

/// The chain that was shown on one connection, leaf first; empty if none was.
#[derive(Debug, Default)]
pub(super) struct Shown(Mutex<Vec<X509>>);

impl Shown {
    pub(super) fn chain(&self) -> Vec<X509> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Notes what clients show, good or bad: OpenSSL itself forgets a certificate that it refuses. `goes_on` leaves the
/// refusal to others, and where any will do there is none.
pub(super) fn install(
    context: &mut SslContextBuilder,
    mode: SslVerifyMode,
    (goes_on, takes_any): (bool, bool),
    pki: &Pki,
) -> Result<(), Error> {
    let leaf = pki.client(ClientCertificate::Revoked)?;
    let below = pki.client(ClientCertificate::RevokedIntermediate)?;
    let revoked = [leaf.leaf(), &below.chain()[1]].map(|one| names(one));
    context.set_verify_callback(mode, move |accepted, verification| {
        note(verification);
        let flaw = if accepted { flaw(verification, &revoked) } else { None };
        if let Some(flaw) = flaw {
            verification.set_error(ffi::verify_result(flaw));
        }
        if takes_any {
            verification.set_error(X509VerifyResult::OK);
        }
        (accepted && flaw.is_none()) || goes_on
    });
    Ok(())
}

/// What is wrong with a certificate of a chain that holds: that it was revoked, whichever run of the authority issued it, or
/// that the key of a leaf is weak, which OpenSSL does not mind at security level 0.
fn flaw(verification: &X509StoreContextRef, revoked: &[[String; 2]]) -> Option<i32> {
    const STRONG: u32 = 2048;
    let certificate = verification.current_cert()?;
    if revoked.contains(&names(certificate)) {
        return Some(openssl_sys::X509_V_ERR_CERT_REVOKED);
    }
    let leaf = Some(certificate).filter(|_| verification.error_depth() == 0)?;
    let bits = leaf.public_key().and_then(|key| key.rsa()).map(|key| key.n().num_bits());
    let is_weak = bits.is_ok_and(|bits| bits.unsigned_abs() < STRONG);
    is_weak.then_some(openssl_sys::X509_V_ERR_EE_KEY_TOO_SMALL)
}

/// Gives a connection the place where its client's chain is noted.
pub(super) fn attach(ssl: &mut Ssl) -> Arc<Shown> {
    let shown = Arc::<Shown>::default();
    ssl.set_ex_data(*index(), Arc::clone(&shown));
    shown
}

fn note(verification: &X509StoreContextRef) {
    let Ok(ssl) = X509StoreContext::ssl_idx() else { return };
    let Some(shown) = verification.ex_data(ssl).and_then(|ssl| ssl.ex_data(*index())) else { return };
    if let Some(sent) = ffi::sent_chain(verification) {
        let chain = sent.iter().map(|one| one.to_owned()).collect();
        *shown.0.lock().unwrap_or_else(PoisonError::into_inner) = chain;
    }
}

fn index() -> &'static Index<Ssl, Arc<Shown>> {
    static INDEX: OnceLock<Index<Ssl, Arc<Shown>>> = OnceLock::new();
    // Fails only if memory for one pointer cannot be had.
    INDEX.get_or_init(|| Ssl::new_ex_index().expect("OpenSSL gives out an index"))
}

/// The client certificates that profiles name, by subject and issuer: a gateway that was set up from `gauntlet certs`
/// shows one that was issued in another run by the same authority.
#[derive(Debug)]
pub(super) struct Known(HashMap<[String; 2], ClientCertificate>);

impl Known {
    pub(super) fn of(pki: &Pki) -> Result<Self, Error> {
        let mut known = HashMap::new();
        for word in ClientCertificate::ALL {
            let subject = format!("CN={}", word.common_name());
            let issuer = pki.client_issuer(*word)?.as_deref().map_or_else(|| subject.clone(), self::subject);
            known.insert([subject, issuer], *word);
        }
        Ok(Self(known))
    }

    pub(super) fn name(&self, leaf: &X509) -> Option<ClientCertificate> {
        self.0.get(&names(leaf)).copied()
    }
}

/// The SHA-256 of a certificate, in lower-case hexadecimal.
pub(super) fn fingerprint(certificate: &X509) -> String {
    let digest = certificate.digest(MessageDigest::sha256());
    digest.map(|digest| hex(&digest)).unwrap_or_default()
}

/// The serial number of a certificate, in lower-case hexadecimal.
pub(super) fn serial(certificate: &X509Ref) -> String {
    let number = certificate.serial_number().to_bn().map(|number| number.to_vec());
    number.map(|bytes| hex(&bytes)).unwrap_or_default()
}

/// Subject and issuer.
fn names(certificate: &X509Ref) -> [String; 2] {
    [subject(certificate), spelled(certificate.issuer_name())]
}

/// The subject of a certificate, as in `CN=good.client.gauntlet.test`.
pub(super) fn subject(certificate: &X509Ref) -> String {
    spelled(certificate.subject_name())
}

/// Subject and issuer of a certificate.
#[cfg(feature = "matrix")]
pub(crate) fn subject_of(certificate: &X509Ref) -> (String, String) {
    let [subject, issuer] = names(certificate);
    (subject, issuer)
}

fn spelled(name: &X509NameRef) -> String {
    let entries = name.entries().map(|entry| {
        let kind = entry.object().nid().short_name().unwrap_or("?");
        let value = entry.data().to_string().unwrap_or_default();
        format!("{kind}={value}")
    });
    entries.collect::<Vec<_>>().join(", ")
}
