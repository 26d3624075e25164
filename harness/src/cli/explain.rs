//! `gauntlet explain`: what a scenario does, what is expected and why, and how to see it by hand.

use std::{cmp::Reverse, process::ExitCode};

use clap::Args;
use tls_gauntlet_scenarios::{Composed, Expectation, Named, Outcome, Scenario, catalogue, model};

use super::{
    failure::{Failure, input_error},
    selection, streams,
};
use crate::{
    backend::by_hand::{self, Files, quoted},
    gateway::{Gateway, REFERENCE},
    record::GatewayKind,
    report::{Detail, text::wrap, witness},
};

/// Tells what a scenario does, what is expected, why, who asked for it, and how to reproduce it by hand.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A cell (`suite/backend/upstream::client/listener::gateway`), a part of its name (`backend/upstream`, with
    /// or without `::client/listener`), or a backend.
    scenario: String,
    /// The gateway to explain it for: a name, a folder or a URL; `reference` unless the cell's name says otherwise.
    #[arg(long, value_name = "NAME|DIR|URL")]
    gateway: Option<String>,
}

pub(super) fn explain(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let target = Pick::parse(&arguments.scenario)?;
    let name = arguments.gateway.as_deref().or(target.gateway.as_deref()).unwrap_or(REFERENCE);
    let gateway = selection::gateway(name)?;
    let width = streams::look(Detail::Normal).width;
    let state = |scenario: &Scenario| state(scenario, &gateway);
    let text = match &target.upstream {
        Some(upstream) => {
            let (scenario, listed) = target.scenario(upstream)?;
            let subject = Subject {
                scenario: &scenario,
                gateway: gateway.name(),
                as_asked: listed.then_some(name),
                statement: &state(&scenario),
                instead: &instead(&scenario, &gateway),
                elsewhere: &elsewhere(&scenario, &gateway)?,
            };
            page(&subject, width)
        }
        None => {
            let mut routes = Vec::new();
            for (upstream, _) in catalogue().upstreams() {
                let (scenario, _) = target.scenario(upstream)?;
                routes.push((upstream.to_owned(), state(&scenario)));
            }
            overview(&target.backend()?, gateway.name(), &routes, width)
        }
    };
    streams::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What the model says must happen, or why it says nothing.
type Statement = Result<Expectation, String>;

fn state(scenario: &Scenario, gateway: &Gateway) -> Statement {
    if let Some(because) =
        gateway.impossible(&scenario.listener.name, &scenario.upstream.name, &scenario.backend.name)
    {
        return Err(format!("skipped: {because}"));
    }
    let claims = gateway.claims();
    let statement = match gateway.kind() {
        GatewayKind::Direct => model::expect_called_directly(scenario, claims),
        GatewayKind::Reference | GatewayKind::Program | GatewayKind::External => {
            model::expect(scenario, claims)
        }
    };
    statement
        .map_err(|unclaimed| format!("no statement: {unclaimed}; what happens is shown, and not counted"))
}

/// Behind which other settings of the gateway the same call ends otherwise, those that end alike together.
fn instead(scenario: &Scenario, gateway: &Gateway) -> Vec<(String, Vec<String>)> {
    let own = state(scenario, gateway).map(|expected| end(&expected));
    let others = catalogue().upstreams().filter(|(upstream, _)| *upstream != scenario.upstream.name);
    let ends = others.filter_map(|(upstream, profile)| {
        let upstream = Named::of(upstream, profile);
        let end = end(&state(&Scenario { upstream: upstream.clone(), ..scenario.clone() }, gateway).ok()?);
        (own.as_ref() != Ok(&end)).then_some((end, upstream.name))
    });
    together(ends)
}

/// What the same call must come to behind each of the shipped gateways, in the newest version that is known.
fn elsewhere(scenario: &Scenario, gateway: &Gateway) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let mut ends = Vec::new();
    for name in PROGRAMS.iter().filter(|name| **name != gateway.name()) {
        if let Ok(expected) = state(scenario, &Gateway::describe(name).map_err(Failure::input)?) {
            ends.push((end(&expected), (*name).to_owned()));
        }
    }
    Ok(together(ends))
}

