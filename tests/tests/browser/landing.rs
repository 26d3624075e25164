//! The page of `gauntlet serve`, with connections that come in while it is open.

use std::{fs, net::SocketAddr, process::Stdio, sync::Arc};

use serde_json::json;
use tempfile::TempDir;
use tests::now;
use tls_gauntlet::{
    backend::{Fleet, FleetOptions, Front},
    control::{Control, ControlOptions},
    wait,
};
use tls_gauntlet_certs::{ClientCertificate, Pki};
use tls_gauntlet_scenarios::{Composed, catalogue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
};

use crate::chromium::{Chromium, DEADLINE, is_installed, key};

/// A fleet with its page, and a folder with the files that the lines on the page name.
struct Served {
    control: Control,
    folder: TempDir,
}

impl Served {
    async fn start(plan: &[Composed]) -> Self {
        let pki = Arc::new(Pki::new(5, now()).unwrap());
        let options = FleetOptions::default();
        let fleet = Fleet::start(plan, &pki, &options).await.unwrap();
        let front = Arc::new(Front::start(&pki, &options).await.unwrap());
        let options = ControlOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)), now()).secret("5ec4e7");
        let control = Control::start(fleet, front, options).await.unwrap();
        let (folder, client) = (TempDir::new().unwrap(), pki.client(ClientCertificate::Good).unwrap());
        fs::write(folder.path().join("ca.pem"), pki.server_root().to_pem().unwrap()).unwrap();
        fs::write(folder.path().join("client-good.pem"), client.chain_pem()).unwrap();
        fs::write(folder.path().join("client-good.key"), client.key_pem()).unwrap();
        Self { control, folder }
    }

    async fn of(names: &[&str]) -> Self {
        let plan: Vec<_> = names.iter().map(|name| catalogue().backend(name).unwrap()).collect();
        Self::start(&plan).await
    }

    fn page(&self) -> String {
        format!("{}/", self.control.url())
    }

    /// Pastes a line into a shell; its exit code.
    async fn paste(&self, line: &str) -> Option<i32> {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{line} --silent")]).current_dir(self.folder.path());
        shell.stdin(Stdio::null()).stdout(Stdio::null()).status().await.unwrap().code()
    }
}

fn has_curl() -> bool {
    std::process::Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok()
}

