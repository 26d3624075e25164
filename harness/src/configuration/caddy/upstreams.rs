//! The upstreams of a `reverse_proxy` of Caddy, and the settings of its transport.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    super::{At, Configuration, Dialled, Leg, Role, Setting, Stated, Url, tree::Node},
    proxy::Proxy,
    source::{Line, Source},
};

/// Where a proxy and its settings stand.
struct Place<'a> {
    line: Option<&'a Line>,
    /// The line of the proxy.
    at: At,
    /// Whether a value's own line is that of a Caddyfile's adaptation, which nobody wrote.
    adapted: bool,
}

impl Place<'_> {
    /// The line of a directive in the proxy's block; of JSON, of the value itself.
    fn of(&self, keyword: &str, node: &Node) -> At {
        if self.adapted {
            self.line
                .and_then(|line| line.find(keyword))
                .map_or_else(|| self.at.clone(), |line| line.at.clone())
        } else {
            node.at.clone()
        }
    }

    fn stated(&self, keyword: &str, node: &Node) -> Option<Stated> {
        Some(Stated::at(&self.of(keyword, node), node.text()?))
    }
}

/// Adds the legs of a proxy: one, or one for each name that its members are checked for.
pub(super) fn legs(
    proxy: &Proxy<'_>,
    url: &Url,
    listener: usize,
    source: Option<(&Source, &[&Line])>,
    configuration: &mut Configuration,
) {
    let handler = proxy.handler;
    let mut groups: Vec<Leg> = Vec::new();
    let tls = handler.path("transport.tls");
    for (dialled, node) in members(handler) {
        let dial = node.text_at("dial").map_or_else(|| dialled.host.clone(), str::to_owned);
        let line = source.and_then(|(source, sites)| source.proxy(sites, &dial, &proxy.patterns));
        let first = source.and_then(|(_, sites)| sites.first()).map(|site| site.at.clone());
        let at = line.map(|line| line.at.clone()).or(first).unwrap_or_else(|| handler.at.clone());
        let place = Place { line, at, adapted: source.is_some() };
        if dialled.host.contains('{') {
            configuration.problem(&place.at, format!("the backend depends on {}", dialled.host));
            continue;
        }
        let own = match line.and_then(|line| line.dialling(&dial)) {
            Some(at) => at.clone(),
            None if place.adapted => place.at.clone(),
            None => node.at.clone(),
        };
        let dialled = Dialled { at: own, ..dialled };
        let mut settings = of_connections(handler, &place);
        if let Some(tls) = tls {
            secure(tls, &dialled, &url.host, &place, &mut settings, configuration);
        }
        let values = |settings: &BTreeMap<Setting, Stated>| {
            settings.iter().map(|(setting, stated)| (*setting, stated.value.clone())).collect::<Vec<_>>()
        };
        match groups.iter_mut().find(|leg| values(&leg.settings) == values(&settings)) {
            Some(leg) => leg.dialled.push(dialled),
            None => groups.push(Leg {
                name: format!("reverse_proxy {dial}"),
                at: place.at,
                url: url.clone(),
                listener,
                dialled: vec![dialled],
                tls: tls.is_some(),
                settings,
            }),
        }
    }
    if members(handler).is_empty() {
        let name = handler.text_at("dynamic_upstreams.name").unwrap_or_default();
        let line = source.and_then(|(source, sites)| {
            source.proxy(sites, name, &proxy.patterns).or(sites.first().copied())
        });
        let at = line.map_or_else(|| handler.at.clone(), |line| line.at.clone());
        configuration.problem(&at, "the upstreams of a reverse_proxy are not named in the configuration");
    }
    configuration.legs.extend(groups);
}

/// What is dialled, each with the node that names it.
fn members(handler: &Node) -> Vec<(Dialled, &Node)> {
    let fixed = handler
        .list("upstreams")
        .iter()
        .filter_map(|node| Some((address(node.text_at("dial")?, &node.at)?, node)));
    // A name that is resolved for each request (`dynamic a`).
    let resolved = handler
        .get("dynamic_upstreams")
        .filter(|node| node.text_at("source") == Some("a"))
        .and_then(|node| {
            let port = node.text_at("port").and_then(|port| port.parse().ok()).unwrap_or(80);
            Some((Dialled { host: node.text_at("name")?.to_owned(), port, at: node.at.clone() }, node))
        });
    fixed.chain(resolved).collect()
}

