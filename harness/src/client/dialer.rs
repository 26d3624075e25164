//! Opens connections: one context for all of them, a new session for each.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use openssl::{
    error::ErrorStack,
    ssl::{Ssl, SslContext, SslMethod, SslOptions, SslRef, SslVerifyMode, StatusType},
    x509::{X509, X509Crl},
};
use tls_gauntlet_certs::Identity;
use tls_gauntlet_scenarios::{Cause, CipherSuite, Group, Phase, RevocationCheck, Versions};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_openssl::SslStream;

use super::{
    call::Dialed,
    failure::{Break, Circumstances, Failure},
    revocation,
    session::{self, KeptSession},
};
use crate::{
    ffi,
    tls::{
        CannotSetUp, algorithms,
        context::{allow, trust},
        reason::Role,
        verification::is_about_the_name,
    },
    wire::{observer, recorder::Recorder, tap::Tap},
};

/// How a connection is opened.
#[derive(Debug, Clone)]
pub struct DialerSettings {
    /// Versions to offer.
    pub versions: Versions,
    /// Cipher suites to offer up to TLS 1.2; what OpenSSL has by default if absent.
    pub ciphers: Option<Vec<CipherSuite>>,
    /// Groups to offer; what OpenSSL has by default if absent.
    pub groups: Option<Vec<Group>>,
    /// The roots to trust, and intermediates that servers may leave out; the system's if there are none.
    pub trust: Vec<X509>,
    /// Whether the chain is checked against it.
    pub verify_chain: bool,
    /// Whether the certificate's name is checked.
    pub verify_name: bool,
    /// How it finds out whether the certificate was revoked, if it does.
    pub revocation: Option<RevocationCheck>,
    /// The revocation lists that [`RevocationCheck::CrlFile`] checks the chain against, in DER.
    pub lists: Vec<Vec<u8>>,
    /// How long it waits for an answer to that.
    pub status_patience: Duration,
    /// The name, or the address, to check for.
    pub name: String,
    /// The server name to send, if any.
    pub server_name: Option<String>,
    /// The certificate to show when asked for one.
    pub identity: Option<Arc<Identity>>,
    /// Whether to offer post-handshake authentication (RFC 8446 4.2.6).
    pub post_handshake_auth: bool,
    /// Whether to follow a server that renegotiates.
    pub renegotiation: bool,
    /// Whether sessions are kept, so that they can be resumed.
    pub keeps_sessions: bool,
    /// Application protocols to offer, in order; the extension is left out if there are none.
    pub alpn: Vec<String>,
    /// Whether to leave a server that agrees on none of them.
    pub insists_on_alpn: bool,
}

/// Opens connections that all behave alike.
#[derive(Clone)]
pub struct Dialer {
    context: SslContext,
    verify_name: bool,
    revocation: Option<RevocationCheck>,
    status_patience: Duration,
    name: String,
    server_name: Option<String>,
    has_certificate: bool,
    insists_on_alpn: bool,
    recorder: Recorder,
}

impl Dialer {
    /// A dialer with a context of its own.
    ///
    /// # Errors
    /// [`CannotSetUp`] if OpenSSL does not take the settings.
    pub fn new(settings: &DialerSettings) -> Result<Self, CannotSetUp> {
        let context = context(settings).map_err(CannotSetUp::because(&settings.name))?;
        Ok(Self {
            context,
            verify_name: settings.verify_name,
            revocation: settings.revocation,
            status_patience: settings.status_patience,
            name: settings.name.clone(),
            server_name: settings.server_name.clone(),
            has_certificate: settings.identity.is_some(),
            insists_on_alpn: settings.insists_on_alpn,
            recorder: Recorder::default(),
        })
    }

