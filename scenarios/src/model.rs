//! The model: what must happen, computed from profiles and claims.
//!
//! It walks one request the way the wire does: client to listener; then, only if that stands, upstream to backend;
//! then what the backend wants after the request; then the response and the close. Each station returns [`Halt`] where the
//! walk ends there: a party stops it, or the gateway makes no claim about it.

mod listener_leg;
mod upstream_leg;

use crate::{
    cell::{Named, Scenario},
    claims::{Claims, Unclaimed},
    compose::Composed,
    evidence::Handling,
    expectation::{BackendSight, Connection, Expectation},
    profile::{BackendProfile, ClientProfile, RevocationCheck, StatusFault, UpstreamProfile},
    words::{Alert, Cause, Party, Phase, TlsVersion},
};

/// What must happen when this scenario runs through a gateway with these claims.
///
/// # Errors
/// [`Unclaimed`] where gateways differ and this one makes no claim.
pub fn expect(scenario: &Scenario, claims: &Claims) -> Result<Expectation, Unclaimed> {
    let mut steps = Steps::default();
    let expectation = through_gateway(scenario, claims, &mut steps).or_else(Halt::stop)?;
    Ok(Expectation { steps: steps.0, ..expectation })
}

/// Both legs; the second is walked only if the listener lets the client through.
fn through_gateway(
    scenario: &Scenario,
    claims: &Claims,
    steps: &mut Steps,
) -> Result<Expectation, Halt<Expectation>> {
    let client = &scenario.client.profile;
    let protocol = listener_leg::walk(client, &scenario.listener.profile, claims, steps)?;
    let Named { name, profile: upstream } = &scenario.upstream;
    let backend = &scenario.backend.profile;
    if let Some(before) = &upstream.after {
        steps.say(format!("the same client has called the same backend through {before} just before"));
    }
    let expectation = match upstream_leg::walk(Asks::of(client), upstream, backend, claims, steps) {
        Ok(sight) => Expectation {
            client_resumed: resumes(scenario),
            client_alpn: (!client.protocols.is_empty()).then_some(protocol),
            ..Expectation::reach(unshared(name, upstream, sight))
        },
        Err(halt) => halt.stop()?.through_gateway(claims)?,
    };
    Ok(offered(expectation, upstream, backend, claims))
}

/// What must happen when a client set up like this upstream calls this backend itself: the column `direct`.
///
/// # Errors
/// [`Unclaimed`] where clients differ and this one makes no claim.
pub fn expect_direct(
    upstream: &UpstreamProfile,
    backend: &Composed,
    claims: &Claims,
) -> Result<Expectation, Unclaimed> {
    directly(Asks::ForAnything, upstream, backend, claims)
}

/// What must happen when this scenario's client, set up like its upstream, calls the backend itself.
///
/// # Errors
/// [`Unclaimed`] where clients differ and this one makes no claim.
pub fn expect_called_directly(scenario: &Scenario, claims: &Claims) -> Result<Expectation, Unclaimed> {
    directly(Asks::of(&scenario.client.profile), &scenario.upstream.profile, &scenario.backend, claims)
}

fn directly(
    asks: Asks,
    upstream: &UpstreamProfile,
    backend: &Composed,
    claims: &Claims,
) -> Result<Expectation, Unclaimed> {
    let mut steps = Steps::default();
    let expectation = match upstream_leg::walk(asks, upstream, &backend.profile, claims, &mut steps) {
        Ok(sight) => Expectation::reach(sight),
        Err(halt) => halt.stop()?.seen_directly(),
    };
    Ok(Expectation { steps: steps.0, ..offered(expectation, upstream, &backend.profile, claims) })
}

/// With what the backend may be offered, and whether the status of its certificate is asked for, whatever comes of the walk.
fn offered(
    mut expectation: Expectation,
    upstream: &UpstreamProfile,
    backend: &BackendProfile,
    claims: &Claims,
) -> Expectation {
    expectation.backend = upstream_leg::offers(upstream, claims, expectation.backend);
    expectation.backend.status_asked = status_asked(upstream, backend, expectation.cause);
    expectation
}

/// Whether the client's session is resumed, where the two agree that it should be told.
fn resumes(scenario: &Scenario) -> Option<bool> {
    let Named { name, profile: listener } = &scenario.listener;
    let is_from_here = scenario.client.profile.session_from(name)? == name;
    listener.session_tickets.filter(|_| is_from_here)
}

/// What was agreed with the backend for one upstream is nothing for another: neither the connection nor the session.
fn unshared(name: &str, upstream: &UpstreamProfile, sight: BackendSight) -> BackendSight {
    let is_another = upstream.after.as_ref().is_some_and(|before| before != name);
    BackendSight { resumed: is_another.then_some(false), reused: is_another.then_some(false), ..sight }
}

/// What a client asks for, as far as backends make a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    ForAnything,
    ForSecurePath,
}

impl Asks {
    const fn of(client: &ClientProfile) -> Self {
        if client.secure_path { Self::ForSecurePath } else { Self::ForAnything }
    }
}

/// Whether somebody must have asked for the status of the certificate, where it is known who would hear of that. Only those
/// ask who are told to, and only about a certificate that they have nothing else against.
fn status_asked(upstream: &UpstreamProfile, backend: &BackendProfile, cause: Option<Cause>) -> Option<bool> {
    let source = backend.certificate().points_to()?;
    if backend.status_fault == Some(StatusFault::Unreachable) {
        return None;
    }
    let asks = upstream.revocation.and_then(RevocationCheck::asks) == Some(source);
    let comes_so_far =
        matches!(cause, None | Some(Cause::ServerCertRevoked | Cause::ServerCertStatusUnknown));
    match (asks, comes_so_far) {
        (true, true) => Some(true),
        (false, _) => Some(false),
        // What stopped it may have come before or after the question.
        (true, false) => None,
    }
}

