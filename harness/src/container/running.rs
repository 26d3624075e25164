//! A container that runs, and what can be had of it.

use bytes::Bytes;
use serde::Deserialize;
use testcontainers::{ContainerAsync, ContainerRequest, core::ContainerPort, runners::AsyncRunner};
use tls_gauntlet_certs::ClientCertificate;

use super::{
    BY_NAME, CONTROL, GauntletImage, asked,
    error::{ContainerError, PATIENCE},
};
use crate::{control::Entry, wait};

/// A fleet in a container. It is removed when this is dropped.
#[must_use = "the container is removed as soon as this is dropped"]
#[derive(Debug)]
pub struct GauntletContainer {
    container: ContainerAsync<GauntletImage>,
    /// Where the control API is to be reached: `127.0.0.1:PORT`.
    control: String,
    host: String,
}

/// A client's identity, in the formats that programs take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFiles {
    /// The chain, leaf first, in PEM.
    pub certificate_pem: String,
    /// The private key, in PEM.
    pub key_pem: String,
    /// Both as PKCS#12, with the password [`crate::control::PFX_PASSWORD`].
    pub pfx: Vec<u8>,
}

/// What `/ledger` answers.
#[derive(Debug, Deserialize)]
struct Ledger {
    entries: Vec<Entry>,
}

impl GauntletContainer {
    /// Starts what is asked for. When this returns, `/healthz` has answered.
    ///
    /// # Errors
    /// [`ContainerError`], as [`GauntletImage::start`] has it.
    pub async fn start(request: impl Into<ContainerRequest<GauntletImage>>) -> Result<Self, ContainerError> {
        let request = request.into();
        request.image().check()?;
        let container = request.start().await?;
        let host = container.get_host().await?.to_string();
        let port = container.get_host_port_ipv4(CONTROL).await?;
        // Its ports are published for IPv4, and who else may listen on the same port of ::1 is not it.
        let control = format!("{}:{port}", if host == "localhost" { "127.0.0.1" } else { &host });
        let fact = format!("http://{control}/healthz to answer");
        let look = || async {
            asked::get(&control, "/healthz").await.is_ok_and(|(status, _)| status.is_success()).then_some(())
        };
        wait::until(PATIENCE, &fact, look).await?;
        Ok(Self { container, control, host })
    }

    /// Where a backend with a port of its own is called from this machine: `https://localhost:PORT/`, which is a name of its
    /// certificate.
    ///
    /// # Errors
    /// [`ContainerError::NotServed`] if it was not started with [`GauntletImage::with_backend`].
    pub async fn url(&self, backend: &str) -> Result<String, ContainerError> {
        let port = self.published(self.port_of(backend)?).await?;
        Ok(format!("https://{}:{port}/", self.host))
    }

    /// Where others in its network call the same backend, by the name under which they know the container
    /// ([`GauntletImage::with_host`]).
    ///
    /// # Errors
    /// [`ContainerError::NotServed`] as for [`Self::url`].
    pub fn url_for(&self, host: &str, backend: &str) -> Result<String, ContainerError> {
        Ok(format!("https://{host}:{}/", self.port_of(backend)?.as_u16()))
    }

    /// The port of this machine behind which every backend is, by its name:
    /// `https://tls12-only--h1-only.gauntlet.test:PORT/` for who resolves that to this machine.
    ///
    /// # Errors
    /// [`ContainerError`] if the container is gone.
    pub async fn port_by_name(&self) -> Result<u16, ContainerError> {
        self.published(ContainerPort::Tcp(BY_NAME)).await
    }

    /// The control API, for what there is no method for: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn control(&self) -> String {
        format!("http://{}", self.control)
    }

    /// The root that callers must trust, in PEM.
    ///
    /// # Errors
    /// [`ContainerError`] if the container is gone.
    pub async fn trust(&self) -> Result<String, ContainerError> {
        self.text("/certs/ca.pem").await
    }

    /// A client's identity: sound, or with the flaw that is asked for.
    ///
    /// # Errors
    /// [`ContainerError`] if the container is gone.
    pub async fn client_certificate(&self, kind: ClientCertificate) -> Result<ClientFiles, ContainerError> {
        Ok(ClientFiles {
            certificate_pem: self.text(&format!("/certs/client-{kind}.pem")).await?,
            key_pem: self.text(&format!("/certs/client-{kind}.key")).await?,
            pfx: self.get(&format!("/certs/client-{kind}.pfx")).await?.to_vec(),
        })
    }

    /// What the backends saw of the request with this nonce, as soon as they saw anything; nothing if there is nothing after
    /// a few seconds. A nonce is `n-` and 16 hexadecimal digits, anywhere in the path of the request or in the header
    /// [`NONCE_HEADER`](crate::backend::NONCE_HEADER).
    ///
    /// # Errors
    /// [`ContainerError`]: a ledger that cannot be read is never an empty one.
    pub async fn ledger(&self, nonce: &str) -> Result<Vec<Entry>, ContainerError> {
        self.entries(&format!("nonce={nonce}")).await
    }

    /// The ledger by backend: every connection to it that has ended.
    ///
    /// # Errors
    /// [`ContainerError`]: a ledger that cannot be read is never an empty one.
    pub async fn ledger_of(&self, backend: &str) -> Result<Vec<Entry>, ContainerError> {
        self.entries(&format!("backend={}", backend.replace('+', "%2B"))).await
    }

    /// The container itself, for what testcontainers can do with it.
    #[must_use]
    pub const fn container(&self) -> &ContainerAsync<GauntletImage> {
        &self.container
    }

    fn port_of(&self, backend: &str) -> Result<ContainerPort, ContainerError> {
        let port = self.container.image().port_of(backend);
        port.ok_or_else(|| ContainerError::NotServed { backend: backend.to_owned() })
    }

    async fn published(&self, port: ContainerPort) -> Result<u16, ContainerError> {
        match self.container.get_host_port_ipv4(port).await {
            Ok(port) => Ok(port),
            Err(error) => Err(self.ended().await.unwrap_or(error.into())),
        }
    }

    async fn entries(&self, of: &str) -> Result<Vec<Entry>, ContainerError> {
        let path = format!("/ledger?{of}&wait_ms=5000");
        let ledger: serde_json::Result<Ledger> = serde_json::from_slice(&self.get(&path).await?);
        Ok(ledger.map_err(|error| self.unreachable(&path, error.to_string()))?.entries)
    }

    async fn text(&self, path: &str) -> Result<String, ContainerError> {
        let body = self.get(path).await?.to_vec();
        String::from_utf8(body).map_err(|error| self.unreachable(path, error.to_string()))
    }

    async fn get(&self, path: &str) -> Result<Bytes, ContainerError> {
        match asked::get(&self.control, path).await {
            Ok((status, body)) if status.is_success() => Ok(body),
            Ok((status, body)) => Err(ContainerError::Refused {
                url: self.control() + path,
                status: status.as_u16(),
                said: String::from_utf8_lossy(&body).trim().to_owned(),
            }),
            Err(because) => Err(self.ended().await.unwrap_or_else(|| self.unreachable(path, because))),
        }
    }

    fn unreachable(&self, path: &str, because: String) -> ContainerError {
        ContainerError::Unreachable { url: self.control() + path, because }
    }

    /// Whether the container has ended, or was removed behind our back.
    async fn ended(&self) -> Option<ContainerError> {
        match self.container.exit_code().await {
            Ok(None) => None,
            Ok(exit_code) => Some(ContainerError::Gone { exit_code }),
            Err(_) => Some(ContainerError::Gone { exit_code: None }),
        }
    }
}
