//! The model turned round: from what was measured, the claims under which it had to happen.
//!
//! Each claim is tried with everything that it can say, and says what most cells then confirm. Nothing here knows one
//! claim from another but for the tables of answers; what a claim can say is read from its schema. What no cell tells
//! stays unsaid, and what fits no claim is handed back: a fail-open is no claim.

mod answers;
mod choices;
mod difference;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use toml::Value;

use crate::{
    cell::Scenario,
    claims::{AlertClaim, CertificateClaim, Claims, StatusClaim, Unclaimed},
    diagnosis::Diagnosis,
    evidence::{ClientHelloFacts, Evidence},
    expectation::Expectation,
    judge, model,
    profile::UpstreamProfile,
    verdict::{Verdict, VerdictKind},
    words::{Alert, Cause, ServerCertificate},
};
use answers::Answers;
use choices::{Choice, Draft};

/// One cell that was called through a gateway, perhaps more than once.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The cell.
    pub scenario: Scenario,
    /// What was seen of it, once for each time.
    pub seen: Vec<(Diagnosis, Evidence)>,
}

/// What was found out about a gateway.
#[derive(Debug, Clone)]
pub struct Discovery {
    /// Its claims.
    pub claims: Claims,
    /// The claims about which these cells say nothing.
    pub untold: Vec<String>,
    /// The cells that no claims explain: index, and the verdict under the claims that come nearest.
    pub unexplained: Vec<(usize, Verdict)>,
    untold_words: BTreeMap<String, BTreeSet<String>>,
    answers: Answers,
}

impl Discovery {
    /// What these cells say of a gateway of which nothing is known.
    #[must_use]
    pub fn of(cells: &[Measured]) -> Self {
        let search = Search::new(cells);
        let (draft, untold) = search.draft();
        let draft = search.with_certificates(draft);
        let mut claims = search.open(&draft).unwrap_or_default();
        claims.certificate = merged(&claims.certificate);
        let answers = Answers::of(cells, &claims);
        answers.write(&mut claims);
        let unexplained = search.unexplained(&claims);
        Self { claims, untold: untold.claims, unexplained, untold_words: untold.words, answers }
    }

    /// What `known` claims and these cells do not show, or the other way round; one line each.
    #[must_use]
    pub fn differences(&self, known: &Claims) -> Vec<String> {
        let mut lines = difference::of(known, self);
        lines.extend(self.answers.differences(known));
        lines
    }
}

/// The table of certificates.
const CERTIFICATE: &str = "certificate";

/// What the gateway offered to the backend.
fn hellos(cell: &Measured) -> impl Iterator<Item = &ClientHelloFacts> {
    let evidence = cell.seen.iter().map(|(_, evidence)| evidence);
    evidence.flat_map(|seen| &seen.backend_saw).filter_map(|saw| saw.client_hello.as_ref())
}

/// Whether what such an upstream offers is not what the gateway offers by itself.
fn sets_ciphers(upstream: &UpstreamProfile) -> bool {
    upstream.ciphers.is_some() || upstream.versions.is_legacy()
}

/// The cells, and what was seen in them all.
struct Search<'a> {
    cells: &'a [Measured],
    choices: Vec<(String, Choice)>,
    /// Every word that a ClientHello offered to a backend: versions, cipher suites, groups, protocols.
    offered: BTreeSet<String>,
}

impl<'a> Search<'a> {
    fn new(cells: &'a [Measured]) -> Self {
        let evidence = || cells.iter().flat_map(|cell| &cell.seen).map(|(_, evidence)| evidence);
        let mut offered = BTreeSet::new();
        let mut protocols = BTreeSet::new();
        for (cell, hello) in cells.iter().flat_map(|cell| hellos(cell).map(move |hello| (cell, hello))) {
            let is_set = sets_ciphers(&cell.scenario.upstream.profile);
            offered.extend(hello.words().filter(|word| !is_set || !hello.ciphers.contains(word)));
            protocols.extend(hello.alpn.iter().cloned());
        }
        protocols.extend(evidence().filter_map(|seen| seen.client_saw.alpn.clone()));
        let statuses: BTreeSet<u16> = evidence().filter_map(|seen| seen.client_saw.status).collect();
        Self { cells, choices: choices::of_claims(&statuses, &protocols), offered }
    }

    /// Every claim but the tables of answers, and what cannot be told.
    fn draft(&self) -> (Draft, Untold) {
        let mut draft = Draft::default();
        let mut untold = Untold::default();
        // One claim opens the way to cells that depend on the next, so it takes as many rounds as claims build on one
        // another; more than there are claims it cannot take.
        for _ in 0..self.choices.len() {
            let before = draft.clone();
            untold = Untold::default();
            for (claim, choice) in &self.choices {
                let told = match choice {
                    Choice::One(values) => self.choose(&mut draft, claim, values),
                    Choice::Set(words) => match self.collect(&mut draft, claim, words) {
                        Some(untold_words) => untold.words.insert(claim.clone(), untold_words).is_none(),
                        None => false,
                    },
                };
                if !told {
                    untold.claims.push(claim.clone());
                }
            }
            if draft == before {
                break;
            }
        }
        (draft, untold)
    }

