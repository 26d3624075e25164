//! The PKI as files to fetch.

use tls_gauntlet_certs::{ClientCertificate, CrlKind, PfxEncryption, Pki, crls_pem};

use super::PFX_PASSWORD;

/// The roots, by the file that holds each.
const ROOTS: [&str; 3] = ["ca.pem", "client-ca.pem", "untrusted-ca.pem"];

/// The revocation lists of every authority of servers, and of clients.
const LISTS: [&str; 2] = ["crl.pem", "client-crl.pem"];

/// What there is of each client's identity.
const SUFFIXES: [&str; 4] = ["pem", "key", "pfx", "legacy.pfx"];

/// A file that can be fetched.
#[derive(Debug)]
pub(super) struct File {
    pub(super) kind: &'static str,
    pub(super) content: Vec<u8>,
}

/// The names of all files.
pub(super) fn names() -> Vec<String> {
    let clients = ClientCertificate::ALL
        .iter()
        .flat_map(|recipe| SUFFIXES.iter().map(move |suffix| format!("client-{recipe}.{suffix}")));
    ROOTS.iter().chain(&LISTS).map(|&file| file.to_owned()).chain(clients).collect()
}

/// Whether a file of this name would hold a private key.
pub(super) fn holds_a_key(name: &str) -> bool {
    !name.ends_with(".pem")
}

/// A file by its name; none if there is no such file.
pub(super) fn file(pki: &Pki, name: &str) -> Result<Option<File>, Box<dyn std::error::Error + Send + Sync>> {
    let pem = |content| Some(File { kind: "application/x-pem-file", content });
    let pfx = |content| Some(File { kind: "application/x-pkcs12", content });
    let shared = match name {
        "ca.pem" => Some(pki.server_root().to_pem()?),
        "client-ca.pem" => Some(pki.client_root().to_pem()?),
        "untrusted-ca.pem" => Some(pki.untrusted_root().to_pem()?),
        "crl.pem" => Some(crls_pem(&pki.crls(CrlKind::Revoked)?)?),
        "client-crl.pem" => Some(crls_pem(&pki.client_crls(CrlKind::Revoked)?)?),
        _ => None,
    };
    if let Some(content) = shared {
        return Ok(pem(content));
    }
    let Some((recipe, suffix)) = name.strip_prefix("client-").and_then(|stem| stem.split_once('.')) else {
        return Ok(None);
    };
    let Ok(recipe) = recipe.parse::<ClientCertificate>() else { return Ok(None) };
    let identity = pki.client(recipe)?;
    Ok(match suffix {
        "pem" => pem(identity.chain_pem().into_bytes()),
        "key" => pem(identity.key_pem().into_bytes()),
        "pfx" => pfx(identity.pfx(PFX_PASSWORD, PfxEncryption::Modern)?),
        "legacy.pfx" => pfx(identity.pfx(PFX_PASSWORD, PfxEncryption::Legacy)?),
        _ => None,
    })
}
