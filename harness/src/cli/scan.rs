//! `gauntlet scan`: what servers accept, and how each gateway would fare with them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use clap::Args;
use openssl::x509::X509;
use time::format_description::well_known::Rfc3339;
use tls_gauntlet_scenarios::nearest;

use super::{
    clock,
    failure::{Failure, input_error, work_error},
    presets,
    progress::Progress,
    signals::Signals,
    streams,
};
use crate::{
    limits::{Limits, millis},
    record::Tool,
    report::{Detail, scan as report},
    scan::{
        self, Roots, ScanRequest, ScanTarget,
        record::{SCHEMA, ScanRecord, Word},
    },
    written,
};

/// How many servers are examined at once unless somebody says otherwise.
const DEFAULT_JOBS: usize = 32;

/// Asks each server what it accepts (versions, cipher suites, groups, signature algorithms, application protocols, client
/// certificates, renegotiation, resumption), checks its certificates, and says how each gateway would fare with it.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every server works; 1 one of them does not; 2 usage or input error; 3 Gauntlet \
                        could not do its work."
)]
pub(super) struct Arguments {
    /// The servers.
    #[arg(value_name = "HOST:PORT")]
    servers: Vec<String>,
    /// A file with one HOST:PORT on each line; empty lines, and what follows a #, count for nothing. `-` is standard
    /// input.
    #[arg(long, value_name = "FILE")]
    targets: Option<PathBuf>,
    /// The path to ask for: a server may want a client certificate for some of them only.
    #[arg(long, value_name = "PATH", default_value = "/")]
    path: String,
    /// The server name to send and to check certificates for; each server's own host if absent.
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// Send each server what this recorded client sends (`gauntlet list presets`), or `all` of them, and say which get through.
    #[arg(long = "as", value_name = "CLIENT", conflicts_with_all = ["path", "sni", "ca", "jobs", "out"])]
    client: Option<String>,
    /// A file of roots to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Servers examined at the same time.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_JOBS)]
    jobs: usize,
    /// console, json or markdown.
    #[arg(long, value_name = "F", default_value = "console")]
    format: String,
    /// Short for --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// No progress.
    #[arg(long)]
    quiet: bool,
    /// A file for the result, instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Console,
    Json,
    Markdown,
}

pub(super) fn scan(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let format = format(arguments)?;
    let request = request(arguments)?;
    if let Some(client) = &arguments.client {
        return match format {
            Format::Console | Format::Json => {
                presets::scan_as(client, &request.targets, matches!(format, Format::Json))
            }
            Format::Markdown => {
                Err(input_error!("--as prints a table or, with --json, a list; not markdown"))
            }
        };
    }
    let record = execute(request, arguments.quiet)?;
    let text = match format {
        Format::Console if arguments.out.is_some() => {
            report::console(&record, &crate::report::Look::default())
        }
        Format::Console => report::console(&record, &streams::look(Detail::Normal)),
        Format::Json => report::json(&record),
        Format::Markdown => report::markdown(&record),
    };
    match &arguments.out {
        None => streams::print(&text)?,
        Some(file) => written::whole(file, text)
            .map_err(|error| work_error!("cannot write {}: {error}; name another file", file.display()))?,
    }
    let all_work = record.targets.iter().all(|target| target.word == Word::Works);
    Ok(ExitCode::from(u8::from(!all_work)))
}

fn format(arguments: &Arguments) -> Result<Format, Failure> {
    if arguments.json {
        return Ok(Format::Json);
    }
    match arguments.format.as_str() {
        "console" => Ok(Format::Console),
        "json" => Ok(Format::Json),
        "markdown" => Ok(Format::Markdown),
        unknown => {
            let hint = nearest::hint(unknown, ["console", "json", "markdown"]);
            Err(input_error!("unknown --format \"{unknown}\"{hint} (known are console, json, markdown)"))
        }
    }
}

/// Checks everything before the first connection.
fn request(arguments: &Arguments) -> Result<ScanRequest, Failure> {
    if arguments.jobs == 0 {
        return Err(input_error!("--jobs 0 would scan nothing; pass 1 or more"));
    }
    if !arguments.path.starts_with('/')
        || arguments.path.contains(|letter: char| letter.is_control() || letter == ' ')
    {
        return Err(input_error!(
            "--path \"{}\" is no path; it begins with / and has no spaces",
            arguments.path
        ));
    }
    if let Some(name) = &arguments.sni
        && (name.is_empty() || name.len() > 253 || !name.is_ascii() || name.contains([' ', ':', '/', '\0']))
    {
        return Err(input_error!("--sni \"{name}\" is no host name; write it as in backend.example"));
    }
    let targets = targets(arguments)?;
    if targets.is_empty() {
        return Err(input_error!(
            "no server to scan; name one as HOST:PORT, or a file of them with --targets"
        ));
    }
    Ok(ScanRequest {
        targets,
        server_name: arguments.sni.clone(),
        path: arguments.path.clone(),
        jobs: arguments.jobs,
        roots: arguments.ca.as_deref().map_or(Ok(Roots::System), roots)?,
        profiles: scan::profiles().map_err(Failure::work)?,
        limits: Limits::default(),
    })
}

fn targets(arguments: &Arguments) -> Result<Vec<ScanTarget>, Failure> {
    let mut targets = Vec::new();
    for server in &arguments.servers {
        targets.push(server.parse().map_err(Failure::input)?);
    }
    let Some(file) = &arguments.targets else { return Ok(targets) };
    let text = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        fs::read_to_string(file)
    };
    let text = text.map_err(|error| input_error!("cannot read --targets {}: {error}", file.display()))?;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            let target = line.parse();
            targets.push(target.map_err(|error| input_error!("{}:{number}: {error}", file.display()))?);
        }
    }
    Ok(targets)
}

fn roots(file: &Path) -> Result<Roots, Failure> {
    let text =
        fs::read(file).map_err(|error| input_error!("cannot read --ca {}: {error}", file.display()))?;
    match X509::stack_from_pem(&text) {
        Ok(roots) if !roots.is_empty() => Ok(Roots::Own(roots)),
        Ok(_) | Err(_) => Err(input_error!("--ca {} holds no certificate in PEM", file.display())),
    }
}

fn execute(request: ScanRequest, quiet: bool) -> Result<ScanRecord, Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| work_error!("cannot start the threads of the scan: {error}"))?;
    let (started, began) = (clock::now(), Instant::now());
    let progress = Progress::new(quiet, "servers");
    progress.begin(request.targets.len());
    let targets = runtime.block_on(async {
        let mut signals = Signals::catch()?;
        tokio::select! {
            targets = scan::scan(request, |_| progress.one_done()) => targets.map_err(Failure::work),
            signal = signals.received() => Err(work_error!("ended by {signal} before every server was scanned")),
        }
    });
    progress.finish();
    Ok(ScanRecord {
        schema: SCHEMA.to_owned(),
        tool: Tool { name: "gauntlet".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        started: started.format(&Rfc3339).map_err(Failure::work)?,
        duration_ms: millis(began.elapsed()),
        targets: targets?,
    })
}
