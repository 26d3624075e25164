//! The services of Traefik: what they dial, and with which transport.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    super::{At, Configuration, Dialled, Role, Setting, Stated, tree::Node},
    Files, entries,
    protocol::Protocol,
};

/// Servers of a service with the same settings.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) dialled: Vec<Dialled>,
    pub(super) tls: bool,
    pub(super) settings: BTreeMap<Setting, Stated>,
}

/// The groups of a service, also of those that it is made of.
pub(super) fn read(
    files: &Files,
    protocol: Protocol,
    name: &str,
    from: &At,
    configuration: &mut Configuration,
) -> Vec<Group> {
    let mut waiting = vec![(name.to_owned(), from.clone())];
    let mut found = Vec::new();
    let problems = configuration.problems.len();
    let mut seen: Vec<String> = Vec::new();
    while let Some((name, at)) = waiting.pop() {
        if seen.contains(&name) {
            continue;
        }
        seen.push(name.clone());
        let Some(service) = files.named(&protocol.path("services"), &name) else {
            configuration.problem(&at, format!("there is no service \"{name}\""));
            continue;
        };
        let mut names = Vec::new();
        for list in ["weighted.services", "mirroring.mirrors", "highestRandomWeight.services"] {
            names.extend(service.list(list).iter().filter_map(|each| each.stated("name")));
        }
        for single in ["mirroring.service", "failover.service", "failover.fallback"] {
            names.extend(service.stated(single));
        }
        waiting.extend(names.into_iter().rev().map(|name| (name.value, name.at)));
        if let Some(balancer) = service.get("loadBalancer") {
            balanced(files, protocol, &name, balancer, &mut found, configuration);
        }
    }
    if found.is_empty() && configuration.problems.len() == problems {
        configuration.problem(from, format!("the service \"{name}\" leads to no server"));
    }
    found
}

fn balanced(
    files: &Files,
    protocol: Protocol,
    name: &str,
    balancer: &Node,
    found: &mut Vec<Group>,
    configuration: &mut Configuration,
) {
    let transport = transport(files, protocol, balancer, configuration);
    let begun = found.len();
    for server in balancer.list("servers") {
        let Some((dialled, tls)) = dialled(protocol, server, configuration) else { continue };
        let mut settings = BTreeMap::new();
        if tls {
            secure(&transport, balancer, &dialled, &mut settings, configuration);
        }
        if let Some(most) = transport.own.and_then(|own| own.stated("maxIdleConnsPerHost")) {
            let value = format!("maxIdleConnsPerHost {}", most.value);
            settings.insert(Setting::KeepAlive, Stated { value, ..most });
        }
        if let Some(check) = balancer.get("healthCheck") {
            settings.insert(Setting::HealthCheck, Stated::at(&check.at, "active"));
        }
        let values = |settings: &BTreeMap<Setting, Stated>| {
            settings.iter().map(|(setting, stated)| (*setting, stated.value.clone())).collect::<Vec<_>>()
        };
        let same = |group: &&mut Group| group.tls == tls && values(&group.settings) == values(&settings);
        match found[begun..].iter_mut().find(same) {
            Some(group) => group.dialled.push(dialled),
            None => found.push(Group { name: name.to_owned(), dialled: vec![dialled], tls, settings }),
        }
    }
    if found.len() == begun {
        configuration.problem(&balancer.at, format!("the service \"{name}\" names no server"));
    }
}

/// Where the settings of a transport stand: its own, which may lie deeper for TCP, or the static default.
struct Transport<'a> {
    own: Option<&'a Node>,
    tls: Option<&'a Node>,
}

fn transport<'a>(
    files: &'a Files,
    protocol: Protocol,
    balancer: &Node,
    configuration: &mut Configuration,
) -> Transport<'a> {
    let named = balancer.stated("serversTransport");
    let own = match &named {
        Some(name) => {
            let own = files.named(&protocol.path("serversTransports"), &name.value);
            if own.is_none() {
                configuration.problem(&name.at, format!("there is no transport \"{}\"", name.value));
            }
            own
        }
        None => files.path(match protocol {
            Protocol::Http => "serversTransport",
            Protocol::Tcp => "tcpServersTransport",
        }),
    };
    let tls = match protocol {
        Protocol::Http => own,
        Protocol::Tcp => own.and_then(|own| own.get("tls")),
    };
    if let Some(spiffe) = tls.and_then(|tls| tls.get("spiffe")) {
        configuration.problem(&spiffe.at, "SPIFFE checks the certificate in place of trust file and name");
    }
    Transport { own, tls }
}

