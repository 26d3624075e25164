//! `gateway.toml`: all that has to be said about a gateway so that it can be driven and judged.

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr};

use globset::Glob;
use regex::Regex;
use serde::{Deserialize, Serialize};
use tls_gauntlet_scenarios::{Cause, Claims, Deviation};

use super::error::GatewayError;
use crate::place::{mistake, position};

/// The content of a `gateway.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// What the gateway is called in cells and reports.
    pub name: String,
    /// One sentence about it.
    pub summary: String,
    /// How the program is found.
    pub program: Program,
    /// The image that it is in; absent: it is on this machine.
    #[serde(default)]
    pub container: Option<Container>,
    /// How it is set up, started and stopped.
    pub run: Run,
    /// What the lines of its log mean; the first line that fits counts.
    #[serde(default)]
    pub log: Vec<LogLine>,
    /// What the newest version claims.
    pub claims: Claims,
    /// The listeners and upstreams for which nothing is set in its files, each with the reason.
    #[serde(default)]
    pub unset: Vec<Unset>,
    /// Where it is known not to do what it has to.
    #[serde(default)]
    pub deviation: Vec<Deviation>,
    /// What is different in older versions; every entry that fits counts.
    #[serde(default)]
    pub version: Vec<Older>,
}

/// How a gateway's program is found.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Program {
    /// Its names, looked up on `PATH`.
    #[serde(default)]
    pub names: Vec<String>,
    /// Where else it may be; relative paths begin in the working directory or a folder above it.
    #[serde(default)]
    pub paths: Vec<PathBuf>,
    /// The environment variable that overrides all of that with a path.
    #[serde(default)]
    pub variable: Option<String>,
    /// The command that installs it.
    #[serde(default)]
    pub install: Option<String>,
    /// How it says its version.
    pub version: VersionCommand,
}

/// The image of a gateway that runs as a container, on a container engine of this machine.
///
/// The program runs on the network of this machine, so that it listens where `{{ listeners }}` say and reaches backends on
/// loopback; as the user that Gauntlet runs as; and with the run folder, with its configuration and certificates, under the
/// same path, where its log may be, too. Signals reach it as they would reach a program that is here.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "ContainerTable")]
pub struct Container {
    /// Where the image comes from.
    pub source: ImageSource,
    /// What is run in it, instead of its entry point; the arguments are those of `[run]`.
    pub program: Option<String>,
}

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// The engine has it, by this name; nothing is pulled.
    Image(String),
    /// It is built from this folder beside `gateway.toml`, which has a `Dockerfile`.
    Build(String),
}

/// `[container]` as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ContainerTable {
    image: Option<String>,
    build: Option<String>,
    program: Option<String>,
}

impl TryFrom<ContainerTable> for Container {
    type Error = &'static str;

    fn try_from(table: ContainerTable) -> Result<Self, Self::Error> {
        let source = match (table.image, table.build) {
            (Some(image), None) => ImageSource::Image(image),
            (None, Some(folder)) => ImageSource::Build(folder),
            (Some(_), Some(_)) | (None, None) => {
                return Err("name either the `image` of the container, or the folder to `build` it from");
            }
        };
        Ok(Self { source, program: table.program })
    }
}

/// How a program says its version.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VersionCommand {
    /// The arguments that make it say so.
    pub args: Vec<String>,
    /// Finds the version in what it prints (on either stream): the first group, or the whole match.
    pub pattern: Pattern,
    /// The versions that the claims were measured with, as far as a version says what a program does (`1.22` stands for
    /// `1.22.1`). Another one is judged by the claims of the nearest of them, and the record says so.
    #[serde(default)]
    pub known: Vec<VersionNumber>,
}

