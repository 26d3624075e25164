//! The clusters of Envoy: what they dial, and with which settings.

use std::collections::BTreeMap;

use super::{
    super::{At, Configuration, Dialled, Role, Setting, Stated, Unreadable, tree::Node},
    World, is_file,
    secrets::{self, Tls},
};

/// Members of a cluster that are dialled with the same settings.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) dialled: Vec<Dialled>,
    pub(super) tls: bool,
    pub(super) settings: BTreeMap<Setting, Stated>,
}

/// The groups of a cluster: one, or one for each transport socket that its endpoints ask for.
pub(super) fn read(
    name: &str,
    from: &At,
    host: &str,
    world: &mut World<'_, '_>,
    configuration: &mut Configuration,
) -> Result<Vec<Group>, Unreadable> {
    let cluster = world.clusters.iter().find(|cluster| cluster.text_at("name") == Some(name)).cloned();
    let Some(cluster) = cluster else {
        configuration.problem(from, format!("there is no cluster \"{name}\""));
        return Ok(Vec::new());
    };
    let mut groups: Vec<(Option<Node>, Vec<Dialled>)> = Vec::new();
    for endpoint in endpoints(&cluster, world, configuration)? {
        let Some(dialled) = address(&endpoint) else { continue };
        let socket = socket(&cluster, &endpoint).cloned();
        let same = |group: &&mut (Option<Node>, Vec<Dialled>)| {
            group.0.as_ref().map(|s| &s.at) == socket.as_ref().map(|s| &s.at)
        };
        match groups.iter_mut().find(same) {
            Some((_, members)) => members.push(dialled),
            None => groups.push((socket, vec![dialled])),
        }
    }
    if groups.is_empty() {
        configuration.problem(&cluster.at, format!("the cluster \"{name}\" names no address"));
    }
    let mut found = Vec::new();
    for (socket, dialled) in groups {
        let mut settings = of_connections(&cluster);
        let context = socket.as_ref().and_then(|socket| socket.get("typed_config"));
        let tls = context.filter(|context| {
            context.text_at("@type").is_some_and(|kind| kind.ends_with("UpstreamTlsContext"))
        });
        match (tls, &socket) {
            (Some(context), _) => secure(&cluster, context, host, world, configuration, &mut settings)?,
            (None, Some(socket))
                if !socket.text_at("name").is_some_and(|name| name.contains("raw_buffer")) =>
            {
                configuration.problem(&socket.at, "a transport socket other than TLS");
            }
            (None, _) => {}
        }
        found.push(Group { name: format!("cluster {name}"), dialled, tls: tls.is_some(), settings });
    }
    Ok(found)
}

/// The endpoints of a cluster, each with its address and metadata.
fn endpoints(
    cluster: &Node,
    world: &mut World<'_, '_>,
    configuration: &mut Configuration,
) -> Result<Vec<Node>, Unreadable> {
    let assignments = match cluster.path("eds_cluster_config.eds_config") {
        Some(source) => {
            let name = cluster.text_at("eds_cluster_config.service_name").or(cluster.text_at("name"));
            let all = world.resources(source, configuration)?;
            all.into_iter().filter(|each| each.text_at("cluster_name") == name).collect()
        }
        None => cluster.get("load_assignment").cloned().into_iter().collect::<Vec<_>>(),
    };
    let localities = assignments.iter().flat_map(|assignment| assignment.list("endpoints"));
    Ok(localities.flat_map(|locality| locality.list("lb_endpoints")).cloned().collect())
}

fn address(endpoint: &Node) -> Option<Dialled> {
    let address = endpoint.path("endpoint.address")?;
    if let Some(path) = address.stated("pipe.path") {
        return Some(Dialled { host: format!("unix:{}", path.value), port: 0, at: path.at });
    }
    let host = address.stated("socket_address.address")?;
    let port = address.text_at("socket_address.port_value")?.parse().ok()?;
    Some(Dialled { host: host.value, port, at: host.at })
}

/// The transport socket of an endpoint: the first match whose criteria its metadata has, else the cluster's.
fn socket<'n>(cluster: &'n Node, endpoint: &Node) -> Option<&'n Node> {
    let metadata = endpoint
        .path("metadata.filter_metadata")
        .and_then(|metadata| metadata.get("envoy.transport_socket_match"));
    let has = |(key, wanted): &(String, Node)| {
        metadata.and_then(|metadata| metadata.get(key)).and_then(Node::text) == wanted.text()
    };
    let fits = |each: &&Node| each.get("match").is_none_or(|criteria| criteria.entries().iter().all(has));
    let matched = cluster
        .list("transport_socket_matches")
        .iter()
        .find(fits)
        .and_then(|each| each.get("transport_socket"));
    matched.or_else(|| cluster.get("transport_socket"))
}

/// The HTTP options of a cluster: of its extension, or of the older field.
fn http_options(cluster: &Node) -> Option<&Node> {
    cluster
        .get("typed_extension_protocol_options")?
        .get("envoy.extensions.upstreams.http.v3.HttpProtocolOptions")
}

fn of_connections(cluster: &Node) -> BTreeMap<Setting, Stated> {
    let mut settings = BTreeMap::new();
    let most = http_options(cluster)
        .and_then(|options| options.stated("common_http_protocol_options.max_requests_per_connection"));
    if let Some(most) = most.or_else(|| cluster.stated("max_requests_per_connection")) {
        let value = format!("at most {} requests", most.value);
        settings.insert(Setting::KeepAlive, Stated { value, ..most });
    }
    let check = cluster.get("health_checks").map(|node| Stated::at(&node.at, "active"));
    let outlier = cluster.get("outlier_detection").map(|node| Stated::at(&node.at, "outlier detection"));
    if let Some(check) = check.or(outlier) {
        settings.insert(Setting::HealthCheck, check);
    }
    settings
}