/// The gateways that are programs, and ship with Gauntlet.
const PROGRAMS: &[&str] = &["nginx", "haproxy", "envoy", "caddy", "traefik", "httpd"];

/// How it ends, in a few words.
fn end(expected: &Expectation) -> String {
    match (expected.outcome, expected.by, expected.cause) {
        (Outcome::Refuse, Some(party), Some(cause)) => format!("refused by the {party}, {cause}"),
        (Outcome::Refuse, _, _) => "refused".to_owned(),
        (Outcome::Reach, _, _) => "comes through".to_owned(),
    }
}

fn together(ends: impl IntoIterator<Item = (String, String)>) -> Vec<(String, Vec<String>)> {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for (end, name) in ends {
        match all.iter_mut().find(|(known, _)| *known == end) {
            Some((_, names)) => names.push(name),
            None => all.push((end, vec![name])),
        }
    }
    all
}

/// What a reader named, as far as it was named.
#[derive(Debug, PartialEq, Eq)]
struct Pick {
    suite: Option<String>,
    backend: String,
    upstream: Option<String>,
    client: String,
    listener: String,
    gateway: Option<String>,
}

impl Pick {
    fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = || {
            input_error!(
                "\"{text}\" names no scenario; write suite/backend/upstream::client/listener::gateway, \
                 backend/upstream, or a backend (`gauntlet list scenarios` shows all)"
            )
        };
        let own = |text: &str| Some(text.to_owned());
        let mut legs = text.split("::");
        let first: Vec<&str> = legs.next().unwrap_or_default().split('/').collect();
        let (suite, backend, upstream) = match first[..] {
            [backend] => (None, backend, None),
            [backend, upstream] => (None, backend, own(upstream)),
            [suite, backend, upstream] => (own(suite), backend, own(upstream)),
            _ => return Err(wrong()),
        };
        let (client, listener) = match legs.next() {
            None => ("default", "default"),
            Some(leg) => leg.split_once('/').filter(|_| upstream.is_some()).ok_or_else(wrong)?,
        };
        let gateway = legs.next().map(str::to_owned);
        if legs.next().is_some() || backend.is_empty() {
            return Err(wrong());
        }
        if let Some(suite) = &suite {
            catalogue().suite(suite).map_err(Failure::input)?;
        }
        let (client, listener) = (client.to_owned(), listener.to_owned());
        Ok(Self { suite, backend: backend.to_owned(), upstream, client, listener, gateway })
    }

    fn backend(&self) -> Result<Composed, Failure> {
        catalogue().backend(&self.backend).map_err(Failure::input)
    }

    /// The scenario of a suite and `true`, or one that could be in a suite but is not, and `false`.
    fn scenario(&self, upstream: &str) -> Result<(Scenario, bool), Failure> {
        let made = Scenario {
            suite: self.suite.clone().unwrap_or_else(|| "upstream".to_owned()),
            why: "No suite runs it; the model makes its statement all the same.".to_owned(),
            source: "you".to_owned(),
            ..catalogue()
                .scenario(&self.client, &self.listener, upstream, self.backend()?)
                .map_err(Failure::input)?
        };
        let suites: Vec<String> = self.suite.iter().cloned().collect();
        let listed = selection::suites(&suites)?.into_iter().find(|scenario| {
            scenario.backend.name == made.backend.name
                && scenario.upstream.name == made.upstream.name
                && scenario.client.name == made.client.name
                && scenario.listener.name == made.listener.name
        });
        Ok(listed.map_or((made, false), |listed| (listed, true)))
    }
}

/// One scenario, and all that is to be said about it.
struct Subject<'a> {
    scenario: &'a Scenario,
    /// Its name in cells.
    gateway: &'a str,
    /// How a run names it, where a suite runs the scenario.
    as_asked: Option<&'a str>,
    statement: &'a Statement,
    instead: &'a [(String, Vec<String>)],
    elsewhere: &'a [(String, Vec<String>)],
}

