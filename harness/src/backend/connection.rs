//! The life of one connection, from the accepted socket to its entry in the ledger.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use openssl::ssl::Ssl;
use tls_gauntlet_scenarios::{
    Alert, ApplicationProtocols, Cause, EarlyData, Fault, FaultAction, FaultPhase, Phase, Records,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
    task::yield_now,
    time::timeout,
};

use super::{
    cue::Cue,
    door::{Door, Stage},
    exchange::{Exchange, GARBAGE},
    executor::Executor,
    port::Port,
    shown,
    story::{Stop, Story, Witnesses},
    tickets::{self, Keys},
};
use crate::{
    limits::Limits,
    tls::shared_tls::SharedTls,
    wire::{
        gate::{Gate, LastMessage},
        observer::{self, Observer},
        tap::{Early, Tap},
    },
};

/// Lets connections in until told to close, then waits for those that are in.
pub(super) async fn serve_port(port: Arc<Port>, door: Door, stages: watch::Receiver<Stage>) {
    let serve = |stream| serve(port.tap(stream, Early::default()), Arc::clone(&port), stages.clone());
    door.let_in(port.ledger(), stages.clone(), serve).await;
}

/// Serves a connection. Leaves one entry in the ledger, however it ends.
pub(super) async fn serve(tap: Tap, port: Arc<Port>, mut stages: watch::Receiver<Stage>) {
    let caller = tap.caller(port.callers());
    let story = Arc::new(Story::new(tap.traffic(), caller, port.next(caller)));
    let patience = port.limits().peer;
    let mut told = pin!(stages.wait_for(|stage| *stage == Stage::Stopped));
    let mut remains = None;
    let stop = tokio::select! {
        stop = while_alive(port.limits(), &story, live(tap, &port, &story, &mut remains)) => {
            stop.unwrap_or(Stop::Silence)
        }
        // The wait also ends when the sender is gone: the backend has been dropped.
        _ = told.as_mut() => Stop::Told,
    };
    let hello = story.observer().and_then(Observer::client_hello);
    let saw = story.conclude(&port, stop);
    port.ledger().write(story.arrival(), saw, hello.as_deref(), story.client_chain());
    drop(story);
    // The entry is written; what follows is courtesy towards the peer.
    let Some(tls) = remains else { return };
    tls.shut().await;
    if stop != Stop::Told {
        // A socket that is closed with bytes unread sends RST, and that could overtake our last words.
        tokio::select! {
            _ = timeout(patience, tls.drain()) => {}
            _ = told => {}
        }
    }
}

