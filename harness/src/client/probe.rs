//! A client with one TLS behaviour, that calls once and says what it saw.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, header};
use openssl::x509::X509;
use tls_gauntlet_certs::{CrlKind, Identity, Pki};
use tls_gauntlet_scenarios::{
    ClientCertificate, ClientProfile, ClientSaw, Phase, Responder, RevocationCheck, ServerNameSent,
    UpstreamProfile, Versions,
};
use tokio::time::Instant;

use super::{
    call::{Answer, Dialed},
    dialer::{Dialer, DialerSettings},
    failure::Failure,
    session::KeptSession,
};
use crate::{
    limits::Limits,
    tls::CannotSetUp,
    wire::{nonce::Nonce, recorder::Recorder},
};

/// The header that only backends send.
const BACKEND: &str = "x-gauntlet-backend";
/// A server name that no gateway knows.
const UNKNOWN_NAME: &str = "unknown.gauntlet.test";

/// A client with one behaviour. Every call is a connection of its own; many may be under way at the same time.
#[derive(Debug, Clone)]
pub struct Probe {
    /// None for a client that speaks HTTP without TLS.
    dialer: Option<Dialer>,
    limits: Limits,
    recorder: Recorder,
}

/// The address, path and nonce of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where to connect to.
    pub address: SocketAddr,
    /// The host to ask for in HTTP.
    pub host: String,
    /// The path.
    pub path: String,
    /// The mark by which the evidence of the three witnesses is joined.
    pub nonce: String,
}

/// The preparation of a client's call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// Another call, on the same connection.
    Connection(Target),
    /// Another call, whose session is then offered to be resumed.
    Session(Target),
}

/// The trust of a client in the gateway that it calls.
#[derive(Debug, Clone)]
pub struct ClientTrust {
    /// The root of the gateway's certificate; nothing is verified without one.
    pub root: Option<X509>,
    /// The name in the gateway's certificate.
    pub name: String,
}

impl Probe {
    /// A client that opens its connections like this.
    ///
    /// # Errors
    /// [`CannotSetUp`] if OpenSSL does not take the settings.
    pub fn new(settings: &DialerSettings, limits: Limits) -> Result<Self, CannotSetUp> {
        Ok(Self { dialer: Some(Dialer::new(settings)?), limits, recorder: Recorder::default() })
    }

    /// A client without a flaw, towards a server of this name whose certificate is of this PKI: current versions,
    /// chain and name verified, no certificate of its own.
    ///
    /// # Errors
    /// [`CannotSetUp`] if OpenSSL does not take the settings.
    pub fn sound(name: &str, pki: &Pki) -> Result<Self, CannotSetUp> {
        Self::new(&DialerSettings::sound(name, pki), Limits::default())
    }

    /// A client that speaks HTTP without TLS.
    #[must_use]
    pub fn plaintext(limits: Limits) -> Self {
        Self { dialer: None, limits, recorder: Recorder::default() }
    }

    /// This client with its connections recorded.
    #[must_use]
    pub fn recorded_by(self, recorder: &Recorder) -> Self {
        let dialer = self.dialer.map(|dialer| dialer.recorded_by(recorder));
        Self { dialer, recorder: recorder.clone(), ..self }
    }