fn page(subject: &Subject<'_>, width: usize) -> String {
    let Subject { scenario, gateway, as_asked, statement, instead, elsewhere } = *subject;
    let id = scenario.id(gateway).to_string();
    let Scenario { client, listener, upstream, backend, why, source, .. } = scenario;
    let mut page = Page::new(width);
    page.line(&id);
    page.blank();
    page.entry("client", &format!("{}: {}", client.name, client.profile.summary));
    page.entry("listener", &format!("{}: {}", listener.name, listener.profile.summary));
    page.entry("upstream", &format!("{}: {}", upstream.name, upstream.profile.summary));
    page.entry("backend", &format!("{}: {}", backend.name, backend.profile.summary));
    page.entry("clause", &backend.profile.clause);
    page.blank();
    page.entry("expected", &sentence(statement));
    for (number, step) in (1..).zip(statement.iter().flat_map(|expected| &expected.steps)) {
        page.entry("", &format!("{number}. {step}"));
    }
    page.blank();
    for (label, ends, with) in [("instead", instead, "with"), ("elsewhere", elsewhere, "behind")] {
        for (nth, (end, names)) in ends.iter().enumerate() {
            let label = if nth == 0 { label } else { "" };
            page.entry(label, &format!("{end}: {with} {}", names.join(", ")));
        }
    }
    if !(instead.is_empty() && elsewhere.is_empty()) {
        page.blank();
    }
    page.entry("why", why);
    page.entry("source", source);
    page.blank();
    if let Some(gateway) = as_asked {
        let command = format!("gauntlet run --gateway {} --filter {}", quoted(gateway), quoted(&id));
        page.command("run it", &command);
    }
    if client.name == "default" && listener.name == "default" {
        by_hand_lines(&mut page, backend);
    } else {
        page.entry(
            "by hand",
            "what happens here is decided on a listener of the gateway, which is set up for the run alone; the run shows, with \
             --verbose, what its three witnesses see",
        );
    }
    page.finish()
}

/// One backend behind every upstream.
fn overview(backend: &Composed, gateway: &str, routes: &[(String, Statement)], width: usize) -> String {
    let mut page = Page::new(width);
    page.line(&backend.name);
    page.blank();
    page.entry("does", &backend.profile.summary);
    page.entry("clause", &backend.profile.clause);
    page.blank();
    page.line(&format!("behind {gateway}, by upstream, those first that most have in common:"));
    let ends = routes.iter().map(|(upstream, statement)| (sentence(statement), upstream.clone()));
    let mut ends = together(ends);
    ends.sort_by_key(|(_, upstreams)| Reverse(upstreams.len()));
    for (end, upstreams) in ends {
        page.put("  ", &upstreams.join(", "), 2);
        page.put("    ", &end, 4);
    }
    page.blank();
    by_hand_lines(&mut page, backend);
    page.finish()
}

fn sentence(statement: &Statement) -> String {
    match statement {
        Ok(expected) => witness::expected(expected),
        Err(reason) => reason.clone(),
    }
}

fn by_hand_lines(page: &mut Page, backend: &Composed) {
    let [ca, certificate, key, crl] = ["CA", "CERTIFICATE", "KEY", "CRL"].map(str::to_owned);
    let files = Files { ca, certificate, key, crl };
    page.command("by hand", &format!("gauntlet serve {}", quoted(&backend.name)));
    page.entry("", "and, with the port and the files that it prints, the backend called without a gateway:");
    let url = format!("https://{}:PORT/", by_hand::called(&backend.profile, "localhost"));
    page.command("", &by_hand::curl(&backend.profile, &url, &files));
    page.command("", &by_hand::s_client(&backend.profile, "localhost", "PORT", &files));
    if let Some(status) = by_hand::status(&backend.profile, "localhost", "PORT", &files) {
        page.entry("", "and the status of its certificate:");
        page.command("", &status);
    }
    if let Some(expect) = by_hand::what_to_expect(&backend.profile) {
        page.entry("", &format!("({expect})"));
    }
}

/// Lines with a label in front.
struct Page {
    width: usize,
    lines: Vec<String>,
}

impl Page {
    const COLUMN: usize = 11;

    fn new(width: usize) -> Self {
        Self { width, lines: Vec::new() }
    }

    fn line(&mut self, text: &str) {
        self.lines.push(text.to_owned());
    }

    fn blank(&mut self) {
        self.lines.push(String::new());
    }

