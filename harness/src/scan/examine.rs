//! The examination of a server: from its first answer to the forecasts.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use futures_util::future::{join, join_all};
use openssl::{ssl::cipher_name, x509::X509};
use tls_gauntlet_scenarios::{Alert, Cause, CipherSuite, DemandTime, Need, Phase, TlsVersion};
use tokio::{
    net::lookup_host,
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};

use super::{
    ScanRequest, chain,
    forecast::{self, NamedProfile},
    line::{Line, NoAnswer},
    record::{
        AlpnAnswer, CallFailure, ChainFacts, ClientCertificateFacts, Forecast, NamelessAnswer,
        RenegotiationFacts, ResumptionFacts, TargetRecord, VersionFacts, Word,
    },
    sweep::{self, Swept},
    target::ScanTarget,
    visitor::{Errand, Then, Visit, Visitor},
};
use crate::{
    limits::Limits,
    tls::CannotSetUp,
    wire::{
        names,
        offer::{Offer, extension},
        server_flight::ServerFlight,
    },
};

/// The application protocols that are offered, each alone.
const PROTOCOLS: [&str; 2] = ["h2", "http/1.1"];

/// The clients and settings that all examinations share.
pub(super) struct Examiner {
    visitor: Visitor,
    server_name: Option<String>,
    path: String,
    profiles: Vec<NamedProfile>,
    limits: Limits,
    random: [u8; 32],
}

impl Examiner {
    pub(super) fn new(request: &ScanRequest) -> Result<Self, CannotSetUp> {
        let mut random = [0; 32];
        openssl::rand::rand_bytes(&mut random).map_err(CannotSetUp::because("the scan"))?;
        Ok(Self {
            visitor: Visitor::new(&request.roots)?,
            server_name: request.server_name.clone(),
            path: request.path.clone(),
            profiles: request.profiles.clone(),
            limits: request.limits,
            random,
        })
    }

    /// Everything about one server. It takes one of the places once the server has answered.
    pub(super) async fn examine(&self, target: &ScanTarget, places: &Arc<Semaphore>) -> TargetRecord {
        let mut record = blank(target);
        let server_name = self.server_name.as_deref().or(target.name());
        record.server_name = server_name.map(str::to_owned);
        // One limit for the target; the time in which it waits for its place counts for nothing.
        let (began, budget) = (Instant::now(), self.limits.scan_target);
        let greeted = timeout(budget, self.greet(target, server_name)).await;
        let budget = budget.saturating_sub(began.elapsed());
        let line = match greeted.unwrap_or_else(|_| Err("nothing answered in time".to_owned())) {
            Ok((line, greeting)) => {
                record.address = Some(line.address.to_string());
                record.because = greeting.err().map(|none| none.cause.to_string());
                record.cause = greeting.err().map(|none| none.cause);
                line
            }
            Err(because) => {
                record.because = Some(because);
                return record;
            }
        };
        record.word = Word::TlsProblem;
        if record.cause.is_none_or(|cause| matches!(cause, Cause::Truncated | Cause::Reset)) {
            // Closed only with the scan itself.
            let _place = places.acquire().await;
            let deadline = Instant::now() + budget;
            let host = server_name.unwrap_or(&target.host);
            let examination = Examination { examiner: self, line: &line, server_name, host };
            if timeout_at(deadline, examination.fill(&mut record)).await.is_err() {
                record.word = Word::TlsProblem;
                record.cause = Some(Cause::Timeout);
                record.because = Some("it took too long to find out more".to_owned());
            }
        }
        record.connections = line.connections();
        record.forecasts = self.forecasts(&record);
        record
    }

    fn forecasts(&self, record: &TargetRecord) -> Vec<Forecast> {
        forecast::forecasts(record, &self.profiles)
    }

    /// The first of the server's addresses that answers, and whether what it answers is TLS.
    async fn greet(
        &self,
        target: &ScanTarget,
        server_name: Option<&str>,
    ) -> Result<(Line, Result<(), NoAnswer>), String> {
        let resolved = timeout(self.limits.scan_connect, lookup_host((target.host.as_str(), target.port)));
        let addresses: Vec<SocketAddr> = match resolved.await {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => return Err(format!("cannot resolve {}: {error}", target.host)),
            Err(_) => return Err(format!("no answer to the question for {}'s address", target.host)),
        };
        let mut why = format!("{} has no address", target.host);
        for address in addresses {
            let line = Line::new(address, self.limits, self.random);
            match line.ask(&sweep::everything(server_name)).await {
                Ok(_) => return Ok((line, Ok(()))),
                Err(none) if none.phase == Phase::Connect => why = format!("{address}: {}", none.cause),
                Err(none) => return Ok((line, Err(none))),
            }
        }
        Err(why)
    }
}