/// Everything up to the point where this side has no more to do; `remains` is what has to be closed after that.
async fn live(mut tap: Tap, port: &Arc<Port>, story: &Arc<Story>, remains: &mut Option<SharedTls>) -> Stop {
    if let Some(action) = story.fault_at(FaultPhase::Accept) {
        return instead_of_tls(action, tap, story).await;
    }
    if story.fault_at(FaultPhase::ClientHello) == Some(FaultAction::RefuseSplit) && comes_split(&tap).await {
        story.refuse(Cause::Reset, Phase::Handshake);
        // A socket that is dead already needs no reset.
        let _ = tap.reset_on_drop();
        return Stop::Fault;
    }
    let Ok(tls) = start(tap, port, story) else { return Stop::Over };
    *remains = Some(tls.clone());
    let takes_early = port.profile().early_data == Some(EarlyData::Accepted);
    let accepted = if takes_early { tls.accept_early().await } else { tls.accept().await };
    if let Err(failure) = accepted {
        let is_shut = tls.change_tap(Tap::take_gate);
        return match story.fault() {
            Some(fault) if is_shut => instead_of_a_handshake(fault.does, &tls, story, remains).await,
            Some(fault) if failure.is_pause && fault.at == FaultPhase::ClientHello => {
                instead_of_a_handshake(fault.does, &tls, story, remains).await
            }
            // The only other pause is that of a backend that requires a server name.
            _ if failure.is_pause => {
                let has_name = story.hello().is_some_and(|hello| hello.server_name.is_some());
                let cause = if has_name { Cause::SniUnknown } else { Cause::SniMissing };
                story.refuse(cause, Phase::Handshake);
                Stop::Fault
            }
            _ => Stop::Over,
        };
    }
    story.accept();
    if story.fault_at(FaultPhase::Close) == Some(FaultAction::OmitCloseNotify) {
        tls.omit_close_notify();
    }
    let exchange = Arc::new(Exchange {
        port: Arc::clone(port),
        tls: tls.clone(),
        story: Arc::clone(story),
        cue: Arc::new(Cue::default()),
    });
    match converse(&exchange).await {
        Conversation::Over { .. } if speaks_h2_only(port) && !story.has_request() => {
            story.refuse(Cause::AlpnMismatch, Phase::Request);
            Stop::Fault
        }
        Conversation::Over { not_http: true } => Stop::NotHttp,
        Conversation::Over { not_http: false } if has_omitted(story) => Stop::Fault,
        Conversation::Over { not_http: false } => Stop::Over,
        Conversation::Cut => {
            delivered(&tls).await;
            match story.fault().map(|fault| fault.does) {
                Some(FaultAction::Reset) => {
                    story.refuse(Cause::Reset, Phase::Response);
                    reset(&tls, remains);
                }
                Some(FaultAction::Alert) => {
                    story.refuse(Cause::Aborted, Phase::Response);
                    tls.shut_with(Alert::InternalError).await;
                }
                _ if !story.is_answered() => story.refuse(Cause::Truncated, Phase::Response),
                _ => {}
            }
            Stop::Fault
        }
    }
}

fn speaks_h2_only(port: &Port) -> bool {
    port.profile().application_protocols == Some(ApplicationProtocols::H2Only)
}

/// Whether the first segment holds less than the first record.
async fn comes_split(tap: &Tap) -> bool {
    // The longest record (RFC 8446 5.1) and its head.
    let mut first = [0; 5 + 16384];
    match tap.peek(&mut first).await {
        Ok(length @ 5..) => length < 5 + usize::from(u16::from_be_bytes([first[3], first[4]])),
        Ok(length) => length > 0,
        Err(_) => false,
    }
}

fn start(tap: Tap, port: &Port, story: &Story) -> Result<SharedTls, openssl::error::ErrorStack> {
    let mut ssl = Ssl::new(&port.context(story.number(), story.fault()))?;
    if let Some(keys) = port.profile().sessions.and_then(|sessions| Keys::of(sessions, story.number())) {
        tickets::attach(&mut ssl, keys);
    }
    let mut tap = tap;
    port.recorder().attach(&mut ssl);
    let observer = observer::attach(&mut ssl);
    let shown = port.profile().client_certificate.map(|_| shown::attach(&mut ssl));
    match story.fault() {
        Some(Fault { at: FaultPhase::ClientHello, does: FaultAction::Drip }) => tap.drip(),
        Some(Fault { at: FaultPhase::ServerHello, .. }) => {
            tap.put_gate(Gate::new(LastMessage::ServerHello, Arc::clone(&observer)));
        }
        Some(Fault { at: FaultPhase::Certificate, .. }) => {
            tap.put_gate(Gate::new(LastMessage::Certificate, Arc::clone(&observer)));
        }
        Some(Fault { at: FaultPhase::Finished, .. }) => {
            tap.put_gate(Gate::new(LastMessage::BeforeFinished, Arc::clone(&observer)));
        }
        Some(_) | None => {}
    }
    let tls = SharedTls::new(ssl, tap)?;
    if port.profile().records == Some(Records::Tiny) {
        tls.write_tiny_records();
    }
    story.watch(Witnesses { tls: tls.clone(), observer, shown });
    Ok(tls)
}

