//! The client leg: accepts connections, refuses clients in TLS, and hands requests to the router.

use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use openssl::{
    error::ErrorStack,
    ssl::{Ssl, SslContext, SslMethod, SslOptions, SslRef, SslVerifyMode},
    x509::store::X509StoreBuilder,
};
use tls_gauntlet_certs::{Identity, Name, Pki, ServerRecipe};
use tls_gauntlet_scenarios::{Cause, ClientCertificatePolicy, ListenerProfile, Phase};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{self, JoinSet},
    time::timeout,
};
use tokio_openssl::SslStream;

use super::{ReferenceKnobs, router::Router};
use crate::{
    client::{Break, CannotSetUp, Circumstances, Failure, Role, client_cause, tls},
    gateway::plan::{GATEWAY_NAME, GatewayPlan},
    limits::Limits,
    wire::observer,
};

/// One port.
#[derive(Debug)]
pub(super) struct Listener {
    name: String,
    context: Context,
    policy: ClientCertificatePolicy,
    router: Arc<Router>,
    limits: Limits,
}

impl Listener {
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
        let identity = plan.pki.server(ServerRecipe::Good, &names).map_err(CannotSetUp::because(&what))?;
        let context = context(profile, &identity, &plan.pki, knobs).map_err(CannotSetUp::because(&what))?;
        Ok(Self {
            name: name.to_owned(),
            context: Context(context),
            policy: profile.client_certificate,
            router,
            limits: plan.limits,
        })
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
                    // That connection is gone, or there are too many files; others must get on to close some.
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
        let stream = match self.shake_hands(tcp, client).await {
            Shaken::Done(stream) => stream,
            Shaken::Refused(mut stream) => {
                tokio::select! {
                    () = linger(stream.get_mut(), self.limits.settle) => {}
                    () = told(&mut stop) => {}
                }
                return;
            }
            Shaken::Never => return,
        };
        let barred = self.barred(stream.ssl());
        let service =
            service_fn(|request| async { Ok::<_, Infallible>(self.router.answer(request, barred).await) });
        let mut connection =
            std::pin::pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        let mut stopping = false;
        loop {
            tokio::select! {
                // How a client leaves is its own affair.
                _ = &mut connection => return,
                () = told(&mut stop), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }

    async fn shake_hands(&self, tcp: TcpStream, client: SocketAddr) -> Shaken {
        // Fails only on a connection that is gone already, which the next step reports better.
        let _ = tcp.set_nodelay(true);
        let Ok(mut ssl) = Ssl::new(&self.context.0) else { return Shaken::Never };
        let observer = observer::attach(&mut ssl);
        let Ok(mut stream) = SslStream::new(ssl, tcp) else { return Shaken::Never };
        let accepted = timeout(self.limits.peer, Pin::new(&mut stream).accept()).await;

        let known = Circumstances::of(Role::Server, &stream, &observer);
        let failure = match accepted {
            Ok(Ok(())) => return Shaken::Done(stream),
            Ok(Err(error)) => Failure::broken(Phase::Handshake, &Break::of_tls(&error), &known),
            Err(_) => Failure::timed_out(Phase::Handshake, &known),
        };
        self.router.journal().refused(&self.name, client, &failure);
        Shaken::Refused(stream)
    }

    /// What is wrong with the client's certificate, where the handshake was not allowed to say so.
    fn barred(&self, ssl: &SslRef) -> Option<Cause> {
        match (self.policy, ssl.peer_certificate()) {
            (ClientCertificatePolicy::Ignored, _) | (ClientCertificatePolicy::Optional, None) => None,
            (ClientCertificatePolicy::Required, None) => Some(Cause::ClientCertMissing),
            (ClientCertificatePolicy::Optional | ClientCertificatePolicy::Required, Some(_)) => {
                client_cause(ssl.verify_result().as_raw())
            }
        }
    }
}

/// Resolves once the gateway is told to stop, or dropped.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|&stopping| stopping).await;
}

/// Reads what the client has sent already, up to its end. Closing on unread data would reset the connection, and a
/// reset can overtake the alert that says why (RFC 9112 9.6 tells the same of responses).
async fn linger(tcp: &mut TcpStream, limit: Duration) {
    let mut unread = [0; 4096];
    let to_its_end = async {
        if tcp.shutdown().await.is_ok() {
            while matches!(tcp.read(&mut unread).await, Ok(1..)) {}
        }
    };
    let _ = timeout(limit, to_its_end).await;
}

/// What became of a first handshake.
enum Shaken {
    /// It is complete.
    Done(SslStream<TcpStream>),
    /// One of the two sides refused it.
    Refused(SslStream<TcpStream>),
    /// It could not begin, for lack of memory.
    Never,
}

struct Context(SslContext);

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SslContext")
    }
}

fn context(
    profile: &ListenerProfile,
    identity: &Identity,
    pki: &Pki,
    knobs: ReferenceKnobs,
) -> Result<SslContext, ErrorStack> {
    let mut context = tls::allow(SslMethod::tls_server(), &profile.versions, Some(identity))?;
    // Clients have no reason to renegotiate, and some to be kept from it (RFC 9325 3.4).
    context.set_options(SslOptions::NO_RENEGOTIATION);
    let mode = match profile.client_certificate {
        ClientCertificatePolicy::Ignored => return Ok(context.build()),
        ClientCertificatePolicy::Optional => SslVerifyMode::PEER,
        ClientCertificatePolicy::Required => SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
    };
    let mut store = X509StoreBuilder::new()?;
    store.add_cert(pki.client_root().to_owned())?;
    context.set_cert_store(store.build());
    context.add_client_ca(pki.client_root())?;
    context.set_session_id_context(b"gauntlet")?;
    match knobs.client_certificate_status {
        None => context.set_verify(mode),
        // The handshake goes through whatever comes; the answer is in HTTP.
        Some(_) => context.set_verify_callback(SslVerifyMode::PEER, |_, _| true),
    }
    Ok(context.build())
}
