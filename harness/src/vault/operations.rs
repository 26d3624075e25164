//! What each request does.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    response::{IntoResponse, Response},
    routing::{get, patch},
};
use hyper::{HeaderMap, Method, StatusCode, Uri, header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::json;
use tls_gauntlet_certs::PfxEncryption;

use super::held::{Material, Refusal, Store};
use crate::{
    http::{self, Problem, json},
    limits::Limits,
};

/// The largest file that is taken.
const LARGEST: usize = 256 * 1024;

/// The header in which a caller says who it is.
pub(super) const CALLER: &str = "x-caller";

/// The header in which the version of a certificate is handed out.
pub(super) const VERSION: &str = "x-version";

type Held = State<Arc<Store>>;

/// A segment of the path, or two.
type Segments<T> = Result<Path<T>, PathRejection>;

pub(super) fn router(store: Arc<Store>) -> Router {
    Router::new()
        .route("/certificates/{name}", get(versions).put(put))
        .route("/certificates/{name}/{version}", get(fetch).patch(switch))
        .route("/access/{caller}", patch(admit))
        .route("/requests", get(|State(store): Held| async move { json(StatusCode::OK, &store.asked()) }))
        .fallback(nothing)
        .with_state(store)
}

async fn nothing(method: Method, uri: Uri) -> Problem {
    let path = uri.path();
    Problem::not_found(format!("there is no {method} {path}; there are /certificates, /access and /requests"))
}

async fn put(
    State(store): Held,
    headers: HeaderMap,
    name: Segments<String>,
    body: Body,
) -> Result<Response, Problem> {
    let (Path(name), body) = (name?, http::whole(body, LARGEST, Limits::default().peer).await?);
    let password = header(&headers, "x-password").unwrap_or_default();
    let version = store.put(&name, Material::read(&body, password).map_err(Refusal::from)?);
    Ok(json(StatusCode::CREATED, &json!({ "name": name, "version": version })))
}

async fn versions(State(store): Held, name: Segments<String>) -> Result<Response, Problem> {
    let Path(name) = name?;
    Ok(json(StatusCode::OK, &json!({ "name": name, "versions": store.versions(&name)? })))
}

async fn fetch(
    State(store): Held,
    headers: HeaderMap,
    place: Segments<(String, String)>,
) -> Result<Response, Problem> {
    let Path((name, version)) = place?;
    let version = if version == "current" { None } else { Some(number(&version)?) };
    let caller = header(&headers, CALLER).unwrap_or("anonymous");
    let (number, material) = store.get(caller, &name, version)?;
    handed_out(number, &material)
}

async fn switch(
    State(store): Held,
    place: Segments<(String, String)>,
    body: Body,
) -> Result<Response, Problem> {
    let Path((name, version)) = place?;
    let (version, Switch { enabled }) =
        (number(&version)?, parsed(&http::whole(body, LARGEST, Limits::default().peer).await?)?);
    store.enable(&name, version, enabled)?;
    Ok(json(StatusCode::OK, &json!({ "name": name, "version": version, "enabled": enabled })))
}

async fn admit(State(store): Held, caller: Segments<String>, body: Body) -> Result<Response, Problem> {
    let (Path(caller), Access { allowed }) =
        (caller?, parsed(&http::whole(body, LARGEST, Limits::default().peer).await?)?);
    store.allow(&caller, allowed);
    Ok(json(StatusCode::OK, &json!({ "caller": caller, "allowed": allowed })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Access {
    allowed: bool,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Unusable(_) => StatusCode::BAD_REQUEST,
            Refusal::Unknown(_) => StatusCode::NOT_FOUND,
            // As Key Vault answers to both.
            Refusal::Denied { .. } | Refusal::Disabled { .. } => StatusCode::FORBIDDEN,
        };
        Self::new(status, refusal)
    }
}

fn handed_out(number: u32, material: &Material) -> Result<Response, Problem> {
    let (kind, content) = match material {
        Material::Identity(identity) => {
            let pfx = identity.pfx("", PfxEncryption::Modern).map_err(|error| Problem::internal(&error))?;
            ("application/x-pkcs12", pfx)
        }
        Material::Authorities(all) => {
            let pem: Result<Vec<_>, _> = all.iter().map(|one| one.to_pem()).collect();
            ("application/x-pem-file", pem.map_err(|error| Problem::internal(&error))?.concat())
        }
    };
    let headers = [(CONTENT_TYPE.as_str(), kind.to_owned()), (VERSION, number.to_string())];
    Ok((headers, content).into_response())
}

fn number(version: &str) -> Result<u32, Problem> {
    version.parse().map_err(|_| {
        Problem::bad_request(format!(
            "\"{version}\" is no number of a version, from 1 on; `current` can be fetched, not switched"
        ))
    })
}

fn parsed<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(Problem::bad_request)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