fn blank(target: &ScanTarget) -> TargetRecord {
    TargetRecord {
        target: target.to_string(),
        address: None,
        server_name: None,
        word: Word::Unreachable,
        cause: None,
        because: None,
        versions: Vec::new(),
        alpn: BTreeMap::new(),
        certificates: Vec::new(),
        client_certificate: None,
        without_server_name: None,
        renegotiation: None,
        resumption: None,
        forecasts: Vec::new(),
        connections: 0,
        duration_ms: 0,
    }
}

struct Examination<'a> {
    examiner: &'a Examiner,
    line: &'a Line,
    server_name: Option<&'a str>,
    host: &'a str,
}

/// An accepted version.
struct Spoken {
    version: TlsVersion,
    swept: Swept,
    visit: Visit,
}

impl Examination<'_> {
    async fn fill(&self, record: &mut TargetRecord) {
        let sweeps = TlsVersion::ALL.iter().map(|&version| async move {
            (version, sweep::ciphers(self.line, version, self.server_name).await)
        });
        let swept = join_all(sweeps).await;
        let alert = swept.iter().rev().find_map(|(_, swept)| swept.alert);
        let incomplete = swept.iter().rev().find_map(|(_, swept)| swept.incomplete);
        let accepted = swept.into_iter().filter(|(_, swept)| !swept.ciphers.is_empty());
        let request = self.request();
        let visits = accepted.map(|(version, swept)| {
            let errand = Errand { then: Then::Get(&request), ..self.errand(version) };
            async move { Spoken { version, swept, visit: self.visit(&errand).await } }
        });
        let spoken = join_all(visits).await;
        let Some(highest) = spoken.last() else {
            record.cause = incomplete.or(record.cause).or_else(|| Some(self.cause_of(alert?)));
            record.because = Some(match alert {
                Some(alert) => format!("it answers every offer with the alert {alert}"),
                None => "it ends every connection without an answer".to_owned(),
            });
            return;
        };
        let below = spoken.iter().rev().find(|spoken| spoken.version < TlsVersion::Tls13);

        let groups = join_all(spoken.iter().map(|spoken| self.groups(spoken, below)));
        let schemes = join_all(spoken.iter().map(|spoken| self.signature_schemes(spoken)));
        let certificates = self.certificates(&spoken);
        let alpn = self.alpn(highest, below);
        let nameless = self.without_server_name(highest, below);
        let renegotiation = self.renegotiation(below);
        let resumption = self.resumption(highest, below);
        let ((groups, schemes), ((certificates, alpn), (nameless, (renegotiation, resumption)))) = join(
            join(groups, schemes),
            join(join(certificates, alpn), join(nameless, join(renegotiation, resumption))),
        )
        .await;

        record.alpn = alpn;
        record.certificates = certificates;
        record.without_server_name = nameless;
        record.renegotiation = renegotiation;
        record.resumption = Some(resumption);
        record.client_certificate = client_certificate(&spoken);
        (record.word, record.cause, record.because) = judged(&spoken, &record.certificates);
        record.versions = spoken
            .iter()
            .zip(groups.into_iter().zip(schemes))
            .map(|(spoken, (groups, schemes))| facts(spoken, groups, schemes))
            .collect();
    }

    fn errand(&self, version: TlsVersion) -> Errand<'_> {
        Errand {
            version,
            server_name: self.server_name,
            host: self.host,
            cipher: None,
            alpn: None,
            signature_algorithms: None,
            session: None,
            tickets: true,
            then: Then::Nothing,
        }
    }

    /// The meaning of an alert that answers an offer of everything.
    const fn cause_of(&self, alert: Alert) -> Cause {
        match alert {
            Alert::ProtocolVersion | Alert::HandshakeFailure => Cause::NoCommonVersion,
            Alert::UnrecognizedName if self.server_name.is_some() => Cause::SniUnknown,
            Alert::UnrecognizedName => Cause::SniMissing,
            _ => Cause::Aborted,
        }
    }

    fn request(&self) -> String {
        let (path, host) = (&self.examiner.path, self.host);
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        format!("GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: */*\r\nconnection: close\r\n\r\n")
    }

    /// A call; one that ends too early is made again, as in a sweep.
    async fn visit(&self, errand: &Errand<'_>) -> Visit {
        for _ in 0..2 {
            let visit = self.examiner.visitor.visit(self.line, errand).await;
            let is_end = visit
                .failure
                .as_ref()
                .is_some_and(|failure| matches!(failure.cause, Cause::Reset | Cause::Truncated));
            if !is_end {
                return visit;
            }
        }
        self.examiner.visitor.visit(self.line, errand).await
    }

    async fn groups(&self, spoken: &Spoken, below: Option<&Spoken>) -> Option<Vec<u16>> {
        let version = spoken.version;
        let is_asked = version == TlsVersion::Tls13 || below.is_some_and(|below| below.version == version);
        if !is_asked {
            return None;
        }
        sweep::groups(self.line, version, self.server_name, &spoken.swept).await
    }

    async fn signature_schemes(&self, spoken: &Spoken) -> Option<Vec<u16>> {
        match spoken.version {
            TlsVersion::Tls13 => self.schemes_of_tls13(&spoken.visit).await,
            TlsVersion::Tls12 => sweep::signature_schemes(self.line, self.server_name, &spoken.swept).await,
            TlsVersion::Ssl3 | TlsVersion::Tls10 | TlsVersion::Tls11 => None,
        }
    }

    /// In TLS 1.3 the signature is encrypted, so these are whole handshakes; the first has been made already.
    async fn schemes_of_tls13(&self, first: &Visit) -> Option<Vec<u16>> {
        let mut found = vec![first.signature?];
        let mut offered: Vec<u16> = names::signature_schemes().collect();
        loop {
            offered.retain(|code| !found.contains(code));
            let list: Vec<_> =
                offered.iter().map(|code| format!("?{}", names::signature_scheme(*code))).collect();
            let list = list.join(":");
            let errand = Errand { signature_algorithms: Some(&list), ..self.errand(TlsVersion::Tls13) };
            let scheme = self.visit(&errand).await.signature.filter(|scheme| offered.contains(scheme));
            let Some(scheme) = scheme else { return Some(found) };
            found.push(scheme);
        }
    }

    /// The chain of each call, and those that only some suites of an old version bring to light.
    async fn certificates(&self, spoken: &[Spoken]) -> Vec<ChainFacts> {
        let mut leaves: Vec<Vec<u8>> = Vec::new();
        let mut chains = Vec::new();
        for visit in spoken.iter().rev().map(|spoken| &spoken.visit) {
            note_chain(visit, &mut leaves, &mut chains);
        }
        for Spoken { version, swept, visit } in spoken.iter().rev() {
            for (leaf, suite) in &swept.leaves {
                if leaves.contains(leaf) {
                    continue;
                }
                if !visit.is_silent() {
                    let cipher = cipher_name(&names::cipher(*suite));
                    let visit = self.visit(&Errand { cipher: Some(cipher), ..self.errand(*version) }).await;
                    note_chain(&visit, &mut leaves, &mut chains);
                }
                if !leaves.contains(leaf) {
                    // A leaf without a suite that OpenSSL can call with is shown as it came.
                    leaves.push(leaf.clone());
                    chains.extend(X509::from_der(leaf).ok().map(|leaf| chain::facts(&[leaf], &[])));
                }
            }
        }
        chains
    }

    async fn alpn(&self, highest: &Spoken, below: Option<&Spoken>) -> BTreeMap<String, AlpnAnswer> {
        let answers = PROTOCOLS.map(|protocol| async move {
            let answer = match below {
                Some(below) if below.version > TlsVersion::Ssl3 => {
                    self.alpn_in_the_clear(below, protocol).await
                }
                _ if highest.visit.is_silent() => None,
                _ => self.alpn_under_encryption(highest, protocol).await,
            };
            Some((protocol.to_owned(), answer?))
        });
        join_all(answers).await.into_iter().flatten().collect()
    }

    async fn alpn_in_the_clear(&self, spoken: &Spoken, protocol: &str) -> Option<AlpnAnswer> {
        let mut offer = self.offer(spoken, self.server_name);
        offer.alpn = vec![protocol.as_bytes().to_vec()];
        offer.extensions.push(extension::ALPN);
        match self.line.ask(&offer).await {
            Ok(ServerFlight { hello: Some(hello), .. }) => Some(match hello.alpn {
                Some(picked) if picked == protocol => AlpnAnswer::Picked,
                _ => AlpnAnswer::Ignored,
            }),
            Ok(_) => Some(AlpnAnswer::Refused),
            Err(none) => none.is_end().then_some(AlpnAnswer::Refused),
        }
    }

    async fn alpn_under_encryption(&self, spoken: &Spoken, protocol: &str) -> Option<AlpnAnswer> {
        let visit = self.visit(&Errand { alpn: Some(protocol), ..self.errand(spoken.version) }).await;
        match (visit.alpn, visit.failure) {
            (Some(picked), _) if picked == protocol => Some(AlpnAnswer::Picked),
            (_, None) => Some(AlpnAnswer::Ignored),
            (_, Some(failure)) if failure.cause == Cause::AlpnMismatch => Some(AlpnAnswer::Refused),
            (_, Some(_)) => None,
        }
    }

    /// An offer that this version has been found to take.
    fn offer(&self, spoken: &Spoken, server_name: Option<&str>) -> Offer {
        Offer { ciphers: spoken.swept.ciphers.clone(), ..sweep::of_version(spoken.version, server_name) }
    }

    async fn without_server_name(&self, highest: &Spoken, below: Option<&Spoken>) -> Option<NamelessAnswer> {
        self.server_name?;
        let Some(spoken) = below else { return self.nameless_visit(highest).await };
        match self.line.ask(&self.offer(spoken, None)).await {
            Ok(ServerFlight { hello: Some(_), certificates, .. }) => {
                let with = spoken.swept.leaves.first().map(|(leaf, _)| leaf);
                let is_same = certificates.first().is_none_or(|leaf| Some(leaf) == with);
                Some(if is_same { NamelessAnswer::Served } else { NamelessAnswer::OtherCertificate })
            }
            Ok(_) => Some(NamelessAnswer::Alert),
            Err(none) => none.is_end().then_some(NamelessAnswer::Closed),
        }
    }

    /// The answer to a client without a server name, where the certificate is encrypted.
    async fn nameless_visit(&self, spoken: &Spoken) -> Option<NamelessAnswer> {
        let with = spoken.visit.chain.first()?.to_der().ok()?;
        let visit = self.visit(&Errand { server_name: None, ..self.errand(spoken.version) }).await;
        if let Some(leaf) = visit.chain.first() {
            let is_same = leaf.to_der().is_ok_and(|leaf| leaf == with);
            return Some(if is_same { NamelessAnswer::Served } else { NamelessAnswer::OtherCertificate });
        }
        let failure = visit.failure?;
        match failure.cause {
            Cause::Reset | Cause::Truncated => Some(NamelessAnswer::Closed),
            _ => failure.handshake.alert_received.map(|_| NamelessAnswer::Alert),
        }
    }

    async fn renegotiation(&self, below: Option<&Spoken>) -> Option<RenegotiationFacts> {
        let spoken = below?;
        let secure = spoken.swept.renegotiates_securely;
        // A renegotiation that asks for a certificate is told of there.
        let begins = spoken.visit.handshakes > 1 && spoken.visit.asked.is_none();
        // SSL 3.0 has no alert with which to refuse: a server that does not follow says nothing.
        if spoken.visit.is_silent() || spoken.version == TlsVersion::Ssl3 {
            return Some(RenegotiationFacts { secure, begins, follows_client: None });
        }
        let errand = Errand { then: Then::Renegotiate, ..self.errand(spoken.version) };
        let visit = self.visit(&errand).await;
        let follows_client = (visit.handshakes > 0).then_some(visit.handshakes > 1);
        Some(RenegotiationFacts { secure, begins, follows_client })
    }

    async fn resumption(&self, highest: &Spoken, below: Option<&Spoken>) -> ResumptionFacts {
        let tls13 = (highest.version == TlsVersion::Tls13).then_some(highest);
        let (tls13, tickets) = join(self.resumes_ticket(tls13), self.resumes_ticket(below)).await;
        ResumptionFacts { ids: self.resumes_id(below).await, tickets, tls13 }
    }

    async fn resumes_ticket(&self, spoken: Option<&Spoken>) -> Option<bool> {
        let Spoken { version, visit, .. } = spoken?;
        let is_known = visit.handshakes > 0;
        let Some(session) = visit.session.as_ref().filter(|_| visit.has_ticket) else {
            return is_known.then_some(false);
        };
        Some(self.visit(&Errand { session: Some(session), ..self.errand(*version) }).await.is_resumed)
    }

    async fn resumes_id(&self, spoken: Option<&Spoken>) -> Option<bool> {
        let Spoken { version, swept, visit } = spoken?;
        if visit.is_silent() {
            return None;
        }
        if !swept.has_session_ids {
            return (visit.handshakes > 0).then_some(false);
        }
        // A session counts from the end of the handshake on, which an answer proves.
        let request = self.request();
        let errand = Errand { tickets: false, then: Then::Get(&request), ..self.errand(*version) };
        let first = self.visit(&errand).await;
        let session = first.session.as_ref().filter(|_| first.handshakes > 0)?;
        Some(self.visit(&Errand { session: Some(session), ..errand }).await.is_resumed)
    }
}

