//! A port: one backend, and what its connections share.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use openssl::ssl::SslContext;
use tls_gauntlet_scenarios::{BackendProfile, Composed, Fault, FaultAction, FaultPhase};
use tokio::net::TcpStream;

use super::{
    context::{Settings, stops_at_client_hello},
    ledger::Ledger,
    shown::Known,
    status::Status,
};
use crate::{
    limits::Limits,
    wire::{
        caller::{Caller, Callers},
        recorder::Recorder,
        tap::{Early, Tap},
    },
};

/// What all connections of one backend share.
#[derive(Debug)]
pub(super) struct Port {
    composed: Composed,
    contexts: Contexts,
    /// The contexts with the next certificate, if there is one.
    renewed: Option<Contexts>,
    status: Option<Status>,
    known: Arc<Known>,
    limits: Limits,
    ledger: Arc<Ledger>,
    recorder: Recorder,
    /// Who is meant to call; anybody as long as nobody says.
    callers: OnceLock<Callers>,
    connections: AtomicU64,
    /// What the next connections meet, whatever the profile says.
    script: Mutex<VecDeque<Option<Fault>>>,
    /// The context that it was given while it runs, in place of its profile's.
    given: Mutex<Option<SslContext>>,
}

/// The TLS contexts of one backend.
#[derive(Debug)]
pub(super) struct Contexts {
    /// The settings they were made of.
    pub(super) settings: Settings,
    /// For connections on which the profile's fault shows, or may.
    pub(super) faulty: SslContext,
    /// For connections on which it does not.
    pub(super) sound: SslContext,
    /// For connections that a script ends at the ClientHello.
    pub(super) stopping: OnceLock<SslContext>,
}

impl Port {
    pub(super) fn new(
        composed: Composed,
        (contexts, renewed): (Contexts, Option<Contexts>),
        status: Option<Status>,
        known: Arc<Known>,
        limits: Limits,
        ledger: Arc<Ledger>,
    ) -> Self {
        let (connections, script, given) = (AtomicU64::new(0), Mutex::default(), Mutex::default());
        let (recorder, callers) = (Recorder::default(), OnceLock::new());
        Self {
            composed,
            contexts,
            renewed,
            status,
            known,
            limits,
            ledger,
            recorder,
            callers,
            connections,
            script,
            given,
        }
    }

    /// This port, with its connections recorded.
    pub(super) fn recorded_by(self, recorder: &Recorder) -> Self {
        Self { recorder: recorder.clone(), ..self }
    }

    /// Who is meant to call.
    pub(super) fn callers(&self) -> &Callers {
        self.callers.get_or_init(Callers::default)
    }

    /// From now on these are meant to call, unless it has been called or told before.
    pub(super) fn expect(&self, callers: Callers) {
        let _ = self.callers.set(callers);
    }

    pub(super) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// A connection that has come in, recorded if it is to be.
    pub(super) fn tap(&self, stream: TcpStream, early: Early) -> Tap {
        let talk = self.recorder.answered(&stream, self.name());
        Tap::resume(stream, early).recorded(talk)
    }

    pub(super) fn name(&self) -> &str {
        &self.composed.name
    }

    pub(super) fn composed(&self) -> &Composed {
        &self.composed
    }

    pub(super) fn profile(&self) -> &BackendProfile {
        &self.composed.profile
    }

    /// What its contexts were made of.
    pub(super) fn settings(&self) -> &Settings {
        &self.contexts.settings
    }

    /// Where the status of its certificate is to be had, if that says so.
    pub(super) fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    /// Whether it lets connections in at all.
    pub(super) fn listens(&self) -> bool {
        self.profile().fault_at(FaultPhase::Accept) != Some(FaultAction::RefuseConnection)
    }

    /// The number of the connection that comes now, counted from 1, and its fault, if any. Connections that follow a script
    /// are not counted, nor are strangers: what they meet is taken from nobody.
    pub(super) fn next(&self, caller: Caller) -> (u64, Option<Fault>) {
        if caller == Caller::Stranger {
            let number = self.connections.load(Ordering::Relaxed) + 1;
            return (number, self.profile().fault_of(number));
        }
        if let Some(scripted) = self.script().pop_front() {
            return (self.connections.load(Ordering::Relaxed) + 1, scripted);
        }
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        (number, self.profile().fault_of(number))
    }

    /// The context of the nth connection, which has this fault.
    pub(super) fn context(&self, number: u64, fault: Option<Fault>) -> SslContext {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner).clone();
        given.unwrap_or_else(|| self.own_context(number, fault).clone())
    }

    /// From the next connection on, this one counts.
    pub(super) fn give(&self, context: SslContext) {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = Some(context);
    }

    fn own_context(&self, number: u64, fault: Option<Fault>) -> &SslContext {
        let contexts = match (&self.renewed, self.profile().renewal) {
            (Some(renewed), Some(renewal)) if number > renewal.after => renewed,
            _ => &self.contexts,
        };
        let (Contexts { faulty, sound, .. }, stopping) = (contexts, &self.contexts.stopping);
        match fault {
            None => sound,
            Some(_) if fault == self.profile().fault => faulty,
            Some(scripted) if stops_at_client_hello(scripted) => stopping.get().unwrap_or(faulty),
            Some(_) => sound,
        }
    }

    /// The context with the certificate that it renegotiates with, if that is another one.
    pub(super) fn context_for_renegotiation(&self) -> Option<&SslContext> {
        self.profile().renegotiates_as.and(self.renewed.as_ref()).map(|renewed| &renewed.sound)
    }

    /// What the next connections meet.
    pub(super) fn script(&self) -> MutexGuard<'_, VecDeque<Option<Fault>>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The context for connections that a script ends at the ClientHello, made when it is needed.
    pub(super) fn stopping(&self) -> &OnceLock<SslContext> {
        &self.contexts.stopping
    }

    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}
