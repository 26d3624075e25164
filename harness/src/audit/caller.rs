//! The caller of a leg: one request to the gateway's URL, as often as it takes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Uri, header};
use openssl::x509::X509;
use tls_gauntlet_certs::Identity;
use tls_gauntlet_scenarios::{ClientSaw, Versions};
use tokio::time::Instant;

use crate::{
    client::{Dialer, DialerSettings, Failure, saw},
    limits::Limits,
    tls::CannotSetUp,
    wire::{nonce::Nonce, recorder::Recorder},
};

/// What is called, and as whom.
#[derive(Debug, Clone)]
pub struct CallSettings {
    /// The gateway's URL, `http` or `https`.
    pub url: Uri,
    /// Where to connect to.
    pub address: SocketAddr,
    /// The method.
    pub method: Method,
    /// Headers beside host and nonce.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// The host to ask for, in TLS and HTTP; that of the URL if absent.
    pub host: Option<String>,
    /// The roots to trust; those of the system if there are none.
    pub roots: Vec<X509>,
    /// Whether the gateway's own certificate is not checked.
    pub insecure: bool,
    /// What to show when asked for a certificate.
    pub identity: Option<Arc<Identity>>,
}

impl CallSettings {
    /// A plain GET of this URL at this address.
    #[must_use]
    pub const fn get(url: Uri, address: SocketAddr) -> Self {
        Self {
            url,
            address,
            method: Method::GET,
            headers: Vec::new(),
            body: Bytes::new(),
            host: None,
            roots: Vec::new(),
            insecure: false,
            identity: None,
        }
    }

    /// Whether TLS is spoken with the gateway.
    pub(super) fn is_tls(&self) -> bool {
        self.url.scheme_str() != Some("http")
    }

    /// The host without its port.
    pub(super) fn name(&self) -> String {
        let named = self.host.as_deref().map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
        let name = named.or_else(|| self.url.host()).unwrap_or_default();
        name.trim_start_matches('[').trim_end_matches(']').to_owned()
    }
}

/// Makes the same call again and again, each over a connection of its own.
#[derive(Debug)]
pub(super) struct Caller {
    settings: CallSettings,
    /// None for a URL without TLS.
    dialer: Option<Dialer>,
    patience: Duration,
}

/// What came of one call.
#[derive(Debug, Clone, Default)]
pub(super) struct Called {
    pub(super) saw: ClientSaw,
    /// What the response says of the server that made it.
    pub(super) server: Option<String>,
    /// Where the response sends the caller.
    pub(super) location: Option<String>,
    /// The host that the backend says it was asked for.
    pub(super) host: Option<String>,
    pub(super) took: Duration,
}

impl Caller {
    pub(super) fn new(settings: CallSettings, patience: Duration) -> Result<Self, CannotSetUp> {
        let is_tls = settings.is_tls();
        let name = settings.name();
        let dialer = DialerSettings {
            versions: Versions::current(),
            ciphers: None,
            groups: None,
            trust: settings.roots.clone(),
            verify_chain: !settings.insecure,
            verify_name: !settings.insecure,
            revocation: None,
            lists: Vec::new(),
            status_patience: Limits::default().status,
            name: name.clone(),
            server_name: Some(name),
            identity: settings.identity.clone(),
            post_handshake_auth: true,
            renegotiation: true,
            keeps_sessions: false,
            alpn: Vec::new(),
            insists_on_alpn: false,
        };
        let dialer = if is_tls { Some(Dialer::new(&dialer)?) } else { None };
        Ok(Self { settings, dialer, patience })
    }

    /// Calls once.
    pub(super) async fn call(&self, nonce: Nonce) -> Called {
        let begun = Instant::now();
        let called = match self.answer(nonce, begun + self.patience).await {
            Ok(answer) => {
                let read = |name: header::HeaderName| {
                    let value = answer.head.headers.get(name)?;
                    value.to_str().ok().map(str::to_owned)
                };
                let echo: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
                let host = echo.as_ref().and_then(|echo| echo.get("host")?.as_str().map(str::to_owned));
                let (server, location) = (read(header::SERVER), read(header::LOCATION));
                Called { server, location, host, saw: saw(answer, &nonce.to_string()), took: Duration::ZERO }
            }
            Err(failure) => Called { saw: failure.into_client_saw(), ..Called::default() },
        };
        Called { took: begun.elapsed(), ..called }
    }

    async fn answer(&self, nonce: Nonce, deadline: Instant) -> Result<crate::client::Answer, Failure> {
        let request = self.request(nonce)?;
        let opened = match &self.dialer {
            Some(dialer) => dialer.dial(self.settings.address, deadline).await?,
            None => Dialer::dial_plain(self.settings.address, deadline, &Recorder::default()).await?,
        };
        opened.call(request, deadline).await
    }

    fn request(&self, nonce: Nonce) -> Result<Request<Full<Bytes>>, Failure> {
        let settings = &self.settings;
        let authority = settings.url.authority().map(ToString::to_string).unwrap_or_default();
        let host = settings.host.clone().unwrap_or(authority);
        let path = settings.url.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder()
            .method(settings.method.clone())
            .uri(path)
            .header(header::HOST, host)
            .header(Nonce::HEADER, nonce.to_string());
        for (name, value) in &settings.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(settings.body.clone())).map_err(|error| Failure::not_sent(error.to_string()))
    }
}
