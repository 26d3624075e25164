//! `gauntlet.toml`: finds the file, reads it, and takes values over from it, each error with its place.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use tls_gauntlet_scenarios::catalogue;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    audit::settings::{ExceptionSettings, LegSettings},
    failure::{Failure, input_error},
    options::{Settings, Written},
    reports, selection, streams,
};
use crate::{
    audit::Exception,
    place::{mistake, position},
    upwards,
};

/// The name of the file.
pub(super) const FILE: &str = "gauntlet.toml";

/// The arguments that say where gauntlet.toml is.
#[derive(Debug, Args)]
pub(super) struct ProjectArguments {
    /// The gauntlet.toml to use; the one in the working directory or above it if absent.
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    config: Option<PathBuf>,
    /// Use no gauntlet.toml.
    #[arg(long)]
    no_config: bool,
}

/// A `gauntlet.toml` that was found and read; an empty one without a path if there is none.
#[derive(Debug, Default)]
pub(super) struct Project {
    path: PathBuf,
    text: String,
    settings: Settings,
}

impl Project {
    /// The one that the arguments name, or that of the working directory or the nearest folder above it.
    pub(super) fn found(arguments: &ProjectArguments) -> Result<Self, Failure> {
        let path = match &arguments.config {
            _ if arguments.no_config => None,
            Some(path) => Some(path.clone()),
            None => nearest(),
        };
        path.map_or_else(|| Ok(Self::default()), Self::read)
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

    /// Where it was found, if it was.
    pub(super) fn file(&self) -> Option<String> {
        (self.path != Path::new("")).then(|| self.path.display().to_string())
    }

    /// The baseline, where it names one.
    pub(super) fn baseline(&self) -> Option<PathBuf> {
        self.settings.baseline.as_deref().map(|path| self.below(path))
    }

    /// The error with the place of the filter that it speaks of, if that comes from here.
    pub(super) fn place(&self, error: Failure) -> Failure {
        let told = error.to_string();
        let named = |filter: &&String| told.contains(&format!("the filter \"{filter}\""));
        match self.settings.filter.iter().find(named) {
            Some(filter) => self.at("filters", filter, &told),
            None => error,
        }
    }

    fn checked<T>(&self, key: &str, word: &str, outcome: Result<T, Failure>) -> Result<T, Failure> {
        outcome.map_err(|error| self.at(key, word, &error.to_string()))
    }

    /// The message with the place of a word that stands under a key.
    fn at(&self, key: &str, word: &str, message: &str) -> Failure {
        at(&self.path, &self.text, offset(&self.text, key, word).unwrap_or(0), message)
    }

    /// Folders and profiles begin where the file is.
    fn gateway_below(&self, name: &str) -> String {
        let is_path =
            !name.contains("://") && (name.contains('/') || name.starts_with('.') || name.ends_with(".toml"));
        if !is_path || self.folder().as_os_str().is_empty() {
            return name.to_owned();
        }
        self.below(Path::new(name)).display().to_string()
    }

    /// The legs of an audit.
    pub(super) fn legs(&self) -> &[LegSettings] {
        &self.settings.leg
    }

    /// What is put up with, each with a rule that is known and a last day.
    pub(super) fn exceptions(&self) -> Result<Vec<Exception>, Failure> {
        let read = |one: &Spanned<ExceptionSettings>| {
            let place = |error: Failure| at(&self.path, &self.text, one.span().start, &error.to_string());
            one.as_ref().read().map_err(place)
        };
        self.settings.exception.iter().map(read).collect()
    }

    pub(super) fn below(&self, path: &Path) -> PathBuf {
        self.folder().join(path)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

impl Written for Project {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn path(&self, _key: &str, path: &Path) -> Result<PathBuf, Failure> {
        Ok(self.below(path))
    }

    fn gateway(&self, key: &str, name: &str) -> Result<String, Failure> {
        let there = self.gateway_below(name);
        self.checked(key, name, selection::gateway(&there))?;
        Ok(there)
    }

    fn suite(&self, key: &str, name: &str) -> Result<String, Failure> {
        if name != selection::ALL {
            self.checked(key, name, catalogue().suite(name).map_err(Failure::input))?;
        }
        Ok(name.to_owned())
    }

    fn format(&self, key: &str, name: &str) -> Result<String, Failure> {
        self.checked(key, name, reports::format(name))?;
        Ok(name.to_owned())
    }
}

/// Where a word stands that is the value of a key, or one of its values.
fn offset(text: &str, key: &str, word: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let (_, value) = table.get_ref().iter().find(|(name, _)| name.get_ref() == key)?;
    let place = match value.get_ref() {
        DeValue::Array(values) => values.iter().find(|value| value.get_ref().as_str() == Some(word))?,
        _ => value,
    };
    Some(place.span().start)
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
    use rstest::rstest;

    use super::*;
    use crate::cli::options::{GatewayOptions, ReportOptions, SelectionOptions};

    fn project(text: &str) -> Result<Project, Failure> {
        Project::parse("up/gauntlet.toml".into(), text.to_owned())
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
        let filled = GatewayOptions::default().fill(&project);
        let filled = filled.and_then(|()| SelectionOptions::default().fill(&project));
        let error = filled.and_then(|()| ReportOptions::default().fill(&project)).unwrap_err();
        assert!(error.to_string().starts_with(told), "{error}");
    }

    #[test]
    fn the_command_line_overrides_it() {
        let project = project("suites = [\"listener\"]\nport-base = 7\nfilters = [\"*\"]").unwrap();
        let suite = vec!["upstream".to_owned()];
        let mut options = SelectionOptions { suite, port_base: Some(8), ..SelectionOptions::default() };
        options.fill(&project).unwrap();
        assert_eq!(options.suite, ["upstream"]);
        assert_eq!(options.port_base, Some(8));
        assert_eq!(options.filter, ["*"]);
    }

    #[rstest]
    #[case("nginx", "nginx")]
    #[case("./mine", "up/./mine")]
    #[case("contoso.toml", "up/contoso.toml")]
    #[case("https://localhost:8443", "https://localhost:8443")]
    fn paths_begin_where_the_file_is(#[case] name: &str, #[case] from_here: &str) {
        let project = project("out = \"reports\"").unwrap();
        assert_eq!(project.gateway_below(name), from_here);
        let mut options = ReportOptions::default();
        options.fill(&project).unwrap();
        assert_eq!(options.out.as_deref(), Some(Path::new("up/reports")));
    }

    #[test]
    fn any_text_is_read_or_refused_with_its_place() {
        let seeds = [
            "gateways = [\"nginx\"]\njobs = 4\n",
            "suites = [\"upstream\"]\nfilters = [\"*\"]\nbind = \"::1\"\n",
        ];
        crate::fuzz::each("gauntlet-toml", &seeds.map(|seed| seed.as_bytes().to_vec()), |input| {
            if let Err(error) = project(&String::from_utf8_lossy(input)) {
                assert!(error.to_string().starts_with("up/gauntlet.toml:"), "{error}");
            }
        });
    }
}
