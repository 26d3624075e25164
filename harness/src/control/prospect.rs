//! What becomes of a sound client that calls a backend: the model's statement, in a few words.

use serde::Serialize;
use tls_gauntlet_scenarios::{
    BackendProfile, Cause, Claims, Composed, Expectation, Outcome, Party, Phase, UpstreamProfile, catalogue,
    model,
};

use crate::backend::by_hand;

/// What is to be expected of a client that verifies, sends the server name, shows its certificate when it is asked for
/// one, and refuses what is weak.
#[derive(Debug, Serialize)]
pub(super) struct Prospect {
    outcome: Expected,
    /// Why it gets no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    /// In which phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    /// The prospect in words.
    says: String,
    /// What else is to be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// How the model came to it, step by step.
    steps: Vec<String>,
}

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Expected {
    /// With an answer.
    Answer,
    /// The client has to refuse.
    Refuse,
    /// The backend, or the network, leaves it without one.
    Fail,
    /// The model makes no statement, or not one for each call.
    Depends,
}

impl Prospect {
    /// What the model says of this backend.
    pub(super) fn of(backend: &Composed) -> Self {
        let profile = &backend.profile;
        let note = note(profile);
        if profile.fault_on.is_some() || profile.renewal.is_some() {
            return Self::without_statement("differs from call to call", note);
        }
        let Some(expected) = stated(backend) else {
            return Self::without_statement("depends on the client", note);
        };
        let because = expected.cause.map_or_else(String::new, |cause| format!(": {cause}"));
        let (outcome, says) = match expected.outcome {
            Outcome::Reach => (Expected::Answer, "gets an answer".to_owned()),
            Outcome::Refuse
                if expected.by == Some(Party::Client) && expected.cause.is_some_and(is_a_choice) =>
            {
                (Expected::Refuse, format!("must refuse{because}"))
            }
            Outcome::Refuse => (Expected::Fail, format!("gets no answer{because}")),
        };
        let note = note.filter(|_| outcome == Expected::Answer);
        // The model speaks of the one who calls the backend.
        let steps = expected.steps.iter().map(|step| step.replace("gateway", "client")).collect();
        Self { outcome, cause: expected.cause, phase: expected.phase, says, note, steps }
    }

    fn without_statement(says: &str, note: Option<String>) -> Self {
        let says = says.to_owned();
        Self { outcome: Expected::Depends, cause: None, phase: None, says, note, steps: Vec::new() }
    }
}

fn stated(backend: &Composed) -> Option<Expectation> {
    let protocols = ["h2", "http/1.1"].map(str::to_owned);
    let claims = Claims {
        accepts_weak_dh: Some(false),
        accepts_weak_certificates: Some(false),
        upstream_protocols: Some(protocols.to_vec()),
        ..Claims::openssl_client()
    };
    let sound = catalogue().upstream("strict").ok()?;
    let sound = UpstreamProfile { protocols: protocols.to_vec(), ..sound.clone() };
    model::expect_direct(&sound, backend, &claims).ok()
}

/// Whether a client that does not mind could go on: then it is for the client to refuse.
const fn is_a_choice(cause: Cause) -> bool {
    !matches!(cause, Cause::Timeout | Cause::NotTls | Cause::AlpnMismatch)
}

fn note(profile: &BackendProfile) -> Option<String> {
    let note = by_hand::what_to_expect(profile).filter(|note| note != "a sound client gets an answer");
    let late = || {
        let words = "once the request has come, it wants a renegotiation or post-handshake authentication, which not \
                     every client follows";
        by_hand::asks_late(profile).then(|| words.to_owned())
    };
    note.or_else(late)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn what_a_sound_client_may_expect_of_each_backend() {
        let mut lines = String::new();
        for (name, _, profile) in catalogue().backends() {
            let Prospect { outcome, says, note, steps, .. } = Prospect::of(&Composed::single(name, profile));
            let differs = profile.fault_on.is_some() || profile.renewal.is_some();
            assert_eq!(outcome == Expected::Depends, differs, "{name}");
            assert_eq!(steps.is_empty(), differs, "{name}");
            assert!(!steps.iter().any(|step| step.contains("gateway")), "{name}: {steps:?}");
            writeln!(lines, "{name:34}{says}{}", note.map_or_else(String::new, |note| format!(" ({note})")))
                .unwrap();
        }
        insta::assert_snapshot!(lines);
    }
}
