//! `scan` on the fleet: what it finds from outside is what the catalogue says inside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sslyze;

use std::{sync::Arc, time::Duration};

use rstest::rstest;
use time::OffsetDateTime;
use tls_gauntlet::{
    backend::{Fleet, FleetOptions, SERVER_NAME},
    limits::Limits,
    scan::{
        self, NamedProfile, Roots, ScanRequest,
        record::{AlpnAnswer, NamelessAnswer, TargetRecord, VersionFacts, Word},
    },
};
use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::{
    Cause, DemandTime, FaultAction, Named, Need, Scenario, TlsVersion, catalogue, model,
};

/// A fleet, and a request to scan all of it.
async fn fleet(backends: &[&str]) -> (Fleet, ScanRequest) {
    // The clock is read here alone: certificates have to be valid now.
    #[allow(clippy::disallowed_methods, reason = "tests start where the command line would")]
    let now = OffsetDateTime::now_utc();
    let pki = Arc::new(Pki::new(7, now).unwrap());
    let plan: Vec<_> = backends.iter().map(|name| catalogue().backend(name).unwrap()).collect();
    let fleet = Fleet::start(&plan, &pki, &FleetOptions::default()).await.unwrap();
    let targets = fleet.backends().iter().map(|backend| backend.address().to_string().parse().unwrap());
    let request = ScanRequest {
        targets: targets.collect(),
        server_name: Some(SERVER_NAME.to_owned()),
        path: "/".to_owned(),
        jobs: 8,
        roots: Roots::Own(vec![pki.server_root().clone()]),
        profiles: Vec::new(),
        limits: patient(),
    };
    (fleet, request)
}

/// Deadlines that strike only if something hangs.
fn patient() -> Limits {
    let long = Duration::from_secs(60);
    Limits { scan_connect: long, scan_step: long, scan_target: long, ..Limits::default() }
}

async fn scanned(backend: &str) -> TargetRecord {
    let (_fleet, request) = fleet(&[backend]).await;
    scan::scan(request, |_| {}).await.unwrap().remove(0)
}

fn of(record: &TargetRecord, version: TlsVersion) -> &VersionFacts {
    record.versions.iter().find(|facts| facts.version == version).unwrap()
}

/// What cannot be the same from outside, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("fails-twice-then-heals", "the model walks the first connection, a scan makes many"),
    ("every-third-resets", "the model walks the first connection, a scan makes many"),
    ("certificate-expires-between", "the model walks the first connection, a scan makes many"),
    ("certificate-turns-untrusted", "the model walks the first connection, a scan makes many"),
    ("alpn-unoffered", "what a gateway says to a protocol that it did not offer, no scan can see"),
    ("malformed-der", "to OpenSSL it is untrusted, to other libraries it is malformed"),
    ("name-constraints-kept", "what an authority may issue, a scan does not report"),
    ("wrong-key-usage", "OpenSSL does not look at it while it checks the chain"),
    ("h2-spoken-as-h1", "what is spoken after HTTP/2 has been picked is not looked at"),
    ("ip-san", "the scan asks for the usual name"),
    ("ip-san-with-dns", "the scan asks for the usual name"),
    ("host-must-match-sni", "which host a gateway asks for, no scan can see"),
    ("authority-hints-wrong", "whose certificate a gateway has, no scan can see"),
    ("renegotiates-as-expired", "which certificate comes in a renegotiation, a scan does not report"),
    ("renegotiates-as-other-name", "which certificate comes in a renegotiation, a scan does not report"),
    ("renegotiates-as-untrusted", "which certificate comes in a renegotiation, a scan does not report"),
    ("idn", "the scan asks for the usual name"),
    ("underscore", "the scan asks for the usual name"),
    ("wildcard", "the scan asks for the usual name"),
    ("wildcard-too-deep", "the scan asks for the usual name"),
    ("ml-dsa-65", "TLS 1.2 has no such signature: the scan finds 1.3 alone, the profile says both"),
    ("rsa-8192", "its key takes longer to make than everything else here"),
    ("rsa-4096", "its key takes longer to make than everything else here"),
];

