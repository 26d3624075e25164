//! Programs that are not ours: what they say of a backend is proof.
//!
//! A program that is missing makes its tests say so and pass, unless `GAUNTLET_REQUIRE` lists it (`curl,openssl`,
//! or `all`).

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "clippy takes helpers of tests for no tests")]

use std::{env, fs, path::PathBuf, process::Stdio, time::Duration};

use tempfile::TempDir;
use tls_gauntlet::{
    backend::{Backend, SERVER_NAME},
    trials,
};
use tls_gauntlet_certs::{ClientCertificate, CrlKind, crls_pem};
use tls_gauntlet_scenarios::BackendSaw;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

/// How long anything may take; it strikes only if something hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) const NONCE: &str = "n-0123456789abcdef";

/// Whether the program can be run; if it must be and cannot, the test fails here.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
        return true;
    }
    assert!(!trials::is_required(program), "{program} is required by GAUNTLET_REQUIRE, but is not on PATH");
    eprintln!("skipped: {program} is not on PATH (GAUNTLET_REQUIRE={program} makes this a failure)");
    false
}

/// A backend with the files that a program needs to call it.
pub(crate) struct Target {
    pub(crate) backend: Backend,
    folder: TempDir,
}

/// What a program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Target {
    pub(crate) async fn start(name: &str) -> Self {
        let backend = Backend::start(name).await.unwrap();
        let folder = TempDir::new().unwrap();
        let pki = backend.pki();
        fs::write(folder.path().join("root.pem"), pki.server_root().to_pem().unwrap()).unwrap();
        fs::write(folder.path().join("client-root.pem"), pki.client_root().to_pem().unwrap()).unwrap();
        let lists = crls_pem(&pki.crls(CrlKind::Revoked).unwrap()).unwrap();
        fs::write(folder.path().join("crl.pem"), lists).unwrap();
        for recipe in ClientCertificate::ALL {
            let identity = pki.client(*recipe).unwrap();
            let pem = identity.chain_pem() + &identity.key_pem();
            fs::write(folder.path().join(format!("{recipe}.pem")), pem).unwrap();
        }
        Self { backend, folder }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn port(&self) -> String {
        self.backend.address().port().to_string()
    }

    /// One call of curl. `{folder}` in an argument is where the certificates are.
    pub(crate) async fn curl(&self, arguments: &str) -> Said {
        let (port, folder) = (self.port(), self.folder.path().display().to_string());
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--show-error", "--noproxy", "*", "--cacert", &format!("{folder}/root.pem")])
            .args(["--resolve", &format!("{SERVER_NAME}:{port}:127.0.0.1")])
            .args(["--write-out", "\n%{http_code} %{http_version} %{num_connects}"])
            .args(arguments.replace("{folder}", &folder).split_whitespace())
            .arg(format!("https://{SERVER_NAME}:{port}/some/path/{NONCE}"));
        run(command, "").await
    }

    /// One call of `openssl s_client` that sends a request.
    pub(crate) async fn s_client(&self, arguments: &str) -> Said {
        let folder = self.folder.path().display().to_string();
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-connect", &format!("127.0.0.1:{}", self.port())])
            .args(["-CAfile", &format!("{folder}/root.pem"), "-ign_eof"])
            .args(arguments.replace("{folder}", &folder).split_whitespace());
        if !arguments.contains("servername") {
            command.args(["-servername", SERVER_NAME]);
        }
        run(command, &format!("GET /{NONCE} HTTP/1.1\r\nhost: {SERVER_NAME}\r\nconnection: close\r\n\r\n"))
            .await
    }

    /// Two calls of `openssl s_client`: the second takes the session up and sends its request as early data.
    pub(crate) async fn early_data(&self) -> Said {
        let request = format!("GET /{NONCE} HTTP/1.1\r\nhost: {SERVER_NAME}\r\nconnection: close\r\n\r\n");
        fs::write(self.file("early.txt"), request).unwrap();
        self.s_client("-tls1_3 -sess_out {folder}/session.pem").await;
        self.s_client("-tls1_3 -sess_in {folder}/session.pem -early_data {folder}/early.txt").await
    }

    /// One call of `gnutls-cli` that sends a request.
    pub(crate) async fn gnutls(&self, priority: &str, arguments: &str) -> Said {
        let folder = self.folder.path().display().to_string();
        let mut command = Command::new("gnutls-cli");
        command
            .args(["--x509cafile", &format!("{folder}/root.pem"), "--port", &self.port()])
            .args(["--sni-hostname", SERVER_NAME, "--verify-hostname", SERVER_NAME])
            .args(["--priority", priority, "--crlf"])
            .args(arguments.replace("{folder}", &folder).split_whitespace())
            .arg("127.0.0.1");
        run(command, &format!("GET /{NONCE} HTTP/1.1\nhost: {SERVER_NAME}\nconnection: close\n\n")).await
    }

    /// Every version and suite that nmap finds, by a TLS of its own.
    pub(crate) async fn nmap(&self, script: &str) -> Said {
        let mut command = Command::new("nmap");
        command.args(["-Pn", "-n", "-p", &self.port(), "--script", script, "127.0.0.1"]);
        run(command, "").await
    }

    /// A Python program; `sys.argv` has port, host name and folder.
    pub(crate) async fn python(&self, program: &str) -> Said {
        let mut command = Command::new("python3");
        command.args(["-c", program, &self.port(), SERVER_NAME]).arg(self.folder.path());
        run(command, "").await
    }

    /// The backend's only entry, once the connection has ended.
    pub(crate) async fn entry(&self) -> BackendSaw {
        timeout(DEADLINE, self.backend.recorded(1)).await.expect("the connection ends");
        let ledger = self.backend.ledger();
        assert_eq!(ledger.len(), 1, "one connection, one entry: {ledger:#?}");
        ledger[0].clone()
    }
}

impl Said {
    /// What curl was told to write at the end: status, HTTP version, connections.
    pub(crate) fn last_line(&self) -> &str {
        self.out.lines().last().unwrap_or_default()
    }

    /// The backend's echo.
    pub(crate) fn echo(&self) -> serde_json::Value {
        let line = self.out.lines().find(|line| line.starts_with('{'));
        serde_json::from_str(line.unwrap_or_else(|| panic!("no echo in {self:?}"))).unwrap()
    }
}

/// Runs a program that reads this.
pub(crate) async fn run(command: Command, input: &str) -> Said {
    run_for(command, input, DEADLINE).await
}

/// The same for one that has more to do.
pub(crate) async fn run_for(mut command: Command, input: &str, limit: Duration) -> Said {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let work = async {
        // A program that has gone already does not read.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        child.wait_with_output().await.unwrap()
    };
    let output = timeout(limit, work).await.expect("the program comes to an end");
    Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
