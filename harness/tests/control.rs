//! The control API of a fleet, asked as its users ask it.

#![allow(clippy::unwrap_used, reason = "clippy takes helpers of tests for no tests")]

use std::{net::SocketAddr, path::Path, process::Stdio, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use openssl::{pkcs12::Pkcs12, pkey::PKey, x509::X509};
use rstest::rstest;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tls_gauntlet::{
    backend::{Fleet, FleetOptions, Front},
    client::{Probe, Target},
    control::{Control, ControlOptions, OPENAPI, PFX_PASSWORD},
    trials,
};
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::catalogue;
use tokio::{net::TcpStream, process::Command, time::timeout};

const DEADLINE: Duration = Duration::from_secs(60);

/// The fuzzer's own time, and what it needs beside: it is an interpreter that has to load.
const FUZZING: (&str, Duration) = ("8", Duration::from_secs(300));

struct Served {
    control: Control,
    front: SocketAddr,
    pki: Arc<Pki>,
    begun: OffsetDateTime,
}

struct Said {
    status: StatusCode,
    kind: String,
    body: Vec<u8>,
}

impl Served {
    async fn start(backends: &[&str]) -> Self {
        Self::behind(backends, None).await
    }

    async fn behind(backends: &[&str], secret: Option<&str>) -> Self {
        Self::set(backends, secret, FleetOptions::default()).await
    }

    /// By this name, too.
    async fn named(backends: &[&str], name: &str) -> Self {
        let mut options = FleetOptions::default();
        options.names.push(name.parse().unwrap());
        Self::set(backends, None, options).await
    }

    async fn set(backends: &[&str], secret: Option<&str>, options: FleetOptions) -> Self {
        #[allow(
            clippy::disallowed_methods,
            reason = "certificates have to be valid for programs with clocks"
        )]
        let now = OffsetDateTime::now_utc();
        let mut options = options;
        options.names.push("fleet.test".parse().unwrap());
        let pki = Arc::new(Pki::new(3, now).unwrap());
        let plan: Vec<_> = backends.iter().map(|name| catalogue().backend(name).unwrap()).collect();
        let fleet = Fleet::start(&plan, &pki, &options).await.unwrap();
        let front = Arc::new(Front::start(&pki, &options).await.unwrap());
        let address = front.address();
        let options = ControlOptions::new("127.0.0.1:0".parse().unwrap(), now);
        let options = secret.map_or(options.clone(), |secret| options.secret(secret));
        let control = Control::start(fleet, front, options).await.unwrap();
        Self { control, front: address, pki, begun: now }
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Response<Incoming> {
        self.send_with(method, path, body, &[]).await
    }

    async fn send_with(
        &self,
        method: &str,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Response<Incoming> {
        let stream = TcpStream::connect(self.control.address()).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method.parse::<Method>().unwrap())
            .uri(path)
            .header("host", "fleet.test:9000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        timeout(DEADLINE, sender.send_request(request)).await.expect("an answer").unwrap()
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Said {
        let response = self.send(method, path, body).await;
        let (status, kind) =
            (response.status(), response.headers()["content-type"].to_str().unwrap().to_owned());
        let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
        Said { status, kind, body }
    }

    async fn get(&self, path: &str) -> Value {
        let said = self.ask("GET", path, "").await;
        assert_eq!(said.status, StatusCode::OK, "{path}");
        serde_json::from_slice(&said.body).unwrap()
    }

    /// The entries with this nonce, as soon as there is one.
    async fn entries(&self, nonce: &str) -> Vec<Value> {
        let path = format!("/ledger?wait_ms=5000&nonce={nonce}");
        let found =
            async || self.get(&path).await["entries"].as_array().filter(|found| !found.is_empty()).cloned();
        tls_gauntlet::wait::until(DEADLINE, "an entry of the ledger", found).await.unwrap()
    }

    /// The status that a client without a flaw gets from a backend.
    async fn call(&self, backend: &str, nonce: &str) -> Option<u16> {
        let port =
            self.get(&format!("/backends/{}", backend.replace('+', "%2B"))).await["port"].as_u64().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap()));
        self.call_at("localhost", address, nonce).await
    }

    async fn call_at(&self, host: &str, address: SocketAddr, nonce: &str) -> Option<u16> {
        let target = Target { nonce: nonce.to_owned(), path: format!("/{nonce}"), ..Target::at(address) };
        Probe::sound(host, &self.pki).unwrap().get(&target).await.status
    }
}

