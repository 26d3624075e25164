//! Gateways, readers and machines that misbehave: a run ends, says what was wrong once, charges nobody for it and loses nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::{
    fs,
    future::ready,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;
use time::macros::datetime;
use tls_gauntlet::{
    gateway::{Gateway, GatewayError, GatewayPlan, RunFolder},
    limits::Limits,
    runner::{self, Event, RunRequest},
    wait,
};
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::{Claims, VerdictKind, catalogue};

/// It strikes only if something hangs.
const LIMIT: Duration = Duration::from_secs(120);

fn gauntlet(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gauntlet"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

async fn ended(child: &mut Child) -> Option<i32> {
    wait::until(LIMIT, "gauntlet to end", || ready(child.try_wait().unwrap())).await.unwrap().code()
}

/// A gateway that takes connections and never answers: after SIGSTOP, a run of 950 cells would have taken half an hour, and
/// all of it would have been charged to the gateway.
#[tokio::test]
async fn a_gateway_that_answers_nobody_ends_the_run() {
    // The kernel takes connections for it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let short = Duration::from_millis(300);
    let request = RunRequest {
        gateways: vec![format!("https://{}", listener.local_addr().unwrap())],
        claims: Some("nginx".to_owned()),
        suites: vec!["upstream".to_owned()],
        jobs: 1,
        limits: Limits { call: short, settle: short, ..Limits::default() },
        ..RunRequest::new(1, datetime!(2026-11-21 12:00 UTC))
    };
    let called = AtomicUsize::new(0);
    let count = |event: Event| {
        if let Event::CellDone { .. } = event {
            called.fetch_add(1, Ordering::Relaxed);
        }
    };
    let record = runner::run(&request, &count).await.unwrap();
    let called = called.into_inner();
    assert!(called < record.cells.len() / 2, "{called} of {} cells were called", record.cells.len());
    let asked: Vec<_> = record.cells.iter().filter(|cell| cell.verdict != VerdictKind::Skipped).collect();
    for cell in &asked {
        assert_eq!(cell.verdict, VerdictKind::Broken, "{}: {:?}", cell.id, cell.because);
    }
    assert!(!asked.is_empty());
    assert_eq!(record.trouble.len(), 1, "{:?}", record.trouble);
    assert!(record.trouble[0].contains("it took the connection and did not answer"), "{:?}", record.trouble);
    assert_eq!(record.exit_code(), 3);
}

/// A program of this kind that went out of its group was found by nobody, and outlived the run.
#[tokio::test]
async fn a_gateway_that_goes_into_the_background_is_ended_and_named() {
    let (folder, pid) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let pid = pid.path().join("pid");
    let script = format!("setsid sh -c 'echo $$ > {}; exec sleep 1000' & exit 0", pid.display());
    let manifest = format!(
        "name = \"hidden\"\nsummary = \"It hides.\"\n[program]\nnames = [\"sh\"]\nversion = {{ args = [\"-c\", \"echo 1.0\"], \
         pattern = '([0-9.]+)' }}\n[run]\nfiles = {{}}\nstart = [\"-c\", {script:?}]\n\n{}",
        Gateway::claims_as_toml(&Claims::default(), &[])
    );
    fs::write(folder.path().join("gateway.toml"), manifest).unwrap();
    let gateway = Gateway::resolve(folder.path().to_str().unwrap()).unwrap();
    let pki = Arc::new(Pki::new(1, datetime!(2026-11-21 12:00 UTC)).unwrap());
    let default = catalogue().listener("default").unwrap().clone();
    let plan = GatewayPlan::new(vec![("default".to_owned(), default)], Vec::new(), pki, Limits::default());
    let error = loop {
        let error = gateway.start(&plan, &RunFolder::new().unwrap()).await.unwrap_err();
        // It may not have gone far enough to be told from one that simply ended.
        if pid.exists() {
            break error;
        }
    };
    let _named = matches!(error, GatewayError::Background { .. } | GatewayError::Ended { .. });
    let process = fs::read_to_string(&pid).unwrap();
    let proc = Path::new("/proc").join(process.trim());
    wait::until(LIMIT, "the hidden process to end", || {
        let state = fs::read_to_string(proc.join("stat")).unwrap_or_default();
        ready((state.is_empty() || state.contains(") Z")).then_some(()))
    })
    .await
    .unwrap();
}

/// With a stalled pipe on its standard output, it served 510 callers and then nobody, and took no signal.
#[tokio::test]
async fn a_reader_that_stops_reading_stops_nothing() {
    let mut serve =
        gauntlet(&["serve", "plain-good", "--watch", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = serve.stdout.take().unwrap();
    let mut first = Vec::new();
    while !first.contains(&b'\n') {
        let mut byte = [0];
        out.read_exact(&mut byte).unwrap();
        first.extend(byte);
    }
    let served: Value = serde_json::from_slice(&first).unwrap();
    let port = u16::try_from(served["port"].as_u64().unwrap()).unwrap();
    let call = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let _refused = stream.read(&mut [0; 100]).unwrap();
    };
    // Each leaves a line of some 300 bytes in a pipe that holds 64 kB.
    for _ in 0..1000 {
        call();
    }
    signal(&serve, "TERM");
    assert_eq!(ended(&mut serve).await, Some(0));
    drop(out);
}

/// The arguments of a run that takes a while.
fn slow_run(out: &Path) -> Vec<String> {
    let out = out.display().to_string();
    let filter = "upstream/*/strict::default/default::*";
    [
        "run",
        "--gateway",
        "direct",
        "--gateway",
        "reference",
        "--filter",
        filter,
        "--jobs",
        "1",
        "--repeat",
        "40",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain(["--out".to_owned(), out])
    .collect()
}

fn record(file: &Path) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
}

fn cells(record: &Value) -> usize {
    record["cells"].as_array().unwrap().len()
}

/// What was finished is there when a run is ended, is a record, and is not done again.
#[rstest]
#[case::in_order("INT")]
#[case::by_force("KILL")]
#[tokio::test]
async fn a_run_that_is_ended_is_gone_on_with(#[case] with: &str) {
    let folder = TempDir::new().unwrap();
    let (out, events) = (folder.path().join("out"), folder.path().join("events"));
    let arguments = slow_run(&out);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut run = gauntlet(&arguments).arg("--events").arg(&events).spawn().unwrap();
    let kept = out.join("run.partial.json");
    wait::until(LIMIT, "something to be finished", || {
        let called = fs::read_to_string(&events).unwrap_or_default().matches("\"called\"").count();
        let is_kept = record(&kept).is_some_and(|record| cells(&record) > 0);
        ready(if with == "INT" { called > 600 } else { is_kept }.then_some(()))
    })
    .await
    .unwrap();
    signal(&run, with);
    let code = ended(&mut run).await;
    assert_eq!(code, (with == "INT").then_some(3));

    let file = if with == "INT" { out.join("run.json") } else { kept };
    let partial = record(&file).unwrap();
    assert!(partial["partial"].is_string() && cells(&partial) > 0, "{partial}");
    let drawn = gauntlet(&["report", file.to_str().unwrap()]).stdout(Stdio::piped()).output().unwrap();
    assert_eq!(drawn.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&drawn.stdout).contains("partial"));

    let resumed = gauntlet(&arguments).arg("--resume").stderr(Stdio::piped()).output().unwrap();
    assert_eq!(resumed.status.code(), Some(0), "{}", String::from_utf8_lossy(&resumed.stderr));
    let whole = record(&out.join("run.json")).unwrap();
    assert!(whole["partial"].is_null() && cells(&whole) > cells(&partial));
    assert_eq!(whole["seed"], partial["seed"]);
    let listed = gauntlet(&["list", "scenarios", "--json"]).stdout(Stdio::piped()).output().unwrap();
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap();
    let wanted = |entry: &&Value| {
        let name = entry["name"].as_str().unwrap();
        name.starts_with("upstream/") && name.ends_with("/strict::default/default")
    };
    assert_eq!(cells(&whole), 2 * listed.iter().filter(wanted).count());
    assert!(!out.join("run.partial.json").exists());
    let again = gauntlet(&arguments).arg("--resume").stderr(Stdio::piped()).output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("there is nothing to resume"));
}

