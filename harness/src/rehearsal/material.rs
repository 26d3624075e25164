//! The certificates, keys, authorities and lists that a configuration names, made anew in the world.

use std::{
    fmt, fs, io,
    os::unix::fs::{OpenOptionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

use openssl::{dh::Dh, error::ErrorStack, rand::rand_bytes, x509::X509};
use rustix::mount::mount_bind;
use tls_gauntlet_certs::{CrlKind, Identity, Name, Pki, crls_pem};
use tls_gauntlet_scenarios::{ClientCertificate, ServerCertificate};

use super::{Place, program::CADDY_DATA, writable};
use crate::configuration::{Configuration, IdentityFiles, Kind, NamedFile, Role, Setting};

/// Where systems keep the roots that every program trusts.
const SYSTEM_STORES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Something that could not be made, or not be put in its place.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// A certificate could not be made.
    #[error("cannot make certificates for the world")]
    Made(#[from] tls_gauntlet_certs::Error),
    /// OpenSSL could not make something.
    #[error("cannot make what the configuration names")]
    OpenSsl(#[from] ErrorStack),
    /// A file could not be written.
    #[error("cannot write {path} in the world: {source}")]
    File {
        /// Its path.
        path: String,
        /// The cause.
        source: io::Error,
    },
}

/// What was made anew: how many files of each role.
#[derive(Debug, Default)]
pub(super) struct Replaced(Vec<(Role, Vec<String>)>);

impl Replaced {
    fn note(&mut self, role: Role, path: &str) {
        match self.0.iter_mut().find(|(other, _)| *other == role) {
            Some((_, paths)) if paths.iter().any(|other| other == path) => {}
            Some((_, paths)) => paths.push(path.to_owned()),
            None => self.0.push((role, vec![path.to_owned()])),
        }
    }
}

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (role, paths) in &self.0 {
            write!(f, "{} {}; ", role.name(), paths.join(", "))?;
        }
        f.write_str("the system's trusted roots")
    }
}

/// Lets each folder be where it lies in production.
pub(super) fn put_in_place(places: &[Place]) -> Result<(), NotWritten> {
    for Place { production, here } in places {
        let failed = |source| NotWritten::File { path: production.display().to_string(), source };
        writable::folder(production).map_err(failed)?;
        mount_bind(here, production).map_err(|error| failed(error.into()))?;
    }
    Ok(())
}

/// Writes everything that the TLS settings of a configuration name, but for revocation lists.
pub(super) fn write(configuration: &Configuration, pki: &Pki) -> Result<Replaced, NotWritten> {
    // First, because what the configuration names may lie in the same folder.
    system_store(pki.server_root())?;
    let mut replaced = Replaced::default();
    for listener in &configuration.listeners {
        let hosts: Vec<&str> = listener.names.iter().map(|name| name.value.as_str()).collect();
        for IdentityFiles { certificate, key } in &listener.identities {
            let identity = pki.server(ServerCertificate::Good, &names_of(&certificate.value, &hosts))?;
            identity_files(&identity, &certificate.value, key.as_ref().map(|key| key.value.as_str()))?;
            replaced.note(Role::ServerCertificate, &certificate.value);
        }
    }
    if configuration.kind == Kind::Caddy {
        automatic(configuration, pki)?;
    }
    let ours = pki.client(ClientCertificate::Good)?;
    for leg in &configuration.legs {
        if let Some(certificate) = leg.value(Setting::Certificate) {
            match configuration.kind {
                // Each certificate in the file has to have its key there; the chain has a file of its own
                // (SSLProxyMachineCertificateFile).
                Kind::Httpd => {
                    file(certificate, &[ours.leaf().to_pem()?, ours.key_pem().into_bytes()].concat())?;
                }
                Kind::Nginx | Kind::Envoy | Kind::Haproxy | Kind::Traefik | Kind::Caddy => {
                    identity_files(&ours, certificate, leg.value(Setting::Key))?;
                }
            }
            replaced.note(Role::Certificate, certificate);
        }
    }
    for NamedFile { role, path, at } in &configuration.files {
        match role {
            Role::Trust => authorities(Path::new(path), pki.server_root())?,
            Role::ClientAuthorities => authorities(Path::new(path), pki.client_root())?,
            // Written when every certificate is there that they revoke.
            Role::RevocationList | Role::ClientRevocationList => {}
            Role::Other if !Path::new(path).exists() => other(path, &line(&at.file, at.line), pki)?,
            Role::ServerCertificate | Role::ServerKey | Role::Certificate | Role::Key | Role::Other => {
                continue;
            }
        }
        replaced.note(*role, path);
    }
    Ok(replaced)
}

/// The certificates that Caddy has from an authority of the Internet, where it keeps them: in the world there is none.
fn automatic(configuration: &Configuration, pki: &Pki) -> Result<(), NotWritten> {
    let folder = format!("{CADDY_DATA}/caddy/certificates/acme-v02.api.letsencrypt.org-directory");
    let listeners =
        configuration.listeners.iter().filter(|listener| listener.tls && listener.identities.is_empty());
    for host in listeners.flat_map(|listener| &listener.names).map(|name| name.value.as_str()) {
        let Ok(name) = host.parse::<Name>() else { continue };
        let identity = pki.server(ServerCertificate::Good, &[name])?;
        // Caddy's own spelling of a wildcard.
        let host = host.replace('*', "wildcard_");
        let path = format!("{folder}/{host}/{host}");
        identity_files(&identity, &format!("{path}.crt"), Some(&format!("{path}.key")))?;
        file(
            &format!("{path}.json"),
            format!("{{\"sans\": [\"{host}\"], \"issuer_data\": null}}").as_bytes(),
        )?;
    }
    Ok(())
}

/// Writes the revocation lists that a configuration names: every certificate for revocation that was made until now is on them.
pub(super) fn write_lists(files: &[NamedFile], pki: &Pki) -> Result<(), NotWritten> {
    for NamedFile { role, path, .. } in files {
        match role {
            Role::RevocationList => file(path, &crls_pem(&pki.crls(CrlKind::Revoked)?)?)?,
            Role::ClientRevocationList => file(path, &crls_pem(&pki.client_crls(CrlKind::Revoked)?)?)?,
            Role::ServerCertificate
            | Role::ServerKey
            | Role::ClientAuthorities
            | Role::Trust
            | Role::Certificate
            | Role::Key
            | Role::Other => {}
        }
    }
    Ok(())
}

/// The names of the certificate that is there, or those that its listener answers to.
fn names_of(path: &str, hosts: &[&str]) -> Vec<Name> {
    let there = fs::read(path).ok().and_then(|text| X509::from_pem(&text).ok());
    let there = there.and_then(|certificate| certificate.subject_alt_names());
    let there = there.iter().flatten().filter_map(|name| name.dnsname().map(str::to_owned));
    let names: Vec<Name> = there.filter_map(|name| name.parse().ok()).collect();
    if !names.is_empty() {
        return names;
    }
    let names: Vec<Name> = hosts.iter().filter_map(|host| host.parse().ok()).collect();
    if names.is_empty() { vec![Name::Dns("localhost".to_owned())] } else { names }
}

/// A certificate and its chain, and the key in a file of its own or in the same one.
fn identity_files(identity: &Arc<Identity>, certificate: &str, key: Option<&str>) -> Result<(), NotWritten> {
    match key {
        Some(key) if key != certificate => {
            file(certificate, identity.chain_pem().as_bytes())?;
            file(key, identity.key_pem().as_bytes())
        }
        Some(_) | None => {
            // A folder of files, of which the program takes what fits the name.
            let path = Path::new(certificate);
            let path = if path.is_dir() || certificate.ends_with('/') {
                path.join("gauntlet.pem")
            } else {
                path.into()
            };
            file(
                &path.display().to_string(),
                format!("{}{}", identity.chain_pem(), identity.key_pem()).as_bytes(),
            )
        }
    }
}

/// Trusted roots, in a file or in a folder under the names that OpenSSL looks for (`openssl-rehash(1)`).
fn authorities(path: &Path, root: &X509) -> Result<(), NotWritten> {
    if !path.is_dir() {
        return file(&path.display().to_string(), &root.to_pem()?);
    }
    writable::folder(path).map_err(|source| NotWritten::File { path: path.display().to_string(), source })?;
    empty(path);
    let name = path.join("gauntlet.pem");
    file(&name.display().to_string(), &root.to_pem()?)?;
    let hashed = path.join(format!("{:08x}.0", root.subject_name_hash()));
    symlink("gauntlet.pem", &hashed)
        .map_err(|source| NotWritten::File { path: hashed.display().to_string(), source })
}

/// A folder of roots whose other roots shall not be trusted.
fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // One that stays is a root of the system that none of our certificates leads to.
        let _stays = fs::remove_file(entry.path());
    }
}

