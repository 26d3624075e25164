//! Writes what a gateway reads: certificates, and its own configuration out of templates.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use minijinja::{Environment, UndefinedBehavior};
use openssl::x509::X509;
use serde::Serialize;
use tls_gauntlet_certs::{ClientCertificate, CrlKind, Format, Identity, Name, ServerCertificate, crls_pem};
use tls_gauntlet_scenarios::{
    CipherSuite, ClientCertificatePolicy, Group, ListenerProfile, RevocationCheck, TlsVersion,
    UpstreamProfile, Versions,
};

use super::{
    error::GatewayError,
    folder::{Folder, stays_inside},
    manifest::{Manifest, VersionNumber},
    plan::{BACKEND_NAME, GATEWAY_NAME, GatewayPlan, Route},
};
use crate::tls::algorithms;

/// What templates know. Every time is in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Facts {
    /// The version of the program, number by number, to be compared: `{% if program_version >= [3, 7] %}`.
    program_version: Option<VersionNumber>,
    /// The run folder.
    dir: PathBuf,
    /// Whether we are root, so that the program is too.
    root: bool,
    /// The path that the gateway answers itself: `/ready/` and a number that grows with every reload.
    ready_path: String,
    /// The name that clients call the gateway by.
    gateway_name: &'static str,
    /// The name that backends go by.
    backend_name: &'static str,
    /// The certificate of every listener.
    certificate: CertificateFiles,
    /// What to trust of backends.
    server_root: PathBuf,
    /// What to trust of clients.
    client_root: PathBuf,
    /// The revocation lists of all who issue client certificates.
    client_crl: PathBuf,
    /// The ports to open.
    listeners: Vec<ListenerFacts>,
    /// The ways to connect to a backend.
    upstreams: Vec<UpstreamFacts>,
    /// What the routes have in common; the paths of a group are `/NAME/PORT/…`.
    groups: Vec<GroupFacts>,
    /// From a path to a backend.
    routes: Vec<RouteFacts>,
    /// Longer than a gateway has to wait for anything but a backend.
    patient: u128,
}

/// A certificate as files.
#[derive(Debug, Clone, Serialize)]
struct CertificateFiles {
    /// Leaf first.
    chain: PathBuf,
    /// The private key.
    key: PathBuf,
    /// Chain and key in one.
    both: PathBuf,
    /// The leaf alone and its key in one.
    leaf_and_key: PathBuf,
}

/// A set of protocol versions, spelled as OpenSSL does: `TLSv1`, `TLSv1.1`, …
#[derive(Debug, Clone, Serialize)]
struct VersionFacts {
    /// All of them, lowest first.
    versions: Vec<TlsVersion>,
    /// The lowest.
    min: TlsVersion,
    /// The highest.
    max: TlsVersion,
    /// Whether the lowest is below TLS 1.2, which OpenSSL allows only at security level 0.
    legacy: bool,
}

/// Cipher suites and groups; none where the gateway's own are to stay.
#[derive(Debug, Clone, Serialize)]
struct AlgorithmFacts {
    /// Up to TLS 1.2, spelled as in the IANA registry.
    ciphers: Option<Vec<CipherSuite>>,
    /// These suites, spelled as OpenSSL does.
    openssl_ciphers: Option<Vec<&'static str>>,
    /// Spelled as in the IANA registry: `x25519`, `secp256r1`, …
    key_groups: Option<Vec<Group>>,
}

#[derive(Debug, Clone, Serialize)]
struct ListenerFacts {
    name: String,
    address: String,
    port: u16,
    #[serde(flatten)]
    versions: VersionFacts,
    #[serde(flatten)]
    algorithms: AlgorithmFacts,
    /// Application protocols to accept, in this order; the gateway's own if there are none.
    protocols: Vec<String>,
    /// Whether to issue session tickets, and resume by them.
    session_tickets: bool,
    /// `ignored`, `optional` or `required`.
    client_certificate: ClientCertificatePolicy,
    /// Whether to look client certificates up in the revocation lists.
    check_revocation: bool,
    /// The groups with a route that this listener has to serve.
    groups: Vec<GroupFacts>,
}

#[derive(Debug, Clone, Serialize)]
struct UpstreamFacts {
    name: String,
    #[serde(flatten)]
    versions: VersionFacts,
    #[serde(flatten)]
    algorithms: AlgorithmFacts,
    verify_chain: bool,
    verify_name: bool,
    send_server_name: bool,
    /// Whether to follow a backend that renegotiates.
    renegotiation: bool,
    /// Application protocols to offer, in this order; the gateway's own if there are none.
    protocols: Vec<String>,
    /// Whether to keep connections for the next request.
    reuse: bool,
    /// How many more connections to try when one breaks before the request is on its way.
    retries: u32,
    /// The revocation lists to check the chain against, or none.
    crl: Option<PathBuf>,
    /// The client certificate to show, or none.
    client_certificate: Option<CertificateFiles>,
}

