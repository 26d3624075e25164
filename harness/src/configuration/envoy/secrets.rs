//! What a TLS context of Envoy names directly or by a secret: certificates, keys, and what is checked.

use super::{
    super::{Configuration, IdentityFiles, Unreadable, tree::Node},
    World, data,
};

/// A `CommonTlsContext` with its secrets fetched.
pub(super) struct Tls {
    pub(super) identities: Vec<IdentityFiles>,
    /// The validation contexts that are merged into one; a later one is asked after the others.
    validation: Vec<Node>,
}

impl Tls {
    /// A field of what is checked.
    pub(super) fn check(&self, path: &str) -> Option<&Node> {
        self.validation.iter().find_map(|context| context.path(path))
    }
}

/// Reads a `CommonTlsContext`.
pub(super) fn read(
    common: &Node,
    world: &mut World<'_, '_>,
    configuration: &mut Configuration,
) -> Result<Tls, Unreadable> {
    let mut certificates: Vec<Node> = common.list("tls_certificates").to_vec();
    for reference in common.list("tls_certificate_sds_secret_configs") {
        certificates.extend(secret(reference, "tls_certificate", world, configuration)?);
    }
    let mut validation: Vec<Node> = common.get("validation_context").cloned().into_iter().collect();
    let combined = common.get("combined_validation_context");
    let reference = common
        .get("validation_context_sds_secret_config")
        .or_else(|| combined?.get("validation_context_sds_secret_config"));
    // The secret is merged into the default, and wins (`CombinedCertificateValidationContext`).
    if let Some(reference) = reference {
        validation.extend(secret(reference, "validation_context", world, configuration)?);
    }
    validation.extend(combined.and_then(|combined| combined.get("default_validation_context")).cloned());
    let identities = certificates.iter().filter_map(|certificate| {
        let chain = certificate.get("certificate_chain").and_then(data)?;
        Some(IdentityFiles { certificate: chain, key: certificate.get("private_key").and_then(data) })
    });
    Ok(Tls { identities: identities.collect(), validation })
}

fn secret(
    reference: &Node,
    kind: &str,
    world: &mut World<'_, '_>,
    configuration: &mut Configuration,
) -> Result<Option<Node>, Unreadable> {
    let name = reference.text_at("name").unwrap_or_default();
    let resources = match reference.get("sds_config") {
        Some(source) => world.resources(source, configuration)?,
        None => world.secrets.clone(),
    };
    let found = resources.iter().find(|resource| name.is_empty() || resource.text_at("name") == Some(name));
    let secret = found.and_then(|resource| resource.get(kind)).cloned();
    if secret.is_none() && !resources.is_empty() {
        configuration.problem(&reference.at, format!("there is no secret \"{name}\" with a {kind}"));
    }
    Ok(secret)
}
