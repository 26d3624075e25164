//! The client leg: accepts connections, refuses clients in TLS, and hands requests to the router.

use std::{
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use hyper::{
    Request,
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use openssl::{
    error::ErrorStack,
    ssl::{AlpnError, Ssl, SslContext, SslMethod, SslOptions, SslRef, SslVerifyMode},
    x509::X509Crl,
};
use tls_gauntlet_certs::{ClientCertificate, CrlKind, Identity, Name, Pki, ServerCertificate};
use tls_gauntlet_scenarios::{Cause, ClientCertificatePolicy, ListenerProfile, Phase};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{self, JoinSet},
    time::timeout,
};
use tokio_openssl::SslStream;

use super::{ReferenceKnobs, journal::Caller, router::Router};
use crate::{
    client::{Break, Circumstances, Failure},
    gateway::plan::{GATEWAY_NAME, GatewayPlan},
    limits::Limits,
    tls::{
        CannotSetUp, algorithms,
        context::{add_key, allow, identify, trust},
        reason::Role,
        shared_tls::SharedTls,
        verification::client_cause,
    },
    wire::{
        observer::{self, Observer},
        tap::Tap,
    },
};

/// HTTP/2 over TLS (RFC 9113 3.2).
const H2: &[u8] = b"h2";

/// A port with its connections.
#[derive(Debug)]
pub(super) struct Listener {
    name: String,
    setting: RwLock<Arc<Setting>>,
    limits: Limits,
}

/// The settings that meet a connection. The handshake of an earlier connection stays as it was; its next request takes the new route.
#[derive(Debug)]
pub(super) struct Setting {
    context: Context,
    policy: ClientCertificatePolicy,
    router: Arc<Router>,
}

impl Setting {
    pub(super) fn new(
        name: &str,
        profile: &ListenerProfile,
        plan: &GatewayPlan,
        knobs: ReferenceKnobs,
        router: Arc<Router>,
    ) -> Result<Self, CannotSetUp> {
        let what = format!("the listener \"{name}\"");
        let names = [GATEWAY_NAME, "localhost", "127.0.0.1"].map(str::parse::<Name>);
        let names = names.into_iter().collect::<Result<Vec<_>, _>>().map_err(CannotSetUp::because(&what))?;
        let identity =
            plan.pki.server(ServerCertificate::Good, &names).map_err(CannotSetUp::because(&what))?;
        let rsa = wants_rsa(profile).then(|| plan.pki.server(ServerCertificate::GoodRsa, &names)).transpose();
        let rsa = rsa.map_err(CannotSetUp::because(&what))?;
        let revoked = profile.check_revocation.then(|| revoked(&plan.pki)).transpose();
        let revoked = revoked.map_err(CannotSetUp::because(&what))?;
        let identities = [Some(identity), rsa];
        let identities = identities.iter().flatten().map(AsRef::as_ref);
        let context = context(profile, identities, &plan.pki, revoked.as_deref(), knobs);
        let context = context.map_err(CannotSetUp::because(&what))?;
        Ok(Self { context: Context(context), policy: profile.client_certificate, router })
    }

    /// The flaw of the client's certificate, where the handshake had to let it pass.
    fn barred(&self, ssl: &SslRef) -> Option<Cause> {
        match (self.policy, ssl.peer_certificate()) {
            (ClientCertificatePolicy::Ignored | ClientCertificatePolicy::OnDemand, _)
            | (ClientCertificatePolicy::Optional, None) => None,
            (ClientCertificatePolicy::Required, None) => Some(Cause::ClientCertMissing),
            (ClientCertificatePolicy::Optional | ClientCertificatePolicy::Required, Some(_)) => {
                client_cause(ssl.verify_result().as_raw())
            }
        }
    }
}

impl Listener {
    pub(super) fn new(name: &str, setting: Setting, limits: Limits) -> Self {
        Self { name: name.to_owned(), setting: RwLock::new(Arc::new(setting)), limits }
    }

    /// Meets the next connections with something else.
    pub(super) fn change(&self, setting: Setting) {
        *self.setting.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setting);
    }

    fn setting(&self) -> Arc<Setting> {
        Arc::clone(&self.setting.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Accepts connections until it is told to stop, then waits for those under way.
    pub(super) async fn run(self: Arc<Self>, port: TcpListener, stop: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        let mut stopping = stop.clone();
        loop {
            tokio::select! {
                accepted = port.accept() => match accepted {
                    Ok((tcp, client)) => {
                        connections.spawn(Arc::clone(&self).serve(tcp, client, stop.clone()));
                    }
                    // The connection is gone, or too many files are open; other tasks must run to close some.
                    Err(_) => task::yield_now().await,
                },
                Some(_) = connections.join_next() => {}
                () = told(&mut stopping) => break,
            }
        }
        drop(port);
        while connections.join_next().await.is_some() {}
    }

    async fn serve(self: Arc<Self>, tcp: TcpStream, client: SocketAddr, mut stop: watch::Receiver<bool>) {
        // A client that goes away because of us has often gone before its alert is read: hear it out, even when
        // the gateway is to stop.
        let setting = self.setting();
        let (stream, observer) = match self.shake_hands(&setting, tcp, client).await {
            Shaken::Done(stream, observer) => (stream, observer),
            Shaken::Refused(mut stream) => {
                tokio::select! {
                    () = linger(stream.get_mut(), self.limits.settle) => {}
                    () = told(&mut stop) => {}
                }
                return;
            }
            Shaken::Never => return,
        };
        let speaks_h2 = stream.ssl().selected_alpn_protocol() == Some(H2);
        let barred = setting.barred(stream.ssl());
        let tls = SharedTls::of(stream);
        let io = TokioIo::new(tls.clone());
        let listener = Arc::clone(&self);
        let service = service_fn(move |request: Request<Incoming>| {
            // A change counts from the next request on, whatever connection it comes over.
            let (policy, now) = (setting.policy, listener.setting());
            let (tls, observer) = (tls.clone(), Arc::clone(&observer));
            async move {
                match policy {
                    ClientCertificatePolicy::OnDemand => {
                        now.router.answer_on_demand(request, &tls, &observer).await
                    }
                    ClientCertificatePolicy::Ignored
                    | ClientCertificatePolicy::Optional
                    | ClientCertificatePolicy::Required => {
                        let caller = Caller::of(&tls, request.version());
                        Ok(now.router.answer(request, caller, barred).await)
                    }
                }
            }
        });
        if speaks_h2 {
            let connection = http2::Builder::new(TokioExecutor::new()).serve_connection(io, service);
            conduct(connection, http2::Connection::graceful_shutdown, stop).await;
        } else {
            let connection = http1::Builder::new().serve_connection(io, service);
            conduct(connection, http1::Connection::graceful_shutdown, stop).await;
        }
    }

    async fn shake_hands(&self, setting: &Setting, tcp: TcpStream, client: SocketAddr) -> Shaken {
        let Ok(mut ssl) = Ssl::new(&setting.context.0) else { return Shaken::Never };
        let observer = observer::attach(&mut ssl);
        let Ok(mut stream) = SslStream::new(ssl, Tap::new(tcp)) else { return Shaken::Never };
        let accepted = timeout(self.limits.peer, Pin::new(&mut stream).accept()).await;

        let known = Circumstances::of(Role::Server, &stream, &observer);
        let failure = match accepted {
            Ok(Ok(())) => {
                stream.get_ref().acknowledge_at_once();
                return Shaken::Done(stream, observer);
            }
            Ok(Err(error)) => Failure::broken(Phase::Handshake, &Break::of_tls(&error), &known),
            Err(_) => Failure::timed_out(Phase::Handshake, &known),
        };
        setting.router.journal().refused(&self.name, client, &failure);
        Shaken::Refused(stream)
    }
}

/// Sees a connection to its end, which comes early once the gateway is told to stop.
async fn conduct<C: Future>(
    connection: C,
    shut_down: impl FnOnce(Pin<&mut C>),
    mut stop: watch::Receiver<bool>,
) {
    let mut connection = pin!(connection);
    tokio::select! {
        // How a client leaves is its own affair.
        _ = &mut connection => return,
        () = told(&mut stop) => shut_down(connection.as_mut()),
    }
    connection.await;
}

/// Resolves once the gateway is told to stop, or dropped.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|&stopping| stopping).await;
}

/// Reads what the client has sent already, up to its end. Closing on unread data would reset the connection, and a
/// reset can overtake the alert that says why (RFC 9112 9.6 tells the same of responses).
async fn linger(tcp: &mut Tap, limit: Duration) {
    let mut unread = [0; 4096];
    let to_its_end = async {
        if tcp.shutdown().await.is_ok() {
            while matches!(tcp.read(&mut unread).await, Ok(1..)) {}
        }
    };
    let _ = timeout(limit, to_its_end).await;
}

/// The outcome of a first handshake.
enum Shaken {
    /// It is complete.
    Done(SslStream<Tap>, Arc<Observer>),
    /// It was refused, by one side or the other.
    Refused(SslStream<Tap>),
    /// It could not begin, for lack of memory.
    Never,
}

struct Context(SslContext);

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SslContext")
    }
}