/// Opens the page, and waits until it follows the ledger.
async fn open(browser: &Chromium, page: &str) {
    let origin = page.split('/').take(3).collect::<Vec<_>>().join("/");
    let allowed = json!({"origin": origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
    browser.devtools("Browser.grantPermissions", allowed).await;
    browser.open(page).await;
    browser.until("live.textContent === 'live'").await;
}

/// What was copied last.
async fn copied(browser: &Chromium) -> String {
    let body = "const done = arguments[0]; navigator.clipboard.readText().then(done, (error) => done(String(error)))";
    browser.run_async(body).await.as_str().unwrap().to_owned()
}

async fn shown(browser: &Chromium) -> u64 {
    let rows = "[...document.querySelectorAll('.backend')].filter((row) => row.checkVisibility()).length";
    browser.value(rows).await.as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_copied_and_pasted_comes_up_as_a_connection() {
    if !is_installed() || !has_curl() {
        return;
    }
    let served = Served::of(&["plain-good", "expired-leaf", "renegotiation-required"]).await;
    let browser = Chromium::start().await;
    open(&browser, &served.page()).await;
    assert_eq!(browser.value("none.checkVisibility()").await, true, "nobody has called yet");

    for (number, backend, code) in [(1, "renegotiation-required", 0), (2, "expired-leaf", 60)] {
        browser.click(&format!("#{backend} .actions button")).await;
        browser.until(&format!("told.textContent === 'Copied curl for {backend}'")).await;
        let line = copied(&browser).await;
        assert!(line.starts_with("curl --cacert ca.pem "), "{line}");
        assert_eq!(served.paste(&line).await, Some(code), "{line}");
        browser.until(&format!("entries.children.length === {number}")).await;
        let seen = format!("document.querySelector('#{backend} .seen').innerText === '1 call'");
        browser.until(&seen).await;
    }
    let latest = browser.value("entries.firstChild.innerText").await;
    assert!(latest.as_str().unwrap().contains("certificate_expired in phase handshake"), "{latest}");
    let before = browser.value("entries.lastChild.innerText").await;
    for fact in ["TLSv1.2", "SNI localhost", "client certificate good", "1 renegotiation"] {
        assert!(before.as_str().unwrap().contains(fact), "no {fact} in {before}");
    }
    // What it opens to is the ClientHello.
    browser.click("#entries > :first-child summary").await;
    browser.until("document.querySelector('#entries dl')?.innerText.includes('key shares')").await;
    browser.picture("landing-live").await;
    assert_eq!(browser.barriers().await, Vec::<String>::new());

    // Who comes later sees what was before, and at what time.
    open(&browser, &served.page()).await;
    browser.until("entries.children.length === 2").await;
    let time = browser.value("document.querySelector('#entries time').dateTime").await;
    assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    browser.click("#clear").await;
    assert_eq!(browser.value("entries.children.length").await, 0);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_needs_can_be_had() {
    if !is_installed() {
        return;
    }
    let served = Served::of(&["plain-good"]).await;
    let browser = Chromium::start().await;
    open(&browser, &served.page()).await;
    browser.click("#needs dd button").await;
    browser.until("told.textContent === 'Copied the root as PEM'").await;
    assert_eq!(copied(&browser).await, fs::read_to_string(served.folder.path().join("ca.pem")).unwrap());
    browser.click("#needs summary").await;
    // Every link leads to a file, and so do those for programs.
    let body = "const done = arguments[0]; const links = [...document.querySelectorAll('#needs a, nav a')]; \
                Promise.all(links.map(async (link) => [link.getAttribute('href'), (await fetch(link.href)).status]))\
                .then(done, (error) => done(String(error)))";
    let links = browser.run_async(body).await;
    let links = links.as_array().unwrap_or_else(|| panic!("{links}"));
    assert!(links.iter().any(|link| link[0] == "certs/client-good.pfx"), "{links:?}");
    assert!(links.len() > 30 && links.iter().all(|link| link[1] == 200), "{links:?}");
    assert_eq!(browser.barriers().await, Vec::<String>::new());
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_searched_and_filtered_also_by_keyboard() {
    if !is_installed() {
        return;
    }
    let plan: Vec<_> =
        catalogue().backends().map(|(name, _, profile)| Composed::single(name, profile)).collect();
    // Their keys take seconds, and show nothing that the others do not.
    let plan: Vec<_> = plan.into_iter().filter(|backend| !backend.name.starts_with("rsa-")).collect();
    let all = plan.len() as u64;
    let served = Served::start(&plan).await;
    let browser = Chromium::start().await;
    open(&browser, &served.page()).await;
    assert_eq!(shown(&browser).await, all);
    browser.picture("landing").await;
    assert_eq!(browser.barriers().await, Vec::<String>::new());
    browser.dark(true).await;
    browser.picture("landing-dark").await;
    assert_eq!(browser.barriers().await, Vec::<String>::new());

    browser.press("/").await;
    assert_eq!(browser.value("document.activeElement.id").await, "search");
    browser.type_into("#search", "expired leaf").await;
    browser.until("shown.textContent.startsWith('2 of')").await;
    assert_eq!(
        browser.value("document.querySelector('#expired-leaf .says').innerText").await,
        "must refuse: server-cert-expired"
    );
    browser.press(key::ESCAPE).await;
    browser.until("shown.textContent === ''").await;

    browser.click("input[value=fail]").await;
    let failing = shown(&browser).await;
    assert!(failing > 10 && failing < all, "{failing}");
    browser.click("button[type=reset]").await;
    browser.until("shown.textContent === ''").await;
    browser.run("family.value = 'renegotiation'; filters.dispatchEvent(new Event('input'))", &[]).await;
    assert_eq!(
        browser.value("[...document.querySelectorAll('.family')].filter((it) => !it.hidden).length").await,
        1
    );

    // Tab leads to each button of a backend, and Enter opens what there is to be said.
    browser.run("document.querySelector('#renegotiation-required h3 a').focus()", &[]).await;
    let mut stops = Vec::new();
    for _ in 0..3 {
        browser.press(key::TAB).await;
        stops.push(browser.value("document.activeElement.ariaLabel").await);
    }
    let wanted = ["Copy curl for", "Copy s_client for", "More about"];
    assert_eq!(stops, wanted.map(|wanted| json!(format!("{wanted} renegotiation-required"))));
    browser.press(key::ENTER).await;
    let opened = "document.querySelector('#renegotiation-required .details').innerText";
    browser.until(&format!("{opened}.includes('the client follows the renegotiation')")).await;
    browser.picture("landing-more").await;
    assert_eq!(browser.barriers().await, Vec::<String>::new());
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

/// Another page in the same browser, on the same host and another port, so that not even the site differs.
#[tokio::test(flavor = "multi_thread")]
async fn another_page_can_neither_read_nor_do_anything() {
    if !is_installed() {
        return;
    }
    let served = Served::of(&["plain-good"]).await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = elsewhere.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = elsewhere.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let page = "<!DOCTYPE html><link rel=icon href=data:,><title>elsewhere</title>";
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n",
                page.len()
            );
            let _ = stream.write_all((head + page).as_bytes()).await;
        }
    });
    let browser = Chromium::start().await;
    browser.open(&format!("http://{address}/")).await;
    let url = served.control.url();
    let script = json!({"steps": [{"fault": {"at": "request", "does": "reset"}}]}).to_string();
    let ask = |url: String, options: String| {
        format!("fetch('{url}', {options}).then((answer) => answer.text(), () => 'refused')")
    };
    // It knows the secret, and asks in every way that a browser has for it; what it cannot read is empty.
    let asks = [
        ask(format!("{url}/certs/client-good.key"), "{}".to_owned()),
        ask(format!("{url}/certs/client-good.key"), "{mode: 'no-cors'}".to_owned()),
        ask(format!("{url}/backends/expired-leaf"), "{method: 'PUT'}".to_owned()),
        ask(
            format!("{url}/backends/plain-good/script"),
            format!("{{method: 'POST', mode: 'no-cors', body: '{script}'}}"),
        ),
    ];
    let body = format!(
        "const done = arguments[0]; Promise.all([{}]).then(done, (error) => done(String(error)))",
        asks.join(", ")
    );
    let answers = browser.run_async(&body).await;
    for answer in answers.as_array().unwrap_or_else(|| panic!("{answers}")) {
        assert!(answer == "refused" || answer == "", "{answers}");
    }
    let backends = ask_plainly(&served, "/backends").await;
    assert_eq!(backends.matches("\"name\"").count(), 1, "nothing was added: {backends}");
    assert!(backends.contains("\"scripted\":0"), "nothing was set: {backends}");
}

/// An answer, by hand.
async fn ask_plainly(served: &Served, path: &str) -> String {
    let exchange = async || {
        let mut stream = TcpStream::connect(served.control.address()).await.ok()?;
        let request = format!("GET /5ec4e7{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut said = String::new();
        stream.read_to_string(&mut said).await.ok()?;
        Some(said)
    };
    wait::until(DEADLINE, "an answer", exchange).await.unwrap()
}