/// The forecast that rests on measured facts alone is the expectation that rests on the profile.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_measured_foretells_what_the_profile_does() {
    let names: Vec<_> = catalogue()
        .backends()
        .filter(|(name, _, _)| !DIFFERENT.iter().any(|(different, _)| different == name))
        // Deadlines have a test of their own.
        .filter(|(_, _, profile)| profile.fault.is_none_or(|fault| fault.does != FaultAction::Stall))
        .map(|(name, _, _)| name)
        .collect();
    let (_fleet, request) = fleet(&names).await;
    let profiles: Vec<NamedProfile> = scan::profiles().unwrap();
    let request = ScanRequest { profiles: profiles.clone(), ..request };
    let records = scan::scan(request, |_| {}).await.unwrap();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (name, record) in names.iter().zip(&records) {
        for (profile, forecast) in profiles.iter().zip(&record.forecasts) {
            let Ok(expected) = model::expect(&scenario(name, profile), &profile.claims) else { continue };
            if forecast.impossible {
                continue;
            }
            compared += 1;
            let inside = (Some(expected.outcome), expected.by, expected.cause);
            // A demand in the handshake is all that the model needs; both name what comes of it.
            let outside = (forecast.outcome, forecast.by, forecast.cause);
            if inside != outside {
                let (gateway, upstream) = (&profile.gateway, &profile.upstream.name);
                wrong.push(format!("{name} behind {gateway} {upstream}: {inside:?}, foretold {outside:?}"));
            }
        }
    }
    assert!(compared > 3000, "{compared}");
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
}

fn scenario(backend: &str, profile: &NamedProfile) -> Scenario {
    let known = catalogue();
    Scenario {
        suite: String::new(),
        client: Named::of("default", known.client("default").unwrap()),
        listener: Named::of("default", known.listener("default").unwrap()),
        upstream: profile.upstream.clone(),
        backend: known.backend(backend).unwrap(),
        why: String::new(),
        source: String::new(),
    }
}

#[rstest]
#[case("plain-good", Word::Works, None)]
#[case("renegotiation-without-cert", Word::Works, None)]
#[case("client-cert-optional", Word::Works, None)]
#[case("client-cert-required", Word::TlsProblem, Some(Cause::ClientCertMissing))]
#[case("tls11-only", Word::TlsProblem, Some(Cause::NoCommonVersion))]
#[case("rc4-only", Word::TlsProblem, Some(Cause::NoCommonCipher))]
#[case("tls12-only+expired-leaf", Word::TlsProblem, Some(Cause::ServerCertExpired))]
#[case("wrong-name", Word::TlsProblem, Some(Cause::ServerCertNameMismatch))]
#[case("sha1-signed-leaf", Word::TlsProblem, Some(Cause::ServerCertWeak))]
#[case("mismatched-key", Word::TlsProblem, Some(Cause::ServerCertMalformed))]
#[case("alerts-in-handshake", Word::TlsProblem, Some(Cause::Aborted))]
#[case("plaintext-http", Word::TlsProblem, Some(Cause::NotTls))]
#[case("resets-on-accept", Word::TlsProblem, Some(Cause::Reset))]
#[case("closes-in-response", Word::TlsProblem, Some(Cause::Truncated))]
#[case("fails-twice-then-heals", Word::Works, None)]
#[case("refuses-connection", Word::Unreachable, None)]
#[tokio::test]
async fn each_ends_in_a_word(#[case] backend: &str, #[case] word: Word, #[case] cause: Option<Cause>) {
    let record = scanned(backend).await;
    assert_eq!((record.word, record.cause), (word, cause), "{record:#?}");
}

