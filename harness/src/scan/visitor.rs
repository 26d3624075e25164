//! Whole calls with OpenSSL, for the facts that a server shows only under encryption or after the handshake.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use openssl::{
    error::ErrorStack,
    ssl::{
        NameType, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode,
        SslVerifyMode,
    },
    x509::{X509, X509VerifyResult, store::X509StoreBuilder},
};
use tls_gauntlet_scenarios::{Cause, DemandTime, Phase, TlsVersion};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_openssl::SslStream;

use super::{chain, line::Line};
use crate::{
    client::{Break, Circumstances, Failure},
    ffi::{self, Resumable},
    tls::{
        CannotSetUp,
        context::{in_openssl, limit_versions, trust},
        old_ciphers,
        reason::Role,
    },
    wire::observer::{self, Direction, HandshakeType, Observer},
};

/// The authorities that a scan trusts.
#[derive(Debug, Clone, Default)]
pub enum Roots {
    /// The authorities that the operating system trusts.
    #[default]
    System,
    /// These.
    Own(Vec<X509>),
}

/// Calls servers and refuses none: it accepts every version, every cipher suite and every certificate, and notes the
/// flaws of the certificate.
pub(super) struct Visitor {
    context: SslContext,
    /// A context without tickets, for servers that keep sessions themselves.
    without_tickets: SslContext,
}

/// The settings of a call.
#[derive(Clone, Copy)]
pub(super) struct Errand<'a> {
    pub(super) version: TlsVersion,
    /// The server name.
    pub(super) server_name: Option<&'a str>,
    /// The host for which the certificate is checked.
    pub(super) host: &'a str,
    /// The one cipher suite, in OpenSSL's spelling.
    pub(super) cipher: Option<&'a str>,
    /// The one application protocol.
    pub(super) alpn: Option<&'a str>,
    /// The signature algorithms, in OpenSSL's spelling.
    pub(super) signature_algorithms: Option<&'a str>,
    pub(super) session: Option<&'a Resumable>,
    pub(super) tickets: bool,
    pub(super) then: Then<'a>,
}

/// The step after the handshake.
#[derive(Debug, Clone, Copy)]
pub(super) enum Then<'a> {
    Nothing,
    Get(&'a str),
    Renegotiate,
}

/// The outcome of a call.
pub(super) struct Visit {
    pub(super) failure: Option<Failure>,
    pub(super) status: Option<u16>,
    pub(super) chain: Vec<X509>,
    /// The flaws of the chain, each with the depth of its certificate.
    pub(super) problems: Vec<(X509VerifyResult, u32)>,
    pub(super) asked: Option<DemandTime>,
    pub(super) authorities: Vec<String>,
    pub(super) alpn: Option<String>,
    /// The scheme with which the server signed in TLS 1.3.
    pub(super) signature: Option<u16>,
    pub(super) session: Option<Resumable>,
    pub(super) has_ticket: bool,
    pub(super) is_resumed: bool,
    pub(super) handshakes: u32,
}

impl Visitor {
    pub(super) fn new(roots: &Roots) -> Result<Self, CannotSetUp> {
        let because = || CannotSetUp::because("the scan");
        let context = context(roots).map_err(because())?.build();
        let mut without_tickets = context_without_roots().map_err(because())?;
        without_tickets.set_options(SslOptions::NO_TICKET);
        Ok(Self { context, without_tickets: without_tickets.build() })
    }

    /// Calls once.
    pub(super) async fn visit(&self, line: &Line, errand: &Errand<'_>) -> Visit {
        let tcp = match line.connect().await {
            Ok(tcp) => tcp,
            Err(none) => {
                let error = io::Error::from(io::ErrorKind::NotConnected);
                let failure = Failure { cause: none.cause, ..Failure::not_connected(&error) };
                return Visit::failed(failure);
            }
        };
        let deadline = Instant::now() + line.limits.scan_step;
        let (mut call, observer, problems) = match self.prepare(tcp, errand) {
            Ok(ready) => ready,
            Err(error) => {
                let by = Break::Other(format!("cannot set up the connection: {error}"));
                return Visit::failed(Failure::broken(Phase::Handshake, &by, &Circumstances::plain()));
            }
        };
        let mut status = None;
        let failure = carry_out(&mut call, &observer, errand.then, deadline, &mut status).await.err();
        if failure.is_none() {
            // Without it OpenSSL takes the session for a bad one (SSL_free(3)); the peer need not receive it.
            let _ = timeout_at(deadline, call.shutdown()).await;
        }
        let ssl = call.ssl();
        let problems = problems.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Visit {
            failure,
            status,
            chain: ssl
                .peer_cert_chain()
                .map(|chain| chain.iter().map(ToOwned::to_owned).collect())
                .unwrap_or_default(),
            problems,
            asked: when_asked(&observer),
            authorities: ffi::peer_authorities(ssl).iter().map(|name| chain::name(name)).collect(),
            alpn: ssl.selected_alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
            signature: observer.signature_received(),
            session: Resumable::of(ssl),
            has_ticket: observer.has(Direction::Received, HandshakeType::NEW_SESSION_TICKET),
            is_resumed: ssl.session_reused(),
            handshakes: observer.handshakes(),
        }
    }

