//! The gateways that ship with Gauntlet, as real processes: set up, checked, started, reloaded, stopped, killed.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests are tests too")]

use std::{
    env, fs,
    future::ready,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rstest::rstest;
use time::macros::datetime;
use tls_gauntlet::{
    Backend,
    gateway::{BACKEND_NAME, Gateway, GatewayError, GatewayPlan, RunFolder, Running},
    limits::Limits,
    trials, wait,
};
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::{PlainHttp, TlsVersion, catalogue};

/// What a process gets to be gone; a deadline that strikes means that it is not going.
const GONE: Duration = Duration::from_secs(30);

/// Says to a copy of this test which gateway to start; see `whoever_holds_a_gateway`.
const HOLD: &str = "GAUNTLET_TEST_HOLD";

#[rstest]
#[tokio::test]
async fn the_vendors_checker_accepts_the_files(
    #[values("nginx", "haproxy", "envoy", "caddy", "traefik", "httpd", "nginx@1.26", "haproxy@3.0")]
    name: &str,
) {
    let Some(gateway) = installed(name) else { return };
    gateway.check(&plan(&gateway), &RunFolder::new().unwrap()).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_gateway_starts_and_leaves_nothing(
    #[values("nginx", "haproxy", "envoy", "caddy", "traefik", "httpd", "nginx@1.26", "haproxy@3.0")]
    name: &str,
) {
    let Some(gateway) = installed(name) else { return };
    let folder = RunFolder::new().unwrap();
    let mut running = gateway.start(&plan(&gateway), &folder).await.unwrap();
    let group = running.processes()[0];
    assert_eq!(running.died(), None);
    assert!(members(group).len() >= 2, "guard, gateway and perhaps workers: {:?}", members(group));
    assert!(running.listener("default").is_some() && running.listener("nonsense").is_none());

    let stopped = running.stop().await;
    assert_eq!(stopped.died, None, "{:#?}", stopped.log);
    assert!(!stopped.log.is_empty());
    gone(group).await;
    let path = folder.path().to_owned();
    drop(folder);
    assert!(!path.exists());
}

#[rstest]
#[tokio::test]
async fn a_backend_is_reached_through_every_gateway(
    #[values(
        "nginx",
        "haproxy",
        "envoy",
        "caddy",
        "traefik",
        "httpd",
        "nginx@1.26",
        "haproxy@3.0",
        "reference"
    )]
    name: &str,
) {
    let Some(gateway) = installed(name) else { return };
    let backend = Backend::start("plain-good").await.unwrap();
    let front = gateway.in_front_of(&backend, "strict").await.unwrap();
    assert_eq!(front.get().await.status, Some(200), "{:?}", front.log());
}

#[rstest]
#[tokio::test]
async fn a_gateway_that_is_killed_is_noticed_and_its_workers_go_too(
    #[values("nginx", "haproxy", "envoy", "caddy", "traefik", "httpd", "nginx@1.26", "haproxy@3.0")]
    name: &str,
) {
    let Some(gateway) = installed(name) else { return };
    let folder = RunFolder::new().unwrap();
    let mut running = gateway.start(&plan(&gateway), &folder).await.unwrap();
    let [group, process] = running.processes()[..] else { panic!("{:?}", running.processes()) };
    kill(process);
    let died = wait::until(GONE, "the death to be noticed", || ready(running.died())).await;
    assert_eq!(died.unwrap(), "signal: 9 (SIGKILL)");
    assert_eq!(running.stop().await.died.as_deref(), Some("signal: 9 (SIGKILL)"));
    gone(group).await;
}

