//! `gauntlet serve` as its users meet it: lines that can be pasted, and an end that leaves nothing.

use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use rstest::rstest;
use serde_json::Value;

use crate::gauntlet::gauntlet;

/// A `gauntlet serve` that is up; ended when dropped.
pub(crate) struct Serving {
    child: Child,
    pub(crate) backends: Vec<Value>,
}

impl Serving {
    pub(crate) fn start(arguments: &[&str], backends: usize) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gauntlet"))
            .args(["serve", "--json"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let lines = out.lines().take(backends).map(|line| serde_json::from_str(&line.unwrap()).unwrap());
        let backends = lines.collect();
        Self { child, backends }
    }

    pub(crate) fn port(&self, backend: usize) -> u16 {
        u16::try_from(self.backends[backend]["port"].as_u64().unwrap()).unwrap()
    }

    fn end(&mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Pastes a line into a shell; its output and exit code.
fn paste(line: &str) -> (String, i32) {
    let output = Command::new("sh").args(["-c", &format!("{line} --silent")]).output().unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap_or(-1))
}

fn has_curl() -> bool {
    Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok()
}

#[rstest]
#[case("plain-good", 0)]
#[case("tls10-only", 0)]
#[case("tls11-only", 0)]
#[case("tls12-only", 0)]
#[case("tls13-only", 0)]
#[case("client-cert-required", 0)]
#[case("client-cert-optional", 0)]
#[case("renegotiation-required", 0)]
#[case("renegotiation-required-dual", 0)]
#[case("renegotiation-without-cert", 0)]
#[case("post-handshake-auth-required", 0)]
#[case("sni-required", 0)]
#[case("tls12-only+client-cert-required", 0)]
// CURLE_PEER_FAILED_VERIFICATION
#[case("expired-leaf", 60)]
#[case("wrong-name", 60)]
// CURLE_COULDNT_CONNECT
#[case("refuses-connection", 7)]
fn the_curl_line_works_when_pasted(#[case] backend: &str, #[case] exit: i32) {
    if !has_curl() {
        return;
    }
    let serving = Serving::start(&[backend], 1);
    let line = serving.backends[0]["curl"].as_str().unwrap();
    let (out, code) = paste(line);
    assert_eq!(code, exit, "{line}\n{out}");
    if exit == 0 {
        let echo: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("no echo: {line}\n{out}"));
        assert!(echo.is_object(), "{echo}");
    }
}

#[rstest]
#[case("tls12-only+client-cert-required", 0)]
#[case("wildcard", 0)]
#[case("expired-leaf", 60)]
fn the_line_by_name_works_when_pasted(#[case] backend: &str, #[case] exit: i32) {
    if !has_curl() {
        return;
    }
    let serving = Serving::start(&[backend], 1);
    let (line, url) = (&serving.backends[0]["curl_by_name"], &serving.backends[0]["url_by_name"]);
    let (line, url) = (line.as_str().unwrap(), url.as_str().unwrap());
    assert!(url.contains(&format!("{}.gauntlet.test:", backend.replace('+', "--"))), "{url}");
    let (out, code) = paste(line);
    assert_eq!(code, exit, "{line}\n{out}");
    if exit == 0 {
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["backend"], backend);
    }
}

