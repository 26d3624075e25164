//! The servers of Caddy: addresses, names, certificates, and what is wanted of clients.

use super::{
    super::{At, ClientPolicy, Configuration, IdentityFiles, Listener, Role, Stated, tree::Node},
    matchers,
    source::{Line, Source},
};

/// A listener as routes need it: its place, and the names for which it is.
#[derive(Debug)]
pub(super) struct View {
    pub(super) listener: usize,
    pub(super) names: Vec<String>,
    pub(super) tls: bool,
    pub(super) port: u16,
}

/// Adds the listeners of a server: one for the names of each connection policy that has some, one for the rest.
pub(super) fn read(
    json: &Node,
    server: &Node,
    source: Option<&Source>,
    configuration: &mut Configuration,
) -> Vec<View> {
    let hosts: Vec<&Node> = server.list("routes").iter().flat_map(matchers::hosts).collect();
    let mut rest: Vec<&str> = hosts.iter().filter_map(|host| host.text()).collect();
    let policies = server.list("tls_connection_policies");
    let mut groups: Vec<(Vec<&str>, Option<&Node>)> = Vec::new();
    for policy in policies {
        let names: Vec<&str> = policy.list("match.sni").iter().filter_map(Node::text).collect();
        if !names.is_empty() {
            rest.retain(|host| !names.contains(host));
            groups.push((names, Some(policy)));
        }
    }
    if groups.is_empty() || !rest.is_empty() {
        groups.push((rest, policies.iter().find(|policy| policy.get("match").is_none())));
    }
    let mut views = Vec::new();
    for address in server.list("listen") {
        let Some(value) = address.text().and_then(full) else {
            configuration.problem(&Source::place(source, address), "HTTP/3 is not looked at");
            continue;
        };
        let port = value.rsplit_once(':').map_or("", |(_, port)| port);
        let tls = !policies.is_empty() || is_automatic(server, &hosts, port);
        for (names, policy) in &groups {
            let sites = source.map_or_else(Vec::new, |source| source.sites(names, port));
            let site = sites.first().copied();
            let at = site.map_or_else(|| address.at.clone(), |site| site.at.clone());
            let named = |name: &&str| {
                let own =
                    hosts.iter().find(|host| host.text() == Some(name)).map_or(&address.at, |host| &host.at);
                let site = source.and_then(|source| source.sites(&[*name], port).first().copied());
                Stated::at(site.map_or(own, |site| &site.at), *name)
            };
            let mut listener = Listener {
                address: Stated::at(&at, &value),
                names: names.iter().map(named).collect(),
                tls,
                identities: Vec::new(),
                client_authorities: None,
                clients: None,
            };
            if let Some(policy) = policy {
                secure(json, policy, site, &mut listener, configuration);
            }
            configuration.listeners.push(listener);
            views.push(View {
                listener: configuration.listeners.len() - 1,
                names: names.iter().map(|name| (*name).to_owned()).collect(),
                tls,
                port: port.parse().unwrap_or_default(),
            });
        }
    }
    views
}

/// Automatic HTTPS: for a server whose routes name hosts, on any port but the one for HTTP.
fn is_automatic(server: &Node, hosts: &[&Node], port: &str) -> bool {
    let off = server.text_at("automatic_https.disable") == Some("true");
    !off && !hosts.is_empty() && port != "80"
}

/// The address of `listen`, with the host that is not written; `None` for datagrams.
fn full(address: &str) -> Option<String> {
    if let Some(path) = address.strip_prefix("unix/") {
        return Some(format!("unix:{}", path.split('|').next().unwrap_or(path)));
    }
    let (network, rest) = address.split_once('/').unwrap_or(("tcp", address));
    let rest = if rest.starts_with(':') { format!("0.0.0.0{rest}") } else { rest.to_owned() };
    network.starts_with("tcp").then_some(rest)
}

/// The line of a directive in a site, or that of the value itself.
fn place(site: Option<&Line>, keyword: &str, node: &Node) -> At {
    site.map_or_else(|| node.at.clone(), |site| site.find(keyword).unwrap_or(site).at.clone())
}

fn secure(
    json: &Node,
    policy: &Node,
    site: Option<&Line>,
    listener: &mut Listener,
    configuration: &mut Configuration,
) {
    let tags: Vec<&str> =
        policy.list("certificate_selection.any_tag").iter().filter_map(Node::text).collect();
    let certificates = json.path("apps.tls.certificates.load_files").map_or(&[][..], Node::items);
    for pair in certificates {
        let chosen =
            tags.is_empty() || pair.list("tags").iter().filter_map(Node::text).any(|tag| tags.contains(&tag));
        let file = |name: &str| {
            let node = pair.get(name)?;
            Some(Stated::at(&place(site, "tls", node), node.text()?))
        };
        if let Some(certificate) = file("certificate").filter(|_| chosen) {
            let key = file("key");
            configuration.name_file(Role::ServerCertificate, &certificate);
            if let Some(key) = &key {
                configuration.name_file(Role::ServerKey, key);
            }
            listener.identities.push(IdentityFiles { certificate, key });
        }
    }
    let Some(clients) = policy.get("client_authentication") else { return };
    let files = ["ca.pem_files", "trusted_ca_certs_pem_files"].iter().find_map(|path| clients.path(path));
    if let Some(files) = files {
        let keyword =
            site.and_then(|site| site.find("trust_pool")).map_or("trusted_ca_cert_file", |_| "trust_pool");
        let at = place(site, keyword, files);
        for file in files.items().iter().filter_map(Node::text) {
            configuration.name_file(Role::ClientAuthorities, &Stated::at(&at, file));
        }
        listener.client_authorities = Some(Stated::at(&at, files.joined().value));
    }
    let mode = clients.get("mode");
    let policy = match mode.and_then(Node::text) {
        Some("request" | "verify_if_given") => ClientPolicy::Optional,
        _ => ClientPolicy::Required,
    };
    listener.clients = Some((
        policy,
        place(site, if mode.is_some() { "mode" } else { "client_auth" }, mode.unwrap_or(clients)),
    ));
}
