//! The story of one connection: what is noted while it lasts, and the ledger entry made of it in the end.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

use tls_gauntlet_scenarios::{
    Alert, BackendSaw, Cause, ClientCertificate, ClientHelloFacts, Ended, Fault, FaultAction, FaultPhase,
    Handling, Phase,
};

use super::{
    cause,
    ledger::Arrival,
    port::Port,
    shown::{Shown, serial, subject},
};
use crate::{
    ffi,
    limits::millis,
    tls::shared_tls::SharedTls,
    wire::{
        caller::Caller,
        client_hello,
        nonce::Nonce,
        observer::{Direction, HandshakeType, Observer},
        tap::{PeerEnd, Traffic},
    },
};

/// A late handshake that the peer has not gone through yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    /// A renegotiation.
    Renegotiation,
    /// A post-handshake authentication.
    Authentication,
}

/// Notes on one connection. Shared by its task, its requests' handlers and their responses.
#[derive(Debug)]
pub(super) struct Story {
    arrival: Arrival,
    traffic: Arc<Traffic>,
    number: u64,
    fault: Option<Fault>,
    tls: OnceLock<Witnesses>,
    hello: OnceLock<Option<ClientHelloFacts>>,
    /// The entry as the first handshake leaves it.
    accepted: OnceLock<BackendSaw>,
    notes: Mutex<Notes>,
}

/// The witnesses of the TLS side.
#[derive(Debug)]
pub(super) struct Witnesses {
    pub(super) tls: SharedTls,
    pub(super) observer: Arc<Observer>,
    pub(super) shown: Option<Arc<Shown>>,
}

#[derive(Debug, Default)]
struct Notes {
    nonce: Option<Nonce>,
    requests: u32,
    /// Heads, bodies and responses that have come to an end.
    steps: usize,
    /// Requests whose head has come and whose response has not been handed over.
    in_flight: u32,
    answering: bool,
    late: Option<Late>,
    late_demanded: bool,
    refusal: Option<(Cause, Phase)>,
}

/// Why this side stops serving a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It has come to its end by itself.
    Over,
    /// The peer did not speak HTTP.
    NotHttp,
    /// The profile's fault ended it.
    Fault,
    /// The peer has gone silent for too long.
    Silence,
    /// The backend is being stopped.
    Told,
}

impl Story {
    pub(super) fn new(traffic: Arc<Traffic>, caller: Caller, (number, fault): (u64, Option<Fault>)) -> Self {
        Self {
            arrival: Arrival { begun: Instant::now(), caller },
            traffic,
            number,
            fault,
            tls: OnceLock::new(),
            hello: OnceLock::new(),
            accepted: OnceLock::new(),
            notes: Mutex::default(),
        }
    }

    /// Which of its backend's connections this is, counted from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// The fault that shows on this connection.
    pub(super) const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// The fault at this phase, if that is where it shows.
    pub(super) fn fault_at(&self, phase: FaultPhase) -> Option<FaultAction> {
        self.fault.filter(|fault| fault.at == phase).map(|fault| fault.does)
    }

    pub(super) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// TLS begins.
    pub(super) fn watch(&self, witnesses: Witnesses) {
        let _ = self.tls.set(witnesses);
    }

    pub(super) fn observer(&self) -> Option<&Observer> {
        self.tls.get().map(|witnesses| &*witnesses.observer)
    }

    /// The first handshake has been completed.
    pub(super) fn accept(&self) {
        let Some(witnesses) = self.tls.get() else { return };
        let accepted = witnesses.tls.with_ssl(|ssl| BackendSaw {
            outcome: Handling::Accepted,
            tls_version: ssl.version_str().parse().ok(),
            cipher: ssl.current_cipher().and_then(|cipher| cipher.standard_name()).map(str::to_owned),
            group: ffi::group_name(ssl).map(str::to_owned),
            alpn: ssl.selected_alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
            resumed: ssl.session_reused(),
            ..BackendSaw::default()
        });
        let _ = self.accepted.set(accepted);
    }

    /// What the first handshake agreed on, once it is over.
    pub(super) fn accepted(&self) -> Option<&BackendSaw> {
        self.accepted.get()
    }

