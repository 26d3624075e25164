//! Caddy: the JSON that `caddy adapt` makes of a Caddyfile, and the lines of the Caddyfile that say so.
//!
//! What a Caddyfile means is for Caddy to say: snippets, named matchers, the order of directives. Where it says so is searched in
//! the Caddyfile itself, by the address that is dialled and the name of each directive. A configuration in JSON has its
//! own lines.

mod matchers;
mod proxy;
mod routes;
mod servers;
mod source;
mod upstreams;

use source::Source;

use super::{
    Configuration, Leg, Setting, Unreadable,
    files::{Text, Texts},
    tree::Node,
};

/// Whether a file is a Caddyfile, or a configuration of Caddy in JSON.
pub(super) fn is_one(path: &str, text: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    if name.ends_with(".json") {
        return text.contains("\"apps\"") && text.contains("\"servers\"");
    }
    let first = |line: &str| line.split_whitespace().next().is_some_and(|word| word == "reverse_proxy");
    name.starts_with("caddyfile") || name.ends_with(".caddyfile") || text.lines().any(first)
}

/// Reads a Caddyfile, or a configuration in JSON.
pub(super) fn read(
    path: &str,
    texts: &mut Texts<'_>,
    configuration: &mut Configuration,
) -> Result<(), Unreadable> {
    let (json, source) = if path.ends_with(".json") {
        (texts.within(path, None, |_, text: &Text| Node::of_yaml(text))?, None)
    } else {
        let source = source::read(path, texts)?;
        (Node::of_yaml(&texts.adapted(path)?)?, Some(source))
    };
    for (name, app) in json.get("apps").map_or(&[][..], Node::entries) {
        if !matches!(name.as_str(), "http" | "tls" | "pki" | "events") {
            configuration
                .problem(&Source::place(source.as_ref(), app), format!("the app {name} is not read"));
        }
    }
    for (_, server) in json.path("apps.http.servers").map_or(&[][..], Node::entries) {
        let views = servers::read(&json, server, source.as_ref(), configuration);
        routes::read(server, &views, source.as_ref(), configuration);
    }
    Ok(())
}

/// The line of the block `transport http` that gives a leg a sound value.
pub(super) fn remedy(leg: &Leg, setting: Setting) -> Option<String> {
    let host = leg.host_name();
    Some(match setting {
        Setting::Verification => "delete tls_insecure_skip_verify".to_owned(),
        Setting::Trust => "tls_trust_pool file /etc/ssl/certs/ca-certificates.crt".to_owned(),
        Setting::CheckedName | Setting::Sni => format!("tls_server_name {host}"),
        Setting::Certificate | Setting::Key => "tls_client_auth CERTIFICATE.pem KEY.pem".to_owned(),
        Setting::KeepAlive => "keepalive off".to_owned(),
        Setting::Retries => "lb_retries 0".to_owned(),
        Setting::Dates
        | Setting::Versions
        | Setting::Ciphers
        | Setting::RevocationList
        | Setting::Depth
        | Setting::HealthCheck => {
            return None;
        }
    })
}
