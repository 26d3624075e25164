//! Envoy: a bootstrap in YAML or JSON, with the listeners, clusters, endpoints, routes and secrets that it reads from files.

mod clusters;
mod listeners;
mod secrets;

use super::{
    Configuration, Leg, Setting, Stated, Unreadable,
    files::{Text, Texts},
    tree::Node,
};

/// Whether a text is a bootstrap of Envoy.
pub(super) fn is_one(text: &str) -> bool {
    ["static_resources", "staticResources", "dynamic_resources", "dynamicResources"]
        .iter()
        .any(|key| text.contains(key))
}

/// Reads a bootstrap and the files that it names.
pub(super) fn read(
    path: &str,
    texts: &mut Texts<'_>,
    configuration: &mut Configuration,
) -> Result<(), Unreadable> {
    let bootstrap = texts.within(path, None, |_, text: &Text| Node::of_yaml(text))?;
    let mut world = World { texts, listeners: Vec::new(), clusters: Vec::new(), secrets: Vec::new() };
    let fixed =
        |kind: &str| bootstrap.path("static_resources").map_or(&[][..], |resources| resources.list(kind));
    world.listeners.extend(fixed("listeners").iter().cloned());
    world.clusters.extend(fixed("clusters").iter().cloned());
    world.secrets.extend(fixed("secrets").iter().cloned());
    if let Some(dynamic) = bootstrap.get("dynamic_resources") {
        if let Some(source) = dynamic.get("lds_config") {
            let more = world.resources(source, configuration)?;
            world.listeners.extend(more);
        }
        if let Some(source) = dynamic.get("cds_config") {
            let more = world.resources(source, configuration)?;
            world.clusters.extend(more);
        }
    }
    for layer in
        bootstrap.list("layered_runtime.layers").iter().filter(|layer| layer.get("rtds_layer").is_some())
    {
        configuration.problem(&layer.at, "a layer of the runtime comes from a server");
    }
    for listener in std::mem::take(&mut world.listeners) {
        listeners::read(&listener, &mut world, configuration)?;
    }
    Ok(())
}

/// What a bootstrap names, wherever it stands.
struct World<'t, 'f> {
    texts: &'t mut Texts<'f>,
    listeners: Vec<Node>,
    clusters: Vec<Node>,
    secrets: Vec<Node>,
}

impl World<'_, '_> {
    /// The resources of a `ConfigSource`: of a file; a server of them is a problem with its line.
    fn resources(
        &mut self,
        source: &Node,
        configuration: &mut Configuration,
    ) -> Result<Vec<Node>, Unreadable> {
        let path = source.path("path_config_source.path").or_else(|| source.get("path"));
        let Some((path, at)) = path.and_then(|node| Some((node.text()?.to_owned(), node.at.clone()))) else {
            configuration.problem(&source.at, "the configuration comes from a server, not from a file");
            return Ok(Vec::new());
        };
        match self.texts.within(&path, Some(&at), |_, text: &Text| Node::of_yaml(text)) {
            Ok(response) => Ok(response.list("resources").to_vec()),
            Err(Unreadable::File { path, source }) => {
                configuration.problem(&at, format!("cannot read {path}: {source}"));
                Ok(Vec::new())
            }
            Err(other) => Err(other),
        }
    }
}

/// The file, or the place of the bytes, of a `DataSource`.
fn data(source: &Node) -> Option<Stated> {
    source.stated("filename").or_else(|| {
        let (kind, node) = source.entries().first()?;
        Some(Stated::at(&node.at, kind.clone()))
    })
}

/// Whether the value of [`data`] is the path of a file.
fn is_file(stated: &Stated) -> bool {
    ![
        "system",
        "inline_string",
        "inline_bytes",
        "environment_variable",
        "inlineString",
        "inlineBytes",
        "environmentVariable",
    ]
    .contains(&stated.value.as_str())
}

/// The field of the cluster's `UpstreamTlsContext` that gives a leg a sound value.
pub(super) fn remedy(leg: &Leg, setting: Setting) -> Option<String> {
    let host = leg.host_name();
    let context = "validation_context";
    Some(match setting {
        Setting::Verification | Setting::Trust => {
            format!("{context}: {{ trusted_ca: {{ filename: /etc/ssl/certs/ca-certificates.crt }} }}")
        }
        Setting::CheckedName => format!(
            "{context}: {{ match_typed_subject_alt_names: [ {{ san_type: DNS, matcher: {{ exact: {host} }} }} ] }}"
        ),
        Setting::Sni => format!("sni: {host}"),
        Setting::Certificate | Setting::Key => {
            "tls_certificates: [ { certificate_chain: { filename: CERTIFICATE.pem }, private_key: { filename: KEY.pem } } ]"
                .to_owned()
        }
        Setting::Versions => {
            "tls_params: { tls_minimum_protocol_version: TLSv1_2, tls_maximum_protocol_version: TLSv1_3 }".to_owned()
        }
        Setting::Ciphers => {
            "tls_params: { cipher_suites: [ ECDHE-ECDSA-AES128-GCM-SHA256, ECDHE-RSA-AES128-GCM-SHA256 ] }".to_owned()
        }
        Setting::RevocationList => format!("{context}: {{ crl: {{ filename: LIST.pem }} }}"),
        Setting::Depth => format!("{context}: {{ max_verify_depth: 2 }}"),
        Setting::KeepAlive => "common_http_protocol_options: { max_requests_per_connection: 1 }".to_owned(),
        Setting::Retries => "retry_policy: { num_retries: 0 }".to_owned(),
        Setting::Dates => "allow_expired_certificate: false".to_owned(),
        Setting::HealthCheck => return None,
    })
}
