//! What each request does.

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{HeaderMap, Request, Response, StatusCode, body::Incoming, header::HOST};
use serde_json::json;
use tls_gauntlet_scenarios::{UnknownName, catalogue};
use tokio::time::timeout;

use super::{
    OPENAPI, State,
    answer::{self, Body, Problem},
    certificates,
    chronicle::Noted,
    guard, landing,
    prospect::Prospect,
    query::Wanted,
    routes::Route,
    script, stream,
    told::Told,
};
use crate::{
    backend::{Backend, FleetError, Front, by_hand},
    hello::{self, Heard},
    page::{Face, digest},
};

/// The largest body that is read.
const LARGEST: usize = 64 * 1024;

/// The most backends there may be: each holds a port, and its certificates.
const MOST: usize = 1000;

/// Answers one request, whatever it is.
pub(super) async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let answer = carry_out(state, request).await.unwrap_or_else(|problem| problem.answer());
    Ok(answer::for_nobody_else(answer))
}

async fn carry_out(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Body>, Problem> {
    guard::check(request.method(), request.headers(), &state.names)?;
    let route = Route::of(request.method(), state.path(request.uri().path())?)?;
    let host = host(request.headers());
    match route {
        Route::Landing => match Face::accepted(request.headers()) {
            Face::Text => Ok(answer::of(StatusCode::OK, "text/plain; charset=utf-8", landing::TEXT)),
            Face::Page => Ok(landing::page()),
            Face::Json => {
                let fleet = state.fleet.read().await;
                let told: Vec<_> =
                    fleet.backends().iter().map(|backend| state.told(backend, &host)).collect();
                Ok(answer::json(StatusCode::OK, &landing::overview(&told, &state.front, &state.files)))
            }
        },
        Route::OpenApi => Ok(answer::of(StatusCode::OK, "application/json", OPENAPI)),
        Route::Health => {
            let backends = state.fleet.read().await.backends().len();
            let version = env!("CARGO_PKG_VERSION");
            Ok(answer::json(
                StatusCode::OK,
                &json!({ "status": "ok", "version": version, "backends": backends }),
            ))
        }
        Route::Backends => {
            let fleet = state.fleet.read().await;
            let all: Vec<_> = fleet.backends().iter().map(|backend| state.told(backend, &host)).collect();
            Ok(answer::json(StatusCode::OK, &all))
        }
        Route::Backend(name) => {
            let fleet = state.fleet.read().await;
            Ok(answer::json(StatusCode::OK, &state.told(named(fleet.backends(), &name)?, &host)))
        }
        Route::Add(name) => add(&state, &name, &host).await,
        Route::Script(name) => {
            let faults = script::parse(&body(request.into_body()).await?)?;
            let fleet = state.fleet.read().await;
            let backend = named(fleet.backends(), &name)?;
            backend.script(faults).await.map_err(|error| internal(&error))?;
            Ok(answer::json(StatusCode::OK, &state.told(backend, &host)))
        }
        Route::Certificates => Ok(answer::json(StatusCode::OK, &certificates::names())),
        Route::Certificate(name) => {
            let pki = Arc::clone(state.fleet.read().await.pki());
            let file = certificates::file(&pki, &name).map_err(|error| internal(&*error))?;
            let file = file.ok_or_else(|| {
                Problem::not_found(format!("there is no file \"{name}\"; /certs lists what there is"))
            })?;
            Ok(answer::of(StatusCode::OK, file.kind, file.content))
        }
        Route::Ledger => {
            let wanted = Wanted::of(request.uri())?;
            let (entries, last) = entries(&state, &wanted).await;
            let entries = entries.into_iter().map(|noted| serde_json::to_string(&noted.entry()).ok());
            Ok(answer::list(last, "entries", entries))
        }
        Route::LedgerStream => {
            let wanted = Wanted::of(request.uri())?;
            stream::events(state, wanted, request.headers()).await
        }
        Route::Hellos => {
            let (entries, last) = entries(&state, &Wanted::of(request.uri())?).await;
            Ok(match Face::accepted(request.headers()) {
                Face::Page => {
                    let hellos: Vec<_> = entries.iter().filter_map(heard).collect();
                    answer::page(&hello::list(&hellos), &policy())
                }
                Face::Text | Face::Json => {
                    let hellos = entries.into_iter().map(|noted| serde_json::to_string(&heard(&noted)?).ok());
                    answer::list(last, "hellos", hellos)
                }
            })
        }
        Route::Hello(id) => {
            let missing =
                || Problem::not_found(format!("no ClientHello has the number {id}; /hello lists them"));
            let wanted = Wanted { since: id.checked_sub(1).ok_or_else(missing)?, ..Wanted::default() };
            let (entries, _) = state.read(&wanted).await;
            let noted = entries.first().filter(|noted| noted.sequence == id);
            let heard = noted.and_then(heard).ok_or_else(missing)?;
            Ok(match Face::accepted(request.headers()) {
                Face::Page => answer::page(&heard.page(), &policy()),
                Face::Text | Face::Json => answer::json(StatusCode::OK, &heard),
            })
        }
    }
}

/// The caller behind an entry; none if no ClientHello came.
fn heard(noted: &Noted) -> Option<Heard> {
    let entry = noted.entry();
    let offered = entry.saw.client_hello.as_ref()?;
    let heard = Heard::new(entry.backend.as_deref(), Some(&entry.saw), offered);
    Some(Heard { id: Some(entry.sequence), ..heard })
}

/// The policy of a page with nothing but a style sheet.
fn policy() -> String {
    format!("default-src 'none'; style-src '{}'; frame-ancestors 'none'", digest(hello::STYLE))
}

/// Starts a backend, unless there is one of this name.
async fn add(state: &State, name: &str, host: &str) -> Result<Response<Body>, Problem> {
    let composed = catalogue().backend(name).map_err(|error| match error {
        UnknownName::NotFound { .. } | UnknownName::Option(_) => Problem::not_found(error),
        UnknownName::Contradiction(_) => Problem::new(StatusCode::CONFLICT, error),
    })?;
    // Held until it is up, so that who asks for the same at the same time is told of it.
    let mut fleet = state.fleet.write().await;
    if let Ok(backend) = named(fleet.backends(), name) {
        return Ok(answer::json(StatusCode::OK, &state.told(backend, host)));
    }
    if fleet.backends().len() >= MOST {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("there are {MOST} backends; that is the most"),
        ));
    }
    let backend = fleet.add(&composed).await.map_err(|error| match error {
        FleetError::PortRange { .. } => Problem::new(StatusCode::CONFLICT, error),
        error => internal(&error),
    })?;
    Ok(answer::json(StatusCode::CREATED, &state.told(backend, host)))
}

