//! The HTML report of a real run: opened, filtered, searched, walked through, printed.

use std::fs;

use serde_json::json;
use tempfile::TempDir;
use tests::run;
use tls_gauntlet::{
    record::{GatewayFacts, RunRecord},
    report::html,
};
use tls_gauntlet_scenarios::VerdictKind;

use crate::chromium::{Chromium, is_installed, key};

const RENEGOTIATION: &str = "upstream/renegotiation-required/max-tls12::default/default::reference";
const EXPIRED: &str = "upstream/expired-leaf/strict::default/default::reference";

/// A page as a file, and the address it has in a browser.
struct Page {
    url: String,
    _folder: TempDir,
}

impl Page {
    fn of(record: &RunRecord) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("report.html");
        fs::write(&path, html::render(record)).unwrap();
        Self { url: format!("file://{}", path.display()), _folder: folder }
    }

    fn cell(&self, id: &str) -> String {
        format!("{}#{id}", self.url)
    }
}

/// A real run, with two cells made wrong so that there is something to find.
fn record() -> RunRecord {
    let mut record =
        run("reference", &["listener/*", "upstream/renego*", "upstream/expired*", "upstream/tls1*"]);
    let wrong =
        record.cells.iter_mut().filter(|cell| cell.id == EXPIRED || cell.backend == "tls13-only").take(2);
    for cell in wrong {
        cell.verdict = VerdictKind::FailOpen;
        cell.because = Some("reached the backend; must be refused: server-cert-expired".to_owned());
    }
    record.summary = RunRecord::summarise(&record.cells);
    record
}

async fn shown(browser: &Chromium) -> u64 {
    let cells = "[...document.querySelectorAll('.matrix a')].filter((a) => a.checkVisibility({visibilityProperty: true}))";
    browser.value(&format!("{cells}.length")).await.as_u64().unwrap()
}

async fn text(browser: &Chromium, selector: &str) -> String {
    let text = browser.value(&format!("document.querySelector({selector:?})?.innerText ?? ''")).await;
    text.as_str().unwrap().to_owned()
}

/// A record, its page, and a browser to look at it.
async fn opened() -> Option<(RunRecord, Page, Chromium)> {
    if !is_installed() {
        return None;
    }
    let record = tokio::task::spawn_blocking(record).await.unwrap();
    let page = Page::of(&record);
    Some((record, page, Chromium::start().await))
}

