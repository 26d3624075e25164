//! Gateways that refuse for no good reason, lie or die, and are caught: the guards against hollow verdicts, biting. Those that
//! are merely set up wrongly are in `mutants/`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

use tests::{Mutant, installed, name, run, run_watched, with_verdict};
use tls_gauntlet::runner::Event;
use tls_gauntlet_scenarios::{Outcome, VerdictKind};

fn strict_cells(backends: &[&str]) -> Vec<String> {
    backends.iter().map(|backend| format!("{backend}/strict::default/default")).collect()
}

fn filters(backends: &[&str]) -> Vec<String> {
    backends.iter().map(|backend| format!("upstream/{backend}/strict::*")).collect()
}

fn run_backends(gateway: &str, backends: &[&str]) -> tls_gauntlet::record::RunRecord {
    let filters = filters(backends);
    run(gateway, &filters.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_gateway_that_answers_everything_with_404_refuses_nothing() {
    if !installed("nginx") {
        return;
    }
    let mutant =
        Mutant::of("nginx").with("nginx.conf.j2", "location ~ ^/{{ group.name }}/", "location ~ ^/x/");
    let record = run_backends(&mutant.path(), &["plain-good", "expired-leaf"]);
    assert_eq!(with_verdict(&record, VerdictKind::FailClosed), strict_cells(&["plain-good"]));
    assert_eq!(with_verdict(&record, VerdictKind::WrongCause), strict_cells(&["expired-leaf"]));
}

/// No server has to keep a connection (RFC 9112 9.3).
#[test]
fn a_gateway_that_keeps_no_connection_of_a_client_is_not_blamed() {
    if !installed("nginx") {
        return;
    }
    let right = Mutant::of("nginx").with(
        "nginx.conf.j2",
        "    access_log off;\n",
        "    access_log off;\n    keepalive_timeout 0;\n",
    );
    let record = run(&right.path(), &["shared/*"]);
    let verdicts: Vec<_> = record.cells.iter().map(|cell| (cell.verdict, &cell.because)).collect();
    assert!(verdicts.iter().all(|(verdict, _)| *verdict == VerdictKind::Pass), "{verdicts:?}");
}

#[test]
fn a_refusal_without_its_positive_control_is_skipped() {
    if !installed("nginx") {
        return;
    }
    // It trusts the wrong root, so it refuses everything, also what it would have to refuse.
    let mutant = Mutant::of("nginx").with(
        "nginx.conf.j2",
        "proxy_ssl_trusted_certificate {{ server_root }};",
        "proxy_ssl_trusted_certificate {{ client_root }};",
    );
    let record = run_backends(&mutant.path(), &["plain-good", "untrusted-root"]);
    assert_eq!(with_verdict(&record, VerdictKind::FailClosed), strict_cells(&["plain-good"]));
    assert_eq!(with_verdict(&record, VerdictKind::Skipped), strict_cells(&["untrusted-root"]));
    let skipped = record.cells.iter().find(|cell| cell.backend == "untrusted-root").unwrap();
    assert!(skipped.because.as_ref().unwrap().contains("positive control"), "{:?}", skipped.because);
}

#[test]
fn a_log_alone_proves_nothing_of_a_backend_that_nobody_called() {
    if !installed("nginx") {
        return;
    }
    // It answers 502 to everything and writes the words of a failed verification into its log.
    let mutant =
        Mutant::of("nginx").with("nginx.conf.j2", "location ~ ^/{{ group.name }}/", "location ~ ^/x/").with(
            "nginx.conf.j2",
            "            return 404;",
            "            access_log /dev/stderr liar;\n            return 502;",
        );
    let mutant = mutant.with(
        "nginx.conf.j2",
        "    access_log off;",
        "    access_log off;\n    log_format liar 'upstream SSL certificate verify error: (10:certificate has expired) $request';",
    );
    let record = run_backends(&mutant.path(), &["expired-leaf"]);
    assert_eq!(with_verdict(&record, VerdictKind::WrongCause), strict_cells(&["expired-leaf"]));
}

#[test]
fn a_forged_answer_is_not_the_backends() {
    if !installed("nginx") {
        return;
    }
    let mutant = Mutant::of("nginx").with("nginx.conf.j2", "location ~ ^/{{ group.name }}/", "location ~ ^/x/").with(
        "nginx.conf.j2",
        "            return 404;",
        "            add_header x-gauntlet-backend forged;\n            return 200 '{\"nonce\":\"$http_x_gauntlet_nonce\"}';",
    );
    let record = run_backends(&mutant.path(), &["plain-good", "expired-leaf"]);
    assert_eq!(with_verdict(&record, VerdictKind::FailClosed), strict_cells(&["plain-good"]));
    assert_eq!(with_verdict(&record, VerdictKind::FailOpen), strict_cells(&["expired-leaf"]));
}

#[test]
fn a_gateway_killed_in_the_middle_is_broken_never_a_pass() {
    if !installed("nginx") {
        return;
    }
    let mutant = Mutant::of("nginx");
    let pid_file = mutant.beside("pid");
    let line = format!("pid {};", pid_file.display());
    let mutant = mutant.with("nginx.conf.j2", "pid {{ dir }}/nginx.pid;", &line);
    let done = AtomicUsize::new(0);
    let record = run_watched(&mutant.path(), &["upstream/*"], &|event| {
        if let Event::CellDone { .. } = event
            && done.fetch_add(1, Ordering::SeqCst) == 30
        {
            kill_group(&pid_file);
        }
    });
    let broken = with_verdict(&record, VerdictKind::Broken);
    assert!(broken.len() > 50, "only {} cells are broken", broken.len());
    assert_eq!(record.summary[&VerdictKind::FailClosed], 0, "a dead gateway is not charged with anything");
    assert_eq!(record.summary[&VerdictKind::WrongCause], 0);
    assert_eq!(record.exit_code(), 3);
    for cell in record.cells.iter().filter(|cell| cell.verdict == VerdictKind::Pass) {
        let seen = cell.observed.as_ref().unwrap();
        let proven = match seen.outcome {
            Outcome::Reach => !cell.backend_saw.is_empty(),
            Outcome::Refuse => !cell.backend_saw.is_empty() || !cell.gateway_said.is_empty(),
        };
        assert!(proven, "{} passed without a witness", name(cell));
    }
}

/// Ends nginx with all its workers, as `kill -9` of its group does.
fn kill_group(pid_file: &Path) {
    let pid = fs::read_to_string(pid_file).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap();
    // Fields behind the name in parentheses: state, parent, group (proc_pid_stat(5)).
    let group = stat.rsplit(')').next().unwrap().split_whitespace().nth(2).unwrap().to_owned();
    let status = Command::new("kill").args(["-KILL", "--", &format!("-{group}")]).status().unwrap();
    assert!(status.success());
}