    /// The table of certificates: a line for each that is treated otherwise than the rest of the claims has it.
    fn with_certificates(&self, draft: Draft) -> Draft {
        let mut draft = draft;
        let mut lines: Vec<Value> = Vec::new();
        let shown: BTreeSet<ServerCertificate> =
            self.cells.iter().map(|cell| cell.scenario.backend.profile.certificate()).collect();
        for certificate in shown.into_iter().filter(|certificate| !certificate.leaves_no_choice()) {
            let causes: BTreeSet<Cause> = self
                .cells
                .iter()
                .filter(|cell| cell.scenario.backend.profile.certificate() == certificate)
                .flat_map(|cell| &cell.seen)
                .flat_map(|(seen, _)| seen.cause.iter().chain(&seen.candidates).copied())
                .filter(|cause| cause.is_about_certificates())
                .collect();
            let taken = certificate.is_weak().then_some(None);
            let refused = causes.into_iter().map(Some).chain(taken);
            let claims = refused.flat_map(|refused| {
                [false, true].map(|unverified| CertificateClaim {
                    certificates: vec![certificate],
                    refused,
                    unverified,
                })
            });
            let lines_so_far = lines.clone();
            let with = |line: Value| {
                let lines = lines_so_far.iter().cloned().chain([line]).collect();
                draft.with(CERTIFICATE, Some(Value::Array(lines)))
            };
            let candidates: Vec<Value> = claims.filter_map(|claim| Value::try_from(claim).ok()).collect();
            let drafts: Vec<Draft> =
                [draft.clone()].into_iter().chain(candidates.iter().cloned().map(with)).collect();
            let Some(best) = self.best(&drafts).filter(|best| best.index > 0) else { continue };
            draft = drafts[best.index].clone();
            lines.push(candidates[best.index - 1].clone());
        }
        draft
    }

    /// Gives the claim the value that most cells confirm; none, if that is as good. Says whether any cell tells.
    fn choose(&self, draft: &mut Draft, claim: &str, values: &[Value]) -> bool {
        let candidates = [None].into_iter().chain(values.iter().map(Some));
        let drafts: Vec<Draft> = candidates.map(|value| draft.with(claim, value.cloned())).collect();
        // What no cell depends on any more, is not claimed.
        let best = self.best(&drafts);
        // An absent claim that fits as well is no alternative: it says nothing.
        let told = best.as_ref().is_some_and(|best| best.tied.iter().all(|other| *other == 0));
        *draft = drafts[best.map_or(0, |best| best.index)].clone();
        told
    }

    /// Gives the claim the words that most cells confirm; where none tells, those that were offered. Says of which
    /// words no cell tells; none, if none tells of any.
    fn collect(&self, draft: &mut Draft, claim: &str, words: &[String]) -> Option<BTreeSet<String>> {
        // What a listener accepts, no ClientHello of the gateway shows.
        let is_offered = |word: &String| !claim.contains('.') && self.offered.contains(word);
        let claiming = |kept: &BTreeSet<usize>| {
            let kept = kept.iter().map(|index| Value::String(words[*index].clone()));
            draft.with(claim, Some(Value::Array(kept.collect())))
        };
        let offered: BTreeSet<usize> = (0..words.len()).filter(|index| is_offered(&words[*index])).collect();
        let mut kept = if offered.is_empty() { (0..words.len()).collect() } else { offered.clone() };
        let absent = draft.with(claim, None);
        if self.best(&[absent.clone(), claiming(&kept)]).is_none() && offered.is_empty() {
            *draft = absent;
            return None;
        }
        let mut untold = BTreeSet::new();
        for (index, word) in words.iter().enumerate() {
            let (mut with, mut without) = (kept.clone(), kept.clone());
            with.insert(index);
            without.remove(&index);
            let mut order = if offered.contains(&index) { vec![with, without] } else { vec![without, with] };
            // A set that must not be empty.
            order.retain(|kept| self.open(&claiming(kept)).is_some());
            let drafts: Vec<_> = order.iter().map(&claiming).collect();
            let best = self.best(&drafts);
            if !offered.contains(&index) && best.as_ref().is_none_or(|best| !best.tied.is_empty()) {
                untold.insert(word.clone());
            }
            kept.clone_from(&order[best.map_or(0, |best| best.index)]);
        }
        *draft = claiming(&kept);
        Some(untold)
    }