#[test]
fn a_call_for_nobody_is_told_with_the_reason() {
    if !has_curl() {
        return;
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_gauntlet"))
        .args(["serve", "plain-good", "resets-on-accept", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut serving = Serving { child, backends: Vec::new() };
    let good: Value = serde_json::from_str(&out.next().unwrap().unwrap()).unwrap();
    let resets: Value = serde_json::from_str(&out.next().unwrap().unwrap()).unwrap();
    assert!(resets["not_by_name"].as_str().unwrap().contains("acts before the ClientHello"), "{resets}");
    assert_eq!(resets["url_by_name"], Value::Null);
    assert!(told.next().unwrap().unwrap().starts_with("page on http://127.0.0.1:"));
    assert!(told.next().unwrap().unwrap().starts_with("ready"));

    let line = good["curl_by_name"].as_str().unwrap().replace("plain-good", "plane-good");
    // CURLE_SSL_CONNECT_ERROR
    assert_eq!(paste(&line).1, 35, "{line}");
    let said = told.next().unwrap().unwrap();
    assert!(said.starts_with("refused \"plane-good.gauntlet.test\": unknown backend"), "{said}");
    assert_eq!(serving.end("INT"), Some(0));
}

#[test]
fn the_page_is_at_an_address_that_nobody_guesses() {
    if !has_curl() {
        return;
    }
    let page = || {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gauntlet"))
            .args(["serve", "plain-good"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let first = BufReader::new(child.stderr.take().unwrap()).lines().next().unwrap().unwrap();
        let url = first.strip_prefix("page on ").unwrap_or_else(|| panic!("{first}")).to_owned();
        (Serving { child, backends: Vec::new() }, url)
    };
    let status = |url: &str| {
        paste(&format!("curl --noproxy '*' --output /dev/null --write-out '%{{http_code}}' {url}")).0
    };
    let ((_one, url), (_other, other)) = (page(), page());
    let (address, secret) = url.trim_end_matches('/').rsplit_once('/').unwrap();
    assert_eq!(secret.len(), 32, "{url}");
    assert!(!other.contains(secret), "each has its own: {url} {other}");
    assert_eq!(status(&url), "200");
    for path in ["", "/certs/client-good.key", "/00000000000000000000000000000000/certs/client-good.key"] {
        assert_eq!(status(&format!("{address}{path}")), "404", "{path}");
    }
}

#[rstest]
#[case(false)]
#[case(true)]
fn who_watches_sees_each_connection_as_it_ends(#[case] as_json: bool) {
    if !has_curl() {
        return;
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_gauntlet"))
        .args(["serve", "tls12-only", "expired-leaf", "--watch"])
        .args(as_json.then_some("--json"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let _serving = Serving { child, backends: Vec::new() };
    let mut curl = || {
        if as_json {
            let told: Value = serde_json::from_str(&out.next().unwrap()).unwrap();
            return told["curl"].as_str().unwrap().to_owned();
        }
        out.find(|line| line.starts_with("  curl --cacert")).unwrap()
    };
    let (sound, expired) = (curl(), curl());
    assert_eq!((paste(&sound).1, paste(&expired).1), (0, 60));
    // Those that are called at the same time may end in any order.
    if as_json {
        let mut seen =
            [out.next(), out.next()].map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        seen.sort_by_key(|entry| entry["backend"].to_string());
        assert_eq!(
            (&seen[0]["backend"], &seen[0]["alert_received"]),
            (&"expired-leaf".into(), &"certificate_expired".into())
        );
        assert_eq!((&seen[1]["backend"], &seen[1]["tls_version"]), (&"tls12-only".into(), &"TLSv1.2".into()));
        return;
    }
    let is_line = |line: &String| line.get(8..10) == Some("  ") && line.as_bytes()[2] == b':';
    let mut seen: Vec<String> = out.filter(is_line).take(2).map(|line| line[10..].to_owned()).collect();
    seen.sort();
    let expired = "⊘  expired-leaf  sni localhost  certificate_expired received in phase handshake (";
    assert!(seen[0].trim_start().starts_with(expired), "{seen:?}");
    assert!(seen[1].trim_start().starts_with("✓  tls12-only    TLSv1.2  TLS_"), "{seen:?}");
}

/// A `gauntlet serve --control` without files, and where its control API is.
fn with_control() -> (Serving, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gauntlet"))
        .args(["serve", "plain-good", "--control", "127.0.0.1:0", "--no-files"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = told.next().unwrap().unwrap();
    let url = first.strip_prefix("control API and page on ").unwrap_or_else(|| panic!("{first}")).to_owned();
    assert!(told.next().unwrap().unwrap().contains("authorization: Bearer "));
    assert!(told.next().unwrap().unwrap().starts_with("ready"));
    (Serving { child, backends: Vec::new() }, url)
}

#[test]
fn whether_a_fleet_is_well_can_be_asked() {
    let (mut serving, url) = with_control();
    let well = gauntlet(&format!("serve --check {url}"));
    assert_eq!(well.code, 0, "{}", well.err);
    assert_eq!(serde_json::from_str::<Value>(&well.out).unwrap()["backends"], 1);
    assert_eq!(serving.end("TERM"), Some(0));
    let gone = gauntlet(&format!("serve --check {url}"));
    assert_eq!((gone.code, gone.out.as_str()), (3, ""));
    assert!(
        gone.err.contains("is not well") && gone.err.contains("gauntlet serve --control"),
        "{}",
        gone.err
    );
}

#[rstest]
#[case("serve --no-files", "--control")]
#[case("serve --check localhost", "http://HOST:PORT")]
#[case("serve --check http://localhost:1 plain-good", "cannot be used with")]
#[case("serve --pki /nowhere plain-good", "/nowhere")]
fn what_makes_no_sense_is_an_input_error(#[case] line: &str, #[case] told: &str) {
    let ran = gauntlet(line);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains(told), "{}", ran.err);
}

#[test]
fn a_control_port_that_is_taken_is_told_with_its_remedy() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let ran = gauntlet(&format!("serve plain-good --control {}", taken.local_addr().unwrap()));
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
    assert!(ran.err.contains("for the control API") && ran.err.contains("choose another"), "{}", ran.err);
}

#[test]
fn kept_authorities_are_served() {
    let kept = tempfile::tempdir().unwrap();
    let dir = kept.path().display();
    assert_eq!(gauntlet(&format!("certs {dir} client-good")).code, 0);
    let serving = Serving::start(&["plain-good", "--pki", &dir.to_string()], 1);
    let served = std::fs::read(serving.backends[0]["ca"].as_str().unwrap()).unwrap();
    assert_eq!(served, std::fs::read(kept.path().join("server-root.pem")).unwrap());
}

#[rstest]
fn it_ends_with_0_and_leaves_nothing(#[values("INT", "TERM", "HUP")] signal: &str) {
    let mut serving = Serving::start(&["plain-good", "expired-leaf"], 2);
    let [first, second] = &serving.backends[..] else { panic!("two lines") };
    assert_eq!((&first["backend"], &second["backend"]), (&"plain-good".into(), &"expired-leaf".into()));
    let port = u16::try_from(first["port"].as_u64().unwrap()).unwrap();
    assert_eq!(first["url"], format!("https://localhost:{port}/"));
    let root = first["ca"].as_str().unwrap().to_owned();
    let folder = Path::new(&root).parent().unwrap().to_owned();
    assert!(Path::new(&root).is_file());
    TcpStream::connect(("127.0.0.1", port)).unwrap();

    assert_eq!(serving.end(signal), Some(0));
    assert!(!folder.exists(), "{} is still there", folder.display());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "the port is still open");
}

#[cfg(unix)]
#[test]
fn the_folder_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let serving = Serving::start(&["plain-good"], 1);
    let folder = Path::new(serving.backends[0]["ca"].as_str().unwrap()).parent().unwrap();
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn presets_call_a_server() {
    let serving = Serving::start(&["tls12-only"], 1);
    let ran = gauntlet(&format!("scan localhost:{} --as all --json", serving.port(0)));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    let of = |preset: &str| {
        told[0]["clients"].as_array().unwrap().iter().find(|one| one["preset"] == preset).unwrap()
    };
    assert_eq!(of("java-17")["tls_version"], "TLSv1.2");
    assert_eq!(
        (&of("java-7")["cause"], &of("java-7")["alert"]),
        (&"no-common-version".into(), &"protocol_version".into())
    );
}

#[test]
fn all_backends_are_served_if_none_is_named() {
    let Value::Array(known) = serde_json::from_str(&gauntlet("list backends --json").out).unwrap() else {
        panic!("no array")
    };
    let serving = Serving::start(&[], known.len());
    let names = |entries: &[Value], field: &str| -> Vec<String> {
        entries.iter().map(|entry| entry[field].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&serving.backends, "backend"), names(&known, "name"));
}

#[test]
fn a_port_that_is_taken_is_told_with_its_remedy() {
    // An address where nobody else is, so that the port after it is free.
    let taken = TcpListener::bind(("127.0.3.7", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let ran = gauntlet(&format!("serve plain-good --bind 127.0.3.7 --port-base {port}"));
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
    insta::assert_snapshot!("port-taken", ran.err.replace(&port.to_string(), "PORT"));
}