    /// The client of a profile, towards a gateway.
    ///
    /// # Errors
    /// [`CannotSetUp`] if its certificate cannot be made, or OpenSSL does not take the settings.
    pub fn for_client(
        profile: &ClientProfile,
        trust: &ClientTrust,
        pki: &Pki,
        limits: Limits,
    ) -> Result<Self, CannotSetUp> {
        if profile.plaintext {
            return Ok(Self::plaintext(limits));
        }
        let settings = DialerSettings {
            versions: profile.versions.clone(),
            ciphers: profile.ciphers.clone(),
            groups: profile.groups.clone(),
            trust: trust.root.iter().cloned().collect(),
            verify_chain: trust.root.is_some(),
            verify_name: trust.root.is_some(),
            revocation: None,
            lists: Vec::new(),
            status_patience: Limits::default().status,
            name: trust.name.clone(),
            server_name: match profile.server_name {
                ServerNameSent::Right => Some(trust.name.clone()),
                ServerNameSent::Wrong => Some(UNKNOWN_NAME.to_owned()),
                ServerNameSent::None => None,
            },
            identity: profile.client_certificate.map(|word| identity(word, pki)).transpose()?,
            post_handshake_auth: true,
            renegotiation: profile.follows_renegotiation,
            keeps_sessions: profile.session_from.is_some(),
            alpn: profile.protocols.clone(),
            insists_on_alpn: profile.insists_on_protocol(),
        };
        Self::new(&settings, limits)
    }

    /// Our own client, set up as this upstream is, towards a backend of this name: the column `direct`.
    ///
    /// # Errors
    /// [`CannotSetUp`] if its certificate cannot be made, or OpenSSL does not take the settings.
    pub fn for_upstream(
        profile: &UpstreamProfile,
        name: &str,
        pki: &Pki,
        limits: Limits,
    ) -> Result<Self, CannotSetUp> {
        let settings = DialerSettings::for_upstream(profile, name, pki)?;
        Self::new(&DialerSettings { status_patience: limits.status, ..settings }, limits)
    }

    /// Opens a connection, sends one request, reads the response to the end of its body, closes the connection.
    pub async fn get(&self, target: &Target) -> ClientSaw {
        self.get_after(&Before::Nothing, target).await
    }

    /// As [`get`](Self::get), with something before it. What became of that, only the call itself shows.
    pub async fn get_after(&self, before: &Before, target: &Target) -> ClientSaw {
        let deadline = Instant::now() + self.limits.call;
        let saw = match self.call(before, target, deadline).await {
            Ok(answer) => saw(answer, &target.nonce),
            Err(failure) => failure.into_client_saw(),
        };
        ClientSaw { plaintext: self.dialer.is_none(), ..saw }
    }

    async fn call(&self, before: &Before, target: &Target, deadline: Instant) -> Result<Answer, Failure> {
        let kept = KeptSession::default();
        let request = target.request()?;
        let first = match before {
            Before::Nothing => None,
            Before::Connection(first) => Some(first.request()?),
            Before::Session(first) => {
                // Without a session the call is one like others.
                if let Ok(opened) = self.open(&kept, first.address, deadline).await {
                    let _ = opened.call(first.request()?, deadline).await;
                }
                None
            }
        };
        let is_kept = AtomicBool::new(true);
        let opened = self.open(&kept, target.address, deadline).await?;
        let answer = opened.call_after(first, request.clone(), deadline, &is_kept).await;
        if is_kept.into_inner() {
            return answer;
        }
        self.open(&kept, target.address, deadline).await?.call(request, deadline).await
    }

    async fn open(
        &self,
        kept: &KeptSession,
        address: SocketAddr,
        deadline: Instant,
    ) -> Result<Dialed, Failure> {
        match &self.dialer {
            Some(dialer) => dialer.dial_with(kept, address, deadline).await,
            None => Dialer::dial_plain(address, deadline, &self.recorder).await,
        }
    }
}

impl ClientTrust {
    /// Trust in a gateway whose certificate is ours.
    #[must_use]
    pub fn ours(pki: &Pki, name: &str) -> Self {
        Self { root: Some(pki.server_root().clone()), name: name.to_owned() }
    }
}

