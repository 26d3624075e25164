//! YAML, JSON and TOML as one tree in which every value knows its line.

use std::{collections::HashMap, sync::Arc};

use saphyr_parser::{Event, Parser};
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{At, Stated, Unreadable, files::Text};

/// How many values a tree may have once its aliases are written out: a few lines of YAML can name billions.
const MOST_VALUES: usize = 500_000;
/// How deep values may lie in one another.
const DEEPEST: usize = 100;

/// A value and its line: for a member of a map, the line of its key.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: At,
    value: Value,
}

#[derive(Debug, Clone)]
enum Value {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Reads YAML; JSON is YAML (YAML 1.2, section 1.2).
    pub(super) fn of_yaml(text: &Text) -> Result<Self, Unreadable> {
        Building::new(text).read()
    }

    /// Reads TOML.
    pub(super) fn of_toml(text: &Text) -> Result<Self, Unreadable> {
        let ends: Vec<usize> = text.text.match_indices('\n').map(|(place, _)| place).collect();
        let line = |place: usize| 1 + ends.partition_point(|end| *end < place);
        let table = DeTable::parse(&text.text).map_err(|e| Unreadable::Syntax {
            at: text.at(line(e.span().map_or(0, |span| span.start))),
            why: e.message().to_owned(),
        })?;
        let at = |place: usize| text.at(line(place));
        Ok(Self { at: at(0), value: Value::Map(of_table(table.into_inner(), &at)) })
    }

    /// The member of a map. `trusted_ca`, `trustedCa` and `TrustedCA` are one name: Envoy takes two of them, Traefik any.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let found = self.entries().iter().find(|(name, _)| same(name, key));
        let merged =
            || self.entries().iter().find(|(name, _)| name == "<<").and_then(|(_, node)| node.get(key));
        found.map(|(_, node)| node).or_else(merged)
    }

    /// The member at the end of a path with dots.
    pub(super) fn path(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// The text of a value that is neither a list nor a map.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The text at the end of a path.
    pub(super) fn text_at(&self, path: &str) -> Option<&str> {
        self.path(path).and_then(Self::text)
    }

    /// The text at the end of a path, with its line.
    pub(super) fn stated(&self, path: &str) -> Option<Stated> {
        let node = self.path(path)?;
        Some(Stated::at(&node.at, node.text()?))
    }

    /// The values of a list; of anything else, itself.
    pub(super) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(list) => list,
            Value::Text(_) | Value::Map(_) => std::slice::from_ref(self),
        }
    }

    /// The values of the list at the end of a path.
    pub(super) fn list(&self, path: &str) -> &[Self] {
        self.path(path).map_or(&[], Self::items)
    }

    /// The members of a map.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Map(map) => map,
            Value::Text(_) | Value::List(_) => &[],
        }
    }

    /// The texts of a list in one line, with the line where the list begins.
    pub(super) fn joined(&self) -> Stated {
        let texts: Vec<&str> = self.items().iter().filter_map(Self::text).collect();
        Stated::at(&self.at, texts.join(" "))
    }
}

/// The members of a table, as they stand in the text.
fn of_table(table: DeTable<'_>, at: &dyn Fn(usize) -> At) -> Vec<(String, Node)> {
    let mut members: Vec<_> = table.into_iter().collect();
    members.sort_by_key(|(key, _)| key.span().start);
    let member = |(key, value): (Spanned<DeString<'_>>, Spanned<DeValue<'_>>)| {
        let place = key.span().start;
        (key.into_inner().to_string(), Node { at: at(place), value: of_value(value.into_inner(), at) })
    };
    members.into_iter().map(member).collect()
}

fn of_value(value: DeValue<'_>, at: &dyn Fn(usize) -> At) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => Value::Text(number.to_string()),
        DeValue::Float(number) => Value::Text(number.to_string()),
        DeValue::Boolean(yes) => Value::Text(yes.to_string()),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Table(table) => Value::Map(of_table(table, at)),
        DeValue::Array(list) => {
            let item = |item: Spanned<DeValue<'_>>| {
                let place = item.span().start;
                Node { at: at(place), value: of_value(item.into_inner(), at) }
            };
            Value::List(list.into_iter().map(item).collect())
        }
    }
}