/// How a gateway is set up, started and stopped. Arguments and values are templates, as the files are.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Run {
    /// The name by which it dials backends, where it can verify no other than that: one of this machine. Their certificates
    /// are then for this name.
    #[serde(default)]
    pub dials: Option<String>,
    /// Templates in this folder, and the files in the run folder that are made of them.
    pub files: BTreeMap<String, String>,
    /// Folders that the program wants to find in the run folder.
    #[serde(default)]
    pub folders: Vec<String>,
    /// Arguments that make the program check the files and end with a status; absent: it has no checker.
    #[serde(default)]
    pub check: Option<Vec<String>>,
    /// Arguments that make the program run in the foreground.
    pub start: Vec<String>,
    /// Its environment, on top of ours; `HOME`, `TMPDIR` and the `XDG` homes lead into the run folder anyway.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The status with which `{{ ready_path }}` is answered once the files as rendered are in effect; absent:
    /// any status will do.
    #[serde(default)]
    pub ready: Option<u16>,
    /// The signal that stops it.
    #[serde(default = "term")]
    pub stop: Signal,
    /// What makes it read its files again; absent: it cannot.
    #[serde(default)]
    pub reload: Option<Reload>,
    /// Its log, in the run folder; absent: what it prints.
    #[serde(default)]
    pub log: Option<String>,
}

/// What makes a gateway read its files again.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reload {
    /// A signal.
    Signal(Signal),
    /// The program with these arguments.
    Command(Vec<String>),
    /// Nothing: it watches its files.
    Watch,
}

/// A signal, as `kill -s` spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// 15
    Term,
    /// 3
    Quit,
    /// 2
    Int,
    /// 1
    Hup,
    /// 10
    Usr1,
    /// 12
    Usr2,
    /// 28
    Winch,
}

/// What a line of the log means.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LogLine {
    /// Fits the line.
    pub pattern: Pattern,
    /// The cause it names.
    pub cause: Cause,
    /// Other causes that it may stand for.
    #[serde(default)]
    pub or: Vec<Cause>,
}

/// A listener, upstream or backend for which a gateway cannot be set up, or need not be. What is absent fits everything.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Unset {
    /// Name of the listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// Name of the upstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// Name of the backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Why.
    pub because: String,
    /// Whether the gateway does it without being told. Cells of the others are skipped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_default: bool,
}

impl Unset {
    /// A gateway cannot be set up for this listener, for this reason.
    pub(crate) fn listener(name: &str, because: String) -> Self {
        Self { listener: Some(name.to_owned()), upstream: None, backend: None, because, by_default: false }
    }

    /// A gateway cannot be set up for this upstream, for this reason.
    pub(crate) fn upstream(name: &str, because: String) -> Self {
        Self { listener: None, upstream: Some(name.to_owned()), backend: None, because, by_default: false }
    }
}

/// What is different in older versions.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Older {
    /// The first version that does as the rest of the file says.
    pub before: VersionNumber,
    /// The claims that are different; lists go in front of those of newer versions.
    #[serde(default)]
    pub claims: Claims,
    /// For what it cannot be set up either.
    #[serde(default)]
    pub unset: Vec<Unset>,
    /// Where it deviates too.
    #[serde(default)]
    pub deviation: Vec<Deviation>,
}

impl Manifest {
    /// Reads the text of `file`.
    ///
    /// # Errors
    /// [`GatewayError::Manifest`], with line and column.
    pub fn parse(file: &str, text: &str) -> Result<Self, GatewayError> {
        let wrong = |offset: usize, message: String| {
            let (line, column) = position(text, offset);
            GatewayError::Manifest { file: file.to_owned(), line, column, message }
        };
        let manifest: Self = toml::from_str(text).map_err(|error| {
            let (offset, message) = mistake(text, &error);
            wrong(offset, message)
        })?;
        let older = manifest.version.iter().flat_map(|older| &older.deviation);
        for deviation in manifest.deviation.iter().chain(older) {
            if let Err(error) = Glob::new(&deviation.cells) {
                return Err(wrong(text.find(&deviation.cells).unwrap_or(0), error.to_string()));
            }
        }
        let older = manifest.version.iter().map(|older| &older.claims);
        for claims in [&manifest.claims].into_iter().chain(older) {
            if let Some(certificate) = claims.against_the_rules() {
                let message = format!(
                    "no gateway can claim this of the certificate {certificate}; where it falls short, list the cells \
                     as [[deviation]]"
                );
                return Err(wrong(text.find("[[claims.certificate]]").unwrap_or(0), message));
            }
        }
        Ok(manifest)
    }