fn note_chain(visit: &Visit, leaves: &mut Vec<Vec<u8>>, chains: &mut Vec<ChainFacts>) {
    let Some(leaf) = visit.chain.first().and_then(|leaf| leaf.to_der().ok()) else { return };
    if !leaves.contains(&leaf) {
        leaves.push(leaf);
        chains.push(chain::facts(&visit.chain, &visit.problems));
    }
}

fn facts(spoken: &Spoken, groups: Option<Vec<u16>>, schemes: Option<Vec<u16>>) -> VersionFacts {
    let Spoken { version, swept, visit } = spoken;
    let named = |codes: Vec<u16>, name: fn(u16) -> String| codes.into_iter().map(name).collect();
    VersionFacts {
        version: *version,
        ciphers: named(swept.ciphers.clone(), names::cipher),
        groups: groups.map(|codes| named(codes, names::group)),
        signature_algorithms: schemes.map(|codes| named(codes, names::signature_scheme)),
        dh_bits: swept.smallest_prime,
        status: visit.status,
        failure: visit.failure.as_ref().map(|failure| CallFailure {
            phase: failure.phase,
            cause: failure.cause,
            alert: failure.handshake.alert_received,
            error: failure.error.clone(),
        }),
        incomplete: swept.incomplete,
    }
}

