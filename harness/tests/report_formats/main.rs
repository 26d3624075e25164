//! What each report makes of one record, to the letter. No socket, no clock, no gateway.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, or says why"
)]

mod audited;
mod changes;
mod foreign;
mod page;
mod sample;
mod schema;

use rstest::rstest;
use tls_gauntlet::{
    record::{CellRecord, GatewayFacts, RunRecord, Timing},
    report::{Detail, FORMATS, Format, Look, compatibility, console, json, junit, markdown, sarif},
};
use tls_gauntlet_scenarios::{Outcome, VerdictKind};

#[test]
fn the_sample_has_every_verdict() {
    let record = sample::record();
    for verdict in VerdictKind::ALL {
        assert_ne!(record.summary[verdict], 0, "the sample has no {verdict}");
    }
}

#[rstest]
fn the_console_on_every_screen(#[values(80, 140)] width: usize, #[values(false, true)] colour: bool) {
    let screen = console::render(&sample::record(), &Look { width, colour, detail: Detail::Normal });
    let name = format!("console-{width}{}", if colour { "-colour" } else { "" });
    insta::assert_snapshot!(name, visible(&screen));
}

#[rstest]
#[case("console-sound", sample::sound(), Detail::Normal)]
#[case("console-brief", sample::record(), Detail::Brief)]
#[case("console-wrong-all-over", sample::wrong_all_over(), Detail::Normal)]
fn the_console_in_other_moods(#[case] name: &str, #[case] record: RunRecord, #[case] detail: Detail) {
    insta::assert_snapshot!(name, console::render(&record, &Look { detail, ..Look::default() }));
}

