//! A real Chromium, driven through chromedriver by the WebDriver protocol (W3C WebDriver, 2018).
//!
//! The protocol is JSON over HTTP, and what the tests need of it is below. The crates that speak it would build serde and
//! the crate `openssl` a second time, by the features they turn on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tls_gauntlet::trials;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

/// How long anything may take; it strikes only if something hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A browser with one page. It is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Chromium {
    _driver: Driver,
    port: u16,
    session: String,
    /// Its profile, caches and whatever else it writes.
    _folder: TempDir,
}

/// Keys that have no letter (W3C WebDriver 17.4.2).
pub(crate) mod key {
    pub(crate) const TAB: &str = "\u{e004}";
    pub(crate) const ENTER: &str = "\u{e007}";
    pub(crate) const ESCAPE: &str = "\u{e00c}";
    pub(crate) const RIGHT: &str = "\u{e014}";
    pub(crate) const DOWN: &str = "\u{e015}";
}

/// Whether the browser is installed. Says so if it is not, and fails if `GAUNTLET_REQUIRE` lists it.
pub(crate) fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let found = has("chromium") && has("chromedriver") && axe().is_file();
    assert!(
        found || !trials::is_required("chromium"),
        "chromium is required by GAUNTLET_REQUIRE and not there; ci/install-tools.sh chromium installs it"
    );
    if !found {
        eprintln!("skipped: no chromium, chromedriver or axe (ci/install-tools.sh chromium)");
    }
    found
}

impl Chromium {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let (driver, port) = timeout(DEADLINE, Driver::listening(folder.path())).await.expect("a port");
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--window-size=1400,900".to_owned(),
            // A container's /dev/shm may be too small, and none has a GPU.
            "--disable-dev-shm-usage".to_owned(),
            "--disable-gpu".to_owned(),
            format!("--user-data-dir={}", folder.path().join("profile").display()),
        ];
        if is_root() {
            // Chromium refuses to run its sandbox as root.
            arguments.push("--no-sandbox".to_owned());
        }
        let asked = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "timeouts": {"script": DEADLINE.as_millis()},
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments},
        }}});
        let mut chromium = Self { _driver: driver, port, session: String::new(), _folder: folder };
        let answer = chromium.call("POST", "/session", &asked).await;
        chromium.session = answer["sessionId"].as_str().unwrap().to_owned();
        chromium
    }

    /// Opens a page, and returns once it has been loaded.
    pub(crate) async fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url })).await;
    }

    /// What the body of a function returns when it is called in the page with these arguments.
    pub(crate) async fn run(&self, body: &str, arguments: &[Value]) -> Value {
        self.post("/execute/sync", &json!({"script": body, "args": arguments})).await
    }

    /// The same for a body that calls its last argument with the result.
    pub(crate) async fn run_async(&self, body: &str) -> Value {
        self.post("/execute/async", &json!({"script": body, "args": []})).await
    }

    /// What a JavaScript expression comes to.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        self.run(&format!("return {expression}"), &[]).await
    }

    /// Waits until a JavaScript expression is true, and fails if it does not become so.
    pub(crate) async fn until(&self, expression: &str) {
        let body = format!(
            "const done = arguments[0]; const look = () => {{ let fits; try {{ fits = {expression} }} catch {{}} \
             if (fits) done(true); else requestAnimationFrame(look) }}; look()"
        );
        let path = format!("/session/{}/execute/async", self.session);
        let asked = json!({"script": body, "args": []});
        let became = self.call("POST", &path, &asked).await;
        assert_eq!(became, true, "{expression} did not come true");
    }

    /// Clicks where a user would click on the element.
    pub(crate) async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.post(&format!("/element/{element}/click"), &json!({})).await;
    }

    /// Types into the element.
    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.post(&format!("/element/{element}/value"), &json!({ "text": text })).await;
    }

    /// Presses and releases one key, wherever the focus is.
    pub(crate) async fn press(&self, key: &str) {
        let keys = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": keys}]});
        self.post("/actions", &actions).await;
    }

    /// What the console says that is an error or a warning, since it was last asked.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "browser"})).await;
        let entries = log.as_array().unwrap().iter();
        let bad = entries.filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING");
        bad.map(|entry| entry["message"].to_string()).collect()
    }

    /// What axe-core has against the page: a line for each rule and element.
    pub(crate) async fn barriers(&self) -> Vec<String> {
        let axe = fs::read_to_string(axe()).unwrap();
        self.run(&axe, &[]).await;
        let body = "const done = arguments[0]; axe.run().then((found) => done(found.violations.flatMap((rule) => \
                    rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`))), \
                    (error) => done([String(error)]));";
        let found = self.run_async(body).await;
        found.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    }

    /// A command of the Chrome DevTools Protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters})).await
    }

    /// The page as it goes to paper.
    pub(crate) async fn on_paper(&self) {
        self.run("dispatchEvent(new Event('beforeprint'))", &[]).await;
        self.devtools("Emulation.setEmulatedMedia", json!({"media": "print"})).await;
    }

    /// Whether the page is to be dark.
    pub(crate) async fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Keeps a picture of the window under `target/screenshots`.
    pub(crate) async fn picture(&self, name: &str) {
        let shot = self.call("GET", &format!("/session/{}/screenshot", self.session), &Value::Null).await;
        let folder = target().join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        let bytes = openssl::base64::decode_block(shot.as_str().unwrap()).unwrap();
        fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    async fn element(&self, selector: &str) -> String {
        let asked = json!({"using": "css selector", "value": selector});
        let found = self.post("/element", &asked).await;
        let (_, element) = found.as_object().unwrap().iter().next().unwrap();
        element.as_str().unwrap().to_owned()
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}{path}", self.session), body).await
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let exchange = async {
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let body = if method == "GET" { String::new() } else { body.to_string() };
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(header::HOST, "127.0.0.1")
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::new(Bytes::from(body)))
                .unwrap();
            let answer = sender.send_request(request).await.unwrap();
            let (status, answer) = (answer.status(), answer.into_body().collect().await.unwrap().to_bytes());
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            assert!(status.is_success(), "{method} {path}: {}", answer["value"]["message"]);
            answer["value"].clone()
        };
        timeout(DEADLINE, exchange)
            .await
            .unwrap_or_else(|_| panic!("{method} {path} does not come to an end"))
    }
}

/// The process that drives the browser, in a process group of its own with it.
#[derive(Debug)]
struct Driver {
    child: Child,
}

impl Driver {
    fn start(folder: &Path) -> Self {
        let child = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child }
    }

    /// It looks for a port that is free on 127.0.0.1, and ends if somebody else takes the same one on `::1` meanwhile.
    async fn listening(folder: &Path) -> (Self, u16) {
        loop {
            let mut driver = Self::start(folder);
            if let Some(port) = driver.port().await {
                return (driver, port);
            }
        }
    }

    /// The free port that it has found for itself, if it has.
    async fn port(&mut self) -> Option<u16> {
        let mut lines = BufReader::new(self.child.stdout.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                // The rest of what it says must find a reader, or it ends.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Some(port.trim_end_matches('.').parse().unwrap());
            }
        }
        None
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The browser and its helpers are in the group of the driver that has started them.
        if let Some(group) = self.child.id() {
            let _ = std::process::Command::new("kill").args(["-KILL", "--", &format!("-{group}")]).status();
        }
    }
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}

/// The accessibility checker, as `ci/install-tools.sh chromium` unpacks it.
fn axe() -> PathBuf {
    target().join("tools/axe/axe_core_python/axe.min.js")
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")
}
