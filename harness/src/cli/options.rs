//! The options of a run: each is declared once, here, for the command line, for gauntlet.toml, for its JSON Schema and for
//! the table in `docs/gauntlet-toml.md`.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use clap::Args;
use schemars::JsonSchema;
use serde::Deserialize;

use toml::Spanned;

use super::{
    audit::settings::{ExceptionSettings, LegSettings},
    failure::Failure,
};

/// Declares groups of options, which commands flatten into their arguments, and [`Settings`], which has all of them.
///
/// A row is the help, clap's attribute, schemars' where there is one, the name on the command line and the type, then the key
/// in gauntlet.toml and the method of [`Written`] that takes a value over from there. Below `alone` stands what gauntlet.toml
/// cannot say.
macro_rules! options {
    ($(
        $(#[$of_group:meta])*
        $group:ident {
            $(
                $(#[doc = $help:literal])*
                #[arg($($arg:tt)*)]
                $(#[schemars($($schema:tt)*)])?
                $option:ident: $type:ty = $key:literal, $taken:ident;
            )*
            $(alone: $( $(#[$of_flag:meta])* $flag:ident: $flag_type:ty; )*)?
        }
    )*) => {
        $(
            $(#[$of_group])*
            #[derive(Debug, Clone, Default, Args)]
            pub(super) struct $group {
                $( $(#[doc = $help])* #[arg($($arg)*)] pub(super) $option: $type, )*
                $($( $(#[$of_flag])* pub(super) $flag: $flag_type, )*)?
            }

            impl $group {
                /// Takes from gauntlet.toml what the command line leaves open.
                pub(super) fn fill(&mut self, project: &impl Written) -> Result<(), Failure> {
                    let Settings { $($option,)* .. } = project.settings();
                    $( self.$option.fill($option, |value| project.$taken($key, value))?; )*
                    Ok(())
                }
            }
        )*

        /// The content of a `gauntlet.toml`. Relative paths begin in its folder; the command line overrides it.
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        #[schemars(title = "gauntlet.toml")]
        pub(super) struct Settings {
            $($(
                $(#[doc = $help])*
                $(#[schemars($($schema)*)])?
                #[serde(rename = $key)]
                pub(super) $option: $type,
            )*)*
            /// The legs that `gauntlet audit` looks at where it is given none.
            pub(super) leg: Vec<LegSettings>,
            /// What an audit finds and is put up with for a while.
            #[schemars(with = "Vec<ExceptionSettings>")]
            pub(super) exception: Vec<Spanned<ExceptionSettings>>,
        }

        /// The table of the book, in Markdown.
        #[cfg(test)]
        fn table() -> String {
            let mut table = "| key | on the command line | is |\n|---|---|---|\n".to_owned();
            for (key, option, help) in [$($( ($key, stringify!($option), concat!($($help),*)), )*)*] {
                table += &format!("| `{key}` | `--{}` |{help} |\n", option.replace('_', "-"));
            }
            table
        }
    };
}

options! {
    /// The gateways under test.
    GatewayOptions {
        /// A gateway: a name (`gauntlet list gateways`), a folder with a gateway.toml, or the URL of one that is already
        /// running [default: reference].
        #[arg(long, value_name = "NAME|DIR|URL")]
        gateway: Vec<String> = "gateways", gateway;
    }

    /// Which cells there are, and what a gateway that is already running needs to know of them. These options mean the same to
    /// every command that takes them.
    SelectionOptions {
        /// A suite (`gauntlet list suites`) [default: all].
        #[arg(long, value_name = "NAME")]
        suite: Vec<String> = "suites", suite;
        /// Only cells whose name matches, as in `*/expired-leaf/*::nginx`; any of several.
        #[arg(long, value_name = "GLOB")]
        filter: Vec<String> = "filters", same;
        /// The gateway that one that is already running is like, as in `--gateway https://… --claims nginx`: its claims hold,
        /// and the lines of its log mean the same. Without any, what happens is shown and nothing is judged.
        #[arg(long, value_name = "NAME|DIR")]
        claims: Option<String> = "claims", gateway;
        /// The first port of the backends; ephemeral ones if absent, 20000 for `gauntlet routes`.
        #[arg(long, value_name = "N")]
        port_base: Option<u16> = "port-base", same;
        /// The address the backends listen on. Anything but loopback opens weak TLS to other machines [default:
        /// 127.0.0.1 where others have to know it, a loopback address of its own where none has].
        #[arg(long, value_name = "ADDR")]
        bind: Option<IpAddr> = "bind", same;
    }

    /// How the cells are called.
    CallOptions {
        /// Calls in flight at the same time [default: 16].
        #[arg(long, value_name = "N")]
        #[schemars(range(min = 1))]
        jobs: Option<usize> = "jobs", same;
        /// How often each cell is called [default: 1; 2 for `gauntlet discover`: what varies is claimed in all its variants].
        #[arg(long, value_name = "N")]
        #[schemars(range(min = 1))]
        repeat: Option<u32> = "repeat", same;
        /// The seed of names and serial numbers, printed with the result. If absent, it is random; 0 with --shard, because
        /// all parts need the same one.
        #[arg(long, value_name = "N")]
        seed: Option<u64> = "seed", same;
        /// A folder of `gauntlet certs` whose authorities to use, for gateways that already trust them.
        #[arg(long, value_name = "DIR")]
        pki: Option<PathBuf> = "pki", path;
        /// The log of a gateway that is already running, on this machine: the third witness. Without it, refusals whose cause
        /// only the log knows do not count.
        #[arg(long, value_name = "FILE")]
        log: Option<PathBuf> = "log", path;
    }

    /// What `gauntlet run` alone does.
    RunOptions {
        /// Start each gateway with nothing verified, and reload it with the real settings before the first call: one that goes on as it
        /// was is caught.
        #[arg(long)]
        after_reload: bool = "after-reload", same;
        /// Pass although most cells depend on claims that the gateway does not make, as while it is measured.
        #[arg(long)]
        allow_unclaimed: bool = "allow-unclaimed", same;
        /// A file for what happens while the run goes on, one JSON object a line.
        #[arg(long, value_name = "FILE")]
        events: Option<PathBuf> = "events", path;
    }

    /// What is made of the record.
    ReportOptions {
        /// A folder for the record (run.json) and the reports.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf> = "out", path;
        /// console, json, junit, html, markdown or sarif. The first one goes to standard output; with --out all are written, or every one if
        /// none is named [default: console].
        #[arg(long, value_name = "F")]
        format: Vec<String> = "formats", format;
        /// What was accepted (`gauntlet report --accept`), or an earlier record: only what changed since makes the exit code 1.
        #[arg(long, value_name = "FILE")]
        baseline: Option<PathBuf> = "baseline", path;

        alone:
        /// Show the matrix: every cell, and why cells are skipped.
        #[arg(long, conflicts_with = "quiet")]
        matrix: bool;
        /// Show the matrix, and the evidence of everything that is wrong; of an audit, what each leg does and each behaviour.
        #[arg(long, conflicts_with = "quiet")]
        verbose: bool;
        /// No progress: only what is wrong and the summary.
        #[arg(long)]
        quiet: bool;
    }
}

/// A gauntlet.toml that was read, and how its values are taken over.
pub(super) trait Written {
    /// What is written in it.
    fn settings(&self) -> &Settings;

    /// A value that is taken over as it is written.
    fn same<T: Clone>(&self, _key: &str, value: &T) -> Result<T, Failure> {
        Ok(value.clone())
    }

    /// A path, which begins where the file is.
    fn path(&self, key: &str, path: &Path) -> Result<PathBuf, Failure>;

    /// A gateway that is known.
    fn gateway(&self, key: &str, name: &str) -> Result<String, Failure>;

    /// A suite that is known.
    fn suite(&self, key: &str, name: &str) -> Result<String, Failure>;

    /// A format that is known.
    fn format(&self, key: &str, name: &str) -> Result<String, Failure>;
}

/// An option that the command line may leave open.
trait Open {
    /// One value of it.
    type Value;

    /// Takes over what is written in gauntlet.toml, unless the command line has said something.
    fn fill(
        &mut self,
        written: &Self,
        taken: impl Fn(&Self::Value) -> Result<Self::Value, Failure>,
    ) -> Result<(), Failure>;
}

impl<T> Open for Option<T> {
    type Value = T;

    fn fill(&mut self, written: &Self, taken: impl Fn(&T) -> Result<T, Failure>) -> Result<(), Failure> {
        if self.is_none() {
            *self = written.as_ref().map(taken).transpose()?;
        }
        Ok(())
    }
}

impl<T> Open for Vec<T> {
    type Value = T;

    fn fill(&mut self, written: &Self, taken: impl Fn(&T) -> Result<T, Failure>) -> Result<(), Failure> {
        if self.is_empty() {
            *self = written.iter().map(taken).collect::<Result<_, _>>()?;
        }
        Ok(())
    }
}

impl Open for bool {
    type Value = Self;

    fn fill(
        &mut self,
        written: &Self,
        taken: impl Fn(&Self) -> Result<Self, Failure>,
    ) -> Result<(), Failure> {
        *self |= taken(written)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use super::*;

    /// The file has what it has to have; with `UPDATE` set, it is given that.
    #[track_caller]
    fn is_current(path: &str, drawn: impl Fn(&str) -> String) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let published = fs::read_to_string(&path).unwrap_or_default();
        let current = drawn(&published);
        if env::var_os("UPDATE").is_some() {
            fs::write(&path, &current).unwrap();
            return;
        }
        assert!(published == current, "{} is out of date; run the tests with UPDATE=1", path.display());
    }

    #[test]
    fn the_published_schema_is_current() {
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(Settings)).unwrap();
        is_current("schemas/gauntlet-toml.schema.json", |_| format!("{schema}\n"));
    }

    #[test]
    fn the_table_of_the_book_is_current() {
        is_current("../docs/gauntlet-toml.md", |page| {
            let (before, rest) = page.split_once("| key |").unwrap();
            let (_, after) = rest.split_once("\n\n").unwrap();
            format!("{before}{}\n{after}", table())
        });
    }
}