/// Whatever stands above it: six gateways of which nothing is right.
#[test]
fn a_run_in_which_all_is_well_fits_one_screen() {
    let one = sample::sound();
    let mut record = one.clone();
    for name in ["haproxy", "envoy", "caddy", "traefik", "httpd"] {
        record.gateways.push(GatewayFacts { name: name.to_owned(), ..one.gateways[0].clone() });
        for cell in one.cells.iter().filter(|cell| cell.gateway == one.gateways[0].name) {
            let id = cell.id.replace(&format!("::{}", cell.gateway), &format!("::{name}"));
            let mut cell = CellRecord { id, gateway: name.to_owned(), ..cell.clone() };
            // Half of them stop what the others let through.
            if let Some(seen) = cell.observed.as_mut().filter(|_| name > "envoy") {
                seen.outcome = Outcome::Refuse;
            }
            record.cells.push(cell);
        }
    }
    let screen = console::render(&record, &Look::default());
    assert!(screen.contains("They differ in "), "{screen}");
    assert!(screen.lines().count() <= 24, "{screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
}

#[rstest]
fn the_summary_fits_one_screen(#[values(Detail::Brief, Detail::Normal)] detail: Detail) {
    let one = sample::wrong_all_over();
    let mut record = one.clone();
    for name in ["haproxy", "envoy", "caddy", "traefik", "httpd"] {
        let gateway = &one.gateways[0];
        record.gateways.push(GatewayFacts { name: name.to_owned(), ..gateway.clone() });
        let cells = one.cells.iter().filter(|cell| cell.gateway == gateway.name);
        record.cells.extend(cells.map(|cell| CellRecord { gateway: name.to_owned(), ..cell.clone() }));
        record.timings.push(Timing { stage: format!("{name}: start"), duration_ms: 1200 });
        record.timings.push(Timing { stage: format!("{name}: cells"), duration_ms: 61_200 });
    }
    let screen = console::render(&record, &Look { detail, ..Look::default() });
    let first = match detail {
        Detail::Normal => "FAILED ".to_owned(),
        Detail::Brief | Detail::Matrix | Detail::Full => format!("{} ", record.gateways[0].name),
    };
    let summary: Vec<_> = screen.lines().skip_while(|line| !line.starts_with(&first)).collect();
    assert!((8..=24).contains(&summary.len()), "{} lines:\n{}", summary.len(), summary.join("\n"));
    assert!(summary.iter().any(|line| line.starts_with("FAILED") || line.starts_with("BROKEN")), "{screen}");
}

/// Names of cells and commands are to be copied, so they may be longer than a line; nothing else may.
#[rstest]
fn the_width_is_respected(#[values(80, 100, 140)] width: usize) {
    let record = sample::record();
    for line in console::render(&record, &Look { width, colour: false, detail: Detail::Full }).lines() {
        let to_be_copied =
            record.cells.iter().any(|cell| line.ends_with(&cell.id) || line.ends_with(&cell.reproduce));
        assert!(to_be_copied || line.chars().count() <= width, "{width}: {line}");
    }
}

/// What a client meets at a listener depends on what is behind it.
#[test]
fn backends_of_a_listener_have_rows_of_their_own() {
    let mut record = sample::record();
    for (cell, backend) in record.cells.iter_mut().zip(["plain-good", "expired-leaf"]) {
        (cell.client, cell.listener) = ("h2-only".to_owned(), "h2-and-h1".to_owned());
        (cell.backend, cell.upstream) = (backend.to_owned(), "strict".to_owned());
    }
    let page = compatibility::markdown(&record, &Look::default());
    for row in ["| h2-only → h2-and-h1 |", "| h2-only → h2-and-h1, expired-leaf/strict |"] {
        assert!(page.contains(row), "no {row} in {page}");
    }
}

/// A version beside others says its version once.
#[test]
fn two_versions_side_by_side() {
    let mut record = sample::record();
    record.gateways[0].name = "nginx@1.26".to_owned();
    record.gateways[0].version = "1.26.3".to_owned();
    let page = compatibility::markdown(&record, &Look::default());
    assert!(page.contains("| nginx 1.26 | haproxy 2.6 |"), "{page}");
}

#[test]
fn gateways_side_by_side() {
    let look = Look::default();
    insta::assert_snapshot!("compatibility", compatibility::markdown(&sample::record(), &look));
    let page = compatibility::html(&sample::record(), &look);
    for cell in &sample::record().cells {
        assert!(
            cell.client != "default" || cell.listener != "default" || page.contains(&cell.backend),
            "{}",
            cell.id
        );
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    for width in [80, 140] {
        let look = Look { width, colour: true, detail: Detail::Full };
        let plain = console::render(&sample::record(), &Look { colour: false, ..look });
        let coloured = console::render(&sample::record(), &look);
        assert_ne!(plain, coloured);
        let stripped: Vec<String> = coloured.lines().map(|line| strip(line).trim_end().to_owned()).collect();
        assert_eq!(plain.lines().collect::<Vec<_>>(), stripped);
    }
}

#[test]
fn every_cell_has_its_place_in_the_matrix() {
    // 38 cells over two gateways, in a table whose symbols can be told apart without colour.
    let screen = console::render(&sample::record(), &Look { detail: Detail::Matrix, ..Look::default() });
    for symbol in ["✓", "⊘", "✗", "B", "~", "o", "-"] {
        assert!(
            screen.contains(&format!("\n{symbol} ")) || screen.contains(&format!("   {symbol} ")),
            "{symbol}"
        );
    }
}

#[test]
fn verbose_shows_what_the_normal_report_keeps_back() {
    let record = sample::wrong_all_over();
    let count = |detail| {
        let screen = console::render(&record, &Look { detail, ..Look::default() });
        screen.lines().filter(|line| line.trim_start().starts_with("again ")).count()
    };
    assert_eq!(count(Detail::Brief), 0);
    assert_eq!(count(Detail::Normal), console::SHOWN);
    assert_eq!(count(Detail::Full), record.cells.len());
}

#[test]
fn the_findings_of_an_audit_for_people_and_pipelines() {
    let record = audited::record();
    insta::assert_snapshot!("audit-console", console::render(&record, &Look::default()));
    insta::assert_snapshot!("audit-junit", junit::render(&record));
    insta::assert_snapshot!("audit-sarif", sarif::render(&record));
}

#[test]
fn junit_for_pipelines() {
    insta::assert_snapshot!("junit", junit::render(&sample::record()));
}

#[test]
fn markdown_for_a_step_summary() {
    insta::assert_snapshot!("markdown", markdown::render(&sample::record()));
}

#[test]
fn sarif_for_code_scanning() {
    insta::assert_snapshot!("sarif", sarif::render(&sample::record()));
}

#[test]
fn json_is_the_record_and_nothing_else() {
    let record = sample::record();
    assert_eq!(serde_json::from_str::<RunRecord>(&json::render(&record)).unwrap(), record);
    insta::assert_snapshot!(
        "json",
        json::render(&RunRecord {
            cells: record
                .cells
                .iter()
                .filter(|cell| cell.verdict == VerdictKind::FailOpen)
                .cloned()
                .collect(),
            ..record.clone()
        })
    );
}

#[test]
fn formats_are_found_by_name_and_each_file_has_its_own() {
    for format in FORMATS {
        assert_eq!(Format::named(format.name).map(|found| found.name), Some(format.name));
        assert!(!(format.render)(&sample::record(), &Look::default()).is_empty());
    }
    assert!(Format::named("htlm").is_none());
}

/// Escape sequences, spelt out so that a snapshot can be read.
/// A gateway that writes its own log decides on much of what a record holds; none of it is a command to a terminal, a page or a
/// pipeline. Whatever field takes this text has it.
#[test]
fn nothing_in_a_record_is_a_command() {
    const HOSTILE: &str =
        "\u{1b}[2J\u{7}\u{9b}31m\u{202e}x\n::error::y ##vso[z] [a](javascript:b) ![c](d) <script>e</script>";
    let mut value = serde_json::to_value(sample::record()).unwrap();
    let mut places = Vec::new();
    strings(&value, &mut String::new(), &mut places);
    let mut taken = 0;
    for place in &places {
        let before = std::mem::replace(value.pointer_mut(place).unwrap(), HOSTILE.into());
        // Closed lists refuse it.
        match RunRecord::parse(&value.to_string()) {
            Ok(_) => taken += 1,
            Err(_) => *value.pointer_mut(place).unwrap() = before,
        }
    }
    assert!(taken > 100, "{taken} of {} strings", places.len());
    let record = RunRecord::parse(&value.to_string()).unwrap();
    for format in FORMATS {
        let drawn = (format.render)(&record, &Look::default());
        for line in drawn.lines() {
            let commands = |letter: char| {
                (letter.is_control() && letter != '\t')
                    || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!line.contains(commands), "{}: {line:?}", format.name);
            assert!(!line.contains("##vso["), "{}: {line}", format.name);
            assert!(!line.trim_start().starts_with("::error"), "{}: {line}", format.name);
            let is_page = format.name.ends_with("html") || format.name == "junit";
            assert!(!is_page || !line.contains("<script>e"), "{}: {line}", format.name);
            // A code span of Markdown is text, and so is what SARIF has beside its messages.
            let links = match format.name {
                "markdown" => line.split('`').step_by(2).any(|text| text.contains("[a](javascript")),
                "sarif" => line.contains("\"text\":") && line.contains("[a](javascript"),
                _ => false,
            };
            assert!(!links, "{}: {line}", format.name);
        }
    }
}

/// The places of all strings in a value (RFC 6901).
fn strings(value: &serde_json::Value, place: &mut String, found: &mut Vec<String>) {
    let length = place.len();
    let mut inner = |key: &str, value: &serde_json::Value| {
        place.push('/');
        place.push_str(&key.replace('~', "~0").replace('/', "~1"));
        strings(value, place, found);
        place.truncate(length);
    };
    match value {
        serde_json::Value::Array(items) => {
            items.iter().enumerate().for_each(|(nth, item)| inner(&nth.to_string(), item));
        }
        serde_json::Value::Object(fields) => fields.iter().for_each(|(key, field)| inner(key, field)),
        serde_json::Value::String(_) => found.push(place.clone()),
        _ => {}
    }
}

fn visible(text: &str) -> String {
    text.replace('\u{1b}', "␛")
}

fn strip(line: &str) -> String {
    let mut plain = String::new();
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(|letter| *letter == 'm');
        } else {
            plain.push(letter);
        }
    }
    plain
}
