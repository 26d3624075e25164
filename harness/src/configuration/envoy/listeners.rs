//! The listeners of Envoy: their filter chains, and the routes that lead to clusters.

use regex::Regex;

use super::{
    super::{
        ClientPolicy, Configuration, Leg, Listener, Role, Setting, Stated, Unreadable, Url, example,
        tree::Node,
    },
    World, clusters, is_file, secrets,
};

/// Reads a listener: one of ours for each of its filter chains.
pub(super) fn read(
    listener: &Node,
    world: &mut World<'_, '_>,
    configuration: &mut Configuration,
) -> Result<(), Unreadable> {
    let Some(address) = address(listener) else {
        configuration.problem(&listener.at, "the listener has no address");
        return Ok(());
    };
    if listener.text_at("address.socket_address.protocol").is_some_and(|protocol| protocol == "UDP") {
        configuration.problem(&address.at, "HTTP/3 is not looked at");
        return Ok(());
    }
    let chains = listener.list("filter_chains").iter().chain(listener.get("default_filter_chain"));
    for chain in chains {
        let number = configuration.listeners.len();
        let ours = chain_listener(chain, address.clone(), world, configuration)?;
        let entry = Entry {
            listener: number,
            scheme: if ours.tls { ("https", "tls") } else { ("http", "tcp") },
            host: ours
                .names
                .first()
                .map_or_else(|| "localhost".to_owned(), |name| name.value.replace('*', "gauntlet")),
            port: ours.port().unwrap_or_default(),
        };
        configuration.listeners.push(ours);
        for filter in chain.list("filters") {
            let Some(config) = filter.get("typed_config") else { continue };
            match config.text_at("@type").and_then(|kind| kind.rsplit('.').next()) {
                Some("HttpConnectionManager") => http(config, &entry, world, configuration)?,
                Some("TcpProxy") => {
                    let url = Url {
                        scheme: entry.scheme.1,
                        host: entry.host.clone(),
                        port: entry.port,
                        path: String::new(),
                    };
                    to_clusters(config, &url, &entry, None, world, configuration)?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Where the requests of a filter chain come in.
struct Entry {
    listener: usize,
    /// For HTTP and for a stream.
    scheme: (&'static str, &'static str),
    host: String,
    port: u16,
}

fn address(listener: &Node) -> Option<Stated> {
    if let Some(path) = listener.stated("address.pipe.path") {
        return Some(Stated { value: format!("unix:{}", path.value), ..path });
    }
    let host = listener.stated("address.socket_address.address")?;
    let port = listener.text_at("address.socket_address.port_value")?;
    let value = if host.value.contains(':') {
        format!("[{}]:{port}", host.value)
    } else {
        format!("{}:{port}", host.value)
    };
    Some(Stated { value, ..host })
}

fn chain_listener(
    chain: &Node,
    address: Stated,
    world: &mut World<'_, '_>,
    configuration: &mut Configuration,
) -> Result<Listener, Unreadable> {
    let names = chain.list("filter_chain_match.server_names").iter();
    let names = names.filter_map(|name| Some(Stated::at(&name.at, name.text()?))).collect();
    let mut listener = Listener {
        address,
        names,
        tls: false,
        identities: Vec::new(),
        client_authorities: None,
        clients: None,
    };
    let context = chain.path("transport_socket.typed_config");
    let Some(context) = context.filter(|context| {
        context.text_at("@type").is_some_and(|kind| kind.ends_with("DownstreamTlsContext"))
    }) else {
        return Ok(listener);
    };
    listener.tls = true;
    let tls = secrets::read(context.get("common_tls_context").unwrap_or(context), world, configuration)?;
    for identity in &tls.identities {
        if is_file(&identity.certificate) {
            configuration.name_file(Role::ServerCertificate, &identity.certificate);
        }
        if let Some(key) = identity.key.as_ref().filter(|key| is_file(key)) {
            configuration.name_file(Role::ServerKey, key);
        }
    }
    listener.client_authorities = tls.check("trusted_ca").and_then(super::data);
    if let Some(authorities) = listener.client_authorities.as_ref().filter(|stated| is_file(stated)) {
        configuration.name_file(Role::ClientAuthorities, authorities);
    }
    if let Some(list) = tls.check("crl").and_then(super::data).filter(is_file) {
        configuration.name_file(Role::ClientRevocationList, &list);
    }
    let required = context.get("require_client_certificate").filter(|node| node.text() == Some("true"));
    listener.clients = required.map(|node| (ClientPolicy::Required, node.at.clone())).or_else(|| {
        // Envoy asks for a certificate as soon as it has something to check it against.
        Some((ClientPolicy::Optional, listener.client_authorities.as_ref()?.at.clone()))
    });
    listener.identities = tls.identities;
    Ok(listener)
}

fn http(
    manager: &Node,
    entry: &Entry,
    world: &mut World<'_, '_>,
    configuration: &mut Configuration,
) -> Result<(), Unreadable> {
    let mut tables: Vec<Node> = manager.get("route_config").cloned().into_iter().collect();
    if let Some(rds) = manager.get("rds") {
        let name = rds.text_at("route_config_name");
        let source = rds.get("config_source").unwrap_or(rds);
        let all = world.resources(source, configuration)?;
        tables.extend(all.into_iter().filter(|table| table.text_at("name") == name));
    }
    if let Some(scoped) = manager.get("scoped_routes") {
        configuration.problem(&scoped.at, "scoped routes are not read");
    }
    for host in tables.iter().flat_map(|table| table.list("virtual_hosts")) {
        virtual_host(host, entry, world, configuration)?;
    }
    Ok(())
}

fn virtual_host(
    host: &Node,
    entry: &Entry,
    world: &mut World<'_, '_>,
    configuration: &mut Configuration,
) -> Result<(), Unreadable> {
    let domain = host.list("domains").first().and_then(Node::text).unwrap_or("*");
    let name = match domain {
        "*" => entry.host.clone(),
        domain => domain.rsplit_once(':').map_or(domain, |(name, _)| name).replace('*', "gauntlet"),
    };
    let mut before: Vec<Rule<'_>> = Vec::new();
    for route in host.list("routes") {
        let rule = Rule::of(route);
        let action = route.get("route");
        if let Some(action) = action {
            let conditional = [
                "headers",
                "query_parameters",
                "runtime_fraction",
                "grpc",
                "dynamic_metadata",
                "tls_context",
            ];
            let condition = conditional.iter().find_map(|name| route.path(&format!("match.{name}")));
            match (condition, rule.path(&before)) {
                (Some(condition), _) => {
                    configuration.problem(&condition.at, "the route applies only under a condition");
                }
                (None, None) => configuration.problem(&route.at, "no URL was found that leads to this route"),
                (None, Some(path)) => {
                    let url = Url { scheme: entry.scheme.0, host: name.clone(), port: entry.port, path };
                    let retries = action.get("retry_policy").or_else(|| host.get("retry_policy"));
                    to_clusters(action, &url, entry, retries, world, configuration)?;
                }
            }
            if condition.is_some() {
                continue;
            }
        }
        before.push(rule);
    }
    Ok(())
}

/// What a route matches.
enum Rule<'n> {
    Prefix(&'n str),
    Segments(&'n str),
    Exact(&'n str),
    Expression(Option<Regex>),
    Unknown,
}

impl<'n> Rule<'n> {
    fn of(route: &'n Node) -> Self {
        let text = |name: &str| route.text_at(&format!("match.{name}"));
        if let Some(prefix) = text("prefix") {
            Self::Prefix(prefix)
        } else if let Some(prefix) = text("path_separated_prefix") {
            Self::Segments(prefix)
        } else if let Some(path) = text("path") {
            Self::Exact(path)
        } else if let Some(expression) = text("safe_regex.regex") {
            Self::Expression(Regex::new(&format!("^(?:{expression})$")).ok())
        } else {
            Self::Unknown
        }
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Prefix(prefix) => path.starts_with(prefix),
            Self::Segments(prefix) => {
                path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Self::Exact(exact) => path == *exact,
            Self::Expression(expression) => expression.as_ref().is_some_and(|regex| regex.is_match(path)),
            Self::Unknown => false,
        }
    }

    /// A path that this rule matches and none before it.
    fn path(&self, before: &[Self]) -> Option<String> {
        let begin = match self {
            Self::Prefix(path) | Self::Segments(path) | Self::Exact(path) => (*path).to_owned(),
            Self::Expression(expression) => example::of(expression.as_ref()?.as_str())?,
            Self::Unknown => return None,
        };
        let joint = if begin.ends_with('/') { "" } else { "/" };
        let tries = [begin.clone(), format!("{begin}{joint}gauntlet")];
        tries.into_iter().find(|path| {
            path.starts_with('/') && self.matches(path) && !before.iter().any(|rule| rule.matches(path))
        })
    }
}

/// The legs of what names one cluster or several.
fn to_clusters(
    action: &Node,
    url: &Url,
    entry: &Entry,
    retries: Option<&Node>,
    world: &mut World<'_, '_>,
    configuration: &mut Configuration,
) -> Result<(), Unreadable> {
    let named: Vec<Stated> = action.stated("cluster").into_iter().collect();
    let weighted =
        action.list("weighted_clusters.clusters").iter().filter_map(|cluster| cluster.stated("name"));
    let all: Vec<Stated> = named.into_iter().chain(weighted).collect();
    if all.is_empty() {
        configuration.problem(&action.at, "the cluster depends on the request");
    }
    for cluster in all {
        for group in clusters::read(&cluster.value, &cluster.at, &url.host, world, configuration)? {
            let mut settings = group.settings;
            if let Some(policy) = retries {
                let value = format!(
                    "{} {}",
                    policy.text_at("retry_on").unwrap_or_default(),
                    policy.text_at("num_retries").unwrap_or("1")
                );
                settings.insert(Setting::Retries, Stated::at(&policy.at, value.trim()));
            }
            configuration.legs.push(Leg {
                name: group.name,
                at: cluster.at.clone(),
                url: url.clone(),
                listener: entry.listener,
                dialled: group.dialled,
                tls: group.tls,
                settings,
            });
        }
    }
    Ok(())
}
