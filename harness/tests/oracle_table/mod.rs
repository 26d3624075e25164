//! The table backend × oracle × what it said (`said.txt`), and the backends that no oracle tells from a sound one.
//!
//! Every backend is called by programs that know nothing of Gauntlet, each by a script beside this file, so a new
//! backend needs no line here. `UPDATE=1 cargo test -p tls-gauntlet --test oracles the_table` writes the table anew.
//! What a program says depends on its version: the table is compared only for those that `GAUNTLET_REQUIRE` lists.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::future::join_all;
use tempfile::TempDir;
use time::OffsetDateTime;
use tls_gauntlet::{
    backend::{Fleet, FleetOptions, SERVER_NAME},
    trials,
};
use tls_gauntlet_certs::{ClientCertificate, PfxEncryption, Pki, ServerCertificate};
use tls_gauntlet_scenarios::{Composed, FaultAction, catalogue};
use tokio::process::Command;

use super::{
    Oracle, TABLES,
    tool::{is_installed, run_for},
};

/// A program that calls all backends in one go.
struct Batch {
    /// As the table has it, and `GAUNTLET_REQUIRE`.
    name: &'static str,
    /// The families that it sees more of than others do; all if empty.
    families: &'static [&'static str],
    /// What it is called among the packages of `target/tools`, if it is one.
    package: Option<&'static str>,
    /// Program, script, and what the script wants to know.
    command: &'static [&'static str],
}

const BATCHES: &[Batch] = &[
    Batch {
        name: "python3",
        families: &[],
        package: None,
        command: &["python3", "{here}/call.py", "ssl", "{plan}"],
    },
    Batch {
        name: "pyopenssl",
        families: &[],
        package: Some("OpenSSL"),
        command: &["{python}", "{here}/call.py", "pyopenssl", "{plan}"],
    },
    Batch { name: "node", families: &[], package: None, command: &["node", "{here}/call.js", "{plan}"] },
    Batch {
        name: "java",
        families: &[],
        package: None,
        command: &["java", "{here}/Call.java", "{lines}", "{root}", "{pfx}"],
    },
    Batch {
        name: "sslyze",
        families: &["sound", "protocol", "resumption", "renegotiation"],
        package: Some("sslyze"),
        command: &["{python}", "{here}/scan.py", "{lines}"],
    },
];

/// By backend, then by oracle.
type Table = BTreeMap<String, BTreeMap<String, String>>;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle_table")
}

/// The Python that has the packages (`ci/install-tools.sh`).
fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin/python")
}

impl Batch {
    fn is_there(&self) -> bool {
        let Some(package) = self.package else { return is_installed(self.name) };
        let import = std::process::Command::new(python()).args(["-c", &format!("import {package}")]).output();
        let found = import.is_ok_and(|output| output.status.success());
        assert!(
            found || !trials::is_required(self.name),
            "{} is required; ci/install-tools.sh {0}",
            self.name
        );
        found
    }

    /// What it says of each backend.
    async fn ask(&self, pki: &Arc<Pki>) -> Vec<(String, String)> {
        let plan: Vec<Composed> = catalogue()
            .backends()
            .filter(|(_, family, _)| self.families.is_empty() || self.families.contains(family))
            .map(|(name, _, profile)| Composed::single(name, profile))
            .collect();
        let fleet = Fleet::start(&plan, pki, &FleetOptions::default()).await.unwrap();
        let folder = TempDir::new().unwrap();
        let file = |name: &str| folder.path().join(name).display().to_string();
        let client = pki.client(ClientCertificate::Good).unwrap();
        fs::write(file("root.pem"), pki.server_root().to_pem().unwrap()).unwrap();
        fs::write(file("client.pem"), client.chain_pem() + &client.key_pem()).unwrap();
        fs::write(file("client.pfx"), client.pfx("gauntlet", PfxEncryption::Modern).unwrap()).unwrap();
        let (mut targets, mut lines) = (Vec::new(), String::new());
        for (composed, backend) in plan.iter().zip(fleet.backends()) {
            let recipe = composed.profile.certificate();
            let (port, name) = (backend.address().port(), recipe.dialled(SERVER_NAME));
            let patience = if stalls(composed) { 5 } else { 60 };
            targets.push(serde_json::json!({
                "backend": composed.name, "port": port, "name": name, "patience": patience
            }));
            lines.extend([format!("{}\t{port}\t{name}\t{patience}\n", composed.name)]);
        }
        let whole =
            serde_json::json!({ "ca": file("root.pem"), "client": file("client.pem"), "targets": targets });
        fs::write(file("plan.json"), whole.to_string()).unwrap();
        fs::write(file("plan.tsv"), lines).unwrap();

        let words = self.command.iter().map(|word| {
            let word = word.replace("{here}", &here().display().to_string());
            let word = word.replace("{python}", &python().display().to_string());
            let word = word.replace("{plan}", &file("plan.json")).replace("{lines}", &file("plan.tsv"));
            word.replace("{root}", &file("root.pem")).replace("{pfx}", &file("client.pfx"))
        });
        let words: Vec<_> = words.collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("PYTHONDONTWRITEBYTECODE", "1");
        let said = run_for(command, "", super::tool::DEADLINE * 6).await;
        assert_eq!(said.code, Some(0), "{}: {said:?}", self.name);
        let rows = said.out.lines().map(|line| {
            let (backend, words) = line.split_once('\t').unwrap_or_else(|| panic!("{}: {line}", self.name));
            let composed = plan.iter().find(|composed| composed.name == backend).unwrap();
            // How far it came before it lost patience depends on the machine.
            let words = if stalls(composed) { words.rsplit(", ").next().unwrap_or_default() } else { words };
            (backend.to_owned(), words.replace(char::is_control, "?"))
        });
        rows.collect()
    }
}

