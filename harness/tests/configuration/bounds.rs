//! Configurations that are too large, that include themselves, or that lead out of their place.

use std::{fs, os::unix::fs::symlink};

use rstest::rstest;
use tls_gauntlet::configuration::{Configuration, Disk, Files, InMemory, Kind};

use super::{MAIN, corpus, files, mains};

fn error(kind: Kind, path: &str, files: &dyn Files) -> String {
    Configuration::read(kind, &[path], files).unwrap_err().to_string()
}

#[rstest]
#[case::a_loop("include nginx.conf;", "/n/nginx.conf:1: /n/nginx.conf includes itself")]
#[case::a_quote("events {}\nuser 'www", "/n/nginx.conf:2: a quote that is not closed")]
#[case::an_open_block("http {", "/n/nginx.conf:1: the file ends within a directive or a block")]
#[case::a_brace("events {} }", "/n/nginx.conf:1: unexpected \"}\"")]
fn one_clear_line(#[case] text: &str, #[case] expected: &str) {
    let files = InMemory([("/n/nginx.conf".to_owned(), text.to_owned())].into());
    assert_eq!(error(Kind::Nginx, "/n/nginx.conf", &files), expected);
}

#[rstest]
#[case::httpd_loop(
    Kind::Httpd,
    "/n/httpd.conf",
    "Include httpd.conf",
    "/n/httpd.conf:1: /n/httpd.conf includes itself"
)]
#[case::httpd_open(
    Kind::Httpd,
    "/n/httpd.conf",
    "Listen 80\n<Location />",
    "/n/httpd.conf:2: <Location> is not closed"
)]
#[case::httpd_close(
    Kind::Httpd,
    "/n/httpd.conf",
    "</Location>",
    "/n/httpd.conf:1: </Location> closes no section"
)]
#[case::httpd_depth(
    Kind::Httpd,
    "/n/httpd.conf",
    &"<Location />\n".repeat(1_000),
    "/n/httpd.conf:65: sections lie too deep in one another"
)]
#[case::caddy_loop(
    Kind::Caddy,
    "/n/Caddyfile",
    "import Caddyfile",
    "/n/Caddyfile:1: /n/Caddyfile includes itself"
)]
#[case::caddy_snippet(
    Kind::Caddy,
    "/n/Caddyfile",
    "(a) {\n\timport a\n}\n:80 {\n\timport a\n}",
    "/n/Caddyfile:2: a includes itself"
)]
#[case::haproxy(
    Kind::Haproxy,
    "/n/a.cfg",
    "bind :80",
    "/n/a.cfg:1: \"bind\" stands before the first section"
)]
#[case::traefik_yaml(Kind::Traefik, "/n/t.yml", "http: {", "/n/t.yml:2: ")]
#[case::traefik_toml(Kind::Traefik, "/n/t.toml", "a = 1\nb = ", "/n/t.toml:2: ")]
#[case::aliases(
    Kind::Envoy,
    "/n/e.yaml",
    &(0..30).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}]\n", n - 1)).collect::<String>().replacen("*a-1", "1", 3),
    "the aliases stand for too many values"
)]
fn one_clear_line_for_each_kind(
    #[case] kind: Kind,
    #[case] path: &str,
    #[case] text: &str,
    #[case] expected: &str,
) {
    let said = error(kind, path, &InMemory([(path.to_owned(), text.to_owned())].into()));
    assert!(said.contains(expected) && !said.contains('\n'), "{said}");
}

#[rstest]
#[case(Kind::Nginx, "http { server { listen 80;\n", "location /a# { proxy_pass https://b; }\n", "} }")]
#[case(
    Kind::Haproxy,
    "frontend f\n",
    "use_backend b if { path_beg /a#/ }\n",
    "bind :80\nbackend b\nserver s b:443"
)]
#[case(Kind::Httpd, "Listen 80\n", "ProxyPass /a# https://b/\n", "SSLProxyEngine on")]
fn of_too_many_routes_the_first_are_looked_at(
    #[case] kind: Kind,
    #[case] begin: &str,
    #[case] route: &str,
    #[case] end: &str,
) {
    let routes: String = (0..600).map(|number| route.replace('#', &number.to_string())).collect();
    let files = InMemory([("/a".to_owned(), format!("{begin}{routes}{end}"))].into());
    let read = Configuration::read(kind, &["/a"], &files).unwrap();
    assert_eq!(read.legs.len(), 500);
    let said: Vec<String> = read.problems.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["/a:502: from here on, routes are not looked at: there are more than 500"]);
}

/// A configuration that is being written is read without a panic, wherever it ends.
#[rstest]
fn a_configuration_may_end_anywhere(
    #[values(Kind::Nginx, Kind::Envoy, Kind::Haproxy, Kind::Httpd, Kind::Traefik, Kind::Caddy)] kind: Kind,
) {
    let (_, place, names) = MAIN.iter().find(|(each, _, _)| *each == kind).unwrap();
    for folder in corpus(kind) {
        let whole = files(&folder, place);
        // What Caddy itself has written is whole.
        for (path, text) in whole.0.iter().filter(|(path, _)| !path.ends_with("Caddyfile.json")) {
            for line in text.lines() {
                let end = line.as_ptr() as usize - text.as_ptr() as usize;
                let half = (line.len() / 2..=line.len())
                    .find(|place| line.is_char_boundary(*place))
                    .unwrap_or_default();
                let mut cut = whole.clone();
                cut.0.insert(path.clone(), text[..end + half].to_owned());
                let paths = mains(&whole, place, names);
                let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
                if let Err(error) = Configuration::read(kind, &paths, &cut) {
                    assert!(!error.to_string().contains('\n'), "{path} up to {line}: {error}");
                }
            }
        }
    }
}

#[rstest]
#[case::lines("\n".repeat(50_001), "/n/nginx.conf: the configuration has more than 50000 lines")]
#[case::bytes(" ".repeat((10 << 20) + 1), "/n/nginx.conf: the configuration has more than 10 MB")]
#[case::blocks("http {".repeat(50_000), "/n/nginx.conf:1: blocks lie too deep in one another")]
fn too_large(#[case] text: String, #[case] expected: &str) {
    let files = InMemory([("/n/nginx.conf".to_owned(), text)].into());
    assert_eq!(error(Kind::Nginx, "/n/nginx.conf", &files), expected);
}

#[test]
fn files_that_include_one_another_twice_are_counted_each_time() {
    let file = |number: usize| (format!("/n/{number}"), format!("include {0};\ninclude {0};\n", number + 1));
    let mut files: std::collections::BTreeMap<_, _> = (0..30).map(file).collect();
    files.insert("/n/30".to_owned(), String::new());
    assert_eq!(
        error(Kind::Nginx, "/n/0", &InMemory(files)).split(": ").nth(1),
        Some("the configuration has more than 50000 lines")
    );
}

#[test]
fn a_folder_that_stands_for_another_is_not_left() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    fs::write(folder.path().join("nginx.conf"), "events {}").unwrap();
    symlink(outside.path().join("secret"), folder.path().join("link")).unwrap();
    let disk = Disk::as_it_is().with("/etc/nginx", folder.path());
    assert_eq!(disk.text("/etc/nginx/nginx.conf").unwrap(), "events {}");
    assert_eq!(disk.text("/etc/nginx/x/../nginx.conf").unwrap(), "events {}");
    let said = disk.text("/etc/nginx/link").unwrap_err().to_string();
    assert_eq!(said, format!("it leads out of {}", folder.path().display()));
    assert!(disk.text("/dev/zero").unwrap_err().to_string().contains("not a regular file"));
}