/// The walk in words, for people.
#[derive(Debug, Default)]
struct Steps(Vec<String>);

impl Steps {
    fn say(&mut self, step: impl Into<String>) {
        self.0.push(step.into());
    }
}

/// Why a walk does not come to its end.
#[derive(Debug)]
enum Halt<S = Stop> {
    /// A party stops it.
    Stop(Box<S>),
    /// What comes next depends on a claim that the gateway does not make.
    Unclaimed(Unclaimed),
}

impl<S> Halt<S> {
    fn at(stop: S) -> Self {
        Self::Stop(Box::new(stop))
    }

    /// Where the walk stops.
    fn stop(self) -> Result<S, Unclaimed> {
        match self {
            Self::Stop(stop) => Ok(*stop),
            Self::Unclaimed(unclaimed) => Err(unclaimed),
        }
    }

    /// This halt, with a change to the stop if it is one.
    fn changed(self, change: impl FnOnce(S) -> S) -> Self {
        match self {
            Self::Stop(stop) => Self::at(change(*stop)),
            Self::Unclaimed(unclaimed) => Self::Unclaimed(unclaimed),
        }
    }
}

impl<S> From<Unclaimed> for Halt<S> {
    fn from(unclaimed: Unclaimed) -> Self {
        Self::Unclaimed(unclaimed)
    }
}

/// Where the walk between gateway and backend stops.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stop {
    by: Party,
    phase: Phase,
    cause: Cause,
    or_cause: Option<Cause>,
    version: Option<TlsVersion>,
    /// How many connections were tried, where that is told.
    connections: Option<u32>,
    connection: Connection,
    /// What becomes of the handshake, where that is told.
    handshake: Option<Handling>,
    /// Whether a witness must name this cause and no other.
    exact: bool,
    says: Says,
}

/// What the refused side gets to see of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// What the cause usually comes with.
    Usual,
    /// A connection that ends, and nothing else.
    Nothing,
    /// This alert.
    Alert(Alert),
    /// A response of the backend itself.
    Status(u16),
    /// The head of a response that never becomes whole.
    Head,
}

impl Stop {
    /// Whether the backend broke the handshake off for no reason that another connection would not do away with.
    const fn is_broken_handshake(&self) -> bool {
        matches!(self.cause, Cause::Reset | Cause::Truncated | Cause::Aborted)
            && matches!(self.phase, Phase::Handshake)
    }

    /// Whether the gateway has a limit for how long it waits here.
    fn gives_up(&self, claims: &Claims) -> Result<bool, Unclaimed> {
        match self.phase {
            Phase::Connect | Phase::Handshake => claims.gives_up_handshakes(),
            _ if self.says == Says::Head => claims.gives_up_bodies(),
            Phase::Request | Phase::Response | Phase::Close => claims.gives_up_responses(),
        }
        .copied()
    }

    /// What the gateway's client sees of it: a status out of the gateway's claims.
    fn through_gateway(self, claims: &Claims) -> Result<Expectation, Unclaimed> {
        let mut expectation = self.expectation();
        if let Says::Status(status) = self.says {
            // The backend itself answers, and the answer passes through.
            expectation.statuses = vec![status];
        } else if self.cause == Cause::Timeout && !self.gives_up(claims)? {
            // It waits for as long as its client does.
            expectation.gives_up = Some(false);
            // The head has come through by then.
            expectation.statuses = if self.says == Says::Head { vec![200] } else { Vec::new() };
            expectation.may_close = true;
        } else {
            let claim = claims.status_for(self.cause, self.phase, self.version)?;
            expectation.statuses.clone_from(&claim.statuses);
            expectation.may_close = claim.may_close;
            expectation.gives_up = (self.cause == Cause::Timeout).then_some(true);
        }
        Ok(expectation)
    }

    /// What a client sees of it that calls the backend itself.
    fn seen_directly(self) -> Expectation {
        let mut expectation = self.expectation();
        expectation.by = Some(if self.by == Party::Gateway { Party::Client } else { self.by });
        expectation.alerts = match self.says {
            Says::Nothing => Vec::new(),
            Says::Alert(alert) => vec![alert],
            // With it a server answers to a refused renegotiation (RFC 5746 4.5).
            Says::Usual if self.cause == Cause::RenegotiationRefused => vec![Alert::HandshakeFailure],
            Says::Usual | Says::Status(_) | Says::Head => self.cause.alerts().to_vec(),
        };
        expectation.may_close = expectation.by != Some(Party::Backend) || expectation.alerts.is_empty();
        expectation.statuses = match self.says {
            Says::Status(status) => vec![status],
            Says::Head => vec![200],
            Says::Usual | Says::Nothing | Says::Alert(_) => Vec::new(),
        };
        expectation
    }

    fn expectation(&self) -> Expectation {
        let backend = BackendSight {
            connections: self.connections,
            connection: Some(self.connection),
            handshake: self.handshake,
            tls_version: self.version,
            ..BackendSight::default()
        };
        Expectation {
            backend,
            or_cause: self.or_cause,
            exact: self.exact,
            ..Expectation::refuse(self.by, self.phase, self.cause)
        }
    }
}

/// What a backend answers to a request for another host (RFC 9110 15.5.20).
const MISDIRECTED: u16 = 421;

/// What a backend answers that wants a client certificate and cannot ask for it.
const FORBIDDEN: u16 = 403;
