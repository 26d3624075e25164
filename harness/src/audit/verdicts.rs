//! The verdicts of an audit: what was seen of a leg, held against the policy, as cells of a run record.

use openssl::{asn1::Asn1Time, x509::X509};
use time::{Date, OffsetDateTime};
use tls_gauntlet_scenarios::{
    CellId, VerdictKind,
    policy::{self, Finding, Level},
    posture::{Came, Posture, ShownCertificate, Tried},
};

use super::{
    Exception,
    leg::{Seen, Timed, gateway_of},
    telling::Named,
};
use crate::{
    backend::subject_of,
    record::{CellRecord, GatewayFacts, GatewayKind, LegRecord},
};

/// The listener and the upstream of a leg: those that the gateway has.
const AS_IT_STANDS: &str = "as-it-stands";

/// The caller of a leg.
const CLIENT: &str = "default";

/// A leg, judged.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) cells: Vec<CellRecord>,
    pub(super) leg: LegRecord,
    pub(super) gateway: GatewayFacts,
}

/// Judges what was seen of a leg.
pub(super) fn of(
    name: &str,
    named: &Named,
    seen: Seen,
    exceptions: &[Exception],
    now: OffsetDateTime,
) -> Judged {
    let Seen { tried, control, mut facts, shown, server, controls, front } = seen;
    facts.shown = shown_certificate(&shown, now);
    let program = server.as_deref().and_then(gateway_of);
    let outcomes: Vec<Tried> = tried.iter().map(|one| one.tried.clone()).collect();
    let posture = Posture::of(&outcomes, &control, &facts);
    let mut findings = policy::findings(&outcomes, &facts);
    findings.extend(front.findings);
    if let Some(program) = program {
        for finding in &mut findings {
            finding.set.retain(|(gateway, _)| gateway == program);
        }
    }
    for finding in &mut findings {
        except(finding, name, exceptions, now.date());
    }
    let behaviours = tried.len();
    let cells = tried.into_iter().map(|one| cell(name, one, &findings)).collect();
    let leg = LegRecord {
        leg: name.to_owned(),
        url: named.url.clone(),
        backend: named.backend.clone(),
        behaviours,
        controls,
        server,
        findings,
        posture,
        listener: front.lines,
        not_audited: None,
    };
    let gateway = GatewayFacts {
        name: name.to_owned(),
        version: leg.server.clone().unwrap_or_else(|| "unknown".to_owned()),
        kind: GatewayKind::External,
        judged_by: None,
    };
    Judged { cells, leg, gateway }
}

/// Notes that a finding is put up with, or that it no longer is.
fn except(finding: &mut Finding, leg: &str, exceptions: &[Exception], today: Date) {
    let is_about =
        |one: &&Exception| one.rule == finding.rule && one.leg.as_ref().is_none_or(|only| only == leg);
    let Some(last) = exceptions.iter().filter(is_about).max_by_key(|one| one.until) else { return };
    let Exception { reason, until, .. } = last;
    if *until >= today {
        finding.excepted = Some(format!("until {until}: {reason}"));
    } else {
        finding.seen = format!("{}; the exception ended on {until} ({reason})", finding.seen);
    }
}

fn cell(leg: &str, one: Timed, findings: &[Finding]) -> CellRecord {
    let Timed { tried, duration_ms, .. } = one;
    let Tried { backend, came, observed, evidence } = tried;
    let (verdict, because) = verdict(&backend.name, &came, findings);
    let id = CellId {
        suite: "audit".to_owned(),
        backend: backend.name.clone(),
        upstream: AS_IT_STANDS.to_owned(),
        client: CLIENT.to_owned(),
        listener: AS_IT_STANDS.to_owned(),
        gateway: leg.to_owned(),
    };
    let was_called = observed.is_some();
    CellRecord {
        id: id.to_string(),
        gateway: leg.to_owned(),
        client: CLIENT.to_owned(),
        listener: AS_IT_STANDS.to_owned(),
        upstream: AS_IT_STANDS.to_owned(),
        backend: backend.name,
        verdict,
        because,
        expected: None,
        observed,
        client_saw: was_called.then_some(evidence.client_saw),
        backend_saw: evidence.backend_saw,
        status_asked: evidence.status_asked,
        gateway_said: evidence.gateway_said,
        strangers: 0,
        gateway_causes: evidence.gateway_causes,
        why: backend.profile.summary,
        source: backend.profile.clause,
        reproduce: "gauntlet audit URL --backend HOST:PORT".to_owned(),
        duration_ms,
    }
}

fn verdict(backend: &str, came: &Came, findings: &[Finding]) -> (VerdictKind, Option<String>) {
    if let Came::Inconclusive { because } = came {
        return (VerdictKind::Skipped, Some(format!("inconclusive: {because}")));
    }
    let broken = findings.iter().find(|finding| finding.behaviours.iter().any(|name| name == backend));
    if let Some(finding) = broken {
        let because = format!("{} {}: {}", finding.level, finding.clause, finding.says);
        let kind = match (finding.level, &finding.excepted, came) {
            (_, Some(_), _) => VerdictKind::KnownDeviation,
            (Level::Must, None, Came::Through) => VerdictKind::FailOpen,
            (Level::Must, None, _) => VerdictKind::FailClosed,
            (Level::Should, None, _) => VerdictKind::Unclaimed,
        };
        return (kind, Some(because));
    }
    match policy::rule_of(backend) {
        Some(_) => (VerdictKind::Pass, None),
        None => (VerdictKind::Unclaimed, Some("no line of the policy is about it".to_owned())),
    }
}

/// The certificate that was shown, leaf first in its chain.
fn shown_certificate(chain: &[X509], now: OffsetDateTime) -> Option<ShownCertificate> {
    let leaf = chain.first()?;
    let today = Asn1Time::from_unix(now.unix_timestamp()).ok()?;
    let days_left = today.diff(leaf.not_after()).map_or(0, |left| i64::from(left.days));
    let (subject, issuer) = subject_of(leaf);
    Some(ShownCertificate {
        self_signed: subject == issuer,
        subject,
        issuer,
        days_left,
        sent_with: chain.len() - 1,
    })
}
