//! Configurations that are too large, that include themselves, or that lead out of their place.

use std::{fs, os::unix::fs::symlink};

use rstest::rstest;
use tls_gauntlet::configuration::{Configuration, Disk, Files, InMemory, Kind};

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