/// Answers whatever comes in plain HTTP.
async fn speak_plainly(mut tap: Tap, story: &Story) -> Stop {
    const ANSWER: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 21\r\n\
                          connection: close\r\n\r\nthis port speaks HTTP";
    if !matches!(tap.read(&mut [0; 4096]).await, Ok(1..)) {
        return Stop::Over;
    }
    if tap.write_all(ANSWER.as_bytes()).await.is_err() || tap.shutdown().await.is_err() {
        return Stop::Over;
    }
    story.refuse(Cause::NotTls, Phase::Handshake);
    // Until the peer has read it and gone: closing with bytes unread would turn the answer into a reset.
    while matches!(tap.read(&mut [0; 4096]).await, Ok(1..)) {}
    Stop::Fault
}

/// What a faulty backend does with a fresh TCP connection.
async fn instead_of_tls(action: FaultAction, mut tap: Tap, story: &Story) -> Stop {
    match action {
        FaultAction::PlainHttp => return speak_plainly(tap, story).await,
        FaultAction::Stall => story.refuse(Cause::Timeout, Phase::Handshake),
        FaultAction::Reset => {
            story.refuse(Cause::Reset, Phase::Handshake);
            // A socket that is dead already needs no reset.
            let _ = tap.reset_on_drop();
            return Stop::Fault;
        }
        FaultAction::Close => {
            story.refuse(Cause::Truncated, Phase::Handshake);
            // An error here means that the peer has gone already.
            let _ = tap.shutdown().await;
        }
        FaultAction::Garbage => {
            story.refuse(Cause::NotTls, Phase::Handshake);
            let _ = tap.write_all(GARBAGE).await;
        }
        FaultAction::RefuseConnection
        | FaultAction::OmitCloseNotify
        | FaultAction::Alert
        | FaultAction::Drip
        | FaultAction::WrongRecordLength
        | FaultAction::RefuseSplit
        | FaultAction::GoAway => {}
    }
    // Until the peer has gone: closing with bytes unread would be a reset.
    while matches!(tap.read(&mut [0; 4096]).await, Ok(1..)) {}
    if action == FaultAction::Stall { Stop::Over } else { Stop::Fault }
}