#[rstest]
#[case("client-cert-required", DemandTime::Handshake, Need::Required, None)]
#[case("client-cert-optional", DemandTime::Handshake, Need::Optional, None)]
#[case("client-cert-or-403", DemandTime::Handshake, Need::Required, Some(403))]
#[case("renegotiation-required", DemandTime::AfterRequest, Need::Required, None)]
#[case("renegotiation-required-dual", DemandTime::AfterRequest, Need::Required, None)]
#[case("post-handshake-auth-required", DemandTime::AfterRequest, Need::Required, None)]
#[tokio::test]
async fn demands_for_client_certificates(
    #[case] backend: &str,
    #[case] asked: DemandTime,
    #[case] need: Need,
    #[case] status: Option<u16>,
) {
    let record = scanned(backend).await;
    let facts = record.client_certificate.as_ref().unwrap();
    assert_eq!((facts.asked, facts.need, facts.refuses_in_http), (asked, need, status));
    let versions: Vec<_> = record.versions.iter().map(|facts| facts.version).collect();
    assert_eq!(facts.versions, versions, "in every version");
    assert!(facts.authorities.iter().any(|name| name.contains("Gauntlet Client Root")), "{facts:?}");
}

#[tokio::test]
async fn five_hundred_authorities_are_read() {
    let record = scanned("authority-hints-huge").await;
    assert_eq!(record.client_certificate.unwrap().authorities.len(), 501);
}

#[rstest]
#[case("session-ids", Some(true), Some(false), None)]
#[case("tickets", Some(false), Some(true), Some(true))]
#[case("tickets-refused", Some(false), Some(false), Some(false))]
#[case("plain-good", Some(false), Some(false), Some(false))]
#[tokio::test]
async fn resumption(
    #[case] backend: &str,
    #[case] ids: Option<bool>,
    #[case] tickets: Option<bool>,
    #[case] tls13: Option<bool>,
) {
    let record = scanned(backend).await;
    let facts = record.resumption.unwrap();
    assert_eq!((facts.ids, facts.tickets), (ids, tickets), "{facts:?}");
    assert_eq!(facts.tls13, tls13.filter(|_| record.versions.len() > 1), "{facts:?}");
}

#[rstest]
#[case("plain-good", true, Some(false))]
#[case("client-renegotiation-allowed", true, Some(true))]
#[case("client-renegotiation-unsafe", true, Some(true))]
#[case("without-secure-renegotiation", false, Some(false))]
#[tokio::test]
async fn renegotiation(#[case] backend: &str, #[case] secure: bool, #[case] follows: Option<bool>) {
    let facts = scanned(backend).await.renegotiation.unwrap();
    assert_eq!((facts.secure, facts.follows_client), (secure, follows));
}

#[rstest]
#[case("sni-required", Some(NamelessAnswer::Alert))]
#[case("sni-required-closes", Some(NamelessAnswer::Closed))]
#[case("wrong-certificate-without-sni+tls12-only", Some(NamelessAnswer::OtherCertificate))]
#[case("plain-good", Some(NamelessAnswer::Served))]
#[tokio::test]
async fn without_a_server_name(#[case] backend: &str, #[case] answer: Option<NamelessAnswer>) {
    assert_eq!(scanned(backend).await.without_server_name, answer);
}

#[rstest]
#[case("plain-good", AlpnAnswer::Picked, AlpnAnswer::Picked)]
#[case("h1-only", AlpnAnswer::Refused, AlpnAnswer::Picked)]
#[case("alpn-ignored+tls13-only", AlpnAnswer::Ignored, AlpnAnswer::Ignored)]
#[case("h2-only+tls13-only", AlpnAnswer::Picked, AlpnAnswer::Refused)]
#[case("alpn-refused", AlpnAnswer::Refused, AlpnAnswer::Refused)]
#[tokio::test]
async fn application_protocols(#[case] backend: &str, #[case] h2: AlpnAnswer, #[case] h1: AlpnAnswer) {
    let record = scanned(backend).await;
    assert_eq!((record.alpn["h2"], record.alpn["http/1.1"]), (h2, h1));
}