/// The roots of the system, wherever a program looks for them.
fn system_store(root: &X509) -> Result<(), NotWritten> {
    let folder = Path::new("/etc/ssl/certs");
    if folder.is_dir() {
        authorities(folder, root)?;
    }
    for store in SYSTEM_STORES {
        if Path::new(store).parent().is_some_and(Path::is_dir) {
            file(store, &root.to_pem()?)?;
        }
    }
    Ok(())
}

/// A file beside certificates that is missing: a chain, parameters, keys of tickets, a password.
fn other(path: &str, line: &str, pki: &Pki) -> Result<(), NotWritten> {
    let line = line.to_ascii_lowercase();
    if line.contains("chainfile") {
        let server = || pki.server(ServerCertificate::Good, &[Name::Dns("localhost".to_owned())]);
        let identity = if line.contains("proxy") { pki.client(ClientCertificate::Good)? } else { server()? };
        let chain = identity.chain().iter().skip(1).map(|one| one.to_pem()).collect::<Result<Vec<_>, _>>()?;
        return file(path, &chain.concat());
    }
    if line.contains("dhparam") || line.contains("dh-param") || line.contains("dhparams") {
        return file(path, &Dh::get_2048_256()?.params_to_pem()?);
    }
    if line.contains("ticket") {
        let mut key = [0; 80];
        rand_bytes(&mut key)?;
        return file(path, &key);
    }
    if line.contains("password") {
        return file(path, b"none\n");
    }
    Ok(())
}

fn line(path: &str, number: usize) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().nth(number.saturating_sub(1)).unwrap_or_default().to_owned()
}

/// Writes a file that its owner alone reads, whatever is there.
fn file(path: &str, content: &[u8]) -> Result<(), NotWritten> {
    let failed = |source| NotWritten::File { path: path.to_owned(), source };
    let target = PathBuf::from(path);
    if let Some(folder) = target.parent() {
        writable::folder(folder).map_err(failed)?;
    }
    // A link would lead to another file, which may be missing.
    match fs::remove_file(&target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o644);
    let mut opened = options.open(&target).map_err(failed)?;
    io::Write::write_all(&mut opened, content).map_err(failed)
}
