//! The directives of httpd: lines, sections, the files that `Include` puts in their place, and the conditions that the
//! configuration itself decides.

use std::collections::{HashMap, HashSet};

use super::super::{
    At, Configuration, Unreadable,
    files::{Text, Texts, folder, is_pattern, resolve},
};

/// How deep sections may lie in one another.
const DEEPEST: usize = 64;
/// How many files one line may include: folders can hold links to themselves.
const MOST_FILES: usize = 10_000;
/// Modules that no `LoadModule` names: of the core, and those that Debian builds in.
const BUILT_IN: &[&str] = &["core", "so", "http", "log_config", "logio", "version", "watchdog", "unixd"];

/// A directive, or a section with its directives.
#[derive(Debug, Clone)]
pub(super) struct Directive {
    /// In small letters.
    pub(super) name: String,
    /// As it is written.
    pub(super) written: String,
    pub(super) arguments: Vec<String>,
    pub(super) at: At,
    pub(super) block: Option<Vec<Self>>,
}

impl Directive {
    /// An argument; empty if there are fewer.
    pub(super) fn argument(&self, number: usize) -> &str {
        self.arguments.get(number).map_or("", String::as_str)
    }

    /// The first argument; empty if there is none.
    pub(super) fn first(&self) -> &str {
        self.argument(0)
    }

    /// The directives of its section.
    pub(super) fn inside(&self) -> &[Self] {
        self.block.as_deref().unwrap_or_default()
    }
}

/// The folder where relative paths begin, and the directives of a file and of the files that it includes.
pub(super) fn read(
    path: &str,
    texts: &mut Texts<'_>,
    configuration: &mut Configuration,
) -> Result<(String, Vec<Directive>), Unreadable> {
    let root = folder(path).to_owned();
    let mut reading = Reading {
        root,
        defined: HashMap::new(),
        modules: HashSet::new(),
        texts,
        configuration,
        found: Vec::new(),
    };
    reading.file(path, None)?;
    Ok((reading.root, reading.found))
}

/// A line as it is written, and the lines of its section.
struct Raw {
    name: String,
    rest: String,
    at: At,
    block: Option<Vec<Self>>,
}

/// The lines of one file, those that a backslash continues as one.
fn parse(text: &Text) -> Result<Vec<Raw>, Unreadable> {
    let mut open: Vec<Raw> = Vec::new();
    let mut top = Vec::new();
    let mut lines = text.text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let at = text.at(number + 1);
        let mut line = line.trim().to_owned();
        while let Some(begun) = line.strip_suffix('\\') {
            let next = lines.next().map_or("", |(_, next)| next.trim());
            line = format!("{begun}{next}");
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let done = if let Some(name) = line.strip_prefix("</") {
            let name = name.trim_end_matches('>').trim();
            let section = open.pop().filter(|section| section.name.eq_ignore_ascii_case(name));
            section.ok_or_else(|| Unreadable::Syntax { at, why: format!("</{name}> closes no section") })?
        } else {
            let section = line.strip_prefix('<').map(|section| section.trim_end().trim_end_matches('>'));
            let words = section.unwrap_or(&line).trim();
            let (name, rest) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
            let raw = Raw {
                name: name.to_owned(),
                rest: rest.trim().to_owned(),
                at,
                block: section.map(|_| Vec::new()),
            };
            if section.is_some() {
                open.push(raw);
                if open.len() > DEEPEST {
                    return Err(Unreadable::Syntax {
                        at: text.at(number + 1),
                        why: "sections lie too deep in one another".to_owned(),
                    });
                }
                continue;
            }
            raw
        };
        open.last_mut().and_then(|section| section.block.as_mut()).unwrap_or(&mut top).push(done);
    }
    match open.pop() {
        None => Ok(top),
        Some(section) => {
            Err(Unreadable::Syntax { at: section.at, why: format!("<{}> is not closed", section.name) })
        }
    }
}

struct Reading<'a, 'f> {
    root: String,
    defined: HashMap<String, String>,
    /// Names without `mod_` and `_module`.
    modules: HashSet<String>,
    texts: &'a mut Texts<'f>,
    configuration: &'a mut Configuration,
    found: Vec<Directive>,
}

impl Reading<'_, '_> {
    fn file(&mut self, path: &str, from: Option<&At>) -> Result<(), Unreadable> {
        // The texts are borrowed by the file that is open; its inclusions need them again.
        let Self { root, defined, modules, texts, configuration, found } = self;
        texts.within(path, from, |texts, text| {
            let lines = parse(text)?;
            let mut inner = Reading {
                root: std::mem::take(root),
                defined: std::mem::take(defined),
                modules: std::mem::take(modules),
                texts,
                configuration,
                found: std::mem::take(found),
            };
            let done = inner.lines(lines);
            (*root, *defined, *modules, *found) = (inner.root, inner.defined, inner.modules, inner.found);
            done
        })
    }

