//! What a page shows against what is printed: what no two runs have in common may differ.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicU8, Ordering},
};

use regex::Regex;

/// What the page calls by one name and this run by another: ports, the folder of a server, the address of this test.
pub(crate) struct Samples {
    known: Vec<(String, String)>,
}

/// Ports of the page that stand for any, and folders.
const SAMPLE: &str = r"\b4\d{4}\b|/tmp/gauntlet-\w+";

/// Times, days, versions, and seeds.
const VARYING: &str = r"\d+(\.\d+)? m?s\b|\d{4}-\d\d-\d\d(T[0-9:.Z+]+)?|\b\d+\.\d+\.\d+\b|\bseed +\d+";

impl Samples {
    /// Every name means itself.
    pub(crate) const fn none() -> Self {
        Self { known: Vec::new() }
    }

    /// An address of this page and process alone stands for the usual one, so that every port of it is free.
    pub(crate) fn with_own_address() -> Self {
        static PAGES: AtomicU8 = AtomicU8::new(0);
        let page = u32::from(PAGES.fetch_add(1, Ordering::Relaxed));
        // As many characters as the usual one has, so that tables and lines look the same.
        let number = std::process::id().wrapping_mul(31).wrapping_add(page);
        let digit = |nth: u32| u8::try_from(number / 9_u32.pow(nth) % 9 + 1).unwrap_or(1);
        let own = Ipv4Addr::new(127, digit(0), digit(1), digit(2));
        Self { known: vec![("127.0.0.1".to_owned(), own.to_string())] }
    }

    /// The text with the names of this run.
    pub(crate) fn real(&self, text: &str) -> String {
        self.known.iter().fold(text.to_owned(), |text, (sample, real)| text.replace(sample, real))
    }

    /// The lines as a page shows them.
    pub(crate) fn shown(&self, printed: &str) -> Vec<String> {
        let text =
            self.known.iter().fold(printed.to_owned(), |text, (sample, real)| text.replace(real, sample));
        text.lines().map(str::to_owned).collect()
    }

    /// Whether this was printed. `…` alone in a line stands for any lines, within one for any characters.
    pub(crate) fn fit(&mut self, shown: &[String], printed: &str) -> bool {
        let mut pattern = String::from("^");
        let mut met: Vec<String> = Vec::new();
        for line in shown {
            if line.trim() == "…" {
                pattern += r"(?:.*\n)*?";
                continue;
            }
            pattern += &self.pattern(line.trim_end(), &mut met);
            pattern += r"[ \t]*\n";
        }
        let pattern = Regex::new(&(pattern + "$")).unwrap();
        let printed = format!("{}\n", printed.trim_end());
        let Some(found) = pattern.captures(&printed) else { return false };
        for (nth, sample) in met.into_iter().enumerate() {
            self.known.push((sample, found[nth + 1].to_owned()));
        }
        true
    }

    fn pattern(&self, line: &str, met: &mut Vec<String>) -> String {
        let special = Regex::new(&format!("(?P<sample>{SAMPLE})|(?P<varying>{VARYING})|(?P<any>…)")).unwrap();
        let line = self.known.iter().fold(line.to_owned(), |line, (sample, real)| line.replace(sample, real));
        let mut pattern = String::new();
        let mut from = 0;
        for found in special.captures_iter(&line) {
            let whole = found.get(0).unwrap();
            pattern += &regex::escape(&line[from..whole.start()]);
            from = whole.end();
            pattern += &if found.name("any").is_some() {
                ".*?".to_owned()
            } else if found.name("varying").is_some() {
                r"[\w.:+ -]+?".to_owned()
            } else if self.known.iter().any(|(_, real)| real == whole.as_str()) {
                regex::escape(whole.as_str())
            } else if met.iter().any(|sample| sample == whole.as_str()) {
                // The same again in the same output; there are no references back in these patterns.
                r"[\w/.-]+".to_owned()
            } else {
                met.push(whole.as_str().to_owned());
                r"([\w/.-]+)".to_owned()
            };
        }
        pattern + &regex::escape(&line[from..])
    }
}

#[test]
fn what_differs_from_run_to_run_may_differ() {
    let mut samples = Samples::none();
    let shown = ["plain-good  https://localhost:40001/", "…", "time  1.23 s, a … z"].map(str::to_owned);
    assert!(samples.fit(&shown, "plain-good  https://localhost:35001/\none\ntwo\ntime  12.3 s, a b c z\n"));
    assert_eq!(samples.real("curl https://localhost:40001/"), "curl https://localhost:35001/");
    assert!(
        !samples.fit(&shown, "plain-good  https://localhost:35002/\ntime  12.3 s, a z\n"),
        "another port"
    );
    assert!(!samples.fit(&shown, "plain-good  https://localhost:35001/\ntime  12.3 s, a b\n"), "other words");
    assert!(!samples.fit(&["one".to_owned()], "one\ntwo"), "more lines");
}
