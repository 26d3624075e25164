//! `gauntlet.toml`: what `gauntlet run` does in a project where its command line says nothing else.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use clap::Args;
use schemars::JsonSchema;
use serde::Deserialize;
use tls_gauntlet_scenarios::catalogue;
use toml::Spanned;

use super::{
    failure::{Failure, input_error},
    reports::{self, ReportArguments},
    selection::{self, CallArguments, SelectionArguments},
    streams,
};
use crate::{
    place::{mistake, position},
    upwards,
};

/// The name of the file.
pub(super) const FILE: &str = "gauntlet.toml";

/// The arguments that say where it is.
#[derive(Debug, Args)]
pub(super) struct ProjectArguments {
    /// The gauntlet.toml to use; the one in the working directory or above it if absent.
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    config: Option<PathBuf>,
    /// Use no gauntlet.toml.
    #[arg(long)]
    no_config: bool,
}

/// The content of a `gauntlet.toml`. Relative paths begin in its folder; the command line overrides it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[schemars(title = "gauntlet.toml")]
struct Settings {
    /// Gateways: names (`gauntlet list gateways`), folders with a gateway.toml (`./my-gateway`), or URLs of gateways that
    /// are already running. The embedded one if none is named.
    #[schemars(with = "Vec<String>")]
    gateways: Vec<Spanned<String>>,
    /// Suites (`gauntlet list suites`). All if none is named.
    #[schemars(with = "Vec<String>")]
    suites: Vec<Spanned<String>>,
    /// Globs over names of cells, as in `*/expired-leaf/*`; a cell runs if any fits. Every cell if there is none.
    #[schemars(with = "Vec<String>")]
    filters: Vec<Spanned<String>>,
    /// The gateway that one that is already running is like: its claims hold, and the lines of its log mean the same.
    #[schemars(with = "Option<String>")]
    claims: Option<Spanned<String>>,
    /// The log of a gateway that is already running.
    log: Option<PathBuf>,
    /// A folder of `gauntlet certs` whose authorities to use.
    pki: Option<PathBuf>,
    /// The first port of the backends; ephemeral ones if absent.
    port_base: Option<u16>,
    /// The address the backends listen on. Anything but loopback opens weak TLS to other machines.
    bind: Option<IpAddr>,
    /// Calls in flight at the same time.
    #[schemars(range(min = 1))]
    jobs: Option<usize>,
    /// How often each cell is called.
    #[schemars(range(min = 1))]
    repeat: Option<u32>,
    /// The seed of names and serial numbers; random if absent.
    seed: Option<u64>,
    /// Start each gateway with nothing verified, and reload it with the real settings before the first call.
    after_reload: bool,
    /// What was accepted (`gauntlet report --accept`): only what changed since makes the exit code 1.
    baseline: Option<PathBuf>,
    /// A folder for the record (run.json) and the reports.
    out: Option<PathBuf>,
    /// Formats: console, json, junit, html, markdown, sarif. The first one goes to standard output; with `out` all are
    /// written, or every one if none is named.
    #[schemars(with = "Vec<String>")]
    formats: Vec<Spanned<String>>,
    /// A file for what happens while the run goes on, one JSON object a line.
    events: Option<PathBuf>,
}

/// A `gauntlet.toml` that was found and read.
#[derive(Debug)]
pub(super) struct Project {
    path: PathBuf,
    text: String,
    settings: Settings,
}

impl Project {
    /// The one that the arguments name, or that of the working directory or the nearest folder above it.
    pub(super) fn found(arguments: &ProjectArguments) -> Result<Option<Self>, Failure> {
        if arguments.no_config {
            return Ok(None);
        }
        match &arguments.config {
            Some(path) => Self::read(path.clone()).map(Some),
            None => nearest().map(Self::read).transpose(),
        }
    }

    fn read(path: PathBuf) -> Result<Self, Failure> {
        let text = fs::read_to_string(&path).map_err(|error| {
            input_error!("cannot read {}: {error}; `gauntlet init` writes one", path.display())
        })?;
        Self::parse(path, text)
    }

    fn parse(path: PathBuf, text: String) -> Result<Self, Failure> {
        let settings = toml::from_str(&text).map_err(|error| {
            let (offset, message) = mistake(&text, &error);
            at(&path, &text, offset, &message)
        })?;
        Ok(Self { path, text, settings })
    }

