//! `scan` beside sslyze, field by field, on every backend that both can read.
//!
//! `ci/install-tools.sh sslyze` installs it. Where the two differ, one line of [`LIMITS`] has to say why.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;
use tls_gauntlet::{
    backend::SERVER_NAME,
    scan::{
        self,
        record::{TargetRecord, VersionFacts},
    },
    trials,
};
use tls_gauntlet_scenarios::{BackendProfile, DemandTime, FaultAction, FaultPhase, TlsVersion, catalogue};

use super::fleet;

/// Something that both say of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// The cipher suites of a version.
    Suites(TlsVersion),
    Curves,
    SecureRenegotiation,
    ClientRenegotiation,
    SessionIds,
    Tickets,
    ClientCertificate,
}

/// Whether a server is one of those of which sslyze cannot know, and why.
type Limit = (&'static str, fn(Field, &TargetRecord) -> bool);

const LIMITS: &[Limit] = &[
    (
        "it says of servers with TLS 1.3 alone that they renegotiate securely, which TLS 1.3 has not",
        |field, ours| {
            matches!(field, Field::SecureRenegotiation | Field::ClientRenegotiation) && is_tls13_only(ours)
        },
    ),
    ("it asks for renegotiation over SSL 3.0, where a server can only keep silent", |field, ours| {
        field == Field::ClientRenegotiation && highest_below_13(ours) == Some(TlsVersion::Ssl3)
    }),
    (
        "it looks for resumption of the older kinds in TLS 1.2 alone, and says then that there is but TLS 1.3",
        |field, ours| {
            matches!(field, Field::SessionIds | Field::Tickets)
                && highest_below_13(ours) != Some(TlsVersion::Tls12)
        },
    ),
    (
        "it takes the curve of an ECDSA certificate away, and with it all other curves up to TLS 1.2",
        |field, ours| field == Field::Curves && has_ecdsa_leaf(ours),
    ),
    (
        "it offers old suites by an OpenSSL of 2016, which has no such key, group or signature",
        |field, ours| {
            field == Field::Suites(TlsVersion::Tls12) && (has_young_key(ours) || has_young_groups_only(ours))
        },
    ),
    ("it does not ask for anything, so that a refusal in HTTP is none", |field, ours| {
        field == Field::ClientCertificate
            && ours.client_certificate.as_ref().is_some_and(|facts| facts.refuses_in_http.is_some())
    }),
];

fn is_tls13_only(ours: &TargetRecord) -> bool {
    highest_below_13(ours).is_none()
}

fn highest_below_13(ours: &TargetRecord) -> Option<TlsVersion> {
    ours.versions.iter().map(|facts| facts.version).filter(|version| *version < TlsVersion::Tls13).max()
}

fn key(ours: &TargetRecord) -> &str {
    ours.certificates.first().and_then(|chain| chain.certificates.first()).map_or("", |leaf| &leaf.key)
}

fn has_ecdsa_leaf(ours: &TargetRecord) -> bool {
    key(ours).starts_with("EC ")
}

fn has_young_key(ours: &TargetRecord) -> bool {
    ["Ed25519", "Ed448", "RSA-PSS"].iter().any(|young| key(ours).starts_with(young))
}

fn has_young_groups_only(ours: &TargetRecord) -> bool {
    let groups: Vec<_> = ours.versions.iter().filter_map(|facts| facts.groups.as_ref()).flatten().collect();
    !groups.iter().any(|group| group.starts_with("secp"))
}

/// Where it is, if it is installed; if it must be and is not, the test fails here.
fn program() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin/sslyze");
    let on_path = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join("sslyze"))
        .find(|file| file.is_file());
    let found = if own.is_file() { Some(own) } else { on_path };
    assert!(
        found.is_some() || !trials::is_required("sslyze"),
        "sslyze is required by GAUNTLET_REQUIRE, but is not installed; ci/install-tools.sh sslyze"
    );
    found
}