/// The server's demand for a client certificate in the highest version that has one.
fn client_certificate(spoken: &[Spoken]) -> Option<ClientCertificateFacts> {
    let asking: Vec<_> = spoken.iter().filter(|spoken| spoken.visit.asked.is_some()).collect();
    // A demand that comes late is the harder one to meet.
    let late = |spoken: &&&Spoken| spoken.visit.asked == Some(DemandTime::AfterRequest);
    let telling = asking.iter().rev().find(late).or(asking.last())?;
    let refusal = |visit: &Visit| visit.status.filter(|status| matches!(status, 400 | 401 | 403));
    let is_refused = |visit: &Visit| {
        let cause = visit.failure.as_ref().map(|failure| failure.cause);
        cause == Some(Cause::ClientCertMissing) || refusal(visit).is_some()
    };
    let authorities = asking.iter().rev().map(|spoken| &spoken.visit.authorities);
    let authorities = authorities.max_by_key(|authorities| authorities.len())?;
    Some(ClientCertificateFacts {
        asked: telling.visit.asked?,
        need: if is_refused(&telling.visit) { Need::Required } else { Need::Optional },
        refuses_in_http: refusal(&telling.visit),
        versions: asking.iter().map(|spoken| spoken.version).collect(),
        authorities: authorities.clone(),
    })
}

/// The judgement of a current client without a certificate.
fn judged(spoken: &[Spoken], certificates: &[ChainFacts]) -> (Word, Option<Cause>, Option<String>) {
    let problem = |cause, because: String| (Word::TlsProblem, Some(cause), Some(because));
    let Some(spoken) = spoken.last().filter(|spoken| spoken.version >= TlsVersion::Tls12) else {
        return problem(Cause::NoCommonVersion, "it speaks nothing above TLS 1.1".to_owned());
    };
    let is_current = |code: &u16| names::cipher(*code).parse().is_ok_and(CipherSuite::is_openssl_default);
    if !spoken.swept.ciphers.iter().any(is_current) {
        return problem(
            Cause::NoCommonCipher,
            "it has no cipher suite that current clients offer".to_owned(),
        );
    }
    let flaw = certificates.first().and_then(|chain| chain.problems.first());
    let failure = spoken.visit.failure.as_ref();
    if let Some(flaw) = flaw {
        return problem(flaw.cause, flaw.text.clone());
    }
    match failure {
        Some(failure) => problem(failure.cause, failure.error.clone()),
        None => (Word::Works, None, None),
    }
}
