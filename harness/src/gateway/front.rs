//! A gateway in front of one backend: the short form, for tests.

use std::net::SocketAddr;

use tls_gauntlet_scenarios::{ClientSaw, catalogue};

use super::{GATEWAY_NAME, Gateway, GatewayError, GatewayPlan, RunFolder, Running, Stopped};
use crate::{
    backend::Backend,
    client::{Probe, Target},
    limits::Limits,
    record::GatewayKind,
};

/// The listener that a front opens.
const LISTENER: &str = "default";

/// A gateway that answers, with one route to one backend. It is killed when this is dropped.
#[derive(Debug)]
#[must_use = "the gateway is killed as soon as this is dropped"]
pub struct Front {
    running: Running,
    // Dropped after what runs in it.
    _folder: RunFolder,
    address: SocketAddr,
    path: String,
    probe: Probe,
}

impl Gateway {
    /// Starts it in front of a backend, to which it connects as this upstream of the catalogue does (`strict`,
    /// `max-tls12`). When this returns, it answers.
    ///
    /// # Errors
    /// [`GatewayError`], also for an unknown upstream and for a gateway that Gauntlet does not start.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use tls_gauntlet::{Backend, Gateway};
    ///
    /// let backend = Backend::start("renegotiation-required").await?;
    /// let nginx = Gateway::resolve("nginx")?;
    /// assert_eq!(nginx.in_front_of(&backend, "max-tls12").await?.get().await.status, Some(200));
    /// assert_eq!(nginx.in_front_of(&backend, "min-tls13").await?.get().await.status, Some(403));
    /// # Ok(()) }
    /// ```
    pub async fn in_front_of(&self, backend: &Backend, upstream: &str) -> Result<Front, GatewayError> {
        let unable = |because: &dyn ToString| self.unable("be set up", &because.to_string());
        if self.kind() == GatewayKind::External {
            return Err(unable(&"it is not Gauntlet that starts it"));
        }
        let listener = catalogue().listener(LISTENER).map_err(|unknown| unable(&unknown))?;
        let profile = catalogue().upstream(upstream).map_err(|unknown| unable(&unknown))?;
        let (limits, pki) = (Limits::default(), backend.pki());
        let mut plan = GatewayPlan::new(
            vec![(LISTENER.to_owned(), listener.clone())],
            vec![(upstream.to_owned(), profile.clone())],
            pki.clone(),
            limits,
        );
        plan.server_name = self.server_name().to_owned();
        let route = plan.add_route(upstream, backend.address(), limits.patient, limits.patient);
        let path = route.path.clone();
        let probe = Probe::sound(GATEWAY_NAME, pki).map_err(|error| unable(&error))?;
        let folder = RunFolder::new().map_err(|error| unable(&error))?;
        let running = self.start(&plan, &folder).await?;
        let address = running.listener(LISTENER).ok_or_else(|| unable(&"it has no listener"))?;
        Ok(Front { running, _folder: folder, address, path, probe })
    }
}

impl Front {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What leads to the backend, for a caller who resolves [`GATEWAY_NAME`] to [`address`](Self::address); the
    /// certificate is issued by the authority of the backend's.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{GATEWAY_NAME}:{}{}", self.address.port(), self.path)
    }

    /// Calls the backend through it, with a client that has no flaw.
    pub async fn get(&self) -> ClientSaw {
        let target = Target::at(self.address);
        let path = format!("{}{}", self.path, target.nonce);
        self.probe.get(&Target { host: GATEWAY_NAME.to_owned(), path, ..target }).await
    }

    /// What it has said so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.running.log()
    }

    /// Stops it in order, if it lets us.
    pub async fn stop(self) -> Stopped {
        self.running.stop().await
    }
}