    fn entry(&mut self, label: &str, text: &str) {
        self.put(label, text, Self::COLUMN);
    }

    /// A command is copied as a whole, so it is never broken.
    fn command(&mut self, label: &str, command: &str) {
        let column = Self::COLUMN;
        self.lines.push(format!("{label:column$}{command}"));
    }

    fn put(&mut self, label: &str, text: &str, column: usize) {
        let mut lines = wrap(text, self.width, column, column).into_iter();
        let first = lines.next().unwrap_or_default();
        self.lines.push(format!("{label:column$}{first}"));
        self.lines.extend(lines);
    }

    fn finish(self) -> String {
        self.lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tls_gauntlet_scenarios::{BackendSight, Cause, Connection, Party, Phase};

    use super::*;

    #[rstest]
    #[case("expired-leaf", None, "expired-leaf", None, "default", None)]
    #[case("expired-leaf/strict", None, "expired-leaf", Some("strict"), "default", None)]
    #[case("a+b/strict::no-sni/legacy", None, "a+b", Some("strict"), "no-sni", None)]
    #[case("upstream/a/strict::no-sni/legacy", Some("upstream"), "a", Some("strict"), "no-sni", None)]
    #[case(
        "upstream/a/strict::no-sni/legacy::nginx",
        Some("upstream"),
        "a",
        Some("strict"),
        "no-sni",
        Some("nginx")
    )]
    fn a_scenario_is_named_by_as_much_as_is_needed(
        #[case] text: &str,
        #[case] suite: Option<&str>,
        #[case] backend: &str,
        #[case] upstream: Option<&str>,
        #[case] client: &str,
        #[case] gateway: Option<&str>,
    ) {
        let target = Pick::parse(text).unwrap();
        assert_eq!(target.suite.as_deref(), suite);
        assert_eq!(target.backend, backend);
        assert_eq!(target.upstream.as_deref(), upstream);
        assert_eq!(target.client, client);
        assert_eq!(target.gateway.as_deref(), gateway);
    }

    #[rstest]
    #[case("")]
    #[case("a/b/c/d")]
    #[case("expired-leaf::default/default")]
    #[case("a/strict::default")]
    #[case("a/strict::default/default::nginx::more")]
    fn other_names_are_refused(#[case] text: &str) {
        assert!(Pick::parse(text).unwrap_err().to_string().contains("names no scenario"));
    }

    #[rstest]
    fn the_page_of_a_scenario(#[values(80, 140)] width: usize) {
        let target = Pick::parse("renegotiation-required-dual/strict").unwrap();
        let scenario = target.scenario("strict").unwrap().0;
        let mut expected =
            Expectation::refuse(Party::Gateway, Phase::Request, Cause::PostHandshakeAuthRefused);
        expected.statuses = vec![403];
        expected.backend = BackendSight { connection: Some(Connection::Request), ..BackendSight::default() };
        expected.steps = vec![
            "The client and the listener agree on TLSv1.3.".to_owned(),
            "The gateway and the backend agree on TLSv1.3, which has no renegotiation.".to_owned(),
            "The backend asks for the certificate after the request; the gateway did not offer that."
                .to_owned(),
        ];
        let subject = Subject {
            scenario: &scenario,
            gateway: "nginx",
            as_asked: Some("nginx"),
            statement: &Ok(expected),
            instead: &[("comes through".to_owned(), vec!["max-tls12".to_owned()])],
            elsewhere: &[("comes through".to_owned(), vec!["httpd".to_owned(), "mine".to_owned()])],
        };
        insta::assert_snapshot!(format!("page-{width}"), page(&subject, width));
    }

    #[test]
    fn the_overview_of_a_backend() {
        let target = Pick::parse("expired-leaf").unwrap();
        let refused = Expectation::refuse(Party::Gateway, Phase::Handshake, Cause::ServerCertExpired);
        let routes = [
            ("strict".to_owned(), Ok(refused)),
            ("no-verify".to_owned(), Ok(Expectation::reach(BackendSight::default()))),
            ("max-tls12".to_owned(), Err("skipped: this version cannot be told".to_owned())),
        ];
        insta::assert_snapshot!(overview(&target.backend().unwrap(), "nginx", &routes, 80));
    }
}
