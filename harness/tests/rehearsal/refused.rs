//! Configurations that cannot be rehearsed: one clear line, exit code 2, and nothing of the machine touched.

use std::{fs, process::Command};

use rstest::rstest;

use super::{GAUNTLET, can_rehearse};

/// What is said of a configuration, without what was done before.
fn said(text: &str, more: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("nginx.conf"), text).unwrap();
    let mut gauntlet = Command::new(GAUNTLET);
    let output = gauntlet
        .current_dir(folder.path())
        .args(["audit", "--quiet", "nginx.conf"])
        .args(more)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).replace(&format!("{}/", folder.path().display()), "");
    (output.status.code(), said)
}

#[rstest]
#[case::no_leg(
    "events {}\nhttp { server { listen 80; location / { return 204; } } }\n",
    "error: nginx.conf: it has 1 listener, and nothing in it leads to a backend over TLS\n"
)]
#[case::plain(
    "events {}\nhttp { server { listen 80; location / { proxy_pass http://app.internal:3000; } } }\n",
    "error: nginx.conf: no leg can be audited\n  http://localhost/ → app.internal:3000: the gateway speaks no TLS to it\n"
)]
#[case::circle(
    "events {}\nhttp { include nginx.conf; }\n",
    "error: nginx.conf:2: nginx.conf includes itself\n"
)]
#[case::refused_by_nginx(
    "events {}\nhttp { server { listen 80; location / { proxy_pas https://a.internal; proxy_pass https://a.internal; } } }\n",
    "error: nginx has ended (exit status: 1); its last words:\n"
)]
#[case::module_that_is_not_there(
    "load_module /nowhere/evil.so;\nevents {}\nhttp { server { listen 80; location / { proxy_pass https://a.internal; } } }\n",
    "error: nginx has ended (exit status: 1); its last words:\n"
)]
fn a_configuration_that_cannot_be_rehearsed_is_named(#[case] text: &str, #[case] told: &str) {
    if !can_rehearse("nginx") {
        return;
    }
    let (code, said) = said(text, &[]);
    assert_eq!((code, said.starts_with(told)), (Some(2), true), "{said}");
}

#[rstest]
#[case::kind(&["--kind", "ngin"], "error: --kind ngin is not one of ")]
#[case::program(&["--program", "/nowhere/nginx"], "error: cannot start --program: ")]
#[case::place(&["--at", "etc=."], "error: \"etc=.\" is not a folder of production")]
#[case::missing(&["--at", "/etc/nginx=deploy"], "error: --at /etc/nginx=deploy: cannot read deploy: ")]
#[case::environment(&["--env", "NAME"], "error: --env NAME has no \"=\"")]
fn so_is_an_option(#[case] options: &[&str], #[case] told: &str) {
    let text = "events {}\nhttp { server { listen 80; location / { proxy_pass https://a.internal; } } }\n";
    let (code, said) = said(text, options);
    assert_eq!((code, said.starts_with(told)), (Some(2), true), "{said}");
}
