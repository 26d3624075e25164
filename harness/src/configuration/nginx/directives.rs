//! The directives of nginx: words, blocks, and the files that `include` puts in their place.

use std::iter::Peekable;

use super::super::{
    At, Configuration, Unreadable,
    files::{Text, Texts, folder, is_pattern, resolve},
};

/// How deep blocks may lie in one another.
const DEEPEST: usize = 64;

/// One directive, with its block if it has one.
#[derive(Debug, Clone)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    pub(super) at: At,
    pub(super) block: Option<Vec<Self>>,
}

impl Directive {
    /// The first argument; empty if there is none.
    pub(super) fn first(&self) -> &str {
        self.arguments.first().map_or("", String::as_str)
    }

    /// The directives of its block.
    pub(super) fn inside(&self) -> &[Self] {
        self.block.as_deref().unwrap_or_default()
    }
}

/// The directives of a file and of the files that it includes; relative paths start at the folder of the main file
/// (`ngx_conf_full_name` with the prefix of the configuration).
pub(super) fn read(
    path: &str,
    texts: &mut Texts<'_>,
    configuration: &mut Configuration,
) -> Result<Vec<Directive>, Unreadable> {
    let prefix = folder(path).to_owned();
    texts.within(path, None, |texts, text| file(text, &prefix, texts, configuration))
}

fn file(
    text: &Text,
    prefix: &str,
    texts: &mut Texts<'_>,
    configuration: &mut Configuration,
) -> Result<Vec<Directive>, Unreadable> {
    let mut tokens = Tokens::new(text);
    let mut reading = Reading { prefix, texts, configuration };
    block(&mut tokens, 0, &mut reading)
}

struct Reading<'a, 'f> {
    prefix: &'a str,
    texts: &'a mut Texts<'f>,
    configuration: &'a mut Configuration,
}

/// The directives up to the end of a block; at depth 0, up to the end of the file.
fn block(
    tokens: &mut Tokens<'_>,
    depth: usize,
    reading: &mut Reading<'_, '_>,
) -> Result<Vec<Directive>, Unreadable> {
    let mut found = Vec::new();
    if depth > DEEPEST {
        return Err(tokens.wrong("blocks lie too deep in one another"));
    }
    loop {
        let mut words: Vec<String> = Vec::new();
        let mut at = None;
        let directive = loop {
            let token = tokens.next()?;
            let line = at.get_or_insert_with(|| tokens.at()).clone();
            match token {
                Token::Word(word) => words.push(word),
                Token::End if words.is_empty() && depth == 0 => return Ok(found),
                Token::End => return Err(tokens.wrong("the file ends within a directive or a block")),
                Token::Close if words.is_empty() && depth > 0 => return Ok(found),
                Token::Close => return Err(tokens.wrong("unexpected \"}\"")),
                Token::Semicolon | Token::Open if words.is_empty() => {
                    return Err(tokens.wrong("a directive without a name"));
                }
                Token::Semicolon => {
                    let name = words.remove(0);
                    break Directive { name, arguments: words, at: line, block: None };
                }
                Token::Open => {
                    let name = words.remove(0);
                    let inside = if name.ends_with("_by_lua_block") {
                        tokens.skip_foreign()?;
                        Vec::new()
                    } else {
                        block(tokens, depth + 1, reading)?
                    };
                    break Directive { name, arguments: words, at: line, block: Some(inside) };
                }
            }
        };
        if directive.name == "include" && directive.block.is_none() {
            include(&directive, reading, &mut found)?;
        } else {
            found.push(directive);
        }
    }
}

fn include(
    directive: &Directive,
    reading: &mut Reading<'_, '_>,
    found: &mut Vec<Directive>,
) -> Result<(), Unreadable> {
    let pattern = resolve(reading.prefix, directive.first());
    let paths = if is_pattern(&pattern) { reading.texts.glob(&pattern) } else { vec![pattern] };
    let Reading { prefix, texts, configuration } = reading;
    for path in paths {
        let read =
            texts.within(&path, Some(&directive.at), |texts, text| file(text, prefix, texts, configuration));
        match read {
            Ok(more) => found.extend(more),
            Err(Unreadable::File { path, source }) => {
                configuration.problem(&directive.at, format!("cannot read {path}: {source}"));
            }
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

enum Token {
    Word(String),
    Semicolon,
    Open,
    Close,
    End,
}

/// The words of a text (`ngx_conf_read_token`): quotes count at the beginning of a word, a backslash anywhere.
struct Tokens<'a> {
    source: &'a Text,
    characters: Peekable<std::str::Chars<'a>>,
    line: usize,
    /// The line of the last token.
    began: usize,
}

impl<'a> Tokens<'a> {
    fn new(source: &'a Text) -> Self {
        // A mark of the byte order is skipped since nginx 1.13.
        let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
        Self { source, characters: text.chars().peekable(), line: 1, began: 1 }
    }

    fn at(&self) -> At {
        self.source.at(self.began)
    }

    fn wrong(&self, why: &str) -> Unreadable {
        Unreadable::Syntax { at: self.at(), why: why.to_owned() }
    }

    fn take(&mut self) -> Option<char> {
        let character = self.characters.next();
        self.line += usize::from(character == Some('\n'));
        character
    }

    fn next(&mut self) -> Result<Token, Unreadable> {
        while let Some(character) = self.characters.peek().copied() {
            if character == '#' {
                while self.characters.peek().is_some_and(|&c| c != '\n') {
                    self.take();
                }
            } else if !character.is_ascii_whitespace() {
                break;
            }
            self.take();
        }
        self.began = self.line;
        match self.take() {
            None => Ok(Token::End),
            Some(';') => Ok(Token::Semicolon),
            Some('{') => Ok(Token::Open),
            Some('}') => Ok(Token::Close),
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            Some(first) => Ok(Token::Word(self.bare(first))),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Token, Unreadable> {
        let mut word = String::new();
        loop {
            match self.take() {
                None => return Err(self.wrong("a quote that is not closed")),
                Some('\\') => self.escaped(&mut word),
                Some(end) if end == quote => return Ok(Token::Word(word)),
                Some(other) => word.push(other),
            }
        }
    }

    fn bare(&mut self, first: char) -> String {
        let mut word = String::new();
        let mut character = first;
        loop {
            if character == '\\' {
                self.escaped(&mut word);
            } else {
                word.push(character);
            }
            match self.characters.peek().copied() {
                // "${" is no block: the name of a variable in braces.
                Some('{') if word.ends_with('$') => {}
                Some(';' | '{') | None => return word,
                Some(space) if space.is_ascii_whitespace() => return word,
                Some(_) => {}
            }
            let Some(next) = self.take() else { return word };
            character = next;
        }
    }

    /// What a backslash and the next character stand for: itself for a quote or a backslash, the usual for t, r, n;
    /// before anything else the backslash stays, for regular expressions.
    fn escaped(&mut self, word: &mut String) {
        match self.take() {
            Some(plain @ ('"' | '\'' | '\\')) => word.push(plain),
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            Some(other) => word.extend(['\\', other]),
            None => word.push('\\'),
        }
    }

    /// Passes over a block in another language, whose braces are balanced.
    fn skip_foreign(&mut self) -> Result<(), Unreadable> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.take() {
                None => return Err(self.wrong("the file ends within a block of Lua")),
                Some('{') => depth += 1,
                Some('}') => depth -= 1,
                Some(_) => {}
            }
        }
        Ok(())
    }
}