#[rstest]
#[tokio::test]
async fn a_gateway_takes_up_a_new_plan(
    #[values("nginx", "haproxy", "caddy", "traefik", "httpd", "nginx@1.26", "haproxy@3.0")] name: &str,
) {
    let Some(gateway) = installed(name) else { return };
    let folder = RunFolder::new().unwrap();
    let mut plan = plan(&gateway);
    let mut running = gateway.start(&plan, &folder).await.unwrap();
    let before = running.listener("default");
    plan.routes.truncate(1);
    running.reload(&plan).await.unwrap();
    assert_eq!(running.listener("default"), before);
    assert_eq!(running.died(), None);

    plan.listeners.push(("another".to_owned(), catalogue().listener("default").unwrap().clone()));
    let refused = running.reload(&plan).await.unwrap_err().to_string();
    assert!(refused.ends_with("the new plan has listeners that it was not started with"), "{refused}");
    assert_eq!(running.stop().await.died, None);
}

/// nginx starts new workers, and tells the old ones to go 100 ms later; until they have gone, both take connections. Here the
/// old ones are late on top of that, as on a busy machine.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn after_a_reload_no_worker_is_left_from_before(#[values("nginx", "nginx@1.26")] name: &str) {
    let Some(gateway) = installed(name) else { return };
    let folder = RunFolder::new().unwrap();
    let mut plan = plan(&gateway);
    // Nothing is to be waited for but the workers.
    plan.listeners.truncate(1);
    let mut running = gateway.start(&plan, &folder).await.unwrap();
    let started = running.processes();
    let workers = move || {
        let mut workers = members(started[0]);
        workers.retain(|member| !started.contains(member));
        workers
    };
    let before = workers();
    assert_eq!(before.len(), 2);
    before.iter().for_each(|&worker| send("STOP", worker));
    let (old, now) = (before.clone(), workers.clone());
    let late = tokio::spawn(async move {
        let new_ones = async || now().iter().any(|worker| !old.contains(worker)).then_some(());
        wait::until(GONE, "new workers", new_ones).await.unwrap();
        old.iter().for_each(|&worker| send("CONT", worker));
    });
    running.reload(&plan).await.unwrap();
    let after = workers();
    assert!(after.iter().all(|worker| !before.contains(worker)), "{before:?} {after:?}");
    late.await.unwrap();
    assert_eq!(running.stop().await.died, None);
}

/// Not a test of its own: the other half of the next one, which runs it in another process and kills that.
#[tokio::test]
async fn whoever_holds_a_gateway() {
    let Ok(name) = env::var(HOLD) else { return };
    let folder = RunFolder::new().unwrap();
    let gateway = Gateway::resolve(&name).unwrap();
    let running = gateway.start(&plan(&gateway), &folder).await.unwrap();
    println!("\nheld {} {}", running.processes()[0], folder.path().display());
    std::future::pending::<()>().await;
}

#[rstest]
#[tokio::test]
async fn nothing_outlives_us_even_if_we_are_killed(
    #[values("nginx", "haproxy", "envoy", "caddy", "traefik", "httpd", "nginx@1.26", "haproxy@3.0")]
    name: &str,
) {
    if installed(name).is_none() {
        return;
    }
    let mut holder = Command::new(env::current_exe().unwrap())
        .args(["--exact", "whoever_holds_a_gateway", "--nocapture"])
        .env(HOLD, name)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines().map_while(Result::ok);
    let held = lines.into_iter().find_map(|line| Some(line.strip_prefix("held ")?.to_owned())).unwrap();
    let (group, folder) = held.split_once(' ').unwrap();
    let group = group.parse().unwrap();
    assert!(members(group).len() >= 2, "{:?}", members(group));
    assert!(Path::new(folder).join("gateway.key").exists());

    holder.kill().unwrap();
    holder.wait().unwrap();
    gone(group).await;
    let what = format!("the folder {folder} to go");
    wait::until(GONE, &what, async || (!Path::new(folder).exists()).then_some(())).await.unwrap();
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    if installed("nginx").is_none() {
        return;
    }
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let error = start_own(&format!("events {{}} http {{ server {{ listen {address}; }} }}")).await;
    assert!(error.starts_with("cannot start gateway mine: it ended (exit status: 1)"), "{error}");
    assert!(error.contains(&format!("bind() to {address} failed")), "{error}");
    assert!(error.ends_with("; end the program that holds the port, and run again"), "{error}");
}

