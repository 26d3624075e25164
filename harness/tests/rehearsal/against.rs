//! What a change of a configuration changes on the wire, said before it is made.

use std::{fs, path::Path, process::Command};

use super::{GAUNTLET, can_rehearse};

const SITE: &str = "
events {}
http {
    server {
        listen 443 ssl;
        server_name shop.example.com;
        ssl_certificate     /etc/nginx/shop.pem;
        ssl_certificate_key /etc/nginx/shop.key;
        location / {
            proxy_pass https://orders.internal;
            proxy_ssl_name orders.internal;
            proxy_ssl_verify on;
            proxy_ssl_verify_depth 2;
            proxy_ssl_trusted_certificate /etc/nginx/internal.pem;
        }
    }
}
";

fn git(folder: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.current_dir(folder).args(["-c", "user.name=Tests", "-c", "user.email=tests@example.com"]);
    let output = git.args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Exit code and standard output.
fn audited(folder: &Path, against: &str, format: &str) -> (Option<i32>, String) {
    let mut gauntlet = Command::new(GAUNTLET);
    gauntlet.current_dir(folder).args(["audit", "--quiet", "--against", against, "--format", format]);
    let output = gauntlet.args(["--at", "/etc/nginx=deploy", "deploy/nginx.conf"]).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_change_is_judged_before_it_is_made() {
    if !can_rehearse("nginx") {
        return;
    }
    let repository = tempfile::tempdir().unwrap();
    let (root, site) = (repository.path(), repository.path().join("deploy/nginx.conf"));
    fs::create_dir(root.join("deploy")).unwrap();
    fs::write(&site, SITE).unwrap();
    git(root, &["init", "--quiet", "--initial-branch", "main"]);
    git(root, &["add", "deploy"]);
    git(root, &["commit", "--quiet", "--message", "sound"]);
    fs::write(&site, SITE.replace("proxy_ssl_verify on;", "proxy_ssl_verify off;")).unwrap();

    let (code, said) = audited(root, "main", "markdown");
    assert_eq!(code, Some(1), "{said}");
    let broke = "| \u{274c} | `orders.internal:443` | finding chain | \u{2013} | verifies nothing";
    assert!(said.contains(broke), "{said}");
    assert!(!said.contains("finding revocation"), "what is hidden is no improvement: {said}");

    // The other way round it is a repair, against a folder as well.
    let before = tempfile::tempdir().unwrap();
    fs::create_dir(before.path().join("deploy")).unwrap();
    fs::copy(&site, before.path().join("deploy/nginx.conf")).unwrap();
    fs::write(&site, SITE).unwrap();
    let (code, said) = audited(root, &before.path().display().to_string(), "console");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("finding chain         no longer: verifies nothing"), "{said}");
}

#[test]
fn what_cannot_be_compared_is_named() {
    if !can_rehearse("nginx") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("deploy")).unwrap();
    fs::write(folder.path().join("deploy/nginx.conf"), SITE).unwrap();
    for (against, format) in [("no-such-revision", "console"), ("/tmp", "console")] {
        assert_eq!(audited(folder.path(), against, format).0, Some(2), "{against}");
    }
    let place = folder.path().display().to_string();
    assert_eq!(audited(folder.path(), &place, "junit").0, Some(2));
}