#[tokio::test]
async fn it_is_filtered_searched_and_opened() {
    let Some((record, page, browser)) = opened().await else { return };
    browser.open(&page.url).await;
    let all = record.cells.len() as u64;
    assert_eq!(shown(&browser).await, all);
    assert_eq!(text(&browser, ".state").await, "failed");
    browser.picture("report").await;
    assert_eq!(browser.barriers().await, Vec::<String>::new());

    browser.click("input[value=fail-open]").await;
    assert_eq!(shown(&browser).await, 2);
    assert_eq!(text(&browser, "#shown").await, format!("2 of {all} cells"));
    browser.click("button[type=reset]").await;
    browser.until("shown.textContent === ''").await;
    assert_eq!(shown(&browser).await, all);
    browser.type_into("#search", "renegotiation-required-dual max-tls12").await;
    assert_eq!(shown(&browser).await, 1);
    browser.click("button[type=reset]").await;
    browser.until("shown.textContent === ''").await;
    browser.run("document.querySelector('#family').value = 'renegotiation'; filters.dispatchEvent(new Event('input'))", &[]).await;
    let family = record.cells.iter().filter(|cell| cell.backend.starts_with("renegotiation")).count() as u64;
    assert_eq!(shown(&browser).await, family);

    browser.click(&format!("[id='{RENEGOTIATION}']")).await;
    browser.until("!detail.hidden").await;
    assert_eq!(browser.value("decodeURIComponent(location.hash.slice(1))").await, RENEGOTIATION);
    let detail = text(&browser, "#detail").await;
    for expected in [
        RENEGOTIATION,
        "the gateway follows the renegotiation on the same connection",
        "1 renegotiation",
        "HelloRequest",
        "renegotiation: ClientHello … Finished on the same connection",
        "gateway's log",
        "cipher suites",
        "gauntlet run --gateway reference --suite",
        "--filter",
    ] {
        assert!(detail.contains(expected), "no {expected:?} in {detail}");
    }
    assert!(!detail.contains("undefined") && !detail.contains("false"), "{detail}");
    browser.picture("report-cell").await;
    assert_eq!(browser.barriers().await, Vec::<String>::new());
    browser.dark(true).await;
    browser.picture("report-dark").await;
    assert_eq!(browser.barriers().await, Vec::<String>::new());
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_deep_link_opens_its_cell_and_keys_lead_on() {
    let Some((_, page, browser)) = opened().await else { return };
    browser.open(&page.cell(EXPIRED)).await;
    assert!(text(&browser, "#detail").await.contains("reached the backend; must be refused"));
    assert_eq!(browser.value("document.querySelector('[aria-current]').id").await, EXPIRED);
    let inside = "(() => { const box = document.querySelector('[aria-current]').getBoundingClientRect(); \
                  return box.top > 0 && box.bottom < innerHeight })()";
    assert_eq!(browser.value(inside).await, true, "the cell is in sight");

    // From one wrong thing to the next, and round.
    browser.press("n").await;
    let current = "document.querySelector('[aria-current]').id";
    browser.until(&format!("{current} !== '{EXPIRED}'")).await;
    browser.press("p").await;
    browser.until(&format!("{current} === '{EXPIRED}'")).await;
    browser.press(key::ESCAPE).await;
    browser.until("detail.hidden").await;
    assert_eq!(browser.value("document.activeElement.id").await, EXPIRED);

    // Within a matrix arrows move the focus, and Enter opens.
    browser.press(key::RIGHT).await;
    browser.press(key::DOWN).await;
    let focus = browser.value("document.activeElement.id").await;
    assert!(focus != EXPIRED && focus.as_str().unwrap().starts_with("upstream/"), "{focus}");
    browser.press(key::ENTER).await;
    browser
        .until(&format!("!detail.hidden && document.querySelector('#detail h2').innerText === {focus}"))
        .await;
    browser.press(key::ESCAPE).await;

    // Tab goes through the page without passing through every cell.
    browser.open(&page.url).await;
    let mut stops = Vec::new();
    for _ in 0..40 {
        browser.press(key::TAB).await;
        let stop = "(() => { const at = document.activeElement; return at === document.body ? null \
                    : `${at.tagName} ${at.id || at.name || at.innerText}` })()";
        match browser.value(stop).await.as_str() {
            Some(stop) => stops.push(stop.to_owned()),
            None => break,
        }
    }
    let wanted = ["A To the matrix", "INPUT search", "SELECT family", "BUTTON Show all"];
    for stop in wanted {
        assert!(stops.iter().any(|seen| seen == stop), "no {stop} among {stops:?}");
    }
    let matrices = browser.value("document.querySelectorAll('.matrix').length").await.as_u64().unwrap();
    let cells = stops.iter().filter(|stop| stop.starts_with("A ") && stop.contains("::")).count() as u64;
    // One for each matrix and one for each of the two findings.
    assert_eq!(cells, matrices + 2, "{stops:?}");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn on_paper_what_is_wrong_comes_with_its_evidence() {
    let Some((record, page, browser)) = opened().await else { return };
    browser.open(&page.url).await;
    browser.on_paper().await;
    browser.picture("report-paper").await;
    assert_eq!(browser.value("document.querySelectorAll('#detail .detail').length").await, 2);
    assert_eq!(browser.value("filters.checkVisibility()").await, false);
    let cut = "[...document.querySelectorAll('main, aside')].some((it) => getComputedStyle(it).overflowY !== 'visible')";
    assert_eq!(browser.value(cut).await, false, "what would have to be scrolled to is not printed");
    assert_eq!(shown(&browser).await, record.cells.len() as u64);
}

/// Whoever writes into a gateway's log, or chooses a name, must not write a script.
#[tokio::test]
async fn what_comes_from_the_record_is_text() {
    if !is_installed() {
        return;
    }
    let mut record = tokio::task::spawn_blocking(record).await.unwrap();
    let attack = "</script><!--<script>document.title = 'taken'</script><img src=x onerror=\"document.title='taken'\">'\"&";
    let id = format!("upstream/{attack}/strict::default/default::{attack}");
    let mut cell = record.cells[0].clone();
    cell.id.clone_from(&id);
    attack.clone_into(&mut cell.gateway);
    attack.clone_into(&mut cell.backend);
    cell.verdict = VerdictKind::FailClosed;
    cell.because = Some(attack.to_owned());
    cell.gateway_said = vec![attack.to_owned(), "\u{1b}[2J".to_owned()];
    attack.clone_into(&mut cell.why);
    attack.clone_into(&mut cell.source);
    attack.clone_into(&mut cell.reproduce);
    for saw in &mut cell.backend_saw {
        saw.sni = Some(attack.to_owned());
        saw.error = Some(attack.to_owned());
        if let Some(hello) = &mut saw.client_hello {
            hello.server_name = Some(attack.to_owned());
            hello.alpn = vec![attack.to_owned()];
        }
    }
    record.cells.push(cell);
    record.gateways.push(GatewayFacts {
        name: attack.to_owned(),
        version: attack.to_owned(),
        ..record.gateways[0].clone()
    });
    let page = Page::of(&record);
    let browser = Chromium::start().await;
    browser.open(&page.url).await;
    let title = browser.value("document.title").await;
    browser.click(".findings li:last-child a").await;
    browser.until("!detail.hidden").await;
    let detail = text(&browser, "#detail").await;
    assert!(detail.contains(&id) && detail.contains(attack), "{detail}");
    assert!(detail.contains("\\u001b[2J"), "{detail}");
    assert_eq!(browser.value("document.querySelectorAll('img').length").await, 0);
    assert_eq!(browser.value("document.title").await, title);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

/// Five thousand cells, and not a second: counted in time of the page's own thread, so that the test says the same on
/// a machine that is busy with others.
#[tokio::test]
async fn five_thousand_cells_open_under_a_second() {
    if !is_installed() {
        return;
    }
    let mut record = tokio::task::spawn_blocking(record).await.unwrap();
    let (gateways, cells) = (record.gateways.clone(), record.cells.clone());
    for copy in 1.. {
        if record.cells.len() >= 5000 {
            break;
        }
        let name = |name: &str| format!("{name}-{copy}");
        record.gateways.extend(gateways.iter().map(|it| GatewayFacts { name: name(&it.name), ..it.clone() }));
        record.cells.extend(cells.iter().map(|cell| {
            let mut cell = cell.clone();
            (cell.id, cell.gateway) = (name(&cell.id), name(&cell.gateway));
            cell
        }));
    }
    let page = Page::of(&record);
    let browser = Chromium::start().await;
    browser.devtools("Performance.enable", json!({"timeDomain": "threadTicks"})).await;
    // The least of three: what else the machine does can only add to it.
    let mut busy = f64::MAX;
    for _ in 0..3 {
        browser.open(&page.url).await;
        let painted = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())))";
        let wall = browser.run_async(painted).await;
        let took = busy_seconds(&browser).await;
        eprintln!(
            "{} cells: {took:.3} s of work, painted {wall} ms after the navigation began",
            record.cells.len()
        );
        busy = busy.min(took);
    }
    assert!(shown(&browser).await >= 5000);
    assert!(busy > 0.01, "nothing was measured");
    assert!(busy < 1.0, "{busy} s of work to open {} cells", record.cells.len());
}

/// What the main thread has worked since the page was asked for.
async fn busy_seconds(browser: &Chromium) -> f64 {
    let metrics = browser.devtools("Performance.getMetrics", json!({})).await;
    let metrics = metrics["metrics"].as_array().unwrap();
    metrics.iter().find(|metric| metric["name"] == "TaskDuration").unwrap()["value"].as_f64().unwrap()
}