    #[allow(clippy::type_complexity, reason = "three things that are taken apart at once")]
    fn prepare(
        &self,
        tcp: TcpStream,
        errand: &Errand<'_>,
    ) -> Result<(SslStream<TcpStream>, Arc<Observer>, Arc<Mutex<Vec<(X509VerifyResult, u32)>>>), ErrorStack>
    {
        let mut ssl = Ssl::new(if errand.tickets { &self.context } else { &self.without_tickets })?;
        let (version, _) = in_openssl(errand.version);
        ssl.set_min_proto_version(Some(version))?;
        ssl.set_max_proto_version(Some(version))?;
        if let Some(name) = errand.server_name {
            ssl.set_hostname(name)?;
        }
        match errand.host.parse::<IpAddr>() {
            Ok(address) => ssl.param_mut().set_ip(address)?,
            Err(_) => ssl.param_mut().set_host(errand.host)?,
        }
        if let Some(cipher) = errand.cipher {
            ssl.set_cipher_list(&format!("{cipher}:@SECLEVEL=0"))?;
        }
        if let Some(protocol) = errand.alpn {
            let length = u8::try_from(protocol.len()).unwrap_or(u8::MAX);
            ssl.set_alpn_protos(&[&[length], protocol.as_bytes()].concat())?;
        }
        if let Some(algorithms) = errand.signature_algorithms {
            ffi::set_signature_algorithms(&mut ssl, algorithms)?;
        }
        if let Some(session) = errand.session {
            session.offer(&mut ssl)?;
        }
        let problems = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&problems);
        ssl.set_verify_callback(SslVerifyMode::PEER, move |is_sound, chain| {
            if !is_sound {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let problem = (chain.error(), chain.error_depth());
                if !kept.contains(&problem) {
                    kept.push(problem);
                }
            }
            true
        });
        let observer = observer::attach(&mut ssl);
        debug_assert!(errand.server_name.is_none() || ssl.servername(NameType::HOST_NAME).is_some());
        Ok((SslStream::new(ssl, tcp)?, observer, problems))
    }
}

impl Visit {
    /// Whether the server went silent, as it would on the next call like this.
    pub(super) fn is_silent(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.cause == Cause::Timeout)
    }

    fn failed(failure: Failure) -> Self {
        Self {
            failure: Some(failure),
            status: None,
            chain: Vec::new(),
            problems: Vec::new(),
            asked: None,
            authorities: Vec::new(),
            alpn: None,
            signature: None,
            session: None,
            has_ticket: false,
            is_resumed: false,
            handshakes: 0,
        }
    }
}

/// The handshake and the step after it.
async fn carry_out(
    call: &mut SslStream<TcpStream>,
    observer: &Observer,
    then: Then<'_>,
    deadline: Instant,
    status: &mut Option<u16>,
) -> Result<(), Failure> {
    let now = |call: &SslStream<TcpStream>| Circumstances::of(Role::Client, call, observer);
    let named = call.ssl().servername(NameType::HOST_NAME).is_some();
    let known = |call: &SslStream<TcpStream>| Circumstances { sends_server_name: named, ..now(call) };
    match timeout_at(deadline, Pin::new(&mut *call).connect()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            return Err(Failure::broken(Phase::Handshake, &Break::of_tls(&error), &known(call)));
        }
        Err(_) => return Err(Failure::timed_out(Phase::Handshake, &known(call))),
    }
    match then {
        Then::Nothing => Ok(()),
        Then::Renegotiate => {
            let failed = |by: &Break, call: &_| Err(Failure::broken(Phase::Request, by, &known(call)));
            if let Err(error) = ffi::renegotiate(call) {
                return failed(&Break::Other(error.to_string()), call);
            }
            match timeout_at(deadline, Pin::new(&mut *call).do_handshake()).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => failed(&Break::of_tls(&error), call),
                Err(_) => Err(Failure::timed_out(Phase::Request, &known(call))),
            }
        }
        Then::Get(request) => match timeout_at(deadline, exchange(call, request, status)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                let phase = if status.is_some() { Phase::Response } else { Phase::Request };
                Err(Failure::broken(phase, &Break::of_io(&error), &known(call)))
            }
            Err(_) => Err(Failure::timed_out(Phase::Response, &known(call))),
        },
    }
}

