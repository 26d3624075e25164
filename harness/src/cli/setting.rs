//! `GATEWAY[+OPTION][:UPSTREAM]`: one gateway, set up one way.

use tls_gauntlet_scenarios::{catalogue, what_if::Setting};

use super::{
    failure::{Failure, input_error},
    selection,
};

/// The upstream of a setting that names none.
const UPSTREAM: &str = "strict";

/// The listeners whose clients are compared.
const LISTENERS: &[&str] = &["default", "client-cert-required", "client-cert-on-demand"];

/// The setting of this name.
pub(super) fn named(name: &str) -> Result<Setting, Failure> {
    let (gateway, upstream) = name.split_once(':').unwrap_or((name, UPSTREAM));
    if upstream.starts_with("//") {
        return Err(input_error!(
            "cannot compare {name}: a gateway that is already running makes no claims; name the one it is like, as in \
             nginx:strict"
        ));
    }
    catalogue().upstream(upstream).map_err(Failure::input)?;
    let gateway = selection::gateway(gateway)?;
    if let Some(because) = gateway.impossible("default", upstream, "") {
        return Err(input_error!(
            "{} cannot be set up with the upstream {upstream}: {because}",
            gateway.name()
        ));
    }
    let possible = |listener: &&str| gateway.impossible(listener, UPSTREAM, "").is_none();
    Ok(Setting {
        name: name.to_owned(),
        claims: gateway.claims().clone(),
        upstream: upstream.to_owned(),
        listeners: LISTENERS.iter().copied().filter(possible).map(str::to_owned).collect(),
    })
}
