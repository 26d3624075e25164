//! The published schema: current, and true of what is written.

use std::path::Path;

use serde_json::Value;
use tls_gauntlet::{
    late::LateReport,
    report::json,
    rotation::record::{Moment, Old, Outcome, RotationRecord, SCHEMA},
};
use tls_gauntlet_scenarios::Cause;

use crate::sample;

#[test]
fn the_published_schemas_are_current() {
    for (name, schema) in json::schemas() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.schema.json"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(published == schema, "{} is out of date; run the tests with UPDATE=1", path.display());
    }
}

#[test]
fn a_scan_and_a_list_of_late_operations_are_what_their_schemas_say() {
    let mut scan: Value = serde_json::from_str(include_str!("../../src/report/scan/sample.json")).unwrap();
    assert_eq!(problems_by("scan-record", &scan), Vec::<String>::new());
    scan["targets"][0]["word"] = "fine".into();
    let problems = problems_by("scan-record", &scan);
    assert!(problems[0].starts_with("$.targets[0].word: "), "{problems:?}");
    let line = "nonce=a path=/r/1/a/x status=200 method=GET tls=TLSv1.2 http=HTTP/1.1 late=given";
    let late = serde_json::to_value(LateReport::of_log([line]).unwrap()).unwrap();
    assert_eq!(problems_by("late-report", &late), Vec::<String>::new());
}

#[test]
fn a_rotation_is_what_its_schema_says() {
    let outcome = Outcome {
        gateway: "nginx".to_owned(),
        change: "trust-store".to_owned(),
        wrong: Vec::new(),
        requests: 800,
        milli_rate: 199_500,
        failed: 0,
        failures: Vec::new(),
        moment: Some(Moment { after_ms: 69, mixed: 3, mixed_ms: 12 }),
        old: Old::Refused { cause: Cause::ServerCertUntrusted },
        store_said: Vec::new(),
        duration_ms: 4000,
    };
    let run = sample::record();
    let record = RotationRecord {
        schema: SCHEMA.to_owned(),
        tool: run.tool,
        seed: run.seed,
        started: run.started,
        duration_ms: 4000,
        rate: 200,
        seconds: 4,
        gateways: run.gateways,
        rotations: vec![outcome],
    };
    let mut record = serde_json::to_value(&record).unwrap();
    assert_eq!(problems_by("rotation-record", &record), Vec::<String>::new());
    record["rotations"][0]["old"]["is"] = "fine".into();
    let problems = problems_by("rotation-record", &record);
    assert!(problems[0].starts_with("$.rotations[0].old: "), "{problems:?}");
}

#[test]
fn a_record_is_what_the_schema_says() {
    let record = serde_json::from_str(&json::render(&sample::record())).unwrap();
    assert_eq!(problems(&record), Vec::<String>::new());
}

#[test]
fn a_wrong_record_is_not() {
    let sound: Value = serde_json::from_str(&json::render(&sample::record())).unwrap();
    let broken = |break_it: &dyn Fn(&mut Value)| {
        let mut record = sound.clone();
        break_it(&mut record);
        problems(&record).join("; ")
    };
    assert_eq!(
        broken(&|record| drop(record.as_object_mut().unwrap().remove("seed"))),
        "$: \"seed\" is missing"
    );
    assert_eq!(
        broken(&|record| record["duration_ms"] = "long".into()),
        "$.duration_ms: not of type \"integer\""
    );
    assert_eq!(broken(&|record| record["seed"] = (-1).into()), "$.seed: below 0");
    assert_eq!(
        broken(&|record| record["cells"][0]["verdict"] = "fine".into()),
        "$.cells[0].verdict: fits none of 9"
    );
}

/// Where a value is not what the published schema says. It knows the part of JSON Schema that the schema uses, and
/// stops at any word it does not know, so that nothing goes unchecked.
fn problems(value: &Value) -> Vec<String> {
    problems_by("run-record", value)
}

fn problems_by(name: &str, value: &Value) -> Vec<String> {
    let schemas = json::schemas();
    let (_, schema) = schemas.iter().find(|(known, _)| *known == name).unwrap();
    let root: Value = serde_json::from_str(schema).unwrap();
    let mut problems = Vec::new();
    check(&root, &root, value, "$", &mut problems);
    problems
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
    let Value::Object(rules) = schema else {
        assert_eq!(schema, &Value::Bool(true), "a schema is an object or true");
        return;
    };
    for (rule, wanted) in rules {
        match rule.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" | "$comment" => {}
            "$ref" => {
                let name = wanted.as_str().unwrap().strip_prefix("#").unwrap();
                check(root, root.pointer(name).unwrap(), value, at, problems);
            }
            "type" => {
                let fits = match wanted {
                    Value::Array(types) => types.iter().any(|name| is(value, name)),
                    name => is(value, name),
                };
                if !fits {
                    problems.push(format!("{at}: not of type {wanted}"));
                }
            }
            "const" if value != wanted => problems.push(format!("{at}: not {wanted}")),
            "enum" if !wanted.as_array().unwrap().contains(value) => {
                problems.push(format!("{at}: not one of {wanted}"));
            }
            "const" | "enum" => {}
            "minimum" => {
                if value.as_f64().is_some_and(|number| number < wanted.as_f64().unwrap()) {
                    problems.push(format!("{at}: below {wanted}"));
                }
            }
            "maximum" => {
                if value.as_f64().is_some_and(|number| number > wanted.as_f64().unwrap()) {
                    problems.push(format!("{at}: above {wanted}"));
                }
            }
            "required" => {
                for name in wanted.as_array().unwrap() {
                    if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
                        problems.push(format!("{at}: {name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, schema) in wanted.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        check(root, schema, value, &format!("{at}.{name}"), problems);
                    }
                }
            }
            "additionalProperties" => {
                for (name, value) in unnamed(rules, value) {
                    match wanted {
                        Value::Bool(false) => problems.push(format!("{at}: unknown \"{name}\"")),
                        schema => check(root, schema, value, &format!("{at}.{name}"), problems),
                    }
                }
            }
            "items" => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, wanted, value, &format!("{at}[{index}]"), problems);
                }
            }
            "uniqueItems" => {
                if holds_something_twice(value) {
                    problems.push(format!("{at}: holds something twice"));
                }
            }
            "anyOf" | "oneOf" => {
                let choices = wanted.as_array().unwrap();
                let fits = |choice: &Value| {
                    let mut problems = Vec::new();
                    check(root, choice, value, at, &mut problems);
                    problems.is_empty()
                };
                if !choices.iter().any(fits) {
                    problems.push(format!("{at}: fits none of {}", choices.len()));
                }
            }
            unknown => panic!("the schema uses \"{unknown}\", which this test does not know yet"),
        }
    }
}

/// The fields of an object that its schema does not name.
fn unnamed<'v>(
    rules: &'v serde_json::Map<String, Value>,
    value: &'v Value,
) -> impl Iterator<Item = (&'v String, &'v Value)> {
    let known = rules.get("properties").and_then(Value::as_object);
    let fields = value.as_object().into_iter().flatten();
    fields.filter(move |(name, _)| !known.is_some_and(|known| known.contains_key(*name)))
}

fn holds_something_twice(list: &Value) -> bool {
    let all: Vec<String> = list.as_array().into_iter().flatten().map(Value::to_string).collect();
    all.iter().collect::<std::collections::BTreeSet<_>>().len() != all.len()
}

fn is(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        unknown => panic!("unknown type {unknown}"),
    }
}