#[tokio::test]
async fn what_is_up_and_where() {
    let served = Served::start(&["plain-good", "resets-on-accept"]).await;
    assert_eq!(served.get("/healthz").await["backends"], 2);
    let backends = served.get("/backends").await;
    let port = &backends[0]["port"];
    assert_eq!(backends[0]["name"], "plain-good");
    assert_eq!(backends[0]["url"], format!("https://fleet.test:{port}/"), "by the host that was asked");
    assert_eq!(
        backends[0]["url_by_name"],
        format!("https://plain-good.gauntlet.test:{}/", served.front.port())
    );
    assert!(backends[1].get("url_by_name").is_none(), "it acts before its name is known");
    assert_eq!(served.get("/openapi.json").await, serde_json::from_str::<Value>(OPENAPI).unwrap());
}

#[tokio::test]
async fn every_certificate_can_be_fetched_and_read() {
    let served = Served::start(&["plain-good"]).await;
    let names = served.get("/certs").await;
    for name in names.as_array().unwrap() {
        let name = name.as_str().unwrap();
        let said = served.ask("GET", &format!("/certs/{name}"), "").await;
        assert_eq!(said.status, StatusCode::OK, "{name}");
        match name.rsplit('.').next().unwrap() {
            "pem" if name.ends_with("crl.pem") => {
                assert_eq!(
                    String::from_utf8(said.body).unwrap().matches("BEGIN X509 CRL").count(),
                    4,
                    "{name}"
                );
            }
            "pem" => assert!(!X509::stack_from_pem(&said.body).unwrap().is_empty(), "{name}"),
            "key" => assert!(PKey::private_key_from_pem(&said.body).is_ok(), "{name}"),
            // What is in the old format needs a provider that nobody else is to have; that it is PKCS#12 will do.
            _ if name.ends_with(".legacy.pfx") => assert!(Pkcs12::from_der(&said.body).is_ok(), "{name}"),
            _ => {
                let parsed = Pkcs12::from_der(&said.body).unwrap().parse2(PFX_PASSWORD).unwrap();
                assert!(
                    parsed.pkey.unwrap().public_eq(&parsed.cert.unwrap().public_key().unwrap()),
                    "{name}"
                );
            }
        }
    }
    let root = served.ask("GET", "/certs/ca.pem", "").await;
    assert_eq!(root.body, served.pki.server_root().to_pem().unwrap());
    assert_eq!(root.kind, "application/x-pem-file");
}

#[tokio::test]
async fn a_composition_is_started_once() {
    let served = Served::start(&[]).await;
    let put = async || served.ask("PUT", "/backends/tls12-only%2Bh1-only", "").await;
    assert_eq!(put().await.status, StatusCode::CREATED);
    let again = put().await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(served.get("/backends").await.as_array().unwrap().len(), 1);
    assert_eq!(served.call("tls12-only+h1-only", "n-0000000000000001").await, Some(200));
}

#[rstest]
#[case(json!({ "at": "request", "does": "reset" }))]
#[case(json!({ "at": "client-hello", "does": "alert" }))]
#[case(json!({ "at": "accept", "does": "close" }))]
#[tokio::test]
async fn a_backend_fails_twice_and_then_heals(#[case] fault: Value) {
    let served = Served::start(&["plain-good"]).await;
    let script = json!({ "steps": [{ "fault": fault, "times": 2 }] }).to_string();
    let said = served.ask("POST", "/backends/plain-good/script", &script).await;
    assert_eq!(serde_json::from_slice::<Value>(&said.body).unwrap()["scripted"], 2);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(served.call("plain-good", "n-0000000000000001").await);
    }
    assert_eq!(statuses, [None, None, Some(200)]);
    assert_eq!(served.get("/backends/plain-good").await["scripted"], 0);
}

