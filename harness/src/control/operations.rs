//! What each request does.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State, rejection::PathRejection},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hyper::{
    HeaderMap, StatusCode, Uri,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
    http::uri::PathAndQuery,
};
use serde_json::json;
use tls_gauntlet_scenarios::{UnknownName, catalogue};
use tokio::time::timeout;

use super::{
    OPENAPI, State as Shared, certificates,
    chronicle::Noted,
    guard, landing,
    prospect::Prospect,
    query::{EXACT, Wanted, number},
    script, stand_ins, stream,
    told::Told,
};
use crate::{
    backend::{Backend, FleetError, Front, by_hand},
    hello::{self, Heard},
    http::{self, Problem, json},
    limits::{Limits, REQUEST_BODY},
    page::{Face, digest},
};

/// The most backends there may be: each holds a port, and its certificates.
const MOST: usize = 1000;

type Asked = State<Arc<Shared>>;

/// A segment of the path.
type Segment = Result<Path<String>, PathRejection>;

/// Every path of `openapi.json`, behind the guard and the secret.
pub(super) fn router(state: Arc<Shared>) -> Router {
    let paths = Router::new()
        .route("/", get(overview))
        .route("/healthz", get(health))
        .route("/openapi.json", get(|| async { ([(CONTENT_TYPE, "application/json")], OPENAPI) }))
        .route("/backends", get(backends))
        .route("/backends/{name}", get(backend).put(add))
        .route("/backends/{name}/script", post(follow_script))
        .route("/stand-ins", get(all_stand_ins))
        .route("/stand-ins/{port}", get(stand_in).post(play).delete(release))
        .route("/certs", get(|| async { json(StatusCode::OK, &certificates::names()) }))
        .route("/certs/{file}", get(certificate))
        .route("/ledger", get(ledger))
        .route("/ledger/stream", get(ledger_stream))
        .route("/hello", get(hellos))
        .route("/hello/{id}", get(hello))
        .fallback(nothing)
        .with_state(Arc::clone(&state));
    Router::new().fallback_service(paths).layer(from_fn_with_state(state, enter))
}

/// What every request passes: the guard, and the secret, without which the path is looked up.
async fn enter(State(state): Asked, mut request: Request, next: Next) -> Response {
    let entered = guard::check(request.method(), request.uri(), request.headers(), &state.names)
        .and_then(|()| state.without_secret(request.uri()));
    let response = match entered {
        Ok(uri) => {
            *request.uri_mut() = uri;
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    sealed(response)
}

/// The response, kept from the pages of others, and from caches: what is told is of this moment, and the address may hold
/// a secret.
fn sealed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let mut put = |name: HeaderName, value| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    put(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    put(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    put(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    put(REFERRER_POLICY, "no-referrer");
    put(X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

async fn nothing(uri: Uri) -> Problem {
    Problem::not_found(format!("nothing is at {}; / lists what there is", uri.path()))
}

async fn overview(State(state): Asked, headers: HeaderMap) -> Response {
    match Face::accepted(&headers) {
        Face::Text => ([(CONTENT_TYPE, "text/plain; charset=utf-8")], landing::TEXT).into_response(),
        Face::Page => landing::page(),
        Face::Json => {
            let (fleet, host) = (state.fleet.read().await, host(&headers));
            let told: Vec<_> = fleet.backends().iter().map(|backend| state.told(backend, &host)).collect();
            json(StatusCode::OK, &landing::overview(&told, &state.front, &state.files))
        }
    }
}

async fn health(State(state): Asked) -> Response {
    let backends = state.fleet.read().await.backends().len();
    let version = env!("CARGO_PKG_VERSION");
    json(StatusCode::OK, &json!({ "status": "ok", "version": version, "backends": backends }))
}

async fn backends(State(state): Asked, headers: HeaderMap) -> Response {
    let (fleet, host) = (state.fleet.read().await, host(&headers));
    let all: Vec<_> = fleet.backends().iter().map(|backend| state.told(backend, &host)).collect();
    json(StatusCode::OK, &all)
}

async fn backend(State(state): Asked, headers: HeaderMap, name: Segment) -> Result<Response, Problem> {
    let (fleet, Path(name)) = (state.fleet.read().await, name?);
    Ok(json(StatusCode::OK, &state.told(named(fleet.backends(), &name)?, &host(&headers))))
}

async fn follow_script(
    State(state): Asked,
    headers: HeaderMap,
    name: Segment,
    body: Body,
) -> Result<Response, Problem> {
    let (Path(name), faults) =
        (name?, script::parse(&http::whole(body, REQUEST_BODY, Limits::default().peer).await?)?);
    let fleet = state.fleet.read().await;
    let backend = named(fleet.backends(), &name)?;
    backend.script(faults).await.map_err(|error| Problem::internal(&error))?;
    Ok(json(StatusCode::OK, &state.told(backend, &host(&headers))))
}

async fn all_stand_ins(State(state): Asked) -> Response {
    json(StatusCode::OK, &stand_ins::list(&state).await)
}

async fn stand_in(State(state): Asked, port: Segment) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &stand_ins::show(&state, self::port(port)?).await?))
}

async fn play(State(state): Asked, port: Segment, body: Body) -> Result<Response, Problem> {
    let port = self::port(port)?;
    let part = http::whole(body, REQUEST_BODY, Limits::default().peer).await?;
    let (status, told) = stand_ins::play(&state, port, &part).await?;
    Ok(json(status, &told))
}

async fn release(State(state): Asked, port: Segment) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &stand_ins::release(&state, self::port(port)?).await?))
}