    /// This dialer for a server that goes by another name.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        let name = name.to_owned();
        Self { server_name: self.server_name.as_ref().map(|_| name.clone()), name, ..self.clone() }
    }

    /// This dialer with another patience for answers about the status of a certificate.
    #[must_use]
    pub fn asking_for(&self, status_patience: Duration) -> Self {
        Self { status_patience, ..self.clone() }
    }

    /// This dialer with its connections recorded.
    #[must_use]
    pub(crate) fn recorded_by(&self, recorder: &Recorder) -> Self {
        Self { recorder: recorder.clone(), ..self.clone() }
    }

    /// Opens a connection, completes the first handshake, and finds out what is wanted of the certificate's status.
    ///
    /// # Errors
    /// [`Failure`]: what the peer did instead, or that it was silent until `deadline`.
    pub async fn dial(&self, address: SocketAddr, deadline: Instant) -> Result<Dialed, Failure> {
        self.dial_with(&KeptSession::default(), address, deadline).await
    }

    /// As [`dial`](Self::dial), offering the session that is kept there, if there is one, and keeping the one that comes of it.
    ///
    /// # Errors
    /// As [`dial`](Self::dial).
    pub(crate) async fn dial_with(
        &self,
        kept: &KeptSession,
        address: SocketAddr,
        deadline: Instant,
    ) -> Result<Dialed, Failure> {
        let tcp = connect(address, deadline).await?;
        let unexpected = |error: ErrorStack| {
            let by = Break::Other(format!("cannot set up the connection: {error}"));
            Failure::broken(Phase::Handshake, &by, &Circumstances::plain())
        };
        let mut ssl = self.session().map_err(unexpected)?;
        kept.attach(&mut ssl).map_err(unexpected)?;
        self.recorder.attach(&mut ssl);
        let observer = observer::attach(&mut ssl);
        let talk = self.recorder.called(&tcp);
        let mut stream = SslStream::new(ssl, Tap::quiet(tcp).recorded(talk)).map_err(unexpected)?;
        let connected = timeout_at(deadline, Pin::new(&mut stream).connect()).await;

        let known = Circumstances::of(Role::Client, &stream, &observer);
        let known = Circumstances {
            has_certificate: self.has_certificate,
            sends_server_name: self.server_name.is_some(),
            ..known
        };
        match connected {
            Ok(Ok(())) => {
                if let Some(check) = self.revocation
                    && let Err(refusal) = self.find_status(check, stream.ssl()).await
                {
                    // Says good-bye, so that the server knows that it was left.
                    let _ = timeout_at(deadline, stream.shutdown()).await;
                    return Err(Failure::refused(refusal.cause, refusal.words, &known));
                }
                if self.insists_on_alpn && known.handshake.alpn.is_none() {
                    let _ = timeout_at(deadline, stream.shutdown()).await;
                    let words = "the server agreed on no application protocol".to_owned();
                    return Err(Failure::refused(Cause::AlpnMismatch, words, &known));
                }
                Ok(Dialed::tls(stream, observer, known))
            }
            Ok(Err(error)) => Err(Failure::broken(Phase::Handshake, &Break::of_tls(&error), &known)),
            Err(_) => Err(Failure::timed_out(Phase::Handshake, &known)),
        }
    }

    /// Opens a connection without TLS.
    ///
    /// # Errors
    /// [`Failure`]: the connection was refused, or not accepted until `deadline`.
    pub async fn dial_plain(
        address: SocketAddr,
        deadline: Instant,
        recorder: &Recorder,
    ) -> Result<Dialed, Failure> {
        let tcp = connect(address, deadline).await?;
        let talk = recorder.called(&tcp);
        Ok(Dialed::plain(Tap::quiet(tcp).recorded(talk)))
    }

    async fn find_status(&self, check: RevocationCheck, ssl: &SslRef) -> Result<(), revocation::Refusal> {
        revocation::check(check, ssl, Instant::now() + self.status_patience).await
    }

    fn session(&self) -> Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(&self.context)?;
        if self.revocation.is_some_and(RevocationCheck::wants_staple) {
            ssl.set_status_type(StatusType::OCSP)?;
        }
        // An address cannot be a server name (RFC 6066 3).
        if let Some(name) = self.server_name.as_ref().filter(|name| name.parse::<IpAddr>().is_err()) {
            ssl.set_hostname(name)?;
        }
        if self.verify_name {
            match self.name.parse::<IpAddr>() {
                Ok(address) => ssl.param_mut().set_ip(address)?,
                Err(_) => ssl.param_mut().set_host(&self.name)?,
            }
        }
        Ok(ssl)
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("name", &self.name)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

async fn connect(address: SocketAddr, deadline: Instant) -> Result<TcpStream, Failure> {
    let connected = timeout_at(deadline, TcpStream::connect(address)).await;
    let Ok(connected) = connected else {
        return Err(Failure::timed_out(Phase::Connect, &Circumstances::plain()));
    };
    let tcp = connected.map_err(|error| Failure::not_connected(&error))?;
    // Fails only on a connection that is gone already, which the next step reports better.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

fn context(settings: &DialerSettings) -> Result<SslContext, ErrorStack> {
    let mut context = allow(SslMethod::tls_client(), &settings.versions, settings.identity.as_deref())?;
    if let Some(ciphers) = &settings.ciphers {
        algorithms::set_ciphers(&mut context, ciphers)?;
    }
    if let Some(groups) = &settings.groups {
        algorithms::set_groups(&mut context, groups)?;
    }
    if !settings.trust.is_empty() {
        let lists = match settings.revocation {
            Some(RevocationCheck::CrlFile) => Some(
                settings.lists.iter().map(|list| X509Crl::from_der(list)).collect::<Result<Vec<_>, _>>()?,
            ),
            _ => None,
        };
        trust(&mut context, &settings.trust, lists.as_deref())?;
    } else if settings.verify_chain {
        context.set_default_verify_paths()?;
    }
    match (settings.verify_chain, settings.verify_name) {
        // The name, where it is wanted, is set on each connection.
        (true, _) => context.set_verify(SslVerifyMode::PEER),
        // OpenSSL checks the name as a part of the chain; here nothing else may stop it.
        (false, true) => context.set_verify_callback(SslVerifyMode::PEER, |sound, chain| {
            sound || !is_about_the_name(chain.error().as_raw())
        }),
        (false, false) => context.set_verify(SslVerifyMode::NONE),
    }
    if settings.keeps_sessions {
        session::keep(&mut context);
    }
    if settings.post_handshake_auth {
        ffi::offer_post_handshake_auth(&mut context);
    }
    if !settings.renegotiation {
        context.set_options(SslOptions::NO_RENEGOTIATION);
    }
    if !settings.alpn.is_empty() {
        context.set_alpn_protos(&wire_format(&settings.alpn))?;
    }
    Ok(context.build())
}

/// Each protocol behind its length (RFC 7301 3.1). A protocol that is longer than a length can say is cut, and the
/// server then refuses it.
fn wire_format(protocols: &[String]) -> Vec<u8> {
    let mut list = Vec::new();
    for protocol in protocols {
        let bytes = &protocol.as_bytes()[..protocol.len().min(255)];
        list.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
        list.extend_from_slice(bytes);
    }
    list
}