    /// What the ClientHello offered; read once, when it is first asked for.
    pub(super) fn hello(&self) -> Option<&ClientHelloFacts> {
        let observer = self.observer()?;
        if self.hello.get().is_none() {
            // Asked before one has come, the answer must stay open.
            let hello = observer.client_hello()?;
            let _ = self.hello.set(Some(client_hello::facts(&hello)));
        }
        self.hello.get()?.as_ref()
    }

    /// The serial number of the certificate that the client was shown.
    pub(super) fn shown_serial(&self) -> Option<String> {
        let tls = &self.tls.get()?.tls;
        tls.with_ssl(|ssl| ssl.certificate().map(serial))
    }

    /// The chain that the client has shown, leaf first.
    pub(super) fn client_chain(&self) -> Vec<openssl::x509::X509> {
        let shown = self.tls.get().and_then(|witnesses| witnesses.shown.as_ref());
        shown.map(|shown| shown.chain()).unwrap_or_default()
    }

    /// How many bytes came before the first handshake was over.
    pub(super) fn early_data(&self) -> usize {
        self.tls.get().map_or(0, |witnesses| witnesses.tls.early_data())
    }

    /// Renegotiations that were completed. TLS 1.3 has none: post-handshake authentication is no handshake.
    pub(super) fn renegotiations(&self) -> u32 {
        self.observer().map_or(0, |observer| observer.handshakes().saturating_sub(1))
    }

    /// A request's head has come.
    pub(super) fn begin_request(&self, nonce: Option<Nonce>) {
        let mut notes = self.notes();
        notes.in_flight += 1;
        notes.steps += 1;
        notes.answering = false;
        if nonce.is_some() {
            notes.nonce = nonce;
        }
    }

    /// A request's body has come as well.
    pub(super) fn read_request(&self) {
        let mut notes = self.notes();
        notes.requests += 1;
        notes.steps += 1;
    }

    /// Everything that comes before the answer is settled.
    pub(super) fn begin_response(&self) {
        self.notes().answering = true;
    }

    /// A response has been handed over to the connection.
    pub(super) fn end_response(&self) {
        let mut notes = self.notes();
        notes.in_flight = notes.in_flight.saturating_sub(1);
        notes.steps += 1;
    }

    /// How much has come to an end: the handshake, and each head, body and response after it.
    pub(super) fn steps(&self) -> usize {
        let notes = self.notes();
        usize::from(self.accepted().is_some()) + notes.steps
    }

    /// Whether a request has come.
    pub(super) fn has_request(&self) -> bool {
        let notes = self.notes();
        notes.requests > 0 || notes.in_flight > 0
    }

    /// Whether every request was answered, and there was one.
    pub(super) fn is_answered(&self) -> bool {
        let notes = self.notes();
        notes.requests > 0 && notes.in_flight == 0
    }

    /// True once: a connection is asked for its certificate after its first request, not after each.
    pub(super) fn take_late_demand(&self) -> bool {
        !std::mem::replace(&mut self.notes().late_demanded, true)
    }

    pub(super) fn begin_late(&self, late: Late) {
        self.notes().late = Some(late);
    }

    pub(super) fn end_late(&self) {
        self.notes().late = None;
    }

    /// The backend knows why this connection, or a request on it, does not go on. The first reason counts.
    pub(super) fn refuse(&self, cause: Cause, phase: Phase) {
        self.notes().refusal.get_or_insert((cause, phase));
    }

    /// When it came, and whose it is.
    pub(super) const fn arrival(&self) -> Arrival {
        self.arrival
    }

