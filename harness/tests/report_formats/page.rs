//! The HTML report without a browser: complete, self-contained, and allowed to run by its own policy.

use openssl::{base64, sha::sha256};
use serde_json::Value;
use tls_gauntlet::report::html;

use crate::sample;

/// What stands between two texts.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let start = page.find(from).unwrap() + from.len();
    &page[start..start + page[start..].find(to).unwrap()]
}

#[test]
fn every_cell_is_in_the_matrix_and_leads_to_its_evidence() {
    let record = sample::record();
    let page = html::render(&record);
    let lines: Vec<&str> = between(&page, "id=\"cells\">", "</script>").lines().collect();
    assert_eq!(lines.len(), record.cells.len());
    for cell in &record.cells {
        let place = between(&page, &format!("id=\"{}\" href=\"#{0}\"", cell.id), "</a>");
        let line: usize = between(place, "data-line=\"", "\"").parse().unwrap();
        let data: Value = serde_json::from_str(lines[line]).unwrap();
        assert_eq!(data["id"], cell.id.as_str());
        assert!(place.contains(&format!("aria-label=\"{}\"", cell.verdict)), "{place}");
    }
    assert_eq!(page.matches("data-line=").count(), record.cells.len());
}

#[test]
fn it_needs_nothing_beside_it() {
    let page = html::render(&sample::record());
    for outside in ["src=", "url(", "@import", "<link", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for place in page.split("href=\"").skip(1) {
        assert!(place.starts_with('#'), "{}", &place[..40]);
    }
}

#[test]
fn its_policy_allows_its_own_script_and_style_and_no_other() {
    let page = html::render(&sample::record());
    let digest = |text: &str| format!("'sha256-{}'", base64::encode_block(&sha256(text.as_bytes())));
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"").replace("&#x27;", "'");
    let style = digest(between(&page, "<style>", "</style>"));
    let script = digest(page.rsplit("<script>").next().unwrap().split("</script>").next().unwrap());
    let wanted = format!(
        "default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"
    );
    assert_eq!(policy, wanted);
}

/// A page of 2,000 cells can be sent by mail.
#[test]
fn what_cells_share_stands_once() {
    let mut record = sample::sound();
    let cells = record.cells.clone();
    for (number, mut cell) in (0..2_000 - cells.len()).zip(cells.iter().cycle().cloned()) {
        let id = cell.id.replace("::", &format!("-{number}::"));
        cell.reproduce = cell.reproduce.replace(&cell.id, &id);
        cell.id = id;
        record.cells.push(cell);
    }
    let page = html::render(&record);
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
}

/// Each kind of cell as the sequence that the page draws.
#[test]
fn who_said_what() {
    let page = html::render(&sample::record());
    let shared: Value = serde_json::from_str(between(&page, "id=\"shared\">", "</script>")).unwrap();
    let mut told = String::new();
    for line in between(&page, "id=\"cells\">", "</script>").lines() {
        let cell: Value = serde_json::from_str(line).unwrap();
        let story: Vec<String> = cell["sequence"]
            .as_array()
            .unwrap()
            .iter()
            .map(|place| {
                let step = &shared[usize::try_from(place.as_u64().unwrap()).unwrap()];
                let word = |key: &str| step[key].as_str().unwrap().to_owned();
                let way = if step["from"] == step["to"] {
                    word("from")
                } else {
                    word("from") + " > " + &word("to")
                };
                format!("  {way:<18} {:<9} {}\n", word("kind"), word("says"))
            })
            .collect();
        let story = story.concat();
        if !story.is_empty() && !told.contains(&story) {
            told += cell["id"].as_str().unwrap();
            told.push('\n');
            told += &story;
        }
    }
    insta::assert_snapshot!("sequences", told);
}
