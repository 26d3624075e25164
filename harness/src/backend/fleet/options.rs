//! Where a fleet listens, what it takes, and why it could not be started.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use openssl::x509::X509;
use time::Duration;
use tls_gauntlet_certs::{Name, Pki};
use tls_gauntlet_scenarios::UnknownName;

use crate::{backend::SERVER_NAME, limits::Limits, wire::recorder::Recorder};

/// Where a fleet listens, and under which names.
#[derive(Debug, Clone)]
pub struct FleetOptions {
    /// The address to listen on.
    pub bind: IpAddr,
    /// The first port; ephemeral ones if absent.
    pub port_base: Option<u16>,
    /// What the certificates are made out to, and which server names are known.
    pub names: Vec<Name>,
    /// How long the certificate of `expires-during-run` lasts, by the clock of the authorities.
    pub expires_in: Duration,
    /// Which client certificates are taken.
    pub clients: ClientsTaken,
    /// Deadlines.
    pub limits: Limits,
    /// Where what passes is kept; nowhere by default.
    pub recorder: Recorder,
}

/// The client certificates that backends take.
#[derive(Debug, Clone, Default)]
pub enum ClientsTaken {
    /// Sound ones of their own client authority.
    #[default]
    Own,
    /// Sound ones of these authorities.
    Of(Vec<X509>),
    /// Every one; the ledger says which it was.
    Any,
}

impl ClientsTaken {
    /// The roots that backends trust and, where nothing else is said, name to their clients.
    pub(in crate::backend) fn roots(&self, pki: &Pki) -> Vec<X509> {
        match self {
            Self::Of(roots) => roots.clone(),
            Self::Own | Self::Any => vec![pki.client_root().clone()],
        }
    }
}

impl Default for FleetOptions {
    fn default() -> Self {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            bind: local,
            port_base: None,
            names: vec![
                Name::Dns(SERVER_NAME.to_owned()),
                Name::Dns("localhost".to_owned()),
                Name::Ip(local),
            ],
            expires_in: Duration::MINUTE,
            clients: ClientsTaken::default(),
            limits: Limits::default(),
            recorder: Recorder::default(),
        }
    }
}

impl FleetOptions {
    /// How others call this address in a URL.
    pub(super) fn host(&self, ip: IpAddr) -> String {
        match self.names.first() {
            Some(name) if ip.is_unspecified() => name.to_string(),
            _ => SocketAddr::new(ip, 0).to_string().trim_end_matches(":0").to_owned(),
        }
    }
}

/// Why a fleet could not be started.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The catalogue has no such backend.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The TLS side of a backend could not be set up.
    #[error("cannot set up backend \"{backend}\": {source}")]
    Setup {
        /// Its name.
        backend: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The authorities or a client's certificate could not be made.
    #[error("cannot make certificates")]
    Certificates(#[from] tls_gauntlet_certs::Error),
    /// The ports from the base on do not suffice.
    #[error("{count} backends from port {base} on do not fit below 65536; choose a lower first port")]
    PortRange {
        /// The first port.
        base: u16,
        /// How many were to follow.
        count: usize,
    },
    /// No port could be had for revocation lists and OCSP responses.
    #[error("cannot listen on {address} for revocation lists and OCSP responses")]
    Status {
        /// Where.
        address: IpAddr,
        /// The cause.
        source: io::Error,
    },
    /// A port could not be had.
    #[error("cannot listen on {address} for backend \"{backend}\"")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// For whom.
        backend: String,
        /// The cause.
        source: io::Error,
    },
}
