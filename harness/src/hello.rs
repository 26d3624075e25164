//! A server that answers each caller with what its ClientHello offered, as a page or as JSON. It accepts everything that
//! OpenSSL can be made to accept, so that old clients can read the answer; those that cannot are kept too, and can be asked
//! for by number from elsewhere.

mod kept;
mod page;
mod reach;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use openssl::ssl::{
    AlpnError, Ssl, SslContext, SslMethod, SslOptions, SslSessionCacheMode, SslVersion, select_next_proto,
};
use tls_gauntlet_certs::{Identity, Name, Pki, ServerCertificate};
use tls_gauntlet_scenarios::Phase;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::AbortHandle,
    time::timeout,
};
use tokio_openssl::SslStream;

use crate::{
    client::{Break, Circumstances, Failure},
    ffi,
    limits::Limits,
    tls::{
        CannotSetUp,
        context::{add_key, identify},
        old_ciphers,
        reason::Role,
    },
    wire::{
        client_hello,
        observer::{self, Observer},
    },
};
use kept::Kept;

pub use kept::{Agreed, Heard};
pub use reach::{Lack, lacks};

/// How many callers are talked to at once; the others wait in the kernel's queue.
const CALLERS: usize = 256;

/// Where and how to listen.
#[derive(Debug, Clone)]
pub struct HelloOptions {
    /// The address.
    pub bind: SocketAddr,
    /// What the certificate is made out to.
    pub names: Vec<Name>,
    /// Deadlines.
    pub limits: Limits,
}

/// Why it could not be started.
#[derive(Debug, thiserror::Error)]
pub enum HelloError {
    /// The certificate, or the settings of OpenSSL.
    #[error(transparent)]
    Setup(#[from] CannotSetUp),
    /// The port could not be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
}

/// A server that answers until this is dropped.
#[must_use = "it stops as soon as this is dropped"]
#[derive(Debug)]
pub struct Hello {
    address: SocketAddr,
    accepting: AbortHandle,
    kept: Arc<Kept>,
}

impl Hello {
    /// Starts it. When this returns, it listens. `heard` is told of every ClientHello that came, and of what became of it.
    ///
    /// # Errors
    /// [`HelloError`] if a certificate cannot be made or the port cannot be had.
    pub async fn start(
        pki: &Pki,
        options: &HelloOptions,
        heard: impl Fn(&Heard) + Send + Sync + 'static,
    ) -> Result<Self, HelloError> {
        let context = context(pki, &options.names)?;
        let failed = |source| HelloError::Bind { address: options.bind, source };
        let listener = TcpListener::bind(options.bind).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let kept = Arc::new(Kept::default());
        let server = Arc::new(Server {
            context,
            kept: Arc::clone(&kept),
            limits: options.limits,
            heard: Box::new(heard),
        });
        let accepting = tokio::spawn(accept(listener, server)).abort_handle();
        Ok(Self { address, accepting, kept })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has been heard so far and is still kept, oldest first.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        self.kept.all()
    }
}

impl Drop for Hello {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Server {
    context: SslContext,
    kept: Arc<Kept>,
    limits: Limits,
    heard: Box<dyn Fn(&Heard) + Send + Sync>,
}

async fn accept(listener: TcpListener, server: Arc<Server>) {
    let places = Arc::new(Semaphore::new(CALLERS));
    let mut callers = tokio::task::JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        // What goes wrong with one caller is no matter of the next.
        let Ok((tcp, peer)) = listener.accept().await else { continue };
        let server = Arc::clone(&server);
        callers.spawn(async move {
            server.serve(tcp, peer.ip()).await;
            drop(place);
        });
        while callers.try_join_next().is_some() {}
    }
}

impl Server {
    async fn serve(&self, tcp: TcpStream, peer: IpAddr) {
        let _ = tcp.set_nodelay(true);
        let Ok(mut ssl) = Ssl::new(&self.context) else { return };
        let observer = observer::attach(&mut ssl);
        let Ok(mut stream) = SslStream::new(ssl, tcp) else { return };
        let accepted = timeout(self.limits.peer, Pin::new(&mut stream).accept()).await;
        let outcome = match accepted {
            Ok(Ok(())) => Ok(agreed(&stream)),
            Ok(Err(error)) => {
                let known = Circumstances::of(Role::Server, &stream, &observer);
                let by = Break::of_tls(&error);
                Err(Failure::broken(Phase::Handshake, &by, &known).error)
            }
            Err(_) => Err("gave up waiting for the handshake".to_owned()),
        };
        let Some(id) = self.keep(peer, &observer, outcome.clone()) else { return };
        if let Ok(agreed) = outcome {
            // An answer that is not wanted any more is nobody's loss.
            let _ = timeout(self.limits.peer, self.answer(stream, id, &agreed)).await;
        }
    }

