//! How a gateway would fare with a server: what was measured becomes the profile of a backend, and the model says the
//! rest.

use tls_gauntlet_scenarios::{
    ApplicationProtocols, AuthorityHints, BackendProfile, Cause, CipherSuite, Claims, ClientCertificate,
    ClientRenegotiation, Composed, Demand, DhParameters, Fault, FaultAction, FaultPhase, Group, HttpRefusal,
    Named, Phase, Renegotiation, Scenario, ServerCertificate, ServerNamePolicy, TlsVersion, UpstreamProfile,
    Versions, catalogue, model,
};

use super::record::{
    AlpnAnswer, CertificateFacts, ChainFacts, ClientCertificateFacts, Forecast, NamelessAnswer, TargetRecord,
};
use crate::gateway::{DIRECT, Gateway, GatewayError};

/// A gateway, set up in one way.
#[derive(Debug, Clone)]
pub struct NamedProfile {
    /// The gateway.
    pub gateway: String,
    /// What it claims.
    pub claims: Claims,
    /// How it connects to its backend.
    pub upstream: Named<UpstreamProfile>,
    /// Why it cannot be set up like that, if it cannot.
    pub impossible: Option<String>,
}

/// Every shipped gateway in the newest version that is known, set up in every way in which one is set up on purpose. No program is
/// started for it.
///
/// # Errors
/// [`GatewayError`] if a shipped folder cannot be read.
pub fn profiles() -> Result<Vec<NamedProfile>, GatewayError> {
    let mut profiles = Vec::new();
    for name in Gateway::names().into_iter().filter(|name| *name != DIRECT) {
        let gateway = Gateway::describe(name)?;
        for (upstream, profile) in catalogue().upstreams().filter(|(_, profile)| is_meant_well(profile)) {
            profiles.push(NamedProfile {
                gateway: name.to_owned(),
                claims: gateway.claims().clone(),
                upstream: Named::of(upstream, profile),
                impossible: gateway.impossible("default", upstream, "").map(str::to_owned),
            });
        }
    }
    Ok(profiles)
}

/// Whether an operator may want it like that, and a scan can tell: with a client certificate, if any, that the backend accepts,
/// asking for the name that was scanned, looking at no list and asking no responder, and not depending on what went
/// before.
fn is_meant_well(profile: &UpstreamProfile) -> bool {
    profile.client_certificate.is_none_or(|certificate| certificate == ClientCertificate::Good)
        && profile.server_name.is_none()
        && profile.revocation.is_none()
        && profile.after.is_none()
}

/// How each of these gateways would fare.
pub(super) fn forecasts(target: &TargetRecord, profiles: &[NamedProfile]) -> Vec<Forecast> {
    let usual = Composed { name: target.target.clone(), profile: as_backend(target) };
    profiles.iter().map(|profile| forecast(&met_by(profile, target, &usual), profile)).collect()
}

/// The server as this gateway meets it: to one that is choosy itself, it matters what exactly the server has.
fn met_by(profile: &NamedProfile, target: &TargetRecord, usual: &Composed) -> Composed {
    let mut met = usual.clone();
    let upstream = &profile.upstream.profile;
    // The suites offered in TLS 1.3 are the gateway's own choice, and it has to claim something about them.
    let version = met.profile.versions.as_ref().and_then(|versions| versions.negotiate(&upstream.versions));
    let is_claimed = profile.claims.upstream_ciphers.is_some();
    if upstream.ciphers.is_some() && (is_claimed || version < Some(TlsVersion::Tls13)) {
        met.profile.ciphers = ciphers(target);
    }
    if upstream.groups.is_some() || profile.claims.upstream_groups.is_some() {
        met.profile.groups = groups(target);
    }
    met
}

fn forecast(backend: &Composed, profile: &NamedProfile) -> Forecast {
    let blank = Forecast {
        gateway: profile.gateway.clone(),
        upstream: profile.upstream.name.clone(),
        impossible: profile.impossible.is_some(),
        outcome: None,
        by: None,
        cause: None,
        statuses: Vec::new(),
        because: String::new(),
    };
    if let Some(because) = &profile.impossible {
        return Forecast { because: because.clone(), ..blank };
    }
    let known = catalogue();
    let (Ok(client), Ok(listener)) = (known.client("default"), known.listener("default")) else {
        return Forecast { because: "the catalogue has no default client or listener".to_owned(), ..blank };
    };
    let scenario = Scenario {
        suite: "scan".to_owned(),
        client: Named::of("default", client),
        listener: Named::of("default", listener),
        upstream: profile.upstream.clone(),
        backend: backend.clone(),
        why: String::new(),
        source: String::new(),
    };
    match model::expect(&scenario, &profile.claims) {
        Ok(expected) => Forecast {
            outcome: Some(expected.outcome),
            by: expected.by,
            cause: expected.cause,
            statuses: expected.statuses,
            because: expected.steps.last().cloned().unwrap_or_default(),
            ..blank
        },
        Err(unclaimed) => Forecast { because: unclaimed.to_string(), ..blank },
    }
}

