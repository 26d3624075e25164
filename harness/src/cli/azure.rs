//! `gauntlet azure`: the settings of an API Management service as a gateway profile, and back.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use tls_gauntlet_scenarios::{GatewayProfile, custom_properties::CustomProperties};

use super::{
    failure::{Failure, input_error, work_error},
    selection, streams,
};
use crate::gateway::upload::{self, Refused};

/// Turns the settings of an API Management service into a gateway profile, and back.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Import(Import),
    Export(Export),
    Upload(Upload),
}

/// Reads `customProperties` (the map itself, the body of the REST API, or an ARM template, also one made of Bicep) and
/// prints a profile that `--gateway FILE.toml` takes.
#[derive(Debug, Args)]
struct Import {
    /// The JSON file.
    file: PathBuf,
    /// The day on which the service was made; services of 1 April 2018 or older have other defaults.
    #[arg(long, value_name = "YYYY-MM-DD")]
    made: Option<String>,
    /// The profile whose rules hold, and whose settings stand where the file says nothing; the classic tiers' if absent.
    #[arg(long, value_name = "PROFILE", conflicts_with = "made")]
    tier: Option<String>,
    /// Which service, where a template has several.
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

/// Prints a profile as the body of a `PATCH` of the REST API.
#[derive(Debug, Args)]
struct Export {
    /// A profile: its name (`gauntlet list gateways`), with options where it has some, or a file.
    profile: String,
}

/// Says whether a gateway of this profile takes a certificate when it is uploaded: one to show to backends, or an authority.
#[derive(Debug, Args)]
struct Upload {
    /// A profile: its name (`gauntlet list gateways`), or a file.
    profile: String,
    /// The certificate: PFX, or with --store PEM or DER.
    file: PathBuf,
    /// The password of the PFX file.
    #[arg(long, default_value = "")]
    password: String,
    /// It is an authority, for this store: Root or `CertificateAuthority`.
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
}

pub(super) fn azure(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let text = match &arguments.command {
        Command::Import(import) => imported(import)?,
        Command::Export(export) => exported(&export.profile)?,
        Command::Upload(upload) => uploaded(upload)?,
    };
    streams::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn imported(import: &Import) -> Result<String, Failure> {
    let file = import.file.display();
    let text = fs::read_to_string(&import.file)
        .map_err(|error| input_error!("cannot read {file}: {error}; name a JSON file"))?;
    let json: Value =
        serde_json::from_str(&text).map_err(|error| input_error!("{file} is not JSON: {error}"))?;
    let map = properties(&json, import.service.as_deref(), &import.file)?;
    let tier = import.tier.as_deref().map(|name| Ok((name, tier(name)?))).transpose()?;
    let read = match &tier {
        Some((name, tier)) => CustomProperties::read_for(name, tier, &map),
        None => CustomProperties::read(&map, is_old(import.made.as_deref())?),
    };
    let read = read.map_err(|error| input_error!("{file}: {error}"))?;
    for key in read.unknown() {
        streams::note(&format!("note: {key} is unknown here; it is kept as it is"));
    }
    for warning in read.warnings() {
        streams::note(&format!("warning: {warning}"));
    }
    let profile = match tier {
        Some((_, tier)) => read.profile_of(tier),
        None => read.profile(),
    };
    let profile = profile.map_err(|error| input_error!("{file}: {error}"))?;
    toml::to_string(&profile).map_err(|error| work_error!("cannot write the profile as TOML: {error}"))
}

fn exported(name: &str) -> Result<String, Failure> {
    let whole = json!({ "properties": { "customProperties": CustomProperties::of(&tier(name)?).map() } });
    serde_json::to_string_pretty(&whole)
        .map(|text| text + "\n")
        .map_err(|error| work_error!("cannot write the properties as JSON: {error}"))
}

fn uploaded(upload: &Upload) -> Result<String, Failure> {
    let profile = tier(&upload.profile)?;
    let file = upload.file.display();
    let content = fs::read(&upload.file).map_err(|error| {
        input_error!("cannot read {file}: {error}; name a PFX file, or an authority's certificate")
    })?;
    let refused = |error: Refused| input_error!("{file}: {error}");
    let Some(store) = &upload.store else {
        let taken = upload::client_certificate(&content, &upload.password);
        let taken = taken.map_err(|error| refused(error.into()))?;
        return Ok(format!(
            "taken: CN={}, serial number {}, {} above it\n",
            taken.subject(),
            taken.serial(),
            taken.chain().len() - 1
        ));
    };
    let store = store.parse().map_err(Failure::input)?;
    let taken = upload::authority(&upload.profile, &profile, store, &content).map_err(refused)?;
    let name = taken.subject_name().entries().filter_map(|entry| entry.data().to_string().ok());
    Ok(format!("taken into the store {store}: {}\n", name.collect::<Vec<_>>().join(", ")))
}

/// A profile by its name or file.
fn tier(name: &str) -> Result<GatewayProfile, Failure> {
    let gateway = selection::gateway(name)?;
    let profile = gateway.profile().cloned();
    profile.ok_or_else(|| input_error!("{name} is no profile; `gauntlet list gateways` shows those that are"))
}

/// Whether the day is 1 April 2018 or before; days of this form sort as words.
fn is_old(made: Option<&str>) -> Result<bool, Failure> {
    let Some(made) = made else { return Ok(false) };
    let digits =
        |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<_> = made.split('-').collect();
    match parts[..] {
        [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2) => {
            Ok(made <= "2018-04-01")
        }
        _ => Err(input_error!("--made {made} is no day; it reads YYYY-MM-DD, as in --made 2018-03-31")),
    }
}

/// The map, wherever it lies in the file.
fn properties(json: &Value, service: Option<&str>, file: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let file = file.display();
    let mut found = Vec::new();
    services(json, &mut found);
    if found.is_empty() {
        let bare = json.as_object().filter(|map| map.keys().any(|key| key.starts_with("Microsoft.")));
        let bare = bare.ok_or_else(|| {
            input_error!(
                "{file} has no customProperties; it takes the map itself, {{\"properties\": {{\"customProperties\": …}}}}, \
                 or a template with a Microsoft.ApiManagement/service"
            )
        })?;
        found.push((String::new(), bare));
    }
    let wanted: Vec<_> =
        found.iter().filter(|(name, _)| service.is_none_or(|service| service == name)).collect();
    let names = || found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    let map = match wanted[..] {
        [(_, map)] => *map,
        [] => {
            return Err(input_error!(
                "{file} has no service \"{}\"; it has {}",
                service.unwrap_or_default(),
                names()
            ));
        }
        _ => return Err(input_error!("{file} has several services; pass --service with one of {}", names())),
    };
    map.iter()
        .map(|(key, value)| match value {
            Value::String(text) => Ok((key.clone(), text.clone())),
            Value::Bool(on) => Ok((key.clone(), on.to_string())),
            other => Err(input_error!("{file}: {key} is {other}; it takes \"True\" or \"False\"")),
        })
        .collect()
}

/// Every `properties.customProperties` with the name of what it belongs to, at any depth: templates nest.
fn services<'a>(json: &'a Value, found: &mut Vec<(String, &'a Map<String, Value>)>) {
    match json {
        Value::Object(object) => {
            if let Some(map) = json.pointer("/properties/customProperties").and_then(Value::as_object) {
                let name = object.get("name").and_then(Value::as_str).unwrap_or_default();
                found.push((name.to_owned(), map));
            }
            object.values().for_each(|value| services(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| services(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