#[derive(Debug, Clone, Serialize)]
struct GroupFacts {
    name: String,
    upstream: UpstreamFacts,
    address: String,
    server_name: String,
    connect_timeout: u128,
    response_timeout: u128,
}

#[derive(Debug, Clone, Serialize)]
struct RouteFacts {
    path: String,
    /// The one listener that has to serve it, or none: every listener.
    listener: Option<String>,
    group: String,
    upstream: String,
    address: String,
    port: u16,
    server_name: String,
    connect_timeout: u128,
    response_timeout: u128,
}

impl Facts {
    /// Writes the certificates into `dir` and gathers everything else.
    pub(super) fn gather(
        gateway: &str,
        plan: &GatewayPlan,
        addresses: &[SocketAddr],
        dir: &Path,
        generation: u32,
    ) -> Result<Self, GatewayError> {
        let failed = |task: &str, problem: String| GatewayError::Prepare {
            gateway: gateway.to_owned(),
            task: task.to_owned(),
            problem,
        };
        let certificates = |error: tls_gauntlet_certs::Error| failed("make certificates", error.to_string());
        let files = |error: io::Error| failed(&format!("write into {}", dir.display()), error.to_string());

        let names = [Name::Dns(GATEWAY_NAME.to_owned())];
        let identity = plan.pki.server(ServerCertificate::Good, &names).map_err(certificates)?;
        let certificate = write_identity(dir, &identity, "gateway").map_err(certificates)?;
        let trusted: Vec<&X509> = plan.keyring.authorities().collect();
        for (file, roots) in [("server-root.pem", trusted), ("client-root.pem", vec![plan.pki.client_root()])]
        {
            let pem: Result<Vec<_>, _> = roots.iter().map(|root| root.to_pem()).collect();
            let pem = pem.map_err(|error| failed("write certificates", error.to_string()))?;
            replace(&dir.join(file), &pem.concat()).map_err(files)?;
        }

        let client_crl = dir.join("client-crl.pem");
        // What is to be on the list has to be issued first; what backends show, has been.
        plan.pki.client(ClientCertificate::Revoked).map_err(certificates)?;
        let server_crl = dir.join("server-crl.pem");
        for (file, lists) in [
            (&client_crl, plan.pki.client_crls(CrlKind::Revoked)),
            (&server_crl, plan.pki.crls(plan.keyring.revoked)),
        ] {
            let lists = lists.and_then(|lists| crls_pem(&lists)).map_err(certificates)?;
            replace(file, &lists).map_err(files)?;
        }

        let upstreams = upstreams(plan, dir, &server_crl).map_err(certificates)?;
        let group = |route: &Route| match upstreams.iter().find(|known| known.name == route.upstream) {
            Some(upstream) => Ok(GroupFacts::new(route, upstream.clone())),
            None => {
                Err(failed("set up its routes", format!("the plan has no upstream \"{}\"", route.upstream)))
            }
        };
        let groups = |routes: Vec<&Route>| routes.into_iter().map(group).collect::<Result<Vec<_>, _>>();
        let listeners: Result<_, _> = plan
            .listeners
            .iter()
            .zip(addresses)
            .map(|((name, profile), address)| {
                Ok(ListenerFacts::new(name, profile, *address, groups(plan.groups_of(name))?))
            })
            .collect();
        Ok(Self {
            root: fs::metadata(dir).map_err(files)?.uid() == 0,
            program_version: None,
            dir: dir.to_owned(),
            ready_path: format!("/ready/{generation}"),
            gateway_name: GATEWAY_NAME,
            backend_name: BACKEND_NAME,
            certificate,
            server_root: dir.join("server-root.pem"),
            client_root: dir.join("client-root.pem"),
            client_crl,
            listeners: listeners?,
            groups: groups(plan.groups())?,
            upstreams,
            routes: plan.routes.iter().map(RouteFacts::new).collect(),
            patient: plan.limits.patient.as_millis(),
        })
    }

    /// These facts for this version of the program.
    pub(super) fn for_version(self, version: Option<&VersionNumber>) -> Self {
        Self { program_version: version.cloned(), ..self }
    }

    /// The path that the gateway answers itself.
    pub(super) fn ready_path(&self) -> &str {
        &self.ready_path
    }

