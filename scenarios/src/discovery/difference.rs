//! What two gateways claim differently.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;

use super::Discovery;
use crate::claims::Claims;

/// One line for each claim of `known` that was measured otherwise, tables of answers apart.
pub(super) fn of(known: &Claims, found: &Discovery) -> Vec<String> {
    let (known, measured) = (flat(known), flat(&found.claims));
    let names: BTreeSet<&String> = known.keys().chain(measured.keys()).collect();
    let told = names.into_iter().filter(|name| !found.untold.contains(name));
    told.filter_map(|name| {
        let untold = found.untold_words.get(name).into_iter().flatten().map(String::as_str).collect();
        line(name, known.get(name), measured.get(name), &untold)
    })
    .collect()
}

fn line(
    name: &str,
    known: Option<&Value>,
    measured: Option<&Value>,
    untold: &BTreeSet<&str>,
) -> Option<String> {
    if known == measured {
        return None;
    }
    if let (Some(Value::Array(known)), Some(Value::Array(measured))) = (known, measured) {
        let changes = |sign: char, of: &[Value], not_in: &[Value]| -> Vec<String> {
            let changed = of.iter().filter(|word| !not_in.contains(word)).filter_map(Value::as_str);
            changed.filter(|word| !untold.contains(word)).map(|word| format!("{sign}{word}")).collect()
        };
        let changes = [changes('-', known, measured), changes('+', measured, known)].concat();
        return (!changes.is_empty()).then(|| format!("{name}: {}", changes.join(" ")));
    }
    let say = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    Some(format!("{name}: claimed is {}, measured {}", say(known), say(measured)))
}

/// The claims by path, without tables of answers.
fn flat(claims: &Claims) -> BTreeMap<String, Value> {
    let Ok(Value::Table(table)) = Value::try_from(claims) else { return BTreeMap::new() };
    let mut flat = BTreeMap::new();
    for (name, value) in table {
        match value {
            Value::Table(inner) if name == "listener" => {
                flat.extend(inner.into_iter().map(|(inner, value)| (format!("{name}.{inner}"), value)));
            }
            value => drop(flat.insert(name, value)),
        }
    }
    flat.retain(|_, value| !value.as_array().is_some_and(|lines| lines.iter().any(Value::is_table)));
    flat
}