    fn lines(&mut self, lines: Vec<Raw>) -> Result<(), Unreadable> {
        for Raw { name: written, rest, at, block } in lines {
            let name = written.to_ascii_lowercase();
            let arguments = words(&self.resolved(&rest, &at));
            let argument = |number: usize| arguments.get(number).cloned().unwrap_or_default();
            match (name.as_str(), block) {
                ("include" | "includeoptional", None) => {
                    self.include(&argument(0), &at, name == "include")?;
                }
                ("define", None) => {
                    self.defined.insert(argument(0), argument(1));
                }
                ("undefine", None) => {
                    self.defined.remove(&argument(0));
                }
                ("serverroot", None) => self.root = argument(0).trim_end_matches('/').to_owned(),
                (
                    "ifmodule" | "ifdefine" | "ifversion" | "iffile" | "ifdirective" | "ifsection",
                    Some(block),
                ) => {
                    if self.holds(&name, &arguments, &at) {
                        self.lines(block)?;
                    }
                }
                ("macro", Some(_)) => self.configuration.problem(&at, "macros are not expanded"),
                ("use", None) => {
                    self.configuration.problem(&at, format!("the macro {} is not expanded", argument(0)));
                }
                (_, block) => {
                    if name == "loadmodule" {
                        self.modules.insert(argument(0).trim_end_matches("_module").to_owned());
                    }
                    let outer = std::mem::take(&mut self.found);
                    let is_section = block.is_some();
                    let done = self.lines(block.unwrap_or_default());
                    let inside = std::mem::replace(&mut self.found, outer);
                    done?;
                    self.found.push(Directive {
                        name,
                        written,
                        arguments,
                        at,
                        block: is_section.then_some(inside),
                    });
                }
            }
        }
        Ok(())
    }

    /// The files of a pattern, or of a folder and the folders in it.
    fn include(&mut self, path: &str, at: &At, must_exist: bool) -> Result<(), Unreadable> {
        let path = resolve(&self.root, path);
        let mut paths = if is_pattern(&path) { self.texts.glob(&path) } else { vec![path.clone()] };
        if paths.is_empty() && must_exist {
            self.configuration.problem(at, format!("no file is named {path}"));
        }
        paths.reverse();
        let mut looked_at = 0_usize;
        while let Some(path) = paths.pop() {
            looked_at += 1;
            if looked_at > MOST_FILES {
                return Err(Unreadable::Loop { at: at.clone(), path });
            }
            let mut inner = self.texts.names(path.trim_end_matches('/'));
            if !inner.is_empty() {
                inner.reverse();
                paths.extend(inner.into_iter().map(|name| format!("{}/{name}", path.trim_end_matches('/'))));
                continue;
            }
            match self.file(&path, Some(at)) {
                Err(Unreadable::File { path, source }) if must_exist => {
                    self.configuration.problem(at, format!("cannot read {path}: {source}"));
                }
                Ok(()) | Err(Unreadable::File { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// Whether the lines of a condition are read.
    fn holds(&mut self, name: &str, arguments: &[String], at: &At) -> bool {
        let words = arguments.join(" ");
        let (wanted, negated) = words.strip_prefix('!').map_or((words.as_str(), false), |rest| (rest, true));
        let known = match name {
            "ifmodule" => {
                let module =
                    wanted.trim_start_matches("mod_").trim_end_matches(".c").trim_end_matches("_module");
                // A file of its own does not say which modules there are.
                Some(self.modules.is_empty() || self.modules.contains(module) || BUILT_IN.contains(&module))
            }
            "ifdefine" => {
                if !self.defined.contains_key(wanted) {
                    let what = format!(
                        "{wanted} is not defined in the configuration; the program may be started with it"
                    );
                    self.configuration.problem(at, what);
                }
                Some(self.defined.contains_key(wanted))
            }
            "iffile" => Some(self.texts.exists(&resolve(&self.root, wanted))),
            "ifversion" => version_holds(wanted),
            _ => None,
        };
        if known.is_none() {
            let what = format!(
                "the condition {name} {words} is not evaluated: its lines are read as if it were true"
            );
            self.configuration.problem(at, what);
        }
        known.is_none_or(|known| known != negated)
    }

    /// A line with its `${NAME}` replaced.
    fn resolved(&mut self, text: &str, at: &At) -> String {
        let mut parts = text.split("${");
        let mut resolved = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap_or((part, ""));
            match self.defined.get(name) {
                Some(value) => resolved.push_str(value),
                None => {
                    if ![
                        "APACHE_LOG_DIR",
                        "APACHE_RUN_DIR",
                        "APACHE_PID_FILE",
                        "APACHE_LOCK_DIR",
                        "APACHE_RUN_USER",
                        "APACHE_RUN_GROUP",
                    ]
                    .contains(&name)
                    {
                        self.configuration.problem(at, format!("the value of {name} is not known"));
                    }
                    resolved.push_str("${");
                    resolved.push_str(name);
                    resolved.push('}');
                }
            }
            resolved.push_str(rest);
        }
        resolved
    }
}

/// Whether a comparison holds for each httpd 2.4.
fn version_holds(words: &str) -> Option<bool> {
    let (operator, version) = words.rsplit_once(' ').unwrap_or(("=", words));
    let mut numbers = version.split('.').map(str::parse::<u32>);
    let wanted = (numbers.next()?.ok()?, numbers.next().unwrap_or(Ok(0)).ok()?);
    if wanted == (2, 4) && numbers.next().is_some() {
        return None;
    }
    match operator {
        ">=" => Some((2, 4) >= wanted),
        ">" => Some((2, 4) > wanted),
        "<" => Some((2, 4) < wanted),
        "<=" => Some((2, 4) <= wanted),
        "=" | "==" => Some((2, 4) == wanted),
        _ => None,
    }
}

/// The words of a line: quotes hold spaces, a backslash a quote.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut characters = text.chars().peekable();
    loop {
        while characters.next_if(|character| character.is_whitespace()).is_some() {}
        let Some(first) = characters.next() else { return words };
        let mut word = String::new();
        let quote = matches!(first, '"' | '\'').then_some(first);
        if quote.is_none() {
            word.push(first);
        }
        while let Some(character) = characters.next() {
            match (character, quote) {
                ('\\', Some(quote)) if characters.peek() == Some(&quote) => word.extend(characters.next()),
                (end, Some(quote)) if end == quote => break,
                (space, None) if space.is_whitespace() => break,
                (other, _) => word.push(other),
            }
        }
        words.push(word);
    }
}