/// A disk without room made cells `wrong-cause`, without a word of the disk.
#[test]
fn a_full_disk_is_not_the_gateways() {
    let folder = TempDir::new().unwrap();
    let script = r#"mount -t tmpfs -o size=1m tmpfs "$1" && TMPDIR="$1" "$2" run --filter 'upstream/plain-good/strict::*'"#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(folder.path());
    let output = command.arg(env!("CARGO_BIN_EXE_gauntlet")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    if told.contains("unshare") || told.contains("mount:") {
        // No rights to try it.
        return;
    }
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("make room, or set TMPDIR to another disk"), "{told}");
}

/// A ClientHello in words is long: 64 MB of them became 1.7 GB, and reading the ledger as much again.
#[test]
fn what_callers_send_is_kept_as_it_came() {
    let mut serve = gauntlet(&["serve", "plain-good", "--json", "--control", "127.0.0.1:0"]);
    let mut serve = serve.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let line = |from: &mut dyn Read, until: &str| {
        let mut text = String::new();
        while !text.contains(until) || !text.ends_with('\n') {
            let mut byte = [0];
            from.read_exact(&mut byte).unwrap();
            text.push(char::from(byte[0]));
        }
        text
    };
    let told = line(serve.stdout.as_mut().unwrap(), "\n");
    let control = line(serve.stderr.as_mut().unwrap(), "http://");
    let control = control.rsplit_once("http://").unwrap().1.trim().trim_end_matches('/').to_owned();
    let port =
        u16::try_from(serde_json::from_str::<Value>(&told).unwrap()["port"].as_u64().unwrap()).unwrap();

    let hello = long_hello();
    for _ in 0..150 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // The backend may well have hung up before it is all there.
        let _ = stream.write_all(&hello);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let mut ask = TcpStream::connect(&control).unwrap();
    write!(ask, "GET /ledger HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let (mut length, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        match ask.read(&mut buffer).unwrap() {
            0 => break,
            count => length += count,
        }
    }
    let status = fs::read_to_string(format!("/proc/{}/status", serve.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().to_owned();
    let peak: usize = peak.trim_end_matches(" kB").trim().parse().unwrap();
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert!(length > 150 * hello.len(), "the ledger has {length} bytes");
    assert!(peak < 256 << 10, "{peak} kB");
}

/// A ClientHello of 100 kB, nearly all of it cipher suites and groups, in records of 16 kB.
fn long_hello() -> Vec<u8> {
    let vector = |content: &[u8]| [&u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat();
    let many = |count: u16| (0..count).flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let groups = [&[0, 10][..], &vector(&vector(&many(25_000)))].concat();
    let body = [&[3, 3], &[7; 32][..], &[0], &vector(&many(25_000)), &[1, 0], &vector(&groups)].concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[1], &length[1..], &body].concat();
    message.chunks(1 << 14).flat_map(|part| [&[22, 3, 1][..], &vector(part)].concat()).collect()
}
