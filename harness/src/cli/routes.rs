//! `gauntlet routes`: the table that an external gateway has to implement.

use std::{
    net::{IpAddr, Ipv4Addr},
    process::ExitCode,
};

use clap::Args;
use tls_gauntlet_scenarios::{ListenerProfile, UpstreamProfile};

use super::{
    clock,
    failure::{Failure, input_error},
    streams,
};
use crate::{
    gateway::Route,
    report::Detail,
    runner::{self, RunRequest},
};

/// Prints the route table that an external gateway has to implement: listeners, upstreams, and a path for each cell.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The gateway: `external`, or the URL that `gauntlet run --gateway` will be given.
    #[arg(long, value_name = "external|URL")]
    gateway: String,
    /// A suite, as for `gauntlet run`; every one if none is named.
    #[arg(long, value_name = "NAME")]
    suite: Vec<String>,
    /// A glob over names of cells, as for `gauntlet run`.
    #[arg(long, value_name = "GLOB")]
    filter: Vec<String>,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
    /// The first port of the backends, as `gauntlet run --port-base` will be given it.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    port_base: u16,
}

/// What an external gateway has to be set up for.
#[derive(Debug)]
struct RouteTable {
    listeners: Vec<(String, ListenerProfile)>,
    upstreams: Vec<(String, UpstreamProfile)>,
    routes: Vec<Route>,
}

pub(super) fn routes(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.gateway != "external" && !arguments.gateway.contains("://") {
        return Err(input_error!(
            "gateway \"{}\" is set up by Gauntlet itself and needs no route table; pass --gateway external",
            arguments.gateway
        ));
    }
    let table = table(arguments)?;
    let text = if arguments.json { table.json() } else { table.text(streams::look(Detail::Normal).width) };
    streams::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The plan that a run against this gateway will follow, given the same suites, filters and first port.
fn table(arguments: &Arguments) -> Result<RouteTable, Failure> {
    // Before it runs, an external gateway has no address; its routes do not depend on it.
    let gateway = if arguments.gateway == "external" { "https://127.0.0.1" } else { &arguments.gateway };
    let request = RunRequest {
        gateways: vec![gateway.to_owned()],
        suites: arguments.suite.clone(),
        filters: arguments.filter.clone(),
        port_base: Some(arguments.port_base),
        ..RunRequest::new(0, clock::now())
    };
    let plan = runner::routes(&request, IpAddr::V4(Ipv4Addr::LOCALHOST)).map_err(Failure::input)?;
    Ok(RouteTable { listeners: plan.listeners, upstreams: plan.upstreams, routes: plan.routes })
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
                    "connect_timeout_ms": milliseconds(route.connect_timeout),
                    "response_timeout_ms": milliseconds(route.response_timeout),
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
            let wait = milliseconds(*response_timeout);
            let listener = listener.as_deref().unwrap_or("every listener");
            lines.push(format!(
                "  {listener}  {path}  {upstream}  https://{backend}/  as {server_name}  within {wait} ms"
            ));
        }
        lines.join("\n") + "\n"
    }
}

fn milliseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
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
                listener: "default".to_owned(),
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