/// What a faulty backend does in the middle of a handshake.
async fn instead_of_a_handshake(
    action: FaultAction,
    tls: &SharedTls,
    story: &Story,
    remains: &mut Option<SharedTls>,
) -> Stop {
    /// The fatal alert `internal_error` (RFC 8446 6).
    const ALERT: &[u8] = &[21, 3, 3, 0, 2, 2, 80];
    /// A handshake record of 65,535 bytes; 2^14 + 256 are allowed.
    const TOO_LONG: &[u8] = &[22, 3, 3, 0xff, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    match action {
        FaultAction::Stall => {
            story.refuse(Cause::Timeout, Phase::Handshake);
            tls.drain().await;
            return Stop::Over;
        }
        FaultAction::Reset => {
            story.refuse(Cause::Reset, Phase::Handshake);
            delivered(tls).await;
            reset(tls, remains);
        }
        FaultAction::Close => story.refuse(Cause::Truncated, Phase::Handshake),
        FaultAction::Alert => {
            story.refuse(Cause::Aborted, Phase::Handshake);
            tls.send_past_tls(ALERT).await;
        }
        FaultAction::Garbage => {
            story.refuse(Cause::NotTls, Phase::Handshake);
            tls.send_past_tls(GARBAGE).await;
        }
        FaultAction::WrongRecordLength => {
            story.refuse(Cause::NotTls, Phase::Handshake);
            tls.send_past_tls(TOO_LONG).await;
        }
        FaultAction::PlainHttp
        | FaultAction::RefuseConnection
        | FaultAction::OmitCloseNotify
        | FaultAction::Drip
        | FaultAction::RefuseSplit
        | FaultAction::GoAway => return Stop::Over,
    }
    Stop::Fault
}

/// Drops the connection with RST. The story keeps a handle of its own, so the socket goes when the story does.
fn reset(tls: &SharedTls, remains: &mut Option<SharedTls>) {
    // A socket that is dead already needs no reset.
    let _ = tls.change_tap(Tap::reset_on_drop);
    *remains = None;
}

/// Whether the fault "no `close_notify`" is what ended the connection.
fn has_omitted(story: &Story) -> bool {
    story.fault_at(FaultPhase::Close) == Some(FaultAction::OmitCloseNotify) && story.is_answered()
}

enum Conversation {
    /// It has come to its end.
    Over { not_http: bool },
    /// The part of a response that the profile lets through is with the kernel.
    Cut,
}

/// HTTP, until the connection ends.
async fn converse(exchange: &Arc<Exchange>) -> Conversation {
    let stream = TokioIo::new(exchange.tls.clone());
    let service = service_fn(|request| Arc::clone(exchange).answer(request));
    let is_h2 = match exchange.port.profile().application_protocols {
        Some(ApplicationProtocols::H2Only) => true,
        Some(ApplicationProtocols::H2SpokenAsH1) => false,
        _ => exchange.tls.with_ssl(|ssl| ssl.selected_alpn_protocol() == Some(b"h2")),
    };
    if is_h2 {
        let executor = Executor::default();
        let connection = http2::Builder::new(executor.clone()).serve_connection(stream, service);
        conduct(exchange, connection, http2::Connection::graceful_shutdown).await
    } else {
        // hyper's own deadline for heads would answer 408; silence is watched over from outside.
        let connection = http1::Builder::new().header_read_timeout(None).serve_connection(stream, service);
        conduct(exchange, connection, |_| {}).await
    }
}

/// Drives a connection, and acts on its cue.
async fn conduct<C>(exchange: &Exchange, connection: C, close: impl Fn(Pin<&mut C>)) -> Conversation
where
    C: Future<Output = hyper::Result<()>>,
{
    let (cuts, closes) = match exchange.story.fault() {
        Some(Fault { at: FaultPhase::Close, does }) => {
            (does == FaultAction::Close, does != FaultAction::Close)
        }
        Some(Fault { at: FaultPhase::Request | FaultPhase::Headers | FaultPhase::Body, does }) => {
            (matches!(does, FaultAction::Reset | FaultAction::Close | FaultAction::Alert), false)
        }
        Some(_) | None => (false, false),
    };
    let mut connection = pin!(connection);
    let mut is_closing = false;
    poll_fn(|context| {
        // The cue is looked at first: what was handed over before it is with the kernel once the poll has returned,
        // unless the socket, or the runtime for the sake of other tasks, has it wait.
        let is_cued = (cuts || closes) && exchange.cue.is_given(context);
        if is_cued && closes && !is_closing {
            is_closing = true;
            close(connection.as_mut());
        }
        match connection.as_mut().poll(context) {
            Poll::Ready(result) => {
                Poll::Ready(Conversation::Over { not_http: result.is_err_and(|error| error.is_parse()) })
            }
            Poll::Pending if is_cued && cuts && !exchange.tls.is_writing() => Poll::Ready(Conversation::Cut),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Waits until the peer's kernel has acknowledged everything, so that a reset cannot overtake it.
async fn delivered(tls: &SharedTls) {
    // The kernel reports no acknowledgement, so it is asked; soon after at first, then less often, because a
    // peer may delay it by 40 ms.
    const SOON: u32 = 16;
    const LATER: Duration = Duration::from_millis(1);
    let mut asked = 0;
    while tls.with_tap(Tap::unacknowledged).is_ok_and(|bytes| bytes > 0) {
        asked += 1;
        if asked <= SOON {
            yield_now().await;
        } else if timeout(LATER, tls.drain()).await.is_ok() {
            return;
        }
    }
}

/// Does this as long as bytes pass in one direction or the other, and handshake and requests come to an end; `None` once one
/// of the two has not for too long.
async fn while_alive<T>(limits: &Limits, story: &Story, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut passed = 0;
    let mut step = (story.steps(), Instant::now());
    loop {
        if let Ok(done) = timeout(limits.peer, work.as_mut()).await {
            return Some(done);
        }
        let (traffic, steps) = (story.traffic(), story.steps());
        if steps != step.0 {
            step = (steps, Instant::now());
        }
        let is_late = step.1.elapsed() >= limits.exchange;
        let before = std::mem::replace(&mut passed, traffic.received() + traffic.sent());
        if before == passed || is_late {
            return None;
        }
    }
}
