//! The tables of answers: with which status, and with which alert, each cause comes to the client.

use std::collections::{BTreeMap, BTreeSet};

use super::{Measured, passes};
use crate::{
    claims::{AlertClaim, ClaimName, Claims, StatusClaim, Unclaimed},
    evidence::ClientSaw,
    model,
    words::{Alert, Cause, Phase, TlsVersion},
};

/// What was answered, by what it was answered to.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    statuses: BTreeMap<Key, Said<u16>>,
    alerts: BTreeMap<Key, Said<Alert>>,
}

type Key = (Cause, Option<Phase>, Option<TlsVersion>);

/// All that was answered to one thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Said<T> {
    said: BTreeSet<T>,
    closed: bool,
}

impl Answers {
    /// What the cells answered of which these claims, with any answer allowed, say why.
    pub(super) fn of(cells: &[Measured], open: &Claims) -> Self {
        let mut answers = Self::default();
        let mut without_statuses = open.clone();
        without_statuses.status.clear();
        let mut without_alerts = open.clone();
        without_alerts.listener.alert.clear();
        for cell in cells {
            let scenario = &cell.scenario;
            let Ok(expected) = model::expect(scenario, open) else { continue };
            let Some(cause) = expected.cause else { continue };
            let saw = cell.seen.iter().filter(|one| {
                let alone = Measured { scenario: scenario.clone(), seen: vec![(*one).clone()] };
                passes(&alone, &expected) == 1
            });
            let saw = saw.map(|(_, evidence)| &evidence.client_saw);
            if model::expect(scenario, &without_statuses) == Err(Unclaimed(ClaimName::Status)) {
                let key = (cause, expected.phase, expected.backend.tls_version);
                saw.for_each(|saw| add(&mut answers.statuses, key, saw, saw.status));
            } else if model::expect(scenario, &without_alerts) == Err(Unclaimed(ClaimName::ListenerAlert)) {
                let asks_for = |version: &&TlsVersion| {
                    let mut claims = without_alerts.clone();
                    claims.listener.alert =
                        vec![AlertClaim { tls_version: Some(**version), ..super::any_alert() }];
                    model::expect(scenario, &claims).is_ok()
                };
                let version = TlsVersion::ALL.iter().find(asks_for).copied();
                saw.for_each(|saw| add(&mut answers.alerts, (cause, None, version), saw, saw.alert));
            }
        }
        pool(&mut answers.statuses);
        answers
    }

    /// Puts them into the claims, in as few lines as tell them apart.
    pub(super) fn write(&self, claims: &mut Claims) {
        let line = |(causes, phase, tls_version, answer): Line<u16>| StatusClaim {
            causes,
            phase,
            tls_version,
            statuses: answer.said.into_iter().collect(),
            may_close: answer.closed,
        };
        claims.status = lines(&self.statuses).into_iter().map(line).collect();
        let line = |(causes, _, tls_version, answer): Line<Alert>| AlertClaim {
            causes,
            tls_version,
            alerts: answer.said.into_iter().collect(),
            may_close: answer.closed,
        };
        claims.listener.alert = lines(&self.alerts).into_iter().map(line).collect();
    }

    /// The answers that `known` does not claim.
    pub(super) fn differences(&self, known: &Claims) -> Vec<String> {
        let statuses = self.statuses.iter().filter_map(|(key, answer)| {
            let (cause, phase, version) = *key;
            let claim = known.status_for(cause, phase.unwrap_or(Phase::Connect), version);
            let claim = claim.ok().map(|line| (line.statuses.iter().copied().collect(), line.may_close));
            difference("status", key, answer, claim)
        });
        let alerts = self.alerts.iter().filter_map(|(key, answer)| {
            let (cause, _, version) = *key;
            let claim = known.alert_for(cause, version).ok();
            let claim = claim.map(|line| (line.alerts.iter().copied().collect(), line.may_close));
            difference("listener.alert", key, answer, claim)
        });
        statuses.chain(alerts).collect()
    }
}

fn add<T: Ord>(answers: &mut BTreeMap<Key, Said<T>>, key: Key, saw: &ClientSaw, said: Option<T>) {
    let answer = answers.entry(key).or_insert_with(|| Said { said: BTreeSet::new(), closed: false });
    answer.closed |= saw.status.is_none() && saw.alert.is_none();
    answer.said.extend(said);
}

