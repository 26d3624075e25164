//! The lines of a Caddyfile, with its snippets and files in the place of each `import`.

use super::super::{
    At, MOST_LINES, Unreadable,
    files::{Text, Texts, folder, is_pattern, resolve},
    tree::Node,
};

/// A line, and the lines of its block.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) at: At,
    pub(super) words: Vec<String>,
    pub(super) inside: Vec<Self>,
}

impl Line {
    fn is(&self, keyword: &str) -> bool {
        self.words.first().is_some_and(|word| word == keyword)
    }

    /// The first line in this block, at any depth, that begins with a keyword.
    pub(super) fn find(&self, keyword: &str) -> Option<&Self> {
        self.inside.iter().find_map(|line| if line.is(keyword) { Some(line) } else { line.find(keyword) })
    }

    /// The line that names an address, if this one proxies to it.
    pub(super) fn dialling(&self, address: &str) -> Option<&At> {
        let proxies = ["reverse_proxy", "php_fastcgi", "forward_auth"].iter().any(|keyword| self.is(keyword));
        let to = self.inside.iter().filter(|line| line.is("to") || line.is("dynamic"));
        let names = |line: &&Self| line.words.iter().skip(1).any(|word| same_address(word, address));
        std::iter::once(self).filter(|_| proxies).chain(to).find(names).map(|line| &line.at)
    }
}

/// Whether a word of a Caddyfile is the address of a `dial`.
fn same_address(word: &str, address: &str) -> bool {
    let (scheme, rest) = word.split_once("://").unwrap_or(("", word));
    let rest = rest.split('/').next().unwrap_or(rest);
    let default = if scheme == "https" { "443" } else { "80" };
    word == address || rest == address || format!("{rest}:{default}") == address
}

/// A Caddyfile: its sites.
#[derive(Debug)]
pub(super) struct Source {
    sites: Vec<Line>,
}

impl Source {
    /// The line of a value: its own in JSON, the first one of a Caddyfile.
    pub(super) fn place(source: Option<&Self>, node: &Node) -> At {
        source.and_then(|source| source.sites.first()).map_or_else(|| node.at.clone(), |site| site.at.clone())
    }

    /// The sites that are for one of some names, or else for an address; all of them if none is.
    pub(super) fn sites(&self, names: &[&str], port: &str) -> Vec<&Line> {
        let of = |fits: &dyn Fn(&str) -> bool| {
            let words = |site: &&Line| site.words.iter().any(|word| fits(word.trim_end_matches(',')));
            self.sites.iter().filter(words).collect::<Vec<_>>()
        };
        let host = |word: &str| {
            let plain = word.split_once("://").map_or(word, |(_, rest)| rest);
            plain
                .split('/')
                .next()
                .unwrap_or(plain)
                .rsplit_once(':')
                .map_or(plain, |(host, _)| host)
                .to_owned()
        };
        let named = of(&|word| names.contains(&host(word).as_str()));
        if !named.is_empty() {
            return named;
        }
        // The options and the routes with a name are no sites.
        let on_port = of(&|word| word.split('/').any(|part| part.ends_with(&format!(":{port}"))));
        if on_port.is_empty() { self.sites.iter().collect() } else { on_port }
    }

    /// The line that proxies to an address: of several, the one around which most of the patterns stand.
    pub(super) fn proxy<'s>(
        &'s self,
        sites: &[&'s Line],
        address: &str,
        patterns: &[&str],
    ) -> Option<&'s Line> {
        let mut found: Option<(usize, &Line)> = None;
        // A route with a name stands beside the sites that invoke it.
        let named = self.sites.iter().filter(|site| site.words.iter().any(|word| word.starts_with("&(")));
        let mut waiting: Vec<(usize, &Line)> =
            named.chain(sites.iter().rev().copied()).map(|site| (0, site)).collect();
        while let Some((above, line)) = waiting.pop() {
            let score = above
                + patterns.iter().filter(|pattern| line.words.iter().any(|word| word == *pattern)).count();
            if line.dialling(address).is_some() && found.is_none_or(|(best, _)| score > best) {
                found = Some((score, line));
            }
            waiting.extend(line.inside.iter().rev().map(|line| (score, line)));
        }
        found.map(|(_, line)| line)
    }
}

/// Reads a Caddyfile and what it imports.
pub(super) fn read(path: &str, texts: &mut Texts<'_>) -> Result<Source, Unreadable> {
    let mut reading = Reading { texts, snippets: Vec::new(), open: Vec::new(), lines: 0 };
    let all = reading.file(path, None)?;
    let is_site = |line: &Line| !line.words.is_empty() && !line.words[0].starts_with('(');
    // A file without braces is one site.
    let alone = all.iter().any(|line| is_site(line) && line.inside.is_empty());
    let sites = match all.first() {
        Some(first) if alone => vec![Line { inside: all[1..].to_vec(), ..first.clone() }],
        _ => all.into_iter().filter(is_site).collect(),
    };
    Ok(Source { sites })
}

/// How deep blocks may lie in one another.
const DEEPEST: usize = 64;

struct Reading<'a, 'f> {
    texts: &'a mut Texts<'f>,
    snippets: Vec<(String, Vec<Line>)>,
    /// The snippets that are being imported.
    open: Vec<String>,
    lines: usize,
}

