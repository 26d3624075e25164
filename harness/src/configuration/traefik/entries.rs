//! The entry points of Traefik, with the certificates and options of TLS that hold on them.

use super::{
    super::{ClientPolicy, Configuration, IdentityFiles, Listener, Role, Stated, tree::Node},
    Files,
};

/// The places of the listeners so far: entry point, options of TLS if it is spoken, place.
#[derive(Debug, Default)]
pub(super) struct Entries(Vec<(String, Option<String>, usize)>);

impl Entries {
    /// The listener of an entry point for the names of a router; several routers with the same options share it.
    pub(super) fn listener(
        &mut self,
        files: &Files,
        entry: &str,
        options: Option<&str>,
        names: Vec<Stated>,
        configuration: &mut Configuration,
    ) -> Option<usize> {
        let options = options.map(str::to_owned);
        let known = self.0.iter().find(|(name, so_far, _)| name == entry && *so_far == options);
        let place = match known {
            Some((_, _, place)) => *place,
            None => {
                let listener = listener(files, entry, options.as_deref(), configuration)?;
                configuration.listeners.push(listener);
                let place = configuration.listeners.len() - 1;
                self.0.push((entry.to_owned(), options, place));
                place
            }
        };
        let own = &mut configuration.listeners[place].names;
        for name in names {
            if !own.iter().any(|known| known.value == name.value) {
                own.push(name);
            }
        }
        Some(place)
    }
}

fn listener(
    files: &Files,
    entry: &str,
    options: Option<&str>,
    configuration: &mut Configuration,
) -> Option<Listener> {
    let address = files.named("entryPoints", entry)?.stated("address")?;
    let plain = address.value.strip_suffix("/tcp").unwrap_or(&address.value);
    let value = if plain.starts_with(':') { format!("0.0.0.0{plain}") } else { plain.to_owned() };
    let mut listener = Listener {
        address: Stated { value, ..address },
        names: Vec::new(),
        tls: options.is_some(),
        identities: Vec::new(),
        client_authorities: None,
        clients: None,
    };
    let Some(options) = options else { return Some(listener) };
    let stores = files.entries("tls.stores").filter_map(|(_, store)| store.get("defaultCertificate"));
    let certificates = files.0.iter().flat_map(|node| node.list("tls.certificates"));
    for node in stores.chain(certificates) {
        if let Some(identity) = identity(node, (Role::ServerCertificate, Role::ServerKey), configuration)
            && !listener.identities.contains(&identity)
        {
            listener.identities.push(identity);
        }
    }
    if let Some(clients) = files.named("tls.options", options).and_then(|options| options.get("clientAuth")) {
        if let Some(authorities) = clients.get("caFiles") {
            listener.client_authorities = Some(authorities.joined());
            for file in authorities.items() {
                name(file, Role::ClientAuthorities, configuration);
            }
        }
        let kind = clients.stated("clientAuthType");
        listener.clients = kind.and_then(|kind| match kind.value.as_str() {
            "RequireAndVerifyClientCert" | "RequireAnyClientCert" => Some((ClientPolicy::Required, kind.at)),
            "VerifyClientCertIfGiven" | "RequestClientCert" => Some((ClientPolicy::Optional, kind.at)),
            _ => None,
        });
    }
    Some(listener)
}

/// A certificate and its key: `certFile` and `keyFile`.
pub(super) fn identity(
    node: &Node,
    roles: (Role, Role),
    configuration: &mut Configuration,
) -> Option<IdentityFiles> {
    let (certificate, key) = (node.get("certFile")?, node.get("keyFile"));
    Some(IdentityFiles {
        certificate: name(certificate, roles.0, configuration)?,
        key: key.and_then(|key| name(key, roles.1, configuration)),
    })
}

/// The file that a value names; PEM may stand in its place.
pub(super) fn name(node: &Node, role: Role, configuration: &mut Configuration) -> Option<Stated> {
    let text = node.text()?;
    if text.contains("-----BEGIN") {
        return Some(Stated::at(&node.at, "PEM"));
    }
    let stated = Stated::at(&node.at, text);
    configuration.name_file(role, &stated);
    Some(stated)
}
