//! The conditions of HAProxy, for one call: a GET with a host and a path and no other header.

use std::collections::HashMap;

use super::{
    super::{At, example, known},
    sections::Line,
};

/// The call by which conditions are decided.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) host: String,
    pub(super) path: String,
    pub(super) tls: bool,
}

/// A test of the call: what is looked at, how, and for which of several values.
#[derive(Debug, Clone)]
struct Test {
    what: What,
    how: How,
    ignores_case: bool,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Host,
    Path,
    Method,
    OverTls,
    /// A header or a cookie that the call does not have.
    Absent,
    /// `TRUE`, `FALSE`
    Constant(bool),
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Equal,
    Begin,
    End,
    Within,
    Domain,
    Directory,
    Expression,
    Found,
}

/// The tests of a proxy, by the name of their `acl`; several of one name are alternatives.
#[derive(Debug, Default)]
pub(super) struct Tests(HashMap<String, Vec<Test>>);

impl Tests {
    /// The `acl` lines of a proxy; `file` gives the values of a file, one on each line.
    pub(super) fn of(lines: &[Line], file: &mut dyn FnMut(&At, &str) -> Vec<String>) -> Self {
        let mut tests = Self::default();
        for line in lines.iter().filter(|line| line.word(0) == "acl") {
            tests
                .0
                .entry(line.word(1).to_owned())
                .or_default()
                .push(test(&line.words[2.min(line.words.len())..], &mut |path| file(&line.at, path)));
        }
        tests
    }

    /// Whether a rule applies to a call; `None` if that depends on what is not known of it.
    pub(super) fn decide(&self, line: &Line, call: &Call) -> Option<bool> {
        let Some((unless, terms)) = terms(line) else { return Some(true) };
        let one = |word: &Word| {
            let (negated, tests) = self.named(word);
            let any = known::any(tests.iter().map(|test| test.decide(call)));
            let any = any.filter(|_| !tests.is_empty());
            if negated { known::not(any) } else { any }
        };
        let any = known::any(terms.iter().map(|term| known::all(term.iter().map(one))));
        if unless { known::not(any) } else { any }
    }

    /// A call that a rule is for, as far as its first alternative says; the rest is as in `call`.
    pub(super) fn call(&self, line: &Line, call: &Call) -> Call {
        let mut wanted = call.clone();
        let Some((false, terms)) = terms(line) else { return wanted };
        let positive =
            terms.first().into_iter().flatten().map(|word| self.named(word)).filter(|(negated, _)| !negated);
        for test in positive.filter_map(|(_, tests)| tests.into_iter().next()) {
            let Some(value) = test.values.first().cloned() else { continue };
            match (test.what, test.how) {
                (What::Host, How::Equal | How::Domain) => wanted.host = value,
                (What::Host, How::End) => {
                    wanted.host = format!("gauntlet{}{value}", if value.starts_with('.') { "" } else { "." });
                }
                (What::Host, How::Begin) => wanted.host = format!("{value}gauntlet"),
                (What::Host, How::Expression) => wanted.host = example::of(&value).unwrap_or(wanted.host),
                (What::Path, How::Equal | How::Begin) => wanted.path = value,
                (What::Path, How::End) => wanted.path = format!("/gauntlet{value}"),
                (What::Path, How::Within | How::Directory) => {
                    wanted.path = format!("/{}", value.trim_start_matches('/'));
                }
                (What::Path, How::Expression) => {
                    let example = example::of(&value).unwrap_or_default();
                    wanted.path = if example.starts_with('/') { example } else { format!("/{example}") };
                }
                _ => {}
            }
        }
        wanted
    }

    /// The tests of one word of a condition, and whether they are negated.
    fn named(&self, word: &Word) -> (bool, Vec<Test>) {
        match word {
            Word::Name { negated, name } => {
                (*negated, self.0.get(name).cloned().unwrap_or_else(|| predefined(name)))
            }
            Word::Anonymous { negated, words } => (*negated, vec![test(words, &mut |_| Vec::new())]),
        }
    }
}

fn predefined(name: &str) -> Vec<Test> {
    let constant = |value: bool| {
        vec![Test { what: What::Constant(value), how: How::Found, ignores_case: false, values: Vec::new() }]
    };
    match name {
        "TRUE" | "HTTP" | "HTTP_1.1" | "METH_GET" => constant(true),
        "FALSE" | "METH_POST" | "METH_PUT" | "METH_DELETE" | "METH_OPTIONS" | "METH_CONNECT"
        | "HTTP_CONTENT" => constant(false),
        _ => Vec::new(),
    }
}

