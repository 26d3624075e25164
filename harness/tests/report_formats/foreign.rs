//! What other people's schemas say of the reports that other people's programs read.
//!
//! A schema that is not installed (`ci/install-tools.sh xmllint jsonschema`) makes its tests say so and pass, unless
//! `GAUNTLET_REQUIRE` lists it.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rstest::rstest;
use tls_gauntlet::{
    record::{Baseline, RunRecord},
    report::{junit, sarif},
    trials,
};
use tls_gauntlet_scenarios::VerdictKind;

use crate::{audited, sample};

/// The file of `ci/install-tools.sh NAME`, if it is there.
fn file(name: &str, path: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools").join(path);
    let found = file.is_file();
    assert!(
        found || !trials::is_required(name),
        "{name} is required by GAUNTLET_REQUIRE; ci/install-tools.sh {name}"
    );
    if !found {
        eprintln!("skipped: no {} (ci/install-tools.sh {name})", file.display());
    }
    found.then_some(file)
}

/// What a program that reads the document has against it; nothing if it is valid.
fn verdict(mut program: Command, document: &str) -> Option<String> {
    let program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    (!said.status.success()).then_some(words)
}

fn against_a_baseline() -> RunRecord {
    let mut record = sample::record();
    let mut baseline = Baseline::of(&record);
    baseline.cells.retain(|_, stand| stand.verdict != VerdictKind::FailOpen);
    record.compare_to(&baseline);
    record
}

#[rstest]
#[case(sample::record())]
#[case(sample::wrong_all_over())]
#[case(against_a_baseline())]
#[case(audited::record())]
fn junit_is_what_jenkins_reads(#[case] record: RunRecord) {
    let Some(schema) = file("xmllint", "junit/junit-10.xsd") else { return };
    let xmllint = || {
        let mut xmllint = Command::new("xmllint");
        xmllint.args(["--noout", "--nonet", "--schema"]).arg(&schema).arg("-");
        xmllint
    };
    let report = junit::render(&record);
    assert_eq!(verdict(xmllint(), &report), None);
    assert!(verdict(xmllint(), &report.replace("classname=", "class=")).is_some(), "nothing is checked");
}

/// Every value and every format that the schema asks for.
const VALIDATE: &str = "
import json, sys
import jsonschema
schema = json.load(open(sys.argv[1]))
validator = jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())
problems = [f'{list(e.path)}: {e.message}' for e in validator.iter_errors(json.load(sys.stdin))]
sys.exit('\\n'.join(problems) or 0)
";

#[rstest]
#[case(sample::record())]
#[case(sample::sound())]
#[case(against_a_baseline())]
#[case(audited::record())]
fn sarif_is_what_its_schema_says(#[case] record: RunRecord) {
    let Some(schema) = file("jsonschema", "sarif/schema.json") else { return };
    let python = || {
        let mut python = Command::new("python3");
        python.args(["-c", VALIDATE]).arg(&schema);
        python.env("PYTHONPATH", schema.parent().unwrap().join("python"));
        python
    };
    let report = sarif::render(&record);
    assert_eq!(verdict(python(), &report), None);
    assert!(verdict(python(), &report.replace("\"version\"", "\"versoin\"")).is_some(), "nothing is checked");
}
