//! `gauntlet list`: the catalogue.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tls_gauntlet_scenarios::{
    ClientCertificatePolicy, ClientProfile, ListenerProfile, ServerNameSent, UpstreamProfile, Versions,
    catalogue,
};

use super::{
    failure::{Failure, work_error},
    presets, selection, streams,
};
use crate::{
    gateway::Gateway,
    report::{Detail, text::wrap},
};

/// Shows what there is: names, families, and what each one does.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What to list.
    kind: Kind,
    /// As a JSON array of objects with name, family, summary and more.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Mock servers, each with one TLS behaviour.
    Backends,
    /// Callers, each with one TLS behaviour.
    Clients,
    /// What a gateway offers to clients.
    Listeners,
    /// How a gateway connects to backends.
    Upstreams,
    /// Programs that can be tested.
    Gateways,
    /// Sets of scenarios.
    Suites,
    /// Every combination that runs.
    Scenarios,
    /// Recorded clients (browsers, Java, .NET, Python, OpenSSL …), and the source of each recording.
    Presets,
}

/// One line of a list.
#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    family: String,
    summary: String,
    #[serde(flatten)]
    more: Map<String, Value>,
}

pub(super) fn list(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Kind::Presets = arguments.kind {
        presets::list(arguments.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let entries = entries(arguments.kind, arguments.json)?;
    let text = if arguments.json {
        let mut text = serde_json::to_string_pretty(&entries)
            .map_err(|error| work_error!("cannot write the list as JSON: {error}"))?;
        text.push('\n');
        text
    } else {
        table(entries, streams::look(Detail::Normal).width)
    };
    streams::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// A gateway's version is only known once its program has been asked, which is not done where the version is not shown.
fn entries(kind: Kind, with_versions: bool) -> Result<Vec<Entry>, Failure> {
    let known = catalogue();
    Ok(match kind {
        Kind::Backends => {
            known.backends().map(|(name, family, profile)| entry(name, family, profile)).collect()
        }
        Kind::Clients => {
            known.clients().map(|(name, profile)| entry(name, family_of_client(profile), profile)).collect()
        }
        Kind::Listeners => known
            .listeners()
            .map(|(name, profile)| entry(name, family_of_listener(profile), profile))
            .collect(),
        Kind::Upstreams => known
            .upstreams()
            .map(|(name, profile)| entry(name, family_of_upstream(profile), profile))
            .collect(),
        Kind::Gateways => {
            Gateway::names().into_iter().map(|name| gateway(name, with_versions)).collect::<Result<_, _>>()?
        }
        Kind::Suites => known.suites().map(|(name, suite)| entry(name, "shipped", suite)).collect(),
        // Printed by themselves: each has its ClientHello beside the summary.
        Kind::Presets => Vec::new(),
        Kind::Scenarios => selection::suites(&[])?
            .into_iter()
            .map(|scenario| {
                let id = scenario.id("").to_string();
                let name = id.strip_suffix("::").unwrap_or(&id);
                entry(name, &scenario.suite, &json!({ "summary": scenario.why, "source": scenario.source }))
            })
            .collect(),
    })
}

/// What the profile says of itself, with its name and family in front.
fn entry(name: &str, family: &str, profile: &impl Serialize) -> Entry {
    let mut more = match serde_json::to_value(profile) {
        Ok(Value::Object(facts)) => facts,
        Ok(_) | Err(_) => Map::new(),
    };
    let summary = match more.remove("summary") {
        Some(Value::String(summary)) => summary,
        Some(_) | None => String::new(),
    };
    Entry { name: name.to_owned(), family: family.to_owned(), summary, more }
}

fn gateway(name: &str, with_version: bool) -> Result<Entry, Failure> {
    let gateway = if with_version {
        selection::gateway(name)?
    } else {
        Gateway::describe(name).map_err(Failure::input)?
    };
    let kind = serde_json::to_value(gateway.kind()).unwrap_or_default();
    let family = kind.as_str().unwrap_or_default().to_owned();
    let facts = json!({
        "summary": gateway.summary(),
        "kind": kind,
        "version": gateway.version(),
    });
    Ok(entry(name, &family, &facts))
}

fn family_of_client(profile: &ClientProfile) -> &'static str {
    if profile.plaintext {
        "fault"
    } else if profile.server_name != ServerNameSent::Right {
        "server-name"
    } else if profile.client_certificate.is_some() {
        "client-certificate"
    } else if profile.versions != Versions::current() {
        "protocol"
    } else {
        "sound"
    }
}

fn family_of_listener(profile: &ListenerProfile) -> &'static str {
    if profile.client_certificate != ClientCertificatePolicy::Ignored {
        "client-certificate"
    } else if profile.versions != Versions::current() {
        "protocol"
    } else {
        "sound"
    }
}

fn family_of_upstream(profile: &UpstreamProfile) -> &'static str {
    let strict = catalogue().upstream("strict").ok();
    if !(profile.verify_chain && profile.verify_name) {
        "verification"
    } else if !profile.send_server_name {
        "server-name"
    } else if profile.versions != Versions::current() {
        "protocol"
    } else if strict.is_some_and(|strict| strict.client_certificate != profile.client_certificate) {
        "client-certificate"
    } else {
        "sound"
    }
}

/// The entries by family, the sound ones first.
fn table(mut entries: Vec<Entry>, width: usize) -> String {
    let rank = |entry: &Entry| (entry.family != "sound", entry.family.clone());
    entries.sort_by_key(rank);
    let names = entries.iter().map(|entry| entry.name.chars().count()).max().unwrap_or(0) + 4;
    let mut lines = Vec::new();
    let mut family = "";
    for entry in &entries {
        if entry.family != family {
            family = &entry.family;
            lines.push(family.to_owned());
        }
        let name = format!("  {}", entry.name);
        if names + 30 > width {
            // Names as long as those of scenarios leave no room beside them.
            lines.push(name);
            continue;
        }
        for (index, line) in wrap(&entry.summary, width, names, names).into_iter().enumerate() {
            let start = if index == 0 { format!("{name:names$}") } else { String::new() };
            lines.push(format!("{start}{line}"));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}