/// The most that is read of an answer.
const MOST_OF_AN_ANSWER: usize = 1 << 16;

/// Sends a request and reads the answer, or its first part if it is long; no status if it is not HTTP/1.
async fn exchange(
    call: &mut SslStream<TcpStream>,
    request: &str,
    status: &mut Option<u16>,
) -> io::Result<()> {
    call.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    while answer.len() < MOST_OF_AN_ANSWER {
        match call.read_buf(&mut answer).await {
            Ok(0) if answer.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            // An answer without a length ends with the connection.
            Ok(0) if length_of_body(&answer).is_none() => return Ok(()),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
        if answer.len() >= STATUS.len() {
            let line = String::from_utf8_lossy(&answer[..STATUS.len()]);
            *status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..)?.parse().ok());
            if status.is_none() || is_whole(&answer) {
                return Ok(());
            }
        }
    }
    Ok(())
}

const STATUS: &str = "HTTP/1.1 200";

fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = end_of_head(answer) else { return false };
    match length_of_body(answer) {
        Some(length) => answer.len() - head >= length,
        // The last chunk, without trailers.
        None => answer.ends_with(b"\r\n0\r\n\r\n"),
    }
}

fn end_of_head(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|window| window == b"\r\n\r\n").map(|place| place + 4)
}

fn length_of_body(answer: &[u8]) -> Option<usize> {
    let head = String::from_utf8_lossy(&answer[..end_of_head(answer)?]).to_lowercase();
    head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
}

/// A demand that comes after the server's first Finished came late.
fn when_asked(observer: &Observer) -> Option<DemandTime> {
    let messages = observer.messages();
    let place = |kind| {
        messages.iter().position(|message| message.direction == Direction::Received && message.kind == kind)
    };
    let asked = place(HandshakeType::CERTIFICATE_REQUEST)?;
    let is_late = place(HandshakeType::FINISHED).is_some_and(|finished| finished < asked);
    Some(if is_late { DemandTime::AfterRequest } else { DemandTime::Handshake })
}

fn context(roots: &Roots) -> Result<SslContextBuilder, ErrorStack> {
    let mut context = context_without_roots()?;
    match roots {
        Roots::System => {
            let mut store = X509StoreBuilder::new()?;
            store.set_default_paths()?;
            context.set_cert_store(store.build());
        }
        Roots::Own(roots) => trust(&mut context, roots, None)?,
    }
    Ok(context)
}

fn context_without_roots() -> Result<SslContextBuilder, ErrorStack> {
    old_ciphers::load()?;
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    context.set_security_level(0);
    context.set_cipher_list("ALL:COMPLEMENTOFALL:@SECLEVEL=0")?;
    // A single key share, of the cheapest group; the others on demand.
    context.set_groups_list(GROUPS)?;
    limit_versions(&mut context, TlsVersion::ALL.iter().copied())?;
    context.set_options(SslOptions::ALLOW_UNSAFE_LEGACY_RENEGOTIATION | LEGACY_SERVER_CONNECT);
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    ffi::offer_post_handshake_auth(&mut context);
    observer::install(&mut context);
    Ok(context)
}

/// Every group of OpenSSL (`SSL_CTX_set1_groups_list(3)`; `*` marks those with a key share).
const GROUPS: &str = "*X25519:P-256:P-384:P-521:X448:X25519MLKEM768:SecP256r1MLKEM768:SecP384r1MLKEM1024:\
                      ?brainpoolP256r1tls13:?brainpoolP384r1tls13:?brainpoolP512r1tls13:\
                      ffdhe2048:ffdhe3072:ffdhe4096:ffdhe6144:ffdhe8192:\
                      ?secp256k1:?brainpoolP256r1:?brainpoolP384r1:?brainpoolP512r1";

/// Goes on with servers that have never heard of RFC 5746.
const LEGACY_SERVER_CONNECT: SslOptions =
    SslOptions::from_bits_retain(openssl_sys::SSL_OP_LEGACY_SERVER_CONNECT);