    fn keep(&self, peer: IpAddr, observer: &Observer, outcome: Result<Agreed, String>) -> Option<u64> {
        let offered = client_hello::facts(&observer.client_hello()?);
        let (agreed, failure) = match outcome {
            Ok(agreed) => (Some(agreed), None),
            Err(failure) => (None, Some(failure)),
        };
        let lacks = lacks(&offered);
        let heard = self.kept.put(|id| Heard { id, peer: peer.to_string(), agreed, failure, lacks, offered });
        (self.heard)(&heard);
        Some(heard.id)
    }

    async fn answer(
        &self,
        stream: SslStream<TcpStream>,
        id: u64,
        agreed: &Agreed,
    ) -> Result<(), hyper::Error> {
        let service = service_fn(|request: Request<Incoming>| {
            let response = self.respond(&request, id);
            async move { Ok::<_, std::convert::Infallible>(response) }
        });
        let stream = TokioIo::new(stream);
        if agreed.alpn.as_deref() == Some("h2") {
            http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
        } else {
            http1::Builder::new().serve_connection(stream, service).await
        }
    }

    fn respond(&self, request: &Request<Incoming>, own: u64) -> Response<Full<Bytes>> {
        let wants_page = request
            .headers()
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"));
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET / or GET /hello/ID\n".to_owned());
        }
        let one = |id: u64| {
            self.kept.one(id).map(|heard| if wants_page { page::one(&heard) } else { json(&heard) })
        };
        let body = match request.uri().path() {
            "/" => one(own),
            "/hello" | "/hello/" => {
                let all = self.kept.all();
                Some(if wants_page { page::list(&all) } else { json(&all) })
            }
            path => path.strip_prefix("/hello/").and_then(|id| id.parse().ok()).and_then(one),
        };
        let kind = if wants_page { "text/html; charset=utf-8" } else { "application/json" };
        match body {
            Some(body) => text(StatusCode::OK, kind, body),
            None => text(
                StatusCode::NOT_FOUND,
                "text/plain",
                "nothing is kept under this number; GET /hello lists what is\n".to_owned(),
            ),
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn agreed(stream: &SslStream<TcpStream>) -> Agreed {
    let ssl = stream.ssl();
    Agreed {
        version: ssl.version_str().parse().ok(),
        cipher: ssl
            .current_cipher()
            .and_then(|cipher| cipher.standard_name())
            .unwrap_or("unknown")
            .to_owned(),
        group: ffi::group_name(ssl).map(str::to_owned),
        alpn: ssl.selected_alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
    }
}

/// Everything: SSL 3.0 to TLS 1.3, every cipher suite, and a certificate for each kind of key that clients want.
fn context(pki: &Pki, names: &[Name]) -> Result<SslContext, CannotSetUp> {
    let because = || CannotSetUp::because("the answering server");
    let build = || -> Result<SslContext, Box<dyn std::error::Error + Send + Sync>> {
        old_ciphers::load()?;
        let mut context = SslContext::builder(SslMethod::tls_server())?;
        context.set_security_level(0);
        context.set_cipher_list("ALL:COMPLEMENTOFALL:@SECLEVEL=0")?;
        context.set_ciphersuites(TLS13_SUITES)?;
        context.set_min_proto_version(Some(SslVersion::SSL3))?;
        context.clear_options(SslOptions::NO_SSLV3);
        ffi::dh_auto(&mut context, ffi::DhStrength::AsCertificate)?;
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        context.set_options(SslOptions::NO_TICKET | SslOptions::CIPHER_SERVER_PREFERENCE);
        context.set_num_tickets(0)?;
        for recipe in [ServerCertificate::GoodRsa, ServerCertificate::Good] {
            let identity: Arc<Identity> = pki.server(recipe, names)?;
            if recipe == ServerCertificate::Good {
                identify(&mut context, &identity)?;
            } else {
                add_key(&mut context, &identity)?;
            }
        }
        context.set_alpn_select_callback(|_, offered| {
            // Whoever wants neither gets HTTP/1.1 all the same.
            select_next_proto(b"\x02h2\x08http/1.1", offered).ok_or(AlpnError::NOACK)
        });
        observer::install(&mut context);
        Ok(context.build())
    };
    build().map_err(because())
}

const TLS13_SUITES: &str = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:\
                            TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256";
