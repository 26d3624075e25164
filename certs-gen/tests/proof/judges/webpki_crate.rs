//! rustls-webpki with ring: no line of OpenSSL in it.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{
    ALL_VERIFICATION_ALGS, BorrowedCertRevocationList, CertRevocationList, EndEntityCert, Error,
    ExpirationPolicy, KeyUsage, RevocationOptionsBuilder, anchor_from_trusted_cert,
};

use super::{Purpose, Question};

/// The kinds of all errors, as in `CertExpired`: of the path first, of the name second.
pub(crate) fn complaints(question: &Question<'_>) -> Vec<String> {
    let chain: Vec<CertificateDer<'static>> =
        question.chain.iter().map(|one| one.to_der().unwrap().into()).collect();
    let (leaf, rest) = chain.split_first().unwrap();
    let leaf = match EndEntityCert::try_from(leaf) {
        Ok(leaf) => leaf,
        Err(unreadable) => return vec![kind(&unreadable)],
    };
    let trusted = CertificateDer::from(question.trusted.to_der().unwrap());
    let anchors = [anchor_from_trusted_cert(&trusted).unwrap()];
    let at = Duration::from_secs(question.at.unix_timestamp().try_into().unwrap());
    let usage = match question.purpose {
        Purpose::Server => KeyUsage::server_auth(),
        Purpose::Client => KeyUsage::client_auth(),
    };

    let read =
        |list: &Vec<u8>| BorrowedCertRevocationList::from_der(list).unwrap().to_owned().unwrap().into();
    let lists: Vec<CertRevocationList<'_>> = question.lists.iter().map(read).collect();
    let lists: Vec<&CertRevocationList<'_>> = lists.iter().collect();
    // An error means that there are no lists.
    let revocation = RevocationOptionsBuilder::new(&lists)
        .map(|options| options.with_expiration_policy(ExpirationPolicy::Enforce).build());

    let path = leaf.verify_for_usage(
        ALL_VERIFICATION_ALGS,
        &anchors,
        rest,
        UnixTime::since_unix_epoch(at),
        usage,
        revocation.ok(),
        None,
    );
    let name =
        question.name.map(|name| leaf.verify_is_valid_for_subject_name(&ServerName::try_from(name).unwrap()));
    path.err().into_iter().chain(name.and_then(Result::err)).map(|error| kind(&error)).collect()
}

/// The name of the variant, without the certificate's names and dates.
fn kind(error: &Error) -> String {
    let text = format!("{error:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}
