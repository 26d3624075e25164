//! Certificates and authorities that somebody brings, as API Management takes them (M3 to M6, M9 and M12 of `docs/azure.md`), on the
//! embedded gateway and on real ones.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    sync::Arc,
};

use openssl::{
    ssl::{SslConnector, SslMethod, SslStream},
    x509::X509,
};
use rstest::rstest;
use tests::{installed, now};
use tls_gauntlet::{
    backend::{Backend, Fleet, FleetOptions, Held},
    client::{Probe, Target},
    gateway::{GATEWAY_NAME, Gateway, GatewayPlan, Keyring, RunFolder, Running},
    limits::Limits,
    vault::{Agent, Material, Vault},
};
use tls_gauntlet_certs::{ClientCertificate, Identity, PfxEncryption, Pki, ServerCertificate};
use tls_gauntlet_scenarios::{Cause, ClientSaw, catalogue};
use tokio::task;

const AZURE: &str = "azure-apim-classic@2025-08";

/// A gateway in front of one backend, whose keyring can be changed.
struct Stand {
    fleet: Fleet,
    plan: GatewayPlan,
    path: String,
    running: Running,
    probe: Probe,
    _folder: RunFolder,
}

impl Stand {
    async fn set(
        gateway: &str,
        backend: &str,
        pki: Arc<Pki>,
        keyring: impl FnOnce(Keyring) -> Keyring,
    ) -> Self {
        let composed = catalogue().backend(backend).unwrap();
        let fleet = Fleet::start(&[composed], &pki, &FleetOptions::default()).await.unwrap();
        let limits = Limits::default();
        let listeners = vec![("default".to_owned(), catalogue().listener("default").unwrap().clone())];
        let upstreams = vec![("strict".to_owned(), catalogue().upstream("strict").unwrap().clone())];
        let mut plan = GatewayPlan::new(listeners, upstreams, Arc::clone(&pki), limits);
        plan.keyring = keyring(plan.keyring);
        let address = fleet.backends()[0].address();
        let path = plan.add_route("strict", address, limits.patient, limits.patient).path.clone();
        let folder = RunFolder::new().unwrap();
        let running = Gateway::resolve(gateway).unwrap().start(&plan, &folder).await.unwrap();
        let probe = Probe::sound(GATEWAY_NAME, &pki).unwrap();
        Self { fleet, plan, path, running, probe, _folder: folder }
    }

    fn backend(&self) -> &Backend {
        &self.fleet.backends()[0]
    }

    fn target(&self, nonce: &str) -> Target {
        Target {
            address: self.running.listener("default").unwrap(),
            host: GATEWAY_NAME.to_owned(),
            path: format!("{}{nonce}", self.path),
            nonce: nonce.to_owned(),
        }
    }

    async fn get(&self) -> ClientSaw {
        self.probe.get(&self.target("n-0000000000000001")).await
    }
}

fn pki() -> Arc<Pki> {
    Arc::new(Pki::new(1, now()).unwrap())
}

/// What a gateway answers when a backend is not to be had.
fn refusal(gateway: &str) -> u16 {
    match gateway {
        AZURE => 500,
        "haproxy" | "envoy" => 503,
        _ => 502,
    }
}

/// M4: nothing but the certificate itself says that it is good.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_may_be_self_signed(
    #[values(AZURE, "reference", "nginx", "haproxy", "envoy")] gateway: &str,
) {
    if !installed(gateway) {
        return;
    }
    let pki = pki();
    let own = pki.client(ClientCertificate::SelfSigned).unwrap();
    let client = Some(Arc::clone(&own));
    let stand = Stand::set(gateway, "client-cert-required", Arc::clone(&pki), |keyring| Keyring {
        client,
        ..keyring
    })
    .await;
    let refused = stand.get().await;
    assert!([refusal(gateway), 502].contains(&refused.status.unwrap()), "{refused:?}");
    let identity = pki.server(ServerCertificate::Good, &FleetOptions::default().names).unwrap();
    let held = Held { identity, client_roots: vec![own.leaf().clone()] };
    stand.backend().change(&held).await.unwrap();
    assert_eq!(stand.get().await.status, Some(200));
    let seen = stand.backend().recorded(2).await;
    assert_eq!(seen.last().unwrap().client_chain, ["CN=self-signed.client.gauntlet.test"]);
}