/// After its handshake, and in the middle of a response, it is a matter of time how far a gateway is when the backend
/// refuses: what it answered to one client certificate or one cut, it may answer to another.
fn pool(answers: &mut BTreeMap<Key, Said<u16>>) {
    let kin = |(cause, phase, version): &Key| match cause {
        Cause::ClientCertMissing
        | Cause::ClientCertUntrusted
        | Cause::ClientCertExpired
        | Cause::ClientCertWrongUsage
        | Cause::ClientCertRevoked
            if *version == Some(TlsVersion::Tls13) =>
        {
            Some((*phase, true))
        }
        Cause::Reset | Cause::Truncated if *phase == Some(Phase::Response) => Some((*phase, false)),
        _ => None,
    };
    let keys: Vec<Key> = answers.keys().copied().collect();
    for key in keys.iter().filter(|key| kin(key).is_some()) {
        let others = keys.iter().filter(|other| kin(other) == kin(key));
        let pooled = others.filter_map(|other| answers.get(other)).fold(
            Said { said: BTreeSet::new(), closed: false },
            |pooled, answer| Said {
                said: pooled.said.union(&answer.said).copied().collect(),
                closed: pooled.closed || answer.closed,
            },
        );
        answers.insert(*key, pooled);
    }
}

fn difference<T: Ord + Clone + ToString>(
    table: &str,
    (cause, phase, version): &Key,
    answer: &Said<T>,
    claim: Option<(BTreeSet<T>, bool)>,
) -> Option<String> {
    let words = |said: &BTreeSet<T>, closed: bool| {
        let end = closed.then(|| "a closed connection".to_owned());
        said.iter().map(ToString::to_string).chain(end).collect::<Vec<_>>().join(" or ")
    };
    let measured = words(&answer.said, answer.closed);
    let claimed = match claim {
        Some((said, closed)) if answer.said.is_subset(&said) && closed >= answer.closed => return None,
        Some((said, closed)) => words(&said, closed),
        None => "nothing".to_owned(),
    };
    let at = [phase.map(|phase| phase.to_string()), version.map(|version| version.to_string())];
    let at: Vec<_> = at.into_iter().flatten().collect();
    let at = if at.is_empty() { String::new() } else { format!(" ({})", at.join(", ")) };
    Some(format!("{table} for {cause}{at}: claimed is {claimed}, measured {measured}"))
}

type Line<T> = (Vec<Cause>, Option<Phase>, Option<TlsVersion>, Said<T>);

/// Says phase and version only of the causes whose answer depends on them, and names causes with the same answer in one line.
fn lines<T: Ord + Clone>(answers: &BTreeMap<Key, Said<T>>) -> Vec<Line<T>> {
    let causes: BTreeSet<Cause> = answers.keys().map(|(cause, ..)| *cause).collect();
    let mut lines: Vec<Line<T>> = Vec::new();
    for cause in causes {
        let own: Vec<_> = answers.iter().filter(|((of, ..), _)| *of == cause).collect();
        type Part = fn(Key) -> (Option<Phase>, Option<TlsVersion>);
        let parts: [Part; 4] = [
            |_| (None, None),
            |(_, phase, _)| (phase, None),
            |(_, _, version)| (None, version),
            |(_, phase, version)| (phase, version),
        ];
        let simplest = parts.into_iter().find_map(|part| {
            let mut told: BTreeMap<_, &Said<T>> = BTreeMap::new();
            let agree = own.iter().all(|(key, answer)| *told.entry(part(**key)).or_insert(answer) == *answer);
            agree.then_some(told)
        });
        for ((phase, version), answer) in simplest.into_iter().flatten() {
            let same = |line: &&mut Line<T>| line.1 == phase && line.2 == version && line.3 == *answer;
            match lines.iter_mut().find(same) {
                Some(line) => line.0.push(cause),
                None => lines.push((vec![cause], phase, version, answer.clone())),
            }
        }
    }
    // A line without a version fits every version, so those with one go first.
    lines.sort_by_key(|(_, phase, version, _)| (phase.is_none(), version.is_none()));
    lines
}