enum Word {
    Name { negated: bool, name: String },
    Anonymous { negated: bool, words: Vec<String> },
}

/// The alternatives after `if` or `unless`, and whether it is `unless`.
fn terms(line: &Line) -> Option<(bool, Vec<Vec<Word>>)> {
    let place = line.words.iter().position(|word| word == "if" || word == "unless")?;
    let mut terms = vec![Vec::new()];
    let mut negated = false;
    let mut words = line.words[place + 1..].iter();
    while let Some(word) = words.next() {
        let plain = word.trim_start_matches('!');
        negated ^= (word.len() - plain.len()) % 2 == 1;
        match plain {
            "" => continue,
            "or" | "||" => terms.push(Vec::new()),
            "{" => {
                let words = words.by_ref().take_while(|word| *word != "}").cloned().collect();
                terms.last_mut()?.push(Word::Anonymous { negated, words });
            }
            name => terms.last_mut()?.push(Word::Name { negated, name: name.to_owned() }),
        }
        negated = false;
    }
    Some((line.word(place) == "unless", terms))
}

fn test(words: &[String], file: &mut dyn FnMut(&str) -> Vec<String>) -> Test {
    let fetch = words.first().map_or("", String::as_str);
    let (name, argument) = fetch
        .split_once('(')
        .map_or((fetch, ""), |(name, rest)| (name, rest.split(')').next().unwrap_or("")));
    let (name, suffix) = match name.rsplit_once('_') {
        Some((name, suffix @ ("beg" | "end" | "sub" | "dom" | "dir" | "reg" | "len" | "cnt"))) => {
            (name, suffix)
        }
        _ => (name, ""),
    };
    let header = argument.split(',').next().unwrap_or("").eq_ignore_ascii_case("host");
    let what = match name {
        "hdr" | "req.hdr" | "hdr_ip" | "req.fhdr" if header => What::Host,
        "ssl_fc_sni" | "req_ssl_sni" | "req.ssl_sni" | "base" if name != "base" => What::Host,
        "hdr" | "req.hdr" | "req.fhdr" | "cook" | "req.cook" | "url_param" | "urlp" => What::Absent,
        "path" | "url" | "pathq" => What::Path,
        "method" => What::Method,
        "ssl_fc" => What::OverTls,
        "always_true" => What::Constant(true),
        "always_false" => What::Constant(false),
        _ => What::Unknown,
    };
    let mut test =
        Test { what, how: how(suffix), ignores_case: fetch.contains(",lower"), values: Vec::new() };
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-i" => test.ignores_case = true,
            "-m" => test.how = how(rest.next().map_or("", String::as_str)),
            "-f" => test.values.extend(rest.next().map(|path| file(path)).unwrap_or_default()),
            "-M" | "-n" | "-u" | "--" => {}
            value => test.values.push(value.to_owned()),
        }
    }
    if matches!(suffix, "len" | "cnt") {
        test.what = What::Unknown;
    }
    test
}

fn how(word: &str) -> How {
    match word {
        "beg" => How::Begin,
        "end" => How::End,
        "sub" => How::Within,
        "dom" => How::Domain,
        "dir" => How::Directory,
        "reg" => How::Expression,
        "found" | "bool" => How::Found,
        _ => How::Equal,
    }
}

impl Test {
    fn decide(&self, call: &Call) -> Option<bool> {
        let text = match self.what {
            What::Host => &call.host,
            What::Path => &call.path,
            What::Method => "GET",
            What::OverTls => return Some(call.tls != self.values.iter().any(|value| value == "0")),
            What::Absent => return Some(false),
            What::Constant(value) => return Some(value),
            What::Unknown => return None,
        };
        let fold = |text: &str| if self.ignores_case { text.to_lowercase() } else { text.to_owned() };
        let text = fold(text);
        let fits = |value: &String| {
            let plain = fold(value);
            match self.how {
                How::Equal => text == plain,
                How::Begin => text.starts_with(&plain),
                How::End => text.ends_with(&plain),
                How::Within => text.contains(&plain),
                How::Domain => format!(".{text}.").contains(&format!(".{}.", plain.trim_matches('.'))),
                How::Directory => text.split('/').any(|part| part == plain.trim_matches('/')),
                How::Expression => {
                    let flags = if self.ignores_case { "(?i)" } else { "" };
                    example::matches(&format!("{flags}{value}"), &text) == Some(true)
                }
                How::Found => true,
            }
        };
        Some(self.values.iter().any(fits) || self.how == How::Found)
    }
}