#[tokio::test]
async fn a_script_takes_the_place_of_the_one_before() {
    let served = Served::start(&["resets-on-accept"]).await;
    for (script, status) in [(json!({ "steps": [{}, {}] }), Some(200)), (json!({ "steps": [] }), None)] {
        served.ask("POST", "/backends/resets-on-accept/script", &script.to_string()).await;
        assert_eq!(served.call("resets-on-accept", "n-0000000000000001").await, status, "{script}");
    }
}

#[tokio::test]
async fn the_ledger_tells_connections_apart() {
    let served = Served::start(&["plain-good", "tls12-only"]).await;
    let [one, two, three] = [1, 2, 3].map(|number| format!("n-{number:016}"));
    served.call("plain-good", &one).await;
    served.call("tls12-only", &two).await;
    served.call_at("h1-only.gauntlet.test", served.front, &three).await;
    for (nonce, backend) in [(&one, "plain-good"), (&two, "tls12-only"), (&three, "h1-only")] {
        let found = served.entries(nonce).await;
        assert_eq!((&found[0]["backend"], found.len()), (&json!(backend), 1));
    }
    let all = served.get("/ledger").await;
    assert_eq!(all["last"], 3);
    let sequence = |of: &Value| of["sequence"].as_u64().unwrap();
    let numbers: Vec<u64> = all["entries"].as_array().unwrap().iter().map(sequence).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(served.get("/ledger?since=2").await["entries"].as_array().unwrap().len(), 1);
    assert_eq!(served.get("/ledger?since=99").await["entries"], json!([]));
    assert_eq!(served.get("/ledger?backend=tls12-only").await["entries"][0]["tls_version"], "TLSv1.2");
}

#[tokio::test]
async fn who_waits_for_an_entry_gets_it_when_it_is_written() {
    let served = Served::start(&["plain-good"]).await;
    let nonce = "n-00000000000000ff";
    let (found, status) = tokio::join!(served.entries(nonce), served.call("plain-good", nonce));
    assert_eq!(status, Some(200));
    assert_eq!(found[0]["nonce"], nonce);
}

#[tokio::test]
async fn the_stream_goes_on_where_it_was_left() {
    let served = Served::start(&["plain-good"]).await;
    let mut stream = served.send("GET", "/ledger/stream", "").await.into_body();
    for number in 1..=2 {
        served.call("plain-good", &format!("n-{number:016}")).await;
        let event = timeout(DEADLINE, stream.frame()).await.expect("an event").unwrap().unwrap();
        let event = String::from_utf8(event.into_data().unwrap().to_vec()).unwrap();
        assert!(event.starts_with(&format!("id: {number}\nevent: connection\ndata: {{")), "{event}");
        assert!(event.ends_with("}\n\n"), "{event}");
    }
    let mut stream = served.send("GET", "/ledger/stream?since=1", "").await.into_body();
    let event = timeout(DEADLINE, stream.frame()).await.expect("an event").unwrap().unwrap();
    assert!(event.into_data().unwrap().starts_with(b"id: 2\n"));

    // What a browser says when it comes back counts more than where it began.
    let back = async |last| served.send_with("GET", "/ledger/stream", "", &[("last-event-id", last)]).await;
    let mut stream = back("1").await.into_body();
    let event = timeout(DEADLINE, stream.frame()).await.expect("an event").unwrap().unwrap();
    assert!(event.into_data().unwrap().starts_with(b"id: 2\n"));
    let refused = back("one").await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let refused = refused.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&refused).contains("Last-Event-ID is not the number of an entry"));
}