/// Those that differ from `plain-good` in something that both look at. What takes long to make or to answer, or lets a
/// handshake fail by accident or by design, is no server that both can read.
fn is_telling(name: &str, profile: &BackendProfile) -> bool {
    let is_old_key = ["rsa-4096", "rsa-8192"].contains(&name);
    let is_steady = profile
        .fault
        .is_none_or(|fault| fault.does == FaultAction::OmitCloseNotify && fault.at == FaultPhase::Close);
    let differs = profile.versions.is_some()
        || profile.ciphers.is_some()
        || profile.accepts.is_some()
        || profile.groups.is_some()
        || profile.dh_parameters.is_some()
        || profile.client_certificate.is_some()
        || profile.sessions.is_some()
        || profile.client_renegotiation.is_some()
        || profile.renegotiation.is_some()
        || catalogue().backends().any(|(known, family, _)| known == name && family == "key");
    // sslyze sends no request, so that a refusal after one is none; and servers whose keys change between connections
    // are other servers to whoever connects another number of times.
    let is_the_same = profile.refuses_in_tls.is_none()
        && profile.renewal.is_none()
        && !["ticket-key-rotated", "ticket-keys-overlap"].contains(&name);
    name == "plain-good" || (differs && is_steady && is_the_same && !is_old_key && profile.fault_on.is_none())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_say_the_same() {
    let Some(program) = program() else { return };
    let names: Vec<_> = catalogue()
        .backends()
        .filter(|(name, _, profile)| is_telling(name, profile))
        .map(|(name, _, _)| name)
        .collect();
    let (_fleet, request) = fleet(&names).await;
    let targets: Vec<_> = request.targets.iter().map(ToString::to_string).collect();
    let theirs = tokio::task::spawn_blocking(move || said_by(&program, &targets));
    let (ours, theirs) = tokio::join!(scan::scan(request, |_| {}), theirs);
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    let (mut compared, mut different) = (0, Vec::new());
    for (name, ours) in names.iter().zip(&ours) {
        let Some(theirs) = theirs.get(&ours.target) else { continue };
        for (field, own, their) in fields(ours, theirs) {
            compared += 1;
            let is_known = LIMITS.iter().any(|(_, is_beyond_it)| is_beyond_it(field, ours));
            if own != their && !is_known {
                different.push(format!("{name}, {field:?}: we say {own:?}, sslyze {their:?}"));
            }
        }
    }
    assert!(compared > 9 * names.len(), "only {compared} fields of {} servers", names.len());
    assert!(different.is_empty(), "of {compared} fields these differ:\n{}", different.join("\n"));
}

/// What sslyze says of each of these servers that it can read.
fn said_by(program: &Path, targets: &[String]) -> BTreeMap<String, Value> {
    let folder = TempDir::new().unwrap();
    let (list, result) = (folder.path().join("targets"), folder.path().join("result.json"));
    fs::write(&list, targets.join("\n")).unwrap();
    let said = Command::new(program)
        .arg("--targets_in")
        .arg(&list)
        .arg("--json_out")
        .arg(&result)
        .args(["--sni", SERVER_NAME, "--quiet", "--mozilla_config", "disable"])
        .args(["--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3"])
        .args(["--elliptic_curves", "--reneg", "--resum"])
        .output()
        .unwrap();
    let text = fs::read(&result).unwrap_or_else(|error| panic!("no result ({error}): {said:?}"));
    let mut result: Value = serde_json::from_slice(&text).unwrap();
    let servers = result["server_scan_results"].take();
    let Value::Array(servers) = servers else { panic!("no list of servers") };
    servers
        .into_iter()
        .filter(|server| server["scan_status"] == "COMPLETED")
        .map(|server| (format!("127.0.0.1:{}", server["server_location"]["port"]), server))
        .collect()
}

/// Each field that sslyze could read, as we say it and as it says it.
fn fields(ours: &TargetRecord, theirs: &Value) -> Vec<(Field, String, String)> {
    let mut fields = Vec::new();
    let result = |what: &str| {
        let part = &theirs["scan_result"][what];
        (part["status"] == "COMPLETED").then(|| &part["result"])
    };
    for (what, version) in [
        ("ssl_3_0_cipher_suites", TlsVersion::Ssl3),
        ("tls_1_0_cipher_suites", TlsVersion::Tls10),
        ("tls_1_1_cipher_suites", TlsVersion::Tls11),
        ("tls_1_2_cipher_suites", TlsVersion::Tls12),
        ("tls_1_3_cipher_suites", TlsVersion::Tls13),
    ] {
        if let Some(said) = result(what) {
            let accepted = names(&said["accepted_cipher_suites"], "/cipher_suite/name");
            let known = &accepted | &names(&said["rejected_cipher_suites"], "/cipher_suite/name");
            let facts = ours.versions.iter().find(|facts| facts.version == version);
            let own: BTreeSet<_> =
                facts.map(|facts| facts.ciphers.iter().cloned().collect()).unwrap_or_default();
            fields.push((Field::Suites(version), spelled(&(&own & &known)), spelled(&accepted)));
        }
    }
    if let Some(said) = result("elliptic_curves") {
        let accepted = names(&said["supported_curves"], "/name");
        let known = &accepted | &names(&said["rejected_curves"], "/name");
        fields.push((Field::Curves, spelled(&(&groups(&ours.versions) & &known)), spelled(&accepted)));
    }
    if let Some(said) = result("session_renegotiation") {
        let own = ours.renegotiation;
        let secure = own.is_some_and(|facts| facts.secure).to_string();
        fields.push((Field::SecureRenegotiation, secure, said["supports_secure_renegotiation"].to_string()));
        let follows = own.is_some_and(|facts| facts.follows_client == Some(true)).to_string();
        let their = said["is_vulnerable_to_client_renegotiation_dos"].to_string();
        fields.push((Field::ClientRenegotiation, follows, their));
    }
    if let Some(said) = result("session_resumption") {
        let own = ours.resumption.unwrap_or_default();
        for (field, held, what) in [
            (Field::SessionIds, own.ids, "session_id_resumption_result"),
            (Field::Tickets, own.tickets, "tls_ticket_resumption_result"),
        ] {
            let own = if held == Some(true) { "FULLY_SUPPORTED" } else { "NOT_SUPPORTED" };
            fields.push((field, own.to_owned(), said[what].as_str().unwrap_or_default().to_owned()));
        }
    }
    let asked = ours.client_certificate.as_ref().filter(|facts| facts.asked == DemandTime::Handshake);
    let own = asked.map_or_else(|| "DISABLED".to_owned(), |facts| facts.need.to_string().to_uppercase());
    let their = theirs["connectivity_result"]["client_auth_requirement"].as_str().unwrap_or_default();
    fields.push((Field::ClientCertificate, own, their.to_owned()));
    fields
}

/// The names in a list, in lower case and by their RFC.
fn names(list: &Value, place: &str) -> BTreeSet<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|entry| entry.pointer(place)?.as_str())
        .map(|name| match name {
            "prime256v1" => "secp256r1".to_owned(),
            suite if suite.starts_with("TLS_") => suite.to_owned(),
            curve => curve.to_lowercase(),
        })
        .collect()
}

fn groups(versions: &[VersionFacts]) -> BTreeSet<String> {
    versions
        .iter()
        .filter_map(|facts| facts.groups.as_ref())
        .flatten()
        .map(|name| name.to_lowercase())
        .collect()
}

fn spelled(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(" ")
}