#[rstest]
#[case::template(
    "pid {{ dirr }};",
    "cannot render nginx.conf.j2 of gateway mine: undefined value (in nginx.conf.j2:1)"
)]
#[case::directive(
    "nonsense;",
    "cannot start gateway mine: it ended (exit status: 1) before it answered; its log ends: "
)]
#[tokio::test]
async fn an_own_gateway_with_a_mistake_says_where(#[case] configuration: &str, #[case] begins: &str) {
    if installed("nginx").is_none() {
        return;
    }
    let error = start_own(configuration).await;
    assert!(error.starts_with(begins), "{error}");
}

#[test]
fn a_folder_without_a_gateway_is_named() {
    let error = Gateway::resolve("./no-such-folder").unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot read ./no-such-folder/gateway.toml: No such file or directory (os error 2); a gateway is a folder \
         with a gateway.toml and its templates"
    );
}

#[test]
fn an_unknown_name_names_the_known_ones() {
    let error = Gateway::resolve("ngimx").unwrap_err().to_string();
    assert!(
        error.starts_with(
            "unknown gateway \"ngimx\"; did you mean \"nginx\"? (known are reference, direct, caddy, envoy, haproxy, httpd, nginx, traefik, azure-"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_missing_program_says_how_to_get_it() {
    let folder = own("name = \"mine\"", "no-such-program", "");
    let gateway = Gateway::resolve(folder.path().to_str().unwrap()).unwrap();
    assert_eq!(gateway.version(), None);
    let error = gateway.start(&plan(&gateway), &RunFolder::new().unwrap()).await.unwrap_err();
    assert!(matches!(error, GatewayError::Missing { .. }));
    assert_eq!(
        error.to_string(),
        "cannot start gateway mine: no \"no-such-program\" on PATH, nor beside this program; install it (get it) or pass --gateway reference"
    );
}

#[test]
fn a_mistake_in_an_own_manifest_has_file_line_and_column() {
    let folder = own("nmae = \"mine\"", "nginx", "");
    let error = Gateway::resolve(folder.path().to_str().unwrap()).unwrap_err().to_string();
    let begins = format!(
        "{}:1:1: unknown field `nmae`, expected one of `name`,",
        folder.path().join("gateway.toml").display()
    );
    assert!(error.starts_with(&begins), "{error}");
}

#[rstest]
fn shipped_gateways_leave_nothing_unclaimed(
    #[values("nginx", "haproxy", "envoy", "caddy", "traefik", "httpd", "nginx@1.26", "haproxy@3.0")]
    name: &str,
) {
    let gateway = Gateway::resolve(name).unwrap();
    let claims = gateway.claims();
    assert!(claims.upstream_versions.is_some() && claims.listener.versions.is_some());
    assert!(claims.follows_renegotiation.is_some() && claims.answers_post_handshake_auth.is_some());
    assert!(claims.verifies.is_some() && claims.withholds_unlisted_certificates.is_some());
    assert!(claims.always_lists_versions.is_some() && claims.lists_old_ciphers.is_some());
    assert!(claims.listener.serves_unknown_names.is_some() && claims.listener.serves_missing_names.is_some());
    assert!(!claims.listener.alert.is_empty());
    assert!(matches!(claims.listener.plain_http, Some(PlainHttp::Status(_) | PlainHttp::Close)));
    let last = claims.status.last().unwrap();
    assert!(
        last.causes.is_empty() && last.phase.is_none() && last.tls_version.is_none(),
        "the last line of claims.status fits everything"
    );
}

/// Every listener and every upstream of the catalogue that this gateway can be set up for, and routes to a port where
/// nobody listens.
fn plan(gateway: &Gateway) -> GatewayPlan {
    let pki = Arc::new(Pki::new(1, datetime!(2026-11-21 12:00 UTC)).unwrap());
    let limits = Limits::default();
    let listeners = catalogue()
        .listeners()
        .filter(|(name, _)| gateway.impossible(name, "", "").is_none())
        .map(|(name, profile)| (name.to_owned(), profile.clone()));
    let upstreams = catalogue()
        .upstreams()
        // No suite puts a real gateway behind SSL 3.0, which their libraries no longer have.
        .filter(|(_, profile)| profile.versions.min() > TlsVersion::Ssl3)
        .filter(|(name, _)| gateway.impossible("", name, "").is_none())
        .map(|(name, profile)| (name.to_owned(), profile.clone()));
    let mut plan = GatewayPlan::new(listeners.collect(), upstreams.collect(), pki, limits);
    for (upstream, _) in plan.upstreams.clone() {
        for response in [limits.patient, limits.impatient] {
            let nobody = (Ipv4Addr::LOCALHOST, 1).into();
            plan.add_route_on("default", &upstream, (nobody, BACKEND_NAME), limits.patient, response);
        }
    }
    plan
}

/// The gateway, if it is here or has to be (`GAUNTLET_REQUIRE=nginx,haproxy` or `all`).
fn installed(name: &str) -> Option<Gateway> {
    let gateway = Gateway::resolve(name).unwrap();
    if gateway.version().is_none() {
        assert!(!trials::is_required(name), "{name} is not installed, and GAUNTLET_REQUIRE wants it");
        println!("skipped: {name} is not installed");
        return None;
    }
    Some(gateway)
}

/// A gateway of the user's own: nginx (or another program) with this configuration.
fn own(name: &str, program: &str, configuration: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        r#"{name}
summary = "My own."
[program]
names = ["{program}"]
paths = ["/usr/sbin/{program}"]
install = "get it"
version = {{ args = ["-v"], pattern = 'nginx/([\d.]+)' }}
[run]
files = {{ "nginx.conf.j2" = "nginx.conf" }}
check = ["-t", "-e", "stderr", "-c", "{{{{ dir }}}}/nginx.conf"]
start = ["-p", "{{{{ dir }}}}", "-e", "stderr", "-c", "{{{{ dir }}}}/nginx.conf", "-g", "daemon off; error_log stderr; pid {{{{ dir }}}}/pid;"]
[claims]
"#
    );
    fs::write(folder.path().join("gateway.toml"), manifest).unwrap();
    fs::write(folder.path().join("nginx.conf.j2"), configuration).unwrap();
    folder
}

/// The error of an own nginx with this configuration.
async fn start_own(configuration: &str) -> String {
    let folder = own("name = \"mine\"", "nginx", configuration);
    let gateway = Gateway::resolve(folder.path().to_str().unwrap()).unwrap();
    let started: Result<Running, GatewayError> =
        gateway.start(&plan(&gateway), &RunFolder::new().unwrap()).await;
    started.unwrap_err().to_string()
}

fn kill(process: u32) {
    send("KILL", process);
}

fn send(signal: &str, process: u32) {
    let sent = Command::new("kill").args(["-s", signal, &process.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// The living processes of a group.
fn members(group: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    processes
        .filter(|process| {
            let facts = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            // proc_pid_stat(5): after the name in brackets come the state, the parent and the group.
            let mut facts = facts.rsplit(") ").next().unwrap_or_default().split(' ');
            let (state, _parent, of) = (facts.next(), facts.next(), facts.next());
            state != Some("Z") && of == Some(&group.to_string())
        })
        .collect()
}

/// Waits until a group has no living process.
async fn gone(group: u32) {
    let what = format!("the processes of group {group} to go");
    let none = async || members(group).is_empty().then_some(());
    wait::until(GONE, &what, none).await.unwrap_or_else(|late| panic!("{late}: {:?}", members(group)));
}