#[tokio::test]
async fn old_versions_suites_groups_and_signatures() {
    let record = scanned("ssl3-to-tls12").await;
    let versions: Vec<_> = record.versions.iter().map(|facts| facts.version).collect();
    assert_eq!(versions, [TlsVersion::Ssl3, TlsVersion::Tls10, TlsVersion::Tls11, TlsVersion::Tls12]);
    assert!(record.versions.iter().all(|facts| facts.status == Some(200)), "{record:#?}");
    let ssl3 = of(&record, TlsVersion::Ssl3);
    assert!(ssl3.ciphers.contains(&"TLS_RSA_WITH_RC4_128_MD5".to_owned()), "{ssl3:?}");
    assert_eq!(ssl3.dh_bits, Some(2048));
    let tls12 = of(&record, TlsVersion::Tls12);
    assert!(tls12.signature_algorithms.as_ref().unwrap().contains(&"rsa_pss_rsae_sha512".to_owned()));

    let record = scanned("plain-good").await;
    let tls12 = of(&record, TlsVersion::Tls12).groups.clone().unwrap();
    assert!(
        ["secp256r1", "x25519", "x448"].iter().all(|name| tls12.contains(&(*name).to_owned())),
        "{tls12:?}"
    );
    let tls13 = of(&record, TlsVersion::Tls13);
    assert!(tls13.groups.as_ref().unwrap().contains(&"X25519MLKEM768".to_owned()));
    assert_eq!(tls13.signature_algorithms.as_ref().unwrap(), &["ecdsa_secp256r1_sha256"]);

    let record = scanned("dhe-only-1024").await;
    assert_eq!(of(&record, TlsVersion::Tls12).dh_bits, Some(1024));
}

#[tokio::test]
async fn a_chain_is_shown_with_everything_that_is_wrong_with_it() {
    let record = scanned("tls12-only+self-signed").await;
    let [chain] = &record.certificates[..] else { panic!("{record:#?}") };
    assert_eq!(chain.problems[0].cause, Cause::ServerCertUntrusted);
    let leaf = &chain.certificates[0];
    assert!(leaf.names.contains(&SERVER_NAME.to_owned()), "{leaf:?}");
    assert_eq!((leaf.key.as_str(), leaf.sha256.len()), ("EC prime256v1", 64));
    assert!(leaf.not_before < leaf.not_after);
    assert_eq!(scanned("chain-10-deep").await.certificates[0].certificates.len(), 10);
}

/// Fifty servers that accept and say nothing, one place to examine in, and one good server at the end: it is done while
/// all others are still waited for.
#[tokio::test]
async fn dead_servers_hold_up_nobody() {
    let mut names = vec!["stalls-on-accept"; 50];
    names.push("plain-good");
    let (_fleet, request) = fleet(&names).await;
    let good = request.targets.last().unwrap().to_string();
    let (tell, mut first) = tokio::sync::mpsc::unbounded_channel();
    let scan = scan::scan(ScanRequest { jobs: 1, ..request }, |record| {
        let _ = tell.send((record.target.clone(), record.word));
    });
    tokio::select! {
        _ = scan => panic!("nobody waits that long"),
        told = first.recv() => assert_eq!(told, Some((good, Word::Works))),
    }
}

#[tokio::test]
async fn a_server_that_goes_silent_is_given_up() {
    let (_fleet, request) = fleet(&["stalls-before-handshake", "stalls-after-server-hello"]).await;
    // Whatever the machine does, this strikes: nothing ever comes.
    let limits = Limits { scan_step: Duration::from_millis(300), ..patient() };
    let records = scan::scan(ScanRequest { limits, ..request }, |_| {}).await.unwrap();
    for record in records {
        assert_eq!((record.word, record.cause), (Word::TlsProblem, Some(Cause::Timeout)), "{record:#?}");
    }
}
