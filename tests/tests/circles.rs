//! No circle of files: what a file takes from another by `use` or by a whole path never leads back to it.
//!
//! A name is followed through re-exports to the file that defines it. What a parent defines is for its children, and what it
//! does is done with them: an arrow from a file to a parent of it counts for nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use rstest::rstest;

/// A module by its path below the crate: `["backend", "port"]`.
type Module = Vec<String>;

/// What one file holds, tests left out.
#[derive(Debug, Default)]
struct File {
    /// `mod NAME;`
    children: BTreeSet<String>,
    /// Functions, types, constants and macros.
    defines: BTreeSet<String>,
    /// The path of each name that a `use` brings in, by its local name; and whether others see it.
    brings: Vec<(String, Vec<String>, bool)>,
    /// Paths that begin with `crate::`, `self::` or `super::` in the code itself.
    names: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Crate {
    files: BTreeMap<Module, File>,
}

impl Crate {
    fn read(folder: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(folder);
        let mut files = BTreeMap::new();
        let mut waiting = vec![(Module::new(), root.join("lib.rs"), root)];
        while let Some((module, path, below)) = waiting.pop() {
            let file = File::parse(&fs::read_to_string(&path).unwrap());
            for child in &file.children {
                let (path, folder) = (below.join(format!("{child}.rs")), below.join(child));
                let nested: Module = module.iter().chain([child]).cloned().collect();
                if path.is_file() {
                    waiting.push((nested, path, folder));
                }
            }
            files.insert(module, file);
        }
        Self { files }
    }

    /// The files from which each file takes something.
    fn arrows(&self) -> BTreeMap<&Module, BTreeSet<&Module>> {
        let of = |(module, file): (&'_ Module, &File)| -> BTreeSet<&Module> {
            let brought = file.brings.iter().map(|(_, path, _)| path);
            brought
                .chain(&file.names)
                .filter_map(|path| self.find(module, path, 0))
                .filter(|to| !module.starts_with(to))
                .collect()
        };
        self.files.iter().map(|(module, file)| (module, of((module, file)))).collect()
    }

    /// The file that defines what a path names, seen from a module.
    fn find(&self, from: &Module, path: &[String], depth: usize) -> Option<&Module> {
        assert!(depth < 20, "a name that re-exports itself: {path:?}");
        let mut module = from.clone();
        let mut rest = path;
        match rest.first().map(String::as_str) {
            Some("crate") => (module, rest) = (Module::new(), &rest[1..]),
            Some("self") => rest = &rest[1..],
            Some("super") => {}
            // A child of this module, something brought in, or another crate.
            Some(name) if self.files[from].children.contains(name) => {}
            Some(name) => {
                let brought = self.files[from].brings.iter().find(|(local, ..)| local == name);
                let (_, path, _) =
                    brought.filter(|(_, path, _)| path.first().is_some_and(|first| first != name))?;
                let whole: Vec<String> = path.iter().chain(&rest[1..]).cloned().collect();
                return self.find(from, &whole, depth + 1);
            }
            None => return None,
        }
        while rest.first().is_some_and(|name| name == "super") {
            module.pop();
            rest = &rest[1..];
        }
        while let Some(name) = rest.first() {
            let nested: Module = module.iter().chain([name]).cloned().collect();
            if !self.files.contains_key(&nested) {
                break;
            }
            (module, rest) = (nested, &rest[1..]);
        }
        let (place, file) = self.files.get_key_value(&module)?;
        let Some(name) = rest.first() else { return Some(place) };
        if file.defines.contains(name) {
            return Some(place);
        }
        let again = file.brings.iter().find(|(local, _, is_public)| local == name && *is_public);
        match again {
            Some((_, path, _)) => self.find(&module, path, depth + 1),
            None => Some(place),
        }
    }

    /// Every circle, each as the files on it, in the order of their paths.
    fn circles(&self) -> Vec<Vec<String>> {
        let arrows = self.arrows();
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            arrows.keys().map(|module| (*module, reach(&arrows, module))).collect();
        let mut circles: Vec<Vec<String>> = Vec::new();
        for (module, ahead) in &reached {
            let circle: Vec<String> = ahead
                .iter()
                .filter(|other| ahead.contains(*module) && reached[**other].contains(*module))
                .map(|other| other.join("/"))
                .collect();
            if !circle.is_empty() && !circles.contains(&circle) {
                circles.push(circle);
            }
        }
        circles
    }
}

/// Every file to which the arrows lead from one, over others too.
fn reach<'a>(arrows: &BTreeMap<&'a Module, BTreeSet<&'a Module>>, from: &'a Module) -> BTreeSet<&'a Module> {
    let (mut seen, mut waiting) = (BTreeSet::new(), vec![from]);
    while let Some(module) = waiting.pop() {
        waiting.extend(arrows[module].iter().copied().filter(|to| seen.insert(*to)));
    }
    seen
}

