//! The fleet in a container: an image for the crate `testcontainers`, and typed access to what runs in it.
//!
//! ```no_run
//! use tls_gauntlet::{certs::ClientCertificate, container::GauntletImage, scenarios::Alert};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let gauntlet = GauntletImage::default().with_backend("expired-leaf").start().await?;
//! let (url, trust) = (gauntlet.url("expired-leaf").await?, gauntlet.trust().await?);
//! // … let the program under test call `url`, trusting `trust` …
//! let seen = gauntlet.ledger_of("expired-leaf").await?;
//! assert_eq!(seen[0].saw.alert_received, Some(Alert::CertificateExpired));
//! let shown = gauntlet.client_certificate(ClientCertificate::Good).await?;
//! # Ok(()) }
//! ```
//!
//! `ci/image/build.sh` builds the image; so does [`GauntletImage::built_from`]. The ports are published on loopback alone,
//! the container has no capabilities and cannot write, and it is gone when its guard is dropped.
//! A network, a name, a label: [`GauntletImage::request`] gives what testcontainers knows how to change.

mod asked;
mod error;
mod running;

use std::{borrow::Cow, collections::HashMap, path::Path};

use testcontainers::{
    ContainerRequest, Image, ImageExt,
    bollard::models::PortBinding,
    core::{ContainerPort, WaitFor},
};
use tls_gauntlet_scenarios::catalogue;
use tokio::process::Command;

pub use error::ContainerError;
pub use running::{ClientFiles, GauntletContainer};

/// The ports inside the container: the control API, every backend by its name, and the first of those that have their own.
const CONTROL: u16 = 9000;
const BY_NAME: u16 = 8443;
const FIRST: u16 = 10_000;

/// What the program says on standard error when all backends listen.
const READY: &str = "ready;";

/// The image, and what is to run in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GauntletImage {
    name: String,
    tag: String,
    backends: Vec<String>,
    hosts: Vec<String>,
    ports: Vec<ContainerPort>,
}

impl Default for GauntletImage {
    /// The image `gauntlet:latest` of this machine, with no backend on a port of its own: every one is there by its name.
    fn default() -> Self {
        let ports = vec![ContainerPort::Tcp(CONTROL), ContainerPort::Tcp(BY_NAME)];
        Self {
            name: "gauntlet".to_owned(),
            tag: "latest".to_owned(),
            backends: Vec::new(),
            hosts: Vec::new(),
            ports,
        }
    }
}

impl GauntletImage {
    /// Builds the image from a checkout of the project first (`ci/image/build.sh`): nothing is pulled. That takes minutes
    /// the first time.
    ///
    /// # Errors
    /// [`ContainerError::Build`] with what the script said.
    pub async fn built_from(checkout: &Path) -> Result<Self, ContainerError> {
        let image = Self::default();
        let script = checkout.join("ci/image/build.sh");
        let failed = |because| ContainerError::Build { script: script.clone(), because };
        let output = Command::new(&script).arg(&image.name).kill_on_drop(true).output().await;
        let output = output.map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            Ok(image)
        } else {
            Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
        }
    }

    /// Another name and tag, where the image is kept in a registry.
    #[must_use]
    pub fn tagged(mut self, name: impl Into<String>, tag: impl Into<String>) -> Self {
        (self.name, self.tag) = (name.into(), tag.into());
        self
    }

    /// One more backend with a port of its own: a name of the catalogue, or several joined by `+`.
    #[must_use]
    pub fn with_backend(mut self, name: impl Into<String>) -> Self {
        let nth = u16::try_from(self.backends.len()).unwrap_or(u16::MAX);
        self.ports.push(ContainerPort::Tcp(FIRST.saturating_add(nth)));
        self.backends.push(name.into());
        self
    }

    /// A host name by which others dial the container, such as its name in a network: it goes into the certificates.
    #[must_use]
    pub fn with_host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Starts it. When this returns, `/healthz` has answered.
    ///
    /// # Errors
    /// [`ContainerError`] for an unknown backend, before anything is started; for what the engine says; and if nobody
    /// answers.
    pub async fn start(self) -> Result<GauntletContainer, ContainerError> {
        GauntletContainer::start(self.request()).await
    }

    /// This image as a request that [`ImageExt`] can add to: a network, labels. [`GauntletContainer::start`] takes it.
    pub fn request(self) -> ContainerRequest<Self> {
        let ports = self.ports.clone();
        let request = ContainerRequest::from(self).with_readonly_rootfs(true).with_cap_drop("ALL");
        if is_elsewhere() {
            return request;
        }
        request.with_host_config_modifier(move |host| {
            let loopback =
                || PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(String::new()) };
            let bound: HashMap<_, _> =
                ports.iter().map(|port| (format!("{}/tcp", port.as_u16()), Some(vec![loopback()]))).collect();
            host.port_bindings = Some(bound);
        })
    }

    /// Whether every backend is one, and the engine has something to start.
    fn check(&self) -> Result<(), ContainerError> {
        self.backends
            .iter()
            .try_for_each(|name| catalogue().backend(name).map(|_| ()).map_err(ContainerError::from))
    }

    /// The port inside the container, if the backend has one of its own.
    fn port_of(&self, backend: &str) -> Option<ContainerPort> {
        let nth = self.backends.iter().position(|name| name == backend)?;
        u16::try_from(nth).ok().and_then(|nth| FIRST.checked_add(nth)).map(ContainerPort::Tcp)
    }
}