    /// The nearest version that the claims were measured with, unless it is this one: the last before it, or else the
    /// first after it.
    #[must_use]
    pub fn nearest_known(&self, version: &VersionNumber) -> Option<&VersionNumber> {
        let known = &self.program.version.known;
        if known.iter().any(|known| known.covers(version)) {
            return None;
        }
        let before = known.iter().filter(|known| *known < version).max();
        before.or_else(|| known.iter().min())
    }

    /// What this version is and does: the file with the entries for older versions laid over it.
    #[must_use]
    pub fn for_version(mut self, version: &VersionNumber) -> Self {
        for older in std::mem::take(&mut self.version) {
            if older.is_about(version) {
                self.claims = self.claims.overlaid(older.claims);
                self.unset.extend(older.unset);
                self.deviation.extend(older.deviation);
            }
        }
        self
    }
}

impl Older {
    /// Whether it is about this version.
    pub(super) fn is_about(&self, version: &VersionNumber) -> bool {
        *version < self.before
    }
}

impl Unset {
    /// Whether it is about this pair.
    pub(super) fn fits(&self, listener: &str, upstream: &str, backend: &str) -> bool {
        self.listener.as_ref().is_none_or(|name| name == listener)
            && self.upstream.as_ref().is_none_or(|name| name == upstream)
            && self.backend.as_ref().is_none_or(|name| name == backend)
    }
}

impl Signal {
    /// As `kill -s` spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Quit => "QUIT",
            Self::Int => "INT",
            Self::Hup => "HUP",
            Self::Usr1 => "USR1",
            Self::Usr2 => "USR2",
            Self::Winch => "WINCH",
        }
    }
}

const fn term() -> Signal {
    Signal::Term
}

/// A regular expression that has been understood.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(pub Regex);

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // The error of the regex crate is a drawing over several lines; its last one says what is wrong.
        let words =
            |error: regex::Error| error.to_string().lines().last().unwrap_or_default().trim().to_owned();
        Regex::new(&text)
            .map(Self)
            .map_err(|error| format!("\"{text}\" is no regular expression: {}", words(error)))
    }
}

/// A version, compared number by number: `1.9.15` comes before `1.23`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct VersionNumber(Vec<u64>);

impl VersionNumber {
    /// Whether the other one is this version or a patch of it.
    fn covers(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

impl FromStr for VersionNumber {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<u64>, _> = text.split('.').map(str::parse).collect();
        numbers.map(Self).map_err(|_| format!("\"{text}\" is no version; write it as 1.23.4"))
    }
}

impl TryFrom<String> for VersionNumber {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SOUND: &str = r#"name = "mine"
summary = "My own gateway."
[program]
names = ["mine"]
version = { args = ["--version"], pattern = '(\d+\.\d+)' }
[run]
files = { "mine.conf.j2" = "mine.conf" }
check = ["-t"]
start = ["-f", "{{ dir }}/mine.conf"]
[[log]]
pattern = 'certificate has expired'
cause = "server-cert-expired"
[claims]
follows-renegotiation = true
[[deviation]]
cells = "expired-leaf/*"
verdict = "fail-open"
because = "It looks at the name alone."
[[version]]
before = "1.23"
claims = { follows-renegotiation = false }
unset = [{ upstream = "legacy", because = "too old" }]
"#;

