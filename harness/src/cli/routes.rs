//! `gauntlet routes`: the table that an external gateway has to implement.

use std::process::ExitCode;

use clap::Args;
use tls_gauntlet_scenarios::{ListenerProfile, UpstreamProfile};

use super::{
    clock,
    failure::{Failure, input_error},
    options::SelectionOptions,
    project::{Project, ProjectArguments},
    selection, streams,
};
use crate::{
    gateway::Route,
    limits::millis,
    report::Detail,
    runner::{self, RunError, RunRequest},
};

/// Prints the route table that an external gateway has to implement: listeners, upstreams, and a path for each cell.
///
/// `gauntlet run --gateway URL` follows the same table if it is given the same --suite, --filter, --claims, --bind and
/// --port-base, here or in gauntlet.toml.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The gateway: `external`, or the URL that `gauntlet run --gateway` will be given.
    #[arg(long, value_name = "external|URL")]
    gateway: String,
    #[command(flatten)]
    selection: SelectionOptions,
    #[command(flatten)]
    project: ProjectArguments,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

/// The first port of the backends unless somebody says otherwise.
const PORT_BASE: u16 = 20_000;

/// What `external` stands for until the gateway has an address: the table does not depend on it.
const SOMEWHERE: &str = "https://127.0.0.1:443";

pub(super) fn routes(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let gateway = match arguments.gateway.as_str() {
        "external" => SOMEWHERE,
        url if url.contains("://") => url,
        name => {
            return Err(input_error!(
                "gateway \"{name}\" is set up by Gauntlet itself and needs no route table; pass --gateway external"
            ));
        }
    };
    let mut selected = arguments.selection.clone();
    selected.fill(&Project::found(&arguments.project)?)?;
    selected.port_base = selected.port_base.or(Some(PORT_BASE));
    let request = selected.put_into(RunRequest {
        gateways: vec![gateway.to_owned()],
        // No name or serial of a certificate is in the table.
        ..RunRequest::new(0, clock::now())
    });
    selection::check(&request)?;
    let plan = runner::routes(&request).map_err(|error| match &error {
        RunError::Request(_) => Failure::input(error),
        RunError::Work(_) => Failure::work(error),
    })?;
    let table = RouteTable { listeners: plan.listeners, upstreams: plan.upstreams, routes: plan.routes };
    let text = if arguments.json { table.json() } else { table.text(streams::look(Detail::Normal).width) };
    streams::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What an external gateway has to be set up for.
#[derive(Debug)]
struct RouteTable {
    listeners: Vec<(String, ListenerProfile)>,
    upstreams: Vec<(String, UpstreamProfile)>,
    routes: Vec<Route>,
}

impl RouteTable {
    fn json(&self) -> String {
        let profiles = |named: Vec<(&String, serde_json::Value)>| -> Vec<serde_json::Value> {
            named
                .into_iter()
                .map(|(name, mut profile)| {
                    profile["name"] = name.as_str().into();
                    profile
                })
                .collect()
        };
        let value = |profile: serde_json::Result<serde_json::Value>| profile.unwrap_or_default();
        let routes: Vec<_> = self
            .routes
            .iter()
            .map(|route| {
                serde_json::json!({
                    "path": route.path,
                    "listener": route.listener,
                    "upstream": route.upstream,
                    "backend": route.backend.to_string(),
                    "server_name": route.server_name,
                    "connect_timeout_ms": millis(route.connect_timeout),
                    "response_timeout_ms": millis(route.response_timeout),
                })
            })
            .collect();
        let listeners =
            self.listeners.iter().map(|(name, profile)| (name, value(serde_json::to_value(profile))));
        let upstreams =
            self.upstreams.iter().map(|(name, profile)| (name, value(serde_json::to_value(profile))));
        let table = serde_json::json!({
            "listeners": profiles(listeners.collect()),
            "upstreams": profiles(upstreams.collect()),
            "routes": routes,
        });
        format!("{table:#}\n")
    }

    fn text(&self, width: usize) -> String {
        let mut lines = Vec::new();
        let summaries = |lines: &mut Vec<String>, title: &str, named: Vec<(&str, &str)>| {
            lines.push(title.to_owned());
            let column = named.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 4;
            for (name, summary) in named {
                for (index, line) in
                    crate::report::text::wrap(summary, width, column, column).into_iter().enumerate()
                {
                    let name =
                        if index == 0 { format!("{:column$}", format!("  {name}")) } else { String::new() };
                    lines.push(format!("{name}{line}"));
                }
            }
        };
        let listeners = self.listeners.iter().map(|(name, it)| (name.as_str(), it.summary.as_str()));
        summaries(&mut lines, "listeners", listeners.collect());
        let upstreams = self.upstreams.iter().map(|(name, it)| (name.as_str(), it.summary.as_str()));
        summaries(&mut lines, "upstreams", upstreams.collect());
        lines.push("routes".to_owned());
        for Route { path, listener, upstream, backend, server_name, response_timeout, .. } in &self.routes {
            let wait = millis(*response_timeout);
            let listener = listener.as_deref().unwrap_or("every listener");
            lines.push(format!(
                "  {listener}  {path}  {upstream}  https://{backend}/  as {server_name}  within {wait} ms"
            ));
        }
        lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tls_gauntlet_scenarios::catalogue;

    use super::*;

    #[test]
    fn the_table_for_people_and_for_programs() {
        let listener = catalogue().listener("default").unwrap().clone();
        let upstream = catalogue().upstream("strict").unwrap().clone();
        let table = RouteTable {
            listeners: vec![("default".to_owned(), listener)],
            upstreams: vec![("strict".to_owned(), upstream)],
            routes: vec![Route {
                path: "/strict/20000/".to_owned(),
                group: "strict".to_owned(),
                listener: None,
                upstream: "strict".to_owned(),
                backend: ([127, 0, 0, 1], 20_000).into(),
                server_name: "backend.gauntlet.test".to_owned(),
                connect_timeout: Duration::from_secs(30),
                response_timeout: Duration::from_secs(1),
            }],
        };
        insta::assert_snapshot!("table", table.text(80));
        insta::assert_snapshot!("table-json", table.json());
    }
}
