//! The side that clients meet: what the listener accepts, and which flawed client certificates it lets in.

use std::sync::Arc;

use tls_gauntlet_certs::Pki;
use tls_gauntlet_scenarios::{
    ClientCertificate, Need, TlsVersion,
    policy::{Finding, Level},
    posture::Line,
};

use super::caller::{CallSettings, Caller};
use crate::{
    limits::Limits,
    scan::{
        Roots, ScanRequest, ScanTarget,
        record::{TargetRecord, Word},
        scan,
    },
    tls::CannotSetUp,
    wire::nonce::Nonce,
};

/// What is known of a listener.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) lines: Vec<Line>,
    pub(super) findings: Vec<Finding>,
}

/// Certificates that no client should get in with, whoever trusts the authority of the sound one.
const FLAWED: &[(ClientCertificate, Level, &str, &str)] = &[
    (ClientCertificate::Untrusted, Level::Must, "of an authority that is not trusted", "RFC 5280 6.1"),
    (ClientCertificate::SelfSigned, Level::Must, "issued by itself", "RFC 5280 6.1"),
    (ClientCertificate::Expired, Level::Must, "that has ended", "RFC 5280 6.1.3 (a)(2)"),
    (ClientCertificate::NotYetValid, Level::Must, "that is not valid yet", "RFC 5280 6.1.3 (a)(2)"),
    (ClientCertificate::WrongExtendedKeyUsage, Level::Must, "that is for servers", "RFC 5280 4.2.1.12"),
    (ClientCertificate::Revoked, Level::Should, "that was revoked", "RFC 9325 7.5"),
    (ClientCertificate::Weak, Level::Should, "with a short key", "RFC 9325 4.5"),
];

/// Looks at the listener of a URL, without and, where there are authorities for it, with client certificates.
pub(super) async fn look(call: &CallSettings, clients: Option<&Arc<Pki>>) -> Result<Facts, CannotSetUp> {
    if !call.is_tls() {
        let line = Line { topic: "clients".to_owned(), says: "speaks HTTP without TLS".to_owned() };
        return Ok(Facts { lines: vec![line], findings: Vec::new() });
    }
    let request = ScanRequest {
        targets: vec![ScanTarget { host: call.address.ip().to_string(), port: call.address.port() }],
        server_name: Some(call.name()).filter(|name| name.parse::<std::net::IpAddr>().is_err()),
        path: call.url.path().to_owned(),
        jobs: 1,
        roots: if call.roots.is_empty() { Roots::System } else { Roots::Own(call.roots.clone()) },
        profiles: Vec::new(),
        limits: Limits::default(),
    };
    let mut facts = Facts::default();
    let Some(target) = scan(request, |_| {}).await?.into_iter().next() else { return Ok(facts) };
    facts.read(&target, call.insecure);
    if let (Some(clients), Some(_)) = (clients, &target.client_certificate) {
        facts.call_as_flawed_clients(call, clients).await?;
    }
    Ok(facts)
}

impl Facts {
    fn say(&mut self, topic: &str, says: String) {
        self.lines.push(Line { topic: topic.to_owned(), says });
    }

    fn find(&mut self, rule: &str, (level, clause): (Level, &str), says: &str, seen: String) {
        self.findings.push(Finding {
            rule: rule.to_owned(),
            level,
            says: says.to_owned(),
            clause: clause.to_owned(),
            behaviours: Vec::new(),
            kept: Vec::new(),
            seen,
            set: Vec::new(),
            stands: None,
            excepted: None,
        });
    }

    fn read(&mut self, target: &TargetRecord, is_insecure: bool) {
        if target.word == Word::Unreachable {
            let because = target.because.clone().unwrap_or_default();
            self.say("clients", format!("cannot be looked at: {because}"));
            return;
        }
        self.read_versions(target);
        if let Some(leaf) = target.certificates.first().and_then(|chain| chain.certificates.first()) {
            let subject = if leaf.subject.is_empty() { "no subject" } else { &leaf.subject };
            let until = leaf.not_after.date();
            self.say(
                "certificate",
                format!("{subject} ({}; until {until}; issued by {})", leaf.key, leaf.issuer),
            );
        }
        let problem = target.certificates.first().and_then(|chain| chain.problems.first());
        if let Some(problem) = problem.filter(|_| !is_insecure) {
            let seen = format!("{} at depth {}", problem.text, problem.depth);
            let says = "shows clients a certificate that they refuse";
            self.find("listener-certificate", (Level::Must, "RFC 5280 6.1"), says, seen);
        }
        self.say("asks of clients", asks(target));
    }