fn secure(
    cluster: &Node,
    context: &Node,
    host: &str,
    world: &mut World<'_, '_>,
    configuration: &mut Configuration,
    settings: &mut BTreeMap<Setting, Stated>,
) -> Result<(), Unreadable> {
    let common = context.get("common_tls_context").unwrap_or(context);
    let tls = secrets::read(common, world, configuration)?;
    checks(context, &tls, settings, configuration);
    if let Some(identity) = tls.identities.first() {
        settings.insert(Setting::Certificate, identity.certificate.clone());
        settings.extend(identity.key.clone().map(|key| (Setting::Key, key)));
    }
    let files = [
        (Setting::Trust, Role::Trust),
        (Setting::RevocationList, Role::RevocationList),
        (Setting::Certificate, Role::Certificate),
        (Setting::Key, Role::Key),
    ];
    for (setting, role) in files {
        if let Some(stated) = settings.get(&setting).filter(|stated| stated.written && is_file(stated)) {
            configuration.name_file(role, stated);
        }
    }
    let automatic = |name: &str| {
        http_options(cluster)
            .and_then(|options| options.path(&format!("upstream_http_protocol_options.{name}")))
            .filter(|node| node.text() == Some("true"))
    };
    if let Some(node) = automatic("auto_sni") {
        settings.insert(Setting::Sni, Stated::at(&node.at, host));
    }
    if let Some(node) = automatic("auto_san_validation") {
        let name = settings.get(&Setting::Sni).map_or(host, |sni| sni.value.as_str()).to_owned();
        settings.insert(Setting::CheckedName, Stated::at(&node.at, name));
    }
    let params = common.get("tls_params");
    let version = |name: &str| params.and_then(|params| params.stated(name));
    let lowest = version("tls_minimum_protocol_version");
    let highest = version("tls_maximum_protocol_version");
    if let Some(at) = lowest.as_ref().or(highest.as_ref()).map(|stated| stated.at.clone()) {
        // The defaults of a client: TLS 1.2 and 1.3 (`TlsParameters`).
        let value = |stated: Option<Stated>, default: &str| {
            stated.map_or_else(|| default.to_owned(), |stated| stated.value)
        };
        let value = format!("{} to {}", value(lowest, "TLSv1_2"), value(highest, "TLSv1_3"));
        settings.insert(Setting::Versions, Stated::at(&at, value));
    }
    if let Some(suites) = params.and_then(|params| params.get("cipher_suites")) {
        settings.insert(Setting::Ciphers, suites.joined());
    }
    Ok(())
}

/// What is checked of the backend's certificate. Without a trusted authority Envoy accepts every certificate.
fn checks(
    context: &Node,
    tls: &Tls,
    settings: &mut BTreeMap<Setting, Stated>,
    configuration: &mut Configuration,
) {
    let at = &context.at;
    let trust = tls.check("trusted_ca").and_then(super::data);
    let trust = trust.or_else(|| tls.check("system_root_certs").map(|node| Stated::at(&node.at, "system")));
    let accepts =
        tls.check("trust_chain_verification").filter(|node| node.text() == Some("ACCEPT_UNTRUSTED"));
    let pinned = tls.check("verify_certificate_spki").or_else(|| tls.check("verify_certificate_hash"));
    let verification = match (&trust, accepts) {
        (None, _) if pinned.is_some() => Stated::at(pinned.map_or(at, |node| &node.at), "on"),
        (_, Some(node)) => Stated::at(&node.at, "off"),
        (Some(trust), None) => Stated::at(&trust.at, "on"),
        (None, None) => Stated::default_at(at, "off"),
    };
    settings.insert(Setting::Verification, verification);
    if let Some(trust) = trust {
        settings.insert(Setting::Trust, trust);
    }
    let sni = context.stated("sni").filter(|sni| !sni.value.is_empty());
    settings.insert(Setting::Sni, sni.unwrap_or_else(|| Stated::default_at(at, "off")));
    let names = tls.check("match_typed_subject_alt_names").or_else(|| tls.check("match_subject_alt_names"));
    let checked = match names {
        Some(node) => {
            let matchers = node.items().iter().map(|each| each.get("matcher").unwrap_or(each));
            let names = matchers.map(|matcher| match matcher.entries().first() {
                Some((kind, name)) if kind == "exact" => name.text().unwrap_or_default().to_owned(),
                Some((kind, name)) => {
                    format!("{kind} {}", name.text_at("regex").or(name.text()).unwrap_or_default())
                }
                None => String::new(),
            });
            Stated::at(&node.at, names.collect::<Vec<_>>().join(" "))
        }
        None => Stated::default_at(at, "off"),
    };
    settings.insert(Setting::CheckedName, checked);
    if let Some(node) = tls.check("crl") {
        settings.extend(super::data(node).map(|crl| (Setting::RevocationList, crl)));
    }
    if let Some(node) = tls.check("max_verify_depth") {
        settings.insert(Setting::Depth, node.joined());
    }
    if let Some(node) = tls.check("allow_expired_certificate").filter(|node| node.text() == Some("true")) {
        settings.insert(Setting::Dates, Stated::at(&node.at, "off"));
    }
    if let Some(node) = tls.check("custom_validator_config") {
        configuration.problem(&node.at, "a validator of another extension checks the certificate");
    }
}