#[tokio::test]
async fn what_callers_offered_can_be_had_later() {
    let served = Served::start(&["plain-good", "expired-leaf"]).await;
    assert_eq!(served.call("expired-leaf", "n-0000000000000001").await, None, "it cannot read an answer");
    let refused = served.get("/hello?backend=expired-leaf&wait_ms=5000").await["hellos"][0].clone();
    assert_eq!(served.call("plain-good", "n-0000000000000002").await, Some(200));
    let answered = served.get("/hello?nonce=n-0000000000000002&wait_ms=5000").await["hellos"][0].clone();
    for (told, backend) in [(&refused, "expired-leaf"), (&answered, "plain-good")] {
        assert_eq!(&served.get(&format!("/hello/{}", told["id"])).await, told);
        assert_eq!(told["backend"], backend);
        assert_eq!(told["offered"]["versions"], json!(["TLSv1.2", "TLSv1.3"]));
        let lacks = told["lacks"].as_array().unwrap();
        assert!(lacks.iter().any(|lack| lack["servers"].as_str().unwrap().contains("TLS 1.0")), "{told}");
    }
    assert!(refused["failure"].as_str().unwrap().contains("certificate expired"), "{refused}");
    assert_eq!((&answered["agreed"]["version"], answered.get("failure")), (&json!("TLSv1.3"), None));
}

#[rstest]
#[case("GET", "/nothing", "", 404, "nothing is at /nothing")]
#[case("GET", "/backends/no-such", "", 404, "no backend \"no-such\" is up; PUT /backends/no-such starts it")]
#[case("PUT", "/backends/no-such", "", 404, "unknown backend \"no-such\"")]
#[case("PUT", "/backends/tls12-only+tls13-only", "", 409, "both set the protocol versions; drop one of them")]
#[case("PUT", "/backends/%ff", "", 400, "is not percent-encoded UTF-8")]
#[case("DELETE", "/backends", "", 405, "this path takes GET, HEAD")]
#[case("POST", "/backends/no-such/script", r#"{"steps": []}"#, 404, "no backend \"no-such\" is up")]
#[case("POST", "/backends/plain-good/script", "{", 400, "the body is not a script: EOF")]
#[case(
    "POST",
    "/backends/plain-good/script",
    r#"{"steps": [{"fault": {"at": "close", "does": "stall"}}]}"#,
    400,
    "\"stall\" cannot happen at \"close\""
)]
#[case("GET", "/certs/server.key", "", 404, "there is no file \"server.key\"; /certs lists what there is")]
#[case("GET", "/hello/7", "", 404, "no ClientHello has the number 7; /hello lists them")]
#[case("GET", "/hello/0", "", 404, "no ClientHello has the number 0")]
#[case("GET", "/hello/seven", "", 400, "id is \"seven\"; write a whole number from 0 to")]
#[case("GET", "/ledger?nonce=7", "", 400, "\"7\" is no nonce; write n- and 16 hexadecimal digits")]
#[case(
    "GET",
    "/ledger?before=7",
    "",
    400,
    "unknown parameter \"before\"; known are since, nonce, backend, wait_ms"
)]
#[tokio::test]
async fn what_makes_no_sense_is_refused_in_one_sentence(
    #[case] method: &str,
    #[case] path: &str,
    #[case] body: &str,
    #[case] status: u16,
    #[case] detail: &str,
) {
    let served = Served::start(&["plain-good"]).await;
    let said = served.ask(method, path, body).await;
    let problem: Value = serde_json::from_slice(&said.body).unwrap();
    assert_eq!((said.status.as_u16(), said.kind.as_str()), (status, "application/problem+json"));
    assert_eq!(problem["status"], status);
    assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
}

#[tokio::test]
async fn a_body_without_end_is_not_read() {
    let served = Served::start(&["plain-good"]).await;
    for (length, status) in
        [(64 * 1024, StatusCode::BAD_REQUEST), (64 * 1024 + 1, StatusCode::PAYLOAD_TOO_LARGE)]
    {
        let said = served.ask("POST", "/backends/plain-good/script", &" ".repeat(length)).await;
        assert_eq!(said.status, status, "{length}");
    }
}

