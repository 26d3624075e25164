//! The record of an audit of three legs: one that breaks a must, one that is put up with, one that could not be audited.

use tls_gauntlet::record::{LegRecord, RunRecord};
use tls_gauntlet_scenarios::{
    policy::{Finding, Level},
    posture::{Line, Posture},
};

use crate::sample;

fn finding(rule: &str, level: Level, stands: Option<&str>, excepted: Option<&str>) -> Finding {
    Finding {
        rule: rule.to_owned(),
        level,
        says: format!("does not keep {rule}: {{all}} of it"),
        clause: "RFC 5280 6.1".to_owned(),
        behaviours: vec!["untrusted-root".to_owned()],
        kept: Vec::new(),
        seen: "the request came through (200) to untrusted-root".to_owned(),
        set: vec![("nginx".to_owned(), "proxy_ssl_verify on;".to_owned())],
        stands: stands.map(str::to_owned),
        excepted: excepted.map(str::to_owned),
    }
}

fn leg(path: &str, backend: &str, findings: Vec<Finding>) -> LegRecord {
    let line = Line { topic: "verification".to_owned(), says: "checks nothing".to_owned() };
    LegRecord {
        leg: backend.to_owned(),
        url: format!("https://shop.example.com/{path}"),
        backend: backend.to_owned(),
        behaviours: 164,
        controls: 165,
        server: None,
        findings,
        posture: Posture { lines: vec![line], ..Posture::default() },
        listener: Vec::new(),
        not_audited: None,
    }
}

pub(crate) fn record() -> RunRecord {
    let stands = |line: u32, says: &str| format!("conf.d/shop site.conf:{line}: {says}");
    let chain = finding("chain", Level::Must, Some(&stands(15, "verification is off")), None);
    let name = finding(
        "name",
        Level::Must,
        Some(&stands(15, "verification is off")),
        Some("a test, until 2027-01-31"),
    );
    let suites =
        |line| finding("weak-suites", Level::Should, Some(&stands(line, "ciphers is not set")), None);
    let closed = "the gateway answers 404".to_owned();
    RunRecord {
        legs: vec![
            leg("old", "10.20.30.40:443", vec![chain, name, suites(15)]),
            leg("stock", "stock.internal:443", vec![suites(12), finding("tls13", Level::Should, None, None)]),
            LegRecord::not_audited(
                "pay.internal:443".to_owned(),
                "https://shop.example.com/pay".to_owned(),
                closed,
            ),
        ],
        cells: Vec::new(),
        ..sample::sound()
    }
}