    /// The first of those drafts that most cells confirm. None, if none of them can be read or no cell makes a
    /// difference between any.
    fn best(&self, drafts: &[Draft]) -> Option<Best> {
        let claims: Vec<Option<Claims>> = drafts.iter().map(|draft| self.open(draft)).collect();
        let mut scores: Vec<_> =
            claims.iter().map(|claims| claims.as_ref().map(|_| Score::default())).collect();
        let mut any = false;
        for cell in self.cells {
            let expect =
                |claims: &Option<Claims>| claims.as_ref().map(|claims| model::expect(&cell.scenario, claims));
            let expected: Vec<_> = claims.iter().map(expect).collect();
            let mut readable = expected.iter().flatten();
            let first = readable.next()?;
            if readable.all(|other| other == first) {
                continue;
            }
            any = true;
            let asked_first = first.as_ref().err();
            for (score, expected) in scores.iter_mut().zip(&expected) {
                let (Some(score), Some(expected)) = (score, expected) else { continue };
                match expected {
                    Ok(expected) => {
                        let good = passes(cell, expected);
                        score.passed += good;
                        let near = cell.seen.iter().filter(|(seen, _)| seen.outcome == expected.outcome);
                        score.promising += near.count() - good;
                        score.failed.0 += cell.seen.len() - good;
                    }
                    Err(asked) => {
                        score.promising += if Some(asked) == asked_first { 0 } else { cell.seen.len() }
                    }
                }
            }
        }
        // The first of the best: `max_by_key` takes the last.
        let readable = (0..drafts.len()).rev().filter(|index| scores[*index].is_some());
        let index = readable.max_by_key(|index| scores[*index]).filter(|_| any)?;
        let as_good = |other: &usize| *other != index && scores[*other] == scores[index];
        Some(Best { index, tied: (0..drafts.len()).filter(as_good).collect() })
    }

    /// The claims of a draft, with any answer allowed: the tables of answers come last.
    fn open(&self, draft: &Draft) -> Option<Claims> {
        let mut claims = draft.read()?;
        claims.status = vec![any_status()];
        claims.listener.alert = vec![any_alert()];
        Some(claims)
    }

    fn unexplained(&self, claims: &Claims) -> Vec<(usize, Verdict)> {
        let wrong = |cell: &Measured| match model::expect(&cell.scenario, claims) {
            Err(Unclaimed(claim)) => {
                let saw = cell.seen.first().map(|(seen, evidence)| judge::in_words(seen, evidence));
                Some(Verdict::Unclaimed { claim, saw: saw.unwrap_or_default() })
            }
            Ok(expected) => cell
                .seen
                .iter()
                .map(|(seen, evidence)| judge::judge(&expected, seen, evidence))
                .find(|verdict| verdict.kind() != VerdictKind::Pass),
        };
        self.cells.iter().enumerate().filter_map(|(index, cell)| Some((index, wrong(cell)?))).collect()
    }
}

/// What no cell tells: claims, and single words of claims that list them.
#[derive(Debug, Default)]
struct Untold {
    claims: Vec<String>,
    words: BTreeMap<String, BTreeSet<String>>,
}

/// The draft that fits best, and those that fit as well.
struct Best {
    index: usize,
    tied: Vec<usize>,
}

/// How well claims fit the cells that they make a difference for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    passed: usize,
    /// What another claim may tell: cells that now depend on one, and those that come through, or do not, as they must,
    /// but not in the way they must.
    promising: usize,
    failed: Reverse<usize>,
}

/// How often this cell passes if this must happen.
fn passes(cell: &Measured, expected: &Expectation) -> usize {
    let verdicts = cell.seen.iter().map(|(seen, evidence)| judge::judge(expected, seen, evidence));
    verdicts.filter(|verdict| verdict.kind() == VerdictKind::Pass).count()
}

/// One line for all certificates that are treated alike.
fn merged(lines: &[CertificateClaim]) -> Vec<CertificateClaim> {
    let mut merged: Vec<CertificateClaim> = Vec::new();
    for line in lines {
        let alike = |known: &&mut CertificateClaim| {
            known.refused == line.refused && known.unverified == line.unverified
        };
        match merged.iter_mut().find(alike) {
            Some(known) => known.certificates.extend(&line.certificates),
            None => merged.push(line.clone()),
        }
    }
    merged
}

fn any_status() -> StatusClaim {
    StatusClaim {
        causes: Vec::new(),
        phase: None,
        tls_version: None,
        statuses: (100..600).collect(),
        may_close: true,
    }
}

fn any_alert() -> AlertClaim {
    AlertClaim { causes: Vec::new(), tls_version: None, alerts: Alert::ALL.to_vec(), may_close: true }
}
