//! What each claim can say, read from the schema of the claims.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value as Schema;
use toml::{Table, Value};

use crate::claims::Claims;

/// What a claim can say.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Choice {
    /// One of these, or nothing.
    One(Vec<Value>),
    /// Any of these words.
    Set(Vec<String>),
}

/// The lowest status of HTTP: a number that cannot be so high is a count.
const FIRST_STATUS: i64 = 100;

/// Every claim that is no table, by its path (`listener.versions`), with what it can say. Numbers are counts or statuses, and
/// free words are protocols; of the last two, those that were seen come into question.
pub(super) fn of_claims(statuses: &BTreeSet<u16>, protocols: &BTreeSet<String>) -> Vec<(String, Choice)> {
    let schema = schemars::schema_for!(Claims);
    let seen = Seen { schema: schema.as_value(), statuses, protocols };
    let mut choices = Vec::new();
    seen.gather(seen.schema, "", &mut choices);
    choices
}

struct Seen<'a> {
    schema: &'a Schema,
    statuses: &'a BTreeSet<u16>,
    protocols: &'a BTreeSet<String>,
}

impl<'a> Seen<'a> {
    fn gather(&self, object: &'a Schema, prefix: &str, choices: &mut Vec<(String, Choice)>) {
        for (name, schema) in object["properties"].as_object().into_iter().flatten() {
            let path = format!("{prefix}{name}");
            let schema = self.resolve(schema);
            if is(schema, "object") && schema.get("properties").is_some() {
                self.gather(schema, &format!("{path}."), choices);
            } else if is(schema, "array") {
                let items = self.resolve(&schema["items"]);
                let words = self.words(items);
                if !words.is_empty() {
                    choices.push((path, Choice::Set(words)));
                } else if is(items, "string") {
                    choices.push((path, Choice::Set(self.protocols.iter().cloned().collect())));
                }
            } else {
                choices.push((path, Choice::One(self.values(schema))));
            }
        }
    }

    /// Without what `Option` and references wrap around it.
    fn resolve(&self, schema: &'a Schema) -> &'a Schema {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.rsplit('/').next().unwrap_or_default();
            return self.resolve(&self.schema["$defs"][name]);
        }
        let some = schema["anyOf"].as_array().and_then(|any| any.iter().find(|one| !is(one, "null")));
        some.map_or(schema, |some| self.resolve(some))
    }

    fn values(&self, schema: &'a Schema) -> Vec<Value> {
        if is(schema, "boolean") {
            return vec![Value::Boolean(true), Value::Boolean(false)];
        }
        if is(schema, "integer") {
            let counts = schema["maximum"].as_i64().filter(|maximum| *maximum < FIRST_STATUS);
            return counts
                .map_or_else(|| self.numbers().collect(), |most| (0..=most).map(Value::Integer).collect());
        }
        let words = self.words(schema).into_iter().map(Value::String);
        let variants = schema["oneOf"].as_array().into_iter().flatten();
        let with_number = variants.filter_map(|variant| variant["properties"].as_object()?.keys().next());
        let with_number = with_number.flat_map(|name| {
            self.numbers().map(|number| Value::Table([(name.clone(), number)].into_iter().collect()))
        });
        words.chain(with_number).collect()
    }

    fn numbers(&self) -> impl Iterator<Item = Value> + use<'a> {
        self.statuses.iter().map(|status| Value::Integer((*status).into()))
    }

    /// The words of a closed list.
    fn words(&self, schema: &Schema) -> Vec<String> {
        let plain = schema["enum"].as_array().into_iter().flatten();
        let variants = schema["oneOf"].as_array().into_iter().flatten();
        let told = variants.flat_map(|variant| {
            variant.get("const").into_iter().chain(variant["enum"].as_array().into_iter().flatten())
        });
        plain.chain(told).filter_map(|word| word.as_str().map(str::to_owned)).collect()
    }
}

fn is(schema: &Schema, kind: &str) -> bool {
    match &schema["type"] {
        Schema::String(word) => word == kind,
        Schema::Array(words) => words.iter().any(|word| word == kind),
        _ => false,
    }
}

/// Claims in the making.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Draft(Table);

impl Draft {
    /// These claims with another value at this path.
    pub(super) fn with(&self, path: &str, value: Option<Value>) -> Self {
        let mut changed = self.clone();
        let (table, name) = match path.split_once('.') {
            Some((outer, name)) => {
                let inner = changed.0.entry(outer).or_insert_with(|| Value::Table(Table::new()));
                (inner.as_table_mut(), name)
            }
            None => (Some(&mut changed.0), path),
        };
        match (table, value) {
            (Some(table), Some(value)) => drop(table.insert(name.to_owned(), value)),
            (Some(table), None) => drop(table.remove(name)),
            (None, _) => {}
        }
        changed
    }

    /// The claims that it makes, if they can be read as such.
    pub(super) fn read(&self) -> Option<Claims> {
        Claims::deserialize(Value::Table(self.0.clone())).ok()
    }
}