impl DialerSettings {
    /// The settings of an upstream, towards a backend of this name, with everything offered that a server may ask
    /// for after the handshake.
    ///
    /// # Errors
    /// [`CannotSetUp`] if the client certificate cannot be made.
    pub fn for_upstream(profile: &UpstreamProfile, name: &str, pki: &Pki) -> Result<Self, CannotSetUp> {
        Ok(Self {
            versions: profile.versions.clone(),
            ciphers: profile.ciphers.clone(),
            groups: profile.groups.clone(),
            trust: vec![pki.server_root().clone()],
            verify_chain: profile.verify_chain,
            verify_name: profile.verify_name,
            revocation: profile.revocation.filter(|_| profile.verify_chain),
            lists: lists(profile.revocation, pki)?,
            status_patience: Limits::default().status,
            name: name.to_owned(),
            server_name: profile.send_server_name.then(|| name.to_owned()),
            identity: profile.client_certificate.map(|word| identity(word, pki)).transpose()?,
            post_handshake_auth: true,
            renegotiation: profile.renegotiation,
            keeps_sessions: false,
            alpn: profile.protocols.clone(),
            insists_on_alpn: false,
        })
    }

    /// Sound settings towards a server of this name: current versions, chain and name verified, no certificate.
    #[must_use]
    pub fn sound(name: &str, pki: &Pki) -> Self {
        Self {
            versions: Versions::current(),
            ciphers: None,
            groups: None,
            trust: vec![pki.server_root().clone()],
            verify_chain: true,
            verify_name: true,
            revocation: None,
            lists: Vec::new(),
            status_patience: Limits::default().status,
            name: name.to_owned(),
            server_name: Some(name.to_owned()),
            identity: None,
            post_handshake_auth: true,
            renegotiation: true,
            keeps_sessions: false,
            alpn: Vec::new(),
            insists_on_alpn: false,
        }
    }
}

impl Target {
    /// The root of whatever listens there. The nonce is one and the same: give each call its own where several are
    /// to be told apart.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self { address, host: address.to_string(), path: "/".to_owned(), nonce: Nonce(0).to_string() }
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, Failure> {
        Request::get(&self.path)
            .header(header::HOST, &self.host)
            .header(Nonce::HEADER, &self.nonce)
            .body(Full::default())
            .map_err(|error| Failure::not_sent(error.to_string()))
    }
}

/// The lists of every authority of a sound chain, with what was issued so far to be revoked.
fn lists(check: Option<RevocationCheck>, pki: &Pki) -> Result<Vec<Vec<u8>>, CannotSetUp> {
    if check != Some(RevocationCheck::CrlFile) {
        return Ok(Vec::new());
    }
    pki.crls(CrlKind::Revoked).map_err(CannotSetUp::because("the revocation lists"))
}

fn identity(word: ClientCertificate, pki: &Pki) -> Result<Arc<Identity>, CannotSetUp> {
    pki.client(word).map_err(CannotSetUp::because("the client certificate"))
}

/// What was seen of a call that was answered.
pub(crate) fn saw(answer: Answer, nonce: &str) -> ClientSaw {
    let responder = responder(&answer, nonce);
    let (status, complete, resumed) = (answer.head.status.as_u16(), answer.cut.is_none(), answer.resumed);
    let seen = match answer.cut {
        Some(cut) => cut.into_client_saw(),
        // What is said after a whole answer changes nothing of it.
        None => ClientSaw {
            alert: None,
            alert_sent: None,
            phase: Phase::Close,
            ..answer.handshake.into_client_saw()
        },
    };
    ClientSaw { status: Some(status), answered_by: Some(responder), complete, resumed, ..seen }
}

/// A backend is known by its header and by the nonce it echoes; a body that was cut cannot be asked for the nonce.
fn responder(answer: &Answer, nonce: &str) -> Responder {
    let echoes = || {
        serde_json::from_slice::<serde_json::Value>(&answer.body)
            .is_ok_and(|body| body.get("nonce").and_then(serde_json::Value::as_str) == Some(nonce))
    };
    if answer.head.headers.contains_key(BACKEND) && (answer.cut.is_some() || echoes()) {
        Responder::Backend
    } else {
        Responder::Gateway
    }
}