impl Image for GauntletImage {
    fn name(&self) -> &str {
        &self.name
    }

    fn tag(&self) -> &str {
        &self.tag
    }

    fn ready_conditions(&self) -> Vec<WaitFor> {
        // The control API answers by then, and says the rest.
        vec![WaitFor::message_on_stderr(READY)]
    }

    fn cmd(&self) -> impl IntoIterator<Item = impl Into<Cow<'_, str>>> {
        let mut words: Vec<Cow<'_, str>> = vec!["serve".into(), "--bind".into(), "0.0.0.0".into()];
        for (option, value) in [("--port-base", FIRST), ("--name-port", BY_NAME)] {
            words.extend([option.into(), value.to_string().into()]);
        }
        words.extend(["--control".into(), format!("0.0.0.0:{CONTROL}").into()]);
        // The port is published for the test that starts the container, and that asks for keys.
        words.extend(["--open-control".into(), "--no-files".into()]);
        for host in &self.hosts {
            words.extend(["--name".into(), host.into()]);
        }
        if self.backends.is_empty() {
            // Naming none would start them all.
            words.push(crate::backend::DEFAULT_BACKEND.into());
        }
        words.extend(self.backends.iter().map(Into::into));
        words
    }

    fn expose_ports(&self) -> &[ContainerPort] {
        &self.ports
    }
}

/// Whether the engine runs on another machine, whose loopback is not ours.
fn is_elsewhere() -> bool {
    std::env::var("DOCKER_HOST").is_ok_and(|host| !host.starts_with("unix:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(image: &GauntletImage) -> String {
        let words: Vec<String> = image.cmd().into_iter().map(|word| word.into().into_owned()).collect();
        words.join(" ")
    }

    #[test]
    fn what_is_run_in_the_container() {
        let image = GauntletImage::default().with_host("fleet").with_backend("a+b").with_backend("c");
        assert_eq!(
            command(&image),
            "serve --bind 0.0.0.0 --port-base 10000 --name-port 8443 --control 0.0.0.0:9000 \
             --open-control --no-files --name fleet a+b c"
        );
        assert_eq!(image.port_of("c"), Some(ContainerPort::Tcp(10_001)));
        assert_eq!(image.port_of("b"), None);
        assert_eq!(image.expose_ports().len(), 4);
    }

    #[test]
    fn nobody_named_is_one_started() {
        assert!(command(&GauntletImage::default()).ends_with("--no-files plain-good"));
    }

    #[tokio::test]
    async fn an_unknown_backend_is_told_before_anything_starts() {
        let error = GauntletImage::default().with_backend("no-such").start().await.unwrap_err();
        assert!(matches!(error, ContainerError::Unknown(_)), "{error}");
    }

    #[tokio::test]
    async fn what_the_script_says_is_said() {
        let error = GauntletImage::built_from(Path::new("/nowhere")).await.unwrap_err();
        assert!(
            error.to_string().starts_with("cannot build the image with /nowhere/ci/image/build.sh: "),
            "{error}"
        );
    }
}