    /// Writes the files that the program reads. They are replaced at once, because some programs watch them.
    pub(super) fn write_files(&self, manifest: &Manifest, folder: &Folder) -> Result<(), GatewayError> {
        let failed = |path: &Path, error: &io::Error| GatewayError::Prepare {
            gateway: manifest.name.clone(),
            task: format!("write {}", path.display()),
            problem: error.to_string(),
        };
        let files = manifest.run.files.iter().flat_map(|(template, file)| [template, file]);
        for name in manifest.run.folders.iter().chain(files) {
            stays_inside(&manifest.name, name)?;
        }
        for name in &manifest.run.folders {
            let path = self.dir.join(name);
            fs::create_dir_all(&path).map_err(|error| failed(&path, &error))?;
        }
        for (template, file) in &manifest.run.files {
            let text = self.render(&manifest.name, template, &folder.read(template)?)?;
            let path = self.dir.join(file);
            replace(&path, text.as_bytes()).map_err(|error| failed(&path, &error))?;
        }
        Ok(())
    }

    /// Fills in arguments.
    pub(super) fn arguments(
        &self,
        manifest: &Manifest,
        key: &str,
        arguments: &[String],
    ) -> Result<Vec<String>, GatewayError> {
        arguments.iter().map(|argument| self.render(&manifest.name, key, argument)).collect()
    }

    /// Fills in one template. `name` is for messages.
    fn render(&self, gateway: &str, name: &str, template: &str) -> Result<String, GatewayError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_keep_trailing_newline(true);
        environment.render_named_str(name, template, self).map_err(|error| GatewayError::Template {
            gateway: gateway.to_owned(),
            file: name.to_owned(),
            problem: error.to_string(),
        })
    }
}

impl VersionFacts {
    fn new(versions: &Versions) -> Self {
        Self {
            versions: versions.iter().collect(),
            min: versions.min(),
            max: versions.max(),
            legacy: versions.is_legacy(),
        }
    }
}

impl AlgorithmFacts {
    fn new(ciphers: Option<&Vec<CipherSuite>>, groups: Option<&Vec<Group>>) -> Self {
        Self {
            openssl_ciphers: ciphers.map(|ciphers| algorithms::openssl_names(ciphers)),
            ciphers: ciphers.cloned(),
            key_groups: groups.cloned(),
        }
    }
}

impl ListenerFacts {
    fn new(name: &str, profile: &ListenerProfile, address: SocketAddr, groups: Vec<GroupFacts>) -> Self {
        Self {
            name: name.to_owned(),
            address: address.ip().to_string(),
            port: address.port(),
            versions: VersionFacts::new(&profile.versions),
            algorithms: AlgorithmFacts::new(profile.ciphers.as_ref(), profile.groups.as_ref()),
            protocols: profile.protocols.clone(),
            session_tickets: profile.session_tickets == Some(true),
            client_certificate: profile.client_certificate,
            check_revocation: profile.check_revocation,
            groups,
        }
    }
}

impl UpstreamFacts {
    fn new(
        name: &str,
        profile: &UpstreamProfile,
        crl: Option<PathBuf>,
        client_certificate: Option<CertificateFiles>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            versions: VersionFacts::new(&profile.versions),
            algorithms: AlgorithmFacts::new(profile.ciphers.as_ref(), profile.groups.as_ref()),
            verify_chain: profile.verify_chain,
            verify_name: profile.verify_name,
            crl,
            send_server_name: profile.send_server_name,
            renegotiation: profile.renegotiation,
            protocols: profile.protocols.clone(),
            reuse: profile.reuse,
            retries: profile.retries,
            client_certificate,
        }
    }
}

impl GroupFacts {
    fn new(route: &Route, upstream: UpstreamFacts) -> Self {
        // An address is no server name (RFC 6066 section 3).
        let is_name = route.server_name.parse::<IpAddr>().is_err();
        Self {
            name: route.group.clone(),
            upstream: UpstreamFacts { send_server_name: upstream.send_server_name && is_name, ..upstream },
            address: route.backend.ip().to_string(),
            server_name: route.server_name.clone(),
            connect_timeout: route.connect_timeout.as_millis(),
            response_timeout: route.response_timeout.as_millis(),
        }
    }
}

impl RouteFacts {
    fn new(route: &Route) -> Self {
        Self {
            path: route.path.clone(),
            listener: route.listener.clone(),
            group: route.group.clone(),
            upstream: route.upstream.clone(),
            address: route.backend.ip().to_string(),
            port: route.backend.port(),
            server_name: route.server_name.clone(),
            connect_timeout: route.connect_timeout.as_millis(),
            response_timeout: route.response_timeout.as_millis(),
        }
    }
}

