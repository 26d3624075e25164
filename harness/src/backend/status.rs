//! Where certificates say that their status is to be had: revocation lists and OCSP responses, in HTTP without TLS.

use std::{
    future, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use hyper::{Uri, header::CONTENT_TYPE};
use time::Duration;
use tls_gauntlet_certs::{Circumstances, CrlKind, Identity, OcspKind, Pki};
use tls_gauntlet_scenarios::{BackendProfile, Composed, StatusFault, StatusSource};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::AbortHandle,
};

use crate::{
    http::{self, Problem},
    limits::REQUEST_BODY,
};

/// The addresses that a fleet's certificates point to, one point for each backend that needs one. They answer until
/// this is dropped.
#[derive(Debug)]
pub(super) struct StatusService {
    points: Vec<Option<Arc<Point>>>,
    server: Option<AbortHandle>,
    /// Holds the number of a port on which nobody listens.
    _shut: Option<TcpSocket>,
}

/// What is said of one certificate.
#[derive(Debug)]
pub(super) struct Point {
    url: String,
    source: StatusSource,
    fault: Option<StatusFault>,
    is_revoked: bool,
    asked: Mutex<Vec<StatusSource>>,
}

/// Where the status of one backend's certificate is to be had: for as long as the backend is there, somebody answers.
#[derive(Debug)]
pub(super) struct Status {
    point: Arc<Point>,
    _service: Arc<StatusService>,
}

impl Status {
    /// None if the certificate of the nth backend points nowhere.
    pub(super) fn of(service: &Arc<StatusService>, backend: usize) -> Option<Self> {
        let point = Arc::clone(service.point(backend)?);
        Some(Self { point, _service: Arc::clone(service) })
    }

    /// As the certificate has it.
    pub(super) fn url(&self) -> &str {
        self.point.url()
    }

    /// What was asked for so far.
    pub(super) fn asked(&self) -> Vec<StatusSource> {
        self.point.lock().clone()
    }
}

/// What the points need to answer.
struct Desk {
    points: Vec<Option<(Arc<Point>, Arc<Identity>)>>,
    pki: Arc<Pki>,
    patience: std::time::Duration,
}

impl StatusService {
    /// Takes the ports for a plan, and nothing more: certificates have to be made before there are answers.
    pub(super) fn bind(plan: &[Composed], ip: IpAddr, host: &str) -> io::Result<(Self, Option<TcpListener>)> {
        let needs = |shut: bool| {
            plan.iter().map(|composed| &composed.profile).any(|profile| {
                profile.certificate().points_to().is_some()
                    && (profile.status_fault == Some(StatusFault::Unreachable)) == shut
            })
        };
        let socket = || {
            let address = SocketAddr::new(ip, 0);
            let socket = if ip.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            socket.bind(address)?;
            let port = socket.local_addr()?.port();
            io::Result::Ok((socket, port))
        };
        let open = needs(false).then(socket).transpose()?;
        let shut = needs(true).then(socket).transpose()?;
        let points = (0_usize..)
            .zip(plan)
            .map(|(index, composed)| {
                let profile = &composed.profile;
                let is_shut = profile.status_fault == Some(StatusFault::Unreachable);
                let (_, port) = if is_shut { shut.as_ref() } else { open.as_ref() }?;
                Point::of(profile, &format!("http://{host}:{port}/{index}")).map(Arc::new)
            })
            .collect();
        let listener = open.map(|(socket, _)| socket.listen(BACKLOG)).transpose()?;
        let shut = shut.map(|(socket, _)| socket);
        Ok((Self { points, server: None, _shut: shut }, listener))
    }

    /// The point of this backend's certificate, if that points anywhere.
    pub(super) fn point(&self, backend: usize) -> Option<&Arc<Point>> {
        self.points.get(backend)?.as_ref()
    }

    /// Answers from now on; `identity` is what a backend shows.
    pub(super) fn serve<E>(
        &mut self,
        listener: TcpListener,
        pki: &Arc<Pki>,
        identity: impl Fn(usize) -> Result<Arc<Identity>, E>,
        patience: std::time::Duration,
    ) -> Result<(), E> {
        let points = self.points.iter().enumerate().map(|(index, point)| {
            let point = point.as_ref().map(|point| Ok((Arc::clone(point), identity(index)?)));
            point.transpose()
        });
        let points = points.collect::<Result<_, E>>()?;
        let desk = Arc::new(Desk { points, pki: Arc::clone(pki), patience });
        let router = Router::new().fallback(answer).with_state(desk);
        self.server = Some(tokio::spawn(http::serve(listener, router, patience)).abort_handle());
        Ok(())
    }
}

impl Drop for StatusService {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

/// Connections that may wait to be let in.
const BACKLOG: u32 = 1024;

impl Point {
    fn of(profile: &BackendProfile, base: &str) -> Option<Self> {
        let certificate = profile.certificate();
        let source = certificate.points_to()?;
        let name = match source {
            StatusSource::Crl => "server.crl",
            StatusSource::Ocsp => "ocsp",
        };
        Some(Self {
            url: format!("{base}/{name}"),
            source,
            fault: profile.status_fault,
            is_revoked: certificate.revoked_by().is_some(),
            asked: Mutex::default(),
        })
    }

    /// As the certificate has it.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    fn lock(&self) -> MutexGuard<'_, Vec<StatusSource>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, pki: &Pki, identity: &Identity) -> Result<Vec<u8>, tls_gauntlet_certs::Error> {
        let is_stale = self.fault == Some(StatusFault::Stale);
        match self.source {
            StatusSource::Crl => pki.crl(if is_stale { CrlKind::Stale } else { CrlKind::Revoked }),
            StatusSource::Ocsp => {
                let kind = match (is_stale, self.is_revoked) {
                    (true, _) => OcspKind::Expired,
                    (false, true) => OcspKind::Revoked,
                    (false, false) => OcspKind::Good,
                };
                pki.ocsp(identity, kind)
            }
        }
    }
}

/// What certificates are made with: where their status is to be had, and how long they last.
pub(super) fn circumstances(status_url: Option<&str>, expires_in: Duration) -> Circumstances {
    let mut circumstances = Circumstances { expires_in, ..Circumstances::default() };
    if let Some(url) = status_url {
        // A certificate points to one of the two at most.
        url.clone_into(&mut circumstances.crl_url);
        url.clone_into(&mut circumstances.ocsp_url);
    }
    circumstances
}

/// The point knows whom it is about, whatever certificate the question names (RFC 6960 A.1: in the body, or at the end of
/// the path).
async fn answer(State(desk): State<Arc<Desk>>, uri: Uri, body: Body) -> Result<Response, Problem> {
    http::whole(body, REQUEST_BODY, desk.patience).await?;
    let mut parts = uri.path().split('/').skip(1);
    let index = parts.next().and_then(|index| index.parse::<usize>().ok());
    let point = index.and_then(|index| desk.points.get(index)?.as_ref());
    let word = parts.next();
    let point = point.filter(|(point, _)| point.url.rsplit('/').next() == word);
    let nothing = || Problem::not_found("the status of no certificate is to be had here");
    let (point, identity) = point.ok_or_else(nothing)?;
    point.lock().push(point.source);
    if point.fault == Some(StatusFault::Slow) {
        future::pending::<()>().await;
    }
    let content = point.answer(&desk.pki, identity).map_err(|error| Problem::internal(&error))?;
    let kind = match point.source {
        StatusSource::Crl => "application/pkix-crl",
        StatusSource::Ocsp => "application/ocsp-response",
    };
    Ok(([(CONTENT_TYPE, kind)], content).into_response())
}
