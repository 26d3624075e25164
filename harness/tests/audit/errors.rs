//! What goes wrong before the first behaviour: one line with the remedy, and the exit code that says whose fault it is.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::Command,
    thread,
};

use rstest::rstest;
use tempfile::TempDir;

/// Runs the program in a folder of its own; the exit code and the last line of what it complains of.
fn audited(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_gauntlet"))
        .arg("audit")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said.lines().last().unwrap_or_default().to_owned())
}

#[rstest]
#[case::nothing(&[], "as in gauntlet audit /etc/nginx/nginx.conf, or a leg of one that runs: gauntlet audit https://")]
#[case::pairs(&["http://127.0.0.1:1/"], "1 URLs and 0 --backend; give one --backend HOST:PORT for each URL")]
#[case::scheme(&["ftp://127.0.0.1/", "--backend", "a.test:443"], "it begins with https:// or http://")]
#[case::backend(&["http://127.0.0.1:1/", "--backend", "orders"], "\"orders\" is not a host and a port")]
#[case::header(&["http://127.0.0.1:1/", "--backend", "a.test:443", "--header", "x"], "--header \"x\" has no colon")]
#[case::method(&["http://127.0.0.1:1/", "--backend", "a.test:443", "--method", "G T"], "is no method of HTTP")]
#[case::name(&["http://nowhere.invalid/", "--backend", "a.test:443"], "pass --connect-to ADDR:PORT")]
#[case::log(&["http://127.0.0.1:1/", "--backend", "a.test:1", "--log", "no.log"], "cannot read the log no.log")]
#[case::ca(&["http://127.0.0.1:1/", "--backend", "a.test:443", "--ca", "no.pem"], "cannot read --ca no.pem")]
fn arguments_that_make_no_sense(#[case] arguments: &[&str], #[case] told: &str) {
    let folder = TempDir::new().unwrap();
    let (code, said) = audited(folder.path(), arguments);
    assert!(said.contains(told), "{said}");
    assert_eq!(code, 2, "{said}");
}

#[test]
fn a_certificate_that_cannot_issue() {
    let folder = TempDir::new().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_gauntlet"))
        .args(["certs", "made", "server-good"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let find = |end: &str| {
        let entries = fs::read_dir(folder.path().join("made")).unwrap().flatten();
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        format!("made/{}", names.find(|name| name.starts_with("server-good") && name.ends_with(end)).unwrap())
    };
    let (ca, key) = (find(".pem"), find(".key"));
    let arguments = ["http://127.0.0.1:1/", "--backend", "a.test:443", "--ca", &ca, "--ca-key", &key];
    let (code, said) = audited(folder.path(), &arguments);
    assert!(said.contains("it cannot issue certificates: invalid CA certificate"), "{said}");
    assert_eq!(code, 2);
    assert!(!folder.path().join("gauntlet-audit").exists(), "something was left behind");
}

#[test]
fn a_rule_that_is_not_known() {
    let folder = TempDir::new().unwrap();
    let exception = "[[exception]]\nrule = \"revokation\"\nreason = \"x\"\nuntil = 2099-01-01\n";
    fs::write(folder.path().join("gauntlet.toml"), exception).unwrap();
    let (code, said) = audited(folder.path(), &["http://127.0.0.1:1/", "--backend", "a.test:443"]);
    assert!(
        said.contains("gauntlet.toml:1:1: unknown rule \"revokation\"; did you mean \"revocation\"?"),
        "{said}"
    );
    assert_eq!(code, 2);
}

#[test]
fn a_port_that_is_taken() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let backend = format!("a.test:{}", taken.local_addr().unwrap().port());
    let (code, said) = audited(folder.path(), &["http://127.0.0.1:1/", "--backend", &backend]);
    assert!(said.contains("stop what holds the port, or choose another --bind"), "{said}");
    assert_eq!(code, 3);
}

/// What answers every call with this head and no body.
fn answering(head: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/orders", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    url
}

/// A port that was free a moment ago. Nobody else is asked to hold it for long.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[rstest]
#[case::no_route(
    "404 Not Found",
    "answers 404 by itself: no route of the gateway fits; check path, --method and --host"
)]
#[case::redirect(
    "302 Found\r\nlocation: https://login.test/",
    "redirects (302) to https://login.test/; call that URL"
)]
#[case::login("401 Unauthorized", "wants the caller to be known (401); pass --header")]
#[case::cached("200 OK", "but the request did not come here")]
#[case::down("503 Service Unavailable", "does not lead there yet, or the gateway holds it to be down")]
fn a_leg_that_is_never_called(#[case] head: &'static str, #[case] told: &str) {
    let folder = TempDir::new().unwrap();
    let backend = format!("a.test:{}", free_port());
    let (code, said) = audited(folder.path(), &[&answering(head), "--backend", &backend, "--wait", "0"]);
    assert!(said.contains("no sound call came through on a.test:") && said.contains(told), "{said}");
    assert_eq!(code, 3);
}

#[test]
fn a_gateway_that_is_not_there() {
    let folder = TempDir::new().unwrap();
    let (url, backend) = (format!("http://127.0.0.1:{}/", free_port()), format!("a.test:{}", free_port()));
    let (code, said) = audited(folder.path(), &[&url, "--backend", &backend, "--wait", "0"]);
    assert!(said.contains("cannot be reached") && said.contains("is the gateway up"), "{said}");
    assert_eq!(code, 3);
}