fn stalls(composed: &Composed) -> bool {
    composed.profile.fault.is_some_and(|fault| fault.does == FaultAction::Stall)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_what_they_say() {
    #[allow(clippy::disallowed_methods, reason = "certificates have to be valid for programs with clocks")]
    let pki = Arc::new(Pki::new(7, OffsetDateTime::now_utc()).unwrap());
    // Making this key takes the processor for itself.
    pki.server(ServerCertificate::Rsa8192, &FleetOptions::default().names).unwrap();
    let recorded = read();
    let mut table = by_line();
    let (there, missing): (Vec<_>, Vec<_>) = BATCHES.iter().partition(|batch| batch.is_there());
    for (batch, rows) in join_all(there.iter().map(async |batch| (batch.name, batch.ask(&pki).await))).await {
        for (backend, words) in rows {
            table.entry(backend).or_default().insert(batch.to_owned(), words);
        }
    }
    // What cannot be asked here has said what it has said.
    for batch in missing {
        for (backend, rows) in &recorded {
            if let (Some(words), Some(now)) = (rows.get(batch.name), table.get_mut(backend)) {
                now.insert(batch.name.to_owned(), words.clone());
            }
        }
    }
    if env::var_os("UPDATE").is_some() {
        fs::write(here().join("said.txt"), written(&table)).unwrap();
    } else {
        let is_compared =
            |oracle: &str| BATCHES.iter().all(|batch| batch.name != oracle) || trials::is_required(oracle);
        let differences = differences(&recorded, &table, is_compared);
        assert!(differences.is_empty(), "UPDATE=1 writes it anew:\n{}", differences.join("\n"));
    }
    let gaps: BTreeSet<&str> =
        table.keys().filter(|backend| !is_seen(&table, backend)).map(String::as_str).collect();
    let readme = fs::read_to_string(here().join("../../../scenarios/catalog/README.md")).unwrap();
    assert_eq!(listed(&readme), gaps, "scenarios/catalog/README.md lists what no oracle sees");
}

/// Whether an oracle has been asked for it in particular, or says something else of it than of a sound backend.
fn is_seen(table: &Table, backend: &str) -> bool {
    let sound = &table["plain-good"];
    let is_batch = |oracle: &String| BATCHES.iter().any(|batch| batch.name == oracle);
    backend == "plain-good"
        || table[backend].iter().any(|(oracle, words)| !is_batch(oracle) || sound.get(oracle) != Some(words))
}

/// The first word of each line of the list that says what no oracle sees.
fn listed(readme: &str) -> BTreeSet<&str> {
    let (_, after) = readme.split_once("## Seen by no oracle\n").expect("the README has such a list");
    let list = after.split("\n## ").next().unwrap_or_default();
    let items = list.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next());
    items.collect()
}

/// What the lines of the other tables ask for, which their own test has them find.
fn by_line() -> Table {
    let mut table: Table =
        catalogue().backends().map(|(name, ..)| (name.to_owned(), BTreeMap::new())).collect();
    for (backend, oracle, wanted, unwanted) in TABLES.iter().flat_map(|(_, lines)| lines.iter()) {
        let mut words: Vec<_> = wanted.iter().map(|words| format!("{words:?}")).collect();
        words.extend(unwanted.iter().map(|words| format!("not {words:?}")));
        let name = match oracle {
            Oracle::SClient(arguments) => format!("openssl s_client {arguments}"),
            Oracle::EarlyData => "openssl s_client -early_data".to_owned(),
            Oracle::Curl(arguments) => format!("curl {arguments}"),
            Oracle::Gnutls(priority, arguments) => format!("gnutls-cli {priority} {arguments}"),
            Oracle::Nmap(script) => format!("nmap {script}"),
            Oracle::Python(program) => format!("python3 {}", program.lines().next().unwrap_or_default()),
        };
        let rows = table.entry((*backend).to_owned()).or_default();
        rows.insert(name.trim().to_owned(), words.join(", "));
    }
    table
}

fn written(table: &Table) -> String {
    let mut text = String::new();
    for (backend, rows) in table {
        text.extend([format!("{backend}\n")]);
        for (oracle, words) in rows {
            text.extend([format!("  {oracle}: {words}\n")]);
        }
    }
    text
}

fn read() -> Table {
    let text = fs::read_to_string(here().join("said.txt")).unwrap_or_default();
    let mut table = Table::new();
    let mut backend = String::new();
    for line in text.lines() {
        match line.strip_prefix("  ") {
            None => line.clone_into(&mut backend),
            Some(row) => {
                let (oracle, words) = row.split_once(": ").unwrap_or((row, ""));
                let rows = table.entry(backend.clone()).or_default();
                rows.insert(oracle.to_owned(), words.to_owned());
            }
        }
    }
    table
}

fn differences(before: &Table, now: &Table, is_compared: impl Fn(&str) -> bool) -> Vec<String> {
    let rows = |table: &Table| -> BTreeMap<(String, String), String> {
        let rows = table.iter().flat_map(|(backend, rows)| {
            rows.iter().map(|(oracle, words)| ((backend.clone(), oracle.clone()), words.clone()))
        });
        rows.filter(|((_, oracle), _)| is_compared(oracle)).collect()
    };
    let (before, now) = (rows(before), rows(now));
    let places: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    places
        .into_iter()
        .filter(|place| before.get(place) != now.get(place))
        .map(|place| {
            let said = |table: &BTreeMap<_, String>| table.get(place).cloned().unwrap_or_default();
            format!("{} to {}: said {:?}, now {:?}", place.0, place.1, said(&before), said(&now))
        })
        .collect()
}