    fn read_versions(&mut self, target: &TargetRecord) {
        let words = |versions: &[TlsVersion]| {
            versions.iter().map(|version| version.as_str()).collect::<Vec<_>>().join(", ")
        };
        let versions: Vec<TlsVersion> = target.versions.iter().map(|facts| facts.version).collect();
        let suites: usize = target.versions.iter().map(|facts| facts.ciphers.len()).sum();
        self.say("accepts", format!("{}; {suites} cipher suites in all", words(&versions)));
        let old: Vec<TlsVersion> =
            versions.into_iter().filter(|version| *version < TlsVersion::Tls12).collect();
        if !old.is_empty() {
            let says = "speaks versions of TLS with clients that must not be used";
            self.find("listener-versions", (Level::Must, "RFC 8996, RFC 7568"), says, words(&old));
        }
        let is_broken = |name: &&String| ["_NULL_", "_anon_", "_RC4_"].iter().any(|word| name.contains(word));
        let is_weak = |name: &&String| name.contains("_3DES_") || name.starts_with("TLS_RSA_");
        let such = |is: &dyn Fn(&&String) -> bool| -> Vec<String> {
            let mut found: Vec<String> =
                target.versions.iter().flat_map(|facts| &facts.ciphers).filter(is).cloned().collect();
            found.sort();
            found.dedup();
            found
        };
        let (broken, weak) = (such(&is_broken), such(&|name| is_weak(name) && !is_broken(name)));
        if !broken.is_empty() {
            let says =
                "takes cipher suites of clients without encryption, without authentication, or with RC4";
            self.find("listener-broken-suites", (Level::Must, "RFC 9325 4.1"), says, broken.join(", "));
        }
        if !weak.is_empty() {
            let says = "takes cipher suites of clients without forward secrecy, or with 3DES";
            self.find("listener-weak-suites", (Level::Should, "RFC 9325 4.1"), says, weak.join(", "));
        }
    }

    /// Calls once with each flawed certificate, and with a sound one, without which nothing is said.
    async fn call_as_flawed_clients(
        &mut self,
        call: &CallSettings,
        clients: &Pki,
    ) -> Result<(), CannotSetUp> {
        if !gets_in(call, clients, ClientCertificate::Good).await? {
            let says =
                "a sound certificate of --client-issuer is refused: the gateway trusts another authority";
            self.say("client certificates", says.to_owned());
            return Ok(());
        }
        let mut refused = 0;
        for (certificate, level, which, clause) in FLAWED {
            if gets_in(call, clients, *certificate).await? {
                let says = format!("lets clients in with a certificate {which}");
                let seen = format!("the request came through with client-{certificate}");
                self.find("listener-clients", (*level, clause), &says, seen);
            } else {
                refused += 1;
            }
        }
        let says = format!("a sound one gets in, {refused} of {} flawed ones do not", FLAWED.len());
        self.say("client certificates", says);
        Ok(())
    }
}

async fn gets_in(
    call: &CallSettings,
    clients: &Pki,
    certificate: ClientCertificate,
) -> Result<bool, CannotSetUp> {
    let identity = clients.client(certificate).map_err(CannotSetUp::because("the client certificate"))?;
    let caller =
        Caller::new(CallSettings { identity: Some(identity), ..call.clone() }, Limits::default().scan_step)?;
    Ok(caller.call(Nonce(0)).await.saw.sees_success())
}

fn asks(target: &TargetRecord) -> String {
    let Some(facts) = &target.client_certificate else { return "no certificate".to_owned() };
    let need = match facts.need {
        Need::Required => "a certificate",
        Need::Optional => "a certificate, and goes on without one",
    };
    let authorities = match &facts.authorities[..] {
        [] => "no authority named".to_owned(),
        [one] => format!("of {one}"),
        [first, rest @ ..] => format!("of {first} or {} others", rest.len()),
    };
    format!("{need} ({authorities}; asked {})", facts.asked)
}