/// M5 and M6: an intermediate completes a chain and anchors nothing; without any store, nothing private is reached.
#[rstest]
#[case::both(true, true, true)]
#[case::root_alone(true, false, false)]
#[case::intermediate_alone(false, true, false)]
#[case::none(false, false, false)]
#[tokio::test(flavor = "multi_thread")]
async fn two_stores_of_authorities(
    #[case] root: bool,
    #[case] intermediate: bool,
    #[case] reached: bool,
    #[values(AZURE, "azure-apim-consumption", "reference", "nginx", "haproxy", "envoy")] gateway: &str,
) {
    // Consumption has no store to put them into: `gateway::upload` refuses them.
    if !installed(gateway) || (gateway == "azure-apim-consumption" && (root || intermediate)) {
        return;
    }
    let pki = pki();
    let sound = pki.server(ServerCertificate::Good, &FleetOptions::default().names).unwrap();
    let of = |wanted: bool, certificate: &X509| {
        wanted.then(|| certificate.clone()).into_iter().collect::<Vec<_>>()
    };
    // Some authority has to be there: a gateway without any would not start, or not verify.
    let mut roots = of(root, pki.server_root());
    roots.push(pki.untrusted_root().clone());
    let intermediates = of(intermediate, &sound.chain()[1]);
    let stand = Stand::set(gateway, "missing-intermediate", Arc::clone(&pki), |keyring| Keyring {
        roots,
        intermediates,
        ..keyring
    })
    .await;
    // To BoringSSL, as Envoy sets it up, whatever is trusted is an anchor.
    let is_anchor = gateway == "envoy" && intermediate;
    let azure = gateway.starts_with("azure-");
    let expected = match (reached || is_anchor, azure) {
        (true, _) => 200,
        (false, true) => 500,
        (false, false) => refusal(gateway),
    };
    assert_eq!(stand.get().await.status, Some(expected));
}

/// M3 and M9: a PFX file goes into the store, the agent fetches it, and the backend that trusts nothing else is reached from then
/// on.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_pfx_file_of_the_openssl_command_reaches_the_backend(
    #[values(AZURE, "nginx", "haproxy", "envoy")] gateway: &str,
) {
    if !installed(gateway) || Command::new("openssl").arg("version").output().is_err() {
        return;
    }
    let pki = pki();
    let new = Pki::new(2, now()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let made = new.client(ClientCertificate::Good).unwrap();
    let formats = [tls_gauntlet_certs::Format::Pem];
    tls_gauntlet_certs::write(dir.path(), &made, "client", &formats, "").unwrap();
    let file = |name: &str| dir.path().join(name).display().to_string();
    let (pem, key, pfx) = (file("client.pem"), file("client.key"), file("client.pfx"));
    let export = ["pkcs12", "-export", "-in", &pem, "-inkey", &key, "-out", &pfx, "-passout", "pass:secret"];
    assert!(Command::new("openssl").args(export).status().unwrap().success());

    let mut stand = Stand::set(gateway, "client-cert-required", Arc::clone(&pki), |keyring| keyring).await;
    let identity = pki.server(ServerCertificate::Good, &FleetOptions::default().names).unwrap();
    let held = Held { identity, client_roots: vec![new.client_root().clone()] };
    stand.backend().change(&held).await.unwrap();
    // HAProxy answers 503 or 502, by whether the refusal comes before the request is on its way (RFC 8446 4.4.2.4).
    let answer = stand.get().await;
    assert!([refusal(gateway), 502].contains(&answer.status.unwrap()), "{answer:?}");
    let refused = stand.backend().recorded(1).await.remove(0);
    assert_eq!(
        refused.cause,
        Some(Cause::ClientCertUntrusted),
        "the old certificate is not the one it trusts"
    );

    let vault = Vault::start().await.unwrap();
    let material = Material::read(&std::fs::read(&pfx).unwrap(), "secret").unwrap();
    vault.store().put("client", material);
    let mut agent = Agent::new(vault.address(), "gateway", Limits::default());
    agent.refresh("client").await.unwrap();
    let Some(Material::Identity(fetched)) = agent.held("client") else { panic!("the agent holds nothing") };
    stand.plan.keyring.client = Some(Arc::clone(fetched));
    stand.running.reload(&stand.plan).await.unwrap();
    assert_eq!(stand.get().await.status, Some(200));
}

/// M12: the embedded gateway shows the new certificate on the next request, also of a client that stays connected.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_counts_from_the_next_request_on() {
    let pki = pki();
    let mut stand = Stand::set(AZURE, "client-cert-required", Arc::clone(&pki), |keyring| keyring).await;
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.cert_store_mut().add_cert(pki.server_root().clone()).unwrap();
    let (connector, target) = (connector.build(), stand.target("n-0000000000000001"));
    let tcp = TcpStream::connect(target.address).unwrap();
    let mut kept = task::block_in_place(|| connector.connect(GATEWAY_NAME, tcp)).unwrap();
    let mut shown = || task::block_in_place(|| client_of(&ask(&mut kept, &target.path)));

    assert_eq!(shown(), "CN=good.client.gauntlet.test");
    let pfx = pki.client(ClientCertificate::Rsa).unwrap().pfx("", PfxEncryption::Modern).unwrap();
    stand.plan.keyring.client = Some(Arc::new(Identity::from_pfx(&pfx, "").unwrap()));
    stand.running.reload(&stand.plan).await.unwrap();
    assert_eq!(shown(), "CN=rsa.client.gauntlet.test");
}

/// One request on a connection that stays.
fn ask(kept: &mut SslStream<TcpStream>, path: &str) -> String {
    write!(kept, "GET {path} HTTP/1.1\r\nHost: {GATEWAY_NAME}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}\n") {
        let mut some = [0; 4096];
        let count = kept.read(&mut some).unwrap();
        assert!(count > 0, "the connection ended: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&some[..count]);
    }
    String::from_utf8(answer).unwrap()
}

/// The certificate that the backend was shown, by its echo.
fn client_of(answer: &str) -> String {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["client_certificate"]["subject"].as_str().unwrap().to_owned()
}
