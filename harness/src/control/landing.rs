//! What whoever opens the address sees first: a page in a browser, the paths in a terminal, all of it as JSON.

use std::sync::LazyLock;

use hyper::{
    HeaderMap, Response, StatusCode,
    header::{ACCEPT, CONTENT_SECURITY_POLICY, HeaderValue, VARY},
};
use serde_json::{Value, json};

use super::{
    PFX_PASSWORD,
    answer::{self, Body},
    certificates,
    told::Told,
};
use crate::{
    backend::{
        DEFAULT_BACKEND, Front,
        by_hand::{self, Files},
    },
    page::{ELEMENTS, THEME, digest},
};

const TEMPLATE: &str = include_str!("landing/page.html");
const STYLE: &str = include_str!("landing/page.css");
const SCRIPT: &str = include_str!("landing/page.js");

/// The paths, one a line.
pub(super) const TEXT: &str = "\
Gauntlet serves mock TLS backends. This is their control API; /openapi.json describes it, a browser gets a page.

GET  /healthz                whether all backends are up
GET  /backends               what there is, and where
GET  /backends/NAME          one of them
PUT  /backends/NAME          starts one more, also a composition: tls12-only+expired-leaf
POST /backends/NAME/script   faults for its next connections
GET  /certs                  the names of the files below
GET  /certs/FILE             roots, revocation lists and client certificates: ca.pem, crl.pem, client-good.pfx (password: gauntlet)
GET  /ledger                 what the backends saw: ?nonce= ?since= ?backend= ?wait_ms=
GET  /ledger/stream          the same as server-sent events
GET  /hello                  what each caller's ClientHello offered: ?since= ?backend= and so on, as for the ledger
GET  /hello/ID               one of them, by the number of its connection in the ledger
";

/// What somebody wants to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Page,
    Json,
}

impl Kind {
    /// What is liked best of what there is (RFC 9110 12.5.1); text for who does not care.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let ranges: Vec<&str> = headers
            .get_all(ACCEPT)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .collect();
        let liked =
            |kind: Self| ranges.iter().filter_map(|range| kind.liked(range)).max().map_or(0, |(_, q)| q);
        let mut best = Self::Text;
        for kind in [Self::Page, Self::Json] {
            if liked(kind) > liked(best) {
                best = kind;
            }
        }
        best
    }

    /// How precisely a range names it, and its weight in thousandths; none if it does not fit.
    fn liked(self, range: &str) -> Option<(u8, u16)> {
        let mut parts = range.split(';').map(str::trim);
        let (kind, subkind) = match self {
            Self::Text => ("text", "plain"),
            Self::Page => ("text", "html"),
            Self::Json => ("application", "json"),
        };
        let precision = match parts.next()?.to_ascii_lowercase().split_once('/')? {
            ("*", "*") => 0,
            (first, "*") if first == kind => 1,
            (first, second) if (first, second) == (kind, subkind) => 2,
            _ => return None,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f64>().ok()).unwrap_or(1.0);
        // Three digits at most (RFC 9110 12.4.2).
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
        Some((precision, (weight.clamp(0.0, 1.0) * 1000.0) as u16))
    }
}

/// The page. It asks for the rest itself, and nobody else for anything.
pub(super) fn page() -> Response<Body> {
    static PAGE: LazyLock<(String, Option<HeaderValue>)> = LazyLock::new(|| {
        let (style, script) = (THEME.to_owned() + STYLE, ELEMENTS.to_owned() + SCRIPT);
        let policy = format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
            digest(&style),
            digest(&script),
        );
        let page = TEMPLATE.replace("{{ style }}", &style).replace("{{ script }}", &script);
        (page, HeaderValue::from_str(&policy).ok())
    });
    let (page, policy) = &*PAGE;
    let mut response = answer::of(StatusCode::OK, "text/html; charset=utf-8", page.as_str());
    let headers = response.headers_mut();
    headers.extend(policy.clone().map(|policy| (CONTENT_SECURITY_POLICY, policy)));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    response
}

/// The same as JSON: the backends by family, the sound ones first, and what callers need.
pub(super) fn overview(told: &[Told<'_>], front: &Front, files: &Files) -> Value {
    let mut names: Vec<&str> = told.iter().map(|backend| backend.family).collect();
    names.sort_unstable_by_key(|name| (*name != "sound", *name == "composed", *name));
    names.dedup();
    let families: Vec<Value> = names
        .iter()
        .map(|name| {
            let backends: Vec<_> = told.iter().filter(|backend| backend.family == *name).collect();
            json!({ "name": name, "backends": backends })
        })
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "families": families,
        "by_name": {
            "port": front.address().port(),
            "default": DEFAULT_BACKEND,
            "example": by_hand::example_by_name(front.address(), files).trim_start(),
        },
        "files": { "ca": files.ca, "certificate": files.certificate, "key": files.key },
        "certs": certificates::names(),
        "pfx_password": PFX_PASSWORD,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(None, Kind::Text)]
    #[case(Some("*/*"), Kind::Text)]
    #[case(Some("application/json"), Kind::Json)]
    #[case(Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Kind::Page)]
    #[case(Some("text/html;q=0.5, application/json"), Kind::Json)]
    #[case(Some("text/*, application/json;q=0"), Kind::Text)]
    #[case(Some("image/png"), Kind::Text)]
    fn what_is_liked_best_is_what_comes(#[case] accept: Option<&str>, #[case] kind: Kind) {
        let headers = accept.map(|accept| (ACCEPT, accept.parse().unwrap()));
        assert_eq!(Kind::accepted(&headers.into_iter().collect()), kind);
    }
}