#[tokio::test]
async fn everything_is_gone_with_the_guard() {
    let served = Served::start(&["plain-good"]).await;
    let port = served.get("/backends").await[0]["port"].as_u64().unwrap();
    let (control, backend) = (served.control.address(), format!("127.0.0.1:{port}"));
    let mut stream = served.send("GET", "/ledger/stream", "").await.into_body();
    drop(served);
    // A stream that ends says that its connection, and with it the fleet, is gone.
    assert!(timeout(DEADLINE, stream.frame()).await.expect("the end").is_none_or(|frame| frame.is_err()));
    for address in [control.to_string(), backend] {
        tls_gauntlet::wait::until(DEADLINE, "the port to be closed", || async {
            TcpStream::connect(&address).await.is_err().then_some(())
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fuzzer_finds_the_api_as_it_is_described() {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin/schemathesis");
    if !tools.exists() {
        assert!(
            !trials::is_required("schemathesis"),
            "schemathesis is required: ci/install-tools.sh schemathesis"
        );
        return;
    }
    let served = Served::start(&["plain-good", "expired-leaf"]).await;
    let (seconds, deadline) = FUZZING;
    let folder = tempfile::tempdir().unwrap();
    let fuzzer = Command::new(tools)
        .args(["run", &format!("{}/openapi.json", served.control.url())])
        // A stream without end.
        .args(["--exclude-path", "/ledger/stream"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--max-time", seconds])
        // Longer than the API lets anybody wait, on any machine.
        .args(["--request-timeout", "60"])
        .args(["--generation-deterministic", "--warnings", "off", "--no-color"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let said = timeout(deadline, fuzzer).await.expect("the fuzzer ends").unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}

/// `GET /` with these headers: status, type, policy and body.
async fn landing(served: &Served, headers: &[(&str, &str)]) -> Landing {
    let stream = TcpStream::connect(served.control.address()).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().uri("/");
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let response = timeout(DEADLINE, sender.send_request(request)).await.expect("an answer").unwrap();
    let said = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let (kind, policy) = (said("content-type"), said("content-security-policy"));
    assert_eq!(response.headers().get("access-control-allow-origin"), None);
    assert_eq!(
        (said("cross-origin-resource-policy").as_str(), said("cache-control").as_str()),
        ("same-origin", "no-store")
    );
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Landing { status, kind, policy, body: String::from_utf8(body.to_vec()).unwrap() }
}

struct Landing {
    status: u16,
    kind: String,
    policy: String,
    body: String,
}

#[tokio::test]
async fn who_opens_the_address_gets_what_it_reads() {
    let served = Served::start(&["expired-leaf", "plain-good"]).await;
    let page = landing(&served, &[("accept", "text/html,*/*;q=0.8")]).await;
    assert_eq!((page.status, page.kind.as_str()), (200, "text/html; charset=utf-8"));
    assert!(page.policy.starts_with("default-src 'none'; style-src 'sha256-"), "{}", page.policy);
    assert!(!page.body.contains("{{"), "every part is in its place");
    assert!(landing(&served, &[("accept", "*/*")]).await.body.contains("GET  /healthz"));

    let overview = landing(&served, &[("accept", "application/json")]).await;
    let overview: Value = serde_json::from_str(&overview.body).unwrap();
    let families = overview["families"].as_array().unwrap();
    assert_eq!((&families[0]["name"], &families[1]["name"]), (&json!("sound"), &json!("certificate")));
    let expired = &families[1]["backends"][0];
    assert_eq!(expired["expect"]["says"], "must refuse: server-cert-expired");
    assert!(
        expired["curl"].as_str().unwrap().starts_with("curl --cacert ca.pem https://localhost:"),
        "{expired}"
    );
    assert!(families[0]["backends"][0]["s_client"].as_str().unwrap().contains("-servername localhost"));
}

/// Lines that people paste name a host that is one, by a name where there is one.
#[rstest]
#[case("fleet.test:9000", "fleet.test")]
#[case("127.0.0.1:9000", "localhost")]
#[case("fleet.example.com", "fleet.example.com")]
#[tokio::test]
async fn lines_have_the_host_that_was_asked(#[case] asked: &str, #[case] host: &str) {
    let served = Served::named(&["plain-good"], "fleet.example.com").await;
    let said = landing(&served, &[("accept", "application/json"), ("host", asked)]).await;
    assert_eq!(said.status, 200);
    let overview: Value = serde_json::from_str(&said.body).unwrap();
    let line = overview["families"][0]["backends"][0]["curl"].as_str().unwrap();
    assert!(line.starts_with(&format!("curl --cacert ca.pem https://{host}:")), "{line}");
}

#[rstest]
#[case(&[("host", "attacker.com")], 421)]
#[case(&[("host", "x;reboot")], 421)]
#[case(&[("host", "fleet.test"), ("host", "localhost")], 400)]
#[case(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")], 403)]
#[case(&[("origin", "http://localhost:8080")], 403)]
#[case(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], 200)]
#[tokio::test]
async fn pages_of_others_get_nothing(#[case] headers: &[(&str, &str)], #[case] status: u16) {
    let served = Served::start(&["plain-good"]).await;
    assert_eq!(landing(&served, headers).await.status, status);
}

#[tokio::test]
async fn a_page_of_others_can_do_nothing() {
    let served = Served::start(&["plain-good"]).await;
    let script = json!({ "steps": [{ "fault": { "at": "request", "does": "reset" } }] }).to_string();
    let stream = TcpStream::connect(served.control.address()).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    // What a form or a script of another page can have a browser send without asking first.
    let request = Request::builder()
        .method("POST")
        .uri("/backends/plain-good/script")
        .header("host", served.control.address().to_string())
        .header("origin", "http://attacker.com")
        .header("content-type", "text/plain")
        .body(Full::new(Bytes::from(script)))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(served.get("/backends/plain-good").await["scripted"], 0);
}

#[tokio::test]
async fn who_does_not_know_the_secret_finds_nothing() {
    let served = Served::behind(&["plain-good"], Some("0123456789abcdef")).await;
    for path in ["/", "/healthz", "/certs/client-good.key", "/0123456789abcdee/healthz", "/0123456789abcdef"]
    {
        let said = served.ask("GET", path, "").await;
        assert_eq!(said.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(served.control.url().ends_with("/0123456789abcdef"));
    assert_eq!(served.get("/0123456789abcdef/healthz").await["backends"], 1);
}

#[tokio::test]
async fn an_entry_has_its_time() {
    let served = Served::start(&["plain-good"]).await;
    served.call("plain-good", "n-0000000000000001").await;
    let found = served.entries("n-0000000000000001").await;
    let time = OffsetDateTime::parse(found[0]["time"].as_str().unwrap(), &Rfc3339).unwrap();
    let begun = served.begun.replace_millisecond(0).unwrap();
    assert!(time >= begun && time - begun < time::Duration::minutes(10), "{time}");
}

#[tokio::test]
async fn a_stand_in_plays_one_backend_after_another() {
    let served = Served::start(&["plain-good"]).await;
    let part = |backend: &str| json!({ "backend": backend, "name": "orders.test" }).to_string();
    let said = served.ask("POST", "/stand-ins/0", &part("plain-good")).await;
    assert_eq!(said.status, StatusCode::CREATED);
    let made: Value = serde_json::from_slice(&said.body).unwrap();
    let path = format!("/stand-ins/{}", made["port"]);
    let address = made["address"].as_str().unwrap().parse().unwrap();
    assert_eq!(served.call_at("orders.test", address, "n-0000000000000001").await, Some(200));
    assert_eq!(served.ask("POST", &path, &part("expired-leaf")).await.status, StatusCode::OK);
    assert_eq!(served.call_at("orders.test", address, "n-0000000000000002").await, None);
    let shown = async || {
        let shown = served.get(&path).await;
        (shown["connections"].as_array().unwrap().len() == 2).then_some(shown)
    };
    let shown = tls_gauntlet::wait::until(DEADLINE, "two connections", shown).await.unwrap();
    assert_eq!((&shown["plays"], &shown["name"]), (&json!("expired-leaf"), &json!("orders.test")));
    assert_eq!(shown["connections"][1]["alert_received"], "certificate_expired");
    assert_eq!(served.get("/stand-ins").await.as_array().unwrap().len(), 1);

    let other = json!({ "backend": "plain-good", "name": "other.test" }).to_string();
    let refused = served.ask("POST", &path, &other).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(String::from_utf8(refused.body).unwrap().contains("is held for orders.test, not for other.test"));
    assert_eq!(served.ask("POST", &path, "{}").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(served.ask("POST", &path, &part("no-such")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(served.ask("DELETE", &path, "").await.status, StatusCode::OK);
    assert_eq!(served.ask("GET", &path, "").await.status, StatusCode::NOT_FOUND);
}