fn same(name: &str, key: &str) -> bool {
    let plain = |text: &str| {
        text.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase()).collect::<Vec<_>>()
    };
    name == key || plain(name) == plain(key)
}

/// A list or a map that is not complete.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<(String, usize)>,
    is_map: bool,
}

struct Building<'a> {
    text: &'a Text,
    open: Vec<Open>,
    anchors: HashMap<usize, (Arc<Node>, usize)>,
    values: usize,
    root: Option<Node>,
}

impl<'a> Building<'a> {
    fn new(text: &'a Text) -> Self {
        Self { text, open: Vec::new(), anchors: HashMap::new(), values: 0, root: None }
    }

    fn read(mut self) -> Result<Node, Unreadable> {
        for event in Parser::new_from_str(&self.text.text) {
            let (event, span) = event.map_err(|e| self.wrong(e.marker().line(), e.info()))?;
            let line = span.start.line();
            match event {
                Event::Scalar(text, _, anchor, _) => self.scalar(text.into_owned(), line, anchor)?,
                Event::MappingStart(anchor, _) => self.begin(Value::Map(Vec::new()), line, anchor)?,
                Event::SequenceStart(anchor, _) => self.begin(Value::List(Vec::new()), line, anchor)?,
                Event::MappingEnd | Event::SequenceEnd => {
                    if let Some(open) = self.open.pop() {
                        self.add(open.node, open.anchor, line)?;
                    }
                }
                Event::Alias(anchor) => {
                    let (node, size) = self
                        .anchors
                        .get(&anchor)
                        .cloned()
                        .ok_or_else(|| self.wrong(line, "an unknown alias"))?;
                    self.values += size;
                    self.bounded(line)?;
                    self.add((*node).clone(), 0, line)?;
                }
                // The first document is the configuration.
                Event::DocumentEnd => break,
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
            }
        }
        Ok(self.root.unwrap_or_else(|| Node { at: self.text.at(1), value: Value::Map(Vec::new()) }))
    }

    fn wrong(&self, line: usize, why: &str) -> Unreadable {
        Unreadable::Syntax { at: self.text.at(line), why: why.to_owned() }
    }

    fn bounded(&self, line: usize) -> Result<(), Unreadable> {
        if self.values > MOST_VALUES {
            return Err(self.wrong(line, "the aliases stand for too many values"));
        }
        if self.open.len() > DEEPEST {
            return Err(self.wrong(line, "values lie too deep in one another"));
        }
        Ok(())
    }

    fn begin(&mut self, value: Value, line: usize, anchor: usize) -> Result<(), Unreadable> {
        let line = self.open.last().and_then(|open| open.key.as_ref()).map_or(line, |(_, line)| *line);
        let is_map = matches!(value, Value::Map(_));
        self.open.push(Open { node: Node { at: self.text.at(line), value }, anchor, key: None, is_map });
        self.bounded(line)
    }

    fn scalar(&mut self, text: String, line: usize, anchor: usize) -> Result<(), Unreadable> {
        if let Some(open) = self.open.last_mut().filter(|open| open.is_map && open.key.is_none()) {
            open.key = Some((text, line));
            return Ok(());
        }
        self.add(Node { at: self.text.at(line), value: Value::Text(text) }, anchor, line)
    }

    fn add(&mut self, node: Node, anchor: usize, line: usize) -> Result<(), Unreadable> {
        self.values += 1;
        if anchor > 0 {
            let size = size(&node);
            self.values += size;
            self.anchors.insert(anchor, (Arc::new(node.clone()), size));
        }
        self.bounded(line)?;
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.value {
            Value::List(list) => list.push(node),
            Value::Map(map) => {
                let (key, line) = open.key.take().unwrap_or_default();
                let at = if line > 0 { self.text.at(line) } else { node.at.clone() };
                map.push((key, Node { at, ..node }));
            }
            Value::Text(_) => {}
        }
        Ok(())
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Text(_) => 0,
        Value::List(list) => list.iter().map(size).sum(),
        Value::Map(map) => map.iter().map(|(_, node)| size(node)).sum(),
    }
}