    #[rstest]
    #[case(
        "summary",
        "sumary",
        "gateway.toml:2:1: unknown field `sumary`, expected one of `name`, `summary`"
    )]
    #[case("\"mine\"\n", "7\n", "gateway.toml:1:8: invalid type: integer `7`, expected a string")]
    #[case(
        "has expired'",
        "has (expired'",
        "gateway.toml:11:11: \"certificate has (expired\" is no regular expression: error: unclosed group"
    )]
    #[case("server-cert-expired", "expired", "gateway.toml:12:9: unknown variant `expired`, expected one of")]
    #[case(
        "before = \"1.23\"",
        "before = \"new\"",
        "gateway.toml:20:10: \"new\" is no version; write it as 1.23.4"
    )]
    #[case("start = [\"-f\", \"{{ dir }}/mine.conf\"]\n", "", "gateway.toml:6:1: missing field `start`")]
    #[case("[run]", "[run", "gateway.toml:6:5: ")]
    #[case(
        "[run]",
        "[container]\nprogram = \"mine\"\n[run]",
        "gateway.toml:6:1: name either the `image` of the container, or the folder to `build` it from"
    )]
    #[case(
        "[run]",
        "[container]\nimage = \"mine\"\nbuild = \"image\"\n[run]",
        "gateway.toml:6:1: name either the `image` of the container, or the folder to `build` it from"
    )]
    #[case(
        "[run]",
        "[container]\nimage = \"mine\"\nnetwork = \"host\"\n[run]",
        "gateway.toml:8:1: unknown field `network`, expected one of `image`, `build`, `program`"
    )]
    #[case(
        "start =",
        "stop = \"KILL\"\nstart =",
        "gateway.toml:9:8: unknown variant `KILL`, expected one of `TERM`, `QUIT`"
    )]
    #[case(
        "follows-renegotiation = true\n",
        "[[claims.certificate]]\ncertificates = [\"wrong-key-usage\"]\n",
        "gateway.toml:14:1: no gateway can claim this of the certificate wrong-key-usage; where it falls short"
    )]
    #[case(
        "follows-renegotiation = true\n",
        "[[claims.certificate]]\ncertificates = [\"good\"]\nrefused = \"server-cert-untrusted\"\n",
        "gateway.toml:14:1: no gateway can claim this of the certificate good; where it falls short"
    )]
    #[case("leaf/*\"", "[\"", "gateway.toml:16:10: error parsing glob 'expired-[': unclosed character class")]
    fn a_mistake_is_named_with_its_place(#[case] from: &str, #[case] to: &str, #[case] error: &str) {
        Manifest::parse("gateway.toml", SOUND).unwrap();
        let told = Manifest::parse("gateway.toml", &SOUND.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(told.starts_with(error), "{told}");
    }

    #[rstest]
    #[case::known("1.22.1", None)]
    #[case::newer_than_all("1.31", Some("1.29"))]
    #[case::between("1.25.3", Some("1.22"))]
    #[case::older_than_all("1.9", Some("1.22"))]
    fn an_unknown_version_is_judged_by_the_nearest(#[case] version: &str, #[case] nearest: Option<&str>) {
        let text = SOUND.replace(r"\.\d+)' }", r#"\.\d+)', known = ["1.29", "1.22"] }"#);
        let manifest = Manifest::parse("gateway.toml", &text).unwrap();
        let found = manifest.nearest_known(&version.parse().unwrap()).map(ToString::to_string);
        assert_eq!(found.as_deref(), nearest);
        assert_eq!(
            Manifest::parse("gateway.toml", SOUND).unwrap().nearest_known(&"1.9".parse().unwrap()),
            None
        );
    }

    #[rstest]
    #[case("1.22.1", false, 1)]
    #[case("1.9", false, 1)]
    #[case("1.23", true, 0)]
    #[case("1.23.4", true, 0)]
    fn older_versions_claim_what_their_entry_says(
        #[case] version: &str,
        #[case] follows: bool,
        #[case] unset: usize,
    ) {
        let manifest = Manifest::parse("gateway.toml", SOUND).unwrap().for_version(&version.parse().unwrap());
        assert_eq!(manifest.claims.follows_renegotiation, Some(follows));
        assert_eq!(manifest.unset.len(), unset);
    }
}
