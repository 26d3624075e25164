//! What a gateway somewhere else takes when certificates are uploaded to it, by its profile.
//!
//! What is refused here is refused when it is loaded; nothing of it is left for a request to find.

use openssl::x509::X509;
use tls_gauntlet_certs::{Identity, Unusable};
use tls_gauntlet_scenarios::{AuthorityStore, GatewayProfile};

/// Why an upload is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The file is no good.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// There is no such store.
    #[error(
        "{profile} has no store \"{store}\"; give the backend a certificate that everybody trusts, or take another tier"
    )]
    NoStore {
        /// The profile.
        profile: String,
        /// The store.
        store: AuthorityStore,
    },
    /// A file that is no certificate.
    #[error("it is no certificate, neither in PEM nor in DER")]
    NoCertificate,
    /// A root among the intermediates, or the other way round.
    #[error("{what}; it belongs into the store \"{store}\"")]
    OtherStore {
        /// What it is.
        what: &'static str,
        /// Where it belongs.
        store: AuthorityStore,
    },
}

/// Takes the certificate that the gateway is to show to backends: PFX with its password, and nothing else.
///
/// # Errors
/// [`Unusable`].
pub fn client_certificate(file: &[u8], password: &str) -> Result<Identity, Unusable> {
    Identity::from_pfx(file, password)
}

/// Takes the certificate of an authority that backends' certificates come from, in PEM or in DER.
///
/// # Errors
/// [`Refused`].
pub fn authority(
    name: &str,
    profile: &GatewayProfile,
    store: AuthorityStore,
    file: &[u8],
) -> Result<X509, Refused> {
    if !profile.stores.contains(&store) {
        return Err(Refused::NoStore { profile: name.to_owned(), store });
    }
    let certificate =
        X509::from_pem(file).or_else(|_| X509::from_der(file)).map_err(|_| Refused::NoCertificate)?;
    let is_root = certificate.public_key().and_then(|key| certificate.verify(&key)).unwrap_or_default();
    match (store, is_root) {
        (AuthorityStore::Root, true) | (AuthorityStore::CertificateAuthority, false) => Ok(certificate),
        (AuthorityStore::Root, false) => Err(Refused::OtherStore {
            what: "it is an intermediate, which anchors nothing",
            store: AuthorityStore::CertificateAuthority,
        }),
        (AuthorityStore::CertificateAuthority, true) => {
            Err(Refused::OtherStore { what: "it is a root", store: AuthorityStore::Root })
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use time::macros::datetime;
    use tls_gauntlet_certs::{ClientCertificate, PfxEncryption, Pki};
    use tls_gauntlet_scenarios::catalogue;

    use super::*;

    #[rstest]
    #[case("azure-apim-classic@2025-08", AuthorityStore::Root, true, None)]
    #[case("azure-apim-classic@2025-08", AuthorityStore::CertificateAuthority, false, None)]
    #[case(
        "azure-apim-classic@2025-08",
        AuthorityStore::Root,
        false,
        Some("it is an intermediate, which anchors nothing")
    )]
    #[case("azure-apim-classic@2025-08", AuthorityStore::CertificateAuthority, true, Some("it is a root"))]
    #[case("azure-apim-consumption", AuthorityStore::Root, true, Some("azure-apim-consumption has no store"))]
    #[case(
        "azure-apim-consumption",
        AuthorityStore::CertificateAuthority,
        false,
        Some("azure-apim-consumption has no store")
    )]
    fn authorities(
        #[case] name: &str,
        #[case] store: AuthorityStore,
        #[case] is_root: bool,
        #[case] refused: Option<&str>,
        #[values(true, false)] as_pem: bool,
    ) {
        let pki = Pki::new(1, datetime!(2026-11-21 12:00 UTC)).unwrap();
        let identity = pki.client(ClientCertificate::Good).unwrap();
        let certificate = if is_root { pki.server_root() } else { &identity.chain()[1] };
        let file = if as_pem { certificate.to_pem() } else { certificate.to_der() }.unwrap();
        let profile = catalogue().profile(name).unwrap();
        let taken = authority(name, &profile, store, &file);
        match refused {
            None => assert_eq!(taken.unwrap(), *certificate),
            Some(words) => assert!(taken.unwrap_err().to_string().starts_with(words)),
        }
    }

    #[test]
    fn a_client_certificate_comes_with_its_password() {
        let identity =
            Pki::new(1, datetime!(2026-11-21 12:00 UTC)).unwrap().client(ClientCertificate::Good).unwrap();
        let file = identity.pfx("secret", PfxEncryption::Modern).unwrap();
        assert_eq!(client_certificate(&file, "secret").unwrap().serial(), identity.serial());
        assert_eq!(client_certificate(&file, "").unwrap_err(), Unusable::WrongPassword);
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let name = "azure-apim-classic@2025-08";
        let profile = catalogue().profile(name).unwrap();
        let taken = authority(name, &profile, AuthorityStore::Root, b"nothing");
        assert_eq!(taken.unwrap_err(), Refused::NoCertificate);
    }
}
