//! The upstream leg: finds the route of a request, passes it on over a new connection, and answers.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, Response, Uri,
    body::{Body, Incoming},
    header::{self, HeaderValue},
    http::{request::Parts, uri::PathAndQuery},
};
use tls_gauntlet_scenarios::{Cause, ClientCertificate, FailureBody, LateDemand, UpstreamProfile};
use tokio::time::Instant;

use super::{
    CannotStart, ReferenceKnobs,
    answer::own,
    demand::{self, Demanded},
    journal::{Asked, Caller, Journal},
};
use crate::{
    client::{Answer, Dialed, Dialer, DialerSettings, Failure},
    gateway::plan::{GatewayPlan, Route},
    tls::CannotSetUp,
    tls::shared_tls::SharedTls,
    wire::nonce::Nonce,
    wire::observer::Observer,
};

/// Headers that are for the next hop alone (RFC 9110 7.6.1).
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Every route of a gateway.
#[derive(Debug)]
pub(super) struct Router {
    ways: HashMap<String, Way>,
    knobs: ReferenceKnobs,
    /// The shape of its own answers.
    says: FailureBody,
    journal: Arc<Journal>,
}

/// A route that is ready to be taken.
#[derive(Debug)]
struct Way {
    dialer: Dialer,
    backend: SocketAddr,
    host: String,
    connect_timeout: Duration,
    response_timeout: Duration,
    /// How many more connections to try when one breaks.
    retries: u32,
}

impl Router {
    pub(super) fn new(
        plan: &GatewayPlan,
        knobs: ReferenceKnobs,
        says: FailureBody,
        journal: Arc<Journal>,
    ) -> Result<Self, CannotStart> {
        let mut dialers = BTreeMap::new();
        for (name, profile) in &plan.upstreams {
            let settings = DialerSettings {
                post_handshake_auth: knobs.post_handshake_auth,
                renegotiation: knobs.renegotiation && profile.renegotiation,
                // Each route puts the name of its own backend here.
                ..settings(plan, name, profile)?
            };
            dialers.insert(name.as_str(), Dialer::new(&settings)?);
        }
        let way = |route: &Route| {
            let dialer = dialers.get(route.upstream.as_str()).ok_or_else(|| {
                CannotStart::UnknownUpstream { path: route.path.clone(), upstream: route.upstream.clone() }
            })?;
            let upstream = plan.upstreams.iter().find(|(name, _)| *name == route.upstream);
            let way = Way {
                retries: upstream.map_or(0, |(_, profile)| profile.retries),
                dialer: dialer.named(&route.server_name).asking_for(route.response_timeout),
                backend: route.backend,
                host: route.server_name.clone(),
                connect_timeout: route.connect_timeout,
                response_timeout: route.response_timeout,
            };
            Ok((route.path.clone(), way))
        };
        let ways = plan.routes.iter().map(way).collect::<Result<_, CannotStart>>()?;
        Ok(Self { ways, knobs, says, journal })
    }

