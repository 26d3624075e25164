//! A page: text, and in it the blocks that are run.

use std::{fs, path::Path};

/// A page, line by line, with its blocks.
pub(crate) struct Page {
    lines: Vec<Line>,
    pub(crate) blocks: Vec<Block>,
}

enum Line {
    Text(String),
    /// The lines between two fences.
    Block(usize),
}

/// What stands between two fences.
pub(crate) enum Block {
    /// A file.
    File { name: String, content: Vec<String> },
    /// Commands, and what they print.
    Console { commands: Vec<Typed> },
}

/// A command, and what it prints; nothing is shown of what does not matter.
pub(crate) struct Typed {
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) shown: Vec<String>,
}

impl Page {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut page = Self { lines: Vec::new(), blocks: Vec::new() };
        let mut lines = (1..).zip(text.lines());
        while let Some((number, line)) = lines.next() {
            page.lines.push(Line::Text(line.to_owned()));
            let Some(info) = line.strip_prefix("```") else { continue };
            let inner: Vec<_> =
                lines.by_ref().map(|(_, line)| line.to_owned()).take_while(|line| line != "```").collect();
            let file = info.split_once(' ').map(|(_, name)| name.to_owned());
            let block = match (info, file) {
                ("console", _) => Some(Block::Console { commands: commands(number + 1, &inner) }),
                (_, Some(name)) => Some(Block::File { name, content: inner.clone() }),
                (_, None) => None,
            };
            match block {
                Some(block) => {
                    page.lines.push(Line::Block(page.blocks.len()));
                    page.blocks.push(block);
                }
                None => page.lines.extend(inner.into_iter().map(Line::Text)),
            }
            page.lines.push(Line::Text("```".to_owned()));
        }
        page
    }

    /// Whether it says on which address and port something listens.
    pub(crate) fn names_addresses(&self) -> bool {
        self.blocks.iter().any(|block| match block {
            Block::File { content, .. } => content.iter().any(|line| line.starts_with("bind =")),
            Block::Console { commands } => commands.iter().any(|command| command.text.contains("docker run")),
        })
    }

    pub(crate) fn write(&self, path: &Path) {
        let mut text = String::new();
        for line in &self.lines {
            match line {
                Line::Text(line) => text.extend([line, "\n"]),
                Line::Block(index) => text += &self.blocks[*index].to_string(),
            }
        }
        fs::write(path, text).unwrap();
    }
}

fn commands(first: usize, lines: &[String]) -> Vec<Typed> {
    let mut commands: Vec<Typed> = Vec::new();
    for (number, line) in (first..).zip(lines) {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(text), _) => {
                commands.push(Typed { line: number, text: text.to_owned(), shown: Vec::new() });
            }
            (None, Some(last)) if last.text.ends_with('\\') && last.shown.is_empty() => {
                last.text.extend(["\n", line]);
            }
            (None, Some(last)) => last.shown.push(line.clone()),
            (None, None) => panic!("line {number}: a console block begins with a command: {line}"),
        }
    }
    commands
}

impl std::fmt::Display for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { content, .. } => content.iter().try_for_each(|line| writeln!(f, "{line}")),
            Self::Console { commands } => commands.iter().try_for_each(|command| {
                writeln!(f, "$ {}", command.text)?;
                command.shown.iter().try_for_each(|line| writeln!(f, "{line}"))
            }),
        }
    }
}