/// The measured server as the backend that the model knows. Parts in which it is like most servers stay absent, so
/// that a gateway need not make any claim about them.
fn as_backend(target: &TargetRecord) -> BackendProfile {
    let versions: Vec<_> = target.versions.iter().map(|facts| facts.version).collect();
    let demand = target.client_certificate.as_ref();
    BackendProfile {
        summary: format!("{}, as it was measured.", target.target),
        clause: String::new(),
        versions: (!versions.is_empty()).then(|| Versions::of(&versions)),
        ciphers: particular_ciphers(target),
        groups: particular_groups(target),
        accepts: None,
        dh_parameters: weak_parameters(target),
        certificate: certificate(target),
        client_certificate: demand.map(|demand| Demand { asked: demand.asked, need: demand.need }),
        renegotiates_as: None,
        authority_hints: demand.filter(|demand| demand.authorities.is_empty()).map(|_| AuthorityHints::Empty),
        refuses_in_http: demand.and_then(http_refusal),
        renegotiation: target.renegotiation.filter(|facts| facts.begins).map(|_| Renegotiation::AfterRequest),
        client_renegotiation: target
            .renegotiation
            .filter(|facts| !facts.secure)
            .map(|_| ClientRenegotiation::NotIndicated),
        // A single look at a server does not show these.
        renewal: None,
        refuses_in_tls: None,
        late_for: None,
        early_data: None,
        staple: None,
        status_fault: None,
        key_update: None,
        records: None,
        sessions: None,
        server_name: match target.without_server_name {
            Some(NamelessAnswer::Alert) => Some(ServerNamePolicy::Required),
            Some(NamelessAnswer::Closed) => Some(ServerNamePolicy::RequiredCloses),
            Some(NamelessAnswer::OtherCertificate) => Some(ServerNamePolicy::WrongCertificateWithout),
            Some(NamelessAnswer::Served) | None => None,
        },
        application_protocols: application_protocols(target),
        fault: fault(target),
        fault_on: None,
    }
}

/// Whether every current client has such a suite for this version.
fn is_common(version: TlsVersion, cipher: &str) -> bool {
    match version {
        TlsVersion::Tls13 => {
            matches!(cipher, "TLS_AES_128_GCM_SHA256" | "TLS_AES_256_GCM_SHA384")
        }
        TlsVersion::Tls12 => {
            cipher.starts_with("TLS_ECDHE_")
                && (cipher.ends_with("_AES_128_GCM_SHA256") || cipher.ends_with("_AES_256_GCM_SHA384"))
        }
        TlsVersion::Tls11 | TlsVersion::Tls10 => {
            cipher.starts_with("TLS_ECDHE_") && cipher.contains("_AES_") && cipher.ends_with("_CBC_SHA")
        }
        TlsVersion::Ssl3 => cipher.contains("_AES_") && cipher.ends_with("_CBC_SHA"),
    }
}

/// The suites, if it insists on some that not every client has.
fn particular_ciphers(target: &TargetRecord) -> Option<Vec<CipherSuite>> {
    let is_particular = target
        .versions
        .iter()
        .any(|facts| !facts.ciphers.iter().any(|cipher| is_common(facts.version, cipher)));
    if is_particular { ciphers(target) } else { None }
}

/// All suites that the model has a name for.
fn ciphers(target: &TargetRecord) -> Option<Vec<CipherSuite>> {
    let all = target.versions.iter().flat_map(|facts| &facts.ciphers);
    let mut known: Vec<CipherSuite> = all.filter_map(|name| name.parse().ok()).collect();
    known.sort_unstable();
    known.dedup();
    (!known.is_empty()).then_some(known)
}

fn particular_groups(target: &TargetRecord) -> Option<Vec<Group>> {
    const COMMON: [&str; 3] = ["x25519", "secp256r1", "secp384r1"];
    let asked: Vec<_> = target.versions.iter().filter_map(|facts| facts.groups.as_ref()).collect();
    let is_particular = asked
        .iter()
        .any(|groups| !groups.is_empty() && !groups.iter().any(|group| COMMON.contains(&group.as_str())));
    if is_particular { groups(target) } else { None }
}

/// All groups that the model has a name for.
fn groups(target: &TargetRecord) -> Option<Vec<Group>> {
    let asked = target.versions.iter().filter_map(|facts| facts.groups.as_ref());
    let mut known: Vec<Group> = asked.flatten().filter_map(|name| name.parse().ok()).collect();
    known.sort_unstable();
    known.dedup();
    (!known.is_empty()).then_some(known)
}

/// Only where there is nothing but finite fields.
fn weak_parameters(target: &TargetRecord) -> Option<DhParameters> {
    let only_dhe = |cipher: &String| cipher.starts_with("TLS_DHE_");
    let is_weak = target
        .versions
        .iter()
        .any(|facts| facts.dh_bits.is_some_and(|bits| bits <= 1024) && facts.ciphers.iter().all(only_dhe));
    is_weak.then_some(DhParameters::Bits1024)
}