    pub(super) const fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Answers one request; `barred` is what the listener holds against the client's certificate.
    pub(super) async fn answer(
        &self,
        request: Request<impl Body<Data = Bytes, Error: fmt::Display>>,
        caller: Caller,
        barred: Option<Cause>,
    ) -> Response<Full<Bytes>> {
        let began = Instant::now();
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let method = head.method.clone();
        let nonce = nonce(&head.headers, &path);
        let way = self.find(&path);
        let asked = |status: u16| Asked {
            nonce: &nonce,
            method: method.as_str(),
            path: &path,
            status,
            caller,
            backend: way.map(|way| way.backend),
            elapsed: began.elapsed(),
        };
        let own = |status: u16| own(self.says, status, &nonce);

        if let (Some(cause), Some(status)) = (barred, self.knobs.client_certificate_status) {
            self.journal.rejected(&asked(status), Some(cause), "the client certificate is not acceptable");
            return own(status);
        }
        let Some(way) = way else {
            self.journal.rejected(&asked(404), None, "no route");
            return own(404);
        };
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                self.journal.rejected(&asked(400), None, &error.to_string());
                return own(400);
            }
        };
        match way.pass_on(head, body).await {
            Ok(answer) => {
                self.journal.passed(&asked(answer.head.status.as_u16()));
                passed(answer)
            }
            Err(failure) => {
                let status = match failure.cause {
                    Cause::Timeout => self.knobs.timeout_status,
                    _ => self.knobs.failure_status,
                };
                self.journal.failed(&asked(status), &failure);
                own(status)
            }
        }
    }

    /// Answers a request that needs a client certificate, once it has asked for that.
    pub(super) async fn answer_on_demand(
        &self,
        request: Request<Incoming>,
        tls: &SharedTls,
        observer: &Observer,
    ) -> Result<Response<Full<Bytes>>, demand::Broken> {
        let caller = Caller::of(tls, request.version());
        let (path, method) = (request.uri().path().to_owned(), request.method().clone());
        let nonce = nonce(request.headers(), &path);
        let asked = |status: u16, late: Option<LateDemand>| Asked {
            nonce: &nonce,
            method: method.as_str(),
            path: &path,
            status,
            caller: Caller { late, ..caller },
            backend: None,
            elapsed: Duration::ZERO,
        };
        // A client that is still sending its body cannot answer: the whole of it first.
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return Err(demand::Broken) };
        let request = Request::from_parts(head, Full::new(body.to_bytes()));

        let status = self.knobs.late_certificate_status;
        // Where the connection breaks over it, hyper drops this request in the middle.
        let unanswered = Unanswered(|| {
            let cause = observer.renegotiation_refused().then_some(Cause::RenegotiationRefused);
            self.journal.rejected(
                &asked(0, Some(LateDemand::NotFollowed)),
                cause,
                "the connection ended when the client's certificate was asked for",
            );
        });
        let demanded = demand::certificate(self.knobs, caller.http, tls, observer).await;
        if demanded == Demanded::Refused {
            return Err(demand::Broken);
        }
        std::mem::forget(unanswered);
        let missing = match demanded {
            Demanded::HasOne | Demanded::Asked => demand::verdict(tls),
            Demanded::NotAsked | Demanded::Refused => Some(Cause::ClientCertMissing),
        };
        let late = demanded.word(missing);
        if let Some(cause) = missing {
            self.journal.rejected(
                &asked(status, late),
                Some(cause),
                "the request needs a client certificate",
            );
            return Ok(own(self.says, status, &nonce));
        }
        Ok(self.answer(request, Caller { late, ..caller }, None).await)
    }

    /// The route with the longest prefix of this path.
    fn find(&self, path: &str) -> Option<&Way> {
        path.rmatch_indices('/').find_map(|(end, _)| self.ways.get(&path[..=end]))
    }
}

impl Way {
    /// A connection that stands, perhaps not the first that was tried.
    async fn connect(&self) -> Result<Dialed, Failure> {
        let mut tries = 0;
        loop {
            let dialled = self.dialer.dial(self.backend, Instant::now() + self.connect_timeout).await;
            match dialled {
                Err(failure) if tries < self.retries && failure.is_broken_connection() => tries += 1,
                dialled => return dialled,
            }
        }
    }

    async fn pass_on(&self, mut head: Parts, body: Bytes) -> Result<Answer, Failure> {
        for name in HOP_BY_HOP {
            head.headers.remove(*name);
        }
        if let Ok(host) = HeaderValue::from_str(&self.host) {
            head.headers.insert(header::HOST, host);
        }
        let slash = || PathAndQuery::from_static("/");
        head.uri = Uri::from(head.uri.path_and_query().cloned().unwrap_or_else(slash));
        let request = Request::from_parts(head, Full::new(body));

        let connected = self.connect().await?;
        let mut answer = connected.call(request, Instant::now() + self.response_timeout).await?;
        answer.cut.take().map_or(Ok(answer), Err)
    }
}

/// How this upstream connects, with what is on the plan's keyring.
fn settings(
    plan: &GatewayPlan,
    name: &str,
    profile: &UpstreamProfile,
) -> Result<DialerSettings, CannotSetUp> {
    let mut settings = DialerSettings::for_upstream(profile, name, &plan.pki)?;
    settings.trust = plan.keyring.authorities().cloned().collect();
    if profile.client_certificate == Some(ClientCertificate::Good) && plan.keyring.client.is_some() {
        settings.identity.clone_from(&plan.keyring.client);
    }
    if !settings.lists.is_empty() {
        settings.lists = plan.pki.crls(plan.keyring.revoked).map_err(CannotSetUp::because(name))?;
    }
    Ok(settings)
}

/// The response of a backend, as it came.
fn passed(answer: Answer) -> Response<Full<Bytes>> {
    let mut head = answer.head;
    for name in HOP_BY_HOP {
        head.headers.remove(*name);
    }
    Response::from_parts(head, Full::new(answer.body))
}

/// Says what it has to say if it is dropped.
struct Unanswered<F: FnMut()>(F);

impl<F: FnMut()> Drop for Unanswered<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// The nonce of a request: its header, or else the end of its path.
fn nonce(headers: &HeaderMap, path: &str) -> String {
    let header = headers.get(Nonce::HEADER).and_then(|value| value.to_str().ok());
    header.unwrap_or_else(|| path.rsplit('/').next().unwrap_or_default()).to_owned()
}