/// What is wanted of the ledger; if there is nothing yet, as soon as there is something, or when the time is up.
async fn entries(state: &State, wanted: &Wanted) -> (Vec<Noted>, u64) {
    let mut news = state.news().await;
    let found = async {
        loop {
            news.forget();
            let (entries, last) = state.read(wanted).await;
            if !entries.is_empty() || news.come().await.is_none() {
                return (entries, last);
            }
        }
    };
    match timeout(wanted.wait, found).await {
        Ok(found) => found,
        Err(_) => state.read(wanted).await,
    }
}

fn named<'a>(backends: &'a [Backend], name: &str) -> Result<&'a Backend, Problem> {
    let found = backends.iter().find(|backend| backend.name() == name);
    found.ok_or_else(|| {
        Problem::not_found(format!("no backend \"{name}\" is up; PUT /backends/{name} starts it"))
    })
}

impl State {
    /// A path without the secret that it has to begin with, if there is one.
    fn path<'a>(&self, path: &'a str) -> Result<&'a str, Problem> {
        let Some(secret) = &self.secret else { return Ok(path) };
        let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(secret.as_str()));
        rest.filter(|rest| rest.starts_with('/')).ok_or_else(|| {
            Problem::not_found("nothing is here; the address that `gauntlet serve` has printed is longer")
        })
    }

    fn told<'a>(&self, backend: &'a Backend, host: &str) -> Told<'a> {
        let (profile, files) = (backend.profile(), &self.files);
        let port = backend.address().port();
        let url = format!("https://{}:{port}/", by_hand::called(profile, host));
        let by_name = Front::host(backend.composed()).ok();
        let by_name = by_name.map(|host| by_hand::curl_by_name(profile, &host, self.front.address(), files));
        let (url_by_name, curl_by_name) = by_name.unzip();
        let mut known = catalogue().backends();
        Told {
            name: backend.name(),
            family: known
                .find(|(name, ..)| *name == backend.name())
                .map_or("composed", |(_, family, _)| family),
            summary: &profile.summary,
            clause: &profile.clause,
            curl: by_hand::curl(profile, &url, files),
            curl_by_name,
            s_client: by_hand::s_client(profile, host, &port.to_string(), files),
            status: by_hand::status(profile, host, &port.to_string(), files),
            expect: Prospect::of(backend.composed()),
            url,
            url_by_name,
            port,
            scripted: backend.scripted(),
        }
    }
}

/// The host by which the caller has reached us, and by which it may reach the backends. A name is better than an
/// address, which cannot be a server name (RFC 6066 3).
fn host(headers: &HeaderMap) -> String {
    let authority = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host = guard::host(authority);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_here = bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_plain = |byte| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b':' | b'[' | b']');
    if !host.is_empty() && !is_here && host.bytes().all(is_plain) {
        host.to_owned()
    } else {
        "localhost".to_owned()
    }
}

async fn body(body: Incoming) -> Result<Vec<u8>, Problem> {
    match Limited::new(body, LARGEST).collect().await {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {LARGEST} bytes"),
        )),
        Err(error) => Err(Problem::bad_request(format!("the body did not come whole: {error}"))),
    }
}

fn internal(error: &dyn std::error::Error) -> Problem {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}{cause}"))
}