    /// Where it was found.
    pub(super) fn file(&self) -> String {
        self.path.display().to_string()
    }

    /// The gateways, each of which is known.
    pub(super) fn gateways(&self) -> Result<Vec<String>, Failure> {
        self.settings.gateways.iter().map(|name| self.gateway(name)).collect()
    }

    fn gateway(&self, name: &Spanned<String>) -> Result<String, Failure> {
        let there = self.gateway_below(name.as_ref());
        self.checked(name, selection::gateway(&there))?;
        Ok(there)
    }

    /// Folders and profiles begin where the file is.
    fn gateway_below(&self, name: &str) -> String {
        let is_path =
            !name.contains("://") && (name.contains('/') || name.starts_with('.') || name.ends_with(".toml"));
        let folder = self.folder();
        if !is_path || folder.as_os_str().is_empty() {
            return name.to_owned();
        }
        folder.join(name).display().to_string()
    }

    /// Which cells there are, where nothing was said of it.
    pub(super) fn fill_selection(&self, arguments: &mut SelectionArguments) -> Result<(), Failure> {
        let Settings { suites, filters, claims, port_base, bind, .. } = &self.settings;
        if arguments.suite.is_empty() {
            for suite in suites {
                self.checked(suite, catalogue().suite(suite.as_ref()).map_err(Failure::input))?;
            }
            arguments.suite = words(suites);
        }
        if arguments.filter.is_empty() {
            arguments.filter = words(filters);
        }
        if arguments.claims.is_none() {
            arguments.claims = claims.as_ref().map(|claims| self.gateway(claims)).transpose()?;
        }
        arguments.port_base = arguments.port_base.or(*port_base);
        arguments.bind = arguments.bind.or(*bind);
        Ok(())
    }

    /// How they are called, where nothing was said of it.
    pub(super) fn fill_calls(&self, arguments: &mut CallArguments) {
        let Settings { jobs, repeat, seed, pki, log, .. } = &self.settings;
        arguments.jobs = arguments.jobs.or(*jobs);
        arguments.repeat = arguments.repeat.or(*repeat);
        arguments.seed = arguments.seed.or(*seed);
        arguments.pki = arguments.pki.take().or_else(|| self.below(pki.as_deref()));
        arguments.log = arguments.log.take().or_else(|| self.below(log.as_deref()));
    }

    /// What is made of the record, where nothing was said of it.
    pub(super) fn fill_reports(&self, arguments: &mut ReportArguments) -> Result<(), Failure> {
        let Settings { out, formats, .. } = &self.settings;
        arguments.baseline = arguments.baseline.take().or_else(|| self.baseline());
        arguments.out = arguments.out.take().or_else(|| self.below(out.as_deref()));
        if arguments.format.is_empty() {
            for format in formats {
                self.checked(format, reports::format(format.as_ref()))?;
            }
            arguments.format = words(formats);
        }
        Ok(())
    }

    /// Whether gateways are to be reloaded before the first call.
    pub(super) const fn after_reload(&self) -> bool {
        self.settings.after_reload
    }

    /// What was accepted.
    pub(super) fn baseline(&self) -> Option<PathBuf> {
        self.below(self.settings.baseline.as_deref())
    }

    /// Where to tell what happens.
    pub(super) fn events(&self) -> Option<PathBuf> {
        self.below(self.settings.events.as_deref())
    }

    /// The error with the place of the filter that it speaks of, if that comes from here.
    pub(super) fn place(&self, error: Failure) -> Failure {
        let told = error.to_string();
        let named = |filter: &&Spanned<String>| told.contains(&format!("the filter \"{}\"", filter.as_ref()));
        match self.settings.filters.iter().find(named) {
            Some(filter) => at(&self.path, &self.text, filter.span().start, &told),
            None => error,
        }
    }

    fn checked<T>(&self, word: &Spanned<String>, outcome: Result<T, Failure>) -> Result<T, Failure> {
        outcome.map_err(|error| at(&self.path, &self.text, word.span().start, &error.to_string()))
    }

    fn below(&self, path: Option<&Path>) -> Option<PathBuf> {
        path.map(|path| self.folder().join(path))
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// The JSON Schema of the file, as it is checked in under `harness/schemas`.
#[cfg(test)]
fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(Settings)).unwrap_or_default();
    text.push('\n');
    text
}

