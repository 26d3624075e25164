//! `gauntlet init` and the gauntlet.toml that it writes.

use std::{fs, path::Path, process::Command};

use rstest::rstest;
use serde_json::Value;
use tempfile::tempdir;

use crate::gauntlet::{Ran, gauntlet, in_dir};

/// A file that each gateway is known by, and a line of it that is about TLS.
#[rstest]
#[case("nginx", "conf/nginx.conf", "proxy_ssl_verify off;")]
#[case("haproxy", "haproxy.cfg", "server one 10.0.0.1:443 ssl verify none")]
#[case("envoy", "envoy.yaml", "tls_minimum_protocol_version: TLSv1_2")]
#[case("caddy", "Caddyfile", "tls_insecure_skip_verify")]
#[case("traefik", "traefik.yml", "insecureSkipVerify: true")]
#[case("httpd", "a/b/httpd.conf", "SSLProxyVerify none")]
fn init_names_the_gateways_it_finds(#[case] gateway: &str, #[case] file: &str, #[case] line: &str) {
    let dir = tempdir().unwrap();
    let path = dir.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("# nothing\n# {line}\n  {line}\n")).unwrap();
    let Ran { code, out, err } = in_dir(dir.path(), "init");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with(&format!("{file}: {gateway}, 1 line about TLS\n     3  {line}\n")), "{out}");
    assert!(out.ends_with(&format!("next: gauntlet audit {file}\n")), "{out}");
    let written = fs::read_to_string(dir.path().join("gauntlet.toml")).unwrap();
    assert!(written.contains(&format!("\n# {gateway}: {file}\n")), "{written}");
    // A run would pass without a look at what is set there.
    assert!(written.contains(&format!("\n# gateways = [\"{gateway}\"]\n")), "{written}");
}

#[test]
fn init_proposes_the_legs_of_a_configuration() {
    let dir = tempdir().unwrap();
    let conf = "events {}\nhttp { server { listen 8080; server_name shop.test;\n  location /orders { proxy_pass \
                https://orders.internal:8443; } } }\n";
    fs::write(dir.path().join("nginx.conf"), conf).unwrap();
    assert_eq!(in_dir(dir.path(), "init").code, 0);
    let written = fs::read_to_string(dir.path().join("gauntlet.toml")).unwrap();
    let leg = "[[leg]]\nurl = \"http://shop.test:8080/orders\"\nbackend = \"orders.internal:8443\"\n";
    assert!(written.ends_with(leg), "{written}");
}

#[test]
fn init_is_followed_by_a_run_that_needs_no_argument() {
    let dir = tempdir().unwrap();
    assert_eq!(in_dir(dir.path(), "init").code, 0);
    let path = dir.path().join("gauntlet.toml");
    let text = fs::read_to_string(&path)
        .unwrap()
        .replace("# filters = [\"*/expired-leaf/*\"]", "filters = [\"upstream/expired-leaf/strict::*\"]");
    fs::write(&path, text).unwrap();
    fs::create_dir_all(dir.path().join("below/it")).unwrap();

    let Ran { code, out, err } = in_dir(&dir.path().join("below/it"), "run");
    assert_eq!((code, err.as_str()), (0, "settings from ../../gauntlet.toml\n"), "{out}");
    let record: Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("gauntlet-out/run.json")).unwrap()).unwrap();
    let ids: Vec<_> =
        record["cells"].as_array().unwrap().iter().map(|cell| cell["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["upstream/expired-leaf/strict::default/default::reference"]);

    // What the command line says counts; what it does not say stays.
    let other = in_dir(dir.path(), "run --gateway direct --quiet --format json");
    assert!(other.out.contains("upstream/expired-leaf/strict::default/default::direct"), "{}", other.out);
    assert_eq!(other.err, "");
    let none = in_dir(dir.path(), "run --no-config --gateway direct --filter upstream/plain-good/strict::*");
    assert_eq!((none.code, none.err.as_str()), (0, ""));

    let again = in_dir(dir.path(), "init");
    assert_eq!(again.code, 2);
    assert!(again.err.contains("gauntlet.toml is there, and stays as it is"), "{}", again.err);
}

#[test]
fn a_baseline_of_the_project_is_written_and_used() {
    let dir = tempdir().unwrap();
    let settings = "gateways = [\"direct\"]\nfilters = [\"upstream/plain-good/strict::*\"]\nout = \"out\"\n";
    fs::write(dir.path().join("gauntlet.toml"), settings).unwrap();
    assert_eq!(in_dir(dir.path(), "run").code, 0);
    let with_baseline = format!("{settings}baseline = \"accepted/all.json\"\n");
    fs::write(dir.path().join("gauntlet.toml"), with_baseline).unwrap();
    let missing = in_dir(dir.path(), "run");
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("cannot read the baseline accepted/all.json"), "{}", missing.err);

    fs::create_dir_all(dir.path().join("accepted")).unwrap();
    fs::create_dir_all(dir.path().join("below")).unwrap();
    let accepted = in_dir(&dir.path().join("below"), "report ../out/run.json --accept so");
    assert!(
        accepted.out.starts_with("../accepted/all.json: 0 taken over"),
        "{}{}",
        accepted.out,
        accepted.err
    );
    assert!(in_dir(dir.path(), "run").out.contains("since the baseline"));
}

#[test]
fn the_routes_of_a_project_are_those_of_its_run() {
    let dir = tempdir().unwrap();
    let settings = "claims = \"nginx\"\nport-base = 31000\nfilters = [\"upstream/plain-good/strict::*\"]\n";
    fs::write(dir.path().join("gauntlet.toml"), settings).unwrap();
    let Ran { code, out, err } = in_dir(dir.path(), "routes --gateway external --json");
    assert_eq!((code, err.as_str()), (0, ""));
    let table: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(table["routes"].as_array().unwrap().len(), 1);
    assert_eq!(table["routes"][0]["backend"], "127.0.0.1:31000");
}

/// What `init` writes, and what it leaves commented out, is what the published schema says, by a validator that is not ours.
#[test]
fn the_published_schema_knows_what_is_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let validator = root.join("target/tools/bin/check-jsonschema");
    if !validator.is_file() {
        let required = std::env::var("GAUNTLET_REQUIRE").unwrap_or_default();
        let required = required.split(',').any(|name| ["check-jsonschema", "all"].contains(&name));
        assert!(!required, "check-jsonschema is required: ci/install-tools.sh check-jsonschema");
        return;
    }
    let valid = |path: &Path| {
        let schema = root.join("harness/schemas/gauntlet-toml.schema.json");
        let mut command = Command::new(&validator);
        // It reads TOML where Python can.
        command.args(["--force-filetype", "toml", "--schemafile"]).arg(schema).arg(path);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let dir = tempdir().unwrap();
    assert_eq!(gauntlet(&format!("init {}", dir.path().display())).code, 0);
    let path = dir.path().join("gauntlet.toml");
    let (sound, told) = valid(&path);
    assert!(sound, "{told}");
    let text = fs::read_to_string(&path).unwrap();
    for (from, to) in [("# suites", "suites"), ("# filters", "filters"), ("# baseline", "baseline")] {
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let (sound, told) = valid(&path);
        assert!(sound, "{told}");
    }
    for wrong in ["gatways = []", "jobs = 0", "port-base = 70000", "gateways = \"nginx\""] {
        fs::write(&path, wrong).unwrap();
        assert!(!valid(&path).0, "{wrong}");
    }
}