fn port(segment: Segment) -> Result<u16, Problem> {
    let Path(port) = segment?;
    let port = number("port", &port, u64::from(u16::MAX))?;
    u16::try_from(port).map_err(Problem::bad_request)
}

async fn certificate(State(state): Asked, headers: HeaderMap, name: Segment) -> Result<Response, Problem> {
    let (pki, Path(name)) = (Arc::clone(state.fleet.read().await.pki()), name?);
    if certificates::holds_a_key(&name) {
        guard::may_have_keys(&headers, state.token.as_deref())?;
    }
    let file = certificates::file(&pki, &name).map_err(|error| Problem::internal(&*error))?;
    let file = file.ok_or_else(|| {
        Problem::not_found(format!("there is no file \"{name}\"; /certs lists what there is"))
    })?;
    Ok(([(CONTENT_TYPE, file.kind)], file.content).into_response())
}

async fn ledger(State(state): Asked, uri: Uri) -> Result<Response, Problem> {
    let (entries, last) = entries(&state, &Wanted::of(&uri)?).await;
    let entries = entries.into_iter().map(|noted| serde_json::to_string(&noted.entry()).ok());
    Ok(http::list(last, "entries", entries))
}

async fn ledger_stream(State(state): Asked, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    stream::events(state, Wanted::of(&uri)?, &headers)
}

async fn hellos(State(state): Asked, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let (entries, last) = entries(&state, &Wanted::of(&uri)?).await;
    Ok(match Face::accepted(&headers) {
        Face::Page => {
            let hellos: Vec<_> = entries.iter().filter_map(heard).collect();
            http::page(&hello::list(&hellos), &policy())
        }
        Face::Text | Face::Json => {
            let hellos = entries.into_iter().map(|noted| serde_json::to_string(&heard(&noted)?).ok());
            http::list(last, "hellos", hellos)
        }
    })
}

async fn hello(State(state): Asked, headers: HeaderMap, id: Segment) -> Result<Response, Problem> {
    let Path(id) = id?;
    let id = number("id", &id, EXACT)?;
    let missing = || Problem::not_found(format!("no ClientHello has the number {id}; /hello lists them"));
    let wanted = Wanted { since: id.checked_sub(1).ok_or_else(missing)?, ..Wanted::default() };
    let (entries, _) = state.read(&wanted).await;
    let noted = entries.first().filter(|noted| noted.sequence == id);
    let heard = noted.and_then(heard).ok_or_else(missing)?;
    Ok(match Face::accepted(&headers) {
        Face::Page => http::page(&heard.page(), &policy()),
        Face::Text | Face::Json => json(StatusCode::OK, &heard),
    })
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
async fn add(State(state): Asked, headers: HeaderMap, name: Segment) -> Result<Response, Problem> {
    let (Path(name), host) = (name?, host(&headers));
    let composed = catalogue().backend(&name).map_err(|error| match error {
        UnknownName::NotFound { .. } | UnknownName::Option(_) => Problem::not_found(error),
        UnknownName::Contradiction(_) => Problem::new(StatusCode::CONFLICT, error),
    })?;
    // Held until it is up, so that a second request for it finds it.
    let mut fleet = state.fleet.write().await;
    if let Ok(backend) = named(fleet.backends(), &name) {
        return Ok(json(StatusCode::OK, &state.told(backend, &host)));
    }
    if fleet.backends().len() >= MOST {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("there are {MOST} backends; that is the most"),
        ));
    }
    let backend = fleet.add(&composed).await.map_err(|error| match error {
        FleetError::PortRange { .. } => Problem::new(StatusCode::CONFLICT, error),
        error => Problem::internal(&error),
    })?;
    Ok(json(StatusCode::CREATED, &state.told(backend, &host)))
}

/// What is wanted of the ledger; if there is nothing yet, as soon as there is something, or when the time is up.
async fn entries(state: &Shared, wanted: &Wanted) -> (Vec<Noted>, u64) {
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

impl Shared {
    /// An address without the secret with which its path has to begin, if there is one.
    fn without_secret(&self, uri: &Uri) -> Result<Uri, Problem> {
        let Some(secret) = &self.secret else { return Ok(uri.clone()) };
        let whole = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let rest = whole.strip_prefix('/').and_then(|path| path.strip_prefix(secret.as_str()));
        let rest = rest.filter(|rest| rest.starts_with('/')).and_then(|rest| rest.parse().ok());
        rest.ok_or_else(|| {
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