fn write_identity(
    dir: &Path,
    identity: &Identity,
    stem: &str,
) -> Result<CertificateFiles, tls_gauntlet_certs::Error> {
    tls_gauntlet_certs::write(dir, identity, stem, &[Format::Pem], "")?;
    let file = |suffix: &str| dir.join(format!("{stem}.{suffix}"));
    let files = CertificateFiles {
        chain: file("pem"),
        key: file("key"),
        both: file("both.pem"),
        leaf_and_key: file("leaf-and-key.pem"),
    };
    let leaf = identity.leaf().to_pem();
    let mut leaf_and_key =
        leaf.map_err(|source| tls_gauntlet_certs::Error::OpenSsl { doing: "write a certificate", source })?;
    leaf_and_key.extend(identity.key_pem().into_bytes());
    replace(&files.leaf_and_key, &leaf_and_key).map_err(|source| tls_gauntlet_certs::Error::File {
        doing: "write",
        path: files.leaf_and_key.clone(),
        source,
    })?;
    Ok(files)
}

/// What upstreams show to backends, written into `dir`, and everything else about them.
fn upstreams(
    plan: &GatewayPlan,
    dir: &Path,
    server_crl: &Path,
) -> Result<Vec<UpstreamFacts>, tls_gauntlet_certs::Error> {
    let facts = |(name, profile): &(String, UpstreamProfile)| {
        let shown = profile.client_certificate.map(|shown| {
            let identity = match &plan.keyring.client {
                Some(identity) if shown == ClientCertificate::Good => identity.clone(),
                Some(_) | None => plan.pki.client(shown)?,
            };
            write_identity(dir, &identity, &format!("client-{shown}"))
        });
        let crl = (profile.revocation == Some(RevocationCheck::CrlFile)).then(|| server_crl.to_owned());
        Ok(UpstreamFacts::new(name, profile, crl, shown.transpose()?))
    };
    plan.upstreams.iter().map(facts).collect()
}

/// Puts a file in the place of another, in one step.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    io::Write::write_all(&mut file, content)?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, sync::Arc};

    use rstest::rstest;
    use time::macros::datetime;
    use tls_gauntlet_certs::Pki;
    use tls_gauntlet_scenarios::catalogue;

    use super::*;
    use crate::limits::Limits;

    /// A setting that changes nothing in a gateway's files is one that it ignores, unless its `gateway.toml` says why that
    /// is as it should be.
    #[rstest]
    fn every_setting_is_rendered_or_explained(
        #[values("nginx", "haproxy", "envoy", "caddy", "traefik", "httpd")] gateway: &str,
    ) {
        let folder = Folder::shipped(gateway).unwrap();
        let manifest = Manifest::parse("gateway.toml", &folder.read("gateway.toml").unwrap()).unwrap();
        let explained = |listener: &str, upstream: &str| {
            manifest.unset.iter().any(|entry| entry.fits(listener, upstream, ""))
        };
        let pki = Arc::new(Pki::new(1, datetime!(2026-11-21 12:00 UTC)).unwrap());
        let files = |listener: &ListenerProfile, upstream: &UpstreamProfile| {
            let listeners = vec![("the-listener".to_owned(), listener.clone())];
            let upstreams = vec![("the-upstream".to_owned(), upstream.clone())];
            let limits = Limits::default();
            let mut plan = GatewayPlan::new(listeners, upstreams, pki.clone(), limits);
            let name = upstream.server_name.as_deref().unwrap_or(BACKEND_NAME);
            let nobody = (Ipv4Addr::LOCALHOST, 1).into();
            plan.add_route_on("the-listener", "the-upstream", (nobody, name), limits.patient, limits.patient);
            let dir = tempfile::tempdir().unwrap();
            let facts = Facts::gather(gateway, &plan, &[nobody], dir.path(), 0).unwrap();
            let facts = facts.for_version(manifest.program.version.known.iter().max());
            let text =
                |template: &String| facts.render(gateway, template, &folder.read(template).unwrap()).unwrap();
            let all: String = manifest.run.files.keys().map(text).collect();
            all.replace(&dir.path().display().to_string(), "DIR")
        };
        let (default, strict) =
            (catalogue().listener("default").unwrap(), catalogue().upstream("strict").unwrap());
        let usual = files(default, strict);
        for (name, profile) in catalogue().upstreams().filter(|(name, _)| *name != "strict") {
            if !explained("", name) {
                assert_ne!(files(default, profile), usual, "{gateway} ignores the upstream {name}");
            }
        }
        for (name, profile) in catalogue().listeners().filter(|(name, _)| *name != "default") {
            if !explained(name, "") {
                assert_ne!(files(profile, strict), usual, "{gateway} ignores the listener {name}");
            }
        }
    }
}