/// The revocation lists of the authority that issues client certificates, and of the authorities above it.
fn revoked(pki: &Pki) -> Result<Vec<X509Crl>, Box<dyn std::error::Error + Send + Sync>> {
    // A certificate has to be issued before it can be on the list.
    pki.client(ClientCertificate::Revoked)?;
    let lists = pki.client_crls(CrlKind::Revoked)?;
    Ok(lists.iter().map(|list| X509Crl::from_der(list)).collect::<Result<_, _>>()?)
}

/// The first of these protocols that the client offers (RFC 7301 3.2).
fn select<'a>(accepted: &[String], offered: &'a [u8]) -> Result<&'a [u8], AlpnError> {
    let mut names = Vec::new();
    let mut rest = offered;
    while let Some((length, after)) = rest.split_first() {
        let Some((name, next)) = after.split_at_checked(usize::from(*length)) else { break };
        names.push(name);
        rest = next;
    }
    let picked = accepted.iter().find_map(|wanted| names.iter().find(|name| **name == wanted.as_bytes()));
    picked.copied().ok_or(AlpnError::ALERT_FATAL)
}

/// Whether it is told to accept suites that need a certificate with an RSA key.
fn wants_rsa(profile: &ListenerProfile) -> bool {
    let mut ciphers = profile.ciphers.iter().flatten();
    ciphers.any(|suite| suite.needs_rsa())
}

