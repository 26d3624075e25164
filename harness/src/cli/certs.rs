//! `gauntlet certs`: the PKI as files.

use std::{path::PathBuf, process::ExitCode, str::FromStr, sync::Arc};

use clap::Args;
use serde_json::json;
use tls_gauntlet_certs::{ClientCertificate, Format, Identity, Name, Pki, ServerCertificate, write};
use tls_gauntlet_scenarios::nearest;

use super::{
    clock,
    failure::{Failure, input_error},
    streams::{self, make_folder},
};
use crate::gateway::{BACKEND_NAME, GATEWAY_NAME};

/// Writes the PKI into a folder: three authorities and the certificates they issued.
///
/// Authorities that are already in the folder are kept, so that what was told to trust them goes on doing so; the
/// certificates are issued anew.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder; made if it is not there.
    dir: PathBuf,
    /// Which certificates, as in server-expired or client-good; all if none is named.
    #[arg(value_name = "RECIPE")]
    recipes: Vec<String>,
    /// File formats: pem, pfx, pfx-legacy, der.
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', default_value = "pem")]
    format: Vec<String>,
    /// A further host name or address for the server certificates.
    #[arg(long, value_name = "HOST")]
    name: Vec<String>,
    /// The password of PFX files.
    #[arg(long, default_value = "gauntlet")]
    password: String,
    /// The seed of names and serial numbers; random if absent.
    #[arg(long)]
    seed: Option<u64>,
    /// What was written, as a JSON array.
    #[arg(long)]
    json: bool,
}

pub(super) fn certs(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let recipes = Recipe::chosen(&arguments.recipes)?;
    let formats = formats(&arguments.format)?;
    let names = names(&arguments.name)?;
    let dir = &arguments.dir;
    make_folder(dir)?;

    let seed = clock::seed(arguments.seed)?;
    let pki = if dir.join("server-root.pem").exists() {
        Pki::open(dir, seed, clock::now()).map_err(|error| {
            let remedy = format!("cannot go on with the authorities in {}; name a new folder", dir.display());
            Failure::input(anyhow::Error::new(error).context(remedy))
        })?
    } else {
        Pki::new(seed, clock::now()).map_err(Failure::work)?
    };
    pki.save(dir).map_err(Failure::work)?;

    let mut written = Vec::new();
    for authority in ["server", "client", "untrusted"] {
        written.push((format!("{authority}-root"), dir.join(format!("{authority}-root.pem"))));
    }
    for recipe in recipes {
        let identity = recipe.issue(&pki, &names).map_err(Failure::work)?;
        let stem = recipe.stem();
        let paths = write(dir, &identity, &stem, &formats, &arguments.password).map_err(Failure::work)?;
        written.extend(paths.into_iter().map(|path| (stem.clone(), path)));
    }
    streams::print(&told(&written, arguments.json))?;
    Ok(ExitCode::SUCCESS)
}

/// The names of server certificates: this machine's, those of Gauntlet's own plans, and what was asked for.
pub(super) fn names(asked: &[String]) -> Result<Vec<Name>, Failure> {
    let own = ["localhost", "127.0.0.1", "::1", BACKEND_NAME, GATEWAY_NAME];
    let own: Vec<String> = own.map(str::to_owned).into();
    let mut names: Vec<Name> = Vec::new();
    for name in parsed::<Name>(&own)?.into_iter().chain(parsed(asked)?) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn told(written: &[(String, PathBuf)], as_json: bool) -> String {
    let lines: Vec<String> = if as_json {
        let entries: Vec<_> =
            written.iter().map(|(name, path)| json!({ "name": name, "path": path })).collect();
        vec![format!("{:#}", json!(entries))]
    } else {
        written.iter().map(|(_, path)| path.display().to_string()).collect()
    };
    lines.join("\n") + "\n"
}

fn formats(words: &[String]) -> Result<Vec<Format>, Failure> {
    let format = |word: &String| {
        word.parse().map_err(|error| {
            let hint = nearest::hint(word, Format::ALL.iter().map(|format| format.as_str()));
            input_error!("{error}{hint}")
        })
    };
    words.iter().map(format).collect()
}

fn parsed<T>(words: &[String]) -> Result<Vec<T>, Failure>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    words.iter().map(|word| word.parse().map_err(Failure::input)).collect()
}

/// A certificate that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recipe {
    Server(ServerCertificate),
    Client(ClientCertificate),
}

impl Recipe {
    fn all() -> impl Iterator<Item = Self> {
        let servers = ServerCertificate::ALL.iter().copied().map(Self::Server);
        servers.chain(ClientCertificate::ALL.iter().copied().map(Self::Client))
    }

    /// The certificates that were named; `expired` alone means the server's and the client's.
    fn chosen(named: &[String]) -> Result<Vec<Self>, Failure> {
        if named.is_empty() {
            return Ok(Self::all().collect());
        }
        let mut chosen = Vec::new();
        for name in named {
            let fitting: Vec<_> = Self::all()
                .filter(|recipe| recipe.stem() == *name || recipe.bare_name() == name.as_str())
                .collect();
            if fitting.is_empty() {
                let known: Vec<_> = Self::all().map(Self::stem).collect();
                let hint = nearest::hint(name, known.iter().map(String::as_str));
                return Err(input_error!("unknown recipe \"{name}\"{hint} (known are {})", known.join(", ")));
            }
            chosen.extend(fitting.into_iter().filter(|recipe| !chosen.contains(recipe)).collect::<Vec<_>>());
        }
        Ok(chosen)
    }

    const fn bare_name(&self) -> &'static str {
        match self {
            Self::Server(recipe) => recipe.as_str(),
            Self::Client(recipe) => recipe.as_str(),
        }
    }

    fn stem(self) -> String {
        match self {
            Self::Server(recipe) => format!("server-{recipe}"),
            Self::Client(recipe) => format!("client-{recipe}"),
        }
    }

    fn issue(self, pki: &Pki, names: &[Name]) -> Result<Arc<Identity>, tls_gauntlet_certs::Error> {
        match self {
            Self::Server(recipe) => pki.server(recipe, names),
            Self::Client(recipe) => pki.client(recipe),
        }
    }
}