fn words(spanned: &[Spanned<String>]) -> Vec<String> {
    spanned.iter().map(|word| word.as_ref().clone()).collect()
}

fn at(path: &Path, text: &str, offset: usize, message: &str) -> Failure {
    let (line, column) = position(text, offset);
    input_error!("{}:{line}:{column}: {message}", path.display())
}

/// The nearest one, as a path from the working directory, so that what is made of it can be typed there.
fn nearest() -> Option<PathBuf> {
    let search = upwards::search(Path::new(FILE), Path::is_file);
    for passed_over in &search.passed_over {
        streams::note_once(&format!("{passed_over}; name it with --config if it is to count"));
    }
    search.found.map(|found| std::iter::repeat_n("..", found.above).collect::<PathBuf>().join(FILE))
}

#[cfg(test)]
mod tests {
    use std::env;

    use rstest::rstest;

    use super::*;

    fn project(text: &str) -> Result<Project, Failure> {
        Project::parse("up/gauntlet.toml".into(), text.to_owned())
    }

    #[test]
    fn the_published_schema_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/gauntlet-toml.schema.json");
        if env::var_os("UPDATE").is_some() {
            fs::write(&path, schema()).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert!(published == schema(), "{} is out of date; run the tests with UPDATE=1", path.display());
    }

    #[rstest]
    #[case::key(
        "suites = []\ngatways = []",
        "up/gauntlet.toml:2:1: unknown field `gatways`, expected one of "
    )]
    #[case::meant("gatways = []", "; did you mean \"gateways\"?")]
    #[case::kind("jobs = \"many\"", "up/gauntlet.toml:1:8: invalid type: string \"many\", expected usize")]
    #[case::grammar("suites = [", "up/gauntlet.toml:1:11: ")]
    fn a_mistake_is_told_with_its_place(#[case] text: &str, #[case] told: &str) {
        let error = project(text).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }

    #[rstest]
    #[case::gateway(
        "gateways = [\n  \"ngnix\",\n]",
        "up/gauntlet.toml:2:3: unknown gateway \"ngnix\"; did you mean"
    )]
    #[case::suite(
        "suites = [\"upstraem\"]",
        "up/gauntlet.toml:1:11: unknown suite \"upstraem\"; did you mean"
    )]
    #[case::format(
        "formats = [\"htlm\"]",
        "up/gauntlet.toml:1:12: unknown format \"htlm\"; did you mean \"html\"?"
    )]
    #[case::claims(
        "claims = \"ngnix\"",
        "up/gauntlet.toml:1:10: unknown gateway \"ngnix\"; did you mean \"nginx\"?"
    )]
    fn so_is_an_unknown_name(#[case] text: &str, #[case] told: &str) {
        let project = project(text).unwrap();
        let filled = project.gateways().map(drop);
        let filled = filled.and_then(|()| project.fill_selection(&mut SelectionArguments::default()));
        let error = filled.and_then(|()| project.fill_reports(&mut ReportArguments::default())).unwrap_err();
        assert!(error.to_string().starts_with(told), "{error}");
    }

    #[test]
    fn the_command_line_overrides_it() {
        let project = project("suites = [\"listener\"]\nport-base = 7\nfilters = [\"*\"]").unwrap();
        let suite = vec!["upstream".to_owned()];
        let mut arguments = SelectionArguments { suite, port_base: Some(8), ..SelectionArguments::default() };
        project.fill_selection(&mut arguments).unwrap();
        assert_eq!(arguments.suite, ["upstream"]);
        assert_eq!(arguments.port_base, Some(8));
        assert_eq!(arguments.filter, ["*"]);
    }

    #[rstest]
    #[case("nginx", "nginx")]
    #[case("./mine", "up/./mine")]
    #[case("contoso.toml", "up/contoso.toml")]
    #[case("https://localhost:8443", "https://localhost:8443")]
    fn paths_begin_where_the_file_is(#[case] name: &str, #[case] from_here: &str) {
        let project = project("out = \"reports\"").unwrap();
        assert_eq!(project.gateway_below(name), from_here);
        let mut arguments = ReportArguments::default();
        project.fill_reports(&mut arguments).unwrap();
        assert_eq!(arguments.out.as_deref(), Some(Path::new("up/reports")));
    }
}