fn context<'a>(
    profile: &ListenerProfile,
    identities: impl Iterator<Item = &'a Identity>,
    pki: &Pki,
    revoked: Option<&[X509Crl]>,
    knobs: ReferenceKnobs,
) -> Result<SslContext, ErrorStack> {
    let mut context = allow(SslMethod::tls_server(), &profile.versions, None)?;
    // A certificate for each kind of key, of which OpenSSL picks (SSL_CTX_use_certificate(3)); the chain above them is the same.
    for (number, identity) in identities.enumerate() {
        let show = if number == 0 { identify } else { add_key };
        show(&mut context, identity)?;
    }
    if let Some(ciphers) = &profile.ciphers {
        algorithms::set_ciphers(&mut context, ciphers)?;
    }
    if let Some(groups) = &profile.groups {
        algorithms::set_groups(&mut context, groups)?;
    }
    if !profile.protocols.is_empty() {
        let accepted = profile.protocols.clone();
        context.set_alpn_select_callback(move |_, offered| select(&accepted, offered));
    }
    if profile.session_tickets == Some(true) {
        context.clear_options(SslOptions::NO_TICKET);
        context.set_num_tickets(2)?;
        context.set_session_id_context(b"gauntlet")?;
    }
    if profile.client_certificate != ClientCertificatePolicy::OnDemand {
        // Clients have no reason to renegotiate, and some to be kept from it (RFC 9325 3.4).
        context.set_options(SslOptions::NO_RENEGOTIATION);
    }
    let mode = match profile.client_certificate {
        ClientCertificatePolicy::Ignored => return Ok(context.build()),
        ClientCertificatePolicy::OnDemand => SslVerifyMode::NONE,
        ClientCertificatePolicy::Optional => SslVerifyMode::PEER,
        ClientCertificatePolicy::Required => SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
    };
    trust(&mut context, [pki.client_root()], revoked)?;
    context.add_client_ca(pki.client_root())?;
    context.set_session_id_context(b"gauntlet")?;
    match knobs.client_certificate_status {
        // A certificate that comes late is judged in HTTP.
        _ if mode == SslVerifyMode::NONE => context.set_verify_callback(mode, |_, _| true),
        None => context.set_verify(mode),
        // The handshake goes through whatever comes; the answer is in HTTP.
        Some(_) => context.set_verify_callback(SslVerifyMode::PEER, |_, _| true),
    }
    Ok(context.build())
}
