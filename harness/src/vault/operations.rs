//! What each request does.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;
use serde_json::json;
use tls_gauntlet_certs::PfxEncryption;

use super::held::{Material, Refusal, Store};

/// The largest file that is taken.
const LARGEST: usize = 256 * 1024;

/// The header in which a caller says who it is.
pub(super) const CALLER: &str = "x-caller";

/// The header in which the version of a certificate is handed out.
pub(super) const VERSION: &str = "x-version";

type Answer = Response<Full<Bytes>>;

pub(super) async fn answer(store: Arc<Store>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    Ok(carry_out(&store, request).await.unwrap_or_else(|problem| problem.answer()))
}

async fn carry_out(store: &Store, request: Request<Incoming>) -> Result<Answer, Problem> {
    let (head, body) = request.into_parts();
    let caller = header(&head.headers, CALLER).unwrap_or("anonymous").to_owned();
    let path = head.uri.path().to_owned();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let body = async { Limited::new(body, LARGEST).collect().await.map(|body| body.to_bytes()) };
    let body = body.await.map_err(|_| Problem::bad(format!("a body has at most {LARGEST} bytes")))?;
    match (&head.method, segments.as_slice()) {
        (&Method::PUT, ["certificates", name]) => {
            let password = header(&head.headers, "x-password").unwrap_or_default();
            let material = Material::read(&body, password).map_err(Refusal::from)?;
            let version = store.put(name, material);
            Ok(said(StatusCode::CREATED, &json!({ "name": name, "version": version })))
        }
        (&Method::GET, ["certificates", name]) => {
            Ok(said(StatusCode::OK, &json!({ "name": name, "versions": store.versions(name)? })))
        }
        (&Method::GET, ["certificates", name, version]) => {
            let (number, material) = store.get(&caller, name, wanted(version)?)?;
            handed_out(number, &material)
        }
        (&Method::PATCH, ["certificates", name, version]) => {
            let Switch { enabled } = parsed(&body)?;
            let version = wanted(version)?;
            let version = version.ok_or_else(|| Problem::bad("name a version by its number".to_owned()))?;
            store.enable(name, version, enabled)?;
            Ok(said(StatusCode::OK, &json!({ "name": name, "version": version, "enabled": enabled })))
        }
        (&Method::PATCH, ["access", caller]) => {
            let Access { allowed } = parsed(&body)?;
            store.allow(caller, allowed);
            Ok(said(StatusCode::OK, &json!({ "caller": caller, "allowed": allowed })))
        }
        (&Method::GET, ["requests"]) => Ok(said(StatusCode::OK, &json!(store.asked()))),
        (method, _) => Err(Problem {
            status: StatusCode::NOT_FOUND,
            detail: format!("there is no {method} {path}; there are /certificates, /access and /requests"),
        }),
    }
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

/// A request that comes to nothing, in the words of RFC 9457.
#[derive(Debug)]
struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    const fn bad(detail: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, detail }
    }

    fn answer(&self) -> Answer {
        let title = self.status.canonical_reason().unwrap_or_default();
        let problem = json!({ "title": title, "status": self.status.as_u16(), "detail": self.detail });
        said(self.status, &problem)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Unusable(_) => StatusCode::BAD_REQUEST,
            Refusal::Unknown(_) => StatusCode::NOT_FOUND,
            // As Key Vault answers to both.
            Refusal::Denied { .. } | Refusal::Disabled { .. } => StatusCode::FORBIDDEN,
        };
        Self { status, detail: refusal.to_string() }
    }
}

fn handed_out(number: u32, material: &Material) -> Result<Answer, Problem> {
    let internal = |detail: String| Problem { status: StatusCode::INTERNAL_SERVER_ERROR, detail };
    let (kind, content) = match material {
        Material::Identity(identity) => {
            let pfx = identity.pfx("", PfxEncryption::Modern).map_err(|error| internal(error.to_string()))?;
            ("application/x-pkcs12", pfx)
        }
        Material::Authorities(all) => {
            let pem: Result<Vec<_>, _> = all.iter().map(|one| one.to_pem()).collect();
            ("application/x-pem-file", pem.map_err(|error| internal(error.to_string()))?.concat())
        }
    };
    let mut answer = Response::new(Full::new(content.into()));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(VERSION, HeaderValue::from(number));
    Ok(answer)
}

fn said(status: StatusCode, value: &serde_json::Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(format!("{value}\n"))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// A version by its number; none is the current one.
fn wanted(version: &str) -> Result<Option<u32>, Problem> {
    if version == "current" {
        return Ok(None);
    }
    let number = version.parse().map(Some);
    number.map_err(|_| {
        Problem::bad(format!("\"{version}\" is no version; write current, or a number from 1 on"))
    })
}

fn parsed<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::bad(error.to_string()))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