fn address(dial: &str, at: &At) -> Option<Dialled> {
    let at = at.clone();
    if let Some(path) = dial.strip_prefix("unix/").or_else(|| dial.strip_prefix("unix+h2c/")) {
        return Some(Dialled { host: format!("unix:{path}"), port: 0, at });
    }
    let (host, port) = dial.rsplit_once(':')?;
    if dial.contains('{') {
        return Some(Dialled { host: dial.to_owned(), port: 0, at });
    }
    let host =
        host.rsplit('/').next().unwrap_or(host).trim_start_matches('[').trim_end_matches(']').to_owned();
    Some(Dialled { host, port: port.parse().ok()?, at })
}

fn of_connections(handler: &Node, place: &Place<'_>) -> BTreeMap<Setting, Stated> {
    let mut settings = BTreeMap::new();
    if let Some(node) = handler.path("transport.keep_alive.enabled") {
        let value = if node.text() == Some("false") { "off" } else { "on" };
        settings.insert(Setting::KeepAlive, Stated::at(&place.of("keepalive", node), value));
    }
    for (path, keyword) in
        [("load_balancing.try_duration", "lb_try_duration"), ("load_balancing.retries", "lb_retries")]
    {
        if let Some(stated) = handler.path(path).and_then(|node| place.stated(keyword, node)) {
            // Its own words where it has some: the adaptation counts nanoseconds.
            let own = place.line.and_then(|line| line.find(keyword)).map(|line| line.words.join(" "));
            let value = own.unwrap_or_else(|| format!("{keyword} {}", stated.value));
            settings.insert(Setting::Retries, Stated { value, ..stated });
        }
    }
    for (path, keywords) in [
        ("health_checks.passive", &["fail_duration"][..]),
        ("health_checks.active", &["health_uri", "health_port"]),
    ] {
        if let Some(node) = handler.path(path) {
            let keyword =
                keywords.iter().find(|keyword| place.line.is_some_and(|line| line.find(keyword).is_some()));
            let word = path.rsplit('.').next().unwrap_or(path);
            settings.insert(
                Setting::HealthCheck,
                Stated::at(&place.of(keyword.unwrap_or(&"health_uri"), node), word),
            );
        }
    }
    settings
}

fn secure(
    tls: &Node,
    dialled: &Dialled,
    called: &str,
    place: &Place<'_>,
    settings: &mut BTreeMap<Setting, Stated>,
    configuration: &mut Configuration,
) {
    let stated = |path: &str, keyword: &str| tls.path(path).and_then(|node| place.stated(keyword, node));
    let skips =
        stated("insecure_skip_verify", "tls_insecure_skip_verify").filter(|stated| stated.value == "true");
    let verification = skips.map(|stated| Stated { value: "off".to_owned(), ..stated });
    settings
        .insert(Setting::Verification, verification.unwrap_or_else(|| Stated::default_at(&place.at, "on")));
    // Go takes the host that is dialled for both where no name is set; it sends no address.
    let name = match stated("server_name", "tls_server_name") {
        None => Stated::default_at(&place.at, &dialled.host),
        Some(name) => {
            let value = match name.value.as_str() {
                "{http.request.host}" | "{http.request.hostport}" => called.to_owned(),
                "{http.reverse_proxy.upstream.host}" => dialled.host.clone(),
                other => {
                    if other.contains('{') {
                        configuration.problem(&name.at, format!("the name depends on {other}"));
                    }
                    other.to_owned()
                }
            };
            Stated { value, ..name }
        }
    };
    let is_address = name.value.parse::<IpAddr>().is_ok();
    let sni = if is_address { Stated { value: "off".to_owned(), ..name.clone() } } else { name.clone() };
    settings.insert(Setting::Sni, sni);
    settings.insert(Setting::CheckedName, name);
    let trust = [("ca.pem_files", "tls_trust_pool"), ("root_ca_pem_files", "tls_trusted_ca_certs")];
    let files = trust.iter().find_map(|(path, keyword)| Some((tls.path(path)?, *keyword)));
    let trust = match files {
        Some((files, keyword)) => {
            let at = place.of(keyword, files);
            for file in files.items().iter().filter_map(Node::text) {
                configuration.name_file(Role::Trust, &Stated::at(&at, file));
            }
            Stated::at(&at, files.joined().value)
        }
        None => {
            if let Some(other) = ["ca", "root_ca_pool"].iter().find_map(|path| tls.get(path)) {
                configuration
                    .problem(&place.of("tls_trust_pool", other), "the authorities are not those of a file");
            }
            Stated::default_at(&place.at, "system")
        }
    };
    settings.insert(Setting::Trust, trust);
    let files = [
        (Setting::Certificate, "client_certificate_file", Role::Certificate),
        (Setting::Key, "client_certificate_key_file", Role::Key),
    ];
    for (setting, path, role) in files {
        if let Some(file) = stated(path, "tls_client_auth") {
            configuration.name_file(role, &file);
            settings.insert(setting, file);
        }
    }
}