impl File {
    fn parse(text: &str) -> Self {
        let mut file = Self::default();
        let code = code(text);
        let mut rest = code.as_str();
        while !rest.is_empty() {
            let line = rest.lines().next().unwrap_or_default();
            let words = visible(line.trim_start());
            if let Some(tree) = words.strip_prefix("use ") {
                let is_public = words.len() < line.trim_start().len();
                let end = rest.find(';').unwrap_or(rest.len() - 1) + 1;
                let start = rest.find("use ").unwrap() + 4;
                debug_assert!(rest[start..].starts_with(&tree[..tree.len().min(3)]));
                for path in branches(&rest[start..end - 1]) {
                    file.bring(&path, is_public);
                }
                rest = rest[end..].trim_start_matches(' ');
                continue;
            }
            file.line(words);
            rest = rest.get(line.len() + 1..).unwrap_or_default();
        }
        file
    }

    fn line(&mut self, words: &str) {
        if let Some(name) = words.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            self.children.insert(name.to_owned());
        }
        let plain = ["async ", "unsafe ", "const fn "].iter().fold(words, |words, word| {
            words
                .strip_prefix(word)
                .map_or(words, |rest| if *word == "const fn " { &words[6..] } else { rest })
        });
        for kind in
            ["fn ", "struct ", "enum ", "trait ", "type ", "const ", "static ", "macro_rules! ", "union "]
        {
            if let Some(rest) = plain.strip_prefix(kind) {
                self.defines.insert(identifier(rest));
            }
        }
        for start in ["crate::", "super::"] {
            for (at, _) in words.match_indices(start) {
                if !words[..at].ends_with("::") && !words[..at].ends_with('$') {
                    let path = words[at..].split("::").map(identifier);
                    self.names.push(path.take_while(|name| !name.is_empty()).collect());
                }
            }
        }
    }

    fn bring(&mut self, path: &str, is_public: bool) {
        let (path, renamed) = path.split_once(" as ").map_or((path, None), |(path, name)| (path, Some(name)));
        let mut names: Vec<String> = path.split("::").map(str::to_owned).collect();
        if names.last().is_some_and(|name| name == "self") {
            names.pop();
        }
        let local = renamed.or(names.last().map(String::as_str)).unwrap_or_default().to_owned();
        self.brings.push((local, names, is_public));
    }
}

/// The text without comments, and without what is for tests alone.
fn code(text: &str) -> String {
    let before_tests = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text);
    let lines = before_tests.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.fold(String::new(), |code, line| code + line + "\n")
}

/// A line without `pub` and its limits.
fn visible(line: &str) -> &str {
    match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ").map_or(line, |(_, rest)| rest),
        Some(rest) => rest.strip_prefix(' ').unwrap_or(line),
        None => line,
    }
}

fn identifier(words: &str) -> String {
    words.chars().take_while(|one| one.is_alphanumeric() || *one == '_').collect()
}

/// Every path of a tree of `use`: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn branches(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, group)) = tree.split_once('{') else { return vec![tree.to_owned()] };
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, one) in group.char_indices() {
        match one {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[start..]);
    let parts = parts.into_iter().map(str::trim).filter(|part| !part.is_empty());
    parts.flat_map(branches).map(|branch| format!("{before}{branch}")).collect()
}

#[rstest]
#[case("certs-gen/src")]
#[case("scenarios/src")]
#[case("harness/src")]
fn there_is_no_circle_of_files(#[case] folder: &str) {
    assert_eq!(Crate::read(folder).circles(), Vec::<Vec<String>>::new());
}

#[test]
fn a_circle_through_a_re_export_is_found() {
    let file = |text: &str| File::parse(text);
    let files = BTreeMap::from([
        (vec![], file("mod a;\nmod b;\npub use a::{A};\n")),
        (vec!["a".to_owned()], file("use crate::b::{self, B};\npub struct A;\nfn f() { b::g(); }\n")),
        (vec!["b".to_owned()], file("use super::A;\npub struct B;\npub(crate) fn g() {}\n")),
    ]);
    assert_eq!(Crate { files }.circles(), [["a", "b"]]);
}

/// The rooms of the harness as ARCHITECTURE.md draws them, from the top floor down.
fn floors() -> Vec<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let (_, picture) = text.split_once("```rooms\n").unwrap();
    let lines = picture.lines().take_while(|line| *line != "```");
    lines.map(|line| line.split(" · ").map(str::to_owned).collect()).collect()
}

#[test]
fn no_arrow_leads_up() {
    let harness = Crate::read("harness/src");
    let floors = floors();
    let floor = |module: &Module| {
        floors.iter().position(|floor| module.first().is_some_and(|room| floor.contains(room)))
    };
    for module in harness.files.keys().filter(|module| module.len() == 1 && *module != &["lib".to_owned()]) {
        assert!(floor(module).is_some(), "ARCHITECTURE.md does not say where {} is", module.join("/"));
    }
    let mut up = Vec::new();
    for (from, arrows) in harness.arrows() {
        for to in arrows {
            let (Some(at), Some(below)) = (floor(from), floor(to)) else { continue };
            if at > below || (at == below && from.first() != to.first()) {
                up.push(format!("{} -> {}", from.join("/"), to.join("/")));
            }
        }
    }
    assert_eq!(up, Vec::<String>::new());
}