    /// The entry for the ledger, without its ClientHello.
    pub(super) fn conclude(&self, port: &Port, stop: Stop) -> BackendSaw {
        let observer = self.observer();
        let failure = self.tls.get().and_then(|witnesses| witnesses.tls.failure());
        let chain = self.client_chain();
        let notes = self.notes();
        let (phase, ended) = (self.phase(&notes), self.ended(&notes, stop));
        let cause = notes.refusal.map(|(cause, _)| cause).or_else(|| self.cause(port, &notes, stop));
        let fell_short =
            cause.is_some() || !matches!(ended, Ended::Cleanly | Ended::Stopped | Ended::ByFault);
        BackendSaw {
            nonce: notes.nonce.map(|nonce| nonce.to_string()),
            sni: self.hello().and_then(|hello| hello.server_name.clone()),
            client_certificate: chain
                .first()
                .and_then(|leaf| -> Option<ClientCertificate> { port.known().name(leaf) }),
            client_chain: chain.iter().map(|one| subject(one)).collect(),
            alert_sent: observer.and_then(Observer::alert_sent),
            alert_received: observer.and_then(Observer::alert_received),
            renegotiations: self.renegotiations(),
            requests: notes.requests,
            phase,
            ended,
            cause,
            error: failure.filter(|failure| fell_short && !failure.is_pause).map(|failure| failure.text),
            duration_ms: millis(self.arrival.begun.elapsed()),
            ..self.accepted().cloned().unwrap_or_default()
        }
    }

    fn phase(&self, notes: &Notes) -> Phase {
        match notes.refusal {
            Some((_, phase)) => phase,
            None if self.accepted().is_none() => Phase::Handshake,
            None if notes.in_flight > 0 && notes.answering => Phase::Response,
            None if notes.in_flight > 0 || notes.requests == 0 => Phase::Request,
            None => Phase::Close,
        }
    }

    fn ended(&self, notes: &Notes, stop: Stop) -> Ended {
        let is_idle = notes.requests > 0 && notes.in_flight == 0;
        match stop {
            Stop::Told => return Ended::Stopped,
            Stop::Fault => return Ended::ByFault,
            // An idle connection that is no longer used is closed, as every server does.
            Stop::Silence => return if is_idle { Ended::Cleanly } else { Ended::TimedOut },
            Stop::NotHttp => return Ended::NotUnderstood,
            Stop::Over => {}
        }
        let alerts = self.observer().map(|observer| (observer.alert_received(), observer.alert_sent()));
        match (alerts, self.traffic.peer_end()) {
            _ if !self.traffic.begins_as_tls() => Ended::NotUnderstood,
            (Some((Some(_), _)), _) => Ended::AlertReceived,
            (Some((_, Some(_))), _) => Ended::AlertSent,
            (_, Some(PeerEnd::Reset)) => Ended::ResetByPeer,
            _ if is_idle => Ended::Cleanly,
            _ => Ended::ClosedByPeer,
        }
    }

    fn cause(&self, port: &Port, notes: &Notes, stop: Stop) -> Option<Cause> {
        let witnesses = self.tls.get()?;
        if stop == Stop::Told {
            return None;
        }
        if let Some(late) = notes.late
            && self.is_unanswered(late, &witnesses.observer)
        {
            return Some(match late {
                Late::Renegotiation => Cause::RenegotiationRefused,
                Late::Authentication => Cause::PostHandshakeAuthRefused,
            });
        }
        // BoringSSL says so to any certificate but the first (SERVER_CERT_CHANGED).
        if notes.late == Some(Late::Renegotiation)
            && port.profile().renegotiates_as.is_some()
            && witnesses.observer.alert_received() == Some(Alert::IllegalParameter)
        {
            return Some(Cause::ServerCertChanged);
        }
        if !self.traffic.begins_as_tls() {
            return Some(Cause::NotTls);
        }
        if stop == Stop::Silence && self.ended(notes, stop) == Ended::TimedOut {
            return Some(Cause::Timeout);
        }
        let has_name = self.hello().is_some_and(|hello| hello.server_name.is_some());
        cause::own(&cause::Signs {
            alert_received: witnesses.observer.alert_received(),
            alert_sent: witnesses.observer.alert_sent(),
            failure: &witnesses.tls.failure()?,
            verdict: witnesses.tls.with_ssl(|ssl| ssl.verify_result()),
            has_name,
        })
    }

    /// Whether the peer has not so much as begun to do what it was asked for.
    fn is_unanswered(&self, late: Late, observer: &Observer) -> bool {
        match late {
            Late::Renegotiation => observer.later_client_hellos() <= self.renegotiations(),

            Late::Authentication => !observer.has(Direction::Received, HandshakeType::CERTIFICATE),
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
