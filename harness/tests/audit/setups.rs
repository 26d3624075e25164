//! The tables of set-ups, and the files of the programs that they become.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use minijinja::{Environment, Value, context};
use serde::Deserialize;
use tempfile::TempDir;
use tls_gauntlet::certs::{ClientCertificate, CrlKind, Identity, Pki, crls_pem};

/// A program, and the ways to set it up.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    paths: Vec<String>,
    start: Vec<String>,
    #[serde(default = "host")]
    pub(crate) host: String,
    files: BTreeMap<String, String>,
    #[serde(rename = "setup")]
    pub(crate) setups: Vec<Setup>,
}

/// One leg, and what has to be said of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    pub(crate) name: String,
    set: String,
    #[serde(default)]
    also: String,
    #[serde(default)]
    route: String,
    /// Whether it has a process of its own.
    #[serde(default)]
    pub(crate) alone: bool,
    pub(crate) findings: Vec<String>,
    #[serde(default)]
    pub(crate) says: BTreeMap<String, String>,
}

impl Setup {
    /// Whether it is among those that `GAUNTLET_SETUP` names, if that is set.
    pub(crate) fn is_wanted(&self) -> bool {
        std::env::var("GAUNTLET_SETUP").map_or(true, |wanted| wanted.split(',').any(|name| name == self.name))
    }
}

fn host() -> String {
    "orders.gauntlet.test".to_owned()
}

impl Plan {
    pub(crate) fn of(gateway: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/audit/setups/{gateway}.toml"));
        toml::from_str(&fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The program, if it is installed.
    pub(crate) fn program(&self) -> Option<PathBuf> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        self.paths.iter().map(|path| workspace.join(path)).find(|path| path.is_file())
    }

    pub(crate) fn arguments(&self, dir: &Path) -> Vec<String> {
        self.start
            .iter()
            .map(|argument| rendered(argument, &context! { dir => dir.display().to_string() }))
            .collect()
    }

    /// Writes the files of a process with these legs.
    pub(crate) fn write(&self, pki: &Pki, port: u16, setups: &[&Setup], backends: &[u16]) -> TempDir {
        let folder = TempDir::new().unwrap();
        let dir = folder.path();
        // Workers of another user read and write here.
        open_to_all(dir);
        let put = |name: &str, content: &[u8]| {
            fs::write(dir.join(name), content).unwrap();
            dir.join(name).display().to_string()
        };
        let pem = |certificate: &openssl::x509::X509| certificate.to_pem().unwrap();
        let root = pem(pki.server_root());
        let trusts_all = [root.clone(), pem(pki.untrusted_root())].concat();
        let vars = context! {
            dir => dir.display().to_string(),
            host => self.host,
            port,
            root => put("root.pem", &root),
            trusts_all => put("all-roots.pem", &trusts_all),
            crl => put("lists.pem", &crls_pem(&pki.crls(CrlKind::Revoked).unwrap()).unwrap()),
            client => shown(&pki.client(ClientCertificate::Good).unwrap(), "good", &put),
            ended => shown(&pki.client(ClientCertificate::Expired).unwrap(), "ended", &put),
        };
        let legs: Vec<Value> = setups
            .iter()
            .zip(backends)
            .map(|(setup, backend)| {
                let here = context! { leg_port => backend, ..vars.clone() };
                let put = |text: &str| rendered(text, &here);
                context! {
                    name => setup.name, port => backend,
                    set => put(&setup.set), also => put(&setup.also), route => put(&setup.route),
                }
            })
            .collect();
        let all = context! { legs, ..vars };
        for (name, template) in &self.files {
            fs::write(dir.join(name), rendered(template, &all)).unwrap();
        }
        folder
    }
}

/// The files of a client certificate, in the layouts that gateways want.
fn shown(identity: &Identity, name: &str, put: &dyn Fn(&str, &[u8]) -> String) -> Value {
    let (chain, key) = (identity.chain_pem(), identity.key_pem());
    let leaf = String::from_utf8(identity.leaf().to_pem().unwrap()).unwrap();
    let file = |layout: &str, content: String| put(&format!("{name}-{layout}.pem"), content.as_bytes());
    context! {
        both => file("both", format!("{chain}{key}")),
        leaf_and_key => file("leaf-and-key", format!("{leaf}{key}")),
        chain => file("chain", chain),
        leaf => file("leaf", leaf),
        key => file("key", key),
    }
}

fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).unwrap();
}

fn rendered(template: &str, vars: &Value) -> String {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.render_str(template, vars).unwrap_or_else(|error| panic!("{error:#}\n{template}"))
}