/// A certificate of the catalogue that is refused for the same reason.
fn certificate(target: &TargetRecord) -> Option<ServerCertificate> {
    let failures = target.versions.iter().filter_map(|facts| facts.failure.as_ref());
    if failures.clone().any(|failure| failure.cause == Cause::ServerCertMalformed) {
        return Some(ServerCertificate::MismatchedKey);
    }
    let chain = target.certificates.first()?;
    let Some(worst) = chain.problems.first() else { return peculiar(chain.certificates.first()?) };
    Some(match worst.cause {
        Cause::ServerCertExpired if worst.depth > 0 => ServerCertificate::ExpiredIntermediate,
        Cause::ServerCertExpired => ServerCertificate::Expired,
        Cause::ServerCertNotYetValid => ServerCertificate::NotYetValid,
        Cause::ServerCertNameMismatch => ServerCertificate::WrongName,
        Cause::ServerCertWrongUsage => ServerCertificate::WrongExtendedKeyUsage,
        Cause::ServerCertWeak if is_md5(chain) => ServerCertificate::Md5SignedLeaf,
        Cause::ServerCertWeak if has_short_key(chain) => ServerCertificate::Rsa1024,
        Cause::ServerCertWeak => ServerCertificate::Sha1SignedLeaf,
        Cause::ServerCertMalformed => ServerCertificate::TamperedSignature,
        _ => ServerCertificate::UntrustedRoot,
    })
}

fn is_md5(chain: &ChainFacts) -> bool {
    chain.certificates.first().is_some_and(|leaf| leaf.signature.to_ascii_lowercase().starts_with("md5"))
}

fn has_short_key(chain: &ChainFacts) -> bool {
    chain.certificates.first().is_some_and(|leaf| leaf.key == "RSA 1024")
}

/// A leaf that OpenSSL holds nothing against, and other libraries may.
fn peculiar(leaf: &CertificateFacts) -> Option<ServerCertificate> {
    // More names than this take more room than most libraries read.
    const MOST_NAMES: usize = 3_000;
    let keys = [
        ("Ed25519", ServerCertificate::Ed25519),
        ("Ed448", ServerCertificate::Ed448),
        ("RSA-PSS", ServerCertificate::RsaPss),
        ("EC secp521r1", ServerCertificate::P521),
    ];
    match leaf.names.len() {
        0 => Some(ServerCertificate::CnOnly),
        MOST_NAMES.. => Some(ServerCertificate::TenThousandNames),
        _ => keys.into_iter().find(|(key, _)| leaf.key.starts_with(key)).map(|(_, word)| word),
    }
}

/// The nearest that the model knows.
const fn http_refusal(demand: &ClientCertificateFacts) -> Option<HttpRefusal> {
    match demand.refuses_in_http {
        Some(400) => Some(HttpRefusal::BadRequest),
        Some(_) => Some(HttpRefusal::Forbidden),
        None => None,
    }
}

fn application_protocols(target: &TargetRecord) -> Option<ApplicationProtocols> {
    let answer = |name| target.alpn.get(name).copied();
    if target.versions.iter().any(|facts| facts.status.is_some()) && answer("h2") == Some(AlpnAnswer::Picked)
    {
        // It speaks HTTP/1.1 with those who ask for nothing.
        return None;
    }
    match (answer("h2"), answer("http/1.1")) {
        (Some(AlpnAnswer::Picked), Some(AlpnAnswer::Refused)) => Some(ApplicationProtocols::H2Only),
        (Some(AlpnAnswer::Refused), Some(AlpnAnswer::Refused)) => Some(ApplicationProtocols::Refused),
        _ => None,
    }
}

/// The fault that kept every call from coming through, whatever was offered.
fn fault(target: &TargetRecord) -> Option<Fault> {
    let calls = &target.versions;
    if calls.iter().any(|facts| facts.failure.is_none()) {
        return None;
    }
    let (at, cause) = match calls.last().and_then(|facts| Some((facts, facts.failure.as_ref()?))) {
        Some((_, failure)) if failure.phase == Phase::Handshake => (FaultPhase::ServerHello, failure.cause),
        Some((facts, failure)) if facts.status.is_some() => (FaultPhase::Body, failure.cause),
        Some((_, failure)) => (FaultPhase::Request, failure.cause),
        None => (FaultPhase::ClientHello, target.cause?),
    };
    let has_alert =
        calls.last().and_then(|facts| facts.failure.as_ref()).is_some_and(|failure| failure.alert.is_some());
    let does = match cause {
        Cause::Unexplained if has_alert => FaultAction::Alert,
        Cause::ConnectionRefused => {
            return Some(Fault { at: FaultPhase::Accept, does: FaultAction::RefuseConnection });
        }
        Cause::NotTls | Cause::Unexplained => FaultAction::Garbage,
        Cause::Timeout => FaultAction::Stall,
        Cause::Reset => FaultAction::Reset,
        Cause::Truncated => FaultAction::Close,
        Cause::Aborted => FaultAction::Alert,
        _ => return None,
    };
    Some(Fault { at, does })
}