fn dialled(protocol: Protocol, server: &Node, configuration: &mut Configuration) -> Option<(Dialled, bool)> {
    let (text, tls, default) = match protocol {
        Protocol::Http => {
            let url = server.stated("url")?;
            let (scheme, rest) = url.value.split_once("://").unwrap_or(("", &url.value));
            let (tls, default) = match scheme {
                "https" => (true, 443),
                "http" | "h2c" => (false, 80),
                _ => {
                    configuration
                        .problem(&url.at, format!("the URL {} has no scheme that is known", url.value));
                    return None;
                }
            };
            (
                Stated { value: rest.split('/').next().unwrap_or_default().to_owned(), ..url.clone() },
                tls,
                default,
            )
        }
        Protocol::Tcp => (server.stated("address")?, server.text_at("tls") == Some("true"), 0),
    };
    let (host, port) = match text.value.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (text.value.as_str(), default),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some((Dialled { host, port, at: text.at }, tls))
}

fn secure(
    transport: &Transport<'_>,
    balancer: &Node,
    dialled: &Dialled,
    settings: &mut BTreeMap<Setting, Stated>,
    configuration: &mut Configuration,
) {
    let at = transport.tls.map_or(&balancer.at, |tls| &tls.at);
    let stated = |path: &str| transport.tls.and_then(|tls| tls.stated(path));
    let verification = stated("insecureSkipVerify").map_or_else(
        || Stated::default_at(at, "on"),
        |skip| Stated { value: if skip.value == "true" { "off" } else { "on" }.to_owned(), ..skip },
    );
    settings.insert(Setting::Verification, verification);
    // Go takes the host of the URL for both where no name is set; it sends no address.
    let name = stated("serverName").filter(|name| !name.value.is_empty());
    let name = name.unwrap_or_else(|| Stated::default_at(&dialled.at, &dialled.host));
    let is_address = name.value.parse::<IpAddr>().is_ok();
    let sni = if is_address { Stated { value: "off".to_owned(), ..name.clone() } } else { name.clone() };
    settings.insert(Setting::Sni, sni);
    settings.insert(Setting::CheckedName, name);
    match transport.tls.and_then(|tls| tls.get("rootCAs")) {
        Some(authorities) => {
            let files: Vec<String> = authorities
                .items()
                .iter()
                .filter_map(|file| entries::name(file, Role::Trust, configuration))
                .map(|stated| stated.value)
                .collect();
            settings.insert(Setting::Trust, Stated::at(&authorities.at, files.join(" ")));
        }
        None => {
            settings.insert(Setting::Trust, Stated::default_at(at, "system"));
        }
    }
    let first = transport.tls.and_then(|tls| tls.list("certificates").first());
    if let Some(identity) =
        first.and_then(|node| entries::identity(node, (Role::Certificate, Role::Key), configuration))
    {
        settings.insert(Setting::Certificate, identity.certificate);
        settings.extend(identity.key.map(|key| (Setting::Key, key)));
    }
    let (lowest, highest) = (stated("minVersion"), stated("maxVersion"));
    if let Some(at) = lowest.as_ref().or(highest.as_ref()).map(|stated| stated.at.clone()) {
        let words = [("from", lowest), ("to", highest)];
        let words = words.into_iter().filter_map(|(word, stated)| Some(format!("{word} {}", stated?.value)));
        settings.insert(Setting::Versions, Stated::at(&at, words.collect::<Vec<_>>().join(" ")));
    }
    if let Some(suites) = transport.tls.and_then(|tls| tls.get("cipherSuites")) {
        settings.insert(Setting::Ciphers, suites.joined());
    }
}
