//! What whoever opens the address sees first: a page in a browser, the paths in a terminal, all of it as JSON.

use std::sync::LazyLock;

use axum::response::Response;
use serde_json::{Value, json};

use super::{PFX_PASSWORD, certificates, told::Told};
use crate::{
    backend::{
        DEFAULT_BACKEND, Front,
        by_hand::{self, Files},
    },
    http,
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
GET  /stand-ins              ports that play one backend after another, and what each plays
POST /stand-ins/PORT         plays a backend there from now on, for a gateway that dials this port: backend, name
GET  /stand-ins/PORT         what it plays, and what it saw; DELETE gives the port back
GET  /certs                  the names of the files below
GET  /certs/FILE             roots, revocation lists and client certificates: ca.pem, crl.pem, client-good.pfx (password: gauntlet)
GET  /ledger                 what the backends saw: ?nonce= ?since= ?backend= ?wait_ms=
GET  /ledger/stream          the same as server-sent events
GET  /hello                  what each caller's ClientHello offered: ?since= ?backend= and so on, as for the ledger
GET  /hello/ID               one of them, by the number of its connection in the ledger
";

/// The page, and its policy. It asks for the rest itself, and for nothing from elsewhere.
pub(super) fn page() -> Response {
    static PAGE: LazyLock<(String, String)> = LazyLock::new(|| {
        let (style, script) = (THEME.to_owned() + STYLE, ELEMENTS.to_owned() + SCRIPT);
        let policy = format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
            digest(&style),
            digest(&script),
        );
        (TEMPLATE.replace("{{ style }}", &style).replace("{{ script }}", &script), policy)
    });
    http::page(&PAGE.0, &PAGE.1)
}

/// The landing page as JSON: the backends by family, the sound ones first, and what callers need.
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