impl Reading<'_, '_> {
    fn file(&mut self, path: &str, from: Option<&At>) -> Result<Vec<Line>, Unreadable> {
        let Self { texts, snippets, open, lines } = self;
        let path = path.to_owned();
        texts.within(&path, from, |texts, text| {
            let mut inner = Reading {
                texts,
                snippets: std::mem::take(snippets),
                open: std::mem::take(open),
                lines: *lines,
            };
            let all = inner.imported(parse(text), &[], 0);
            (*snippets, *open, *lines) = (inner.snippets, inner.open, inner.lines);
            all
        })
    }

    /// Lines with what each `import` stands for in its place.
    fn imported(
        &mut self,
        all: Vec<Line>,
        arguments: &[String],
        depth: usize,
    ) -> Result<Vec<Line>, Unreadable> {
        let mut found = Vec::new();
        for Line { at, words, inside } in all {
            self.lines += 1;
            if self.lines > MOST_LINES {
                return Err(Unreadable::Lines { path: at.file.to_string() });
            }
            if depth > DEEPEST {
                return Err(Unreadable::Syntax { at, why: "blocks lie too deep in one another".to_owned() });
            }
            let words: Vec<String> = words.iter().flat_map(|word| replaced(word, arguments)).collect();
            let first = words.first().map_or("", String::as_str);
            if depth == 0 && first.starts_with('(') {
                self.snippets.push((first.trim_matches(['(', ')']).to_owned(), inside));
            } else if first == "import" && words.len() > 1 {
                found.extend(self.import(&at, &words, depth)?);
            } else {
                let inside = self.imported(inside, arguments, depth + 1)?;
                found.push(Line { at, words, inside });
            }
        }
        Ok(found)
    }

    fn import(&mut self, at: &At, words: &[String], depth: usize) -> Result<Vec<Line>, Unreadable> {
        if let Some((_, lines)) = self.snippets.iter().find(|(name, _)| *name == words[1]) {
            if self.open.contains(&words[1]) {
                return Err(Unreadable::Loop { at: at.clone(), path: words[1].clone() });
            }
            let lines = lines.clone();
            self.open.push(words[1].clone());
            let imported = self.imported(lines, &words[2..], depth + 1);
            self.open.pop();
            return imported;
        }
        let path = resolve(folder(&at.file), &words[1]);
        let paths = if is_pattern(&path) { self.texts.glob(&path) } else { vec![path] };
        let mut found = Vec::new();
        for path in paths {
            // A file that is not there, Caddy names itself.
            match self.file(&path, Some(at)) {
                Ok(lines) => found.extend(lines),
                Err(Unreadable::File { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(found)
    }
}

/// A word with `{args[0]}` and `{args[:]}` replaced.
fn replaced(word: &str, arguments: &[String]) -> Vec<String> {
    if word == "{args[:]}" || word == "{args.*}" {
        return arguments.to_vec();
    }
    let mut word = word.to_owned();
    for (number, argument) in arguments.iter().enumerate() {
        word = word
            .replace(&format!("{{args[{number}]}}"), argument)
            .replace(&format!("{{args.{number}}}"), argument);
    }
    vec![word]
}

/// The lines of a text, each with its block.
fn parse(text: &Text) -> Vec<Line> {
    let mut open: Vec<Line> = Vec::new();
    let mut top = Vec::new();
    for (number, words) in tokens(&text.text) {
        let at = text.at(number);
        if words.len() == 1 && words[0] == "}" {
            if let Some(done) = open.pop() {
                open.last_mut().map_or(&mut top, |line| &mut line.inside).push(done);
            }
            continue;
        }
        let opens = words.last().is_some_and(|word| word == "{");
        let words = if opens { words[..words.len() - 1].to_vec() } else { words };
        let line = Line { at, words, inside: Vec::new() };
        if opens {
            open.push(line);
        } else {
            open.last_mut().map_or(&mut top, |line| &mut line.inside).push(line);
        }
    }
    while let Some(done) = open.pop() {
        open.last_mut().map_or(&mut top, |line| &mut line.inside).push(done);
    }
    top
}

/// The words of each line that has some, with its number: quotes hold spaces, a comma at the end of a line of addresses and a
/// backslash join it to the next.
fn tokens(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut found: Vec<(usize, Vec<String>)> = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut line = 1;
    let mut joined = false;
    let mut begun = 1;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', Some('"')) if characters.peek() == Some(&'"') => word.extend(characters.next()),
            (end, Some(open)) if end == open => {
                quote = None;
                push(&mut found, begun, joined, &mut word);
            }
            ('"' | '`', None) if word.is_empty() => (quote, begun) = (Some(character), line),
            ('#', None) if word.is_empty() => while characters.next_if(|next| *next != '\n').is_some() {},
            ('\\', None) if characters.peek() == Some(&'\n') => {
                characters.next();
                push(&mut found, line, joined, &mut word);
                (line, joined) = (line + 1, true);
            }
            ('\n', None) => {
                push(&mut found, line, joined, &mut word);
                joined = found
                    .last()
                    .is_some_and(|(_, words)| words.last().is_some_and(|word| word.ends_with(',')));
                line += 1;
            }
            (space, None) if space.is_whitespace() => push(&mut found, line, joined, &mut word),
            (other, _) => {
                line += usize::from(other == '\n');
                word.push(other);
            }
        }
    }
    push(&mut found, line, joined, &mut word);
    found
}

fn push(found: &mut Vec<(usize, Vec<String>)>, line: usize, joined: bool, word: &mut String) {
    if word.is_empty() {
        return;
    }
    let word = std::mem::take(word);
    match found.last_mut() {
        Some((last, words)) if *last == line || joined => words.push(word),
        _ => found.push((line, vec![word])),
    }
}
